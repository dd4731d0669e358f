//! The log itself.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::batch::Batches;
use super::checkpoint::Checkpoint;
use super::entry::Entry;
use super::error::AuditError;
use super::writer::Writer;
use crate::did::Did;

/// A log that is written: one chain of lines, whoever writes it.
///
/// Many threads append at the same time, and several processes: each returns when its line
/// is on disk, and those who wait are synced together. Clones are the same log.
///
/// ```
/// use icn_identity::audit::{AuditLog, Entry, Event, verify};
/// use icn_identity::{Key, Software, Unlocked};
///
/// # let directory = tempfile::tempdir()?;
/// let path = directory.path().join("audit.log");
/// let key = Key::<Software, Unlocked>::generate()?;
/// let log = AuditLog::open(&path, key.did())?;
/// // Before the key is used. An error means that it must not be.
/// log.append(Entry::allowed(Event::Sign).with_context("payments@coop.example"))?;
/// key.sign(b"hello")?;
///
/// let verified = verify(&[path], None)?;
/// assert_eq!(verified.last(), 2);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Files
///
/// Beside `audit.log` there is `audit.log.head`, which says which line is the last one, and
/// is the lock of those who write. So their directory has to be writable. Both are of mode
/// 0600 when they are made. Before each line both are looked at, and the way to their
/// directory: where others can write to one of them by now, or `audit.log.head` or the
/// directory is another one than was opened, no line is written until [`Self::reopen`]. A log is rotated by giving it another name: the next line goes
/// into a new file, whose first one names the last line before.
#[derive(Clone)]
pub struct AuditLog(Arc<Inner>);

struct Inner {
    path: PathBuf,
    writer: Mutex<Writer>,
    batches: Batches<Entry>,
    last: AtomicU64,
}

impl AuditLog {
    /// **Blocks** on files. Opens the log of an identity, or begins it. What a writer left
    /// that was cut off is closed, and said in a line of its own.
    ///
    /// # Errors
    ///
    /// [`AuditError`] if it cannot be written, or others could change it.
    pub fn open(path: impl Into<PathBuf>, did: &Did) -> Result<Self, AuditError> {
        let path = path.into();
        let log = Self(Arc::new(Inner {
            writer: Mutex::new(Writer::new(path.clone(), did.clone())),
            path,
            batches: Batches::new(),
            last: AtomicU64::new(0),
        }));
        log.reopen()?;
        Ok(log)
    }

    /// **Blocks** on files, and while other lines are written. Appends a line, and gives
    /// its number once it is on disk.
    ///
    /// # Errors
    ///
    /// [`AuditError::NotWritten`]: nothing of what the line says may be done then.
    pub fn append(&self, entry: Entry) -> Result<u64, AuditError> {
        self.0
            .batches
            .put(entry, |entries| self.write(entries))
            .map_err(|source| AuditError::NotWritten { path: self.0.path.clone(), source })
    }

    /// **Blocks** on files. Goes on in a new file now, where the old one has got another
    /// name. Each append notices that by itself. A directory and an `audit.log.head` that
    /// were put in the place of those that were opened are taken from here on.
    ///
    /// # Errors
    ///
    /// As [`Self::open`]. What was opened before is still what is looked for then.
    pub fn reopen(&self) -> Result<(), AuditError> {
        self.anew(&[]).map(drop)
    }

    /// **Blocks** on files. The same with a line that says so, whose number it gives: what was
    /// put there is taken if that line is on disk, and else it is not.
    ///
    /// # Errors
    ///
    /// As [`Self::reopen`].
    pub fn reopen_with(&self, entry: Entry) -> Result<u64, AuditError> {
        self.anew(&[entry])
    }

    /// **Blocks** on files. Whether [`Self::reopen`] would be done, as far as can be told
    /// without it: nothing is written, made or taken.
    ///
    /// # Errors
    ///
    /// What it would say.
    pub fn check_reopen(&self) -> Result<(), AuditError> {
        self.writer().check_anew()
    }

    /// **Blocks** on files. Whether a line could be written, as far as that can be told
    /// without writing one: the file can be opened, and there is some room.
    ///
    /// # Errors
    ///
    /// What [`Self::append`] would say.
    pub fn check(&self) -> Result<(), AuditError> {
        self.writer().check()
    }

    /// The number of the last line that was written through this log.
    #[must_use]
    pub fn last(&self) -> u64 {
        self.0.last.load(Ordering::Relaxed)
    }

    /// Its file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0.path
    }

    /// **Blocks** on files. The last line as it is now, to be signed.
    ///
    /// # Errors
    ///
    /// As [`Self::open`].
    pub fn checkpoint(&self) -> Result<Checkpoint, AuditError> {
        let mut writer = self.writer();
        let link = writer.write(&[])?;
        Ok(Checkpoint::now(writer.did(), link))
    }

    fn anew(&self, entries: &[Entry]) -> Result<u64, AuditError> {
        let mut writer = self.writer();
        let before = writer.open_anew();
        let written = writer.write(entries);
        if written.is_err() {
            writer.put_back(before);
        }
        let last = written?.seq;
        self.0.last.fetch_max(last, Ordering::Relaxed);
        Ok(last)
    }

    fn write(&self, entries: &[Entry]) -> Result<u64, AuditError> {
        let last = self.writer().write(entries)?.seq;
        self.0.last.fetch_max(last, Ordering::Relaxed);
        Ok(last)
    }

    fn writer(&self) -> MutexGuard<'_, Writer> {
        self.0.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for AuditLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuditLog").field("path", &self.0.path).finish_non_exhaustive()
    }
}
