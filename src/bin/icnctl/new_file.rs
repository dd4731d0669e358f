//! A file that appears under its name when it is complete, and not before.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use clap::builder::{PathBufValueParser, TypedValueParser};
use rustix::fs::{CWD, Mode, OFlags, RenameFlags};
use rustix::io::Errno;

use crate::error::CliError;

/// Of an option whose file is never standard output.
pub(crate) fn a_file() -> impl TypedValueParser<Value = PathBuf> {
    PathBufValueParser::new().try_map(|path| {
        if path.as_os_str() == "-" {
            Err("it goes to a file, not to standard output: name one (./- if it is to be called so)")
        } else {
            Ok(path)
        }
    })
}

/// Under another name beside it until [`Self::keep`]; removed if that is not
/// called. (A killed process leaves it behind: `.NAME.` and 24 hex digits,
/// mode 0600.)
pub(crate) struct NewFile {
    file: File,
    path: PathBuf,
    temporary: PathBuf,
    kept: bool,
}

impl NewFile {
    /// Whether the file can be made, as far as can be told beforehand.
    pub(crate) fn check(path: &Path, force: bool) -> Result<(), CliError> {
        match path.symlink_metadata() {
            Ok(_) if !force => Err(CliError::OutputExists { path: path.to_owned() }),
            // A rename would replace a device or a link by a file.
            Ok(metadata) if !metadata.is_file() => {
                Err(CliError::OutputSpecial { path: path.to_owned() })
            }
            Ok(_) => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(failed(path)(error)),
        }
    }

    /// For us alone.
    pub(crate) fn create(path: &Path) -> Result<Self, CliError> {
        Self::with_mode(path, Mode::RUSR | Mode::WUSR)
    }

    /// That everybody may read.
    pub(crate) fn create_public(path: &Path) -> Result<Self, CliError> {
        Self::with_mode(path, Mode::RUSR | Mode::WUSR | Mode::RGRP | Mode::ROTH)
    }

    fn with_mode(path: &Path, mode: Mode) -> Result<Self, CliError> {
        let name =
            path.file_name().ok_or_else(|| failed(path)(io::ErrorKind::IsADirectory.into()))?;
        let mut random = [0_u8; 12];
        getrandom::fill(&mut random).map_err(|error| failed(path)(io::Error::other(error)))?;
        let random: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
        let temporary = path.with_file_name(format!(".{}.{random}", name.to_string_lossy()));
        let file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .custom_flags((OFlags::NOFOLLOW | OFlags::CLOEXEC).bits().cast_signed())
            .open(&temporary)
            .map_err(failed(path))?;
        let new = Self { file, path: path.to_owned(), temporary, kept: false };
        // Whatever the umask took away or a default ACL added.
        rustix::fs::fchmod(&new.file, mode).map_err(|errno| failed(path)(errno.into()))?;
        Ok(new)
    }

    pub(crate) fn as_write(&mut self) -> &mut impl Write {
        &mut self.file
    }

    /// Gives the file its name, durably.
    pub(crate) fn keep(mut self, replace: bool) -> Result<(), CliError> {
        // Somebody may have made a file or a link there since.
        Self::check(&self.path, replace)?;
        self.file
            .sync_all()
            .and_then(|()| if replace { self.replace() } else { self.appear() })
            .map_err(|error| match error.kind() {
                io::ErrorKind::AlreadyExists => CliError::OutputExists { path: self.path.clone() },
                _ => failed(&self.path)(error),
            })?;
        self.kept = true;
        let directory = match self.path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        File::open(directory).and_then(|directory| directory.sync_all()).map_err(failed(&self.path))
    }

    fn replace(&self) -> io::Result<()> {
        fs::rename(&self.temporary, &self.path)
    }

    /// Fails if there is a file by now.
    fn appear(&self) -> io::Result<()> {
        let renamed = rustix::fs::renameat_with(
            CWD,
            &self.temporary,
            CWD,
            &self.path,
            RenameFlags::NOREPLACE,
        );
        match renamed {
            // Not every file system has it: a hard link does the same.
            Err(Errno::INVAL | Errno::NOSYS) => self.link(),
            renamed => Ok(renamed?),
        }
    }

    fn link(&self) -> io::Result<()> {
        fs::hard_link(&self.temporary, &self.path)?;
        fs::remove_file(&self.temporary)
    }
}

impl Drop for NewFile {
    fn drop(&mut self) {
        if !self.kept {
            let _ = fs::remove_file(&self.temporary);
        }
    }
}

fn failed(path: &Path) -> impl Fn(io::Error) -> CliError {
    let path = path.to_owned();
    move |source| CliError::OutputFile { path: path.clone(), source }
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
        for appear in [NewFile::appear, NewFile::link] {
            let mut new = NewFile::create(&path).unwrap();
            new.as_write().write_all(b"new").unwrap();
            fs::write(&path, "other").unwrap();
            assert_eq!(appear(&new).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
            drop(new);
            assert_eq!(fs::read(&path).unwrap(), b"other");
            assert_eq!(names(dir.path()), 1);

            fs::remove_file(&path).unwrap();
            let mut new = NewFile::create(&path).unwrap();
            new.as_write().write_all(b"new").unwrap();
            appear(&new).unwrap();
            drop(new);
            assert_eq!(fs::read(&path).unwrap(), b"new");
            assert_eq!(names(dir.path()), 1);
            fs::remove_file(&path).unwrap();
        }
    }
}
