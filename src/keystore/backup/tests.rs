//! What a key that signs whatever it is given could have signed.

use serde_json::{Value, json};

use super::*;
use crate::backend::{AgeKeyStore, Backend as _, NewKey};
use crate::config::AgeConfig;
use crate::did::DidMethod;
use crate::keystore::{Credentials, IdentityStore, Pinned};
use crate::rotation::{RotationReason, RotationStatement, RotationTerms};
use crate::secret::Passphrase;
use crate::signer::sign_statement;

const KEY: &str = "AGE-SECRET-KEY-1GQ9778VQXMMJVE8SK7J6VT8UJ4HDQAJUVSFCWCM02D8GEWQ72PVQ2Y5J33";
const RECIPIENT: &str = "age1t7rxyev2z3rw82stdlrrepyc39nvn86l5078zqkf5uasdy86jp6svpy7pa";

/// A genuine backup's JSON, and the key that has signed it.
fn genuine() -> (Value, Key<Software, Unlocked>) {
    let dir = tempfile::tempdir().unwrap();
    let config = AgeConfig { work_factor: 10, ..AgeConfig::default() };
    let backend = AgeKeyStore::with_config(dir.path().join("home"), &config);
    let store = IdentityStore::new(backend.home()).with_age_config(config);
    let credentials = Credentials::passphrase(Passphrase::new("of a test"));
    let made = store.create(&backend, &NewKey::new(DidMethod::Icn), &credentials).unwrap();
    let request = BackupRequest::new(vec![RECIPIENT.parse().unwrap()]).unwrap();
    let backup = store.backup(&backend, Pinned::Nobody, &credentials, &request).unwrap();
    assert_eq!((&backup.did, backend.kind()), (made.did(), BackendKind::Age));
    let file = dir.path().join("key");
    file::write(&file, KEY.as_bytes()).unwrap();
    let json = RecoveryKeys::read(&file).unwrap().decrypt(&backup.file).unwrap();
    let seed = made.into_static::<Software>().unwrap().into_signer();
    (serde_json::from_slice(&json).unwrap(), seed)
}

/// The same, as it was written.
#[cfg(all(feature = "audit", feature = "client", feature = "pkcs11", feature = "tpm"))]
pub(in crate::keystore) fn made_up() -> Vec<u8> {
    let (json, key) = genuine();
    signed(json, &key).to_vec()
}

/// Opens these contents, signed by this key.
fn open(json: Value, key: &Key<Software, Unlocked>) -> Result<Backup, BackupError> {
    Backup::from_json(&signed(json, key))
}

fn signed(mut json: Value, key: &Key<Software, Unlocked>) -> Zeroizing<Vec<u8>> {
    let contents = json["contents"].to_string();
    let signature = sign_statement(&key, &statement(key.did(), &contents)).unwrap();
    json["signature"] = crate::encoding::base64::encode(signature.as_bytes()).into();
    // Written as it was signed.
    let text = json.to_string();
    assert!(text.contains(&contents));
    Zeroizing::new(text.into_bytes())
}

#[test]
fn signed_anew_a_genuine_backup_opens() {
    let (json, key) = genuine();
    let backup = open(json, &key).unwrap();
    backup.is_of(key.did()).unwrap();
    assert!(!format!("{backup:?}").contains("seed"));
}

#[test]
fn parts_that_do_not_belong_together_are_refused_although_they_are_signed() {
    let (mine, key) = genuine();
    let (mut other, theirs) = genuine();
    let terms = RotationTerms::new(RotationReason::Manual);
    let older = Key::<Software, Unlocked>::generate().unwrap();
    let theirs = RotationStatement::sign_unguarded(&older, &theirs, None, &terms).unwrap();
    other["contents"]["payload"]["rotation_chain"] = json!([theirs]);
    for (part, what) in [
        ("/header", "header"),
        ("/payload", "payload"),
        ("/payload/seed", "key"),
        ("/payload/x25519_secret", "binding"),
        ("/payload/tls", "binding"),
        ("/payload/tls/private_key", "binding"),
        ("/payload/binding", "binding"),
        ("/payload/did_document", "binding"),
        ("/payload/rotation_chain", "rotation chain"),
        ("/header/x25519_public", "X25519 key"),
    ] {
        let mut mixed = mine.clone();
        let path = format!("/contents{part}");
        *mixed.pointer_mut(&path).unwrap() = other.pointer(&path).unwrap().clone();
        match open(mixed, &key) {
            Err(BackupError::Inconsistent { what: found, did, .. }) => {
                assert_eq!((found, &did), (what, key.did()), "{part}");
            }
            other => panic!("{part}: {other:?}"),
        }
    }
    // A key where none belongs, and none where one does.
    let mut without = mine.clone();
    without["contents"]["payload"].as_object_mut().unwrap().remove("seed");
    assert!(matches!(open(without, &key), Err(BackupError::Inconsistent { what: "key", .. })));
}

