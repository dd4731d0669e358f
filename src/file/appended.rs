//! Files that only grow, and what lies beside them.

use std::ffi::OsStr;
use std::fs::{self, File, Metadata, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::{Access, Mode, OFlags};

use super::rule::{self, Rule};
use super::{io_error, not_safe, parent, sync_dir};
use crate::fault::KeystoreError;

/// Which file it is, whatever its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FileId {
    pub(crate) device: u64,
    pub(crate) inode: u64,
}

impl FileId {
    fn of(metadata: &Metadata) -> Self {
        Self { device: metadata.dev(), inode: metadata.ino() }
    }

    /// That of the file which has this name now.
    pub(crate) fn at(path: &Path) -> Result<Option<Self>, KeystoreError> {
        match fs::symlink_metadata(path) {
            Ok(metadata) => Ok(Some(Self::of(&metadata))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(io_error("read", path)(error)),
        }
    }

    /// The file in a directory, under whatever name.
    pub(crate) fn find_in(self, directory: &Path) -> Option<PathBuf> {
        let entries = fs::read_dir(directory).ok()?.flatten();
        entries.map(|entry| entry.path()).find(|path| {
            fs::symlink_metadata(path).is_ok_and(|metadata| Self::of(&metadata) == self)
        })
    }
}

/// A file that is open to be appended to.
#[derive(Debug)]
pub(crate) struct Appended {
    file: File,
    path: PathBuf,
    id: FileId,
}

impl Appended {
    /// `None` if there is none.
    pub(crate) fn open(path: &Path) -> Result<Option<Self>, KeystoreError> {
        check_way(path)?;
        match options().append(true).open(path) {
            Ok(file) => Self::checked(file, path).map(Some),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(not_opened(path, error)),
        }
    }

    /// Makes one that was not there, empty.
    pub(crate) fn create(path: &Path) -> Result<Self, KeystoreError> {
        check_way(path)?;
        let file = options().append(true).create_new(true).mode(0o600).open(path);
        let file = file.map_err(|error| not_opened(path, error))?;
        private(&file).map_err(io_error("protect", path))?;
        sync_dir(parent(path))?;
        Self::checked(file, path)
    }

    fn checked(file: File, path: &Path) -> Result<Self, KeystoreError> {
        let metadata = file.metadata().map_err(io_error("read", path))?;
        rule::check(path, &metadata, Rule::Log)?;
        Ok(Self { file, path: path.to_owned(), id: FileId::of(&metadata) })
    }

    pub(crate) const fn id(&self) -> FileId {
        self.id
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn length(&self) -> Result<u64, KeystoreError> {
        let metadata = self.file.metadata().map_err(io_error("read", &self.path))?;
        Ok(metadata.len())
    }

    /// Of the file that is written: nobody else may be able to write to it by now.
    pub(crate) fn length_of_safe(&self) -> Result<u64, KeystoreError> {
        let metadata = self.file.metadata().map_err(io_error("read", &self.path))?;
        rule::check(&self.path, &metadata, Rule::Log)?;
        Ok(metadata.len())
    }

    /// The bytes from a place to the end.
    pub(crate) fn read_from(&self, start: u64, length: usize) -> Result<Vec<u8>, KeystoreError> {
        let mut bytes = vec![0; length];
        let read = self.file.read_exact_at(&mut bytes, start);
        read.map_err(io_error("read", &self.path))?;
        Ok(bytes)
    }

    /// Appends, and returns once it is on disk. After an error some of it may be there.
    pub(crate) fn append(&self, bytes: &[u8]) -> Result<(), KeystoreError> {
        io::Write::write_all(&mut &self.file, bytes).map_err(io_error("write", &self.path))?;
        self.file.sync_data().map_err(io_error("sync", &self.path))
    }

    /// Bytes that can be written before the disk is full.
    pub(crate) fn room(&self) -> Result<u64, KeystoreError> {
        let disk = rustix::fs::fstatvfs(&self.file)
            .map_err(|error| io_error("read", &self.path)(error.into()))?;
        Ok(disk.f_bavail.saturating_mul(disk.f_frsize))
    }
}

/// The same in a directory in which a file could be made, as far as can be told without it.
pub(crate) fn room_beside(path: &Path) -> Result<u64, KeystoreError> {
    let directory = parent(path);
    check_way(path)?;
    let failed = |what| move |error: rustix::io::Errno| io_error(what, directory)(error.into());
    let wanted = Access::WRITE_OK | Access::EXEC_OK;
    rustix::fs::access(directory, wanted).map_err(failed("write to"))?;
    let disk = rustix::fs::statvfs(directory).map_err(failed("read"))?;
    Ok(disk.f_bavail.saturating_mul(disk.f_frsize))
}

/// A small file beside it, that is locked and written in place.
#[derive(Debug)]
pub(crate) struct Beside {
    file: File,
    path: PathBuf,
    id: FileId,
    /// That it was opened in.
    directory: FileId,
}

/// What is found where a file was opened.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// That file, in that directory.
    InPlace,
    /// That directory, and nothing of this name.
    Removed,
    /// Another file.
    OtherFile,
    /// Another directory.
    OtherDirectory,
}

impl Beside {
    /// Opens it as it would be to be written; `None` if there is none. Makes nothing.
    pub(crate) fn open_made(path: &Path) -> Result<Option<Self>, KeystoreError> {
        let directory = check_way(path)?;
        match options().write(true).open(path) {
            Ok(file) => Self::checked(file, path, directory).map(Some),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(not_opened(path, error)),
        }
    }

