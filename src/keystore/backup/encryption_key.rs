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

/// More than the three lines have: growing would leave copies behind.
const MAX_TEXT: usize = 512;

impl Backup {
    /// **Blocks** on files. Writes the X25519 key of `did` as an age identity file
    /// (mode 0600): the stock `age` opens with it what was encrypted to the identity.
    /// It cannot sign.
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
        let x25519 = &self.companions.x25519;
        let mut text = Zeroizing::new(Vec::with_capacity(MAX_TEXT));
        writeln!(text, "# encryption key of {did}; it does not sign").ok()?;
        writeln!(text, "# public key: {}", x25519.public_key()).ok()?;
        writeln!(text, "{}", *age::secret_key(x25519.as_bytes())?).ok()?;
        Some(text)
    }
}
