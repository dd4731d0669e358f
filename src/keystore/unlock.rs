//! What opens an identity and its payload.

use secrecy::SecretString;

use super::header::{Header, Storage};
use super::payload::Payload;
use crate::agefile;
use crate::backend::{Backend, BackendKind, Credential};
use crate::config::AgeConfig;
use crate::did::Did;
use crate::error::{DeviceError, Error, KeystoreError, OpenError};
use crate::secret::{Passphrase, Pin};

/// What opens an identity: a passphrase, a PIN, or a PIN and a passphrase for
/// tokens that cannot keep a storage key.
#[derive(Debug, Clone, Default)]
pub struct Credentials {
    passphrase: Option<Passphrase>,
    pin: Option<Pin>,
}

impl Credentials {
    /// A passphrase.
    #[must_use]
    pub const fn passphrase(passphrase: Passphrase) -> Self {
        Self { passphrase: Some(passphrase), pin: None }
    }

    /// A PIN.
    #[must_use]
    pub const fn pin(pin: Pin) -> Self {
        Self { passphrase: None, pin: Some(pin) }
    }

    /// A passphrase as well.
    #[must_use]
    pub fn and_passphrase(mut self, passphrase: Passphrase) -> Self {
        self.passphrase = Some(passphrase);
        self
    }

    /// The PIN.
    ///
    /// # Errors
    ///
    /// [`DeviceError::WrongCredential`] if there is none.
    pub fn want_pin(&self) -> Result<&Pin, DeviceError> {
        let missing = DeviceError::WrongCredential { backend: BackendKind::Pkcs11, wanted: "PIN" };
        self.pin.as_ref().ok_or(missing)
    }

    pub(super) fn for_backend(&self, kind: BackendKind) -> Result<Credential, DeviceError> {
        match kind {
            BackendKind::Age => self.passphrase.clone().map(Credential::Passphrase).ok_or(
                DeviceError::WrongCredential { backend: BackendKind::Age, wanted: "passphrase" },
            ),
            BackendKind::Pkcs11 => self.want_pin().cloned().map(Credential::Pin),
            // Whether there is one to want is known by the key.
            BackendKind::Tpm => Ok(Credential::Pin(self.pin.clone().unwrap_or_else(Pin::none))),
        }
    }

    pub(super) fn want_passphrase(&self) -> Result<&Passphrase, KeystoreError> {
        self.passphrase.as_ref().ok_or(KeystoreError::PassphraseNeeded)
    }
}

/// What opens the payload, once the key is open.
pub(super) enum StorageSecret {
    Passphrase(Passphrase),
    Key(SecretString),
}

impl StorageSecret {
    pub(super) fn seal(&self, payload: &Payload, config: &AgeConfig) -> Result<Vec<u8>, OpenError> {
        payload.sealed(|json| match self {
            Self::Passphrase(passphrase) => {
                let work = agefile::WorkFactor::new(config.work_factor).unwrap_or_default();
                agefile::encrypt_with_passphrase(json, passphrase, work)
            }
            Self::Key(key) => agefile::encrypt_with_storage_key(json, key),
        })
    }

    pub(super) fn unseal(&self, file: &[u8], config: &AgeConfig) -> Result<Payload, OpenError> {
        let json = match self {
            Self::Passphrase(passphrase) => {
                agefile::decrypt_with_passphrase(file, passphrase, config.max_work_factor)
            }
            Self::Key(key) => agefile::decrypt_with_storage_key(file, key),
        };
        Payload::opened(&json?)
    }
}

/// A storage key on the device if it can keep one, else a passphrase.
pub(super) fn new_storage(
    backend: &dyn Backend,
    did: &Did,
    credentials: &Credentials,
) -> Result<(Storage, StorageSecret), Error> {
    if let Some(vault) = backend.vault() {
        let key = agefile::new_storage_key();
        let credential = credentials.for_backend(backend.kind())?;
        if let Some(wrapped) = vault.wrap(did, &key, &credential)? {
            return Ok((wrapped.into(), StorageSecret::Key(key)));
        }
    }
    let passphrase = credentials.want_passphrase()?.clone();
    Ok((Storage::Passphrase {}, StorageSecret::Passphrase(passphrase)))
}

pub(super) fn stored_secret(
    backend: &dyn Backend,
    header: &Header,
    credentials: &Credentials,
) -> Result<StorageSecret, Error> {
    match (header.storage().wrapped(), backend.vault()) {
        (None, _) => Ok(StorageSecret::Passphrase(credentials.want_passphrase()?.clone())),
        (Some(wrapped), Some(vault)) => {
            let credential = credentials.for_backend(backend.kind())?;
            Ok(StorageSecret::Key(vault.unwrap(header.did(), &wrapped, &credential)?))
        }
        (Some(_), None) => Err(DeviceError::StorageKey {
            token: header.locator().map(|locator| locator.token.clone()).unwrap_or_default(),
            source: None,
        }
        .into()),
    }
}
