//! The audit log that is in use, which a reload can change for another one.

use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};

use icn_identity::audit::{AuditError, AuditLog, Entry};

#[derive(Clone)]
pub(crate) struct Audit(Arc<RwLock<AuditLog>>);

impl Audit {
    pub(crate) fn new(log: AuditLog) -> Self {
        Self(Arc::new(RwLock::new(log)))
    }

    pub(crate) fn now(&self) -> AuditLog {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What is written from now on is written there.
    pub(crate) fn replace(&self, log: AuditLog) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = log;
    }

    /// **Blocks** on files.
    pub(crate) fn append(&self, entry: Entry) -> Result<u64, AuditError> {
        self.now().append(entry)
    }

    /// **Blocks** on files.
    pub(crate) fn check(&self) -> Result<(), AuditError> {
        self.now().check()
    }

    /// **Blocks** on files.
    pub(crate) fn reopen(&self) -> Result<(), AuditError> {
        self.now().reopen()
    }

    pub(crate) fn last(&self) -> u64 {
        self.now().last()
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.now().path().to_owned()
    }
}
