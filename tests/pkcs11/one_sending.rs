//! A PIN is sent only when it may be: what speaks against it is looked at in the same
//! step, for all threads, keys, sessions and backends of a process.

use std::sync::Barrier;
use std::time::Duration;

use cryptoki::context::Pkcs11;
use icn_identity::backend::pkcs11::Pkcs11Backend;
use icn_identity::backend::{Backend as _, Credentials};
use icn_identity::error::{DeviceError, ErrorKind, OpenError, Pkcs11Error, SignError};
use icn_identity::{Error, Hardware, Key, Pin, SealedKey, Unlocked};
use support::softhsm::{PIN, SoftHsm, alone, count, module};

use crate::pins::WRONG;
use crate::{TOKEN, assert_shows, did_at, faulty, faulty_config, find};

const NEW: &str = "0001new-77120354";

fn of_token(error: impl Into<Error>) -> Pkcs11Error {
    match error.into() {
        Error::Open(OpenError::Device(DeviceError::Pkcs11(error)))
        | Error::Open(OpenError::Challenge(SignError::Device(DeviceError::Pkcs11(error))))
        | Error::Sign(SignError::Device(DeviceError::Pkcs11(error))) => error,
        other => panic!("{other:?}"),
    }
}

fn refused(key: SealedKey, pin: &str) -> Pkcs11Error {
    of_token(key.unseal(&Pin::new(pin)).unwrap_err().into_parts().1)
}

