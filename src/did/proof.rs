//! Data Integrity proofs over canonical JSON: `eddsa-jcs-2022` (VC Data
//! Integrity EdDSA Cryptosuites v1.0, section 3.3) and, for P-256,
//! `ecdsa-jcs-2019` (ECDSA Cryptosuites v1.0, section 3.3).
//!
//! What is signed is 64 bytes: SHA-256 of the canonical proof options, then
//! SHA-256 of the canonical document without its proof (RFC 8785). No prefix
//! tells them from other bytes, so whoever may let the key sign bytes of his
//! choice can make such a proof of anything.

use serde::Serialize;
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};

use crate::algorithm::{AlgorithmId, Signature, VerifyingKey};

/// The cryptosuite for keys of an algorithm.
pub(super) const fn cryptosuite(algorithm: AlgorithmId) -> &'static str {
    match algorithm {
        AlgorithmId::Ed25519 => "eddsa-jcs-2022",
        AlgorithmId::P256 => "ecdsa-jcs-2019",
    }
}

/// The 64 bytes that are signed.
pub(super) fn hash_data(
    options: &impl Serialize,
    document: &impl Serialize,
) -> serde_json::Result<[u8; 64]> {
    let digest = |json: Vec<u8>| <[u8; 32]>::from(Sha256::digest(json));
    let options = digest(serde_json_canonicalizer::to_vec(options)?);
    let document = digest(serde_json_canonicalizer::to_vec(document)?);
    let mut hash_data = [0; 64];
    for (place, byte) in hash_data.iter_mut().zip(options.into_iter().chain(document)) {
        *place = byte;
    }
    Ok(hash_data)
}

/// Verifies the one proof of a document, as the cryptosuites have it. Whose
/// key it is, and what for, the caller knows.
pub(super) fn verify(secured: &Map<String, Value>, key: &VerifyingKey) -> bool {
    let mut unsecured = secured.clone();
    let Some(Value::Object(mut options)) = unsecured.remove("proof") else { return false };
    let Some(signature) = options.remove("proofValue") else { return false };
    let Some(signature) = signature.as_str().and_then(decode_signature) else { return false };
    let is = |name: &str, value: &str| options.get(name).and_then(Value::as_str) == Some(value);
    if !is("type", "DataIntegrityProof")
        || !is("cryptosuite", cryptosuite(key.algorithm()))
        || !is("proofPurpose", "assertionMethod")
    {
        return false;
    }
    if let Some(context) = options.get("@context") {
        if !starts_with(secured.get("@context"), context) {
            return false;
        }
        unsecured.insert("@context".into(), context.clone());
    }
    let Ok(message) = hash_data(&options, &unsecured) else { return false };
    let signature = Signature::from_bytes(key.algorithm(), signature);
    key.verify(&message, &signature).is_ok()
}

/// Whether a document's `@context` begins with all of a proof's, in order.
fn starts_with(document: Option<&Value>, proof: &Value) -> bool {
    let list = |value: &Value| match value {
        Value::Array(list) => list.clone(),
        one => vec![one.clone()],
    };
    document.is_some_and(|document| list(document).starts_with(&list(proof)))
}

/// base58btc with its `z`.
pub(super) fn encode_signature(signature: &[u8; 64]) -> String {
    format!("z{}", bs58::encode(signature).into_string())
}

pub(super) fn decode_signature(text: &str) -> Option<[u8; 64]> {
    // Much longer than any; decoding takes time that grows by the square.
    let text = text.strip_prefix('z').filter(|text| text.len() < 128)?;
    bs58::decode(text).into_vec().ok()?.try_into().ok()
}

#[cfg(test)]
#[path = "proof/tests.rs"]
mod tests;
