//! Each module speaks PKCS#11 in its own way.

use icn_identity::backend::pkcs11::Pkcs11Backend;
use icn_identity::backend::{Backend as _, Locator, NewKey};
use icn_identity::error::OpenError;
use icn_identity::evidence::{Fact, Unmet, Word};
use icn_identity::{
    DeviceHeld, DidKey, DidSigner as _, DidSignerExt as _, Error, Hardware, HardwareBacked,
    HardwareKey, IdentityBundle, Key, Pin, ProvenanceKind, Sealed, Unlocked,
};
use support::softhsm::{PIN, SoftHsm, alone, count};

use crate::{TOKEN, assert_shows, faulty, faulty_config, find, pin};

/// Makes a key under each of these dialects, on a token of its own.
pub(crate) fn makes_hardware_keys(hsm: &SoftHsm, new_key: fn() -> NewKey, dialects: &[&str]) {
    hsm.token(TOKEN);
    for (number, dialect) in dialects.iter().enumerate() {
        hsm.script(dialect);
        let label = new_key().with_label(Some(format!("key {number}")));
        let made = faulty(hsm).create(&label, &pin()).unwrap();
        assert_eq!(made.key.provenance(), ProvenanceKind::Hardware, "{dialect}");
        let signature = made.key.sign(b"hello").unwrap();
        made.key.verifying_key().verify(b"hello", &signature).unwrap();
    }
}

