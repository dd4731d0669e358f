//! What becomes of one PIN, written down where the next process finds it.

mod again;
mod forgotten;

use std::io::ErrorKind;
use std::path::PathBuf;

use self::again::Passed;
use super::alone::Alone;
use super::device::TriedDevice;
use super::group;
use super::notes::{Notes, Refusal};
use super::one::{self, Known, OneTry};
use super::source::Mark;
use super::tag::{Compared, Stretching};
use crate::encoding::hex;
use crate::error::KeystoreError;
use crate::file;
use crate::secret::{LockedText, NotNoted, NotSentAgain, Shown, TriedByAnother, TryNote};
use crate::sync::{Arc, AtomicBool, Mutex, Ordering, PoisonError};

/// Lives as long as the PIN does.
pub(super) struct Noted {
    /// Where it is noted.
    notes: Vec<Notes>,
    /// Where something is noted that is not changed but to be forgotten.
    parts: Vec<Notes>,
    /// For what this process remembers.
    noted_at: Vec<PathBuf>,
    device: TriedDevice,
    /// Where the PIN came from; `None` if it is kept nowhere.
    source: Option<Source>,
    /// The PIN, if it is kept nowhere.
    given: Option<(LockedText, Mutex<Compared>)>,
    insisted: Option<Insisted>,
    /// What killed processes have left in doubt, and is of this PIN: it is sent if the device
    /// shows that it was not counted.
    doubted: Mutex<Vec<Refusal>>,
    withheld: AtomicBool,
    /// What was noted when the device took it.
    passed: Mutex<Passed>,
    /// Nobody else tries a PIN in this home, until this one was accepted or its turn
    /// has ended.
    turn: Mutex<Option<OneTry>>,
    /// For one that is sent again after that.
    directories: Vec<PathBuf>,
    is_sent_alone: Arc<AtomicBool>,
}

struct Source {
    /// Of what is noted of it.
    id: String,
    mark: Mark,
    /// The one copy of it.
    pin: LockedText,
    compared: Mutex<Compared>,
    stretching: Option<Stretching>,
}

/// The operator wants it tried, whatever was noted.
#[derive(Default)]
struct Insisted {
    /// What was noted of it, or may have been.
    before: Vec<Refusal>,
    /// So many were refused that no other one is tried.
    makes_room: bool,
}

impl Insisted {
    fn on(
        known: Option<&Known>,
        mark: Option<&Mark>,
        pin: &LockedText,
        compared: &mut Compared,
    ) -> Self {
        let Some(known) = known else { return Self::default() };
        Self { before: known.about(mark, pin, compared), makes_room: known.is_full() }
    }
}

impl Noted {
    pub(super) fn of_source(
        one: OneTry,
        mark: Mark,
        (pin, mut compared): (LockedText, Compared),
        insisted: bool,
        work_factor: u8,
    ) -> Self {
        let known = one.known().ok();
        let stretching = known.as_ref().and_then(|known| known.stretching());
        let stretching = stretching.or_else(|| Stretching::generate(work_factor));
        // Otherwise nothing is noted of it, or it would not be tried.
        let insisted =
            insisted.then(|| Insisted::on(known.as_ref(), Some(&mark), &pin, &mut compared));
        let source = Source { id: new_id(), mark, pin, compared: Mutex::new(compared), stretching };
        Self::new(one, (Some(source), None), insisted)
    }

    /// Of one that is kept nowhere.
    pub(super) fn of_given(one: OneTry, pin: Option<&LockedText>, insisted: bool) -> Self {
        let insisted = pin.filter(|_| insisted).map(|pin| {
            Insisted::on(one.known().ok().as_ref(), None, pin, &mut Compared::default())
        });
        let given = pin.map(|pin| (pin.clone(), Mutex::default()));
        Self::new(one, (None, given), insisted)
    }

