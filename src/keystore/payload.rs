//! The secret part of an identity: JSON inside the age file.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use zeroize::Zeroizing;

use super::legacy::Carried;
use crate::backend::BackendKind;
use crate::bundle::{Companions, RetiredDecryptionKey, RetiredKeys, UnverifiedBinding};
use crate::did::{Did, DidDocument};
use crate::encoding::base64;
use crate::error::LegacyError;
use crate::fault::{FormatError, OpenError};
use crate::key::DidKey;
use crate::key::seed_payload::{self, VERSION};
use crate::rotation::{RotationChain, RotationError, StoredChain};
use crate::secret::{SigningSeed, X25519Seed, json, leaving_no_trace_of_much};

/// Version 5 of the payload.
#[derive(Serialize, Deserialize)]
pub(crate) struct Payload {
    version: u64,
    did: Did,
    /// SHA-256 of the header file, hex. Absent in a key that was locked
    /// without an identity around it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    header_sha256: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    seed: Option<SigningSeed>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tls: Option<Tls>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    x25519_secret: Option<X25519Seed>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    binding: Option<UnverifiedBinding>,
    #[serde(default)]
    rotation_chain: StoredChain,
    #[serde(default)]
    did_document: Option<Value>,
    /// Until when the key of a device was in a file: Unix time. Kept for ever.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    in_file_until: Option<u64>,
    /// The X25519 keys of identities that have handed over to this one.
    #[serde(default, skip_serializing_if = "RetiredKeys::is_empty")]
    retired_decryption_keys: RetiredKeys,
    /// What an older keystore held beside its keys, as it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    legacy: Option<Carried>,
    /// What is not interpreted is carried along, never dropped.
    #[serde(flatten)]
    carried: Map<String, Value>,
}

#[derive(Serialize, Deserialize)]
struct Tls {
    /// 32-byte Ed25519 seed.
    private_key: SigningSeed,
    /// X.509, DER.
    #[serde(with = "base64")]
    certificate: Vec<u8>,
}

impl Payload {
    pub(super) fn empty(did: Did) -> Self {
        Self {
            version: VERSION,
            did,
            header_sha256: None,
            seed: None,
            tls: None,
            x25519_secret: None,
            binding: None,
            rotation_chain: StoredChain::default(),
            did_document: None,
            in_file_until: None,
            retired_decryption_keys: RetiredKeys::default(),
            legacy: None,
            carried: Map::new(),
        }
    }

    /// The same identity with other companions and another header; everything
    /// that is carried along stays.
    pub(crate) fn renew(
        &mut self,
        seed: Option<SigningSeed>,
        companions: &Companions,
        header_sha256: String,
    ) {
        self.header_sha256 = Some(header_sha256);
        self.seed = seed;
        self.put_companions(companions);
    }

    /// As [`Self::renew`], with the seed that it has.
    pub(super) fn rebind(&mut self, companions: &Companions, header_sha256: String) {
        self.header_sha256 = Some(header_sha256);
        self.put_companions(companions);
    }

    /// Whether it has the seed of its DID, if its key is a software key.
    pub(super) fn has_seed_for(&self, backend: BackendKind) -> bool {
        match (&self.seed, backend) {
            (Some(seed), BackendKind::Age) => {
                *self.did.verifying_key() == seed.verifying_key().into()
            }
            (None, BackendKind::Age) => false,
            (_, BackendKind::Pkcs11 | BackendKind::Tpm) => true,
        }
    }

    /// The same with what an older keystore held.
    pub(super) fn with_legacy(self, legacy: Option<Carried>) -> Self {
        Self { legacy, ..self }
    }

    /// The same of a key that was in a file until now, at least.
    pub(super) fn with_import_at(self, now: u64) -> Self {
        // A clock that was set back takes nothing back.
        let until = self.in_file_until.map_or(now, |until| until.max(now));
        Self { in_file_until: Some(until), ..self }
    }

    /// The same without a copy of the seed in what was carried along: for an identity whose
    /// key is in a device from now on.
    pub(super) fn without_seed(self, seed: &[u8; 32]) -> Result<Self, LegacyError> {
        let legacy = self.legacy.map(|carried| carried.without_seed(seed)).transpose()?;
        Ok(Self { seed: None, legacy, ..self })
    }

