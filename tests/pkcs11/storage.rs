//! Storage keys, wrapped by the token.

use icn_identity::backend::{Backend as _, StorageVault as _, WrappedKey};
use icn_identity::secret::LockedText;
use icn_identity::{Did, DidMethod};
use serde_json::Value;
use support::softhsm::alone;

use crate::ed25519::generate;
use crate::{TOKEN, assert_shows, backend};

const SECRET: &str = "AGE-SECRET-KEY-1STORAGE";

#[test]
fn a_storage_key_goes_round_and_its_aes_key_stays_in_the_token() {
    alone(|hsm| {
        hsm.token(TOKEN);
        let backend = backend();
        let (key, _) = generate(&backend);
        let vault = backend.vault().unwrap();
        let wrapped =
            vault.wrap(key.did(), &LockedText::from(SECRET), &crate::pin()).unwrap().unwrap();
        assert_eq!(
            vault.unwrap(key.did(), &wrapped, &crate::pin()).unwrap().expose_secret(),
            SECRET
        );

        let objects = hsm.objects(TOKEN);
        let aes = objects.split("Secret Key Object; AES length 32").nth(1).unwrap();
        let aes = aes.split("Key Object").next().unwrap();
        for line in [
            "label:      icn-identity storage",
            "Usage:      encrypt, decrypt\n",
            "Access:     sensitive, always sensitive, never extractable, local",
        ] {
            assert!(aes.contains(line), "{aes}");
        }
        let again =
            vault.wrap(key.did(), &LockedText::from(SECRET), &crate::pin()).unwrap().unwrap();
        assert_ne!(wrapped, again);
    });
}

#[test]
fn what_was_changed_or_made_for_another_did_is_refused() {
    alone(|hsm| {
        hsm.token(TOKEN);
        let backend = backend();
        let (key, _) = generate(&backend);
        let vault = backend.vault().unwrap();
        let wrapped =
            vault.wrap(key.did(), &LockedText::from(SECRET), &crate::pin()).unwrap().unwrap();
        let text = "token node-1 does not open the storage key of this identity";

        let other = Did::from_key(DidMethod::Key, key.verifying_key()).unwrap();
        assert_shows(
            vault.unwrap(&other, &wrapped, &crate::pin()).unwrap_err(),
            &[text, "restore identity.age"],
        );
        let json = serde_json::to_value(&wrapped).unwrap();
        for field in ["key_id", "iv", "ciphertext"] {
            let mut json = json.clone();
            let flipped = match json[field].as_str().unwrap().split_at(1) {
                ("0", rest) => format!("1{rest}"),
                (_, rest) => format!("0{rest}"),
            };
            json[field] = Value::String(flipped);
            let changed: WrappedKey = serde_json::from_value(json).unwrap();
            assert_shows(vault.unwrap(key.did(), &changed, &crate::pin()).unwrap_err(), &[text]);
        }
        for (field, cut) in [("iv", ""), ("iv", "00"), ("ciphertext", ""), ("key_id", "")] {
            let mut json = json.clone();
            json[field] = Value::String(cut.into());
            let changed: WrappedKey = serde_json::from_value(json).unwrap();
            assert_shows(vault.unwrap(key.did(), &changed, &crate::pin()).unwrap_err(), &[text]);
        }
        assert_eq!(
            vault.unwrap(key.did(), &wrapped, &crate::pin()).unwrap().expose_secret(),
            SECRET
        );
    });
}

#[test]
fn a_closed_token_wraps_and_unwraps_nothing() {
    alone(|hsm| {
        hsm.token(TOKEN);
        let backend = backend();
        let (key, _) = generate(&backend);
        let did = key.did().clone();
        let wrapped =
            backend.wrap(&did, &LockedText::from(SECRET), &crate::pin()).unwrap().unwrap();
        drop(key);
        let said = ["token node-1 is not open", "open a key of this token"];
        assert_shows(backend.unwrap(&did, &wrapped, &crate::pin()).unwrap_err(), &said);
        assert_shows(
            backend.wrap(&did, &LockedText::from(SECRET), &crate::pin()).unwrap_err(),
            &said,
        );
    });
}
