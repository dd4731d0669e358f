//! From the configuration to a backend.

use std::path::{Path, PathBuf};

use super::{AgeKeyStore, Backend};
use crate::config::{AgeConfig, Config, ConfigError, Pkcs11Config, TpmConfig};
#[cfg(not(all(feature = "pkcs11", feature = "tpm")))]
use crate::error::DeviceError;
use crate::error::Error;
use crate::locator::BackendKind;

/// A backend, configured but not opened.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum BackendConfig {
    /// An age file in this directory.
    Age {
        /// The identity's directory.
        home: PathBuf,
        /// `[identity.age]`
        config: AgeConfig,
    },
    /// A token behind a PKCS#11 module.
    Pkcs11(Box<Pkcs11Config>),
    /// A TPM 2.0.
    Tpm {
        /// The identity's directory: approvals of PCR values are there.
        home: PathBuf,
        /// `[identity.tpm]`
        config: Box<TpmConfig>,
    },
}

impl BackendConfig {
    /// **Blocks** on the device. Opens the backend. No PIN or passphrase is used
    /// here.
    ///
    /// # Errors
    ///
    /// [`crate::error::DeviceError`] if the module or the token cannot be had.
    pub fn open(&self) -> Result<Box<dyn Backend>, Error> {
        match self {
            Self::Age { home, config } => Ok(Box::new(AgeKeyStore::with_config(home, config))),
            #[cfg(feature = "pkcs11")]
            Self::Pkcs11(config) => Ok(Box::new(super::pkcs11::Pkcs11Backend::open(config)?)),
            #[cfg(not(feature = "pkcs11"))]
            Self::Pkcs11(_) => Err(DeviceError::NoPkcs11.into()),
            #[cfg(feature = "tpm")]
            Self::Tpm { home, config } => Ok(Box::new(super::tpm::TpmBackend::open(home, config)?)),
            #[cfg(not(feature = "tpm"))]
            Self::Tpm { .. } => Err(DeviceError::NoTpm.into()),
        }
    }
}

impl Config {
    /// The backend that is configured, for an identity in `home`.
    ///
    /// # Errors
    ///
    /// [`ConfigError::NoPkcs11Section`] if it is `pkcs11` and says nothing more.
    pub fn backend(&self, home: &Path) -> Result<BackendConfig, ConfigError> {
        match self.identity.backend {
            BackendKind::Age => {
                Ok(BackendConfig::Age { home: home.to_owned(), config: self.identity.age.clone() })
            }
            BackendKind::Pkcs11 => {
                let config = self.identity.pkcs11.clone().ok_or(ConfigError::NoPkcs11Section)?;
                Ok(BackendConfig::Pkcs11(Box::new(config)))
            }
            BackendKind::Tpm => {
                let config = self.identity.tpm.clone().unwrap_or_default();
                Ok(BackendConfig::Tpm { home: home.to_owned(), config: Box::new(config) })
            }
        }
    }
}
