//! What a device is at work with and nobody waits for: at the end, what is not done is said.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::Door;
use crate::line::{Line, Outcome};

/// The reason in the line of what was not done when icnd ended: nothing says what came of it.
const UNFINISHED: &str = "unfinished";

/// Each with the line that was written before it.
#[derive(Clone, Default)]
pub(super) struct AtWork(Arc<Mutex<Begun>>);

#[derive(Default)]
struct Begun {
    next: u64,
    lines: BTreeMap<u64, Line>,
}

/// One of them. Dropped, it has ended.
pub(crate) struct Work {
    all: AtWork,
    number: u64,
}

impl AtWork {
    fn lock(&self) -> MutexGuard<'_, Begun> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn begin(&self, line: Line) -> Work {
        let mut begun = self.lock();
        let number = begun.next;
        begun.next += 1;
        begun.lines.insert(number, line);
        drop(begun);
        Work { all: self.clone(), number }
    }

    /// What has not ended: it is the end that says so of them from here on, and nobody else.
    fn take(&self) -> Vec<Line> {
        std::mem::take(&mut self.lock().lines).into_values().collect()
    }
}

impl Work {
    /// Its line, to say what came of it; `None` if the end has said already that it is not
    /// known.
    pub(crate) fn ended(self) -> Option<Line> {
        self.all.lock().lines.remove(&self.number)
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        self.all.lock().lines.remove(&self.number);
    }
}

impl Door {
    /// Of what is done by itself, or to its end whoever waits for it.
    pub(crate) fn begin(&self, line: Line) -> Work {
        self.at_work.begin(line)
    }

    /// Writes down what has not ended, before the last line.
    pub(crate) async fn record_unfinished(&self) {
        for line in self.at_work.take() {
            // That it cannot be written is logged already.
            let _ = self.record(line.entry(Outcome::Failed(UNFINISHED))).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use icn_identity::audit::{Event, RequestId};

    use super::*;

    #[test]
    fn of_each_one_speaks_who_ends_it_or_the_end_of_all_and_never_both() {
        let all = AtWork::default();
        let line = || Line::own(Event::Renew, RequestId::fresh().unwrap());
        let works: Vec<Work> = (0..400).map(|_| all.begin(line())).collect();
        drop(all.begin(line()));
        let mut spoken = 0;
        std::thread::scope(|scope| {
            let ending = scope.spawn(|| {
                std::thread::yield_now();
                all.take().len()
            });
            spoken += works.into_iter().filter_map(Work::ended).count();
            spoken += ending.join().unwrap();
        });
        assert_eq!(spoken, 400);
        assert!(all.take().is_empty());
    }
}
