//! Group commit: who comes while a line is being synced is written with the next ones,
//! all of them by one sync.
//!
//! Nobody waits on the off chance that others come. Only where the batch before had
//! several lines, the next one is held open until as many are there, for as long as a sync
//! takes at most, and never for more than [`LONGEST`]: without that, the first of those who
//! were just served would have a sync to itself.

use std::collections::HashMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::error::AuditError;

/// For how long a batch is held open.
const LONGEST: Duration = Duration::from_millis(5);
/// Most lines in one batch.
const MOST: usize = 1024;

/// Those who wait to be written.
#[derive(Debug)]
pub(super) struct Batches<T> {
    state: Mutex<State<T>>,
    arrived: Condvar,
    done: Condvar,
}

#[derive(Debug)]
struct State<T> {
    next: u64,
    waiting: Vec<(u64, T)>,
    results: HashMap<u64, Result<u64, Arc<AuditError>>>,
    /// Somebody is writing, or about to.
    led: bool,
    /// Of the batch before.
    lines: usize,
    took: Duration,
}

impl<T> Batches<T> {
    pub(super) fn new() -> Self {
        let state = State {
            next: 0,
            waiting: Vec::new(),
            results: HashMap::new(),
            led: false,
            lines: 1,
            took: Duration::ZERO,
        };
        Self { state: Mutex::new(state), arrived: Condvar::new(), done: Condvar::new() }
    }

    /// Has one thing written, with those of others, and gives its number: `write` writes
    /// many, and gives the number of the last. One of those who wait does it for all.
    pub(super) fn put(
        &self,
        one: T,
        write: impl FnOnce(&[T]) -> Result<u64, AuditError>,
    ) -> Result<u64, Arc<AuditError>> {
        let mut write = Some(write);
        let mut state = self.state();
        let ticket = state.next;
        state.next += 1;
        state.waiting.push((ticket, one));
        self.arrived.notify_all();
        loop {
            if let Some(result) = state.results.remove(&ticket) {
                return result;
            }
            if state.led {
                state = self.done.wait(state).unwrap_or_else(PoisonError::into_inner);
                continue;
            }
            // Who has led once is in the batch that it wrote, unless that was full.
            let Some(write) = write.take() else {
                return Err(Arc::new(AuditError::Interrupted));
            };
            state.led = true;
            state = self.gather(state);
            // Its own is in it, whatever else is.
            let own = state.waiting.iter().position(|(other, _)| *other == ticket);
            let most = state.waiting.len().min(MOST).max(own.map_or(0, |own| own + 1));
            let (tickets, batch): (Vec<u64>, Vec<T>) = state.waiting.drain(..most).unzip();
            drop(state);
            let mut leading =
                Leading { batches: self, tickets, result: None, begun: Instant::now() };
            leading.result = Some(write(&batch));
            drop(leading);
            state = self.state();
        }
    }

    fn gather<'s>(&self, mut state: MutexGuard<'s, State<T>>) -> MutexGuard<'s, State<T>> {
        let deadline = Instant::now() + state.took.min(LONGEST);
        while state.lines > 1 && state.waiting.len() < state.lines {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            let waited = self.arrived.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        state
    }

    fn state(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Writes for others, and tells them what came of it: also if it panics.
struct Leading<'b, T> {
    batches: &'b Batches<T>,
    tickets: Vec<u64>,
    result: Option<Result<u64, AuditError>>,
    begun: Instant,
}

impl<T> Drop for Leading<'_, T> {
    fn drop(&mut self) {
        let mut state = self.batches.state();
        state.led = false;
        (state.lines, state.took) = (self.tickets.len(), self.begun.elapsed());
        let result = self.result.take().unwrap_or(Err(AuditError::Interrupted));
        let result = result.map_err(Arc::new);
        let after = u64::try_from(self.tickets.len()).unwrap_or(0);
        for (ticket, place) in self.tickets.iter().zip(1..) {
            let number =
                result.clone().map(|last| last.saturating_add(place).saturating_sub(after));
            state.results.insert(*ticket, number);
        }
        self.batches.done.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    #[test]
    fn many_are_written_by_few_and_each_gets_its_own_number() {
        let (batches, written) = (Batches::new(), Mutex::new(Vec::new()));
        let syncs = AtomicU64::new(0);
        std::thread::scope(|scope| {
            for thread in 0..8_u64 {
                let (batches, written, syncs) = (&batches, &written, &syncs);
                scope.spawn(move || {
                    for one in 0..50 {
                        let own = thread * 50 + one;
                        let number = batches.put(own, |batch| {
                            let mut written = written.lock().unwrap();
                            written.extend_from_slice(batch);
                            syncs.fetch_add(1, Ordering::SeqCst);
                            std::thread::sleep(Duration::from_millis(2));
                            Ok(u64::try_from(written.len()).unwrap())
                        });
                        let place = usize::try_from(number.unwrap() - 1).unwrap();
                        assert_eq!(written.lock().unwrap()[place], own);
                    }
                });
            }
        });
        let mut written = written.into_inner().unwrap();
        written.sort_unstable();
        assert_eq!(written, (0..400).collect::<Vec<_>>());
        // Eight at a time make 50; alone they would be 400.
        assert!(syncs.into_inner() < 150);
        assert!(batches.state().results.is_empty());
    }

    #[test]
    fn a_failure_is_told_to_each_and_a_panic_leaves_nobody_waiting() {
        let batches = Batches::new();
        let fails = |_: &[u8]| Err(AuditError::InUse { path: "x".into() });
        assert!(matches!(*batches.put(1, fails).unwrap_err(), AuditError::InUse { .. }));
        std::thread::scope(|scope| {
            let panics = scope.spawn(|| {
                let _ =
                    batches.put(1, |_: &[u8]| -> Result<u64, AuditError> { panic!("on purpose") });
            });
            assert!(panics.join().is_err());
        });
        assert_eq!(batches.put(2, |batch: &[u8]| Ok(batch[0].into())).unwrap(), 2);
    }

    #[test]
    fn alone_nobody_waits_for_others() {
        let batches = Batches::new();
        let begun = Instant::now();
        for one in 0..100 {
            batches.put(one, |batch: &[u64]| Ok(batch[0])).unwrap();
        }
        assert!(begun.elapsed() < Duration::from_millis(250), "{:?}", begun.elapsed());
    }
}
