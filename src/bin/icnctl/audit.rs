//! `icnctl audit`, and the lines of what `icnctl` itself has the key do.

mod command;
mod report;

use icn_identity::ErrorKind;
use icn_identity::audit::{AuditLog, DEFAULT_NAME, Entry, Event, RequestId, Requester};
use std::path::PathBuf;

pub(crate) use self::command::run;
use crate::context::Context;
use crate::error::CliError;
use crate::report::warn;

/// The log of an identity, where there is one.
pub(crate) struct Audit {
    log: Option<AuditLog>,
    request: RequestId,
}

impl Context {
    /// The log that is configured, or the one that is in the home.
    pub(crate) fn audit_path(&self) -> PathBuf {
        let configured = self.config.audit_path().map(|path| self.home.join(path));
        configured.unwrap_or_else(|| self.home.join(DEFAULT_NAME))
    }

    /// Before anybody is asked for a secret: where no line can be written, the key is not
    /// used. Without a configured log, and without one in the home, nothing is written: so
    /// a home that is read-only opens.
    pub(crate) fn audit(&self) -> Result<Audit, CliError> {
        let path = self.audit_path();
        let wanted = self.config.audit_path().is_some() || path.symlink_metadata().is_ok();
        // Where there is no identity there is no key.
        let header = if wanted { self.store().header().ok() } else { None };
        let log = header.map(|header| AuditLog::open(path, header.did())).transpose()?;
        let request = RequestId::fresh().map_err(icn_identity::Error::from)?;
        Ok(Audit { log, request })
    }
}

impl Audit {
    pub(crate) const fn is_written(&self) -> bool {
        self.log.is_some()
    }

    pub(crate) const fn log(&self) -> Option<&AuditLog> {
        self.log.as_ref()
    }

    /// The line of something that is done next.
    pub(crate) fn before(&self, entry: Entry) -> Result<(), CliError> {
        let Some(log) = &self.log else { return Ok(()) };
        let entry = entry.with_request(self.request).with_requester(&Requester::ours());
        log.append(entry)?;
        Ok(())
    }

    /// A line of what is not done, since it must not be.
    pub(crate) fn refused<T>(
        &self,
        event: Event,
        reason: &'static str,
        error: CliError,
    ) -> Result<T, CliError> {
        self.before(Entry::refused(event, reason))?;
        Err(error)
    }

    /// A line of what has not succeeded. It was not done: so it is no further harm where
    /// that cannot be written either.
    pub(crate) fn after<T>(&self, event: Event, done: Result<T, CliError>) -> Result<T, CliError> {
        done.inspect_err(|error| {
            let kind = kind_of(error);
            let entry = match kind {
                ErrorKind::WrongCredential | ErrorKind::LockedOut => {
                    Entry::refused(event, kind.as_str())
                }
                kind => Entry::failed(event, kind.as_str()),
            };
            if let Err(CliError::Identity(error)) = self.before(entry) {
                warn("that this has failed is not in the audit log", &error);
            }
        })
    }
}

/// What an error of ours means, as those of the library say it.
fn kind_of(error: &CliError) -> ErrorKind {
    match error {
        CliError::Identity(error)
        | CliError::NotApproved(error)
        | CliError::NoNewKey(error)
        | CliError::NotDecrypted { source: error, .. }
        | CliError::OtherCommitted { source: error, .. }
        | CliError::PartlyDecrypted { source: error } => error.kind(),
        CliError::Successor { source, .. } => kind_of(source),
        CliError::NoCredential { .. } | CliError::NotTyped { .. } => ErrorKind::CredentialMissing,
        CliError::Input { .. } | CliError::Output { .. } | CliError::OutputFile { .. } => {
            ErrorKind::Io
        }
        _ => ErrorKind::InvalidInput,
    }
}

/// Does something with the key that is one use of it, with its line before.
pub(crate) fn during<T>(
    context: &Context,
    event: Event,
    work: impl FnOnce() -> Result<T, CliError>,
) -> Result<T, CliError> {
    let audit = context.audit()?;
    audit.before(Entry::allowed(event))?;
    audit.after(event, work())
}
