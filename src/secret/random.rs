//! The system's random generator.

use crate::kind::{ErrorKind, explain};

/// The system's random generator failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the system's random generator failed")]
pub struct NoRandomness(#[source] getrandom::Error);

explain!(NoRandomness);

impl NoRandomness {
    /// What it means for the program.
    #[must_use]
    pub const fn kind(&self) -> ErrorKind {
        ErrorKind::Randomness
    }

    /// What to try next.
    #[must_use]
    pub fn help(&self) -> Option<String> {
        Some("see why the system gives no randomness (getrandom(2), a seccomp filter?)".into())
    }
}

#[cfg(test)]
impl NoRandomness {
    pub(crate) const fn made_up() -> Self {
        Self(getrandom::Error::UNSUPPORTED)
    }
}

/// Fills with random bytes.
pub(crate) fn fill(bytes: &mut [u8]) -> Result<(), NoRandomness> {
    getrandom::fill(bytes).map_err(NoRandomness)
}
