//! One PIN at a time: who has begun a try is alone with the notes until the device has
//! answered and that is written down.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::alone::{self, one_name};
use super::device::TriedDevice;
use super::group;
use super::home;
use super::notes::{MOST, Notes, Refusal};
use super::same::Sameness;
use super::source::Mark;
use super::tag::{Compared, Stretching};
use crate::clock;
use crate::error::{KeystoreError, NotCompared};
use crate::file::{Lock, TRY_PATIENCE};
use crate::keystore::IdentityStore;
use crate::secret::LockedText;
use crate::sync::{
    Arc, Condvar, Instant, Mutex, MutexGuard, OfProcess, PoisonError, of_process, sleep,
};

/// What the threads of this process know together.
struct Here {
    /// Homes in which a try has begun.
    busy: BTreeSet<PathBuf>,
    /// What was refused, and where it should be noted: a disk may not take it.
    refused: Vec<(PathBuf, Refusal)>,
}

static HERE: OfProcess<Mutex<Here>> =
    of_process!(Mutex::new(Here { busy: BTreeSet::new(), refused: Vec::new() }));
static ENDED: OfProcess<Condvar> = of_process!(Condvar::new());

fn here() -> MutexGuard<'static, Here> {
    HERE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A PIN that is being sent has its answer by then.
const ON_ITS_WAY: Duration = Duration::from_millis(500);

/// What this process remembers at most, of all homes and devices.
const MOST_HERE: usize = 16 * MOST;

/// Remembers it for this process, for each directory in which it should be noted.
pub(super) fn remember(noted: &[PathBuf], refusal: &Refusal) {
    let known = &mut here().refused;
    known.retain(|(at, known)| {
        let is_doubt = known.is_doubt_of(&refusal.mark, refusal.group) && known.key == refusal.key;
        let is_it = known.is(&refusal.id) || (is_doubt && known.token == refusal.token);
        !noted.contains(at) || !is_it
    });
    known.extend(noted.iter().map(|at| (at.clone(), refusal.clone())));
    let too_many = known.len().saturating_sub(MOST_HERE);
    known.drain(..too_many);
}

/// Forgets some of what this process remembers.
pub(super) fn forget(noted: &[PathBuf], mut which: impl FnMut(&Refusal) -> bool) {
    here().refused.retain(|(at, refusal)| !noted.contains(at) || !which(refusal));
}

/// What this process remembers of what should be noted there.
pub(super) fn remembered(noted: &[PathBuf]) -> Vec<Refusal> {
    let here = here();
    let there = here.refused.iter().filter(|(at, _)| noted.contains(at));
    there.map(|(_, refusal)| refusal.clone()).collect()
}

/// A try that has begun. Until it is dropped, no other one begins in this home; nor, where
/// homes share a directory for it, at this device.
pub(super) struct OneTry {
    device: TriedDevice,
    /// Where it is noted: each is looked at, and each is written.
    notes: Vec<Notes>,
    /// In parts of the home, which take no new ones.
    parts: Vec<Notes>,
    /// Their directories, each by its one name.
    noted_at: Vec<PathBuf>,
    /// Each directory that is locked, in the order in which that is done everywhere.
    directories: Vec<PathBuf>,
    /// Keep other processes out; freed before the turn.
    locks: Vec<Arc<Lock>>,
    _turn: Turn,
}

/// What is known of PINs at a device.
pub(super) struct Known {
    device: TriedDevice,
    /// The PIN is sent by itself: nobody is there who gives it, and so says that it is to be
    /// tried.
    is_sent_again: bool,
    /// And which file says so.
    refusals: Vec<(Refusal, PathBuf)>,
}

/// A PIN that is in doubt since a process was killed, by nothing that its device would not
/// show.
pub(super) struct Doubted {
    pub(super) noted: Vec<Refusal>,
    /// If the device does not show that it was not counted.
    pub(super) error: KeystoreError,
}

/// Why a PIN may not be sent.
enum Barred<'a> {
    ByWhatIsNotedOfIt(&'a Refusal, &'a Path),
    /// It may be one of those that were refused.
    NotCompared(NotCompared, &'a Path),
}

impl OneTry {
    pub(super) fn begin(
        store: &IdentityStore,
        device: &TriedDevice,
    ) -> Result<Self, KeystoreError> {
        let being_tried = |error| match error {
            KeystoreError::InUse { holder, .. } => {
                KeystoreError::PinBeingTried { token: device.name().to_owned(), holder }
            }
            error => error,
        };
        let home = home::of(store.home());
        let turn = Turn::wait(&home).map_err(being_tried)?;
        // In this order everywhere.
        let shared = device.shared(store.state.as_deref())?;
        let directories: Vec<_> = shared.locked.into_iter().chain([home.clone()]).collect();
        let lock = |directory: &PathBuf| {
            Lock::of_tries(directory).map(|lock| alone::shared(directory, lock))
        };
        let locks = directories.iter().map(lock).collect::<Result<Vec<_>, _>>();
        let locks = locks.map_err(being_tried)?;
        let parts = home::gather(&home);
        let noted: Vec<_> = shared.noted.as_deref().into_iter().chain([home.as_path()]).collect();
        Ok(Self {
            device: device.clone(),
            notes: noted.iter().copied().map(Notes::of).collect(),
            parts,
            noted_at: noted.into_iter().map(one_name).collect(),
            directories,
            locks,
            _turn: turn,
        })
    }

