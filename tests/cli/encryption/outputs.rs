//! What `icnctl decrypt` leaves behind, and what not.

use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use support::home::{Home, PASSPHRASE, run};

use super::{age, identity, recipient, text};

/// A home, a directory with an encrypted file of some pieces, and its name.
fn encrypted() -> (Home, PathBuf, PathBuf) {
    let home = identity();
    let dir = home.beside("work");
    std::fs::create_dir(&dir).unwrap();
    let file = dir.join("file.age");
    std::fs::write(home.beside("plain"), [7; 200_000]).unwrap();
    age(&recipient(&home), &[], &home.beside("plain"), &file);
    (home, dir, file)
}

fn names(dir: &PathBuf) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn truncated_and_changed_files_leave_no_output() {
    let (home, dir, file) = encrypted();
    let good = std::fs::read(&file).unwrap();
    let out = dir.join("out");
    let damaged = dir.join("damaged.age");
    let flip = |at: usize| {
        let mut bytes = good.clone();
        bytes[at] ^= 1;
        bytes
    };
    let last_piece = good.len() - 200_000 % 65_536 - 16;
    for (bytes, why) in [
        (good[..30].to_vec(), "its end is missing"),
        (good[..100_000].to_vec(), "cut short"),
        (good[..last_piece].to_vec(), "its end is missing"),
        (good[..good.len() - 1].to_vec(), "damaged or was cut short"),
        (flip(190_000), "damaged or was cut short"),
        (flip(good.len() - 1), "damaged or was cut short"),
        ([good.clone(), vec![0]].concat(), "damaged or was cut short"),
    ] {
        std::fs::write(&damaged, &bytes).unwrap();
        let args = ["decrypt", text(&damaged), "--output", text(&out)];
        home.fails(&args, b"", &[why, "  try: get the file once more"]);
        assert_eq!(names(&dir), ["damaged.age", "file.age"]);
        // Nor does it take away what was there.
        std::fs::write(&out, "before").unwrap();
        home.fails(&[&args[..], &["--force"]].concat(), b"", &[why]);
        assert_eq!(std::fs::read(&out).unwrap(), b"before");
        std::fs::remove_file(&out).unwrap();
        // On standard output a part may be there already: it is said.
        let ran = home.icnctl(&["decrypt", text(&damaged)], b"");
        assert_eq!(ran.code, 1);
        assert!(ran.err.contains(why), "{}", ran.err);
        assert!(ran.out.len() < 200_000);
        assert!(
            ran.out.is_empty() || ran.err.contains("do not use what was printed of it"),
            "{}",
            ran.err
        );
    }
    let ran = home.icnctl(&["decrypt", text(&file)], b"");
    assert_eq!((ran.code, ran.out.len()), (0, 200_000));
}

#[test]
fn an_output_is_private_and_never_replaced_without_force() {
    let (home, dir, file) = encrypted();
    let out = dir.join("out");
    let args = ["decrypt", text(&file), "--output", text(&out)];
    let icnctl = home.command(&args);
    let mut command = std::process::Command::new("sh");
    command.args(["-c", "umask 000; exec \"$0\" \"$@\""]).arg(icnctl.get_program()).args(args);
    command.env_clear().env("ICN_HOME", home.path("")).env("ICN_PASSPHRASE", PASSPHRASE);
    let ran = run(&mut command, b"");
    assert_eq!(ran.code, 0, "{}", ran.err);
    let mode = std::fs::metadata(&out).unwrap().permissions().mode();
    assert_eq!(mode & 0o7777, 0o600);
    std::fs::write(&out, "before").unwrap();
    // Before anybody is asked for a passphrase.
    let ran = run(home.command(&args).env_remove("ICN_PASSPHRASE"), b"");
    assert!(ran.err.contains("out already exists") && ran.err.contains("--force"), "{}", ran.err);
    assert_eq!(std::fs::read(&out).unwrap(), b"before");
    home.ok(&[&args[..], &["--force"]].concat(), b"");
    assert_eq!(std::fs::read(&out).unwrap().len(), 200_000);
    assert_eq!(names(&dir), ["file.age", "out"]);
}

#[test]
fn a_full_device_is_an_error() {
    let (home, _, file) = encrypted();
    let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
    let mut command = home.command(&["decrypt", text(&file)]);
    let ran = command.stdout(full).stderr(std::process::Stdio::piped()).output().unwrap();
    assert_eq!(ran.status.code(), Some(1));
    let err = String::from_utf8(ran.stderr).unwrap();
    assert!(err.contains("cannot write to standard output"), "{err}");
    assert!(err.contains("No space left on device"), "{err}");
}

/// A link, a directory or a device is not replaced by a file.
#[test]
fn what_is_no_regular_file_is_never_replaced() {
    let (home, dir, file) = encrypted();
    let target = dir.join("target");
    std::fs::write(&target, "before").unwrap();
    std::os::unix::fs::symlink(&target, dir.join("link")).unwrap();
    std::os::unix::fs::symlink("/nowhere", dir.join("dangling")).unwrap();
    std::fs::create_dir(dir.join("directory")).unwrap();
    for name in ["link", "dangling", "directory"] {
        let out = dir.join(name);
        let args = ["decrypt", text(&file), "--output", text(&out)];
        home.fails(&args, b"", &[name, "already exists"]);
        home.fails(&[&args[..], &["--force"]].concat(), b"", &[name, "not a regular file"]);
    }
    assert_eq!(std::fs::read(&target).unwrap(), b"before");
    let out = dir.join("missing/out");
    home.fails(&["decrypt", text(&file), "-o", text(&out)], b"", &["cannot write", "No such file"]);
    assert_eq!(names(&dir), ["dangling", "directory", "file.age", "link", "target"]);
    home.fails(&["decrypt", "/nowhere"], b"", &["cannot read /nowhere"]);
}

/// Before anybody is asked for a credential.
#[test]
fn what_no_identity_opens_is_refused_without_a_passphrase() {
    let home = identity().with("ICN_PASSPHRASE", "");
    let passphrase_file = std::fs::read(home.path("identity.age")).unwrap();
    let wanted = ["encrypted with a passphrase", "try: decrypt it with `age --decrypt FILE`"];
    home.fails(&["decrypt"], &passphrase_file, &wanted);
    home.fails(&["decrypt"], b"hello, this is a text and not an age file", &["not an age file"]);
    home.fails(&["decrypt"], b"", &["its end is missing"]);
}

#[test]
fn what_is_for_others_is_told_from_what_is_damaged() {
    let (home, _, _) = encrypted();
    let (_others, _, others) = encrypted();
    let wanted = ["was not encrypted to this identity", "ask the sender"];
    home.fails(&["decrypt", text(&others)], b"", &wanted);
}
