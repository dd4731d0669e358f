//! What an attempt to make an identity may leave, written down before it is
//! made.
//!
//! `unfinished.json` is there from before the first object is made on a token,
//! or the configuration pins a new DID, until the identity is whole. Whoever
//! finds it beside no identity knows what is left on which token, and which
//! pinned DIDs never had an identity. It holds no secret; see
//! [`ObjectNames`] for why nobody else can name an object in it.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::config_file::Cause;
use super::header::Header;
use super::identity::IdentityStore;
use crate::backend::{Backend, Credentials, Locator, ObjectNames, Plan};
use crate::did::Did;
use crate::encoding::objects;
use crate::error::{Error, ErrorKind, FormatError, KeystoreError};
use crate::file::{self, names};

const FORMAT: &str = "icn-identity-unfinished";
const VERSION: u64 = 1;

/// What is left of attempts to make an identity that were cut off.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Unfinished {
    /// DIDs that may be pinned, and never had an identity.
    pub(super) dids: Vec<Did>,
    /// Objects that may be on a token.
    pub(super) device: Option<ObjectNames>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Note {
    format: String,
    version: u64,
    #[serde(default)]
    dids: Vec<Did>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    device: Option<ObjectNames>,
}

/// The fields that are read before all others.
#[derive(Deserialize)]
struct Version {
    format: String,
    version: u64,
}

impl Unfinished {
    pub(super) fn parse(bytes: &[u8], path: &Path) -> Result<Self, KeystoreError> {
        let unreadable = |source: Box<dyn std::error::Error + Send + Sync>| {
            KeystoreError::UnfinishedUnreadable { path: path.to_owned(), source }
        };
        let Version { format, version: found } =
            objects::from_slice(bytes).map_err(|error| unreadable(error.into()))?;
        if format != FORMAT {
            return Err(unreadable(format!("its format is {format:?}, not {FORMAT:?}").into()));
        }
        if found != VERSION {
            let what = names::UNFINISHED;
            return Err(FormatError::Newer { what, found, known: VERSION }.into());
        }
        let note: Note = objects::from_slice(bytes).map_err(|error| unreadable(error.into()))?;
        Ok(Self { dids: note.dids, device: note.device })
    }

    pub(super) fn to_json(&self) -> serde_json::Result<Vec<u8>> {
        let Self { dids, device } = self.clone();
        serde_json::to_vec_pretty(&Note { format: FORMAT.into(), version: VERSION, dids, device })
    }

    /// Whether an identity of this DID was begun here, and never made. It may be
    /// pinned all the same.
    #[must_use]
    pub fn was_never_made(&self, did: &Did) -> bool {
        self.dids.contains(did)
    }

    /// Objects that may be left on a token, in words: which token, and their
    /// `CKA_ID`s.
    #[must_use]
    pub fn objects(&self) -> Option<String> {
        self.device.as_ref().map(ToString::to_string)
    }

    const fn is_nothing(&self) -> bool {
        self.dids.is_empty() && self.device.is_none()
    }

    /// Whether a header is of what was begun.
    pub(super) fn began(&self, header: &Header) -> bool {
        self.names(header) || self.was_never_made(header.did())
    }

    /// Whether objects that a header names may be left on a token.
    pub(super) fn names(&self, header: &Header) -> bool {
        self.device.as_ref().is_some_and(|names| {
            let storage = header.storage_key_id();
            header.locator().is_some_and(|locator| locator.id == names.key_id())
                || storage.is_some_and(|id| *id == names.storage_id())
        })
    }
}

impl IdentityStore {
    /// **Blocks** on files. What is left here of attempts to make an identity that
    /// were cut off; `None` also where the identity is there.
    ///
    /// # Errors
    ///
    /// If it cannot be told.
    pub fn unfinished(&self) -> Result<Option<Unfinished>, KeystoreError> {
        let left = self.read_unfinished()?;
        Ok((!left.is_nothing() && self.check_vacant().is_ok()).then_some(left))
    }

    /// Where the payload is not there: what the note says, if it is of this header. An
    /// identity that was made and has lost its payload has no such note.
    pub(super) fn never_made(&self, header: Option<&Header>) -> Option<KeystoreError> {
        let left = self.read_unfinished().ok()?;
        if left.is_nothing() || header.is_some_and(|header| !left.began(header)) {
            return None;
        }
        let did = header.map(Header::did).or_else(|| left.dids.last());
        let (did, objects) = (did.cloned(), left.objects());
        Some(KeystoreError::NeverMade { home: self.home().to_owned(), did, objects })
    }

