//! Keys of others on the token are never destroyed, however loosely its module searches.

use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::object::{Attribute, CertificateType, ObjectClass};
use icn_identity::backend::pkcs11::Pkcs11Backend;
use icn_identity::backend::pkcs11::doctor::{ProbeOptions, probe};
use icn_identity::backend::{Backend as _, NewKey, StorageVault as _};
use icn_identity::error::{DeviceError, Pkcs11Error};
use icn_identity::secret::LockedText;
use icn_identity::{Did, DidMethod, Error, Key, Pin, Software};
use support::softhsm::{PIN, SoftHsm, alone, count, module};

use crate::{TOKEN, assert_shows, faulty, faulty_config, pin, shown};

/// Whatever is looked for by an id of ours, the key with id 07 is found; and none is made.
const LOOSE: &str = "slot-ids\n\
    on C_GenerateKeyPair all return CKR_ATTRIBUTE_VALUE_INVALID\n\
    on C_GenerateKey all return CKR_ATTRIBUTE_VALUE_INVALID\n";

fn strangers_pair(hsm: &SoftHsm) {
    hsm.token(TOKEN);
    let pair = ["--keypairgen", "--key-type", "EC:prime256v1", "--label", "theirs", "--id", "07"];
    hsm.pkcs11_tool_on(TOKEN, &pair);
}

fn did() -> Did {
    let key = Key::<Software, _>::generate().unwrap();
    Did::from_key(DidMethod::Key, key.verifying_key()).unwrap()
}

fn secret() -> LockedText {
    LockedText::from("AGE-SECRET-KEY-1STORAGE")
}

#[track_caller]
fn is_whole(hsm: &SoftHsm, after: &str) {
    assert_eq!(hsm.objects(TOKEN).matches("theirs").count(), 2, "{after}");
}

/// What a failed attempt leaves is looked for by its id.
fn attempts(hsm: &SoftHsm, backend: &Pkcs11Backend) {
    let (looked, calls) = hsm.calls(|| {
        backend.create(&NewKey::default(), &pin()).map(drop).unwrap_err();
        is_whole(hsm, "create");
        // And what a note names that was written before one.
        backend.discard(&backend.plan(None).unwrap(), &pin())
    });
    looked.unwrap();
    assert!(count(&calls, "C_FindObjectsInit") > 0);
    assert_eq!(count(&calls, "C_DestroyObject"), 0, "{calls:?}");
    is_whole(hsm, "discard");
}

#[test]
fn a_module_that_finds_more_than_was_asked_for_costs_no_stranger_a_key() {
    alone(|hsm| {
        strangers_pair(hsm);
        // Nor does one that shows no id at all.
        for more in ["", "hide CKA_ID\n"] {
            hsm.script(&format!("{LOOSE}{more}"));
            attempts(hsm, &faulty(hsm));
            let probed = probe(&faulty_config(hsm), &Pin::new(PIN), &ProbeOptions::default());
            assert!(probed.unwrap().made.is_none());
            is_whole(hsm, "probe");
        }
    });
}

#[test]
fn a_storage_key_that_is_made_in_vain_costs_no_stranger_a_key() {
    alone(|hsm| {
        strangers_pair(hsm);
        let backend = faulty(hsm);
        let login = backend.log_in(&pin()).unwrap();
        hsm.script(LOOSE);
        assert!(backend.wrap(&did(), &secret(), &pin()).unwrap().is_none());
        is_whole(hsm, "wrap");
        drop(login);
    });
}

