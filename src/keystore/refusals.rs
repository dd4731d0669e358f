//! PINs that a device refused, remembered across processes.
//!
//! A service that its supervisor starts again and again would spend a token's
//! PIN tries, one with each start. So a refused PIN is noted in `refused.json`: where it
//! came from, and a short tag that costs scrypt, by which it is known wherever it comes
//! from next ([`tag`] says what that tells a thief). It is not sent again, unless the
//! operator says so. Where no file can be written, this process at least remembers it.
//!
//! It is noted in the [`home`] and in a directory that the user's homes share, each with a
//! lock: who shares either of them finds it. A note has a name, by which one file says that
//! the other's counts no longer.
//!
//! What cannot be compared is not sent: where a file is not understood, a tag or the memory
//! for one is missing, or as many PINs were refused as are noted.
//!
//! A token that takes a right PIN begins to count anew, and what it refused before is
//! forgotten: others change its PIN. A TPM forgets wrong ones with time alone: there a PIN
//! stays refused until its key is sealed anew with another one.
//!
//! It is written before the PIN is sent, as one that is being tried, and taken back when
//! the device has accepted it. What a process that was killed leaves there is in doubt,
//! and has no tag, since it may be right: it goes by a [`group`] of PINs, of which there are
//! eight. Where the device showed before it that no wrong PIN was counted, and would show
//! each, it is sent if the device shows the same right before.
//!
//! A PIN that is sent again under an open identity, whose device was lost, is alone with it
//! from the look at the device's count to the answer, as the first one is ([`alone`]).
//!
//! A PIN of which that cannot be written is not sent, unless the device itself keeps a
//! count that the next process sees, and says that no wrong one is in it.

mod alone;
mod device;
mod group;
mod home;
#[cfg(all(test, shuttle))]
mod interleavings;
mod noted;
mod notes;
mod one;
mod same;
mod source;
mod tag;

use std::sync::Arc;

pub(crate) use self::device::{PinOwner, Shares, Slot, TriedDevice};
use self::noted::Noted;
#[cfg(all(
    any(test, fuzzing),
    feature = "attestation",
    feature = "audit",
    feature = "client",
    feature = "pkcs11",
    feature = "tpm"
))]
pub(in crate::keystore) use self::notes::reread;
use self::one::OneTry;
pub(crate) use self::source::Place;
use self::tag::Compared;
use super::identity::IdentityStore;
use crate::backend::Credentials;
use crate::error::Error;
use crate::file;
use crate::secret::{LockedText, Pin, TryNote};

/// Where a PIN comes from that is kept nowhere.
const BY_HAND: &str = "a prompt or the program";

impl IdentityStore {
    /// Reads a PIN from where it is kept, sends it, and notes what came of it, in
    /// one step for all threads and processes until the device has accepted it: a PIN
    /// that the device has refused is not sent again, unless `again`.
    ///
    /// What the device said of the PIN is told by the PIN, not by what `send` makes of
    /// it, and is noted for as long as anybody has the PIN: also when a device that was
    /// lost refuses it later.
    ///
    /// # Errors
    ///
    /// [`KeystoreError::RefusedBefore`], [`KeystoreError::PinInDoubt`], and those of
    /// `read` and `send`.
    ///
    /// [`KeystoreError::RefusedBefore`]: crate::error::KeystoreError::RefusedBefore
    /// [`KeystoreError::PinInDoubt`]: crate::error::KeystoreError::PinInDoubt
    pub(crate) fn try_once<T>(
        &self,
        device: &TriedDevice,
        place: &Place,
        again: bool,
        read: impl Fn() -> Result<LockedText, Error>,
        send: impl FnOnce(Pin) -> Result<T, Error>,
    ) -> Result<T, Error> {
        // What is noted has to be the version that was sent.
        let read = || loop {
            let mark = place.mark();
            let pin = read()?;
            if place.mark() == mark {
                return Ok::<_, Error>((mark, pin));
            }
        };
        // Before anybody is kept waiting: a pipe is written to by a program that may ask
        // a person.
        let (mut mark, mut pin) = read()?;
        let one = self.begin(device)?;
        if !place.is_a_pipe() && place.mark() != mark {
            (mark, pin) = read()?;
        }
        let mut compared = Compared::default();
        let doubted = match again {
            false => one.check(place, Some(&mark), &pin, &mut compared)?,
            true => None,
        };
        let (doubted, not_shown) =
            doubted.map_or((Vec::new(), None), |it| (it.noted, Some(it.error)));
        let pin_compared = (pin.clone(), compared);
        let noted = Noted::of_source(one, mark, pin_compared, again, self.age.work_factor);
        let noted = Arc::new(noted.with_doubted(doubted));
        // Not later than when it was sent, whatever came of it.
        let _ended = noted.ends_with_this();
        let note: Arc<dyn TryNote> = Arc::<Noted>::clone(&noted);
        match (send(Pin::from(pin).noted_by(note, again)), not_shown) {
            (Err(_), Some(error)) if noted.is_withheld() => Err(error.into()),
            (sent, _) => sent,
        }
    }

    /// The same with a PIN that is kept nowhere: a person or the program has
    /// given it. One at a time, so that what the device says of its tries is so when the
    /// PIN is sent; that one was refused is not noted, since the next may be another.
    ///
    /// # Errors
    ///
    /// As [`Self::try_once`], of what was noted of a PIN that was kept somewhere; and those of
    /// `send`.
    pub(crate) fn try_given<T>(
        &self,
        device: &TriedDevice,
        credentials: Credentials,
        again: bool,
        send: impl FnOnce(&Credentials) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let one = self.begin(device)?;
        let pin = credentials.text_of_pin();
        if let (false, Some(pin)) = (again, pin) {
            one.check(BY_HAND, None, pin, &mut Compared::default())?;
        }
        let noted = Arc::new(Noted::of_given(one, pin, again));
        let _ended = noted.ends_with_this();
        let note: Arc<dyn TryNote> = Arc::<Noted>::clone(&noted);
        send(&credentials.noted_by(note, again))
    }

    /// Whether [`Self::try_once`] would refuse the PIN that was read there, before anybody
    /// is asked for something else.
    ///
    /// # Errors
    ///
    /// As there.
    pub(crate) fn check_source(
        &self,
        device: &TriedDevice,
        place: &Place,
        pin: &LockedText,
    ) -> Result<(), Error> {
        let one = OneTry::begin(self, device)?;
        one.check(place, Some(&place.mark()), pin, &mut Compared::default())?;
        Ok(())
    }

    fn begin(&self, device: &TriedDevice) -> Result<OneTry, Error> {
        // There may be no identity yet, and a refusal has to be noted all the same.
        let home = home::of(self.home());
        if let Err(error) = file::private_dir(&home) {
            log::debug!("{} cannot be made: {error}", home.display());
        }
        Ok(OneTry::begin(self, device)?)
    }
}

#[cfg(test)]
mod tests;
