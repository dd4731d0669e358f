//! Decentralized identifiers of one key: `did:icn` and `did:key`.
//!
//! | method | form | source |
//! |---|---|---|
//! | `did:icn` | `did:icn:z` + base58btc of the 32 raw Ed25519 bytes | ICN |
//! | `did:key` | `did:key:z` + base58btc of the multicodec `ed 01` + 32 bytes | W3C CCG did:key v0.7 |
//!
//! The identifier *is* the public key, so parsing one yields a key that was
//! checked: on the curve, canonical, not of small order.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use crate::algorithm::{AlgorithmId, Ed25519VerifyingKey, InvalidVerifyingKey, VerifyingKey};

/// `ed25519-pub` (0xed) of the multicodec table, as an unsigned varint.
const MULTICODEC_ED25519: [u8; 2] = [0xed, 0x01];
/// Longer than any identifier that this crate accepts.
const MAX_LEN: usize = 128;

/// How a key is written as a DID.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum DidMethod {
    /// `did:icn:z…`, the cooperative network's own form.
    #[default]
    Icn,
    /// `did:key:z6Mk…`.
    Key,
}

impl DidMethod {
    const fn prefix(self) -> &'static str {
        match self {
            Self::Icn => "did:icn:",
            Self::Key => "did:key:",
        }
    }
}

/// A DID whose text and key were checked against each other.
///
/// Equality and hashing are over the text: `did:icn:z…` and `did:key:z…` of
/// one key are two DIDs; compare [`Did::verifying_key`] where the key is meant.
#[derive(Clone)]
pub struct Did(Arc<Inner>);

/// Behind a pointer: a decoded key is large, and errors carry DIDs.
struct Inner {
    text: String,
    method: DidMethod,
    key: VerifyingKey,
}

impl Did {
    /// The DID of a public key.
    #[must_use]
    pub fn from_key(method: DidMethod, key: &VerifyingKey) -> Self {
        let encoded = match (method, key.algorithm()) {
            (DidMethod::Icn, AlgorithmId::Ed25519) => bs58::encode(key.as_bytes()).into_string(),
            (DidMethod::Key, AlgorithmId::Ed25519) => multikey(key),
        };
        Self(Arc::new(Inner { text: format!("{}z{encoded}", method.prefix()), method, key: *key }))
    }

    /// Reads a DID; see the module for what is checked.
    ///
    /// # Errors
    ///
    /// [`InvalidDid`] names the first check that failed.
    pub fn parse(text: &str) -> Result<Self, InvalidDid> {
        if text.len() > MAX_LEN {
            return Err(InvalidDid::TooLong);
        }
        let (method, rest) = [DidMethod::Icn, DidMethod::Key]
            .into_iter()
            .find_map(|method| Some((method, text.strip_prefix(method.prefix())?)))
            .ok_or(InvalidDid::UnknownMethod)?;
        let base58 = rest.strip_prefix('z').ok_or(InvalidDid::NotBase58Btc)?;
        if base58.contains(['#', '?', '/', ';']) {
            return Err(InvalidDid::DidUrl);
        }
        let bytes = bs58::decode(base58).into_vec().map_err(|_| InvalidDid::Alphabet)?;
        let raw = match method {
            DidMethod::Icn => bytes.as_slice(),
            DidMethod::Key => strip_multicodec(&bytes)?,
        };
        let raw: &[u8; 32] = raw.try_into().map_err(|_| InvalidDid::Length { found: raw.len() })?;
        let key = VerifyingKey::Ed25519(Ed25519VerifyingKey::from_bytes(raw)?);
        let did = Self::from_key(method, &key);
        // One key has one text: whatever else the decoder let through ends here.
        if did.as_str() != text {
            return Err(InvalidDid::NotCanonical);
        }
        Ok(did)
    }

    /// The whole text, `did:…`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0.text
    }

    /// The method of the text.
    #[must_use]
    pub fn method(&self) -> DidMethod {
        self.0.method
    }

    /// The key that the text decodes to.
    #[must_use]
    pub fn verifying_key(&self) -> &VerifyingKey {
        &self.0.key
    }
}

