//! Keys that were in a file, written into a token.

mod lies;
mod whole;

use icn_identity::backend::pkcs11::Pkcs11Backend;
use icn_identity::backend::{Imported, ImportedKey, Locator, SeedImport as _};
use icn_identity::error::{DeviceError, ErrorKind, Pkcs11Error};
use icn_identity::evidence::Fact;
use icn_identity::{
    DeviceHeld, Did, DidKey, DidSignerExt as _, Error, Key, NeverExposed, Requirement, Software,
    Unlocked,
};
use support::softhsm::{SoftHsm, alone, count};

use crate::{TOKEN, assert_shows, backend, faulty, find, pin, shown};

fn new_key() -> Key<Software, Unlocked> {
    Key::generate().unwrap()
}

fn import(backend: &Pkcs11Backend, key: &Key<Software, Unlocked>) -> Result<Imported, Error> {
    backend.import(key, Some("moved"), &pin())
}

/// It can sign, and so it is the same key.
fn check(imported: Imported, key: &Key<Software, Unlocked>) -> Locator {
    let ImportedKey::DeviceHeld(held) = imported.key else { panic!("{:?}", imported.key) };
    assert_eq!(held.did(), key.did());
    let signature = held.sign(b"message").unwrap();
    assert_eq!(signature, key.sign(b"message").unwrap(), "Ed25519 has one signature");
    imported.locator
}

/// The key that a locator leads to, opened anew.
fn opened(backend: &Pkcs11Backend, locator: &Locator, did: &Did) -> DidKey {
    let Locator::Pkcs11(locator) = locator else { panic!("{locator:?}") };
    find(backend, locator, did)
        .unwrap()
        .unseal(&icn_identity::Pin::new(support::softhsm::PIN))
        .unwrap()
}

/// How many objects are on the token.
fn objects(hsm: &SoftHsm) -> usize {
    hsm.objects(TOKEN).matches("  label:").count()
}

/// Those with attributes of the private key, as another program reads them.
fn private_key(hsm: &SoftHsm) -> String {
    let all = hsm.objects(TOKEN);
    let from = all.find("Private Key Object").unwrap_or_else(|| panic!("{all}"));
    let text = &all[from..];
    text.lines().take(6).collect::<Vec<_>>().join("\n")
}

#[test]
fn a_key_of_a_file_is_written_for_signatures_alone_and_is_device_held() {
    alone(|hsm| {
        hsm.token(TOKEN);
        let (backend, key) = (backend(), new_key());
        let locator = check(import(&backend, &key).unwrap(), &key);
        assert_eq!(objects(hsm), 2);
        let shown = private_key(hsm);
        assert!(shown.contains("Usage:      sign\n"), "{shown}");
        // Neither local nor always sensitive nor never extractable.
        assert!(shown.contains("Access:     sensitive"), "{shown}");
        assert!(!shown.contains("local") && !shown.contains("always"), "{shown}");
        assert!(!shown.contains("extractable"), "{shown}");

        let again = opened(&backend, &locator, key.did());
        let facts: Vec<_> = again.evidence().unwrap().facts().map(|shown| shown.fact).collect();
        use Fact::{False, True};
        assert_eq!(facts, [False, True, False, False, False]);
        let held = Key::<DeviceHeld, Unlocked>::try_from(again).unwrap();
        assert!(Requirement::any().confined().check(&held).is_ok());
        assert!(Requirement::any().never_exposed().check(&held).is_err());
        // The other way round the types say it: no `NeverExposed` for it.
        static_assertions::assert_not_impl_any!(Key<DeviceHeld, Unlocked>: NeverExposed);
        let label = backend.find_by_label("moved").unwrap();
        assert_eq!(Locator::Pkcs11(label), locator);
    });
}

#[test]
fn the_key_cannot_be_changed_where_the_token_takes_that_and_is_written_without_where_not() {
    alone(|hsm| {
        hsm.token(TOKEN);
        let key = new_key();
        let backend = faulty(hsm);
        let made = check(import(&backend, &key).unwrap(), &key);
        let Locator::Pkcs11(at) = &made else { panic!("{made:?}") };
        let id: String = at.id.iter().map(|byte| format!("{byte:02x}")).collect();
        let change = ["--id", &id, "--type", "privkey", "--set-id", "0a"];
        let changed = hsm.pkcs11_tool(&change);
        assert_ne!(changed.code, 0, "{}{}", changed.out, changed.err);
        hsm.script("refuse CKA_MODIFIABLE CKR_ATTRIBUTE_TYPE_INVALID\n");
        let (second, calls) = hsm.calls(|| backend.import(&new_key(), Some("second"), &pin()));
        drop(second.unwrap());
        // Refused under each name of the curve; then the private half, then the public one.
        assert_eq!(count(&calls, "C_CreateObject"), 5, "{calls:?}");
        hsm.script("refuse CKA_DERIVE CKR_ATTRIBUTE_TYPE_INVALID\n");
        drop(backend.import(&new_key(), Some("third"), &pin()).unwrap());
        assert_eq!(objects(hsm), 6);
        drop(made);
    });
}