    fn checked(file: File, path: &Path, directory: FileId) -> Result<Self, KeystoreError> {
        let metadata = file.metadata().map_err(io_error("read", path))?;
        rule::check(path, &metadata, Rule::Private)?;
        Ok(Self { file, path: path.to_owned(), id: FileId::of(&metadata), directory })
    }

    /// Opens it, or makes it. Durably.
    pub(crate) fn open(path: &Path) -> Result<Self, KeystoreError> {
        let directory = check_way(path)?;
        let open = || options().write(true).open(path);
        let file = match open() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let made = options().write(true).create_new(true).mode(0o600).open(path);
                match made {
                    Ok(file) => {
                        private(&file).map_err(io_error("protect", path))?;
                        sync_dir(parent(path))?;
                        Ok(file)
                    }
                    // Somebody else was faster.
                    Err(error) if error.kind() == io::ErrorKind::AlreadyExists => open(),
                    Err(error) => Err(error),
                }
            }
            opened => opened,
        };
        let file = file.map_err(|error| not_opened(path, error))?;
        Self::checked(file, path, directory)
    }

    /// To look at it only. `None` if there is none.
    pub(crate) fn open_to_read(path: &Path) -> Result<Option<Self>, KeystoreError> {
        match options().open(path) {
            Ok(file) => {
                let metadata = file.metadata().map_err(io_error("read", path))?;
                let directory = fs::metadata(parent(path)).map_err(io_error("read", path))?;
                let (id, directory) = (FileId::of(&metadata), FileId::of(&directory));
                Ok(Some(Self { file, path: path.to_owned(), id, directory }))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(not_opened(path, error)),
        }
    }

    /// Whether its name still leads to it.
    pub(crate) fn is_in_place(&self) -> Result<bool, KeystoreError> {
        Ok(FileId::at(&self.path)? == Some(self.id))
    }

    /// Looks at all that was looked at when it was opened: the way to its directory, and
    /// whose the file is that has its name now.
    pub(crate) fn standing(&self) -> Result<Standing, KeystoreError> {
        if check_way(&self.path)? != self.directory {
            return Ok(Standing::OtherDirectory);
        }
        let metadata = match fs::symlink_metadata(&self.path) {
            Ok(metadata) => metadata,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Standing::Removed),
            Err(error) => return Err(io_error("read", &self.path)(error)),
        };
        if FileId::of(&metadata) != self.id {
            return Ok(Standing::OtherFile);
        }
        rule::check(&self.path, &metadata, Rule::Private)?;
        Ok(Standing::InPlace)
    }

    pub(crate) const fn file(&self) -> &File {
        &self.file
    }

    /// What is in it, up to so many bytes.
    pub(crate) fn read(&self, most: usize) -> Result<Vec<u8>, KeystoreError> {
        let mut bytes = vec![0; most];
        let length = self.file.read_at(&mut bytes, 0).map_err(io_error("read", &self.path))?;
        bytes.truncate(length);
        Ok(bytes)
    }

    pub(crate) fn write(&self, bytes: &[u8]) -> Result<(), KeystoreError> {
        self.file.write_all_at(bytes, 0).map_err(io_error("write", &self.path))
    }
}

/// The name of another file beside one.
pub(crate) fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.file_name().unwrap_or(OsStr::new("")).to_owned();
    name.push(ending);
    path.with_file_name(name)
}

/// NONBLOCK: a FIFO in the file's place must not hang us.
fn options() -> OpenOptions {
    let flags = OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    let mut options = OpenOptions::new();
    options.read(true).custom_flags(flags.bits().cast_signed());
    options
}

/// Whatever the umask took away.
fn private(file: &File) -> io::Result<()> {
    Ok(rustix::fs::fchmod(file, Mode::RUSR | Mode::WUSR)?)
}

/// Nobody may be able to put another file in its place. Which directory it is in.
fn check_way(path: &Path) -> Result<FileId, KeystoreError> {
    Ok(FileId::of(&rule::check_above(&rule::way_to(parent(path))?)?))
}

fn not_opened(path: &Path, error: io::Error) -> KeystoreError {
    if error.raw_os_error() == Some(rustix::io::Errno::LOOP.raw_os_error()) {
        return not_safe(path, "it is a symbolic link", "name the file itself");
    }
    io_error("open", path)(error)
}
