//! One PIN at a time: who has begun a try is alone with the notes until it has
//! written down what came of it.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use super::{MOST, Mark, Place, Refusal};
use crate::clock;
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

/// A try that has begun. Until it is dropped, no other one begins in this home.
pub(super) struct OneTry<'a> {
    store: &'a IdentityStore,
    /// Keeps other processes out; freed before the turn.
    lock: Lock,
    turn: Turn,
}

impl<'a> OneTry<'a> {
    pub(super) fn begin(store: &'a IdentityStore) -> Result<Self, KeystoreError> {
        let turn = Turn::wait(store.home())?;
        let lock = Lock::of_tries(store.home())?;
        Ok(Self { store, lock, turn })
    }

    /// Whether the device has refused this version of the source.
    pub(super) fn check(
        &self,
        device: &str,
        place: &Place,
        mark: &Mark,
    ) -> Result<(), KeystoreError> {
        let is_it = |refusal: &Refusal| refusal.token == device && refusal.mark == *mark;
        let noted = self.store.refusals()?.into_iter().find(is_it);
        let refused = noted.or_else(|| {
            let here = here();
            let mut of_home = here.refused.iter().filter(|(home, _)| *home == self.turn.0);
            of_home.find(|(_, refusal)| is_it(refusal)).map(|(_, refusal)| refusal.clone())
        });
        match refused {
            None => Ok(()),
            Some(refusal) => Err(KeystoreError::RefusedBefore {
                token: device.to_owned(),
                source_name: place.to_string(),
                at: refusal.at,
            }),
        }
    }

    pub(super) fn refused(&self, device: &str, mark: Mark) {
        let refusal = Refusal { token: device.to_owned(), mark, at: clock::now() };
        report(self.store.remember(&refusal, &self.lock));
        let known = &mut here().refused;
        let home = &self.turn.0;
        known.retain(|(of, noted)| of != home || !noted.is_same_as(&refusal));
        known.push((self.turn.0.clone(), refusal));
        let too_many = known.len().saturating_sub(MOST);
        known.drain(..too_many);
    }

    pub(super) fn accepted(&self, device: &str) {
        report(self.store.forget(device, &self.lock));
        here().refused.retain(|(home, refusal)| *home != self.turn.0 || refusal.token != device);
    }
}

fn report(noted: Result<(), KeystoreError>) {
    if let Err(error) = noted {
        log::warn!("whether the PIN was refused could not be noted: {error}");
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
