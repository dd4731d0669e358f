//! `strace` on a daemon: what it calls, and what becomes of a call.

use std::fs;
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use support::child::inherits_nothing;

use crate::node::{Daemon, Node, PATIENCE};

/// `strace` on a daemon that runs, of which it counts the calls from now on.
pub(crate) struct Tracer {
    child: Child,
    log: PathBuf,
}

impl Tracer {
    pub(crate) fn attach(daemon: &Daemon, node: &Node, options: &[&str]) -> Self {
        let (log, said) = (node.home.beside("trace"), node.home.beside("said"));
        let _ = fs::remove_file(&log);
        let mut command = inherits_nothing("strace");
        command.args(["-f", "-y", "-o", log.to_str().unwrap()]).args(options);
        command.args(["-p", &daemon.pid().to_string()]).stdin(Stdio::null());
        let child = command.stderr(fs::File::create(&said).unwrap()).spawn().unwrap();
        let start = Instant::now();
        while !is_traced(daemon.pid()) {
            assert!(start.elapsed() < PATIENCE, "{}", fs::read_to_string(&said).unwrap());
            std::thread::sleep(Duration::from_millis(5));
        }
        Self { child, log }
    }

    /// What it has seen, once it is told to end, or has ended with the daemon.
    pub(crate) fn calls(mut self) -> Vec<Call> {
        let pid = rustix::process::Pid::from_raw(self.child.id().try_into().unwrap()).unwrap();
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::INT);
        calls(&self.ends())
    }

    /// What it has seen, as it has written it: once it has ended with the daemon.
    pub(crate) fn ends(&mut self) -> String {
        self.child.wait().unwrap();
        fs::read_to_string(&self.log).unwrap()
    }
}

impl Drop for Tracer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Whether each of its threads is.
fn is_traced(pid: u32) -> bool {
    fs::read_dir(format!("/proc/{pid}/task")).unwrap().all(|task| {
        let status = fs::read_to_string(task.unwrap().path().join("status")).unwrap_or_default();
        status.lines().any(|line| line.starts_with("TracerPid:") && !line.ends_with("\t0"))
    })
}

/// A call of one thread.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Call {
    pub(crate) name: String,
    /// The how manieth of this name by its thread, from 1: as `strace` counts.
    pub(crate) nth: usize,
    pub(crate) text: String,
}

fn calls(log: &str) -> Vec<Call> {
    let mut calls: Vec<(&str, Call)> = Vec::new();
    for line in log.lines() {
        let Some((thread, text)) = line.split_once(' ') else { continue };
        let text = text.trim_start();
        let Some((name, _)) = text.split_once('(') else { continue };
        // The second half of one that others came in between.
        if !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
            continue;
        }
        let same = calls.iter().filter(|(of, call)| *of == thread && call.name == name).count();
        calls.push((thread, Call { name: name.into(), nth: same + 1, text: text.into() }));
    }
    calls.into_iter().map(|(_, call)| call).collect()
}
