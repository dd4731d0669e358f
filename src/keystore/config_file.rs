//! The configuration beside an identity: written under the lock, and put back
//! as it was where nothing came of it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::identity::IdentityStore;
use crate::error::KeystoreError;
use crate::file::{self, io_error};

/// A configuration that was written, and what was there before: that is put back
/// when this is dropped, unless it is kept.
pub(super) struct Rewritten {
    path: PathBuf,
    before: Option<Vec<u8>>,
    settled: bool,
}

impl Rewritten {
    /// Writes it, unless it is as it should be: then it need not be writable.
    pub(super) fn write(path: &Path, bytes: &[u8]) -> Result<Option<Self>, KeystoreError> {
        let before = read(path)?;
        if before.as_deref() == Some(bytes) {
            return Ok(None);
        }
        // Put back also when this fails: it may be the new one already.
        let this = Self { path: path.to_owned(), before, settled: false };
        put(path, bytes).map(|()| Some(this))
    }

    pub(super) fn keep(mut self) {
        self.settled = true;
    }

    /// Whether it is as it was before. Best effort: another error is the one that
    /// matters.
    pub(super) fn put_back(&mut self) -> bool {
        self.settled = true;
        let put_back = match (&self.before, read(&self.path)) {
            (before, Ok(now)) if *before == now => Ok(()),
            (Some(bytes), _) => put(&self.path, bytes),
            (None, _) => file::remove(&self.path),
        };
        if let Err(error) = &put_back {
            log::warn!("{} was not put back as it was: {error}", self.path.display());
        }
        put_back.is_ok()
    }
}

impl Drop for Rewritten {
    fn drop(&mut self) {
        if !self.settled {
            self.put_back();
        }
    }
}

impl IdentityStore {
    /// Writes the configuration, or another public file, under the lock: what is
    /// left of it if the writer is killed is swept away when it is in the
    /// identity's directory, which is made if need be. Through a symbolic link,
    /// and with the mode that the file had.
    ///
    /// # Errors
    ///
    /// As [`super::write_private`], and if another process has the lock.
    pub fn write_config(&self, path: &Path, bytes: &[u8]) -> Result<(), KeystoreError> {
        file::private_dir(self.home())?;
        let _lock = self.lock()?;
        put(path, bytes)
    }
}

fn read(path: &Path) -> Result<Option<Vec<u8>>, KeystoreError> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(io_error("read", path)(error)),
    }
}

fn put(path: &Path, bytes: &[u8]) -> Result<(), KeystoreError> {
    // Through a symbolic link, not over it.
    let target = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    // Others that could read the file still can.
    match fs::metadata(&target) {
        Ok(metadata) => file::write_with_mode(&target, bytes, metadata.permissions()),
        Err(_) => file::write(&target, bytes),
    }
}
