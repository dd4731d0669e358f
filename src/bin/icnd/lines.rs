//! How many lines of one client are written at a time: each takes a thread until it is on disk,
//! and of threads there are only so many, for all.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::sharing::Share;

/// They are synced together. What else the client wants written waits, and takes no thread.
pub(crate) const OF_A_SHARE: usize = 16;

#[derive(Debug, Default)]
pub(crate) struct Bound(Mutex<HashMap<Share, Arc<Semaphore>>>);

/// One of them, until it is dropped.
#[derive(Debug)]
pub(crate) struct Writing(#[expect(dead_code, reason = "held")] Option<OwnedSemaphorePermit>);

impl Bound {
    /// One more of this share, once there are fewer than it may have: in the order in which
    /// they come.
    pub(crate) async fn enter(&self, share: &Share) -> Writing {
        let own = {
            let mut shares = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            // Those of whom nothing is written and nothing waits.
            shares.retain(|_, own| Arc::strong_count(own) > 1);
            let own = shares.entry(share.clone());
            own.or_insert_with(|| Arc::new(Semaphore::new(OF_A_SHARE))).clone()
        };
        // It is never closed.
        Writing(own.acquire_owned().await.ok())
    }
}

#[cfg(test)]
impl Bound {
    pub(crate) fn is_idle(&self) -> bool {
        let shares = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        shares.values().all(|own| own.available_permits() == OF_A_SHARE)
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::{Duration, timeout};

    use super::*;

    #[tokio::test]
    async fn a_share_waits_for_itself_alone() {
        let bound = Bound::default();
        let (much, other) = (Share::Client("much".into()), Share::Client("other".into()));
        let mut own = Vec::new();
        for _ in 0..OF_A_SHARE {
            own.push(bound.enter(&much).await);
        }
        assert!(timeout(Duration::from_millis(50), bound.enter(&much)).await.is_err());
        drop(bound.enter(&other).await);
        own.pop();
        own.push(bound.enter(&much).await);
        drop(own);
        drop(bound.enter(&other).await);
        assert!(!bound.0.lock().unwrap().contains_key(&much));
    }
}
