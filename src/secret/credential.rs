//! What a person knows of a device: its PIN.

use std::fmt;
#[cfg(feature = "keystore")]
use std::sync::Arc;

use super::LockedText;
#[cfg(feature = "keystore")]
use super::answer::{PinAnswer, TryNote};

/// The PIN of a device (UTF-8), or word that it is entered at the device's own
/// PIN pad, or that there is none.
///
/// In locked memory that stays out of core dumps, in one copy that clones share,
/// wiped when the last of them is dropped; a token keeps one of them while a key
/// of it is open. `Debug` shows nothing of it.
#[derive(Clone)]
pub struct Pin {
    entry: Entry,
    #[cfg(feature = "keystore")]
    answer: PinAnswer,
}

#[derive(Clone)]
enum Entry {
    Text(LockedText),
    AtPinPad,
    None,
}

impl Pin {
    /// Takes the text (`&str`, `String` or [`LockedText`]) as it is, without trimming,
    /// into locked memory; the one that is given is wiped (a `&str` is the caller's to
    /// wipe).
    #[must_use]
    pub fn new(text: impl Into<LockedText>) -> Self {
        Self::of(Entry::Text(text.into()))
    }

    /// The PIN is entered at the token's PIN pad, and never in this process
    /// (`CKF_PROTECTED_AUTHENTICATION_PATH`).
    #[must_use]
    pub const fn at_pin_pad() -> Self {
        Self::of(Entry::AtPinPad)
    }

    /// There is no PIN: a TPM's policy alone (PCRs) opens the key.
    #[must_use]
    pub const fn none() -> Self {
        Self::of(Entry::None)
    }

    /// Its text, unless it is entered at the device.
    #[cfg(feature = "keystore")]
    pub(crate) const fn locked_text(&self) -> Option<&LockedText> {
        match &self.entry {
            Entry::Text(text) => Some(text),
            Entry::AtPinPad | Entry::None => None,
        }
    }

    const fn of(entry: Entry) -> Self {
        Self {
            entry,
            #[cfg(feature = "keystore")]
            answer: PinAnswer::of_nobody(),
        }
    }

    /// The same; what a device answers to it or a copy of it is noted there. If it
    /// `insists`, it is sent although it was refused before.
    #[cfg(feature = "keystore")]
    pub(crate) fn noted_by(self, note: Arc<dyn TryNote>, insists: bool) -> Self {
        Self { entry: self.entry, answer: PinAnswer::noted_by(note, insists) }
    }

    /// Where it is noted what a device says of it.
    #[cfg_attr(
        not(any(feature = "pkcs11", feature = "tpm", test)),
        allow(dead_code, reason = "used by those backends")
    )]
    #[cfg(feature = "keystore")]
    pub(crate) const fn answer(&self) -> &PinAnswer {
        &self.answer
    }

    /// `None` if it is entered at a PIN pad, or there is none.
    #[cfg_attr(
        not(any(feature = "pkcs11", feature = "tpm")),
        allow(dead_code, reason = "read by those backends")
    )]
    pub(crate) fn text(&self) -> Option<&str> {
        match &self.entry {
            Entry::Text(text) => Some(text.expose_secret()),
            Entry::AtPinPad | Entry::None => None,
        }
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_none(&self) -> bool {
        matches!(self.entry, Entry::None)
    }

    /// Whether there is nothing in it (which is not the same as no PIN).
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.text().is_some_and(str::is_empty)
    }
}

impl From<LockedText> for Pin {
    fn from(text: LockedText) -> Self {
        Self::of(Entry::Text(text))
    }
}

impl fmt::Debug for Pin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pin").finish_non_exhaustive()
    }
}
