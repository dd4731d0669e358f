//! What becomes of it when a part of it panics, and at its end.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::task::{JoinHandle, spawn_blocking};

use super::*;
use crate::door::tests::Home;
use crate::sharing::Sharer;

const PATIENCE: Duration = Duration::from_secs(20);

/// One that serves.
struct Served {
    home: Home,
    door: Arc<Door>,
    accepting: Option<Accepting>,
    connections: Arc<Connections>,
    /// Whatever arrives next is a panic.
    panics: Arc<AtomicBool>,
    stop: watch::Sender<bool>,
}

impl Served {
    /// The tests themselves are a client, whose every call has a line.
    fn new() -> Self {
        let home = Home::new();
        let uid = rustix::process::getuid().as_raw();
        let door = home.door(&format!(
            "[audit]\nlog_all_operations = true\n[[daemon.client]]\nname = \"tests\"\nuid = {uid}\n"
        ));
        let listener = UnixListener::bind(home.path("icnd.sock")).unwrap();
        let connections = Connections::new(8);
        let accepting = Accepting::start(listener, door.clone(), connections.clone()).unwrap();
        let panics = accepting.panics();
        let (accepting, stop) = (Some(accepting), watch::Sender::new(false));
        Self { home, door, accepting, connections, panics, stop }
    }

    fn begin(&mut self) -> JoinHandle<()> {
        let accepting = self.accepting.take().unwrap();
        let stopping = self.stop.subscribe();
        tokio::spawn(serve(accepting, self.connections.clone(), self.door.clone(), stopping))
    }

    fn connect(&self) -> UnixStream {
        let stream = UnixStream::connect(self.home.path("icnd.sock")).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream
    }

    fn send(&self, path: &str) -> UnixStream {
        let mut stream = self.connect();
        stream.write_all(format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n").as_bytes()).unwrap();
        stream
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.home.path("audit.log")).unwrap()
    }

    /// No line is written for as long as this is held.
    fn held(&self) -> File {
        let head = File::open(self.home.path("audit.log.head")).unwrap();
        head.lock().unwrap();
        head
    }
}

fn begins(stream: &mut UnixStream) -> String {
    let mut answer = [0; 4096];
    let length = stream.read(&mut answer).unwrap();
    String::from_utf8_lossy(&answer[..length]).into_owned()
}

/// It serves; then a part of it is broken, and it ends, though nobody has told it to. Who keeps
/// a connection is not waited for.
async fn ends_when(breaks: impl FnOnce(&Served)) {
    let mut served = Served::new();
    let mut kept = served.send("/v1/status");
    let ended = served.begin();
    let kept = spawn_blocking(move || {
        assert!(begins(&mut kept).starts_with("HTTP/1.1 200"));
        kept
    });
    let kept = kept.await.unwrap();
    breaks(&served);
    timeout(TIME, ended).await.expect("it ends").unwrap();
    let rest = spawn_blocking(move || std::io::read_to_string(kept)).await.unwrap();
    assert_eq!(rest.unwrap(), "");
}

#[tokio::test(flavor = "multi_thread")]
async fn it_ends_when_a_thread_that_accepts_panics() {
    ends_when(|served| {
        served.panics.store(true, Ordering::SeqCst);
        drop(served.connect());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn it_ends_when_what_counts_refusals_panics() {
    ends_when(|served| served.door.refusals.panics.store(true, Ordering::SeqCst)).await;
}

/// It is no part of it: one connection ends by it, and no other one.
#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_panics_cuts_no_other_one_off_at_the_end() {
    let mut served = Served::new();
    let ended = served.begin();
    let held = served.held();
    let mut waits = served.send("/v1/status");
    while served.door.lines.is_idle() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let panics = served.send("/panic");
    let rest = spawn_blocking(move || std::io::read_to_string(panics)).await.unwrap();
    assert_eq!(rest.unwrap(), "");
    served.stop.send(true).unwrap();
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(!ended.is_finished());
    held.unlock().unwrap();
    let answer = spawn_blocking(move || begins(&mut waits)).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    timeout(PATIENCE, ended).await.expect("it ends").unwrap();
}

/// What is being written down just then has its line, and so has what would come after it.
#[tokio::test(flavor = "multi_thread")]
async fn at_the_end_no_count_of_refusals_is_lost() {
    let mut served = Served::new();
    let before = std::time::Instant::now().checked_sub(Duration::from_secs(60)).unwrap();
    for name in ["one", "other"] {
        served.door.refusals.has_no_line(&Sharer::client(name, 1), before);
    }
    let held = served.held();
    let ended = served.begin();
    while !served.door.refusals.is_empty() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    served.stop.send(true).unwrap();
    tokio::time::sleep(Duration::from_millis(300)).await;
    held.unlock().unwrap();
    timeout(PATIENCE, ended).await.expect("it ends").unwrap();
    let log = served.log();
    assert_eq!(log.matches("\"not-recorded\"").count(), 2, "{log}");
}
