use std::time::SystemTime;

use super::*;
use crate::backend::{Backend, BackendConfig, Locator, NewKey};
use crate::bundle::{DEFAULT_VALIDITY, IdentityBundle};
use crate::config::AgeConfig;
use crate::did::DidMethod;
use crate::key::{DidKey, Key, Software, Unlocked};
use crate::keystore::{Credentials, Pinned};
use crate::secret::Passphrase;

fn store(home: &std::path::Path) -> IdentityStore {
    let config = AgeConfig { work_factor: 10, ..AgeConfig::default() };
    IdentityStore::new(home).with_age_config(config)
}

fn backend(store: &IdentityStore) -> Box<dyn Backend> {
    BackendConfig::Age { home: store.home().into(), config: store.age.clone() }.open().unwrap()
}

fn credentials() -> Credentials {
    Credentials::passphrase(Passphrase::new(String::from("correct horse")))
}

#[test]
fn the_document_is_in_header_and_payload_and_stays_when_companions_are_renewed() {
    let dir = tempfile::tempdir().unwrap();
    let store = store(&dir.path().join("home"));
    let backend = backend(&store);
    let made =
        store.create(backend.as_ref(), &NewKey::new(DidMethod::Icn), &credentials()).unwrap();
    let document = made.did_document().unwrap();
    assert_eq!(store.header().unwrap().did_document().unwrap().unwrap(), document);
    let later = SystemTime::now() + DEFAULT_VALIDITY;
    let opened = store.open_at(backend.as_ref(), Pinned::Nobody, &credentials(), later).unwrap();
    assert!(opened.renewal_failed.is_none());
    assert!(opened.bundle.binding().sequence() > made.binding().sequence());
    assert_eq!(opened.bundle.did_document(), Some(document.clone()));
    assert_eq!(store.header().unwrap().did_document().unwrap().unwrap(), document);
}

/// As before there were documents, in a header without the field.
#[test]
fn an_identity_without_one_opens_and_gets_one() {
    let dir = tempfile::tempdir().unwrap();
    let store = store(&dir.path().join("home"));
    crate::file::private_dir(store.home()).unwrap();
    let backend = backend(&store);
    let key = Key::<Software, Unlocked>::generate().unwrap();
    let new = IdentityBundle::issue(DidKey::from(key)).unwrap();
    let old = Companions { document: None, ..new.companions().copy() };
    let bundle = IdentityBundle::from_companions(new.into_signer(), old).unwrap();
    let locator = Locator::AgeFile(store.payload_path());
    let bundle = store.write_new(backend.as_ref(), bundle, &locator, &credentials()).unwrap();
    assert!(bundle.did_document().is_none());
    let text = std::fs::read_to_string(store.header_path()).unwrap();
    assert!(!text.contains("did_document"), "{text}");
    let header = store.header().unwrap();
    assert!(header.did_document().unwrap().is_none());

    let opened = store.open(backend.as_ref(), Pinned::Nobody, &credentials()).unwrap();
    let document = opened.bundle.did_document().unwrap();
    assert_eq!(document.x25519_public_key(), bundle.x25519_public_key());
    let header = store.header().unwrap();
    assert_eq!(header.did_document().unwrap(), Some(document.clone()));
    // Once, and not at every opening.
    let again = store.open(backend.as_ref(), Pinned::Nobody, &credentials()).unwrap();
    assert_eq!(again.bundle.did_document(), Some(document.clone()));
    assert_eq!(store.header().unwrap().generation(), header.generation());
}

/// Both were written by us, so this cannot be; it is looked at all the same.
#[test]
fn header_and_payload_must_have_the_same_one() {
    let dir = tempfile::tempdir().unwrap();
    let store = store(&dir.path().join("home"));
    let backend = backend(&store);
    let made =
        store.create(backend.as_ref(), &NewKey::new(DidMethod::Icn), &credentials()).unwrap();
    let header = store.header().unwrap();
    let mut payload = payload_of(&made.companions());
    store.companions(&header, &mut payload).unwrap();
    let without = Companions { document: None, ..made.companions().copy() };
    let mut payload = payload_of(&without);
    let refused = store.companions(&header, &mut payload).err().unwrap();
    assert!(matches!(refused, Error::Keystore(KeystoreError::HeaderMismatch { .. })));
}

fn payload_of(companions: &Companions) -> Payload {
    let mut payload = Payload::empty(companions.binding().did().clone());
    payload.renew(None, companions, crate::keystore::header::hash("any"));
    payload
}
