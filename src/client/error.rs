//! Why a daemon did not do what it was asked.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use super::Problem;
use crate::daemon::ProblemCode;
use crate::did::{Did, InvalidDocument};
use crate::fault::SignError;
use crate::kind::{ErrorKind, explain};
use crate::peer::Refusal;
use crate::rotation::RotationError;
use crate::secret::NoRandomness;

/// Why a daemon did not do what it was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// Nobody listens at the socket, or it cannot be reached.
    #[error("cannot connect to the daemon at {}", path.display())]
    Connect {
        /// The socket.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// Something else is in the place of the socket.
    #[error("{} is not a socket", path.display())]
    NotASocket {
        /// What was named.
        path: PathBuf,
    },
    /// The socket, or the process at its other end, belongs to somebody else.
    #[error(
        "{what} {} belongs to the user {found}, and not to {expected} or root", path.display()
    )]
    Owner {
        /// `the socket` or `the process behind`.
        what: &'static str,
        /// The socket.
        path: PathBuf,
        /// Whom it belongs to.
        found: u32,
        /// Whom it should belong to.
        expected: u32,
    },
    /// The daemon is of another identity.
    #[error("the daemon is of another DID than {expected}")]
    OtherDid {
        /// The DID that was expected.
        expected: Did,
    },
    /// The daemon did not show that it has the key.
    #[error("the daemon did not show that it has the key of {did}")]
    NotProven {
        /// Whose key.
        did: Did,
    },
    /// Somebody of another user passes the calls on.
    #[error("the daemon sees the user {seen} at this end, which runs as {own}")]
    OtherUser {
        /// The user that the daemon sees.
        seen: u64,
        /// The user of this process.
        own: u32,
    },
    /// The connection ended before the answer did.
    #[error("the daemon closed the connection before its answer was complete")]
    Closed,
    /// The answer did not come in time.
    #[error("the daemon did not answer within {} ms", limit.as_millis())]
    Deadline {
        /// How long was waited.
        limit: Duration,
    },
    /// Whether the daemon has opened its key is not known: what was sent to have it opened may
    /// have been tried, and counted.
    #[error("the daemon was sent a credential, and has not said what came of it")]
    NotToldWhetherOpened(#[source] Box<ClientError>),
    /// The answer is not one.
    #[error("the daemon's answer is not valid: expected {expected}")]
    Malformed {
        /// What was expected.
        expected: &'static str,
    },
    /// The answer is longer than is read.
    #[error("the daemon's answer is longer than {limit} bytes")]
    AnswerTooLong {
        /// Bytes.
        limit: usize,
    },
    /// The request is longer than is sent.
    #[error("the request is longer than the {limit} bytes that a daemon takes")]
    RequestTooLong {
        /// Bytes.
        limit: usize,
    },
    /// The connection failed.
    #[error("the connection to the daemon failed")]
    Io(#[source] io::Error),
    /// The daemon said why it did not do it.
    #[error("the daemon did not do it: {0}")]
    Problem(Box<Problem>),
    /// A signature of the daemon does not verify under the DID, for the message that was
    /// sent.
    #[error("the daemon's signature does not verify under {did}")]
    BadSignature {
        /// The DID.
        did: Did,
    },
    /// A TLS certificate is none that peers would accept.
    #[error("the daemon's TLS certificate is not valid")]
    Certificate(#[source] Refusal),
    /// It was not sent: no daemon signs it.
    #[error(transparent)]
    Sign(SignError),
    /// The daemon's DID document is not valid.
    #[error("the daemon's DID document is not valid")]
    Document(#[source] InvalidDocument),
    /// The daemon's rotation chain is not valid.
    #[error("the daemon's rotation chain is not valid")]
    Rotation(#[source] RotationError),
    /// The system's random generator failed.
    #[error(transparent)]
    NoRandomness(#[from] NoRandomness),
}

explain!(ClientError);

impl ClientError {
    /// What it means for the program. A daemon that does not listen is
    /// [`ErrorKind::DeviceAbsent`]: it is waited for as a device is.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Connect { source, .. } => match source.kind() {
                io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => {
                    ErrorKind::DeviceAbsent
                }
                _ => ErrorKind::of_io(source),
            },
            Self::NotASocket { .. } => ErrorKind::Configuration,
            Self::Owner { .. } => ErrorKind::Permission,
            Self::OtherDid { .. } => ErrorKind::OtherIdentity,
            Self::NotProven { .. } | Self::OtherUser { .. } | Self::BadSignature { .. } => {
                ErrorKind::Untrusted
            }
            Self::Closed | Self::Deadline { .. } => ErrorKind::Busy,
            Self::Malformed { .. } | Self::AnswerTooLong { .. } => ErrorKind::External,
            // No reason to send it again.
            Self::NotToldWhetherOpened(_) => ErrorKind::External,
            Self::RequestTooLong { .. } => ErrorKind::InvalidInput,
            Self::Io(error) => ErrorKind::of_io(error),
            Self::Problem(problem) => problem.kind(),
            Self::Certificate(refusal) => refusal.kind(),
            Self::Sign(error) => error.kind(),
            Self::Document(error) => error.kind(),
            Self::Rotation(error) => error.kind(),
            Self::NoRandomness(error) => error.kind(),
        }
    }

    /// What to try next.
    #[must_use]
    pub fn help(&self) -> Option<String> {
        let help = match self {
            Self::Connect { source, .. } if source.kind() == io::ErrorKind::PermissionDenied => {
                "have this user admitted to the socket (`socket_mode` and the group of the socket)"
            }
            Self::Connect { .. } => "start the daemon, and name the socket that it listens at",
            Self::NotASocket { .. } => "name the socket that the daemon listens at",
            Self::Owner { .. } => {
                "find out who listens there; if the daemon runs as a user of its own, name that user \
                 (`RemoteOptions::owned_by`)"
            }
            Self::OtherDid { .. } => {
                "name the socket of the daemon that has this DID, or the DID that you mean"
            }
            Self::NotProven { .. } | Self::OtherUser { .. } | Self::BadSignature { .. } => {
                "use nothing that came from there, and find out who listens at the socket"
            }
            Self::Closed => "try again; if it lasts, see why in the daemon's log",
            Self::Deadline { .. } => {
                "try again; if it lasts, see in the daemon's log what it waits for"
            }
            Self::NotToldWhetherOpened(_) => {
                "look first whether it is unlocked (`RemoteIdentity::status`): a wrong PIN counts each \
                 time that it is sent"
            }
            Self::Certificate(_) | Self::Malformed { .. } | Self::AnswerTooLong { .. } => {
                "see that it is the daemon that listens there, in a version that fits this library"
            }
            Self::RequestTooLong { .. } => {
                "have it signed for a context (`sign_for`), which sends a hash of a long message"
            }
            Self::Io(_) => "see what the system said: it is the source of this error",
            Self::Problem(problem) => return problem.help(),
            Self::Sign(error) => return error.help(),
            Self::Document(error) => return error.help(),
            Self::Rotation(error) => return error.help(),
            Self::NoRandomness(error) => return error.help(),
        };
        Some(help.to_owned())
    }

    /// What the daemon said, if it did not do it for a reason of its own.
    #[must_use]
    pub fn problem(&self) -> Option<&Problem> {
        match self {
            Self::Problem(problem) => Some(problem),
            _ => None,
        }
    }

    /// After how long it may succeed, if the daemon says so.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        self.problem()?.retry_after
    }

    pub(super) fn is(&self, code: ProblemCode) -> bool {
        self.problem().is_some_and(|problem| problem.code == Some(code))
    }

    /// As an error of signing: what no signer does is that, and all else of the daemon.
    pub(super) fn into_sign_error(self) -> SignError {
        match self {
            Self::Sign(error) => error,
            error => {
                let (kind, help) = (error.kind(), error.help());
                SignError::Remote { kind, help, source: error.into() }
            }
        }
    }
}
