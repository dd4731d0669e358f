//! Decentralized identifiers of one key: `did:icn` and `did:key`.
//!
//! | method | form | source |
//! |---|---|---|
//! | `did:icn` | `did:icn:z` + base58btc of the 32 raw Ed25519 bytes | ICN |
//! | `did:key` | `did:key:z6Mk…`: `z` + base58btc of the multicodec `ed 01` + 32 bytes | W3C CCG did:key v0.7 |
//! | `did:key` | `did:key:zDn…`: `z` + base58btc of the multicodec `80 24` + the 33 bytes of a compressed P-256 point | W3C CCG did:key v0.7 |
//!
//! The identifier *is* the public key, so parsing one yields a key that was
//! checked: on the curve, canonical, not of small order.

mod document;
mod form;
mod proof;

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

pub(crate) use self::document::NotSigned;
pub use self::document::{DidDocument, InvalidDocument};
use crate::algorithm::{
    AlgorithmId, Ed25519VerifyingKey, InvalidVerifyingKey, P256VerifyingKey, VerifyingKey,
};
use crate::encoding::named;
use crate::kind::{ErrorKind, explain};

/// `ed25519-pub` of the multicodec table.
const ED25519_PUB: u64 = 0xed;
/// `p256-pub` of the multicodec table: a compressed point.
const P256_PUB: u64 = 0x1200;
/// Longer than any identifier that this crate accepts.
const MAX_LEN: usize = 128;

/// How a key is written as a DID.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum DidMethod {
    /// `did:icn:z…`, the cooperative network's own form.
    #[default]
    Icn,
    /// `did:key:z6Mk…`, and `did:key:zDn…` for P-256.
    Key,
}

named! {
    /// The lower-case name used in DIDs and in JSON: `icn`, `key`.
    DidMethod, "a DID method": Icn => "icn", Key => "key"
}

impl DidMethod {
    /// Whether keys of this algorithm have DIDs of this method.
    #[must_use]
    pub const fn fits(self, algorithm: AlgorithmId) -> bool {
        matches!((self, algorithm), (Self::Key, _) | (Self::Icn, AlgorithmId::Ed25519))
    }

    const fn prefix(self) -> &'static str {
        match self {
            Self::Icn => "did:icn:",
            Self::Key => "did:key:",
        }
    }
}

/// A DID whose text and key were checked against each other.
///
/// Equality, order and hashing are over the text: `did:icn:z…` and `did:key:z…` of
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
    ///
    /// # Errors
    ///
    /// [`InvalidDid::NoSuchDid`] for a P-256 key and [`DidMethod::Icn`]: there are
    /// `did:icn` of Ed25519 keys only ([`DidMethod::fits`]).
    pub fn from_key(method: DidMethod, key: &VerifyingKey) -> Result<Self, InvalidDid> {
        let algorithm = key.algorithm();
        if !method.fits(algorithm) {
            return Err(InvalidDid::NoSuchDid { method, algorithm });
        }
        Ok(Self::fitting(method, key))
    }

    /// The DID of a public key, by this method if it fits, else as `did:key`.
    pub(crate) fn fitting(method: DidMethod, key: &VerifyingKey) -> Self {
        let method = if method.fits(key.algorithm()) { method } else { DidMethod::Key };
        let encoded = match method {
            DidMethod::Icn => bs58::encode(key.as_bytes()).into_string(),
            DidMethod::Key => bs58::encode(key.multikey_bytes()).into_string(),
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
        let (code, raw) = match method {
            DidMethod::Icn => (ED25519_PUB, bytes.as_slice()),
            DidMethod::Key => multicodec(&bytes)?,
        };
        let key = match code {
            ED25519_PUB => Ed25519VerifyingKey::from_bytes(sized(raw)?)?.into(),
            P256_PUB => P256VerifyingKey::from_bytes(sized(raw)?)?.into(),
            code => return Err(InvalidDid::Multicodec { code }),
        };
        let did = Self::fitting(method, &key);
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

    /// The DID URL of the DID's own key, `did:…#z6Mk…`: what JWTs (`kid`), proofs and
    /// documents name it by (DID Core v1.0, section 5.2).
    #[must_use]
    pub fn verification_method(&self) -> String {
        format!("{self}#{}", self.verifying_key().to_multibase())
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

/// The code before a key (an unsigned varint), and the key.
fn multicodec(bytes: &[u8]) -> Result<(u64, &[u8]), InvalidDid> {
    let mut code: u64 = 0;
    for (index, byte) in bytes.iter().take(9).enumerate() {
        code |= u64::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            // A last byte of zero after the first adds nothing: not minimal.
            if *byte == 0 && index > 0 {
                return Err(InvalidDid::Varint);
            }
            return bytes.get(index + 1..).map(|key| (code, key)).ok_or(InvalidDid::Varint);
        }
    }
    Err(InvalidDid::Varint)
}

fn sized<const N: usize>(raw: &[u8]) -> Result<&[u8; N], InvalidDid> {
    raw.try_into().map_err(|_| InvalidDid::Length { found: raw.len(), expected: N })
}

impl PartialEq for Did {
    fn eq(&self, other: &Self) -> bool {
        self.0.text == other.0.text
    }
}
impl Eq for Did {}
impl Ord for Did {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.text.cmp(&other.0.text)
    }
}
impl PartialOrd for Did {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
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

explain!(InvalidDid);

impl InvalidDid {
    /// What it means for the program.
    #[must_use]
    pub const fn kind(&self) -> ErrorKind {
        match self {
            Self::TooLong
            | Self::UnknownMethod
            | Self::NotBase58Btc
            | Self::DidUrl
            | Self::Alphabet
            | Self::Varint
            | Self::Multicodec { .. }
            | Self::Length { .. }
            | Self::Key(_)
            | Self::NotCanonical
            | Self::NoSuchDid { .. } => ErrorKind::InvalidInput,
        }
    }

    /// What to try next.
    #[must_use]
    pub fn help(&self) -> Option<String> {
        let help = match self {
            Self::NoSuchDid { .. } => "name the key by a did:key",
            _ => "give a DID like did:icn:z… or did:key:z6Mk…, exactly as its owner gave it",
        };
        Some(help.into())
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
    /// The multicodec is that of no public key which this crate knows.
    #[error("multicodec {code:#x} is neither an Ed25519 (0xed) nor a P-256 public key (0x1200)")]
    Multicodec {
        /// The code that was found.
        code: u64,
    },
    /// The key has not the length of its kind.
    #[error("the key has {found} bytes instead of {expected}")]
    Length {
        /// How many bytes there are.
        found: usize,
        /// How many there should be.
        expected: usize,
    },
    /// The bytes are not an acceptable public key.
    #[error("the identifier is no acceptable public key")]
    Key(#[from] InvalidVerifyingKey),
    /// The text is a second spelling of a DID.
    #[error("the DID is not in its canonical spelling")]
    NotCanonical,
    /// Keys of this algorithm have no DID of this method.
    #[error("there is no did:{method} of a key of {algorithm}")]
    NoSuchDid {
        /// The method that was asked for.
        method: DidMethod,
        /// What the key is.
        algorithm: AlgorithmId,
    },
}
