//! age v1 files: with a passphrase (scrypt), or with a storage key (X25519).
//!
//! The stock `age` tool opens them.

use std::io::{self, Read as _, Write as _};
use std::str::FromStr as _;

use ::age::{DecryptError, Decryptor, Encryptor, Identity, Recipient, scrypt, x25519};
use secrecy::{ExposeSecret as _, SecretString};
use zeroize::Zeroizing;

use super::payload::Payload;
use crate::error::OpenError;
use crate::secret::Passphrase;

/// log2 of the scrypt work `N` (age v1, section "scrypt recipient stanza").
/// 18, the default, costs about a second and 256 MiB.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WorkFactor(u8);

impl WorkFactor {
    /// Between 10 (for tests) and 22.
    #[must_use]
    pub const fn new(log_n: u8) -> Option<Self> {
        if log_n >= 10 && log_n <= 22 { Some(Self(log_n)) } else { None }
    }
}

impl Default for WorkFactor {
    fn default() -> Self {
        Self(18)
    }
}

/// The most work that a file may ask for, unless configured: 2^20, about four
/// seconds and 1 GiB.
pub(crate) const MAX_WORK_FACTOR: u8 = 20;

pub(crate) fn seal_with_passphrase(
    payload: &Payload,
    passphrase: &Passphrase,
    work_factor: WorkFactor,
) -> Result<Vec<u8>, OpenError> {
    if passphrase.is_empty() {
        return Err(OpenError::EmptyPassphrase);
    }
    let mut recipient = scrypt::Recipient::new(passphrase.to_secret_string());
    recipient.set_work_factor(work_factor.0);
    seal(payload, &recipient)
}

pub(crate) fn open_with_passphrase(
    file: &[u8],
    passphrase: &Passphrase,
    max_work_factor: u8,
) -> Result<Payload, OpenError> {
    let mut identity = scrypt::Identity::new(passphrase.to_secret_string());
    identity.set_max_work_factor(max_work_factor);
    open(file, &identity).map_err(|error| match error {
        OpenError::ExcessiveWork { required, .. } => {
            OpenError::ExcessiveWork { required, limit: max_work_factor }
        }
        error => error,
    })
}

/// A storage key: an age X25519 identity (`AGE-SECRET-KEY-1…`), so that
/// whoever holds it opens the file with the stock tool.
pub(crate) fn new_storage_key() -> SecretString {
    x25519::Identity::generate().to_string()
}

pub(crate) fn seal_with_storage_key(
    payload: &Payload,
    key: &SecretString,
) -> Result<Vec<u8>, OpenError> {
    seal(payload, &storage_identity(key)?.to_public())
}

pub(crate) fn open_with_storage_key(file: &[u8], key: &SecretString) -> Result<Payload, OpenError> {
    open(file, &storage_identity(key)?)
}

fn storage_identity(key: &SecretString) -> Result<x25519::Identity, OpenError> {
    x25519::Identity::from_str(key.expose_secret())
        .map_err(|reason| OpenError::Damaged(format!("storage key: {reason}").into()))
}

fn seal(payload: &Payload, recipient: &impl Recipient) -> Result<Vec<u8>, OpenError> {
    let json = payload.to_json().map_err(OpenError::Payload)?;
    let encryptor = Encryptor::with_recipients(std::iter::once::<&dyn Recipient>(recipient))
        .map_err(|error| OpenError::Encrypt(error.into()))?;
    let write = || -> io::Result<Vec<u8>> {
        let mut writer = encryptor.wrap_output(Vec::new())?;
        writer.write_all(&json)?;
        writer.finish()
    };
    write().map_err(|error| OpenError::Encrypt(error.into()))
}

fn open(file: &[u8], identity: &dyn Identity) -> Result<Payload, OpenError> {
    check_header(file)?;
    let decryptor = Decryptor::new_buffered(file).map_err(refused)?;
    let mut reader = decryptor.decrypt(std::iter::once(identity)).map_err(refused)?;
    // Longer than any plaintext of this file: nothing is reallocated, so
    // nothing is left behind unwiped.
    let mut json = Zeroizing::new(Vec::with_capacity(file.len()));
    reader.read_to_end(&mut json).map_err(|error| OpenError::Damaged(error.into()))?;
    Payload::from_json(&json).map_err(OpenError::Payload)
}

/// Ours has one stanza or two; one of a megabyte would be parsed for hours, since
/// each part that is missing makes the parser begin again.
const MAX_HEADER: usize = 4096;

fn check_header(file: &[u8]) -> Result<(), OpenError> {
    let start = file.get(..MAX_HEADER).unwrap_or(file);
    // The MAC, in the last line.
    if start.windows(5).any(|window| window == b"\n--- ") {
        Ok(())
    } else {
        Err(OpenError::Damaged("its header has no end".into()))
    }
}

fn refused(error: DecryptError) -> OpenError {
    match error {
        // scrypt: the file key does not unwrap.
        DecryptError::DecryptionFailed | DecryptError::KeyDecryptionFailed => {
            OpenError::WrongPassphrase
        }
        DecryptError::ExcessiveWork { required, target } => {
            OpenError::ExcessiveWork { required, limit: target }
        }
        error => OpenError::Damaged(Box::new(error)),
    }
}
