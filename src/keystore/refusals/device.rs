//! What a PIN is tried at, and what all homes of a user know of that together.

use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::did::Did;
use crate::encoding::hex;
use crate::error::KeystoreError;
use crate::fault::quoted;
use crate::file::{self, Look};

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
    /// Of a token: who made it.
    maker: Option<String>,
    /// Other tokens have it, or may have.
    shares: Shares,
    /// By which the configuration has it.
    slot: Option<Slot>,
    /// The DIDs of keys that it shows, where other tokens may have its name.
    shown: Vec<String>,
    /// The Name of the storage key above a key of a TPM, in hex: it is made of a seed of
    /// that TPM, whatever the device is called.
    parent: Option<String>,
    /// Which PIN of a key of a TPM, by its salt: a key that is sealed anew with another PIN
    /// has another one.
    salt: Option<String>,
}

/// What a token has in common with others, as far as was seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shares {
    Nothing,
    /// The serial number: they have other labels.
    Serial,
    /// The serial number and the label.
    Name,
}

/// A slot, which its module has numbered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Slot {
    pub(crate) module: PathBuf,
    pub(crate) number: u64,
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
        Self {
            name,
            owner,
            serial: None,
            key: None,
            maker: None,
            shares: Shares::Nothing,
            slot: None,
            shown: Vec::new(),
            parent: None,
            salt: None,
        }
    }

    /// A token with this serial number.
    pub(crate) fn with_serial(self, serial: &str, shares: Shares) -> Self {
        Self { serial: Some(serial.to_owned()), shares, ..self }
    }

    pub(crate) fn with_maker(self, maker: String) -> Self {
        Self { maker: Some(maker), ..self }
    }

    pub(crate) fn in_slot(self, slot: Option<Slot>) -> Self {
        Self { slot, ..self }
    }

    /// With the keys that it shows to anybody.
    pub(crate) fn showing(self, keys: &[Did]) -> Self {
        Self { shown: keys.iter().map(|did| did.as_str().to_owned()).collect(), ..self }
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

    pub(super) fn maker(&self) -> Option<&str> {
        self.maker.as_deref()
    }

    pub(super) const fn shares_serial(&self) -> bool {
        matches!(self.shares, Shares::Serial | Shares::Name)
    }

    pub(super) const fn shares_name(&self) -> bool {
        matches!(self.shares, Shares::Name)
    }

    pub(super) const fn slot(&self) -> Option<&Slot> {
        self.slot.as_ref()
    }

    pub(super) fn shown(&self) -> &[String] {
        &self.shown
    }

    pub(super) fn salt(&self) -> Option<&str> {
        self.salt.as_deref()
    }

    /// Whether it begins to count anew when it takes a right PIN. A TPM does not: it forgets
    /// wrong ones with time alone, and each one that is sent again is a try that is gone.
    pub(super) const fn counts_anew(&self) -> bool {
        matches!(self.owner, PinOwner::Token | PinOwner::Unknown)
    }

    /// Its directories among those of all devices: ours, and there. None where there is no
    /// directory for them all, for certain, and none may be made: each home goes by itself.
    ///
    /// # Errors
    ///
    /// If something is there that is no directory of ours, or there may be something: what is
    /// noted in it would be passed over.
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
        let is_there = match Look::at(state) {
            Look::There => true,
            Look::Absent => false,
            // A link: it can be moved away.
            Look::Barred { at, problem }
                if at == state && matches!(file::is_link(state), Ok(true)) =>
            {
                return Err(in_the_way(state, problem));
            }
            Look::Barred { at, problem } => return Err(barred(state, &at, &problem)),
        };
        for (kind, name) in names {
            // It may hold what no file name does.
            let name = hex::encode(&Sha256::digest(name.as_bytes()));
            let directory = state.join(format!("{kind}-{name}"));
            match file::private_dir(&directory) {
                // A link to nothing.
                Ok(()) if !directory.is_dir() => {
                    let path = directory.clone();
                    let error = KeystoreError::NotADirectory { path };
                    return Err(unusable(state, &directory, error));
                }
                Ok(()) => {
                    shared.noted.get_or_insert_with(|| directory.clone());
                    shared.locked.push(directory);
                }
                // It takes no note, and that is said where one is to be written.
                Err(KeystoreError::Io { source, .. })
                    if source.kind() == ErrorKind::ReadOnlyFilesystem && state.is_dir() =>
                {
                    shared.noted.get_or_insert(directory);
                }
                // Nobody else of this user can have made one there.
                Err(KeystoreError::Io { source, .. })
                    if !is_there && may_not_be_made(&source) && Look::at(state) == Look::Absent =>
                {
                    log::debug!("homes of one device do not wait for each other: {source}");
                }
                Err(error) => return Err(unusable(state, &directory, error)),
            }
        }
        // In this order everywhere.
        shared.locked.sort();
        Ok(shared)
    }
}

/// By this user, here: not that it fails now.
fn may_not_be_made(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem)
}

/// Whether others have noted something there cannot be seen.
fn barred(state: &Path, at: &Path, problem: &str) -> KeystoreError {
    let problem = match at == state {
        true => problem.to_owned(),
        false => format!("{}: {problem}", quoted(at)),
    };
    let repair = "give this user a state directory that it can use: set $XDG_STATE_HOME to a \
                  directory of its own (of a program, `HomeOptions::with_state_directory`); or, if \
                  it has none, unset $XDG_STATE_HOME and $HOME: each home goes by itself then. \
                  For a command by sudo, `sudo -H` sets $HOME"
        .to_owned();
    KeystoreError::Unsafe { path: state.to_owned(), problem, repair }
}

/// A directory in which homes share what they know is in the way of each of them, and the
/// advice for a home does not fit it.
fn unusable(state: &Path, directory: &Path, error: KeystoreError) -> KeystoreError {
    let path = if state.is_dir() { directory } else { state }.to_owned();
    let problem = match error {
        // Its mode.
        KeystoreError::Unsafe { ref repair, .. } if repair.contains("chmod") => return error,
        KeystoreError::Unsafe { problem, .. } => problem,
        KeystoreError::NotADirectory { .. } => "it is not a directory".to_owned(),
        // There is advice for a disk that is full.
        KeystoreError::Io { ref source, .. }
            if matches!(source.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded) =>
        {
            return error;
        }
        KeystoreError::Io { source, .. } => source.to_string(),
        error => return error,
    };
    in_the_way(&path, problem)
}

fn in_the_way(path: &Path, problem: String) -> KeystoreError {
    let quoted = quoted(path);
    let repair = format!(
        "move {quoted} away, or make it a directory of the user that runs this, with mode 0700; \
         or name another state directory ($XDG_STATE_HOME of a command, \
         `HomeOptions::with_state_directory` of a program)"
    );
    KeystoreError::Unsafe { path: path.to_owned(), problem, repair }
}
