//! One PIN at a time: who has begun a try is alone with the notes until the device has
//! answered and that is written down.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use super::notes::{MOST, Refusal};
use super::source::{Mark, Place};
use crate::error::KeystoreError;
use crate::file::{Lock, TRY_PATIENCE};
use crate::keystore::IdentityStore;

/// What the threads of this process know together.
struct Here {
    /// Homes in which a try has begun.
    busy: BTreeSet<PathBuf>,
    /// What was refused in which home: a disk may not take a note.
    refused: Vec<(PathBuf, Refusal)>,
}

static HERE: Mutex<Here> = Mutex::new(Here { busy: BTreeSet::new(), refused: Vec::new() });
static ENDED: Condvar = Condvar::new();

fn here() -> MutexGuard<'static, Here> {
    HERE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Remembers it for this process.
pub(super) fn remember(home: &Path, refusal: Refusal) {
    let known = &mut here().refused;
    known.retain(|(of, noted)| of != home || !noted.is_of(&refusal.token, &refusal.mark));
    known.push((home.to_owned(), refusal));
    let too_many = known.len().saturating_sub(MOST);
    known.drain(..too_many);
}

/// Forgets what this process remembers of a device.
pub(super) fn forget(home: &Path, device: &str) {
    here().refused.retain(|(of, refusal)| of != home || refusal.token != device);
}

/// A try that has begun. Until it is dropped, no other one begins in this home.
pub(super) struct OneTry {
    store: IdentityStore,
    /// Keeps other processes out; freed before the turn.
    _lock: Lock,
    turn: Turn,
}

impl OneTry {
    pub(super) fn begin(store: &IdentityStore) -> Result<Self, KeystoreError> {
        let turn = Turn::wait(store.home())?;
        let lock = Lock::of_tries(store.home())?;
        Ok(Self { store: store.clone(), _lock: lock, turn })
    }

    pub(super) const fn store(&self) -> &IdentityStore {
        &self.store
    }

    /// By its one name.
    pub(super) fn home(&self) -> &Path {
        &self.turn.0
    }

    /// What is known of this version of the source.
    pub(super) fn noted(
        &self,
        device: &str,
        mark: &Mark,
    ) -> Result<Option<Refusal>, KeystoreError> {
        let noted = self.store.refusals()?.into_iter().find(|noted| noted.is_of(device, mark));
        Ok(noted.or_else(|| {
            let here = here();
            let mut of_home = here.refused.iter().filter(|(home, _)| home == self.home());
            of_home.find(|(_, noted)| noted.is_of(device, mark)).map(|(_, noted)| noted.clone())
        }))
    }

    /// Whether the device has refused this version of the source, or may have.
    pub(super) fn check(
        &self,
        device: &str,
        place: &Place,
        mark: &Mark,
    ) -> Result<(), KeystoreError> {
        let Some(Refusal { token, at, in_doubt, .. }) = self.noted(device, mark)? else {
            return Ok(());
        };
        let (source_name, note) = (place.to_string(), self.store.refusals_path());
        Err(match in_doubt {
            true => KeystoreError::PinInDoubt { token, source_name, at, note },
            false => {
                let shows_change = mark.shows_change();
                KeystoreError::RefusedBefore { token, source_name, at, shows_change, note }
            }
        })
    }
}

/// The turn of one thread.
struct Turn(PathBuf);

impl Turn {
    fn wait(home: &Path) -> Result<Self, KeystoreError> {
        let name = fs::canonicalize(home).unwrap_or_else(|_| home.to_owned());
        let busy = |here: &mut Here| here.busy.contains(&name);
        let (mut here, waited) = ENDED
            .wait_timeout_while(here(), TRY_PATIENCE, busy)
            .unwrap_or_else(PoisonError::into_inner);
        if waited.timed_out() {
            let holder = "another thread of this process".to_owned();
            return Err(KeystoreError::InUse { home: home.to_owned(), holder });
        }
        here.busy.insert(name.clone());
        Ok(Self(name))
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        here().busy.remove(&self.0);
        ENDED.notify_all();
    }
}
