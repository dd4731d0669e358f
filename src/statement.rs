//! What the crate itself signs: a purpose, a zero byte, then the fields.
//!
//! `icn-identity/<purpose>/v1` and a zero byte come first, so that no statement
//! can be taken for another, or for a message that a user had signed: every
//! signer of this crate refuses input that begins with one of [`RESERVED`], by
//! [`SignError::Reserved`](crate::error::SignError::Reserved).

/// The first bytes of every statement of this crate.
pub const PREFIX: &[u8] = b"icn-identity/";

/// The first bytes of all that this crate signs by itself: of its statements, and of
/// signatures for a context ([`crate::sshsig`]).
pub const RESERVED: [&[u8]; 2] = [PREFIX, SSHSIG];

/// The first bytes of what is signed for a context.
pub(crate) const SSHSIG: &[u8] = b"SSHSIG";

/// Whether a message could be taken for something that this crate signs by itself.
///
/// Every signer of this crate refuses to sign such messages. Code around a signer
/// written elsewhere, that signs what others give it, has to ask for itself.
#[must_use]
pub fn is_reserved(message: &[u8]) -> bool {
    RESERVED.iter().any(|prefix| message.starts_with(prefix))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// A challenge when a key is opened.
    Open,
    /// TLS key, X25519 key and DID belong together.
    Binding,
    /// An X25519 key belongs to a DID: what a DID document is believed for.
    EncryptionKey,
    /// One key hands its name's standing over to another.
    Rotation,
    /// What approvals of PCR values are for. Hashed; the TPM says what is signed.
    #[cfg_attr(not(feature = "tpm"), allow(dead_code, reason = "used by that backend"))]
    TpmApproval,
    /// What is in a backup is this DID's.
    Backup,
    /// A daemon has the key.
    Daemon,
    /// The key answers a challenge, with what its device's maker certified.
    #[cfg_attr(not(feature = "attestation"), allow(dead_code, reason = "of that feature"))]
    Attestation,
    /// An attestation key is in the TPM with a certain certificate.
    #[cfg_attr(not(feature = "attestation"), allow(dead_code, reason = "of that feature"))]
    AttestationEndorsement,
}

impl Purpose {
    const fn as_bytes(self) -> &'static [u8] {
        match self {
            Self::Open => b"icn-identity/open/v1\0",
            Self::Binding => b"icn-identity/binding/v1\0",
            Self::EncryptionKey => b"icn-identity/encryption-key/v1\0",
            Self::Rotation => b"icn-identity/rotation/v1\0",
            Self::TpmApproval => b"icn-identity/tpm-approval/v1\0",
            Self::Backup => b"icn-identity/backup/v1\0",
            Self::Daemon => b"icn-identity/daemon/v1\0",
            Self::Attestation => b"icn-identity/attestation/v1\0",
            Self::AttestationEndorsement => b"icn-identity/attestation-endorsement/v1\0",
        }
    }
}

/// Builds the bytes of a statement.
pub(crate) struct Statement(Vec<u8>);

impl Statement {
    pub(crate) fn new(purpose: Purpose) -> Self {
        Self(purpose.as_bytes().to_vec())
    }

    /// A field of fixed length.
    pub(crate) fn raw(mut self, bytes: &[u8]) -> Self {
        self.0.extend_from_slice(bytes);
        self
    }

    /// A field preceded by its length in bytes, as a big-endian `u64`.
    pub(crate) fn field(mut self, bytes: &[u8]) -> Self {
        let length = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        self.0.extend_from_slice(&length.to_be_bytes());
        self.raw(bytes)
    }

    /// A number, as a big-endian `u64`.
    pub(crate) fn number(self, number: u64) -> Self {
        self.raw(&number.to_be_bytes())
    }

    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.0
    }
}

#[cfg(test)]
#[cfg(all(feature = "keystore", feature = "signature"))]
mod tests;
