//! RustCrypto's `signature` traits, by an adapter.
//!
//! Not implemented on the key itself: `sign` would be ambiguous there, and
//! `signature::Signer::sign` panics when a device fails.

use signature::{Keypair, Signer};

use crate::signer::DidSigner;

/// Borrows a signer for code that wants `signature::Signer`.
///
/// Use `try_sign`: the trait's `sign` panics when the device fails.
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
        let signature = self.0.sign(message).map_err(signature::Error::from_source)?;
        Ok(ed25519_dalek::Signature::from_bytes(signature.as_bytes()))
    }
}

impl<S: DidSigner + ?Sized> Keypair for AsSigner<'_, S> {
    type VerifyingKey = ed25519_dalek::VerifyingKey;
    fn verifying_key(&self) -> ed25519_dalek::VerifyingKey {
        let crate::VerifyingKey::Ed25519(key) = self.0.verifying_key();
        key.0
    }
}
