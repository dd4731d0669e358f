//! The PKCS#11 backend on SoftHSM 2.
#![allow(clippy::unwrap_used, clippy::panic, clippy::expect_used, reason = "tests")]
#![allow(clippy::indexing_slicing, unused_must_use, reason = "tests")]

/// The items once for each algorithm, in a module of its name. They take what
/// differs from the module of that name: `Alg`, `generate`, ...
macro_rules! for_both_algorithms {
    ($($item:item)*) => {
        mod ed25519 {
            use super::*;
            use crate::ed25519::*;

            $($item)*
        }

        mod p256 {
            use super::*;
            use crate::p256::*;

            $($item)*
        }
    };
}

mod adopt;
mod assurances;
#[cfg(feature = "attestation")]
mod attested;
mod calls;
mod dialects;
mod doubtful;
mod draft;
mod ecdh;
mod ed25519;
mod hidden;
mod home;
mod import;
mod keys;
mod messages;
mod model;
mod modules;
mod nethsm;
mod nss;
mod one_sending;
mod p11_kit;
mod p256;
mod pin_states;
mod pins;
mod pool;
mod processes;
mod recovery;
mod renewal;
mod sent_again;
mod storage;
mod strangers;
mod tokens;
mod ways;

use std::error::Error as _;

use icn_identity::backend::pkcs11::Pkcs11Backend;
use icn_identity::backend::{Backend as _, Credentials, KeyAtRest, Locator, Pkcs11Locator};
use icn_identity::config::Pkcs11Config;
use icn_identity::{AlgorithmId, Did, DidMethod, Error, Pin, SealedKey};
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

fn pin() -> Credentials {
    Credentials::pin(Pin::new(PIN))
}

fn did_at(backend: &Pkcs11Backend, locator: &Pkcs11Locator) -> Did {
    let key = backend.public_key(locator).unwrap();
    let method = match key.algorithm() {
        AlgorithmId::Ed25519 => DidMethod::Icn,
        _ => DidMethod::Key,
    };
    Did::from_key(method, &key).unwrap()
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
