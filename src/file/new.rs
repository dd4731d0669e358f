//! A file that appears under its name when it is complete, and not before.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, Mode, OFlags, RenameFlags};
use rustix::io::Errno;

use super::rule::not_safe;
use super::{check_makes_files, io_error, parent};
use crate::encoding::hex;
use crate::fault::KeystoreError;

/// Random bytes in the name of a temporary file.
const RANDOM: usize = 12;

/// What is done where there is a file of that name already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Existing {
    /// It stays, and the new one is refused.
    Refuse,
    /// It is replaced; what is not a regular file never is.
    Replace,
}

/// A file that is being written, under another name beside it until
/// [`Self::keep`], and removed if that is not called.
///
/// A process that is killed leaves it behind: `.NAME.` and 24 hex digits, mode
/// 0600.
#[derive(Debug)]
pub struct NewFile {
    file: File,
    /// Opened first: what could fail should fail while the old file is there.
    directory: File,
    path: PathBuf,
    temporary: PathBuf,
    kept: bool,
}

impl NewFile {
    /// **Blocks** on files. Whether the file can be made, as far as can be told
    /// beforehand.
    ///
    /// # Errors
    ///
    /// [`KeystoreError::FileExists`], or `Unsafe` for what is not a regular file; `Io` where
    /// its directory is not there, or takes no files.
    pub fn check(path: &Path, existing: Existing) -> Result<(), KeystoreError> {
        Self::check_name(path, existing)?;
        let failed = |error| io_error("create a new version of", path)(error);
        if path.file_name().is_none() {
            return Err(failed(io::ErrorKind::IsADirectory.into()));
        }
        check_makes_files(parent(path)).map_err(failed)
    }

    /// That nothing else has the name.
    fn check_name(path: &Path, existing: Existing) -> Result<(), KeystoreError> {
        match path.symlink_metadata() {
            Ok(_) if existing == Existing::Refuse => Err(exists(path)),
            // A rename would replace a device or a link by a file.
            Ok(metadata) if !metadata.is_file() => {
                Err(not_safe(path, "it is not a regular file", "name another file"))
            }
            Ok(_) => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(io_error("read", path)(error)),
        }
    }

    /// **Blocks** on files. For its owner alone (mode 0600).
    ///
    /// # Errors
    ///
    /// [`KeystoreError::Io`]
    pub fn create(path: &Path) -> Result<Self, KeystoreError> {
        Self::with_mode(path, Mode::RUSR | Mode::WUSR)
    }

    /// **Blocks** on files. That everybody may read (mode 0644).
    ///
    /// # Errors
    ///
    /// [`KeystoreError::Io`]
    pub fn create_public(path: &Path) -> Result<Self, KeystoreError> {
        Self::with_mode(path, Mode::RUSR | Mode::WUSR | Mode::RGRP | Mode::ROTH)
    }

    pub(super) fn with_mode(path: &Path, mode: Mode) -> Result<Self, KeystoreError> {
        let failed = |error| io_error("create a new version of", path)(error);
        let directory = File::open(parent(path)).map_err(failed)?;
        let temporary = temporary_name(path)?;
        let file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .custom_flags((OFlags::NOFOLLOW | OFlags::CLOEXEC).bits().cast_signed())
            .open(&temporary)
            .map_err(failed)?;
        let new = Self { file, directory, path: path.to_owned(), temporary, kept: false };
        // Whatever the umask took away or a default ACL added.
        rustix::fs::fchmod(&new.file, mode)
            .map_err(|errno| io_error("protect", path)(errno.into()))?;
        Ok(new)
    }

    /// **Blocks** on files. Writes on, with an error that names the file.
    ///
    /// # Errors
    ///
    /// [`KeystoreError::Io`]
    pub fn put(&mut self, bytes: &[u8]) -> Result<(), KeystoreError> {
        self.file.write_all(bytes).map_err(io_error("write", &self.path))
    }

    /// **Blocks** on files. Gives the file its name, durably.
    ///
    /// # Errors
    ///
    /// As [`Self::check`], for somebody may have made a file or a link there
    /// since; or `Io`. What was there is there then; or, if the directory could
    /// not be synced, perhaps the new file.
    pub fn keep(mut self, existing: Existing) -> Result<(), KeystoreError> {
        self.file.sync_all().map_err(io_error("sync", &self.path))?;
        match existing {
            Existing::Refuse => self.appear()?,
            Existing::Replace => self.replace()?,
        }
        self.kept = true;
        self.directory.sync_all().map_err(io_error("sync", parent(&self.path)))
    }

