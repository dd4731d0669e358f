//! The key of an age file alone: whoever has the file decrypts it elsewhere.

use std::fmt;

use ::age::Identity;
use age_core::format::{FileKey, Stanza};
use zeroize::Zeroizing;

use super::super::IdentityBundle;
use super::{DecryptError, EncryptedFile, RetiredDecryptionKey};
use crate::signer::DidSigner;

const V1: &[u8] = b"age-encryption.org/v1\n";
/// What begins a header's last line, which has its MAC.
const LAST_LINE: &[u8] = b"\n--- ";
/// What comes after a header, and does not matter for the key in it.
const NONCE: [u8; 16] = [0; 16];

/// Of the beginning of a binary age file whose header was read: the header.
pub(super) fn header_in(start: &[u8]) -> Result<String, DecryptError> {
    let mac = start.windows(LAST_LINE.len()).position(|bytes| bytes == LAST_LINE);
    let header = mac.and_then(|mac| {
        let end = start.get(mac + 1..)?.iter().position(|byte| *byte == b'\n')?;
        start.get(..=mac + 1 + end)
    });
    let header = header.and_then(|header| str::from_utf8(header).ok());
    header.map(str::to_owned).ok_or(DecryptError::UnknownHeader)
}

/// A file key that is known: it opens whatever stanza there is, and the MAC says whether it
/// is the one.
pub(super) struct Known<'a>(pub(super) &'a [u8; 16]);

impl Identity for Known<'_> {
    fn unwrap_stanza(&self, _: &Stanza) -> Option<Result<FileKey, ::age::DecryptError>> {
        Some(Ok(FileKey::init_with_mut(|key| key.copy_from_slice(self.0))))
    }
}

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

    /// As it would be given on.
    #[cfg(all(
        any(test, fuzzing),
        feature = "attestation",
        feature = "audit",
        feature = "client",
        feature = "pkcs11",
        feature = "tpm"
    ))]
    pub(super) fn as_text(&self) -> &str {
        self.0.header()
    }
}

impl fmt::Debug for EncryptedHeader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EncryptedHeader").finish_non_exhaustive()
    }
}

/// What was in the header of one age file: the file's key, 16 bytes, wiped when dropped. It
/// opens that file and no other.
///
/// `Debug` shows nothing of it.
pub struct OpenedHeader {
    key: Box<Zeroizing<[u8; 16]>>,
    retired: Option<RetiredDecryptionKey>,
}

impl OpenedHeader {
    /// The file key (age v1, section "File key"), for [`EncryptedFile::decrypt_with`].
    #[must_use]
    pub fn expose_file_key(&self) -> &[u8; 16] {
        &self.key
    }

    /// The retired key that opened it, if the bundle's own did not.
    #[must_use]
    pub const fn retired_key(&self) -> Option<&RetiredDecryptionKey> {
        self.retired.as_ref()
    }
}

impl fmt::Debug for OpenedHeader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpenedHeader").finish_non_exhaustive()
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
    pub fn open_header(&self, header: EncryptedHeader) -> Result<OpenedHeader, DecryptError> {
        let (_, retired, key) = self.open(header.0, true)?;
        let key = key.ok_or(DecryptError::Key)?;
        Ok(OpenedHeader { key, retired })
    }
}
