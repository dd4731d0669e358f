//! A wrong PIN in a restart loop costs at most one try: also where no disk takes the note of
//! it, where it comes in another file, and where two homes are on one token.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::process::Command;

use support::home::{Home, Ran, run, write_private};
use support::softhsm::{PIN, SoftHsm};
use support::swtpm::Swtpm;

use crate::tpm::node;

const WRONG: &str = "0001pin-11112222";

/// What is in the way of a note.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Disk {
    ReadOnly,
    Full,
    /// The lock of the note is none of ours.
    UnsafeLock,
    /// The lock cannot be opened.
    Fails,
}

/// That stays so until somebody changes it.
const LASTING: [Disk; 2] = [Disk::ReadOnly, Disk::UnsafeLock];
/// The next process may find it otherwise.
const PASSING: [Disk; 2] = [Disk::Full, Disk::Fails];

/// Runs `icnctl` where a mount is possible, with its home on such a disk.
fn on(disk: Disk, home: &Home, args: &[&str]) -> Ran {
    let icnctl = home.command(args);
    let mount = match disk {
        Disk::ReadOnly => r#"mount --bind "$H" "$H" && mount -o remount,bind,ro "$H""#,
        Disk::Full => {
            r#"cp -a "$H" "${H%/}.there" && mount -t tmpfs -o size=64k,mode=0700 small "$H" &&
            cp -a "${H%/}.there/." "$H" && rm -r "${H%/}.there" &&
            { dd if=/dev/zero of="$H/fill" bs=1k 2>/dev/null || true; }"#
        }
        Disk::UnsafeLock => r#": > "$H/.refused.lock" && chmod 644 "$H/.refused.lock""#,
        Disk::Fails => "true",
    };
    let unless_root: &[&str] =
        if fs::metadata("/proc/self").unwrap().uid() == 0 { &["-m"] } else { &["-U", "-r", "-m"] };
    let mut command = Command::new("unshare");
    command.args(unless_root).args(["sh", "-c"]);
    command.arg(format!("{mount} || exit 99; exec \"$0\" \"$@\""));
    if disk == Disk::Fails {
        let lock = home.path(".refused.lock");
        command.args(["strace", "-f", "-qq", "-o", "/dev/null", "-P", lock.to_str().unwrap()]);
        command.args(["-e", "trace=openat", "-e", "inject=openat:error=EIO"]);
    }
    command.arg(icnctl.get_program()).args(icnctl.get_args()).env_clear();
    command.envs(icnctl.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let ran = run(command.env("H", home.path("")), b"hello");
    assert_ne!(ran.code, 99, "{disk:?}: {}", ran.err);
    assert!(!ran.err.contains(PIN) && !ran.err.contains(WRONG), "{}", ran.err);
    ran
}

fn pin_file(home: &Home, name: &str, pin: &str) -> [String; 2] {
    let path = home.beside(name);
    write_private(&path, pin);
    ["--pin-file".into(), path.to_str().unwrap().into()]
}

/// Starts it five times; gives how each ended, and how often the PIN was sent.
fn restarted(hsm: &SoftHsm, start: impl Fn() -> Ran) -> (Vec<Ran>, usize) {
    let before = hsm.count("C_Login");
    let ran = (0..5).map(|_| start()).collect();
    (ran, hsm.count("C_Login") - before)
}

#[test]
fn in_a_home_that_takes_no_note_the_right_pin_opens_and_a_wrong_one_is_sent_once() {
    for disk in LASTING {
        let hsm = SoftHsm::with_token("node-1");
        let home = hsm.faulty_identity("node-1");
        let [option, right] = pin_file(&home, "right", PIN);
        let right = [&option, right.as_str(), "sign"];
        for _ in 0..2 {
            let ran = on(disk, &home, &right);
            assert_eq!(ran.code, 0, "{disk:?}: {}", ran.err);
        }
        let [option, wrong] = pin_file(&home, "wrong", WRONG);
        let (ran, sent) = restarted(&hsm, || on(disk, &home, &[&option, &wrong, "sign"]));
        assert_eq!(sent, 1, "{disk:?}: {ran:?}");
        assert_eq!(ran[0].code, 77, "{disk:?}: {}", ran[0].err);
        for ran in &ran[1..] {
            assert_eq!(ran.code, 1, "{disk:?}: {}", ran.err);
            for text in ["the PIN was not sent to token node-1", "--retry-pin", "XDG_STATE_HOME"] {
                assert!(ran.err.contains(text), "{disk:?}: {text}: {}", ran.err);
            }
            let repair = match disk {
                Disk::ReadOnly => "findmnt -T",
                _ => "chmod 600",
            };
            assert!(ran.err.contains(repair), "{disk:?}: {}", ran.err);
        }
        // The token counts one, of whomever: so somebody has to say that this one is right.
        assert_eq!(on(disk, &home, &right).code, 1, "{disk:?}");
        let insisting = [&["--retry-pin"], &right[..]].concat();
        assert_eq!(on(disk, &home, &insisting).code, 0, "{disk:?}");
        assert_eq!(on(disk, &home, &right).code, 0, "{disk:?}");
    }
}

/// Its disk takes the note of the next one, which the device then has counted, too.
#[test]
fn while_a_disk_is_full_or_fails_no_pin_is_sent_so_that_a_wrong_one_costs_one_try() {
    for disk in PASSING {
        let hsm = SoftHsm::with_token("node-1");
        let home = hsm.faulty_identity("node-1");
        let [option, right] = pin_file(&home, "right", PIN);
        let [_, wrong] = pin_file(&home, "wrong", WRONG);
        let (right, wrong) = ([&option, right.as_str(), "sign"], [&option, wrong.as_str(), "sign"]);
        let repair = if disk == Disk::Full { "df -h" } else { "dmesg" };
        for sign in [&wrong, &right] {
            let (ran, sent) = restarted(&hsm, || on(disk, &home, sign));
            assert_eq!(sent, 0, "{disk:?}: {ran:?}");
            for ran in ran {
                assert_eq!(ran.code, 1, "{disk:?}: {}", ran.err);
                let not_sent = "the PIN was not sent to token node-1";
                for text in [not_sent, "--retry-pin", "XDG_STATE_HOME", repair] {
                    assert!(ran.err.contains(text), "{disk:?}: {text}: {}", ran.err);
                }
            }
        }
        let (ran, sent) = restarted(&hsm, || home.icnctl(&wrong, b"hello"));
        assert!(ran.iter().all(|ran| ran.code == 77), "{disk:?}: {ran:?}");
        assert_eq!(sent, 1, "{disk:?}");
        // A person may, and a disk that takes notes elsewhere is as good.
        let insisting = [&["--retry-pin"], &right[..]].concat();
        assert_eq!(on(disk, &home, &insisting).code, 0, "{disk:?}");
        let state = home.beside("state");
        let home = home.with("XDG_STATE_HOME", state.to_str().unwrap());
        assert_eq!(on(disk, &home, &right).code, 0, "{disk:?}");
    }
}

/// As it was reported: the disk fails while the first note is written, and then no more.
#[test]
fn a_disk_that_fails_once_while_a_note_is_written_has_no_pin_sent_twice() {
    let injections = [
        "fsync:error=EIO",
        "fsync:error=ENOSPC",
        "rename,renameat,renameat2:error=EIO",
        "write:error=EIO",
    ];
    for injection in injections {
        let hsm = SoftHsm::with_token("node-1");
        let home = hsm.faulty_identity("node-1");
        let [option, wrong] = pin_file(&home, "wrong", WRONG);
        let sign = [&option, wrong.as_str(), "sign"];
        let icnctl = home.command(&sign);
        let mut strace = Command::new("strace");
        let traced = injection.split_once(':').unwrap().0;
        strace.args(["-f", "-qq", "-o", "/dev/null", "-e", &format!("trace={traced}")]);
        // The module's own files do not fail.
        if traced == "write" {
            strace.args(["-P", home.path(".refused.lock").to_str().unwrap()]);
        }
        strace.args(["-e", &format!("inject={injection}")]);
        strace.arg(icnctl.get_program()).args(icnctl.get_args()).env_clear();
        strace.envs(icnctl.get_envs().filter_map(|(name, value)| Some((name, value?))));
        let before = hsm.count("C_Login");
        let failed = run(&mut strace, b"hello");
        let (ran, _) = restarted(&hsm, || home.icnctl(&sign, b"hello"));
        assert_eq!(hsm.count("C_Login") - before, 1, "{injection}: {failed:?} {ran:?}");
    }
}

#[test]
fn a_token_that_does_not_show_each_wrong_pin_is_sent_none_that_cannot_be_noted() {
    let hsm = SoftHsm::with_token("node-1");
    let home = hsm.faulty_identity("node-1");
    hsm.script("manufacturer Some_Works");
    let [option, wrong] = pin_file(&home, "wrong", WRONG);
    let [_, right] = pin_file(&home, "right", PIN);
    let (wrong, right) = ([&option, wrong.as_str(), "sign"], [&option, right.as_str(), "sign"]);
    let refused = on(Disk::ReadOnly, &home, &right);
    assert_eq!(refused.code, 1, "{}", refused.err);
    assert!(refused.err.contains("`allow_unnoted_try = true` under [identity.pkcs11]"));
    let (_, sent) = restarted(&hsm, || on(Disk::ReadOnly, &home, &wrong));
    assert_eq!(sent, 0);
    // One more place where it can be noted is enough.
    let state = home.beside("state");
    let home = home.with("XDG_STATE_HOME", state.to_str().unwrap());
    assert_eq!(on(Disk::ReadOnly, &home, &right).code, 0);
    let (ran, sent) = restarted(&hsm, || on(Disk::ReadOnly, &home, &wrong));
    assert_eq!((sent, ran.iter().filter(|ran| ran.code == 77).count()), (1, 5), "{ran:?}");
    let noted = fs::read_dir(state.join("icn-identity")).unwrap();
    assert!(noted.flatten().any(|of_token| of_token.path().join("refused.json").exists()));
    assert_eq!(
        fs::metadata(state.join("icn-identity")).unwrap().permissions().mode() & 0o777,
        0o700
    );
    assert_eq!(on(Disk::ReadOnly, &home, &right).code, 0);
    // Or an operator who takes it upon himself.
    let home = home.with("XDG_STATE_HOME", "relative");
    assert_eq!(on(Disk::ReadOnly, &home, &right).code, 1);
    let config = home.read("icn.toml");
    let allowed = "[identity.pkcs11]\nallow_unnoted_try = true\n";
    home.write("icn.toml", &config.replace("[identity.pkcs11]\n", allowed));
    assert_eq!(on(Disk::ReadOnly, &home, &right).code, 0);
    let (_, sent) = restarted(&hsm, || on(Disk::ReadOnly, &home, &wrong));
    assert_eq!(sent, 5);
}

#[test]
fn a_tpm_keeps_count_where_no_disk_takes_a_note() {
    for disk in LASTING {
        let tpm = Swtpm::start();
        let home = node::home_on(&tpm);
        home.ok(&["id", "init"], b"");
        let [option, right] = pin_file(&home, "right", node::PIN);
        let [_, wrong] = pin_file(&home, "wrong", node::WRONG);
        let right = [&option, right.as_str(), "sign"];
        assert_eq!(on(disk, &home, &right).code, 0, "{disk:?}");
        let ended: Vec<_> =
            (0..5).map(|_| on(disk, &home, &[&option, &wrong, "sign"]).code).collect();
        assert_eq!((ended, tpm.lockout_counter()), (vec![77, 1, 1, 1, 1], 1), "{disk:?}");
        let refused = on(disk, &home, &right);
        assert!(refused.err.contains("tpm2_dictionarylockout -c"), "{disk:?}: {}", refused.err);
        tpm.tool("tpm2_dictionarylockout", &["-c"]);
        assert_eq!(on(disk, &home, &right).code, 0, "{disk:?}");
    }
}

#[test]
fn while_a_disk_is_full_or_fails_no_pin_is_sent_to_a_tpm() {
    for disk in PASSING {
        let tpm = Swtpm::start();
        let home = node::home_on(&tpm);
        home.ok(&["id", "init"], b"");
        let [option, right] = pin_file(&home, "right", node::PIN);
        let [_, wrong] = pin_file(&home, "wrong", node::WRONG);
        for pin in [&wrong, &right] {
            let ran = on(disk, &home, &[&option, pin, "sign"]);
            assert_eq!((ran.code, tpm.lockout_counter()), (1, 0), "{disk:?}: {}", ran.err);
        }
        for _ in 0..3 {
            let ran = home.icnctl(&[&option, &wrong, "sign"], b"hello");
            assert_eq!((ran.code, tpm.lockout_counter()), (77, 1), "{disk:?}: {}", ran.err);
        }
    }
}

#[test]
fn what_a_read_only_home_does_not_take_of_a_pin_of_a_tpm_a_state_directory_does() {
    let tpm = Swtpm::start();
    let home = node::home_on(&tpm);
    home.ok(&["id", "init"], b"");
    let state = home.beside("state");
    let home = home.with("XDG_STATE_HOME", state.to_str().unwrap());
    let [option, right] = pin_file(&home, "right", node::PIN);
    let [_, wrong] = pin_file(&home, "wrong", node::WRONG);
    for _ in 0..3 {
        let ran = on(Disk::ReadOnly, &home, &[&option, &wrong, "sign"]);
        assert_eq!((ran.code, tpm.lockout_counter()), (77, 1), "{}", ran.err);
        // One is counted, and the right one is noted, too.
        let ran = on(Disk::ReadOnly, &home, &[&option, &right, "sign"]);
        assert_eq!(ran.code, 0, "{}", ran.err);
    }
}

/// Whatever makes the file anew, with the same content.
#[test]
fn a_refused_pin_is_not_sent_again_from_another_file_variable_or_pipe() {
    let hsm = SoftHsm::with_token("node-1");
    let home = hsm.faulty_identity("node-1");
    let [option, wrong] = pin_file(&home, "wrong", WRONG);
    let volume = home.beside("volume");
    fs::create_dir(&volume).unwrap();
    // As the kubelet does it.
    let exchange = |version: &str, pin: &str| {
        fs::create_dir(volume.join(version)).unwrap();
        write_private(&volume.join(version).join("pin"), pin);
        std::os::unix::fs::symlink(version, volume.join("..data_tmp")).unwrap();
        fs::rename(volume.join("..data_tmp"), volume.join("..data")).unwrap();
    };
    exchange("..1", WRONG);
    std::os::unix::fs::symlink("..data/pin", volume.join("pin")).unwrap();
    let mounted = volume.join("pin").to_str().unwrap().to_owned();
    let sends = |code: i32, sent: usize, home: &Home, args: &[&str]| {
        let before = hsm.count("C_Login");
        let ran = home.icnctl(&[args, &["sign", "/dev/null"]].concat(), b"");
        let now = hsm.count("C_Login") - before;
        assert_eq!((ran.code, now), (code, sent), "{args:?}: {}", ran.err);
        ran
    };
    sends(77, 1, &home, &[&option, &mounted]);
    exchange("..2", WRONG);
    sends(77, 0, &home, &[&option, &mounted]);
    for (name, change) in [
        ("copied", "cp pin other"),
        ("linked", "ln pin other"),
        ("linked by name", "ln -s pin other"),
        ("written in place", "cp pin other; cat pin > other"),
        ("with another line end", "printf '%s\\n' \"$(cat pin)\" > other; chmod 600 other"),
        ("touched", "cp pin other; touch -d 2001-01-01 other"),
    ] {
        let script = format!("set -e; umask 077; rm -f other; cp wrong pin; {change}");
        let done = Command::new("sh").args(["-c", &script]).current_dir(home.beside("")).status();
        assert!(done.unwrap().success(), "{name}");
        let ran = sends(77, 0, &home, &[&option, home.beside("other").to_str().unwrap()]);
        assert!(ran.err.contains("was not sent again"), "{name}: {}", ran.err);
    }
    let home = home.with("ICN_PIN", WRONG);
    sends(77, 0, &home, &[]);
    let piped = home.icnctl(&[&option, "/dev/stdin", "sign", "/dev/null"], WRONG.as_bytes());
    assert!(piped.code == 77 && piped.err.contains("was not sent again"), "{}", piped.err);
    sends(77, 0, &home, &[&option, &wrong]);
    let noted = home.read("refused.json");
    assert!(!noted.contains(WRONG), "{noted}");
    // Another one is tried, from each of them.
    exchange("..3", PIN);
    sends(0, 1, &home, &[&option, &mounted]);
    assert!(!home.path("refused.json").exists());
}

#[test]
fn of_sixteen_processes_of_two_homes_with_one_wrong_pin_one_sends_it() {
    let hsm = SoftHsm::with_token("node-1");
    let state = hsm.path("state");
    let shared = |home: Home| home.with("XDG_STATE_HOME", state.to_str().unwrap());
    let homes = [shared(hsm.faulty_identity("node-1")), shared(hsm.home())];
    let module = hsm.fault_module();
    let init = ["id", "init", "--backend", "pkcs11", "--module", &module, "--token", "node-1"];
    homes[1].ok(&[&init[..], &["--key-label", "another"]].concat(), b"");
    let files = homes.each_ref().map(|home| pin_file(home, "wrong", WRONG));
    let before = hsm.count("C_Login");
    let ended: Vec<Ran> = std::thread::scope(|scope| {
        let start = |at: usize| {
            let (home, [option, wrong]) = (&homes[at % 2], &files[at % 2]);
            home.icnctl(&[option, wrong, "sign"], b"hello")
        };
        let running: Vec<_> = (0..16).map(|at| scope.spawn(move || start(at))).collect();
        running.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert!(ended.iter().all(|ran| ran.code == 77), "{ended:?}");
    assert_eq!(hsm.count("C_Login") - before, 1);
    for home in &homes {
        home.ok(&["sign"], b"hello");
        assert!(!home.path("refused.json").exists());
    }
}
