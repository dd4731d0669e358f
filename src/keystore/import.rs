//! An identity of version 5 from an older file.

use std::path::Path;

use super::identity::IdentityStore;
use super::legacy::{LegacyIdentity, is_same};
use crate::backend::{AgeKeyStore, Credentials, Locator};
use crate::bundle::IdentityBundle;
use crate::did::Did;
use crate::error::{Error, LegacyError};
use crate::file::{self, names::previous};
use crate::key::{DidKey, Software, Unlocked};
use crate::secret::Passphrase;

impl IdentityStore {
    /// Whether an older file can be imported here: no identity is there yet, and
    /// the file is not where it would be written.
    ///
    /// # Errors
    ///
    /// [`LegacyError::SamePlace`] or [`crate::error::KeystoreError::Exists`].
    pub fn check_import(&self, old: &Path) -> Result<(), Error> {
        let (header, payload) = (self.header_path(), self.payload_path());
        // A renewal writes the other two.
        let ours = [previous(&header), previous(&payload), header, payload];
        if let Some(path) = ours.into_iter().find(|path| is_same(old, path)) {
            return Err(LegacyError::SamePlace { path }.into());
        }
        Ok(self.check_vacant()?)
    }

    /// Makes a software identity of version 5 with the DID of an older file: its
    /// key, its X25519 key if it has one, and what it held beside them. TLS key,
    /// certificate and binding are new.
    ///
    /// # Errors
    ///
    /// [`LegacyError::NotPinned`] if another DID is pinned;
    /// [`crate::error::KeystoreError::Exists`] rather than overwrite anything.
    pub fn import(
        &self,
        old: LegacyIdentity,
        pinned: Option<&Did>,
        passphrase: &Passphrase,
    ) -> Result<IdentityBundle<crate::Key<Software, Unlocked>>, Error> {
        old.check_pinned(pinned)?;
        file::private_dir(self.home())?;
        let _lock = self.lock()?;
        self.clear()?;
        let LegacyIdentity { key, x25519, carried, .. } = old;
        let key = DidKey::from(key);
        let bundle = match x25519 {
            Some(x25519) => IdentityBundle::issue_around(key, x25519)?,
            None => IdentityBundle::issue(key)?,
        };
        let backend = AgeKeyStore::with_config(self.home(), &self.age);
        let locator = Locator::AgeFile(self.payload_path());
        let credentials = Credentials::passphrase(passphrase.clone());
        let written = self.write_new_with(&backend, bundle, &locator, &credentials, Some(carried));
        if written.is_err() {
            self.remove_files();
        }
        Ok(written?.into_static::<Software>()?)
    }
}
