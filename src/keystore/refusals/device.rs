//! What a PIN is tried at, and what all homes of a user know of that together.

use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use crate::did::Did;
use crate::encoding::hex;
use crate::error::KeystoreError;
use crate::file;

/// Whose PIN it is that is tried, by all that tells it from others.
#[derive(Debug, Clone)]
pub(crate) struct TriedDevice {
    /// As people know it.
    name: String,
    owner: PinOwner,
    /// Of a token. It stays when the token gets another label.
    serial: Option<String>,
    /// The DID of the key that is to be used.
    key: Option<String>,
    /// Another token has this name, or may have: the key alone tells them apart.
    shares_name: bool,
    /// The Name of the storage key above a key of a TPM, in hex: it is made of a seed of
    /// that TPM, whatever the device is called.
    parent: Option<String>,
    /// Which PIN of a key of a TPM, by its salt: a key that is sealed anew with another PIN
    /// has another one.
    salt: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PinOwner {
    /// A token: every key of it has this PIN.
    Token,
    /// The same, where the token's keys are in a TPM, and that counts.
    TokenOfTpm,
    /// One key of a TPM, which counts wrong ones of all its keys together.
    KeyOfTpm,
    /// It does not say who it is.
    Unknown,
}

/// Directories that homes of one user share.
#[derive(Debug, Default)]
pub(super) struct Shared {
    /// Of one device: there may be two, by two of its names.
    pub(super) locked: Vec<PathBuf>,
    /// Where it is noted what it has refused.
    pub(super) noted: Option<PathBuf>,
}

impl TriedDevice {
    pub(crate) fn new(name: impl Into<String>, owner: PinOwner) -> Self {
        let name = name.into();
        let (serial, key, parent, salt) = (None, None, None, None);
        Self { name, owner, serial, key, shares_name: false, parent, salt }
    }

    /// A token with this serial number, which another one may have, too.
    pub(crate) fn with_serial(self, serial: &str, shares_name: bool) -> Self {
        Self { serial: Some(serial.to_owned()), shares_name, ..self }
    }

    /// With the key that its PIN is wanted for.
    pub(crate) fn with_key(self, key: Option<&Did>) -> Self {
        Self { key: key.map(|did| did.as_str().to_owned()), ..self }
    }

    /// Below this storage key.
    pub(crate) fn with_parent(self, name: Option<&[u8]>) -> Self {
        Self { parent: name.map(hex::encode), ..self }
    }

    pub(crate) fn with_salt(self, salt: Option<&[u8]>) -> Self {
        Self { salt: salt.map(hex::encode), ..self }
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn serial(&self) -> Option<&str> {
        self.serial.as_deref()
    }

    pub(super) fn key(&self) -> Option<&str> {
        self.key.as_deref()
    }

    pub(super) const fn shares_name(&self) -> bool {
        self.shares_name
    }

    pub(super) fn salt(&self) -> Option<&str> {
        self.salt.as_deref()
    }

    /// Whether it begins to count anew when it takes a right PIN. A TPM does not: it forgets
    /// wrong ones with time alone, and each one that is sent again is a try that is gone.
    pub(super) const fn counts_anew(&self) -> bool {
        matches!(self.owner, PinOwner::Token | PinOwner::Unknown)
    }

    /// Its directories among those of all devices: ours, and there. None where none can
    /// be made, and each home goes by itself.
    ///
    /// # Errors
    ///
    /// If one is there that others could read or write: what is noted in it would be passed
    /// over.
    pub(super) fn shared(&self, state: Option<&Path>) -> Result<Shared, KeystoreError> {
        let serial = self.serial.as_deref();
        // The first one takes the notes.
        let names = match self.owner {
            PinOwner::Token | PinOwner::TokenOfTpm => {
                vec![("token", serial.unwrap_or(&self.name))]
            }
            PinOwner::KeyOfTpm => {
                let parent = self.parent.as_deref().map(|name| ("tpm", name));
                parent.into_iter().chain([("tpm", self.name.as_str())]).collect()
            }
            PinOwner::Unknown => Vec::new(),
        };
        let mut shared = Shared::default();
        let Some(state) = state else { return Ok(shared) };
        for (kind, name) in names {
            // It may hold what no file name does.
            let name = hex::encode(&Sha256::digest(name.as_bytes()));
            let directory = state.join(format!("{kind}-{name}"));
            match file::private_dir(&directory) {
                Ok(()) => {
                    shared.noted.get_or_insert_with(|| directory.clone());
                    shared.locked.push(directory);
                }
                Err(
                    error @ (KeystoreError::Unsafe { .. } | KeystoreError::NotADirectory { .. }),
                ) => return Err(error),
                Err(error) => {
                    log::debug!("homes of one device do not wait for each other: {error}");
                }
            }
        }
        // In this order everywhere.
        shared.locked.sort();
        Ok(shared)
    }
}
