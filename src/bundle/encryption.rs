//! What others encrypt to the bundle's X25519 key: age files, and raw X25519.
//!
//! The key is a software key, whatever the DID key is, and it stays as long as
//! the identity does. So there is no forward secrecy: whoever gets it opens
//! everything that was ever encrypted to it.

mod agreement;
mod armor;
mod error;
mod file_key;
#[cfg(all(
    any(test, fuzzing),
    feature = "attestation",
    feature = "audit",
    feature = "client",
    feature = "pkcs11",
    feature = "tpm"
))]
pub(crate) mod formats;
mod retired;
mod source;

use std::cell::Cell;
use std::fmt;
use std::io::{self, BufReader, Read, Write};
use std::path::Path;
use std::str::FromStr as _;

use ::age::stream::StreamReader;
use ::age::{Decryptor, Identity, x25519};
use age_core::format::{FileKey as AgeFileKey, Stanza};
use secrecy::ExposeSecret as _;
use zeroize::Zeroizing;

pub use self::agreement::{NotContributory, SharedSecret};
pub use self::error::DecryptError;
pub use self::file_key::{EncryptedHeader, OpenedHeader};
pub use self::retired::RetiredDecryptionKey;
pub(crate) use self::retired::RetiredKeys;
use self::source::Unarmored;
use super::IdentityBundle;
use crate::encoding;
use crate::file::{Existing, NewFile, io_error};
use crate::secret::X25519Seed;
use crate::signer::DidSigner;

type Ciphertext<R> = BufReader<Unarmored<R>>;

/// An age file whose header was read, and that nobody has opened yet.
///
/// Binary or armored (PEM). What cannot be opened with any X25519 key is
/// refused here, before anybody is asked for a credential.
pub struct EncryptedFile<R: Read> {
    decryptor: Decryptor<Ciphertext<R>>,
    header: String,
}

impl<R: Read> EncryptedFile<R> {
    /// **Blocks** as the reader does. Reads the header, of 64 KiB at most.
    ///
    /// # Errors
    ///
    /// [`DecryptError`] if this is no age file, or one with a passphrase.
    pub fn read(input: R) -> Result<Self, DecryptError> {
        let (input, limit) = Unarmored::new(input)?;
        let file = Decryptor::new_buffered(BufReader::new(input));
        let file = file.map_err(DecryptError::of_header)?;
        let header = file_key::header_in(&limit.lift())?;
        match file.is_scrypt() {
            true => Err(DecryptError::PassphraseFile),
            false => Ok(Self { decryptor: file, header }),
        }
    }

    /// Its header without armor, to the end of the line with its MAC: what
    /// [`EncryptedHeader::parse`] takes, and a daemon that decrypts.
    #[must_use]
    pub fn header(&self) -> &str {
        &self.header
    }

    /// Opens it by its file key (age v1, section "File key"), which whoever has opened its
    /// header knows. The header's MAC is verified with it.
    ///
    /// # Errors
    ///
    /// [`DecryptError::Damaged`] if it is another file's key, or the header was changed.
    pub fn decrypt_with(self, file_key: &[u8; 16]) -> Result<Plaintext<R>, DecryptError> {
        let known = file_key::Known(file_key);
        let reader = self.decryptor.decrypt(std::iter::once::<&dyn Identity>(&known));
        Ok(Plaintext { reader: reader.map_err(DecryptError::of_key)?, retired: None })
    }
}

impl<R: Read> fmt::Debug for EncryptedFile<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EncryptedFile").finish_non_exhaustive()
    }
}

/// What is in an age file, decrypted as it is read, 64 KiB at a time.
///
/// Each piece was authenticated before it is given out, but only the end of
/// the file says that none is missing: **what was read must not be used before
/// it returned `Ok(0)`**. [`Self::save`] leaves nothing that could be used
/// before; [`Self::copy_to`] says so by its result.
pub struct Plaintext<R: Read> {
    reader: StreamReader<Ciphertext<R>>,
    retired: Option<RetiredDecryptionKey>,
}

impl<R: Read> Plaintext<R> {
    /// The retired key that opened the file, which was encrypted to an older DID: let
    /// its sender know the present one. `None` if the bundle's own key did.
    #[must_use]
    pub const fn retired_key(&self) -> Option<&RetiredDecryptionKey> {
        self.retired.as_ref()
    }

    /// **Blocks** on files. Writes everything to a file for its owner alone (mode
    /// 0600); gives the number of bytes. The file appears under its name, durably,
    /// when the last piece was authenticated, and not before.
    ///
    /// # Errors
    ///
    /// [`DecryptError::NotSaved`] if the file cannot be made, and as
    /// [`Self::copy_to`]. Under its name is then what was there before.
    pub fn save(self, path: &Path, existing: Existing) -> Result<u64, DecryptError> {
        // While nothing is written yet.
        NewFile::check(path, existing)?;
        let mut new = NewFile::create(path)?;
        let total = self.copy_to(&mut new).map_err(|error| match error {
            DecryptError::Output(source) => io_error("write", path)(source).into(),
            error => error,
        })?;
        new.keep(existing)?;
        Ok(total)
    }

    /// **Blocks** as reader and writer do. Writes everything to `output`; gives the
    /// number of bytes.
    ///
    /// # Errors
    ///
    /// [`DecryptError`]; what was written then must not be used.
    pub fn copy_to(mut self, output: &mut impl Write) -> Result<u64, DecryptError> {
        let mut buffer = Zeroizing::new(vec![0; 64 * 1024]);
        let mut total = 0;
        loop {
            let count = match self.reader.read(&mut buffer) {
                Ok(0) => return Ok(total),
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(DecryptError::of_payload(error)),
            };
            let piece = buffer.get(..count).unwrap_or_default();
            output.write_all(piece).map_err(DecryptError::Output)?;
            total += u64::try_from(count).unwrap_or(0);
        }
    }
}

