//! The epoch of an identity's DID: begun to end all older bindings, joined by the
//! other holders, and never forgotten.

use std::time::SystemTime;

use super::identity::IdentityStore;
use super::journal::During;
use super::located::Located;
use super::pinned::Pinned;
use crate::backend::{Backend, Credentials};
use crate::binding::Binding;
use crate::bundle::{BundleError, IdentityBundle, NextEpoch, check_clock};
use crate::did::Did;
use crate::error::Error;
use crate::key::DidKey;
use crate::keystore::Header;
use crate::peer::Certificate;

impl IdentityStore {
    /// **Blocks** on device, scrypt and files. See [`Located::renew_all_instances`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn renew_all_instances(
        &self,
        backend: &dyn Backend,
        pinned: Pinned<'_>,
        credentials: &Credentials,
    ) -> Result<IdentityBundle<DidKey>, Error> {
        self.locate(backend, pinned)?.renew_all_instances(credentials)
    }

    /// **Blocks** on device, scrypt and files. See [`Located::join_epoch`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn join_epoch(
        &self,
        backend: &dyn Backend,
        pinned: Pinned<'_>,
        credentials: &Credentials,
        epoch: u64,
    ) -> Result<IdentityBundle<DidKey>, Error> {
        self.locate(backend, pinned)?.join_epoch(credentials, epoch)
    }

    /// The epoch that a header shows which an earlier identity of this DID has left
    /// here: what comes in its place is in no earlier one.
    pub(super) fn epoch_left(&self, did: &Did) -> u64 {
        self.binding_left(did).map_or(0, |binding| binding.epoch())
    }

    /// Whether an earlier identity of this DID has left its header here.
    pub(super) fn has_left(&self, did: &Did) -> bool {
        self.binding_left(did).is_some()
    }

    fn binding_left(&self, did: &Did) -> Option<Binding> {
        let left = self.read_header_at(&self.header_path()).ok().flatten();
        let binding = left.and_then(|(header, _)| header.binding());
        binding.filter(|binding| binding.did() == did)
    }
}

impl Located<'_> {
    /// **Blocks** on device, scrypt and files. As [`Self::renew`], and begins a later
    /// epoch of the DID: **every** older binding of it ends, of this identity and of
    /// all other holders, wherever the new one is seen. The epoch is the Unix time,
    /// or one more than the present one if that is higher.
    ///
    /// Every other machine that holds the DID has to join it
    /// ([`Self::join_epoch`], with `binding().epoch()` of what this gives); programs
    /// that have these files open take it over by
    /// [`renew_if_due`](IdentityBundle::renew_if_due).
    ///
    /// # Errors
    ///
    /// As [`Self::renew`].
    pub fn renew_all_instances(
        self,
        credentials: &Credentials,
    ) -> Result<IdentityBundle<DidKey>, Error> {
        self.renew_in(credentials, NextEpoch::Raised)
    }

    /// **Blocks** on device, scrypt and files. As [`Self::renew`], in an epoch that
    /// another holder of the DID has begun. In the present epoch it is a renewal as
    /// any other.
    ///
    /// # Errors
    ///
    /// [`BundleError::EarlierEpoch`] or [`BundleError::EpochTooLate`], and as
    /// [`Self::renew`].
    ///
    /// [`BundleError::EarlierEpoch`]: crate::bundle::BundleError::EarlierEpoch
    /// [`BundleError::EpochTooLate`]: crate::bundle::BundleError::EpochTooLate
    pub fn join_epoch(
        self,
        credentials: &Credentials,
        epoch: u64,
    ) -> Result<IdentityBundle<DidKey>, Error> {
        self.renew_in(credentials, NextEpoch::Joined(epoch))
    }

    pub(super) fn renew_in(
        self,
        credentials: &Credentials,
        epoch: NextEpoch,
    ) -> Result<IdentityBundle<DidKey>, Error> {
        self.store.check_unmoved(During::Switched)?;
        self.renew_as_moved(credentials, epoch)
    }

    /// As [`Self::join_epoch`], of an identity that stays where a migration of it is ended or undone.
    pub(crate) fn join_epoch_of_move(
        self,
        credentials: &Credentials,
        epoch: u64,
    ) -> Result<IdentityBundle<DidKey>, Error> {
        self.renew_as_moved(credentials, NextEpoch::Joined(epoch))
    }

    fn renew_as_moved(
        self,
        credentials: &Credentials,
        epoch: NextEpoch,
    ) -> Result<IdentityBundle<DidKey>, Error> {
        check_clock()?;
        let session = self.session(credentials)?;
        session.warn_if_handed_over();
        let (bundle, renewed) = session.renewed(SystemTime::now(), epoch)?;
        renewed.map(|()| bundle)
    }
}

impl Header {
    /// The binding that the certificate carries, if the key of its DID signed it:
    /// that much is verified without a credential. With its instance, number and
    /// epoch. `None` for an identity of an older version, until it is renewed, and
    /// if somebody changed the header.
    ///
    /// A process that is an instance of its own finds here that another one has begun a later
    /// epoch, and [joins](IdentityBundle::join_epoch) it.
    #[must_use]
    pub fn binding(&self) -> Option<Binding> {
        let proven = Certificate::read(self.certificate()).ok()?.prove().ok()?;
        Some(proven.into_binding()).filter(|binding| binding.did() == self.did())
    }

    /// Whether the identity can join an epoch, by what its header says: before a credential
    /// is asked for.
    ///
    /// # Errors
    ///
    /// [`BundleError::EarlierEpoch`] or [`BundleError::EpochTooLate`].
    pub fn check_epoch(&self, epoch: u64) -> Result<(), BundleError> {
        NextEpoch::check_joined(self.binding().map_or(0, |binding| binding.epoch()), epoch)
    }
}
