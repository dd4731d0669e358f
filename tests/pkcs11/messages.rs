//! What is said where a token is not as it was, or cannot be told apart.

use icn_identity::backend::pkcs11::Pkcs11Backend;
use icn_identity::backend::{Backend as _, NewKey};
use icn_identity::config::Pkcs11Config;
use icn_identity::error::Pkcs11Error;
use icn_identity::{ErrorKind, Pin};
use support::softhsm::{PIN, alone, count};

use crate::ed25519::generate;
use crate::{TOKEN, assert_shows, faulty, faulty_config, find, pin, shown};

/// tpm2-pkcs11 gives every token the serial number 0000000000000000, and an OpenPGP
/// card has two tokens of one number.
#[test]
fn tokens_of_one_serial_number_are_told_apart_by_label() {
    alone(|hsm| {
        hsm.token("alpha");
        hsm.token("beta");
        hsm.script("serial 0000000000000000");
        let config = Pkcs11Config::new(hsm.fault_module()).with_serial("0000000000000000");
        let error = Pkcs11Backend::open(&config).unwrap().create(&NewKey::default(), &pin());
        assert_shows(
            error.unwrap_err(),
            &["alpha (serial 0000000000000000)", "name one by `token` under [identity.pkcs11]"],
        );
        let one = Pkcs11Backend::open(&config.with_token("beta")).unwrap();
        assert_eq!(generate(&one).1.token, "beta");
    });
}

#[test]
fn tokens_that_only_their_slots_tell_apart_are_told_by_slot() {
    alone(|hsm| {
        hsm.token(TOKEN);
        hsm.token(TOKEN);
        hsm.script("serial 0000000000000000");
        let error = faulty(hsm).create(&NewKey::default(), &pin()).unwrap_err();
        assert_shows(error, &["name one by `slot` under [identity.pkcs11]"]);
    });
}

/// OpenSC labels a PIV card by the name in its certificate.
#[test]
fn a_token_that_was_renamed_is_named_and_so_is_the_way_on() {
    alone(|hsm| {
        hsm.token(TOKEN);
        hsm.script("serial FW0001");
        let backend = faulty(hsm);
        let (key, locator) = generate(&backend);
        let did = key.did().clone();
        drop(key);
        hsm.script("serial FW0001\nlabel Jane_Doe");
        std::thread::sleep(std::time::Duration::from_millis(1100));
        let error = find(&backend, &locator, &did).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::DeviceAbsent);
        assert_shows(error, &["no token matches", "Jane Doe (serial FW0001)", "relocate"]);
        // And what looks for the key by its DID finds it.
        let config = Pkcs11Config::new(hsm.fault_module());
        let found = Pkcs11Backend::search(&config, &did, &"pkcs11:".parse().unwrap()).unwrap();
        assert_eq!(found.token, "Jane Doe");
        // A number that every token has says nothing.
        hsm.script("serial 0000000000000000\nlabel Jane_Doe");
        let config = faulty_config(hsm).with_serial("0000000000000000");
        assert_shows(Pkcs11Backend::open(&config).unwrap_err(), &["plug the token in"]);
    });
}

/// While the PIN is typed, another token may come into the slot.
#[test]
fn a_pin_is_not_sent_to_another_token_in_the_slot() {
    alone(|hsm| {
        hsm.token(TOKEN);
        let backend = faulty(hsm);
        let (key, locator) = generate(&backend);
        let sealed = key.seal();
        hsm.script("label other");
        let (refused, calls) = hsm.calls(|| sealed.unseal(&Pin::new(PIN)).unwrap_err());
        assert_eq!(count(&calls, "C_Login"), 0, "{calls:?}");
        assert_shows(refused, &["no token matches", "other (serial "]);
        drop(locator);
    });
}

#[test]
fn a_device_whose_connector_is_down_is_not_to_be_plugged_in() {
    alone(|hsm| {
        hsm.token(TOKEN);
        hsm.script("token removed\nslot YubiHSM_Connector_http://127.0.0.1:12345");
        let error = Pkcs11Backend::open(&faulty_config(hsm)).unwrap_err();
        assert!(matches!(error, Pkcs11Error::OutOfReach { .. }), "{error:?}");
        let text = shown(error);
        assert!(text.contains("out of reach: YubiHSM Connector http://127.0.0.1:12345"), "{text}");
        assert!(text.contains("start the connector or server"), "{text}");
        assert!(!text.contains("plug"), "{text}");
        // A NetHSM that cannot be reached has a slot all the same.
        hsm.script("on C_GetTokenInfo all return CKR_FUNCTION_FAILED\nslot NetHSM");
        let error = Pkcs11Backend::open(&faulty_config(hsm)).unwrap_err();
        assert_shows(error, &["out of reach: NetHSM (CKR_FUNCTION_FAILED)"]);
        // A reader is on no network.
        hsm.script("token removed\nslot Yubico_YubiKey_CCID_00_00");
        let error = Pkcs11Backend::open(&faulty_config(hsm)).unwrap_err();
        assert_shows(error, &["present: none", "plug the token in"]);
    });
}

/// SoftHSM cannot say what a token is while another process writes a flag of it.
#[test]
fn a_token_that_cannot_be_read_for_a_moment_is_read_again() {
    alone(|hsm| {
        hsm.token(TOKEN);
        hsm.script("on C_GetTokenInfo 1..3 return CKR_GENERAL_ERROR");
        let (opened, calls) = hsm.calls(|| Pkcs11Backend::open(&faulty_config(hsm)));
        opened.unwrap();
        assert!(count(&calls, "C_GetTokenInfo") > 3, "{calls:?}");
        hsm.script("on C_GetTokenInfo all return CKR_GENERAL_ERROR");
        let error = Pkcs11Backend::open(&faulty_config(hsm)).unwrap_err();
        assert_shows(error, &["out of reach: ", "(CKR_GENERAL_ERROR)"]);
    });
}

#[test]
fn the_mechanism_that_lacks_is_named_as_the_list_names_it() {
    alone(|hsm| {
        hsm.token(TOKEN);
        for (missing, shown) in [
            ("CKM_EDDSA", ["has no Ed25519 (CKM_EDDSA); it has", "CKM_EC_EDWARDS_KEY_PAIR_GEN"]),
            (
                "CKM_EC_EDWARDS_KEY_PAIR_GEN",
                ["has no Ed25519 (CKM_EC_EDWARDS_KEY_PAIR_GEN); it has", "CKM_EC_KEY_PAIR_GEN"],
            ),
        ] {
            hsm.script(&format!("no-mechanism {missing}"));
            let error = faulty(hsm).create(&NewKey::default(), &pin()).unwrap_err();
            let text = crate::shown(error);
            assert!(shown.iter().all(|part| text.contains(part)), "{text}");
            assert!(!text.contains("CKM_ECC_"), "{text}");
        }
    });
}

#[test]
fn a_pin_that_is_none_of_a_yubihsm_is_not_sent() {
    alone(|hsm| {
        hsm.token(TOKEN);
        hsm.script("");
        let (key, _) = generate(&faulty(hsm));
        hsm.script("library Yubico_(www.yubico.com)\nmodel YubiHSM");
        let pin = Pin::new("password-without-an-id");
        let (refused, calls) = hsm.calls(|| key.seal().unseal(&pin).unwrap_err());
        assert_eq!(count(&calls, "C_Login"), 0, "{calls:?}");
        assert_shows(refused, &["four hex digits", "0001password"]);
    });
}
