//! What opens an identity and its payload.

use super::header::{Header, Storage};
use super::payload::Payload;
use crate::agefile;
use crate::backend::{Backend, Credentials, Plan};
use crate::config::AgeConfig;
use crate::did::Did;
use crate::error::{DeviceError, Error, OpenError};
use crate::secret::{LockedText, Passphrase};

/// What opens the payload, once the key is open. In locked memory, in one copy that
/// clones share.
#[derive(Clone)]
pub(super) enum StorageSecret {
    Passphrase(Passphrase),
    Key(LockedText),
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
    plan: &Plan,
    did: &Did,
    credentials: &Credentials,
) -> Result<(Storage, StorageSecret), Error> {
    if let Some(vault) = backend.vault() {
        let key = agefile::new_storage_key();
        if let Some(wrapped) = vault.wrap_as(plan, did, &key, credentials)? {
            return Ok((wrapped.into(), StorageSecret::Key(key)));
        }
    }
    let passphrase = credentials.want_passphrase_beside_pin()?.clone();
    Ok((Storage::Passphrase {}, StorageSecret::Passphrase(passphrase)))
}

pub(super) fn stored_secret(
    backend: &dyn Backend,
    header: &Header,
    credentials: &Credentials,
) -> Result<StorageSecret, Error> {
    match (header.storage().wrapped(), backend.vault()) {
        (None, _) => {
            Ok(StorageSecret::Passphrase(credentials.want_passphrase_beside_pin()?.clone()))
        }
        (Some(wrapped), Some(vault)) => {
            Ok(StorageSecret::Key(vault.unwrap(header.did(), &wrapped, credentials)?))
        }
        (Some(_), None) => Err(DeviceError::StorageKey {
            token: header.locator().map(|locator| locator.token.clone()).unwrap_or_default(),
            source: None,
        }
        .into()),
    }
}
