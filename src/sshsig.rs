//! Signatures for one context: OpenSSH's SSHSIG.
//!
//! What a signer is given to sign, somebody else may have chosen. A signature that
//! says what it is for cannot be presented for anything else: `sign_for("payments",
//! …)` does not verify for `"login"`. The format is OpenSSH's (`PROTOCOL.sshsig`),
//! with the context as its namespace and SHA-512 as its hash: `ssh-keygen -Y verify`
//! verifies it, and what `ssh-keygen -Y sign` makes is verified here.
//!
//! ```
//! use icn_identity::{DidSigner as _, Key, Software, Unlocked};
//!
//! let key = Key::<Software, Unlocked>::generate()?;
//! let signature = key.sign_for("payments@coop.example", b"100 to Ada")?;
//! key.verifying_key().verify_for("payments@coop.example", b"100 to Ada", &signature)?;
//! assert!(key.verifying_key().verify_for("login", b"100 to Ada", &signature).is_err());
//! # Ok::<(), icn_identity::Error>(())
//! ```

#[cfg(test)]
mod tests;
mod wire;

use std::fmt;
use std::str::FromStr;

use sha2::{Digest as _, Sha256, Sha512};

use self::wire::Blob;
use crate::algorithm::{BadSignature, Signature, VerifyingKey};
use crate::kind::{ErrorKind, explain};
use crate::statement::SSHSIG;

/// The longest armored signature that is read, in bytes.
const MAX_LEN: usize = 16 * 1024;

/// The longest context, in bytes.
const MAX_CONTEXT: usize = 1024;

/// The hash of the message that is signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Hash {
    Sha256,
    Sha512,
}

impl Hash {
    const fn name(self) -> &'static str {
        match self {
            Self::Sha256 => "sha256",
            Self::Sha512 => "sha512",
        }
    }

    fn of(self, message: &[u8]) -> Vec<u8> {
        match self {
            Self::Sha256 => Sha256::digest(message).to_vec(),
            Self::Sha512 => Sha512::digest(message).to_vec(),
        }
    }
}

/// A signature for one context, as `ssh-keygen -Y sign` makes it.
///
/// Nothing in it is verified until [`VerifyingKey::verify_for`] has done so.
/// [`fmt::Display`] and [`FromStr`] are its armored form, `-----BEGIN SSH
/// SIGNATURE-----`.
#[derive(Clone, PartialEq, Eq)]
pub struct SshSignature {
    key: VerifyingKey,
    context: String,
    hash: Hash,
    signature: Signature,
}

impl SshSignature {
    /// The key that it says it was made by. Not verified.
    #[must_use]
    pub const fn claimed_key(&self) -> &VerifyingKey {
        &self.key
    }

    /// The context (OpenSSH's namespace) that it says it is for. Not verified.
    #[must_use]
    pub fn claimed_context(&self) -> &str {
        &self.context
    }

    /// The encoding inside the armor (`PROTOCOL.sshsig`, section 3).
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        Blob::of(self).to_bytes()
    }

    /// Reads [`Self::to_bytes`]. Nothing is verified.
    ///
    /// # Errors
    ///
    /// [`InvalidSshSignature`] if it is not the encoding of a signature by an
    /// Ed25519 or P-256 key, or has something behind it.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, InvalidSshSignature> {
        if bytes.len() > MAX_LEN {
            return Err(InvalidSshSignature::TooLong);
        }
        Blob::from_bytes(bytes)?.read()
    }

    pub(crate) const fn hash(&self) -> Hash {
        self.hash
    }

    /// Whether it is of this key, for this context, and of these bytes.
    pub(crate) fn verify_bytes(
        &self,
        key: &VerifyingKey,
        context: &str,
        signed: &[u8],
    ) -> Result<(), BadSignature> {
        if self.key != *key || self.context != context || !is_context(context) {
            return Err(BadSignature::new());
        }
        key.verify(signed, &self.signature)
    }

    pub(crate) const fn new(key: VerifyingKey, context: String, signature: Signature) -> Self {
        Self { key, context, hash: Hash::Sha512, signature }
    }
}

/// Whether a context can be signed for: 1 to 1024 bytes, without control characters.
#[must_use]
pub fn is_context(context: &str) -> bool {
    !context.is_empty() && context.len() <= MAX_CONTEXT && !context.contains(char::is_control)
}

