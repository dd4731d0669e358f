//! What a daemon answers.

use std::fmt;

use serde::{Deserialize, Deserializer, de};
use zeroize::Zeroizing;

use super::ClientError;
use crate::algorithm::Signature;
use crate::did::Did;
use crate::encoding::base64;
use crate::evidence::ProvenanceKind;

/// How a daemon is. All of it is the daemon's word.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Status {
    /// Whether its key is not open, so that it signs nothing.
    pub is_locked: bool,
    /// Where it says that its key is: `age`, `pkcs11`, `tpm`.
    pub reported_backend: String,
    /// What it says of its key's provenance, while it is open.
    pub reported_provenance: Option<ProvenanceKind>,
    /// Until when its TLS certificate is valid (RFC 3339).
    pub certificate_not_after: Option<String>,
    /// The epoch of the DID's bindings ([`Binding::epoch`](crate::peer::Binding::epoch)), while it
    /// is open: those of an earlier one are refused by peers.
    pub epoch: Option<u64>,
    /// When it has seen last that its key is there (RFC 3339).
    pub verified_at: Option<String>,
    /// When it did not succeed in reading its configuration anew (RFC 3339), so that an older one
    /// is in force.
    pub reload_failed_at: Option<String>,
    /// Whether it still reads the files of the identity anew, after it has read its
    /// configuration: until then its certificate and epoch may be older ones.
    pub is_taking_over: bool,
    /// Its version.
    pub version: String,
    /// What this client is called in its configuration.
    pub client: String,
    /// What this client may have done: `sign`, `decrypt`, …
    pub may: Vec<String>,
    /// For which contexts it may have signed; one that ends in `*` stands for all that begin
    /// so.
    pub contexts: Vec<String>,
}

#[derive(Deserialize)]
pub(super) struct ToldStatus {
    state: String,
    pub(super) did: String,
    backend: String,
    provenance: Option<String>,
    certificate_not_after: Option<String>,
    epoch: Option<u64>,
    verified_at: Option<String>,
    reload_failed_at: Option<String>,
    #[serde(default)]
    taking_over: bool,
    #[serde(default)]
    version: String,
    #[serde(default)]
    client: String,
    #[serde(default)]
    may: Vec<String>,
    #[serde(default)]
    contexts: Vec<String>,
}

impl ToldStatus {
    pub(super) fn into_status(self) -> Result<Status, ClientError> {
        let is_locked = match self.state.as_str() {
            "unlocked" => false,
            "locked" => true,
            _ => return Err(ClientError::Malformed { expected: "`state`: locked or unlocked" }),
        };
        Ok(Status {
            is_locked,
            reported_backend: self.backend,
            reported_provenance: self.provenance.and_then(|name| name.parse().ok()),
            certificate_not_after: self.certificate_not_after,
            epoch: self.epoch,
            verified_at: self.verified_at,
            reload_failed_at: self.reload_failed_at,
            is_taking_over: self.taking_over,
            version: self.version,
            client: self.client,
            may: self.may,
            contexts: self.contexts,
        })
    }
}

#[derive(Deserialize)]
pub(super) struct Challenged {
    pub(super) did: String,
    pub(super) uid: u64,
    pub(super) signature: Bytes,
}

#[derive(Deserialize)]
pub(super) struct SignedRaw {
    pub(super) did: String,
    pub(super) signature: Bytes,
}

#[derive(Deserialize)]
pub(super) struct SignedFor {
    pub(super) did: String,
    pub(super) signature: String,
}

#[derive(Deserialize)]
pub(super) struct Decrypted {
    pub(super) did: String,
    pub(super) file_key: SecretBytes,
    pub(super) retired: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct Certified {
    pub(super) did: String,
    pub(super) certificate_start: Bytes,
}

#[derive(Deserialize)]
pub(super) struct State {
    pub(super) state: String,
}

/// In base64.
#[derive(Deserialize)]
pub(super) struct Bytes(#[serde(with = "base64")] Vec<u8>);

impl Bytes {
    pub(super) fn as_slice(&self) -> &[u8] {
        &self.0
    }

    /// As a signature of this DID's key, not verified.
    pub(super) fn of(&self, did: &Did) -> Option<Signature> {
        let bytes = self.0.as_slice().try_into().ok()?;
        Some(Signature::from_bytes(did.verifying_key().algorithm(), bytes))
    }
}

/// 16 bytes in base64, decoded into memory that is wiped.
pub(super) struct SecretBytes(pub(super) Zeroizing<[u8; 16]>);

impl<'de> Deserialize<'de> for SecretBytes {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Text;
        impl de::Visitor<'_> for Text {
            type Value = SecretBytes;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("16 bytes in base64")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<SecretBytes, E> {
                let bytes = base64::decode(text).map(Zeroizing::new);
                let mut key = Zeroizing::new([0; 16]);
                match bytes.filter(|bytes| bytes.len() == key.len()) {
                    Some(bytes) => key.copy_from_slice(&bytes),
                    None => return Err(E::custom("not 16 bytes in base64")),
                }
                Ok(SecretBytes(key))
            }
        }
        from.deserialize_str(Text)
    }
}

/// What opens one age file.
pub struct FileKey {
    key: Zeroizing<[u8; 16]>,
    retired: Option<Did>,
}

impl FileKey {
    pub(super) const fn new(key: Zeroizing<[u8; 16]>, retired: Option<Did>) -> Self {
        Self { key, retired }
    }

    /// The file key (age v1, section "file key"). It opens this file, and no other.
    #[must_use]
    pub fn expose_secret(&self) -> &[u8; 16] {
        &self.key
    }

    /// The older identity whose key has opened it, which this one has taken over.
    #[must_use]
    pub const fn retired(&self) -> Option<&Did> {
        self.retired.as_ref()
    }
}

impl fmt::Debug for FileKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileKey").field("retired", &self.retired).finish_non_exhaustive()
    }
}
