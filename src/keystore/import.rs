//! An identity of version 5 from an older file.

use std::path::Path;

use super::draft::{Draft, New, Stored};
use super::header::Storage;
use super::identity::IdentityStore;
use super::legacy::{LegacyIdentity, is_same};
use super::pinned::Pinned;
use super::undo::Undo;
use super::unlock::StorageSecret;
use crate::backend::{AgeKeyStore, BackendKind, Credentials, Locator};
use crate::bundle::{IdentityBundle, check_clock};
use crate::error::{Error, LegacyError};
use crate::file::names::previous;
use crate::key::{DidKey, Software, Unlocked};
use crate::secret::Passphrase;

impl IdentityStore {
    /// **Blocks** on files. Whether an older file can be imported here: no identity
    /// is there yet, the file is not where it would be written, and it can be such a file as
    /// far as shows without its passphrase.
    ///
    /// # Errors
    ///
    /// [`LegacyError::SamePlace`], [`LegacyError::NotAge`], [`LegacyError::ToAKey`] or [`crate::error::KeystoreError::Exists`].
    pub fn check_import(&self, old: &Path) -> Result<(), Error> {
        let (header, payload) = (self.header_path(), self.payload_path());
        // A renewal writes the other two.
        let ours = [previous(&header), previous(&payload), header, payload];
        if let Some(path) = ours.into_iter().find(|path| is_same(old, path)) {
            return Err(LegacyError::SamePlace { path }.into());
        }
        self.check_vacant()?;
        LegacyIdentity::check_file(old)
    }

    /// **Blocks** on files. Makes a software identity of version 5 with the DID of an
    /// older file: its key, its X25519 key if it has one, and what it held beside
    /// them. TLS key, certificate and binding are new.
    ///
    /// # Errors
    ///
    /// [`LegacyError::NotPinned`] if another DID is pinned; as [`Self::draft`].
    pub fn draft_import(
        &self,
        old: LegacyIdentity,
        pinned: Pinned<'_>,
        passphrase: &Passphrase,
    ) -> Result<Draft<'static>, Error> {
        old.check_pinned(pinned)?;
        check_clock()?;
        let mut undo = Undo::begin(self)?;
        let backend = AgeKeyStore::with_config(self.home(), &self.age);
        let epoch = self.epoch_left(old.did());
        undo.clear(&backend, None, &Credentials::passphrase(passphrase.clone()))?;
        let LegacyIdentity { key, x25519, carried, .. } = old;
        let key = DidKey::from(key);
        let bundle = IdentityBundle::issue_around(key, epoch, x25519)?;
        let stored = Stored {
            backend: BackendKind::Age,
            place: Locator::AgeFile(self.payload_path()),
            storage: Storage::Passphrase {},
            secret: StorageSecret::Passphrase(passphrase.clone()),
        };
        Ok(Draft::new(New::first(self, bundle, stored, Some(carried))?, undo))
    }

    /// **Blocks** on scrypt and files. Imports an older file, and writes the
    /// identity: [`Self::draft_import`], then [`Draft::write`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn import(
        &self,
        old: LegacyIdentity,
        pinned: Pinned<'_>,
        passphrase: &Passphrase,
    ) -> Result<IdentityBundle<crate::Key<Software, Unlocked>>, Error> {
        let bundle = self.draft_import(old, pinned, passphrase)?.write()?;
        Ok(bundle.into_static::<Software>()?)
    }
}
