//! Identities that older versions of this crate have written.

use std::time::{Duration, SystemTime};

use super::*;
use crate::backend::{AgeKeyStore, Backend, Credentials, NewKey};
use crate::bundle::{Binding, DEFAULT_VALIDITY, IdentityBundle};
use crate::peer::Certificate;
use crate::secret::Passphrase;
use crate::signer::sign_statement;

/// As it was written before bindings named instances; and, unless `carried`, before
/// certificates carried them.
fn write_older(
    store: &IdentityStore,
    backend: &dyn Backend,
    credentials: &Credentials,
    carried: bool,
) -> Binding {
    let created = backend.create(&NewKey::default(), credentials).unwrap();
    let bundle = IdentityBundle::issue(created.key).unwrap();
    let sign = |statement: &[u8]| sign_statement(bundle.signer(), statement);
    let older = bundle.companions().of_an_older_version(carried, sign);
    let bundle = IdentityBundle::from_companions(bundle.into_signer(), older).unwrap();
    let written = store.write_new(backend, bundle, &created.locator, credentials).unwrap();
    written.binding()
}

fn carries(header: &Header) -> Option<bool> {
    let certificate = Certificate::read(header.certificate()).unwrap();
    certificate.extension().map(|extension| extension.holder.is_some())
}

/// Opens it in all ways there are; one of them renews it, once.
fn opens_and_is_renewed(
    store: &IdentityStore,
    backend: &dyn Backend,
    credentials: &Credentials,
    carried: bool,
) {
    let older = write_older(store, backend, credentials, carried);
    let header = store.header().unwrap();
    assert_eq!(carries(&header), carried.then_some(false));
    assert_eq!((older.instance(), header.binding()), (None, None));
    let now = SystemTime::now();
    assert!(older.wants_renewal(now));

    // What an identity hands over with is as it was; so is all else, by an unset clock.
    let files = || [store.header_path(), store.payload_path()].map(|path| std::fs::read(path).ok());
    let before = files();
    let opened = store.open_without_renewal(backend, Pinned::To(older.did()), credentials).unwrap();
    assert_eq!(opened.bundle.binding(), older);
    let unset = SystemTime::UNIX_EPOCH + Duration::from_secs(3600);
    let opened = store.open_at(backend, Pinned::To(older.did()), credentials, unset).unwrap();
    assert_eq!(opened.bundle.binding(), older);
    assert_eq!(files(), before);

    // Long before it ends: only because peers would refuse it.
    let opened = store.open_at(backend, Pinned::To(older.did()), credentials, now).unwrap();
    assert!(opened.renewal_failed.is_none());
    let binding = opened.bundle.binding();
    assert!(binding.sequence() > older.sequence());
    assert!(binding.instance().is_some());
    assert_eq!(binding.epoch(), 0);
    assert_eq!(opened.bundle.did(), older.did());
    assert_eq!(opened.bundle.x25519_public_key(), older.x25519_public_key());
    assert!(!opened.bundle.wants_renewal(now));
    assert!(opened.bundle.wants_renewal(now + DEFAULT_VALIDITY));
    let header = store.header().unwrap();
    assert_eq!(carries(&header), Some(true));
    assert_eq!(header.binding(), Some(binding.clone()));

    // Once.
    let again =
        store.open_at(backend, Pinned::Nobody, credentials, now + Duration::from_secs(1)).unwrap();
    assert_eq!(again.bundle.binding(), binding);
}

fn software(carried: bool) {
    let dir = tempfile::tempdir().unwrap();
    let config = crate::config::Config::parse("[identity.age]\nwork_factor = 10\n").unwrap();
    let home = dir.path().join("icn");
    let store = IdentityStore::new(&home).with_age_config(config.identity.age.clone());
    let backend = AgeKeyStore::with_config(home, &config.identity.age);
    let credentials = Credentials::passphrase(Passphrase::new("correct horse"));
    opens_and_is_renewed(&store, &backend, &credentials, carried);
}

#[test]
fn an_identity_from_before_certificates_carried_bindings_opens_and_is_renewed() {
    software(false);
}

#[test]
fn an_identity_from_before_bindings_named_instances_opens_and_is_renewed() {
    software(true);
}

#[cfg(feature = "pkcs11")]
#[test]
fn so_does_one_whose_key_is_in_a_token() {
    use support::softhsm::{PIN, alone, module};

    use crate::backend::pkcs11::Pkcs11Backend;
    use crate::config::Pkcs11Config;
    use crate::secret::Pin;

    alone(|hsm| {
        for token in ["one", "two"] {
            hsm.token(token);
        }
        let dir = tempfile::tempdir().unwrap();
        let credentials = Credentials::pin(Pin::new(PIN));
        for (token, carried) in [("one", true), ("two", false)] {
            let config = Pkcs11Config::new(module()).with_token(token);
            let backend = Pkcs11Backend::open(&config).unwrap();
            let store = IdentityStore::new(dir.path().join(token));
            opens_and_is_renewed(&store, &backend, &credentials, carried);
        }
    });
}