    fn replace(&self) -> Result<(), KeystoreError> {
        Self::check_name(&self.path, Existing::Replace)?;
        fs::rename(&self.temporary, &self.path).map_err(io_error("replace", &self.path))
    }

    fn appear(&self) -> Result<(), KeystoreError> {
        rename_to_vacant(&self.temporary, &self.path).map_err(|error| self.not_created(error))
    }

    fn not_created(&self, error: io::Error) -> KeystoreError {
        match error.kind() {
            io::ErrorKind::AlreadyExists => exists(&self.path),
            _ => io_error("create", &self.path)(error),
        }
    }
}

impl Write for NewFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Drop for NewFile {
    fn drop(&mut self) {
        if !self.kept {
            // Whatever stopped us may stop this too.
            let _ = fs::remove_file(&self.temporary);
        }
    }
}

/// Renames a file where nothing has the new name; else it keeps the old one.
pub(super) fn rename_to_vacant(from: &Path, to: &Path) -> io::Result<()> {
    match rustix::fs::renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
        // Not every file system has it (NFS has not): a hard link does the same.
        Err(Errno::INVAL | Errno::NOSYS) => link(from, to),
        renamed => renamed.map_err(io::Error::from),
    }
}

fn link(from: &Path, to: &Path) -> io::Result<()> {
    fs::hard_link(from, to).and_then(|()| fs::remove_file(from))
}

fn exists(path: &Path) -> KeystoreError {
    KeystoreError::FileExists { path: path.to_owned() }
}

pub(super) fn temporary_name(path: &Path) -> Result<PathBuf, KeystoreError> {
    let failed = |error| io_error("name a new version of", path)(error);
    let name = path.file_name().ok_or_else(|| failed(io::ErrorKind::IsADirectory.into()))?;
    let mut random = [0_u8; RANDOM];
    crate::secret::fill_random(&mut random).map_err(|error| failed(io::Error::other(error)))?;
    let (name, random) = (name.to_string_lossy(), hex::encode(&random));
    Ok(path.with_file_name(format!(".{name}.{random}")))
}

/// Of which file a temporary file is a new version, by its name.
pub(super) fn target_of_temporary(name: &str) -> Option<&str> {
    let (target, random) = name.strip_prefix('.')?.rsplit_once('.')?;
    let is_random = random.len() == 2 * RANDOM
        && random.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte));
    is_random.then_some(target)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn names(dir: &Path) -> usize {
        fs::read_dir(dir).unwrap().count()
    }

    /// By either way, the file that came in between stays.
    #[test]
    fn a_file_that_was_made_meanwhile_is_not_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("out");
        for rename in [rename_to_vacant, link] {
            let appear = |new: &NewFile| {
                rename(&new.temporary, &path).map_err(|error| new.not_created(error))
            };
            let mut new = NewFile::create(&path).unwrap();
            new.put(b"new").unwrap();
            fs::write(&path, "other").unwrap();
            assert!(matches!(appear(&new), Err(KeystoreError::FileExists { .. })));
            drop(new);
            assert_eq!(fs::read(&path).unwrap(), b"other");
            assert_eq!(names(dir.path()), 1);

            fs::remove_file(&path).unwrap();
            let mut new = NewFile::create(&path).unwrap();
            new.put(b"new").unwrap();
            appear(&new).unwrap();
            drop(new);
            assert_eq!(fs::read(&path).unwrap(), b"new");
            assert_eq!(names(dir.path()), 1);
            fs::remove_file(&path).unwrap();
        }
    }

    #[test]
    fn what_is_not_a_file_is_never_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let (link, directory) = (dir.path().join("link"), dir.path().join("directory"));
        std::os::unix::fs::symlink("/nowhere", &link).unwrap();
        fs::create_dir(&directory).unwrap();
        for path in [&link, &directory] {
            let kept = NewFile::create(path).unwrap().keep(Existing::Replace);
            assert!(matches!(kept, Err(KeystoreError::Unsafe { .. })), "{kept:?}");
            let kept = NewFile::create(path).unwrap().keep(Existing::Refuse);
            assert!(matches!(kept, Err(KeystoreError::FileExists { .. })), "{kept:?}");
        }
        assert!(link.is_symlink() && directory.is_dir());
        assert_eq!(names(dir.path()), 2);
    }
}
