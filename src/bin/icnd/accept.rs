//! Connections are accepted by threads that do nothing else: whoever connects without end waits
//! for those who serve, and not the others in the queue of the system.

mod arrivals;

use std::io::{self, PipeReader, PipeWriter};
use std::os::fd::AsFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock, Mutex, OnceLock, PoisonError};
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};

use icn_identity::daemon::ProblemCode;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags, SocketFlags, accept_with, recv, send};
use tokio::sync::Notify;

use self::arrivals::Arrivals;
use crate::connection::{Connections, Entered};
use crate::door::Door;
use crate::hardening::most_waiting;
use crate::peer::Peer;
use crate::problem::Problem;
use crate::sharing::Sharer;

/// More than there are who wait for a processor, as a rule: the system gives each its share.
const THREADS: usize = 4;

/// One that has connected and is to be served.
pub(crate) struct Arrived {
    pub(crate) stream: UnixStream,
    pub(crate) peer: Arc<Peer>,
    pub(crate) who: Sharer,
    /// Of who is no client; of a client there is room for it when it is its turn.
    pub(crate) entered: Option<Entered>,
}

/// Until it is dropped.
pub(crate) struct Accepting {
    shared: Arc<Shared>,
    /// Closed, it wakes the one that waits.
    wake: Option<PipeWriter>,
    threads: Vec<JoinHandle<()>>,
}

struct Shared {
    listener: UnixListener,
    door: Arc<Door>,
    connections: Arc<Connections>,
    arrivals: Arrivals,
    /// One waits for the next connection, and hands this on before it accepts.
    waiting: Mutex<()>,
    woken: PipeReader,
    /// All threads are there; none accepts before.
    are_there: OnceLock<()>,
    is_over: AtomicBool,
    /// A thread has ended by itself.
    failed: Notify,
    #[cfg(test)]
    panics: Arc<AtomicBool>,
}

impl Accepting {
    /// After an error nobody was accepted.
    pub(crate) fn start(
        listener: UnixListener,
        door: Arc<Door>,
        connections: Arc<Connections>,
    ) -> io::Result<Self> {
        Self::start_by(listener, door, connections, |_, accept| {
            Builder::new().name("icnd-accept".into()).spawn(accept)
        })
    }

    fn start_by(
        listener: UnixListener,
        door: Arc<Door>,
        connections: Arc<Connections>,
        spawn: impl Fn(usize, Box<dyn FnOnce() + Send>) -> io::Result<JoinHandle<()>>,
    ) -> io::Result<Self> {
        listener.set_nonblocking(true)?;
        let (woken, wake) = io::pipe()?;
        let shared = Arc::new(Shared {
            listener,
            door,
            connections,
            arrivals: Arrivals::new(most_waiting()),
            waiting: Mutex::default(),
            woken,
            are_there: OnceLock::new(),
            is_over: AtomicBool::new(false),
            failed: Notify::new(),
            #[cfg(test)]
            panics: Arc::default(),
        });
        let mut accepting = Self { shared, wake: Some(wake), threads: Vec::new() };
        for number in 0..THREADS {
            let shared = accepting.shared.clone();
            let thread = spawn(number, Box::new(move || shared.accept_or_fail()))?;
            accepting.threads.push(thread);
        }
        let _ = accepting.shared.are_there.set(());
        Ok(accepting)
    }

    /// The next one: each client in turn, and each of its users.
    pub(crate) async fn next(&self) -> Arrived {
        self.shared.arrivals.next().await
    }

    /// When a thread has panicked: it would do so again, until nobody accepts.
    pub(crate) async fn failed(&self) {
        self.shared.failed.notified().await;
    }

    /// Once this is so, whatever arrives next is a panic.
    #[cfg(test)]
    pub(crate) fn panics(&self) -> Arc<AtomicBool> {
        self.shared.panics.clone()
    }
}

