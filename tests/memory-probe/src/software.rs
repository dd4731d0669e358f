//! Software keys and what opens them.

use std::env;
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, SystemTime};

use icn_identity::backend::AgeKeyStore;
use icn_identity::config::AgeConfig;
use icn_identity::file::read_credential;
use icn_identity::keystore::age::WorkFactor;
use icn_identity::keystore::{Credentials, IdentityStore, Pinned};
use icn_identity::{Did, DidMethod, DidSigner, Key, Passphrase, Pin, Software};

use crate::secrets::{Secrets, masked_hex};
use crate::stop;

fn path(variable: &str) -> PathBuf {
    env::var_os(variable).unwrap_or_else(|| panic!("{variable} is not set")).into()
}

fn fast() -> WorkFactor {
    WorkFactor::new(10).expect("it is allowed")
}

fn sign(key: &impl DidSigner) {
    for length in [0, 1, 64, 200, 5000] {
        key.sign(&vec![7; length]).expect("it signs");
    }
}

/// Made from a seed, used by two threads, locked.
pub(crate) fn seed(secrets: &Secrets) {
    let key = secrets.with_bytes("seed", Key::from_seed);
    stop("unlocked");
    sign(&key);
    stop("signed");
    thread::scope(|scope| {
        let thread = scope.spawn(|| {
            sign(&key);
            stop("signed in a thread");
        });
        // Until it is gone, and not only done.
        thread.join().expect("it signs");
    });
    stop("thread ended");
    let passphrase = Passphrase::new(secrets.text("passphrase"));
    let another = passphrase.clone();
    stop("passphrase");
    assert!(another.ct_eq(&passphrase));
    let locked = key.lock_with(&passphrase, fast()).expect("it locks");
    stop("locked");
    drop((passphrase, another));
    drop(locked);
    stop("dropped");
}

/// Made by the random generator: its seed is told to the parent, masked.
pub(crate) fn generated(_: &Secrets) {
    let key = Key::generate().expect("it is made");
    stop(&format!("generated {}", masked_hex(key.expose_secret())));
    sign(&key);
    stop("signed");
    drop(key);
    stop("dropped");
}

/// Unlocked from a file, after a wrong passphrase.
pub(crate) fn file(secrets: &Secrets) {
    let did: Did = env::var("PROBE_DID").expect("a DID").parse().expect("a DID");
    let file = std::fs::read(path("PROBE_FILE")).expect("the file");
    let key = Key::<Software, _>::from_age_file(did, file);
    let refused = key.unlock(&Passphrase::new(secrets.text("wrong"))).expect_err("it is wrong");
    stop("refused");
    let key = refused.into_key();
    let passphrase = Passphrase::new(secrets.text("passphrase"));
    let key = key.unlock(&passphrase).expect("it opens");
    stop("unlocked");
    drop(passphrase);
    stop("passphrase dropped");
    sign(&key);
    stop("signed");
    drop(key);
    stop("dropped");
}

/// A whole identity: made, opened, renewed.
pub(crate) fn identity(secrets: &Secrets) {
    let home = path("PROBE_HOME");
    let mut config = AgeConfig::default();
    config.work_factor = 10;
    let backend = AgeKeyStore::with_config(&home, &config);
    let passphrase = Passphrase::new(secrets.text("passphrase"));
    let made = backend.create_identity(DidMethod::default(), &passphrase).expect("it is made");
    stop("created");
    sign(made.signer());
    stop("signed");
    drop(made);
    stop("closed");

    let credentials = Credentials::passphrase(passphrase);
    let store = IdentityStore::new(&home).with_age_config(config);
    let opened = store.open(&backend, Pinned::Nobody, &credentials).expect("it opens");
    stop("opened");
    sign(opened.bundle.signer());
    drop(opened);
    stop("closed again");

    let later = SystemTime::now() + Duration::from_secs(6 * 24 * 3600);
    let renewed = store.open_at(&backend, Pinned::Nobody, &credentials, later).expect("it opens");
    assert!(renewed.renewal_failed.is_none());
    stop("renewed");
    drop(credentials);
    stop("credentials dropped");
    renewed.bundle.renew_at(later, Duration::from_secs(24 * 3600)).expect("it is renewed");
    stop("renewed in place");
    drop(renewed);
    stop("dropped");
}

/// Read from files.
pub(crate) fn credential(_: &Secrets) {
    let passphrase = Passphrase::from(read_credential(&path("PROBE_PASSPHRASE")).expect("a file"));
    let pin = Pin::from(read_credential(&path("PROBE_PIN")).expect("a file"));
    let clones = (passphrase.clone(), pin.clone());
    stop("read");
    drop((passphrase, pin));
    stop("clones");
    drop(clones);
    stop("dropped");
}
