//! Why something is no attestation, or was not made.

use std::path::PathBuf;

use super::AttestationRefusal;
use crate::encoding::InvalidJson;
use crate::fault::{KeystoreError, SignError};
use crate::kind::{ErrorKind, explain};
use crate::locator::InvalidPcrs;
use crate::secret::NoRandomness;

/// Why a file was not read, an anchor not taken, or an attestation not made. That one was read
/// and is not valid is an [`AttestationRefusal`].
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AttestationError {
    /// Longer than any file of ours.
    #[error("the file is longer than {limit} bytes")]
    TooLong {
        /// How many it may have.
        limit: usize,
    },
    /// It is not JSON, or has not the fields that it should.
    #[error("this is not {what} of the form that this program reads")]
    Json {
        /// What was expected: `an attestation` or `a challenge`.
        what: &'static str,
        /// Where it is not.
        source: InvalidJson,
    },
    /// It is of another format.
    #[error("the file has the format {found:?}; expected {expected:?}")]
    Format {
        /// The one that is read.
        expected: &'static str,
        /// What the file says, the beginning of it.
        found: String,
    },
    /// A field of bytes has another number of bytes than it should.
    #[error("the field `{field}` has the wrong length")]
    Field {
        /// Which.
        field: &'static str,
    },
    /// Not a name of an audience.
    #[error("the audience is not 1 to 1024 bytes of text without control characters")]
    Audience,
    /// A challenge would be valid for too long.
    #[error("a challenge is valid for at most {limit} seconds, not for {seconds}")]
    ValidFor {
        /// For how many it was to be.
        seconds: u64,
        /// For how many it can be ([`MAX_AGE`](super::MAX_AGE)).
        limit: u64,
    },
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
    /// What should be values of PCRs cannot be read as that.
    #[error("the PCR policy cannot be read")]
    Pcrs(#[source] InvalidPcrs),
    /// The values are of another bank.
    #[error("the PCR policy is of the bank {found}; expected sha256")]
    PcrBank {
        /// Its name.
        found: &'static str,
    },
    /// There is no value.
    #[error("the PCR policy has no PCR; expected at least one")]
    NoPcr,
    /// A value is not one of the bank.
    #[error("the PCR policy has no value of 32 bytes in hex for PCR {index}")]
    PcrValue {
        /// Of which register.
        index: u8,
    },
    /// A certificate cannot be read.
    #[error("a certificate cannot be used")]
    Certificate(#[source] Box<AttestationRefusal>),
    /// A certificate cannot be an anchor.
    #[error("the certificate cannot be an anchor")]
    Anchor(#[source] Box<AttestationRefusal>),
    /// A file with several roots, of which each would be believed for this class of devices.
    #[error("there are {roots} roots in one file; expected one")]
    ManyRoots {
        /// How many.
        roots: usize,
    },
    /// A file of anchors cannot be used.
    #[error("the anchor {} cannot be used", path.display())]
    Load {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: Box<Self>,
    },
    /// The folder of anchors cannot be read, or other users could change what is read.
    #[error(transparent)]
    Folder(Box<KeystoreError>),
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
    pub(super) fn json(what: &'static str) -> impl Fn(serde_json::Error) -> Self {
        move |error| Self::Json { what, source: InvalidJson::new(error) }
    }

    pub(super) fn certificate(refusal: AttestationRefusal) -> Self {
        Self::Certificate(refusal.into())
    }

    #[cfg(feature = "keystore")]
    pub(super) fn folder(error: KeystoreError) -> Self {
        Self::Folder(error.into())
    }

    pub(super) fn anchor(refusal: AttestationRefusal) -> Self {
        Self::Anchor(refusal.into())
    }

    /// What it means for the program.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::TooLong { .. }
            | Self::Json { .. }
            | Self::Field { .. }
            | Self::Audience
            | Self::ValidFor { .. }
            | Self::NoCertificate
            | Self::TooManyCertificates { .. }
            | Self::Pcrs(_)
            | Self::PcrBank { .. }
            | Self::NoPcr
            | Self::PcrValue { .. }
            | Self::Certificate(_)
            | Self::Anchor(_)
            | Self::ManyRoots { .. }
            | Self::Load { .. } => ErrorKind::InvalidInput,
            Self::Format { .. } => ErrorKind::Unsupported,
            Self::Clock { .. } => ErrorKind::Clock,
            Self::Folder(error) => error.kind(),
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
            Self::TooLong { .. } | Self::Json { .. } | Self::Field { .. } => {
                "give the whole file, as it was made"
            }
            Self::Format { .. } => {
                "give a file of that format; if it is of a later version, update this program"
            }
            Self::Audience => "name the relying party, like treasury@coop.example",
            Self::ValidFor { .. } => "ask for at most 30 days, and for a new one after that",
            Self::Clock { .. } => "set the clock, then try again",
            Self::NoCertificate => {
                "give the certificate that the device's own tool wrote, in PEM or DER"
            }
            Self::TooManyCertificates { .. } => {
                "give the key's certificate and its issuers', and no others"
            }
            Self::Pcrs(_) | Self::PcrBank { .. } | Self::NoPcr | Self::PcrValue { .. } => {
                "give what `tpm2_pcrread sha256:0,7` prints on a machine in the state that is meant"
            }
            Self::Certificate(_) => "have the device write the certificate once more",
            Self::Load { source, .. } if matches!(**source, Self::ManyRoots { .. }) => {
                return source.help();
            }
            Self::Anchor(_) | Self::Load { .. } => {
                "put the certificate of the maker's authority there, as the maker publishes it"
            }
            Self::ManyRoots { .. } => {
                "put the one root that vouches for these devices into a file of its own: a bundle of all of a \
                 maker's roots has those of its other products too"
            }
            Self::Folder(error) => return error.help(),
            Self::NoAnchors { .. } => {
                "put the maker's certificates in yubihsm/NAME.pem, yubikey-piv/NAME.pem, tpm/NAME.pem or \
                 tpm-ak/NAME.pem there"
            }
            Self::Refused(refusal) => return refusal.help(),
            Self::Sign(error) => return error.help(),
            Self::NoRandomness(error) => return error.help(),
        };
        Some(help.to_owned())
    }
}
