//! What is in `systemd/`: read by systemd's own tools, and run as far as it can be without
//! systemd as the first process.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::json;
use support::child::inherits_nothing;
use support::home::{PASSPHRASE, Ran, run};
use support::softhsm::SoftHsm;
use tempfile::TempDir;

use crate::node::{Node, program};
use crate::page::block_with;

fn units() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("systemd")
}

/// With the program that cargo has built in the place of the one that is installed.
fn copied() -> TempDir {
    let copied = tempfile::tempdir().unwrap();
    for unit in ["icnd.service", "icnd@.service", "icnd.socket"] {
        let text = fs::read_to_string(units().join(unit)).unwrap();
        let text = text.replace("/usr/bin/icnd", program().to_str().unwrap());
        fs::write(copied.path().join(unit), text).unwrap();
    }
    copied
}

fn analyze(arguments: &[&str], unit: &Path) -> Ran {
    run(Command::new("systemd-analyze").args(arguments).arg(unit), b"")
}

#[test]
fn systemd_finds_nothing_wrong_with_the_units() {
    let copied = copied();
    for unit in ["icnd.service", "icnd@shop.service", "icnd.socket"] {
        let file = copied.path().join(unit);
        if unit.contains("shop") {
            fs::copy(copied.path().join("icnd@.service"), &file).unwrap();
        }
        let ran = analyze(&["verify", "--man=no", "--recursive-errors=no"], &file);
        assert_eq!(ran.code, 0, "{unit}: {}", ran.err);
        assert!(!ran.err.contains("icnd"), "{unit}: {}", ran.err);
    }
    // It does find what is wrong.
    let wrong = copied.path().join("wrong.service");
    fs::write(&wrong, "[Service]\nExecStart=/no/such/program\nProtectHomes=yes\n").unwrap();
    let ran = analyze(&["verify", "--man=no", "--recursive-errors=no"], &wrong);
    assert!(ran.code != 0 && ran.err.contains("ProtectHomes"), "{} {}", ran.code, ran.err);
}

/// In tenths: 0 is as closed as can be, 100 wide open.
#[test]
fn the_services_are_as_closed_as_they_can_be() {
    let copied = copied();
    let shop = copied.path().join("icnd@shop.service");
    fs::copy(copied.path().join("icnd@.service"), &shop).unwrap();
    for unit in [copied.path().join("icnd.service"), shop] {
        let ran = analyze(&["security", "--offline=true", "--threshold=20", "--no-pager"], &unit);
        assert_eq!(ran.code, 0, "{}\n{}", ran.out, ran.err);
    }
}

/// What the pages and the issue of a service rest on, in both of them.
#[test]
fn the_services_send_no_pin_twice_and_lock_their_memory() {
    for unit in ["icnd.service", "icnd@.service"] {
        let text = fs::read_to_string(units().join(unit)).unwrap();
        for line in [
            "Type=notify",
            "RestartPreventExitStatus=77",
            "StartLimitIntervalSec=0",
            "LimitMEMLOCK=64M",
            "LimitCORE=0",
            "DeviceAllow=/dev/tpmrm0 rw",
            "NoNewPrivileges=yes",
        ] {
            assert!(text.lines().any(|found| found == line), "{unit}: {line}");
        }
        assert!(text.contains("\nLoadCredentialEncrypted=pin"), "{unit}");
        // Of two identities on one device one sends it, whatever the user's home is: it is
        // noted where both may write.
        let values = |name: &str| -> Vec<String> {
            let lines = text.lines().filter_map(|line| line.strip_prefix(name));
            lines.flat_map(str::split_whitespace).map(str::to_owned).collect()
        };
        let state = "/var/lib/icnd/.local/state";
        assert_eq!(values("Environment="), [format!("XDG_STATE_HOME={state}")], "{unit}");
        let may_write = |directory: &String| {
            !directory.contains('%')
                && Path::new(state).starts_with(format!("/var/lib/{directory}"))
        };
        assert!(values("StateDirectory=").iter().any(may_write), "{unit}");
    }
}

