//! Why a key was rotated, and as which of the two a key signs.

use std::fmt;

use serde::Serialize;

use crate::encoding::named;

/// Why a key was rotated. The signers' word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
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

named! {
    /// The name used in JSON: `scheduled`, `compromised`, `upgrade`, `manual`.
    RotationReason, "a reason for a rotation":
    Scheduled => "scheduled", Compromised => "compromised", Upgrade => "upgrade",
    Manual => "manual"
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
