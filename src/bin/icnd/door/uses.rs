//! Uses of the key, each with its line: before it, and after it if it fails.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use icn_identity::Error;
use icn_identity::audit::{AuditError, Entry, Event, RequestId};
use icn_identity::daemon::ProblemCode;
use icn_identity::error::in_full;
use prometheus_client::metrics::counter::Counter;
use tokio::sync::oneshot;

use super::{Door, Open};
use crate::audit::Audit;
use crate::line::{Line, Outcome};
use crate::problem::Problem;
use crate::refusals::Unwritten;

impl Door {
    /// A line of the audit log, on the disk when this is done.
    pub(crate) async fn record(&self, entry: Entry) -> Result<(), Problem> {
        self.record_then(entry, |_| {}).await
    }

    /// The same, and `then` is told whether it is: also where nobody waits for it any more.
    async fn record_then(
        &self,
        entry: Entry,
        then: impl FnOnce(bool) + Send + 'static,
    ) -> Result<(), Problem> {
        let log = self.audit.clone();
        let write = move || {
            let written = log.append(entry);
            then(written.is_ok());
            written
        };
        match tokio::task::spawn_blocking(write).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => {
                self.metrics.audit_failed();
                Err(Problem::audit(&error))
            }
            Err(_) => Err(Problem::internal("the audit log could not be written")),
        }
    }

    /// The same for a request of a client or a stranger, of whom only so many are written at a
    /// time.
    pub(crate) async fn record_of(&self, line: &Line, outcome: Outcome) -> Result<(), Problem> {
        let one = self.lines.enter(&line.sharer().share).await;
        let written = self.record_then(line.entry(outcome), |_| drop(one)).await;
        written.map_err(|problem| told_to(line, problem))
    }

    /// Writes down that a request is refused, unless that were too many lines: what has no line,
    /// for whatever reason, is counted.
    pub(crate) async fn refuse(&self, line: &Line, problem: &Problem) -> Result<(), Problem> {
        let Some(admitted) = self.refusals.admit(&line.sharer(), Instant::now()) else {
            return Ok(());
        };
        let one = self.lines.enter(&line.sharer().share).await;
        let entry = line.entry(Outcome::Refused(problem.reason()));
        let then = |is_written| {
            if is_written {
                admitted.has_line();
            }
            drop(one);
        };
        self.record_then(entry, then).await.map_err(|problem| told_to(line, problem))
    }

    /// Writes down how many refusals have no line, and says of whom they are.
    pub(crate) async fn record_unwritten(&self, due: bool) {
        for unwritten in self.refusals.unwritten(Instant::now(), due) {
            let Unwritten { client, count, users, within, .. } = &unwritten;
            let whose = client.as_ref().map_or_else(String::new, |name| format!("client {name}, "));
            tracing::warn!(
                "{count} refusals within {within:.0?} are not recorded: of {whose}user {users}"
            );
            let mut entry = Entry::refused(Event::Connect, "not-recorded").with_count(*count);
            if let Some(name) = client {
                entry = entry.with_client(name);
            }
            // That it cannot be written is logged, and counted, already: it is tried again.
            let written = self.record(entry).await.is_ok();
            self.refusals.was_told(unwritten, written, Instant::now());
        }
    }

    /// Uses the key: with a line before it is used, and another one if that fails. The line, its
    /// turn and the use are one step on one thread, unless others have the key just then.
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
        // A renewal says itself whether it has failed, whoever waits for it.
        let says_itself = line.is_of(Event::Renew);
        let interest = place.interest();
        let progress = Arc::new(Progress::default());
        let lines = Lines { audit: self.audit.clone(), errors: self.metrics.audit_errors.clone() };
        let abandoned =
            Abandoned { lines: lines.clone(), line, says_itself, progress: progress.clone() };
        let (done, told) = oneshot::channel();
        let (own, at_work) = (line.clone(), self.at_work.clone());
        tokio::task::spawn_blocking(move || {
            let Some(written) = own.allow(&lines.audit) else { return };
            if let Err(error) = written {
                let _ = done.send(Done::NotWritten(error));
                return;
            }
            if !progress.advance(Step::Asked, Step::Written) {
                lines.append(own.entry(Outcome::Failed(ProblemCode::Deadline.as_str())));
                return;
            }
            let says_itself = says_itself.then(|| at_work.begin(own.clone()));
            let decided_by = own.decided_by();
            place.use_key(move |place| {
                if !progress.advance(Step::Written, Step::Using) {
                    return;
                }
                let start = Instant::now();
                let used = work(&open);
                let time = start.elapsed();
                // Before the key is free: whoever ends icnd waits for that.
                if let Some(work) = says_itself
                    && let (Some(line), Err(error)) = (work.ended(), &used)
                {
                    lines.append(line.entry(Outcome::Failed(Problem::of_key(error).reason())));
                }
                drop((open, place, decided_by));
                let _ = done.send(Done::Used(used, time));
            });
        });
        let told = told.await;
        let step = abandoned.forget();
        drop(interest);
        let (problem, is_said) = match told {
            Ok(Done::Used(Ok(value), time)) => {
                self.metrics.key_was_used(time, None);
                return Ok(value);
            }
            Ok(Done::Used(Err(error), time)) => {
                tracing::warn!("the key could not be used: {}", in_full(&error));
                let problem = Problem::of_key(&error);
                self.metrics.key_was_used(time, Some(problem.code));
                (problem, says_itself)
            }
            Ok(Done::NotWritten(error)) => {
                self.metrics.audit_failed();
                return Err(Problem::audit(&error));
            }
            Err(_) => match step {
                Step::Written => (busy(), false),
                Step::Using => (Problem::internal("the key could not be used"), false),
                _ => return Err(Problem::internal("the audit log could not be written")),
            },
        };
        if is_said {
            return Err(problem);
        }
        self.record(line.entry(Outcome::Failed(problem.reason()))).await?;
        Err(problem)
    }
}

