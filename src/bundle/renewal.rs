//! New TLS keys in the place of old ones: where they are kept, whose numbers they
//! count on, and in which epoch.

mod error;
mod keeper;

use std::time::{Duration, SystemTime};

pub use self::error::RenewalError;
pub(super) use self::keeper::Kept;
pub(crate) use self::keeper::{Decide, Keeper};
use super::companions::Companions;
use super::error::check_clock_at;
use super::{BundleError, DEFAULT_VALIDITY, IdentityBundle, state_pinned};
use crate::binding::{BindingNumber, Holder, Instance};
use crate::clock;
use crate::signer::DidSigner;

/// No epoch is later: the last second of the year 9999, where certificates' dates
/// end. A number that was mistyped leaves room for later ones.
const LATEST_EPOCH: u64 = 253_402_300_799;

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
    /// Whether who is in the present epoch can join another one.
    pub(crate) const fn check_joined(present: u64, asked: u64) -> Result<(), BundleError> {
        if asked < present {
            return Err(BundleError::EarlierEpoch { present, asked });
        }
        if asked > LATEST_EPOCH && asked > present {
            return Err(BundleError::EpochTooLate { asked, limit: LATEST_EPOCH });
        }
        Ok(())
    }

    fn after(self, present: u64, at: SystemTime) -> Result<u64, BundleError> {
        let now = clock::unix(at);
        let next = match self {
            Self::Same => present,
            Self::Raised => present.saturating_add(1).max(now),
            Self::Joined(asked) => {
                Self::check_joined(present, asked)?;
                asked
            }
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

/// What [`IdentityBundle::renew_if_due`] has done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Renewal {
    /// Nothing: the companions are the latest, and not due.
    NotDue,
    /// New companions are in use, and written where the bundle is kept.
    Renewed,
    /// Another process had renewed the identity's files: what it wrote is in use.
    TakenOver,
}

/// What is asked for.
#[derive(Clone, Copy)]
struct Wanted {
    at: SystemTime,
    /// As that of the present binding, unless said.
    validity: Option<Duration>,
    epoch: NextEpoch,
    /// Only if it is due.
    if_due: bool,
}

impl Wanted {
    fn now(epoch: NextEpoch) -> Self {
        Self { at: SystemTime::now(), validity: None, epoch, if_due: false }
    }
}

impl<S: DidSigner> IdentityBundle<S> {
    /// **Blocks** on device and files. Replaces the TLS key and certificate **in
    /// place**, due or not: whoever holds this bundle, and each TLS configuration
    /// that was made of it, uses the new ones from the next handshake on.
    ///
    /// One signature of the key that is open; no credential is asked for, and no key
    /// opened. The new binding has a higher sequence number (the time, or one more if
    /// that is not higher) and the validity of the present one. The X25519 key stays, as
    /// others encrypt to it, and so does the DID document.
    ///
    /// A bundle that came from an [`IdentityStore`](crate::keystore::IdentityStore) is
    /// renewed there: under the store's lock its files are read again, written and read
    /// back, and only then the new certificate is used. What another process has written
    /// meanwhile (a renewal, an epoch, another place of the key, a chain) stays. Where a
    /// passphrase opens the payload, scrypt is computed three times.
    ///
    /// A bundle that was issued without a store is renewed in memory.
    ///
    /// # Errors
    ///
    /// [`RenewalError`]: the clock was not set, the signer failed, the files cannot be
    /// read or written, or are not those that this process opened
    /// ([`KeystoreError::Resealed`](crate::error::KeystoreError::Resealed) or
    /// [`Replaced`](crate::error::KeystoreError::Replaced)). The bundle is unchanged
    /// then, and goes on with what it has.
    pub fn renew(&self) -> Result<(), RenewalError> {
        self.renew_as(Wanted::now(NextEpoch::Same)).map(drop)
    }

    /// **Blocks** on device and files. As [`Self::renew`], at the time of the
    /// caller's own clock, and for another validity, in whole seconds.
    ///
    /// # Errors
    ///
    /// As [`Self::renew`].
    pub fn renew_at(&self, at: SystemTime, validity: Duration) -> Result<(), RenewalError> {
        let wanted = Wanted::now(NextEpoch::Same);
        self.renew_as(Wanted { at, validity: Some(validity), ..wanted }).map(drop)
    }

    /// **Blocks** on device and files, if there is something to do. Renews if that is
    /// due ([`Self::renewal_due_at`]), and takes over what another process has
    /// renewed in the identity's files.
    ///
    /// Made to be called often, as each minute: as long as nothing is due and the
    /// files are as they were, it reads the public header, and no more. By a clock that
    /// was not set nothing is renewed.
    ///
    /// # Errors
    ///
    /// As [`Self::renew`].
    pub fn renew_if_due(&self, now: SystemTime) -> Result<Renewal, RenewalError> {
        let wanted = Wanted::now(NextEpoch::Same);
        self.renew_as(Wanted { at: now, if_due: true, ..wanted })
    }

    /// **Blocks** on files. Takes over what another process has renewed in the identity's
    /// files, as an epoch that it has begun there. The key signs nothing; as long as the
    /// files are as they were, the public header is read, and no more.
    ///
    /// # Errors
    ///
    /// As [`Self::renew`], but for the signer.
    pub fn take_over_renewed(&self) -> Result<Renewal, RenewalError> {
        let kept = self.companions.turn();
        let Kept::InStore(keeper) = &*kept else { return Ok(Renewal::NotDue) };
        let present = self.companions.current();
        if keeper.shows(present.certificate())? {
            return Ok(Renewal::NotDue);
        }
        let there = keeper.renew(&self.did, &mut |_| Ok(None))?;
        Ok(self.take_over_later(&present, there))
    }

    /// **Blocks** on device and files. As [`Self::renew`], and begins a later epoch
    /// of the DID: **every** older binding of it ends, of this holder and of all
    /// others, wherever the new one is seen. The others have to
    /// [join](Self::join_epoch) it; those that are kept in the same files take it
    /// over by [`Self::renew_if_due`].
    ///
    /// # Errors
    ///
    /// As [`Self::renew`].
    pub fn renew_all_instances(&self) -> Result<(), RenewalError> {
        self.renew_as(Wanted::now(NextEpoch::Raised)).map(drop)
    }

    /// **Blocks** on device and files. As [`Self::renew`], in an epoch that another
    /// holder of the DID has begun (`bundle.binding().epoch()` there). In the present
    /// epoch it is a renewal as any other.
    ///
    /// # Errors
    ///
    /// [`BundleError::EarlierEpoch`] or [`BundleError::EpochTooLate`], and as
    /// [`Self::renew`].
    pub fn join_epoch(&self, epoch: u64) -> Result<(), RenewalError> {
        self.renew_as(Wanted::now(NextEpoch::Joined(epoch))).map(drop)
    }

    /// **Blocks** while a device signs. Renews as another [`Instance`], in the memory
    /// of this process alone: one signature, and nothing is written, now or later.
    /// The bundle keeps that instance from then on, and forgets what opens the files
    /// that it came from.
    ///
    /// For several processes that use one identity's files side by side: what each of
    /// them renews touches no other. And for files that cannot be written.
    ///
    /// # Errors
    ///
    /// [`BundleError`] if the clock was not set or the signer failed; the bundle is
    /// unchanged then.
    pub fn renew_as_own_instance(&self) -> Result<(), BundleError> {
        self.renew_apart(NextEpoch::Same)
    }

    pub(crate) fn renew_apart(&self, epoch: NextEpoch) -> Result<(), BundleError> {
        let mut kept = self.companions.turn();
        let present = self.companions.current();
        let wanted = Wanted::now(epoch);
        let next = self.next(&present, present.binding().number(), None, wanted)?;
        self.companions.replace(next);
        *kept = Kept::InMemory;
        Ok(())
    }

    /// When the next renewal is due: two thirds of the validity. For a binding that
    /// peers refuse now, since it begins later by the system's clock or is in an old
    /// form, a time that has passed long ago (1970).
    ///
    /// Of the binding in use: ask again after each renewal.
    #[must_use]
    pub fn renewal_due_at(&self) -> SystemTime {
        self.companions.current().renewal_due_at()
    }

    fn renew_as(&self, wanted: Wanted) -> Result<Renewal, RenewalError> {
        let kept = self.companions.turn();
        let present = self.companions.current();
        match &*kept {
            Kept::InMemory => {
                if wanted.if_due && !present.is_due(wanted.at) {
                    return Ok(Renewal::NotDue);
                }
                let own = present.binding().instance().copied();
                let next = self.next(&present, present.binding().number(), own, wanted)?;
                self.companions.replace(next);
                Ok(Renewal::Renewed)
            }
            Kept::InStore(keeper) => self.renew_kept(&present, &**keeper, wanted),
        }
    }

    /// Under the keeper's lock, beside whoever else writes there.
    fn renew_kept(
        &self,
        present: &Companions,
        keeper: &dyn Keeper,
        wanted: Wanted,
    ) -> Result<Renewal, RenewalError> {
        if wanted.if_due && !present.is_due(wanted.at) && keeper.shows(present.certificate())? {
            return Ok(Renewal::NotDue);
        }
        let mut is_new = false;
        let there = keeper.renew(&self.did, &mut |there| {
            let highest = there.binding().number().max(present.binding().number());
            let latest = if there.binding().number() == highest { there } else { present };
            if wanted.if_due && !latest.is_due(wanted.at) {
                return Ok(None);
            }
            is_new = true;
            // An identity of an older version has none yet.
            let own = there.binding().instance().copied();
            self.next(there, highest, own, wanted).map(Some)
        })?;
        if is_new {
            self.companions.replace(there);
            return Ok(Renewal::Renewed);
        }
        Ok(self.take_over_later(present, there))
    }

    /// An older copy of the files, put back, takes nobody back.
    fn take_over_later(&self, present: &Companions, there: Companions) -> Renewal {
        if there.binding().number() <= present.binding().number() {
            return Renewal::NotDue;
        }
        self.companions.replace(there);
        Renewal::TakenOver
    }

    /// The companions after `last`, with a higher number than any that was seen.
    fn next(
        &self,
        last: &Companions,
        highest: BindingNumber,
        own: Option<Instance>,
        wanted: Wanted,
    ) -> Result<Companions, BundleError> {
        let Wanted { at, validity, epoch, .. } = wanted;
        check_clock_at(at)?;
        let epoch = epoch.after(highest.epoch, at)?;
        let holder = Holder { instance: own.map_or_else(Instance::fresh, Ok)?, epoch };
        let validity = validity.or_else(|| last.validity()).unwrap_or(DEFAULT_VALIDITY);
        let sign = |statement: &[u8]| state_pinned(&self.signer, &self.did, statement);
        last.renewed(&self.did, (at, validity), highest.sequence, holder, sign)
    }

    /// What a store that has just been opened writes, before it is used.
    pub(crate) fn next_in_store(
        &self,
        at: SystemTime,
        epoch: NextEpoch,
    ) -> Result<Companions, BundleError> {
        let present = self.companions.current();
        let own = present.binding().instance().copied();
        let wanted = Wanted { at, validity: Some(DEFAULT_VALIDITY), epoch, if_due: false };
        self.next(&present, present.binding().number(), own, wanted)
    }

    /// What was written there is used.
    pub(crate) fn use_written(&self, companions: Companions) {
        self.companions.replace(companions);
    }

    /// As somebody keeps it: its renewals are written there.
    pub(crate) fn kept_by(self, keeper: std::sync::Arc<dyn Keeper>) -> Self {
        Self { companions: self.companions.kept_by(Kept::InStore(keeper)), ..self }
    }

    /// Who does.
    pub(crate) fn keeper(&self) -> Option<std::sync::Arc<dyn Keeper>> {
        match &*self.companions.turn() {
            Kept::InStore(keeper) => Some(std::sync::Arc::clone(keeper)),
            Kept::InMemory => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use super::*;

    #[test]
    fn an_epoch_that_is_raised_is_the_time_or_one_more_than_the_last() {
        let at = UNIX_EPOCH + Duration::from_secs(2_000_000_000);
        let raised = |present| NextEpoch::Raised.after(present, at).unwrap();
        assert_eq!(raised(0), 2_000_000_000);
        assert_eq!(raised(1_999_999_999), 2_000_000_000);
        // The clock may stand still, and others' may be ahead.
        assert_eq!(raised(2_000_000_000), 2_000_000_001);
        assert_eq!(raised(2_000_000_007), 2_000_000_008);
        assert_eq!(NextEpoch::Same.after(7, at).unwrap(), 7);
        assert_eq!(NextEpoch::Joined(7).after(7, at).unwrap(), 7);
        assert!(matches!(
            NextEpoch::Joined(6).after(7, at),
            Err(BundleError::EarlierEpoch { present: 7, asked: 6 })
        ));
        assert!(matches!(
            NextEpoch::Raised.after(LATEST_EPOCH, at),
            Err(BundleError::EpochTooLate { .. })
        ));
    }

    /// The last epoch can be joined, and a later one stays if somebody is in it already.
    #[test]
    fn no_epoch_after_the_last_is_joined() {
        NextEpoch::check_joined(7, LATEST_EPOCH).unwrap();
        NextEpoch::check_joined(LATEST_EPOCH + 1, LATEST_EPOCH + 1).unwrap();
        for (present, asked) in [(7, LATEST_EPOCH + 1), (LATEST_EPOCH + 1, LATEST_EPOCH + 2)] {
            let refused = NextEpoch::check_joined(present, asked);
            let Err(BundleError::EpochTooLate { asked: found, limit: LATEST_EPOCH }) = refused
            else {
                panic!("{asked}: {refused:?}");
            };
            assert_eq!(found, asked);
        }
    }
}
