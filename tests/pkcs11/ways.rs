//! Which way a token keeps a storage key: the first that works, or none.

use std::path::Path;

use icn_identity::backend::{Backend as _, StorageVault as _, WrappedKey};
use icn_identity::config::Config;
use icn_identity::keystore::{IdentityStore, Pinned};
use icn_identity::secret::LockedText;
use icn_identity::{Error, Passphrase};
use support::home::FAST;
use support::softhsm::{alone, count};

use crate::ed25519::{generate, new_key};
use crate::{TOKEN, assert_shows, faulty, faulty_config, pin};

const SECRET: &str = "AGE-SECRET-KEY-1STORAGE";
/// AES-GCM and ECDH, each as modules fail in it.
const NO_AES: [&str; 6] = [
    // NSS announces 16 bytes too few.
    "on C_Encrypt all return CKR_BUFFER_TOO_SMALL",
    "on C_EncryptInit all return CKR_MECHANISM_PARAM_INVALID",
    "on C_GenerateKey all return CKR_GENERAL_ERROR",
    "on C_GenerateKey all return CKR_DEVICE_ERROR",
    // A token that chooses the nonce itself.
    "on C_Decrypt all return CKR_ENCRYPTED_DATA_INVALID",
    // ykcs11 and OpenSC's OpenPGP want the security officer.
    "on C_GenerateKey all return CKR_USER_NOT_LOGGED_IN",
];
const NO_ECDH: [&str; 6] = [
    "on C_DeriveKey all return CKR_TEMPLATE_INCONSISTENT",
    "on C_DeriveKey all return CKR_FUNCTION_FAILED",
    "on C_GenerateKeyPair all return CKR_USER_NOT_LOGGED_IN",
    "on C_GenerateKeyPair all return CKR_FUNCTION_NOT_SUPPORTED",
    "on C_GenerateKeyPair all after CKR_DEVICE_ERROR",
    "hide CKA_VALUE",
];

/// With scrypt work that tests can afford.
fn store_in(directory: &Path) -> IdentityStore {
    let config = Config::parse(FAST).unwrap().identity.age;
    IdentityStore::new(directory.join("icn")).with_age_config(config)
}

fn secret() -> LockedText {
    LockedText::from(SECRET)
}

#[test]
fn after_every_failure_of_aes_gcm_the_token_keeps_a_storage_key_by_ecdh() {
    alone(|hsm| {
        hsm.token(TOKEN);
        let backend = faulty(hsm);
        let (key, _) = generate(&backend);
        for fault in NO_AES {
            hsm.script(fault);
            let wrapped = backend.wrap(key.did(), &secret(), &pin()).unwrap().unwrap();
            assert!(matches!(wrapped, WrappedKey::Ecdh(_)), "{fault}");
            let opened = backend.unwrap(key.did(), &wrapped, &pin()).unwrap();
            assert_eq!(opened.expose_secret(), SECRET, "{fault}");
            assert!(!hsm.objects(TOKEN).contains("Secret Key Object"), "{fault}");
        }
    });
}

#[test]
fn after_every_failure_of_both_ways_nothing_is_left_and_a_passphrase_does_it() {
    alone(|hsm| {
        hsm.token(TOKEN);
        let backend = faulty(hsm);
        let (key, _) = generate(&backend);
        let before = hsm.objects(TOKEN);
        for (aes, ecdh) in NO_AES.into_iter().zip(NO_ECDH) {
            hsm.script(&format!("{aes}\n{ecdh}"));
            let wrapped = backend.wrap(key.did(), &secret(), &pin()).unwrap();
            assert_eq!(wrapped, None, "{aes}\n{ecdh}");
            assert_eq!(hsm.objects(TOKEN), before, "{aes}\n{ecdh}");
        }
        drop(key);
        // A new identity on such a token.
        let home = tempfile::tempdir().unwrap();
        let store = store_in(home.path());
        let request = new_key().with_label(Some("second".into()));
        hsm.script("on C_Encrypt all return CKR_BUFFER_TOO_SMALL\nhide CKA_VALUE");
        let error = store.create(&backend, &request, &pin()).unwrap_err();
        assert_shows(error, &["cannot keep the storage key", "a passphrase is needed"]);
        assert_eq!(hsm.objects(TOKEN), before, "the key is gone again");
        let both = pin().and_passphrase(Passphrase::new("a passphrase"));
        store.create(&backend, &request, &both).unwrap();
        let header = store.header().unwrap();
        assert!(serde_json::to_string(header.storage()).unwrap().contains("passphrase"));
    });
}

