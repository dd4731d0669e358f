//! The bytes that the DID's key signs.

use sha2::{Digest as _, Sha256};

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

/// What a TPM is given to sign with its statement: 32 bytes, as a TPM takes 34 at most.
pub(super) fn qualifying_data(
    did: &Did,
    audience: &str,
    nonce: &[u8; 32],
    created: u64,
) -> [u8; 32] {
    Sha256::digest(core(did, audience, nonce, created).into_bytes()).into()
}

impl Attestation {
    pub(super) fn qualifying_data(&self) -> [u8; 32] {
        qualifying_data(&self.did, &self.audience, &self.nonce, self.created)
    }

    /// Of all that is in it, the signature too.
    pub(super) fn sha256(&self) -> [u8; 32] {
        Sha256::new()
            .chain_update(self.signed_bytes())
            .chain_update(self.signature)
            .finalize()
            .into()
    }

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
