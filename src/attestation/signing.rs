//! The bytes that the DID's key signs.

use super::Attestation;
use crate::algorithm::{BadSignature, Signature};
use crate::did::Did;
use crate::statement::{Purpose, Statement};

/// What an answer is about, whatever the evidence: who, for whom, to which nonce, when.
fn core(did: &Did, audience: &str, nonce: &[u8; 32], created: u64) -> Statement {
    Statement::new(Purpose::Attestation)
        .field(did.as_str().as_bytes())
        .field(audience.as_bytes())
        .raw(nonce)
        .number(created)
}

impl Attestation {
    pub(super) fn signed_bytes(&self) -> Vec<u8> {
        core(&self.did, &self.audience, &self.nonce, self.created)
            .raw(&self.evidence.sha256())
            .into_bytes()
    }

    /// That whoever made it has the DID's key.
    pub(super) fn check_signature(&self) -> Result<(), BadSignature> {
        let key = self.did.verifying_key();
        let signature = Signature::from_bytes(key.algorithm(), self.signature);
        key.verify_strict(&self.signed_bytes(), &signature)
    }
}
