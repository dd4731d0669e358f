//! `audit.log.head`: the lock of all who write the log, and which line was written last.
//!
//! A log that was rotated away leaves nothing that its successor could go on from; and one
//! whose end was cut off looks like a whole one. Both are known by this file.

use std::fs::TryLockError;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::error::AuditError;
use super::line::{ChainId, Link, MAX_SEQ};
use crate::encoding::{hex, objects};
use crate::file::appended::{Beside, FileId, Standing, beside};
use crate::file::{io_error, parent};

/// How long others are waited for. Each holds the lock for one write.
const PATIENCE: Duration = Duration::from_secs(10);
const FIRST_PAUSE: Duration = Duration::from_micros(50);
const LONGEST_PAUSE: Duration = Duration::from_millis(2);

/// Always of this length, so that it is written in place, at once.
const LENGTH: usize = 256;

const ENDING: &str = ".head";

/// The line that was written last, and the file that it is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Last {
    pub(super) link: Link,
    pub(super) file: FileId,
}

#[derive(Serialize, Deserialize)]
struct Format {
    seq: u64,
    #[serde(with = "hex")]
    chain: [u8; 8],
    #[serde(with = "hex")]
    hash: [u8; 32],
    device: u64,
    inode: u64,
}

/// The file, opened when it is first wanted.
#[derive(Debug)]
pub(super) struct Head {
    path: PathBuf,
    open: Option<Beside>,
}

/// Held while the log is looked at or written.
#[derive(Debug)]
pub(super) struct Held<'h>(&'h Beside);

impl Drop for Held<'_> {
    fn drop(&mut self) {
        // It frees itself at the latest when the file is closed.
        let _ = self.0.file().unlock();
    }
}

impl Head {
    pub(super) fn of(log: &Path) -> Self {
        Self { path: beside(log, ENDING), open: None }
    }

    /// The file is this one, or, for `None`, what is there when it is wanted next. Gives what it
    /// was before.
    pub(super) fn exchange(&mut self, open: Option<Beside>) -> Option<Beside> {
        std::mem::replace(&mut self.open, open)
    }

    /// Waits for other processes. Where others can change the file or its directory by now,
    /// or one of both was exchanged, it is not held.
    pub(super) fn lock(&mut self) -> Result<Held<'_>, AuditError> {
        self.lock_within(PATIENCE)
    }

    fn lock_within(&mut self, patience: Duration) -> Result<Held<'_>, AuditError> {
        let deadline = Instant::now() + patience;
        while !self.is_locked(deadline)? {
            // Others may have made another one already.
            self.open = None;
            if Instant::now() > deadline {
                break;
            }
        }
        match &self.open {
            Some(head) => Ok(Held(head)),
            None => Err(AuditError::InUse { path: self.path.clone() }),
        }
    }

    /// Not where it was removed. After an error the file that was opened first is kept: so the
    /// next one finds out, too.
    fn is_locked(&mut self, deadline: Instant) -> Result<bool, AuditError> {
        let head = match self.open.take() {
            Some(head) => head,
            None => Beside::open(&self.path)?,
        };
        let head = self.open.insert(head);
        wait_for(&self.path, || head.file().try_lock(), deadline)?;
        let error = match head.standing() {
            Ok(Standing::InPlace) => return Ok(true),
            Ok(Standing::Removed) => return Ok(false),
            Ok(Standing::OtherFile) => AuditError::Exchanged { path: self.path.clone() },
            Ok(Standing::OtherDirectory) => {
                AuditError::Exchanged { path: parent(&self.path).to_owned() }
            }
            Err(error) => error.into(),
        };
        let _ = head.file().unlock();
        Err(error)
    }
}

impl Held<'_> {
    /// `None` if nothing was written yet, or it is not known any more.
    pub(super) fn last(&self) -> Result<Option<Last>, AuditError> {
        Ok(parse(&self.0.read(LENGTH)?))
    }

    pub(super) fn set_last(&self, last: &Last) -> Result<(), AuditError> {
        Ok(self.0.write(&written(last))?)
    }
}

/// What a log would be opened with that is opened anew, as it is now: nothing is made, and
/// nothing that is there is taken.
pub(super) fn look_anew(log: &Path) -> Result<Option<Last>, AuditError> {
    let path = beside(log, ENDING);
    let Some(head) = Beside::open_made(&path)? else { return Ok(None) };
    wait_for(&path, || head.file().try_lock(), Instant::now() + PATIENCE)?;
    Held(&head).last()
}

