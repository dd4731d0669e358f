//! The one place where a PIN goes to a TPM: what is known of it, and how many tries are
//! left, is looked at right before, and nobody else sends one until the answer is noted.
//!
//! What is known belongs to the process, whatever backends it has opened, and by
//! whatever name they reach the TPM.

use std::fmt;
use std::time::Duration;

use tss_esapi::Context;
use tss_esapi::handles::KeyHandle;
use tss_esapi::structures::Auth;

use super::chip::{Chip, Reconnect};
use super::failure::{Doing as _, Failed, Meaning};
use super::pin::Stretched;
use super::properties::Lockout;
use crate::config::TpmConfig;
use crate::error::TpmError;
use crate::secret::{NotNoted, PinAnswer, Sending, WithoutNote};
use crate::sync::{Instant, Mutex, MutexGuard, PoisonError};

/// More PINs than anybody tries; older ones are forgotten first.
const MOST: usize = 256;

static KNOWN: Mutex<Known> = Mutex::new(Known { refused: Vec::new(), doubted: Vec::new() });

struct Known {
    refused: Vec<Mark>,
    /// What was sent and not answered.
    doubted: Vec<Doubted>,
}

type Mark = [u8; 32];

#[derive(Clone)]
struct Doubted {
    mark: Mark,
    /// The Name of the storage key above: of one TPM, by whatever name that was reached.
    parent: Vec<u8>,
    before: Lockout,
    at: Instant,
}

impl Doubted {
    /// Whether the TPM's own count shows that it was not refused.
    fn is_cleared_by(&self, now: Lockout) -> bool {
        match (self.before, now) {
            // Wrong ones are not counted.
            (_, Lockout { interval: Some(0), .. }) => true,
            (
                Lockout { counter: Some(before), .. },
                Lockout { counter: Some(now), interval: Some(interval), .. },
            ) => now <= before && self.at.elapsed() < Duration::from_secs(interval.into()),
            _ => false,
        }
    }
}

impl Known {
    fn lock() -> MutexGuard<'static, Self> {
        KNOWN.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn check(&self, pin: &Stretched, answer: &PinAnswer) -> Result<(), TpmError> {
        if self.refused.contains(&pin.mark()) {
            answer.refused();
            return Err(TpmError::PinKnownWrong);
        }
        Ok(())
    }

    fn refuse(&mut self, mark: Mark) {
        self.clear(mark);
        self.refused.push(mark);
        self.refused.drain(..self.refused.len().saturating_sub(MOST));
    }

    fn doubt(&mut self, doubted: Doubted) {
        self.clear(doubted.mark);
        self.doubted.push(doubted);
        self.doubted.drain(..self.doubted.len().saturating_sub(MOST));
    }

    /// One more is counted there, of a PIN that is known: so it is none of those in doubt.
    fn explain_one(&mut self, parent: &[u8]) {
        for doubted in self.doubted.iter_mut().filter(|doubted| doubted.parent == parent) {
            let counter = &mut doubted.before.counter;
            *counter = counter.map(|counter| counter.saturating_add(1));
        }
    }

    fn clear(&mut self, mark: Mark) {
        self.doubted.retain(|doubted| doubted.mark != mark);
    }
}

/// Refuses a PIN that is known to be wrong, before anything is begun for it.
pub(super) fn check_unrefused(pin: &Stretched, answer: &PinAnswer) -> Result<(), TpmError> {
    Known::lock().check(pin, answer)
}

/// A PIN that may be sent now, once.
pub(super) struct MaySend<'a> {
    pin: &'a Stretched,
    answer: &'a PinAnswer,
    /// Keeps others from sending one; not needed for a PIN that is known to be right.
    checked: Option<Checked>,
    without_note: WithoutNote,
}

struct Checked {
    known: MutexGuard<'static, Known>,
    parent: Vec<u8>,
    before: Lockout,
}