/// That it was lost says nothing of what it can do.
#[test]
fn a_token_lost_in_an_attempt_is_an_error_and_the_next_way_is_not_tried() {
    alone(|hsm| {
        hsm.token(TOKEN);
        let backend = faulty(hsm);
        let (key, _) = generate(&backend);
        let before = hsm.objects(TOKEN);
        for (fault, said) in [
            ("on C_Encrypt all return CKR_DEVICE_REMOVED", "CKR_DEVICE_REMOVED"),
            ("on C_GenerateKey all return CKR_TOKEN_NOT_PRESENT", "CKR_TOKEN_NOT_PRESENT"),
            ("on C_EncryptInit all return CKR_SESSION_HANDLE_INVALID", "CKR_SESSION_HANDLE"),
        ] {
            hsm.script(fault);
            let (wrapped, calls) = hsm.calls(|| backend.wrap(key.did(), &secret(), &pin()));
            assert_shows(wrapped.unwrap_err(), &[said]);
            assert_eq!(count(&calls, "C_GenerateKeyPair"), 0, "{fault}");
            assert_eq!(hsm.objects(TOKEN), before, "{fault}");
        }
        // The login is gone, whatever the answer is called.
        hsm.script("on C_EncryptInit 1 logout");
        let (wrapped, calls) = hsm.calls(|| backend.wrap(key.did(), &secret(), &pin()));
        assert!(wrapped.is_err());
        assert_eq!(count(&calls, "C_GenerateKeyPair"), 0);
    });
}

/// ykcs11, OpenSC's PIV and OpenPGP, and TROPIC01: the id of a new key is the number of a slot.
const CARDS: [&str; 4] = [
    "manufacturer Yubico_(www.yubico.com)\nmodel YubiKey_YK5\nlibrary Yubico_(www.yubico.com)",
    "manufacturer piv_II\nmodel PKCS#15_emulated\nlibrary OpenSC_Project",
    "manufacturer OpenPGP_project\nmodel PKCS#15_emulated\nlibrary PKCS#11_Kit",
    "hardware\nmanufacturer TropicSquare\nmodel TR01-C2P-T101\nlibrary TropicSquare",
];

#[test]
fn on_a_card_with_slots_no_key_is_made_unless_the_operator_allows_it() {
    alone(|hsm| {
        hsm.token(TOKEN);
        let (key, locator) = generate(&faulty(hsm));
        let did = key.did().clone();
        drop(key);
        let at = icn_identity::backend::Locator::Pkcs11(locator);
        let both = || pin().and_passphrase(Passphrase::new("a passphrase"));
        for card in CARDS {
            hsm.script(card);
            let backend = faulty(hsm);
            assert!(!backend.makes_storage_keys(), "{card}");
            let home = tempfile::tempdir().unwrap();
            let store = store_in(home.path());
            let logins = hsm.count("C_Login");
            // Told before the PIN is sent.
            let error = store.adopt(&backend, &at, &did, &pin()).unwrap_err();
            assert_shows(error, &["a passphrase is needed"]);
            let error: Error = store.create(&backend, &new_key(), &both()).unwrap_err();
            assert_shows(error, &["may take the place of one that is there", "make_keys_in_slots"]);
            assert_eq!(hsm.count("C_Login"), logins, "{card}");
            // Its key works, and nothing is made beside it.
            let (adopted, calls) = hsm.calls(|| store.adopt(&backend, &at, &did, &both()));
            drop(adopted.unwrap());
            for made in ["C_GenerateKey", "C_GenerateKeyPair", "C_CreateObject"] {
                assert_eq!(count(&calls, made), 0, "{card}");
            }

            let allowed = faulty_config(hsm).with_make_keys_in_slots(true);
            let allowed = icn_identity::backend::pkcs11::Pkcs11Backend::open(&allowed).unwrap();
            let home = tempfile::tempdir().unwrap();
            let store = store_in(home.path());
            drop(store.adopt(&allowed, &at, &did, &pin()).unwrap());
            // What was made when it was allowed is used when it is not.
            let opened = store.open(&backend, Pinned::Nobody, &pin());
            drop(opened.unwrap());
        }
    });
}
