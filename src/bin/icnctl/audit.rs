//! `icnctl audit`, and the lines of what `icnctl` itself has the key do.

mod command;
mod report;

use icn_identity::audit::{AuditLog, DEFAULT_NAME, Entry, Event, RequestId, Requester};
use icn_identity::home::Made;
use icn_identity::keystore::Header;
use icn_identity::{Did, ErrorKind};
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
        // Where there is no identity there is no key.
        let header = if self.wants_audit() { self.store().header().ok() } else { None };
        self.audit_of(header.as_ref().map(Header::did))
    }

    fn wants_audit(&self) -> bool {
        self.config.audit_path().is_some() || self.audit_path().symlink_metadata().is_ok()
    }

    fn audit_of(&self, did: Option<&Did>) -> Result<Audit, CliError> {
        let did = did.filter(|_| self.wants_audit());
        let log = did.map(|did| AuditLog::open(self.audit_path(), did)).transpose()?;
        let request = RequestId::fresh().map_err(icn_identity::Error::from)?;
        Ok(Audit { log, request })
    }
}

/// Makes an identity, and writes its line when it is there: before that there is no key, and
/// no home. The result is not told before.
pub(crate) fn making(
    context: &Context,
    event: Event,
    known: Option<&Did>,
    work: impl FnOnce() -> Result<Made, CliError>,
) -> Result<Made, CliError> {
    match work() {
        Ok(made) => {
            made_by(context, event, made.header.did())?;
            Ok(made)
        }
        // A log may be there from before.
        Err(error) => match known {
            Some(did) if context.audit_path().is_file() => {
                context.audit_of(Some(did))?.after(event, Err(error))
            }
            _ => Err(error),
        },
    }
}

/// The line of an identity that was made.
pub(crate) fn made_by(context: &Context, event: Event, did: &Did) -> Result<(), CliError> {
    let audit = context.audit_of(Some(did));
    let written = audit.and_then(|audit| audit.before(Entry::allowed(event)));
    written.map_err(|source| CliError::MadeWithoutLine { source: source.into() })
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
        | CliError::NoTokenOfMove(error)
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
