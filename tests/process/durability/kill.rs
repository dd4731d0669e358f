//! A program is killed right before one of its calls.

use std::path::Path;

use support::kill::{self, Nth};

use super::trace::Call;

/// Runs a program, with these options of a `strace` that writes into this log; whether it was
/// killed. Calls of a further name are in the log.
pub(crate) fn before<T>(
    call: &Call,
    also: Option<&str>,
    log: &Path,
    run: impl FnOnce(&[String]) -> T,
) -> (T, bool) {
    let (name, nth) = (&call.name, call.nth);
    if !lets_another_run(call) {
        return kill::before(Nth(name, nth), also, log, run);
    }
    // Another process is there, which lives on and is not to be stopped at all.
    let _ = std::fs::remove_file(log);
    let trace = format!("trace={name}{}", also.map_or(String::new(), |also| format!(",{also}")));
    let inject = format!("inject={name}:signal=SIGKILL:when={nth}");
    let ran = run(&["-e", &trace, "-e", &inject].map(str::to_owned));
    let log = std::fs::read_to_string(log).unwrap();
    (ran, log.contains("+++ killed by SIGKILL +++"))
}

fn lets_another_run(call: &Call) -> bool {
    matches!(call.name.as_str(), "clone3" | "vfork" | "wait4" | "waitid")
        || call.text.contains("<pipe:")
}
