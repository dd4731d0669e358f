//! The key of an age file alone: whoever has the file decrypts it elsewhere.

use std::fmt;

use zeroize::Zeroizing;

use super::super::IdentityBundle;
use super::{DecryptError, EncryptedFile, RetiredDecryptionKey};
use crate::signer::DidSigner;

const V1: &[u8] = b"age-encryption.org/v1\n";
/// What begins a header's last line, which has its MAC.
const LAST_LINE: &[u8] = b"\n--- ";
/// What comes after a header, and does not matter for the key in it.
const NONCE: [u8; 16] = [0; 16];

/// The header of an age file, without the rest of it.
pub struct EncryptedHeader(EncryptedFile<std::io::Cursor<Vec<u8>>>);

impl EncryptedHeader {
    /// Reads the header of a binary age file, from its first byte to the end of the line with
    /// its MAC (`--- …`); the line feed at its end may be missing.
    ///
    /// # Errors
    ///
    /// [`DecryptError`] if that is not what it is, or if it is of a file with a passphrase.
    pub fn parse(header: &[u8]) -> Result<Self, DecryptError> {
        if !header.starts_with(V1) {
            return Err(DecryptError::NotAge);
        }
        let last = header.windows(LAST_LINE.len()).position(|bytes| bytes == LAST_LINE);
        let last = last.and_then(|at| header.get(at + 1..)).ok_or(DecryptError::Truncated)?;
        let mut whole = header.to_vec();
        match last.iter().position(|byte| *byte == b'\n') {
            None => whole.push(b'\n'),
            Some(end) if end + 1 == last.len() => {}
            Some(_) => return Err(DecryptError::UnknownHeader),
        }
        whole.extend(NONCE);
        EncryptedFile::read(std::io::Cursor::new(whole)).map(Self)
    }
}

impl fmt::Debug for EncryptedHeader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EncryptedHeader").finish_non_exhaustive()
    }
}

/// The key of one age file: 16 bytes, wiped when dropped. It opens that file and no other.
///
/// `Debug` shows nothing of it.
pub struct FileKey {
    key: Box<Zeroizing<[u8; 16]>>,
    retired: Option<RetiredDecryptionKey>,
}

impl FileKey {
    /// The 16 bytes (age v1, section "File key").
    #[must_use]
    pub fn expose(&self) -> &[u8; 16] {
        &self.key
    }

    /// The retired key that opened it, if the bundle's own did not.
    #[must_use]
    pub const fn retired_key(&self) -> Option<&RetiredDecryptionKey> {
        self.retired.as_ref()
    }
}

impl fmt::Debug for FileKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileKey").finish_non_exhaustive()
    }
}

impl<S: DidSigner> IdentityBundle<S> {
    /// Opens the header of an age file that was encrypted to [`Self::age_recipient`] or to one
    /// of the [retired keys](Self::retired_decryption_keys). Its MAC is verified with the key
    /// that is found in it: a header that was changed gives none.
    ///
    /// # Errors
    ///
    /// As [`Self::decrypt`].
    pub fn open_header(&self, header: EncryptedHeader) -> Result<FileKey, DecryptError> {
        let (_, retired, key) = self.open(header.0, true)?;
        let key = key.ok_or(DecryptError::Key)?;
        Ok(FileKey { key, retired })
    }
}
