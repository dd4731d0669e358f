//! A seed and its public key, for code that needs both in the clear.

use std::fmt;
use std::sync::Arc;

use super::software::UnlockedMaterial;
use super::{Key, Public, Software, Unlocked};
use crate::algorithm::VerifyingKey;

/// A software key pair: a seed that can be read, and its public key.
///
/// Software by definition. [`Key<Software, Unlocked>`] converts into it, and
/// nothing else does: a key of a device has nothing to put here.
pub struct KeyPair {
    public: Arc<Public>,
    material: UnlockedMaterial,
}

impl KeyPair {
    /// The 32-byte Ed25519 seed (RFC 8032), in locked memory.
    #[must_use]
    pub fn expose_seed(&self) -> &[u8; 32] {
        self.material.seed()
    }

    /// The public key.
    #[must_use]
    pub fn verifying_key(&self) -> &VerifyingKey {
        self.public.verifying_key()
    }
}

impl From<Key<Software, Unlocked>> for KeyPair {
    fn from(key: Key<Software, Unlocked>) -> Self {
        Self { public: key.public, material: key.material }
    }
}

impl From<KeyPair> for Key<Software, Unlocked> {
    fn from(pair: KeyPair) -> Self {
        Self::new(pair.public, pair.material)
    }
}

impl fmt::Debug for KeyPair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyPair").field("public", self.verifying_key()).finish_non_exhaustive()
    }
}
