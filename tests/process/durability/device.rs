//! `icnctl id init` on a device, killed: no identity, or one that is whole and
//! pinned, and no key on the token that nothing names.
//!
//! What is on a disk changes by calls that change a file. So a writer is killed
//! at each of those: killed at any other call it leaves what it leaves at the
//! next of them. A TPM is told something by each write to its socket.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use support::home::{FAST, Ran, run, write_private};
use support::softhsm::{PIN, SoftHsm, module};
use support::swtpm::Swtpm;
use tempfile::TempDir;

use super::devices::{Device, TOKEN, copy, tells_a_tpm, window};
use super::repeats::some_of_each_row;
use super::trace::{Call, calls};
use super::{kill, shares};

const CUT_OFF: &str = "inject=rename:signal=SIGKILL:when=5";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// A key is made on the token.
    Token,
    /// The same, after an earlier one was killed before it wrote its header: what
    /// it left is removed first.
    Again,
    /// One that is there is taken.
    Adopted,
    Tpm,
}

/// A home, and a device of its own.
struct Node {
    kind: Kind,
    dir: TempDir,
    device: Device,
    /// `CKA_ID`s that were on the token before.
    before: Vec<String>,
}

impl Node {
    fn new(kind: Kind) -> Self {
        let device = match kind {
            Kind::Tpm => Device::Tpm(Swtpm::start()),
            Kind::Token | Kind::Again => Device::token(),
            Kind::Adopted => {
                let hsm = SoftHsm::with_token(TOKEN);
                hsm.import(TOKEN, "theirs", "0a0b");
                Device::Token(hsm)
            }
        };
        let mut node = Self { kind, dir: tempfile::tempdir().unwrap(), device, before: vec![] };
        node.before = node.device.ids();
        write_private(&node.path("pin"), PIN);
        write_private(&node.path("icn.toml"), FAST);
        if kind == Kind::Again {
            // The PIN that is tried, the note, once more with the DID, the configuration,
            // the header.
            let (ran, _) = node.traced(&["-f", "-e", "trace=rename", "-e", CUT_OFF]);
            assert_ne!(ran.code, 0, "{}", ran.err);
            assert_eq!(node.new_ids().len(), 3);
            node.unpin();
        }
        node.keep();
        node.reset();
        node
    }

    /// From now on everything is reset to what it is now.
    fn keep(&self) {
        fs::create_dir(self.path("kept")).unwrap();
        copy(&self.path("icn.toml"), &self.path("kept/icn.toml"));
        if self.home().exists() {
            copy(&self.home(), &self.path("kept/home"));
        }
        self.device.keep(&self.path("kept"));
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn home(&self) -> PathBuf {
        self.path("home")
    }

    fn read(&self, path: &Path) -> String {
        fs::read_to_string(path).unwrap_or_default()
    }

    /// The configuration is outside of the home: there a pin of a DID that was
    /// never made is a person's to remove.
    fn unpin(&self) {
        let config = self.read(&self.path("icn.toml"));
        let lines = config.lines().filter(|line| !line.starts_with("did = "));
        let unpinned: Vec<_> = lines.collect();
        assert_eq!(unpinned.len() + 1, config.lines().count(), "{config}");
        write_private(&self.path("icn.toml"), &unpinned.join("\n"));
    }

    /// Everything as it was before.
    fn reset(&self) {
        let _ = fs::remove_dir_all(self.home());
        // Of the directory that the configuration is in.
        let _ = fs::remove_file(self.path(".lock"));
        if self.path("kept/home").exists() {
            copy(&self.path("kept/home"), &self.home());
        }
        copy(&self.path("kept/icn.toml"), &self.path("icn.toml"));
        self.device.reset(&self.path("kept"));
    }

    fn init(&self) -> Vec<String> {
        let text = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
        match (&self.device, self.kind) {
            (Device::Token(_), Kind::Adopted) => text(&[
                "--key",
                "pkcs11:token=node-1;id=%0A%0B",
                "id",
                "init",
                "--module",
                module(),
            ]),
            (Device::Token(_), _) => {
                text(&["id", "init", "--backend", "pkcs11", "--module", module(), "--token", TOKEN])
            }
            (Device::Tpm(tpm), _) => text(&[
                "id",
                "init",
                "--backend",
                "tpm",
                "--device",
                &tpm.tcti(),
                "--no-pin",
                "--pcr-indices",
                "16",
            ]),
        }
    }

    fn command(&self, program: &str, before: &[&str], args: &[&str]) -> Command {
        let mut command = Command::new(program);
        let (config, pin) = (self.path("icn.toml"), self.path("pin"));
        command.args(before);
        if program != env!("CARGO_BIN_EXE_icnctl") {
            command.arg(env!("CARGO_BIN_EXE_icnctl"));
        }
        command
            .args(["--config", config.to_str().unwrap(), "--pin-file", pin.to_str().unwrap()])
            .args(args)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap())
            .env("ICN_HOME", self.home());
        if let Device::Token(hsm) = &self.device {
            command.env("SOFTHSM2_CONF", hsm.conf());
        }
        command
    }

