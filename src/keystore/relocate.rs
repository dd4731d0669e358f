//! An identity whose key is now found somewhere else: on a token that was
//! restored from a backup, cloned, or renamed.

use super::header::{self, Header};
use super::identity::{IdentityStore, check_header, seed_of};
use super::unlock::Credentials;
use crate::backend::{Backend, Locator, Pkcs11Locator};
use crate::bundle::IdentityBundle;
use crate::did::Did;
use crate::error::Error;
use crate::file::Lock;
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
        self.read_header()?;
        let _lock = Lock::exclusive(self.home())?;
        let (header, text) = self.read_header()?;
        check_header(&header, backend.kind(), pinned)?;
        let place = Locator::Pkcs11(locator.clone());
        let (key, secret, payload) = self.unlock(backend, &header, &place, credentials)?;
        let (header, mut payload) = self.matching_header(header, &text, payload, &secret)?;
        let companions = self.companions(&header, &mut payload)?;
        let bundle = IdentityBundle::from_companions(key, companions)?;
        if header.locator() == Some(locator) {
            return Ok(bundle);
        }
        let moved = Header::new(
            bundle.signer(),
            header.backend(),
            &place,
            header.storage().clone(),
            bundle.companions(),
            header.generation().saturating_add(1),
        );
        let text = moved.to_json()?;
        let seed = seed_of(bundle.signer());
        let payload = payload.renewed(seed, bundle.companions(), header::hash(&text));
        self.replace(&text, &payload, &secret)?;
        Ok(bundle)
    }
}
