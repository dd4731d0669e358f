//! Says on a terminal what is waited for, where that takes longer than a moment.

use std::io::{self, IsTerminal as _};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use icn_identity::waiting;

use crate::output::say;

/// Shorter waits need no words.
const MOMENT: Duration = Duration::from_millis(300);

struct Waits {
    /// What is waited for, the innermost last; `None` for a person, who knows.
    open: Vec<Option<String>>,
    /// Counts each begin and end: a timer of an earlier one says nothing.
    turn: u64,
}

static WAITS: Mutex<Waits> = Mutex::new(Waits { open: Vec::new(), turn: 0 });

fn waits() -> MutexGuard<'static, Waits> {
    WAITS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Waits of the library, too, are said from now on.
pub(crate) fn install() {
    if io::stderr().is_terminal() {
        waiting::observe(|wait| match wait {
            Some(wait) => begin(Some(wait.to_string())),
            None => end(),
        });
    }
}

/// Does something that something else may be waited for.
pub(crate) fn during<T>(what: &str, work: impl FnOnce() -> T) -> T {
    within(Some(what.to_owned()), work)
}

/// Does something that a person does, or that takes as long as they like.
pub(crate) fn silently<T>(work: impl FnOnce() -> T) -> T {
    within(None, work)
}

fn within<T>(what: Option<String>, work: impl FnOnce() -> T) -> T {
    if !io::stderr().is_terminal() {
        return work();
    }
    begin(what);
    let done = work();
    end();
    done
}

fn begin(what: Option<String>) {
    let mut waits = waits();
    waits.open.push(what);
    waits.arm();
}

fn end() {
    let mut waits = waits();
    waits.open.pop();
    waits.arm();
}

impl Waits {
    /// A timer for the innermost wait. Without a thread nothing is said.
    fn arm(&mut self) {
        self.turn += 1;
        let turn = self.turn;
        if let Some(Some(what)) = self.open.last().cloned() {
            let timer = thread::Builder::new().stack_size(64 * 1024).spawn(move || {
                thread::sleep(MOMENT);
                // Nothing else is printed meanwhile.
                let waits = waits();
                if waits.turn == turn {
                    say(&format!("Waiting for {what} …"));
                }
            });
            drop(timer);
        }
    }
}
