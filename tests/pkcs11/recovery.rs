//! What is lost under an open key comes back once, and never as another key.

use icn_identity::error::{DeviceError, Pkcs11Error, SignError};
use icn_identity::{Error, Hardware, Key, Pin, Unlocked};
use support::softhsm::{PIN, SoftHsm, alone, count};

use crate::{TOKEN, assert_shows, faulty, faulty_config};

fn device_error(error: SignError) -> Pkcs11Error {
    match error {
        SignError::Device(DeviceError::Pkcs11(error)) => error,
        other => panic!("{other:?}"),
    }
}

/// Codes after which something is opened or found again.
const LOSSES: [&str; 14] = [
    "CKR_OBJECT_HANDLE_INVALID",
    "CKR_KEY_HANDLE_INVALID",
    "CKR_SESSION_HANDLE_INVALID",
    "CKR_SESSION_CLOSED",
    "CKR_DEVICE_ERROR",
    "CKR_DEVICE_MEMORY",
    "CKR_DEVICE_REMOVED",
    "CKR_TOKEN_NOT_PRESENT",
    "CKR_USER_NOT_LOGGED_IN",
    "CKR_GENERAL_ERROR",
    "CKR_FUNCTION_FAILED",
    "CKR_OPERATION_ACTIVE",
    "CKR_CRYPTOKI_NOT_INITIALIZED",
    "0x80000042",
];

