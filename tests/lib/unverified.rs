//! What somebody tells in JSON says nothing before it was verified.

use std::fs;

use icn_identity::backend::{AgeKeyStore, BackendKind};
use icn_identity::bundle::UnverifiedBinding;
use icn_identity::config::Config;
use icn_identity::error::{KeystoreError, OpenError};
use icn_identity::keystore::{Credentials, IdentityStore, Pinned};
use icn_identity::rotation::{RotationError, RotationReason, RotationTerms};
use icn_identity::{
    Custody, DidMethod, DidSignerExt as _, Error, IdentityBundle, Key, Passphrase, ProvenanceKind,
    RotationStatement, Software, Unlocked,
};
use serde_json::Value;

fn software() -> Key<Software, Unlocked> {
    Key::generate().unwrap()
}

#[test]
fn a_binding_told_in_json_says_nothing_until_it_verifies() {
    let bundle = IdentityBundle::issue(software()).unwrap();
    let thief = IdentityBundle::issue(software()).unwrap();
    let told = serde_json::to_value(bundle.binding()).unwrap();
    let read: UnverifiedBinding = serde_json::from_value(told.clone()).unwrap();
    assert_eq!(read.claimed_did(), bundle.did());
    assert_eq!(read.verify().unwrap(), bundle.binding());
    // The thief's TLS key under the name of somebody else.
    let mut forged = serde_json::to_value(thief.binding()).unwrap();
    forged["did"] = told["did"].clone();
    let read: UnverifiedBinding = serde_json::from_value(forged).unwrap();
    assert_eq!(read.claimed_did(), bundle.did());
    read.verify().unwrap_err();
}

#[test]
fn evidence_that_a_header_claims_is_a_claim_and_opens_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let config = Config::parse("[identity.age]\nwork_factor = 10\n").unwrap().identity.age;
    let backend = AgeKeyStore::with_config(dir.path().join("icn"), &config);
    let passphrase = || Passphrase::new("correct horse");
    let _made = backend.create_identity(DidMethod::Icn, &passphrase()).unwrap();
    let store = IdentityStore::new(backend.home()).with_age_config(config.clone());
    let path = backend.home().join("identity.json");
    let honest = fs::read_to_string(&path).unwrap();
    let mut header: Value = serde_json::from_str(&honest).unwrap();
    header["evidence"]["provenance"] = "hardware".into();
    header["evidence"]["hardware_backed"] = true.into();
    fs::write(&path, serde_json::to_string_pretty(&header).unwrap() + "\n").unwrap();

    let claimed = store.header().unwrap();
    assert_eq!(claimed.backend(), BackendKind::Age);
    assert_eq!(claimed.claimed_evidence().provenance(), ProvenanceKind::Hardware);
    assert!(claimed.claimed_evidence().is_hardware_backed());
    let credentials = Credentials::passphrase(passphrase());
    let refused = store.open(&backend, Pinned::Nobody, &credentials).unwrap_err();
    assert!(
        matches!(refused, Error::Keystore(KeystoreError::HeaderMismatch { .. })),
        "{refused:?}"
    );

    fs::write(&path, honest).unwrap();
    let opened = store.open(&backend, Pinned::Nobody, &credentials).unwrap();
    assert!(!opened.bundle.is_hardware_backed());
    let Custody::Shown(shown) = opened.bundle.custody() else { panic!("our own key") };
    assert_eq!(shown.provenance(), ProvenanceKind::Software);
}

#[test]
fn a_header_with_something_after_it_is_none() {
    let dir = tempfile::tempdir().unwrap();
    let config = Config::parse("[identity.age]\nwork_factor = 10\n").unwrap().identity.age;
    let backend = AgeKeyStore::with_config(dir.path().join("icn"), &config);
    let _made = backend.create_identity(DidMethod::Icn, &Passphrase::new("x")).unwrap();
    let store = IdentityStore::new(backend.home());
    let path = backend.home().join("identity.json");
    let honest = fs::read_to_string(&path).unwrap();
    fs::write(&path, format!("{honest}{honest}")).unwrap();
    assert!(matches!(store.header().unwrap_err(), KeystoreError::Header { .. }));
}

#[test]
fn a_rotated_key_whose_claims_were_changed_is_refused() {
    let (old, new) = (software(), software());
    let terms = RotationTerms::new(RotationReason::Scheduled);
    let statement = RotationStatement::sign_unguarded(&old, &new, None, &terms).unwrap();
    assert_eq!(statement.new_key().claimed_provenance(), ProvenanceKind::Software);
    let mut told: Value = serde_json::from_slice(&statement.to_json()).unwrap();
    told["statement"]["new"]["provenance"] = "hardware".into();
    let refused = RotationStatement::from_json(&serde_json::to_vec(&told).unwrap()).unwrap_err();
    assert!(matches!(refused, RotationError::Signature { .. }), "{refused:?}");
    let more = told.to_string().replace("\"hardware\"", "\"software\",\"more\":1");
    let refused = RotationStatement::from_json(more.as_bytes()).unwrap_err();
    assert!(matches!(refused, RotationError::Format(_)), "{refused:?}");
}

/// A wrong credential is told by its kind, through all layers.
#[test]
fn a_wrong_passphrase_of_an_identity_has_its_kind() {
    let dir = tempfile::tempdir().unwrap();
    let config = Config::parse("[identity.age]\nwork_factor = 10\n").unwrap().identity.age;
    let backend = AgeKeyStore::with_config(dir.path().join("icn"), &config);
    let _made = backend.create_identity(DidMethod::Icn, &Passphrase::new("right")).unwrap();
    let store = IdentityStore::new(backend.home()).with_age_config(config);
    let wrong = Credentials::passphrase(Passphrase::new("wrong"));
    let refused = store.open(&backend, Pinned::Nobody, &wrong).unwrap_err();
    assert!(matches!(refused, Error::Open(OpenError::WrongPassphrase)), "{refused:?}");
    assert_eq!(refused.kind(), icn_identity::ErrorKind::WrongCredential);
    assert!(!refused.is_transient());
}
