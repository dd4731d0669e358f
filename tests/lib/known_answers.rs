//! Known answers, by the public API. Those for X25519, for proofs of DID documents, for age
//! files and for ECDSA in DER are beside what they are about.

mod cctv;
mod rfc;
mod wycheproof;

use icn_identity::algorithm::Ed25519VerifyingKey;
use icn_identity::{AlgorithmId, Signature, VerifyingKey};

fn bytes(hex: &str) -> Vec<u8> {
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
}

/// Whether a signature verifies, from its bytes and those of the key.
fn verifies(algorithm: AlgorithmId, key: &[u8], message: &[u8], signature: &[u8]) -> bool {
    let Ok(key) = VerifyingKey::from_bytes(algorithm, key) else { return false };
    let Ok(signature) = Signature::from_slice(algorithm, signature) else { return false };
    let verified = key.verify(message, &signature).is_ok();
    if algorithm == AlgorithmId::Ed25519 {
        assert_eq!(key.verify_strict(message, &signature).is_ok(), verified, "it is always strict");
    }
    verified
}

fn ed25519(key: &str) -> Result<Ed25519VerifyingKey, icn_identity::algorithm::InvalidVerifyingKey> {
    Ed25519VerifyingKey::from_bytes(&bytes(key).try_into().unwrap())
}
