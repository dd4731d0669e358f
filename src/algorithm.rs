//! Algorithms, public keys and signatures.

use std::fmt;

use crate::private::Closed;

/// A signature algorithm, as a type.
///
/// # Sealed
///
/// Implemented by [`Ed25519`] only; a P-256 marker joins it together with the
/// first backend that signs with P-256.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a signature algorithm of this crate",
    label = "expected `Ed25519`",
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

impl Closed for Ed25519 {}
impl Algorithm for Ed25519 {
    const ID: AlgorithmId = AlgorithmId::Ed25519;
}

/// A signature algorithm, as a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum AlgorithmId {
    /// Pure Ed25519 (RFC 8032).
    Ed25519,
}

impl AlgorithmId {
    /// The lower-case name used in files and in JSON: `ed25519`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ed25519 => "ed25519",
        }
    }
}

impl fmt::Display for AlgorithmId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A public key that was checked when it was made.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum VerifyingKey {
    /// An Ed25519 public key.
    Ed25519(Ed25519VerifyingKey),
}

impl VerifyingKey {
    /// Which algorithm the key belongs to.
    #[must_use]
    pub const fn algorithm(&self) -> AlgorithmId {
        match self {
            Self::Ed25519(_) => AlgorithmId::Ed25519,
        }
    }

    /// The encoded key: 32 bytes for Ed25519 (RFC 8032, section 5.1.5).
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Ed25519(key) => key.as_bytes(),
        }
    }

    /// Verifies strictly: a signature with a non-canonical `S`, or a `R` of
    /// small order, is refused even where RFC 8032 leaves room.
    ///
    /// # Errors
    ///
    /// [`BadSignature`] if the signature is not one of `message` under this
    /// key, or was made with another algorithm. It never says why.
    pub fn verify(&self, message: &[u8], signature: &Signature) -> Result<(), BadSignature> {
        match (self, signature.algorithm) {
            (Self::Ed25519(key), AlgorithmId::Ed25519) => key
                .0
                .verify_strict(message, &ed25519_dalek::Signature::from_bytes(&signature.bytes))
                .map_err(|_| BadSignature(())),
        }
    }
}

impl From<Ed25519VerifyingKey> for VerifyingKey {
    fn from(key: Ed25519VerifyingKey) -> Self {
        Self::Ed25519(key)
    }
}

impl fmt::Debug for VerifyingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ed25519(key) => key.fmt(f),
        }
    }
}

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
}

impl fmt::Debug for Ed25519VerifyingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Ed25519VerifyingKey(")?;
        self.as_bytes().iter().try_for_each(|b| write!(f, "{b:02x}"))?;
        write!(f, ")")
    }
}

/// Why 32 bytes are not an Ed25519 public key that this crate accepts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidVerifyingKey {
    /// The bytes decode to no point of edwards25519.
    #[error("the bytes are not a point on the curve")]
    NotOnCurve,
    /// The bytes are a second encoding of a point (y not below p).
    #[error("the point is not canonically encoded")]
    NotCanonical,
    /// The point has small order: signatures under it prove nothing.
    #[error("the point has small order")]
    SmallOrder,
}

/// A signature: 64 bytes, tagged with its algorithm.
///
/// Ed25519: `R ‖ S` (RFC 8032, section 5.1.6).
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Signature {
    algorithm: AlgorithmId,
    bytes: [u8; 64],
}

impl Signature {
    /// Tags 64 bytes as an Ed25519 signature; nothing is verified here.
    #[must_use]
    pub const fn from_ed25519_bytes(bytes: [u8; 64]) -> Self {
        Self::new(AlgorithmId::Ed25519, bytes)
    }

    pub(crate) const fn new(algorithm: AlgorithmId, bytes: [u8; 64]) -> Self {
        Self { algorithm, bytes }
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
}

impl fmt::Debug for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Signature({}, ", self.algorithm)?;
        self.bytes.iter().try_for_each(|b| write!(f, "{b:02x}"))?;
        write!(f, ")")
    }
}

/// The signature does not verify. Opaque on purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the signature does not verify under this key")]
pub struct BadSignature(());
