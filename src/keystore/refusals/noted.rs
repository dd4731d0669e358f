//! What becomes of one PIN, written down where the next process finds it.

use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use super::notes::Refusal;
use super::one::{self, OneTry};
use super::source::Mark;
use crate::clock;
use crate::error::KeystoreError;
use crate::keystore::IdentityStore;
use crate::secret::TryNote;

/// Lives as long as the PIN does.
pub(super) struct Noted {
    store: IdentityStore,
    /// The home, by its one name.
    home: PathBuf,
    device: String,
    /// Where the PIN came from; `None` if it is kept nowhere.
    source: Option<Source>,
    /// Nobody else tries a PIN in this home, until this one was accepted or its turn
    /// has ended.
    turn: Mutex<Option<OneTry>>,
}

struct Source {
    mark: Mark,
    /// What was noted of it before: the operator wants it tried again.
    before: Option<Refusal>,
}

impl Noted {
    pub(super) fn of_source(one: OneTry, device: &str, mark: Mark) -> Self {
        let before = one.noted(device, &mark).unwrap_or_default();
        Self::new(one, device, Some(Source { mark, before }))
    }

    pub(super) fn of_nothing(one: OneTry, device: &str) -> Self {
        Self::new(one, device, None)
    }

    fn new(one: OneTry, device: &str, source: Option<Source>) -> Self {
        let (store, home) = (one.store().clone(), one.home().to_owned());
        let (device, turn) = (device.to_owned(), Mutex::new(Some(one)));
        Self { store, home, device, source, turn }
    }

    /// Ends the turn when it is dropped.
    pub(super) fn ends_with_this(&self) -> impl Drop + '_ {
        struct Ends<'a>(&'a Noted);
        impl Drop for Ends<'_> {
            fn drop(&mut self) {
                self.0.end_turn();
            }
        }
        Ends(self)
    }

    fn end_turn(&self) {
        drop(self.turn.lock().unwrap_or_else(PoisonError::into_inner).take());
    }

    fn note(&self, in_doubt: bool) -> Option<Refusal> {
        let mark = self.source.as_ref()?.mark.clone();
        Some(Refusal { token: self.device.clone(), mark, at: clock::now(), in_doubt })
    }

    /// In the place of what was noted of this source.
    fn put(&self, noted: Option<&Refusal>) -> Result<(), KeystoreError> {
        let Some(source) = &self.source else { return Ok(()) };
        self.store.change_refusals(|all| {
            all.retain(|known| !known.is_of(&self.device, &source.mark));
            all.extend(noted.cloned());
        })
    }
}

impl TryNote for Noted {
    fn trying(&self) {
        if let Some(noted) = self.note(true)
            && let Err(error) = self.put(Some(&noted))
        {
            // Only a kill meanwhile goes unnoticed.
            log::debug!("that a PIN is being tried could not be noted: {error}");
        }
    }

    fn not_sent(&self) {
        let before = self.source.as_ref().and_then(|source| source.before.as_ref());
        report(self.put(before));
    }

    /// What the device has refused before counts no longer.
    fn accepted(&self) {
        report(self.store.change_refusals(|all| all.retain(|known| known.token != self.device)));
        one::forget(&self.home, &self.device);
        self.end_turn();
    }

    fn refused(&self) {
        if let Some(refusal) = self.note(false) {
            report(self.put(Some(&refusal)));
            one::remember(&self.home, refusal);
        }
    }

    fn in_doubt(&self) {
        if let Some(doubted) = self.note(true) {
            report(self.put(Some(&doubted)));
            one::remember(&self.home, doubted);
        }
    }
}

fn report(noted: Result<(), KeystoreError>) {
    if let Err(error) = noted {
        log::warn!("what became of the PIN could not be noted: {error}");
    }
}
