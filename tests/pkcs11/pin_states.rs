//! States of a PIN that SoftHSM does not have: read before a PIN is sent.

use std::sync::Barrier;

use icn_identity::backend::Backend as _;
use icn_identity::backend::pkcs11::Pkcs11Backend;
use icn_identity::error::{DeviceError, OpenError, Pkcs11Error};
use icn_identity::{Error, Hardware, Key, Pin, Sealed, SealedKey, Unlocked};
use support::softhsm::{PIN, SoftHsm, alone, count};

use crate::pins::WRONG;
use crate::{TOKEN, assert_shows, faulty, faulty_config, find};

fn refusal(key: SealedKey, pin: &Pin) -> Pkcs11Error {
    match key.unseal(pin).unwrap_err().into_parts().1 {
        OpenError::Device(DeviceError::Pkcs11(error)) => error,
        other => panic!("{other:?}"),
    }
}

for_both_algorithms! {

/// A closed key, and how to find it again.
fn closed(hsm: &SoftHsm) -> (Pkcs11Backend, impl Fn() -> SealedKey + use<>) {
    hsm.token(TOKEN);
    let backend = faulty(hsm);
    let (key, locator) = generate(&backend);
    let did = key.did().clone();
    let config = faulty_config(hsm);
    let again = move || find(&Pkcs11Backend::open(&config).unwrap(), &locator, &did).unwrap();
    (backend, again)
}

#[test]
fn flags_that_forbid_a_login_are_read_before_one() {
    alone(|hsm| {
        let (_, key) = closed(hsm);
        let pin = Pin::new(PIN);
        for (flag, shown) in [
            ("pin-locked", "the user PIN of token node-1 is locked"),
            ("final-try", "one PIN try left; the PIN was not sent"),
            ("to-be-changed", "the PIN must be changed first"),
            ("pin-uninitialized", "no user PIN has been set"),
            ("protected-path", "it has a PIN pad, and a PIN was given"),
        ] {
            hsm.script(&format!("flag {flag}"));
            let (error, calls) = hsm.calls(|| refusal(key(), &pin));
            assert_eq!(count(&calls, "C_Login"), 0, "{flag}: {calls:?}");
            assert_shows(error, &[shown]);
        }
        // Read, shown at the prompt, and no reason to refuse.
        hsm.script("flag count-low");
        assert!(faulty(hsm).describe().pin.unwrap().count_low);
        key().unseal(&pin).unwrap();
    });
}

#[test]
fn the_last_try_is_sent_when_it_is_allowed() {
    alone(|hsm| {
        let (_, key) = closed(hsm);
        hsm.script("flag final-try");
        assert!(matches!(refusal(key(), &Pin::new(PIN)), Pkcs11Error::FinalTry { .. }));
        let config = faulty_config(hsm).with_allow_final_try(true);
        let backend = Pkcs11Backend::open(&config).unwrap();
        let locator = backend.find_by_label("icn-identity").unwrap();
        let sealed = find(&backend, &locator, &crate::did_at(&backend, &locator)).unwrap();
        let (opened, calls) = hsm.calls(|| sealed.unseal(&Pin::new(PIN)).unwrap());
        assert_eq!(count(&calls, "C_Login"), 1);
        drop(opened);
    });
}

/// A token that locks after three wrong PINs: two are sent, whatever is tried.
#[test]
fn wrong_pins_never_lock_a_token() {
    alone(|hsm| {
        let (_, key) = closed(hsm);
        hsm.script("tries 3");
        let (errors, calls) = hsm.calls(|| {
            let guesses = ["guess-1", "guess-1", "guess-2", "guess-1", "guess-3", "guess-4"];
            guesses.map(|guess| refusal(key(), &Pin::new(guess)))
        });
        assert_eq!(count(&calls, "C_Login"), 2, "{calls:?}");
        let [first, again, second, once_more, third, fourth] = errors;
        let is_first =
            matches!(first, Pkcs11Error::WrongPin { count_low: true, final_try: false, .. });
        assert!(is_first, "{first:?}");
        assert!(matches!(again, Pkcs11Error::PinKnownWrong { .. }));
        assert_shows(second, &["tried once, and one try is left", "do not guess"]);
        assert!(matches!(once_more, Pkcs11Error::PinKnownWrong { .. }));
        for error in [third, fourth] {
            assert_shows(error, &["one PIN try left; the PIN was not sent", "allow_final_try"]);
        }
    });
}

#[test]
fn a_pin_that_locks_the_token_says_so() {
    alone(|hsm| {
        let (_, key) = closed(hsm);
        hsm.script("tries 1");
        // One try in all: the first wrong one locks.
        let config = faulty_config(hsm).with_allow_final_try(true);
        let backend = Pkcs11Backend::open(&config).unwrap();
        let locator = backend.find_by_label("icn-identity").unwrap();
        let sealed = find(&backend, &locator, &crate::did_at(&backend, &locator)).unwrap();
        let error = refusal(sealed, &Pin::new(WRONG));
        assert!(
            Error::from(OpenError::Device(DeviceError::Pkcs11(Pkcs11Error::PinLocked {
                token: TOKEN.into(),
                of_tpm: false,
            })))
            .is_wrong_credential()
        );
        assert!(matches!(error, Pkcs11Error::PinLocked { .. }), "{error:?}");
        let (error, calls) = hsm.calls(|| refusal(key(), &Pin::new(PIN)));
        assert_eq!(count(&calls, "C_Login"), 0, "{calls:?}");
        assert_shows(error, &["is locked", "security officer"]);
    });
}

#[test]
fn answers_to_a_login_have_their_own_errors() {
    alone(|hsm| {
        let (_, key) = closed(hsm);
        for (code, shown) in [
            ("CKR_PIN_EXPIRED", "the PIN has expired"),
            ("CKR_PIN_LOCKED", "is locked"),
            ("CKR_USER_PIN_NOT_INITIALIZED", "no user PIN has been set"),
            ("CKR_USER_ANOTHER_ALREADY_LOGGED_IN", "the security officer is logged in"),
            ("CKR_USER_ALREADY_LOGGED_IN", "other code in this process is logged in"),
            ("CKR_DEVICE_ERROR", "C_Login failed"),
        ] {
            hsm.script(&format!("on C_Login 1 return {code}"));
            let (error, calls) = hsm.calls(|| refusal(key(), &Pin::new(PIN)));
            assert_eq!(count(&calls, "C_Login"), 1, "{code}: {calls:?}");
            assert_shows(error, &[shown]);
        }
        // None of them said that the PIN is wrong.
        hsm.script("");
        key().unseal(&Pin::new(PIN)).unwrap();
        for code in ["CKR_PIN_INCORRECT", "CKR_PIN_INVALID", "CKR_PIN_LEN_RANGE"] {
            hsm.script(&format!("on C_Login 1 return {code}"));
            let pin = Pin::new(format!("for {code}"));
            let (error, calls) = hsm.calls(|| [(); 2].map(|()| refusal(key(), &pin)));
            assert_eq!(count(&calls, "C_Login"), 1, "{code}: {calls:?}");
            let [first, second] = error;
            assert!(matches!(first, Pkcs11Error::WrongPin { .. }));
            assert!(matches!(second, Pkcs11Error::PinKnownWrong { .. }));
        }
    });
}

#[test]
fn a_pin_pad_is_asked_and_never_on_its_own() {
    alone(|hsm| {
        let (_, key) = closed(hsm);
        assert_shows(refusal(key(), &Pin::at_pin_pad()), &["it has no PIN pad"]);
        // Mistyped at the pad: the next attempt is another PIN.
        hsm.script("flag protected-path\non C_Login 1 return CKR_PIN_INCORRECT");
        let error = refusal(key(), &Pin::at_pin_pad());
        assert!(matches!(error, Pkcs11Error::WrongPin { .. }), "{error:?}");
        hsm.script("flag protected-path");
        let (opened, calls) = hsm.calls(|| key().unseal(&Pin::at_pin_pad()).unwrap());
        assert_eq!(count(&calls, "C_Login"), 1, "{calls:?}");
        let opened: Key<Hardware, Unlocked, Alg> = opened.try_into().unwrap();
        opened.sign(b"hello").unwrap();
        // Nobody may stand there when a login is lost.
        hsm.script("flag protected-path\non C_SignInit 1 kill-all");
        let (error, calls) = hsm.calls(|| opened.sign(b"hello").unwrap_err());
        assert_eq!(count(&calls, "C_Login"), 0, "{calls:?}");
        assert_shows(error, &["token node-1 is not open", "with its PIN"]);
        opened.seal().unseal(&Pin::at_pin_pad()).unwrap().sign(b"hello").unwrap();
    });
}

/// A key made by somebody else's tool that wants its PIN each time.
fn always_authenticated(hsm: &SoftHsm) -> Key<Hardware, Unlocked, Alg> {
    hsm.token(TOKEN);
    let make = ["--keypairgen", "--key-type", KEY_TYPE, "--always-auth"];
    hsm.pkcs11_tool_on(TOKEN, &[&make[..], &["--id", "0a", "--label", "theirs"]].concat());
    let backend = faulty(hsm);
    let locator = backend.find_by_label("theirs").unwrap();
    let sealed = find(&backend, &locator, &crate::did_at(&backend, &locator)).unwrap();
    let sealed = Key::<Hardware, Sealed, Alg>::try_from(sealed).unwrap();
    sealed.unseal(&Pin::new(PIN)).unwrap()
}

#[test]
fn a_key_that_wants_its_pin_each_time_gets_it_once_each_time() {
    alone(|hsm| {
        let key = always_authenticated(hsm);
        let (signature, calls) = hsm.calls(|| key.sign(b"hello").unwrap());
        key.verifying_key().verify(b"hello", &signature).unwrap();
        let calls: Vec<_> = calls.iter().filter(|call| !call.contains("TokenInfo")).collect();
        assert_eq!(calls, ["C_SignInit 0x0", "C_Login 0x0 context", "C_Sign 0x0"]);
        // After a loss: one login of the token, one of the operation.
        hsm.script("on C_SignInit 1 kill-all");
        let (_, calls) = hsm.calls(|| key.sign(b"hello").unwrap());
        let logins: Vec<_> = calls.iter().filter(|call| call.starts_with("C_Login")).collect();
        assert_eq!(logins, ["C_Login 0x0 user", "C_Login 0x0 context"]);
    });
}

#[test]
fn a_pin_that_is_refused_for_one_signature_is_not_sent_again() {
    alone(|hsm| {
        let key = always_authenticated(hsm);
        hsm.script("on C_Login 1 return CKR_PIN_INCORRECT");
        let (error, calls) = hsm.calls(|| key.sign(b"hello").unwrap_err());
        assert_eq!((count(&calls, "C_Login"), count(&calls, "C_Sign")), (1, 0), "{calls:?}");
        assert_shows(error, &["token node-1 refused the PIN"]);
        let (error, calls) = hsm.calls(|| key.sign(b"hello").unwrap_err());
        assert_eq!((count(&calls, "C_Login"), count(&calls, "C_Sign")), (0, 0), "{calls:?}");
        assert_shows(error, &["was refused by token node-1 before"]);
        hsm.script("flag final-try");
        let (_, calls) = hsm.calls(|| key.sign(b"hello").unwrap_err());
        assert_eq!(count(&calls, "C_Login"), 0, "{calls:?}");
    });
}

/// Flags that cannot be read are not flags that allow it.
#[test]
fn no_pin_is_given_for_a_signature_while_its_flags_cannot_be_read() {
    alone(|hsm| {
        let key = always_authenticated(hsm);
        hsm.script("on C_GetTokenInfo all return CKR_DEVICE_ERROR\nflag pin-locked");
        let (error, calls) = hsm.calls(|| key.sign(b"hello").unwrap_err());
        assert_eq!((count(&calls, "C_Login"), count(&calls, "C_Sign")), (0, 0), "{calls:?}");
        assert_shows(error, &["C_GetTokenInfo failed on token node-1: CKR_DEVICE_ERROR"]);
        // It was not sent, so nothing speaks against it.
        hsm.script("");
        key.sign(b"hello").unwrap();
    });
}

/// Whether it was counted as a wrong try, nobody knows.
#[test]
fn a_pin_for_one_signature_that_is_refused_for_no_clear_reason_is_not_sent_again_by_itself() {
    alone(|hsm| {
        let key = always_authenticated(hsm);
        for code in [
            "CKR_GENERAL_ERROR",
            "CKR_FUNCTION_FAILED",
            "CKR_DEVICE_ERROR",
            "CKR_PIN_LOCKED",
            // The login may be gone, or the module not know a user for one signature.
            "CKR_USER_NOT_LOGGED_IN",
            "CKR_USER_TYPE_INVALID",
        ] {
            hsm.script(&format!("on C_Login all return {code}"));
            let (errors, calls) = hsm.calls(|| [(); 4].map(|()| key.sign(b"hello").unwrap_err()));
            assert_eq!((count(&calls, "C_Login"), count(&calls, "C_Sign")), (1, 0), "{code}: {calls:?}");
            for error in errors.into_iter().skip(1) {
                assert_shows(error, &["token node-1 is not open", "with its PIN"]);
            }
            hsm.script("");
            let (_, calls) = hsm.calls(|| key.sign(b"hello").unwrap_err());
            assert_eq!(count(&calls, "C_Login"), 0, "{code}: {calls:?}");
            // Whoever has it gives it anew: for every key of the token.
            let backend = faulty(hsm);
            let locator = backend.find_by_label("theirs").unwrap();
            let again = || find(&backend, &locator, key.did()).unwrap();
            let refused = again().unseal(&Pin::new(WRONG)).unwrap_err();
            assert_shows(refused, &["token node-1 is open with another PIN"]);
            let (_, calls) = hsm.calls(|| key.sign(b"hello").unwrap_err());
            assert_eq!(count(&calls, "C_Login"), 0, "{code}: {calls:?}");
            again().unseal(&Pin::new(PIN)).unwrap();
            key.sign(b"hello").unwrap();
        }
        // One that was away has not looked at it.
        hsm.script("on C_Login 1 return CKR_DEVICE_REMOVED");
        key.sign(b"hello").unwrap_err();
        key.sign(b"hello").unwrap();
    });
}

#[test]
fn threads_send_a_pin_that_is_refused_for_one_signature_once() {
    alone(|hsm| {
        let key = always_authenticated(hsm);
        hsm.script("on C_GetTokenInfo all sleep 30\non C_Login all return CKR_PIN_INCORRECT");
        let barrier = Barrier::new(4);
        let ((), calls) = hsm.calls(|| {
            std::thread::scope(|scope| {
                for _ in 0..4 {
                    scope.spawn(|| {
                        barrier.wait();
                        key.sign(b"hello").unwrap_err();
                    });
                }
            });
        });
        assert_eq!((count(&calls, "C_Login"), count(&calls, "C_Sign")), (1, 0), "{calls:?}");
    });
}

}
