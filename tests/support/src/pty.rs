//! A terminal of its own, with a shell in it: what people type, and what they see.

use std::fs::{File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rustix::pty::OpenptFlags;
use rustix::termios::Termios;

/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(60);

pub struct Terminal {
    master: File,
    /// The other end stays open, so that the terminal stays as it was left.
    held: File,
    pub before: Termios,
    shell: Child,
    seen: Arc<Mutex<Vec<u8>>>,
}

/// A process that has a word in its command line.
#[derive(Debug, Clone, Copy)]
pub struct Process(i32);

impl Terminal {
    /// A shell, or another program, with this terminal as the one that controls it.
    pub fn run(program: &str, args: &[&str], like: &Command) -> Self {
        let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
        let master: OwnedFd = rustix::pty::openpt(flags).unwrap();
        rustix::pty::grantpt(&master).unwrap();
        rustix::pty::unlockpt(&master).unwrap();
        let name = rustix::pty::ptsname(&master, Vec::new()).unwrap();
        let slave = PathBuf::from(name.to_str().unwrap());
        let open = || {
            use std::os::unix::fs::OpenOptionsExt as _;
            let noctty = i32::try_from(rustix::fs::OFlags::NOCTTY.bits()).unwrap();
            OpenOptions::new().read(true).write(true).custom_flags(noctty).open(&slave).unwrap()
        };
        let held = open();
        let before = rustix::termios::tcgetattr(&held).unwrap();
        let mut command = Command::new("setsid");
        command.args(["--ctty", "--wait", program]).args(args).env_clear();
        command.envs(like.get_envs().filter_map(|(name, value)| Some((name, value?))));
        let io = || Stdio::from(open());
        let shell = command.stdin(io()).stdout(io()).stderr(io()).spawn().unwrap();
        let mut reader = File::from(master.try_clone().unwrap());
        let seen: Arc<Mutex<Vec<u8>>> = Arc::default();
        let sink = Arc::clone(&seen);
        std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(length) = reader.read(&mut bytes)
                && length > 0
            {
                sink.lock().unwrap().extend(&bytes[..length]);
            }
        });
        Self { master: File::from(master), held, before, shell, seen }
    }

    pub fn seen(&self) -> String {
        String::from_utf8_lossy(&self.seen.lock().unwrap()).into_owned()
    }

    /// Forgets what was seen.
    pub fn look_away(&self) {
        self.seen.lock().unwrap().clear();
    }

    pub fn wait_for(&self, text: &str) {
        until(&format!("{text:?} on the terminal"), || self.seen().contains(text), || self.seen());
    }

    pub fn types(&self, bytes: &[u8]) {
        (&self.master).write_all(bytes).unwrap();
    }

    pub fn modes(&self) -> Termios {
        rustix::termios::tcgetattr(&self.master).unwrap()
    }

    /// Everything is as it was before the program ran.
    pub fn is_as_before(&self) -> bool {
        format!("{:?}", self.modes()) == format!("{:?}", self.before)
    }

    /// As a shell does it when a job has stopped.
    pub fn set_as_before(&self) {
        let now = rustix::termios::OptionalActions::Now;
        rustix::termios::tcsetattr(&self.master, now, &self.before).unwrap();
    }

    pub fn echoes(&self) -> bool {
        self.modes().local_modes.contains(rustix::termios::LocalModes::ECHO)
    }

    /// Waits until the shell has ended.
    pub fn ended(&mut self) -> ExitStatus {
        let shell = std::cell::RefCell::new(&mut self.shell);
        let seen = || String::from_utf8_lossy(&self.seen.lock().unwrap()).into_owned();
        let mut status = None;
        until(
            "the end of the shell",
            || {
                status = shell.borrow_mut().try_wait().unwrap();
                status.is_some()
            },
            seen,
        );
        self.catch_up();
        status.unwrap()
    }

    /// How the shell ended, if it did; all that it has written was seen then.
    pub fn end(&mut self) -> Option<ExitStatus> {
        let status = self.shell.try_wait().unwrap();
        if status.is_some() {
            self.catch_up();
        }
        status
    }

    /// Waits until all that was written before is seen: a terminal keeps the order.
    fn catch_up(&self) {
        const LAST: &[u8] = b"\x1b[the last]";
        (&self.held).write_all(LAST).unwrap();
        let place = || {
            let seen = self.seen.lock().unwrap();
            seen.windows(LAST.len()).position(|bytes| bytes == LAST)
        };
        until("what was written last", || place().is_some(), || self.seen());
        let at = place().unwrap();
        self.seen.lock().unwrap().drain(at..at + LAST.len());
    }

    /// Kills what is still in it.
    pub fn close(mut self) {
        let _ = self.shell.kill();
        let _ = self.shell.wait();
    }
}

impl Process {
    /// The one whose program is `program`, with a word in its command line.
    pub fn find(program: &str, word: &str) -> Self {
        let mut found = None;
        until(
            &format!("a process {program} {word}"),
            || {
                found = look(program, word);
                found.is_some()
            },
            String::new,
        );
        Self(found.unwrap())
    }

    pub fn send(self, signal: i32) {
        let words = [format!("-{signal}"), self.0.to_string()];
        assert!(Command::new("kill").args(words).status().unwrap().success());
    }

    /// `R`, `S`, `T` …; `None` once it is gone.
    pub fn state(self) -> Option<char> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.0)).ok()?;
        stat.rsplit_once(')')?.1.trim_start().chars().next()
    }

    pub fn wait_until(self, state: Option<char>) {
        let is = || self.state().filter(|state| *state != 'Z') == state;
        until(&format!("state {state:?}"), is, || format!("{:?}", self.state()));
    }
}

fn look(program: &str, word: &str) -> Option<i32> {
    std::fs::read_dir("/proc").unwrap().flatten().find_map(|entry| {
        let line = std::fs::read(entry.path().join("cmdline")).ok()?;
        let line = String::from_utf8_lossy(&line).into_owned();
        let mut words = line.split('\0');
        let is_it = words.next()?.ends_with(program) && words.any(|found| found == word);
        if is_it { entry.file_name().to_str()?.parse().ok() } else { None }
    })
}

fn until(what: &str, mut is: impl FnMut() -> bool, seen: impl Fn() -> String) {
    let start = Instant::now();
    while !is() {
        assert!(start.elapsed() < PATIENCE, "no {what}: {}", seen());
        std::thread::sleep(Duration::from_millis(20));
    }
}
