//! What can go wrong with a device, of whatever kind.

use std::error::Error as StdError;

use super::{Pkcs11Error, TpmError};
use crate::algorithm::AlgorithmId;
use crate::locator::BackendKind;

/// Why a device did not do what was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DeviceError {
    /// This build has no PKCS#11 support.
    #[error("this build has no PKCS#11 support")]
    NoPkcs11,
    /// This build has no TPM support.
    #[error("this build has no TPM support")]
    NoTpm,
    /// A token behind a PKCS#11 module.
    #[error(transparent)]
    Pkcs11(#[from] Pkcs11Error),
    /// The TPM.
    #[error(transparent)]
    Tpm(#[from] TpmError),
    /// The backend has no keys of this algorithm.
    #[error("the {backend} backend has no {algorithm} keys")]
    NoAlgorithm {
        /// The backend.
        backend: BackendKind,
        /// What was asked for.
        algorithm: AlgorithmId,
    },
    /// The backend takes no key that was in memory.
    #[error("the {backend} backend is no device that takes a key which was in a file")]
    NoSeedImport {
        /// The backend.
        backend: BackendKind,
    },
    /// The stored storage key cannot be opened by this token.
    #[error("token {token} does not open the storage key of this identity")]
    StorageKey {
        /// The token.
        token: String,
        /// What the module said, where it said something.
        #[source]
        source: Option<Box<dyn StdError + Send + Sync>>,
    },
    /// The credential is of the wrong kind for this backend.
    #[error("the {backend} backend wants a {wanted}")]
    WrongCredential {
        /// The backend.
        backend: BackendKind,
        /// What it wants.
        wanted: &'static str,
    },
    /// A key found by a locator of another backend.
    #[error("the locator is not one of the {backend} backend")]
    ForeignLocator {
        /// The backend that was asked.
        backend: BackendKind,
    },
}

impl DeviceError {
    pub(crate) const fn is_wrong_pin(&self) -> bool {
        match self {
            Self::Pkcs11(error) => error.is_wrong_pin(),
            Self::Tpm(error) => error.is_wrong_pin(),
            _ => false,
        }
    }

    /// Whether it is that wrong PINs were entered, which the device forgets with time.
    pub(crate) const fn passes_with_time(&self) -> bool {
        matches!(
            self,
            Self::Pkcs11(Pkcs11Error::PinLocked { of_tpm: true, .. })
                | Self::Tpm(TpmError::FinalTry | TpmError::LockedOut { .. })
        )
    }

    /// What to try next.
    #[must_use]
    pub fn help(&self) -> Option<String> {
        let help = match self.innermost() {
            Self::Pkcs11(error) => return error.help(),
            Self::Tpm(error) => return error.help(),
            Self::NoTpm => "build with the feature `tpm` (needs libtss2-dev)",
            Self::NoPkcs11 => "build with the feature `pkcs11`",
            Self::NoAlgorithm { .. } => {
                "P-256 keys are for devices: use the backend pkcs11 or tpm, or an Ed25519 key"
            }
            Self::NoSeedImport { .. } => "use the backend pkcs11 or tpm",
            Self::StorageKey { .. } => {
                "this may be a copy or replacement of the token: restore identity.age and \
                 identity.json from a backup made for it"
            }
            Self::WrongCredential { wanted, .. } => return Some(format!("give a {wanted}")),
            Self::ForeignLocator { .. } => "give the locator to the backend that made it",
        };
        Some(help.to_owned())
    }
}
