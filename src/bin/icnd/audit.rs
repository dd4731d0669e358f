//! The audit log that is in use, which a reload can change for another one.

use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

use icn_identity::audit::{AuditError, AuditLog, Checkpoint, Entry};

/// Whoever writes a line holds the lock for reading until it is on disk: so nothing is written
/// to a log after its last line. Nobody else has a log that it could write to.
#[derive(Clone)]
pub(crate) struct Audit(Arc<Shared>);

struct Shared {
    in_use: RwLock<InUse>,
    /// The same, for those who only look: a disk holds nobody up who does not write to it.
    looked_at: RwLock<InUse>,
}

#[derive(Clone)]
struct InUse {
    log: AuditLog,
    number: u64,
}

/// Why another log is not in use.
#[derive(Debug)]
pub(crate) enum NotReplaced {
    /// The one in use does not take its last line.
    Last(AuditError),
    /// The other one does not take its first line.
    First(AuditError),
}

/// One of the logs that were in use, by its number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Which(u64);

impl Audit {
    pub(crate) fn new(log: AuditLog) -> Self {
        let in_use = InUse { log, number: 0 };
        let looked_at = RwLock::new(in_use.clone());
        Self(Arc::new(Shared { in_use: RwLock::new(in_use), looked_at }))
    }

    fn in_use(&self) -> RwLockReadGuard<'_, InUse> {
        self.0.in_use.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn looked_at(&self) -> RwLockReadGuard<'_, InUse> {
        self.0.looked_at.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// **Blocks** on files, and until no line is being written. The last line of this log and
    /// the first one of another, in which all others are written from now on; both say the same.
    ///
    /// After an error this log is still the one in use, and may have the line.
    pub(crate) fn replace(&self, other: AuditLog, entry: Entry) -> Result<(), NotReplaced> {
        let mut in_use = self.0.in_use.write().unwrap_or_else(PoisonError::into_inner);
        in_use.log.reopen_with(entry.clone()).map_err(NotReplaced::Last)?;
        other.append(entry).map_err(NotReplaced::First)?;
        *in_use = InUse { log: other, number: in_use.number + 1 };
        let looked_at = in_use.clone();
        *self.0.looked_at.write().unwrap_or_else(PoisonError::into_inner) = looked_at;
        Ok(())
    }

    /// **Blocks** on files.
    pub(crate) fn append(&self, entry: Entry) -> Result<u64, AuditError> {
        self.in_use().log.append(entry)
    }

    /// **Blocks** on files. Into this log and no other one; `None` if another one is in use.
    pub(crate) fn append_in(&self, which: Which, entry: Entry) -> Option<Result<u64, AuditError>> {
        let in_use = self.in_use();
        (in_use.number == which.0).then(|| in_use.log.append(entry))
    }

    /// **Blocks** on files. The end of this log as it is now; `None` if another one is in use:
    /// then nothing is written to this one any more.
    pub(crate) fn checkpoint(&self, which: Which) -> Option<Result<Checkpoint, AuditError>> {
        let in_use = self.in_use();
        (in_use.number == which.0).then(|| in_use.log.checkpoint())
    }

    /// **Blocks** on files.
    pub(crate) fn check(&self) -> Result<(), AuditError> {
        self.in_use().log.check()
    }

    /// **Blocks** on files. Whether the file could be taken as it is now.
    pub(crate) fn check_reopen(&self) -> Result<(), AuditError> {
        self.in_use().log.check_reopen()
    }

    /// **Blocks** on files. Takes the file as it is now, with a line that says so.
    pub(crate) fn reopen_with(&self, entry: Entry) -> Result<(), AuditError> {
        self.in_use().log.reopen_with(entry).map(drop)
    }

    /// Which one it is now.
    pub(crate) fn which(&self) -> Which {
        Which(self.looked_at().number)
    }

    pub(crate) fn last(&self) -> u64 {
        self.looked_at().log.last()
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.looked_at().log.path().to_owned()
    }
}

#[cfg(test)]
mod tests;
