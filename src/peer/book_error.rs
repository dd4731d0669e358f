//! What can go wrong with a book of peers.

use std::error::Error as StdError;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::did::Did;
use crate::encoding::objects;
use crate::fault::{FormatError, KeystoreError};
use crate::kind::{ErrorKind, explain};
use crate::rotation::RotationError;

/// The version of the files that this crate writes and reads.
pub(super) const VERSION: u64 = 1;

/// Why a book of peers cannot be read or changed. While it cannot be read, no peer in it
/// is accepted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BookError {
    /// A file or directory of it failed, or is not safe to use.
    #[error(transparent)]
    Files(KeystoreError),
    /// Another process holds the lock for too long.
    #[error("the book of peers in {} is in use by {holder}", directory.display())]
    InUse {
        /// The book's directory.
        directory: PathBuf,
        /// Who holds the lock.
        holder: String,
    },
    /// A file of it comes from a newer version of this crate.
    #[error(transparent)]
    Newer(FormatError),
    /// A file of it is not as it was written.
    #[error("{} is not valid", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: Box<dyn StdError + Send + Sync>,
    },
    /// A DID that handed over to another one in the book.
    #[error("{did} has become {present}, by a chain of rotations that was followed")]
    Replaced {
        /// The earlier DID.
        did: Did,
        /// The present one.
        present: Did,
    },
    /// A name that cannot be shown in a list.
    #[error("the name of a peer has at most {limit} bytes, and no control characters")]
    Name {
        /// The limit, in bytes.
        limit: usize,
    },
    /// There is no room for one more, or for a longer chain. There is for removals.
    #[error("the book of peers would be longer than {limit} bytes")]
    Full {
        /// The limit, in bytes.
        limit: usize,
    },
    /// A chain or a statement leads nowhere.
    #[error(transparent)]
    Rotation(#[from] RotationError),
}

explain!(BookError);

impl BookError {
    /// What it means for the program.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Files(error) => error.kind(),
            Self::Newer(error) => error.kind(),
            Self::Rotation(error) => error.kind(),
            Self::InUse { .. } => ErrorKind::InUse,
            Self::Damaged { .. } => ErrorKind::Damaged,
            Self::Replaced { .. } => ErrorKind::Superseded,
            Self::Name { .. } => ErrorKind::InvalidInput,
            Self::Full { .. } => ErrorKind::Storage,
        }
    }

    /// What to try next.
    #[must_use]
    pub fn help(&self) -> Option<String> {
        let help = match self {
            Self::Files(error) => return error.help(),
            Self::Newer(error) => return error.help(),
            Self::Rotation(error) => return error.help(),
            Self::InUse { .. } => {
                "wait until it is done, and try again; the lock frees itself when that process ends"
            }
            Self::Damaged { .. } => {
                "put the file back from a copy; if there is none, remove it: a list has to be \
                 made anew then, and of a DID older TLS keys are accepted until their bindings end"
            }
            Self::Replaced { .. } => {
                "allow the present DID; the earlier one's key is not the peer's any more"
            }
            Self::Name { .. } => "give a shorter name, on one line",
            Self::Full { .. } => {
                "have peers that never come back forgotten (`PeerBook::forget`), or use one book \
                 for each group of peers"
            }
        };
        Some(help.to_owned())
    }
}

impl From<KeystoreError> for BookError {
    fn from(error: KeystoreError) -> Self {
        match error {
            KeystoreError::InUse { home, holder } => Self::InUse { directory: home, holder },
            error => Self::Files(error),
        }
    }
}

/// Before anything else is read: a newer version may have other fields.
pub(super) fn check_version(path: &Path, json: &[u8]) -> Result<(), BookError> {
    #[derive(Deserialize)]
    struct Versioned {
        version: u64,
    }
    match objects::from_slice(json) {
        Ok(Versioned { version: VERSION }) => Ok(()),
        Ok(Versioned { version: found }) if found > VERSION => {
            let what = "the book of peers";
            Err(BookError::Newer(FormatError::Newer { what, found, known: VERSION }))
        }
        Ok(Versioned { version }) => {
            let source = format!("there is no version {version}").into();
            Err(BookError::Damaged { path: path.to_owned(), source })
        }
        Err(error) => Err(BookError::Damaged { path: path.to_owned(), source: error.into() }),
    }
}