/// What is signed for a context: the magic, the context, nothing reserved, the
/// hash's name, and the hash of the message.
pub(crate) fn signed_bytes(context: &str, message: &[u8]) -> Vec<u8> {
    bytes_to_sign(context, Hash::Sha512, message)
}

fn bytes_to_sign(context: &str, hash: Hash, message: &[u8]) -> Vec<u8> {
    bytes_of_hash(context, hash, &hash.of(message))
}

/// The same, of a message that was hashed.
pub(crate) fn bytes_of_hash(context: &str, hash: Hash, digest: &[u8]) -> Vec<u8> {
    let mut bytes = SSHSIG.to_vec();
    for field in [context.as_bytes(), b"", hash.name().as_bytes(), digest] {
        wire::put_string(&mut bytes, field);
    }
    bytes
}

impl VerifyingKey {
    /// Verifies a signature that was made for a context by
    /// [`DidSigner::sign_for`](crate::DidSigner::sign_for) or `ssh-keygen -Y sign -n
    /// CONTEXT`.
    ///
    /// # Errors
    ///
    /// [`BadSignature`] if it was made by another key, for another context, or for
    /// another message. It never says which.
    pub fn verify_for(
        &self,
        context: &str,
        message: &[u8],
        signature: &SshSignature,
    ) -> Result<(), BadSignature> {
        signature.verify_bytes(self, context, &bytes_to_sign(context, signature.hash, message))
    }
}

impl VerifyingKey {
    /// The public key as OpenSSH writes it, in `authorized_keys` and in the allowed
    /// signers of `ssh-keygen -Y verify`: `ssh-ed25519 AAAA…` (RFC 8709) or
    /// `ecdsa-sha2-nistp256 AAAA…` (RFC 5656, section 3.1), without a comment.
    #[must_use]
    pub fn to_openssh(&self) -> String {
        wire::public_line(self)
    }
}

impl fmt::Display for SshSignature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&wire::armored(&self.to_bytes()))
    }
}

impl FromStr for SshSignature {
    type Err = InvalidSshSignature;

    fn from_str(text: &str) -> Result<Self, InvalidSshSignature> {
        if text.len() > MAX_LEN {
            return Err(InvalidSshSignature::TooLong);
        }
        Self::from_bytes(&wire::from_armored(text)?)
    }
}

impl fmt::Debug for SshSignature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SshSignature")
            .field("claimed_key", &self.key)
            .field("claimed_context", &self.context)
            .finish_non_exhaustive()
    }
}

explain!(InvalidSshSignature);

impl InvalidSshSignature {
    /// What it means for the program.
    #[must_use]
    pub const fn kind(&self) -> ErrorKind {
        match self {
            Self::Armor | Self::Encoding | Self::TooLong => ErrorKind::InvalidInput,
            Self::Version { .. } | Self::Key | Self::Hash => ErrorKind::Unsupported,
        }
    }

    /// What to try next.
    #[must_use]
    pub fn help(&self) -> Option<String> {
        let help = match self {
            Self::Armor | Self::Encoding | Self::TooLong => {
                "give the signature whole, as `SshSignature::to_openssh` or `ssh-keygen -Y sign` writes it"
            }
            Self::Version { .. } => "update this program",
            Self::Key => "have it signed with an Ed25519 or P-256 key",
            Self::Hash => "have it signed with sha512 (`ssh-keygen -Y sign -O hashalg=sha512`)",
        };
        Some(help.into())
    }
}

/// Why a text or bytes are not a signature for a context.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidSshSignature {
    /// Not between the armor's two lines, or not base64.
    #[error("expected an armored SSH signature (-----BEGIN SSH SIGNATURE-----), found other text")]
    Armor,
    /// Not the encoding of a signature.
    #[error("expected the encoding of an SSH signature (PROTOCOL.sshsig), found other bytes")]
    Encoding,
    /// A version after this one.
    #[error("expected version 1 of the SSH signature format, found version {found}")]
    Version {
        /// The version found.
        found: u32,
    },
    /// A key type other than `ssh-ed25519` and `ecdsa-sha2-nistp256`, or a point that
    /// is not on the curve.
    #[error("expected a signature by an Ed25519 or P-256 key, found another key")]
    Key,
    /// A hash other than `sha256` and `sha512`.
    #[error("expected sha256 or sha512 as the hash, found another")]
    Hash,
    /// Longer than any signature.
    #[error("the SSH signature is longer than 16 KiB")]
    TooLong,
}