/// A module in it would be loaded by whoever looks at the tokens of the restored home.
#[test]
fn what_a_backup_says_of_other_backends_is_left_out() {
    let (mine, key) = genuine();
    let ours = "[identity]\nbackend = \"age\"\n\n[identity.age]\nwork_factor = 11\n";
    let others = "\n[identity.pkcs11]\nmodule = \"/tmp/theirs.so\"\ninit_args = \"x\"\n\
                  \n[identity.tpm]\ndevice_path = \"swtpm:host=192.0.2.1,port=1\"\n\
                  approver = \"/tmp/theirs.pem\"\n\n[other]\nlibrary = \"/tmp/theirs.so\"\n";
    let inline = "identity = { backend = \"age\", pkcs11 = { module = \"/tmp/theirs.so\" } }\n";
    let dotted = "identity.backend = \"age\"\nidentity.pkcs11.module = \"/tmp/theirs.so\"\n";
    for config in [format!("{ours}{others}"), inline.into(), dotted.into()] {
        let mut json = mine.clone();
        json["contents"]["config"] = config.clone().into();
        let backup = open(json, &key).unwrap();
        let kept = backup.config().unwrap();
        assert!(kept.contains("backend = \"age\"") && !kept.contains("theirs"), "{kept}");
        assert!(!kept.contains("192.0.2.1") && !kept.contains("other"), "{kept}");
        let parsed = config::Config::parse(kept).unwrap().identity;
        assert_eq!((parsed.pkcs11, parsed.tpm), (None, None));
        // Nor is it put into one.
        let made = config::for_backup(&config, BackendKind::Age).unwrap();
        assert_eq!(made, kept);
        let token = config::for_backup(&config, BackendKind::Pkcs11).unwrap();
        assert!(token.contains("/tmp/theirs.so") && !token.contains("192.0.2.1"), "{token}");
    }
}

#[test]
fn a_backup_is_objects_only() {
    let (mine, key) = genuine();
    let signed = signed(mine.clone(), &key);
    let whole: Value = serde_json::from_slice(&signed).unwrap();
    let fields = |object: &Value, names: &[&str]| -> Value {
        names.iter().map(|name| object.get(name).cloned().unwrap_or_default()).collect()
    };
    let not_a_backup = |json: &[u8]| {
        let error = Backup::from_json(&Zeroizing::new(json.to_vec())).unwrap_err();
        assert!(matches!(error, BackupError::NotABackup { .. }), "{error:?}");
    };
    let envelope = fields(&whole, &["format", "version", "signature", "contents"]);
    not_a_backup(envelope.to_string().as_bytes());
    let names = ["did", "created", "contains", "does_not_contain", "header", "payload"];
    let mut array = mine.clone();
    array["contents"] = fields(
        &mine["contents"],
        &[&names[..], &["config", "tpm_approvals", "handed_over", "given_up"]].concat(),
    );
    assert!(matches!(open(array, &key), Err(BackupError::NotABackup { .. })));
    let twice = String::from_utf8(signed.to_vec()).unwrap().replacen('{', "{\"version\":1,", 1);
    not_a_backup(twice.as_bytes());
}

#[test]
fn nothing_is_taken_that_is_not_understood() {
    let (mine, key) = genuine();
    for (part, value) in [
        ("/contents/more", json!(1)),
        ("/contents/header/more", json!(1)),
        ("/contents/payload/version", json!(6)),
        ("/contents/payload/version", json!(4)),
        ("/contents/header/version", json!(2)),
        ("/contents/payload/seed", json!("AAAA")),
        ("/contents/did", json!("did:web:example.org")),
        ("/version", json!(2)),
        ("/format", json!("icn-identity-header")),
    ] {
        let mut changed = mine.clone();
        let (parent, name) = part.rsplit_once('/').unwrap();
        changed.pointer_mut(parent).unwrap()[name] = value;
        let error = open(changed, &key).unwrap_err();
        assert!(matches!(error, BackupError::NotABackup { .. }), "{part}: {error:?}");
    }
}