    /// The same with what a header has of it.
    pub(super) fn with_in_file_until(self, until: Option<u64>) -> Self {
        Self { in_file_until: self.in_file_until.max(until), ..self }
    }

    /// Until when the key of a device was in a file, if it was: Unix time.
    pub(super) const fn in_file_until(&self) -> Option<u64> {
        self.in_file_until
    }

    /// The key as what it is by what is known of it, whatever its device says.
    pub(super) fn judge(&self, key: DidKey) -> DidKey {
        if self.in_file_until.is_some() { key.known_to_be_imported() } else { key }
    }

    /// The same under another header.
    pub(crate) fn under_header(self, header_sha256: String) -> Self {
        Self { header_sha256: Some(header_sha256), ..self }
    }

    /// Puts another chain into it.
    pub(crate) fn set_rotation_chain(
        &mut self,
        chain: &RotationChain,
    ) -> Result<(), RotationError> {
        self.rotation_chain = std::mem::take(&mut self.rotation_chain).with(chain)?;
        Ok(())
    }

    fn put_companions(&mut self, companions: &Companions) {
        self.tls = Some(Tls {
            private_key: SigningSeed::from_bytes(companions.tls_key.as_bytes()),
            certificate: companions.certificate.clone(),
        });
        self.x25519_secret = Some(X25519Seed::from_bytes(companions.x25519.as_bytes()));
        self.binding = Some(UnverifiedBinding::of(companions.binding.clone()));
        self.did_document = companions.document_value();
    }

    pub(crate) fn did(&self) -> &Did {
        &self.did
    }

    pub(crate) const fn rotation_chain(&self) -> &StoredChain {
        &self.rotation_chain
    }

    /// The decryption keys of older identities, which stay whatever is renewed.
    pub(crate) const fn retired_keys(&self) -> &RetiredKeys {
        &self.retired_decryption_keys
    }

    /// Takes over the decryption key of an older identity; whether it was not there yet.
    pub(super) fn add_retired_key(&mut self, key: RetiredDecryptionKey) -> bool {
        self.retired_decryption_keys.add(key)
    }

    /// Drops the decryption keys of an older identity; gives how many there were.
    pub(super) fn remove_retired_keys(&mut self, did: &Did) -> usize {
        self.retired_decryption_keys.remove(did)
    }

    /// The DIDs of the chain before this one, from which no decryption key was taken over:
    /// what was encrypted to them does not open with this identity. None where the chain
    /// cannot be read.
    pub(super) fn dids_without_key(&self) -> Vec<Did> {
        let Ok(Some(chain)) = self.rotation_chain.read() else { return Vec::new() };
        let carried =
            |did: &Did| self.retired_decryption_keys.as_slice().iter().any(|key| key.did() == did);
        chain.dids().filter(|did| **did != self.did && !carried(did)).cloned().collect()
    }

    pub(crate) fn header_sha256(&self) -> Option<&str> {
        self.header_sha256.as_deref()
    }

    pub(crate) fn take_seed(&mut self) -> Option<SigningSeed> {
        self.seed.take()
    }

    /// The DID document as it is written, not verified.
    pub(crate) const fn document(&self) -> Option<&Value> {
        self.did_document.as_ref()
    }

    pub(crate) fn take_companions(&mut self) -> Result<Companions, FormatError> {
        let document = self.did_document.as_ref().map(DidDocument::from_value).transpose();
        let document = document.map_err(|error| FormatError::Payload {
            reason: "its DID document does not verify",
            source: Some(error.into()),
        })?;
        match (self.tls.take(), self.x25519_secret.take(), self.binding.take()) {
            (Some(tls), Some(x25519), Some(binding)) => Ok(Companions {
                tls_key: Arc::new(tls.private_key),
                certificate: tls.certificate,
                x25519,
                binding: binding.into_claimed(),
                document,
            }),
            _ => Err(invalid("the TLS key, the X25519 key or the binding is missing")),
        }
    }

