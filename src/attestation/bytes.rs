//! Bytes in a file of ours.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

use crate::encoding::base64;

/// Bytes in base64url, which have one spelling.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Der(pub(super) Vec<u8>);

impl fmt::Debug for Der {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes", self.0.len())
    }
}

impl Serialize for Der {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&base64::encode_url(&self.0))
    }
}

impl<'de> Deserialize<'de> for Der {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        let bytes = base64::decode_url(&text).ok_or_else(|| D::Error::custom("not base64url"))?;
        Ok(Self(bytes))
    }
}

/// Hashes a field preceded by its length in bytes, as a big-endian `u64`.
pub(super) fn hash_field(hash: &mut sha2::Sha256, bytes: &[u8]) {
    use sha2::Digest as _;
    hash.update(number(bytes.len()));
    hash.update(bytes);
}

pub(super) fn number(length: usize) -> [u8; 8] {
    u64::try_from(length).unwrap_or(u64::MAX).to_be_bytes()
}

/// A Name: the number of SHA-256, and the SHA-256 of the public part.
pub(super) type Name = [u8; 34];
