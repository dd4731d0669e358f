//! Why a secret was not exported.

use std::path::PathBuf;

use super::BackupError;
use crate::evidence::ProvenanceKind;
use crate::kind::{ErrorKind, explain};

/// Why a private key was not exported.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExportError {
    /// The key has no secret bytes to give.
    #[error("this key is {provenance}: it has no secret bytes that could be exported")]
    NoSecret {
        /// What the key is.
        provenance: ProvenanceKind,
    },
    /// The text is no age recipient.
    #[error("the recipient is not an age X25519 recipient")]
    Recipient(#[source] Box<BackupError>),
    /// The file is there already.
    #[error("{} already exists", path.display())]
    Exists {
        /// The file.
        path: PathBuf,
    },
}

explain!(ExportError);

impl ExportError {
    /// What it means for the program.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::NoSecret { .. } => ErrorKind::Unsupported,
            Self::Recipient(error) => error.kind(),
            Self::Exists { .. } => ErrorKind::AlreadyExists,
        }
    }

    /// What to try next.
    #[must_use]
    pub fn help(&self) -> Option<String> {
        let help = match self {
            Self::NoSecret { provenance: ProvenanceKind::TpmSealed } => {
                "such a key is sealed to its TPM and is given to nobody: make a new identity, or \
                 export the public part: the DID"
            }
            Self::NoSecret { .. } => {
                "only a software key can be exported: sign where the key is, or export the public \
                 part: the DID"
            }
            Self::Recipient(_) => {
                "give one that begins with age1, as `age-keygen -y` prints it; never the secret \
                 key, and if you gave that, make a new one: others may have seen it"
            }
            Self::Exists { .. } => "an export never overwrites: name another file",
        };
        Some(help.to_owned())
    }
}
