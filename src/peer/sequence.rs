//! The highest numbers seen of each DID and its instances.

pub(super) mod instances;

use std::error::Error as StdError;
use std::fmt;
use std::sync::{Mutex, PoisonError};

use self::instances::Instances;
use super::book_error::BookError;
use super::recent::Recent;
use crate::binding::{BindingNumber, Instance};
use crate::did::Did;
use crate::kind::{ErrorKind, explain};

/// As many DIDs as [`MemorySequences`] remembers unless told otherwise.
const DEFAULT_CAPACITY: usize = 65_536;

/// Remembers the latest epoch seen of each DID, and the highest sequence number seen
/// of each of its instances, so that a TLS key that was replaced is refused before
/// its binding ends.
///
/// Asked only about DIDs that were proven **and** are accepted: strangers
/// cannot fill it. Implement it to remember across restarts, or for several
/// processes together; [`Highest::check`] is the rule.
///
/// Bound what is remembered of one DID: whoever has its key makes as many instances
/// as they like. Of an instance that is forgotten, a TLS key that was replaced is
/// accepted again until its binding ends. So forget first the one that was seen, or
/// whose number changed, least recently. Never forget the epoch before the DID: it ends what no number does.
pub trait SequenceStore: Send + Sync {
    /// **Blocks** as the store does. What was seen of this DID and this instance.
    /// Asked before the peer has proved that it has the certificate's key, so that an
    /// old certificate is refused early: **nothing** must be remembered for it.
    ///
    /// # Errors
    ///
    /// [`SequenceError::Store`] if the store failed: the peer is refused then.
    fn highest(&self, did: &Did, instance: &Instance) -> Result<Highest, SequenceError>;

    /// **Blocks** as the store does. In one step, under one lock: refuses what
    /// [`Highest::check`] refuses, and remembers it otherwise. By a later epoch the
    /// numbers of all instances so far are of no more use, and may be forgotten.
    /// Called when the peer has signed the handshake with the certificate's key:
    /// whoever only has seen a certificate raises nothing.
    ///
    /// # Errors
    ///
    /// [`SequenceError::EarlierEpoch`], [`SequenceError::Lower`], or
    /// [`SequenceError::Store`] if the store failed: the peer is refused then.
    fn admit(
        &self,
        did: &Did,
        instance: &Instance,
        number: BindingNumber,
    ) -> Result<(), SequenceError>;
}

/// What was seen before of a DID and of one of its instances.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Highest {
    epoch: u64,
    sequence: Option<u64>,
}

impl Highest {
    /// Of a DID of which nothing was seen.
    pub const NOTHING: Self = Self { epoch: 0, sequence: None };

    /// The latest epoch of the DID, and the highest sequence number that the instance
    /// had in it; `None` if it was not seen in it.
    #[must_use]
    pub const fn new(epoch: u64, sequence: Option<u64>) -> Self {
        Self { epoch, sequence }
    }

    /// The latest epoch of the DID.
    #[must_use]
    pub const fn epoch(&self) -> u64 {
        self.epoch
    }

    /// Whether a binding with this number is not an earlier one. The same once more
    /// is fine.
    ///
    /// # Errors
    ///
    /// [`SequenceError::EarlierEpoch`] whatever the sequence number is;
    /// [`SequenceError::Lower`] for a lower one in the same epoch.
    pub const fn check(&self, number: BindingNumber) -> Result<(), SequenceError> {
        if number.epoch < self.epoch {
            return Err(SequenceError::EarlierEpoch { highest: self.epoch });
        }
        match self.sequence {
            Some(highest) if number.epoch == self.epoch && number.sequence < highest => {
                Err(SequenceError::Lower { highest })
            }
            _ => Ok(()),
        }
    }
}

/// Why a binding's number is not admitted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SequenceError {
    /// A later epoch of the DID was seen.
    #[error("epoch {highest} was seen before")]
    EarlierEpoch {
        /// The latest that was seen.
        highest: u64,
    },
    /// A higher number of the instance was seen.
    #[error("the number {highest} was seen before")]
    Lower {
        /// The highest that was seen.
        highest: u64,
    },
    /// The store cannot be read or written.
    #[error("the store of sequence numbers failed")]
    Store(#[source] Box<dyn StdError + Send + Sync>),
}

explain!(SequenceError);

impl SequenceError {
    /// What it means for the program.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::EarlierEpoch { .. } | Self::Lower { .. } => ErrorKind::Superseded,
            Self::Store(source) => of_store(&**source).map_or(ErrorKind::Io, BookError::kind),
        }
    }

    /// What to try next.
    #[must_use]
    pub fn help(&self) -> Option<String> {
        let help = match self {
            Self::EarlierEpoch { .. } => "the holder has to join the latest epoch of its DID",
            Self::Lower { .. } => "the holder has to use its latest binding: restart it",
            Self::Store(source) if of_store(&**source).is_some() => {
                return of_store(&**source).and_then(BookError::help);
            }
            Self::Store(_) => "repair the store of sequence numbers: nobody is accepted until",
        };
        Some(help.into())
    }
}

