//! Processes that do what they are told, one line at a time: this test again, in processes
//! of their own that stay.

use std::env;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

const SOCKET: &str = "ICN_TEST_WORKER";

pub struct Worker {
    child: Mutex<Child>,
    talk: Mutex<BufReader<UnixStream>>,
}

impl Worker {
    /// Starts one, by the full name of the test, which begins with [`serve`].
    pub fn start(test: &str, variables: &[(&str, &str)]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("socket");
        let listener = UnixListener::bind(&path).unwrap();
        listener.set_nonblocking(true).unwrap();
        let mut command = Command::new(env::current_exe().unwrap());
        command.args([test, "--exact", "--nocapture", "--test-threads=1"]);
        command.env(SOCKET, &path).envs(variables.iter().copied());
        command.stdin(Stdio::null()).stdout(Stdio::null());
        let mut child = command.spawn().unwrap();
        let begun = Instant::now();
        let stream = loop {
            if let Ok((stream, _)) = listener.accept() {
                break stream;
            }
            assert!(child.try_wait().unwrap().is_none(), "{test} is no worker");
            assert!(begun.elapsed() < Duration::from_secs(60), "{test} does not answer");
            std::thread::sleep(Duration::from_millis(1));
        };
        stream.set_nonblocking(false).unwrap();
        Self { child: Mutex::new(child), talk: Mutex::new(BufReader::new(stream)) }
    }

    /// What it answers; nothing if it is gone.
    pub fn ask(&self, line: &str) -> Option<String> {
        let mut talk = self.talk.lock().unwrap_or_else(PoisonError::into_inner);
        writeln!(talk.get_mut(), "{line}").ok()?;
        let mut answer = String::new();
        talk.read_line(&mut answer).ok()?;
        answer.strip_suffix('\n').map(str::to_owned)
    }

    /// As by SIGKILL, also while it answers.
    pub fn kill(&self) {
        let mut child = self.child.lock().unwrap_or_else(PoisonError::into_inner);
        let _ = child.kill();
        child.wait().unwrap();
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Answers until nobody asks any more, if this process is a worker.
pub fn serve(mut answer: impl FnMut(&str) -> String) -> bool {
    let Some(path) = env::var_os(SOCKET) else { return false };
    let mut talk = BufReader::new(UnixStream::connect(path).unwrap());
    let mut line = String::new();
    while talk.read_line(&mut line).unwrap_or(0) > 0 {
        let answered = answer(line.trim_end());
        if writeln!(talk.get_mut(), "{answered}").is_err() {
            break;
        }
        line.clear();
    }
    true
}
