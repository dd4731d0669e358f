//! A token of tpm2-pkcs11, with a TPM and a store of one test's own. Missing
//! software is a failure, never a skip.

use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::home::{Home, Ran, run};
use crate::softhsm::{PIN, SO_PIN};
use crate::swtpm::Swtpm;

pub struct Tpm2Token {
    pub tpm: Swtpm,
    /// Where the module keeps its objects: the TPM wraps them.
    store: TempDir,
}

impl Tpm2Token {
    /// A token with [`PIN`] on a new TPM, made through the module itself.
    pub fn new(label: &str) -> Self {
        let this = Self { tpm: Swtpm::start(), store: tempfile::tempdir().unwrap() };
        let init = ["--slot-index", "0", "--init-token", "--label", label, "--so-pin", SO_PIN];
        this.succeeds(&init);
        let login = ["--token-label", label, "--login", "--so-pin", SO_PIN];
        this.succeeds(&[&login[..], &["--init-pin", "--pin", PIN]].concat());
        this
    }

    pub fn pkcs11_tool(&self, arguments: &[&str]) -> Ran {
        let mut tool = Command::new("pkcs11-tool");
        run(tool.args(["--module", module()]).args(arguments).envs(self.variables()), b"")
    }

    fn succeeds(&self, arguments: &[&str]) {
        let ran = self.pkcs11_tool(arguments);
        assert_eq!(ran.code, 0, "pkcs11-tool {arguments:?}: {}\n{}", ran.out, ran.err);
    }

    /// What processes need to use this token.
    pub fn variables(&self) -> [(&'static str, String); 3] {
        [
            ("TPM2_PKCS11_STORE", self.store.path().to_str().unwrap().to_owned()),
            ("TPM2_PKCS11_TCTI", self.tpm.tcti()),
            // Else it writes of the TPM's errors to standard error.
            ("TSS2_LOG", "all+NONE".to_owned()),
        ]
    }

    pub fn home(&self) -> Home {
        let home = Home::new().with("ICN_PIN", PIN);
        self.variables().iter().fold(home, |home, (name, value)| home.with(name, value))
    }
}

/// Where the module is.
pub fn module() -> &'static str {
    static MODULE: std::sync::OnceLock<String> = std::sync::OnceLock::new();
    MODULE.get_or_init(|| {
        let directories = std::fs::read_dir("/usr/lib").unwrap();
        let place = |directory: PathBuf| directory.join("pkcs11/libtpm2_pkcs11.so");
        let found = directories.filter_map(Result::ok).map(|entry| place(entry.path()));
        let found = found.chain([place("/usr/lib64".into())]).find(|path: &PathBuf| path.exists());
        let found = found.unwrap_or_else(|| {
            panic!("libtpm2_pkcs11.so is missing: apt-get install libtpm2-pkcs11-1")
        });
        Path::to_str(&found).unwrap().to_owned()
    })
}