impl<R: Read> Read for Plaintext<R> {
    /// An error of the file is an [`io::Error`] around a [`DecryptError`].
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.reader.read(buffer).map_err(|error| match error.kind() {
            io::ErrorKind::Interrupted => error,
            kind => io::Error::new(kind, DecryptError::of_payload(error)),
        })
    }
}

impl<R: Read> fmt::Debug for Plaintext<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Plaintext").finish_non_exhaustive()
    }
}

impl<S: DidSigner> IdentityBundle<S> {
    /// The X25519 key as an age recipient, `age1…`: what the stock `age` tool
    /// takes with `--recipient`.
    #[must_use]
    pub fn age_recipient(&self) -> String {
        self.x25519_public_key().to_string()
    }

    /// Opens an age file that was encrypted to [`Self::age_recipient`]; or, if it was
    /// not, to one of the [retired keys](Self::retired_decryption_keys), which
    /// [`Plaintext::retired_key`] tells.
    ///
    /// Its memory does not grow with the file. While this is running a copy of
    /// the X25519 key that is tried is in memory that is wiped, but not locked.
    ///
    /// # Errors
    ///
    /// [`DecryptError::NotForThisIdentity`], or that the header was changed.
    pub fn decrypt<R: Read>(&self, file: EncryptedFile<R>) -> Result<Plaintext<R>, DecryptError> {
        let (reader, retired, _) = self.open(file, false)?;
        Ok(Plaintext { reader, retired })
    }

    /// The retired key that opened it, and the file key if that is kept.
    fn open<R: Read>(
        &self,
        file: EncryptedFile<R>,
        keeps: bool,
    ) -> Result<Opened<R>, DecryptError> {
        let companions = self.companions();
        let present = Tried::new(&companions.x25519, keeps);
        let retired: Vec<_> =
            self.retired.as_slice().iter().map(|key| Tried::new(key.secret(), keeps)).collect();
        let mut all: Vec<&dyn Identity> = vec![&present];
        for key in &retired {
            all.push(key);
        }
        let reader = file.decryptor.decrypt(all.into_iter());
        if std::iter::once(&present)
            .chain(&retired)
            .any(|key| key.outcome.get() == Outcome::Unusable)
        {
            return Err(DecryptError::Key);
        }
        let reader = reader.map_err(DecryptError::of_key)?;
        let opened = retired.iter().position(|key| key.outcome.get() == Outcome::Opened);
        let file_key = match opened.and_then(|index| retired.get(index)) {
            Some(key) => key.file_key.take(),
            None => present.file_key.take(),
        };
        let retired = opened.and_then(|index| self.retired.as_slice().get(index)).cloned();
        Ok((reader, retired, file_key))
    }

    /// The decryption keys of older identities that this one has taken over, the oldest
    /// first; see [`RetiredDecryptionKey`]. None unless that was asked for at the
    /// rotation.
    #[must_use]
    pub fn retired_decryption_keys(&self) -> &[RetiredDecryptionKey] {
        self.retired.as_slice()
    }
}

/// An age file of at most 1 MiB without its armor, if it has any: as it is otherwise.
pub(crate) fn unarmored(file: &[u8]) -> Result<Zeroizing<Vec<u8>>, DecryptError> {
    let (mut input, limit) = Unarmored::new(file)?;
    limit.lift();
    // Never longer than with its armor: it does not grow, which would leave copies.
    let mut binary = Zeroizing::new(Vec::with_capacity(file.len()));
    input.read_to_end(&mut binary).map_err(DecryptError::of_payload)?;
    Ok(binary)
}

/// What opens a file, which retired key has done so, and its key.
type Opened<R> =
    (StreamReader<Ciphertext<R>>, Option<RetiredDecryptionKey>, Option<Box<Zeroizing<[u8; 16]>>>);

/// A key that is tried, and what came of it. It is only copied when its turn has come.
struct Tried<'a> {
    seed: &'a X25519Seed,
    outcome: Cell<Outcome>,
    /// Whether the key of the file is wanted.
    keeps: bool,
    file_key: Cell<Option<Box<Zeroizing<[u8; 16]>>>>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Outcome {
    NotOpened,
    Opened,
    Unusable,
}

impl<'a> Tried<'a> {
    const fn new(seed: &'a X25519Seed, keeps: bool) -> Self {
        Self { seed, outcome: Cell::new(Outcome::NotOpened), keeps, file_key: Cell::new(None) }
    }

    /// The crate `age` takes a key as text only.
    fn identity(&self) -> Option<x25519::Identity> {
        let text = encoding::age::secret_key(self.seed.as_bytes())?;
        x25519::Identity::from_str(&text).ok()
    }
}

impl Identity for Tried<'_> {
    fn unwrap_stanza(&self, stanza: &Stanza) -> Option<Result<AgeFileKey, ::age::DecryptError>> {
        self.unwrap_stanzas(std::slice::from_ref(stanza))
    }

    fn unwrap_stanzas(
        &self,
        stanzas: &[Stanza],
    ) -> Option<Result<AgeFileKey, ::age::DecryptError>> {
        let Some(identity) = self.identity() else {
            self.outcome.set(Outcome::Unusable);
            return None;
        };
        let opened = identity.unwrap_stanzas(stanzas)?;
        if let Ok(file_key) = &opened {
            self.outcome.set(Outcome::Opened);
            if self.keeps {
                let mut kept = Box::new(Zeroizing::new([0; 16]));
                kept.copy_from_slice(file_key.expose_secret());
                self.file_key.set(Some(kept));
            }
        }
        Some(opened)
    }
}

#[cfg(test)]
#[path = "encryption/tests.rs"]
mod tests;
