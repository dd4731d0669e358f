//! `seen/DID.json`: the epoch of a DID, and the numbers of its instances.

use std::error::Error as StdError;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::binding::{BindingNumber, Instance};
use crate::did::Did;
use crate::encoding::objects;
use crate::file;
use crate::peer::book_error::{BookError, VERSION, check_version};
use crate::peer::sequence::SequenceError;
use crate::peer::sequence::instances::Instances;

/// A file for each DID: what is written for one number is short, whoever else is in
/// the book.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Seen {
    version: u64,
    did: Did,
    epoch: u64,
    /// The one whose number has not changed for longest comes first.
    instances: Vec<Number>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Number {
    instance: Instance,
    sequence: u64,
}

impl Seen {
    pub(super) fn read(directory: &Path, did: &Did) -> Result<Option<Instances>, BookError> {
        let path = path(directory, did);
        let Some(json) = file::read_private(&path)? else { return Ok(None) };
        Self::parse(&path, did, &json).map(Some)
    }

    fn parse(path: &Path, did: &Did, json: &[u8]) -> Result<Instances, BookError> {
        check_version(path, json)?;
        let damaged = |source: Box<dyn StdError + Send + Sync>| BookError::Damaged {
            path: path.to_owned(),
            source,
        };
        let seen: Self = objects::from_slice(json).map_err(|error| damaged(error.into()))?;
        if seen.did != *did {
            return Err(damaged(format!("it is of {}", seen.did).into()));
        }
        let sequences = seen.instances.iter().map(|number| (number.instance, number.sequence));
        Instances::kept(seen.epoch, sequences.collect())
            .ok_or_else(|| damaged("it has more instances than are kept, or one twice".into()))
    }

    fn written(did: &Did, instances: &Instances) -> Vec<u8> {
        let numbers = instances.sequences().iter();
        let seen = Self {
            version: VERSION,
            did: did.clone(),
            epoch: instances.epoch(),
            instances: numbers.map(|&(instance, sequence)| Number { instance, sequence }).collect(),
        };
        // Strings and numbers: nothing here can fail.
        serde_json::to_vec(&seen).unwrap_or_default()
    }

    /// Compares and remembers. The lock of the book is held.
    pub(super) fn admit(
        directory: &Path,
        did: &Did,
        instance: &Instance,
        number: BindingNumber,
    ) -> Result<(), SequenceError> {
        let instances = match Self::read(directory, did)? {
            Some(mut seen) => {
                seen.admit(instance, number)?;
                seen
            }
            None => Instances::beginning_with(*instance, number),
        };
        let json = Self::written(did, &instances);
        Ok(file::write(&path(directory, did), &json).map_err(BookError::from)?)
    }

    /// The lock of the book is held. Gives whether there was something.
    pub(super) fn forget(directory: &Path, did: &Did) -> Result<bool, BookError> {
        let path = path(directory, did);
        let there = file::is_there(&path)?;
        file::remove(&path)?;
        Ok(there)
    }
}

/// A DID has at most 128 bytes, and none that a path could not have.
fn path(directory: &Path, did: &Did) -> PathBuf {
    directory.join(format!("{did}.json"))
}

/// What such a file says of the DID in it, as it would be written.
#[cfg(all(
    any(test, fuzzing),
    feature = "attestation",
    feature = "audit",
    feature = "client",
    feature = "pkcs11",
    feature = "tpm"
))]
pub(super) fn reread(bytes: &[u8]) -> Option<Vec<u8>> {
    let Seen { did, .. } = objects::from_slice(bytes).ok()?;
    let instances = Seen::parse(Path::new("seen.json"), &did, bytes).ok()?;
    Some(Seen::written(&did, &instances))
}
