//! Files that a command is told to write.

use std::path::Path;

use icn_identity::error::KeystoreError;
use icn_identity::file::{Existing, NewFile};

use crate::error::CliError;

/// Whether the file can be made, as far as can be told beforehand.
pub(crate) fn check(path: &Path, existing: Existing) -> Result<(), CliError> {
    NewFile::check(path, existing).map_err(|error| failed(path, error))
}

/// The library does not know of our options.
pub(crate) fn failed(path: &Path, error: KeystoreError) -> CliError {
    let path = path.to_owned();
    match error {
        KeystoreError::FileExists { path } => CliError::OutputExists { path },
        KeystoreError::Unsafe { path, .. } => CliError::OutputSpecial { path },
        KeystoreError::Io { source, .. } => CliError::OutputFile { path, source },
        error => error.into(),
    }
}
