//! An identity that is opened with its credential, and renewed when that is due.

use std::time::SystemTime;

use super::header::{Header, Storage};
use super::identity::{IdentityStore, check_header};
use super::payload::Payload;
use super::succession::check_end;
use super::unlock::{Credentials, StorageSecret, stored_secret};
use crate::backend::{Backend, BackendKind, Credential, KeyAtRest, Locator};
use crate::bundle::IdentityBundle;
use crate::clock;
use crate::did::Did;
use crate::error::{Error, KeystoreError};
use crate::file::Lock;
use crate::key::DidKey;
use crate::rotation::{RotationChain, StoredChain};

/// An identity that was opened.
#[derive(Debug)]
#[non_exhaustive]
#[must_use]
pub struct Opened {
    /// The identity.
    pub bundle: IdentityBundle<DidKey>,
    /// Why a renewal that was due was not done. The bundle is the old one then.
    pub renewal_failed: Option<Error>,
    stored: StoredChain,
}

impl Opened {
    /// The chain of keys that ends in this one; `None` if it is nobody's
    /// successor.
    ///
    /// # Errors
    ///
    /// [`Error::Rotation`] if what is stored does not verify, or is of a newer
    /// version.
    pub fn rotation_chain(&self) -> Result<Option<RotationChain>, Error> {
        let chain = self.stored.read()?;
        if let Some(chain) = &chain {
            check_end(chain, self.bundle.did())?;
        }
        Ok(chain)
    }
}

impl IdentityStore {
    /// Opens the identity: checks the header against what is pinned and
    /// configured, opens the key, then the payload, and renews the companions
    /// when two thirds of their validity are over, when peers refuse them (see
    /// [`IdentityBundle::wants_renewal`]), or when there is no DID document yet.
    /// By a clock that was not set nothing is renewed, and a warning is logged.
    ///
    /// # Errors
    ///
    /// Another DID, backend or token than pinned is refused before any PIN or
    /// passphrase is used; a header that is not this payload's, before
    /// anything but the opening challenge is signed.
    pub fn open(
        &self,
        backend: &dyn Backend,
        pinned: Option<&Did>,
        credentials: &Credentials,
    ) -> Result<Opened, Error> {
        self.open_at(backend, pinned, credentials, SystemTime::now())
    }

    /// As [`Self::open`], with the time given by the caller's own clock.
    ///
    /// # Errors
    ///
    /// As [`Self::open`].
    pub fn open_at(
        &self,
        backend: &dyn Backend,
        pinned: Option<&Did>,
        credentials: &Credentials,
        now: SystemTime,
    ) -> Result<Opened, Error> {
        let _lock = self.lock_identity()?;
        let unlocked = self.unlock_identity(backend, pinned, credentials)?;
        let stored = unlocked.payload.rotation_chain().clone();
        let bundle = &unlocked.bundle;
        if !clock::is_set(now) {
            log::warn!(
                "the clock is not set: the TLS certificate is left as it is, and is not valid by it"
            );
        } else if bundle.wants_renewal(now) || bundle.did_document().is_none() {
            let (bundle, renewal_failed) = self.renew_unlocked(unlocked, now)?;
            return Ok(Opened { bundle, renewal_failed, stored });
        }
        Ok(Opened { bundle: unlocked.bundle, renewal_failed: None, stored })
    }

    /// Opens the identity as it is: nothing is renewed, whatever the time. Header
    /// and payload are not written, but for putting in order what an interrupted
    /// write has left.
    ///
    /// # Errors
    ///
    /// As [`Self::open`].
    pub fn open_without_renewal(
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
    fn lock_identity(&self) -> Result<Lock, Error> {
        self.read_header()?;
        Ok(Lock::exclusive(self.home())?)
    }

    /// Under the lock.
    fn unlock_identity(
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

    /// Opens the key at a locator, and the payload.
    pub(super) fn unlock(
        &self,
        backend: &dyn Backend,
        header: &Header,
        locator: &Locator,
        credentials: &Credentials,
    ) -> Result<(DidKey, StorageSecret, Payload), Error> {
        match backend.find(locator, header.did())? {
            KeyAtRest::Software(key) => {
                let Credential::Passphrase(passphrase) =
                    credentials.for_backend(BackendKind::Age)?
                else {
                    return Err(KeystoreError::PassphraseNeeded.into());
                };
                let opened = key.decrypt(&passphrase).and_then(|json| {
                    let mut payload = Payload::opened(&json)?;
                    let seed = payload.take_seed();
                    Ok((key.with_seed(payload.did(), seed)?, payload))
                });
                let (key, payload) = self.about_payload(opened)?;
                Ok((DidKey::from(key), StorageSecret::Passphrase(passphrase), payload))
            }
            KeyAtRest::Device(key) => {
                // Asked for before the PIN is spent.
                if matches!(header.storage(), Storage::Passphrase {}) {
                    credentials.want_passphrase()?;
                }
                let credential = credentials.for_backend(backend.kind())?;
                let key = key.unseal(credential.pin(backend.kind())?)?;
                let secret = stored_secret(backend, header, credentials)?;
                let opened = secret.unseal(&self.payload_file()?, &self.age);
                let payload = self.about_payload(opened)?;
                Ok((key, secret, payload))
            }
        }
    }
}

/// An identity that is open, and what it is written again with.
pub(super) struct UnlockedIdentity {
    pub(super) bundle: IdentityBundle<DidKey>,
    pub(super) header: Header,
    pub(super) payload: Payload,
    pub(super) secret: StorageSecret,
}
