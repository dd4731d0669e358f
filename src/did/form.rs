//! How a DID document is written down.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::proof::{cryptosuite, encode_signature};
use super::{Did, public_key_multibase, x25519_public_key_multibase};

/// A document with or without its proof. Another property is an error, and so
/// is one that is there twice.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct Form {
    #[serde(rename = "@context")]
    context: Vec<Value>,
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
    context: Vec<Value>,
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
    pub(super) fn new(did: &Did, x25519: &[u8; 32], created: u64, signature: &[u8; 64]) -> Self {
        let key = public_key_multibase(did.verifying_key());
        let agreed = x25519_public_key_multibase(x25519);
        let method = method(did);
        Self {
            context: context(),
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
            context: self.context.clone(),
            kind: "DataIntegrityProof".into(),
            cryptosuite: cryptosuite(self.id.verifying_key().algorithm()).into(),
            created,
            verification_method: method(&self.id),
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

/// The DID URL of the DID's own key.
fn method(did: &Did) -> String {
    format!("{did}#{}", public_key_multibase(did.verifying_key()))
}

/// The last one names our property, for readers that know it by its URI.
fn context() -> Vec<Value> {
    vec![
        "https://www.w3.org/ns/did/v1".into(),
        "https://w3id.org/security/multikey/v1".into(),
        "https://w3id.org/security/data-integrity/v2".into(),
        json!({
            "icnKeyAgreement": { "@id": "urn:icn-identity:key-agreement", "@type": "@json" },
        }),
    ]
}
