//! A client of another user than the daemon's, with a home of its own.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use support::home::{Ran, icnctl, name_of, run};

use crate::curl::STRANGER;
use crate::node::{Node, PATIENCE, client, own_uid, program};

/// A user that every machine has, and nobody is.
const BIN: u32 = 2;
const MAY: &str = "may = [\"sign\"]\ncontexts = [\"a\"]";

/// The home of the other user, whose `icn.toml` has these lines in `[daemon]`.
fn home_of(node: &Node, uid: u32, lines: &str) -> PathBuf {
    let home = node.public(&format!("home-{uid}"));
    let _ = fs::create_dir(&home);
    let (did, socket) = (node.did(), node.socket());
    let text = format!("[identity]\ndid = \"{did}\"\n\n[daemon]\nsocket = {socket:?}\n{lines}");
    fs::write(home.join("icn.toml"), text).unwrap();
    for path in [home.clone(), home.join("icn.toml")] {
        chown(&path, Some(uid), Some(uid)).unwrap();
    }
    fs::set_permissions(&home, Permissions::from_mode(0o700)).unwrap();
    home
}

/// A program where every user can run it.
fn copied(node: &Node, program: PathBuf) -> PathBuf {
    let copy = node.public(program.file_name().unwrap().to_str().unwrap());
    if !copy.exists() {
        // By another process: one that a thread of this one starts meanwhile would have the copy open
        // for writing, and nothing runs that is.
        assert!(Command::new("cp").arg(program).arg(&copy).status().unwrap().success());
        fs::set_permissions(&copy, Permissions::from_mode(0o755)).unwrap();
    }
    copy
}

/// `icnctl` by another user.
fn icnctl_as(node: &Node, uid: u32, home: &Path, args: &[&str], stdin: &[u8]) -> Ran {
    let program = copied(node, icnctl().get_program().into());
    let user = uid.to_string();
    let mut command = Command::new("setpriv");
    command.args(["--reuid", &user, "--regid", &user, "--clear-groups"]).arg(program);
    command.arg("--home").arg(home).args(args).env_clear().env("PATH", "/usr/bin:/bin");
    run(&mut command, stdin)
}

/// It has no key and no identity: the DID, the socket, and whose that is.
#[test]
fn icnctl_of_another_user_is_a_client_by_a_home_of_its_own() {
    let node = Node::age();
    let (did, at) = (node.did().to_string(), node.socket());
    node.configure(&format!(
        "{}{}",
        client("tests", own_uid(), MAY),
        client("shop", STRANGER, MAY)
    ));
    let mut daemon = node.start();
    let home = home_of(&node, STRANGER, "");
    let as_shop = |args: &[&str]| icnctl_as(&node, STRANGER, &home, args, b"hello");
    // Of root, it is believed without a word.
    let signed = as_shop(&["sign", "--context", "a"]);
    assert_eq!(signed.code, 0, "{}", signed.err);
    let signature = node.home.beside("signature");
    fs::write(&signature, &signed.out).unwrap();
    let verify = [
        "verify",
        "--did",
        &did,
        "--context",
        "a",
        "--signature-file",
        signature.to_str().unwrap(),
    ];
    assert_eq!(node.home.ok(&verify, b"hello"), "valid\n");
    let status = as_shop(&["status"]);
    assert!(status.code == 0 && status.out.contains("Client      shop\n"), "{}", status.err);
    // What it may not have done, and nobody advises it to use a key that it has not.
    let refused = as_shop(&["sign", "--context", "b"]);
    assert!(refused.code == 1 && refused.err.contains("(context-not-allowed)"), "{}", refused.err);
    assert!(!refused.err.contains("--direct"), "{}", refused.err);
    daemon.signal(rustix::process::Signal::TERM);
    daemon.ends();
    let nobody = as_shop(&["sign", "--context", "a"]);
    let wanted = ["cannot be reached", at.to_str().unwrap(), "start icnd"];
    assert!(nobody.code == 1 && wanted.iter().all(|it| nobody.err.contains(it)), "{}", nobody.err);
    assert!(!nobody.err.contains("id init"), "{}", nobody.err);
}

