//! Files that cannot be what is wanted: it is said what they are, and what to give.

use std::fs::{self, File};
use std::io::{Seek as _, Write as _};
use std::os::fd::{AsFd as _, AsRawFd as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

use rustix::fs::{MemfdFlags, Mode};
use support::home::{FAST, Home, PASSPHRASE, Ran, run, write_private};
use support::softhsm::{PIN, SoftHsm};

const TOO_LONG: &str = "it is longer than 1 MiB (1048576 bytes)";

fn software() -> Home {
    let home = Home::new().with("ICN_PASSPHRASE", PASSPHRASE);
    home.ok(&["id", "init"], b"");
    home
}

fn says(ran: &Ran, texts: &[&str], never: &[&str]) {
    assert_eq!(ran.code, 1, "{}", ran.err);
    for text in texts {
        assert!(ran.err.contains(text), "wanted {text:?} in:\n{}", ran.err);
    }
    for text in never {
        assert!(!ran.err.contains(text), "{text:?} in:\n{}", ran.err);
    }
}

#[test]
fn a_secret_that_is_too_long_is_told_with_what_to_give_and_not_sent() {
    let long = "a".repeat(2_000_000);
    let hsm = SoftHsm::with_token("node-1");
    let token = hsm.faulty_identity("node-1");
    let sent = hsm.count("C_Login");
    let texts = [TOO_LONG, "a passphrase or PIN on one line"];
    for (home, option) in [(software(), "--passphrase-file"), (token, "--pin-file")] {
        let file = home.beside("long");
        write_private(&file, &long);
        let given = home.icnctl(&[option, file.to_str().unwrap(), "sign"], b"");
        says(&given, &texts, &["backup"]);
        let piped = home.icnctl(&[option, "/dev/stdin", "sign", "/dev/null"], long.as_bytes());
        says(&piped, &texts, &["backup"]);
    }
    assert_eq!(hsm.count("C_Login"), sent);
}

#[test]
fn a_configuration_that_is_too_long_is_told_without_a_backup_of_it() {
    let home = software();
    home.write("icn.toml", &format!("{FAST}{}", "#\n".repeat(1_000_000)));
    for args in [&["sign"][..], &["id", "show"], &["id", "init"]] {
        let ran = home.icnctl(args, b"");
        says(&ran, &[TOO_LONG, "icn.toml", "put the right file there"], &["backup"]);
    }
}

/// What it is called in this process is no path for anybody else.
#[test]
fn of_a_file_that_was_given_open_the_file_itself_is_to_be_repaired() {
    let hsm = SoftHsm::with_token("node-1");
    let home = hsm.faulty_identity("node-1");
    let sent = hsm.count("C_Login");
    let path = home.beside("pin");
    write_private(&path, PIN);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    let from = |name: &str, open: File| {
        let mut command = home.command(&["--pin-file", name, "sign", "/dev/null"]);
        run_with(&mut command, open)
    };
    for name in ["/dev/stdin", "/dev/fd/0", "/proc/self/fd/0"] {
        let ran = from(name, File::open(&path).unwrap());
        let chmod = format!("chmod 600 {}", path.display());
        says(&ran, &["its mode is 0644", &chmod], &["chmod 600 /dev", "chmod 600 /proc"]);
        let ran = from(name, of_memory(0o644));
        says(&ran, &["its mode is 0644", "fchmod", "through a pipe"], &["chmod 600"]);
    }
    assert_eq!(hsm.count("C_Login"), sent);
    assert_eq!(from("/dev/stdin", of_memory(0o600)).code, 0);
    // By its number, as a program passes one on.
    let open = of_memory(0o660);
    rustix::io::fcntl_setfd(open.as_fd(), rustix::io::FdFlags::empty()).unwrap();
    let name = format!("/dev/fd/{}", open.as_raw_fd());
    let ran = home.icnctl(&["--pin-file", &name, "sign", "/dev/null"], b"");
    says(&ran, &["its mode is 0660", "fchmod", &name], &["chmod 600"]);
}

fn of_memory(mode: u32) -> File {
    let mut file = File::from(rustix::fs::memfd_create("pin", MemfdFlags::empty()).unwrap());
    rustix::fs::fchmod(&file, Mode::from_raw_mode(mode)).unwrap();
    file.write_all(PIN.as_bytes()).unwrap();
    file.rewind().unwrap();
    file
}

/// With this as standard input.
fn run_with(command: &mut Command, input: File) -> Ran {
    let child = command.stdin(input).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let ended = child.unwrap().wait_with_output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    Ran {
        code: ended.status.code().unwrap_or(-1),
        out: text(ended.stdout),
        err: text(ended.stderr),
    }
}

fn restored(home: &Home, backup: &Path, key: &Path) -> Ran {
    let files = [backup, key].map(|path| path.to_str().unwrap());
    home.icnctl(&["id", "restore", files[0], "--identity-file", files[1], "--check"], b"")
}

#[test]
fn a_cut_backup_says_once_why_and_an_armored_one_what_it_is() {
    let home = software();
    let key = home.beside("key");
    let made = run(Command::new("age-keygen").arg("-o").arg(&key), b"");
    assert_eq!(made.code, 0, "{}", made.err);
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
    let recipient = run(Command::new("age-keygen").arg("-y").arg(&key), b"").out;
    let backup = home.beside("backup.age");
    let backup_args = ["id", "backup", "--recipient", recipient.trim(), "-o"];
    home.ok(&[&backup_args[..], &[backup.to_str().unwrap()]].concat(), b"");
    let whole = fs::read(&backup).unwrap();
    let damaged = home.beside("damaged.age");
    for length in [50, 100, 200, 400, whole.len() - 1] {
        fs::write(&damaged, &whole[..length]).unwrap();
        let ran = restored(&home, &damaged, &key);
        says(&ran, &["the backup is damaged or cut off", "another copy"], &[]);
        assert_eq!(ran.err.matches("because:").count(), 1, "{length}: {}", ran.err);
    }
    let long = home.beside("long");
    write_private(&long, &"a".repeat(2_000_000));
    let ran = restored(&home, &backup, &long);
    says(&ran, &[TOO_LONG, "a recovery key as `age-keygen` writes it"], &[]);
    // As a mail carries it.
    let armored = home.beside("armored.age");
    let lines = run(Command::new("base64").args(["-w", "64"]).arg(&backup), b"").out;
    let text =
        format!("-----BEGIN AGE ENCRYPTED FILE-----\n{lines}-----END AGE ENCRYPTED FILE-----\n");
    fs::write(&armored, text).unwrap();
    let ran = restored(&home, &armored, &key);
    says(
        &ran,
        &["the backup is armored", "sed '/^-----/d' FILE | base64 -d"],
        &["not an age file"],
    );
    // The advice does.
    let mut sh = Command::new("sh");
    let script = "sed '/^-----/d' armored.age | base64 -d > armored.age.age";
    assert_eq!(run(sh.args(["-c", script]).current_dir(home.beside("")), b"").code, 0);
    let ran = restored(&home, &home.beside("armored.age.age"), &key);
    assert_eq!(ran.code, 0, "{}", ran.err);
}

/// A TPM that is locked, and what is refused, have tests of their own.
#[test]
fn exit_codes_are_as_the_pages_say() {
    let hsm = SoftHsm::with_token("node-1");
    let token = hsm.faulty_identity("node-1");
    for (home, option) in [(software(), "--passphrase-file"), (token, "--pin-file")] {
        for (content, code) in [("", 1), ("\n", 1), ("1\n2\n", 77), ("1\u{0}2", 77)] {
            let file = home.beside("secret");
            write_private(&file, content);
            let ran = home.icnctl(&[option, file.to_str().unwrap(), "sign", "/dev/null"], b"");
            assert_eq!(ran.code, code, "{option} {content:?}: {}", ran.err);
        }
    }
    let help = Home::new().ok(&["--help"], b"");
    let help = help.split_whitespace().collect::<Vec<_>>().join(" ");
    for said in ["77 a PIN or passphrase was refused, now or before", "in doubt", "last try"] {
        assert!(help.contains(said), "{said}: {help}");
    }
}

#[test]
fn a_software_key_has_no_device_and_a_header_without_its_payload_is_told_as_that() {
    let home = Home::new().with("ICN_PASSPHRASE", PASSPHRASE);
    let made = home.ok(&["--format", "json", "id", "init"], b"");
    let made: serde_json::Value = serde_json::from_str(&made).unwrap();
    assert_eq!(made["device"], home.show()["device"]);
    assert_eq!((&made["device"]["state"], &made["device"]["seen"]), (&"none".into(), &().into()));
    let key = home.beside("key");
    assert_eq!(run(Command::new("age-keygen").arg("-o").arg(&key), b"").code, 0);
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
    let recipient = run(Command::new("age-keygen").arg("-y").arg(&key), b"").out;
    let backup = home.beside("backup.age");
    let args = ["id", "backup", "--recipient", recipient.trim(), "-o", backup.to_str().unwrap()];
    home.ok(&args, b"");
    fs::remove_file(home.path("identity.age")).unwrap();
    let files = [&backup, &key].map(|path| path.to_str().unwrap());
    let did = made["did"].as_str().unwrap();
    let restore = ["id", "restore", files[0], "--identity-file", files[1], "--did", did];
    let ran = home.icnctl(&restore, b"");
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(ran.err.contains(&format!("identity.age of {did} is missing: it was lost, or")));
}
