//! Software keys in an age file with a passphrase.

use std::path::{Path, PathBuf};

use super::{
    Backend, BackendKind, Created, Credentials, Description, KeyAtRest, Locator, NewKey, Plan,
};
use crate::algorithm::AlgorithmId;
use crate::config::AgeConfig;
use crate::did::Did;
use crate::error::{DeviceError, Error, KeystoreError};
use crate::file::{self, names};
use crate::key::{Key, Software, Unlocked};

/// The embedded backend: an identity's directory with `identity.age` in it.
#[derive(Debug, Clone)]
pub struct AgeKeyStore {
    home: PathBuf,
    config: AgeConfig,
}

impl AgeKeyStore {
    /// A directory, with scrypt work `2^18`. Nothing is read or made yet.
    #[must_use]
    pub fn new(home: impl Into<PathBuf>) -> Self {
        Self::with_config(home, &AgeConfig::default())
    }

    /// A directory, configured.
    #[must_use]
    pub fn with_config(home: impl Into<PathBuf>, config: &AgeConfig) -> Self {
        Self { home: home.into(), config: config.clone() }
    }

    /// The directory.
    #[must_use]
    pub fn home(&self) -> &Path {
        &self.home
    }

    pub(crate) const fn config(&self) -> &AgeConfig {
        &self.config
    }
}

impl crate::private::OurBackend for AgeKeyStore {}

impl Backend for AgeKeyStore {
    fn kind(&self) -> BackendKind {
        BackendKind::Age
    }

    fn describe(&self) -> Description {
        Description {
            kind: BackendKind::Age,
            location: self.home().to_owned(),
            device: None,
            shares_name: false,
            shares_serial: false,
            slot: None,
            shown: Vec::new(),
            pin: None,
        }
    }

    fn create_as(
        &self,
        _: &Plan,
        request: &NewKey,
        credentials: &Credentials,
    ) -> Result<Created, Error> {
        if request.algorithm != AlgorithmId::Ed25519 {
            let (backend, algorithm) = (BackendKind::Age, request.algorithm);
            return Err(DeviceError::NoAlgorithm { backend, algorithm }.into());
        }
        // Wanted when the identity is written, which is not here.
        credentials.want_passphrase()?;
        let key = Key::<Software, Unlocked>::generate()?.with_did_method(request.did_method);
        Ok(Created { key: key.into(), locator: Locator::AgeFile(self.home.join(names::PAYLOAD)) })
    }

    fn find(&self, locator: &Locator, did: &Did) -> Result<KeyAtRest, Error> {
        match locator {
            Locator::AgeFile(path) => {
                let bytes = file::read_private(path)?
                    .ok_or_else(|| KeystoreError::NoIdentity { home: self.home().to_owned() })?;
                Ok(KeyAtRest::Software(Key::from_age_file_with_limit(
                    did.clone(),
                    bytes,
                    self.config.max_work_factor,
                )))
            }
            Locator::Pkcs11(_) | Locator::Tpm(_) => {
                Err(DeviceError::ForeignLocator { backend: BackendKind::Age }.into())
            }
        }
    }

    fn discard(&self, _: &Plan, _: &Credentials) -> Result<bool, Error> {
        // A software key is nowhere until its identity is written.
        Ok(false)
    }
}
