//! Unlocking an identity of the age backend (scrypt `2^18`), against `age -d`
//! of the same file.
#![allow(missing_docs, clippy::print_stdout, clippy::unwrap_used, clippy::expect_used)]

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::process::{Command, ExitCode};

use icn_identity::backend::AgeKeyStore;
use icn_identity::keystore::{Credentials, IdentityStore, Pinned};
use icn_identity::{DidMethod, Passphrase};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use support::medians;
use support::ratios::Report;

const PASSPHRASE: &str = "correct horse battery staple";

fn main() -> ExitCode {
    let mut report = Report::of("unlock");
    let dir = tempfile::tempdir().unwrap();
    let home = dir.path().join("icn");
    let backend = AgeKeyStore::new(&home);
    let passphrase = Passphrase::new(PASSPHRASE);
    let _made = backend.create_identity(DidMethod::Icn, &passphrase).unwrap();
    let file = home.join("identity.age");
    let line = std::fs::read(&file).unwrap().split(|byte| *byte == b'\n').nth(1).unwrap().to_vec();
    assert!(line.ends_with(b" 18"), "{}", String::from_utf8_lossy(&line));
    let store = IdentityStore::new(&home);
    let credentials = Credentials::passphrase(passphrase);

    // Ours is everything that stands between the files and an identity that
    // signs: lock, header, scrypt, payload, binding. `age` takes a passphrase
    // from a terminal only, so it gets one, and is a process of its own; what
    // that costs is shown and not subtracted.
    let decrypt = ["age", "--decrypt", "--output", "/dev/null", file.to_str().unwrap()];
    let [ours, theirs, nothing] = medians::medians_of_processor(
        10,
        1,
        [
            &mut || drop(store.open(&backend, Pinned::Nobody, &credentials).unwrap()),
            &mut || on_a_terminal(&decrypt),
            &mut || on_a_terminal(&["head", "-n", "1", "/dev/tty"]),
        ],
    );
    report.time("unlock", ours, theirs);
    report.figure("a process that reads a line from a terminal", &format!("{nothing:.2?}"));
    report.end()
}

/// `script`, which the tests use for this, sleeps a quarter of a second now and
/// then: here the terminal is our own.
fn on_a_terminal(command: &[&str]) {
    let ours = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&ours).unwrap();
    unlockpt(&ours).unwrap();
    let name = ptsname(&ours, Vec::new()).unwrap().into_string().unwrap();
    let theirs = OpenOptions::new().read(true).write(true).open(name).unwrap();
    let mut child = Command::new("setsid")
        .args(["--ctty", "--wait"])
        .args(command)
        .stdin(theirs.try_clone().unwrap())
        .stdout(theirs.try_clone().unwrap())
        .stderr(theirs)
        .spawn()
        .expect("setsid is needed: apt-get install util-linux");
    // It waits in the terminal until it is asked for.
    File::from(ours.try_clone().unwrap()).write_all(format!("{PASSPHRASE}\n").as_bytes()).unwrap();
    assert!(child.wait().unwrap().success(), "age is needed: apt-get install age");
}
