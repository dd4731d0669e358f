//! Algorithms, public keys and signatures.

mod ed25519;
mod p256;
mod public;
mod signature;
mod x25519;

use std::fmt;

pub use self::ed25519::Ed25519VerifyingKey;
pub use self::p256::P256VerifyingKey;
pub use self::signature::{BadSignature, Signature};
pub use self::x25519::X25519PublicKey;
use crate::encoding::named;
use crate::kind::{ErrorKind, explain};
use crate::private::Closed;

/// A signature algorithm, as a type.
///
/// # Sealed
///
/// Implemented by [`Ed25519`] and [`P256`].
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a signature algorithm of this crate",
    label = "expected `Ed25519` or `P256`",
    note = "leave the parameter out: `Key<P, S>` is `Key<P, S, Ed25519>`"
)]
pub trait Algorithm: Closed + Send + Sync + 'static {
    /// The same algorithm as a value.
    const ID: AlgorithmId;
}

/// Pure Ed25519 (RFC 8032, section 5.1).
#[derive(Debug)]
#[non_exhaustive]
pub enum Ed25519 {}

/// ECDSA on NIST P-256 over SHA-256 (FIPS 186-5, section 6), for devices that
/// hold no Ed25519 keys: every TPM, and several HSMs.
#[derive(Debug)]
#[non_exhaustive]
pub enum P256 {}

impl Closed for Ed25519 {}
impl Algorithm for Ed25519 {
    const ID: AlgorithmId = AlgorithmId::Ed25519;
}
impl Closed for P256 {}
impl Algorithm for P256 {
    const ID: AlgorithmId = AlgorithmId::P256;
}

/// A signature algorithm, as a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum AlgorithmId {
    /// Pure Ed25519 (RFC 8032).
    #[default]
    Ed25519,
    /// ECDSA on P-256 over SHA-256 (FIPS 186-5).
    P256,
}

named! {
    /// The lower-case name used in files and in JSON: `ed25519`, `p256`.
    AlgorithmId, "an algorithm": Ed25519 => "ed25519", P256 => "p256"
}

/// A public key that was checked when it was made.
///
/// Ordered by algorithm, then by [`Self::as_bytes`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum VerifyingKey {
    /// An Ed25519 public key.
    Ed25519(Ed25519VerifyingKey),
    /// A P-256 public key.
    P256(P256VerifyingKey),
}

impl VerifyingKey {
    /// Which algorithm the key belongs to.
    #[must_use]
    pub const fn algorithm(&self) -> AlgorithmId {
        match self {
            Self::Ed25519(_) => AlgorithmId::Ed25519,
            Self::P256(_) => AlgorithmId::P256,
        }
    }

    /// The encoded key: 32 bytes for Ed25519 (RFC 8032, section 5.1.5), 33 for
    /// P-256 (compressed point, SEC 1, section 2.3.3).
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Ed25519(key) => key.as_bytes(),
            Self::P256(key) => key.as_bytes(),
        }
    }

    /// Verifies a signature over exactly these bytes.
    ///
    /// Ed25519 strictly, also where RFC 8032 leaves room: `R` and the key have their one
    /// encoding and are not of small order (such a key cannot be made), `S` is below the
    /// group's order, and `[S]B = R + [k]A` holds without the cofactor. Of the vectors of
    /// C2SP's CCTV 43 of 914 verify. P-256 as FIPS 186-5
    /// has it: `s` and `n - s` are both valid there, as other software makes
    /// both. This crate makes the lower one only.
    ///
    /// # Errors
    ///
    /// [`BadSignature`] if the signature is not one of `message` under this
    /// key, or was made with another algorithm. It never says why.
    pub fn verify(&self, message: &[u8], signature: &Signature) -> Result<(), BadSignature> {
        match (self, signature.algorithm()) {
            (Self::Ed25519(key), AlgorithmId::Ed25519) => key.verify(message, signature.as_bytes()),
            (Self::P256(key), AlgorithmId::P256) => key.verify(message, signature.as_bytes()),
            _ => Err(BadSignature(())),
        }
    }

    /// As [`Self::verify`], of the SHA-256 of a message. Of P-256 keys alone.
    pub(crate) fn verify_sha256(
        &self,
        digest: &[u8; 32],
        signature: &Signature,
    ) -> Result<(), BadSignature> {
        match (self, signature.algorithm()) {
            (Self::P256(key), AlgorithmId::P256) => key.verify_sha256(digest, signature.as_bytes()),
            _ => Err(BadSignature(())),
        }
    }

    /// As [`Self::verify`], and a P-256 signature must be the lower of the two,
    /// so that a statement of ours has one signature from each signing.
    ///
    /// # Errors
    ///
    /// As [`Self::verify`].
    pub fn verify_strict(&self, message: &[u8], signature: &Signature) -> Result<(), BadSignature> {
        if signature.is_low_s() { self.verify(message, signature) } else { Err(BadSignature(())) }
    }
}

impl From<Ed25519VerifyingKey> for VerifyingKey {
    fn from(key: Ed25519VerifyingKey) -> Self {
        Self::Ed25519(key)
    }
}

impl From<P256VerifyingKey> for VerifyingKey {
    fn from(key: P256VerifyingKey) -> Self {
        Self::P256(key)
    }
}

impl fmt::Debug for VerifyingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ed25519(key) => key.fmt(f),
            Self::P256(key) => key.fmt(f),
        }
    }
}

explain!(InvalidVerifyingKey);

impl InvalidVerifyingKey {
    /// What it means for the program.
    #[must_use]
    pub const fn kind(&self) -> ErrorKind {
        match self {
            Self::NotOnCurve
            | Self::NotCanonical
            | Self::SmallOrder
            | Self::Length { .. }
            | Self::Format { .. }
            | Self::PrivateKey => ErrorKind::InvalidInput,
        }
    }

    /// What to try next.
    #[must_use]
    pub fn help(&self) -> Option<String> {
        let help = match self {
            Self::NotOnCurve => "give the bytes of a public key, whole and of the right algorithm",
            Self::NotCanonical => "give the one canonical encoding (of a P-256 key: compressed)",
            Self::SmallOrder => "do not use it: anybody can make signatures that verify under it",
            Self::Length { .. } => {
                "give the bytes of a public key, whole and of the right algorithm"
            }
            Self::Format { expected } => return Some(format!("give {expected}")),
            Self::PrivateKey => {
                "give the public key alone; if the private one was shown to others, make a new one"
            }
        };
        Some(help.into())
    }
}

/// Why bytes or a text are not a public key that this crate accepts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidVerifyingKey {
    /// The bytes decode to no point of the curve.
    #[error("the bytes are not a point on the curve")]
    NotOnCurve,
    /// The bytes are a second encoding of a point (Ed25519: y not below p;
    /// P-256: not the compressed form).
    #[error("the point is not canonically encoded")]
    NotCanonical,
    /// The point has small order: signatures under it prove nothing.
    #[error("the point has small order")]
    SmallOrder,
    /// The key has not the length of its algorithm.
    #[error("the key has {found} bytes instead of {expected}")]
    Length {
        /// How many bytes there are.
        found: usize,
        /// How many there should be.
        expected: usize,
    },
    /// It is written in another way, or is a key of another algorithm.
    #[error("this is not {expected}")]
    Format {
        /// What it should be.
        expected: &'static str,
    },
    /// A private key was given for a public one. Nothing of it is repeated.
    #[error("this is a private key, not a public one")]
    PrivateKey,
}