    pub(super) const fn device(&self) -> &TriedDevice {
        &self.device
    }

    /// Whether nobody else can begin one where this one is noted: each directory is locked.
    pub(super) fn is_alone(&self) -> bool {
        self.locks.iter().all(|lock| lock.is_held())
    }

    pub(super) fn notes(&self) -> &[Notes] {
        &self.notes
    }

    pub(super) fn parts(&self) -> &[Notes] {
        &self.parts
    }

    pub(super) fn directories(&self) -> &[PathBuf] {
        &self.directories
    }

    pub(super) fn noted_at(&self) -> &[PathBuf] {
        &self.noted_at
    }

    /// What is noted of this device, in any of the files or by this process, and was
    /// forgotten in none.
    ///
    /// # Errors
    ///
    /// If a file cannot be read, or is not understood.
    pub(super) fn known(&self) -> Result<Known, KeystoreError> {
        Known::read(&self.device, self.notes.iter().chain(&self.parts), &self.noted_at)
    }

    /// Whether the device has refused this PIN, or may have. One that is kept nowhere has
    /// no `mark`.
    ///
    /// **Blocks** half a second where one is in doubt since just now: a service that has the
    /// device open for several homes sends its PIN again with the locks of one of them, and
    /// takes the notes of all back.
    pub(super) fn check(
        &self,
        source_name: impl ToString,
        mark: Option<&Mark>,
        pin: &LockedText,
        compared: &mut Compared,
    ) -> Result<Option<Doubted>, KeystoreError> {
        let source_name = source_name.to_string();
        settled(|| self.known()?.check(&source_name, mark, pin, compared))
    }
}

/// **Blocks** half a second where one is in doubt since just now.
pub(super) fn settled<T>(
    mut check: impl FnMut() -> Result<T, KeystoreError>,
) -> Result<T, KeystoreError> {
    let begun = Instant::now();
    loop {
        match check() {
            Err(KeystoreError::PinInDoubt { at, .. })
                if clock::now().saturating_sub(at) < 2 && begun.elapsed() < ON_ITS_WAY => {}
            checked => return checked,
        }
        sleep(Duration::from_millis(20));
    }
}

