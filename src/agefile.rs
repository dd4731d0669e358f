//! age v1 files: with a passphrase (scrypt), or with a storage key (X25519).
//!
//! Bytes go in and bytes come out: what they mean is for the rooms above. The
//! stock `age` tool opens these files.

mod file;
mod form;
mod header;
mod memory;
mod slow;
mod stream;
mod turns;

use std::io;
use std::str::FromStr as _;

use ::age::{DecryptError, Identity, Recipient, scrypt, x25519};
use secrecy::ExposeSecret as _;
use zeroize::Zeroizing;

pub(crate) use self::form::{check_form, is_for_passphrase};
pub(crate) use self::header::{HeaderLines, UnendedStanza};
pub(crate) use self::memory::NoMemory;
pub(crate) use self::turns::sharing;
use crate::fault::OpenError;
use crate::secret::{LockedText, Passphrase, leaving_no_trace_of_much};
use crate::waiting::{self, Wait};

/// log2 of the scrypt work `N` (age v1, section "scrypt recipient stanza").
/// 18, the default, costs about a second and 256 MiB.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WorkFactor(u8);

impl WorkFactor {
    /// log2 of `N`, between 10 (for tests) and 22; else `None`.
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

/// Whatever is in the file, in one allocation that is wiped.
pub(crate) fn decrypt_with_passphrase(
    file: &[u8],
    passphrase: &Passphrase,
    max_work_factor: u8,
) -> Result<Zeroizing<Vec<u8>>, OpenError> {
    let plaintext = open_with_passphrase(file, passphrase, max_work_factor).map_err(refused);
    plaintext.map_err(|error| match (error, passphrase.problem()) {
        (OpenError::ExcessiveWork { required, .. }, _) => {
            OpenError::ExcessiveWork { required, limit: max_work_factor }
        }
        (OpenError::WrongPassphrase, Some(problem)) => OpenError::OddPassphrase { problem },
        (error, _) => error,
    })
}

/// As [`decrypt_with_passphrase`], with the error of age. Each form of the passphrase is tried.
pub(crate) fn open_with_passphrase(
    file: &[u8],
    passphrase: &Passphrase,
    max_work_factor: u8,
) -> Result<Zeroizing<Vec<u8>>, DecryptError> {
    let open = |form| {
        let mut identity = scrypt::Identity::new(form);
        identity.set_max_work_factor(max_work_factor);
        let work = slow::work_of(file).filter(|work| *work <= max_work_factor);
        costing_scrypt(work, || decrypt(file, std::iter::once::<&dyn Identity>(&identity)))
            .unwrap_or_else(|error| Err(DecryptError::Io(io::Error::other(error))))
    };
    passphrase.open_with(open, is_wrong)
}

/// scrypt: the file key does not unwrap.
const fn is_wrong(error: &DecryptError) -> bool {
    matches!(error, DecryptError::DecryptionFailed | DecryptError::KeyDecryptionFailed)
}

/// Encrypts bytes of any kind with a passphrase, which must not be empty.
pub(crate) fn encrypt_with_passphrase(
    plaintext: &[u8],
    passphrase: &Passphrase,
    work_factor: WorkFactor,
) -> Result<Vec<u8>, OpenError> {
    if passphrase.is_empty() {
        return Err(OpenError::EmptyPassphrase);
    }
    let mut recipient = scrypt::Recipient::new(passphrase.to_encrypt_with());
    recipient.set_work_factor(work_factor.0);
    costing_scrypt(Some(work_factor.0), || encrypt(plaintext, &[&recipient]))
        .unwrap_or_else(|NoMemory(log_n)| Err(OpenError::NoMemory { log_n }))
}

/// Does work that costs scrypt with `N = 2^log_n` and `r = 8`, if there is memory for it,
/// and says that it is waited for. `None`: it does not cost scrypt.
pub(crate) fn costing_scrypt<T>(
    log_n: Option<u8>,
    work: impl FnOnce() -> T,
) -> Result<T, NoMemory> {
    let Some(work_factor) = log_n else { return Ok(work()) };
    waiting::during(Wait::Scrypt { log_n: work_factor }, || {
        let _turn = turns::wait(work_factor);
        memory::with_room(work_factor, || slow::watched(log_n, work))
    })
}

/// Whether scrypt got no memory, and for which work.
pub(crate) fn lacking_memory(error: &DecryptError) -> Option<u8> {
    let DecryptError::Io(error) = error else { return None };
    let NoMemory(log_n) = error.get_ref()?.downcast_ref()?;
    Some(*log_n)
}

/// A storage key: an age X25519 identity (`AGE-SECRET-KEY-1…`), so that
/// whoever holds it opens the file with the stock tool.
pub(crate) fn new_storage_key() -> LockedText {
    LockedText::from(x25519::Identity::generate().to_string().expose_secret())
}

/// Encrypts bytes of any kind to a storage key.
pub(crate) fn encrypt_with_storage_key(
    plaintext: &[u8],
    key: &LockedText,
) -> Result<Vec<u8>, OpenError> {
    encrypt(plaintext, &[&storage_identity(key)?.to_public()])
}

/// Decrypts what was encrypted to a storage key alone.
pub(crate) fn decrypt_with_storage_key(
    file: &[u8],
    key: &LockedText,
) -> Result<Zeroizing<Vec<u8>>, OpenError> {
    let identity = storage_identity(key)?;
    check_header(file, OUR_HEADER).map_err(refused)?;
    leaving_no_trace_of_much(|| {
        let identities = std::iter::once::<&dyn Identity>(&identity);
        file::open(file, identities).map_err(refused)
    })
}

fn storage_identity(key: &LockedText) -> Result<x25519::Identity, OpenError> {
    x25519::Identity::from_str(key.expose_secret())
        .map_err(|reason| OpenError::Damaged(format!("storage key: {reason}").into()))
}

/// Whether a file was made for another passphrase or storage key than was tried, as far
/// as can be told.
pub(crate) fn is_of_another_secret(error: &OpenError) -> bool {
    match error {
        OpenError::WrongPassphrase | OpenError::OddPassphrase { .. } => true,
        OpenError::Damaged(source) => {
            matches!(source.downcast_ref(), Some(DecryptError::NoMatchingKeys))
        }
        _ => false,
    }
}

/// Encrypts bytes of any kind to each of these recipients.
pub(crate) fn encrypt(
    plaintext: &[u8],
    recipients: &[&dyn Recipient],
) -> Result<Vec<u8>, OpenError> {
    leaving_no_trace_of_much(|| file::seal(plaintext, recipients))
}

/// Decrypts with whichever of these identities opens it.
pub(crate) fn decrypt<'a>(
    file: &[u8],
    identities: impl Iterator<Item = &'a dyn Identity>,
) -> Result<Zeroizing<Vec<u8>>, DecryptError> {
    check_header(file, ANY_HEADER)?;
    leaving_no_trace_of_much(|| file::open(file, identities))
}

/// Bytes of a header, at most. One of a megabyte would be parsed for hours, since
/// each part that is missing makes the parser begin again. Ours has one stanza or
/// two.
const OUR_HEADER: usize = 4096;
/// Room for more than a hundred recipients.
const ANY_HEADER: usize = 16 * 1024;

fn check_header(file: &[u8], max: usize) -> Result<(), DecryptError> {
    let start = file.get(..max).unwrap_or(file);
    // The MAC, in the last line.
    let ends = start.windows(5).any(|window| window == b"\n--- ");
    let stanzas_end = HeaderLines::default().look_at(start).is_ok();
    if ends && stanzas_end { Ok(()) } else { Err(DecryptError::InvalidHeader) }
}

fn refused(error: DecryptError) -> OpenError {
    if let Some(log_n) = lacking_memory(&error) {
        return OpenError::NoMemory { log_n };
    }
    match error {
        error if is_wrong(&error) => OpenError::WrongPassphrase,
        DecryptError::ExcessiveWork { required, target } => {
            OpenError::ExcessiveWork { required, limit: target }
        }
        error => OpenError::Damaged(Box::new(error)),
    }
}
