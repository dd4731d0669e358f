//! Decryption keys of the identities that an identity has taken over from.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::de::{Deserialize, Deserializer};
use serde::ser::{Serialize, Serializer};

use crate::algorithm::X25519PublicKey;
use crate::did::Did;
use crate::secret::X25519Seed;

/// The X25519 key of an identity that has handed over to this one, carried along on
/// request so that what was encrypted to the older DID still opens
/// ([`IdentityBundle::decrypt`](super::IdentityBundle::decrypt)).
///
/// It is in the encrypted payload, and in backups of it. It is in no DID document and
/// no binding, is never offered as a recipient, and takes no part in
/// [`IdentityBundle::diffie_hellman`](super::IdentityBundle::diffie_hellman).
///
/// A handle: clones share one copy of the secret, in locked memory. `Debug` shows none
/// of it.
#[derive(Clone)]
pub struct RetiredDecryptionKey(Arc<Entry>);

#[derive(serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    did: Did,
    /// Unix seconds.
    retired: u64,
    x25519_secret: X25519Seed,
}

impl RetiredDecryptionKey {
    pub(crate) fn new(did: Did, retired: u64, key: &X25519Seed) -> Self {
        let x25519_secret = X25519Seed::from_bytes(key.as_bytes());
        Self(Arc::new(Entry { did, retired, x25519_secret }))
    }

    /// The DID whose key it was.
    #[must_use]
    pub fn did(&self) -> &Did {
        &self.0.did
    }

    /// When that DID handed over, in whole seconds: the time of its rotation statement.
    #[must_use]
    pub fn retired_at(&self) -> SystemTime {
        let since = Duration::from_secs(self.0.retired);
        UNIX_EPOCH.checked_add(since).unwrap_or(UNIX_EPOCH)
    }

    /// The public key. Do not encrypt to it any more.
    #[must_use]
    pub fn public_key(&self) -> X25519PublicKey {
        self.secret().public_key()
    }

    pub(crate) fn secret(&self) -> &X25519Seed {
        &self.0.x25519_secret
    }
}

impl fmt::Debug for RetiredDecryptionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RetiredDecryptionKey")
            .field("did", self.did())
            .field("retired_at", &self.retired_at())
            .finish_non_exhaustive()
    }
}

/// The retired keys of one identity, the oldest first: the field
/// `retired_decryption_keys` of its payload.
#[derive(Clone, Default)]
pub(crate) struct RetiredKeys(Vec<RetiredDecryptionKey>);

impl RetiredKeys {
    pub(crate) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn as_slice(&self) -> &[RetiredDecryptionKey] {
        &self.0
    }

    /// Whether it was not there before.
    pub(crate) fn add(&mut self, key: RetiredDecryptionKey) -> bool {
        let public = key.public_key();
        let is_new = !self.0.iter().any(|known| known.public_key() == public);
        if is_new {
            self.0.push(key);
        }
        is_new
    }

    /// Takes out every key of a DID; gives how many there were.
    pub(crate) fn remove(&mut self, did: &Did) -> usize {
        let before = self.0.len();
        self.0.retain(|key| key.did() != did);
        before - self.0.len()
    }
}

impl Serialize for RetiredKeys {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(|key| &*key.0))
    }
}

impl<'de> Deserialize<'de> for RetiredKeys {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let entries = Vec::<Entry>::deserialize(deserializer)?;
        let mut keys = Self::default();
        for entry in entries {
            keys.add(RetiredDecryptionKey(Arc::new(entry)));
        }
        Ok(keys)
    }
}
