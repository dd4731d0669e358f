//! An identity whose key was in a file, made anew in a device, in a home of its own.

use std::fmt;

use super::Home;
use super::locked::Ready;
use super::pins::Made;
use super::source::CredentialSource;
use crate::backend::BackendKind;
use crate::did::Did;
use crate::error::{DeviceError, Error, KeystoreError};
use crate::keystore::{Importable, LegacyIdentity};

/// Where the key is that is imported into a device.
#[must_use = "nothing is imported yet"]
#[non_exhaustive]
pub enum ImportFrom<'h> {
    /// The identity of an age file, in another home, whose passphrase was asked for.
    Identity(Box<Ready<'h>>),
    /// An older file, which is open.
    Legacy(Box<LegacyIdentity>),
}

impl<'h> From<Ready<'h>> for ImportFrom<'h> {
    fn from(old: Ready<'h>) -> Self {
        Self::Identity(Box::new(old))
    }
}

impl From<LegacyIdentity> for ImportFrom<'_> {
    fn from(old: LegacyIdentity) -> Self {
        Self::Legacy(Box::new(old))
    }
}

impl ImportFrom<'_> {
    /// Whose identity it is, and will be.
    #[must_use]
    pub fn did(&self) -> &Did {
        match self {
            Self::Identity(old) => old.did(),
            Self::Legacy(old) => old.did(),
        }
    }

    /// Tries the passphrase.
    fn open(self) -> Result<Importable, Error> {
        match self {
            Self::Identity(old) => old.prepare_import(),
            Self::Legacy(old) => Ok((*old).into()),
        }
    }
}

impl Home {
    /// **Blocks** on device and files. Whether the key of a DID could be imported into the
    /// configured device, and the identity be made here, as far as that shows without a
    /// credential.
    ///
    /// # Errors
    ///
    /// [`DeviceError::NoSeedImport`] for the backend age; as [`Self::check_vacant`], but
    /// that this very DID may be pinned; as
    /// [`SeedImport::check_import`](crate::backend::SeedImport::check_import).
    pub fn check_import(&self, did: &Did, label: Option<&str>) -> Result<(), Error> {
        self.check_import_of(Some(did), label)
    }

    /// The same, of a key whose DID may not be known yet.
    pub(crate) fn check_import_of(
        &self,
        did: Option<&Did>,
        label: Option<&str>,
    ) -> Result<(), Error> {
        self.check_vacant_for(did)?;
        let backend = self.config().identity.backend;
        if backend == BackendKind::Age {
            return Err(DeviceError::NoSeedImport { backend }.into());
        }
        let importer = self.backend()?.importer();
        let importer = importer.ok_or(DeviceError::NoSeedImport { backend })?;
        // What an earlier attempt has left is removed first, and is in nobody's way.
        if self.store().unfinished()?.is_none_or(|left| left.objects().is_none()) {
            importer.check_import(label)?;
        }
        Ok(())
    }

    /// **Blocks** on device, scrypt and files, and while a person is asked. As
    /// [`Self::create`], with a key that was in a file: the identity keeps its DID, and its
    /// header says for ever until when the key was in a file. The old one is left as it is;
    /// its own home stays locked meanwhile.
    ///
    /// The credential of the device comes from `source`. It is not sent before the old
    /// identity is open.
    ///
    /// # Errors
    ///
    /// As [`Self::check_import`]; [`KeystoreError::NoSeed`] for an identity whose key is in
    /// a device; as [`IdentityStore::draft_imported`] and [`Self::create`]. Nothing is left
    /// of it then.
    ///
    /// [`IdentityStore::draft_imported`]: crate::keystore::IdentityStore::draft_imported
    pub fn create_imported<'o>(
        &mut self,
        from: impl Into<ImportFrom<'o>>,
        label: Option<&str>,
        source: CredentialSource<'_>,
    ) -> Result<Made, Error> {
        let from = from.into();
        if let ImportFrom::Identity(old) = &from
            && old.header().backend() != BackendKind::Age
        {
            return Err(KeystoreError::NoSeed { backend: old.header().backend() }.into());
        }
        self.check_import(from.did(), label)?;
        let asked = self.ask(&self.wants_for_new()?, source)?;
        let old = from.open()?;
        self.make(asked, None, |store, backend, credentials| {
            store.draft_imported(backend, old, label, credentials)
        })
    }
}

impl fmt::Debug for ImportFrom<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ImportFrom").field("did", self.did()).finish_non_exhaustive()
    }
}
