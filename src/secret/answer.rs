//! What a device has answered to a PIN.

use std::error::Error as StdError;

use crate::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Keeps what becomes of a PIN where it outlives this process.
///
/// Called while the PIN is being sent, by whoever holds the device: nothing here may wait
/// for somebody who waits for the device.
pub(crate) trait TryNote: Send + Sync {
    /// Keeps other processes from sending one to this device, until what it gives is dropped:
    /// where they share with us what they could be kept out by. Threads of this process that
    /// wait for the device are not waited for.
    ///
    /// # Errors
    ///
    /// If another process is sending one, and goes on with that.
    fn alone(&self) -> Result<Box<dyn Send>, TriedByAnother>;
    /// Whether nothing that was noted since the device has taken it bars it, wherever others
    /// have sent it. Asked while they are kept out, by [`Self::alone`]. Of one that is still in
    /// its turn this was asked when that began.
    ///
    /// # Errors
    ///
    /// What bars it.
    fn look(&self) -> Result<(), NotSentAgain>;
    /// It is sent next, and not known to be right.
    ///
    /// # Errors
    ///
    /// Where no disk takes that note.
    fn trying(&self, shown: Shown) -> Result<(), NotNoted>;
    /// Whether an earlier process has left it in doubt, and the device may tell by what it
    /// shows that it was not counted.
    fn is_doubted(&self) -> bool;
    /// It was not sent, since the device does not show that.
    fn withheld(&self);
    /// It was not sent after all, or the device did not look at it.
    fn not_sent(&self);
    /// The device took it, and so has begun to count anew.
    fn accepted(&self);
    /// It is the one that the device took, and was not sent.
    #[cfg_attr(not(feature = "pkcs11"), allow(dead_code, reason = "asked by that backend"))]
    fn compared(&self);
    /// The device refused it.
    fn refused(&self);
    /// It was sent, and nobody knows what came of it.
    fn in_doubt(&self);
    /// It is as good as it was when the device took it: it has done so once more (`taken`),
    /// or was not sent.
    fn still_good(&self, taken: bool);
}

/// Why it could not be written down that a PIN is being tried.
#[derive(Debug)]
#[cfg_attr(
    not(any(feature = "pkcs11", feature = "tpm")),
    allow(dead_code, reason = "told by those backends")
)]
pub(crate) struct NotNoted {
    /// What to do about it.
    pub(crate) repair: String,
    /// It may be written down at the next time, though nobody has changed anything: the disk
    /// was full, or has failed.
    pub(crate) may_pass: bool,
    pub(crate) source: Box<dyn StdError + Send + Sync>,
}

/// Somebody else sends a PIN to the device, and has had no answer in all the time.
#[derive(Debug)]
#[cfg_attr(not(feature = "pkcs11"), allow(dead_code, reason = "told by that backend"))]
pub(crate) struct TriedByAnother {
    pub(crate) holder: String,
}

/// What others have noted of a PIN since the device has taken it.
#[derive(Debug)]
#[cfg_attr(not(feature = "pkcs11"), allow(dead_code, reason = "told by that backend"))]
pub(crate) struct NotSentAgain {
    /// What to do about it.
    pub(crate) repair: String,
    pub(crate) source: Box<dyn StdError + Send + Sync>,
}

/// From the look at what a device shows to its answer: nobody else sends a PIN meanwhile.
#[must_use = "dropped, others may send one"]
pub(crate) struct Alone {
    _kept_out: Option<Box<dyn Send>>,
}

/// What a device shows of wrong PINs right before one is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(
    not(any(feature = "pkcs11", feature = "tpm", test)),
    allow(dead_code, reason = "said by those backends")
)]
pub(crate) enum Shown {
    /// None was counted since the last right one: it shows each, and has done so by the time
    /// that the process which sends it has ended.
    NoneCounted,
    /// Nothing by which a PIN that a killed process has sent is told from one that was counted.
    Nothing,
}

/// Whether a PIN may be sent where nothing tells the next process that it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(
    not(any(feature = "pkcs11", feature = "tpm", test)),
    allow(dead_code, reason = "said by those backends")
)]
pub(crate) enum WithoutNote {
    /// The operator allows it, or the device has just taken it.
    MayBeSent,
    /// The device itself says that no wrong PIN is counted, and will say so of one that is:
    /// it may be sent where no note is taken until somebody has changed that. A disk that
    /// takes one next time would have it sent twice.
    DeviceCounts,
    /// A wrong one could be sent by each process that is started.
    MayNot,
}

