//! Whom a backup is encrypted to, and what opens it again.

use std::fmt;
use std::path::Path;
use std::str::FromStr;

use age::{DecryptError, Decryptor, Identity, IdentityFile, Recipient, x25519};
use zeroize::Zeroizing;

use crate::agefile;
use crate::algorithm::X25519PublicKey;
use crate::bundle::unarmored;
use crate::encoding::{self, text};
use crate::error::{BackupError, KeystoreError, OpenError};
use crate::file;
use crate::secret::Passphrase;

/// The public half of a recovery key: an X25519 recipient of age v1, `age1…`.
#[derive(Clone)]
pub struct RecoveryRecipient {
    recipient: x25519::Recipient,
    public: X25519PublicKey,
}

impl RecoveryRecipient {
    pub(in crate::keystore) const fn public_key(&self) -> &X25519PublicKey {
        &self.public
    }

    pub(in crate::keystore) fn as_age(&self) -> &dyn Recipient {
        &self.recipient
    }
}

impl FromStr for RecoveryRecipient {
    type Err = BackupError;

    fn from_str(text: &str) -> Result<Self, BackupError> {
        // The whole file of a key begins with a comment.
        if text.to_ascii_uppercase().contains("AGE-SECRET-KEY") {
            return Err(BackupError::SecretAsRecipient);
        }
        let wrong = |reason| BackupError::NotARecipient { given: repeatable(text), reason };
        let recipient = text.parse().map_err(|_| wrong("X25519 keys begin with age1"))?;
        let public = encoding::age::public_key(text).ok_or_else(|| wrong("it is not 32 bytes"))?;
        let public = X25519PublicKey::from_bytes(public);
        // Else the key of the file is one that everybody knows.
        let probe = x25519_dalek::StaticSecret::from([1; 32]);
        let shared = probe.diffie_hellman(&x25519_dalek::PublicKey::from(*public.as_bytes()));
        if !shared.was_contributory() {
            return Err(wrong("it is a point of small order"));
        }
        Ok(Self { recipient, public })
    }
}

/// What may be repeated of a text that is no recipient: one that was meant to
/// be one. Whatever else it is, it could be a secret.
fn repeatable(text: &str) -> Option<String> {
    /// Of a plugin's recipients, which are longer than ours (62 characters).
    const MAX_LEN: usize = 128;
    let meant = text.starts_with("age1")
        && text.len() <= MAX_LEN
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric());
    meant.then(|| text.to_owned())
}

impl fmt::Display for RecoveryRecipient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.recipient.fmt(f)
    }
}

impl fmt::Debug for RecoveryRecipient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RecoveryRecipient({})", self.recipient)
    }
}

/// The secret keys of an age identity file, as `age-keygen` writes it.
///
/// Wiped when dropped.
pub struct RecoveryKeys(Vec<Box<dyn Identity + Send + Sync>>);

impl RecoveryKeys {
    /// **Blocks** on files. Reads a file with lines `AGE-SECRET-KEY-1…`, comments and
    /// empty lines.
    ///
    /// # Errors
    ///
    /// [`BackupError::KeyFileLocked`] if it is encrypted with a passphrase: then
    /// [`Self::read_with_passphrase`] takes it. Others if it is not a file of
    /// our own or root's that nobody else can read, or has no keys.
    pub fn read(path: &Path) -> Result<Self, crate::Error> {
        let bytes = match file::read_secret(path) {
            Ok(bytes) => bytes,
            // That others can read it is no matter then.
            Err(error @ KeystoreError::Unsafe { .. }) => {
                let read = file::read_foreign(path, MAX_KEY_FILE);
                return Err(match read.ok().and_then(|read| public_key(&read)) {
                    Some(kind) => BackupError::PublicKeyFile { path: path.to_owned(), kind }.into(),
                    None => error.into(),
                });
            }
            Err(error) => return Err(error.into()),
        };
        if let Some(kind) = public_key(&bytes) {
            return Err(BackupError::PublicKeyFile { path: path.to_owned(), kind }.into());
        }
        if is_encrypted_to_a_key(&bytes) {
            return Err(BackupError::KeyFileEncrypted { path: path.to_owned() }.into());
        }
        if is_locked(&bytes) {
            return Err(BackupError::KeyFileLocked { path: path.to_owned() }.into());
        }
        Ok(Self::parse(path, &bytes)?)
    }

    /// **Blocks** on scrypt and files. Reads such a file that `age -p` has encrypted.
    ///
    /// # Errors
    ///
    /// As [`Self::read`], or [`BackupError::KeyFilePassphrase`].
    pub fn read_with_passphrase(
        path: &Path,
        passphrase: &Passphrase,
    ) -> Result<Self, crate::Error> {
        let unusable = |source| BackupError::KeyFile { path: path.to_owned(), source };
        let bytes = file::read_secret(path)?;
        let bytes = unarmored(&bytes).map_err(|error| unusable(error.into()))?;
        let plain = agefile::open_with_passphrase(&bytes, passphrase, agefile::MAX_WORK_FACTOR)
            .map_err(|error| match (agefile::lacking_memory(&error), error) {
                (Some(log_n), _) => crate::Error::from(OpenError::NoMemory { log_n }),
                (_, DecryptError::DecryptionFailed | DecryptError::KeyDecryptionFailed) => {
                    BackupError::KeyFilePassphrase { path: path.to_owned() }.into()
                }
                (_, error) => unusable(error.into()).into(),
            })?;
        Ok(Self::parse(path, &plain)?)
    }

