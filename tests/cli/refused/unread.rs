//! What is in the place of a note, and is none, or has been changed by an editor.

use std::path::Path;

use super::*;

/// It is said what is there, and the step that is printed leads out.
#[test]
fn what_is_in_the_place_of_a_note_is_named_with_the_command_that_removes_it() {
    type Put = fn(&Path);
    let cases: [(Put, &str); 7] = [
        (|note| run_it("mkfifo", note), "not a regular file but a named pipe (FIFO)"),
        (|note| fs::create_dir(note).unwrap(), "not a regular file but a directory"),
        (
            |note| {
                fs::create_dir(note).unwrap();
                fs::write(note.join("in it"), b"").unwrap();
            },
            "not a regular file but a directory",
        ),
        (
            |note| std::os::unix::fs::symlink("/nowhere", note).unwrap(),
            "not a regular file but a symbolic link that leads nowhere",
        ),
        (
            |note| std::os::unix::fs::symlink("/dev/null", note).unwrap(),
            "not a regular file but a symbolic link",
        ),
        (|note| write_private(note, ""), "it is empty"),
        (|note| write_private(note, " \n"), "it is empty"),
    ];
    for (put, found) in cases {
        let token = Token::new("");
        let note = token.home.path("refused.json");
        put(&note);
        let file = token.file("right", PIN);
        let ran = token.with_file(&file, &[]);
        assert_eq!(ran.code, 1, "{found}: {}", ran.err);
        assert_eq!(token.sent(), 0, "{found}");
        let removal = ran.err.split_once("remove what was noted: ").unwrap().1.trim();
        for text in [found, "which PINs were refused", "--retry-pin"] {
            assert!(ran.err.contains(text), "no {text}: {}", ran.err);
        }
        // The other way sends it once.
        assert_eq!(token.with_file(&file, &["--retry-pin"]).code, 0, "{found}");
        put_anew(&note, put);
        assert_eq!(token.with_file(&file, &[]).code, 1, "{found}");
        let ran = run(Command::new("sh").args(["-c", removal]), b"");
        assert_eq!(ran.code, 0, "{removal}: {}", ran.err);
        assert_eq!(token.with_file(&file, &[]).code, 0, "{found}: {removal}");
    }
}

fn run_it(program: &str, path: &Path) {
    let ran = run(Command::new(program).arg(path), b"");
    assert_eq!(ran.code, 0, "{}", ran.err);
}

/// Where it is not there any more.
fn put_anew(note: &Path, put: fn(&Path)) {
    if note.symlink_metadata().is_err() {
        put(note);
    }
}

/// As an editor has saved it: what is noted counts.
#[test]
fn a_byte_order_mark_before_a_note_is_no_part_of_it() {
    let token = Token::new("");
    assert_eq!(token.signs_with(WRONG).code, 77);
    let noted = token.home.read("refused.json");
    token.home.write("refused.json", &format!("\u{feff}{noted}"));
    token.home.chmod("refused.json", 0o600);
    let ran = token.signs_with(WRONG);
    assert!(ran.code == 77 && ran.err.contains("was not sent again"), "{}", ran.err);
    assert_eq!(token.sent(), 1);
    assert_eq!(token.signs_with(PIN).code, 0);
    let utf_16: Vec<u8> = noted.encode_utf16().flat_map(u16::to_le_bytes).collect();
    write_private(&token.home.path("refused.json"), "");
    fs::write(token.home.path("refused.json"), [&b"\xff\xfe"[..], &utf_16].concat()).unwrap();
    let ran = token.signs_with(PIN);
    assert!(ran.code == 1 && ran.err.contains("UTF-16, not UTF-8"), "{}", ran.err);
}

/// Of a move that was cut off: the same as in the home, by either way.
#[test]
fn a_note_in_a_part_of_the_home_that_is_none_is_in_the_way_until_somebody_insists() {
    type Put = fn(&Path);
    let cases: [Put; 3] = [
        |note| write_private(note, ""),
        |note| write_private(note, "[{]"),
        |note| std::os::unix::fs::symlink("/nowhere", note).unwrap(),
    ];
    for part in ["migration", "previous"] {
        for put in cases {
            let token = Token::new("");
            fs::create_dir(token.home.path(part)).unwrap();
            token.home.chmod(part, 0o700);
            let note = token.home.path(part).join("refused.json");
            put(&note);
            let file = token.file("right", PIN);
            let ran = token.with_file(&file, &[]);
            assert_eq!((ran.code, token.sent()), (1, 0), "{part}: {}", ran.err);
            assert!(ran.err.contains(note.to_str().unwrap()), "{}", ran.err);
            let ran = token.with_file(&file, &["--retry-pin"]);
            assert_eq!(ran.code, 0, "{part}: {}", ran.err);
            assert!(note.symlink_metadata().is_err(), "{part}");
            assert_eq!(token.with_file(&file, &[]).code, 0, "{part}");
        }
    }
}

/// It cannot be removed as a file is; and the warning does not say that nothing was sent.
#[test]
fn a_note_that_takes_nothing_is_told_without_saying_that_no_pin_was_sent() {
    let token = Token::new("");
    fs::create_dir(token.home.path("previous")).unwrap();
    token.home.chmod("previous", 0o700);
    let note = token.home.path("previous/refused.json");
    fs::create_dir(&note).unwrap();
    let ran = token.with_file(&token.file("right", PIN), &["--retry-pin"]);
    assert_eq!((ran.code, token.sent()), (0, 1), "{}", ran.err);
    let warning = format!("could not be noted in {}, which cannot be understood", note.display());
    assert!(ran.err.contains(&warning), "{}", ran.err);
    assert!(!ran.err.contains("no PIN was sent"), "{}", ran.err);
}
