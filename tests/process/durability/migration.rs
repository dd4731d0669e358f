//! `icnctl id migrate`, killed at each call that changes something: by the ordinary commands
//! the old identity opens, or the new one; run again, it is done; rolled back, there is the
//! old one only; and no key is on the token that nothing names.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

use support::home::{FAST, PASSPHRASE, Ran, run, write_private};
use support::softhsm::{PIN, SoftHsm, module};
use support::swtpm::Swtpm;
use tempfile::TempDir;

use super::trace::{Call, calls};

const TOKEN: &str = "node-1";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Deed {
    /// From a file into a token.
    Token,
    /// From a file into a TPM.
    Tpm,
    /// The same key, written into a token.
    Import,
    /// Undone after the switch, from a token.
    Back,
    /// Ended.
    Finish,
}

enum Device {
    Token(SoftHsm),
    Tpm(Swtpm),
}

struct Node {
    deed: Deed,
    dir: TempDir,
    device: Device,
    /// The module of a token, if it is not SoftHSM's own.
    module: String,
    old: String,
}

impl Node {
    fn new(deed: Deed) -> Self {
        let device = match deed {
            Deed::Tpm => Device::Tpm(Swtpm::start()),
            _ => Device::Token(SoftHsm::with_token(TOKEN)),
        };
        Self::on(deed, device, module().to_owned())
    }

    fn on(deed: Deed, device: Device, module: String) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut node = Self { deed, dir, device, module, old: String::new() };
        write_private(&node.path("pin"), PIN);
        write_private(&node.path("passphrase"), PASSPHRASE);
        fs::create_dir(node.home()).unwrap();
        run(Command::new("chmod").arg("700").arg(node.home()), b"");
        write_private(&node.home().join("icn.toml"), FAST);
        node.ok(&["id", "init"]);
        node.old = node.did();
        if matches!(deed, Deed::Back | Deed::Finish) {
            let migrate = node.migrate();
            node.ok(&migrate.iter().map(String::as_str).collect::<Vec<_>>());
        }
        fs::create_dir(node.path("kept")).unwrap();
        copy(&node.home(), &node.path("kept/home"));
        if let Device::Token(hsm) = &node.device {
            copy(&hsm.tokens(), &node.path("kept/tokens"));
        }
        node
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn home(&self) -> PathBuf {
        self.path("home")
    }

    /// Everything as it was before.
    fn reset(&self) {
        fs::remove_dir_all(self.home()).unwrap();
        copy(&self.path("kept/home"), &self.home());
        match &self.device {
            Device::Token(hsm) => {
                fs::remove_dir_all(hsm.tokens()).unwrap();
                copy(&self.path("kept/tokens"), &hsm.tokens());
            }
            Device::Tpm(_) => self.flush(),
        }
    }

    /// What a kernel's resource manager does when its client is gone.
    fn flush(&self) {
        if let Device::Tpm(tpm) = &self.device {
            for kind in ["-t", "-l", "-s"] {
                let _ = tpm.try_tool("tpm2_flushcontext", &[kind]);
            }
        }
    }

    fn migrate(&self) -> Vec<String> {
        let words: Vec<String> = ["id", "migrate", "--no-backup", "--to"].map(Into::into).into();
        let more: Vec<String> = match &self.device {
            Device::Token(_) => {
                ["pkcs11", "--module", &self.module, "--token", TOKEN].map(Into::into).into()
            }
            Device::Tpm(tpm) => {
                ["tpm", "--device", &tpm.tcti(), "--pcr-indices", "16"].map(Into::into).into()
            }
        };
        [words, more].concat()
    }

    fn deed(&self) -> Vec<String> {
        match self.deed {
            Deed::Token | Deed::Tpm => self.migrate(),
            Deed::Import => [self.migrate(), ["--mode", "import"].map(Into::into).into()].concat(),
            Deed::Back => ["id", "migrate", "--roll-back", "--yes"].map(Into::into).into(),
            Deed::Finish => ["id", "migrate", "--finish", "--yes"].map(Into::into).into(),
        }
    }