    fn icnctl(&self, args: &[&str]) -> Ran {
        run(&mut self.command(env!("CARGO_BIN_EXE_icnctl"), &[], args), b"hello")
    }

    /// `id init` under `strace`; gives what came of it and what was called.
    fn traced<T: AsRef<str>>(&self, options: &[T]) -> (Ran, Vec<Call>) {
        let log = self.path("log");
        let mut strace = vec!["-o", log.to_str().unwrap()];
        strace.extend(options.iter().map(AsRef::as_ref));
        let init = self.init();
        let args: Vec<&str> = init.iter().map(String::as_str).collect();
        let ran = run(&mut self.command("strace", &strace, &args), b"");
        (ran, calls(&self.read(&log)))
    }

    /// What can make a difference: calls that change a file of the home, the
    /// configuration or the token, and what is told to a TPM.
    fn counts(&self, call: &Call) -> bool {
        let of_token = self.device.is_changed_by(call)
            // How an object is made is the same then.
            && (self.kind != Kind::Again || call.name == "unlink");
        (call.mutates() && call.names(self.dir.path())) || of_token || tells_a_tpm(call)
    }

    /// What `id init` has put on the token.
    fn new_ids(&self) -> Vec<String> {
        self.device.ids().into_iter().filter(|id| !self.before.contains(id)).collect()
    }

    /// The DID of the header, if it is the pinned one, and the identity signs.
    fn assert_whole_and_pinned(&self, what: &str) {
        let signed = self.icnctl(&["sign"]);
        assert_eq!((signed.code, signed.err.as_str()), (0, ""), "{what}: {:?}", self.names());
        let header = self.read(&self.home().join("identity.json"));
        let header: serde_json::Value = serde_json::from_str(&header).unwrap();
        let pin = format!("did = {}", header["did"]);
        let config = self.read(&self.path("icn.toml"));
        assert!(config.lines().any(|line| line == pin), "{what}: {pin}: {config}");
        let header = header.to_string();
        let ids = self.new_ids();
        for id in &ids {
            assert!(header.contains(id), "{what}: {id} is not of {header}");
        }
        let objects = match self.kind {
            Kind::Token | Kind::Again => 3,
            Kind::Adopted => 1,
            Kind::Tpm => 0,
        };
        assert_eq!(ids.len(), objects, "{what}: {ids:?}");
        let mut names = self.names();
        if matches!(self.kind, Kind::Tpm) {
            // A header that was put aside: for all that is known, a key is in it.
            names.retain(|name| !name.starts_with("identity.json."));
        }
        // Of what is noted of PINs.
        names.retain(|name| name != ".refused.lock");
        assert_eq!(names, [".lock", "identity.age", "identity.json"], "{what}");
    }

