//! An approver's machine: a key made by OpenSSL, no TPM, no home.

use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;
use support::home::{Ran, run, write_private};
use tempfile::TempDir;

use super::node::quiet;

pub(crate) struct Approver {
    dir: TempDir,
}

impl Approver {
    pub(crate) fn new() -> Self {
        let this = Self { dir: tempfile::tempdir().unwrap() };
        let curve = "ec_paramgen_curve:P-256";
        this.openssl(&["genpkey", "-algorithm", "EC", "-pkeyopt", curve, "-out", "key.pem"]);
        this.openssl(&["pkey", "-in", "key.pem", "-pubout", "-out", "public.pem"]);
        this
    }

    fn openssl(&self, args: &[&str]) {
        let ran = run(Command::new("openssl").args(args).current_dir(self.dir.path()), b"");
        assert_eq!(ran.code, 0, "{}", ran.err);
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn public(&self) -> String {
        self.path("public.pem").to_str().unwrap().to_owned()
    }

    /// `icnctl tpm approve` with its key, and nothing in the environment.
    pub(crate) fn icnctl(&self, request: &str, more: &[&str]) -> Ran {
        self.icnctl_with("key.pem", request, more)
    }

    /// With another file in the place of its key.
    pub(crate) fn icnctl_with(&self, key: &str, request: &str, more: &[&str]) -> Ran {
        write_private(&self.path("request.json"), request);
        let ran = run(
            Command::new(env!("CARGO_BIN_EXE_icnctl"))
                .args(["tpm", "approve", "--approver-key", key])
                .args(more)
                .arg("request.json")
                .env_clear()
                .current_dir(self.dir.path()),
            b"",
        );
        quiet(&ran);
        ran
    }

    pub(crate) fn approve(&self, request: &str, more: &[&str]) -> Value {
        let ran = self.icnctl(request, more);
        assert_eq!(ran.code, 0, "{}", ran.err);
        assert!(ran.err.contains("This cannot be taken back"), "{}", ran.err);
        serde_json::from_str(&ran.out).unwrap()
    }

    pub(crate) fn refuses(&self, request: &str, more: &[&str], texts: &[&str]) {
        let ran = self.icnctl(request, more);
        assert_eq!(ran.code, 1, "{}{}", ran.out, ran.err);
        assert!(ran.out.is_empty(), "{}", ran.out);
        for text in texts {
            assert!(ran.err.contains(text), "wanted {text:?} in:\n{}", ran.err);
        }
    }
}
