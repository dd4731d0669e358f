//! nethsm-pkcs11: a login for each session, and a round trip for each answer.

use std::sync::Barrier;

use icn_identity::backend::Backend as _;
use icn_identity::error::{DeviceError, OpenError, Pkcs11Error};
use icn_identity::{DidSigner as _, Error, Pin};
use support::softhsm::{PIN, alone, count};

use crate::{TOKEN, assert_shows, faulty, faulty_config, find};

const NETHSM: &str = "login-per-session";

for_both_algorithms! {

#[test]
fn each_session_is_logged_in_where_a_login_is_that_of_a_session() {
    alone(|hsm| {
        hsm.token(TOKEN);
        hsm.script(NETHSM);
        let backend = faulty(hsm);
        let (key, locator) = generate(&backend);
        let did = key.did().clone();
        key.verifying_key().verify(b"hello", &key.sign(b"hello").unwrap()).unwrap();
        drop(key);
        let sealed = find(&backend, &locator, &did).unwrap();
        let (key, calls) = hsm.calls(|| sealed.unseal(&Pin::new(PIN)).unwrap());
        // The session that keeps the token open, and the one that signs.
        assert_eq!(count(&calls, "C_Login"), 2, "{calls:?}");
        let (signature, calls) = hsm.calls(|| key.sign(b"again").unwrap());
        key.verifying_key().verify(b"again", &signature).unwrap();
        assert_eq!(calls, ["C_SignInit 0x0", "C_Sign 0x0"]);
    });
}

#[test]
fn a_storage_key_is_kept_where_a_login_is_that_of_a_session() {
    alone(|hsm| {
        hsm.token(TOKEN);
        for mechanisms in ["", "no-mechanism CKM_AES_GCM"] {
            hsm.script(&format!("{NETHSM}\n{mechanisms}"));
            let backend = faulty(hsm);
            let label = new_key().with_label(Some(format!("{mechanisms:?}")));
            let made = backend.create(&label, &crate::pin()).unwrap();
            let vault = backend.vault().unwrap();
            let secret = "storage".to_owned().into();
            let did = made.key.did();
            let wrapped = vault.wrap(did, &secret, &crate::pin()).unwrap().unwrap();
            let opened = vault.unwrap(did, &wrapped, &crate::pin()).unwrap();
            assert_eq!(opened.expose_secret(), "storage");
        }
    });
}

/// A wrong PIN was entered before, and the right one has set the count back: a second session
/// of the same step is refused it, by a code that says nothing and by the count.
#[test]
fn a_pin_that_is_changed_between_two_sessions_of_one_login_is_sent_no_more() {
    alone(|hsm| {
        hsm.token(TOKEN);
        hsm.script(NETHSM);
        let backend = faulty(hsm);
        let (key, locator) = generate(&backend);
        let did = key.did().clone();
        drop(key);
        let is = |pin: &str, more: &str| {
            let wrong = "wrong-pin CKR_FUNCTION_FAILED";
            hsm.script(&format!("{NETHSM}\ntries 3\n{wrong}\npin-is {pin}\n{more}"));
        };
        let open = |pin: &str| find(&backend, &locator, &did).unwrap().unseal(&Pin::new(pin));
        is("right-1", "");
        assert_shows(open("guess-1").unwrap_err(), &["refused the PIN"]);
        is("right-1", "on C_Login 2 sleep 600");
        let (_, calls) = hsm.calls(|| {
            std::thread::scope(|scope| {
                scope.spawn(|| {
                    while !std::fs::read_to_string(hsm.path("pins")).unwrap().contains("right-1") {
                        std::thread::sleep(std::time::Duration::from_millis(5));
                    }
                    is("right-2", "");
                });
                let _ = open("right-1");
            });
        });
        assert_eq!(count(&calls, "C_Login"), 2, "{calls:?}");
        let (refused, calls) = hsm.calls(|| open("right-1").unwrap_err());
        assert_eq!(count(&calls, "C_Login"), 0, "{calls:?}");
        assert_shows(refused, &["was refused by token node-1 before"]);
        drop(open("right-2").unwrap());
    });
}

#[test]
fn a_wrong_pin_that_is_answered_by_another_code_is_sent_once() {
    alone(|hsm| {
        hsm.token(TOKEN);
        hsm.script("");
        let backend = faulty(hsm);
        let (key, locator) = generate(&backend);
        let did = key.did().clone();
        drop(key);
        // NetHSM; OpenSC, of an OpenPGP card.
        for (number, dialect) in [NETHSM, "wrong-pin CKR_USER_NOT_LOGGED_IN"].iter().enumerate() {
            hsm.script(dialect);
            let wrong = Pin::new(format!("{}{number}", crate::pins::WRONG));
            let sealed = find(&backend, &locator, &did).unwrap();
            let ((sealed, reason), calls) =
                hsm.calls(|| sealed.unseal(&wrong).unwrap_err().into_parts());
            assert_eq!(count(&calls, "C_Login"), 1, "{dialect}: {calls:?}");
            assert!(
                matches!(
                    reason,
                    OpenError::Device(DeviceError::Pkcs11(Pkcs11Error::WrongPin { .. }))
                ),
                "{dialect}: {reason:?}"
            );
            assert!(Error::from(reason).is_wrong_credential());
            let ((sealed, reason), calls) =
                hsm.calls(|| sealed.unseal(&wrong).unwrap_err().into_parts());
            assert_eq!(count(&calls, "C_Login"), 0, "{dialect}: {calls:?}");
            assert_shows(reason, &["was refused by token node-1 before and was not tried again"]);
            sealed.unseal(&Pin::new(PIN)).unwrap().sign(b"hello").unwrap();
        }
    });
}

/// A module with one login for all, that loses it for a moment.
#[test]
fn a_module_with_one_login_for_all_is_not_sent_the_pin_for_each_session() {
    alone(|hsm| {
        hsm.token(TOKEN);
        let (key, _) = generate(&faulty(hsm));
        hsm.script("on C_SignInit 1..2 return CKR_USER_NOT_LOGGED_IN");
        let ((), calls) = hsm.calls(|| drop(key.sign(b"hello")));
        assert!(count(&calls, "C_Login") == 0, "{calls:?}");
    });
}

/// Four threads, four sessions: each is given the PIN once.
#[test]
fn threads_log_their_sessions_in_once_each() {
    alone(|hsm| {
        hsm.token(TOKEN);
        hsm.script(&format!("{NETHSM}\non C_Sign all sleep 30"));
        let config = faulty_config(hsm).with_sessions(4.try_into().unwrap());
        let backend = icn_identity::backend::pkcs11::Pkcs11Backend::open(&config).unwrap();
        let (key, _) = generate(&backend);
        let barrier = Barrier::new(4);
        let ((), calls) = hsm.calls(|| {
            std::thread::scope(|scope| {
                for thread in 0..4_u8 {
                    let (key, barrier) = (&key, &barrier);
                    scope.spawn(move || {
                        barrier.wait();
                        for message in 0..5_u8 {
                            let message = [thread, message];
                            let signature = key.sign(&message).unwrap();
                            key.verifying_key().verify(&message, &signature).unwrap();
                        }
                    });
                }
            });
        });
        let opened = count(&calls, "C_OpenSession");
        assert!((1..=3).contains(&opened), "one was there: {calls:?}");
        assert_eq!(count(&calls, "C_Login"), opened, "{calls:?}");
        assert!(calls.iter().all(|call| !call.starts_with("C_Login 0x1")), "{calls:?}");
    });
}

/// The PIN was changed meanwhile: one session finds that out, for all of them.
#[test]
fn a_pin_that_one_session_is_refused_is_sent_by_no_other() {
    alone(|hsm| {
        hsm.token(TOKEN);
        hsm.script(NETHSM);
        let config = faulty_config(hsm).with_sessions(4.try_into().unwrap());
        let backend = icn_identity::backend::pkcs11::Pkcs11Backend::open(&config).unwrap();
        let (key, _) = generate(&backend);
        hsm.script(&format!(
            "{NETHSM}\non C_Sign all sleep 30\non C_Login all return CKR_USER_TYPE_INVALID"
        ));
        let barrier = Barrier::new(4);
        let (failed, calls) = hsm.calls(|| {
            std::thread::scope(|scope| {
                let threads = [(); 4].map(|()| {
                    let (key, barrier) = (&key, &barrier);
                    scope.spawn(move || {
                        barrier.wait();
                        (0..3).filter(|_| key.sign(b"hello").is_err()).count()
                    })
                });
                threads.map(|thread| thread.join().unwrap()).iter().sum::<usize>()
            })
        });
        assert!(failed > 0, "{calls:?}");
        assert_eq!(count(&calls, "C_Login"), 1, "{calls:?}");
        let refused = key.seal().unseal(&Pin::new(PIN)).unwrap_err();
        assert_shows(refused, &["was refused by token node-1 before and was not tried again"]);
    });
}

/// Between the two sessions of one login, while a wrong PIN was counted before: the answer
/// says nothing, and the flags are to be compared with those after the first one.
#[test]
fn a_pin_that_is_changed_between_two_sessions_of_a_login_is_sent_once_more_at_most() {
    alone(|hsm| {
        hsm.token(TOKEN);
        hsm.script("");
        let backend = faulty(hsm);
        let (key, locator) = generate(&backend);
        let did = key.did().clone();
        drop(key);
        let wrong = "tries 9\nwrong-pin CKR_FUNCTION_FAILED";
        hsm.script(&format!("{NETHSM}\npin-is {PIN}\n{wrong}\non C_Login 2 change-pin"));
        std::fs::write(hsm.path("tries"), "1").unwrap();
        let sealed = find(&backend, &locator, &did).unwrap();
        let (sealed, _) = sealed.unseal(&Pin::new(PIN)).unwrap_err().into_parts();
        let again = sealed.unseal(&Pin::new(PIN)).unwrap_err();
        assert_shows(again, &["was refused by token node-1 before and was not tried again"]);
        let sent = std::fs::read_to_string(hsm.path("pins")).unwrap();
        let wrong = sent.lines().filter(|line| line.ends_with(" false")).count();
        assert_eq!((sent.lines().count(), wrong), (2, 1), "{sent}");
    });
}

#[test]
fn a_login_by_session_that_is_lost_is_made_again() {
    alone(|hsm| {
        hsm.token(TOKEN);
        hsm.script(NETHSM);
        let (key, _) = generate(&faulty(hsm));
        hsm.script(&format!("{NETHSM}\non C_SignInit 1 kill-all"));
        let (signature, calls) = hsm.calls(|| key.sign(b"hello").unwrap());
        key.verifying_key().verify(b"hello", &signature).unwrap();
        assert_eq!(count(&calls, "C_Login"), 2, "its keeper, and the one that signs: {calls:?}");
    });
}

/// Whether the PIN was counted as a wrong try, nobody knows.
#[test]
fn a_session_that_is_refused_for_no_clear_reason_keeps_the_pin_from_being_sent_again() {
    alone(|hsm| {
        hsm.token(TOKEN);
        hsm.script(NETHSM);
        let backend = faulty(hsm);
        let (key, locator) = generate(&backend);
        for code in ["CKR_GENERAL_ERROR", "CKR_DEVICE_ERROR"] {
            let refuses = "on C_SignInit all return CKR_USER_NOT_LOGGED_IN";
            hsm.script(&format!("{NETHSM}\n{refuses}\non C_Login all return {code}"));
            let (_, calls) = hsm.calls(|| [(); 6].map(|()| key.sign(b"hello").unwrap_err()));
            assert_eq!(count(&calls, "C_Login"), 1, "{code}: {calls:?}");
            hsm.script(NETHSM);
            let sealed = find(&backend, &locator, key.did()).unwrap();
            sealed.unseal(&Pin::new(PIN)).unwrap();
            key.sign(b"hello").unwrap();
        }
    });
}

}
