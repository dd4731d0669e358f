//! The PKCS#11 backend on SoftHSM 2.
#![allow(clippy::unwrap_used, clippy::panic, clippy::expect_used, reason = "tests")]
#![allow(clippy::indexing_slicing, unused_must_use, reason = "tests")]
#![allow(clippy::duplicate_mod, reason = "the same tests for each algorithm")]

mod calls;
mod dialects;
mod doubtful;
mod ecdh;
mod ed25519;
mod keys;
mod modules;
mod p256;
mod pin_states;
mod pins;
mod pool;
mod recovery;
mod storage;
mod tokens;

use std::error::Error as _;

use cryptoki::mechanism::Mechanism;
use icn_identity::backend::pkcs11::Pkcs11Backend;
use icn_identity::backend::{
    Backend as _, Created, Credential, KeyAtRest, Locator, NewKey, Pkcs11Locator,
};
use icn_identity::config::Pkcs11Config;
use icn_identity::{Did, DidMethod, Ed25519, Error, Hardware, Key, Pin, SealedKey, Unlocked};
use support::softhsm::{PIN, SO_PIN, SoftHsm, module};

const TOKEN: &str = "node-1";

fn config() -> Pkcs11Config {
    Pkcs11Config::new(module()).with_token(TOKEN)
}

fn backend() -> Pkcs11Backend {
    Pkcs11Backend::open(&config()).unwrap()
}

/// The token behind the fault-injecting module.
fn faulty_config(hsm: &SoftHsm) -> Pkcs11Config {
    Pkcs11Config::new(hsm.fault_module()).with_token(TOKEN)
}

fn faulty(hsm: &SoftHsm) -> Pkcs11Backend {
    Pkcs11Backend::open(&faulty_config(hsm)).unwrap()
}

fn pin() -> Credential {
    Credential::Pin(Pin::new(PIN))
}

// What is of one algorithm has a twin in `p256`: files that take it from `super`
// are modules there a second time.

type Alg = Ed25519;

const OID: [u8; 5] = [0x06, 0x03, 0x2b, 0x65, 0x70];
const GENERATION: Mechanism<'static> = Mechanism::EccEdwardsKeyPairGen;
/// For `pkcs11-tool`.
const KEY_TYPE: &str = "EC:edwards25519";

fn new_key() -> NewKey {
    NewKey::default()
}

fn import(hsm: &SoftHsm, label: &str, id: &str) {
    hsm.import(TOKEN, label, id);
}

fn generate(backend: &Pkcs11Backend) -> (Key<Hardware, Unlocked>, Pkcs11Locator) {
    let Created { key, locator, .. } = backend.create(&NewKey::default(), &pin()).unwrap();
    let Locator::Pkcs11(locator) = locator else { panic!("{locator:?}") };
    (key.try_into().unwrap(), locator)
}

fn did_at(backend: &Pkcs11Backend, locator: &Pkcs11Locator) -> Did {
    Did::from_key(DidMethod::Icn, &backend.public_key(locator).unwrap())
}

fn find(backend: &Pkcs11Backend, locator: &Pkcs11Locator, did: &Did) -> Result<SealedKey, Error> {
    match backend.find(&Locator::Pkcs11(locator.clone()), did)? {
        KeyAtRest::Device(key) => Ok(key),
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
    for secret in [PIN, SO_PIN, pins::WRONG] {
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
