//! Each module speaks PKCS#11 in its own way.

use icn_identity::backend::{Backend as _, NewKey};
use icn_identity::error::DeviceError;
use icn_identity::{DidKey, DidSigner as _, DidSignerExt as _, Error, ProvenanceKind};

use crate::softhsm::{SoftHsm, alone, count};
use crate::{TOKEN, assert_shows, faulty, generate, pin};

fn create(hsm: &SoftHsm) -> Result<DidKey, Error> {
    faulty(hsm).create(&NewKey::default(), &pin()).map(|created| created.key)
}

/// Makes a key under each of these dialects, on a token of its own.
fn makes_hardware_keys(hsm: &SoftHsm, dialects: &[&str]) {
    hsm.token(TOKEN);
    for (number, dialect) in dialects.iter().enumerate() {
        hsm.script(dialect);
        let label = NewKey::default().with_label(Some(format!("key {number}")));
        let made = faulty(hsm).create(&label, &pin()).unwrap();
        assert_eq!(made.key.provenance(), ProvenanceKind::Hardware, "{dialect}");
        let signature = made.key.sign(b"hello").unwrap();
        made.key.verifying_key().verify(b"hello", &signature).unwrap();
    }
}

#[test]
fn each_encoding_of_a_point_is_read() {
    alone(|hsm| makes_hardware_keys(hsm, &["point raw", "point octet", "point bit"]));
}

#[test]
fn each_form_of_the_curve_is_tried_in_order() {
    alone(|hsm| {
        makes_hardware_keys(hsm, &["curve oid", "curve printable", "curve luna"]);
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
fn attributes_that_a_token_does_not_take_are_left_out() {
    alone(|hsm| {
        let refuse = |name| format!("refuse {name} CKR_ATTRIBUTE_TYPE_INVALID");
        let names = ["CKA_MODIFIABLE", "CKA_COPYABLE", "CKA_SIGN_RECOVER", "CKA_VERIFY_RECOVER"];
        let dialects: Vec<String> = names.into_iter().map(refuse).collect();
        makes_hardware_keys(hsm, &dialects.iter().map(String::as_str).collect::<Vec<_>>());
        let inconsistent = "refuse CKA_DERIVE CKR_TEMPLATE_INCONSISTENT";
        hsm.script(inconsistent);
        let label = NewKey::default().with_label(Some("another".into()));
        faulty(hsm).create(&label, &pin()).unwrap();
    });
}

#[test]
fn evidence_that_a_module_leaves_out_is_unknown_and_not_hardware() {
    alone(|hsm| {
        hsm.token(TOKEN);
        hsm.script("hide CKA_LOCAL\nhide CKA_ALWAYS_SENSITIVE\nhide CKA_NEVER_EXTRACTABLE");
        let key = create(hsm).unwrap();
        assert_eq!(key.provenance(), ProvenanceKind::DeviceHeld);
        let facts = key.evidence().unwrap().facts();
        let facts: Vec<_> = facts.map(|(name, fact)| format!("{name} {fact}")).collect();
        assert_eq!(
            facts,
            [
                "local unknown",
                "sensitive true",
                "always_sensitive unknown",
                "extractable false",
                "never_extractable unknown"
            ]
        );
        assert!(matches!(key, DidKey::DeviceHeld(_)));
    });
}

/// A token of which the template asked for confinement, and which does not
/// keep to it, is judged by what it says afterwards.
#[test]
fn a_key_that_came_out_extractable_is_refused_and_removed() {
    alone(|hsm| {
        hsm.token(TOKEN);
        hsm.script("say CKA_EXTRACTABLE true");
        assert_shows(create(hsm).unwrap_err(), &["can be extracted", "generate a new key"]);
        assert_eq!(hsm.objects(TOKEN), "");
    });
}

#[test]
fn a_failed_generation_leaves_nothing_on_the_token() {
    alone(|hsm| {
        hsm.token(TOKEN);
        for (fault, shown) in [
            ("on C_GenerateKeyPair all after CKR_DEVICE_ERROR", "CKR_DEVICE_ERROR"),
            ("on C_GenerateKeyPair all after CKR_ATTRIBUTE_VALUE_INVALID", "CKR_ATTRIBUTE_VALUE"),
            ("on C_SignInit all return CKR_FUNCTION_FAILED", "C_SignInit failed"),
            ("on C_Sign all flip", "does not belong to the public key"),
            ("hide CKA_EC_POINT", "shows no CKA_EC_POINT"),
            ("duplicate", "has 2 keys"),
            ("on C_GetAttributeValue 3 return CKR_DEVICE_ERROR", "CKR_DEVICE_ERROR"),
        ] {
            hsm.script(fault);
            assert_shows(create(hsm).unwrap_err(), &[shown]);
            assert_eq!(hsm.objects(TOKEN), "", "after {fault}");
        }
        hsm.script("");
        create(hsm).unwrap();
    });
}

#[test]
fn a_module_that_refuses_to_tell_a_signatures_length_is_not_asked() {
    alone(|hsm| {
        hsm.token(TOKEN);
        hsm.script("no-null-sign");
        let (key, calls) = hsm.calls(|| generate(&faulty(hsm)).0);
        assert_eq!(count(&calls, "C_Sign"), 1, "the challenge: {calls:?}");
        key.sign(b"hello").unwrap();
    });
}

#[test]
fn a_token_without_ed25519_is_told_with_what_it_has() {
    alone(|hsm| {
        hsm.token(TOKEN);
        for missing in ["CKM_EDDSA", "CKM_EC_EDWARDS_KEY_PAIR_GEN"] {
            hsm.script(&format!("no-mechanism {missing}"));
            let (error, calls) = hsm.calls(|| create(hsm).unwrap_err());
            assert_eq!(count(&calls, "C_Login"), 0, "{calls:?}");
            assert!(matches!(error, Error::Device(DeviceError::NoEd25519 { .. })), "{error:?}");
            assert_shows(error, &["CKM_EC_KEY_PAIR_GEN", "CKM_ECDSA", "use a token with"]);
        }
    });
}

#[test]
fn a_token_that_calls_itself_hardware_is_claimed_to_be() {
    alone(|hsm| {
        hsm.token(TOKEN);
        hsm.script("hardware\nserial FW0001");
        let key = create(hsm).unwrap();
        let evidence = key.evidence().unwrap();
        assert_eq!(evidence.assurance().as_str(), "claimed");
        assert_eq!(evidence.device().unwrap().serial, "FW0001");
        assert!(key.is_hardware_backed());
        // When it stops saying so, the open key does not stay what it was.
        hsm.script("serial FW0001\non C_SignInit 1 kill-all");
        assert_shows(
            key.sign(b"x").unwrap_err(),
            &["the assurance was claimed, and is soft-token"],
        );
    });
}