for_both_algorithms! {

fn create(hsm: &SoftHsm) -> Result<DidKey, Error> {
    faulty(hsm).create(&new_key(), &pin()).map(|created| created.key)
}

#[test]
fn each_encoding_of_a_point_is_read() {
    alone(|hsm| makes_hardware_keys(hsm, new_key, &["point raw", "point octet", "point bit"]));
}

#[test]
fn attributes_that_a_token_does_not_take_are_left_out() {
    alone(|hsm| {
        let refuse = |name| format!("refuse {name} CKR_ATTRIBUTE_TYPE_INVALID");
        let names = ["CKA_MODIFIABLE", "CKA_COPYABLE", "CKA_SIGN_RECOVER", "CKA_VERIFY_RECOVER"];
        let dialects: Vec<String> = names.into_iter().map(refuse).collect();
        makes_hardware_keys(hsm, new_key, &dialects.iter().map(String::as_str).collect::<Vec<_>>());
        let inconsistent = "refuse CKA_DERIVE CKR_TEMPLATE_INCONSISTENT";
        hsm.script(inconsistent);
        let label = new_key().with_label(Some("another".into()));
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
        let facts: Vec<_> = facts.map(|shown| format!("{} {}", shown.name, shown.fact)).collect();
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
        Key::<DeviceHeld, Unlocked, Alg>::try_from(key).unwrap();
    });
}

/// OpenSC answers LOCAL, ALWAYS_SENSITIVE and NEVER_EXTRACTABLE by constants, for a
/// key that was imported as for one that was born in the card.
fn is_held_and_not_hardware(hsm: &SoftHsm, dialect: &str) {
    hsm.token(TOKEN);
    hsm.script(&format!("hardware\n{dialect}"));
    // On a card with slots a key is made only if the operator allows it.
    let config = faulty_config(hsm).with_make_keys_in_slots(true);
    let made = Pkcs11Backend::open(&config).unwrap().create(&new_key(), &pin()).unwrap();
    let Locator::Pkcs11(locator) = made.locator else { panic!("{:?}", made.locator) };
    assert_eq!(made.key.provenance(), ProvenanceKind::DeviceHeld);
    let facts = made.key.evidence().unwrap().facts();
    let unknown: Vec<_> =
        facts.filter(|shown| shown.fact == Fact::Unknown).map(|shown| {
            assert_eq!(shown.word, Word::Nobody);
            shown.name
        }).collect();
    assert_eq!(unknown, ["local", "always_sensitive", "never_extractable"]);
    let refused = Key::<Hardware, Unlocked, Alg>::try_from(made.key).unwrap_err();
    assert_eq!(refused.found(), ProvenanceKind::DeviceHeld);
    // And opened again, by a type that demands more.
    let key = refused.into_key();
    let sealed = find(&faulty(hsm), &locator, key.did()).unwrap();
    let sealed = Key::<Hardware, Sealed, Alg>::try_from(sealed).unwrap();
    let refused = sealed.unseal(&Pin::new(PIN)).unwrap_err();
    assert!(matches!(refused.reason(), OpenError::WrongProvenance { .. }));
}

#[test]
fn a_key_behind_opensc_is_held_and_not_hardware() {
    alone(|hsm| is_held_and_not_hardware(hsm, "library OpenSC_Project"));
}

/// A proxy tells its own name and passes the token's on.
#[test]
fn a_key_behind_a_proxy_in_front_of_opensc_is_held_and_not_hardware() {
    alone(|hsm| is_held_and_not_hardware(hsm, "library PKCS#11_Kit\nmodel PKCS#15_emulated"));
}

#[test]
fn a_key_in_a_soft_token_is_not_hardware_backed_and_is_given_back() {
    alone(|hsm| {
        hsm.token(TOKEN);
        let bundle = IdentityBundle::issue(create(hsm).unwrap()).unwrap().into_hardware().unwrap();
        let did = bundle.did().clone();
        let refused = HardwareBacked::check(bundle).unwrap_err();
        assert!(matches!(refused.reason(), Unmet::Assurance { .. }), "{:?}", refused.reason());
        assert_eq!(refused.into_key().did(), &did);
    });
}

#[test]
fn a_virtual_tpm_behind_tpm2_pkcs11_is_a_soft_token() {
    alone(|hsm| {
        hsm.token(TOKEN);
        let library = "library tpm2-software.github.io";
        for (device, backed) in [
            ("manufacturer IBM\nmodel SW___TPM", false),
            ("manufacturer GOOG\nmodel vTPM", false),
            ("manufacturer IFX\nmodel SLB9670", true),
            ("manufacturer IFX\nmodel SLB9670\nslot Virtual_PCD_00_00", false),
        ] {
            hsm.script(&format!("hardware\n{library}\n{device}"));
            let label = new_key().with_label(Some(device.into()));
            let key = faulty(hsm).create(&label, &pin()).unwrap().key;
            assert_eq!(key.is_hardware_backed(), backed, "{device}");
            // Its store is the host's, and with it what it says of a key's past.
            assert_eq!(key.provenance(), ProvenanceKind::DeviceHeld, "{device}");
        }
    });
}

/// As in AWS CloudHSM. The key is found by its id, within a login.
#[test]
fn a_token_that_shows_nothing_without_a_login_makes_keys_and_opens_them() {
    alone(|hsm| {
        hsm.token(TOKEN);
        hsm.script("private-only");
        let backend = faulty(hsm);
        let (key, locator) = generate(&backend);
        let did = key.did().clone();
        drop(key);
        let error = backend.find_by_label(&locator.label).unwrap_err();
        assert_shows(error, &["has no key labelled \"icn-identity\""]);
        let key = find(&backend, &locator, &did).unwrap().unseal(&Pin::new(PIN)).unwrap();
        key.verifying_key().verify(b"hello", &key.sign(b"hello").unwrap()).unwrap();
        hsm.script("private-only\non C_SignInit 1 kill-all");
        key.sign(b"hello").unwrap();
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
fn a_token_that_calls_itself_hardware_is_claimed_to_be() {
    alone(|hsm| {
        hsm.token(TOKEN);
        hsm.script("hardware\nserial FW0001");
        let key = create(hsm).unwrap();
        let evidence = key.evidence().unwrap();
        assert_eq!(evidence.assurance().as_str(), "claimed");
        assert_eq!(evidence.device().unwrap().serial, "FW0001");
        assert!(key.is_hardware_backed());
        let key: DidKey =
            HardwareBacked::check(HardwareKey::try_from(key).unwrap()).unwrap().into_inner().into();
        // When it stops saying so, the open key does not stay what it was.
        hsm.script("serial FW0001\non C_SignInit 1 kill-all");
        assert_shows(
            key.sign(b"x").unwrap_err(),
            &["the assurance was claimed, and is soft-token"],
        );
    });
}

}

/// It takes CKA_DECRYPT=false for CKA_VERIFY=false, and leaves the pair that it then
/// refuses in the TPM, which is full after two.
#[test]
fn tpm2_pkcs11_is_not_asked_for_a_pair_that_it_refuses() {
    alone(|hsm| {
        hsm.token(TOKEN);
        hsm.script("library tpm2-software.github.io\nrefuse CKA_DECRYPT CKR_GENERAL_ERROR");
        let (made, calls) = hsm.calls(|| faulty(hsm).create(&crate::p256::new_key(), &pin()));
        made.unwrap().key.sign(b"hello").unwrap();
        assert_eq!(count(&calls, "C_GenerateKeyPair"), 1, "{calls:?}");
    });
}
