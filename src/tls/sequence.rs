//! The highest sequence number seen of each DID.

use std::error::Error as StdError;
use std::fmt;
use std::sync::{Mutex, PoisonError};

use super::recent::Recent;
use crate::did::Did;

/// As many DIDs as [`MemorySequences`] remembers unless told otherwise.
const DEFAULT_CAPACITY: usize = 65_536;

/// Remembers the highest sequence number seen of each DID, so that a TLS key
/// that was replaced is refused before its binding ends.
///
/// Asked only about DIDs that were proven **and** are accepted: strangers
/// cannot fill it. Implement it to remember across restarts, or for several
/// processes together.
pub trait SequenceStore: Send + Sync {
    /// The highest number seen of this DID, if it is known. Asked before the
    /// peer has proved that it has the certificate's key, so that an old
    /// certificate is refused early: **nothing** must be remembered for it.
    ///
    /// # Errors
    ///
    /// [`SequenceError::Store`] if the store failed: the peer is refused then.
    fn highest(&self, did: &Did) -> Result<Option<u64>, SequenceError>;

    /// In one step: refuses a number that is lower than the highest seen of
    /// this DID, and remembers it otherwise. The same number again is fine.
    /// Called when the peer has signed the handshake with the certificate's key:
    /// whoever only has seen a certificate raises nothing.
    ///
    /// # Errors
    ///
    /// [`SequenceError::Lower`], or [`SequenceError::Store`] if the store
    /// failed: the peer is refused then.
    fn admit(&self, did: &Did, sequence: u64) -> Result<(), SequenceError>;
}

/// Why a sequence number is not admitted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SequenceError {
    /// A higher number was seen.
    #[error("the number {highest} was seen before")]
    Lower {
        /// The highest that was seen.
        highest: u64,
    },
    /// The store cannot be read or written.
    #[error("the store of sequence numbers failed")]
    Store(#[source] Box<dyn StdError + Send + Sync>),
}

/// Sequence numbers in memory, forgotten when the process ends.
///
/// Bounded: of more DIDs than it has room for, those not seen for longest are
/// forgotten.
pub struct MemorySequences(Mutex<Recent<Did, u64>>);

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
    fn highest(&self, did: &Did) -> Result<Option<u64>, SequenceError> {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(seen.used(did).map(|highest| *highest))
    }

    fn admit(&self, did: &Did, sequence: u64) -> Result<(), SequenceError> {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match seen.used(did) {
            Some(highest) if sequence < *highest => {
                return Err(SequenceError::Lower { highest: *highest });
            }
            Some(highest) => *highest = sequence,
            None => seen.insert(did.clone(), sequence),
        }
        Ok(())
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

    #[test]
    fn a_lower_number_is_refused_and_changes_nothing() {
        let (seen, one, two) = (MemorySequences::new(), did(), did());
        for number in [3, 3, 7] {
            seen.admit(&one, number).unwrap();
        }
        let lower = seen.admit(&one, 6).unwrap_err();
        assert!(matches!(lower, SequenceError::Lower { highest: 7 }), "{lower}");
        seen.admit(&one, 7).unwrap();
        // Each DID counts for itself.
        seen.admit(&two, 1).unwrap();
    }

    #[test]
    fn threads_that_race_leave_the_highest() {
        let (seen, did) = (MemorySequences::new(), did());
        std::thread::scope(|scope| {
            for start in 0..4 {
                let (seen, did) = (&seen, &did);
                scope.spawn(move || {
                    for number in (start..1000).step_by(4) {
                        let _ = seen.admit(did, number);
                    }
                });
            }
        });
        let lower = seen.admit(&did, 998).unwrap_err();
        assert!(matches!(lower, SequenceError::Lower { highest: 999 }), "{lower}");
    }

    #[test]
    fn it_keeps_to_its_room() {
        let seen = MemorySequences::with_capacity(8);
        let kept = did();
        seen.admit(&kept, 5).unwrap();
        for _ in 0..100 {
            seen.admit(&did(), 1).unwrap();
            // Seen again and again, it is not forgotten.
            assert!(seen.admit(&kept, 4).is_err());
        }
    }
}
