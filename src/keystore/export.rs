//! A software key for other programs: PKCS#8 PEM inside an age file.

use std::fmt;
use std::path::Path;

use super::backup::RecoveryRecipient;
use crate::agefile;
use crate::config::AgeConfig;
use crate::error::{Error, ExportError, KeystoreError};
use crate::file::{self, Existing, NewFile};
use crate::key::ExposeSecret;
use crate::private::Token;
use crate::secret::{Passphrase, pkcs8};

/// Who will be able to read an export.
#[derive(Clone)]
pub struct ExportTo(Reader);

#[derive(Clone)]
enum Reader {
    Passphrase(Passphrase),
    Recipient(RecoveryRecipient),
}

impl ExportTo {
    /// Whoever has this passphrase, which must not be empty.
    #[must_use]
    pub const fn passphrase(passphrase: Passphrase) -> Self {
        Self(Reader::Passphrase(passphrase))
    }

    /// Whoever has the secret key of this age recipient (`age1…`).
    ///
    /// # Errors
    ///
    /// [`ExportError::Recipient`], as for a backup's [`RecoveryRecipient`].
    pub fn recipient(text: &str) -> Result<Self, ExportError> {
        match text.parse() {
            Ok(recipient) => Ok(Self(Reader::Recipient(recipient))),
            Err(error) => Err(ExportError::Recipient(Box::new(error))),
        }
    }
}

impl fmt::Debug for ExportTo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Reader::Passphrase(_) => f.write_str("ExportTo::Passphrase"),
            Reader::Recipient(recipient) => write!(f, "ExportTo::Recipient({recipient})"),
        }
    }
}

/// **Blocks** on scrypt and files. Writes the private key to a new file (mode 0600):
/// PKCS#8 PEM, encrypted with age. `age -d FILE` prints the PEM. It is never on disk
/// in the clear.
///
/// Takes what has secret bytes: a `Key<Software, Unlocked>`, or a
/// [`crate::KeyPair`] made of one.
///
/// # Errors
///
/// [`ExportError::Exists`] rather than overwrite anything, and as for writing a
/// file.
pub fn export_secret<K: ExposeSecret>(
    key: &K,
    to: &ExportTo,
    config: &AgeConfig,
    path: &Path,
) -> Result<(), Error> {
    check_export(path)?;
    let pem = pkcs8::pem(key.seed(Token::new()));
    let sealed = match &to.0 {
        Reader::Passphrase(passphrase) => {
            let work = agefile::WorkFactor::new(config.work_factor).unwrap_or_default();
            agefile::encrypt_with_passphrase(pem.as_bytes(), passphrase, work)?
        }
        Reader::Recipient(recipient) => agefile::encrypt(pem.as_bytes(), &[recipient.as_age()])?,
    };
    once(path, file::write_once(path, &sealed))
}

/// **Blocks** on files. Whether there is nothing yet where an export is to be
/// written.
///
/// # Errors
///
/// [`ExportError::Exists`]; as [`NewFile::check`].
pub fn check_export(path: &Path) -> Result<(), Error> {
    once(path, NewFile::check(path, Existing::Refuse))
}

fn once(path: &Path, written: Result<(), KeystoreError>) -> Result<(), Error> {
    match written {
        Err(KeystoreError::FileExists { .. }) => Err(exists(path).into()),
        written => Ok(written?),
    }
}

fn exists(path: &Path) -> ExportError {
    ExportError::Exists { path: path.to_owned() }
}
