//! What becomes of each format.

use std::path::Path;
use std::time::{Duration, SystemTime};

use icn_identity::config::{AgeConfig, Config};
use icn_identity::keystore::{Credentials, IdentityStore, LegacyIdentity, LegacyOptions, Pinned};
use icn_identity::{Passphrase, VerifyingKey};
use serde_json::value::RawValue;

use super::fixture::{self, ALICE, DID, FORMATS, IDENTITY, Members, PASSPHRASE, members};

pub(crate) fn config() -> AgeConfig {
    Config::parse("[identity.age]\nwork_factor = 10\n").unwrap().identity.age
}

pub(crate) fn options() -> LegacyOptions {
    LegacyOptions::new(&config())
}

pub(crate) fn passphrase() -> Passphrase {
    Passphrase::new(PASSPHRASE)
}

fn store(dir: &Path) -> IdentityStore {
    IdentityStore::new(dir.join("icn")).with_age_config(config())
}

/// What is carried along, as text: of the payload, whatever else is in it.
fn carried(store: &IdentityStore) -> (String, String) {
    #[derive(serde::Deserialize)]
    struct Payload<'a> {
        version: u64,
        #[serde(borrow)]
        legacy: Legacy<'a>,
    }
    #[derive(serde::Deserialize)]
    struct Legacy<'a> {
        format: String,
        #[serde(borrow)]
        fields: &'a RawValue,
    }
    let file = std::fs::read(store.home().join("identity.age")).unwrap();
    let json = fixture::unseal(&file, PASSPHRASE);
    let payload: Payload<'_> = serde_json::from_str(&json).unwrap();
    assert_eq!(payload.version, 5);
    (payload.legacy.format, payload.legacy.fields.get().to_owned())
}

/// What should be carried along of these members.
fn left_of(members: Members) -> String {
    let interpreted = [
        "version",
        "secret_bytes",
        "public_bytes",
        "did",
        "tls_key_der",
        "x25519_secret",
        "x25519_public",
    ];
    members.without(&interpreted).text()
}

/// The files were made by `fixture.rs`. `WRITE_FIXTURES=1 cargo test
/// --all-features --test cli the_fixtures` makes them anew.
#[test]
fn the_fixtures_are_what_their_generator_makes() {
    for format in FORMATS {
        let path = fixture::path(format);
        if std::env::var_os("WRITE_FIXTURES").is_some() {
            std::fs::write(&path, members(format).sealed()).unwrap();
        }
        let file = std::fs::read(&path).unwrap();
        assert_eq!(fixture::unseal(&file, PASSPHRASE), members(format).text(), "{format}");
    }
}

#[test]
fn every_older_format_becomes_version_5_with_the_same_did_and_nothing_lost() {
    for format in FORMATS {
        let dir = tempfile::tempdir().unwrap();
        let store = store(dir.path());
        let old = LegacyIdentity::read(&fixture::path(format), &passphrase(), &options()).unwrap();
        assert_eq!(old.format().as_str(), format);
        assert_eq!(old.did().as_str(), DID);
        assert_eq!(old.has_x25519(), !matches!(format, "v1" | "v2"), "{format}");
        let made = store.import(old, Pinned::Nobody, &passphrase()).unwrap();
        assert_eq!(made.signer().expose_secret().to_vec(), fixture::bytes(IDENTITY[0]));
        let kept = made.x25519_public_key().as_bytes().to_vec() == fixture::bytes(ALICE[1]);
        assert_eq!(kept, !matches!(format, "v1" | "v2"), "{format}");

        let credentials = Credentials::passphrase(passphrase());
        let backend = icn_identity::backend::AgeKeyStore::with_config(store.home(), &config());
        let opened = store.open(&backend, Pinned::To(made.did()), &credentials).unwrap();
        assert_eq!(opened.bundle.did().as_str(), DID);
        opened.bundle.verify_binding(SystemTime::now()).unwrap();
        assert_eq!(opened.bundle.x25519_public_key(), made.x25519_public_key());
        assert_eq!(carried(&store), (format.to_owned(), left_of(members(format))));
    }
}

