//! The TPM backend on swtpm: real TPM commands, a TPM of its own for each test.
#![allow(clippy::unwrap_used, clippy::panic, clippy::expect_used, reason = "tests")]
#![allow(clippy::indexing_slicing, unused_must_use, reason = "tests")]

#[cfg(feature = "attestation")]
mod attest;
mod care;
mod counter;
mod h2;
mod home;
mod identity;
mod import;
mod keys;
mod model;
mod policy;
mod processes;
mod raw;
mod renewal;
mod sendings;
mod tools;
mod traffic;

use std::error::Error as _;
use std::path::Path;

use icn_identity::backend::tpm::TpmBackend;
use icn_identity::backend::{
    Backend as _, Created, Credentials, KeyAtRest, Locator, NewKey, TpmObject,
};
use icn_identity::config::{PcrIndices, PcrPolicy, TpmConfig};
use icn_identity::{AlgorithmId, Did, DidKey, DidMethod, Error, Pin, SealedKey};
use support::swtpm::Swtpm;

const PIN: &str = "5-wise-owls";
const WRONG: &str = "6-daft-owls";
const BOTH: [AlgorithmId; 2] = [AlgorithmId::Ed25519, AlgorithmId::P256];

/// A TPM and a home of its own.
struct Node {
    tpm: Swtpm,
    home: tempfile::TempDir,
}

impl Node {
    fn new() -> Self {
        let home = tempfile::tempdir().unwrap();
        use std::os::unix::fs::PermissionsExt as _;
        let private = std::fs::Permissions::from_mode(0o700);
        std::fs::set_permissions(home.path(), private).unwrap();
        Self { tpm: Swtpm::start(), home }
    }

    /// PCR 16, which tools may extend, and no PIN.
    fn config(&self) -> TpmConfig {
        let mut config = TpmConfig::new(self.tpm.tcti());
        config.pcr_indices = PcrIndices::new([16]).unwrap();
        config.pin = false;
        config.pin_work_factor = 10;
        config
    }

    fn with_pin(&self) -> TpmConfig {
        let mut config = self.config();
        config.pin = true;
        config
    }

    fn open(&self, config: &TpmConfig) -> TpmBackend {
        TpmBackend::open(self.home.path(), config).unwrap()
    }

    fn home(&self) -> &Path {
        self.home.path()
    }

    /// Nothing of ours is left in the TPM.
    #[track_caller]
    fn assert_tidy(&self) {
        assert_eq!((self.tpm.transients(), self.tpm.sessions()), (0, 0));
    }

    /// An approver: private and public key as OpenSSL writes them.
    fn approver(&self, name: &str) -> (std::path::PathBuf, std::path::PathBuf) {
        use std::os::unix::fs::PermissionsExt as _;
        let (private, public) =
            (self.tpm.path(&format!("{name}.pem")), self.tpm.path(&format!("{name}.pub.pem")));
        let run = |args: &[&str]| {
            let done = support::child::inherits_nothing("openssl").args(args).output().unwrap();
            assert!(done.status.success(), "{done:?}");
        };
        let (out, public_out) = (private.to_str().unwrap(), public.to_str().unwrap());
        let curve = "ec_paramgen_curve:P-256";
        run(&["genpkey", "-algorithm", "EC", "-pkeyopt", curve, "-out", out]);
        std::fs::set_permissions(&private, std::fs::Permissions::from_mode(0o600)).unwrap();
        run(&["pkey", "-in", out, "-pubout", "-out", public_out]);
        std::fs::set_permissions(&public, std::fs::Permissions::from_mode(0o644)).unwrap();
        (private, public)
    }

    fn authorized(&self, approver: &Path) -> TpmConfig {
        let mut config = self.config();
        config.policy = PcrPolicy::Authorized;
        config.approver = Some(approver.to_owned());
        config
    }
}

fn object(locator: &Locator) -> &TpmObject {
    match locator {
        Locator::Tpm(object) => object,
        other => panic!("{other:?}"),
    }
}

fn pin_of(config: &TpmConfig) -> Pin {
    if config.pin { Pin::new(PIN) } else { Pin::none() }
}

fn create(backend: &TpmBackend, config: &TpmConfig, algorithm: AlgorithmId) -> (DidKey, Locator) {
    let request = NewKey::new(DidMethod::Icn).with_algorithm(algorithm);
    let credential = Credentials::pin(pin_of(config));
    let Created { key, locator, .. } = backend.create(&request, &credential).unwrap();
    (key, locator)
}

fn find(backend: &TpmBackend, locator: &Locator, did: &Did) -> SealedKey {
    match backend.find(locator, did).unwrap() {
        KeyAtRest::Device(key) => key,
        other => panic!("{other:?}"),
    }
}

/// Everything that a person may get to see of an error; never a PIN.
fn shown(error: impl Into<Error>) -> String {
    let error = error.into();
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text.push_str(" | ");
    text.push_str(&error.help().unwrap_or_default());
    let everything = format!("{text} {error:?}");
    for secret in [PIN, WRONG] {
        assert!(!everything.contains(secret), "{everything}");
    }
    text
}

#[track_caller]
fn assert_shows(error: impl Into<Error>, parts: &[&str]) {
    let text = shown(error);
    for part in parts {
        assert!(text.contains(part), "{part:?} is not in {text:?}");
    }
}