/// A module that makes what it says it did not, under the first byte of the id. (By its
/// whole id it is removed.)
#[test]
fn what_a_failed_generation_leaves_under_another_id_is_named() {
    alone(|hsm| {
        hsm.token(TOKEN);
        // Of one byte each: two may be alike.
        let ids = || -> Vec<_> {
            let listed = hsm.objects(TOKEN);
            let ids = listed.lines().filter_map(|line| line.trim().strip_prefix("ID:"));
            ids.map(|id| id.trim().to_owned()).collect()
        };
        let new_since = |before: &[String]| {
            let mut now = ids();
            for id in before {
                now.swap_remove(now.iter().position(|now| now == id).unwrap());
            }
            now.sort();
            now.dedup();
            now
        };
        let new_key = |label: &str| NewKey::default().with_label(Some(label.to_owned()));
        // Somebody else's, with the label of a storage key to be.
        let make = ["--keypairgen", "--key-type", "EC:prime256v1", "--id", "0707"];
        hsm.pkcs11_tool_on(TOKEN, &[&make[..], &["--label", "icn-identity storage"]].concat());
        for fault in [
            "on C_GenerateKeyPair 1 after CKR_DEVICE_MEMORY",
            "on C_GenerateKeyPair 1..2 after CKR_TEMPLATE_INCONSISTENT\n\
             on C_GenerateKeyPair 3..99 return CKR_TEMPLATE_INCONSISTENT",
        ] {
            let before = ids();
            hsm.script(&format!("short-id\n{fault}"));
            let error = faulty(hsm).create(&new_key(fault), &pin()).map(drop).unwrap_err();
            let new = new_since(&before);
            assert!(!new.is_empty());
            let Error::Device(DeviceError::Pkcs11(Pkcs11Error::LeftBehind {
                id, by_their_id, ..
            })) = &error
            else {
                panic!("{error}")
            };
            assert_eq!(id.split(", ").collect::<Vec<_>>(), new);
            assert!(!by_their_id);
            let help = error.help().unwrap();
            assert!(help.contains("destroy each") && help.contains("no later attempt"), "{help}");
        }
        // By its whole id nothing is left, and that is no more than the error.
        hsm.script("on C_GenerateKeyPair 1 after CKR_DEVICE_MEMORY");
        let before = ids();
        let error = faulty(hsm).create(&new_key("whole"), &pin()).map(drop).unwrap_err();
        assert!(error.to_string().contains("C_GenerateKeyPair"), "{error}");
        assert_eq!(new_since(&before), [""; 0]);
        // Storage keys, by each way, and not the one that was there.
        for (fault, other) in
            [("C_GenerateKey", "C_GenerateKeyPair"), ("C_GenerateKeyPair", "C_GenerateKey")]
        {
            hsm.script(&format!(
                "short-id\non {fault} 1 after CKR_DEVICE_MEMORY\n\
                 on {other} all return CKR_FUNCTION_NOT_SUPPORTED"
            ));
            let backend = faulty(hsm);
            let login = backend.log_in(&pin()).unwrap();
            let before = ids();
            match backend.wrap(&did(), &secret(), &pin()).unwrap_err() {
                DeviceError::Pkcs11(Pkcs11Error::LeftBehind { id, .. }) => {
                    assert_ne!(id, "0707");
                    assert_eq!(id.split(", ").collect::<Vec<_>>(), new_since(&before), "{fault}");
                }
                other => panic!("{other}"),
            }
            drop(login);
        }
        // And of a probe.
        hsm.script("short-id\non C_GenerateKeyPair 1 after CKR_DEVICE_MEMORY");
        let lasting = ProbeOptions::default().with_lasting_key(true);
        let before = ids();
        match probe(&faulty_config(hsm), &Pin::new(PIN), &lasting).map(drop).unwrap_err() {
            Error::Device(DeviceError::Pkcs11(Pkcs11Error::ProbeLeft { ids: left, .. })) => {
                assert_eq!(left, new_since(&before));
            }
            other => panic!("{other}"),
        }
    });
}

/// Written by other software, under this id.
fn certificate(id: &str) {
    let bytes = |at| u8::from_str_radix(&id[at..at + 2], 16).unwrap();
    let id = (0..id.len()).step_by(2).map(bytes).collect();
    let context = Pkcs11::new(module()).unwrap();
    let _ = context.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK));
    let slot = context.get_slots_with_initialized_token().unwrap()[0];
    let certificate = [
        Attribute::Class(ObjectClass::CERTIFICATE),
        Attribute::CertificateType(CertificateType::X_509),
        Attribute::Token(true),
        Attribute::Private(false),
        Attribute::Subject(vec![0x30, 0]),
        Attribute::Value(vec![0x30, 0]),
        Attribute::Id(id),
    ];
    context.open_rw_session(slot).unwrap().create_object(&certificate).unwrap();
}

