//! What both keys sign.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize};
use sha2::{Digest as _, Sha256};

use super::{
    KeyCommitment, MAX_STATEMENTS, MAX_TIME, RotationError, RotationReason, RotationRole, VERSION,
};
use crate::did::Did;
use crate::encoding::hex;
use crate::evidence::{Assurance, ProvenanceKind};
use crate::signer::{Custody, DidSigner, DidSignerExt as _};
use crate::statement::{Purpose, Statement};

/// One of the two keys of a statement, which both of them signed: had from a
/// [`RotationStatement`](super::RotationStatement) only.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RotatedKey {
    did: Did,
    provenance: ProvenanceKind,
    assurance: Assurance,
}

/// As it is read, before the signatures are verified.
#[derive(Deserialize)]
#[serde(remote = "RotatedKey", deny_unknown_fields)]
struct Told {
    did: Did,
    provenance: ProvenanceKind,
    assurance: Assurance,
}

impl RotatedKey {
    /// As the evidence about the signer shows it; `external` and `none` where
    /// there is no evidence.
    pub(super) fn of<S: DidSigner + ?Sized>(did: Did, signer: &S) -> Self {
        let (provenance, assurance) = match signer.custody() {
            Custody::Shown(shown) => (shown.provenance(), shown.assurance().told()),
            Custody::Reported | Custody::Unproven => (ProvenanceKind::External, Assurance::None),
        };
        Self { did, provenance, assurance }
    }

    /// Its DID.
    #[must_use]
    pub const fn did(&self) -> &Did {
        &self.did
    }

    /// What its signer claims of its provenance when it signed, as this crate computed it on the signer's
    /// machine. To everybody else that is the signer's word: whoever has the key
    /// can sign another.
    #[must_use]
    pub const fn claimed_provenance(&self) -> ProvenanceKind {
        self.provenance
    }

    /// How much stood behind that, claimed in the same way.
    #[must_use]
    pub const fn claimed_assurance(&self) -> Assurance {
        self.assurance
    }
}

/// SHA-256 of a body in its canonical form.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(super) struct Digest(#[serde(with = "hex")] pub(super) [u8; 32]);

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(&self.0))
    }
}

/// So that such JSON is known wherever it is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Kind {
    #[serde(rename = "icn-identity/rotation")]
    Rotation,
}

/// A statement without its signatures.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Body {
    #[serde(rename = "type")]
    pub(super) kind: Kind,
    pub(super) version: u64,
    /// 1 for the first.
    pub(super) sequence: u64,
    /// Unix seconds: one instant has one spelling.
    pub(super) time: u64,
    pub(super) reason: RotationReason,
    #[serde(deserialize_with = "Told::deserialize")]
    pub(super) old: RotatedKey,
    #[serde(deserialize_with = "Told::deserialize")]
    pub(super) new: RotatedKey,
    /// Absent in the first.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub(super) previous_sha256: Option<Digest>,
    /// Commitment to the key after `new`.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub(super) next_key_sha256: Option<KeyCommitment>,
}

#[derive(Serialize)]
struct Signed<'a> {
    role: RotationRole,
    statement: &'a Body,
}

impl Body {
    /// What can be told of one statement alone.
    pub(super) fn check(&self) -> Result<(), RotationError> {
        if self.version != VERSION {
            return Err(RotationError::Version { found: self.version });
        }
        let outside = |what| RotationError::OutOfRange { what };
        if !(1..=MAX_STATEMENTS).contains(&self.sequence) {
            return Err(outside("sequence"));
        }
        if self.time > MAX_TIME {
            return Err(outside("time"));
        }
        if self.previous_sha256.is_some() != (self.sequence > 1) {
            return Err(outside("previous_sha256"));
        }
        if self.old.did.verifying_key() == self.new.did.verifying_key() {
            return Err(RotationError::SameKey { did: self.old.did.clone() });
        }
        Ok(())
    }

    /// What statements are named and compared by. The signatures are not in it:
    /// a key can sign the same words twice.
    pub(super) fn digest(&self) -> Result<Digest, RotationError> {
        Ok(Digest(Sha256::digest(canonical(self)?).into()))
    }

    /// The bytes that a key signs.
    pub(super) fn signed_by(&self, role: RotationRole) -> Result<Vec<u8>, RotationError> {
        let json = canonical(&Signed { role, statement: self })?;
        Ok(Statement::new(Purpose::Rotation).raw(&json).into_bytes())
    }

    pub(super) const fn key(&self, role: RotationRole) -> &RotatedKey {
        match role {
            RotationRole::Old => &self.old,
            RotationRole::New => &self.new,
        }
    }
}

/// RFC 8785.
pub(super) fn canonical(value: &impl Serialize) -> Result<Vec<u8>, RotationError> {
    serde_json_canonicalizer::to_vec(value).map_err(RotationError::json)
}

/// What is there is not `null`.
fn present<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}
