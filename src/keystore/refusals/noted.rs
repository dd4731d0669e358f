//! What becomes of one PIN, written down where the next process finds it.

use std::cell::RefCell;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use super::device::TriedDevice;
use super::notes::{Notes, Refusal};
use super::one::{self, OneTry};
use super::source::Mark;
use super::tag::{Compared, Stretching};
use crate::clock;
use crate::error::KeystoreError;
use crate::secret::{LockedText, NotNoted, TryNote};

/// Lives as long as the PIN does.
pub(super) struct Noted {
    /// Where it is noted.
    notes: Vec<Notes>,
    /// For what this process remembers.
    noted_at: PathBuf,
    device: TriedDevice,
    /// Where the PIN came from; `None` if it is kept nowhere.
    source: Option<Source>,
    /// Nobody else tries a PIN in this home, until this one was accepted or its turn
    /// has ended.
    turn: Mutex<Option<OneTry>>,
}

struct Source {
    mark: Mark,
    /// The one copy of it.
    pin: LockedText,
    stretching: Option<Stretching>,
    /// The operator wants it tried, whatever was noted of it before.
    insisted: bool,
    before: Option<Refusal>,
}

impl Noted {
    pub(super) fn of_source(
        one: OneTry,
        mark: Mark,
        pin: LockedText,
        insisted: bool,
        work_factor: u8,
    ) -> Self {
        // Otherwise nothing is, or it would not be tried.
        let before = if insisted { one.noted(&mark, &pin).unwrap_or_default() } else { None };
        let stretching = one.stretching(work_factor);
        Self::new(one, Some(Source { mark, pin, stretching, insisted, before }))
    }

    pub(super) fn of_nothing(one: OneTry) -> Self {
        Self::new(one, None)
    }

    fn new(one: OneTry, source: Option<Source>) -> Self {
        let (notes, noted_at) = (one.notes().to_vec(), one.noted_at().to_owned());
        let device = one.device().clone();
        Self { notes, noted_at, device, source, turn: Mutex::new(Some(one)) }
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

    /// That it is not known what came, or will come, of it.
    fn doubt(source: &Source, device: &TriedDevice) -> Refusal {
        let (token, salt) = (device.name().to_owned(), device.salt().map(str::to_owned));
        let (mark, at) = (source.mark.clone(), clock::now());
        Refusal { token, salt, mark, at, in_doubt: true, pin: None }
    }

    fn refusal(source: &Source, device: &TriedDevice) -> Refusal {
        let pin = source.stretching.and_then(|stretching| stretching.tag(&source.pin));
        Refusal { in_doubt: false, pin, ..Self::doubt(source, device) }
    }

    /// In the place of what was noted of this PIN from this source, in the first file that
    /// takes it. A variable may have had another one, which stays refused.
    fn put(&self, source: &Source, noted: Option<&Refusal>) -> Result<(), KeystoreError> {
        let (mut noted, mut done) = (noted, None);
        let compared = RefCell::new(Compared::new(&source.pin));
        let is_it = |known: &Refusal| {
            let mut compared = compared.borrow_mut();
            known.is_of(&self.device, &source.mark)
                && known.is_about(&self.device, &source.mark, &mut compared)
        };
        for notes in &self.notes {
            let changed = notes.change(|all| {
                all.retain(|known| !is_it(known));
                all.extend(noted.cloned());
            });
            match changed {
                // In the other ones nothing is left of it.
                Ok(()) => (noted, done) = (None, Some(Ok(()))),
                Err(error) => {
                    done.get_or_insert(Err(error));
                }
            }
        }
        done.unwrap_or(Ok(()))
    }

    fn forget(&self, which: impl Fn(&Refusal) -> bool) {
        for notes in &self.notes {
            report(notes.change(|all| all.retain(|known| !which(known))));
        }
        one::forget(&self.noted_at, which);
    }

    /// What is known of this PIN, wherever it came from; and nothing of another one.
    fn forget_this_one(&self) {
        let Some(source) = &self.source else { return };
        let compared = RefCell::new(Compared::new(&source.pin));
        self.forget(|known| {
            let mut compared = compared.borrow_mut();
            // What another source is noted for is this PIN only if somebody insisted.
            (source.insisted || known.is_of(&self.device, &source.mark))
                && known.is_about(&self.device, &source.mark, &mut compared)
        });
    }
}

impl TryNote for Noted {
    fn trying(&self) -> Result<(), NotNoted> {
        let Some(source) = &self.source else { return Ok(()) };
        self.put(source, Some(&Self::doubt(source, &self.device)))
            .inspect_err(|error| log::debug!("that a PIN is tried could not be noted: {error}"))
            .map_err(|error| NotNoted {
                repair: error.help().unwrap_or_default(),
                source: error.into(),
            })
    }

    fn not_sent(&self) {
        let Some(source) = &self.source else { return };
        report(self.put(source, source.before.as_ref()));
    }

    /// What a device that counts anew has refused before counts no longer.
    fn accepted(&self) {
        match self.device.counts_anew() {
            true => self.forget(|known| known.is_by(&self.device)),
            false => self.forget_this_one(),
        }
        self.end_turn();
    }

    /// What the device has refused before counts there as before.
    fn compared(&self) {
        self.forget_this_one();
        self.end_turn();
    }

    fn refused(&self) {
        let Some(source) = &self.source else { return };
        let refusal = Self::refusal(source, &self.device);
        report(self.put(source, Some(&refusal)));
        one::remember(&self.noted_at, refusal);
    }

    /// What others have tried meanwhile is not touched.
    fn still_good(&self) {
        let Some(source) = &self.source else { return };
        report(self.put(source, None));
    }

    fn in_doubt(&self) {
        let Some(source) = &self.source else { return };
        let doubted = Self::doubt(source, &self.device);
        report(self.put(source, Some(&doubted)));
        one::remember(&self.noted_at, doubted);
    }
}

fn report(noted: Result<(), KeystoreError>) {
    if let Err(error) = noted {
        log::warn!("what became of the PIN could not be noted: {error}");
    }
}
