//! Signatures: 64 bytes, tagged with their algorithm.

use std::fmt;

use super::AlgorithmId;
use crate::encoding::hex;
use crate::kind::{ErrorKind, explain};

/// A signature: 64 bytes, tagged with its algorithm.
///
/// Ed25519: `R ‖ S` (RFC 8032, section 5.1.6). P-256: `r ‖ s`, each 32 bytes,
/// big-endian (IEEE P1363), as in JWS ES256 (RFC 7518, section 3.4).
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Signature {
    algorithm: AlgorithmId,
    bytes: [u8; 64],
}

impl Signature {
    /// Tags 64 bytes as an Ed25519 signature; nothing is verified here.
    #[must_use]
    pub const fn from_ed25519_bytes(bytes: [u8; 64]) -> Self {
        Self::from_bytes(AlgorithmId::Ed25519, bytes)
    }

    /// Tags 64 bytes, `r ‖ s`, as a P-256 signature; nothing is verified here.
    #[must_use]
    pub const fn from_p256_bytes(bytes: [u8; 64]) -> Self {
        Self::from_bytes(AlgorithmId::P256, bytes)
    }

    /// Tags 64 bytes as a signature of an algorithm; nothing is verified here.
    #[must_use]
    pub const fn from_bytes(algorithm: AlgorithmId, bytes: [u8; 64]) -> Self {
        Self { algorithm, bytes }
    }

    /// Tags bytes of any length as a signature of an algorithm; also by
    /// `Signature::try_from((algorithm, bytes))`. Of bytes alone there is none: nothing
    /// in them says which algorithm made them.
    ///
    /// # Errors
    ///
    /// [`BadSignature`] unless there are 64: others verify under no key.
    pub fn from_slice(algorithm: AlgorithmId, bytes: &[u8]) -> Result<Self, BadSignature> {
        let bytes = bytes.try_into().map_err(|_| BadSignature(()))?;
        Ok(Self::from_bytes(algorithm, bytes))
    }

    /// The algorithm that made it.
    #[must_use]
    pub const fn algorithm(&self) -> AlgorithmId {
        self.algorithm
    }

    /// The 64 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 64] {
        &self.bytes
    }

    /// Whether no other `s` would do: true of every Ed25519 signature that
    /// verifies, and of the lower of two for P-256.
    pub(super) fn is_low_s(&self) -> bool {
        self.to_low_s().is_ok_and(|low| low == *self)
    }

    /// The lower of the two signatures that are valid for P-256; others are
    /// left as they are. Devices give either.
    ///
    /// # Errors
    ///
    /// [`BadSignature`] if `r` or `s` is zero or not below the group's order.
    pub(crate) fn to_low_s(self) -> Result<Self, BadSignature> {
        match self.algorithm {
            AlgorithmId::Ed25519 => Ok(self),
            AlgorithmId::P256 => {
                let signature = p256::ecdsa::Signature::from_slice(&self.bytes)
                    .map_err(|_| BadSignature(()))?;
                Ok(Self::from_p256_bytes(signature.normalize_s().to_bytes().into()))
            }
        }
    }
}

impl TryFrom<(AlgorithmId, &[u8])> for Signature {
    type Error = BadSignature;
    fn try_from((algorithm, bytes): (AlgorithmId, &[u8])) -> Result<Self, BadSignature> {
        Self::from_slice(algorithm, bytes)
    }
}

impl AsRef<[u8]> for Signature {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl fmt::Debug for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Signature({}, ", self.algorithm)?;
        hex::write(f, &self.bytes)?;
        write!(f, ")")
    }
}

/// The signature does not verify. Opaque on purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the signature does not verify under this key")]
pub struct BadSignature(pub(super) ());

explain!(BadSignature);

impl BadSignature {
    /// What it means for the program.
    #[must_use]
    pub const fn kind(&self) -> ErrorKind {
        ErrorKind::Untrusted
    }

    /// What to try next.
    #[must_use]
    pub fn help(&self) -> Option<String> {
        Some(
            "compare message, context and key with those that were signed; if they are the same, \
             the signature is somebody else's"
                .into(),
        )
    }

    pub(crate) const fn new() -> Self {
        Self(())
    }
}