/// base58btc of multicodec and key: the *Multikey* encoding without its `z`.
fn multikey(key: &VerifyingKey) -> String {
    let mut bytes = MULTICODEC_ED25519.to_vec();
    bytes.extend_from_slice(key.as_bytes());
    bs58::encode(bytes).into_string()
}

/// The `publicKeyMultibase` of a key (Multikey, base58btc): `z6Mk…`.
#[must_use]
pub fn public_key_multibase(key: &VerifyingKey) -> String {
    format!("z{}", multikey(key))
}

fn strip_multicodec(bytes: &[u8]) -> Result<&[u8], InvalidDid> {
    let mut code: u64 = 0;
    let mut taken = 0;
    for (index, byte) in bytes.iter().take(9).enumerate() {
        code |= u64::from(byte & 0x7f) << (7 * index);
        taken = index + 1;
        if byte & 0x80 == 0 {
            // A last byte of zero after the first adds nothing: not minimal.
            if *byte == 0 && index > 0 {
                return Err(InvalidDid::Varint);
            }
            if code != 0xed {
                return Err(InvalidDid::Multicodec { code });
            }
            return bytes.get(taken..).ok_or(InvalidDid::Varint);
        }
    }
    let _ = taken;
    Err(InvalidDid::Varint)
}

impl PartialEq for Did {
    fn eq(&self, other: &Self) -> bool {
        self.0.text == other.0.text
    }
}
impl Eq for Did {}
impl std::hash::Hash for Did {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.0.text.hash(state);
    }
}
impl fmt::Display for Did {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.text)
    }
}
impl fmt::Debug for Did {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Did({})", self.0.text)
    }
}
impl FromStr for Did {
    type Err = InvalidDid;
    fn from_str(text: &str) -> Result<Self, InvalidDid> {
        Self::parse(text)
    }
}
impl TryFrom<String> for Did {
    type Error = InvalidDid;
    fn try_from(text: String) -> Result<Self, InvalidDid> {
        Self::parse(&text)
    }
}
impl From<Did> for String {
    fn from(did: Did) -> Self {
        did.0.text.clone()
    }
}
impl serde::Serialize for Did {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0.text)
    }
}
impl<'de> serde::Deserialize<'de> for Did {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        Self::parse(&text).map_err(serde::de::Error::custom)
    }
}

/// Why a text is not a DID that this crate accepts.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidDid {
    /// Longer than 128 bytes.
    #[error("the DID is longer than {MAX_LEN} bytes")]
    TooLong,
    /// Neither `did:icn:` nor `did:key:`.
    #[error("the DID is neither a did:icn nor a did:key")]
    UnknownMethod,
    /// The multibase prefix is not `z`.
    #[error("the identifier does not start with `z` (base58btc)")]
    NotBase58Btc,
    /// A path, query, parameter or fragment follows: that is a DID URL.
    #[error("this is a DID URL; give the DID alone, without path, query or fragment")]
    DidUrl,
    /// A character outside the base58btc alphabet.
    #[error("the identifier has a character that base58btc does not know")]
    Alphabet,
    /// The multicodec prefix is cut short or not minimally encoded.
    #[error("the multicodec prefix is not a minimal unsigned varint")]
    Varint,
    /// The multicodec is not that of an Ed25519 public key.
    #[error("multicodec {code:#x} is not an Ed25519 public key (0xed)")]
    Multicodec {
        /// The code that was found.
        code: u64,
    },
    /// The key is not 32 bytes long.
    #[error("the key has {found} bytes instead of 32")]
    Length {
        /// How many bytes there are.
        found: usize,
    },
    /// The bytes are not an acceptable public key.
    #[error("the identifier is no acceptable public key")]
    Key(#[from] InvalidVerifyingKey),
    /// The text is a second spelling of a DID.
    #[error("the DID is not in its canonical spelling")]
    NotCanonical,
}
