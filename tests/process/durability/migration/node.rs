//! What is moved, by what, and whether it is whole afterwards.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use support::home::{FAST, PASSPHRASE, Ran, run, write_private};
use support::softhsm::{PIN, module};
use support::swtpm::Swtpm;
use tempfile::TempDir;

use super::judged::{Judged, state};
use crate::durability::devices::{Device, TOKEN, copy, tells_a_tpm, window};
use crate::durability::kill;
use crate::durability::trace::{Call, calls};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Deed {
    /// From a file into a token.
    Token,
    /// From a file into a TPM.
    Tpm,
    /// The same key, written into a token.
    Import,
    /// The same key, sealed to a TPM.
    TpmImport,
    /// From a token to another key on it.
    Between,
    /// Undone after the switch, from a token.
    Back,
    /// Ended.
    Finish,
}

pub(crate) struct Node {
    pub(crate) deed: Deed,
    pub(crate) dir: TempDir,
    pub(crate) device: Device,
    /// The module of a token, if it is not SoftHSM's own.
    module: String,
    old: String,
}

impl Node {
    pub(crate) fn new(deed: Deed) -> Self {
        let device = match deed {
            Deed::Tpm | Deed::TpmImport => Device::Tpm(Swtpm::start()),
            _ => Device::token(),
        };
        Self::on(deed, device, module().to_owned())
    }

    pub(crate) fn on(deed: Deed, device: Device, module: String) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut node = Self { deed, dir, device, module, old: String::new() };
        write_private(&node.path("pin"), PIN);
        write_private(&node.path("passphrase"), PASSPHRASE);
        fs::create_dir(node.home()).unwrap();
        run(Command::new("chmod").arg("700").arg(node.home()), b"");
        let fast = format!("{FAST}[identity.tpm]\npin_work_factor = 10\n");
        write_private(&node.home().join("icn.toml"), &fast);
        node.ok(&["id", "init"]);
        if matches!(deed, Deed::Between) {
            node.moves();
            node.ok(&["id", "migrate", "--finish", "--yes"]);
        }
        node.old = node.did();
        if matches!(deed, Deed::Back | Deed::Finish) {
            node.moves();
        }
        fs::create_dir(node.path("kept")).unwrap();
        copy(&node.home(), &node.path("kept/home"));
        node.device.keep(&node.path("kept"));
        node
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn pin(&self) -> String {
        self.path("pin").to_str().unwrap().to_owned()
    }

    fn home(&self) -> PathBuf {
        self.path("home")
    }

    /// Everything as it was before.
    pub(crate) fn reset(&self) {
        fs::remove_dir_all(self.home()).unwrap();
        copy(&self.path("kept/home"), &self.home());
        self.device.reset(&self.path("kept"));
    }

