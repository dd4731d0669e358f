//! The configuration, read anew while it runs.

use std::sync::Arc;

use icn_identity::Error;
use icn_identity::audit::{AuditLog, Event};
use icn_identity::config::Config;
use icn_identity::daemon::ProblemCode;
use icn_identity::error::{KeystoreError, in_full};
use sd_notify::NotifyState;

use super::{audit_path, own_line, tell};
use crate::door::Door;
use crate::error::StartError;
use crate::line::{Line, Outcome};

/// Clients and the file of the audit log anew, which are in force when this is done. What is
/// not valid changes nothing. Whether it was read.
pub(super) async fn reload(door: &Arc<Door>) -> bool {
    let reloading = NotifyState::monotonic_usec_now().map(|now| [NotifyState::Reloading, now]);
    if let Ok(reloading) = reloading {
        tell(&reloading);
    }
    // Of one request are all its lines, also where it is allowed and fails after that.
    let line = own_line(Event::Reload);
    let (of_task, of_reload) = (door.clone(), line.as_ref().ok().cloned());
    let reloaded = tokio::task::spawn_blocking(move || {
        let line = of_reload.map_or_else(|| own_line(Event::Reload), Ok)?;
        reload_now(&of_task, &line)
    });
    let reloaded = reloaded.await;
    let failed = match reloaded {
        Ok(Ok(())) => None,
        Ok(Err(error)) => {
            let step = error.help().map_or_else(String::new, |help| format!("; {help}"));
            Some((in_full(&error), step, code_of(&error)))
        }
        Err(_) => Some(("it was cut off".to_owned(), String::new(), ProblemCode::Internal)),
    };
    door.was_reloaded(failed.is_none());
    let Some((why, step, code)) = failed else {
        tracing::info!("has read the configuration anew");
        if !door.is_stopping() {
            tell(&[NotifyState::Status("serves"), NotifyState::Ready]);
        }
        return true;
    };
    tracing::error!("the configuration was not read anew: {why}{step}");
    let of_task = door.clone();
    let note = move || {
        let line = line.or_else(|_| own_line(Event::Reload))?;
        let written = of_task.audit.append(line.entry(Outcome::Failed(code.as_str())));
        written.inspect_err(|_| of_task.metrics.audit_failed())?;
        Ok::<_, StartError>(())
    };
    if let Ok(Err(error)) = tokio::task::spawn_blocking(note).await {
        tracing::error!("the audit log cannot be written: {}", in_full(&error));
    }
    let status = format!("serves by an older configuration: the new one was not read: {why}");
    if !door.is_stopping() {
        tell(&[NotifyState::Status(&status), NotifyState::Ready]);
    }
    false
}

fn code_of(error: &StartError) -> ProblemCode {
    match error {
        StartError::Audit(_) | StartError::LastLine(_) => ProblemCode::AuditUnwritable,
        StartError::Stopping => ProblemCode::Stopping,
        StartError::Identity(_) => ProblemCode::Malformed,
        _ => ProblemCode::Internal,
    }
}

/// Nothing changes unless its line is on disk: it comes after all that was decided before, and
/// before anything is written to another log or to a file that was put in the place of ours.
fn reload_now(door: &Door, line: &Line) -> Result<(), StartError> {
    let config = Config::load(&door.place.config).map_err(Error::from)?;
    if let Some(pinned) = &config.identity.did
        && *pinned != door.did
    {
        let (path, pinned) = (door.place.config.clone(), pinned.clone());
        return Err(Error::from(KeystoreError::OtherPinned { path, pinned }).into());
    }
    let path = audit_path(&config, &door.place.home);
    let other = door.audit.path() != path;
    let other = other.then(|| AuditLog::open(path, &door.did)).transpose()?;
    // So that nothing is in force, meanwhile, of which there can be no line.
    let checked = door.audit.check_reopen();
    match &other {
        None => checked?,
        Some(other) => {
            checked.map_err(StartError::LastLine)?;
            other.check()?;
        }
    }
    let reloaded = door.reload(&config).ok_or(StartError::Stopping)?;
    let entry = line.entry(Outcome::Allowed);
    match other {
        None => door.audit.reopen_with(entry)?,
        Some(other) => {
            let path = other.path().to_owned();
            door.audit.replace(other, entry)?;
            tracing::info!("another audit log is used: {}", path.display());
        }
    }
    reloaded.keep();
    let waits = door.waits_for_start(&config);
    if !waits.is_empty() {
        let names: Vec<String> = waits.iter().map(|name| format!("`{name}`")).collect();
        tracing::warn!(
            "changed in [daemon] and used from the next start on: {}; restart icnd",
            names.join(", ")
        );
    }
    Ok(())
}