#[test]
fn user_and_directories_are_made_as_the_service_wants_them() {
    let root = tempfile::tempdir().unwrap();
    let of_root = format!("--root={}", root.path().display());
    fs::create_dir(root.path().join("etc")).unwrap();
    for (program, file, option) in [
        ("systemd-sysusers", "icnd.sysusers", None),
        ("systemd-tmpfiles", "icnd.tmpfiles", Some("--create")),
    ] {
        let mut command = Command::new(program);
        command.arg(&of_root).args(option).arg(units().join(file));
        let ran = run(&mut command, b"");
        assert_eq!(ran.code, 0, "{command:?}: {}", ran.err);
    }
    let users = fs::read_to_string(root.path().join("etc/passwd")).unwrap();
    let user: Vec<&str> =
        users.lines().find(|line| line.starts_with("icnd:")).unwrap().split(':').collect();
    let uid: u32 = user[2].parse().unwrap();
    assert_eq!((user[5], user[6].contains("nologin")), ("/var/lib/icnd", true));
    for (directory, mode) in [
        ("var/lib/icnd", 0o700),
        ("var/lib/icnd/.local", 0o700),
        ("var/lib/icnd/.local/state", 0o700),
        ("run/icnd", 0o755),
    ] {
        let found = fs::metadata(root.path().join(directory)).unwrap();
        assert_eq!((found.mode() & 0o777, found.uid()), (mode, uid), "{directory}");
    }
}

