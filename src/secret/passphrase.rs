//! What a person knows of an age file: its passphrase.

#[cfg(feature = "keystore")]
mod forms;

use std::fmt;

#[cfg(feature = "keystore")]
use self::forms::Forms;
use super::LockedText;

/// The passphrase of an age file (UTF-8).
///
/// New files are encrypted with its composed form (Unicode's NFC); on old ones both
/// forms are tried, which costs scrypt twice where they differ.
///
/// In locked memory that stays out of core dumps, in one copy that clones
/// share, wiped when the last of them is dropped. `Debug` shows nothing
/// of it.
#[derive(Clone)]
pub struct Passphrase {
    text: LockedText,
    #[cfg(feature = "keystore")]
    forms: Forms,
}

impl Passphrase {
    /// Takes the text (`&str`, `String` or [`LockedText`]) as it is, without
    /// trimming, into locked memory; the one that is given is wiped (a `&str`
    /// is the caller's to wipe).
    #[must_use]
    pub fn new(text: impl Into<LockedText>) -> Self {
        Self {
            text: text.into(),
            #[cfg(feature = "keystore")]
            forms: Forms::default(),
        }
    }

    #[cfg(feature = "keystore")]
    pub(crate) fn expose(&self) -> &str {
        self.text.expose_secret()
    }

    /// Whether there is nothing in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    /// Compares in time that depends on the lengths only.
    #[must_use]
    pub fn ct_eq(&self, other: &Self) -> bool {
        self.text.ct_eq(&other.text)
    }
}

impl From<LockedText> for Passphrase {
    fn from(text: LockedText) -> Self {
        Self::new(text)
    }
}

impl fmt::Debug for Passphrase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Passphrase").finish_non_exhaustive()
    }
}