    pub(super) fn parse(path: &Path, bytes: &[u8]) -> Result<Self, BackupError> {
        let unusable = |source| BackupError::KeyFile { path: path.to_owned(), source };
        let bytes = text::after_mark(bytes).map_err(|error| unusable(error.into()))?;
        // Its errors say the number of a line, and nothing of the line.
        let file = IdentityFile::from_buffer(bytes).map_err(|error| unusable(error.into()))?;
        let keys = file.into_identities().map_err(|error| unusable(error.into()))?;
        if keys.is_empty() {
            return Err(BackupError::NoKey { path: path.to_owned() });
        }
        Ok(Self(keys))
    }

    pub(super) fn decrypt(&self, file: &[u8]) -> Result<Zeroizing<Vec<u8>>, BackupError> {
        let keys = self.0.iter().map(|key| {
            let key: &dyn Identity = key.as_ref();
            key
        });
        if let Some(error) = check_age(file) {
            return Err(error);
        }
        agefile::decrypt(file, keys).map_err(|error| match error {
            DecryptError::NoMatchingKeys => BackupError::OtherKey,
            error => BackupError::Damaged(error.into()),
        })
    }
}

impl fmt::Debug for RecoveryKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RecoveryKeys").finish_non_exhaustive()
    }
}

/// No file of keys is longer.
const MAX_KEY_FILE: u64 = 64 * 1024;

/// How the public key in a file begins, where there is no secret one: of whatever tool.
fn public_key(file: &[u8]) -> Option<&'static str> {
    let text = std::str::from_utf8(text::after_mark(file).ok()?).ok()?;
    if text.to_ascii_uppercase().contains("AGE-SECRET-KEY") || text.contains(" PRIVATE KEY-----") {
        return None;
    }
    let lines = || text.lines().map(str::trim);
    if lines().any(|line| line.parse::<RecoveryRecipient>().is_ok()) {
        return Some("age1…");
    }
    [
        ("ssh-ed25519 ", "ssh-ed25519 …"),
        ("ssh-rsa ", "ssh-rsa …"),
        ("ecdsa-sha2-", "ecdsa-sha2-…"),
        ("sk-ssh-", "sk-ssh-…"),
        ("-----BEGIN PUBLIC KEY-----", "-----BEGIN PUBLIC KEY-----"),
        ("-----BEGIN SSH2 PUBLIC KEY-----", "-----BEGIN SSH2 PUBLIC KEY-----"),
    ]
    .into_iter()
    .find_map(|(start, kind)| lines().any(|line| line.starts_with(start)).then_some(kind))
}

/// Whether age has encrypted it, and not with a passphrase. A damaged one is told when it
/// is opened.
fn is_encrypted_to_a_key(file: &[u8]) -> bool {
    is_locked(file) && unarmored(file).is_ok_and(|file| is_age_file(&file))
}

/// Whether `age -p` has encrypted it, with or without `-a`.
fn is_locked(file: &[u8]) -> bool {
    let start = text::after_mark(file).unwrap_or(file).trim_ascii_start();
    file.starts_with(b"age-encryption.org/") || start.starts_with(b"-----BEGIN AGE")
}

/// What can be told of a file that was given as a backup, without its key.
pub(super) fn check_age(file: &[u8]) -> Option<BackupError> {
    // Cut off before its first byte.
    if file.is_empty() {
        return None;
    }
    if file.starts_with(b"age-encryption.org/") {
        // A damaged header is told when it is opened.
        let is_scrypt = Decryptor::new_buffered(file).is_ok_and(|file| file.is_scrypt());
        return is_scrypt.then_some(BackupError::PassphraseFile);
    }
    let text = std::str::from_utf8(file).map(str::trim_start);
    let looks = match text {
        Ok(text) if text.starts_with("-----BEGIN AGE") => return Some(BackupError::Armored),
        Ok(text) if text.contains("AGE-SECRET-KEY") => "a secret key of age",
        Ok(text) if public_key(text.as_bytes()) == Some("age1…") => "a public key of age",
        Ok(text) if public_key(text.as_bytes()).is_some() => "a public key",
        Ok(text) if text.starts_with(['{', '[']) => "JSON",
        Ok(_) => "text",
        Err(_) => "other data",
    };
    Some(BackupError::NotAge { looks })
}

/// What can be told of a backup without its key: that it is a whole header of
/// age v1.
pub(super) fn is_age_file(file: &[u8]) -> bool {
    Decryptor::new_buffered(file).is_ok_and(|decryptor| !decryptor.is_scrypt())
}
