//! The X25519 key alone, for what was encrypted to an identity whose device is
//! gone.

use std::io::Write as _;
use std::path::Path;

use zeroize::Zeroizing;

use super::make::write_once;
use super::{BackedUp, Backup};
use crate::did::Did;
use crate::encoding::age;
use crate::error::{BackupError, Error};
use crate::secret::X25519Seed;

/// More than the lines of one key have: growing would leave copies behind.
const MAX_TEXT: usize = 512;

impl Backup {
    /// **Blocks** on files. Writes the X25519 key of `did` as an age identity file
    /// (mode 0600), and the retired ones that it has of older DIDs: the stock `age` opens
    /// with it what was encrypted to the identity. It cannot sign.
    ///
    /// # Errors
    ///
    /// [`BackupError::OtherDid`], or [`BackupError::FileExists`] rather than
    /// overwrite anything.
    pub fn write_encryption_key(&self, did: &Did, path: &Path) -> Result<(), Error> {
        self.is_of(did)?;
        BackedUp::check_vacant(path)?;
        let text = self
            .encryption_key(did)
            .ok_or(BackupError::NotABackup { reason: "its X25519 key is none", source: None })?;
        write_once(path, &text)
    }

    fn encryption_key(&self, did: &Did) -> Option<Zeroizing<Vec<u8>>> {
        let retired = self.payload.retired_keys().as_slice();
        let room = MAX_TEXT.saturating_mul(retired.len().saturating_add(1));
        let mut text = Zeroizing::new(Vec::with_capacity(room));
        write_key(&mut text, &format!("encryption key of {did}"), &self.companions.x25519)?;
        for key in retired {
            let what = format!("retired decryption key of {}, do not encrypt to it", key.did());
            write_key(&mut text, &what, key.secret())?;
        }
        Some(text)
    }
}

fn write_key(text: &mut Vec<u8>, what: &str, key: &X25519Seed) -> Option<()> {
    writeln!(text, "# {what}; it does not sign").ok()?;
    writeln!(text, "# public key: {}", key.public_key()).ok()?;
    writeln!(text, "{}", *age::secret_key(key.as_bytes())?).ok()
}
