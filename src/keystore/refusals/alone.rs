//! One sending that has no turn: a device was lost under an open identity, and its PIN goes
//! there once more.
//!
//! Whoever sends it has the connection to the device, and a thread that has a turn may wait
//! for just that: so no turn is waited for. What keeps other processes out are the locks of
//! the directories, and one that a thread of this process has is shared. It is free when
//! both have ended.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::file::{Lock, TRY_PATIENCE};
use crate::secret::TriedByAnother;
use crate::sync::{
    Arc, AtomicBool, Condvar, Instant, Mutex, MutexGuard, OfProcess, Ordering, PoisonError, Weak,
    of_process, sleep,
};
use crate::waiting::{self, Wait};

/// Those that this process has, each by the one name of its directory.
static LOCKS: OfProcess<Mutex<BTreeMap<PathBuf, Weak<Lock>>>> =
    of_process!(Mutex::new(BTreeMap::new()));

/// Directories in whose name a PIN is on its way, over whichever connection.
static BUSY: OfProcess<Mutex<BTreeSet<PathBuf>>> = of_process!(Mutex::new(BTreeSet::new()));
static ENDED: OfProcess<Condvar> = of_process!(Condvar::new());

fn locks() -> MutexGuard<'static, BTreeMap<PathBuf, Weak<Lock>>> {
    LOCKS.lock().unwrap_or_else(PoisonError::into_inner)
}

fn busy() -> MutexGuard<'static, BTreeSet<PathBuf>> {
    BUSY.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Lets others of this process share it.
pub(super) fn shared(directory: &Path, lock: Lock) -> Arc<Lock> {
    let lock = Arc::new(lock);
    if lock.is_held() {
        let mut locks = locks();
        locks.retain(|_, lock| lock.strong_count() > 0);
        locks.insert(one_name(directory), Arc::downgrade(&lock));
    }
    lock
}

/// Until it is dropped, no other process sends a PIN there, and nobody else of this one.
pub(super) struct Alone {
    _said: Option<Said>,
    _locks: Vec<Arc<Lock>>,
    _sending: Sending,
}

impl Alone {
    /// Where a directory cannot be locked, it is without that lock, as a turn is. `says`
    /// whether all of them could be.
    ///
    /// **Blocks** while other processes have the locks, which are taken in this order.
    pub(super) fn begin(
        directories: &[PathBuf],
        says: &Arc<AtomicBool>,
    ) -> Result<Self, TriedByAnother> {
        let sending = Sending::wait(directories)?;
        let until = Instant::now() + TRY_PATIENCE;
        let locks = directories.iter().map(|directory| lock_or_share(directory, until));
        let locks = locks.collect::<Result<Vec<_>, _>>()?;
        let said = locks.iter().all(|lock| lock.is_held()).then(|| Said::on(says));
        Ok(Self { _said: said, _locks: locks, _sending: sending })
    }
}

struct Said(Arc<AtomicBool>);

impl Said {
    fn on(flag: &Arc<AtomicBool>) -> Self {
        flag.store(true, Ordering::SeqCst);
        Self(Arc::clone(flag))
    }
}

impl Drop for Said {
    fn drop(&mut self) {
        self.0.store(false, Ordering::SeqCst);
    }
}

/// Of all connections of this process one sends: a token may be reached by two modules.
struct Sending(Vec<PathBuf>);

impl Sending {
    fn wait(directories: &[PathBuf]) -> Result<Self, TriedByAnother> {
        let names: Vec<_> = directories.iter().map(|directory| one_name(directory)).collect();
        let is_busy = |busy: &mut BTreeSet<PathBuf>| names.iter().any(|name| busy.contains(name));
        let (mut busy, waited) = ENDED
            .wait_timeout_while(busy(), TRY_PATIENCE, is_busy)
            .unwrap_or_else(PoisonError::into_inner);
        if waited.timed_out() {
            let holder = "another thread of this process".to_owned();
            return Err(TriedByAnother { holder });
        }
        busy.extend(names.iter().cloned());
        Ok(Self(names))
    }
}

impl Drop for Sending {
    fn drop(&mut self) {
        busy().retain(|name| !self.0.contains(name));
        ENDED.notify_all();
    }
}

fn lock_or_share(directory: &Path, until: Instant) -> Result<Arc<Lock>, TriedByAnother> {
    let name = one_name(directory);
    let get = || {
        let of_thread = locks().get(&name).and_then(Weak::upgrade);
        of_thread.or_else(|| Some(shared(directory, Lock::try_of_tries(directory)?)))
    };
    if let Some(lock) = get() {
        return Ok(lock);
    }
    // A thread may have it by the next look: it waits for it just as well.
    waiting::during(Wait::Lock, || {
        while Instant::now() < until {
            sleep(Duration::from_millis(5));
            if let Some(lock) = get() {
                return Ok(lock);
            }
        }
        Err(TriedByAnother { holder: "a process that tries a PIN".to_owned() })
    })
}

/// The name of a directory, by whatever links it was reached.
pub(super) fn one_name(directory: &Path) -> PathBuf {
    fs::canonicalize(directory).unwrap_or_else(|_| directory.to_owned())
}