impl WithoutNote {
    const fn forbids(self, not_noted: &NotNoted) -> bool {
        match self {
            Self::MayBeSent => false,
            Self::DeviceCounts => not_noted.may_pass,
            Self::MayNot => true,
        }
    }
}

/// What was answered to a PIN and its copies, where somebody wants to know it. Noted
/// where the PIN is sent: what becomes of that elsewhere tells less.
#[derive(Clone, Default)]
pub(crate) struct PinAnswer(Option<Arc<Cell>>);

struct Cell {
    heard: Mutex<Heard>,
    note: Arc<dyn TryNote>,
    insists: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Heard {
    Nothing,
    Accepted,
    InDoubt,
    /// It is on its way, and this was known before.
    Trying(Before),
    /// Stays: for one key, or by one device.
    Refused,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Before {
    Nothing,
    Accepted,
    InDoubt,
}

impl Cell {
    fn heard(&self) -> MutexGuard<'_, Heard> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg_attr(
    not(any(feature = "pkcs11", feature = "tpm", test)),
    allow(dead_code, reason = "said by those backends")
)]
impl PinAnswer {
    pub(super) fn noted_by(note: Arc<dyn TryNote>, insists: bool) -> Self {
        Self(Some(Arc::new(Cell { heard: Mutex::new(Heard::Nothing), note, insists })))
    }

    pub(super) const fn of_nobody() -> Self {
        Self(None)
    }

    /// Whether anybody wants to know it.
    #[cfg_attr(not(feature = "pkcs11"), allow(dead_code, reason = "asked by that backend"))]
    pub(crate) const fn is_noted(&self) -> bool {
        self.0.is_some()
    }

    /// Whether both are told to one.
    #[cfg_attr(not(feature = "pkcs11"), allow(dead_code, reason = "asked by that backend"))]
    pub(crate) fn is(&self, other: &Self) -> bool {
        self.0.as_ref().zip(other.0.as_ref()).is_some_and(|(one, other)| Arc::ptr_eq(one, other))
    }

    /// Whether it is to be sent although it was refused, or in doubt, before: until it is
    /// refused again.
    pub(crate) fn insists(&self) -> bool {
        self.0.as_ref().is_some_and(|cell| cell.insists && *cell.heard() != Heard::Refused)
    }

    /// Before the look at what the device shows, by which it is sent. Where nobody wants to
    /// know what becomes of the PIN, and where there is nothing that others could be kept
    /// out by, they are not.
    ///
    /// **Blocks** while another process sends one.
    ///
    /// # Errors
    ///
    /// If it goes on with that.
    #[cfg_attr(not(feature = "pkcs11"), allow(dead_code, reason = "asked by that backend"))]
    pub(crate) fn alone(&self) -> Result<Alone, TriedByAnother> {
        let kept_out = self.0.as_ref().map(|cell| cell.note.alone()).transpose()?;
        Ok(Alone { _kept_out: kept_out })
    }

    /// Whether others have had it refused, or have left it in doubt, since the device took it.
    ///
    /// # Errors
    ///
    /// What they have noted.
    #[cfg_attr(not(feature = "pkcs11"), allow(dead_code, reason = "asked by that backend"))]
    pub(crate) fn look(&self) -> Result<(), NotSentAgain> {
        self.0.as_ref().map_or(Ok(()), |cell| cell.note.look())
    }

    /// Whether it may be sent to a device that shows this: what a killed process has left in
    /// doubt only to one that shows that it was not counted.
    #[cfg_attr(not(feature = "pkcs11"), allow(dead_code, reason = "asked by that backend"))]
    pub(crate) fn may_be_sent_to(&self, shown: Shown) -> bool {
        let Some(cell) = &self.0 else { return true };
        let asks = matches!(*cell.heard(), Heard::Nothing | Heard::Accepted);
        let is_doubted = asks && cell.note.is_doubted();
        let may_be = shown == Shown::NoneCounted || !is_doubted;
        if !may_be {
            cell.note.withheld();
        }
        may_be
    }