/// Does it in `number` threads that begin together.
fn by_threads<T: Send>(number: usize, work: impl Fn() -> T + Sync) -> Vec<T> {
    let barrier = Barrier::new(number);
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..number)
            .map(|_| {
                scope.spawn(|| {
                    barrier.wait();
                    work()
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    })
}

/// A function that finds the key again, by a backend of its own.
fn again(hsm: &SoftHsm, label: &str) -> impl Fn() -> SealedKey + use<> {
    let config = faulty_config(hsm);
    let backend = Pkcs11Backend::open(&config).unwrap();
    let locator = backend.find_by_label(label).unwrap();
    let did = did_at(&backend, &locator);
    move || find(&Pkcs11Backend::open(&config).unwrap(), &locator, &did).unwrap()
}

/// As other code of this process does it: what another process changes SoftHSM does not
/// see.
fn change_pin(old: &str, new: &str) {
    let context = Pkcs11::new(module()).unwrap();
    let slot = context.get_slots_with_initialized_token().unwrap()[0];
    context.open_rw_session(slot).unwrap().set_pin(&old.into(), &new.into()).unwrap();
}

for_both_algorithms! {

/// A key on a token that does as it is told from now on.
fn open_key(hsm: &SoftHsm) -> Key<Hardware, Unlocked, Alg> {
    hsm.token(TOKEN);
    hsm.script("");
    generate(&faulty(hsm)).0
}

/// A key made by somebody else's tool that wants its PIN each time.
fn always_authenticated(hsm: &SoftHsm) -> SealedKey {
    let make = ["--keypairgen", "--key-type", KEY_TYPE, "--always-auth"];
    hsm.pkcs11_tool_on(TOKEN, &[&make[..], &["--id", "0a", "--label", "theirs"]].concat());
    again(hsm, "theirs")()
}

#[test]
fn what_an_opening_was_refused_is_not_sent_by_a_recovery() {
    alone(|hsm| {
        let key = open_key(hsm);
        let sealed = again(hsm, "icn-identity");
        for answer in ["CKR_GENERAL_ERROR", "CKR_PIN_INCORRECT"] {
            hsm.script(&format!("on C_GetSessionInfo 1 kill-all\non C_Login all return {answer}"));
            let (error, calls) = hsm.calls(|| refused(sealed(), PIN));
            assert_eq!(count(&calls, "C_Login"), 1, "{answer}: {calls:?}");
            // The token is logged out: a recovery would have the same PIN to send.
            let (_, calls) = hsm.calls(|| [(); 3].map(|()| key.sign(b"hello").unwrap_err()));
            assert_eq!(count(&calls, "C_Login"), 0, "{answer}: {calls:?}");
            assert_eq!(error.kind(), ErrorKind::WrongCredential, "{answer}: {error:?}");
            if answer == "CKR_GENERAL_ERROR" {
                hsm.script("");
                sealed().unseal(&Pin::new(PIN)).unwrap();
                key.sign(b"hello").unwrap();
            }
        }
        assert!(matches!(refused(sealed(), PIN), Pkcs11Error::PinKnownWrong { .. }));
    });
}

/// The login was lost, and each of them waits until the session that signs is back.
#[test]
fn threads_that_waited_for_a_signature_to_end_send_a_refused_pin_once() {
    alone(|hsm| {
        for answer in ["CKR_PIN_INCORRECT", "CKR_FUNCTION_FAILED"] {
            let label = format!("for {answer}");
            if answer == "CKR_PIN_INCORRECT" { drop(open_key(hsm)) }
            hsm.script("");
            let backend = faulty(hsm);
            let made = backend.create(&new_key().with_label(Some(label.clone())), &crate::pin());
            let (key, sealed) = (made.unwrap().key, again(hsm, &label));
            let sealed: Vec<_> = (0..6).map(|_| sealed()).collect();
            let sealed = std::sync::Mutex::new(sealed);
            hsm.script(&format!(
                "on C_Sign 1 sleep 900\n\
                 on C_GetSessionInfo 1 logout\n\
                 on C_Login all return {answer}"
            ));
            let ((), calls) = hsm.calls(|| {
                std::thread::scope(|scope| {
                    scope.spawn(|| icn_identity::DidSigner::sign(&key, b"hello"));
                    std::thread::sleep(Duration::from_millis(300));
                    by_threads(6, || {
                        let one = sealed.lock().unwrap().pop().unwrap();
                        refused(one, &label);
                    });
                });
            });
            assert_eq!(count(&calls, "C_Login"), 1, "{answer}: {calls:?}");
            hsm.script("");
            drop(key);
        }
    });
}

/// Whoever waited for the answer gets it too; whoever comes later has the PIN sent again,
/// as they give it anew.
#[test]
fn threads_that_wait_for_an_answer_send_an_unclear_one_once() {
    alone(|hsm| {
        drop(open_key(hsm));
        let sealed = again(hsm, "icn-identity");
        for (number, code) in ["CKR_GENERAL_ERROR", "CKR_PIN_LOCKED"].into_iter().enumerate() {
            hsm.script(&format!("on C_Login all sleep 700\non C_Login all return {code}"));
            let pin = format!("{WRONG}{number}");
            let keys: Vec<_> = (0..8).map(|_| sealed()).collect();
            let keys = std::sync::Mutex::new(keys);
            let (errors, calls) = hsm.calls(|| {
                by_threads(8, || {
                    let key = keys.lock().unwrap().pop().unwrap();
                    refused(key, &pin)
                })
            });
            assert_eq!(count(&calls, "C_Login"), 1, "{code}: {calls:?}");
            for error in errors {
                assert!(Error::from(DeviceError::from(error)).is_wrong_credential(), "{code}");
            }
            hsm.script(&format!("on C_Login all return {code}"));
            let (_, calls) = hsm.calls(|| refused(sealed(), &pin));
            assert_eq!(count(&calls, "C_Login"), 1, "{code}: {calls:?}");
        }
        hsm.script("");
        sealed().unseal(&Pin::new(PIN)).unwrap();
    });
}

/// A code that says nothing, and flags that do.
#[test]
fn an_unclear_answer_after_which_the_token_counts_a_wrong_pin_is_a_wrong_pin() {
    alone(|hsm| {
        drop(open_key(hsm));
        let sealed = again(hsm, "icn-identity");
        let codes = [
            "CKR_FUNCTION_FAILED",
            "CKR_ARGUMENTS_BAD",
            "CKR_DEVICE_ERROR",
            "0x80000042",
            "CKR_HOST_MEMORY",
            // As of a loss, and it had looked at the PIN.
            "CKR_SESSION_HANDLE_INVALID",
            "CKR_DEVICE_REMOVED",
            "CKR_TOKEN_NOT_PRESENT",
        ];
        for (number, code) in codes.into_iter().enumerate() {
            hsm.script(&format!("tries 5\nwrong-pin {code}"));
            let pin = format!("{WRONG}{number}");
            let (errors, calls) = hsm.calls(|| [(); 3].map(|()| refused(sealed(), &pin)));
            assert_eq!(count(&calls, "C_Login"), 1, "{code}: {calls:?}");
            let [first, second, _] = errors;
            assert!(matches!(first, Pkcs11Error::WrongPin { count_low: true, .. }), "{first:?}");
            assert!(matches!(second, Pkcs11Error::PinKnownWrong { .. }), "{second:?}");
            // The right one is not among them, and has the token count anew.
            sealed().unseal(&Pin::new(PIN)).unwrap();
        }
    });
}

/// And where the flags say nothing either, it may have been counted.
#[test]
fn an_answer_that_says_nothing_is_a_credential_to_be_looked_at() {
    alone(|hsm| {
        drop(open_key(hsm));
        let sealed = again(hsm, "icn-identity");
        for code in [
            "CKR_ARGUMENTS_BAD",
            "CKR_FUNCTION_FAILED",
            "CKR_GENERAL_ERROR",
            "CKR_DEVICE_ERROR",
            "CKR_HOST_MEMORY",
            "CKR_FUNCTION_CANCELED",
            "CKR_PIN_EXPIRED",
            "0x80000042",
        ] {
            hsm.script(&format!("on C_Login 1 return {code}"));
            let error = refused(sealed(), PIN);
            assert_eq!(error.kind(), ErrorKind::WrongCredential, "{code}: {error:?}");
            assert!(Error::from(DeviceError::from(error)).is_wrong_credential(), "{code}");
        }
        // One that was away has not looked at it.
        for code in ["CKR_DEVICE_REMOVED", "CKR_TOKEN_NOT_PRESENT", "CKR_SESSION_HANDLE_INVALID"] {
            hsm.script(&format!("on C_Login 1 return {code}"));
            let error = refused(sealed(), PIN);
            assert!(!Error::from(DeviceError::from(error)).is_wrong_credential(), "{code}");
        }
        hsm.script("on C_Login 1 return CKR_ARGUMENTS_BAD");
        assert_shows(refused(sealed(), PIN), &["CKR_ARGUMENTS_BAD", "before you give the PIN again"]);
        hsm.script("on C_Login 1 return CKR_PIN_EXPIRED");
        assert_shows(refused(sealed(), PIN), &["the PIN has expired", "--change-pin"]);
    });
}

/// The PIN is changed under open keys: the old one is sent once, and the new one taken.
#[test]
fn after_a_refused_confirmation_the_right_pin_is_taken_while_keys_are_open() {
    alone(|hsm| {
        let plain = open_key(hsm);
        let sealed = always_authenticated(hsm);
        let key = sealed.unseal(&Pin::new(PIN)).unwrap();
        change_pin(PIN, NEW);
        let sign = || icn_identity::DidSigner::sign(&key, b"hello");
        let (errors, calls) = hsm.calls(|| [(); 3].map(|()| sign().unwrap_err()));
        assert_eq!(count(&calls, "C_Login"), 1, "{calls:?}");
        let [first, second, _] = errors.map(of_token);
        assert!(matches!(first, Pkcs11Error::WrongPin { .. }), "{first:?}");
        assert!(matches!(second, Pkcs11Error::PinKnownWrong { .. }), "{second:?}");
        // Which PIN cannot be right is known, and what may not be sent ends no login.
        let sealed = again(hsm, "theirs");
        assert!(matches!(refused(sealed(), PIN), Pkcs11Error::PinKnownWrong { .. }));
        hsm.script("flag final-try");
        assert!(matches!(refused(sealed(), WRONG), Pkcs11Error::FinalTry { .. }));
        hsm.script("");
        let (_, calls) = hsm.calls(|| plain.sign(b"hello").unwrap());
        assert_eq!(count(&calls, "C_FindObjectsInit"), 0, "it is the same login: {calls:?}");

        let (opened, calls) = hsm.calls(|| sealed().unseal(&Pin::new(NEW)).unwrap());
        let logins: Vec<_> = calls.iter().filter(|call| call.starts_with("C_Login")).collect();
        assert_eq!(logins, ["C_Login 0x0 user", "C_Login 0x0 context"], "{calls:?}");
        drop(opened);
        sign().unwrap();
        plain.sign(b"hello").unwrap();
    });
}

/// Of two keys that want it each time, and eight threads.
#[test]
fn threads_of_two_keys_send_a_pin_that_is_refused_for_a_signature_once() {
    alone(|hsm| {
        drop(open_key(hsm));
        let keys = [always_authenticated(hsm), again(hsm, "theirs")()];
        let keys = keys.map(|key| key.unseal(&Pin::new(PIN)).unwrap());
        for answer in ["CKR_DEVICE_ERROR", "CKR_PIN_INCORRECT"] {
            hsm.script(&format!(
                "on C_GetTokenInfo all sleep 20\non C_Login all return {answer}"
            ));
            let next = std::sync::atomic::AtomicUsize::new(0);
            let ((), calls) = hsm.calls(|| {
                by_threads(8, || {
                    let number = next.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
                    icn_identity::DidSigner::sign(&keys[number % 2], b"hello").unwrap_err();
                });
            });
            assert_eq!((count(&calls, "C_Login"), count(&calls, "C_Sign")), (1, 0), "{calls:?}");
            // In doubt, and given anew.
            hsm.script("");
            if answer == "CKR_DEVICE_ERROR" {
                drop(again(hsm, "theirs")().unseal(&Pin::new(PIN)).unwrap());
            }
        }
        assert!(matches!(refused(again(hsm, "theirs")(), PIN), Pkcs11Error::PinKnownWrong { .. }));
    });
}

/// A label and a serial number can be copied, a key cannot.
#[test]
fn after_a_loss_the_key_is_compared_before_the_pin_is_sent() {
    alone(|hsm| {
        hsm.token(TOKEN);
        hsm.script("");
        let backend = faulty(hsm);
        let (key, locator) = generate(&backend);
        // Opened as it is found: without a login it was seen before.
        let sealed = again(hsm, &locator.label);
        drop(key);
        let key = sealed().unseal(&Pin::new(PIN)).unwrap();
        let sign = || icn_identity::DidSigner::sign(&key, b"hello");
        let label = new_key().with_label(Some("other".into()));
        let other = backend.create(&label, &crate::pin()).unwrap();
        let icn_identity::backend::Locator::Pkcs11(other) = other.locator else { panic!() };
        let hex = |id: &[u8]| id.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        let swap = format!("swap {} {}", hex(&locator.id), hex(&other.id));
        for loss in ["kill-all", "logout", "finalize"] {
            hsm.script(&format!("on C_SignInit 1 {loss}\n{swap}"));
            let (error, calls) = hsm.calls(|| sign().unwrap_err());
            assert_eq!(count(&calls, "C_Login"), 0, "{loss}: {calls:?}");
            let error = of_token(error);
            assert!(matches!(error, Pkcs11Error::KeyReplaced { .. }), "{loss}: {error:?}");
            hsm.script("");
            let (_, calls) = hsm.calls(|| sign().unwrap());
            assert_eq!(count(&calls, "C_Login"), 1, "{loss}: {calls:?}");
        }
        // One that has neither this key nor another in its place.
        for class in ["privkey", "pubkey"] {
            let delete = ["--delete-object", "--type", class, "--id", &hex(&locator.id)];
            hsm.pkcs11_tool_on(TOKEN, &delete);
        }
        hsm.script("on C_SignInit 1 kill-all");
        let (error, calls) = hsm.calls(|| sign().unwrap_err());
        assert_eq!(count(&calls, "C_Login"), 0, "{calls:?}");
        assert!(matches!(of_token(error), Pkcs11Error::KeyNotShown { .. }));
    });
}

}

/// One login for each session: each is given the PIN, and none without a look at the flags.
#[test]
fn no_session_is_given_the_pin_whose_flags_speak_against_it() {
    alone(|hsm| {
        hsm.token(TOKEN);
        hsm.script("login-per-session");
        let config = faulty_config(hsm).with_sessions(4.try_into().unwrap());
        let backend = Pkcs11Backend::open(&config).unwrap();
        let (key, locator) = crate::ed25519::generate(&backend);
        let did = icn_identity::DidSigner::did(&key).clone();
        drop(key);
        let opened = || find(&backend, &locator, &did).unwrap().unseal(&Pin::new(PIN)).unwrap();
        for against in [
            "flag final-try",
            "flag pin-locked",
            "flag to-be-changed",
            "on C_GetTokenInfo all return CKR_DEVICE_ERROR",
            "label another",
        ] {
            hsm.script("login-per-session");
            let key = opened();
            hsm.script(&format!("login-per-session\non C_Sign all sleep 100\n{against}"));
            // Much less than a second after the token has accepted it.
            let (signed, calls) = hsm
                .calls(|| by_threads(2, || icn_identity::DidSigner::sign(&key, b"hello").is_ok()));
            assert_eq!(count(&calls, "C_Login"), 0, "{against}: {calls:?}");
            assert!(signed.contains(&true), "{against}: {calls:?}");
        }
        hsm.script("login-per-session\non C_Sign all sleep 100");
        let key = opened();
        let (signed, calls) =
            hsm.calls(|| by_threads(2, || icn_identity::DidSigner::sign(&key, b"hello").is_ok()));
        assert_eq!(signed, [true, true], "{calls:?}");
        assert_eq!(count(&calls, "C_Login"), 1, "{calls:?}");
        let login = calls.iter().position(|call| call.starts_with("C_Login")).unwrap();
        let looked = calls.iter().position(|call| call.starts_with("C_GetTokenInfo")).unwrap();
        assert!(looked < login, "{calls:?}");
    });
}

/// Two tokens of one label and serial number, each with a PIN of its own.
#[test]
fn tokens_that_only_their_slots_tell_apart_have_a_login_and_a_memory_each() {
    alone(|hsm| {
        hsm.token_with_pin(TOKEN, PIN);
        hsm.token_with_pin(TOKEN, NEW);
        hsm.script("serial 0000000000000000");
        let backend = faulty(hsm);
        let slots = Pkcs11::new(hsm.fault_module()).unwrap();
        let slots = slots.get_slots_with_initialized_token().unwrap();
        let backends: Vec<_> = slots
            .iter()
            .map(|slot| {
                let mut config = faulty_config(hsm);
                config.slot = Some(slot.id());
                Pkcs11Backend::open(&config).unwrap()
            })
            .collect();
        let [one, other] = &backends[..] else { panic!("{slots:?}") };
        let new_key = icn_identity::backend::NewKey::default();
        let make = |backend: &Pkcs11Backend, pin: &str| {
            backend.create(&new_key, &Credentials::pin(Pin::new(pin)))
        };
        // Which of the two slots has which.
        let (theirs, ours) = match make(one, PIN) {
            Ok(made) => (other, made),
            Err(_) => (one, make(other, PIN).unwrap()),
        };
        // While that one is open: the PIN of one is nothing to the other.
        let (refused, calls) = hsm.calls(|| make(theirs, WRONG).unwrap_err());
        assert_eq!(count(&calls, "C_Login"), 1, "{calls:?}");
        assert!(refused.is_wrong_pin(), "{refused:?}");
        let (made, calls) = hsm.calls(|| make(theirs, NEW).unwrap());
        assert_eq!(count(&calls, "C_Login"), 1, "{calls:?}");
        for key in [&ours.key, &made.key] {
            icn_identity::DidSigner::sign(key, b"hello").unwrap();
        }
        // A loss: each is sent its own.
        hsm.script("serial 0000000000000000\non C_SignInit 1 kill-all");
        let ((), calls) = hsm.calls(|| {
            for key in [&ours.key, &made.key] {
                icn_identity::DidSigner::sign(key, b"hello").unwrap();
            }
        });
        assert_eq!(count(&calls, "C_Login"), 2, "{calls:?}");
        assert!(calls.iter().all(|call| !call.starts_with("C_Login 0xa")), "{calls:?}");
        // Which one is meant is never guessed, also while one of them is open.
        let (error, calls) = hsm.calls(|| make(&backend, PIN).unwrap_err());
        assert_eq!(count(&calls, "C_Login"), 0, "{calls:?}");
        assert_shows(error, &["more than one token", "name one by `slot`"]);
    });
}

/// One token, by a configuration that names its slot and by one that does not.
#[test]
fn a_token_has_one_memory_whether_its_slot_is_named_or_not() {
    alone(|hsm| {
        hsm.token(TOKEN);
        hsm.script("");
        drop(crate::ed25519::generate(&faulty(hsm)));
        let slots = Pkcs11::new(hsm.fault_module()).unwrap();
        let slot = slots.get_slots_with_initialized_token().unwrap()[0];
        let named = faulty_config(hsm);
        let mut by_slot = named.clone();
        by_slot.slot = Some(slot.id());
        let of = |config| {
            let backend = Pkcs11Backend::open(config).unwrap();
            let locator = backend.find_by_label("icn-identity").unwrap();
            find(&backend, &locator, &did_at(&backend, &locator)).unwrap()
        };
        let (_, calls) = hsm.calls(|| {
            for config in [&named, &by_slot, &named] {
                refused(of(config), WRONG);
            }
        });
        assert_eq!(count(&calls, "C_Login"), 1, "{calls:?}");
        let (_open, calls) =
            hsm.calls(|| [of(&by_slot), of(&named)].map(|key| key.unseal(&Pin::new(PIN)).unwrap()));
        assert_eq!(count(&calls, "C_Login"), 1, "{calls:?}");
    });
}

/// Whatever happens right after the generation, of whichever call.
#[test]
fn what_a_creation_has_made_in_vain_is_removed_or_named() {
    alone(|hsm| {
        hsm.token(TOKEN);
        let backend = faulty(hsm);
        let steps = [
            ("C_GetAttributeValue", 1..=4),
            // Three times twice for the label, and once to see what is new, before.
            ("C_FindObjectsInit", 8..=9),
            ("C_GetSessionInfo", 1..=2),
            ("C_SignInit", 1..=1),
            ("C_Sign", 1..=1),
        ];
        let losses =
            ["kill-all", "logout", "kill-session", "remove-token", "return CKR_DEVICE_ERROR"];
        let (mut failed, mut named) = (0, 0);
        for (function, calls) in steps {
            for (call, loss) in calls.flat_map(|call| losses.map(|loss| (call, loss))) {
                let script = format!("on {function} {call} {loss}");
                hsm.script(&script);
                let new_key = icn_identity::backend::NewKey::default();
                let made = backend.create(&new_key, &crate::pin());
                hsm.script("");
                let left = hsm.objects(TOKEN);
                match made {
                    // What was lost came back.
                    Ok(made) => drop(made),
                    Err(error) => {
                        failed += 1;
                        let text = crate::shown(error);
                        let id = text.split("with CKA_ID ").nth(1).map(|rest| &rest[..32]);
                        match id {
                            None => assert_eq!(left, "", "{script}: {text}"),
                            Some(id) => {
                                named += 1;
                                assert!(left.contains(id), "{script}: {text}\n{left}");
                            }
                        }
                    }
                }
                if !left.is_empty() {
                    for class in ["privkey", "pubkey"] {
                        let label = ["--type", class, "--label", "icn-identity"];
                        hsm.pkcs11_tool(&[&["--delete-object"], &label[..]].concat());
                    }
                    assert_eq!(hsm.objects(TOKEN), "", "{script}");
                }
            }
        }
        assert!(failed > 20, "{failed}");
        // A token that is away keeps what it has.
        assert!(named > 0 && named < failed / 2, "{named} of {failed}");
    });
}
