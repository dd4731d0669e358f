//! A writer was cut off, or somebody has cut the log: what the next writer does.

use super::*;

fn truncate(path: &Path, length: u64) {
    std::fs::OpenOptions::new().write(true).open(path).unwrap().set_len(length).unwrap();
}

/// Wherever its last write ended: who comes next says so, and the chain goes on. Without
/// the note of what was last, which would know of a line that is missing.
#[test]
fn wherever_a_writer_was_cut_off_the_chain_goes_on_and_verifies() {
    let home = Home::with_lines(3);
    let whole = std::fs::read(home.path()).unwrap();
    let lines = home.lines();
    let before = whole.len() - lines[3].len();
    for cut in 0..=whole.len() {
        std::fs::remove_file(home.beside("audit.log.head")).unwrap();
        std::fs::write(home.path(), &whole[..cut]).unwrap();
        let seq = home.open().append(entry(7)).unwrap();
        let verified = home.verify().unwrap_or_else(|error| panic!("{cut}: {error}"));
        assert_eq!(verified.last(), seq, "{cut}");
        assert_eq!(home.verify_alone().unwrap().last(), seq, "{cut}");
        if cut > before {
            let torn = u64::from(cut < whole.len() - 1);
            assert_eq!(verified.torn.len(), usize::try_from(torn).unwrap(), "{cut}");
            // The torn line is not one; the line that says so is.
            assert_eq!(seq, 5, "{cut}");
        }
        if let [torn] = &verified.torn[..] {
            assert!(torn.bytes > 0 && torn.path == home.path());
        }
    }
}

#[test]
fn what_was_cut_off_is_known_until_somebody_goes_on() {
    let home = Home::with_lines(2);
    let length = std::fs::metadata(home.path()).unwrap().len();
    truncate(&home.path(), length - 10);
    let (_, line, found) = fault(home.verify_alone());
    assert_eq!((line, found), (3, Fault::CutOff));
}

/// The note beside the log knows what was last: what was cut off is missing for ever, and
/// the log goes on all the same.
#[test]
fn an_end_that_was_cut_off_is_found_by_what_is_beside_the_log() {
    let home = Home::with_lines(5);
    let lines = home.lines();
    std::fs::write(home.path(), lines[..4].concat()).unwrap();
    let (path, line, found) = fault(home.verify());
    assert_eq!((path, line), (home.path(), 5));
    assert_eq!(found, Fault::EndsEarly { last: 4, known: 6 });
    // Without it, nothing is known.
    home.verify_alone().unwrap();
    assert_eq!(home.open().append(entry(1)).unwrap(), 8);
    let (_, line, found) = fault(home.verify());
    assert_eq!((line, found), (5, Fault::Missing { first: 5, last: 6 }));
}

#[test]
fn a_changed_last_line_is_not_said_to_have_been_cut_off() {
    let home = Home::with_lines(3);
    let mut bytes = std::fs::read(home.path()).unwrap();
    let place = bytes.len() - 150;
    bytes[place] ^= 1;
    std::fs::write(home.path(), &bytes).unwrap();
    assert_eq!(home.open().append(entry(1)).unwrap(), 6);
    let (_, line, found) = fault(home.verify());
    assert_eq!((line, found), (4, Fault::Changed));
    // Where nothing says what was last, it is not gone on from.
    std::fs::write(home.path(), &bytes).unwrap();
    std::fs::remove_file(home.beside("audit.log.head")).unwrap();
    let error = AuditLog::open(home.path(), home.did()).unwrap_err();
    assert!(matches!(error, AuditError::Damaged { .. }), "{error}");
    assert_eq!(error.kind(), crate::ErrorKind::Damaged);
    std::fs::rename(home.path(), home.beside("old.log")).unwrap();
    assert_eq!(home.open().append(entry(1)).unwrap(), 2);
}

/// What somebody writes in to excuse a line that was changed.
#[test]
fn a_line_that_excuses_what_is_no_line_of_a_writer_is_found() {
    let home = Home::with_lines(3);
    let lines = home.lines();
    std::fs::remove_file(home.beside("audit.log.head")).unwrap();
    let cut = &lines[2][..lines[2].len() - 20];
    std::fs::write(home.path(), [&lines[..2].concat()[..], cut].concat()).unwrap();
    home.append(0);
    let excused = home.lines();
    // Of other bytes than those that are there.
    let mut other = excused.clone();
    other[2][5] ^= 1;
    std::fs::write(home.path(), other.concat()).unwrap();
    assert_eq!(fault(home.verify_alone()).1, 3);
    // Of bytes that are not there any more.
    let gone: Vec<_> = [&excused[..2], &excused[3..]].concat();
    std::fs::write(home.path(), gone.concat()).unwrap();
    assert_eq!(fault(home.verify_alone()).2, Fault::NotContinued { number: 3 });
    std::fs::write(home.path(), excused.concat()).unwrap();
    home.verify_alone().unwrap();
}

