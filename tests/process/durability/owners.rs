//! As a user other than root, and files of others.

use std::os::unix::fs::{chown, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use support::home::{FAST, PASSPHRASE, Ran, run, write_private};

pub(crate) const NOBODY: u32 = 65534;
const STRANGER: u32 = 65533;

pub(crate) fn is_root() -> bool {
    std::os::unix::fs::MetadataExt::uid(&std::fs::metadata("/proc/self").unwrap()) == 0
}

/// A place that the user `nobody` has, in a directory that all may enter.
pub(crate) struct Place {
    dir: TempDir,
}

impl Place {
    pub(crate) fn new() -> Self {
        let place = Self { dir: tempfile::tempdir().unwrap() };
        mode(place.dir.path(), 0o755);
        // Perhaps others may not look into the build directory. (Were it open
        // for writing in this process, a child of another test could hold it so.)
        let program = place.path("icnctl");
        let copied = Command::new("cp").arg(env!("CARGO_BIN_EXE_icnctl")).arg(&program).status();
        assert!(copied.unwrap().success());
        mode(&program, 0o755);
        place.give("passphrase", PASSPHRASE);
        std::fs::create_dir(place.path("home")).unwrap();
        mode(&place.path("home"), 0o700);
        chown(place.path("home"), Some(NOBODY), Some(NOBODY)).unwrap();
        place.give("home/icn.toml", FAST);
        place
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// A file of `nobody`, mode 0600.
    pub(crate) fn give(&self, name: &str, text: &str) {
        write_private(&self.path(name), text);
        chown(self.path(name), Some(NOBODY), Some(NOBODY)).unwrap();
    }

    pub(crate) fn own(&self, name: &str, user: u32) {
        chown(self.path(name), Some(user), Some(user)).unwrap();
    }

    /// `icnctl` as `nobody`, in the groups given.
    pub(crate) fn as_nobody(&self, groups: &str, args: &[&str]) -> Ran {
        let mut command = Command::new("setpriv");
        command.args(["--reuid=65534", "--regid=65534"]);
        if groups.is_empty() {
            command.arg("--clear-groups");
        } else {
            command.arg(format!("--groups={groups}"));
        }
        command
            .arg(self.path("icnctl"))
            .args(args)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap())
            .env("ICN_HOME", self.path("home"));
        run(&mut command, b"hello")
    }

    pub(crate) fn passphrase_from(&self, file: &str) -> Ran {
        self.as_nobody("", &["--passphrase-file", self.path(file).to_str().unwrap(), "sign"])
    }

    pub(crate) fn init(&self) {
        let file = self.path("passphrase");
        let ran = self.as_nobody("", &["--passphrase-file", file.to_str().unwrap(), "id", "init"]);
        assert_eq!(ran.code, 0, "{}", ran.err);
    }
}

pub(crate) fn mode(path: &Path, mode: u32) {
    let permissions = std::os::unix::fs::PermissionsExt::from_mode(mode);
    std::fs::set_permissions(path, permissions).unwrap();
}

pub(crate) fn refused(ran: &Ran, texts: &[&str]) {
    assert_eq!(ran.code, 1, "{} {}", ran.out, ran.err);
    for text in texts.iter().chain(&["try: "]) {
        assert!(ran.err.contains(text), "{text}: {}", ran.err);
    }
    assert!(!ran.err.contains(PASSPHRASE), "{}", ran.err);
}

#[test]
fn files_of_others_are_refused_to_a_user_who_is_not_root() {
    if !is_root() {
        // Root's directory is the foreign one.
        let mut command = Command::new(env!("CARGO_BIN_EXE_icnctl"));
        let ran = run(command.args(["--home", "/usr", "sign"]).env("ICN_PASSPHRASE", "x"), b"");
        refused(&ran, &["/usr is not safe", "belongs to user 0"]);
        return;
    }
    let place = Place::new();
    place.init();
    let signed = place.passphrase_from("passphrase");
    assert_eq!(signed.code, 0, "{}", signed.err);
    for (name, owner) in [
        ("home/identity.age", STRANGER),
        ("home/identity.json", STRANGER),
        ("home/.lock", STRANGER),
        ("home", STRANGER),
    ] {
        for mode_of_all in [0o600, 0o666] {
            place.own(name, owner);
            mode(&place.path(name), if name == "home" { 0o755 } else { mode_of_all });
            let path = place.path(name);
            let ran = place.passphrase_from("passphrase");
            refused(&ran, &[path.to_str().unwrap()]);
            if mode_of_all == 0o666 {
                refused(&ran, &["belongs to user 65533, not to user 65534", "sudo chown 65534"]);
            }
            place.own(name, NOBODY);
            mode(&path, if name == "home" { 0o700 } else { 0o600 });
        }
    }
    // Not even root's: what we write is ours.
    for name in ["home/identity.age", "home/identity.json"] {
        place.own(name, 0);
        mode(&place.path(name), 0o644);
        refused(&place.passphrase_from("passphrase"), &[name, "belongs to user 0"]);
        place.own(name, NOBODY);
        mode(&place.path(name), 0o600);
    }
    let signed = place.passphrase_from("passphrase");
    assert_eq!(signed.code, 0, "{}", signed.err);
}

/// What is advised does it: the file is copied, and the copy is taken.
#[test]
fn a_passphrase_file_of_somebody_else_is_copied_as_advised() {
    if !is_root() {
        // As a user on a file of root's that everybody may read.
        let directory = tempfile::tempdir().unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_icnctl"));
        command.arg("--home").arg(directory.path().join("home"));
        let ran = run(command.args(["id", "init", "--passphrase-file", "/etc/passwd"]), b"");
        refused(&ran, &["/etc/passwd is not safe to use", "sudo install -m 600 -o "]);
        return;
    }
    let place = Place::new();
    place.init();
    let path = place.path("passphrase");
    let copy = place.path("home/copy");
    for owner in [0, STRANGER] {
        place.own("passphrase", owner);
        mode(&path, 0o644);
        let ran = place.passphrase_from("passphrase");
        refused(&ran, &["is not safe to use", "install -m 600 -o 65534 "]);
        assert!(!ran.err.contains("chmod 640"), "{}", ran.err);
        let (_, advised) = ran.err.split_once("sudo ").unwrap();
        let (advised, _) = advised.split_once(" COPY").unwrap();
        let command = format!("{advised} {}", copy.display());
        let ran = run(Command::new("sh").args(["-c", &command]), b"");
        assert_eq!(ran.code, 0, "{command}: {}", ran.err);
        let signed = place.passphrase_from("home/copy");
        assert_eq!(signed.code, 0, "{}", signed.err);
        std::fs::remove_file(&copy).unwrap();
    }
    // Root, on a file of a user: as it is not root's identity that is opened by running as him.
    let mut command = Command::new(env!("CARGO_BIN_EXE_icnctl"));
    command.arg("--home").arg(place.path("of-root")).args(["id", "init", "--passphrase-file"]);
    let ran = run(command.arg(&path), b"");
    refused(
        &ran,
        &["belongs to user 65533, not to user 0", "have one of your own: install -m 600"],
    );
}

/// It would lock its owner out.
#[test]
fn root_is_told_to_run_as_the_owner_of_an_identity() {
    if !is_root() {
        // As a user on what is root's: it is not made his by advice that he cannot follow.
        let mut command = Command::new(env!("CARGO_BIN_EXE_icnctl"));
        let ran = run(command.args(["--home", "/usr", "sign"]).env("ICN_PASSPHRASE", "x"), b"");
        refused(&ran, &["/usr is not safe", "sudo chown"]);
        return;
    }
    let place = Place::new();
    place.init();
    let as_root = |args: &[&str]| {
        let home = place.path("home");
        let mut command = Command::new(place.path("icnctl"));
        run(command.arg("--home").arg(home).args(args).env("ICN_PASSPHRASE", "x"), b"")
    };
    let run_as = format!("sudo -u {}", support::home::name_of(NOBODY));
    for args in [&["sign"][..], &["id", "show"], &["id", "change-passphrase"], &["id", "init"]] {
        let ran = as_root(args);
        refused(&ran, &["belongs to user 65534, not to user 0", &run_as]);
        assert!(!ran.err.contains("chown"), "{}", ran.err);
    }
    // The directory is root's, and the files are not.
    place.own("home", 0);
    let ran = as_root(&["sign"]);
    let enters = "user 65534 may not enter its directory, which is yours";
    refused(&ran, &["belongs to user 65534, not to user 0", enters]);
    assert!(!ran.err.contains(&run_as), "{}", ran.err);
    // And above it.
    place.own("home/icn.toml", 0);
    chown(place.path(""), Some(STRANGER), None).unwrap();
    let ran = as_root(&["sign"]);
    refused(&ran, &["who can exchange what is in it", "sudo -u '#65533'"]);
    assert!(!ran.err.contains("chown"), "{}", ran.err);
}

#[test]
fn a_directory_that_strangers_could_exchange_is_refused() {
    if !is_root() {
        let mut command = Command::new(env!("CARGO_BIN_EXE_icnctl"));
        let dir = tempfile::tempdir().unwrap();
        let home = dir.path().join("icn");
        std::fs::create_dir(&home).unwrap();
        mode(&home, 0o700);
        mode(dir.path(), 0o777);
        let ran = run(command.arg("--home").arg(&home).arg("sign").env("ICN_PASSPHRASE", "x"), b"");
        refused(&ran, &["its mode is 0777", "chmod o-w"]);
        return;
    }
    let place = Place::new();
    place.init();
    let above = place.path("");
    let shown = above.to_str().unwrap().trim_end_matches('/');
    mode(&above, 0o777);
    refused(
        &place.passphrase_from("passphrase"),
        &[shown, "its mode is 0777, so that anybody can exchange", "chmod o-w"],
    );
    // Sticky, as /tmp is: only the owner can exchange what is in it.
    mode(&above, 0o1777);
    assert_eq!(place.passphrase_from("passphrase").code, 0);
    // A group's, as volumes of Kubernetes are.
    mode(&above, 0o2775);
    assert_eq!(place.passphrase_from("passphrase").code, 0);
    mode(&above, 0o755);
    chown(&above, Some(STRANGER), None).unwrap();
    refused(
        &place.passphrase_from("passphrase"),
        &[
            shown,
            "it belongs to user 65533, who can exchange what is in it",
            "each directory above it belongs to you or to root",
        ],
    );
    chown(&above, Some(0), None).unwrap();
    // By a link of our own, and by one of somebody else.
    for (owner, code) in [(NOBODY, 0), (0, 0), (STRANGER, 1)] {
        let link = place.path("link");
        let _ = std::fs::remove_file(&link);
        symlink(place.path("home"), &link).unwrap();
        std::os::unix::fs::lchown(&link, Some(owner), None).unwrap();
        let file = place.path("passphrase");
        let args = ["--home", link.to_str().unwrap(), "--passphrase-file", file.to_str().unwrap()];
        let ran = place.as_nobody("", &[&args[..], &["sign"]].concat());
        assert_eq!(ran.code, code, "{owner}: {}", ran.err);
        if code == 1 {
            refused(&ran, &["link is not safe", "a symbolic link of user 65533", "chown -h"]);
        }
    }
}