/// Killed when it is dropped.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The daemon as the user `bin`, as the units have a user of its own, which it tells nobody.
fn started_as_bin(node: &Node) -> Running {
    let (home, at) = (node.public("of-bin"), node.public("run"));
    fs::create_dir(&home).unwrap();
    fs::create_dir(&at).unwrap();
    let socket = at.join("icnd.sock");
    node.configure(&client("shop", STRANGER, MAY));
    let config = node.home.read("icn.toml");
    let before = format!("{:?}", node.socket());
    node.home.write("icn.toml", &config.replace(&before, &format!("{socket:?}")));
    for entry in fs::read_dir(node.home.path("")).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            let copy = home.join(path.file_name().unwrap());
            fs::copy(&path, &copy).unwrap();
            chown(&copy, Some(BIN), Some(BIN)).unwrap();
        }
    }
    for path in [&home, &at] {
        chown(path, Some(BIN), Some(BIN)).unwrap();
    }
    fs::set_permissions(&home, Permissions::from_mode(0o700)).unwrap();
    let program = copied(node, program());
    let mut command = Command::new("setpriv");
    command.args(["--reuid", "bin", "--regid", "bin", "--clear-groups"]).arg(program);
    command.arg("--home").arg(&home).env_clear().env("PATH", "/usr/bin:/bin");
    command.env("ICN_PASSPHRASE", support::home::PASSPHRASE).stdin(Stdio::null());
    let mut running = Running(command.spawn().unwrap());
    let start = Instant::now();
    while !socket.exists() {
        assert!(running.0.try_wait().unwrap().is_none() && start.elapsed() < PATIENCE);
        std::thread::sleep(Duration::from_millis(10));
    }
    running
}

#[test]
fn a_daemon_of_another_user_is_believed_where_the_configuration_names_that_user() {
    let node = Node::age();
    assert_eq!(name_of(BIN), "bin");
    let _daemon = started_as_bin(&node);
    let socket = node.public("run").join("icnd.sock");
    let sign = |owner: &str| {
        let home = home_of(&node, STRANGER, owner);
        let config = fs::read_to_string(home.join("icn.toml")).unwrap();
        let config = config.replace(&format!("{:?}", node.socket()), &format!("{socket:?}"));
        fs::write(home.join("icn.toml"), config).unwrap();
        icnctl_as(&node, STRANGER, &home, &["sign", "--context", "a"], b"x")
    };
    for owner in ["owner = \"bin\"\n", "owner = 2\n", "owner = \"2\"\n"] {
        let ran = sign(owner);
        assert!(ran.code == 0 && ran.out.contains("SSH SIGNATURE"), "{owner}: {}", ran.err);
    }
    for owner in ["", "owner = \"root\"\n", "owner = \"daemon\"\n"] {
        let ran = sign(owner);
        assert!(
            ran.code == 1 && ran.err.contains("belongs to the user 2, and not to"),
            "{}",
            ran.err
        );
        assert!(ran.err.contains("owner = 2 under [daemon]"), "{}", ran.err);
        // It has no key that it could use instead.
        assert!(!ran.err.contains("--direct"), "{}", ran.err);
    }
    // What it would do with it is said before.
    let check = |owner: &str| {
        let home = home_of(&node, STRANGER, owner);
        icnctl_as(&node, STRANGER, &home, &["config", "check"], b"")
    };
    let ran = check("owner = \"bin\"\n");
    assert!(ran.out.contains("of user 2 (`owner`) or root"), "{}{}", ran.out, ran.err);
    let ran = check("owner = \"nosuchuser\"\n");
    assert_eq!(ran.code, 1, "{}", ran.out);
    for part in ["no user \"nosuchuser\"", "every command that would ask fails", "id -u USER"] {
        assert!(ran.out.contains(part), "{part}: {}{}", ran.out, ran.err);
    }
    let ran = sign("owner = \"nosuchuser\"\n");
    assert!(ran.code == 1 && ran.err.contains("no user \"nosuchuser\""), "{}", ran.err);
    assert!(ran.err.contains("id -u USER"), "{}", ran.err);
}
