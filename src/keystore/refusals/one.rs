//! One PIN at a time: who has begun a try is alone with the notes until the device has
//! answered and that is written down.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use super::device::TriedDevice;
use super::notes::{MOST, Notes, Refusal};
use super::source::{Mark, Place};
use super::tag::{Compared, Stretching};
use crate::error::KeystoreError;
use crate::file::{Lock, TRY_PATIENCE};
use crate::keystore::IdentityStore;
use crate::secret::LockedText;

/// What the threads of this process know together.
struct Here {
    /// Homes in which a try has begun.
    busy: BTreeSet<PathBuf>,
    /// What was refused, and where it should be noted: a disk may not take it.
    refused: Vec<(PathBuf, Refusal)>,
}

static HERE: Mutex<Here> = Mutex::new(Here { busy: BTreeSet::new(), refused: Vec::new() });
static ENDED: Condvar = Condvar::new();

fn here() -> MutexGuard<'static, Here> {
    HERE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Remembers it for this process.
pub(super) fn remember(noted: &Path, refusal: Refusal) {
    let known = &mut here().refused;
    known.retain(|(at, known)| {
        let is_it = known.token == refusal.token && known.mark == refusal.mark;
        let is_another = known.pin.is_some() && known.pin != refusal.pin;
        at != noted || known.salt != refusal.salt || !is_it || is_another
    });
    known.push((noted.to_owned(), refusal));
    let too_many = known.len().saturating_sub(MOST);
    known.drain(..too_many);
}

/// Forgets some of what this process remembers.
pub(super) fn forget(noted: &Path, mut which: impl FnMut(&Refusal) -> bool) {
    here().refused.retain(|(at, refusal)| at != noted || !which(refusal));
}

/// A try that has begun. Until it is dropped, no other one begins in this home; nor, where
/// homes share a directory for it, at this device.
pub(super) struct OneTry {
    device: TriedDevice,
    /// Where it is noted: each is looked at, and the first that takes a note has it.
    notes: Vec<Notes>,
    /// The directory of the first one, by its one name.
    noted_at: PathBuf,
    /// Keep other processes out; freed before the turn.
    _locks: Vec<Lock>,
    _turn: Turn,
}

impl OneTry {
    pub(super) fn begin(
        store: &IdentityStore,
        device: &TriedDevice,
    ) -> Result<Self, KeystoreError> {
        let turn = Turn::wait(store.home())?;
        // In this order everywhere.
        let shared = device.directory(store.state.as_deref());
        let directories = shared.iter().map(PathBuf::as_path).chain([store.home()]);
        let locks = directories.map(Lock::of_tries).collect::<Result<_, _>>()?;
        let of_all = shared.as_deref().filter(|_| device.has_one_pin());
        let notes = of_all.into_iter().chain([store.home()]).map(Notes::of).collect();
        let noted_at = of_all.map_or_else(|| turn.0.clone(), one_name);
        Ok(Self { device: device.clone(), notes, noted_at, _locks: locks, _turn: turn })
    }

    pub(super) const fn device(&self) -> &TriedDevice {
        &self.device
    }

    pub(super) fn notes(&self) -> &[Notes] {
        &self.notes
    }

    pub(super) fn noted_at(&self) -> &Path {
        &self.noted_at
    }

    /// What is known of a PIN, and which file says so.
    fn find(
        &self,
        is_it: impl FnMut(&Refusal) -> bool + Copy,
    ) -> Result<Option<(Refusal, PathBuf)>, KeystoreError> {
        for notes in &self.notes {
            if let Some(noted) = notes.read()?.into_iter().find(is_it) {
                return Ok(Some((noted, notes.path())));
            }
        }
        let here = here();
        let mut known = here.refused.iter().filter(|(at, _)| *at == self.noted_at);
        let mut is_it = is_it;
        let noted = known.find(|(_, noted)| is_it(noted)).map(|(_, noted)| noted.clone());
        Ok(noted.zip(self.notes.last().map(Notes::path)))
    }

    /// What is noted of a PIN, from this version of its source.
    pub(super) fn noted(
        &self,
        mark: &Mark,
        pin: &LockedText,
    ) -> Result<Option<Refusal>, KeystoreError> {
        let compared = RefCell::new(Compared::new(pin));
        let is_it = |noted: &Refusal| {
            noted.is_of(&self.device, mark)
                && noted.is_about(&self.device, mark, &mut compared.borrow_mut())
        };
        Ok(self.find(is_it)?.map(|(noted, _)| noted))
    }

    /// How tags are made here: as those that are noted already.
    pub(super) fn stretching(&self, work_factor: u8) -> Option<Stretching> {
        let of = |noted: &Refusal| noted.pin.as_deref().and_then(Stretching::of);
        let noted = self.find(|noted| of(noted).is_some()).unwrap_or_default();
        match noted.and_then(|(noted, _)| of(&noted)) {
            Some(known) => Some(known),
            None => Stretching::generate(work_factor),
        }
    }

    /// Whether the device has refused this PIN, or may have.
    pub(super) fn check(
        &self,
        place: &Place,
        mark: &Mark,
        pin: &LockedText,
    ) -> Result<(), KeystoreError> {
        let (device, compared) = (&self.device, RefCell::new(Compared::new(pin)));
        let known = self.find(|noted| noted.is_about(device, mark, &mut compared.borrow_mut()))?;
        let Some((Refusal { token, at, in_doubt, .. }, note)) = known else { return Ok(()) };
        let source_name = place.to_string();
        Err(match in_doubt {
            true => KeystoreError::PinInDoubt { token, source_name, at, note },
            false => KeystoreError::RefusedBefore { token, source_name, at, note },
        })
    }
}

fn one_name(directory: &Path) -> PathBuf {
    fs::canonicalize(directory).unwrap_or_else(|_| directory.to_owned())
}

/// The turn of one thread.
struct Turn(PathBuf);

impl Turn {
    fn wait(home: &Path) -> Result<Self, KeystoreError> {
        let name = one_name(home);
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