#[test]
fn a_taken_label_and_a_wrong_pin_make_nothing_and_a_pin_is_tried_once() {
    alone(|hsm| {
        hsm.token(TOKEN);
        let (backend, key) = (faulty(hsm), new_key());
        let wrong =
            icn_identity::backend::Credentials::pin(icn_identity::Pin::new(crate::pins::WRONG));
        for _ in 0..2 {
            let (refused, calls) = hsm.calls(|| backend.import(&key, None, &wrong).unwrap_err());
            assert_eq!(refused.kind(), ErrorKind::WrongCredential, "{refused}");
            assert_eq!(count(&calls, "C_CreateObject"), 0);
        }
        assert_eq!((hsm.count("C_Login"), objects(hsm)), (1, 0));
        drop(import(&backend, &key).unwrap());
        let (taken, calls) = hsm.calls(|| import(&backend, &new_key()).unwrap_err());
        assert_shows(taken, &["already has a key labelled \"moved\""]);
        assert_eq!(count(&calls, "C_Login"), 0);
        backend.check_import(Some("moved")).unwrap_err();
        backend.check_import(Some("free")).unwrap();
        assert_eq!(objects(hsm), 2);
    });
}

/// What a token that takes no private key by `C_CreateObject` answers.
const REFUSALS: [&str; 5] = [
    "CKR_ATTRIBUTE_VALUE_INVALID",
    "CKR_TEMPLATE_INCONSISTENT",
    "CKR_FUNCTION_NOT_SUPPORTED",
    "CKR_ATTRIBUTE_SENSITIVE",
    "CKR_GENERAL_ERROR",
];

#[test]
fn a_token_that_takes_no_private_key_unwraps_one_and_keeps_nothing_else() {
    alone(|hsm| {
        hsm.token(TOKEN);
        let backend = faulty(hsm);
        for (index, refusal) in REFUSALS.into_iter().enumerate() {
            for (by, encrypts) in [("unwraps-wrapped\n", 0), ("unwraps-cbc\n", 1)] {
                hsm.script(&format!("takes-no-key {refusal}\n{by}"));
                let (key, label) = (new_key(), format!("{index}-{encrypts}"));
                let (made, calls) = hsm.calls(|| backend.import(&key, Some(&label), &pin()));
                let locator = check(made.unwrap_or_else(|error| panic!("{}", shown(error))), &key);
                assert_eq!(count(&calls, "C_Encrypt"), encrypts, "{calls:?}");
                assert_eq!(count(&calls, "C_UnwrapKey"), 1, "{calls:?}");
                let again = opened(&backend, &locator, key.did());
                assert!(matches!(again, DidKey::DeviceHeld(_)), "{again:?}");
                drop(again);
                let all = hsm.objects(TOKEN);
                assert!(!all.contains("Secret Key"), "{all}");
            }
        }
        assert_eq!(objects(hsm), 2 * 2 * REFUSALS.len());
        let shown = private_key(hsm);
        assert!(shown.contains("Usage:      sign\n"), "{shown}");
        assert!(!shown.contains("extractable"), "{shown}");
    });
}

#[test]
fn a_token_that_takes_no_key_in_any_way_says_so_and_has_nothing() {
    alone(|hsm| {
        hsm.token(TOKEN);
        let backend = faulty(hsm);
        for more in [
            "on C_UnwrapKey all return CKR_MECHANISM_INVALID",
            "on C_UnwrapKey all return CKR_WRAPPED_KEY_INVALID",
            "no-mechanism CKM_AES_KEY_WRAP",
            "on C_CreateObject all return CKR_FUNCTION_NOT_SUPPORTED",
            "unwraps-cbc\non C_Encrypt all return CKR_KEY_FUNCTION_NOT_PERMITTED\n\
             no-mechanism CKM_AES_KEY_WRAP",
            "unwraps-cbc\non C_GenerateKey all return CKR_TEMPLATE_INCONSISTENT\n\
             on C_UnwrapKey all return CKR_TEMPLATE_INCONSISTENT",
        ] {
            hsm.script(&format!("takes-no-key CKR_ATTRIBUTE_VALUE_INVALID\n{more}\n"));
            let refused = import(&backend, &new_key()).unwrap_err();
            assert!(
                matches!(
                    refused,
                    Error::Device(DeviceError::Pkcs11(Pkcs11Error::TakesNoKey { .. }))
                ),
                "{more}: {refused}"
            );
            assert_eq!(refused.kind(), ErrorKind::Unsupported);
            assert_shows(refused, &["takes no key that was made elsewhere", "rotate"]);
            assert_eq!(objects(hsm), 0, "{more}");
        }
    });
}