    /// JSON, in one allocation that is wiped.
    pub(crate) fn to_json(&self) -> Result<Zeroizing<Vec<u8>>, FormatError> {
        json::to_json(self).map_err(|_| invalid("it cannot be written as JSON"))
    }

    pub(crate) fn from_json(json: &[u8]) -> Result<Self, FormatError> {
        seed_payload::from_json(json)
    }

    /// Encrypts it by a function that takes bytes.
    pub(super) fn sealed(
        &self,
        encrypt: impl FnOnce(&[u8]) -> Result<Vec<u8>, OpenError>,
    ) -> Result<Vec<u8>, OpenError> {
        leaving_no_trace_of_much(|| encrypt(&self.to_json().map_err(OpenError::Payload)?))
    }

    /// Reads what an age file held.
    pub(super) fn opened(json: &[u8]) -> Result<Self, OpenError> {
        leaving_no_trace_of_much(|| Self::from_json(json).map_err(OpenError::Payload))
    }
}

fn invalid(reason: &'static str) -> FormatError {
    FormatError::Payload { reason, source: None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::did::DidMethod;

    fn payload() -> Payload {
        let seed = SigningSeed::from_bytes(&[7; 32]);
        let did = Did::fitting(DidMethod::Icn, &seed.verifying_key().into());
        Payload { seed: Some(seed), ..Payload::empty(did) }
    }

    #[test]
    fn unknown_fields_are_carried() {
        let json = payload().to_json().unwrap();
        let mut value: Value = serde_json::from_slice(&json).unwrap();
        value["device_id"] = "abc".into();
        let text = serde_json::to_vec(&value).unwrap();
        let again = Payload::from_json(&text).unwrap().to_json().unwrap();
        let again: Value = serde_json::from_slice(&again).unwrap();
        assert_eq!(again, value);
    }

    #[test]
    fn its_tls_key_is_an_object_and_each_member_is_there_once() {
        let json = payload().to_json().unwrap();
        let mut value: Value = serde_json::from_slice(&json).unwrap();
        let seed = base64::encode(&[7; 32]);
        value["tls"] = serde_json::json!({ "private_key": seed, "certificate": "" });
        let good = value.to_string();
        assert!(Payload::from_json(good.as_bytes()).is_ok());
        let twice = good.replacen('{', "{\"carried\":1,\"carried\":2,", 1);
        assert!(Payload::from_json(twice.as_bytes()).is_err());
        value["tls"] = serde_json::json!([seed, ""]);
        assert!(Payload::from_json(value.to_string().as_bytes()).is_err());
    }

    #[test]
    fn newer_versions_are_refused_by_name() {
        let error = Payload::from_json(br#"{"version":4}"#).err().unwrap();
        assert!(matches!(error, FormatError::Older { found: 4, .. }), "{error:?}");
        let error = Payload::from_json(br#"{"version":6}"#).err().unwrap();
        assert_eq!(
            error.to_string(),
            "identity.age has version 6; this program reads up to version 5"
        );
    }

    #[test]
    fn a_clock_that_was_set_back_takes_nothing_back() {
        let imported = payload().with_import_at(2_000);
        assert_eq!(imported.in_file_until(), Some(2_000));
        let again = imported.with_import_at(1_000);
        assert_eq!(again.in_file_until(), Some(2_000));
        let later = again.with_import_at(3_000).with_in_file_until(None);
        assert_eq!(later.in_file_until(), Some(3_000));
        let json = later.with_in_file_until(Some(4_000)).to_json().unwrap();
        assert_eq!(Payload::from_json(&json).unwrap().in_file_until(), Some(4_000));
    }

    #[test]
    fn errors_do_not_quote_the_payload() {
        let json = String::from_utf8(payload().to_json().unwrap().to_vec()).unwrap();
        let seed = base64::encode(&[7; 32]);
        let broken = json.replace(&seed, &seed[..40]);
        let error = Payload::from_json(broken.as_bytes()).err().unwrap();
        let source = std::error::Error::source(&error).unwrap().to_string();
        let text = format!("{error} {error:?} {source}");
        assert!(!text.contains(&seed[..40]), "{text}");
        assert!(text.contains("line 1"), "{text}");
    }
}