/// A certificate of the same id, say, is the work of others.
#[test]
fn of_what_has_the_id_only_keys_are_destroyed() {
    alone(|hsm| {
        hsm.token(TOKEN);
        let backend = faulty(hsm);
        let plan = backend.plan(None).unwrap();
        hsm.script(
            "on C_Sign all return CKR_DEVICE_ERROR\non C_DestroyObject all return CKR_DEVICE_ERROR",
        );
        let left = backend.create_as(&plan, &NewKey::default(), &pin()).map(drop).unwrap_err();
        let Error::Device(DeviceError::Pkcs11(Pkcs11Error::LeftBehind { id, .. })) = left else {
            panic!("{left}")
        };
        certificate(&id);
        assert_eq!(hsm.objects(TOKEN).matches(&id).count(), 3);
        hsm.script("");
        backend.discard(&plan, &pin()).unwrap();
        let left = hsm.objects(TOKEN);
        assert_eq!((left.matches(&id).count(), left.matches("Certificate Object").count()), (1, 1));
    });
}

/// Objects would never be found again by the id that they were to have.
#[test]
fn what_shows_another_id_than_it_was_given_is_destroyed_at_once_or_named() {
    alone(|hsm| {
        hsm.token(TOKEN);
        let no_session = "session-objects CKR_ATTRIBUTE_VALUE_INVALID";
        let left = || hsm.objects(TOKEN).matches("Object;").count();
        let lasting = ProbeOptions::default().with_lasting_key(true);
        let probed = || probe(&faulty_config(hsm), &Pin::new(PIN), &lasting);
        for script in ["short-id", "hide CKA_ID", "short-id\npairs-are-one"] {
            hsm.script(&format!("{script}\n{no_session}"));
            let error = faulty(hsm).create(&NewKey::default(), &pin()).map(drop).unwrap_err();
            assert_shows(error, &["does not show the CKA_ID that it was given"]);
            assert_eq!(left(), 0, "{script}");
            assert!(probed().unwrap().made.is_none());
            let backend = faulty(hsm);
            let login = backend.log_in(&pin()).unwrap();
            assert!(backend.wrap(&did(), &secret(), &pin()).unwrap().is_none(), "{script}");
            drop(login);
            assert_eq!(left(), 0, "{script}");
        }
        for (script, shown) in [("short-id", 2), ("hide CKA_ID", "unknown".len())] {
            let broken = "on C_DestroyObject all return CKR_DEVICE_ERROR";
            hsm.script(&format!("{script}\n{no_session}\n{broken}"));
            let is_named = |id: &str| assert_eq!(id.len(), shown, "{id}");
            let labelled = NewKey::default().with_label(Some(script.to_owned()));
            match faulty(hsm).create(&labelled, &pin()).map(drop).unwrap_err() {
                Error::Device(DeviceError::Pkcs11(Pkcs11Error::LeftBehind { id, .. })) => {
                    is_named(&id);
                }
                other => panic!("{other}"),
            }
            assert!(left() > 0);
            match probed().map(drop).unwrap_err() {
                Error::Device(DeviceError::Pkcs11(Pkcs11Error::ProbeLeft { ids, .. })) => {
                    ids.iter().for_each(|id| is_named(id));
                }
                other => panic!("{other}"),
            }
            let backend = faulty(hsm);
            let login = backend.log_in(&pin()).unwrap();
            match backend.wrap(&did(), &secret(), &pin()).unwrap_err() {
                DeviceError::Pkcs11(Pkcs11Error::LeftBehind { id, .. }) => is_named(&id),
                other => panic!("{other}"),
            }
            drop(login);
        }
    });
}

/// The login is lost within the generation. Another token may have its names by then: the PIN
/// goes once more only to one that shows what was made.
#[test]
fn what_was_made_is_removed_by_another_login_only_where_the_token_shows_it() {
    alone(|hsm| {
        hsm.token(TOKEN);
        for (dialect, is_shown) in [("", true), ("private-only\n", false)] {
            hsm.script(&format!("{dialect}on C_GetAttributeValue 1 kill-all"));
            let (made, calls) = hsm.calls(|| faulty(hsm).create(&NewKey::default(), &pin()));
            let text = shown(made.map(drop).unwrap_err());
            hsm.script("");
            let left = hsm.objects(TOKEN);
            let logins = if is_shown { 2 } else { 1 };
            assert_eq!(count(&calls, "C_Login"), logins, "{dialect}{text}: {calls:?}");
            match text.split("with CKA_ID ").nth(1) {
                None => assert!(is_shown && left.is_empty(), "{text}\n{left}"),
                Some(id) => assert!(!is_shown && left.contains(&id[..32]), "{text}\n{left}"),
            }
        }
    });
}
