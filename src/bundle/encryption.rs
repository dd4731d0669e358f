//! What others encrypt to the bundle's X25519 key: age files, and raw X25519.
//!
//! The key is a software key, whatever the DID key is, and it stays as long as
//! the identity does. So there is no forward secrecy: whoever gets it opens
//! everything that was ever encrypted to it.

mod agreement;
mod error;
mod source;

use std::fmt;
use std::io::{self, BufReader, Read, Write};
use std::path::Path;
use std::str::FromStr as _;

use ::age::stream::StreamReader;
use ::age::{Decryptor, Identity, x25519};
use zeroize::Zeroizing;

pub use self::agreement::{NotContributory, SharedSecret};
pub use self::error::DecryptError;
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
pub struct EncryptedFile<R: Read>(Decryptor<Ciphertext<R>>);

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
        limit.lift();
        if file.is_scrypt() { Err(DecryptError::PassphraseFile) } else { Ok(Self(file)) }
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
pub struct Plaintext<R: Read>(StreamReader<Ciphertext<R>>);

impl<R: Read> Plaintext<R> {
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
            let count = match self.0.read(&mut buffer) {
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
        self.0.read(buffer).map_err(|error| match error.kind() {
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

    /// Opens an age file that was encrypted to [`Self::age_recipient`].
    ///
    /// Its memory does not grow with the file. While this is running a copy of
    /// the X25519 key is in memory that is wiped, but not locked.
    ///
    /// # Errors
    ///
    /// [`DecryptError::NotForThisIdentity`], or that the header was changed.
    pub fn decrypt<R: Read>(&self, file: EncryptedFile<R>) -> Result<Plaintext<R>, DecryptError> {
        let identity: &dyn Identity = &age_identity(&self.companions().x25519)?;
        let reader = file.0.decrypt(std::iter::once(identity));
        Ok(Plaintext(reader.map_err(DecryptError::of_key)?))
    }
}

/// The crate `age` takes a key as text only.
fn age_identity(seed: &X25519Seed) -> Result<x25519::Identity, DecryptError> {
    let text = encoding::age::secret_key(seed.as_bytes()).ok_or(DecryptError::Key)?;
    x25519::Identity::from_str(&text).map_err(|_| DecryptError::Key)
}

#[cfg(test)]
#[path = "encryption/tests.rs"]
mod tests;
