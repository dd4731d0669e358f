//! NSS: particular about lengths, wants parameters, and announces too little.

use std::path::{Path, PathBuf};

use icn_identity::backend::pkcs11::Pkcs11Backend;
use icn_identity::backend::{Backend as _, Locator, WrappedKey};
use icn_identity::config::Pkcs11Config;
use icn_identity::error::Pkcs11Error;
use icn_identity::evidence::{Fact, Word};
use icn_identity::{DidSigner as _, DidSignerExt as _, Pin, ProvenanceKind};
use support::softhsm::{PIN, alone, count};

use crate::{TOKEN, assert_shows, faulty, faulty_config, find, pin};

for_both_algorithms! {

#[test]
fn numbers_are_asked_for_with_exactly_their_length() {
    alone(|hsm| {
        hsm.token(TOKEN);
        hsm.script("strict-lengths");
        let backend = faulty(hsm);
        let (key, locator) = generate(&backend);
        assert_eq!(key.provenance(), ProvenanceKind::Hardware);
        let did = key.did().clone();
        drop(key);
        let key = find(&backend, &locator, &did).unwrap().unseal(&Pin::new(PIN)).unwrap();
        key.verifying_key().verify(b"hello", &key.sign(b"hello").unwrap()).unwrap();
    });
}

#[test]
fn a_token_whose_clock_shows_no_date_is_read() {
    alone(|hsm| {
        hsm.token(TOKEN);
        for (number, clock) in ["none", "2026133100000000", "................"].iter().enumerate() {
            hsm.script(&format!("clock {clock}"));
            let label = new_key().with_label(Some(format!("key {number}")));
            let made = faulty(hsm).create(&label, &pin()).unwrap();
            made.key.verifying_key().verify(b"x", &made.key.sign(b"x").unwrap()).unwrap();
        }
    });
}

}

#[test]
fn aes_gcm_gets_the_room_that_it_needs_and_not_what_is_announced() {
    alone(|hsm| {
        hsm.token(TOKEN);
        hsm.script("short-gcm");
        let backend = faulty(hsm);
        let (key, _) = crate::ed25519::generate(&backend);
        let vault = backend.vault().unwrap();
        let secret = "storage".to_owned().into();
        let (wrapped, calls) =
            hsm.calls(|| vault.wrap(key.did(), &secret, &pin()).unwrap().unwrap());
        assert!(matches!(wrapped, WrappedKey::AesGcm(_)), "{wrapped:?}");
        assert_eq!(count(&calls, "C_Encrypt"), 1, "{calls:?}");
        let (opened, calls) = hsm.calls(|| vault.unwrap(key.did(), &wrapped, &pin()).unwrap());
        assert_eq!(opened.expose_secret(), "storage");
        assert_eq!(count(&calls, "C_Decrypt"), 1, "{calls:?}");
    });
}

#[test]
fn a_module_that_wants_parameters_gets_those_that_are_configured() {
    alone(|hsm| {
        hsm.token(TOKEN);
        hsm.script("init-args configdir='sql:/etc/node'");
        let refused = Pkcs11Backend::open(&faulty_config(hsm)).unwrap_err();
        assert!(matches!(refused, Pkcs11Error::Module { .. }), "{refused:?}");
        assert_shows(refused, &["it does not start", "CKR_ARGUMENTS_BAD", "`init_args`"]);
        let other = faulty_config(hsm).with_init_args("configdir='sql:/etc/other'");
        Pkcs11Backend::open(&other).unwrap_err();
        let nul = faulty_config(hsm).with_init_args("configdir\0");
        assert_shows(Pkcs11Backend::open(&nul).unwrap_err(), &["has a NUL in it"]);

        let config = faulty_config(hsm).with_init_args("configdir='sql:/etc/node'");
        let backend = Pkcs11Backend::open(&config).unwrap();
        let (key, _) = crate::ed25519::generate(&backend);
        // And again, after other code of this process has finalised it.
        hsm.script("init-args configdir='sql:/etc/node'\non C_SignInit 1 finalize");
        key.sign(b"hello").unwrap();
        // It is initialised once in a process.
        let refused = Pkcs11Backend::open(&other).unwrap_err();
        assert_shows(refused, &["this process uses it with other `init_args`"]);
        Pkcs11Backend::open(&config).unwrap();
    });
}

/// Debian's, of 3.87: P-256 alone, no word on a key's origin, a clock without a date.
fn softoken() -> PathBuf {
    let places = [
        "/usr/lib/x86_64-linux-gnu/libsoftokn3.so",
        "/usr/lib/aarch64-linux-gnu/libsoftokn3.so",
        "/usr/lib64/libsoftokn3.so",
    ];
    let found = places.iter().map(Path::new).find(|place| place.exists());
    found.expect("libsoftokn3.so is missing: install NSS (Debian: libnss3)").into()
}

#[test]
fn nss_itself_keeps_a_key_and_its_storage_key() {
    alone(|hsm| {
        let (database, password) = (hsm.path("nssdb"), hsm.path("password"));
        std::fs::create_dir(&database).unwrap();
        std::fs::write(&password, format!("{PIN}\n")).unwrap();
        let database = format!("sql:{}", database.display());
        let ran = hsm.run("certutil", &["-N", "-d", &database, "-f", password.to_str().unwrap()]);
        assert_eq!(ran.code, 0, "{} {}", ran.out, ran.err);
        let parameters =
            format!("configdir='{database}' certPrefix='' keyPrefix='' secmod='' flags=");
        let config = Pkcs11Config::new(softoken())
            .with_token("NSS Certificate DB")
            .with_init_args(parameters);
        let backend = Pkcs11Backend::open(&config).unwrap();

        let made = backend.create(&crate::p256::new_key(), &pin()).unwrap();
        let Locator::Pkcs11(locator) = made.locator else { panic!("{:?}", made.locator) };
        assert_eq!(made.key.provenance(), ProvenanceKind::DeviceHeld);
        assert!(!made.key.is_hardware_backed());
        // It says of each key that it was not made there: nothing is said of this one by that.
        let local = made.key.evidence().unwrap().facts().find(|fact| fact.name == "local").unwrap();
        assert_eq!((local.fact, local.word), (Fact::Unknown, Word::Nobody));
        let did = made.key.did().clone();
        made.key.verifying_key().verify(b"hello", &made.key.sign(b"hello").unwrap()).unwrap();
        let vault = backend.vault().unwrap();
        let secret = "storage".to_owned().into();
        let wrapped = vault.wrap(&did, &secret, &pin()).unwrap().unwrap();
        assert!(matches!(wrapped, WrappedKey::AesGcm(_)), "{wrapped:?}");
        assert_eq!(vault.unwrap(&did, &wrapped, &pin()).unwrap().expose_secret(), "storage");
        drop(made.key);

        let sealed = find(&backend, &locator, &did).unwrap();
        let refused = sealed.unseal(&Pin::new(crate::pins::WRONG)).unwrap_err();
        let (sealed, reason) = refused.into_parts();
        assert_shows(reason, &["refused the PIN; it was tried once"]);
        let key = sealed.unseal(&Pin::new(PIN)).unwrap();
        key.verifying_key().verify(b"again", &key.sign(b"again").unwrap()).unwrap();
    });
}
