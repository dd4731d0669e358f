//! The public header: what can be shown without a credential.

mod evidence;
mod storage;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

pub use self::evidence::EvidenceSummary;
pub use self::storage::Storage;
use crate::algorithm::{AlgorithmId, X25519PublicKey};
use crate::backend::{BackendKind, Locator, Pkcs11Locator, TpmObject};
use crate::bundle::Companions;
use crate::did::Did;
use crate::encoding::{base64, hex, objects};
use crate::error::{FormatError, KeystoreError};
use crate::key::DidKey;
use crate::peer::Certificate;
use crate::signer::DidSigner;

const FORMAT: &str = "icn-identity-header";
const VERSION: u64 = 1;

/// The public part of an identity, `identity.json`.
///
/// **Not trusted** until the payload that holds its hash was opened: whoever can write
/// the file can write what it says. It is read from the store only, and has no module
/// path: that comes from `icn.toml`.
#[derive(Debug, Clone, Serialize)]
pub struct Header {
    format: String,
    version: u64,
    /// Grows by one with every write.
    generation: u64,
    did: Did,
    algorithm: AlgorithmId,
    backend: BackendKind,
    locator: Option<DeviceLocator>,
    /// What the locator says of it.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    key_shown: bool,
    evidence: EvidenceSummary,
    /// Of a key that was imported into its device: Unix time.
    #[serde(skip_serializing_if = "Option::is_none")]
    in_file_until: Option<u64>,
    storage: Storage,
    #[serde(with = "base64")]
    certificate: Vec<u8>,
    tls_not_after: u64,
    #[serde(with = "hex")]
    x25519_public: [u8; 32],
    /// Whoever reads it verifies it.
    #[serde(skip_serializing_if = "Option::is_none")]
    did_document: Option<serde_json::Value>,
}

