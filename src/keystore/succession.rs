//! An identity that has taken over from another one.

use super::header::{self, Header};
use super::identity::{IdentityStore, check_header, seed_of};
use super::lock::Lock;
use super::unlock::Credentials;
use crate::backend::Backend;
use crate::bundle::IdentityBundle;
use crate::did::Did;
use crate::error::Error;
use crate::key::DidKey;
use crate::rotation::{RotationChain, RotationError};

impl IdentityStore {
    /// Opens the identity, has `make` state the rotation that ends in it, and
    /// stores the whole chain in its payload. Under the lock throughout, so that
    /// no statement is signed twice.
    ///
    /// # Errors
    ///
    /// [`RotationError::AlreadyStored`] before `make` is called, if the identity
    /// has a chain; [`RotationError::NotThisIdentity`] if the chain ends in
    /// another DID; as [`Self::open`]. The files are as they were then.
    pub fn record_rotation(
        &self,
        backend: &dyn Backend,
        pinned: Option<&Did>,
        credentials: &Credentials,
        make: impl FnOnce(&IdentityBundle<DidKey>) -> Result<RotationChain, Error>,
    ) -> Result<(IdentityBundle<DidKey>, RotationChain), Error> {
        self.read_header()?;
        let _lock = Lock::exclusive(self.home())?;
        let (header, text) = self.read_header()?;
        check_header(&header, backend.kind(), pinned)?;
        let place = self.locator_of(&header);
        let (key, secret, payload) = self.unlock(backend, &header, &place, credentials)?;
        let (header, mut payload) = self.matching_header(header, &text, payload, &secret)?;
        let bundle = IdentityBundle::from_companions(key, self.companions(&header, &mut payload)?)?;
        if payload.rotation_chain().read()?.is_some() {
            return Err(RotationError::AlreadyStored { did: bundle.did().clone() }.into());
        }
        let chain = make(&bundle)?;
        check_end(&chain, bundle.did())?;
        let header = Header::new(
            bundle.signer(),
            header.backend(),
            &place,
            header.storage().clone(),
            bundle.companions(),
            header.generation().saturating_add(1),
        );
        let text = header.to_json()?;
        let payload = payload
            .renewed(seed_of(bundle.signer()), bundle.companions(), header::hash(&text))
            .with_rotation_chain(&chain)?;
        self.replace(&text, &payload, &secret)?;
        Ok((bundle, chain))
    }
}

/// The chain of an identity ends in its DID.
pub(super) fn check_end(chain: &RotationChain, did: &Did) -> Result<(), RotationError> {
    if chain.current() == did {
        Ok(())
    } else {
        let (expected, found) = (did.clone(), chain.current().clone());
        Err(RotationError::NotThisIdentity { expected, found })
    }
}
