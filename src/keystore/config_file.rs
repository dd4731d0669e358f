//! The configuration beside an identity: read and replaced in one step, and put
//! back as it was where nothing came of it.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use super::identity::IdentityStore;
use crate::config::Config;
use crate::did::Did;
use crate::error::{Error, KeystoreError};
use crate::file::{self, Lock, io_error};

/// Why a configuration cannot be changed.
pub(super) type Cause = Box<dyn std::error::Error + Send + Sync>;

/// The configuration that was written, if one was, and what was there before: that
/// is put back when this is dropped, unless it is kept.
#[derive(Default)]
pub(super) struct ConfigFile(Option<Rewritten>);

struct Rewritten {
    path: PathBuf,
    before: Option<Vec<u8>>,
    ours: Vec<u8>,
    settled: bool,
    /// Of its directory, where that is not the home, whose lock is held already.
    _lock: Option<Lock>,
}

/// Which pin may be written over which.
pub(super) struct Pin<'a> {
    pub(super) store: &'a IdentityStore,
    pub(super) did: &'a Did,
    /// What the note says was never made.
    pub(super) never_made: &'a [Did],
}

impl ConfigFile {
    /// Replaces a configuration by what is made of it, unless it is as it should be:
    /// then it need not be writable. Nobody else who takes the lock comes in
    /// between, until this is dropped or kept. Another path takes the place of the
    /// one before.
    pub(super) fn write(
        &mut self,
        pin: &Pin<'_>,
        path: &Path,
        edit: impl FnOnce(Option<&str>) -> Result<String, Cause>,
    ) -> Result<(), Error> {
        if self.0.as_ref().is_some_and(|written| written.path != path) {
            self.0 = None;
        }
        let lock = match &self.0 {
            Some(_) => Ok(None),
            None => pin.store.lock_beside(path),
        };
        let not_edited =
            |source: Cause| KeystoreError::ConfigNotEdited { path: path.to_owned(), source };
        let before = read(path)?;
        let text = before.as_deref().map(str::from_utf8).transpose();
        let text = text.map_err(|error| not_edited(error.into()))?;
        pin.check(path, text)?;
        let ours = edit(text).map_err(not_edited)?.into_bytes();
        if before.as_ref() == Some(&ours) {
            return Ok(());
        }
        // A directory that cannot be written to has none.
        let lock = lock?;
        let mut written = self.0.take().unwrap_or_else(|| Rewritten {
            path: path.to_owned(),
            before,
            ours: Vec::new(),
            settled: false,
            _lock: lock,
        });
        written.ours = ours;
        let put = put(path, &written.ours);
        // Put back also when this fails: it may be the new one already.
        self.0 = Some(written);
        Ok(put?)
    }

    pub(super) fn keep(&mut self) {
        if let Some(mut written) = self.0.take() {
            written.settled = true;
        }
    }

    /// Whether it is as it was before. Best effort: another error is the one that
    /// matters.
    pub(super) fn put_back(&mut self) -> bool {
        self.0.take().is_none_or(|mut written| written.put_back())
    }
}