impl<'a> MaySend<'a> {
    /// Reads the count, and looks at what is known of the PIN.
    pub(super) fn check(
        context: &mut Context,
        pin: &'a Stretched,
        answer: &'a PinAnswer,
        config: &TpmConfig,
        parent: &[u8],
    ) -> Result<Self, Failed> {
        let mut known = Known::lock();
        known.check(pin, answer)?;
        let before = Lockout::read(context)?;
        let mark = pin.mark();
        if let Some(doubted) = known.doubted.iter().find(|doubted| doubted.mark == mark) {
            if !doubted.is_cleared_by(before) && !answer.insists() {
                return Err(TpmError::PinInDoubt.into());
            }
            known.clear(mark);
        }
        before.check(config.allow_final_try)?;
        let without_note = match (config.allow_unnoted_try, before.is_clear()) {
            (true, _) => WithoutNote::MayBeSent,
            (false, true) => WithoutNote::DeviceCounts,
            (false, false) => WithoutNote::MayNot,
        };
        let checked = Checked { known, parent: parent.to_owned(), before };
        Ok(Self { pin, answer, checked: Some(checked), without_note })
    }

    /// It was taken before: that costs no try, however many are left.
    pub(super) fn taken(
        _: &'a Taken,
        pin: &'a Stretched,
        answer: &'a PinAnswer,
    ) -> Result<Self, Failed> {
        Known::lock().check(pin, answer)?;
        Ok(Self { pin, answer, checked: None, without_note: WithoutNote::MayBeSent })
    }

    /// Sends it with the one command that uses this key. Where its answer is lost,
    /// `doubt` is to be settled.
    pub(super) fn send<T>(
        self,
        context: &mut Context,
        key: KeyHandle,
        doubt: &mut Option<Doubt>,
        command: impl FnOnce(&mut Context) -> Result<T, Failed>,
    ) -> Result<(T, Taken), Failed> {
        const DOING: &str = "use a PIN";
        let auth = Auth::try_from(self.pin.auth_value().as_slice()).doing(DOING)?;
        let sending = self
            .answer
            .sending_unchanged(self.without_note)
            .map_err(|NotNoted { repair, source, .. }| TpmError::PinNotNoted { repair, source })?;
        if let Err(failed) = context.tr_set_auth(key.into(), auth).doing(DOING) {
            sending.not_sent();
            return Err(failed);
        }
        let done = command(context);
        // The library would keep it for as long as the key is loaded.
        let _ = context.tr_set_auth(key.into(), Auth::default());
        match done {
            Ok(done) => {
                sending.accepted();
                Ok((done, Taken(())))
            }
            Err(failed) => Err(self.hear(context, failed, sending, doubt)),
        }
    }

    fn hear(
        self,
        context: &mut Context,
        failed: Failed,
        sending: Sending,
        doubt: &mut Option<Doubt>,
    ) -> Failed {
        let mark = self.pin.mark();
        match (failed.meaning(), failed, self.checked) {
            (Some(Meaning::WrongAuth), Failed::Call(failure), checked) => {
                let now = Lockout::read(context).ok();
                match checked {
                    Some(Checked { mut known, parent, before }) => {
                        known.refuse(mark);
                        if now.is_some_and(|now| now.has_one_more_than(before)) {
                            known.explain_one(&parent);
                        }
                    }
                    None => Known::lock().refuse(mark),
                }
                sending.refused();
                let tries_left = now.and_then(Lockout::tries_left);
                TpmError::WrongPin { tries_left, source: Box::new(failure) }.into()
            }
            // Locked meanwhile, by another program: the PIN was not looked at.
            (Some(Meaning::Lockout), Failed::Call(failure), _) => {
                sending.not_sent();
                let recovery_seconds = Lockout::read(context).ok().and_then(|now| now.interval);
                TpmError::LockedOut { recovery_seconds, source: Some(Box::new(failure)) }.into()
            }
            (_, failed, Some(Checked { mut known, parent, before }))
                if failed.may_have_been_counted() =>
            {
                known.doubt(Doubted { mark, parent, before, at: Instant::now() });
                *doubt = Some(Doubt { sending, mark });
                failed
            }
            // The TPM gave another reason, or the PIN is known to be right.
            (_, failed, _) => {
                sending.not_sent();
                failed
            }
        }
    }
}

