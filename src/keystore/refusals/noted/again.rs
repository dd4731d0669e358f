//! A PIN that the device has taken, and that is sent again by itself: what others have noted
//! since then bars it, as it bars an opening.
//!
//! What was there when the device took it says nothing against it, or would have been
//! forgotten where that can be done: a file may take no change.

use std::path::PathBuf;

use super::super::BY_HAND;
use super::super::notes::{Notes, Refusal};
use super::super::one::{self, Known};
use super::Noted;
use crate::error::KeystoreError;
use crate::sync::{Ordering, PoisonError};

/// What was noted when the device took the PIN.
#[derive(Default)]
pub(super) struct Passed {
    noted: Vec<Refusal>,
    /// Files that could not be read.
    unreadable: Vec<PathBuf>,
}

impl Passed {
    /// What was on its way then, and was refused later, is news.
    fn has(&self, noted: &Refusal) -> bool {
        let is_it = |known: &Refusal| {
            known == noted || (known.is(&noted.id) && known.in_doubt == noted.in_doubt)
        };
        self.noted.iter().any(is_it)
    }

    fn was_unreadable(&self, notes: &Notes) -> bool {
        self.unreadable.contains(&notes.path()) && notes.read().is_err()
    }
}

impl Noted {
    /// The device has just taken it.
    pub(super) fn pass(&self) {
        let mut now = Passed::default();
        for notes in self.notes.iter().chain(&self.parts) {
            match notes.read() {
                Ok(kept) => now.noted.extend(kept.refused),
                Err(_) => now.unreadable.push(notes.path()),
            }
        }
        now.noted.extend(one::remembered(&self.noted_at));
        now.noted.retain(|noted| noted.may_be_by(&self.device));
        *self.passed.lock().unwrap_or_else(PoisonError::into_inner) = now;
        self.doubted.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Whether anything bars it by now. Who is in the turn has looked when that began.
    pub(super) fn look_again(&self) -> Result<(), KeystoreError> {
        let is_in_turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner).is_some();
        let kept = self.source.as_ref().map(|it| (Some(&it.mark), &it.pin, &it.compared));
        let given = self.given.as_ref().map(|(pin, compared)| (None, pin, compared));
        // At a PIN pad there is none.
        let (false, Some((mark, pin, compared))) = (is_in_turn, kept.or(given)) else {
            return Ok(());
        };
        let passed = self.passed.lock().unwrap_or_else(PoisonError::into_inner);
        let mut compared = compared.lock().unwrap_or_else(PoisonError::into_inner);
        let is_own = |known: &Refusal| {
            known.in_doubt && self.source.as_ref().is_some_and(|source| known.is(&source.id))
        };
        let name = mark.map_or_else(|| BY_HAND.to_owned(), ToString::to_string);
        let doubted = one::settled(|| {
            let files = self.notes.iter().chain(&self.parts);
            let files = files.filter(|notes| !passed.was_unreadable(notes));
            let known = Known::read(&self.device, files, &self.noted_at)?;
            let known = known.without(|known| passed.has(known) || is_own(known));
            known.check(&name, mark, pin, &mut compared)
        })?;
        // Of these the device has to show that they were not counted.
        let doubted = doubted.map(|doubted| doubted.noted).unwrap_or_default();
        self.withheld.store(false, Ordering::Relaxed);
        *self.doubted.lock().unwrap_or_else(PoisonError::into_inner) = doubted;
        Ok(())
    }
}
