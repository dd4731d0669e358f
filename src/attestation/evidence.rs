//! What a device gave to prove where a key is: its bytes, untouched.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use sha2::{Digest as _, Sha256};
use x509_parser::pem::Pem;

use super::certificate::{Certificate, MAX_LENGTH};
use super::{AttestationError, MAX_CERTIFICATES};
use crate::encoding::base64;

/// The sorts of evidence that are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum EvidenceKind {
    /// Certificates that a YubiHSM 2 or a YubiKey has issued for its key.
    Yubico,
}

impl EvidenceKind {
    /// Its name in a file: `yubico`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Yubico => "yubico",
        }
    }
}

impl fmt::Display for EvidenceKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// As it stands in a file, under the names of WebAuthn (`x5c`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case", deny_unknown_fields)]
pub(super) enum Evidence {
    /// The key's certificate, then its issuers in order; the last may be left out where the
    /// relying party knows them.
    Yubico { x5c: Vec<Der> },
}

impl Evidence {
    pub(super) const fn kind(&self) -> EvidenceKind {
        match self {
            Self::Yubico { .. } => EvidenceKind::Yubico,
        }
    }

    /// What the DID's key signs of it.
    pub(super) fn sha256(&self) -> [u8; 32] {
        let mut hash = Sha256::new();
        let field = |hash: &mut Sha256, bytes: &[u8]| {
            hash.update(number(bytes.len()));
            hash.update(bytes);
        };
        field(&mut hash, self.kind().as_str().as_bytes());
        match self {
            Self::Yubico { x5c } => {
                hash.update(number(x5c.len()));
                x5c.iter().for_each(|der| field(&mut hash, &der.0));
            }
        }
        hash.finalize().into()
    }
}

fn number(length: usize) -> [u8; 8] {
    u64::try_from(length).unwrap_or(u64::MAX).to_be_bytes()
}

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

/// The certificates that a device's own tool gave for a key: its own, and its issuers'.
///
/// Nothing is verified yet. See [`Attestation::create`](super::Attestation::create) for what
/// becomes of them, and [`Verifier::examine`](super::Verifier::examine) for what they say.
#[derive(Clone, PartialEq, Eq)]
pub struct DeviceCertificates(pub(super) Vec<Vec<u8>>);

impl DeviceCertificates {
    /// Reads the certificate of the key, then those of its issuers in order: each argument PEM
    /// (one certificate or several) or DER (one). The last issuers may be left out where the
    /// relying party has them.
    ///
    /// # Errors
    ///
    /// [`AttestationError::TooLong`], [`AttestationError::NoCertificate`],
    /// [`AttestationError::TooManyCertificates`], and [`AttestationError::Certificate`] for one that
    /// cannot be read.
    pub fn parse(leaf: &[u8], issuers: &[&[u8]]) -> Result<Self, AttestationError> {
        let mut all = ders(leaf)?;
        for issuer in issuers {
            all.extend(ders(issuer)?);
        }
        Self::new(all)
    }

    pub(super) fn new(all: Vec<Vec<u8>>) -> Result<Self, AttestationError> {
        if all.is_empty() {
            return Err(AttestationError::NoCertificate);
        }
        if all.len() > MAX_CERTIFICATES {
            return Err(AttestationError::TooManyCertificates { count: all.len() });
        }
        for (place, der) in all.iter().enumerate() {
            Certificate::read(der, place).map_err(AttestationError::certificate)?;
        }
        Ok(Self(all))
    }

    /// How many there are.
    #[must_use]
    pub const fn count(&self) -> usize {
        self.0.len()
    }

    /// Each in DER, the key's first.
    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        self.0.iter().map(Vec::as_slice)
    }
}

impl fmt::Debug for DeviceCertificates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DeviceCertificates({})", self.0.len())
    }
}

/// The certificates of a file, PEM or DER.
pub(super) fn ders(bytes: &[u8]) -> Result<Vec<Vec<u8>>, AttestationError> {
    const BEGIN: &[u8] = b"-----BEGIN ";
    const LIMIT: usize = 2 * MAX_CERTIFICATES * MAX_LENGTH;
    if bytes.len() > LIMIT {
        return Err(AttestationError::TooLong { limit: LIMIT });
    }
    if !bytes.windows(BEGIN.len()).any(|window| window == BEGIN) {
        return match bytes {
            [] => Err(AttestationError::NoCertificate),
            der => Ok(vec![der.to_vec()]),
        };
    }
    let mut found = Vec::new();
    for pem in Pem::iter_from_buffer(bytes) {
        match pem {
            Ok(pem) if pem.label == "CERTIFICATE" => found.push(pem.contents),
            _ => return Err(AttestationError::NoCertificate),
        }
    }
    if found.is_empty() { Err(AttestationError::NoCertificate) } else { Ok(found) }
}