#[test]
fn a_note_that_is_damaged_or_old_does_no_harm() {
    let home = Home::with_lines(2);
    let head = home.beside("audit.log.head");
    let old = std::fs::read(&head).unwrap();
    home.append(2);
    std::fs::write(&head, old).unwrap();
    assert_eq!(home.open().append(entry(1)).unwrap(), 6);
    std::fs::write(&head, "nonsense").unwrap();
    assert_eq!(home.open().append(entry(1)).unwrap(), 7);
    home.verify().unwrap();
}

/// A beginning of a line can be what a writer has left; a text that is complete is not, and
/// who goes on does not make it one.
#[test]
fn what_was_put_in_at_the_end_is_found_before_and_after_somebody_goes_on() {
    let forged =
        "{\"seq\":5,\"event\":\"sign\",\"result\":\"allowed\",\"context\":\"pay@forged\"}\n";
    let home = Home::with_lines(3);
    let whole = home.lines().concat();
    let other = "{\"seq\":99,\"at\":\"2026-11-28T10:00:00.123Z\",\"context\":\"pay@for";
    for put_in in [
        forged,
        forged.trim_end(),
        other,
        "{\"seq\":5,\"context\":\"pay",
        "{\"seq\":5}\n{\"seq\":5",
    ] {
        std::fs::write(home.path(), [&whole, put_in.as_bytes()].concat()).unwrap();
        assert_eq!((fault(home.verify_alone()).1, fault(home.verify()).1), (5, 5), "{put_in}");
        home.append(1);
        assert_eq!((fault(home.verify_alone()).1, fault(home.verify()).1), (5, 5), "{put_in}");
        // At the end of a file that was left.
        std::fs::write(home.path(), [&whole, put_in.as_bytes()].concat()).unwrap();
        std::fs::rename(home.path(), home.beside("old.log")).unwrap();
        home.append(1);
        let files = [home.beside("old.log"), home.path()];
        assert_eq!(fault(verify(&files, None)).1, 5, "{put_in}");
        std::fs::remove_file(home.path()).unwrap();
        std::fs::rename(home.beside("old.log"), home.path()).unwrap();
        std::fs::write(home.path(), &whole).unwrap();
    }
}

/// Who writes all the time knows what was last, whatever lies beside the log.
#[test]
fn an_end_that_was_cut_off_with_its_note_is_known_to_who_has_written_it() {
    for rename in [false, true] {
        let home = Home::with_lines(0);
        let log = home.open();
        for number in 0..5 {
            log.append(entry(number)).unwrap();
        }
        let lines = home.lines();
        std::fs::write(home.path(), lines[..4].concat()).unwrap();
        std::fs::remove_file(home.beside("audit.log.head")).unwrap();
        if rename {
            std::fs::rename(home.path(), home.beside("old.log")).unwrap();
        }
        assert_eq!(log.append(entry(9)).unwrap(), 8, "line 7 says that it goes on after line 6");
        let files = [home.beside("old.log"), home.path()];
        let files = if rename { &files[..] } else { &files[1..] };
        assert_eq!(fault(verify(files, None)).2, Fault::Missing { first: 5, last: 6 });
    }
}

#[test]
fn a_note_of_a_line_that_cannot_be_does_no_harm() {
    let home = Home::with_lines(2);
    let log = home.open();
    log.append(entry(1)).unwrap();
    let head = home.beside("audit.log.head");
    let note = std::fs::read_to_string(&head).unwrap();
    let high = note.replace("\"seq\":4", "\"seq\":18446744073709551615");
    assert_ne!(note, high);
    for (log, seq) in [(log, 5), (home.open(), 6)] {
        std::fs::write(&head, &high[..256]).unwrap();
        assert_eq!(log.append(entry(1)).unwrap(), seq);
    }
    home.verify().unwrap();
}

/// Each line says whose key it is about.
#[test]
fn two_identities_that_write_one_log_are_told_apart() {
    let (home, other) = (Home::with_lines(1), Home::new());
    AuditLog::open(home.path(), other.did()).unwrap().append(entry(1)).unwrap();
    home.append(1);
    let dids = [home.did().as_str(), other.did().as_str()];
    assert_eq!(home.verify().unwrap().dids, dids);
    let records = tail(&home.path(), 9).unwrap();
    let named: Vec<_> = records.iter().map(|record| record.did().unwrap()).collect();
    assert_eq!(named, [dids[0], dids[0], dids[1], dids[0]]);
}
