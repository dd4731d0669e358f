//! A software identity in one call: the conveniences of [`AgeKeyStore`].

use super::identity::IdentityStore;
use crate::backend::{AgeKeyStore, Credentials, NewKey};
use crate::bundle::IdentityBundle;
use crate::did::DidMethod;
use crate::error::Error;
use crate::key::{Key, Locked, Software, Unlocked};
use crate::secret::Passphrase;

impl AgeKeyStore {
    /// **Blocks** on scrypt and files. Makes a new identity: a software key and its
    /// companions, written to `identity.age` and `identity.json`.
    ///
    /// # Errors
    ///
    /// If there is one already, or it cannot be written.
    pub fn create_identity(
        &self,
        method: DidMethod,
        passphrase: &Passphrase,
    ) -> Result<IdentityBundle<Key<Software, Unlocked>>, Error> {
        let credentials = Credentials::passphrase(passphrase.clone());
        let bundle = self.store().create(self, &NewKey::new(method), &credentials)?;
        Ok(bundle.into_static::<Software>()?)
    }

    /// **Blocks** on files. The key of the identity in this directory, locked.
    ///
    /// # Errors
    ///
    /// If there is none, or its files are not safe or not valid.
    pub fn open(&self) -> Result<Key<Software, Locked>, Error> {
        let store = self.store();
        let header = store.header()?;
        let limit = self.config().max_work_factor;
        Ok(Key::from_age_file_with_limit(header.did().clone(), store.payload_file()?, limit))
    }

    fn store(&self) -> IdentityStore {
        IdentityStore::new(self.home()).with_age_config(self.config().clone())
    }
}