impl Rewritten {
    fn put_back(&mut self) -> bool {
        self.settled = true;
        let put_back = match (&self.before, read(&self.path)) {
            (before, Ok(now)) if *before == now => Ok(()),
            (_, Ok(now)) if now.as_ref() != Some(&self.ours) => {
                let path = self.path.display();
                log::warn!("{path} was changed by somebody else meanwhile, and is left so");
                return false;
            }
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

impl Pin<'_> {
    /// A pin is replaced by the same one, or where nobody can have had that DID.
    fn check(&self, path: &Path, text: Option<&str>) -> Result<(), Error> {
        let Some(pinned) = text.map(Config::parse).transpose()?.and_then(|c| c.identity.did) else {
            return Ok(());
        };
        if pinned == *self.did
            || (self.never_made.contains(&pinned) && self.store.is_config_ours(path))
        {
            return Ok(());
        }
        let path = path.to_owned();
        Err(KeystoreError::OtherPinned { path, pinned }.into())
    }
}

impl IdentityStore {
    /// Replaces the configuration of an identity by that of another, which takes its place.
    pub(super) fn exchange_config(
        &self,
        path: &Path,
        edit: impl FnOnce(&str) -> Result<String, Cause>,
    ) -> Result<(), KeystoreError> {
        let _lock = self.lock_beside(path)?;
        let not_edited =
            |source: Cause| KeystoreError::ConfigNotEdited { path: path.to_owned(), source };
        let before = String::from_utf8(read(path)?.unwrap_or_default());
        let before = before.map_err(|error| not_edited(error.into()))?;
        let after = edit(&before).map_err(not_edited)?;
        if after == before { Ok(()) } else { put(path, after.as_bytes()) }
    }

    /// **Blocks** on files. Whether a configuration is in the identity's directory:
    /// then whoever can write there can change it anyway. Elsewhere it is believed,
    /// and what is in the directory is not.
    #[must_use]
    pub(crate) fn is_config_ours(&self, path: &Path) -> bool {
        let number = |path: &Path| fs::metadata(path).map(|found| (found.dev(), found.ino()));
        match (number(self.home()), number(file::parent(&target(path)))) {
            (Ok(home), Ok(directory)) => home == directory,
            _ => false,
        }
    }

    /// **Blocks** on files. Changes the configuration of an identity that is there, in one
    /// step for all who take the lock.
    pub(crate) fn edit_config(
        &self,
        did: &Did,
        path: &Path,
        edit: impl FnOnce(Option<&str>) -> Result<String, Cause>,
    ) -> Result<(), Error> {
        let _lock = self.lock()?;
        let mut config = ConfigFile::default();
        config.write(&Pin { store: self, did, never_made: &[] }, path, edit)?;
        config.keep();
        Ok(())
    }

    /// The lock of the directory that the configuration is in; `None` where that
    /// is the home, whose lock is held.
    fn lock_beside(&self, path: &Path) -> Result<Option<Lock>, KeystoreError> {
        if self.is_config_ours(path) {
            file::sweep_beside(&target(path));
            return Ok(None);
        }
        Lock::beside(&target(path)).map(Some)
    }
}

fn read(path: &Path) -> Result<Option<Vec<u8>>, KeystoreError> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(io_error("read", path)(error)),
    }
}

/// Through a symbolic link, not over it.
fn target(path: &Path) -> PathBuf {
    fs::canonicalize(path).unwrap_or_else(|_| path.to_owned())
}

fn put(path: &Path, bytes: &[u8]) -> Result<(), KeystoreError> {
    let target = target(path);
    // Others that could read the file still can.
    match fs::metadata(&target) {
        Ok(metadata) => file::write_with_mode(&target, bytes, metadata.permissions()),
        Err(_) => file::write(&target, bytes),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Not even to what was there before, which they may have meant to replace.
    #[test]
    fn what_somebody_else_has_written_meanwhile_is_not_put_back() {
        let dir = tempfile::tempdir().unwrap();
        let (store, path) = (IdentityStore::new(dir.path()), dir.path().join("icn.toml"));
        let did = Did::parse("did:key:z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK").unwrap();
        let pin = Pin { store: &store, did: &did, never_made: &[] };
        for before in [None, Some("# before\n")] {
            let _ = fs::remove_file(&path);
            if let Some(text) = before {
                fs::write(&path, text).unwrap();
            }
            let mut config = ConfigFile::default();
            config.write(&pin, &path, |_| Ok("# ours\n".into())).unwrap();
            config.write(&pin, &path, |_| Ok("# ours again\n".into())).unwrap();
            assert!(config.put_back());
            assert_eq!(fs::read_to_string(&path).ok().as_deref(), before);
            config.write(&pin, &path, |_| Ok("# ours\n".into())).unwrap();
            fs::write(&path, "# theirs\n").unwrap();
            assert!(!config.put_back());
            assert_eq!(fs::read_to_string(&path).unwrap(), "# theirs\n");
        }
    }
}
