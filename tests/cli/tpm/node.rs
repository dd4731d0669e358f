//! A TPM, and a home with `icnctl` on it.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::Value;
use support::home::{Home, Ran, openssl_verifies, run, write_private};
use support::swtpm::Swtpm;
use toml_edit::{DocumentMut, Item};

use super::quick;

pub(crate) const PIN: &str = "5-wise-owls";
pub(crate) const WRONG: &str = "6-daft-owls";
pub(crate) const NEW: &str = "7-keen-owls";
pub(crate) const BOTH: [&str; 2] = ["ed25519", "p256"];

pub(crate) struct Node {
    pub(crate) tpm: Swtpm,
    pub(crate) home: Home,
}

impl Node {
    /// PCR 16, which tools can extend and reset; the PIN is in `$ICN_PIN`.
    pub(crate) fn new() -> Self {
        let tpm = Swtpm::start();
        let home = home_on(&tpm);
        Self { tpm, home }
    }

    pub(crate) fn with_identity(algorithm: &str, more: &[&str]) -> Self {
        let node = Self::new();
        node.init(algorithm, more);
        node
    }

    pub(crate) fn init(&self, algorithm: &str, more: &[&str]) -> String {
        self.ok(&[&["id", "init", "--algorithm", algorithm], more].concat())
    }

    /// With a variable in every command's environment.
    pub(crate) fn with(self, name: &str, value: &str) -> Self {
        Self { home: self.home.with(name, value), ..self }
    }

    /// Sets a value of `[identity.tpm]`.
    pub(crate) fn set(&self, key: &str, value: &str) {
        set(&self.home, key, value);
    }

    /// A new file with a PIN, as an option.
    pub(crate) fn pin_file(&self, pin: &str) -> [String; 2] {
        let path = self.home.beside("pin");
        write_private(&path, &format!("{pin}\n"));
        ["--pin-file".into(), path.to_str().unwrap().into()]
    }

    pub(crate) fn icnctl(&self, args: &[&str]) -> Ran {
        let ran = self.home.icnctl(args, b"hello");
        quiet(&ran);
        ran
    }

    /// Runs and expects success, and nothing left in the TPM; gives standard
    /// output.
    pub(crate) fn ok(&self, args: &[&str]) -> String {
        let ran = self.icnctl(args);
        assert_eq!(ran.code, 0, "icnctl {args:?}: {}{}", ran.out, ran.err);
        self.is_idle();
        ran.out
    }

    /// The same as JSON.
    pub(crate) fn json(&self, args: &[&str]) -> Value {
        serde_json::from_str(&self.ok(&[&["--format", "json"], args].concat())).unwrap()
    }

    /// Runs and expects exit code 1 with each of `texts` on standard error, and
    /// that no PIN try was spent.
    pub(crate) fn fails(&self, args: &[&str], texts: &[&str]) -> Ran {
        self.ends(1, 0, args, texts)
    }

    /// Runs and expects this exit code, and that so many PIN tries were spent.
    pub(crate) fn ends(&self, code: i32, tries: u32, args: &[&str], texts: &[&str]) -> Ran {
        self.spends(tries, || {
            let ran = self.icnctl(args);
            assert_eq!(ran.code, code, "icnctl {args:?}: {}{}", ran.out, ran.err);
            for text in texts {
                assert!(ran.err.contains(text), "wanted {text:?} in:\n{}", ran.err);
            }
            assert!(ran.out.is_empty(), "{}", ran.out);
            ran
        })
    }

    /// How many PIN tries this takes; nothing is left in the TPM.
    pub(crate) fn spends<T>(&self, tries: u32, work: impl FnOnce() -> T) -> T {
        let before = quick::lockout_counter(&self.tpm);
        let done = work();
        assert_eq!(quick::lockout_counter(&self.tpm) - before, tries, "tries spent");
        self.is_idle();
        done
    }

    /// Where nobody can be asked, and no PIN is given.
    pub(crate) fn alone(&self, args: &[&str]) -> Ran {
        let icnctl = self.home.command(args);
        let mut command = std::process::Command::new("setsid");
        command.arg("--wait").arg(icnctl.get_program()).args(icnctl.get_args()).env_clear();
        for (name, value) in icnctl.get_envs() {
            if name != "ICN_PIN" {
                command.env(name, value.unwrap());
            }
        }
        let ran = run(&mut command, b"hello");
        quiet(&ran);
        ran
    }