/// That a TPM has taken a PIN for a key. It cannot be changed while that key is loaded.
pub(super) struct Taken(());

/// A PIN whose answer was lost.
#[must_use = "it stays in doubt"]
pub(super) struct Doubt {
    sending: Sending,
    mark: Mark,
}

impl Doubt {
    /// Asks the TPM for its count: where that has not grown, the PIN was not refused.
    pub(super) fn settle(self, chip: &Chip) {
        let mark = self.mark;
        let cleared = chip.work(Reconnect::Once, |work| {
            // Nobody sends another PIN between the count and what explains it.
            let mut known = Known::lock();
            let now = Lockout::read(work.context)?;
            let cleared = match known.doubted.iter().find(|doubted| doubted.mark == mark) {
                Some(doubted) => doubted.is_cleared_by(now),
                // Another thread has settled it.
                None => !known.refused.contains(&mark),
            };
            if cleared {
                known.clear(mark);
            }
            Ok(cleared)
        });
        match cleared {
            Ok(true) => self.sending.not_sent(),
            _ => self.sending.in_doubt(),
        }
    }
}

impl fmt::Debug for MaySend<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MaySend").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lost_answer_is_settled_by_the_count_alone() {
        let count = |counter, interval| Lockout { counter, max_tries: Some(3), interval };
        let doubted =
            |before| Doubted { mark: [0; 32], parent: vec![1], before, at: Instant::now() };
        let one = doubted(count(Some(1), Some(600)));
        assert!(one.is_cleared_by(count(Some(1), Some(600))));
        assert!(one.is_cleared_by(count(Some(0), Some(600))));
        assert!(!one.is_cleared_by(count(Some(2), Some(600))));
        assert!(!one.is_cleared_by(count(None, Some(600))));
        assert!(!doubted(count(None, Some(600))).is_cleared_by(count(Some(0), Some(600))));
        // By then one may have been forgotten.
        assert!(!one.is_cleared_by(count(Some(1), None)));
        let long_ago = Instant::now().checked_sub(Duration::from_secs(2)).unwrap();
        let late = Doubted { at: long_ago, ..one.clone() };
        assert!(!late.is_cleared_by(count(Some(1), Some(2))));
        assert!(late.is_cleared_by(count(Some(1), Some(600))));
        // Nothing is counted.
        assert!(one.is_cleared_by(count(Some(1), Some(0))));
    }

    /// Another thread sends a wrong PIN before anybody has looked at the count.
    #[test]
    fn what_another_pin_has_counted_leaves_no_right_one_in_doubt() {
        let count = |counter| Lockout { counter, max_tries: Some(9), interval: Some(600) };
        let mut known = Known { refused: Vec::new(), doubted: Vec::new() };
        let (mark, parent, before) = ([0; 32], vec![1], count(Some(1)));
        known.doubt(Doubted { mark, parent, before, at: Instant::now() });
        assert!(count(Some(2)).has_one_more_than(count(Some(1))));
        assert!(!count(Some(1)).has_one_more_than(count(Some(1))));
        assert!(!count(None).has_one_more_than(count(None)));
        // Another TPM has a count of its own.
        known.explain_one(&[2]);
        assert!(!known.doubted[0].is_cleared_by(count(Some(2))));
        known.explain_one(&[1]);
        assert!(known.doubted[0].is_cleared_by(count(Some(2))));
        // Both were counted.
        assert!(!known.doubted[0].is_cleared_by(count(Some(3))));
    }
}
