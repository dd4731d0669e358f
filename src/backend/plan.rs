//! What is decided before anything is made in a device, so that it can be
//! written down first, and is the same for everything that is made.

use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::{PcrValues, mark};
use crate::encoding::hex;
use crate::secret::{NoRandomness, random};

/// Under which names a key and its storage key will be made in a device, and for
/// which state of the machine. [`Plan::default`] leaves both to the moment.
#[derive(Debug, Clone, Default)]
#[must_use = "nothing is made yet"]
pub struct Plan {
    /// Of objects on a token.
    pub(crate) names: Option<ObjectNames>,
    /// The values of a TPM's PCRs, read once.
    #[cfg_attr(not(feature = "tpm"), allow(dead_code, reason = "read by that backend"))]
    pub(crate) pcrs: Option<PcrValues>,
    /// The `CKA_ID` of objects that stay on the token, although they have one of
    /// these names.
    #[cfg_attr(not(feature = "pkcs11"), allow(dead_code, reason = "read by that backend"))]
    pub(crate) kept: Option<Vec<u8>>,
}

impl Plan {
    /// The same for a key that was in a file until then, Unix time.
    #[cfg_attr(not(feature = "keystore"), allow(dead_code, reason = "called by the keystore"))]
    pub(crate) fn of_imported(self, in_file_until: u64) -> Self {
        Self { names: self.names.map(|names| names.of_imported(in_file_until)), ..self }
    }
}

/// The `CKA_ID`s of what is about to be made on a token.
///
/// Each is the hash of a random number. Whoever knows that number shows that the
/// objects are those of an attempt that was not finished: it is removed when the
/// identity is written, and nothing that is in an identity's files names an
/// object to be destroyed.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Stored", into = "Stored")]
pub(crate) struct ObjectNames {
    pub(crate) token: String,
    pub(crate) serial: String,
    number: [u8; 32],
    /// Of a key that was in a file until then (Unix time): its id says so.
    in_file_until: Option<u64>,
}

const CONTEXT: &[u8] = b"icn-identity/unfinished/v1\0";

impl ObjectNames {
    /// On the token of this label and serial number.
    #[cfg_attr(not(feature = "pkcs11"), allow(dead_code, reason = "for that backend"))]
    pub(crate) fn new(token: &str, serial: &str) -> Result<Self, NoRandomness> {
        let mut number = [0; 32];
        random::fill(&mut number)?;
        Ok(Self { token: token.to_owned(), serial: serial.to_owned(), number, in_file_until: None })
    }

    /// The same for a key that was in a file until then, Unix time.
    pub(crate) const fn of_imported(mut self, in_file_until: u64) -> Self {
        self.in_file_until = Some(in_file_until);
        self
    }

    /// The same on another token: the objects were brought there.
    pub(crate) fn on_token(&self, token: &str, serial: &str) -> Self {
        Self { token: token.to_owned(), serial: serial.to_owned(), ..self.clone() }
    }

    /// `CKA_ID` of the key, both halves.
    pub(crate) fn key_id(&self) -> Vec<u8> {
        let unique = self.id(b"key");
        self.in_file_until.map_or_else(|| unique.clone(), |until| mark::id(until, &unique))
    }

    /// `CKA_ID` of what keeps its storage key.
    pub(crate) fn storage_id(&self) -> Vec<u8> {
        self.id(b"storage")
    }

    fn id(&self, of: &[u8]) -> Vec<u8> {
        let hash = Sha256::new().chain_update(CONTEXT).chain_update(self.number).chain_update(of);
        hash.finalize().iter().copied().take(16).collect()
    }

    pub(crate) fn is_on_same_token(&self, other: &Self) -> bool {
        self.token == other.token && self.serial == other.serial
    }
}

impl fmt::Debug for ObjectNames {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ObjectNames")
            .field("token", &self.token)
            .field("serial", &self.serial)
            .finish_non_exhaustive()
    }
}

/// For people: where they are, and what to look for.
impl fmt::Display for ObjectNames {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [key, storage] = [self.key_id(), self.storage_id()].map(|id| hex::encode(&id));
        write!(f, "token {} (serial {}), with CKA_ID {key} or {storage}", self.token, self.serial)
    }
}

/// As it is written: the ids for people, the number for us.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    token: String,
    serial: String,
    key_id: String,
    storage_id: String,
    number: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    in_file_until: Option<u64>,
}

impl From<ObjectNames> for Stored {
    fn from(names: ObjectNames) -> Self {
        let (key_id, storage_id) = (hex::encode(&names.key_id()), hex::encode(&names.storage_id()));
        let number = hex::encode(&names.number);
        let ObjectNames { token, serial, in_file_until, .. } = names;
        Self { token, serial, key_id, storage_id, number, in_file_until }
    }
}

impl TryFrom<Stored> for ObjectNames {
    type Error = &'static str;

    fn try_from(stored: Stored) -> Result<Self, Self::Error> {
        let number = hex::decode(&stored.number).and_then(|bytes| bytes.try_into().ok());
        let number = number.ok_or("its number is not 32 bytes in hex")?;
        let Stored { token, serial, in_file_until, .. } = &stored;
        let (token, serial) = (token.clone(), serial.clone());
        let names = Self { token, serial, number, in_file_until: *in_file_until };
        let ids = (hex::encode(&names.key_id()), hex::encode(&names.storage_id()));
        if ids != (stored.key_id, stored.storage_id) {
            return Err("its ids do not follow from its number");
        }
        Ok(names)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_go_to_json_and_back() {
        let names = ObjectNames::new("node-1", "0123").unwrap();
        let json = serde_json::to_string(&names).unwrap();
        assert!(json.contains(&hex::encode(&names.key_id())), "{json}");
        assert!(serde_json::from_str::<ObjectNames>(&json).unwrap() == names);
        assert_ne!(names.key_id(), names.storage_id());
        assert_eq!(names.key_id().len(), 16);
        let imported = names.clone().of_imported(1_800_000_000);
        let json = serde_json::to_string(&imported).unwrap();
        assert!(serde_json::from_str::<ObjectNames>(&json).unwrap() == imported);
        assert_eq!(mark::in_file_until(&imported.key_id()), Some(1_800_000_000));
        assert_eq!(mark::in_file_until(&names.key_id()), None);
    }

    /// Nobody can have a key destroyed whose number he does not know.
    #[test]
    fn an_id_that_does_not_follow_from_the_number_is_refused() {
        let (mine, other) = (
            ObjectNames::new("node-1", "0123").unwrap(),
            ObjectNames::new("node-1", "0123").unwrap(),
        );
        let good = serde_json::to_value(&mine).unwrap();
        for (field, value) in [
            ("key_id", hex::encode(&other.key_id())),
            ("storage_id", hex::encode(&other.key_id())),
            ("number", hex::encode(&other.number)),
            ("number", "00".into()),
        ] {
            let mut changed = good.clone();
            changed[field] = value.into();
            assert!(serde_json::from_value::<ObjectNames>(changed).is_err(), "{field}");
        }
    }
}
