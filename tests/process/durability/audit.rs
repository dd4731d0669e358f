//! The audit log survives whatever happens to its writer: no signature without its line,
//! and a chain that verifies.

use std::path::{Path, PathBuf};

use icn_identity::audit::verify;
use support::home::{Home, PASSPHRASE, Ran, run};

use super::trace::{Call, calls};
use super::{kill, shares};

/// What is there when the writer comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Before {
    /// A log is configured, and there is none.
    Nothing,
    Lines,
    /// An earlier writer was killed in the midst of its line.
    Torn,
    /// It has got another name.
    Rotated,
}

struct Node {
    home: Home,
    before: Before,
}

impl Node {
    fn new(before: Before) -> Self {
        let home = Home::new().with("ICN_PASSPHRASE", PASSPHRASE);
        home.ok(&["id", "init"], b"");
        let config = home.read("icn.toml");
        home.write("icn.toml", &format!("{config}\n[audit]\npath = \"logs/audit.log\"\n"));
        let node = Self { home, before };
        node.reset();
        node
    }

    fn path(&self) -> PathBuf {
        self.home.path("logs/audit.log")
    }

    fn rotated(&self) -> PathBuf {
        self.home.path("logs/audit.log.1")
    }

    fn reset(&self) {
        let logs = self.home.path("logs");
        let _ = std::fs::remove_dir_all(&logs);
        std::fs::create_dir(&logs).unwrap();
        if self.before == Before::Nothing {
            return;
        }
        self.home.ok(&["sign"], b"before");
        if self.before == Before::Torn {
            let file = std::fs::OpenOptions::new().write(true).open(self.path()).unwrap();
            let length = file.metadata().unwrap().len();
            file.set_len(length - 40).unwrap();
            // It was not noted as the last one.
            std::fs::remove_file(self.home.path("logs/audit.log.head")).unwrap();
        }
        if self.before == Before::Rotated {
            std::fs::rename(self.path(), self.rotated()).unwrap();
        }
    }

    /// `icnctl sign` under `strace`.
    fn traced<T: AsRef<str>>(&self, options: &[T]) -> (Ran, Vec<Call>) {
        let log = self.home.beside("log");
        let icnctl = self.home.command(&["sign"]);
        let mut command = std::process::Command::new("strace");
        command.arg("-o").arg(&log).args(options.iter().map(AsRef::as_ref));
        command.arg(icnctl.get_program()).args(icnctl.get_args()).env_clear();
        for (name, value) in icnctl.get_envs() {
            command.env(name, value.unwrap());
        }
        let ran = run(&mut command, b"hello");
        (ran, calls(&std::fs::read_to_string(log).unwrap()))
    }

    fn files(&self) -> Vec<PathBuf> {
        [self.rotated(), self.path()].into_iter().filter(|path| path.exists()).collect()
    }

    /// How many signatures have their line.
    fn signed(&self) -> usize {
        let text = |path: &PathBuf| std::fs::read_to_string(path).unwrap();
        let text: String = self.files().iter().map(text).collect();
        text.lines()
            .filter(|line| line.contains("\"result\":\"allowed\"") && line.ends_with("\"}"))
            .count()
    }

    /// Of calls that have to do with the log.
    fn is_of_log(&self, call: &Call) -> bool {
        call.names(Path::new("/logs"))
    }
}

