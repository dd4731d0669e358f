//! What the caller decides about a rotation.

use std::fmt;
use std::time::SystemTime;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::RotationReason;
use crate::algorithm::VerifyingKey;
use crate::encoding::hex;

/// Reason, time and commitment of a rotation. Everything else in a statement
/// is computed.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub struct RotationTerms {
    pub(super) reason: RotationReason,
    pub(super) time: SystemTime,
    pub(super) next: Option<KeyCommitment>,
}

impl RotationTerms {
    /// A rotation now, without a commitment to the key after the new one.
    pub fn new(reason: RotationReason) -> Self {
        Self { reason, time: SystemTime::now(), next: None }
    }

    /// With the time given by the caller's own clock. Statements have whole
    /// seconds, and are never earlier than the statement before.
    pub const fn at(mut self, time: SystemTime) -> Self {
        self.time = time;
        self
    }

    /// Why.
    #[must_use]
    pub const fn reason(&self) -> RotationReason {
        self.reason
    }

    /// The key that alone can come after the new one, if there is a commitment.
    #[must_use]
    pub const fn next_key(&self) -> Option<&KeyCommitment> {
        self.next.as_ref()
    }

    /// Commits to the key that comes after the new one: no other can.
    ///
    /// That key must exist already and be kept where a thief of the new key
    /// does not find it. If it is lost, the chain cannot be continued.
    ///
    /// It holds for those who keep this statement: see [`KeyCommitment`].
    pub const fn commit_to(mut self, next: KeyCommitment) -> Self {
        self.next = Some(next);
        self
    }
}

/// SHA-256 of a public key in its Multikey encoding: the bytes `ed 01` and the
/// 32 of an Ed25519 key, or `80 24` and the 33 of a compressed P-256 point.
///
/// The key and not a DID: each DID of the key honours it.
///
/// It binds those who know it, and nobody else. Who has pinned the bare DID of
/// the key that made it has no protection from it: a thief of that key leaves
/// out the statement it stands in. Keep the chain
/// ([`RotationChain::extends`](super::RotationChain::extends)).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct KeyCommitment(#[serde(with = "hex")] [u8; 32]);

impl KeyCommitment {
    /// The commitment to a key.
    #[must_use]
    pub fn to(key: &VerifyingKey) -> Self {
        Self(Sha256::digest(key.multikey_bytes()).into())
    }

    /// A commitment by its hash, where the key itself stays hidden.
    #[must_use]
    pub const fn from_bytes(sha256: [u8; 32]) -> Self {
        Self(sha256)
    }

    /// The hash.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Whether it is to this key.
    #[must_use]
    pub fn is_to(&self, key: &VerifyingKey) -> bool {
        *self == Self::to(key)
    }
}

impl fmt::Display for KeyCommitment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(&self.0))
    }
}

impl fmt::Debug for KeyCommitment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyCommitment({self})")
    }
}