    fn new(
        one: OneTry,
        (source, given): (Option<Source>, Option<(LockedText, Mutex<Compared>)>),
        insisted: Option<Insisted>,
    ) -> Self {
        let (notes, noted_at) = (one.notes().to_vec(), one.noted_at().to_vec());
        let parts = one.parts().to_vec();
        let device = one.device().clone();
        let (doubted, withheld, passed) =
            (Mutex::default(), AtomicBool::new(false), Mutex::default());
        let (directories, is_sent_alone) = (one.directories().to_vec(), Arc::default());
        let turn = Mutex::new(Some(one));
        Self {
            notes,
            parts,
            noted_at,
            device,
            source,
            given,
            insisted,
            doubted,
            withheld,
            passed,
            turn,
            directories,
            is_sent_alone,
        }
    }

    /// With these doubts of it.
    pub(super) fn with_doubted(self, doubted: Vec<Refusal>) -> Self {
        Self { doubted: Mutex::new(doubted), ..self }
    }

    /// Whether it was not sent for the sake of them.
    pub(super) fn is_withheld(&self) -> bool {
        self.withheld.load(Ordering::Relaxed)
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
    fn doubt(&self, source: &Source) -> Refusal {
        let group = group::of(&source.pin);
        Refusal::doubt(&source.id, self.notes.len(), &self.device, &source.mark, group)
    }

    /// Without memory for a tag it may be any PIN.
    fn refusal(&self, source: &Source) -> Refusal {
        let mut compared = source.compared.lock().unwrap_or_else(PoisonError::into_inner);
        // Others may have noted some since this one was given.
        let kept = self.notes.iter().filter_map(|notes| notes.read().ok());
        let how = kept.flat_map(|kept| kept.refused).filter(|noted| noted.may_be_by(&self.device));
        let how = how.filter_map(|noted| Stretching::of(noted.pin.as_deref()?)).next();
        let pin = how.or(source.stretching).and_then(|how| compared.tag(how, &source.pin));
        Refusal { in_doubt: false, group: None, pin, ..self.doubt(source) }
    }

    /// What homes share may have been removed under an identity that is open.
    fn share_anew(&self) {
        let Some((_home, shared)) = self.directories.split_last() else { return };
        for directory in shared {
            if let Err(error) = file::private_dir(directory) {
                log::debug!("{} is not made anew: {error}", directory.display());
            }
        }
    }

    /// In each file, in the place of what was noted of this try. It is well if that takes it
    /// which most share, the first one; of the reasons why not one that may pass is told first.
    fn put(&self, noted: &Refusal) -> Result<(), KeystoreError> {
        self.share_anew();
        let put = self.notes.iter().map(|notes| {
            notes
                .change(|kept| kept.put(&self.device, noted))
                .inspect_err(|error| log::debug!("a file takes no note of a PIN: {error}"))
        });
        // All of them, also after the first that did.
        let put: Vec<_> = put.collect();
        if put.first().is_some_and(Result::is_ok) {
            return Ok(());
        }
        let (passing, lasting): (Vec<_>, Vec<_>) =
            put.into_iter().filter_map(Result::err).partition(may_pass);
        passing.into_iter().chain(lasting).next().map_or(Ok(()), Err)
    }

    /// What a file has is forgotten with it, by whomever.
    fn put_or_remember(&self, noted: &Refusal) {
        if let Err(error) = self.put(noted) {
            report(Err(error));
            one::remember(&self.noted_at, noted);
        }
    }

    /// What was noted of this try.
    fn take_back(&self, source: &Source) {
        for notes in &self.notes {
            report(notes.change(|kept| kept.refused.retain(|known| !known.is(&source.id))));
        }
        one::forget(&self.noted_at, |known| known.is(&source.id));
    }

    fn before(&self) -> Vec<Refusal> {
        self.insisted.as_ref().map_or_else(|| self.doubted(), |insisted| insisted.before.clone())
    }

    fn doubted(&self) -> Vec<Refusal> {
        self.doubted.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whoever finds a note of this try is not there before it has ended.
    fn is_alone(&self) -> bool {
        let turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        turn.as_ref().is_some_and(OneTry::is_alone) || self.is_sent_alone.load(Ordering::SeqCst)
    }
}

/// Two tries have two.
fn new_id() -> String {
    let mut id = [0; 8];
    match crate::secret::fill_random(&mut id) {
        Ok(()) => hex::encode(&id),
        Err(error) => {
            log::debug!("a note has no name of its own: {error}");
            String::new()
        }
    }
}

impl TryNote for Noted {
    fn alone(&self) -> Result<Box<dyn Send>, TriedByAnother> {
        self.share_anew();
        Ok(Box::new(Alone::begin(&self.directories, &self.is_sent_alone)?))
    }

    fn look(&self) -> Result<(), NotSentAgain> {
        self.look_again().map_err(|error| NotSentAgain {
            repair: error.help().unwrap_or_default(),
            source: error.into(),
        })
    }

    fn trying(&self, shown: Shown) -> Result<(), NotNoted> {
        let Some(source) = &self.source else { return Ok(()) };
        let none_counted = shown == Shown::NoneCounted && self.is_alone();
        self.put(&Refusal { none_counted, ..self.doubt(source) }).map_err(|error| {
            // It is not sent, or by a device that shows what comes of it.
            self.take_back(source);
            NotNoted {
                repair: error.help().unwrap_or_default(),
                may_pass: may_pass(&error),
                source: error.into(),
            }
        })
    }

    fn is_doubted(&self) -> bool {
        !self.doubted().is_empty()
    }

    fn withheld(&self) {
        self.withheld.store(true, Ordering::Relaxed);
    }

    fn not_sent(&self) {
        let Some(source) = &self.source else { return };
        self.take_back(source);
        // As it was in doubt before.
        for doubted in self.before().iter().filter(|noted| noted.in_doubt) {
            report(self.put(doubted));
        }
    }

    /// What a device that counts anew has refused before counts no longer.
    fn accepted(&self) {
        let makes_room = self.insisted.as_ref().is_some_and(|insisted| insisted.makes_room);
        self.forget_this_one();
        if self.device.counts_anew() {
            self.forget(|known| known.is_by(&self.device));
        } else if makes_room {
            self.outlive();
        }
        self.pass();
        self.end_turn();
    }

    /// What the device has refused before counts there as before.
    fn compared(&self) {
        self.forget_this_one();
        self.pass();
        self.end_turn();
    }

    fn refused(&self) {
        let Some(source) = &self.source else { return };
        self.put_or_remember(&self.refusal(source));
        // The device has shown of these that they were not counted.
        let doubted = self.doubted();
        if !doubted.is_empty() && !self.is_withheld() {
            self.forget(|known| doubted.contains(known));
        }
    }

    /// What others have tried meanwhile is not touched.
    fn still_good(&self, taken: bool) {
        if let Some(source) = &self.source {
            self.take_back(source);
        }
        if taken {
            self.pass();
        }
    }

    fn in_doubt(&self) {
        let Some(source) = &self.source else { return };
        self.put_or_remember(&self.doubt(source));
    }
}

/// Whether the same file may take a note next time, though nobody has changed anything.
fn may_pass(error: &KeystoreError) -> bool {
    match error {
        KeystoreError::Io { source, .. } => !matches!(
            source.kind(),
            ErrorKind::ReadOnlyFilesystem
                | ErrorKind::PermissionDenied
                | ErrorKind::NotFound
                | ErrorKind::IsADirectory
                | ErrorKind::NotADirectory
        ),
        KeystoreError::InUse { .. } => true,
        _ => false,
    }
}

/// Here the PIN was sent.
fn report(noted: Result<(), KeystoreError>) {
    match noted {
        Ok(()) => {}
        Err(KeystoreError::Refusals { path, source }) => log::warn!(
            "what became of the PIN could not be noted in {}, which cannot be understood: {source}",
            path.display()
        ),
        Err(error) => log::warn!("what became of the PIN could not be noted: {error}"),
    }
}
