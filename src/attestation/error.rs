//! Why something is no attestation, or was not made.

use std::error::Error as StdError;
use std::path::PathBuf;

use super::AttestationRefusal;
use crate::encoding::InvalidJson;
use crate::fault::SignError;
use crate::kind::{ErrorKind, explain};
use crate::secret::NoRandomness;

/// Why a file was not read, an anchor not taken, or an attestation not made. That one was read
/// and is not valid is an [`AttestationRefusal`].
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AttestationError {
    /// Longer than any file of ours.
    #[error("the attestation file is longer than {limit} bytes")]
    TooLong {
        /// How many it may have.
        limit: usize,
    },
    /// It is not JSON, or has not the fields that it should.
    #[error("this is not an attestation file of the form that this program reads")]
    Json(#[source] InvalidJson),
    /// It is of another format.
    #[error("the file has the format {found:?}; expected {expected:?}")]
    Format {
        /// The one that is read.
        expected: &'static str,
        /// What the file says, the beginning of it.
        found: String,
    },
    /// A field of bytes has another number of bytes than it should.
    #[error("the field `{field}` of the attestation file has the wrong length")]
    Field {
        /// Which.
        field: &'static str,
    },
    /// Not a name of an audience.
    #[error("the audience is not 1 to 1024 bytes of text without control characters")]
    Audience,
    /// The clock shows a time before this crate was made.
    #[error("the clock shows {unix} (Unix time), which cannot be")]
    Clock {
        /// What it shows, in Unix seconds.
        unix: u64,
    },
    /// No certificate in what should hold one.
    #[error("there is no certificate in PEM or DER")]
    NoCertificate,
    /// More certificates than a way to a root has.
    #[error("there are {count} certificates, and at most 6 are read")]
    TooManyCertificates {
        /// How many.
        count: usize,
    },
    /// A certificate cannot be read.
    #[error("a certificate cannot be used")]
    Certificate(#[source] Box<AttestationRefusal>),
    /// A certificate cannot be an anchor.
    #[error("the certificate cannot be an anchor")]
    Anchor(#[source] Box<AttestationRefusal>),
    /// A folder of anchors or a file of it cannot be used.
    #[error("the anchor {} cannot be used", path.display())]
    Load {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: Box<dyn StdError + Send + Sync>,
    },
    /// Other users can write to the folder of anchors.
    #[error("other users can write to the folder of anchors {}", directory.display())]
    OthersWrite {
        /// Which folder.
        directory: PathBuf,
    },
    /// There is no anchor in the folder.
    #[error("there is no anchor in {}", directory.display())]
    NoAnchors {
        /// Which folder.
        directory: PathBuf,
    },
    /// What would have been given out is not valid.
    #[error("no attestation was made")]
    Refused(#[source] Box<AttestationRefusal>),
    /// The key did not sign.
    #[error(transparent)]
    Sign(#[from] SignError),
    /// The system's random generator failed.
    #[error(transparent)]
    NoRandomness(#[from] NoRandomness),
}

explain!(AttestationError);

impl From<AttestationRefusal> for AttestationError {
    fn from(refusal: AttestationRefusal) -> Self {
        Self::Refused(refusal.into())
    }
}

impl AttestationError {
    pub(super) fn json(error: serde_json::Error) -> Self {
        Self::Json(InvalidJson::new(error))
    }

    pub(super) fn certificate(refusal: AttestationRefusal) -> Self {
        Self::Certificate(refusal.into())
    }

    pub(super) fn anchor(refusal: AttestationRefusal) -> Self {
        Self::Anchor(refusal.into())
    }

    /// What it means for the program.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::TooLong { .. }
            | Self::Json(_)
            | Self::Field { .. }
            | Self::Audience
            | Self::NoCertificate
            | Self::TooManyCertificates { .. }
            | Self::Certificate(_)
            | Self::Anchor(_)
            | Self::Load { .. } => ErrorKind::InvalidInput,
            Self::Format { .. } => ErrorKind::Unsupported,
            Self::Clock { .. } => ErrorKind::Clock,
            Self::OthersWrite { .. } => ErrorKind::Permission,
            Self::NoAnchors { .. } => ErrorKind::NotFound,
            Self::Refused(refusal) => refusal.kind(),
            Self::Sign(error) => error.kind(),
            Self::NoRandomness(error) => error.kind(),
        }
    }

    /// What to try next.
    #[must_use]
    pub fn help(&self) -> Option<String> {
        let help = match self {
            Self::TooLong { .. } | Self::Json(_) | Self::Field { .. } => {
                "give the whole file, as it was made"
            }
            Self::Format { .. } => {
                "give a file of that format; if it is of a later version, update this program"
            }
            Self::Audience => "name the relying party, like treasury@coop.example",
            Self::Clock { .. } => "set the clock, then try again",
            Self::NoCertificate => {
                "give the certificate that the device's own tool wrote, in PEM or DER"
            }
            Self::TooManyCertificates { .. } => {
                "give the key's certificate and its issuers', and no others"
            }
            Self::Certificate(_) => "have the device write the certificate once more",
            Self::Anchor(_) | Self::Load { .. } => {
                "put the certificate of the maker's authority there, as the maker publishes it"
            }
            Self::OthersWrite { .. } => {
                "have the folder belong to root or this user, and be written by nobody else"
            }
            Self::NoAnchors { .. } => {
                "put the maker's certificates in yubihsm/NAME.pem or yubikey-piv/NAME.pem there"
            }
            Self::Refused(refusal) => return refusal.help(),
            Self::Sign(error) => return error.help(),
            Self::NoRandomness(error) => return error.help(),
        };
        Some(help.to_owned())
    }
}
