//! The files of an identity: found, judged, and made once.

use std::path::{Path, PathBuf};

use super::header::{Header, Storage};
use super::journal::During;
use super::pinned::Pinned;
use crate::agefile;
use crate::backend::{Backend, BackendKind, KeyAtRest, Locator};
use crate::config::AgeConfig;
use crate::encoding::text;
use crate::error::{Error, KeystoreError};
use crate::file;
use crate::file::names::{self, previous};
use crate::key::DidKey;
use crate::secret::SigningSeed;

/// The directory of one identity.
#[derive(Debug, Clone)]
pub struct IdentityStore {
    pub(super) home: PathBuf,
    pub(super) age: AgeConfig,
    /// Where this user's homes keep what they know together.
    pub(super) state: Option<PathBuf>,
    /// Opened by the migration that makes it, before it is in use.
    pub(super) of_migration: bool,
}

impl IdentityStore {
    /// A directory. Nothing is read or made yet.
    #[must_use]
    pub fn new(home: impl Into<PathBuf>) -> Self {
        Self { home: home.into(), age: AgeConfig::default(), state: None, of_migration: false }
    }

    /// With other scrypt work factors.
    #[must_use]
    pub const fn with_age_config(mut self, config: AgeConfig) -> Self {
        self.age = config;
        self
    }

    /// With a directory that all homes of this user share. See
    /// [`HomeOptions::with_state_directory`](crate::home::HomeOptions::with_state_directory).
    #[must_use]
    pub(crate) fn with_state_directory(mut self, directory: Option<PathBuf>) -> Self {
        self.state = directory;
        self
    }

    /// As the migration opens it whose new identity this is.
    #[must_use]
    pub(crate) fn of_migration(self, of_migration: bool) -> Self {
        Self { of_migration, ..self }
    }

    pub(crate) fn state_directory(&self) -> Option<&Path> {
        self.state.as_deref()
    }

    /// The directory.
    #[must_use]
    pub fn home(&self) -> &Path {
        &self.home
    }

    pub(crate) fn payload_path(&self) -> PathBuf {
        self.home.join(names::PAYLOAD)
    }

    pub(super) fn header_path(&self) -> PathBuf {
        self.home.join(names::HEADER)
    }

    /// **Blocks** on files. The public header. It is **not** verified: that takes the
    /// credential.
    ///
    /// # Errors
    ///
    /// If there is no identity, or the file is not safe or not valid.
    pub fn header(&self) -> Result<Header, KeystoreError> {
        self.read_header().map(|(header, _)| header)
    }

    pub(super) fn read_header(&self) -> Result<(Header, String), KeystoreError> {
        file::check_directory(&self.home)?;
        let header = self.read_header_at(&self.header_path())?;
        // Half an identity is neither one nor none.
        match (header, file::is_there(&self.payload_path())?) {
            (Some(header), true) => Ok(header),
            (found, false) => {
                let found = found.map(|(header, _)| header);
                Err(self.never_made(found.as_ref()).unwrap_or_else(|| match found {
                    None => KeystoreError::NoIdentity { home: self.home.clone() },
                    Some(_) => KeystoreError::Incomplete { missing: self.payload_path() },
                }))
            }
            (None, true) => Err(KeystoreError::Incomplete { missing: self.header_path() }),
        }
    }

    pub(super) fn read_header_at(
        &self,
        path: &Path,
    ) -> Result<Option<(Header, String)>, KeystoreError> {
        let invalid = |source| KeystoreError::Header { path: path.to_owned(), source };
        let Some(bytes) = file::read_private(path)? else { return Ok(None) };
        let read = text::after_mark(&bytes).map_err(|error| invalid(error.into()))?;
        let how = match read.len() == bytes.len() {
            false => Some("it begins with a byte order mark"),
            // Nothing that is written here has any.
            true => bytes.contains(&b'\r').then_some("its lines end in CR LF"),
        };
        if let Some(how) = how {
            return Err(KeystoreError::HeaderResaved { path: path.to_owned(), how });
        }
        let text = String::from_utf8(bytes).map_err(|error| invalid(error.into()))?;
        let header = Header::parse(&text).map_err(invalid)?;
        Ok(Some((header, text)))
    }

