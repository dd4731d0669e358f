//! An identity whose key is now found somewhere else: on a token that was
//! restored from a backup, cloned, or renamed.

use super::identity::IdentityStore;
use crate::backend::{Backend, Credentials, Locator, Pkcs11Locator};
use crate::bundle::IdentityBundle;
use crate::did::Did;
use crate::error::Error;
use crate::key::DidKey;

impl IdentityStore {
    /// Opens the identity with its key at another locator, and records it.
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
        pinned: Option<&Did>,
        credentials: &Credentials,
    ) -> Result<IdentityBundle<DidKey>, Error> {
        let place = Locator::Pkcs11(locator.clone());
        let mut session = self.locate_at(backend, place, pinned)?.session(credentials)?;
        if session.header.locator() != Some(locator) {
            session.rewrite()?;
        }
        Ok(session.bundle)
    }
}