    /// The PIN goes to the device next. That is written down first: a process that is
    /// killed meanwhile leaves a PIN in doubt. So it is with one that was accepted before,
    /// and may have been changed since.
    ///
    /// # Errors
    ///
    /// If that cannot be written down, and may not be left out. Whoever insists may; and of
    /// one that was accepted it may.
    pub(crate) fn sending(&self, without_note: WithoutNote) -> Result<Sending, NotNoted> {
        self.sending_to(without_note, Shown::Nothing)
    }

    /// The same to a device that shows this.
    ///
    /// # Errors
    ///
    /// As [`Self::sending`].
    pub(crate) fn sending_to(
        &self,
        without_note: WithoutNote,
        shown: Shown,
    ) -> Result<Sending, NotNoted> {
        if let Some(cell) = &self.0 {
            let mut heard = cell.heard();
            let before = match *heard {
                Heard::Nothing => Some(Before::Nothing),
                Heard::Accepted => Some(Before::Accepted),
                Heard::InDoubt => Some(Before::InDoubt),
                Heard::Trying(_) | Heard::Refused => None,
            };
            if let Some(before) = before {
                if let Err(not_noted) = cell.note.trying(shown)
                    && before != Before::Accepted
                    && without_note.forbids(&not_noted)
                    && !cell.insists
                {
                    return Err(not_noted);
                }
                *heard = Heard::Trying(before);
            }
        }
        Ok(Sending { answer: Some(self.clone()) })
    }

    /// The same to a device that cannot have changed it since it took it: then nothing is
    /// written.
    ///
    /// # Errors
    ///
    /// As [`Self::sending`].
    #[cfg_attr(not(feature = "tpm"), allow(dead_code, reason = "said by that backend"))]
    pub(crate) fn sending_unchanged(&self, without_note: WithoutNote) -> Result<Sending, NotNoted> {
        match &self.0 {
            Some(cell) if *cell.heard() == Heard::Accepted => {
                Ok(Sending { answer: Some(self.clone()) })
            }
            _ => self.sending(without_note),
        }
    }

    /// It is the one that the device took when it was sent by somebody else.
    #[cfg_attr(not(feature = "pkcs11"), allow(dead_code, reason = "asked by that backend"))]
    pub(crate) fn compared(&self) {
        self.hear(Heard::Accepted, |note| note.compared());
    }

    fn accepted(&self) {
        self.hear(Heard::Accepted, |note| note.accepted());
    }

    /// It is known to be wrong. Outweighs that it was accepted.
    pub(crate) fn refused(&self) {
        self.hear(Heard::Refused, |note| note.refused());
    }

    /// It was sent, by whomever, and nobody knows what came of it.
    pub(crate) fn in_doubt(&self) {
        self.hear(Heard::InDoubt, |note| note.in_doubt());
    }

    fn not_sent(&self) {
        let Some(cell) = &self.0 else { return };
        let mut heard = cell.heard();
        let Heard::Trying(before) = *heard else { return };
        match before {
            Before::Nothing => {
                *heard = Heard::Nothing;
                cell.note.not_sent();
            }
            Before::Accepted => {
                *heard = Heard::Accepted;
                cell.note.still_good(false);
            }
            // As it is noted.
            Before::InDoubt => *heard = Heard::InDoubt,
        }
    }

    fn hear(&self, what: Heard, note: impl FnOnce(&dyn TryNote)) {
        let Some(cell) = &self.0 else { return };
        let mut heard = cell.heard();
        match (*heard, what) {
            (Heard::Refused, _) => return,
            (before, now) if before == now => return,
            (Heard::Trying(Before::Accepted), Heard::Accepted) => cell.note.still_good(true),
            _ => note(&*cell.note),
        }
        *heard = what;
    }
}

/// A PIN on its way to a device, until it is said what came of it. Dropped, it is in
/// doubt.
#[cfg_attr(
    not(any(feature = "pkcs11", feature = "tpm", test)),
    allow(dead_code, reason = "said by those backends")
)]
#[must_use = "what is dropped is in doubt"]
pub(crate) struct Sending {
    answer: Option<PinAnswer>,
}

