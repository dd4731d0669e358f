//! Why a bundle was not renewed.

use crate::bundle::BundleError;
use crate::fault::{DeviceError, KeystoreError, OpenError};
use crate::kind::{ErrorKind, explain};
use crate::secret::NoRandomness;

/// Why a bundle was not renewed. It goes on with the companions that it has.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RenewalError {
    /// The new binding could not be made.
    #[error(transparent)]
    Bundle(#[from] BundleError),
    /// The files of the identity could not be read or written, or are not those that
    /// this process opened.
    #[error(transparent)]
    Keystore(#[from] KeystoreError),
    /// The payload of the identity could not be opened or sealed.
    #[error(transparent)]
    Open(#[from] OpenError),
}

explain!(RenewalError);

impl RenewalError {
    /// What it means for the program.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Bundle(error) => error.kind(),
            Self::Keystore(error) => error.kind(),
            Self::Open(error) => error.kind(),
        }
    }

    /// What to try next.
    #[must_use]
    pub fn help(&self) -> Option<String> {
        match self {
            Self::Bundle(error) => error.help(),
            Self::Keystore(error) => error.help(),
            Self::Open(error) => error.help(),
        }
    }

    /// What a device said, if that is the reason.
    #[must_use]
    pub fn device(&self) -> Option<&DeviceError> {
        match self {
            Self::Bundle(error) => error.device(),
            Self::Keystore(error) => error.device(),
            Self::Open(error) => error.device(),
        }
    }
}

impl From<NoRandomness> for RenewalError {
    fn from(error: NoRandomness) -> Self {
        Self::Bundle(error.into())
    }
}