impl Drop for Accepting {
    fn drop(&mut self) {
        self.shared.is_over.store(true, Ordering::SeqCst);
        let _ = self.shared.are_there.set(());
        drop(self.wake.take());
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn accept_or_fail(&self) {
        if catch_unwind(AssertUnwindSafe(|| self.accept())).is_err() {
            self.failed.notify_one();
        }
    }

    fn accept(&self) {
        self.are_there.wait();
        while !self.is_over.load(Ordering::SeqCst) {
            match accept_with(&self.listener, SocketFlags::CLOEXEC | SocketFlags::NONBLOCK) {
                Ok(socket) => self.arrives(socket.into()),
                Err(Errno::AGAIN) => self.wait(),
                Err(Errno::INTR | Errno::CONNABORTED) => {}
                Err(error) => {
                    tracing::warn!("a connection was not accepted: {error}");
                    self.connections.make_room();
                    std::thread::sleep(Duration::from_millis(20));
                }
            }
        }
    }

    /// Until there is a connection, or it is over.
    fn wait(&self) {
        let _one = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if self.is_over.load(Ordering::SeqCst) {
            return;
        }
        let mut wanted = [
            PollFd::from_borrowed_fd(self.listener.as_fd(), PollFlags::IN),
            PollFd::from_borrowed_fd(self.woken.as_fd(), PollFlags::IN),
        ];
        // What is wrong is told by the next call.
        let _ = poll(&mut wanted, None);
    }

    fn arrives(&self, stream: UnixStream) {
        #[cfg(test)]
        assert!(!self.panics.load(Ordering::SeqCst), "on purpose");
        let peer = match Peer::of(&stream) {
            Ok(peer) => Arc::new(peer),
            Err(error) => {
                tracing::warn!("who has connected is not known: {error}");
                return;
            }
        };
        let who = Sharer::of(&peer, &self.door.policy());
        let entered = match who.is_client() {
            true => None,
            false => match self.connections.enter(&who, false) {
                Some(entered) => Some(entered),
                None => {
                    turn_away(&stream, &who, &self.door);
                    return;
                }
            },
        };
        let arrived = Arrived { stream, peer, who: who.clone(), entered };
        // Which may be of another client, who has more.
        if let Some(gives_way) = self.arrivals.put(&who, arrived) {
            turn_away(&gives_way.stream, &gives_way.who, &self.door);
        }
    }
}

/// There are too many already. What it asks for is not read, and so has no number and no line of
/// its own: it is counted.
pub(crate) fn turn_away(stream: impl AsFd, who: &Sharer, door: &Door) {
    static FULL: LazyLock<String> = LazyLock::new(|| {
        let problem = Problem::new(ProblemCode::Busy, "there are too many connections");
        let body = problem.body(None).to_string();
        format!(
            "HTTP/1.1 429 Too Many Requests\r\nRetry-After: 1\r\nConnection: close\r\n\
             Content-Type: application/problem+json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )
    });
    // Whoever does not get it sees that the connection has ended.
    let _ = send(stream, FULL.as_bytes(), SendFlags::NOSIGNAL | SendFlags::DONTWAIT);
    was_turned_away(who, door);
}

/// The same, without a word.
pub(crate) fn was_turned_away(who: &Sharer, door: &Door) {
    door.refusals.has_no_line(who, Instant::now());
    door.metrics.has_turned_away();
}

/// Whether something has come that was not read.
pub(crate) fn has_sent(stream: impl AsFd) -> bool {
    let mut first = [0; 1];
    let flags = RecvFlags::PEEK | RecvFlags::DONTWAIT;
    recv(stream, &mut first, flags).is_ok_and(|(length, _)| length > 0)
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixStream;

    use super::*;
    use crate::door::tests::Home;

    #[test]
    fn where_not_all_threads_are_to_be_had_nobody_is_accepted() {
        let home = Home::new();
        let path = home.path("icnd.sock");
        let listener = UnixListener::bind(&path).unwrap();
        let waits = listener.try_clone().unwrap();
        let _client = UnixStream::connect(&path).unwrap();
        let started =
            Accepting::start_by(listener, home.door(""), Connections::new(8), |number, accept| {
                if number + 1 < THREADS {
                    return Builder::new().spawn(accept);
                }
                // The others have had their time.
                std::thread::sleep(Duration::from_millis(200));
                Err(io::ErrorKind::WouldBlock.into())
            });
        assert_eq!(started.err().unwrap().kind(), io::ErrorKind::WouldBlock);
        waits.accept().expect("it waits still");
    }
}