    pub(crate) fn payload_file(&self) -> Result<Vec<u8>, KeystoreError> {
        file::read_private(&self.payload_path())?
            .ok_or_else(|| KeystoreError::Incomplete { missing: self.payload_path() })
    }

    /// **Blocks** on files. Whether the payload can be that of this header, as far as shows
    /// without its secret: it is there, is a whole age file, and wants the passphrase or the
    /// storage key that the header says.
    ///
    /// # Errors
    ///
    /// [`KeystoreError::Incomplete`], [`KeystoreError::NotOpened`].
    #[doc(hidden)]
    pub fn check_payload(&self, header: &Header) -> Result<(), KeystoreError> {
        let file = self.payload_file()?;
        let has_passphrase = matches!(header.storage(), Storage::Passphrase {});
        agefile::check_form(&file, has_passphrase, self.age.max_work_factor).map_err(|source| {
            KeystoreError::NotOpened { path: self.payload_path(), source: source.into() }
        })
    }

    /// **Blocks** on files. Whether an identity can be made here.
    ///
    /// A header alone is in nobody's way: the payload is written last, so it is
    /// what is left of a [`Self::create`] that was cut off, and no key can be
    /// opened by it.
    ///
    /// # Errors
    ///
    /// [`KeystoreError::Exists`] if there is one, or a payload without its
    /// header; `Io` if it cannot be told.
    pub fn check_vacant(&self) -> Result<(), KeystoreError> {
        // Between two renames of a switch there is none, and it is not gone.
        self.check_unmoved(During::Nothing)?;
        if file::is_there(&self.payload_path())? {
            let header = self.header_path();
            let path = if file::is_there(&header)? { header } else { self.payload_path() };
            return Err(KeystoreError::Exists { path });
        }
        // A payload that somebody has lost may still be there as this.
        let path = previous(&self.payload_path());
        if file::is_there(&path)? {
            return Err(KeystoreError::Exists { path });
        }
        Ok(())
    }

    /// Checks a header against what is configured and pinned.
    ///
    /// # Errors
    ///
    /// [`KeystoreError::NotPinned`] or [`KeystoreError::NotConfigured`].
    #[doc(hidden)]
    pub fn check(
        &self,
        header: &Header,
        configured: BackendKind,
        pinned: Pinned<'_>,
    ) -> Result<(), KeystoreError> {
        check_header(header, configured, pinned)
    }

    /// **Blocks** on the device. Finds the key that a header names, and checks what
    /// can be checked without a credential.
    ///
    /// # Errors
    ///
    /// As [`Backend::find`].
    #[doc(hidden)]
    pub fn find(&self, backend: &dyn Backend, header: &Header) -> Result<KeyAtRest, Error> {
        backend.find(&self.locator_of(header), header.did())
    }

    pub(super) fn locator_of(&self, header: &Header) -> Locator {
        header.device_locator().unwrap_or_else(|| Locator::AgeFile(self.payload_path()))
    }
}

pub(super) fn check_header(
    header: &Header,
    configured: BackendKind,
    pinned: Pinned<'_>,
) -> Result<(), KeystoreError> {
    if let Some(pinned) = pinned.did()
        && pinned != header.did()
    {
        let (pinned, found) = (pinned.clone(), header.did().clone());
        return Err(KeystoreError::NotPinned { pinned, found });
    }
    if header.backend() != configured {
        return Err(KeystoreError::NotConfigured {
            what: "backend",
            found: header.backend().as_str().into(),
            configured: configured.as_str().into(),
        });
    }
    Ok(())
}

/// What goes into the payload of a software key, and of no other.
pub(super) fn seed_of(key: &DidKey) -> Option<SigningSeed> {
    match key {
        DidKey::Software(key) => Some(SigningSeed::from_bytes(key.expose_secret())),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
