//! Why a PIN cannot be compared with those that a device has refused.

use std::fmt;

use crate::fault::scrypt_memory;

/// Why it cannot be told whether a PIN is one that a device has refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum NotCompared {
    /// So many were refused that no more are noted: an older one would be forgotten, and
    /// sent again.
    Full {
        /// How many.
        refused: usize,
    },
    /// Of one that was refused nothing is noted that tells it from others.
    Untagged,
    /// There is no memory for scrypt.
    NoMemory {
        /// log2 of its work.
        log_n: u8,
    },
    /// What is noted has more salts than are tried.
    ManySalts,
}

impl fmt::Display for NotCompared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Full { refused } => {
                write!(f, "the device has refused {refused} PINs, and no more are noted")
            }
            Self::Untagged => f.write_str(
                "one that was refused is noted without what tells it from others (there was no \
                 memory for that)",
            ),
            Self::NoMemory { log_n } => {
                write!(f, "comparing them takes {} of memory", scrypt_memory(*log_n))
            }
            Self::ManySalts => f.write_str("those that were refused are noted with too many salts"),
        }
    }
}