/// Full, pulled out, write-protected: what the token can do is not known by that.
#[test]
fn what_is_of_the_moment_is_told_as_it_is_and_no_other_way_is_tried() {
    alone(|hsm| {
        hsm.token(TOKEN);
        let backend = faulty(hsm);
        for (code, kind) in [
            ("CKR_DEVICE_MEMORY", ErrorKind::Storage),
            ("CKR_DEVICE_REMOVED", ErrorKind::DeviceAbsent),
            ("CKR_TOKEN_WRITE_PROTECTED", ErrorKind::Permission),
            ("CKR_DEVICE_ERROR", ErrorKind::DeviceFailed),
        ] {
            // The second is the public half, which is tried in two encodings.
            for nth in ["1", "2..3"] {
                hsm.script(&format!("on C_CreateObject {nth} return {code}\n"));
                let (failed, calls) = hsm.calls(|| import(&backend, &new_key()).unwrap_err());
                assert_eq!(failed.kind(), kind, "{code}: {failed}");
                assert_eq!(count(&calls, "C_UnwrapKey"), 0);
                assert_eq!(objects(hsm), 0, "{code} {nth}");
            }
        }
    });
}

/// The nth call of each function fails, before or after it has had its effect.
#[test]
fn whatever_call_fails_nothing_is_left_or_it_is_named() {
    alone(|hsm| {
        hsm.token(TOKEN);
        let backend = faulty(hsm);
        for way in [
            "",
            "takes-no-key CKR_FUNCTION_NOT_SUPPORTED\nunwraps-wrapped\n",
            "takes-no-key CKR_FUNCTION_NOT_SUPPORTED\nunwraps-cbc\n",
        ] {
            hsm.script(way);
            let (done, calls) = hsm.calls(|| import(&backend, &new_key()));
            let locator = done.unwrap().locator;
            remove(&backend, hsm, &locator);
            let mut functions: Vec<&str> =
                calls.iter().map(|call| call.split(' ').next().unwrap()).collect();
            functions.sort_unstable();
            let (mut tried, mut failed, mut left) = (0, 0, 0);
            let mut at = 0;
            while at < functions.len() {
                let function = functions[at];
                let times = functions.iter().filter(|other| **other == function).count();
                at += times;
                let apart = ["C_Initialize", "C_Login", "C_Logout", "C_CloseSession"];
                // SoftHSM 2.6.1 itself unwraps no Ed25519 key, and leaves an empty object
                // where it was to, which shows itself in another process only.
                if apart.contains(&function) || function == "C_GetMechanismInfo" {
                    continue;
                }
                let changes = ["C_CreateObject", "C_UnwrapKey", "C_GenerateKey", "C_DestroyObject"];
                // What only reads has no effect that it could have had before.
                let both = changes.contains(&function) || function.starts_with("C_Sign");
                let how: &[&str] = if both { &["return", "after"] } else { &["return"] };
                for nth in 1..=times {
                    for how in how {
                        hsm.script(&format!("{way}on {function} {nth} {how} CKR_DEVICE_ERROR\n"));
                        let made = import(&backend, &new_key());
                        hsm.script("");
                        tried += 1;
                        match made {
                            Ok(made) => {
                                let locator = made.locator.clone();
                                drop(made);
                                assert_eq!(objects(hsm), 2, "{function} {nth} {how}");
                                remove(&backend, hsm, &locator);
                            }
                            Err(Error::Device(DeviceError::Pkcs11(Pkcs11Error::LeftBehind {
                                id,
                                ..
                            }))) => {
                                left += 1;
                                assert!(hsm.objects(TOKEN).contains(&id), "{function} {nth} {how}");
                                destroy(hsm, &id);
                            }
                            Err(error) => {
                                failed += 1;
                                assert_eq!(
                                    objects(hsm),
                                    0,
                                    "{function} {nth} {how}: {}",
                                    shown(error)
                                );
                            }
                        }
                    }
                }
            }
            assert!(tried > 40 && failed > 20, "{tried} {failed} {left}");
        }
    });
}

fn remove(backend: &Pkcs11Backend, hsm: &SoftHsm, locator: &Locator) {
    let Locator::Pkcs11(locator) = locator else { panic!("{locator:?}") };
    let _ = backend;
    destroy(hsm, &locator.id.iter().map(|byte| format!("{byte:02x}")).collect::<String>());
}

fn destroy(hsm: &SoftHsm, id: &str) {
    for class in ["privkey", "pubkey", "secrkey"] {
        hsm.pkcs11_tool(&["--delete-object", "--id", id, "--type", class]);
    }
    assert_eq!(objects(hsm), 0);
}