    /// Forgets that the identity was begun, which is whole: its writer may have been
    /// killed just after its last step. The payload has vouched for the header.
    pub(super) fn settle(&self, vouched: &Header) -> Result<(), KeystoreError> {
        let left = self.read_unfinished()?;
        if left.is_nothing() || !left.began(vouched) || self.is_staged() {
            return Ok(());
        }
        self.write_unfinished(&Unfinished::default())
    }

    pub(super) fn unfinished_path(&self) -> PathBuf {
        self.home().join(names::UNFINISHED)
    }

    pub(super) fn read_unfinished(&self) -> Result<Unfinished, KeystoreError> {
        let path = self.unfinished_path();
        let Some(bytes) = file::read_private(&path)? else { return Ok(Unfinished::default()) };
        Unfinished::parse(&bytes, &path)
    }

    /// Durably, before anything of it is made.
    pub(super) fn write_unfinished(&self, left: &Unfinished) -> Result<(), KeystoreError> {
        let path = self.unfinished_path();
        if left.device.is_none() && self.is_staged() {
            self.note_in_journal(None)?;
        }
        if left.is_nothing() {
            return file::remove(&path);
        }
        let json = left.to_json().map_err(|source| KeystoreError::UnfinishedUnreadable {
            path: path.clone(),
            source: source.into(),
        })?;
        file::write(&path, &json)?;
        match &left.device {
            Some(names) if self.is_staged() => self.note_in_journal(Some(names)),
            _ => Ok(()),
        }
    }

    /// The objects that the note names.
    pub(crate) fn noted_objects(&self) -> Result<Option<ObjectNames>, KeystoreError> {
        Ok(self.read_unfinished()?.device)
    }

    /// The token that they are on has another label now.
    pub(crate) fn rename_noted_token(&self, label: &str) -> Result<(), KeystoreError> {
        let mut left = self.read_unfinished()?;
        left.device = left.device.map(|names| names.on_token(label, &names.serial));
        self.write_unfinished(&left)
    }

    /// They are gone.
    pub(crate) fn forget_objects(&self) -> Result<(), KeystoreError> {
        let mut left = self.read_unfinished()?;
        left.device = None;
        self.write_unfinished(&left)
    }

    /// That what is left is on the token of the next attempt, which removes it there.
    pub(super) fn check_unfinished_is_there(
        &self,
        left: &Unfinished,
        backend: &dyn Backend,
        found: Option<(&Did, &Locator)>,
    ) -> Result<(), Error> {
        let Some(names) = &left.device else { return Ok(()) };
        let planned = backend.plan(found.map(|(did, _)| did))?;
        match planned.names.is_some_and(|planned| planned.is_on_same_token(names)) {
            true => Ok(()),
            false => Err(self.stays(names, None).into()),
        }
    }

    fn stays(&self, names: &ObjectNames, source: Option<Cause>) -> KeystoreError {
        let (path, objects) = (self.unfinished_path(), names.to_string());
        KeystoreError::Unfinished { path, objects, source }
    }

    /// Removes the objects that are left on the token of the next attempt.
    pub(super) fn remove_unfinished_objects(
        &self,
        left: &mut Unfinished,
        backend: &dyn Backend,
        found: Option<(&Did, &Locator)>,
        credentials: &Credentials,
    ) -> Result<(), Error> {
        self.check_unfinished_is_there(left, backend, found)?;
        let Some(names) = &left.device else { return Ok(()) };
        log::warn!("what an interrupted attempt may have left is removed: {names}");
        self.remove_noted_objects(left, backend, found, credentials)
    }

    fn remove_noted_objects(
        &self,
        left: &mut Unfinished,
        backend: &dyn Backend,
        found: Option<(&Did, &Locator)>,
        credentials: &Credentials,
    ) -> Result<(), Error> {
        let Some(names) = &left.device else { return Ok(()) };
        // The key that is about to be opened may be one that was left.
        let kept = found.and_then(|(_, place)| match place {
            Locator::Pkcs11(locator) => Some(locator.id.clone()),
            Locator::AgeFile(_) | Locator::Tpm(_) => None,
        });
        let plan = Plan { names: Some(names.clone()), kept, ..Plan::default() };
        match backend.discard(&plan, credentials) {
            Ok(_) => {}
            // The objects are still there, and the PIN is the matter.
            Err(error) if error.is_wrong_credential() || error.kind() == ErrorKind::LockedOut => {
                return Err(error);
            }
            Err(error) => return Err(self.stays(names, Some(error.into())).into()),
        }
        left.device = None;
        Ok(self.write_unfinished(left)?)
    }
}