    fn command(&self, program: &str, before: &[&str], args: &[&str]) -> Command {
        let mut command = Command::new(program);
        command.args(before);
        if program != env!("CARGO_BIN_EXE_icnctl") {
            command.arg(env!("CARGO_BIN_EXE_icnctl"));
        }
        let (pin, passphrase) = (self.path("pin"), self.path("passphrase"));
        command
            .args(["--pin-file", pin.to_str().unwrap()])
            .args(["--passphrase-file", passphrase.to_str().unwrap()])
            .args(args)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap())
            .env("ICN_HOME", self.home());
        if let Device::Token(hsm) = &self.device {
            command.env("SOFTHSM2_CONF", hsm.conf());
            command.env("PKCS11_FAULT_MODULE", module()).env("PKCS11_FAULT_DIR", hsm.path(""));
        }
        command
    }

    fn icnctl(&self, args: &[&str]) -> Ran {
        run(&mut self.command(env!("CARGO_BIN_EXE_icnctl"), &[], args), b"hello")
    }

    fn ok(&self, args: &[&str]) -> String {
        let ran = self.icnctl(args);
        assert_eq!(ran.code, 0, "{args:?}: {}", ran.err);
        ran.out
    }

    fn did(&self) -> String {
        let header = fs::read_to_string(self.home().join("identity.json")).unwrap();
        let header: serde_json::Value = serde_json::from_str(&header).unwrap();
        header["did"].as_str().unwrap().to_owned()
    }

    fn is_in_file(&self) -> bool {
        let header = fs::read_to_string(self.home().join("identity.json")).unwrap();
        header.contains("\"backend\": \"age\"")
    }

    /// The deed under `strace`, of this process alone and not of those that it starts.
    fn traced(&self, options: &[&str]) -> (Ran, Vec<Call>) {
        let log = self.path("log");
        let strace = [&["-y", "-o", log.to_str().unwrap()], options].concat();
        let deed = self.deed();
        let args: Vec<&str> = deed.iter().map(String::as_str).collect();
        let ran = run(&mut self.command("strace", &strace, &args), b"");
        (ran, calls(&fs::read_to_string(&log).unwrap_or_default()))
    }

    /// What can make a difference: calls that change a file of the home or the token, what
    /// is told to a TPM, and those that have to do with another process.
    fn counts(&self, call: &Call) -> bool {
        let token = match &self.device {
            // SoftHSM empties `token.object` before it writes it anew: a kill between costs
            // the whole token, whoever logs in.
            Device::Token(hsm) => call.names(&hsm.tokens()) && !call.text.contains("/token.object"),
            Device::Tpm(_) => false,
        };
        // A lock that is held by nobody is as one that is not there.
        if call.text.contains(".lock") {
            return false;
        }
        // Of a pipe, it is that to the process that it starts, and not what it prints.
        let told = matches!(call.name.as_str(), "write" | "sendto")
            && (["<TCP", "<socket:"].iter().any(|one| call.text.contains(one))
                || (call.text.contains("<pipe:") && call.text.contains(&format!("\"{PIN}\""))));
        let of_process = matches!(call.name.as_str(), "wait4" | "clone3" | "vfork" | "waitid");
        (call.mutates() && (call.names(self.dir.path()) || token)) || told || of_process
    }

    /// `CKA_ID`s on the token.
    fn ids(&self) -> BTreeSet<String> {
        let Device::Token(hsm) = &self.device else { return BTreeSet::new() };
        let listed = hsm.objects(TOKEN);
        let ids = listed.lines().filter_map(|line| line.trim().strip_prefix("ID:"));
        let ids = ids.map(|id| id.trim().to_owned());
        ids.filter(|id| !id.is_empty() && id != "<empty>").collect()
    }

    /// What in the home may name an object.
    fn named(&self) -> String {
        ["", "migration", "previous"]
            .iter()
            .flat_map(|place| {
                ["identity.json", "unfinished.json"].map(|name| self.home().join(place).join(name))
            })
            .map(|path| fs::read_to_string(path).unwrap_or_default())
            .collect()
    }

    /// A PIN that was on its way: nobody knows whether it was counted. What a person does who
    /// is told so.
    fn forget_doubts(&self) {
        for place in ["", "migration", "previous"] {
            let _ = fs::remove_file(self.home().join(place).join("refused.json"));
        }
    }

    fn assert_opens(&self, what: &str) -> String {
        let signed = self.icnctl(&["sign"]);
        let names: Vec<_> = fs::read_dir(self.home()).unwrap().map(|e| e.unwrap().path()).collect();
        assert_eq!(signed.code, 0, "{what}: {}: {names:?}", signed.err);
        let config = fs::read_to_string(self.home().join("icn.toml")).unwrap();
        let did = self.did();
        assert!(config.contains(&format!("did = \"{did}\"")), "{what}: {config}");
        did
    }

    /// After it was killed, and gone on with by the first, or undone.
    fn judge(&self, what: &str, goes_on: bool, thoroughly: bool) -> bool {
        self.flush();
        let named = self.named();
        for id in self.ids() {
            assert!(named.contains(&id), "{what}: nothing names {id}");
        }
        self.forget_doubts();
        let found = self.assert_opens(what);
        let was_in_file = self.is_in_file();
        let deed = self.deed();
        let mut words: Vec<&str> = deed.iter().map(String::as_str).collect();
        if !goes_on {
            words = vec!["id", "migrate", "--roll-back", "--yes"];
        }
        let ran = self.icnctl(&words);
        let is_over = ran.err.contains("no migration of the identity");
        if ran.code != 0 && !goes_on && ran.err.contains("being finished") {
            // There is no way back from its end.
            self.ok(&["id", "migrate", "--finish", "--yes"]);
        } else {
            assert!(ran.code == 0 || is_over, "{what}: {}", ran.err);
        }
        let now = self.assert_opens(what);
        let is_old = if self.deed == Deed::Import {
            now == self.old && self.is_in_file()
        } else {
            now == self.old
        };
        match (self.deed, goes_on) {
            (Deed::Token | Deed::Tpm, true) => {
                assert!(!is_old, "{what}");
                if thoroughly {
                    let previous = self.home().join("previous");
                    self.ok(&["--home", previous.to_str().unwrap(), "sign"]);
                    // Peers are led to it.
                    let chain = self.path("chain");
                    let _ = fs::remove_file(&chain);
                    let chain = chain.to_str().unwrap();
                    self.ok(&["id", "rotation", "show", "-o", chain]);
                    let verify = ["id", "rotation", "verify", chain, "--from", &self.old];
                    self.ok(&[&verify[..], &["--expect", &now]].concat());
                }
                self.ok(&["id", "migrate", "--finish", "--yes"]);
                self.assert_opens(what);
            }
            (Deed::Import, true) => {
                assert!(!is_old && now == self.old, "{what}");
                self.ok(&["id", "migrate", "--finish", "--yes"]);
                self.assert_opens(what);
            }
            (Deed::Finish, true) => assert!(!is_old, "{what}"),
            (Deed::Finish, false) => {}
            _ => assert!(is_old, "{what}"),
        }
        let header = fs::read_to_string(self.home().join("identity.json")).unwrap();
        let ids = self.ids();
        assert!(ids.iter().all(|id| header.contains(id)), "{what}: {ids:?}");
        for left in ["migration", "previous", "migration.json", "unfinished.json"] {
            assert!(!self.home().join(left).exists(), "{what}: {left} is left");
        }
        found == self.old && (was_in_file || self.deed != Deed::Import)
    }
}

