//! A secret text in locked memory.

use std::fmt;
use std::sync::Arc;

use zeroize::Zeroize as _;

use super::LockedBytes;
use super::stack::leaving_no_trace;

/// A secret text (UTF-8) in locked memory, which is left out of core dumps and
/// wiped when its last clone is dropped.
///
/// Clones share the one copy.
#[derive(Clone)]
pub struct LockedText(Arc<LockedBytes>);

impl LockedText {
    /// `None` if it is not UTF-8.
    pub(crate) fn from_utf8(bytes: LockedBytes) -> Option<Self> {
        std::str::from_utf8(&bytes).is_ok().then(|| Self(Arc::new(bytes)))
    }

    /// The text. What is copied from there is the caller's to wipe.
    #[must_use]
    pub fn expose_secret(&self) -> &str {
        // Checked when it was made.
        std::str::from_utf8(&self.0).unwrap_or_default()
    }

    /// Whether there is nothing in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Compares in time that depends on the lengths only.
    #[must_use]
    pub fn ct_eq(&self, other: &Self) -> bool {
        use subtle::ConstantTimeEq;
        self.0.ct_eq(&other.0).into()
    }
}

/// Copies the text; the one that is given is the caller's to wipe.
impl From<&str> for LockedText {
    fn from(text: &str) -> Self {
        leaving_no_trace(|| Self(Arc::new(LockedBytes::copy_of(text.as_bytes()))))
    }
}

/// Copies the text; the one that is given is wiped.
impl From<String> for LockedText {
    fn from(mut text: String) -> Self {
        let locked = Self::from(text.as_str());
        text.zeroize();
        locked
    }
}

impl fmt::Debug for LockedText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LockedText").finish_non_exhaustive()
    }
}