    /// No object and no session of ours was left.
    pub(crate) fn is_idle(&self) {
        assert_eq!(quick::loaded(&self.tpm), (0, 0), "objects and sessions");
    }

    /// Signs by `icnctl`, verifies by it and by OpenSSL.
    pub(crate) fn signs(&self) {
        self.signs_with(&[]);
    }

    pub(crate) fn signs_with(&self, options: &[&str]) {
        let signature = self.spends(0, || self.ok(&[options, &["sign"]].concat()));
        let shown = self.home.show();
        let (did, key) =
            (shown["did"].as_str().unwrap(), shown["public_key"]["hex"].as_str().unwrap());
        let verify = ["verify", "--did", did, "--signature", signature.trim()];
        assert_eq!(self.ok(&verify), "valid\n");
        assert_eq!(self.home.icnctl(&verify, b"hullo").code, 1);
        let beside = self.home.beside("");
        assert!(openssl_verifies(&beside, key, b"hello", signature.trim()));
        assert!(!openssl_verifies(&beside, key, b"hullo", signature.trim()));
        assert_eq!(STANDARD.decode(signature.trim()).unwrap().len(), 64);
    }

    /// PCR 16 is not as it was: refused with its name, by `sign` and `tpm
    /// check`.
    pub(crate) fn is_refused_for_pcr_16(&self, help: &str) {
        let wanted = ["the TPM's PCRs have changed", "PCR 16 (sha256) is ", ", wanted ", help];
        let refused = self.fails(&["sign"], &wanted);
        let found = &self.tpm.read_pcr(16)[..12];
        assert!(refused.err.contains(&format!("PCR 16 (sha256) is {found}…")), "{}", refused.err);
        let checked = self.spends(0, || self.alone(&["tpm", "check"]));
        assert_eq!(checked.code, 1, "{}{}", checked.out, checked.err);
        assert_eq!(checked.out.matches("does NOT open now").count(), 2, "{}", checked.out);
        assert!(checked.out.contains("PCR 16 (sha256) is "), "{}", checked.out);
        assert!(checked.out.contains("\ntry: "), "{}", checked.out);
    }

    /// What `tpm2_pcrread` prints for PCR 16 after it is extended, which it is
    /// not then.
    pub(crate) fn coming_values(&self) -> String {
        self.tpm.extend_pcr(16);
        let values = self.tpm.tool("tpm2_pcrread", &["sha256:16"]);
        self.reset_pcr_16();
        values
    }

    pub(crate) fn reset_pcr_16(&self) {
        self.tpm.tool("tpm2_pcrreset", &["16"]);
        assert_eq!(self.tpm.read_pcr(16), "00".repeat(32));
    }

    /// A file beside the home, and its name.
    pub(crate) fn file(&self, name: &str, text: &str) -> String {
        let path = self.home.beside(name);
        write_private(&path, text);
        path.to_str().unwrap().to_owned()
    }
}

/// A home for a node with this TPM.
pub(crate) fn home_on(tpm: &Swtpm) -> Home {
    let home = Home::new().with("ICN_PIN", PIN);
    let text = format!(
        "# of the node\n[identity]\nbackend = \"tpm\"\n\n[identity.tpm]\n# the device\n\
         device_path = \"{}\"\npcr_indices = \"16\" # of tests\npin_work_factor = 10\n",
        tpm.tcti()
    );
    home.write("icn.toml", &text);
    home
}

pub(crate) fn set(home: &Home, key: &str, value: &str) {
    let mut document: DocumentMut = home.read("icn.toml").parse().unwrap();
    document["identity"]["tpm"][key] = value.parse::<Item>().unwrap();
    home.write("icn.toml", &document.to_string());
}

/// No PIN in what was said, and nothing by anybody but us.
pub(crate) fn quiet(ran: &Ran) {
    for secret in [PIN, WRONG, NEW] {
        assert!(!ran.err.contains(secret) && !ran.out.contains(secret), "{} {}", ran.out, ran.err);
    }
    let ours = ["error: ", "  because: ", "  try: ", "warning: ", "Approved for did:"];
    for line in ran.err.lines() {
        assert!(ours.iter().any(|start| line.starts_with(start)), "whose line is {line:?}?");
    }
}
