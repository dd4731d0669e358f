//! How much memory a child needed, and how long children have used processors.
#![allow(unsafe_code, reason = "std does not give what wait4 tells")]

use std::process::Command;
use std::time::Duration;

/// Runs to the end; the exit code, and the most resident memory in KiB.
///
/// What exec replaces is counted as well: a test that asks for this keeps
/// itself small.
#[expect(clippy::zombie_processes, reason = "wait4 waits")]
pub fn run(command: &mut Command) -> (i32, u64) {
    let child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let pid = libc::pid_t::try_from(child.id()).unwrap();
    let mut status = 0;
    let mut usage = std::mem::MaybeUninit::<libc::rusage>::zeroed();
    // SAFETY: `pid` is our child, not waited for yet; both pointers are to
    // places of their types.
    let waited = unsafe { libc::wait4(pid, &raw mut status, 0, usage.as_mut_ptr()) };
    assert_eq!(waited, pid, "{}", std::io::Error::last_os_error());
    // SAFETY: plain numbers, zeroed and then written by wait4.
    let usage = unsafe { usage.assume_init() };
    let code = if libc::WIFEXITED(status) { libc::WEXITSTATUS(status) } else { -1 };
    (code, u64::try_from(usage.ru_maxrss).unwrap())
}

/// By all children together that have ended and were waited for.
#[must_use]
pub fn used_by_children() -> Duration {
    let mut usage = std::mem::MaybeUninit::<libc::rusage>::zeroed();
    // SAFETY: the pointer is to a place of its type.
    let told = unsafe { libc::getrusage(libc::RUSAGE_CHILDREN, usage.as_mut_ptr()) };
    assert_eq!(told, 0, "{}", std::io::Error::last_os_error());
    // SAFETY: plain numbers, zeroed and then written by getrusage.
    let usage = unsafe { usage.assume_init() };
    let time = |time: libc::timeval| {
        Duration::from_secs(time.tv_sec.unsigned_abs())
            + Duration::from_micros(time.tv_usec.unsigned_abs())
    };
    time(usage.ru_utime) + time(usage.ru_stime)
}
