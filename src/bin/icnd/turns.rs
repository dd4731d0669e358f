//! Who has the key next: so many at once, and each client in turn, and of it each user.
//!
//! Whoever asks for it has a place first, of which there are only so many. Where all are
//! taken, the client that has most of them gives one up for a client that has fewer, and in a
//! client the user who has most: nobody keeps the key from others by asking for it often, nor as
//! many users.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::hash::Hash;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::sharing::{InTurn, Share, Sharer};

#[derive(Debug)]
pub(crate) struct Turns {
    /// Most places.
    most: usize,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// So many more may have the key now.
    free: usize,
    next: u64,
    /// The users of all places.
    places: HashMap<u64, Sharer>,
    /// How many each user has.
    users: HashMap<Sharer, usize>,
    /// And how many each client.
    shares: HashMap<Share, usize>,
    /// Who waits for the key.
    waiting: InTurn<Waiting>,
}

/// What is to be done with the key. Dropped undone, it tells who waits for it; that drops its
/// place too, so never while the state is locked.
struct Waiting {
    place: u64,
    work: Box<dyn FnOnce() + Send>,
}

impl fmt::Debug for Waiting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Waiting").field("place", &self.place).finish_non_exhaustive()
    }
}

/// A place.
#[derive(Debug)]
pub(crate) struct Place {
    turns: Arc<Turns>,
    who: Sharer,
    number: u64,
}

/// Gives up waiting when it is dropped.
#[derive(Debug)]
pub(crate) struct Interest {
    turns: Arc<Turns>,
    number: u64,
}

impl Turns {
    pub(crate) fn new(at_once: usize, most_waiting: usize) -> Arc<Self> {
        let state = Mutex::new(State { free: at_once, ..State::default() });
        Arc::new(Self { most: at_once.saturating_add(most_waiting), state })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A place for one request of a user; `None` if there is none, and nobody has to give one
    /// up for it. A client that has none gets one in any case.
    pub(crate) fn enter(self: &Arc<Self>, who: &Sharer) -> Option<Place> {
        let mut state = self.lock();
        let has_one = state.shares.contains_key(&who.share);
        let mut displaced = None;
        if state.places.len() >= self.most {
            displaced = state.make_room(who);
            if displaced.is_none() && has_one {
                return None;
            }
        }
        let number = state.next;
        state.next += 1;
        state.places.insert(number, who.clone());
        *state.users.entry(who.clone()).or_default() += 1;
        *state.shares.entry(who.share.clone()).or_default() += 1;
        drop(state);
        drop(displaced);
        Some(Place { turns: self.clone(), who: who.clone(), number })
    }

    /// Who is next; or the key is free.
    fn next_or_free(&self) -> Option<Waiting> {
        let mut state = self.lock();
        let next = state.waiting.pop();
        if next.is_none() {
            state.free += 1;
        }
        next
    }
}

impl State {
    /// The last one who waits of the client that has most; never of one that would have fewer
    /// than who comes. So it is for the users of one client, too.
    fn make_room(&mut self, who: &Sharer) -> Option<Waiting> {
        let of_user = |who: &Sharer| self.users.get(who).copied().unwrap_or(0);
        let of_share = |who: &Sharer| self.shares.get(&who.share).copied().unwrap_or(0);
        let has_more = |other: &&Sharer| match other.share == who.share {
            true => of_user(other) > of_user(who) + 1,
            false => of_share(other) > of_share(who) + 1,
        };
        let others = self.waiting.users().filter(has_more);
        let greediest = others.max_by_key(|other| (of_share(other), of_user(other))).cloned()?;
        let last = self.waiting.take_of(&greediest, VecDeque::pop_back).flatten()?;
        self.leave(last.place);
        Some(last)
    }

    /// Gives it back where the key is free, and taken by this.
    fn take_or_wait(&mut self, who: &Sharer, waiting: Waiting) -> Option<Waiting> {
        if self.free > 0 {
            self.free -= 1;
            return Some(waiting);
        }
        self.waiting.push(who, waiting);
        None
    }

    fn leave(&mut self, place: u64) {
        let Some(who) = self.places.remove(&place) else { return };
        one_less(&mut self.users, &who);
        one_less(&mut self.shares, &who.share);
    }

    /// What this place waits to have done.
    fn take_waiting(&mut self, place: u64) -> Option<Waiting> {
        let who = self.places.get(&place)?;
        self.waiting.take_of(who, |waiting| {
            let at = waiting.iter().position(|waiting| waiting.place == place)?;
            waiting.remove(at)
        })?
    }
}

fn one_less<K: Eq + Hash>(counts: &mut HashMap<K, usize>, of: &K) {
    if let Some(count) = counts.get_mut(of) {
        *count -= 1;
        if *count == 0 {
            counts.remove(of);
        }
    }
}

impl Place {
    /// To be held by who waits for what is done, so that nothing waits for the key in vain.
    pub(crate) fn interest(&self) -> Interest {
        Interest { turns: self.turns.clone(), number: self.number }
    }

    /// **Blocks**. Has this done with the key: at once, or, where the key is not free, by one of
    /// those who have it now, when that one is done. Whoever has the key keeps it for those who
    /// wait, each in turn: to hand it to another thread costs as much as a signature.
    ///
    /// Dropped undone, if the place has to be given up.
    pub(crate) fn use_key(self, work: impl FnOnce(Self) + Send + 'static) {
        let (turns, who, place) = (self.turns.clone(), self.who.clone(), self.number);
        let work = Box::new(move || work(self));
        let mut next = turns.lock().take_or_wait(&who, Waiting { place, work });
        while let Some(waiting) = next {
            // Who waits for it is told by what the work owned.
            if catch_unwind(AssertUnwindSafe(waiting.work)).is_err() {
                tracing::error!("a use of the key has panicked");
            }
            next = turns.next_or_free();
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.turns.lock().leave(self.number);
    }
}

impl Drop for Interest {
    fn drop(&mut self) {
        let undone = self.turns.lock().take_waiting(self.number);
        drop(undone);
    }
}

#[cfg(test)]
mod tests;
