//! A program is killed right before one of its calls.
//!
//! `strace` can do that alone, but then it stops the program at every call that it makes, of
//! which there are thousands. With a filter in the kernel it stops at those of one name; but
//! then it loses the signal (6.1). So it only makes the call wait, and the program that waits
//! is killed here.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, WaitOptions, kill_process, set_child_subreaper, waitpid};

use crate::home::{Ran, run};

/// One of the calls of a program: its name, and the how manieth of that name, from 1.
#[derive(Clone, Copy)]
pub struct Nth<'a>(pub &'a str, pub usize);

/// Runs a program, with these options of a `strace` that writes into this log; whether it was
/// killed. Calls of a further name are in the log. A process that it starts is stopped at calls
/// of that name as well.
pub fn before<T>(
    call: Nth<'_>,
    also: Option<&str>,
    log: &Path,
    run: impl FnOnce(&[String]) -> T,
) -> (T, bool) {
    let _ = std::fs::remove_file(log);
    let Nth(name, nth) = call;
    let trace = format!("trace={name}{}", also.map_or(String::new(), |also| format!(",{also}")));
    let wait = format!("inject={name}:delay_enter=600s:when={nth}");
    let options = ["-f", "--seccomp-bpf", "-e", &trace, "-e", &wait].map(str::to_owned);
    let ended = AtomicBool::new(false);
    thread::scope(|scope| {
        let killed = scope.spawn(|| kill(call, log, &ended));
        let ran = run(&options);
        ended.store(true, Ordering::SeqCst);
        (ran, killed.join().unwrap())
    })
}

/// A command that is killed there; whether it was. The log is beside what it writes.
pub fn command(command: &Command, call: Nth<'_>, log: &Path) -> (Ran, bool) {
    before(call, None, log, |options| {
        let mut strace = Command::new("strace");
        strace.arg("-o").arg(log).args(options).arg(command.get_program());
        strace.args(command.get_args()).env_clear();
        strace.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
        run(&mut strace, b"")
    })
}

/// As soon as the log says that the call is made. Whether it was.
fn kill(call: Nth<'_>, log: &Path, ended: &AtomicBool) -> bool {
    let (mut file, mut text) = (None, String::new());
    loop {
        // What is there when it has ended is all.
        let is_last = ended.load(Ordering::SeqCst);
        file = file.or_else(|| File::open(log).ok());
        let read = file.as_mut().map_or(0, |file| file.read_to_string(&mut text).unwrap());
        if read > 0 && made(call, &text) {
            break;
        }
        if is_last {
            return false;
        }
        thread::sleep(Duration::from_millis(1));
    }
    let program = process(&text).unwrap();
    let status = std::fs::read_to_string(format!("/proc/{}/status", program.as_raw_nonzero()));
    let status = status.unwrap();
    let parent = status.lines().find_map(|line| line.strip_prefix("PPid:")).unwrap();
    let strace = Pid::from_raw(parent.trim().parse().unwrap()).unwrap();
    // `strace` would see only after its wait that there is nobody left to wait for. It has
    // to be the one that collects the dead otherwise.
    set_child_subreaper(Some(rustix::process::getpid())).unwrap();
    kill_process(program, Signal::KILL).unwrap();
    kill_process(strace, Signal::KILL).unwrap();
    waitpid(Some(program), WaitOptions::empty()).map_or(true, |_| true)
}

/// The program, and not one that it has started.
fn process(log: &str) -> Option<Pid> {
    Pid::from_raw(log.split_once(' ')?.0.parse().ok()?)
}

fn made(Nth(name, nth): Nth<'_>, log: &str) -> bool {
    let Some((process, _)) = log.split_once(' ') else { return false };
    let start = format!("{name}(");
    let calls = log.lines().filter(|line| {
        line.strip_prefix(process).is_some_and(|line| line.trim_start().starts_with(&start))
    });
    calls.count() >= nth
}
