//! One writer at a time: an advisory lock that names its holder and frees
//! itself when the holder ends.

mod holder;

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::time::Duration;

use rustix::fs::{Mode, OFlags};

use super::io_error;
use super::names;
use super::rule::{self, Rule};
use crate::fault::KeystoreError;
use crate::sync::{Instant, sleep, step};
use crate::waiting::{self, Wait};

/// How long another holder is waited for: several times what opening an
/// identity takes, so that scripts can sign side by side.
const PATIENCE: Duration = Duration::from_secs(8);

/// As long as holders come and go.
const MOST_PATIENCE: Duration = Duration::from_secs(60);

/// How long another try of a PIN is waited for: a device may take its time, and who
/// does not wait would send the same wrong PIN.
pub(crate) const TRY_PATIENCE: Duration = Duration::from_secs(30);

/// Held while the files of an identity are read or written together.
#[derive(Debug)]
pub(crate) struct Lock {
    /// None where there is no lock file and none can be made, on a full or
    /// read-only disk: then nobody else can write either.
    _file: Option<File>,
}

impl Lock {
    /// Waits for other processes, and sweeps away the temporary files of writers
    /// that were killed: under the lock there is no other writer.
    pub(crate) fn exclusive(home: &Path) -> Result<Self, KeystoreError> {
        let lock = Self::of_directory(home)?;
        sweep(home, names::is_unfinished);
        Ok(lock)
    }

    /// Of the directory of one file, and sweeps away that file's temporary ones.
    pub(crate) fn beside(path: &Path) -> Result<Self, KeystoreError> {
        let lock = Self::of_directory(super::parent(path))?;
        sweep_beside(path);
        Ok(lock)
    }

    /// Sweeps nothing: for writes that are so many that looking at all files of a large
    /// directory would be felt.
    pub(crate) fn unswept(home: &Path) -> Result<Self, KeystoreError> {
        Self::of_directory(home)
    }

    /// Held while a PIN is tried: on the directory itself, which has one writer with
    /// a lock of its own. So it is there on a read-only disk, too.
    pub(crate) fn of_tries(home: &Path) -> Result<Self, KeystoreError> {
        let Ok(directory) = File::open(home) else { return Ok(Self { _file: None }) };
        match wait_for(&directory, TRY_PATIENCE) {
            Ok(()) => Ok(Self { _file: Some(directory) }),
            Err(TryLockError::WouldBlock) => Err(KeystoreError::InUse {
                home: home.to_owned(),
                holder: "a process that tries a PIN".to_owned(),
            }),
            // A network file system that locks no directories.
            Err(TryLockError::Error(error)) => {
                log::debug!("{} cannot be locked: {error}", home.display());
                Ok(Self { _file: None })
            }
        }
    }

    /// The same without a wait: nothing while another has it.
    pub(crate) fn try_of_tries(home: &Path) -> Option<Self> {
        let Ok(directory) = File::open(home) else { return Some(Self { _file: None }) };
        match directory.try_lock() {
            Ok(()) => Some(Self { _file: Some(directory) }),
            Err(TryLockError::WouldBlock) => None,
            Err(TryLockError::Error(error)) => {
                log::debug!("{} cannot be locked: {error}", home.display());
                Some(Self { _file: None })
            }
        }
    }

    /// Whether there is a lock: not where none can be made, or the file system has none.
    pub(crate) const fn is_held(&self) -> bool {
        self._file.is_some()
    }

    /// Held for as long as a write takes, by whoever holds whatever else: nobody waits
    /// for anything under it.
    pub(crate) fn of_notes(home: &Path) -> Result<Self, KeystoreError> {
        Self::of_file(home, names::NOTES_LOCK)
    }

    /// Held for all the steps of a move to another backend: each of them takes the
    /// other locks as well.
    pub(crate) fn of_migration(home: &Path) -> Result<Self, KeystoreError> {
        Self::of_file(home, names::MIGRATION_LOCK)
    }

    fn of_directory(home: &Path) -> Result<Self, KeystoreError> {
        Self::of_file(home, names::LOCK)
    }

