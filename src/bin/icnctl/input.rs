//! Files that a command reads: by name, or from standard input.

use std::fs::{File, Metadata};
use std::io::{self, IsTerminal as _, Read};
use std::path::Path;

use icn_identity::audit::MessageHash;
use icn_identity::error::SignError;
use icn_identity::signer::MAX_WHOLE;
use icn_identity::{AlgorithmId, Error};
use sha2::{Digest as _, Sha512};

use crate::error::CliError;
use crate::output::say;
use crate::standard;

/// As much as is read without growing: a file of an attestation is no longer.
const FIRST: u64 = 64 * 1024 + 1;

/// Something to be read, and its name in errors.
pub(crate) struct Input {
    name: String,
    file: File,
    /// It was named by nobody, and is empty so far.
    is_unnamed: bool,
    /// Of what was read, with its length, where that is wanted.
    hashed: Option<(Sha512, u64)>,
}

impl Input {
    /// A file; standard input for `-` or nothing. `what` it is says an error, where
    /// something else is read from there, too.
    pub(crate) fn open(file: Option<&Path>, what: &'static str) -> Result<Self, CliError> {
        let Some(path) = file.filter(|path| !standard::is_input(path)) else {
            let input = standard::input(what)?;
            if file.is_none() && input.is_terminal() {
                say(&format!(
                    "Reading {what} from the terminal; Ctrl-D on a line of its own ends it."
                ));
            }
            let (name, is_unnamed) = ("standard input".into(), file.is_none());
            return Ok(Self { name, file: input, is_unnamed, hashed: None });
        };
        let name = path.display().to_string();
        match File::open(path) {
            Ok(file) => Ok(Self { name, file, is_unnamed: false, hashed: None }),
            Err(source) => Err(CliError::Input { what: name, source }),
        }
    }

    /// That it is no longer than what a key of this algorithm signs, before it is read; and
    /// how long it is, if it says so.
    pub(crate) fn check_whole(&self, algorithm: AlgorithmId) -> Result<Option<u64>, CliError> {
        let length = self.file.metadata().ok().filter(Metadata::is_file).map(|found| found.len());
        match length {
            Some(length) if algorithm == AlgorithmId::Ed25519 && length > MAX_WHOLE => {
                Err(Error::from(SignError::TooLong { limit: MAX_WHOLE }).into())
            }
            // Of what is in `/proc` nothing is said.
            length => Ok(length.filter(|length| *length > 0)),
        }
    }

    /// The result of the library's reading, with the name of what could not be read.
    pub(crate) fn named<T>(&self, read: Result<T, SignError>) -> Result<T, CliError> {
        read.map_err(|error| match error {
            SignError::Unread(source) => self.failed(source),
            error => Error::from(error).into(),
        })
    }

    /// The same, hashed while it is read.
    pub(crate) fn hashing(self) -> Self {
        Self { hashed: Some((Sha512::new(), 0)), ..self }
    }

    /// The hash of what was read, and how many bytes that were, if it was hashed.
    pub(crate) fn hash(&self) -> Option<(MessageHash, u64)> {
        let (hash, length) = self.hashed.clone()?;
        Some((MessageHash::from_sha512(hash.finalize().into()), length))
    }

    /// All of it.
    pub(crate) fn read_all(self) -> Result<Vec<u8>, CliError> {
        self.read_at_most(u64::MAX)
    }

    /// Its first bytes, and no more.
    pub(crate) fn read_at_most(mut self, limit: u64) -> Result<Vec<u8>, CliError> {
        // Growing would leave copies of what is secret.
        let first = limit.min(FIRST);
        let mut bytes = Vec::with_capacity(usize::try_from(first).unwrap_or_default());
        let read = self.by_ref().take(limit).read_to_end(&mut bytes);
        read.map(|_| bytes).map_err(|error| self.failed(error))
    }

    /// The error of a reader that has read it.
    pub(crate) fn failed(&self, source: io::Error) -> CliError {
        CliError::Input { what: self.name.clone(), source }
    }
}

impl Read for Input {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let length = self.file.read(bytes)?;
        if length == 0 && !bytes.is_empty() && self.is_unnamed {
            // It may be meant so; or a pipe is not what it should be.
            say(
                "warning: no file was named, and nothing came on standard input: it is taken as empty",
            );
        }
        self.is_unnamed = false;
        if let Some((hash, read)) = &mut self.hashed {
            hash.update(bytes.get(..length).unwrap_or_default());
            *read = read.saturating_add(u64::try_from(length).unwrap_or(u64::MAX));
        }
        Ok(length)
    }
}

/// All of a file, or of standard input for `-` or nothing.
pub(crate) fn read_all(file: Option<&Path>, what: &'static str) -> Result<Vec<u8>, CliError> {
    Input::open(file, what)?.read_all()
}
