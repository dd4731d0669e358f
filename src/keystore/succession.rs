//! An identity that has taken over from another one, and one that has handed
//! over.

use super::identity::IdentityStore;
use super::located::Located;
use super::pinned::Pinned;
use crate::backend::{Backend, Credentials};
use crate::bundle::IdentityBundle;
use crate::did::Did;
use crate::error::Error;
use crate::file::{self, names};
use crate::key::DidKey;
use crate::rotation::{RotationChain, RotationError};

impl IdentityStore {
    /// The chain by which the identity `did` of this home has handed over, as
    /// [`Self::note_handover`] has noted it. Needs no credential.
    ///
    /// # Errors
    ///
    /// If the note cannot be read, does not verify, or is not of `did`.
    pub fn handed_over(&self, did: &Did) -> Result<Option<RotationChain>, Error> {
        let Some(json) = file::read_private(&self.home().join(names::HANDED_OVER))? else {
            return Ok(None);
        };
        let chain = RotationChain::from_json(&json)?;
        let found = chain.last().old().did();
        if found != did {
            let (expected, found) = (did.clone(), found.clone());
            return Err(RotationError::NotThisIdentity { expected, found }.into());
        }
        Ok(Some(chain))
    }

    /// Notes beside the identity that it has handed over, so that it does not do
    /// so again by mistake: two statements of one key are a fork.
    ///
    /// # Errors
    ///
    /// [`RotationError::HandedOver`] if another handing over is noted.
    pub fn note_handover(&self, chain: &RotationChain) -> Result<(), Error> {
        let _lock = self.lock()?;
        let did = chain.last().old().did();
        match self.handed_over(did)? {
            Some(noted) if noted == *chain => Ok(()),
            Some(noted) => Err(already_handed_over(did, &noted).into()),
            None => Ok(file::write(&self.home().join(names::HANDED_OVER), &chain.to_json())?),
        }
    }

    /// Forgets that it has handed over: to be followed by another statement of the
    /// same key, which is a fork for everybody who has seen the first.
    ///
    /// # Errors
    ///
    /// If the note cannot be removed.
    pub fn forget_handover(&self) -> Result<(), Error> {
        let _lock = self.lock()?;
        Ok(file::remove(&self.home().join(names::HANDED_OVER))?)
    }

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
        pinned: Pinned<'_>,
        credentials: &Credentials,
        make: impl FnOnce(&IdentityBundle<DidKey>) -> Result<RotationChain, Error>,
    ) -> Result<(IdentityBundle<DidKey>, RotationChain), Error> {
        self.locate(backend, pinned)?.record_rotation(credentials, make)
    }
}

impl Located<'_> {
    /// See [`IdentityStore::record_rotation`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn record_rotation(
        self,
        credentials: &Credentials,
        make: impl FnOnce(&IdentityBundle<DidKey>) -> Result<RotationChain, Error>,
    ) -> Result<(IdentityBundle<DidKey>, RotationChain), Error> {
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

/// Why the same key states no second rotation.
fn already_handed_over(did: &Did, noted: &RotationChain) -> RotationError {
    RotationError::HandedOver { did: did.clone(), to: noted.current().clone() }
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