impl From<BookError> for SequenceError {
    fn from(error: BookError) -> Self {
        Self::Store(Box::new(error))
    }
}

/// Where the store is a book of peers.
pub(super) fn of_store<'a>(source: &'a (dyn StdError + 'static)) -> Option<&'a BookError> {
    source.downcast_ref()
}

/// Numbers in memory, forgotten when the process ends.
///
/// Bounded: of more DIDs than it has room for, those not seen for longest are
/// forgotten. Of one DID it remembers 64 instances, and forgets the one seen least
/// recently for another. A TLS key that was replaced in an instance that is forgotten
/// is accepted again until its binding ends; only the holder of the DID's key can
/// make instances, so who steals a TLS key cannot have its instance forgotten. Full,
/// with every DID at its limit, it takes about 100 MiB.
pub struct MemorySequences(Mutex<Recent<Did, Instances>>);

impl MemorySequences {
    /// Room for 65,536 DIDs.
    #[must_use]
    pub fn new() -> Self {
        Self::with_capacity(DEFAULT_CAPACITY)
    }

    /// Room for as many DIDs, and at least two.
    #[must_use]
    pub fn with_capacity(dids: usize) -> Self {
        Self(Mutex::new(Recent::new(dids)))
    }
}

impl Default for MemorySequences {
    fn default() -> Self {
        Self::new()
    }
}

impl SequenceStore for MemorySequences {
    fn highest(&self, did: &Did, instance: &Instance) -> Result<Highest, SequenceError> {
        let seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(seen.get(did).map_or(Highest::NOTHING, |instances| instances.highest(instance)))
    }

    fn admit(
        &self,
        did: &Did,
        instance: &Instance,
        number: BindingNumber,
    ) -> Result<(), SequenceError> {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match seen.used(did) {
            Some(instances) => instances.admit(instance, number),
            None => {
                seen.insert(did.clone(), Instances::beginning_with(*instance, number));
                Ok(())
            }
        }
    }
}

impl fmt::Debug for MemorySequences {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemorySequences").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::{Key, Software, Unlocked};

    fn did() -> Did {
        Key::<Software, Unlocked>::generate().unwrap().did().clone()
    }

    fn instance(number: u32) -> Instance {
        let mut bytes = [0; 16];
        bytes[..4].copy_from_slice(&number.to_be_bytes());
        Instance::from_bytes(bytes)
    }

    const fn number(epoch: u64, sequence: u64) -> BindingNumber {
        BindingNumber { epoch, sequence }
    }

    #[test]
    fn a_lower_number_is_refused_and_changes_nothing() {
        let (seen, one, two) = (MemorySequences::new(), did(), did());
        let (a, b) = (instance(1), instance(2));
        for sequence in [3, 3, 7] {
            seen.admit(&one, &a, number(0, sequence)).unwrap();
        }
        let lower = seen.admit(&one, &a, number(0, 6)).unwrap_err();
        assert!(matches!(lower, SequenceError::Lower { highest: 7 }), "{lower}");
        seen.admit(&one, &a, number(0, 7)).unwrap();
        assert_eq!(seen.highest(&one, &a).unwrap(), Highest::new(0, Some(7)));
        // Each instance counts for itself, and each DID.
        assert_eq!(seen.highest(&one, &b).unwrap(), Highest::new(0, None));
        seen.admit(&one, &b, number(0, 1)).unwrap();
        seen.admit(&two, &a, number(0, 1)).unwrap();
        seen.admit(&one, &a, number(0, 6)).unwrap_err();
    }

    #[test]
    fn a_later_epoch_ends_all_of_earlier_ones_in_every_instance() {
        let (seen, did, other) = (MemorySequences::new(), did(), did());
        let [a, b, c] = [1, 2, 3].map(instance);
        seen.admit(&did, &a, number(0, 900)).unwrap();
        seen.admit(&did, &b, number(0, 5)).unwrap();
        seen.admit(&other, &a, number(0, 5)).unwrap();
        seen.admit(&did, &b, number(4, 6)).unwrap();
        for (instance, sequence) in [(a, 900), (a, u64::MAX), (b, 7), (c, 1)] {
            for epoch in [0, 3] {
                let earlier = seen.admit(&did, &instance, number(epoch, sequence)).unwrap_err();
                assert!(matches!(earlier, SequenceError::EarlierEpoch { highest: 4 }), "{earlier}");
            }
        }
        // The number of an earlier epoch does not count any more.
        seen.admit(&did, &a, number(4, 1)).unwrap();
        let lower = seen.admit(&did, &b, number(4, 5)).unwrap_err();
        assert!(matches!(lower, SequenceError::Lower { highest: 6 }), "{lower}");
        seen.admit(&other, &a, number(0, 5)).unwrap();
    }

    /// Whoever has a DID's key makes instances without end.
    #[test]
    fn a_did_cannot_fill_the_store_with_instances() {
        let (seen, did, other) = (MemorySequences::new(), did(), did());
        seen.admit(&other, &instance(0), number(0, 5)).unwrap();
        let kept = instance(u32::MAX);
        seen.admit(&did, &kept, number(0, 5)).unwrap();
        for made in 0..10_000 {
            seen.admit(&did, &instance(made), number(0, 5)).unwrap();
            // Seen again and again, it is not forgotten.
            seen.admit(&did, &kept, number(0, 5)).unwrap();
            seen.admit(&did, &kept, number(0, 4)).unwrap_err();
        }
        let known = |made| seen.highest(&did, &instance(made)).unwrap() != Highest::NOTHING;
        assert_eq!((0..10_000).filter(|made| known(*made)).collect::<Vec<_>>(), {
            (10_000 - 63..10_000).collect::<Vec<_>>()
        });
        assert_eq!(seen.0.lock().unwrap().get(&did).unwrap().len(), 64);
        // The first to be forgotten was seen least recently; to be asked about, or
        // refused, is not to be seen.
        assert!(known(9_937));
        seen.admit(&did, &instance(9_937), number(0, 4)).unwrap_err();
        seen.admit(&did, &instance(9_938), number(0, 5)).unwrap();
        seen.admit(&did, &instance(20_000), number(0, 5)).unwrap();
        assert!(!known(9_937) && known(9_938));
        // Nothing of that at another DID's expense. What is forgotten is let in again.
        seen.admit(&other, &instance(0), number(0, 4)).unwrap_err();
        seen.admit(&did, &instance(9_937), number(0, 1)).unwrap();
        // But not from an earlier epoch: that is the DID's.
        seen.admit(&did, &kept, number(1, 5)).unwrap();
        for made in 0..100 {
            seen.admit(&did, &instance(made), number(1, 5)).unwrap();
        }
        assert_eq!(seen.highest(&did, &kept).unwrap(), Highest::new(1, None));
        seen.admit(&did, &kept, number(0, 6)).unwrap_err();
    }

    #[test]
    fn threads_that_race_leave_the_highest() {
        let (seen, did) = (MemorySequences::new(), did());
        let instances = [1, 2, 3].map(instance);
        std::thread::scope(|scope| {
            for start in 0..4 {
                let (seen, did) = (&seen, &did);
                scope.spawn(move || {
                    for step in (start..1000).step_by(4) {
                        for instance in &instances {
                            let _ = seen.admit(did, instance, number(step / 100, step));
                        }
                    }
                });
            }
        });
        for instance in &instances {
            let highest = seen.highest(&did, instance).unwrap();
            assert_eq!(highest, Highest::new(9, Some(999)));
            let lower = seen.admit(&did, instance, number(9, 998)).unwrap_err();
            assert!(matches!(lower, SequenceError::Lower { highest: 999 }), "{lower}");
            let earlier = seen.admit(&did, instance, number(8, 1000)).unwrap_err();
            assert!(matches!(earlier, SequenceError::EarlierEpoch { highest: 9 }), "{earlier}");
        }
    }

    /// Of those who race with one instance's old and new binding, none gets in with
    /// the old one after the new one was let in.
    #[test]
    fn what_is_compared_and_what_is_remembered_is_one_step() {
        use std::sync::atomic::{AtomicU64, Ordering};

        let (seen, did, shared) = (MemorySequences::new(), did(), instance(1));
        let admitted = AtomicU64::new(0);
        std::thread::scope(|scope| {
            for start in 0..4 {
                let (seen, did, shared, admitted) = (&seen, &did, &shared, &admitted);
                scope.spawn(move || {
                    for step in (start..4000).step_by(4) {
                        let before = admitted.load(Ordering::SeqCst);
                        if seen.admit(did, shared, number(step / 500, step)).is_ok() {
                            assert!(step >= before, "{step} after {before}");
                            admitted.fetch_max(step, Ordering::SeqCst);
                        }
                    }
                });
            }
        });
        assert_eq!(admitted.into_inner(), 3999);
    }

    #[test]
    fn recent_drops_the_oldest_when_full() {
        let seen = MemorySequences::with_capacity(8);
        let (kept, one) = (did(), instance(1));
        seen.admit(&kept, &one, number(0, 5)).unwrap();
        for _ in 0..100 {
            seen.admit(&did(), &one, number(0, 1)).unwrap();
            // Seen again and again, it is not forgotten.
            assert!(seen.admit(&kept, &one, number(0, 4)).is_err());
        }
    }
}
