//! An identity that is opened with its credential, and renewed when that is due.

use std::time::SystemTime;

use super::identity::IdentityStore;
use super::located::Located;
use super::pinned::Pinned;
use super::session::Session;
use super::succession::check_end;
use crate::backend::{Backend, Credentials};
use crate::bundle::{IdentityBundle, NextEpoch};
use crate::clock;
use crate::error::Error;
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
    /// **Blocks** on device, scrypt and files. Opens the identity: checks the header
    /// against what is pinned and configured, opens the key, then the payload, and
    /// renews the companions when two thirds of their validity are over, when peers
    /// refuse them (see [`IdentityBundle::wants_renewal`]), or when there is no DID
    /// document yet. By a clock that was not set nothing is renewed, and a warning is
    /// logged.
    ///
    /// # Errors
    ///
    /// Another DID, backend or token than pinned is refused before any PIN or
    /// passphrase is used; a header that is not this payload's, before
    /// anything but the opening challenge is signed.
    pub fn open(
        &self,
        backend: &dyn Backend,
        pinned: Pinned<'_>,
        credentials: &Credentials,
    ) -> Result<Opened, Error> {
        self.locate(backend, pinned)?.open(credentials)
    }

    /// **Blocks** on device, scrypt and files. As [`Self::open`], with the time given
    /// by the caller's own clock.
    ///
    /// # Errors
    ///
    /// As [`Self::open`].
    pub fn open_at(
        &self,
        backend: &dyn Backend,
        pinned: Pinned<'_>,
        credentials: &Credentials,
        now: SystemTime,
    ) -> Result<Opened, Error> {
        self.locate(backend, pinned)?.open_at(credentials, now)
    }

    /// **Blocks** on device, scrypt and files. As [`Located::open_without_renewal`].
    ///
    /// # Errors
    ///
    /// As [`Self::open`].
    pub fn open_without_renewal(
        &self,
        backend: &dyn Backend,
        pinned: Pinned<'_>,
        credentials: &Credentials,
    ) -> Result<Opened, Error> {
        self.locate(backend, pinned)?.open_without_renewal(credentials)
    }

    /// **Blocks** on device, scrypt and files. As [`Located::renew`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn renew(
        &self,
        backend: &dyn Backend,
        pinned: Pinned<'_>,
        credentials: &Credentials,
    ) -> Result<IdentityBundle<DidKey>, Error> {
        self.locate(backend, pinned)?.renew(credentials)
    }
}

impl Located<'_> {
    /// **Blocks** on device, scrypt and files. Opens the identity, and renews its
    /// companions when that is due: see [`IdentityStore::open`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn open(self, credentials: &Credentials) -> Result<Opened, Error> {
        self.open_at(credentials, SystemTime::now())
    }

    /// **Blocks** on device, scrypt and files. As [`Self::open`], with the time given
    /// by the caller's own clock.
    ///
    /// # Errors
    ///
    /// As [`Self::open`].
    pub fn open_at(self, credentials: &Credentials, now: SystemTime) -> Result<Opened, Error> {
        let session = self.session(credentials)?;
        session.warn_if_handed_over();
        let stored = session.payload.rotation_chain().clone();
        let bundle = &session.bundle;
        if !clock::is_set(now) {
            log::warn!(
                "the clock is not set: the TLS certificate is left as it is, and is not valid by it"
            );
        } else if bundle.wants_renewal(now) || bundle.did_document().is_none() {
            let (bundle, renewed) = session.renewed(now, NextEpoch::Same)?;
            return Ok(Opened { bundle, renewal_failed: renewed.err(), stored });
        }
        Ok(Opened { bundle: session.bundle, renewal_failed: None, stored })
    }

    /// **Blocks** on device, scrypt and files. Opens the identity as it is: nothing
    /// is renewed, whatever the time. Header and payload are not written, but for
    /// putting in order what an interrupted write has left.
    ///
    /// # Errors
    ///
    /// As [`Self::open`].
    pub fn open_without_renewal(self, credentials: &Credentials) -> Result<Opened, Error> {
        let session = self.session(credentials)?;
        session.warn_if_handed_over();
        let stored = session.payload.rotation_chain().clone();
        Ok(Opened { bundle: session.bundle, renewal_failed: None, stored })
    }

    /// **Blocks** on device, scrypt and files. Opens the identity, and replaces its
    /// TLS key and certificate although they are not due: after a suspected theft of
    /// the TLS key, or where a peer says that a later number was seen.
    ///
    /// # Errors
    ///
    /// As [`Self::open`]; [`BundleError::ClockNotSet`]; and if it cannot be
    /// written: the old certificate stays then.
    ///
    /// [`BundleError::ClockNotSet`]: crate::bundle::BundleError::ClockNotSet
    pub fn renew(self, credentials: &Credentials) -> Result<IdentityBundle<DidKey>, Error> {
        self.renew_in(credentials, NextEpoch::Same)
    }
}

impl Session {
    /// It still opens: peers who have not followed yet know this DID only.
    pub(super) fn warn_if_handed_over(&self) {
        let did = self.bundle.did();
        match self.store.handed_over(did) {
            Ok(None) => {}
            Ok(Some(chain)) if self.store.gave_up(chain.current()) => log::warn!(
                "{did} has handed over to {}, which was given up since: this identity goes on, and \
                 peers that have followed have to pin it again",
                chain.current()
            ),
            Ok(Some(chain)) if self.store.hands_over_in_move(chain.current()) => {}
            Ok(Some(chain)) => log::warn!(
                "{did} has handed over to {}: use it only until peers have followed",
                chain.current()
            ),
            Err(error) => log::warn!("whether {did} has handed over cannot be told: {error}"),
        }
    }

    /// Renews and writes. A failed write leaves the old bundle and its files.
    pub(super) fn renewed(
        mut self,
        now: SystemTime,
        epoch: NextEpoch,
    ) -> Result<(IdentityBundle<DidKey>, Result<(), Error>), Error> {
        let next = self.bundle.next_in_store(now, epoch)?;
        let written = self.rewrite_with(&next);
        if written.is_ok() {
            self.bundle.use_written(next);
        }
        Ok((self.bundle, written))
    }
}
