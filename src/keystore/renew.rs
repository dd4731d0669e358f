//! An identity that is opened as it is, or renewed at once.

use std::time::SystemTime;

use super::header::Header;
use super::identity::{IdentityStore, Opened, check_header};
use super::lock::Lock;
use super::payload::Payload;
use super::unlock::{Credentials, StorageSecret};
use crate::backend::Backend;
use crate::bundle::IdentityBundle;
use crate::did::Did;
use crate::error::Error;
use crate::key::DidKey;

/// An identity that is open, and what it is written again with.
pub(super) struct UnlockedIdentity {
    pub(super) bundle: IdentityBundle<DidKey>,
    pub(super) header: Header,
    pub(super) payload: Payload,
    pub(super) secret: StorageSecret,
}

impl IdentityStore {
    /// Opens the identity as it is: nothing is renewed, whatever the time.
    ///
    /// # Errors
    ///
    /// As [`Self::open`].
    pub fn open_as_it_is(
        &self,
        backend: &dyn Backend,
        pinned: Option<&Did>,
        credentials: &Credentials,
    ) -> Result<Opened, Error> {
        let _lock = self.lock_identity()?;
        let unlocked = self.unlock_identity(backend, pinned, credentials)?;
        let stored = unlocked.payload.rotation_chain().clone();
        Ok(Opened { bundle: unlocked.bundle, renewal_failed: None, stored })
    }

    /// Opens the identity, and replaces its TLS key and certificate although
    /// they are not due: after a suspected theft of the TLS key, or where a
    /// peer says that a later number was seen.
    ///
    /// # Errors
    ///
    /// As [`Self::open`]; [`BundleError::ClockNotSet`]; and if it cannot be
    /// written: the old certificate stays then.
    ///
    /// [`BundleError::ClockNotSet`]: crate::bundle::BundleError::ClockNotSet
    pub fn renew(
        &self,
        backend: &dyn Backend,
        pinned: Option<&Did>,
        credentials: &Credentials,
    ) -> Result<IdentityBundle<DidKey>, Error> {
        let _lock = self.lock_identity()?;
        let unlocked = self.unlock_identity(backend, pinned, credentials)?;
        match self.renew_unlocked(unlocked, SystemTime::now())? {
            (_, Some(error)) => Err(error),
            (bundle, None) => Ok(bundle),
        }
    }

    /// Once without the lock, whose file needs a directory; what counts is read
    /// under it, when no other process is between the two files.
    pub(super) fn lock_identity(&self) -> Result<Lock, Error> {
        self.read_header()?;
        Ok(Lock::exclusive(self.home())?)
    }

    /// Under the lock.
    pub(super) fn unlock_identity(
        &self,
        backend: &dyn Backend,
        pinned: Option<&Did>,
        credentials: &Credentials,
    ) -> Result<UnlockedIdentity, Error> {
        let (header, text) = self.read_header()?;
        check_header(&header, backend.kind(), pinned)?;
        let locator = self.locator_of(&header);
        let (key, secret, payload) = self.unlock(backend, &header, &locator, credentials)?;
        let (header, mut payload) = self.matching_header(header, &text, payload, &secret)?;
        self.sweep();
        let companions = self.companions(&header, &mut payload)?;
        let bundle = IdentityBundle::from_companions(key, companions)?;
        Ok(UnlockedIdentity { bundle, header, payload, secret })
    }
}
