//! Identities that older versions of this crate have written.

use std::time::{Duration, SystemTime};

use super::*;
use crate::backend::{AgeKeyStore, Credentials, NewKey};
use crate::bundle::{Binding, DEFAULT_VALIDITY, IdentityBundle};
use crate::peer::Certificate;
use crate::secret::Passphrase;

/// As it was written before certificates carried their binding.
fn write_older(store: &IdentityStore, backend: &AgeKeyStore, credentials: &Credentials) -> Binding {
    let created = backend.create(&NewKey::default(), credentials).unwrap();
    let bundle = IdentityBundle::issue(created.key).unwrap();
    let older = bundle.companions().of_an_older_version();
    let bundle = IdentityBundle::from_companions(bundle.into_signer(), older).unwrap();
    let written = store.write_new(backend, bundle, &created.locator, credentials).unwrap();
    written.binding().clone()
}

#[test]
fn an_identity_from_before_certificates_carried_bindings_opens_and_is_renewed() {
    let dir = tempfile::tempdir().unwrap();
    let config = crate::config::Config::parse("[identity.age]\nwork_factor = 10\n").unwrap();
    let home = dir.path().join("icn");
    let store = IdentityStore::new(&home).with_age_config(config.identity.age.clone());
    let backend = AgeKeyStore::with_config(home, &config.identity.age);
    let credentials = Credentials::passphrase(Passphrase::new("correct horse"));
    let carried =
        |header: &Header| Certificate::read(header.certificate()).unwrap().extension().is_some();

    let older = write_older(&store, &backend, &credentials);
    assert!(!carried(&store.header().unwrap()));
    let now = SystemTime::now();
    assert!(!older.wants_renewal(now));

    // What an identity hands over with is as it was.
    let files = || [store.header_path(), store.payload_path()].map(|path| std::fs::read(path).ok());
    let before = files();
    let opened = store.open_without_renewal(&backend, Some(older.did()), &credentials).unwrap();
    assert_eq!(opened.bundle.binding(), &older);
    assert_eq!(files(), before);

    // Long before it ends: only because peers would refuse it.
    let opened = store.open_at(&backend, Some(older.did()), &credentials, now).unwrap();
    assert!(opened.renewal_failed.is_none());
    assert!(opened.bundle.binding().sequence() > older.sequence());
    assert_eq!(opened.bundle.did(), older.did());
    assert_eq!(opened.bundle.x25519_public_key(), older.x25519_public_key());
    assert!(!opened.bundle.wants_renewal(now));
    assert!(opened.bundle.wants_renewal(now + DEFAULT_VALIDITY));
    assert!(carried(&store.header().unwrap()));

    // Once.
    let again = store.open_at(&backend, None, &credentials, now + Duration::from_secs(1)).unwrap();
    assert_eq!(again.bundle.binding(), opened.bundle.binding());
}
