//! P-256 keys among other keys of the same type.

use icn_identity::backend::Backend as _;
use icn_identity::backend::pkcs11::{Pkcs11Backend, doctor};
use support::softhsm::{SoftHsm, alone};

use super::{generate, import};
use crate::{TOKEN, assert_shows, backend, config, did_at, faulty, faulty_config, find};

/// Keys that are none of ours: P-384, secp256k1 and RSA.
fn strangers(hsm: &SoftHsm, label: &str, id: &str) {
    let curve = |name: &str| format!("ec_paramgen_curve:{name}");
    for (number, name) in ["P-384", "secp256k1"].into_iter().enumerate() {
        let id = format!("{id}{number}");
        hsm.import_made_by(&["EC", "-pkeyopt", &curve(name)], TOKEN, label, &id);
    }
    hsm.import_made_by(&["RSA"], TOKEN, label, &format!("{id}2"));
}

#[test]
fn keys_of_other_curves_hide_none_of_ours() {
    alone(|hsm| {
        hsm.token(TOKEN);
        strangers(hsm, "node", "b");
        import(hsm, "node", "aa01");
        let backend = backend();
        let locator = backend.find_by_label("node").unwrap();
        assert_eq!(locator.id, [0xaa, 0x01]);
        let uri = "pkcs11:object=node".parse().unwrap();
        assert_eq!(backend.locate(&uri).unwrap(), locator);
        let did = did_at(&backend, &locator);
        assert!(did.as_str().starts_with("did:key:zDn"), "{did}");
        let everywhere = "pkcs11:".parse().unwrap();
        assert_eq!(Pkcs11Backend::search(&config(), &did, &everywhere).unwrap(), locator);
        let report = doctor::examine(&config()).unwrap();
        let [key] = &report.tokens[0].keys[..] else { panic!("{:?}", report.tokens[0].keys) };
        assert_eq!((key.did.as_ref(), key.problem.as_ref()), (Some(&did), None));
        find(&backend, &locator, &did).unwrap();
        // By their ids they are told for what they are.
        let mut other = locator.clone();
        for id in ["b0", "b1", "b2"] {
            other.id = vec![u8::from_str_radix(id, 16).unwrap()];
            let error = find(&backend, &other, &did).unwrap_err();
            let what = if id == "b2" { "is an RSA key" } else { "cannot be read" };
            assert_shows(error, &["on token node-1", what]);
        }
    });
}

#[test]
fn a_storage_pair_is_no_key_of_an_identity() {
    alone(|hsm| {
        hsm.token(TOKEN);
        hsm.script("no-mechanism CKM_AES_GCM");
        let backend = faulty(hsm);
        let (key, locator) = generate(&backend);
        let secret = "storage".to_owned().into();
        backend.vault().unwrap().wrap(key.did(), &secret, &crate::pin()).unwrap().unwrap();
        let listed = hsm.objects(TOKEN);
        assert_eq!(listed.matches("Public Key Object; EC").count(), 2, "{listed}");
        let error = backend.find_by_label("icn-identity storage").unwrap_err();
        assert_shows(error, &["is a key on another curve, or not for signatures"]);
        let report = doctor::examine(&faulty_config(hsm)).unwrap();
        let keys: Vec<_> = report.tokens[0].keys.iter().map(|key| &key.label).collect();
        assert_eq!(keys, [&locator.label]);
        assert_eq!(backend.locate(&"pkcs11:token=node-1".parse().unwrap()).unwrap(), locator);
    });
}

#[test]
fn two_keys_with_one_id_are_ambiguous_whatever_their_types() {
    alone(|hsm| {
        hsm.token(TOKEN);
        let backend = backend();
        let said = ["token node-1 has 2 keys with id ", "remove or relabel"];
        for (number, other) in ["EC:edwards25519", "rsa:2048"].into_iter().enumerate() {
            let (label, id) = (format!("node {number}"), format!("aa0{number}"));
            import(hsm, &label, &id);
            let locator = backend.find_by_label(&label).unwrap();
            let did = did_at(&backend, &locator);
            let make = ["--keypairgen", "--key-type", other, "--label", "stray", "--id", &id];
            hsm.pkcs11_tool_on(TOKEN, &make);
            assert_shows(find(&backend, &locator, &did).unwrap_err(), &said);
        }
    });
}

/// A token that does not know the type of Ed25519 keys has no such key.
#[test]
fn an_unknown_type_of_key_ends_no_search() {
    alone(|hsm| {
        hsm.token(TOKEN);
        let backend = faulty(hsm);
        let (_, locator) = generate(&backend);
        hsm.script("on C_FindObjectsInit 1 return CKR_ATTRIBUTE_VALUE_INVALID");
        assert_eq!(backend.find_by_label("icn-identity").unwrap(), locator);
        hsm.script("on C_FindObjectsInit 1 return CKR_DEVICE_ERROR");
        let error = backend.find_by_label("icn-identity").unwrap_err();
        assert_shows(error, &["C_FindObjects failed", "CKR_DEVICE_ERROR"]);
    });
}

/// One name for the curve, three for the attributes.
#[test]
fn a_token_that_makes_no_such_curve_is_told_and_left_as_it_was() {
    alone(|hsm| {
        hsm.token(TOKEN);
        hsm.script("on C_GenerateKeyPair all return CKR_CURVE_NOT_SUPPORTED");
        let error = faulty(hsm).create(&super::new_key(), &crate::pin()).unwrap_err();
        assert_shows(error, &["C_GenerateKeyPair failed", "CKR_CURVE_NOT_SUPPORTED"]);
        assert_eq!(hsm.objects(TOKEN), "");
    });
}
