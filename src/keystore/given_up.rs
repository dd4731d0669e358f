//! Successors that an identity has handed over to, and that were given up since: a move that
//! was rolled back. The statement stays, as whoever has seen it may follow it; what is said of
//! it is another matter then. Nothing is decided by this note. It goes with the statement, into
//! backups and wherever the same DID goes on.

use serde::{Deserialize, Serialize};

use super::identity::IdentityStore;
use crate::did::Did;
use crate::encoding::objects;
use crate::error::KeystoreError;
use crate::file::{self, names};

const FORMAT: &str = "icn-identity-given-up";
const VERSION: u64 = 1;

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Note {
    format: String,
    version: u64,
    successors: Vec<Did>,
}

impl IdentityStore {
    /// **Blocks** on files. Whether a successor of the identity of this home was given up: the
    /// move to it was rolled back. One of which that cannot be read was not, as far as is known.
    #[must_use]
    pub fn gave_up(&self, successor: &Did) -> bool {
        self.given_up().is_some_and(|successors| successors.contains(successor))
    }

    /// Written down under the lock that is held, before its files are removed.
    pub(crate) fn give_up(&self, successor: &Did) -> Result<(), KeystoreError> {
        let path = self.home().join(names::GIVEN_UP);
        let Some(mut successors) = self.given_up() else {
            log::warn!("{} cannot be read, and stays as it is", path.display());
            return Ok(());
        };
        if successors.contains(successor) {
            return Ok(());
        }
        successors.push(successor.clone());
        self.put_given_up(successors)
    }

    /// One that is there after all: the identity hands over to it. Under the lock that is held.
    pub(crate) fn take_up(&self, successor: &Did) -> Result<(), KeystoreError> {
        let Some(mut successors) = self.given_up() else { return Ok(()) };
        if !successors.contains(successor) {
            return Ok(());
        }
        successors.retain(|given_up| given_up != successor);
        match successors.is_empty() {
            true => file::remove(&self.home().join(names::GIVEN_UP)),
            false => self.put_given_up(successors),
        }
    }

    pub(super) fn put_given_up(&self, successors: Vec<Did>) -> Result<(), KeystoreError> {
        let path = self.home().join(names::GIVEN_UP);
        match to_json(successors) {
            Ok(json) => file::write(&path, &json),
            Err(error) => {
                log::warn!("{} was not written: {error}", path.display());
                Ok(())
            }
        }
    }

    /// All of them, to be noted elsewhere too.
    pub(super) fn all_given_up(&self) -> Vec<Did> {
        self.given_up().unwrap_or_else(|| {
            let path = self.home().join(names::GIVEN_UP);
            log::warn!("{} cannot be read, and is not taken along", path.display());
            Vec::new()
        })
    }

    /// `None` if it cannot be read.
    fn given_up(&self) -> Option<Vec<Did>> {
        let Some(bytes) = file::read_private(&self.home().join(names::GIVEN_UP)).ok()? else {
            return Some(Vec::new());
        };
        parse(&bytes)
    }
}

/// `None` if it is not understood.
pub(super) fn parse(bytes: &[u8]) -> Option<Vec<Did>> {
    let note: Note = objects::from_slice(bytes).ok()?;
    (note.version == VERSION && note.format == FORMAT).then_some(note.successors)
}

pub(super) fn to_json(successors: Vec<Did>) -> serde_json::Result<Vec<u8>> {
    serde_json::to_vec_pretty(&Note { format: FORMAT.into(), version: VERSION, successors })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_was_given_up_is_known_and_a_note_of_a_newer_version_stays() {
        let dir = tempfile::tempdir().unwrap();
        let store = IdentityStore::new(dir.path().join("home"));
        file::private_dir(store.home()).unwrap();
        let did = Did::parse("did:key:z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK").unwrap();
        assert!(!store.gave_up(&did));
        store.give_up(&did).unwrap();
        store.give_up(&did).unwrap();
        assert!(store.gave_up(&did));
        let path = store.home().join(names::GIVEN_UP);
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(text.matches("did:key").count(), 1, "{text}");
        assert_eq!(store.all_given_up(), std::slice::from_ref(&did));
        store.take_up(&did).unwrap();
        assert!(!store.gave_up(&did) && !path.exists());
        store.give_up(&did).unwrap();
        let newer = text.replace("\"version\": 1", "\"version\": 2");
        file::write(&path, newer.as_bytes()).unwrap();
        assert!(!store.gave_up(&did));
        store.give_up(&did).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), newer);
    }
}