#[test]
fn what_was_carried_over_survives_a_renewal() {
    let dir = tempfile::tempdir().unwrap();
    let store = store(dir.path());
    let old = LegacyIdentity::read(&fixture::path("v4"), &passphrase(), &options()).unwrap();
    let made = store.import(old, Pinned::Nobody, &passphrase()).unwrap();
    let credentials = Credentials::passphrase(passphrase());
    let backend = icn_identity::backend::AgeKeyStore::with_config(store.home(), &config());
    let later = SystemTime::now() + Duration::from_secs(5 * 24 * 3600);
    let opened = store.open_at(&backend, Pinned::Nobody, &credentials, later).unwrap();
    assert!(opened.renewal_failed.is_none());
    assert!(opened.bundle.binding().sequence() > made.binding().sequence());
    assert_ne!(opened.bundle.certificate_der(), made.certificate_der());
    assert_eq!(opened.bundle.x25519_public_key().as_bytes().to_vec(), fixture::bytes(ALICE[1]));
    assert_eq!(carried(&store), ("v4".into(), left_of(members("v4"))));
}

/// Names that version 5 has itself, numbers that no `f64` holds, white space,
/// escapes and doubled names deep inside: all of it stays as it was.
#[test]
fn unknown_members_are_carried_as_the_text_they_were() {
    let odd = members("v2.1")
        .with("seed", "\"not ours\"")
        .with("tls", "{ \"private_key\" : null }")
        .with("binding", "[]")
        .with("header_sha256", "7")
        .with("legacy", "{\"format\":\"mine\"}")
        .with("big", "123456789012345678901234567890.123456789e-7")
        .with("twice", "{\"a\":1,\"a\":2}")
        .with("näme \\\"x\\\"", "\"\\u00e9\\n\"");
    let dir = tempfile::tempdir().unwrap();
    let store = store(dir.path());
    let old = LegacyIdentity::decrypt(&odd.sealed(), &passphrase(), &options()).unwrap();
    assert!(old.carried().contains(&"näme \"x\"".to_owned()), "{:?}", old.carried());
    let made = store.import(old, Pinned::Nobody, &passphrase()).unwrap();
    assert_eq!(carried(&store), ("v2.1".into(), left_of(odd)));
    assert_eq!(made.did().as_str(), DID);
    let credentials = Credentials::passphrase(passphrase());
    let backend = icn_identity::backend::AgeKeyStore::with_config(store.home(), &config());
    let opened = store.open(&backend, Pinned::Nobody, &credentials).unwrap();
    assert_eq!(opened.bundle.x25519_public_key().as_bytes().to_vec(), fixture::bytes(ALICE[1]));
}

/// The payload has each secret once, where version 5 keeps it.
#[test]
fn secrets_that_version_5_keeps_itself_are_not_carried_a_second_time() {
    let dir = tempfile::tempdir().unwrap();
    let store = store(dir.path());
    let old = LegacyIdentity::read(&fixture::path("v3"), &passphrase(), &options()).unwrap();
    let _made = store.import(old, Pinned::Nobody, &passphrase()).unwrap();
    let (_, text) = carried(&store);
    for secret in [IDENTITY[0], ALICE[0], "302e020100300506032b657004220420"] {
        let array = fixture::array(&fixture::bytes(secret));
        assert!(!text.contains(array.trim_matches(['[', ']'])), "{text}");
    }
}

#[test]
fn a_did_key_in_the_file_stays_a_did_key() {
    let key: [u8; 32] = fixture::bytes(IDENTITY[1]).try_into().unwrap();
    let key = icn_identity::algorithm::Ed25519VerifyingKey::from_bytes(&key).unwrap();
    let did = icn_identity::Did::from_key(icn_identity::DidMethod::Key, &VerifyingKey::from(key))
        .unwrap();
    let file = members("v1").with("did", format!("\"{did}\"")).sealed();
    let dir = tempfile::tempdir().unwrap();
    let old = LegacyIdentity::decrypt(&file, &passphrase(), &options()).unwrap();
    let made = store(dir.path()).import(old, Pinned::To(&did), &passphrase()).unwrap();
    assert_eq!(*made.did(), did);
}

#[test]
fn null_is_as_good_as_absent() {
    let mut old = members("v1");
    for name in ["tls_cert_der", "tls_key_der", "tls_binding_sig", "x25519_secret", "version"] {
        old = old.with(name, "null");
    }
    let old = LegacyIdentity::decrypt(&old.sealed(), &passphrase(), &options()).unwrap();
    assert_eq!(old.format().as_str(), "v1");
}

#[test]
fn an_old_file_shows_nothing_in_debug() {
    let old = LegacyIdentity::read(&fixture::path("v4"), &passphrase(), &options()).unwrap();
    let shown = format!("{old:?}");
    assert_eq!(shown, format!("LegacyIdentity {{ format: V4, did: {:?}, .. }}", old.did()));
}