/// As it is read, for [`Header::parse`] alone.
#[derive(Deserialize)]
struct Read(#[serde(deserialize_with = "Claimed::deserialize")] Header);

/// Its fields.
#[derive(Deserialize)]
#[serde(remote = "Header", deny_unknown_fields)]
struct Claimed {
    format: String,
    version: u64,
    generation: u64,
    did: Did,
    algorithm: AlgorithmId,
    backend: BackendKind,
    locator: Option<DeviceLocator>,
    /// Not known to headers from before it was kept.
    #[serde(default)]
    key_shown: bool,
    #[serde(with = "evidence::Claimed")]
    evidence: EvidenceSummary,
    #[serde(default)]
    in_file_until: Option<u64>,
    storage: Storage,
    #[serde(with = "base64")]
    certificate: Vec<u8>,
    tls_not_after: u64,
    #[serde(with = "hex")]
    x25519_public: [u8; 32],
    #[serde(default)]
    did_document: Option<serde_json::Value>,
}

/// Where the key of a device is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
enum DeviceLocator {
    Pkcs11(Pkcs11Locator),
    Tpm(Box<TpmObject>),
}

impl Header {
    pub(super) fn new<S: DidSigner + ?Sized>(
        signer: &S,
        backend: BackendKind,
        locator: &Locator,
        storage: Storage,
        companions: &Companions,
        (generation, in_file_until): (u64, Option<u64>),
    ) -> Self {
        Self {
            format: FORMAT.into(),
            version: VERSION,
            generation,
            did: companions.binding().did().clone(),
            algorithm: signer.verifying_key().algorithm(),
            backend,
            locator: match locator {
                Locator::AgeFile(_) => None,
                Locator::Pkcs11(locator) => Some(DeviceLocator::Pkcs11(locator.clone())),
                Locator::Tpm(object) => Some(DeviceLocator::Tpm(object.clone())),
            },
            key_shown: false,
            evidence: EvidenceSummary::of(signer),
            in_file_until,
            storage,
            certificate: companions.certificate().to_vec(),
            tls_not_after: companions.binding().not_after(),
            x25519_public: *companions.binding().x25519_public_key().as_bytes(),
            did_document: companions.document_value(),
        }
        .seen(false)
    }

    /// The next generation, around other companions.
    pub(super) fn renewed(&self, companions: &Companions) -> Self {
        Self {
            generation: self.generation.saturating_add(1),
            certificate: companions.certificate().to_vec(),
            tls_not_after: companions.binding().not_after(),
            x25519_public: *companions.binding().x25519_public_key().as_bytes(),
            did_document: companions.document_value(),
            ..self.clone()
        }
    }

    pub(super) fn parse(text: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        #[derive(Deserialize)]
        struct Version {
            format: String,
            version: u64,
        }
        let version: Version = objects::from_str(text)?;
        if version.format != FORMAT {
            return Err(format!("its format is {:?}, not {FORMAT:?}", version.format).into());
        }
        if version.version != VERSION {
            let found = version.version;
            return Err(FormatError::Newer { what: "identity.json", found, known: VERSION }.into());
        }
        let Read(header) = objects::from_str(text)?;
        if header.algorithm != header.did.verifying_key().algorithm() {
            return Err("its algorithm is not that of its DID".into());
        }
        let fits = match header.backend {
            BackendKind::Age => header.locator.is_none(),
            BackendKind::Pkcs11 => matches!(header.locator, Some(DeviceLocator::Pkcs11(_))),
            BackendKind::Tpm => matches!(header.locator, Some(DeviceLocator::Tpm(_))),
        };
        if !fits {
            return Err("its locator does not fit its backend".into());
        }
        let shown = header.key_shown;
        Ok(header.seen(shown))
    }

    /// This header, with the key on a token where it is now.
    pub(super) fn at(&self, locator: Pkcs11Locator) -> Self {
        match self.locator {
            Some(DeviceLocator::Pkcs11(_)) => {
                let locator = Some(DeviceLocator::Pkcs11(locator));
                Self { locator, ..self.clone() }.seen(false)
            }
            _ => self.clone(),
        }
    }

    /// The `CKA_ID` of what keeps the storage key on a token.
    pub(crate) fn storage_key_id(&self) -> Option<&[u8]> {
        match &self.storage {
            Storage::Pkcs11AesGcm { wrapped } => Some(&wrapped.key_id),
            Storage::Pkcs11Ecdh { wrapped } => Some(&wrapped.key_id),
            Storage::Passphrase {} | Storage::TpmSealed { .. } => None,
        }
    }

    /// The key as what it is by what is written here of it, whatever its device says now.
    pub(super) fn judge(&self, key: DidKey) -> DidKey {
        key.remembering(|name| self.evidence.said(name))
    }

    /// This header, where `now` says whether its token has shown the key without a login.
    pub(super) fn seen(mut self, now: bool) -> Self {
        if let Some(DeviceLocator::Pkcs11(locator)) = &mut self.locator {
            locator.shown |= now;
            self.key_shown = locator.shown;
        }
        self
    }

    /// **Blocks** on scrypt. Whether a passphrase opens the payload.
    ///
    /// # Errors
    ///
    /// [`KeystoreError::NoPassphrase`], with what opens it instead.
    pub fn check_passphrase(&self) -> Result<(), KeystoreError> {
        match self.storage {
            Storage::Passphrase {} => Ok(()),
            Storage::Pkcs11AesGcm { .. }
            | Storage::Pkcs11Ecdh { .. }
            | Storage::TpmSealed { .. } => {
                Err(KeystoreError::NoPassphrase { backend: self.backend })
            }
        }
    }

    /// This header, with the key and the storage key in the places of another.
    pub(super) fn moved_to(&self, other: &Self) -> Self {
        let (locator, storage) = (other.locator.clone(), other.storage.clone());
        Self { generation: self.generation.saturating_add(1), locator, storage, ..self.clone() }
    }

    pub(super) fn to_json(&self) -> Result<String, KeystoreError> {
        let mut text =
            serde_json::to_string_pretty(self).map_err(|error| FormatError::Payload {
                reason: "the header cannot be written as JSON",
                source: Some(error.into()),
            })?;
        text.push('\n');
        Ok(text)
    }

    /// The DID that the header names.
    #[must_use]
    pub const fn did(&self) -> &Did {
        &self.did
    }

    /// The algorithm of the key.
    #[must_use]
    pub const fn algorithm(&self) -> AlgorithmId {
        self.algorithm
    }

    /// The backend that the header names.
    #[must_use]
    pub const fn backend(&self) -> BackendKind {
        self.backend
    }

    /// Where the key is, for keys on tokens.
    #[must_use]
    pub const fn locator(&self) -> Option<&Pkcs11Locator> {
        match &self.locator {
            Some(DeviceLocator::Pkcs11(locator)) => Some(locator),
            _ => None,
        }
    }

    /// The object of the key, for keys made in or sealed to a TPM.
    #[must_use]
    pub const fn tpm(&self) -> Option<&TpmObject> {
        match &self.locator {
            Some(DeviceLocator::Tpm(object)) => Some(object),
            _ => None,
        }
    }

    /// Where the key is, if it is in a device.
    #[must_use]
    pub fn device_locator(&self) -> Option<Locator> {
        match &self.locator {
            None => None,
            Some(DeviceLocator::Pkcs11(locator)) => Some(Locator::Pkcs11(locator.clone())),
            Some(DeviceLocator::Tpm(object)) => Some(Locator::Tpm(object.clone())),
        }
    }

    /// What the header says that the evidence was when it was written. The evidence
    /// itself is that of the opened key: [`crate::DidSignerExt::evidence`].
    #[must_use]
    pub const fn claimed_evidence(&self) -> &EvidenceSummary {
        &self.evidence
    }

    /// Until when the key was in a file, if it was imported into its device: Unix time,
    /// seconds. Copies of that file may exist, which sign as this DID. Once said it is kept,
    /// whatever is made of the identity.
    #[must_use]
    pub const fn in_file_until(&self) -> Option<u64> {
        self.in_file_until
    }

    /// What opens the payload.
    #[must_use]
    pub const fn storage(&self) -> &Storage {
        &self.storage
    }

    /// How often the identity was written: a count.
    #[must_use]
    pub const fn generation(&self) -> u64 {
        self.generation
    }

    /// The TLS certificate, DER.
    #[must_use]
    pub fn certificate(&self) -> &[u8] {
        &self.certificate
    }

    /// First second of the certificate's validity, Unix time; `None` if it
    /// cannot be read.
    #[must_use]
    pub fn tls_not_before(&self) -> Option<u64> {
        Certificate::read(&self.certificate).ok().map(|certificate| certificate.not_before())
    }

    /// Last second of the certificate's validity, Unix time.
    #[must_use]
    pub const fn tls_not_after(&self) -> u64 {
        self.tls_not_after
    }

    /// The X25519 public key (RFC 7748).
    #[must_use]
    pub const fn x25519_public_key(&self) -> X25519PublicKey {
        X25519PublicKey::from_bytes(self.x25519_public)
    }

    /// The DID document as it is written, not verified.
    pub(super) const fn raw_document(&self) -> Option<&serde_json::Value> {
        self.did_document.as_ref()
    }
}

/// The hash by which a payload names its header: SHA-256 of the file, hex.
pub(super) fn hash(text: &str) -> String {
    hex::encode(&Sha256::digest(text.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As headers have it: another spelling would not open what is there.
    const KNOWN: [&str; 3] = [
        r#"{"kind":"passphrase"}"#,
        r#"{"kind":"pkcs11-aes-gcm","wrapped":{"key_id":"0a","iv":"0b","ciphertext":"0c"}}"#,
        r#"{"kind":"pkcs11-ecdh","wrapped":{"key_id":"0a","ephemeral":"04","ciphertext":"0c"}}"#,
    ];

    #[test]
    fn what_opens_the_payload_is_written_as_it_was_read() {
        for known in KNOWN {
            let storage: Storage = serde_json::from_str(known).unwrap();
            assert_eq!(serde_json::to_string(&storage).unwrap(), known);
            let back = storage.wrapped().map_or(Storage::Passphrase {}, Storage::from);
            assert_eq!(back, storage);
        }
    }

    #[test]
    fn a_storage_of_two_kinds_or_with_more_fields_is_refused() {
        let [_, gcm, ecdh] = KNOWN;
        for wrong in [
            gcm.replace("iv", "ephemeral"),
            ecdh.replace("ephemeral", "iv"),
            ecdh.replace("\"ephemeral\"", "\"iv\":\"0b\",\"ephemeral\""),
            ecdh.replace("\"wrapped\"", "\"more\":1,\"wrapped\""),
            ecdh.replace("pkcs11-ecdh", "pkcs11-ecdh-2"),
        ] {
            assert!(serde_json::from_str::<Storage>(&wrong).is_err(), "{wrong}");
        }
    }
}
