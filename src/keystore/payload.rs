//! The secret part of an identity: JSON inside the age file.

use std::io::{self, Write};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use serde_json::{Map, Value};
use zeroize::Zeroizing;

use super::legacy::Carried;
use crate::bundle::{Binding, Companions};
use crate::did::{Did, DidDocument};
use crate::encoding::base64;
use crate::error::KeystoreError;
use crate::rotation::{RotationChain, RotationError, StoredChain};
use crate::secret::{SigningSeed, X25519Seed};

/// The version that this crate writes. Versions 1 to 4 are ICN's older
/// formats.
const VERSION: u64 = 5;

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
    binding: Option<Binding>,
    #[serde(default)]
    rotation_chain: StoredChain,
    #[serde(default)]
    did_document: Option<Value>,
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

/// The one field that is read before all others.
#[derive(Deserialize)]
struct Version {
    version: u64,
}

impl Payload {
    fn empty(did: Did) -> Self {
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
            legacy: None,
            carried: Map::new(),
        }
    }

    /// A key alone.
    pub(crate) fn of_seed(did: Did, seed: SigningSeed) -> Self {
        Self { seed: Some(seed), ..Self::empty(did) }
    }

    /// An identity: companions, the hash of its header, and the seed if the
    /// key is a software key.
    pub(crate) fn of_identity(
        seed: Option<SigningSeed>,
        companions: &Companions,
        header_sha256: String,
    ) -> Self {
        Self {
            header_sha256: Some(header_sha256),
            seed,
            ..Self::empty(companions.binding().did().clone())
        }
        .with_companions(companions)
    }

    /// The same identity with other companions and another header; everything
    /// that is carried along stays.
    pub(crate) fn renewed(
        self,
        seed: Option<SigningSeed>,
        companions: &Companions,
        header_sha256: String,
    ) -> Self {
        Self { header_sha256: Some(header_sha256), seed, ..self }.with_companions(companions)
    }

    /// The same with what an older keystore held.
    pub(super) fn with_legacy(self, legacy: Option<Carried>) -> Self {
        Self { legacy, ..self }
    }

    /// The same, with the seed that was taken out of it.
    pub(crate) fn with_seed(self, seed: Option<SigningSeed>) -> Self {
        Self { seed, ..self }
    }

    /// The same under another header.
    pub(crate) fn under_header(self, header_sha256: String) -> Self {
        Self { header_sha256: Some(header_sha256), ..self }
    }

    /// The same with another chain.
    pub(crate) fn with_rotation_chain(self, chain: &RotationChain) -> Result<Self, RotationError> {
        Ok(Self { rotation_chain: self.rotation_chain.with(chain)?, ..self })
    }

    fn with_companions(self, companions: &Companions) -> Self {
        Self {
            tls: Some(Tls {
                private_key: SigningSeed::from_bytes(companions.tls_key.as_bytes()),
                certificate: companions.certificate.clone(),
            }),
            x25519_secret: Some(X25519Seed::from_bytes(companions.x25519.as_bytes())),
            binding: Some(companions.binding.clone()),
            did_document: super::document::to_value(companions),
            ..self
        }
    }

    pub(crate) fn did(&self) -> &Did {
        &self.did
    }

    pub(crate) const fn rotation_chain(&self) -> &StoredChain {
        &self.rotation_chain
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

    pub(crate) fn take_companions(&mut self) -> Result<Companions, KeystoreError> {
        let document = self.did_document.as_ref().map(DidDocument::from_value).transpose();
        let document = document.map_err(|error| KeystoreError::Payload {
            reason: "its DID document does not verify",
            source: Some(error.into()),
        })?;
        match (self.tls.take(), self.x25519_secret.take(), self.binding.take()) {
            (Some(tls), Some(x25519), Some(binding)) => Ok(Companions {
                tls_key: tls.private_key,
                certificate: tls.certificate,
                x25519,
                binding,
                document,
            }),
            _ => Err(invalid("the TLS key, the X25519 key or the binding is missing")),
        }
    }

    /// JSON, in one allocation that is wiped.
    pub(crate) fn to_json(&self) -> Result<Zeroizing<Vec<u8>>, KeystoreError> {
        wiped_json(self).map_err(|_| invalid("it cannot be written as JSON"))
    }

    pub(crate) fn from_json(json: &[u8]) -> Result<Self, KeystoreError> {
        let version: Version = serde_json::from_slice(json).map_err(position)?;
        match version.version {
            VERSION => serde_json::from_slice(json).map_err(position),
            1..VERSION => Err(invalid("it is in an older ICN format: `icnctl id import` reads it")),
            0 => Err(invalid("version 0 does not exist")),
            found => Err(KeystoreError::Newer { what: "identity.age", found, known: VERSION }),
        }
    }
}

/// JSON, in one allocation that is wiped.
pub(super) fn wiped_json(value: &impl Serialize) -> serde_json::Result<Zeroizing<Vec<u8>>> {
    let mut length = Length(0);
    serde_json::to_writer(&mut length, value)?;
    let mut json = Zeroizing::new(Vec::with_capacity(length.0));
    serde_json::to_writer(&mut *json, value)?;
    Ok(json)
}

fn invalid(reason: &'static str) -> KeystoreError {
    KeystoreError::Payload { reason, source: None }
}

/// Where the JSON goes wrong. `serde_json`'s own message can quote a value,
/// and the values here are secrets.
#[derive(Debug, thiserror::Error)]
#[error("line {line}, column {column}")]
struct Position {
    line: usize,
    column: usize,
}

#[expect(clippy::needless_pass_by_value, reason = "shape of map_err")]
fn position(error: serde_json::Error) -> KeystoreError {
    let position = Position { line: error.line(), column: error.column() };
    KeystoreError::Payload { reason: "it is not JSON of version 5", source: Some(position.into()) }
}

/// Counts what would be written.
struct Length(usize);

impl Write for Length {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

macro_rules! secret_as_base64 {
    ($($seed:ty),+) => {$(
        impl Serialize for $seed {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                let text = Zeroizing::new(base64::encode(self.as_bytes()));
                serializer.serialize_str(&text)
            }
        }

        impl<'de> Deserialize<'de> for $seed {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                // Borrowed: base64 has nothing that JSON would escape.
                let text = <&str>::deserialize(deserializer)?;
                base64::decode_secret(text, <$seed>::from_bytes)
                    .ok_or_else(|| D::Error::custom("not 32 bytes in base64"))
            }
        }
    )+};
}

secret_as_base64!(SigningSeed, X25519Seed);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::did::DidMethod;

    fn payload() -> Payload {
        let seed = SigningSeed::from_bytes(&[7; 32]);
        let did = Did::from_key(DidMethod::Icn, &seed.verifying_key().into());
        Payload::of_seed(did, seed)
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
    fn newer_versions_are_refused_by_name() {
        let error = Payload::from_json(br#"{"version":6}"#).err().unwrap();
        assert_eq!(
            error.to_string(),
            "identity.age has version 6; this program reads up to version 5"
        );
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
