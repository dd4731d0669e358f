//! An identity that has taken over from another one, and one that has handed
//! over.

use super::identity::IdentityStore;
use super::journal::During;
use super::located::Located;
use super::pinned::Pinned;
use crate::backend::{Backend, Credentials};
use crate::bundle::IdentityBundle;
use crate::did::Did;
use crate::error::{Error, KeystoreError};
use crate::file::{self, names};
use crate::key::DidKey;
use crate::rotation::{RotationChain, RotationError};

impl IdentityStore {
    /// **Blocks** on files. The chain by which the identity `did` of this home has
    /// handed over, as [`Self::hand_over`] has noted it. Needs no credential.
    ///
    /// # Errors
    ///
    /// [`KeystoreError::HandedOverUnreadable`] if the note does not verify, or is not of `did`;
    /// if it cannot be read.
    pub fn handed_over(&self, did: &Did) -> Result<Option<RotationChain>, Error> {
        let path = self.home().join(names::HANDED_OVER);
        let Some(json) = file::read_private(&path)? else { return Ok(None) };
        let read = RotationChain::from_json(&json).and_then(|chain| {
            let (expected, found) = (did, chain.last().old().did());
            if found != expected {
                let (expected, found) = (expected.clone(), found.clone());
                return Err(RotationError::NotThisIdentity { expected, found });
            }
            Ok(chain)
        });
        let unreadable = |error: RotationError| {
            let source = error.into();
            KeystoreError::HandedOverUnreadable { path, source }
        };
        Ok(Some(read.map_err(unreadable)?))
    }

    /// **Blocks** on device, scrypt and files. Opens the identity, has `make` state
    /// the rotation that ends in it, and stores the whole chain in its payload: for
    /// an old key that has no store. Under the lock of this one throughout, so that
    /// it takes over once. **Nobody remembers that the old key has handed over**: see
    /// [`RotationStatement::sign_unguarded`](crate::rotation::RotationStatement::sign_unguarded).
    /// An identity that has a store does so by [`Self::hand_over`].
    ///
    /// # Errors
    ///
    /// [`RotationError::AlreadyStored`] before `make` is called, if the identity
    /// has a chain; [`RotationError::NotThisIdentity`] if the chain ends in
    /// another DID; as [`Self::open`]. The files are as they were then.
    pub fn record_rotation_unguarded(
        &self,
        backend: &dyn Backend,
        pinned: Pinned<'_>,
        credentials: &Credentials,
        make: impl FnOnce(&IdentityBundle<DidKey>) -> Result<RotationChain, Error>,
    ) -> Result<(IdentityBundle<DidKey>, RotationChain), Error> {
        self.locate(backend, pinned)?.record_rotation_unguarded(credentials, make)
    }
}

impl Located<'_> {
    /// **Blocks** on device, scrypt and files. See
    /// [`IdentityStore::record_rotation_unguarded`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn record_rotation_unguarded(
        self,
        credentials: &Credentials,
        make: impl FnOnce(&IdentityBundle<DidKey>) -> Result<RotationChain, Error>,
    ) -> Result<(IdentityBundle<DidKey>, RotationChain), Error> {
        self.store.check_unmoved(During::Nothing)?;
        let mut session = self.session(credentials)?;
        if session.payload.rotation_chain().read()?.is_some() {
            let did = session.bundle.did().clone();
            return Err(RotationError::AlreadyStored { did }.into());
        }
        let chain = make(&session.bundle)?;
        check_end(&chain, session.bundle.did())?;
        session.payload.set_rotation_chain(&chain)?;
        session.rewrite()?;
        Ok((session.bundle, chain))
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