fn told_to(line: &Line, problem: Problem) -> Problem {
    if line.sharer().is_client() { problem } else { problem.of_stranger() }
}

/// What came of a use.
enum Done<T> {
    /// Its line was not, so it was not begun.
    NotWritten(AuditError),
    Used(Result<T, Error>, Duration),
}

/// How far a use has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    /// There is no line of it yet.
    Asked,
    /// Its line is on the disk.
    Written,
    Using,
    /// Nobody waits for it any more.
    Abandoned,
}

/// Who does it and who waits for it agree on this: so that what is abandoned is not begun, and
/// that one of them says so where a line says that it was allowed.
struct Progress(Mutex<Step>);

impl Default for Progress {
    fn default() -> Self {
        Self(Mutex::new(Step::Asked))
    }
}

impl Progress {
    /// Whether it was there.
    fn advance(&self, from: Step, to: Step) -> bool {
        let mut step = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let was_there = *step == from;
        if was_there {
            *step = to;
        }
        was_there
    }

    /// Where it was.
    fn abandon(&self) -> Step {
        std::mem::replace(
            &mut *self.0.lock().unwrap_or_else(PoisonError::into_inner),
            Step::Abandoned,
        )
    }
}

/// A use whose answer nobody waits for any more: it leaves a second line, too.
struct Abandoned<'a> {
    lines: Lines,
    line: &'a Line,
    says_itself: bool,
    progress: Arc<Progress>,
}

impl Abandoned<'_> {
    /// It was not. How far it has come.
    fn forget(self) -> Step {
        self.progress.abandon()
    }
}

impl Drop for Abandoned<'_> {
    fn drop(&mut self) {
        let wants_line = match self.progress.abandon() {
            // Who writes its first line writes another one.
            Step::Asked | Step::Abandoned => false,
            Step::Written => true,
            Step::Using => !self.says_itself,
        };
        if wants_line {
            let lines = self.lines.clone();
            let entry = self.line.entry(Outcome::Failed(ProblemCode::Deadline.as_str()));
            tokio::task::spawn_blocking(move || lines.append(entry));
        }
    }
}

/// Where lines go that nobody waits for.
#[derive(Clone)]
struct Lines {
    audit: Audit,
    errors: Counter,
}

impl Lines {
    /// **Blocks** on files.
    fn append(&self, entry: Entry) {
        if let Err(error) = self.audit.append(entry) {
            self.errors.inc();
            tracing::error!("the audit log cannot be written: {}", in_full(&error));
        }
    }
}

pub(crate) fn fresh() -> Result<RequestId, Problem> {
    RequestId::fresh().map_err(|error| Problem::internal(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_abandoned_is_not_begun_and_one_of_both_says_so() {
        for round in 0..2000 {
            let progress = Progress::default();
            let (does, waits) = std::thread::scope(|scope| {
                let does = scope.spawn(|| {
                    let is_written = progress.advance(Step::Asked, Step::Written);
                    (is_written, is_written && progress.advance(Step::Written, Step::Using))
                });
                (0..round % 50).for_each(|_| std::hint::spin_loop());
                let waits = progress.abandon();
                (does.join().unwrap(), waits)
            });
            match (does, waits) {
                // Who writes the line finds that nobody waits, and says so.
                ((false, false), Step::Asked) => {}
                // Who waited says so.
                ((true, false), Step::Written) | ((true, true), Step::Using) => {}
                other => panic!("{other:?}"),
            }
            assert_eq!(progress.abandon(), Step::Abandoned);
        }
    }
}