impl Known {
    /// # Errors
    ///
    /// As [`OneTry::known`].
    pub(super) fn read<'a>(
        device: &TriedDevice,
        files: impl Iterator<Item = &'a Notes>,
        noted_at: &[PathBuf],
    ) -> Result<Self, KeystoreError> {
        let (mut noted, mut forgotten) = (Vec::new(), BTreeSet::new());
        for notes in files {
            let kept = notes.read()?;
            noted.extend(kept.refused.into_iter().map(|refusal| (refusal, notes.path())));
            forgotten.extend(kept.forgotten);
        }
        let home = noted_at.last().map(|home| Notes::of(home).path()).unwrap_or_default();
        noted.extend(remembered(noted_at).into_iter().map(|refusal| (refusal, home.clone())));
        let mut ids = BTreeSet::new();
        noted.retain(|(refusal, _)| {
            refusal.may_be_by(device)
                && (refusal.id.is_empty()
                    || (!forgotten.contains(&refusal.id) && ids.insert(refusal.id.clone())))
        });
        Ok(Self { device: device.clone(), is_sent_again: false, refusals: noted })
    }

    /// Of a PIN that the device has taken before: all but what this says.
    pub(super) fn without(mut self, passed: impl Fn(&Refusal) -> bool) -> Self {
        self.refusals.retain(|(refusal, _)| !passed(refusal));
        Self { is_sent_again: true, ..self }
    }

    pub(super) fn check(
        &self,
        source_name: impl ToString,
        mark: Option<&Mark>,
        pin: &LockedText,
        compared: &mut Compared,
    ) -> Result<Option<Doubted>, KeystoreError> {
        let source_name = source_name.to_string();
        let is_told = |barred: &Barred<'_>| match barred {
            Barred::ByWhatIsNotedOfIt(noted, _) => {
                noted.in_doubt && noted.none_counted && noted.is_by(&self.device)
            }
            Barred::NotCompared(..) => false,
        };
        let (told, others): (Vec<_>, Vec<_>) =
            self.barring(mark, pin, compared).into_iter().partition(is_told);
        if let Some(barred) = others.into_iter().next() {
            return Err(self.error(barred, mark, source_name));
        }
        let noted = told.iter().filter_map(|barred| match barred {
            Barred::ByWhatIsNotedOfIt(noted, _) => Some((*noted).clone()),
            Barred::NotCompared(..) => None,
        });
        let noted: Vec<_> = noted.collect();
        let first = told.into_iter().next();
        Ok(first.map(|barred| Doubted { noted, error: self.error(barred, mark, source_name) }))
    }

    fn error(&self, barred: Barred<'_>, mark: Option<&Mark>, source_name: String) -> KeystoreError {
        let token = self.device.name().to_owned();
        match barred {
            Barred::ByWhatIsNotedOfIt(noted, note) => {
                let (at, note) = (noted.at, note.to_owned());
                let now = source_name;
                let source_name = then_and_now(noted, mark, &now);
                match (noted.in_doubt, noted.is_by(&self.device)) {
                    (true, _) => KeystoreError::PinInDoubt { token, source_name: now, at, note },
                    (false, true) => KeystoreError::RefusedBefore { token, source_name, at, note },
                    (false, false) => {
                        KeystoreError::RefusedByNamesake { token, source_name, at, note }
                    }
                }
            }
            Barred::NotCompared(problem, note) => {
                KeystoreError::PinNotCompared { token, source_name, note: note.to_owned(), problem }
            }
        }
    }

    /// What bars this PIN, clear reasons first.
    fn barring(
        &self,
        mark: Option<&Mark>,
        pin: &LockedText,
        compared: &mut Compared,
    ) -> Vec<Barred<'_>> {
        let (mut clear, mut not_compared) = (Vec::new(), Vec::new());
        for (refusal, note) in &self.refusals {
            let of_source = mark == Some(&refusal.mark);
            let is_it = match &refusal.pin {
                Some(tag) => compared.has(tag, pin),
                None if refusal.in_doubt && self.is_sent_again && refusal.group.is_some() => {
                    Ok(refusal.group == Some(group::of(pin)))
                }
                None if refusal.in_doubt => Ok(may_be_doubted(refusal, mark, pin)),
                None if of_source => Ok(true),
                None => Err(NotCompared::Untagged),
            };
            match is_it {
                Ok(true) => clear.push(Barred::ByWhatIsNotedOfIt(refusal, note)),
                Ok(false) => {}
                Err(why) => not_compared.push(Barred::NotCompared(why, note)),
            }
        }
        if let (true, Some((_, note))) = (self.is_full(), self.refusals.last()) {
            not_compared.push(Barred::NotCompared(NotCompared::Full { refused: MOST }, note));
        }
        // What is certain is said.
        clear.sort_by_key(|barred| match barred {
            Barred::ByWhatIsNotedOfIt(noted, _) => noted.sameness(&self.device),
            Barred::NotCompared(..) => Sameness::Another,
        });
        clear.extend(not_compared);
        clear
    }

    pub(super) fn is_full(&self) -> bool {
        self.refusals.iter().filter(|(known, _)| !known.outlived).count() >= MOST
    }

    /// What says of this PIN that it was refused or is in doubt, and what might be of it.
    pub(super) fn about(
        &self,
        mark: Option<&Mark>,
        pin: &LockedText,
        compared: &mut Compared,
    ) -> Vec<Refusal> {
        let mut about = Vec::new();
        for (refusal, _) in &self.refusals {
            let is_it = match &refusal.pin {
                Some(tag) => compared.has(tag, pin).unwrap_or(false),
                None => !refusal.in_doubt || may_be_doubted(refusal, mark, pin),
            };
            if is_it {
                about.push(refusal.clone());
            }
        }
        about
    }

    /// How tags are made here: as those that are noted already.
    pub(super) fn stretching(&self) -> Option<Stretching> {
        let mut tags = self.refusals.iter().filter_map(|(noted, _)| noted.pin.as_deref());
        tags.find_map(Stretching::of)
    }
}

/// Whether a PIN may be the one of a note that is in doubt. One that is kept nowhere is not:
/// whoever gives it says that it is to be tried.
fn may_be_doubted(doubt: &Refusal, mark: Option<&Mark>, pin: &LockedText) -> bool {
    mark.is_some_and(|mark| match doubt.group {
        Some(group) => group == group::of(pin),
        // As earlier versions have noted it.
        None => *mark == doubt.mark,
    })
}

/// Where a PIN comes from, and came from when it was noted.
fn then_and_now(noted: &Refusal, mark: Option<&Mark>, source_name: &str) -> String {
    let then = noted.mark.to_string();
    match mark == Some(&noted.mark) || then == source_name {
        true => source_name.to_owned(),
        false => format!("{source_name} (then from {then})"),
    }
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
