//! The PIN of a PKCS#11 token.

use std::env;

use icn_identity::backend::pkcs11::Pkcs11Backend;
use icn_identity::backend::{
    Backend as _, Credentials, ImportedKey, KeyAtRest, NewKey, SeedImport as _,
};
use icn_identity::config::Pkcs11Config;
use icn_identity::{DidMethod, DidSigner as _, Key, Pin, SealedKey};

use crate::secrets::Secrets;
use crate::stop;

fn backend() -> Pkcs11Backend {
    let module = env::var("PROBE_MODULE").expect("a module");
    Pkcs11Backend::open(&Pkcs11Config::new(module).with_token("node-1")).expect("it opens")
}

/// A key is made, sealed, found again and opened twice.
pub(crate) fn token(secrets: &Secrets) {
    let backend = backend();
    let credential = Credentials::pin(Pin::new(secrets.text("pin")));
    stop("given");
    let created = backend.create(&NewKey::new(DidMethod::default()), &credential).expect("made");
    stop("created");
    created.key.sign(b"message").expect("it signs");
    stop("signed");
    let did = created.key.did().clone();
    drop(credential);
    stop("kept");
    created.key.sign(b"message").expect("it signs");
    let locator = created.locator;
    drop(created.key);
    stop("closed");

    let find = || -> SealedKey {
        match backend.find(&locator, &did).expect("it is found") {
            KeyAtRest::Device(key) => key,
            other => panic!("{other:?}"),
        }
    };
    let key = find().unseal(&Pin::new(secrets.text("pin"))).expect("it opens");
    let second = find().unseal(&Pin::new(secrets.text("pin"))).expect("it opens");
    stop("opened twice");
    drop(key);
    second.sign(b"message").expect("it signs");
    stop("one is open");
    drop(second);
    stop("dropped");
}

/// A key of a seed is written into the token, and is nowhere else once it is dropped.
pub(crate) fn import(secrets: &Secrets) {
    let backend = backend();
    let credential = Credentials::pin(Pin::new(secrets.text("pin")));
    let key = secrets.with_bytes("seed", Key::from_seed);
    stop("in memory");
    let imported = backend.import(&key, None, &credential).expect("it is written");
    stop("imported");
    drop((key, credential));
    stop("source dropped");
    let ImportedKey::DeviceHeld(held) = imported.key else { panic!("it is held by the token") };
    held.sign(b"message").expect("it signs");
    stop("signed");
    drop(held);
    stop("closed");
}

/// A wrong PIN is remembered, but not kept.
pub(crate) fn refused(secrets: &Secrets) {
    let backend = backend();
    let wrong = Credentials::pin(Pin::new(secrets.text("wrong")));
    backend.create(&NewKey::new(DidMethod::default()), &wrong).expect_err("it is wrong");
    stop("given");
    drop(wrong);
    stop("dropped");
    // Not sent again: that much is remembered.
    let again = Credentials::pin(Pin::new(secrets.text("wrong")));
    let error = backend.create(&NewKey::new(DidMethod::default()), &again).expect_err("known");
    assert!(error.to_string().contains("PIN"), "{error}");
    drop(again);
    stop("dropped again");
}