for_both_algorithms! {

/// A key on a token that does as it is told from now on.
fn open_key(hsm: &SoftHsm) -> Key<Hardware, Unlocked, Alg> {
    hsm.token(TOKEN);
    generate(&faulty(hsm)).0
}

fn signs(key: &Key<Hardware, Unlocked, Alg>, message: &[u8]) {
    let signature = key.sign(message).unwrap();
    key.verifying_key().verify(message, &signature).unwrap();
}

#[test]
fn each_loss_is_recovered_from_once_and_unseen() {
    alone(|hsm| {
        let key = open_key(hsm);
        for code in LOSSES {
            for function in ["C_SignInit", "C_Sign"] {
                hsm.script(&format!("on {function} 1 return {code}"));
                let ((), calls) = hsm.calls(|| signs(&key, code.as_bytes()));
                assert_eq!(count(&calls, "C_SignInit"), 2, "{code}: {calls:?}");
                // The login was there all the time.
                assert_eq!(count(&calls, "C_Login"), 0, "{code}: {calls:?}");
                assert!(count(&calls, "C_FindObjectsInit") > 0, "{code}: {calls:?}");
            }
        }
    });
}

#[test]
fn what_stays_lost_is_a_typed_error_after_the_second_try() {
    alone(|hsm| {
        let key = open_key(hsm);
        for code in LOSSES {
            hsm.script(&format!("on C_SignInit all return {code}"));
            let (refused, calls) = hsm.calls(|| key.sign(b"hello").unwrap_err());
            assert_eq!(count(&calls, "C_SignInit"), 2, "{code}: {calls:?}");
            assert_eq!(count(&calls, "C_Sign"), 0, "{code}: {calls:?}");
            let shown = if code.starts_with("0x") { "vendor's code 0x80000042" } else { code };
            assert_shows(refused, &["the device could not sign", "C_SignInit failed", shown]);
        }
        hsm.script("");
        signs(&key, b"and still works");
    });
}

#[test]
fn what_is_no_loss_is_not_tried_again() {
    alone(|hsm| {
        let key = open_key(hsm);
        for code in ["CKR_DATA_LEN_RANGE", "CKR_KEY_FUNCTION_NOT_PERMITTED", "CKR_HOST_MEMORY"] {
            hsm.script(&format!("on C_Sign all return {code}"));
            let (refused, calls) = hsm.calls(|| key.sign(b"hello").unwrap_err());
            assert_eq!(count(&calls, "C_Sign"), 1, "{calls:?}");
            assert_eq!(count(&calls, "C_CloseSession"), 1, "an operation is pending: {calls:?}");
            assert_shows(refused, &["C_Sign failed", code]);
        }
        hsm.script("");
        signs(&key, b"and still works");
    });
}

#[test]
fn a_dead_session_is_replaced_without_a_login() {
    alone(|hsm| {
        let key = open_key(hsm);
        hsm.script("on C_SignInit 1 kill-session");
        let ((), calls) = hsm.calls(|| signs(&key, b"hello"));
        assert_eq!(count(&calls, "C_Login"), 0, "{calls:?}");
        // Its number may be another session's by now.
        assert_eq!(count(&calls, "C_CloseSession"), 0, "{calls:?}");
    });
}

#[test]
fn a_lost_login_is_made_again_by_one_c_login() {
    alone(|hsm| {
        let key = open_key(hsm);
        for effect in ["kill-all", "logout"] {
            hsm.script(&format!("on C_SignInit 1 {effect}"));
            let ((), calls) = hsm.calls(|| signs(&key, b"hello"));
            assert_eq!(count(&calls, "C_Login"), 1, "{effect}: {calls:?}");
        }
        // A module that is told to stop by other code of the process.
        hsm.script("on C_SignInit 1 finalize");
        let ((), calls) = hsm.calls(|| signs(&key, b"hello"));
        assert_eq!(count(&calls, "C_Initialize"), 1, "{calls:?}");
        assert_eq!(count(&calls, "C_Login"), 1, "{calls:?}");
    });
}

/// The module says that the login lasts, and calls fail all the same.
#[test]
fn a_login_that_only_seems_to_last_is_made_again() {
    alone(|hsm| {
        let key = open_key(hsm);
        hsm.script(
            "on C_SignInit 1 return CKR_USER_NOT_LOGGED_IN\n\
             on C_FindObjectsInit 1 return CKR_USER_NOT_LOGGED_IN",
        );
        let ((), calls) = hsm.calls(|| signs(&key, b"hello"));
        assert_eq!(count(&calls, "C_Login"), 1, "{calls:?}");
    });
}

#[test]
fn a_token_that_comes_back_works_again_without_a_restart() {
    alone(|hsm| {
        let key = open_key(hsm);
        hsm.script("on C_Sign 1 remove-token");
        let error = key.sign(b"hello").unwrap_err();
        assert_shows(error, &["no token matches", "plug the token in"]);
        hsm.script("token removed");
        let (refused, calls) = hsm.calls(|| [(); 3].map(|()| key.sign(b"hello").unwrap_err()));
        for error in refused {
            assert!(matches!(device_error(error), Pkcs11Error::NoToken { .. }));
        }
        assert_eq!(count(&calls, "C_Login"), 0, "{calls:?}");
        hsm.script("");
        let ((), calls) = hsm.calls(|| signs(&key, b"it is back"));
        assert_eq!(count(&calls, "C_Login"), 1, "{calls:?}");
        // Another key of the token shares the login.
        let (_, calls) = hsm.calls(|| signs(&key, b"and stays"));
        assert_eq!(calls, ["C_SignInit 0x0", "C_Sign 0x0"]);
    });
}

#[test]
fn a_pin_that_was_changed_meanwhile_is_sent_once_and_not_again() {
    alone(|hsm| {
        let key = open_key(hsm);
        hsm.script("token removed");
        key.sign(b"hello").unwrap_err();
        hsm.script("on C_Login 1 return CKR_PIN_INCORRECT");
        let (error, calls) = hsm.calls(|| key.sign(b"hello").unwrap_err());
        assert_eq!(count(&calls, "C_Login"), 1, "{calls:?}");
        assert!(matches!(device_error(error), Pkcs11Error::WrongPin { .. }));
        let (error, calls) = hsm.calls(|| key.sign(b"hello").unwrap_err());
        assert_eq!(count(&calls, "C_Login"), 0, "{calls:?}");
        let error = device_error(error);
        assert!(matches!(error, Pkcs11Error::PinKnownWrong { .. }), "{error:?}");
        assert!(Error::from(SignError::from(error)).is_wrong_credential());
        // Nor when it is given again: this process knows that it was refused.
        let (refused, calls) = hsm.calls(|| key.seal().unseal(&Pin::new(PIN)).unwrap_err());
        assert_eq!(count(&calls, "C_Login"), 0, "{calls:?}");
        assert_shows(refused, &["was refused by token node-1 before"]);
    });
}

/// Some modules answer a wrong PIN by a general error: whether it was counted
/// is not known, so nothing is sent again but by whoever has the PIN.
#[test]
fn a_login_that_fails_for_no_clear_reason_is_not_tried_again_by_itself() {
    alone(|hsm| {
        let key = open_key(hsm);
        for code in ["CKR_GENERAL_ERROR", "CKR_FUNCTION_FAILED", "CKR_DEVICE_ERROR", "0x80000042"] {
            hsm.script(&format!("on C_SignInit 1 kill-all\non C_Login 1 return {code}"));
            let (errors, calls) = hsm.calls(|| [(); 3].map(|()| key.sign(b"hello").unwrap_err()));
            assert_eq!(count(&calls, "C_Login"), 1, "{code}: {calls:?}");
            let [first, second, third] = errors.map(device_error);
            assert!(matches!(first, Pkcs11Error::Call { call: "C_Login", .. }), "{first:?}");
            // The PIN was sent, and may have been counted.
            assert!(!first.kind().is_transient(), "{first:?}");
            for error in [second, third] {
                assert!(matches!(error, Pkcs11Error::NotOpen { .. }), "{error:?}");
            }
            hsm.script("");
            let backend = faulty(hsm);
            let locator = backend.find_by_label("icn-identity").unwrap();
            let sealed = crate::find(&backend, &locator, key.did()).unwrap();
            sealed.unseal(&Pin::new(PIN)).unwrap();
            signs(&key, b"open again for both");
        }
        // A device that is away is another matter.
        for code in ["CKR_DEVICE_REMOVED", "CKR_TOKEN_NOT_PRESENT", "CKR_SESSION_HANDLE_INVALID"] {
            hsm.script(&format!("on C_SignInit 1 kill-all\non C_Login 1 return {code}"));
            key.sign(b"hello").unwrap_err();
            signs(&key, b"and it is back");
        }
    });
}

#[test]
fn the_last_try_is_not_spent_by_a_recovery() {
    alone(|hsm| {
        let key = open_key(hsm);
        hsm.script("on C_SignInit 1 kill-all\nflag final-try");
        let (error, calls) = hsm.calls(|| key.sign(b"hello").unwrap_err());
        assert_eq!(count(&calls, "C_Login"), 0, "{calls:?}");
        assert!(matches!(device_error(error), Pkcs11Error::FinalTry { .. }));
        hsm.script("flag pin-locked");
        let (error, calls) = hsm.calls(|| key.sign(b"hello").unwrap_err());
        assert_eq!(count(&calls, "C_Login"), 0, "{calls:?}");
        assert!(matches!(device_error(error), Pkcs11Error::PinLocked { .. }));
    });
}

#[test]
fn another_key_in_its_place_signs_nothing() {
    alone(|hsm| {
        hsm.token(TOKEN);
        let backend = faulty(hsm);
        let (key, locator) = generate(&backend);
        let other = new_key().with_label(Some("other".into()));
        let other =
            icn_identity::backend::Backend::create(&backend, &other, &crate::pin()).unwrap();
        let icn_identity::backend::Locator::Pkcs11(other) = other.locator else { panic!() };
        let hex = |id: &[u8]| id.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        let swap = format!("swap {} {}", hex(&locator.id), hex(&other.id));
        for loss in ["kill-all", "kill-session", "return CKR_KEY_HANDLE_INVALID"] {
            hsm.script(&format!("on C_SignInit 1 {loss}\n{swap}"));
            let (error, calls) = hsm.calls(|| key.sign(b"hello").unwrap_err());
            assert_eq!(count(&calls, "C_Sign"), 0, "{calls:?}");
            assert!(matches!(device_error(error), Pkcs11Error::KeyReplaced { .. }));
        }
        hsm.script("");
        signs(&key, b"its own is back");
    });
}

#[test]
fn a_key_that_has_become_two_signs_nothing() {
    alone(|hsm| {
        let key = open_key(hsm);
        hsm.script("on C_SignInit 1 kill-session\nduplicate");
        let (error, calls) = hsm.calls(|| key.sign(b"hello").unwrap_err());
        assert_eq!(count(&calls, "C_Sign"), 0, "{calls:?}");
        assert!(matches!(device_error(error), Pkcs11Error::AmbiguousKey { count: 2, .. }));
    });
}

#[test]
fn a_wrong_signature_does_not_leave_and_is_not_tried_again() {
    alone(|hsm| {
        let key = open_key(hsm);
        hsm.script("on C_Sign 1 flip");
        let (error, calls) = hsm.calls(|| key.sign(b"hello").unwrap_err());
        assert!(matches!(error, SignError::BadSignature(_)), "{error:?}");
        assert_eq!(count(&calls, "C_Sign"), 1, "{calls:?}");
        hsm.script("on C_Sign 1 length 63");
        let error = key.sign(b"hello").unwrap_err();
        assert_shows(error, &["C_Sign failed", "not 64 bytes long"]);
        hsm.script("");
        signs(&key, b"hello");
    });
}

/// The switch is real: without it the device's answer is given out as it is;
/// but a key that is opened or found again proves itself all the same.
#[test]
fn without_verification_the_caller_gets_what_the_device_gave() {
    alone(|hsm| {
        hsm.token(TOKEN);
        let config = faulty_config(hsm).with_verify_after_sign(false);
        let backend = icn_identity::backend::pkcs11::Pkcs11Backend::open(&config).unwrap();
        let (key, _) = generate(&backend);
        hsm.script("on C_Sign 1 flip");
        let signature = key.sign(b"hello").unwrap();
        assert!(key.verifying_key().verify(b"hello", &signature).is_err());
        hsm.script("on C_SignInit 1 kill-all\non C_Sign 1 flip");
        assert_shows(key.sign(b"hello").unwrap_err(), &["does not belong to the public key"]);
        hsm.script("on C_SignInit 1 kill-all");
        let (signature, calls) = hsm.calls(|| key.sign(b"hello").unwrap());
        key.verifying_key().verify(b"hello", &signature).unwrap();
        assert_eq!(count(&calls, "C_Sign"), 2, "a challenge, and the message: {calls:?}");
        // A bundle verifies what its key has not.
        let bundle = icn_identity::IdentityBundle::issue(key).unwrap();
        hsm.script("on C_Sign 1 flip");
        let error = bundle.sign(b"hello").unwrap_err();
        assert!(matches!(error, SignError::BadSignature(_)), "{error:?}");
        bundle.sign(b"hello").unwrap();
    });
}

/// Two keys, one login: when one recovers, the other's handle is an old one.
#[test]
fn the_other_key_of_a_token_is_found_again_too() {
    alone(|hsm| {
        hsm.token(TOKEN);
        let backend = faulty(hsm);
        let (one, _) = generate(&backend);
        let label = new_key().with_label(Some("other".into()));
        let made = icn_identity::backend::Backend::create(&backend, &label, &crate::pin()).unwrap();
        let other: Key<Hardware, Unlocked, Alg> = made.key.try_into().unwrap();
        hsm.script("on C_SignInit 1 kill-all");
        signs(&one, b"one");
        let ((), calls) = hsm.calls(|| signs(&other, b"other"));
        assert_eq!(count(&calls, "C_Login"), 0, "{calls:?}");
        assert_eq!(count(&calls, "C_Sign"), 1, "{calls:?}");
        assert!(count(&calls, "C_FindObjectsInit") > 0, "{calls:?}");
        assert_eq!(
            other.seal().unseal(&Pin::new(PIN)).unwrap().sign(b"x").map(drop).ok(),
            Some(())
        );
    });
}

}
