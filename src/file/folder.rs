//! A folder whose files say whom we believe: nobody else may choose what is in it.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, Dir, FileType, Mode, OFlags, openat, statat};
use rustix::io::Errno;

use super::rule::{self, Rule, me, not_safe, way_to};
use super::{io_error, is_there, read_open, repair, trusted_text};
use crate::fault::KeystoreError;

/// One that belongs to us or to root, in which nobody else can write, at the end of a way of which
/// no stranger can turn a step elsewhere. It is open: what is listed and read is in this very
/// folder, wherever its path leads by then.
#[derive(Debug)]
pub(crate) struct TrustedFolder {
    path: PathBuf,
    open: File,
}

impl TrustedFolder {
    /// `None` if nothing has that name.
    pub(crate) fn open(path: &Path) -> Result<Option<Self>, KeystoreError> {
        if !is_there(path)? {
            return Ok(None);
        }
        let opened = openat(CWD, &way_to(path)?, flags(OFlags::DIRECTORY), Mode::empty());
        let open = opened.map_err(|error| io_error("open", path)(error.into()))?;
        Self::checked(path.to_owned(), open.into()).map(Some)
    }

    /// One that is in this one; `None` if nothing has that name.
    pub(crate) fn folder(&self, name: &OsStr) -> Result<Option<Self>, KeystoreError> {
        let Some(open) = self.at(name, OFlags::DIRECTORY)? else { return Ok(None) };
        Self::checked(self.path.join(name), open).map(Some)
    }

    fn checked(path: PathBuf, open: File) -> Result<Self, KeystoreError> {
        let metadata = open.metadata().map_err(io_error("read", &path))?;
        let (me, owner, mode) = (me(), metadata.uid(), metadata.mode() & 0o7777);
        if owner != me && owner != 0 {
            let problem = format!("it belongs to user {owner}, who can exchange what is in it");
            return Err(not_safe(&path, problem, repair::way(&path, owner, me)));
        }
        if mode & 0o022 != 0 {
            let problem = format!("its mode is {mode:04o}, so that others can write there");
            return Err(not_safe(&path, problem, repair::mode(&path, me, "chmod go-w")));
        }
        Ok(Self { path, open })
    }

    /// What is in it, in the order of the names.
    pub(crate) fn names(&self) -> Result<Vec<OsString>, KeystoreError> {
        let failed = |error: Errno| io_error("read", &self.path)(error.into());
        let mut names = Vec::new();
        for entry in Dir::read_from(&self.open).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            names.push(OsStr::from_bytes(entry.file_name().to_bytes()).to_owned());
        }
        names.sort();
        Ok(names)
    }

    /// A text in it, under the rules of [`read_trusted`](super::read_trusted).
    pub(crate) fn read(&self, name: &OsStr) -> Result<String, KeystoreError> {
        let path = self.path.join(name);
        let missing = || io_error("read", &path)(io::ErrorKind::NotFound.into());
        let mut file = self.at(name, OFlags::empty())?.ok_or_else(missing)?;
        let metadata = file.metadata().map_err(io_error("read", &path))?;
        rule::check(&path, &metadata, Rule::Trusted)?;
        // Checked to be at most MAX_LEN.
        let length = usize::try_from(metadata.len()).unwrap_or(usize::MAX);
        let bytes = read_open(&path, &mut file, length)?;
        trusted_text(&path, &bytes)
    }

    /// Opens what has this name here. A link is followed where no stranger could have made it or
    /// could turn it elsewhere.
    fn at(&self, name: &OsStr, kind: OFlags) -> Result<Option<File>, KeystoreError> {
        let path = self.path.join(name);
        let found = match statat(&self.open, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(found) => FileType::from_raw_mode(found.st_mode),
            Err(Errno::NOENT) => return Ok(None),
            Err(error) => return Err(io_error("read", &path)(error.into())),
        };
        let opened = match found {
            FileType::Symlink => openat(CWD, &way_to(&path)?, flags(kind), Mode::empty()),
            _ => openat(&self.open, name, flags(kind), Mode::empty()),
        };
        match opened {
            Ok(open) => Ok(Some(open.into())),
            Err(error) => Err(io_error("open", &path)(error.into())),
        }
    }
}

/// NONBLOCK: a FIFO in a file's place must not hang us.
fn flags(kind: OFlags) -> OFlags {
    kind | OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC
}
