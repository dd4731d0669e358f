//! Files that a command is told to write.

use std::path::{Path, PathBuf};

use clap::builder::{PathBufValueParser, TypedValueParser};
use icn_identity::error::KeystoreError;
use icn_identity::file::{Existing, NewFile};

use crate::error::CliError;

/// Of an option whose file is never standard output.
pub(crate) fn a_file() -> impl TypedValueParser<Value = PathBuf> {
    PathBufValueParser::new().try_map(|path| {
        if path.as_os_str() == "-" {
            Err("it goes to a file, not to standard output: name one (./- if it is to be called so)")
        } else {
            Ok(path)
        }
    })
}

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
