//! An identity around a key that its device has already.

use super::identity::IdentityStore;
use crate::backend::{Backend, Credentials, KeyAtRest, Locator};
use crate::bundle::IdentityBundle;
use crate::did::Did;
use crate::error::{DeviceError, Error};
use crate::file;
use crate::key::DidKey;

impl IdentityStore {
    /// Opens the key at a locator, makes companions for it, and writes both
    /// files. The key itself is left as it is, whatever happens; its evidence
    /// says what it is.
    ///
    /// # Errors
    ///
    /// [`crate::error::KeystoreError::Exists`] rather than overwrite anything.
    pub fn adopt(
        &self,
        backend: &dyn Backend,
        locator: &Locator,
        did: &Did,
        credentials: &Credentials,
    ) -> Result<IdentityBundle<DidKey>, Error> {
        file::private_dir(self.home())?;
        let _lock = self.lock()?;
        self.clear()?;
        if backend.vault().is_none() {
            credentials.want_passphrase_beside_pin()?;
        }
        let KeyAtRest::Device(key) = backend.find(locator, did)? else {
            return Err(DeviceError::ForeignLocator { backend: backend.kind() }.into());
        };
        let key = key.unseal(&credentials.pin_for(backend.kind())?)?;
        let written = IdentityBundle::issue(key)
            .map_err(Error::from)
            .and_then(|bundle| self.write_new(backend, bundle, locator, credentials));
        if written.is_err() {
            self.remove_files();
            if let Some(vault) = backend.vault()
                && let Err(error) = vault.discard_storage(did, credentials)
            {
                log::warn!("a new storage key could not be removed from its device: {error}");
            }
        }
        written
    }
}