    fn names(&self) -> Vec<String> {
        let Ok(entries) = fs::read_dir(self.home()) else { return vec![] };
        let mut names: Vec<String> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    /// After it was killed. Gives whether there is an identity.
    fn judge(&self, what: &str) -> bool {
        let named = ["unfinished.json", "identity.json"]
            .map(|name| self.read(&self.home().join(name)))
            .concat();
        for id in self.new_ids() {
            assert!(named.contains(&id), "{what}: nothing names {id}: {:?}", self.names());
        }
        let made = self.home().join("identity.age").exists();
        let init = self.init();
        let mut args: Vec<&str> = init.iter().map(String::as_str).collect();
        let noted = self.home().join("refused.json");
        if noted.exists() {
            // The PIN was on its way: nobody knows whether it was counted, unless the token
            // shows that it was not.
            let doubted = self.icnctl(if made { &["sign"] } else { &args });
            if doubted.code == 0 {
                self.assert_whole_and_pinned(what);
                return made;
            }
            assert_eq!(doubted.code, 77, "{what}: {}", doubted.err);
            assert!(doubted.err.contains("--retry-pin"), "{what}: {}", doubted.err);
            if made {
                let signed = self.icnctl(&["sign", "--retry-pin"]);
                assert_eq!(signed.code, 0, "{what}: {}", signed.err);
            } else {
                args.push("--retry-pin");
            }
        }
        if !made {
            let mut again = self.icnctl(&args);
            if again.err.contains("unfinished.json says that it was never made") {
                assert!(again.err.contains("remove `did`"), "{}", again.err);
                self.unpin();
                again = self.icnctl(&args);
            }
            assert_eq!(again.code, 0, "{what}: {}: {:?}", again.err, self.names());
        }
        self.assert_whole_and_pinned(what);
        made
    }
}

fn killed_everywhere(kind: Kind) {
    let node = Node::new(kind);
    let (ran, calls) = node.traced(&["-f", "-y"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    node.assert_whole_and_pinned("undisturbed");
    let window = some_of_each_row(&window(&calls, |call| node.counts(call)));
    assert!(window.len() > 20, "{window:#?}");
    let ends = shares::for_each(&window, || Node::new(kind), |node, call| killed_at(node, call));
    let made: Vec<bool> = ends.into_iter().flatten().collect();
    assert!(made.len() + 3 >= window.len(), "{} of {window:#?}", made.len());
    let whole = made.iter().filter(|made| **made).count();
    println!("{kind:?}: killed at {} calls; {whole} times there was an identity", made.len());
    assert!(whole > 0 && whole < made.len() / 2, "{made:?}");
}

/// None where the run took fewer such calls than the one that was traced, and ended whole.
fn killed_at(node: &Node, call: &Call) -> Option<bool> {
    node.reset();
    let ((ran, _), killed) =
        kill::before(call, None, &node.path("log"), |options| node.traced(options));
    node.device.flush();
    if !killed {
        let what = format!("{:?}: not killed at {}: {}", node.kind, call.text, ran.err);
        assert!(call.name == "openat" && ran.code == 0, "{what}");
        node.assert_whole_and_pinned(&what);
        return None;
    }
    Some(node.judge(&format!("{:?}: killed at {}", node.kind, call.text)))
}

#[test]
fn a_killed_init_on_a_token_leaves_no_key_that_nothing_names() {
    killed_everywhere(Kind::Token);
}

#[test]
fn an_init_killed_while_it_removes_what_another_left_leaves_no_key_that_nothing_names() {
    killed_everywhere(Kind::Again);
}

#[test]
fn a_killed_init_around_a_key_of_a_token_leaves_that_key_and_no_other() {
    killed_everywhere(Kind::Adopted);
}

#[test]
fn a_killed_init_on_a_tpm_leaves_no_identity_or_one_that_is_whole_and_pinned() {
    killed_everywhere(Kind::Tpm);
}
