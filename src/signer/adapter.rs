//! RustCrypto's `signature` traits, by an adapter.
//!
//! Not implemented on the key itself: `sign` would be ambiguous there, and
//! `signature::Signer::sign` panics when a device fails.

use signature::{Keypair, Signer, Verifier};

use super::{DidSigner, refuse_reserved};
use crate::algorithm::{AlgorithmId, Signature, VerifyingKey};

/// Borrows a signer for code that wants `signature::Signer`.
///
/// Use `try_sign`: the trait's `sign` panics when the device fails, and on a message that
/// begins like a statement of this crate, which is refused whoever the signer is.
#[derive(Debug)]
pub struct AsSigner<'a, S: ?Sized>(&'a S);

impl<'a, S: DidSigner + ?Sized> AsSigner<'a, S> {
    /// Borrows `signer`.
    pub const fn new(signer: &'a S) -> Self {
        Self(signer)
    }
}

impl<S: DidSigner + ?Sized> Signer<ed25519_dalek::Signature> for AsSigner<'_, S> {
    fn try_sign(&self, message: &[u8]) -> Result<ed25519_dalek::Signature, signature::Error> {
        let signature = self.signed(message, AlgorithmId::Ed25519)?;
        Ok(ed25519_dalek::Signature::from_bytes(signature.as_bytes()))
    }
}

impl<S: DidSigner + ?Sized> Signer<p256::ecdsa::Signature> for AsSigner<'_, S> {
    fn try_sign(&self, message: &[u8]) -> Result<p256::ecdsa::Signature, signature::Error> {
        let signature = self.signed(message, AlgorithmId::P256)?;
        p256::ecdsa::Signature::from_slice(signature.as_bytes())
    }
}

impl<S: DidSigner + ?Sized> AsSigner<'_, S> {
    fn signed(&self, message: &[u8], wanted: AlgorithmId) -> Result<Signature, signature::Error> {
        if self.0.verifying_key().algorithm() != wanted {
            return Err(signature::Error::new());
        }
        refuse_reserved(message)
            .and_then(|()| self.0.sign(message))
            .map_err(signature::Error::from_source)
    }
}

impl<S: DidSigner + ?Sized> Keypair for AsSigner<'_, S> {
    type VerifyingKey = VerifyingKey;
    fn verifying_key(&self) -> VerifyingKey {
        *self.0.verifying_key()
    }
}

impl Verifier<ed25519_dalek::Signature> for VerifyingKey {
    fn verify(
        &self,
        message: &[u8],
        signature: &ed25519_dalek::Signature,
    ) -> Result<(), signature::Error> {
        let signature = Signature::from_ed25519_bytes(signature.to_bytes());
        Self::verify(self, message, &signature).map_err(|_| signature::Error::new())
    }
}

impl Verifier<p256::ecdsa::Signature> for VerifyingKey {
    fn verify(
        &self,
        message: &[u8],
        signature: &p256::ecdsa::Signature,
    ) -> Result<(), signature::Error> {
        let signature = Signature::from_p256_bytes(signature.to_bytes().into());
        Self::verify(self, message, &signature).map_err(|_| signature::Error::new())
    }
}
