//! The audit log that is in use, which a reload can change for another one.

use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};

use icn_identity::audit::{AuditError, AuditLog, Entry};

/// Whoever writes a line holds the lock for reading until it is on disk: so nothing is written
/// to a log after its last line.
#[derive(Clone)]
pub(crate) struct Audit(Arc<RwLock<AuditLog>>);

impl Audit {
    pub(crate) fn new(log: AuditLog) -> Self {
        Self(Arc::new(RwLock::new(log)))
    }

    pub(crate) fn now(&self) -> AuditLog {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// **Blocks** on files, and until no line is being written. The last line of this log and
    /// the first one of another, in which all others are written from now on; both say the same.
    ///
    /// After an error this log is still the one in use, and may have the line.
    pub(crate) fn replace(&self, other: AuditLog, entry: Entry) -> Result<(), AuditError> {
        let mut log = self.0.write().unwrap_or_else(PoisonError::into_inner);
        log.reopen_with(entry.clone())?;
        other.append(entry)?;
        *log = other;
        Ok(())
    }

    /// **Blocks** on files.
    pub(crate) fn append(&self, entry: Entry) -> Result<u64, AuditError> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).append(entry)
    }

    /// **Blocks** on files.
    pub(crate) fn check(&self) -> Result<(), AuditError> {
        self.now().check()
    }

    /// **Blocks** on files. Whether the file could be taken as it is now.
    pub(crate) fn check_reopen(&self) -> Result<(), AuditError> {
        self.now().check_reopen()
    }

    /// **Blocks** on files. Takes the file as it is now, with a line that says so.
    pub(crate) fn reopen_with(&self, entry: Entry) -> Result<(), AuditError> {
        self.now().reopen_with(entry).map(drop)
    }

    pub(crate) fn last(&self) -> u64 {
        self.now().last()
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.now().path().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use icn_identity::audit::{Event, verify};
    use icn_identity::{Key, Software, Unlocked};

    use super::*;

    #[test]
    fn however_many_write_meanwhile_the_line_of_the_exchange_is_the_last_one_of_its_log() {
        let directory = tempfile::tempdir().unwrap();
        let key = Key::<Software, Unlocked>::generate().unwrap();
        let path = |number: usize| directory.path().join(format!("log-{number}"));
        let open = |number| AuditLog::open(path(number), key.did()).unwrap();
        let (audit, is_over) = (Audit::new(open(0)), AtomicBool::new(false));
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    while !is_over.load(Ordering::Relaxed) {
                        audit.append(Entry::allowed(Event::Sign)).unwrap();
                    }
                });
            }
            for number in 1..20 {
                audit.replace(open(number), Entry::allowed(Event::Reload)).unwrap();
            }
            is_over.store(true, Ordering::Relaxed);
        });
        for number in 0..19 {
            verify(&[path(number)], None).unwrap();
            let text = std::fs::read_to_string(path(number)).unwrap();
            assert!(text.lines().last().unwrap().contains("\"reload\""), "{text}");
            let is_first = text.lines().nth(1).unwrap().contains("\"reload\"");
            assert_eq!(is_first, number > 0, "{text}");
        }
    }
}
