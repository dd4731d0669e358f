//! What is in a file of ours and was not understood.

use std::error::Error as StdError;

/// Why what is in a file was not understood.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FormatError {
    /// A file comes from a newer version.
    #[error("{what} has version {found}; this program reads up to version {known}")]
    Newer {
        /// Which file.
        what: &'static str,
        /// The version found.
        found: u64,
        /// The newest version that is known.
        known: u64,
    },
    /// A file comes from an older version, in a format that is not opened but
    /// imported.
    #[error("{what} has version {found}, which is an older format")]
    Older {
        /// Which file.
        what: &'static str,
        /// The version found.
        found: u64,
    },
    /// The payload is not valid.
    #[error("the payload is not valid: {reason}")]
    Payload {
        /// What is wrong with it.
        reason: &'static str,
        /// Why, where more can be said. It never quotes the payload.
        #[source]
        source: Option<Box<dyn StdError + Send + Sync>>,
    },
}

impl FormatError {
    /// What to try next.
    #[must_use]
    pub fn help(&self) -> Option<String> {
        let help = match self {
            Self::Newer { .. } => "update this program",
            Self::Older { .. } => {
                "import it (`LegacyIdentity::read`, then `IdentityStore::import`)"
            }
            Self::Payload { .. } => "restore identity.age from a backup",
        };
        Some(help.to_owned())
    }
}
