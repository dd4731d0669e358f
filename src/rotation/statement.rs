//! One statement, with both signatures.

use std::fmt;

use serde::{Deserialize, Serialize, Serializer};

use super::body::{Body, Digest, canonical};
use super::{KeyCommitment, RotatedKey, RotationError, RotationReason, RotationRole, VERSION};
use crate::algorithm::Signature;
use crate::encoding::{base64, objects};

/// No statement by itself is longer, in bytes.
const MAX_LEN: usize = 4096;

/// That the holder of one DID goes on under another, signed by both keys.
///
/// There is none whose signatures were not verified: it is signed here, or read
/// by [`Self::from_json`]. What it says of the statements before it is verified
/// by [`RotationChain`](super::RotationChain).
#[derive(Clone, PartialEq, Eq)]
pub struct RotationStatement {
    body: Body,
    signatures: Signatures,
    pub(super) digest: Digest,
}

#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Signatures {
    #[serde(with = "base64")]
    pub(super) old: [u8; 64],
    #[serde(with = "base64")]
    pub(super) new: [u8; 64],
}

/// As it is read: nothing is verified.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Unverified {
    pub(super) statement: Body,
    pub(super) signatures: Signatures,
}

/// The one field that is read before all others.
#[derive(Deserialize)]
pub(super) struct Versioned {
    statement: Version,
}

#[derive(Deserialize)]
struct Version {
    version: u64,
}

impl Versioned {
    pub(super) const fn check(&self) -> Result<(), RotationError> {
        match self.statement.version {
            VERSION => Ok(()),
            found => Err(RotationError::Version { found }),
        }
    }
}

impl RotationStatement {
    /// Reads one statement (JSON, as [`Self::to_json`] writes it) and verifies
    /// both signatures.
    ///
    /// # Errors
    ///
    /// [`RotationError`] with the first thing that is wrong.
    pub fn from_json(json: &[u8]) -> Result<Self, RotationError> {
        if json.len() > MAX_LEN {
            return Err(RotationError::TooLong { limit: MAX_LEN });
        }
        objects::from_slice::<Versioned>(json).map_err(RotationError::json)?.check()?;
        objects::from_slice::<Unverified>(json).map_err(RotationError::json)?.verify()
    }

    /// Canonical JSON (RFC 8785).
    #[must_use]
    pub fn to_json(&self) -> Vec<u8> {
        // Strings and small numbers in structs: nothing here can fail.
        canonical(self).unwrap_or_default()
    }

    /// The key that hands over.
    #[must_use]
    pub const fn old(&self) -> &RotatedKey {
        &self.body.old
    }

    /// The key that takes over.
    #[must_use]
    pub const fn new_key(&self) -> &RotatedKey {
        &self.body.new
    }

    /// Its place in the chain: 1 for the first.
    #[must_use]
    pub const fn sequence(&self) -> u64 {
        self.body.sequence
    }

    /// When, in Unix seconds, by the clock of the machine that signed; or the
    /// time of the statement before, where that is later.
    #[must_use]
    pub const fn time(&self) -> u64 {
        self.body.time
    }

    /// Why.
    #[must_use]
    pub const fn reason(&self) -> RotationReason {
        self.body.reason
    }

    /// The key that alone can come after the new one, if that was said.
    #[must_use]
    pub const fn next_key(&self) -> Option<&KeyCommitment> {
        self.body.next_key_sha256.as_ref()
    }

    /// SHA-256 of the canonical form without signatures: what the next statement
    /// names this one by.
    #[must_use]
    pub const fn sha256(&self) -> &[u8; 32] {
        &self.digest.0
    }

    /// [`Self::sha256`] of the statement before it.
    #[must_use]
    pub fn previous_sha256(&self) -> Option<&[u8; 32]> {
        self.body.previous_sha256.as_ref().map(|digest| &digest.0)
    }

    pub(super) const fn body(&self) -> &Body {
        &self.body
    }
}

impl Unverified {
    pub(super) fn verify(self) -> Result<RotationStatement, RotationError> {
        let Self { statement: body, signatures } = self;
        body.check()?;
        for (role, bytes) in
            [(RotationRole::Old, signatures.old), (RotationRole::New, signatures.new)]
        {
            let did = body.key(role).did();
            let signature = Signature::from_bytes(did.verifying_key().algorithm(), bytes);
            did.verifying_key().verify_strict(&body.signed_by(role)?, &signature).map_err(
                |_| RotationError::Signature { sequence: body.sequence, role, did: did.clone() },
            )?;
        }
        let digest = body.digest()?;
        Ok(RotationStatement { body, signatures, digest })
    }
}

impl Serialize for RotationStatement {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Whole<'a> {
            statement: &'a Body,
            signatures: &'a Signatures,
        }
        Whole { statement: &self.body, signatures: &self.signatures }.serialize(serializer)
    }
}

impl fmt::Debug for RotationStatement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RotationStatement")
            .field("sequence", &self.sequence())
            .field("old", self.old().did())
            .field("new", self.new_key().did())
            .field("sha256", &self.digest)
            .finish_non_exhaustive()
    }
}