fn copy(from: &std::path::Path, to: &std::path::Path) {
    let copied = run(Command::new("cp").arg("-a").args([from, to]), b"");
    assert_eq!(copied.code, 0, "{}", copied.err);
}

fn killed_everywhere(deed: Deed) {
    let node = Node::new(deed);
    let (ran, calls) = node.traced(&[]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    let mut opened = BTreeSet::new();
    let window: Vec<&Call> = calls
        .iter()
        .filter(|call| node.counts(call))
        // A file is made once.
        .filter(|call| call.name != "openat" || opened.insert(call.quoted()[0]))
        .collect();
    assert!(window.len() > 12, "{window:#?}");
    let share = window.len().div_ceil(4);
    let ends: Vec<Option<bool>> = std::thread::scope(|scope| {
        let threads: Vec<_> = window
            .chunks(share)
            .map(|part| {
                scope.spawn(move || {
                    let node = Node::new(deed);
                    let killed = part.iter().enumerate().flat_map(|(at, call)| {
                        // One way each; where a file takes its place, both.
                        let both = call.name == "rename";
                        let ways: &[bool] = match (both, at % 2) {
                            (true, _) => &[true, false],
                            (false, 0) => &[true],
                            (false, _) => &[false],
                        };
                        ways.iter().map(|on| killed_at(&node, call, *on)).collect::<Vec<_>>()
                    });
                    killed.collect::<Vec<_>>()
                })
            })
            .collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    let old: Vec<bool> = ends.iter().copied().flatten().collect();
    assert!(old.len() + 3 >= ends.len(), "{ends:?}");
    let count = old.iter().filter(|old| **old).count();
    println!("{deed:?}: killed {} times; {count} times it was the old one", old.len());
    match deed {
        Deed::Token | Deed::Tpm | Deed::Import | Deed::Back => {
            assert!(count > 0 && count < old.len())
        }
        Deed::Finish => assert_eq!(count, 0),
    }
}

fn killed_at(node: &Node, call: &Call, goes_on: bool) -> Option<bool> {
    node.reset();
    let (name, nth) = (&call.name, call.nth);
    let inject = format!("inject={name}:signal=SIGKILL:when={nth}");
    let trace = format!("trace={name}");
    let (ran, _) = node.traced(&["-e", &trace, "-e", &inject]);
    let log = fs::read_to_string(node.path("log")).unwrap();
    let what = format!("{:?}, on: {goes_on}: killed at {}", node.deed, call.text);
    if !log.contains("+++ killed by SIGKILL +++") {
        // How much it prints differs, on a machine that has more to do.
        assert!(name == "write" && ran.code == 0, "not {what}: {}", ran.err);
        return None;
    }
    Some(node.judge(&what, goes_on, call.name == "rename"))
}

#[test]
fn a_migration_into_a_token_that_is_killed_leaves_the_old_identity_or_the_new_one() {
    killed_everywhere(Deed::Token);
}

#[test]
fn a_migration_into_a_tpm_that_is_killed_leaves_the_old_identity_or_the_new_one() {
    killed_everywhere(Deed::Tpm);
}

#[test]
fn an_import_into_a_token_that_is_killed_leaves_the_old_identity_or_the_new_one() {
    killed_everywhere(Deed::Import);
}

#[test]
fn a_rollback_that_is_killed_leaves_the_old_identity_or_the_new_one() {
    killed_everywhere(Deed::Back);
}

#[test]
fn the_end_of_a_migration_that_is_killed_leaves_the_new_identity() {
    killed_everywhere(Deed::Finish);
}

/// The calls by which something on the token is changed, opened or used.
const CALLS: [&str; 11] = [
    "C_Login",
    "C_GenerateKeyPair",
    "C_GenerateKey",
    "C_CreateObject",
    "C_DestroyObject",
    "C_SignInit",
    "C_Sign",
    "C_Encrypt",
    "C_Decrypt",
    "C_OpenSession",
    "C_CloseSession",
];

/// The program ends right before and right after each of those calls, as often as it makes
/// them: this one, or the one that it starts.
fn aborted_at_every_call(deed: Deed) {
    let hsm = SoftHsm::with_token(TOKEN);
    let fault = hsm.fault_module();
    let node = Node::on(deed, Device::Token(hsm), fault);
    let Device::Token(hsm) = &node.device else { return };
    let words = node.deed();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let (mut aborted, mut old) = (0, 0);
    for call in CALLS {
        for effect in ["abort", "abort-after"] {
            for nth in 1.. {
                node.reset();
                hsm.script(&format!("on {call} {nth} {effect}\n"));
                let ran = node.icnctl(&words);
                hsm.script("");
                if ran.code == 0 {
                    break;
                }
                let what = format!("{deed:?}: {effect} at {call} {nth}: {}", ran.err);
                // Itself, or the process that it has started.
                assert!(ran.code == -1 || ran.err.contains("a new process did not"), "{what}");
                aborted += 1;
                old += usize::from(node.judge(&what, nth % 2 == 1, false));
            }
        }
    }
    println!("{deed:?}: aborted {aborted} times; {old} times it was the old one");
    assert!(aborted > 20, "{aborted}");
}

#[test]
fn a_migration_into_a_token_that_ends_at_any_call_of_its_module_leaves_one_that_opens() {
    aborted_at_every_call(Deed::Token);
}

#[test]
fn an_import_into_a_token_that_ends_at_any_call_of_its_module_leaves_one_that_opens() {
    aborted_at_every_call(Deed::Import);
}

/// The disk is full at each call that makes or writes a file of the home.
fn full_everywhere(deed: Deed) {
    let node = Node::new(deed);
    let (ran, calls) = node.traced(&[]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    let names = ["openat", "write", "fsync", "rename", "mkdir"];
    let window: Vec<&Call> = calls
        .iter()
        .filter(|call| names.contains(&call.name.as_str()) && call.names(node.dir.path()))
        .filter(|call| !call.failed() && !call.text.contains(".lock"))
        .filter(|call| call.name != "openat" || call.mutates())
        .collect();
    assert!(window.len() > 40, "{window:#?}");
    let told: usize = std::thread::scope(|scope| {
        let threads: Vec<_> = window
            .chunks(window.len().div_ceil(4))
            .map(|part| {
                scope.spawn(move || {
                    let node = Node::new(deed);
                    let full = part.iter().enumerate();
                    full.filter(|(at, call)| full_at(&node, call, at % 2 == 0)).count()
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    println!("{deed:?}: full at {} calls; {told} times it was told", window.len());
    assert!(told > 20, "{told}");
}

/// Whether it was told.
fn full_at(node: &Node, call: &Call, goes_on: bool) -> bool {
    node.reset();
    let (name, nth) = (&call.name, call.nth);
    let inject = format!("inject={name}:error=ENOSPC:when={nth}");
    let (ran, _) = node.traced(&["-e", &format!("trace={name}"), "-e", &inject]);
    let what = format!("{:?}, on: {goes_on}: full at {}: {}", node.deed, call.text, ran.err);
    assert!(ran.code == 0 || (ran.code == 1 && ran.err.contains("try: ")), "{what}");
    node.judge(&what, goes_on, false);
    ran.code != 0
}

#[test]
fn a_disk_that_is_full_at_any_write_of_a_migration_is_told_and_leaves_one_that_opens() {
    full_everywhere(Deed::Token);
}
