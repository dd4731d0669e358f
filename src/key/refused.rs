//! A transition that did not happen, with the key it was asked of.

use std::error::Error as StdError;
use std::fmt;

use crate::fault::OpenError;
use crate::kind::{ErrorKind, Explain};

/// A refused transition: the input, unchanged, and the reason.
///
/// `?` keeps the reason and drops the key; [`Refused::into_parts`] keeps both.
#[must_use = "it holds the key that was given"]
pub struct Refused<K, E = OpenError> {
    key: K,
    reason: Box<E>,
}

impl<K, E> Refused<K, E> {
    pub(crate) fn new(key: K, reason: E) -> Self {
        Self { key, reason: Box::new(reason) }
    }

    /// Why it was refused.
    pub const fn reason(&self) -> &E {
        &self.reason
    }

    /// The key as it was before.
    pub fn into_key(self) -> K {
        self.key
    }

    /// The key as it was before, and the reason.
    pub fn into_parts(self) -> (K, E) {
        (self.key, *self.reason)
    }
}

impl<K, E: fmt::Debug> fmt::Debug for Refused<K, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Refused").field("reason", &self.reason).finish_non_exhaustive()
    }
}

/// The reason, as it says itself.
impl<K, E: fmt::Display> fmt::Display for Refused<K, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.reason.fmt(f)
    }
}

/// The source is that of the reason, whose own text is the text of this error.
impl<K, E: StdError + 'static> StdError for Refused<K, E> {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.reason.source()
    }
}

impl<K, E: Explain> Refused<K, E> {
    /// What it means for the program.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.reason.kind()
    }

    /// What to try next. The key is still there: [`Self::into_key`].
    #[must_use]
    pub fn help(&self) -> Option<String> {
        self.reason.help()
    }
}

impl<K, E: Explain> crate::private::Error for Refused<K, E> {}
impl<K, E: Explain + 'static> Explain for Refused<K, E> {
    fn kind(&self) -> ErrorKind {
        Self::kind(self)
    }
    fn help(&self) -> Option<String> {
        Self::help(self)
    }
}
