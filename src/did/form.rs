//! How a DID document is written down.

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::Did;
use super::proof::{cryptosuite, encode_signature};
use crate::algorithm::X25519PublicKey;

/// A document with or without its proof. Another property is an error, and so
/// is one that is there twice.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct Form {
    #[serde(rename = "@context")]
    context: Context,
    pub(super) id: Did,
    verification_method: Vec<Multikey>,
    authentication: Vec<String>,
    assertion_method: Vec<String>,
    key_agreement: Vec<Multikey>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) icn_key_agreement: Option<Vouching>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) proof: Option<Proof>,
}

/// Controlled Identifiers v1.0, section 2.2.2.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Multikey {
    id: String,
    #[serde(rename = "type")]
    kind: String,
    controller: Did,
    public_key_multibase: String,
}

/// The statement by which the DID key vouches for the X25519 key.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct Vouching {
    pub(super) public_key_multibase: String,
    /// Unix seconds.
    pub(super) created: u64,
    /// base58btc.
    pub(super) signature: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct Proof {
    #[serde(rename = "@context")]
    context: Context,
    #[serde(rename = "type")]
    kind: String,
    cryptosuite: String,
    created: String,
    verification_method: String,
    proof_purpose: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) proof_value: Option<String>,
}

impl Form {
    /// Everything but the proof follows from these.
    pub(super) fn new(
        did: &Did,
        x25519: &X25519PublicKey,
        created: u64,
        signature: &[u8; 64],
    ) -> Self {
        let key = did.verifying_key().to_multibase();
        let agreed = x25519.to_multibase();
        let method = did.verification_method();
        Self {
            context: Context,
            id: did.clone(),
            verification_method: vec![Multikey::new(did, &key)],
            authentication: vec![method.clone()],
            assertion_method: vec![method],
            key_agreement: vec![Multikey::new(did, &agreed)],
            icn_key_agreement: Some(Vouching {
                public_key_multibase: agreed,
                created,
                signature: encode_signature(signature),
            }),
            proof: None,
        }
    }

    /// What the proof says of itself, before it is signed.
    pub(super) fn options(&self, created: String) -> Proof {
        Proof {
            context: Context,
            kind: "DataIntegrityProof".into(),
            cryptosuite: cryptosuite(self.id.verifying_key().algorithm()).into(),
            created,
            verification_method: self.id.verification_method(),
            proof_purpose: "assertionMethod".into(),
            proof_value: None,
        }
    }
}

impl Multikey {
    fn new(did: &Did, key: &str) -> Self {
        Self {
            id: format!("{did}#{key}"),
            kind: "Multikey".into(),
            controller: did.clone(),
            public_key_multibase: key.into(),
        }
    }
}

/// The same in every document. Read member by member: inside a `Value` the
/// second of two members would win unseen.
#[derive(Debug, Clone, PartialEq)]
struct Context;

const URIS: [&str; 3] = [
    "https://www.w3.org/ns/did/v1",
    "https://w3id.org/security/multikey/v1",
    "https://w3id.org/security/data-integrity/v2",
];

/// Names our property, for readers that know it by its URI.
#[derive(PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Terms {
    icn_key_agreement: Term,
}

#[derive(PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Term {
    #[serde(rename = "@id")]
    id: String,
    #[serde(rename = "@type")]
    kind: String,
}

impl Terms {
    fn ours() -> Self {
        let term = Term { id: "urn:icn-identity:key-agreement".into(), kind: "@json".into() };
        Self { icn_key_agreement: term }
    }
}

impl Serialize for Context {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let [did, multikey, proof] = URIS;
        (did, multikey, proof, Terms::ours()).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Context {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (did, multikey, proof, terms) =
            <(String, String, String, Terms)>::deserialize(deserializer)?;
        if [did, multikey, proof] == URIS && terms == Terms::ours() {
            Ok(Self)
        } else {
            Err(D::Error::custom("another @context than that of our documents"))
        }
    }
}