/// What is known of a log from outside: its last line, and how long it was then. So nothing
/// that is written meanwhile is taken for a part that is cut off.
pub(super) fn look(log: &Path) -> Result<Option<(Last, u64)>, AuditError> {
    let path = beside(log, ENDING);
    let Some(head) = Beside::open_to_read(&path)? else { return Ok(None) };
    wait_for(&path, || head.file().try_lock_shared(), Instant::now() + PATIENCE)?;
    let held = Held(&head);
    let Some(last) = held.last()? else { return Ok(None) };
    let metadata = std::fs::metadata(log).map_err(io_error("read", log))?;
    Ok(Some((last, metadata.len())))
}

pub(super) fn written(last: &Last) -> Vec<u8> {
    let Link { chain, seq, hash } = last.link;
    let FileId { device, inode } = last.file;
    let format = Format { seq, chain: chain.0, hash, device, inode };
    // Numbers and text: nothing here can fail.
    let mut bytes = serde_json::to_vec(&format).unwrap_or_default();
    bytes.resize(LENGTH - 1, b' ');
    bytes.push(b'\n');
    bytes
}

pub(super) fn parse(bytes: &[u8]) -> Option<Last> {
    let Format { seq, chain, hash, device, inode } = objects::from_slice(bytes).ok()?;
    if seq > MAX_SEQ {
        return None;
    }
    let link = Link { chain: ChainId(chain), seq, hash };
    Some(Last { link, file: FileId { device, inode } })
}

/// A lock is free for an instant only where somebody writes all the time: so it is tried
/// often.
fn wait_for(
    path: &Path,
    mut lock: impl FnMut() -> Result<(), TryLockError>,
    deadline: Instant,
) -> Result<(), AuditError> {
    let mut pause = FIRST_PAUSE;
    loop {
        match lock() {
            Ok(()) => return Ok(()),
            Err(TryLockError::WouldBlock) if Instant::now() > deadline => {
                return Err(AuditError::InUse { path: path.to_owned() });
            }
            Err(TryLockError::WouldBlock) => {
                std::thread::sleep(pause);
                pause = if pause < LONGEST_PAUSE { pause * 2 } else { FIRST_PAUSE };
            }
            Err(TryLockError::Error(error)) => return Err(io_error("lock", path)(error).into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_last_is_read_back_and_nonsense_is_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("audit.log");
        let mut head = Head::of(&path);
        let held = head.lock().unwrap();
        assert_eq!(held.last().unwrap(), None);
        for seq in [1, MAX_SEQ, 2] {
            let link = Link { chain: ChainId([255; 8]), seq, hash: [9; 32] };
            let last = Last { link, file: FileId { device: u64::MAX, inode: u64::MAX } };
            held.set_last(&last).unwrap();
            assert_eq!(held.last().unwrap(), Some(last));
        }
        let link = Link { chain: ChainId([255; 8]), seq: u64::MAX, hash: [9; 32] };
        held.set_last(&Last { link, file: FileId { device: 1, inode: 1 } }).unwrap();
        assert_eq!(held.last().unwrap(), None);
        let beside = directory.path().join("audit.log.head");
        assert_eq!(std::fs::metadata(&beside).unwrap().len(), 256);
        std::fs::write(&beside, "{").unwrap();
        assert_eq!(held.last().unwrap(), None);
    }

    #[test]
    fn one_that_was_removed_is_made_again_and_another_one_is_not_held() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("audit.log");
        let (mut one, mut other) = (Head::of(&path), Head::of(&path));
        drop(one.lock().unwrap());
        let head = directory.path().join("audit.log.head");
        std::fs::remove_file(&head).unwrap();
        drop(one.lock().unwrap());
        std::fs::remove_file(&head).unwrap();
        let held = other.lock().unwrap();
        let exchanged = |one: &mut Head| match one.lock() {
            Err(AuditError::Exchanged { path }) => path == head,
            other => panic!("{other:?}"),
        };
        assert!(exchanged(&mut one) && exchanged(&mut one));
        drop(held);
        assert!(exchanged(&mut one));
        one.exchange(None);
        one.lock().unwrap();
    }

    #[test]
    fn who_waits_in_vain_knows_the_file_the_next_time() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("audit.log");
        let (mut one, mut other) = (Head::of(&path), Head::of(&path));
        drop(one.lock().unwrap());
        let held = other.lock().unwrap();
        let late = one.lock_within(Duration::from_millis(50));
        assert!(matches!(late, Err(AuditError::InUse { .. })));
        drop(late);
        drop(held);
        let head = directory.path().join("audit.log.head");
        std::fs::rename(&head, directory.path().join("before")).unwrap();
        std::fs::copy(directory.path().join("before"), &head).unwrap();
        assert!(matches!(one.lock(), Err(AuditError::Exchanged { .. })));
    }
}