#[cfg_attr(
    not(any(feature = "pkcs11", feature = "tpm", test)),
    allow(dead_code, reason = "said by those backends")
)]
impl Sending {
    /// The device took it.
    pub(crate) fn accepted(self) {
        self.end(PinAnswer::accepted);
    }

    /// The device refused it.
    pub(crate) fn refused(self) {
        self.end(PinAnswer::refused);
    }

    /// It certainly was not sent, or not looked at.
    pub(crate) fn not_sent(self) {
        self.end(PinAnswer::not_sent);
    }

    /// Nobody knows whether it was counted as a wrong try.
    pub(crate) fn in_doubt(self) {
        self.end(PinAnswer::in_doubt);
    }

    fn end(mut self, say: impl FnOnce(&PinAnswer)) {
        if let Some(answer) = self.answer.take() {
            say(&answer);
        }
    }
}

impl Drop for Sending {
    fn drop(&mut self) {
        if let Some(answer) = self.answer.take() {
            answer.in_doubt();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Default)]
    struct Said(Mutex<Vec<&'static str>>, Disk, bool);

    #[derive(Default, Clone, Copy, PartialEq)]
    enum Disk {
        #[default]
        TakesNotes,
        IsReadOnly,
        IsFull,
    }

    impl Said {
        fn say(&self, what: &'static str) {
            self.0.lock().unwrap().push(what);
        }
    }

    impl TryNote for Said {
        fn alone(&self) -> Result<Box<dyn Send>, TriedByAnother> {
            Ok(Box::new(()))
        }
        fn look(&self) -> Result<(), NotSentAgain> {
            Ok(())
        }
        fn is_doubted(&self) -> bool {
            // A look after it was taken would find it again.
            self.2 && !self.0.lock().unwrap().contains(&"accepted")
        }
        fn withheld(&self) {
            self.say("withheld");
        }
        fn trying(&self, _: Shown) -> Result<(), NotNoted> {
            self.say("trying");
            match self.1 {
                Disk::TakesNotes => Ok(()),
                disk => Err(NotNoted {
                    repair: String::new(),
                    may_pass: disk == Disk::IsFull,
                    source: "the disk takes none".into(),
                }),
            }
        }
        fn not_sent(&self) {
            self.say("not sent");
        }
        fn accepted(&self) {
            self.say("accepted");
        }
        fn compared(&self) {
            self.say("compared");
        }
        fn refused(&self) {
            self.say("refused");
        }
        fn in_doubt(&self) {
            self.say("in doubt");
        }
        fn still_good(&self, _: bool) {
            self.say("still good");
        }
    }

    fn said(work: impl FnOnce(&PinAnswer)) -> Vec<&'static str> {
        let said = Arc::<Said>::default();
        let note: Arc<dyn TryNote> = Arc::<Said>::clone(&said);
        work(&PinAnswer::noted_by(note, false));
        said.0.lock().unwrap().clone()
    }

    #[test]
    fn a_pin_is_noted_before_it_is_sent_until_it_is_known_to_be_right() {
        let once = said(|answer| answer.sending(WithoutNote::MayNot).unwrap().accepted());
        assert_eq!(once, ["trying", "accepted"]);
        // Each time: it may have been changed since.
        let again = said(|answer| {
            answer.sending(WithoutNote::MayNot).unwrap().accepted();
            answer.clone().sending(WithoutNote::MayNot).unwrap().accepted();
            answer.accepted();
        });
        assert_eq!(again, ["trying", "accepted", "trying", "still good"]);
        // Where it cannot have been, it costs no write.
        let often = said(|answer| {
            for _ in 0..3 {
                answer.clone().sending_unchanged(WithoutNote::MayNot).unwrap().accepted();
            }
        });
        assert_eq!(often, ["trying", "accepted"]);
        assert_eq!(
            said(|answer| answer.sending(WithoutNote::MayNot).unwrap().not_sent()),
            ["trying", "not sent"]
        );
    }

