//! Opening and locking: what is open, and who waits until it is or is not.

use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError, Weak};
use std::time::{Duration, Instant};

use icn_identity::config::Permission;
use icn_identity::daemon::ProblemCode;
use icn_identity::error::in_full;
use icn_identity::home::CredentialSource;
use tokio::sync::watch;
use tokio::time::{sleep, timeout, timeout_at};

use super::{Door, Open, open};
use crate::line::{Line, Outcome};
use crate::peer::Peer;
use crate::problem::Problem;

/// How long `lock` and the end wait for those who are at work with the key.
const AT_WORK: Duration = Duration::from_secs(10);

/// What is open, and how often it was closed: an unlocking that a lock has overtaken opens
/// nothing.
#[derive(Default)]
pub(super) struct Keys {
    open: Option<Arc<Open>>,
    /// The one that was open last may still be at work.
    last: Weak<Open>,
    locks: u64,
}

impl Door {
    pub(crate) fn opened(&self) -> Option<Arc<Open>> {
        self.keys.read().unwrap_or_else(PoisonError::into_inner).open.clone()
    }

    fn locks(&self) -> u64 {
        self.keys.read().unwrap_or_else(PoisonError::into_inner).locks
    }

    /// Opens the identity, and verifies that its key signs. Also where it is open already:
    /// nothing is sent then; nor after the deadline, nor while another one is opening it.
    pub(crate) async fn unlock(
        &self,
        source: CredentialSource<'static>,
        line: &Line,
        peer: &Peer,
        deadline: tokio::time::Instant,
    ) -> Result<(), Problem> {
        let busy = || {
            Problem::new(ProblemCode::Busy, "it is being locked or unlocked already")
                .with_help("wait, then look whether it is still wanted: nothing was sent")
        };
        let Ok(_one) = self.unlocking.try_lock() else {
            self.refuse(line, &busy()).await?;
            return Err(busy());
        };
        // One that is locking it comes before, and one that will ends this.
        let locks = self.locks();
        let Ok(_turn) = timeout_at(deadline, self.turning.lock()).await else {
            self.refuse(line, &busy()).await?;
            return Err(busy());
        };
        if self.opened().is_some() {
            return Ok(());
        }
        if self.locks() != locks {
            self.refuse(line, &busy()).await?;
            return Err(busy());
        }
        self.record(line.entry(Outcome::Allowed)).await?;
        let work = self.begin(line.clone());
        let (place, did, stopping) = (self.place.clone(), self.did.clone(), self.stopping.clone());
        let opened = tokio::task::spawn_blocking(move || {
            // Here it is sent.
            if stopping.load(Ordering::SeqCst) {
                return Err(Problem::new(ProblemCode::Stopping, "icnd is about to stop"));
            }
            if tokio::time::Instant::now() >= deadline {
                return Err(Problem::new(
                    ProblemCode::Deadline,
                    "nothing was sent: it is too late",
                ));
            }
            open(&place, &did, source).map_err(|error| {
                tracing::error!("the identity was not opened: {}", in_full(&error));
                Problem::of_key(&error)
            })
        });
        let opened = opened.await;
        self.look_at_pin().await;
        if let Ok(Err(problem)) = &opened {
            self.metrics.key_failed(problem.code);
        }
        let problem = match opened {
            Ok(Ok(open)) => match self.put_if_allowed(open, locks, peer) {
                Ok(()) => {
                    tracing::info!("is unlocked, by {}", line.whose());
                    if let Err(problem) = self.renew().await {
                        tracing::warn!("the certificate was not renewed: {problem:?}");
                    }
                    return Ok(());
                }
                Err((open, problem)) => {
                    // A device is told, which may take its time.
                    let _ = tokio::task::spawn_blocking(move || drop(open)).await;
                    problem
                }
            },
            Ok(Err(problem)) => problem,
            Err(_) => Problem::internal("the identity was not opened"),
        };
        // Where there can be no line, it is told all the same: what was sent and refused has not
        // to be taken for something that was not done.
        if let Some(line) = work.ended() {
            let _ = self.record(line.entry(Outcome::Failed(problem.reason()))).await;
        }
        Err(problem)
    }

    /// What was opened and has signed a challenge.
    pub(crate) fn put(&self, open: Open) {
        let _ = self.put_unless_locked(open, self.locks());
    }

    /// For a client, which may have it opened by what is in force now: opening takes its time.
    /// Whoever brings another policy into force comes before or after it. Gives it back if it
    /// may not, or as below.
    fn put_if_allowed(
        &self,
        open: Open,
        locks: u64,
        peer: &Peer,
    ) -> Result<(), (Box<Open>, Problem)> {
        self.with_policy(|policy| {
            let problem = match policy.client(peer.uid, peer.gid) {
                Ok(client) if client.may(Permission::Admin) => None,
                Ok(_) => Some(Problem::new(
                    ProblemCode::NotPermitted,
                    "this client may unlock it no more: icn.toml was read anew meanwhile",
                )),
                Err(denied) => Some(Problem::denied(&denied, peer.uid, peer.gid)),
            };
            if let Some(problem) = problem {
                return Err((Box::new(open), problem));
            }
            let locked =
                |open| (open, Problem::new(ProblemCode::Locked, "it was locked meanwhile"));
            self.put_unless_locked(open, locks).map_err(locked)
        })
    }

    /// Gives it back if it was locked since `locks` was looked at.
    fn put_unless_locked(&self, open: Open, locks: u64) -> Result<(), Box<Open>> {
        let mut keys = self.keys.write().unwrap_or_else(PoisonError::into_inner);
        if keys.locks != locks {
            return Err(Box::new(open));
        }
        let open = Arc::new(open);
        keys.last = Arc::downgrade(&open);
        keys.open = Some(open);
        drop(keys);
        self.is_verified();
        Ok(())
    }

    /// For a client: with a line before, and another one if the keys are not gone in time.
    pub(crate) async fn lock_for(&self, line: &Line) -> Result<(), Problem> {
        self.record(line.entry(Outcome::Allowed)).await?;
        if self.lock().await {
            tracing::info!("is locked, by {}", line.whose());
            return Ok(());
        }
        let problem = Problem::internal("the key is still at work, and is gone when it has ended");
        self.record(line.entry(Outcome::Failed(problem.reason()))).await?;
        Err(problem)
    }

    /// Changes at the next lock. To be had before it is looked whether a key is open.
    pub(crate) fn locked(&self) -> watch::Receiver<()> {
        self.locking.subscribe()
    }

    /// Drops the keys; waits for those who are at work with them, and for who is opening them,
    /// which then opens nothing. Whether they are gone.
    pub(crate) async fn lock(&self) -> bool {
        let start = Instant::now();
        let (open, last) = {
            let mut keys = self.keys.write().unwrap_or_else(PoisonError::into_inner);
            keys.locks += 1;
            (keys.open.take(), keys.last.clone())
        };
        // The connections of peers have the TLS key.
        self.locking.send_replace(());
        let Ok(_turn) = timeout(AT_WORK, self.turning.lock()).await else {
            // A device may be told, as below.
            tokio::task::spawn_blocking(move || drop(open));
            return false;
        };
        let mut open = open;
        while last.strong_count() > 0 {
            open = match open.map(Arc::try_unwrap) {
                Some(Ok(open)) => {
                    // A device is told, which may take its time.
                    return tokio::task::spawn_blocking(move || drop(open)).await.is_ok();
                }
                Some(Err(shared)) => Some(shared),
                None => None,
            };
            if start.elapsed() > AT_WORK {
                return false;
            }
            sleep(Duration::from_millis(5)).await;
        }
        true
    }
}
