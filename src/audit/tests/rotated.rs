//! The log gets another name: the chain goes on in the next file.

use super::*;

/// Moves the log away; gives where it is.
fn rotate(home: &Home, number: u32) -> PathBuf {
    let path = home.beside(&format!("audit.log.{number}"));
    std::fs::rename(home.path(), &path).unwrap();
    path
}

#[test]
fn a_log_that_is_rotated_goes_on_in_the_next_file_at_once_or_with_the_next_line() {
    let home = Home::new();
    let log = home.open();
    let mut files = Vec::new();
    for round in 0..4 {
        for _ in 0..3 {
            log.append(entry(1)).unwrap();
        }
        files.push(rotate(&home, round));
        if round % 2 == 0 {
            log.reopen().unwrap();
            assert_eq!(home.lines().len(), 1);
        }
    }
    log.append(entry(2)).unwrap();
    files.push(home.path());
    // In whatever order they are named.
    for _ in 0..files.len() {
        files.rotate_left(2);
        let verified = verify(&files, None).unwrap();
        assert_eq!((verified.lines, verified.last()), (18, 18));
        assert!(verified.is_whole);
    }
    let first = home.lines().remove(0);
    let first: serde_json::Value = serde_json::from_slice(&first).unwrap();
    assert_eq!(first["event"], "continue");
    let before = lines_of(&home.beside("audit.log.3")).pop().unwrap();
    let before: serde_json::Value = serde_json::from_slice(&before).unwrap();
    assert_eq!(first["prev"], before["hash"]);
    // The last file alone, and what is missing between.
    let verified = home.verify().unwrap();
    assert!(!verified.is_whole && verified.first() == 17);
    let without: Vec<_> =
        files.iter().filter(|path| !path.ends_with("audit.log.1")).cloned().collect();
    let (path, line, fault) = fault(verify(&without, None));
    assert_eq!((path, line), (home.beside("audit.log.2"), 1));
    assert_eq!(fault, Fault::Missing { first: 5, last: 8 });
}

#[test]
fn the_first_line_of_a_later_file_cannot_be_taken_out() {
    let home = Home::with_lines(2);
    let old = rotate(&home, 1);
    home.append(2);
    let lines = home.lines();
    std::fs::write(home.path(), lines[1..].concat()).unwrap();
    let (path, line, found) = fault(verify(&[old.clone(), home.path()], None));
    assert_eq!((path, line, found), (home.path(), 1, Fault::Missing { first: 4, last: 4 }));
    assert!(fault(home.verify_alone()).1 == 1);
    // Nor moved to the end of the file before.
    let mut moved = lines_of(&old);
    moved.push(lines[0].clone());
    std::fs::write(&old, moved.concat()).unwrap();
    let (path, line, _) = fault(verify(&[old, home.path()], None));
    assert_eq!((path, line), (home.path(), 1));
}

/// Who has it open notices by itself, and so do those who come: no two go on from one line.
#[test]
fn several_who_have_it_open_follow_one_rotation() {
    let home = Home::new();
    let logs: Vec<AuditLog> = (0..3).map(|_| home.open()).collect();
    let mut files = Vec::new();
    for round in 0..5 {
        for log in &logs {
            log.append(entry(1)).unwrap();
        }
        files.push(rotate(&home, round));
        // The first that comes makes the file; another one may be new.
        if round % 2 == 1 {
            home.open().append(entry(2)).unwrap();
        }
    }
    for log in &logs {
        log.append(entry(1)).unwrap();
    }
    files.push(home.path());
    let verified = verify(&files, None).unwrap();
    assert!(verified.is_whole);
    assert_eq!(verified.lines, 1 + 18 + 2 + 5);
}

/// Nobody has it open, and its last line was cut off, or was not noted.
#[test]
fn a_log_that_was_rotated_while_nobody_wrote_is_gone_on_from_its_true_end() {
    for cut in [0, 1, 10] {
        let home = Home::with_lines(2);
        let head = home.beside("audit.log.head");
        let note = std::fs::read(&head).unwrap();
        home.append(1);
        // As if it had been killed before the note.
        std::fs::write(&head, note).unwrap();
        let length = std::fs::metadata(home.path()).unwrap().len();
        let file = std::fs::OpenOptions::new().write(true).open(home.path()).unwrap();
        file.set_len(length - cut).unwrap();
        let old = rotate(&home, 1);
        home.append(1);
        let verified = verify(&[old, home.path()], None).unwrap();
        assert!(verified.is_whole, "{cut}");
        assert_eq!(verified.torn.len(), usize::from(cut == 10), "{cut}");
        assert_eq!(verified.last(), 6, "{cut}");
    }
}

#[test]
fn a_log_that_was_moved_away_altogether_is_gone_on_from_by_the_note() {
    let home = Home::with_lines(2);
    let elsewhere = tempfile::tempdir().unwrap();
    let old = elsewhere.path().join("old");
    std::fs::copy(home.path(), &old).unwrap();
    std::fs::remove_file(home.path()).unwrap();
    home.append(1);
    assert!(verify(&[home.path(), old.clone()], None).unwrap().is_whole);
    // As logrotate does it with `copytruncate`.
    std::fs::copy(home.path(), elsewhere.path().join("second")).unwrap();
    std::fs::write(home.path(), "").unwrap();
    home.append(1);
    let files = [old, elsewhere.path().join("second"), home.path()];
    assert_eq!(verify(&files, None).unwrap().last(), 7);
}

#[test]
fn files_in_one_are_verified_as_they_are() {
    let home = Home::with_lines(2);
    let old = rotate(&home, 1);
    home.append(2);
    let both = home.beside("both");
    std::fs::write(
        &both,
        [std::fs::read(old).unwrap(), std::fs::read(home.path()).unwrap()].concat(),
    )
    .unwrap();
    assert_eq!(verify(&[both], None).unwrap().lines, 6);
}