fn killed_everywhere(before: Before) {
    let node = Node::new(before);
    let had = node.signed();
    let (ran, calls) = node.traced(&["-f", "-y"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    let printed =
        calls.iter().rposition(|call| call.name == "write" && call.text.contains("pipe:"));
    let window: Vec<&Call> = calls
        .iter()
        .enumerate()
        .filter(|(place, call)| node.is_of_log(call) || Some(*place) == printed)
        .map(|(_, call)| call)
        .collect();
    let names: Vec<&str> = window.iter().map(|call| call.name.as_str()).collect();
    for name in ["flock", "write", "fdatasync", "pwrite64"] {
        assert!(names.contains(&name), "{names:?}");
    }
    let ends = shares::for_each(
        &window,
        || Node::new(before),
        |node, call| {
            node.reset();
            let log = node.home.beside("log");
            let ((ran, _), killed) = kill::before(call, None, &log, |options| node.traced(options));
            let what = format!("{before:?}: killed at {}: {} {}", call.text, ran.out, ran.err);
            assert!(killed, "{what}");
            // What it has given out has its line, whatever comes next.
            let given_out = usize::from(!ran.out.is_empty());
            assert!(node.signed() >= had + given_out, "{what}");
            node.home.ok(&["sign"], b"after");
            let verified = verify(&node.files(), None).unwrap_or_else(|error| {
                panic!("{what}: {error}");
            });
            assert!(verified.is_whole, "{what}");
            let signed = node.signed();
            assert!(signed > had + given_out && signed <= had + 2, "{what}: {signed}");
            signed - had
        },
    );
    println!("{before:?}: killed at {} calls", ends.len());
    // Before its line, and after it.
    assert!(ends.contains(&1) && ends.contains(&2), "{ends:?}");
}

#[test]
fn a_writer_killed_at_any_call_while_it_begins_a_log_leaves_a_chain_that_goes_on() {
    killed_everywhere(Before::Nothing);
}

#[test]
fn a_writer_killed_at_any_call_leaves_a_chain_that_goes_on() {
    killed_everywhere(Before::Lines);
}

#[test]
fn a_writer_killed_at_any_call_after_another_one_leaves_a_chain_that_goes_on() {
    killed_everywhere(Before::Torn);
}

#[test]
fn a_writer_killed_at_any_call_while_it_follows_a_rotation_leaves_a_chain_that_goes_on() {
    killed_everywhere(Before::Rotated);
}

/// The line is on disk before anything leaves.
#[test]
fn a_line_is_synced_before_the_signature_is_printed() {
    let node = Node::new(Before::Lines);
    let (ran, calls) = node.traced(&["-f", "-y"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    let of_log = |name: &str| {
        calls.iter().rposition(|call| call.name == name && call.text.contains("/logs/audit.log>"))
    };
    let (written, synced) = (of_log("write").unwrap(), of_log("fdatasync").unwrap());
    let printed =
        calls.iter().rposition(|call| call.name == "write" && call.text.contains("pipe:"));
    assert!(written < synced && synced < printed.unwrap(), "{written} {synced} {printed:?}");
    // It only grows.
    let calls: Vec<_> = calls.iter().filter(|call| node.is_of_log(call)).collect();
    assert!(!calls.iter().any(|call| call.name == "ftruncate" || call.name == "unlink"));
    let opened =
        calls.iter().find(|call| call.name == "openat" && call.text.contains("audit.log\""));
    assert!(opened.unwrap().text.contains("O_APPEND"), "{opened:?}");
}

/// Each call on the log fails, with each error that a disk can give to it: nothing is
/// signed without its line, and once the disk is well again the chain goes on.
#[test]
fn a_failing_disk_signs_nothing_and_breaks_no_chain() {
    let node = Node::new(Before::Lines);
    let had = node.signed();
    let (_, calls) = node.traced(&["-f", "-y"]);
    let names = ["openat", "write", "fdatasync", "flock", "pread64"];
    let cases: Vec<(&Call, &str)> = calls
        .iter()
        .filter(|call| {
            names.contains(&call.name.as_str()) && node.is_of_log(call) && !call.failed()
        })
        .flat_map(|call| ["ENOSPC", "EIO", "EROFS"].map(|error| (call, error)))
        .collect();
    assert!(cases.len() > 15, "{}", cases.len());
    let failed = shares::for_each(
        &cases,
        || Node::new(Before::Lines),
        |node, (call, error)| {
            node.reset();
            let (ran, _) = node.traced(&call.failing(error));
            let what = format!("{error} at {}: {}{}", call.text, ran.out, ran.err);
            assert_eq!(ran.code == 0, !ran.out.is_empty(), "{what}");
            if ran.code != 0 {
                assert!(ran.code == 1 && ran.err.contains("audit.log"), "{what}");
                assert!(ran.err.contains("try: "), "{what}");
            } else {
                assert!(node.signed() > had, "{what}");
            }
            node.home.ok(&["sign"], b"after");
            let verified = verify(&node.files(), None);
            assert!(verified.is_ok(), "{what}: {verified:?}");
            ran.code != 0
        },
    );
    assert!(failed.iter().filter(|failed| **failed).count() > cases.len() / 2, "{failed:?}");
}

/// A disk that is really full, in the midst of a line.
#[test]
fn on_a_full_disk_nothing_is_signed_and_with_room_the_log_goes_on() {
    let ran = super::disks::on_a_small_disk(
        r#"
        : > "$ICN_HOME/audit.log"; chmod 600 "$ICN_HOME/audit.log"
        signs || fail "does not sign with a log"
        dd if=/dev/zero of="$beside/disk/fill" bs=1k 2>/dev/null
        # What is left of its last block is written still.
        signed=1
        while printf hello | "$icnctl" sign >"$beside/out" 2>"$beside/said"; do
            signed=$((signed + 1))
            [ $signed -lt 40 ] || fail "signs on a full disk"
        done
        [ -s "$beside/out" ] && fail "a signature without its line"
        cat "$beside/said" >&2
        "$icnctl" audit verify >"$beside/verified" 2>/dev/null; code=$?
        cat "$beside/verified" >&2
        rm "$beside/disk/fill"
        signs || fail "does not sign when there is room"
        "$icnctl" audit verify || fail "the log does not verify"
        lines=$(grep -c '"event":"sign-raw","result":"allowed"' "$ICN_HOME/audit.log")
        [ $lines -ge $((signed + 1)) ] || fail "$lines lines of $signed signatures"
        cp "$ICN_HOME/audit.log" "$beside/audit.log"
        "#,
    );
    assert_eq!(ran.code, 0, "{} {}", ran.out, ran.err);
    for wanted in ["audit.log", "No space left", "try: the disk is full"] {
        assert!(ran.err.contains(wanted), "{wanted}: {}", ran.err);
    }
    assert!(ran.out.contains("valid: "), "{}", ran.out);
}
