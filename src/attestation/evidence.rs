//! What a device gave to prove where a key is: its bytes, untouched.

mod tpm;

use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use x509_parser::pem::Pem;

use super::bytes::{Der, hash_field, number};
use super::certificate::{Certificate, MAX_LENGTH};
use super::{AttestationError, MAX_CERTIFICATES};

pub use self::tpm::TpmEvidence;
pub(super) use self::tpm::{Parts, Quote};

/// The sorts of evidence that are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum EvidenceKind {
    /// Certificates that a YubiHSM 2 or a YubiKey has issued for its key.
    Yubico,
    /// A statement of a TPM 2.0 (`TPM2_Certify`), and the certificate of its endorsement key or
    /// its attestation key.
    Tpm2Certify,
}

impl EvidenceKind {
    /// Its name in a file: `yubico`, `tpm2-certify`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Yubico => "yubico",
            Self::Tpm2Certify => "tpm2-certify",
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
    /// What a TPM gave.
    Tpm2Certify(Box<Parts>),
}

impl Evidence {
    pub(super) const fn kind(&self) -> EvidenceKind {
        match self {
            Self::Yubico { .. } => EvidenceKind::Yubico,
            Self::Tpm2Certify(_) => EvidenceKind::Tpm2Certify,
        }
    }

    pub(super) fn certificates(&self) -> &[Der] {
        match self {
            Self::Yubico { x5c } => x5c,
            Self::Tpm2Certify(parts) => &parts.x5c,
        }
    }

    /// What the DID's key signs of it.
    pub(super) fn sha256(&self) -> [u8; 32] {
        let mut hash = Sha256::new();
        hash_field(&mut hash, self.kind().as_str().as_bytes());
        match self {
            Self::Yubico { x5c } => {
                hash.update(number(x5c.len()));
                x5c.iter().for_each(|der| hash_field(&mut hash, &der.0));
            }
            Self::Tpm2Certify(parts) => parts.hash(&mut hash),
        }
        hash.finalize().into()
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

    /// With certificates of further issuers behind those that are there, in DER and in order.
    ///
    /// # Errors
    ///
    /// [`AttestationError::TooManyCertificates`] if there are more than six then,
    /// [`AttestationError::Certificate`] for one that cannot be read.
    pub fn with_issuers(
        self,
        issuers: impl IntoIterator<Item = Vec<u8>>,
    ) -> Result<Self, AttestationError> {
        Self::new(self.0.into_iter().chain(issuers).collect())
    }

    pub(crate) fn new(all: Vec<Vec<u8>>) -> Result<Self, AttestationError> {
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
