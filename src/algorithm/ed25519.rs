//! Ed25519 public keys.

use std::cmp::Ordering;
use std::fmt;

use super::{BadSignature, InvalidVerifyingKey};
use crate::encoding::hex;

/// An Ed25519 public key: on the curve, canonically encoded, not of small
/// order.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Ed25519VerifyingKey(pub(crate) ed25519_dalek::VerifyingKey);

impl Ed25519VerifyingKey {
    /// Reads the 32-byte encoding of RFC 8032, section 5.1.5.
    ///
    /// # Errors
    ///
    /// [`InvalidVerifyingKey`] says which check failed.
    pub fn from_bytes(bytes: &[u8; 32]) -> Result<Self, InvalidVerifyingKey> {
        let key = ed25519_dalek::VerifyingKey::from_bytes(bytes)
            .map_err(|_| InvalidVerifyingKey::NotOnCurve)?;
        // `from_bytes` reduces y modulo p and keeps the bytes it was given.
        if key.to_edwards().compress().as_bytes() != bytes {
            return Err(InvalidVerifyingKey::NotCanonical);
        }
        if key.is_weak() {
            return Err(InvalidVerifyingKey::SmallOrder);
        }
        Ok(Self(key))
    }

    /// The 32-byte encoding of RFC 8032, section 5.1.5.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 32] {
        self.0.as_bytes()
    }

    pub(super) fn verify(&self, message: &[u8], signature: &[u8; 64]) -> Result<(), BadSignature> {
        self.0
            .verify_strict(message, &ed25519_dalek::Signature::from_bytes(signature))
            .map_err(|_| BadSignature(()))
    }
}

/// By [`Self::as_bytes`].
impl Ord for Ed25519VerifyingKey {
    fn cmp(&self, other: &Self) -> Ordering {
        self.as_bytes().cmp(other.as_bytes())
    }
}
impl PartialOrd for Ed25519VerifyingKey {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Debug for Ed25519VerifyingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Ed25519VerifyingKey(")?;
        hex::write(f, self.as_bytes())?;
        write!(f, ")")
    }
}