    fn moves(&self) {
        let migrate = self.migrate();
        self.ok(&migrate.iter().map(String::as_str).collect::<Vec<_>>());
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

    pub(crate) fn deed(&self) -> Vec<String> {
        match self.deed {
            Deed::Token | Deed::Tpm => self.migrate(),
            Deed::Between => {
                let beside = ["--key-label", "second", "--to-pin-file", &self.pin()];
                [self.migrate(), beside.map(Into::into).into()].concat()
            }
            Deed::Import | Deed::TpmImport => {
                [self.migrate(), ["--mode", "import"].map(Into::into).into()].concat()
            }
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

    pub(crate) fn icnctl(&self, args: &[&str]) -> Ran {
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

    /// The deed under `strace`.
    pub(crate) fn traced<T: AsRef<str>>(&self, options: &[T]) -> Ran {
        let log = self.path("log");
        let mut strace = vec!["-o", log.to_str().unwrap()];
        strace.extend(options.iter().map(AsRef::as_ref));
        let deed = self.deed();
        let args: Vec<&str> = deed.iter().map(String::as_str).collect();
        run(&mut self.command("strace", &strace, &args), b"")
    }

    /// And whether it was killed.
    pub(crate) fn killed_before(&self, call: &Call) -> (Ran, bool) {
        kill::before(call, None, &self.path("log"), |options| self.traced(options))
    }

    /// What is called when nothing is done to it: by its own process, and not by those that
    /// it starts.
    pub(crate) fn undisturbed(&self) -> Vec<Call> {
        let ran = self.traced(&["-y"]);
        assert_eq!(ran.code, 0, "{}", ran.err);
        calls(&fs::read_to_string(self.path("log")).unwrap())
    }

    /// The calls before which a kill makes a difference.
    pub(crate) fn kills<'a>(&self, calls: &'a [Call]) -> Vec<&'a Call> {
        window(calls, |call| self.counts(call))
    }

    /// Those that change a file of the home or the token, what is told to a TPM, and those
    /// that have to do with another process.
    fn counts(&self, call: &Call) -> bool {
        // A lock that is held by nobody is as one that is not there.
        if call.text.contains(".lock") {
            return false;
        }
        // Of a pipe, it is that to the process that it starts, and not what it prints.
        let told = call.name == "write"
            && call.text.contains("<pipe:")
            && call.text.contains(&format!("\"{PIN}\""));
        let of_process = matches!(call.name.as_str(), "wait4" | "clone3" | "vfork" | "waitid");
        let of_home = call.mutates() && call.names(self.dir.path());
        of_home || self.device.is_changed_by(call) || tells_a_tpm(call) || told || of_process
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

    /// After it was killed, and gone on with by the first, or undone; if nothing that was
    /// judged is the same.
    pub(crate) fn judge(
        &self,
        judged: &Judged,
        what: &str,
        goes_on: bool,
        thoroughly: bool,
    ) -> bool {
        self.device.flush();
        let home = self.home();
        let state = match &self.device {
            // What it shows of its objects, half made ones too: of no other attribute does
            // anything here ask.
            Device::Token(hsm) => state(&home, &hsm.objects(TOKEN)),
            Device::Tpm(_) => state(&home, ""),
        };
        judged.once(state, goes_on, thoroughly, || self.judge_state(what, goes_on, thoroughly))
    }

    fn judge_state(&self, what: &str, goes_on: bool, thoroughly: bool) -> bool {
        let named = self.named();
        for id in self.device.ids() {
            assert!(named.contains(&id), "{what}: nothing names {id}");
        }
        self.forget_doubts();
        let found = self.assert_opens(what);
        let was_in_file = self.is_in_file();
        let (deed, pin) = (self.deed(), self.pin());
        let mut words: Vec<&str> = deed.iter().map(String::as_str).collect();
        if !goes_on {
            words = vec!["id", "migrate", "--roll-back", "--yes"];
            if self.deed == Deed::Between {
                words.extend(["--to-pin-file", &pin]);
            }
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
        let keeps_did = matches!(self.deed, Deed::Import | Deed::TpmImport);
        let is_old = if keeps_did { now == self.old && self.is_in_file() } else { now == self.old };
        match (self.deed, goes_on) {
            (Deed::Token | Deed::Tpm | Deed::Between, true) => {
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
            (Deed::Import | Deed::TpmImport, true) => {
                assert!(!is_old && now == self.old, "{what}");
                self.ok(&["id", "migrate", "--finish", "--yes"]);
                self.assert_opens(what);
            }
            (Deed::Finish, true) => assert!(!is_old, "{what}"),
            (Deed::Finish, false) => {}
            _ => assert!(is_old, "{what}"),
        }
        let header = fs::read_to_string(self.home().join("identity.json")).unwrap();
        let ids = self.device.ids();
        assert!(ids.iter().all(|id| header.contains(id)), "{what}: {ids:?}");
        for left in ["migration", "previous", "migration.json", "unfinished.json"] {
            assert!(!self.home().join(left).exists(), "{what}: {left} is left");
        }
        found == self.old && (was_in_file || !keeps_did)
    }
}
