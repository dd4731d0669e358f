//! Connections, of which there are only so many: what each of them does now, and which one
//! makes room for another.

use std::collections::HashMap;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::UnixStream;
use tokio::sync::Notify;

/// In this time the head of a request comes, from its first byte on.
const HEAD: Duration = Duration::from_secs(5);

/// What a connection does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Nothing, since then.
    Idle(Instant),
    /// Since then the head of a request is coming.
    Head(Instant),
    /// A request is under way.
    Busy,
}

/// What is known of one connection.
#[derive(Debug)]
pub(crate) struct Watch {
    state: Mutex<State>,
    /// It has to make room.
    pub(crate) close: Notify,
}

impl Watch {
    fn new() -> Self {
        Self { state: Mutex::new(State::Idle(Instant::now())), close: Notify::new() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn has_read(&self) {
        let mut state = self.state();
        if matches!(*state, State::Idle(_)) {
            *state = State::Head(Instant::now());
        }
    }

    pub(crate) fn begins(&self) {
        *self.state() = State::Busy;
    }

    pub(crate) fn has_answered(&self) {
        *self.state() = State::Idle(Instant::now());
    }

    /// Whether the head of a request has taken too long.
    pub(crate) fn is_late(&self) -> bool {
        matches!(*self.state(), State::Head(since) if since.elapsed() > HEAD)
    }
}

/// All of them.
#[derive(Debug)]
pub(crate) struct Connections {
    most: usize,
    all: Mutex<(u64, HashMap<u64, Arc<Watch>>)>,
}

/// One of them, for as long as it is there.
#[derive(Debug)]
pub(crate) struct Entered {
    all: Arc<Connections>,
    number: u64,
    pub(crate) watch: Arc<Watch>,
}

impl Connections {
    pub(crate) fn new(most: usize) -> Arc<Self> {
        Arc::new(Self { most, all: Mutex::new((0, HashMap::new())) })
    }

    fn lock(&self) -> MutexGuard<'_, (u64, HashMap<u64, Arc<Watch>>)> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One more; `None` if there are as many as there may be, and all of them are at work.
    pub(crate) fn enter(self: &Arc<Self>) -> Option<Entered> {
        let mut all = self.lock();
        if all.1.len() >= self.most && !make_room(&mut all.1) {
            return None;
        }
        let (number, watch) = (all.0, Arc::new(Watch::new()));
        all.0 += 1;
        all.1.insert(number, watch.clone());
        Some(Entered { all: self.clone(), number, watch })
    }

    /// Ends one that does nothing; whether there was one.
    pub(crate) fn make_room(&self) -> bool {
        make_room(&mut self.lock().1)
    }
}

/// The one that has been idle for longest; or else the one whose head is slowest.
fn make_room(all: &mut HashMap<u64, Arc<Watch>>) -> bool {
    let rank = |watch: &Watch| match *watch.state() {
        State::Idle(since) => Some((0, since)),
        State::Head(since) => Some((1, since)),
        State::Busy => None,
    };
    let ranked = all.iter().filter_map(|(number, watch)| Some((rank(watch)?, *number)));
    let Some((_, number)) = ranked.min() else { return false };
    if let Some(watch) = all.remove(&number) {
        watch.close.notify_one();
    }
    true
}

impl Drop for Entered {
    fn drop(&mut self) {
        self.all.lock().1.remove(&self.number);
    }
}

/// A stream that tells when a request begins to come.
#[derive(Debug)]
pub(crate) struct Watched {
    pub(crate) stream: UnixStream,
    pub(crate) watch: Arc<Watch>,
}

impl AsyncRead for Watched {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let polled = Pin::new(&mut self.stream).poll_read(context, buffer);
        if buffer.filled().len() > before {
            self.watch.has_read();
        }
        polled
    }
}

impl AsyncWrite for Watched {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_one_that_is_idle_for_longest_makes_room_and_none_that_is_at_work() {
        let all = Connections::new(3);
        let [first, second, third] = std::array::from_fn(|_| all.enter().unwrap());
        first.watch.begins();
        second.watch.has_read();
        // Idle goes before slow, and slow before nobody.
        let fourth = all.enter().unwrap();
        assert!(!all.lock().1.contains_key(&third.number));
        fourth.watch.begins();
        let fifth = all.enter().unwrap();
        assert!(!all.lock().1.contains_key(&second.number));
        fifth.watch.begins();
        assert!(all.enter().is_none(), "all are at work");
        first.watch.has_answered();
        let sixth = all.enter().unwrap();
        assert!(!all.lock().1.contains_key(&first.number));
        // Whoever had to go takes nobody with it.
        drop((first, second, third));
        assert_eq!(all.lock().1.len(), 3);
        drop((fourth, fifth, sixth));
        assert_eq!(all.lock().1.len(), 0);
    }
}