/// Each command of the page, where a directory stands for the machine: the files go there, and the
/// tools of systemd look there. No service manager runs in it, and no host key is made.
#[test]
fn the_installation_of_the_page_makes_what_the_units_want() {
    let machine = tempfile::tempdir().unwrap();
    fs::set_permissions(machine.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let root = machine.path().to_str().unwrap();
    for directory in ["etc/systemd/system", "etc/sysusers.d", "etc/tmpfiles.d", "usr/bin"] {
        fs::create_dir_all(machine.path().join(directory)).unwrap();
    }
    let mut script = block_with("systemctl enable --now icnd.service");
    let user = "$(id_of icnd)";
    for (page, here) in [
        ("target/release/icnd ", &format!("{} ", program().display())),
        ("target/release/icnctl ", &format!("{} ", env!("CARGO_BIN_EXE_icnctl"))),
        (" systemd/", &format!(" {}/", units().display())),
        ("&& systemd-sysusers", &format!("&& systemd-sysusers --root={root}")),
        ("&& systemd-tmpfiles", &format!("&& systemd-tmpfiles --root={root}")),
        ("--reuid icnd --regid icnd", &format!("--reuid {user} --regid {user}")),
        ("--reset-env icnctl", &format!("env -i HOME={root}/var/lib/icnd icnctl")),
        ("systemctl enable --now", &format!("systemctl --root={root} enable")),
        ("systemd-creds encrypt", &"systemd-creds encrypt --with-key=tpm2-absent".to_owned()),
        ("systemd-ask-password -n", &format!("printf %s '{PASSPHRASE}'")),
        (" icnctl --home", &format!(" ICN_PASSPHRASE='{PASSPHRASE}' {root}/usr/bin/icnctl --home")),
        (" /usr/bin/", &format!(" {root}/usr/bin/")),
        (" /etc/", &format!(" {root}/etc/")),
        (" /var/lib/", &format!(" {root}/var/lib/")),
    ] {
        assert!(script.contains(page), "{page}: {script}");
        script = script.replace(page, here);
    }
    let id_of = format!("id_of() {{ grep \"^$1:\" {root}/etc/passwd | cut -d: -f3; }}\n");
    let ran = run(Command::new("bash").args(["-euo", "pipefail", "-c", &(id_of + &script)]), b"");
    assert_eq!(ran.code, 0, "{script}\n{}\n{}", ran.out, ran.err);

    // The units find all that they name.
    let unit = fs::read_to_string(machine.path().join("etc/systemd/system/icnd.service")).unwrap();
    let starts = "ExecStart=/usr/bin/icnd --home /var/lib/icnd\n";
    assert!(unit.contains(starts) && unit.contains("LoadCredentialEncrypted=passphrase\n"));
    for (path, mode) in [
        ("usr/bin/icnd", 0o755),
        ("usr/bin/icnctl", 0o755),
        ("etc/systemd/system/icnd@.service", 0o644),
        ("etc/systemd/system/icnd.socket", 0o644),
        ("etc/credstore.encrypted", 0o700),
        ("var/lib/icnd/icn.toml", 0o600),
        ("var/lib/icnd/identity.age", 0o600),
    ] {
        let found = fs::metadata(machine.path().join(path)).unwrap();
        assert_eq!(found.mode() & 0o777, mode, "{path}");
        let of_user = path.starts_with("var/");
        assert_eq!(found.uid() != rustix::process::getuid().as_raw(), of_user, "{path}");
    }
    let enabled = "etc/systemd/system/multi-user.target.wants/icnd.service";
    assert!(fs::symlink_metadata(machine.path().join(enabled)).unwrap().is_symlink());
    // The credential is the passphrase of the identity; the socket is where clients look for it.
    let mut decrypt = Command::new("systemd-creds");
    decrypt.args(["decrypt", "--name=passphrase"]);
    let ran = run(decrypt.arg(machine.path().join("etc/credstore.encrypted/passphrase")), b"");
    assert_eq!(ran.out, PASSPHRASE, "{}", ran.err);
    let config = fs::read_to_string(machine.path().join("var/lib/icnd/icn.toml")).unwrap();
    let config = icn_identity::config::Config::parse(&config).unwrap();
    assert_eq!(config.daemon.socket.unwrap().as_path(), Path::new("/run/icnd/icnd.sock"));
}

/// The calls of a set, as systemd has them.
fn calls_of(set: &str) -> BTreeSet<String> {
    let ran = analyze(&["syscall-filter"], Path::new(set));
    assert_eq!(ran.code, 0, "{}", ran.err);
    let mut calls = BTreeSet::new();
    for line in ran.out.lines().skip(1).map(str::trim).filter(|line| !line.starts_with('#')) {
        match line.starts_with('@') {
            true => calls.extend(calls_of(line)),
            false => drop(calls.insert(line.to_owned())),
        }
    }
    calls
}

/// What the lines of a unit leave, one after the other.
fn allowed(unit: &str) -> BTreeSet<String> {
    let mut allowed = BTreeSet::new();
    let text = fs::read_to_string(units().join(unit)).unwrap();
    for line in text.lines().filter_map(|line| line.strip_prefix("SystemCallFilter=")) {
        let (removes, names) = match line.strip_prefix('~') {
            Some(names) => (true, names),
            None => (false, line),
        };
        for name in names.split_whitespace() {
            let set = match name.starts_with('@') {
                true => calls_of(name),
                false => BTreeSet::from([name.to_owned()]),
            };
            for call in set {
                if removes {
                    allowed.remove(&call)
                } else {
                    allowed.insert(call)
                };
            }
        }
    }
    allowed
}

/// Whatever it does is in the filter of the services: seen from outside, with a key in a file
/// and one in a token.
#[test]
fn the_filter_of_the_services_lets_through_what_the_daemon_does() {
    let hsm = SoftHsm::with_token("node");
    for node in [Node::age(), Node::of(hsm.identity("node"))] {
        node.allow("may = [\"sign\", \"admin\"]\ncontexts = [\"a\"]");
        let trace = node.public("trace");
        let command = node.command();
        let mut traced = inherits_nothing("strace");
        traced.args(["-f", "-qq", "-o", trace.to_str().unwrap()]).arg(command.get_program());
        traced.env_clear();
        traced.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
        let mut daemon = node.start_by(traced.stdin(Stdio::null()).stdout(Stdio::null()));
        daemon.post("/v1/sign", &json!({ "context": "a", "message": "" })).ok();
        daemon.get("/v1/status").ok();
        daemon.post("/v1/lock", &json!({})).ok();
        // strace is the child; its own child is the daemon, whose number is in the lock.
        let number: i32 = node.home.read("icnd.lock").trim().parse().unwrap();
        let number = rustix::process::Pid::from_raw(number).unwrap();
        rustix::process::kill_process(number, rustix::process::Signal::HUP).unwrap();
        daemon.wait_for("READY=1");
        rustix::process::kill_process(number, rustix::process::Signal::TERM).unwrap();
        assert_eq!(daemon.ends().code(), Some(0));
        let text = fs::read_to_string(&trace).unwrap();
        let called: BTreeSet<String> = text
            .lines()
            .filter_map(|line| line.split_once(' ')?.1.trim_start().split_once('('))
            .map(|(name, _)| name.to_owned())
            .filter(|name| name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_'))
            .collect();
        assert!(called.contains("mlock") && called.contains("accept4"), "{called:?}");
        for unit in ["icnd.service", "icnd@.service"] {
            let allowed = allowed(unit);
            let refused: Vec<_> = called.difference(&allowed).collect();
            assert!(refused.is_empty(), "{unit}: {refused:?}");
        }
    }
}
