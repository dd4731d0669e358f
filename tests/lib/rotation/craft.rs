//! The format, written down once more, from `docs/rotation.md`: what a forger
//! would have. Nothing of the crate but keys that sign bytes.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use icn_identity::{DidSigner, Key, Signature, Software, Unlocked};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::NEW_YEAR;

/// Names are sorted, and there is nothing to be escaped: as RFC 8785 wants it.
pub(crate) fn canonical(value: &Value) -> Vec<u8> {
    value.to_string().into_bytes()
}

pub(crate) fn sha256(statement: &Value) -> String {
    hex(&Sha256::digest(canonical(statement)))
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A statement between two software keys.
pub(crate) fn body(old: &dyn DidSigner, new: &dyn DidSigner, previous: Option<&Value>) -> Value {
    let key = |signer: &dyn DidSigner| json!({ "did": signer.did(), "provenance": "software", "assurance": "none" });
    let mut body = json!({
        "type": "icn-identity/rotation",
        "version": 1,
        "sequence": 1,
        "time": NEW_YEAR,
        "reason": "scheduled",
        "old": key(old),
        "new": key(new),
    });
    if let Some(previous) = previous {
        body["sequence"] = (previous["sequence"].as_u64().unwrap() + 1).into();
        body["previous_sha256"] = sha256(previous).into();
    }
    body
}

/// The bytes that one of the keys signs.
pub(crate) fn message(role: &str, body: &Value) -> Vec<u8> {
    let signed = json!({ "role": role, "statement": body });
    [b"icn-identity/rotation/v1\0", &canonical(&signed)[..]].concat()
}

/// Signs whatever it is given, as a signer written elsewhere does.
pub(crate) fn by_hand(key: &Key<Software, Unlocked>, message: &[u8]) -> Signature {
    let signing = ed25519_dalek::SigningKey::from_bytes(key.expose_secret());
    let signature = ed25519_dalek::Signer::sign(&signing, message);
    Signature::from_ed25519_bytes(signature.to_bytes())
}

pub(crate) fn signature(signer: &Key<Software, Unlocked>, message: &[u8]) -> String {
    STANDARD.encode(by_hand(signer, message).as_bytes())
}

pub(crate) fn signed(
    body: &Value,
    old: &Key<Software, Unlocked>,
    new: &Key<Software, Unlocked>,
) -> Value {
    json!({
        "statement": body,
        "signatures": {
            "old": signature(old, &message("old", body)),
            "new": signature(new, &message("new", body)),
        },
    })
}

/// The names of every leaf and every object, as JSON pointers.
pub(crate) fn pointers(value: &Value) -> Vec<String> {
    let Value::Object(fields) = value else { return Vec::new() };
    let mut all = Vec::new();
    for (name, below) in fields {
        all.push(format!("/{name}"));
        all.extend(pointers(below).into_iter().map(|rest| format!("/{name}{rest}")));
    }
    all
}
