//! An identity whose key is now found somewhere else: on a token that was
//! restored from a backup, cloned, or renamed.

use super::change::Change;
use super::identity::IdentityStore;
use super::journal::During;
use super::located::Located;
use super::pinned::Pinned;
use crate::backend::{Backend, Credentials, Locator, Pkcs11Locator};
use crate::bundle::IdentityBundle;
use crate::error::Error;
use crate::key::DidKey;

impl IdentityStore {
    /// **Blocks** on device and files. As [`Self::locate`], with the key at another
    /// locator than the header says.
    ///
    /// # Errors
    ///
    /// As there.
    pub fn locate_at<'a>(
        &self,
        backend: &'a dyn Backend,
        locator: &Pkcs11Locator,
        pinned: Pinned<'_>,
    ) -> Result<Located<'a>, Error> {
        let place = Locator::Pkcs11(locator.clone());
        Located::find(self.clone(), backend, pinned.did().cloned(), Some(place))
    }

    /// **Blocks** on device, scrypt and files. Opens the identity with its key at
    /// another locator, and records it.
    ///
    /// The key must be that of the identity's DID, prove it, and the device
    /// must open the storage key.
    ///
    /// # Errors
    ///
    /// As [`Self::open`]. The files are as they were then.
    pub fn relocate(
        &self,
        backend: &dyn Backend,
        locator: &Pkcs11Locator,
        pinned: Pinned<'_>,
        credentials: &Credentials,
    ) -> Result<IdentityBundle<DidKey>, Error> {
        self.locate_at(backend, locator, pinned)?.prepare_relocation(credentials)?.write()
    }
}

impl Located<'_> {
    /// **Blocks** on device, scrypt and files. Opens the identity with its key where
    /// it was found, to record that it is there.
    ///
    /// # Errors
    ///
    /// As [`IdentityStore::relocate`].
    pub fn prepare_relocation(self, credentials: &Credentials) -> Result<Change, Error> {
        self.store.check_unmoved(During::Switched)?;
        self.prepare_relocation_of_move(credentials)
    }

    /// The same of the old identity of a migration, by whoever goes on with that.
    pub(crate) fn prepare_relocation_of_move(
        self,
        credentials: &Credentials,
    ) -> Result<Change, Error> {
        let mut session = self.session(credentials)?;
        // What it shows is not what it was known to show: that is to be known, too.
        let shows_less = session.recorded.is_shown() && !session.place.is_shown();
        if session.recorded == session.place && !shows_less {
            return Ok(Change::none(session));
        }
        session.recorded = session.place.clone();
        Ok(Change::new(session))
    }
}