    fn of_file(home: &Path, name: &str) -> Result<Self, KeystoreError> {
        let path = home.join(name);
        let Some(mut file) = open(&path).map_err(io_error("open", &path))? else {
            return Ok(Self { _file: None });
        };
        let metadata = file.metadata().map_err(io_error("read", &path))?;
        rule::check(&path, &metadata, Rule::Private)?;
        match wait_in_turn(&mut file) {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let holder = holder::named(&holder_of(&mut file), &file);
                return Err(KeystoreError::InUse { home: home.to_owned(), holder });
            }
            Err(TryLockError::Error(error)) => return Err(io_error("lock", &path)(error)),
        }
        let holder = holder::ours();
        // Only for the message that others see; the lock does not depend on it.
        let _ = file
            .set_len(0)
            .and_then(|()| file.rewind())
            .and_then(|()| file.write_all(holder.as_bytes()));
        Ok(Self { _file: Some(file) })
    }
}

/// Waits for one holder after the other: each for as long, and all for no more than a
/// minute.
fn wait_in_turn(file: &mut File) -> Result<(), TryLockError> {
    let start = Instant::now();
    let mut holder = None;
    loop {
        match wait_for(file, PATIENCE) {
            Err(TryLockError::WouldBlock) if start.elapsed() < MOST_PATIENCE => {
                // Who was there before is not waited for twice.
                let now = holder_of(file);
                if now.trim().is_empty() || holder.as_ref().is_none_or(|before| *before == now) {
                    return Err(TryLockError::WouldBlock);
                }
                holder = Some(now);
            }
            locked => return locked,
        }
    }
}

/// What the holder has written of itself.
fn holder_of(file: &mut File) -> String {
    let mut written = Vec::new();
    let _ = file.rewind().and_then(|()| Read::by_ref(file).take(512).read_to_end(&mut written));
    String::from_utf8_lossy(&written).into_owned()
}

fn wait_for(file: &File, patience: Duration) -> Result<(), TryLockError> {
    let start = Instant::now();
    step();
    let mut locked = file.try_lock();
    if matches!(locked, Err(TryLockError::WouldBlock)) {
        waiting::during(Wait::Lock, || {
            // Most are held for an instant.
            let mut pause = Duration::from_millis(1);
            while matches!(locked, Err(TryLockError::WouldBlock)) && start.elapsed() < patience {
                sleep(pause);
                pause = (pause * 2).min(Duration::from_millis(20));
                locked = file.try_lock();
            }
        });
    }
    locked
}

/// Removes the new versions of a file that their writers did not finish, where the
/// lock of its directory is held.
pub(crate) fn sweep_beside(path: &Path) {
    let Some(file) = path.file_name().and_then(|name| name.to_str()) else { return };
    sweep(super::parent(path), |name| names::is_unfinished_of(name, file));
}

/// Removes what writers did not finish in a directory whose files are all ours, where the
/// lock that its writers take is held.
pub(crate) fn sweep_all(directory: &Path) {
    sweep(directory, names::is_unfinished_of_any);
}

/// Best effort: what is left is in nobody's way.
fn sweep(directory: &Path, is_left: impl Fn(&str) -> bool) {
    let Ok(entries) = std::fs::read_dir(directory) else { return };
    for entry in entries.flatten() {
        if entry.file_name().to_str().is_some_and(&is_left)
            && let Err(error) = std::fs::remove_file(entry.path())
        {
            log::debug!("{} was left behind: {error}", entry.path().display());
        }
    }
}

pub(super) fn open(path: &Path) -> io::Result<Option<File>> {
    use io::ErrorKind::{NotFound, QuotaExceeded, ReadOnlyFilesystem, StorageFull};
    let flags = (OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK).bits().cast_signed();
    let mut made = OpenOptions::new();
    made.write(true).create_new(true).mode(0o600);
    let mut there = OpenOptions::new();
    there.write(true);
    for options in [&mut made, &mut there] {
        options.read(true).custom_flags(flags);
    }
    let file = match there.open(path) {
        Err(error) if error.kind() == NotFound => match made.open(path) {
            // Whatever the umask took away.
            Ok(file) => rustix::fs::fchmod(&file, Mode::RUSR | Mode::WUSR).map(|()| file)?,
            // Somebody else was faster.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => there.open(path)?,
            Err(error) if matches!(error.kind(), StorageFull | QuotaExceeded) => return Ok(None),
            Err(error) if error.kind() == ReadOnlyFilesystem => return Ok(None),
            Err(error) => return Err(error),
        },
        // A lock needs no writing.
        Err(error) if error.kind() == ReadOnlyFilesystem => match there.write(false).open(path) {
            Err(error) if error.kind() == NotFound => return Ok(None),
            opened => opened?,
        },
        opened => opened?,
    };
    Ok(Some(file))
}
