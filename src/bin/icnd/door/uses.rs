//! Uses of the key, each with its line: before it, and after it if it fails.

use std::sync::Arc;
use std::time::Instant;

use icn_identity::Error;
use icn_identity::audit::{AuditLog, Entry, Event, RequestId};
use icn_identity::daemon::ProblemCode;
use icn_identity::error::in_full;
use prometheus_client::metrics::counter::Counter;

use super::{Door, Open};
use crate::line::{Line, Outcome};
use crate::problem::Problem;
use crate::refusals::Unwritten;

impl Door {
    /// A line of the audit log, on the disk when this is done.
    pub(crate) async fn record(&self, entry: Entry) -> Result<(), Problem> {
        let log = self.audit.clone();
        let written = tokio::task::spawn_blocking(move || log.append(entry)).await;
        match written {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => {
                self.metrics.audit_failed();
                Err(Problem::audit(&error))
            }
            Err(_) => Err(Problem::internal("the audit log could not be written")),
        }
    }

    /// Writes down that a request is refused, unless that were too many lines.
    pub(crate) async fn refuse(&self, line: &Line, problem: &Problem) -> Result<(), Problem> {
        if !self.refusals.admit(line.uid(), Instant::now()) {
            return Ok(());
        }
        self.record(line.entry(Outcome::Refused(problem.reason()))).await
    }

    /// Writes down how many refusals have no line, and says of whom they are.
    pub(crate) async fn record_unwritten(&self, due: bool) {
        let Some(unwritten) = self.refusals.unwritten(Instant::now(), due) else { return };
        let Unwritten { count, users, within } = unwritten;
        tracing::warn!("{count} refusals within {within:.0?} are not recorded: of user {users}");
        let entry = Entry::refused(Event::Connect, "not-recorded").with_count(count);
        // That it cannot be written is logged, and counted, already.
        let _ = self.record(entry).await;
    }

    /// Uses the key: with a line before it is used, and another one if that fails.
    pub(crate) async fn use_key<T: Send + 'static>(
        &self,
        open: Arc<Open>,
        line: &Line,
        work: impl FnOnce(&Open) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Problem> {
        let busy = || {
            Problem::new(ProblemCode::Busy, "too many requests wait for the key")
                .with_help("wait, then ask again")
        };
        let Some(place) = self.turns.enter(&line.sharer()) else {
            let problem = busy();
            self.refuse(line, &problem).await?;
            return Err(problem);
        };
        self.record(line.entry(Outcome::Allowed)).await?;
        let errors = self.metrics.audit_errors.clone();
        // A renewal is made, whoever waits for it: it says itself whether it has failed.
        let says_itself = line.is_of(Event::Renew);
        let told = Some(line).filter(|_| !says_itself);
        let own = says_itself.then(|| (self.audit.now(), errors.clone(), self.begin(line.clone())));
        let abandoned = Abandoned { log: self.audit.now(), errors, line: told };
        let Some(turn) = place.turn().await else {
            abandoned.forget();
            let problem = busy();
            self.record(line.entry(Outcome::Failed(problem.reason()))).await?;
            return Err(problem);
        };
        let done = tokio::task::spawn_blocking(move || {
            let done = work(&open);
            // Before the key is free: whoever ends icnd waits for that.
            if let Some((log, errors, work)) = own
                && let (Some(line), Err(error)) = (work.ended(), &done)
            {
                let reason = Problem::of_key(error).reason();
                append(&log, &errors, line.entry(Outcome::Failed(reason)));
            }
            drop((open, turn));
            done
        });
        let start = Instant::now();
        let done = done.await;
        abandoned.forget();
        let time = start.elapsed();
        let (problem, is_said) = match done {
            Ok(Ok(value)) => {
                self.metrics.key_was_used(time, None);
                return Ok(value);
            }
            Ok(Err(error)) => {
                tracing::warn!("the key could not be used: {}", in_full(&error));
                (Problem::of_key(&error), says_itself)
            }
            Err(_) => (Problem::internal("the key could not be used"), false),
        };
        self.metrics.key_was_used(time, Some(problem.code));
        if is_said {
            return Err(problem);
        }
        self.record(line.entry(Outcome::Failed(problem.reason()))).await?;
        Err(problem)
    }
}

/// A use whose answer nobody waits for any more: it leaves a second line, too.
struct Abandoned<'a> {
    log: AuditLog,
    errors: Counter,
    line: Option<&'a Line>,
}

impl Abandoned<'_> {
    fn forget(mut self) {
        self.line = None;
    }
}

impl Drop for Abandoned<'_> {
    fn drop(&mut self) {
        let Some(line) = self.line else { return };
        let (log, entry) =
            (self.log.clone(), line.entry(Outcome::Failed(ProblemCode::Deadline.as_str())));
        let errors = self.errors.clone();
        tokio::task::spawn_blocking(move || append(&log, &errors, entry));
    }
}

/// Blocks. Where nobody waits who could be told.
fn append(log: &AuditLog, errors: &Counter, entry: Entry) {
    if let Err(error) = log.append(entry) {
        errors.inc();
        tracing::error!("the audit log cannot be written: {}", in_full(&error));
    }
}

pub(crate) fn fresh() -> Result<RequestId, Problem> {
    RequestId::fresh().map_err(|error| Problem::internal(error.to_string()))
}
