//! New TLS keys in the place of old ones: whose numbers they count on, and in which
//! epoch.

use std::time::{Duration, SystemTime};

use super::{BundleError, IdentityBundle, state_pinned};
use crate::binding::{Holder, Instance};
use crate::clock;
use crate::signer::DidSigner;

/// No epoch is later: the last second of the year 9999, where certificates' dates
/// end. A number that was mistyped leaves room for later ones.
const LATEST_EPOCH: u64 = 253_402_300_799;

/// Where the companions of a bundle are at home. Each home is an instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kept {
    /// They are those in the files of an identity: whoever opens it has them.
    InStore,
    /// In the memory of this process alone.
    InMemory,
}

/// The epoch of the binding that comes next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NextEpoch {
    Same,
    /// A later one than any there is: also on a copy that does not know the last.
    Raised,
    /// The one that another holder of the DID has begun.
    Joined(u64),
}

impl NextEpoch {
    fn after(self, present: u64, at: SystemTime) -> Result<u64, BundleError> {
        let now = clock::unix(at);
        let next = match self {
            Self::Same => present,
            Self::Raised => present.saturating_add(1).max(now),
            Self::Joined(asked) if asked < present => {
                return Err(BundleError::EarlierEpoch { present, asked });
            }
            Self::Joined(asked) => asked,
        };
        if next > LATEST_EPOCH && next > present {
            return Err(BundleError::EpochTooLate { asked: next, limit: LATEST_EPOCH });
        }
        if next > present && next > now {
            log::warn!(
                "epoch {next} is later than the clock, which says {now}: was it copied right? \
                 Every other holder of this DID has to join it"
            );
        }
        Ok(next)
    }
}

impl<S: DidSigner> IdentityBundle<S> {
    /// Replaces the TLS key and certificate, and binds them with a higher
    /// sequence number: the time, or one more if that is not higher. One
    /// signature. The X25519 key stays, as others encrypt to it, and so does the
    /// DID document.
    ///
    /// Nothing is written. A bundle that came from an
    /// [`IdentityStore`](crate::keystore::IdentityStore) becomes a holder of its own
    /// by its first renewal here: it gets another [`instance`](crate::bundle::Instance), and keeps that
    /// from then on. So what the store holds stays good beside it, and so do other
    /// processes that renew in their memory. Where the latest certificate has to be
    /// on disk, renew the store: by opening it again, or by its `renew`.
    ///
    /// # Errors
    ///
    /// [`BundleError`] if the clock was not set or the signer failed; the bundle
    /// is unchanged then.
    pub fn renew(&mut self, at: SystemTime, validity: Duration) -> Result<(), BundleError> {
        self.renew_in_memory(at, validity, NextEpoch::Same)
    }

    /// As [`Self::renew`], and begins a later epoch of the DID: **every** older
    /// binding of it ends, of this holder and of all others, wherever the new one
    /// is seen. The others have to [join](Self::join_epoch) it.
    ///
    /// For a bundle without a store. Of one that came from a store, use
    /// [`IdentityStore::renew_all_instances`](crate::keystore::IdentityStore::renew_all_instances):
    /// otherwise what the store holds has ended as well.
    ///
    /// # Errors
    ///
    /// As [`Self::renew`].
    pub fn renew_all_instances(
        &mut self,
        at: SystemTime,
        validity: Duration,
    ) -> Result<(), BundleError> {
        self.renew_in_memory(at, validity, NextEpoch::Raised)
    }

    /// As [`Self::renew`], in an epoch that another holder of the DID has begun
    /// (`bundle.binding().epoch()` there). In the present epoch it is a renewal as
    /// any other.
    ///
    /// # Errors
    ///
    /// [`BundleError::EarlierEpoch`] or [`BundleError::EpochTooLate`], and as
    /// [`Self::renew`].
    pub fn join_epoch(
        &mut self,
        at: SystemTime,
        validity: Duration,
        epoch: u64,
    ) -> Result<(), BundleError> {
        self.renew_in_memory(at, validity, NextEpoch::Joined(epoch))
    }

    fn renew_in_memory(
        &mut self,
        at: SystemTime,
        validity: Duration,
        epoch: NextEpoch,
    ) -> Result<(), BundleError> {
        let own = match self.kept {
            Kept::InMemory => self.binding().instance().copied(),
            // That is the store's.
            Kept::InStore => None,
        };
        self.renew_as(own, at, validity, epoch)?;
        self.kept = Kept::InMemory;
        Ok(())
    }

    /// As the store does it, which writes what comes of it.
    pub(crate) fn renew_in_store(
        &mut self,
        at: SystemTime,
        validity: Duration,
        epoch: NextEpoch,
    ) -> Result<(), BundleError> {
        // An identity of an older version has none yet.
        let own = self.binding().instance().copied();
        self.renew_as(own, at, validity, epoch)
    }

    fn renew_as(
        &mut self,
        own: Option<Instance>,
        at: SystemTime,
        validity: Duration,
        epoch: NextEpoch,
    ) -> Result<(), BundleError> {
        if !clock::is_set(at) {
            return Err(BundleError::ClockNotSet { now: clock::unix(at) });
        }
        let epoch = epoch.after(self.binding().epoch(), at)?;
        let holder = Holder { instance: own.map_or_else(Instance::fresh, Ok)?, epoch };
        let sign = |statement: &[u8]| state_pinned(&self.signer, &self.did, statement);
        *self.companions = self.companions.renewed(&self.did, at, validity, holder, sign)?;
        Ok(())
    }

    /// What was written to an identity's files: their instance is its own.
    pub(crate) fn stored(self) -> Self {
        Self { kept: Kept::InStore, ..self }
    }
}
