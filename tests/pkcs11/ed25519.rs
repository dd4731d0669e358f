//! What differs for Ed25519 keys, and what only they have: several names of the
//! curve, and tokens without it.

use cryptoki::mechanism::Mechanism;
use icn_identity::backend::pkcs11::Pkcs11Backend;
use icn_identity::backend::{Backend as _, Created, Locator, NewKey, Pkcs11Locator};
use icn_identity::error::{DeviceError, Pkcs11Error};
use icn_identity::{Ed25519, Error, Hardware, Key, Unlocked};
use support::softhsm::{SoftHsm, alone, count};

use crate::dialects::makes_hardware_keys;
use crate::{TOKEN, assert_shows, faulty, pin};

pub(crate) type Alg = Ed25519;

pub(crate) const OID: [u8; 5] = [0x06, 0x03, 0x2b, 0x65, 0x70];
pub(crate) const GENERATION: Mechanism<'static> = Mechanism::EccEdwardsKeyPairGen;
/// For `pkcs11-tool`.
pub(crate) const KEY_TYPE: &str = "EC:edwards25519";

pub(crate) fn new_key() -> NewKey {
    NewKey::default()
}

pub(crate) fn import(hsm: &SoftHsm, label: &str, id: &str) {
    hsm.import(TOKEN, label, id);
}

pub(crate) fn generate(backend: &Pkcs11Backend) -> (Key<Hardware, Unlocked>, Pkcs11Locator) {
    let Created { key, locator, .. } = backend.create(&NewKey::default(), &pin()).unwrap();
    let Locator::Pkcs11(locator) = locator else { panic!("{locator:?}") };
    (key.try_into().unwrap(), locator)
}

#[test]
fn each_form_of_the_curve_is_tried_in_order() {
    alone(|hsm| {
        makes_hardware_keys(hsm, new_key, &["curve oid", "curve printable", "curve luna"]);
        hsm.script("curve luna");
        let label = NewKey::default().with_label(Some("counted".into()));
        let (_, calls) = hsm.calls(|| faulty(hsm).create(&label, &pin()).unwrap());
        let tried: Vec<_> = calls.iter().filter(|call| call.contains("GenerateKeyPair")).collect();
        let [first, second, third] = tried.as_slice() else { panic!("{tried:?}") };
        assert_eq!(first, second);
        assert_eq!(*third, "C_GenerateKeyPair 0x0");
    });
}

#[test]
fn a_token_without_ed25519_is_told_with_what_it_has() {
    alone(|hsm| {
        hsm.token(TOKEN);
        for missing in ["CKM_EDDSA", "CKM_EC_EDWARDS_KEY_PAIR_GEN"] {
            hsm.script(&format!("no-mechanism {missing}"));
            let (error, calls) =
                hsm.calls(|| faulty(hsm).create(&NewKey::default(), &pin()).unwrap_err());
            assert_eq!(count(&calls, "C_Login"), 0, "{calls:?}");
            assert!(
                matches!(
                    error,
                    Error::Device(DeviceError::Pkcs11(Pkcs11Error::NoMechanism {
                        algorithm: icn_identity::AlgorithmId::Ed25519,
                        ..
                    }))
                ),
                "{error:?}"
            );
            assert_shows(
                error,
                &["CKM_EC_KEY_PAIR_GEN", "CKM_ECDSA", "for a new identity use P-256", "CKM_EDDSA"],
            );
        }
    });
}

#[test]
fn p256_is_offered_only_where_the_token_has_it() {
    alone(|hsm| {
        hsm.token(TOKEN);
        for missing in ["CKM_ECDSA", "CKM_EC_KEY_PAIR_GEN"] {
            hsm.script(&format!("no-mechanism CKM_EDDSA\nno-mechanism {missing}"));
            let error = faulty(hsm).create(&NewKey::default(), &pin()).unwrap_err();
            let text = crate::shown(error);
            assert!(
                !text.contains("p256") && text.contains("use a token with CKM_EDDSA"),
                "{text}"
            );
        }
    });
}
