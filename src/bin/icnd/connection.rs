//! Connections, of which there are only so many: what each of them does now, and which one
//! makes room for another.

use std::collections::HashMap;
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::UnixStream;
use tokio::sync::Notify;

use crate::sharing::{Share, Sharer};

/// In this time the head of a request comes, from its first byte on.
const HEAD: Duration = Duration::from_secs(5);
/// Of who is no client: from the connection on.
const HEAD_OF_STRANGER: Duration = Duration::from_secs(1);
/// Connections of all who are no clients, and of one of them.
pub(crate) const STRANGERS: usize = 64;
const OF_A_STRANGER: usize = 8;
/// So long an answer waits for whoever does not read it.
const ANSWER: Duration = Duration::from_secs(10);

/// What a connection does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Nothing, since then.
    Idle(Instant),
    /// Since then the head of a request is coming.
    Head(Instant),
    /// Since then its body is coming.
    Body(Instant),
    /// A request is under way, which is there whole.
    Busy,
    /// Since then its answer is on its way to whoever reads it.
    Answering(Instant),
    /// It has made room for another one: nothing is begun on it any more.
    Closed(Closed),
}

/// A connection that has made room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Closed {
    since: Instant,
    /// A request was coming, or nothing was answered on it yet.
    pub(crate) is_owed: bool,
    /// An answer was on its way that nobody has read for long.
    pub(crate) is_in_answer: bool,
    /// One has come since, and is being answered that nothing is done.
    pub(crate) is_told: bool,
}

/// What is known of one connection.
#[derive(Debug)]
pub(crate) struct Watch {
    is_client: bool,
    has_answered: AtomicBool,
    state: Mutex<State>,
    /// It has to make room.
    pub(crate) close: Notify,
}

impl Watch {
    fn new(is_client: bool) -> Self {
        let state = Mutex::new(State::Idle(Instant::now()));
        Self { is_client, has_answered: AtomicBool::new(false), state, close: Notify::new() }
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

    /// The head of a request is there. Whether it may be read: else it is told that this
    /// connection has made room.
    pub(crate) fn begins(&self) -> bool {
        self.goes_on(State::Body(Instant::now()))
    }

    /// All of it is. Whether it may be done, for which this connection then makes no room.
    pub(crate) fn is_whole(&self) -> bool {
        self.goes_on(State::Busy)
    }

    fn goes_on(&self, next: State) -> bool {
        let mut state = self.state();
        if let State::Closed(closed) = &mut *state {
            closed.is_told = true;
            return false;
        }
        *state = next;
        true
    }

    pub(crate) fn has_answered(&self) {
        let mut state = self.state();
        self.has_answered.store(true, Ordering::Relaxed);
        if !matches!(*state, State::Closed(_)) {
            *state = State::Answering(Instant::now());
        }
    }

    /// All that was said has been taken from here.
    fn has_sent(&self) {
        let mut state = self.state();
        if matches!(*state, State::Answering(_)) {
            *state = State::Idle(Instant::now());
        }
    }

    /// Makes room, unless a request is under way: from here on none is begun. Whether it did.
    fn makes_room(&self) -> bool {
        let mut state = self.state();
        let is_owed = match *state {
            State::Busy | State::Closed(_) => return false,
            State::Answering(since) if since.elapsed() <= ANSWER => return false,
            State::Answering(_) => false,
            State::Idle(_) => !self.has_answered.load(Ordering::Relaxed),
            State::Head(_) | State::Body(_) => true,
        };
        let is_in_answer = matches!(*state, State::Answering(_));
        let since = Instant::now();
        *state = State::Closed(Closed { since, is_owed, is_in_answer, is_told: false });
        drop(state);
        self.close.notify_one();
        true
    }

    /// What it was about when it had to make room.
    pub(crate) fn closed(&self) -> Option<Closed> {
        match *self.state() {
            State::Closed(closed) => Some(closed),
            _ => None,
        }
    }

    /// Whether the connection was that of a client when it began.
    pub(crate) const fn is_client(&self) -> bool {
        self.is_client
    }

    /// Whether the head of a request has taken too long, or the last answer.
    pub(crate) fn is_late(&self) -> bool {
        match *self.state() {
            State::Idle(since) | State::Head(since) | State::Answering(since)
                if !self.is_client =>
            {
                since.elapsed() > HEAD_OF_STRANGER
            }
            State::Head(since) => since.elapsed() > HEAD,
            State::Closed(closed) => closed.since.elapsed() > HEAD,
            State::Idle(_) | State::Answering(_) | State::Body(_) | State::Busy => false,
        }
    }
}

/// All of them.
#[derive(Debug)]
pub(crate) struct Connections {
    /// Of clients.
    most: usize,
    all: Mutex<All>,
}

#[derive(Debug, Default)]
struct All {
    next: u64,
    clients: Group,
    strangers: Group,
}

/// Connections by user.
#[derive(Debug, Default)]
struct Group {
    count: usize,
    users: HashMap<Sharer, HashMap<u64, Arc<Watch>>>,
}

/// One of them, for as long as it is there.
#[derive(Debug)]
pub(crate) struct Entered {
    all: Arc<Connections>,
    pub(crate) who: Sharer,
    number: u64,
    pub(crate) watch: Arc<Watch>,
}

impl Connections {
    pub(crate) fn new(most: usize) -> Arc<Self> {
        Arc::new(Self { most, all: Mutex::default() })
    }

