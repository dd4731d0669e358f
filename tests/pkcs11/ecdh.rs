//! Storage keys on tokens without AES-GCM.

use icn_identity::backend::{Backend as _, StorageVault as _, WrappedKey};
use icn_identity::secret::LockedText;
use icn_identity::{Did, DidMethod};
use serde_json::Value;
use support::softhsm::{SoftHsm, alone, count};

use crate::ed25519::generate;
use crate::{TOKEN, assert_shows, faulty, pin};

const SECRET: &str = "AGE-SECRET-KEY-1STORAGE";
const NO_GCM: &str = "no-mechanism CKM_AES_GCM\n";

fn secret() -> LockedText {
    LockedText::from(SECRET)
}

/// Lines of a kind of object in what `pkcs11-tool` lists.
fn objects(hsm: &SoftHsm, kind: &str) -> usize {
    hsm.objects(TOKEN).matches(kind).count()
}

#[test]
fn a_storage_key_goes_round_and_its_p256_key_stays_in_the_token() {
    alone(|hsm| {
        hsm.token(TOKEN);
        hsm.script(NO_GCM);
        let backend = faulty(hsm);
        let (key, _) = generate(&backend);
        let vault = backend.vault().unwrap();
        let wrapped = vault.wrap(key.did(), &secret(), &pin()).unwrap().unwrap();
        assert!(matches!(wrapped, WrappedKey::Ecdh(_)));
        for _ in 0..3 {
            let (opened, calls) = hsm.calls(|| vault.unwrap(key.did(), &wrapped, &pin()).unwrap());
            assert_eq!(opened.expose_secret(), SECRET);
            // A session object: only this process would see it.
            assert_eq!(count(&calls, "C_DeriveKey"), 1, "{calls:?}");
            assert_eq!(count(&calls, "C_DestroyObject"), 1, "{calls:?}");
        }
        let listed = hsm.objects(TOKEN);
        assert_eq!(listed.matches("Key Object").count(), 4, "two pairs and no more: {listed}");
        let private = listed.split("Private Key Object; EC\n").nth(1).unwrap();
        let private = private.split("Key Object").next().unwrap();
        for line in [
            "label:      icn-identity storage",
            "Usage:      derive\n",
            "Access:     sensitive, always sensitive, never extractable, local",
        ] {
            assert!(private.contains(line), "{private}");
        }
        let publics = listed.split("Public Key Object; ").skip(1);
        let mut publics = publics.map(|public| public.split("Key Object").next().unwrap());
        let public = publics.find(|public| public.contains("icn-identity storage")).unwrap();
        assert!(public.contains("Usage:      none\n"), "{public}");
    });
}

#[test]
fn what_was_changed_or_made_for_another_did_is_refused() {
    alone(|hsm| {
        hsm.token(TOKEN);
        hsm.script(NO_GCM);
        let backend = faulty(hsm);
        let (key, _) = generate(&backend);
        let vault = backend.vault().unwrap();
        let wrapped = vault.wrap(key.did(), &secret(), &pin()).unwrap().unwrap();
        let text = "token node-1 does not open the storage key of this identity";
        let other = Did::from_key(DidMethod::Key, key.verifying_key()).unwrap();
        assert_shows(vault.unwrap(&other, &wrapped, &pin()).unwrap_err(), &[text]);

        let json = serde_json::to_value(&wrapped).unwrap();
        let changed = |field: &str, value: String| {
            let mut json = json.clone();
            json[field] = Value::String(value);
            let changed: WrappedKey = serde_json::from_value(json).unwrap();
            vault.unwrap(key.did(), &changed, &pin()).unwrap_err()
        };
        for field in ["key_id", "ephemeral", "ciphertext"] {
            let value = json[field].as_str().unwrap();
            let last = if value.ends_with('0') { "1" } else { "0" };
            let flipped = format!("{}{last}", &value[..value.len() - 1]);
            assert_shows(changed(field, flipped), &[text]);
            assert_shows(changed(field, String::new()), &[text]);
        }
        // The point at infinity, zeros, and a point of another encoding's.
        let compressed = format!("02{}", &json["ephemeral"].as_str().unwrap()[2..66]);
        let zeros = format!("04{}", "00".repeat(64));
        for point in ["00".to_owned(), zeros, "00".repeat(65), "02".repeat(33), compressed] {
            let (error, calls) = hsm.calls(|| changed("ephemeral", point));
            assert_shows(error, &[text]);
            assert_eq!(count(&calls, "C_DeriveKey"), 0, "it came to the token: {calls:?}");
        }
    });
}

#[test]
fn a_token_that_keeps_the_secret_to_itself_is_left_as_it_was() {
    alone(|hsm| {
        hsm.token(TOKEN);
        let backend = faulty(hsm);
        let (key, _) = generate(&backend);
        let vault = backend.vault().unwrap();
        let before = hsm.objects(TOKEN);
        for fault in [
            "no-mechanism CKM_ECDH1_DERIVE",
            "on C_DeriveKey all return CKR_TEMPLATE_INCONSISTENT",
            "on C_DeriveKey all return CKR_MECHANISM_PARAM_INVALID",
            // It makes pairs, but on no curve of ours.
            "on C_GenerateKeyPair all return CKR_CURVE_NOT_SUPPORTED",
        ] {
            hsm.script(&format!("{NO_GCM}{fault}"));
            assert_eq!(vault.wrap(key.did(), &secret(), &pin()).unwrap(), None, "{fault}");
            assert_eq!(hsm.objects(TOKEN), before, "{fault}");
        }
        hsm.script("no-mechanism CKM_AES_GCM\nno-mechanism CKM_ECDH1_DERIVE");
        assert!(backend.vault().is_none());
    });
}

