//! A transition that did not happen, with the key it was asked of.

use std::error::Error as StdError;
use std::fmt;

use crate::fault::OpenError;

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

impl<K, E> fmt::Display for Refused<K, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("refused; what was given is kept in this error")
    }
}

impl<K, E: StdError + 'static> StdError for Refused<K, E> {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        Some(&*self.reason)
    }
}
