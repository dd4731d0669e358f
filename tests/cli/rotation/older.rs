//! Identities as older versions of this program wrote them.

use age::secrecy::SecretString;
use age::{Encryptor, scrypt};
use std::io::Write as _;

use super::*;

/// Changes the payload as its owner could.
pub(crate) fn edit_payload(home: &Home, passphrase: &str, edit: impl FnOnce(&mut Value)) {
    let passphrase = || SecretString::from(passphrase.to_owned());
    let file = std::fs::read(home.path("identity.age")).unwrap();
    let text = age::decrypt(&scrypt::Identity::new(passphrase()), &file).unwrap();
    let mut payload: Value = serde_json::from_slice(&text).unwrap();
    edit(&mut payload);
    let mut recipient = scrypt::Recipient::new(passphrase());
    recipient.set_work_factor(10);
    let recipients = std::iter::once::<&dyn age::Recipient>(&recipient);
    let mut file = Vec::new();
    let mut writer =
        Encryptor::with_recipients(recipients).unwrap().wrap_output(&mut file).unwrap();
    writer.write_all(payload.to_string().as_bytes()).unwrap();
    writer.finish().unwrap();
    std::fs::write(home.path("identity.age"), file).unwrap();
}

/// Renewed whatever the time: it has no DID document yet.
#[test]
fn an_old_identity_without_a_did_document_is_not_changed_and_keeps_its_time() {
    let (old, new) = (identity(PASSPHRASE), identity(OTHER));
    let mut header: Value = serde_json::from_str(&old.read("identity.json")).unwrap();
    header.as_object_mut().unwrap().remove("did_document");
    old.write("identity.json", &header.to_string());
    let digest = <sha2::Sha256 as sha2::Digest>::digest(header.to_string());
    let hash: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    edit_payload(&old, PASSPHRASE, |payload| {
        payload.as_object_mut().unwrap().remove("did_document");
        payload["header_sha256"] = hash.into();
    });

    let before = files(&old);
    rotated(&old, &new, &[]);
    assert_eq!(files(&old), before);
    // Any other command renews it, and with the present time.
    old.ok(&["sign"], b"hello");
    let header: Value = serde_json::from_str(&old.read("identity.json")).unwrap();
    let created = &header["did_document"]["icnKeyAgreement"]["created"];
    assert!(created.as_u64().unwrap() > 1_700_000_000, "{created}");
}
