//! What can go wrong with an audit log.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use crate::algorithm::BadSignature;
use crate::did::Did;
use crate::fault::{KeystoreError, SignError};
use crate::kind::{ErrorKind, explain};
use crate::secret::NoRandomness;

/// Why an audit log cannot be written, or does not verify.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AuditError {
    /// A line was not written. What it says must not be done.
    #[error("the audit log {} was not written, so nothing was done", path.display())]
    NotWritten {
        /// The log.
        path: PathBuf,
        /// Why: of all lines that were to be written together.
        source: Arc<AuditError>,
    },
    /// A file failed, or is not safe to use.
    #[error(transparent)]
    Files(#[from] KeystoreError),
    /// Another process holds the lock for too long.
    #[error("another process holds the lock {}", path.display())]
    InUse {
        /// The file that is locked.
        path: PathBuf,
    },
    /// The directory of the log, or `audit.log.head` in it, is not the one that was opened.
    #[error("{} was exchanged since the audit log was opened", path.display())]
    Exchanged {
        /// The directory, or the file.
        path: PathBuf,
    },
    /// The end of the file is no line as it was written, and nothing says which one was
    /// the last.
    #[error("{} does not end with a line of an audit log, or that line was changed", path.display())]
    Damaged {
        /// The log.
        path: PathBuf,
    },
    /// A line is not what and where it was when it was written.
    #[error("{}, line {line}: {fault}", path.display())]
    Broken {
        /// The file.
        path: PathBuf,
        /// The line in that file, from 1; one more than there are, if it is missing at the
        /// end.
        line: u64,
        /// What is wrong there.
        fault: Fault,
    },
    /// There is no line in these files.
    #[error("there is no line to verify")]
    Empty,
    /// A text is not a checkpoint.
    #[error("this is not a checkpoint of an audit log: {problem}")]
    NotACheckpoint {
        /// Why.
        problem: &'static str,
    },
    /// A checkpoint is not signed by the DID that it was to be.
    #[error("the checkpoint has no signature of {did}")]
    NotSignedBy {
        /// The DID.
        did: Did,
    },
    /// A signature of a checkpoint does not verify.
    #[error("the signature of the checkpoint does not verify")]
    Signature(#[source] BadSignature),
    /// A checkpoint was not signed.
    #[error("the checkpoint was not signed")]
    Sign(#[source] SignError),
    /// The system's random generator failed.
    #[error(transparent)]
    NoRandomness(#[from] NoRandomness),
    /// The thread that wrote this line with others has panicked.
    #[error("the line was not written: the thread that wrote has panicked")]
    Interrupted,
}

explain!(AuditError);

impl AuditError {
    /// What it means for the program.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::NotWritten { source, .. } => source.kind(),
            Self::Files(error) => error.kind(),
            Self::NoRandomness(error) => error.kind(),
            Self::Signature(error) => error.kind(),
            Self::Sign(error) => error.kind(),
            Self::InUse { .. } => ErrorKind::InUse,
            Self::Exchanged { .. } => ErrorKind::Permission,
            Self::Damaged { .. } => ErrorKind::Damaged,
            Self::Broken { .. } => ErrorKind::Untrusted,
            Self::Empty => ErrorKind::NotFound,
            Self::NotACheckpoint { .. } => ErrorKind::InvalidInput,
            Self::NotSignedBy { .. } => ErrorKind::OtherIdentity,
            Self::Interrupted => ErrorKind::Internal,
        }
    }

    /// What to try next.
    #[must_use]
    pub fn help(&self) -> Option<String> {
        let help = match self {
            Self::NotWritten { source, .. } => return source.help(),
            Self::Files(error) => return error.help(),
            Self::NoRandomness(error) => return error.help(),
            Self::Sign(error) => return error.help(),
            Self::InUse { .. } => {
                "wait until that process has written, and try again; the lock frees itself when it \
                 ends"
            }
            Self::Exchanged { .. } => {
                "find out who has put another one in its place; then have the log opened anew \
                 (`AuditLog::reopen`)"
            }
            Self::Damaged { .. } => {
                "find out who has written to the file; then give it another name: the log begins \
                 anew, and the old file shows where it was changed"
            }
            Self::Broken { fault, .. } => fault.advice(),
            Self::Empty => "name the file of the log, as `path` under [audit] says it",
            Self::NotACheckpoint { .. } => "give the whole file, as it was written",
            Self::NotSignedBy { .. } => {
                "name the DID that has signed it, or take the checkpoint of this log"
            }
            Self::Signature(_) => {
                "it was changed, or is of another identity: take an earlier copy of it"
            }
            Self::Interrupted => "try again, and report what the thread has said",
        };
        Some(help.to_owned())
    }
}

/// What is wrong with a line, or what should be there.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// It is not as it was written.
    Changed,
    /// It was not written to its end, and no writer has said so afterwards.
    CutOff,
    /// Lines that have to come before it are missing.
    Missing {
        /// The number of the first one.
        first: u64,
        /// The number of the last one.
        last: u64,
    },
    /// Another line has to be here, which stands later.
    Moved {
        /// The number of the line that stands here.
        found: u64,
        /// The number of the line that has to.
        expected: u64,
    },
    /// A line with this number was there before.
    Repeated {
        /// Its number.
        number: u64,
    },
    /// It has the right number, and names another line before it than the one that is
    /// there: one of both was written anew.
    NotContinued {
        /// Its number.
        number: u64,
    },
    /// It is of another log than the lines before, or than the checkpoint.
    OtherLog,
    /// It is known that there were later lines.
    EndsEarly {
        /// The number of the last line that is there.
        last: u64,
        /// The number of a later one that was there.
        known: u64,
    },
    /// It is another one than the checkpoint was signed for.
    NotThatOfCheckpoint {
        /// Its number.
        number: u64,
    },
    /// The checkpoint is about an earlier line, which is in none of the files.
    BeginsLater {
        /// The number of the line of the checkpoint.
        checkpoint: u64,
    },
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Changed => f.write_str("the line was changed or put in"),
            Self::CutOff => f.write_str("the line was cut off"),
            Self::Missing { first, last } if first == last => {
                write!(f, "the line with seq {first} is missing before it")
            }
            Self::Missing { first, last } => {
                write!(f, "the lines with seq {first} to {last} are missing before it")
            }
            Self::Moved { found, expected } => {
                write!(
                    f,
                    "the line with seq {found} is where seq {expected} has to be, which is further on"
                )
            }
            Self::Repeated { number } => {
                write!(f, "a line with seq {number} was there before")
            }
            Self::NotContinued { number } => write!(
                f,
                "the line with seq {number} does not continue the one before it: one of both was \
                 written anew"
            ),
            Self::OtherLog => f.write_str("the line is of another log"),
            Self::EndsEarly { last, known } => write!(
                f,
                "the log ends with seq {last}, and is known to have had seq {known}: its end was \
                 cut off"
            ),
            Self::NotThatOfCheckpoint { number } => write!(
                f,
                "the line with seq {number} is not the one that the checkpoint was signed for: it \
                 or a line before was written anew"
            ),
            Self::BeginsLater { checkpoint } => {
                write!(f, "the files begin after seq {checkpoint}, which the checkpoint is for")
            }
        }
    }
}

impl Fault {
    const fn advice(&self) -> &'static str {
        match self {
            Self::Changed
            | Self::Moved { .. }
            | Self::Repeated { .. }
            | Self::NotContinued { .. }
            | Self::NotThatOfCheckpoint { .. } => {
                "compare with a copy that was made earlier; trust nothing in the log from this line on"
            }
            Self::CutOff => {
                "if a writer was killed there, have it started again: it says so in the log. \
                 Otherwise compare with a copy"
            }
            Self::Missing { .. } => {
                "name all files of the log, the rotated ones too; if they are all there, compare \
                 with a copy"
            }
            Self::OtherLog => "name the files of one log only, and its own checkpoint",
            Self::EndsEarly { .. } => {
                "name the latest file of the log too; if it is there, compare with a copy"
            }
            Self::BeginsLater { .. } => {
                "name the earlier files of the log too, or take a later checkpoint"
            }
        }
    }
}
