//! Keys on tokens, in each dialect that modules speak, and in a TPM.

use icn_identity::backend::pkcs11::Pkcs11Backend;
use icn_identity::backend::tpm::TpmBackend;
use icn_identity::backend::{
    Backend as _, Credentials, KeyAtRest, Locator, NewKey, Pkcs11Locator, SeedImport as _,
};
use icn_identity::config::{PcrIndices, Pkcs11Config, TpmConfig};
use icn_identity::{AlgorithmId, Did, DidKey, DidMethod, Key, Pin, Software, Unlocked};
use support::softhsm::{PIN, SoftHsm, alone, module};
use support::swtpm::Swtpm;

use super::{Fixture, round_trip};
use crate::signers::dialects::{DIALECTS, Speaks};
use crate::signers::{BOTH, import};

const TOKEN: &str = "node-1";
const ED25519: AlgorithmId = AlgorithmId::Ed25519;

fn pin() -> Credentials {
    Credentials::pin(Pin::new(PIN))
}

fn token(module: &str) -> Pkcs11Backend {
    let config = Pkcs11Config::new(module).with_token(TOKEN).with_make_keys_in_slots(true);
    Pkcs11Backend::open(&config).unwrap()
}

fn new_key(algorithm: AlgorithmId, label: &str) -> NewKey {
    NewKey::new(DidMethod::Key).with_algorithm(algorithm).with_label(Some(label.to_owned()))
}

fn opened(backend: &Pkcs11Backend, locator: Pkcs11Locator) -> DidKey {
    let key = backend.public_key(&locator).unwrap();
    let did = Did::from_key(DidMethod::Key, &key).unwrap();
    match backend.find(&Locator::Pkcs11(locator), &did).unwrap() {
        KeyAtRest::Device(key) => key.unseal(&Pin::new(PIN)).unwrap(),
        other => panic!("{other:?}"),
    }
}

/// By the module itself: keys that were made there, and some that came from outside.
#[test]
fn what_softhsm_signs_verifies_everywhere_and_nothing_else_does() {
    alone(|hsm| {
        hsm.token(TOKEN);
        for (algorithm, id) in BOTH.into_iter().zip(["0a", "0b"]) {
            import(hsm, TOKEN, algorithm, &format!("imported {algorithm}"), id);
        }
        let backend = token(module());
        let backend = &backend;
        let mut fixtures = Vec::new();
        for algorithm in BOTH {
            fixtures.push(Fixture::of_key("SoftHSM2", algorithm, move || {
                backend
                    .create(&new_key(algorithm, &format!("made {algorithm}")), &pin())
                    .unwrap()
                    .key
            }));
            fixtures.push(Fixture::of_key("SoftHSM2, imported", algorithm, move || {
                let locator = backend.find_by_label(&format!("imported {algorithm}")).unwrap();
                let key = opened(backend, locator);
                assert!(format!("{key:?}").starts_with("DeviceHeld"), "{key:?}");
                key
            }));
        }
        fixtures.push(Fixture::of_key("SoftHSM2, of our own file", ED25519, move || {
            let key = Key::<Software, Unlocked>::generate().unwrap();
            backend.import(&key, Some("moved"), &pin()).unwrap().key.into()
        }));
        round_trip(&fixtures, 5 * 3 * 9);
    });
}

/// Its key, made by us or there already.
fn key_of(dialect: &Speaks, hsm: &SoftHsm, algorithm: AlgorithmId) -> DidKey {
    let (module, label) = (hsm.fault_module(), format!("{} {algorithm}", dialect.name));
    let make = || token(&module).create(&new_key(algorithm, &label), &pin()).unwrap().key;
    if dialect.makes {
        hsm.script(dialect.script);
        return make();
    }
    hsm.script("");
    drop(make());
    hsm.script(dialect.script);
    let backend = token(&module);
    opened(&backend, backend.find_by_label(&label).unwrap())
}

#[test]
fn what_a_token_signs_in_any_dialect_verifies_everywhere_and_nothing_else_does() {
    alone(|hsm| {
        hsm.token(TOKEN);
        let fixtures: Vec<_> = DIALECTS
            .iter()
            .flat_map(|dialect| {
                dialect.algorithms.iter().map(move |algorithm| (dialect, *algorithm))
            })
            .map(|(dialect, algorithm)| {
                Fixture::of_key(dialect.name, algorithm, move || key_of(dialect, hsm, algorithm))
            })
            .collect();
        round_trip(&fixtures, 20 * 3 * 9);
    });
}

#[test]
fn what_a_tpm_signs_verifies_everywhere_and_nothing_else_does() {
    let (tpm, home) = (Swtpm::start(), tempfile::tempdir().unwrap());
    let mut config = TpmConfig::new(tpm.tcti());
    config.pcr_indices = PcrIndices::new([16]).unwrap();
    config.pin_work_factor = 10;
    let backend = TpmBackend::open(home.path(), &config).unwrap();
    let backend = &backend;
    let mut fixtures: Vec<_> = BOTH
        .into_iter()
        .map(|algorithm| {
            Fixture::of_key("TPM", algorithm, move || {
                backend.create(&new_key(algorithm, "key"), &pin()).unwrap().key
            })
        })
        .collect();
    fixtures.push(Fixture::of_key("TPM, of our own file", ED25519, move || {
        let key = Key::<Software, Unlocked>::generate().unwrap();
        backend.import(&key, None, &pin()).unwrap().key.into()
    }));
    round_trip(&fixtures, 3 * 3 * 9);
}
