//! Why an age file was not decrypted.

use std::io;

use ::age::DecryptError as Age;

use crate::agefile::UnendedStanza;
use crate::fault::KeystoreError;
use crate::kind::{ErrorKind, explain};

/// Why an age file was not decrypted, or not to its end.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DecryptError {
    /// The input is no age file, binary or armored.
    #[error("this is not an age file")]
    NotAge,
    /// Its header was damaged, or is of a newer version: the two look alike.
    #[error("the header of this age file is damaged, or of a newer version")]
    UnknownHeader,
    /// A line of its header is not as it should be.
    #[error("the header of this age file is damaged: line {line} comes before the end of a stanza")]
    DamagedHeader {
        /// The line of the header, from 1; not that of the armor around it.
        line: usize,
    },
    /// A line of its armor is not as it should be.
    #[error("this armored age file is damaged in line {line}")]
    DamagedArmor {
        /// The line of the input, from 1.
        line: usize,
    },
    /// It is armored, and saved in another encoding.
    #[error("this armored age file is {found}, not ASCII or UTF-8")]
    OtherEncoding {
        /// The encoding.
        found: &'static str,
    },
    /// The end of its armor is missing.
    #[error(
        "this armored age file was cut short: it ends in line {line}, without its last line, \
         -----END AGE ENCRYPTED FILE-----"
    )]
    CutShort {
        /// The last line of the input, from 1.
        line: usize,
    },
    /// It was encrypted with a passphrase.
    #[error("this age file was encrypted with a passphrase, not to an identity")]
    PassphraseFile,
    /// It was encrypted to others only.
    #[error("this age file was not encrypted to this identity")]
    NotForThisIdentity,
    /// Its header is longer than 64 KiB.
    #[error("the header of this age file is longer than 64 KiB")]
    HeaderTooLong,
    /// It was changed after it was made, or its last piece was cut short.
    #[error("this age file is damaged or was cut short")]
    Damaged,
    /// Its end is missing.
    #[error("this age file was cut short: its end is missing")]
    Truncated,
    /// The input cannot be read.
    #[error("the encrypted file cannot be read")]
    Input(#[source] io::Error),
    /// The output cannot be written.
    #[error("the decrypted file cannot be written")]
    Output(#[source] io::Error),
    /// The file for what was decrypted could not be made.
    #[error("the decrypted file cannot be saved")]
    NotSaved(#[source] Box<KeystoreError>),
    /// The bundle's key could not be handed to the decryption.
    #[error("the X25519 key cannot be used as an age identity")]
    Key,
}

impl From<KeystoreError> for DecryptError {
    fn from(error: KeystoreError) -> Self {
        Self::NotSaved(Box::new(error))
    }
}

explain!(DecryptError);

impl DecryptError {
    /// What it means for the program.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::NotAge
            | Self::OtherEncoding { .. }
            | Self::PassphraseFile
            | Self::HeaderTooLong => ErrorKind::InvalidInput,
            Self::UnknownHeader
            | Self::DamagedHeader { .. }
            | Self::DamagedArmor { .. }
            | Self::CutShort { .. }
            | Self::Damaged
            | Self::Truncated => ErrorKind::Damaged,
            Self::NotForThisIdentity => ErrorKind::OtherIdentity,
            Self::Input(error) | Self::Output(error) => ErrorKind::of_io(error),
            Self::NotSaved(error) => error.kind(),
            Self::Key => ErrorKind::Internal,
        }
    }

    /// What to try next.
    #[must_use]
    pub fn help(&self) -> Option<String> {
        let help = match self {
            Self::NotAge => {
                "give a file that `age` has encrypted to this identity: `IdentityBundle::age_recipient`"
            }
            Self::UnknownHeader => "get the file once more, or update this program",
            Self::PassphraseFile => {
                "decrypt it with `age --decrypt FILE`, which asks for the passphrase"
            }
            Self::DamagedHeader { .. } => "get the file once more, whole",
            Self::DamagedArmor { .. } | Self::CutShort { .. } => {
                "get the file once more, whole: everything from -----BEGIN AGE ENCRYPTED FILE----- \
                 to -----END AGE ENCRYPTED FILE-----, each line as it was"
            }
            Self::OtherEncoding { found } => {
                return Some(format!(
                    "save it as UTF-8: iconv -f {found} -t UTF-8 FILE > NEW. PowerShell's `>` writes \
                     UTF-16; `age -o FILE` does not"
                ));
            }
            Self::NotForThisIdentity => {
                "ask the sender to encrypt to this identity (`IdentityBundle::age_recipient`)"
            }
            Self::HeaderTooLong => "ask the sender to encrypt to fewer recipients",
            Self::Damaged | Self::Truncated => {
                "get the file once more, whole; nothing that was decrypted of it can be trusted"
            }
            Self::NotSaved(error) => return error.help(),
            Self::Input(_) => {
                "see why it cannot be read (the source of this error), then give it once more"
            }
            Self::Output(_) => {
                "see why it cannot be written (the source of this error); nothing that was \
                 decrypted of it can be trusted"
            }
            Self::Key => "this should not be: report it",
        };
        Some(help.to_owned())
    }

    /// An error before the first byte of what is inside.
    pub(super) fn of_header(error: Age) -> Self {
        match error {
            Age::Io(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                Self::of_input(error).unwrap_or(Self::Truncated)
            }
            Age::Io(error) => Self::of_input(error).unwrap_or(Self::Damaged),
            // It began as one does: that was looked at.
            Age::InvalidHeader | Age::UnknownFormat => Self::UnknownHeader,
            Age::NoMatchingKeys => Self::NotForThisIdentity,
            _ => Self::Damaged,
        }
    }

    /// An error of a header that was read, with the bundle's key.
    pub(super) fn of_key(error: Age) -> Self {
        match error {
            Age::InvalidHeader => Self::Damaged,
            error => Self::of_header(error),
        }
    }

    /// An error in what is inside.
    pub(super) fn of_payload(error: io::Error) -> Self {
        let truncated = error.kind() == io::ErrorKind::UnexpectedEof;
        Self::of_input(error).unwrap_or(if truncated { Self::Truncated } else { Self::Damaged })
    }

    /// What our own source said, if it was that.
    fn of_input(error: io::Error) -> Option<Self> {
        let cause = error.into_inner()?;
        let cause = match cause.downcast::<InputFailed>() {
            Ok(failed) => return Some(Self::Input(failed.0)),
            Err(cause) => cause,
        };
        if let Some(BrokenArmor { line, cut_short }) = cause.downcast_ref().copied() {
            return Some(if cut_short {
                Self::CutShort { line }
            } else {
                Self::DamagedArmor { line }
            });
        }
        if let Some(UnendedStanza { line }) = cause.downcast_ref().copied() {
            return Some(Self::DamagedHeader { line });
        }
        cause.is::<HeaderTooLong>().then_some(Self::HeaderTooLong)
    }
}

/// The input itself failed.
#[derive(Debug, thiserror::Error)]
#[error("the input cannot be read")]
pub(super) struct InputFailed(#[source] pub(super) io::Error);

/// Where armor is not what it should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("line {line} of the armor is damaged")]
pub(super) struct BrokenArmor {
    /// From 1, in the whole input.
    pub(super) line: usize,
    /// Whether the input ends there.
    pub(super) cut_short: bool,
}

/// More of a header than is kept.
#[derive(Debug, thiserror::Error)]
#[error("the header is longer than 64 KiB")]
pub(super) struct HeaderTooLong;
