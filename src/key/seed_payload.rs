//! What of an age file's JSON a key by itself needs: version, DID, seed.
//!
//! The rest is for the keystore, which reads the same JSON.

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::did::Did;
use crate::encoding::objects;
use crate::fault::FormatError;
use crate::secret::{SigningSeed, json};

/// The version that this crate writes. Versions 1 to 4 are ICN's older
/// formats.
pub(crate) const VERSION: u64 = 5;

/// A key alone.
#[derive(Serialize, Deserialize)]
pub(super) struct SeedPayload {
    version: u64,
    pub(super) did: Did,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) seed: Option<SigningSeed>,
}

/// The one field that is read before all others.
#[derive(Deserialize)]
struct Version {
    version: u64,
}

impl SeedPayload {
    pub(super) fn new(did: Did, seed: SigningSeed) -> Self {
        Self { version: VERSION, did, seed: Some(seed) }
    }

    /// JSON, in one allocation that is wiped.
    pub(super) fn to_json(&self) -> Result<Zeroizing<Vec<u8>>, FormatError> {
        json::to_json(self).map_err(|_| invalid("it cannot be written as JSON"))
    }
}

/// Reads JSON of version 5 that came out of an age file.
pub(crate) fn from_json<'de, T: Deserialize<'de>>(json: &'de [u8]) -> Result<T, FormatError> {
    let Version { version } = objects::from_slice(json).map_err(position)?;
    match version {
        VERSION => objects::from_slice(json).map_err(position),
        1..VERSION => Err(FormatError::Older { what: "identity.age", found: version }),
        0 => Err(invalid("version 0 does not exist")),
        found => Err(FormatError::Newer { what: "identity.age", found, known: VERSION }),
    }
}

fn invalid(reason: &'static str) -> FormatError {
    FormatError::Payload { reason, source: None }
}

fn position(error: serde_json::Error) -> FormatError {
    let position = json::Position::from(error);
    FormatError::Payload { reason: "it is not JSON of version 5", source: Some(position.into()) }
}
