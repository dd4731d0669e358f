//! What a PIN is tried at, and what all homes of a user know of that together.

use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use crate::encoding::hex;
use crate::file;

/// Whose PIN it is that is tried.
#[derive(Debug, Clone)]
pub(crate) struct TriedDevice {
    /// Under which refusals are noted.
    name: String,
    owner: PinOwner,
    /// Which PIN of a key of a TPM, by its salt: a key that is sealed anew with another PIN
    /// has another one.
    salt: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PinOwner {
    /// A token, known by its label and serial number: every key of it has this PIN.
    Token,
    /// The same, where the token's keys are in a TPM, and that counts.
    TokenOfTpm,
    /// One key of a TPM, which counts wrong ones of all its keys together.
    KeyOfTpm,
    /// It does not say who it is.
    Unknown,
}

impl TriedDevice {
    pub(crate) fn new(name: impl Into<String>, owner: PinOwner) -> Self {
        Self { name: name.into(), owner, salt: None }
    }

    pub(crate) fn with_salt(self, salt: Option<&[u8]>) -> Self {
        Self { salt: salt.map(hex::encode), ..self }
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn salt(&self) -> Option<&str> {
        self.salt.as_deref()
    }

    /// Whether a PIN that was refused in one home is wrong in each.
    pub(super) const fn has_one_pin(&self) -> bool {
        matches!(self.owner, PinOwner::Token | PinOwner::TokenOfTpm)
    }

    /// Whether it begins to count anew when it takes a right PIN. A TPM does not: it forgets
    /// wrong ones with time alone, and each one that is sent again is a try that is gone.
    pub(super) const fn counts_anew(&self) -> bool {
        matches!(self.owner, PinOwner::Token | PinOwner::Unknown)
    }

    /// Its directory among those of all devices: ours, and there. `None` where none can
    /// be had, and each home goes by itself.
    pub(super) fn directory(&self, state: Option<&Path>) -> Option<PathBuf> {
        let kind = match self.owner {
            PinOwner::Token | PinOwner::TokenOfTpm => "token",
            PinOwner::KeyOfTpm => "tpm",
            PinOwner::Unknown => return None,
        };
        // It may hold what no file name does.
        let name = hex::encode(&Sha256::digest(self.name.as_bytes()));
        let directory = state?.join(format!("{kind}-{name}"));
        match file::private_dir(&directory) {
            Ok(()) => Some(directory),
            Err(error) => {
                log::debug!("homes of one device do not wait for each other: {error}");
                None
            }
        }
    }
}
