//! Identities that are made on a token and not written, and what is left there.

use std::fs;
use std::path::Path;

use icn_identity::backend::{Backend as _, NewKey};
use icn_identity::error::{DeviceError, KeystoreError, Pkcs11Error};
use icn_identity::keystore::{IdentityStore, Needs, Pinned};
use icn_identity::{DidSigner as _, Error};
use support::softhsm::{SoftHsm, alone, count};

use crate::{TOKEN, assert_shows, backend, did_at, faulty, pin, shown};

fn names(store: &IdentityStore) -> Vec<String> {
    let entries = fs::read_dir(store.home()).unwrap();
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn ids(hsm: &SoftHsm) -> usize {
    hsm.objects(TOKEN).matches("  ID:").count()
}

fn read(path: &Path) -> Option<String> {
    fs::read_to_string(path).ok()
}

#[test]
fn a_dropped_draft_takes_its_keys_out_of_the_token_again() {
    alone(|hsm| {
        hsm.token(TOKEN);
        let (backend, before) = (backend(), hsm.objects(TOKEN));
        let store = IdentityStore::new(hsm.path("home"));
        let config = hsm.path("icn.toml");
        for text in [None, Some("# mine\n")] {
            if let Some(text) = text {
                fs::write(&config, text).unwrap();
            }
            let mut draft = store.draft(&backend, &NewKey::default(), &pin()).unwrap();
            assert_eq!(ids(hsm), 3);
            assert_eq!(names(&store), [".lock", "unfinished.json"]);
            assert!(draft.is_new() && draft.header().did() == draft.did());
            draft.write_config(&config, |_| Ok("[identity]\n".into())).unwrap();
            draft.write_config(&config, |_| Ok("[identity]\n# twice\n".into())).unwrap();
            assert_eq!(read(&config).as_deref(), Some("[identity]\n# twice\n"));
            let left = store.unfinished().unwrap().unwrap();
            assert!(left.was_never_made(draft.did()));
            assert!(left.objects().unwrap().starts_with("token node-1 (serial "));
            drop(draft);
            assert_eq!(hsm.objects(TOKEN), before);
            assert_eq!(names(&store), [".lock"]);
            assert_eq!(read(&config).as_deref(), text);
        }
        let mut draft = store.draft(&backend, &NewKey::default(), &pin()).unwrap();
        draft.write_config(&config, |_| Ok("[identity]\n".into())).unwrap();
        let made = draft.write().unwrap();
        assert_eq!(names(&store), [".lock", "identity.age", "identity.json"]);
        assert_eq!(read(&config).as_deref(), Some("[identity]\n"));
        assert!(store.unfinished().unwrap().is_none());
        let opened = store.open(&backend, Pinned::To(made.did()), &pin()).unwrap();
        assert_eq!(opened.bundle.did(), made.did());
        let again = store.draft(&backend, &NewKey::default(), &pin()).unwrap_err();
        assert!(matches!(again, Error::Keystore(KeystoreError::Exists { .. })), "{again}");
        assert_eq!(ids(hsm), 3);
    });
}

#[test]
fn a_dropped_draft_around_a_key_leaves_that_key() {
    alone(|hsm| {
        hsm.token(TOKEN);
        hsm.import(TOKEN, "theirs", "0a0b");
        let (backend, before) = (backend(), hsm.objects(TOKEN));
        let locator = backend.find_by_label("theirs").unwrap();
        let did = did_at(&backend, &locator);
        let place = icn_identity::backend::Locator::Pkcs11(locator);
        let store = IdentityStore::new(hsm.path("home"));
        let draft = store.draft_around(&backend, &place, &did, &pin()).unwrap();
        assert_ne!(hsm.objects(TOKEN), before);
        drop(draft);
        assert_eq!(hsm.objects(TOKEN), before);
        assert_eq!(names(&store), [".lock"]);
        let made = store.draft_around(&backend, &place, &did, &pin()).unwrap().write().unwrap();
        assert_eq!(made.signer().did(), &did);
    });
}

/// The token makes a key, does not sign with it, and does not let go of it.
#[test]
fn what_a_token_does_not_let_go_of_stays_noted_until_it_does() {
    alone(|hsm| {
        hsm.token(TOKEN);
        let backend = faulty(hsm);
        let store = IdentityStore::new(hsm.path("home"));
        let broken = "on C_DestroyObject all return CKR_DEVICE_ERROR\n";
        hsm.script(&format!("{broken}on C_Sign all return CKR_DEVICE_ERROR\n"));
        let (error, calls) =
            hsm.calls(|| store.draft(&backend, &NewKey::default(), &pin()).unwrap_err());
        let Error::Device(DeviceError::Pkcs11(Pkcs11Error::LeftBehind { id, .. })) = &error else {
            panic!("{error}")
        };
        assert!(store.unfinished().unwrap().unwrap().objects().unwrap().contains(id));
        assert!(shown(error).contains("still on token node-1, with CKA_ID"));
        assert_eq!((ids(hsm), count(&calls, "C_Login")), (2, 1));
        // As long as it does not, nothing new is made.
        let (error, calls) =
            hsm.calls(|| store.draft(&backend, &NewKey::default(), &pin()).unwrap_err());
        assert_shows(error, &["may have left objects on token node-1", "CKR_DEVICE_ERROR"]);
        assert_eq!(count(&calls, "C_GenerateKeyPair"), 0);
        hsm.script("");
        let draft = store.draft(&backend, &NewKey::default(), &pin()).unwrap();
        assert_eq!(ids(hsm), 3);
        // So it is for a draft that is dropped.
        hsm.script(broken);
        drop(draft);
        assert_eq!((ids(hsm), names(&store)), (3, vec![".lock".into(), "unfinished.json".into()]));
        hsm.script("");
        drop(store.draft(&backend, &NewKey::default(), &pin()).unwrap());
        assert_eq!((ids(hsm), names(&store)), (0, vec![".lock".to_owned()]));
    });
}

/// A token that turns out not to do GCM for us, and does not let go of its AES key:
/// the pair of the other way would share its name.
#[test]
fn an_aes_key_that_stays_on_the_token_is_no_reason_to_try_another_way() {
    alone(|hsm| {
        hsm.token(TOKEN);
        let (backend, store) = (faulty(hsm), IdentityStore::new(hsm.path("home")));
        hsm.script(
            "on C_Encrypt all return CKR_MECHANISM_PARAM_INVALID\n\
             on C_DestroyObject 1 return CKR_DEVICE_ERROR\n",
        );
        let (error, calls) =
            hsm.calls(|| store.draft(&backend, &NewKey::default(), &pin()).unwrap_err());
        assert_shows(error, &["still on token node-1, with CKA_ID", "CKR_DEVICE_ERROR"]);
        assert_eq!(count(&calls, "C_DeriveKey"), 0);
        // What is undone then is undone wholly.
        assert_eq!((ids(hsm), names(&store)), (0, vec![".lock".to_owned()]));
    });
}

#[test]
fn what_can_be_refused_without_a_credential_is_refused_when_it_is_located() {
    alone(|hsm| {
        hsm.token(TOKEN);
        let store = IdentityStore::new(hsm.path("home"));
        let backend = faulty(hsm);
        let none = store.locate(&backend, Pinned::Nobody).unwrap_err();
        assert!(matches!(none, Error::Keystore(KeystoreError::NoIdentity { .. })), "{none}");
        let made = store.create(&backend, &NewKey::default(), &pin()).unwrap();
        let did = made.did().clone();
        drop(made);
        let (needs, calls) =
            hsm.calls(|| store.locate(&backend, Pinned::To(&did)).unwrap().needs());
        assert_eq!(needs, Needs::Pin);
        assert_eq!(count(&calls, "C_Login"), 0, "{calls:?}");
        let other =
            icn_identity::Did::parse("did:key:z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK");
        let error = store.locate(&backend, Pinned::To(&other.unwrap())).unwrap_err();
        assert!(matches!(error, Error::Keystore(KeystoreError::NotPinned { .. })), "{error}");
        // A key that is found once when it is located is not searched for again.
        let ((), calls) = hsm.calls(|| {
            let located = store.locate(&backend, Pinned::To(&did)).unwrap();
            let _ = located.open_without_renewal(&pin()).unwrap();
        });
        assert_eq!(count(&calls, "C_Login"), 1, "{calls:?}");
        // And one that is not there is missed before a PIN is asked for.
        let shown = store.header().unwrap();
        let id = shown.locator().unwrap();
        let id: String = id.id.iter().map(|byte| format!("{byte:02x}")).collect();
        drop(backend);
        hsm.pkcs11_tool_on(TOKEN, &["--delete-object", "--type", "pubkey", "--id", &id]);
        hsm.import(TOKEN, "icn-identity", "0c0d");
        let backend = faulty(hsm);
        let (error, calls) = hsm.calls(|| store.locate(&backend, Pinned::To(&did)).unwrap_err());
        assert_shows(error, &["icn-identity"]);
        assert_eq!(count(&calls, "C_Login"), 0, "{calls:?}");
    });
}

/// Moving an identity sweeps as every other change does.
#[test]
fn a_relocation_sweeps_what_a_killed_writer_left() {
    alone(|hsm| {
        hsm.token(TOKEN);
        let (backend, store) = (backend(), IdentityStore::new(hsm.path("home")));
        let made = store.create(&backend, &NewKey::default(), &pin()).unwrap();
        drop(made);
        let left = store.home().join(".identity.age.0123456789abcdef01234567");
        fs::write(&left, "half of something").unwrap();
        let header = store.header().unwrap();
        let moved =
            store.relocate(&backend, header.locator().unwrap(), Pinned::Nobody, &pin()).unwrap();
        assert_eq!(moved.did(), header.did());
        assert!(!left.exists());
        assert_eq!(store.header().unwrap().generation(), header.generation());
        let _ = backend.describe();
    });
}