/// That a token was lost does not say that it cannot do ECDH.
#[test]
fn a_token_lost_while_it_derives_is_an_error_and_no_fall_back() {
    alone(|hsm| {
        hsm.token(TOKEN);
        hsm.script(NO_GCM);
        let backend = faulty(hsm);
        let (key, _) = generate(&backend);
        let before = hsm.objects(TOKEN);
        let lost = format!("{NO_GCM}on C_DeriveKey all return CKR_DEVICE_REMOVED");
        let said = ["C_DeriveKey failed on token node-1", "CKR_DEVICE_REMOVED"];
        hsm.script(&lost);
        assert_shows(backend.wrap(key.did(), &secret(), &pin()).unwrap_err(), &said);
        assert_eq!(hsm.objects(TOKEN), before);
        hsm.script(NO_GCM);
        let wrapped = backend.wrap(key.did(), &secret(), &pin()).unwrap().unwrap();
        hsm.script(&lost);
        assert_shows(backend.unwrap(key.did(), &wrapped, &pin()).unwrap_err(), &said);
        hsm.script(NO_GCM);
        assert_eq!(backend.unwrap(key.did(), &wrapped, &pin()).unwrap().expose_secret(), SECRET);
    });
}

#[test]
fn a_derived_secret_that_is_not_shown_is_destroyed_all_the_same() {
    alone(|hsm| {
        hsm.token(TOKEN);
        hsm.script(NO_GCM);
        let backend = faulty(hsm);
        let (key, _) = generate(&backend);
        let before = hsm.objects(TOKEN);
        let plan = backend.plan(Some(key.did())).unwrap();
        let wrapped = backend.wrap_as(&plan, key.did(), &secret(), &pin()).unwrap().unwrap();
        let kept = hsm.objects(TOKEN);
        for fault in ["hide CKA_VALUE", "on C_GetAttributeValue 2..99 return CKR_GENERAL_ERROR"] {
            hsm.script(&format!("{NO_GCM}{fault}"));
            let (opened, calls) = hsm.calls(|| backend.unwrap(key.did(), &wrapped, &pin()));
            assert_shows(opened.unwrap_err(), &["does not open the storage key"]);
            assert_eq!(count(&calls, "C_DeriveKey"), 1, "{calls:?}");
            assert_eq!(count(&calls, "C_DestroyObject"), 1, "{calls:?}");
        }
        hsm.script(&format!("{NO_GCM}hide CKA_VALUE"));
        assert_eq!(backend.wrap(key.did(), &secret(), &pin()).unwrap(), None);
        assert_eq!(hsm.objects(TOKEN), kept, "the new pair is gone, the other one stays");
        backend.discard(&plan, &pin()).unwrap();
        assert_eq!(hsm.objects(TOKEN), before);
    });
}

#[test]
fn each_encoding_of_the_token_s_point_is_read() {
    alone(|hsm| {
        hsm.token(TOKEN);
        hsm.script(NO_GCM);
        let backend = faulty(hsm);
        let (key, _) = generate(&backend);
        let wrapped = backend.wrap(key.did(), &secret(), &pin()).unwrap().unwrap();
        for form in ["raw", "octet", "bit"] {
            hsm.script(&format!("{NO_GCM}point {form}"));
            let opened = backend.unwrap(key.did(), &wrapped, &pin()).unwrap();
            assert_eq!(opened.expose_secret(), SECRET, "{form}");
        }
    });
}

/// AES-GCM is listed, and turns out not to work.
#[test]
fn ecdh_is_next_when_aes_gcm_fails() {
    alone(|hsm| {
        hsm.token(TOKEN);
        let backend = faulty(hsm);
        let (key, _) = generate(&backend);
        for fault in [
            "on C_EncryptInit all return CKR_MECHANISM_PARAM_INVALID",
            // A token that chooses the nonce itself.
            "on C_Decrypt all return CKR_ENCRYPTED_DATA_INVALID",
        ] {
            hsm.script(fault);
            let wrapped = backend.wrap(key.did(), &secret(), &pin()).unwrap().unwrap();
            assert!(matches!(wrapped, WrappedKey::Ecdh(_)), "{fault}");
            assert_eq!(objects(hsm, "Secret Key Object"), 0, "no AES key is left");
        }
    });
}

#[test]
fn a_token_that_wants_the_point_in_der_gets_it() {
    alone(|hsm| {
        hsm.token(TOKEN);
        hsm.script(NO_GCM);
        let backend = faulty(hsm);
        let (key, _) = generate(&backend);
        let wrapped = backend.wrap(key.did(), &secret(), &pin()).unwrap().unwrap();
        hsm.script(&format!("{NO_GCM}on C_DeriveKey 1 return CKR_ARGUMENTS_BAD"));
        let (opened, calls) = hsm.calls(|| backend.unwrap(key.did(), &wrapped, &pin()).unwrap());
        assert_eq!(opened.expose_secret(), SECRET);
        assert_eq!(count(&calls, "C_DeriveKey"), 2);
        assert_eq!(count(&calls, "C_DestroyObject"), 1, "{calls:?}");
    });
}