    fn lock(&self) -> MutexGuard<'_, All> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One more of this user; `None` if there are as many as there may be, and none that makes
    /// room for it. A client that has none gets one in any case: all others may be at work. Who
    /// is no client takes no room from clients.
    pub(crate) fn enter(self: &Arc<Self>, who: &Sharer, is_client: bool) -> Option<Entered> {
        let mut all = self.lock();
        let number = all.next;
        let group = if is_client { &mut all.clients } else { &mut all.strangers };
        let has_room = match is_client {
            true => {
                group.count < self.most || group.make_room_for(who) || !group.has_one(&who.share)
            }
            // Who keeps connecting is to cost as little as can be.
            false => group.count < STRANGERS && group.count_of(who) < OF_A_STRANGER,
        };
        if !has_room {
            return None;
        }
        let watch = Arc::new(Watch::new(is_client));
        group.users.entry(who.clone()).or_default().insert(number, watch.clone());
        group.count += 1;
        all.next += 1;
        Some(Entered { all: self.clone(), who: who.clone(), number, watch })
    }

    /// Ends one that does nothing; whether there was one.
    pub(crate) fn make_room(&self) -> bool {
        let mut all = self.lock();
        all.strangers.make_room() || all.clients.make_room()
    }
}

impl Group {
    fn count_of(&self, who: &Sharer) -> usize {
        self.users.get(who).map_or(0, HashMap::len)
    }

    fn has_one(&self, share: &Share) -> bool {
        self.users.keys().any(|who| who.share == *share)
    }

    /// Of those clients that have more connections than this one, the one that has most; of
    /// its own users, who has most; else its own.
    fn make_room_for(&mut self, who: &Sharer) -> bool {
        let mut users = self.by_count();
        let own = self.count_of(who);
        let of_own = |(_, _, other): &&(usize, usize, Sharer)| other.share == who.share;
        let of_share = users.iter().find(of_own).map_or(0, |(of_share, _, _)| *of_share);
        users.retain(|(theirs, count, other)| match other.share == who.share {
            true => *count > own,
            false => *theirs > of_share,
        });
        users.into_iter().any(|(_, _, user)| self.close_one_of(&user)) || self.close_one_of(who)
    }

    fn make_room(&mut self) -> bool {
        self.by_count().into_iter().any(|(_, _, user)| self.close_one_of(&user))
    }

    /// How many its client has, and how many it has: who has most comes first.
    fn by_count(&self) -> Vec<(usize, usize, Sharer)> {
        let mut shares: HashMap<&Share, usize> = HashMap::new();
        for (who, own) in &self.users {
            *shares.entry(&who.share).or_default() += own.len();
        }
        let of_share = |who: &Sharer| shares.get(&who.share).copied().unwrap_or(0);
        let users = self.users.iter();
        let mut users: Vec<_> =
            users.map(|(who, own)| (of_share(who), own.len(), who.clone())).collect();
        users.sort_unstable_by(|one, other| other.cmp(one));
        users
    }

    /// The one that has been idle for longest; or else the one whose head, or whose body, is
    /// slowest. Whether there was one.
    fn close_one_of(&mut self, who: &Sharer) -> bool {
        let Some(own) = self.users.get(who) else { return false };
        let rank = |watch: &Watch| match *watch.state() {
            State::Idle(since) => Some((0, since)),
            State::Head(since) => Some((1, since)),
            State::Body(since) => Some((2, since)),
            State::Answering(since) if since.elapsed() > ANSWER => Some((3, since)),
            State::Answering(_) | State::Busy | State::Closed(_) => None,
        };
        let ranked = own.iter().filter_map(|(number, watch)| Some((rank(watch)?, *number)));
        let mut ranked: Vec<_> = ranked.collect();
        ranked.sort_unstable();
        // One may be at work by now.
        let makes_room = |number: &u64| own.get(number).is_some_and(|watch| watch.makes_room());
        let found = ranked.into_iter().map(|(_, number)| number).find(makes_room);
        found.is_some_and(|number| self.remove(who, number).is_some())
    }

    fn remove(&mut self, who: &Sharer, number: u64) -> Option<Arc<Watch>> {
        let own = self.users.get_mut(who)?;
        let watch = own.remove(&number)?;
        if own.is_empty() {
            self.users.remove(who);
        }
        self.count -= 1;
        Some(watch)
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        let mut all = self.all.lock();
        let group = if self.watch.is_client { &mut all.clients } else { &mut all.strangers };
        group.remove(&self.who, self.number);
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
        let polled = Pin::new(&mut self.stream).poll_flush(context);
        if matches!(polled, Poll::Ready(Ok(()))) {
            self.watch.has_sent();
        }
        polled
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests;