    #[test]
    fn what_is_not_said_is_in_doubt_and_what_is_refused_stays_so() {
        assert_eq!(
            said(|answer| drop(answer.sending(WithoutNote::MayNot).unwrap())),
            ["trying", "in doubt"]
        );
        let panicked = said(|answer| {
            let sending = answer.sending(WithoutNote::MayNot).unwrap();
            let ended = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                let _sending = sending;
                panic!("the module");
            }));
            assert!(ended.is_err());
        });
        assert_eq!(panicked, ["trying", "in doubt"]);
        // As a running service does whose PIN was changed under it.
        let later = said(|answer| {
            answer.sending(WithoutNote::MayNot).unwrap().accepted();
            answer.sending(WithoutNote::MayNot).unwrap().refused();
            answer.sending(WithoutNote::MayNot).unwrap().accepted();
            answer.sending(WithoutNote::MayNot).unwrap().in_doubt();
        });
        assert_eq!(later, ["trying", "accepted", "trying", "refused"]);
        let doubted = said(|answer| {
            answer.sending(WithoutNote::MayNot).unwrap().accepted();
            answer.sending(WithoutNote::MayNot).unwrap().in_doubt();
            answer.sending(WithoutNote::MayNot).unwrap().accepted();
        });
        let each = ["trying", "accepted", "trying", "in doubt", "trying", "accepted"];
        assert_eq!(doubted, each);
        // What is not sent is as much in doubt as before.
        let away = said(|answer| {
            answer.sending(WithoutNote::MayNot).unwrap().in_doubt();
            answer.sending(WithoutNote::MayNot).unwrap().not_sent();
        });
        assert_eq!(away, ["trying", "in doubt", "trying"]);
        // One that was accepted and then not sent is as good as it was.
        let away = said(|answer| {
            answer.sending(WithoutNote::MayNot).unwrap().accepted();
            answer.sending(WithoutNote::MayNot).unwrap().not_sent();
        });
        assert_eq!(away, ["trying", "accepted", "trying", "still good"]);
    }

    #[test]
    fn a_pin_that_cannot_be_noted_is_sent_where_the_device_keeps_count_or_somebody_insists() {
        let on = |disk, insists| {
            let said: Arc<dyn TryNote> = Arc::new(Said(Mutex::default(), disk, false));
            PinAnswer::noted_by(said, insists)
        };
        let answer = |insists| on(Disk::IsReadOnly, insists);
        assert!(answer(false).sending(WithoutNote::MayNot).is_err());
        answer(false).sending(WithoutNote::DeviceCounts).unwrap().refused();
        // It would take the note of the next one.
        assert!(on(Disk::IsFull, false).sending(WithoutNote::DeviceCounts).is_err());
        on(Disk::IsFull, true).sending(WithoutNote::DeviceCounts).unwrap().refused();
        on(Disk::IsFull, false).sending(WithoutNote::MayBeSent).unwrap().refused();
        answer(true).sending(WithoutNote::MayNot).unwrap().refused();
        // What is known to be right needs no note.
        let known = answer(false);
        known.compared();
        known.sending(WithoutNote::MayNot).unwrap().accepted();
        // What is not sent is not in doubt either.
        let said = Arc::new(Said(Mutex::default(), Disk::IsReadOnly, false));
        let note: Arc<dyn TryNote> = Arc::<Said>::clone(&said);
        assert!(PinAnswer::noted_by(note, false).sending(WithoutNote::MayNot).is_err());
        assert_eq!(*said.0.lock().unwrap(), ["trying"]);
    }

    #[test]
    fn what_a_killed_process_has_left_in_doubt_is_sent_where_the_device_shows_that_none_was_counted()
     {
        let said = Arc::new(Said(Mutex::default(), Disk::TakesNotes, true));
        let note: Arc<dyn TryNote> = Arc::<Said>::clone(&said);
        let answer = PinAnswer::noted_by(note, false);
        assert!(!answer.may_be_sent_to(Shown::Nothing));
        assert!(answer.may_be_sent_to(Shown::NoneCounted));
        answer.sending_to(WithoutNote::MayNot, Shown::NoneCounted).unwrap().accepted();
        // It is known to be right by then.
        assert!(answer.may_be_sent_to(Shown::Nothing));
        assert_eq!(*said.0.lock().unwrap(), ["withheld", "trying", "accepted"]);
        assert!(PinAnswer::of_nobody().may_be_sent_to(Shown::Nothing));
    }

    #[test]
    fn a_pin_of_nobody_is_noted_nowhere() {
        let answer = PinAnswer::of_nobody();
        answer.sending(WithoutNote::MayNot).unwrap().refused();
        answer.compared();
        assert!(!answer.insists());
    }
}
