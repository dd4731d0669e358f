//! Why a key was rotated, and as which of the two a key signs.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Why a key was rotated. The signers' word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum RotationReason {
    /// By plan.
    Scheduled,
    /// The old key is, or may be, in other hands.
    Compromised,
    /// To a better place, as from a file into a device.
    Upgrade,
    /// Anything else that a person decided.
    Manual,
}

impl RotationReason {
    /// The name used in JSON: `scheduled`, `compromised`, `upgrade`, `manual`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Scheduled => "scheduled",
            Self::Compromised => "compromised",
            Self::Upgrade => "upgrade",
            Self::Manual => "manual",
        }
    }
}

impl fmt::Display for RotationReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// As which of the two a key signs. It is in the signed bytes, so that neither
/// signature can stand in the other's place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum RotationRole {
    /// The key that hands over.
    Old,
    /// The key that takes over.
    New,
}

impl fmt::Display for RotationRole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Old => "old",
            Self::New => "new",
        })
    }
}
