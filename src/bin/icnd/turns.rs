//! Who has the key next: so many at once, and each client in turn, and of it each user.
//!
//! Whoever asks for it has a place first, of which there are only so many. Where all are
//! taken, the client that has most of them gives one up for a client that has fewer, and in a
//! client the user who has most: nobody keeps the key from others by asking for it often, nor as
//! many users.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

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

#[derive(Debug)]
struct Waiting {
    place: u64,
    turn: oneshot::Sender<Key>,
}

/// A place.
#[derive(Debug)]
pub(crate) struct Place {
    turns: Arc<Turns>,
    number: u64,
}

/// The key, until it is dropped.
#[derive(Debug)]
struct Key(Option<Arc<Turns>>);

/// The key and the place.
#[derive(Debug)]
pub(crate) struct Turn {
    _key: Key,
    _place: Place,
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
        if state.places.len() >= self.most && !state.make_room(who) && has_one {
            return None;
        }
        let number = state.next;
        state.next += 1;
        state.places.insert(number, who.clone());
        *state.users.entry(who.clone()).or_default() += 1;
        *state.shares.entry(who.share.clone()).or_default() += 1;
        drop(state);
        Some(Place { turns: self.clone(), number })
    }

    /// Gives the key to who is next, or to nobody.
    fn pass_on(self: &Arc<Self>) {
        loop {
            let mut state = self.lock();
            let Some(next) = state.take_next() else {
                state.free += 1;
                return;
            };
            drop(state);
            match next.turn.send(Key(Some(self.clone()))) {
                Ok(()) => return,
                // It waits no more: the next one has it.
                Err(mut back) => drop(back.0.take()),
            }
        }
    }
}

impl State {
    /// The last one who waits of the client that has most; never of one that would have fewer
    /// than who comes. So it is for the users of one client, too.
    fn make_room(&mut self, who: &Sharer) -> bool {
        let of_user = |who: &Sharer| self.users.get(who).copied().unwrap_or(0);
        let of_share = |who: &Sharer| self.shares.get(&who.share).copied().unwrap_or(0);
        let has_more = |other: &&Sharer| match other.share == who.share {
            true => of_user(other) > of_user(who) + 1,
            false => of_share(other) > of_share(who) + 1,
        };
        let others = self.waiting.users().filter(has_more);
        let greediest = others.max_by_key(|other| (of_share(other), of_user(other))).cloned();
        let Some(greediest) = greediest else { return false };
        // What is dropped tells it.
        let Some(last) = self.waiting.take_of(&greediest, VecDeque::pop_back).flatten() else {
            return false;
        };
        self.leave(last.place);
        true
    }

    fn wait(&mut self, place: u64, turn: oneshot::Sender<Key>) {
        let Some(who) = self.places.get(&place) else { return };
        self.waiting.push(who, Waiting { place, turn });
    }

    fn take_next(&mut self) -> Option<Waiting> {
        self.waiting.pop()
    }

    fn leave(&mut self, place: u64) {
        let Some(who) = self.places.remove(&place) else { return };
        one_less(&mut self.users, &who);
        one_less(&mut self.shares, &who.share);
        self.waiting.take_of(&who, |places| places.retain(|waiting| waiting.place != place));
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
    /// Waits for the key; `None` if the place had to be given up.
    pub(crate) async fn turn(self) -> Option<Turn> {
        let waiting = {
            let mut state = self.turns.lock();
            if state.free > 0 {
                state.free -= 1;
                None
            } else {
                let (turn, waiting) = oneshot::channel();
                state.wait(self.number, turn);
                Some(waiting)
            }
        };
        let key = match waiting {
            None => Key(Some(self.turns.clone())),
            Some(waiting) => waiting.await.ok()?,
        };
        Some(Turn { _key: key, _place: self })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.turns.lock().leave(self.number);
    }
}

impl Drop for Key {
    fn drop(&mut self) {
        if let Some(turns) = self.0.take() {
            turns.pass_on();
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::task::JoinHandle;

    use super::*;

    /// It waits, or has the key, when this is done.
    async fn comes(place: Place) -> JoinHandle<Option<Turn>> {
        let task = tokio::spawn(place.turn());
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
        task
    }

    #[tokio::test]
    async fn each_user_has_the_key_in_turn_however_many_wait() {
        let turns = Turns::new(1, 100);
        let first = turns.enter(&Sharer::user(1)).unwrap().turn().await.unwrap();
        let mut tasks = Vec::new();
        for uid in [1, 1, 1, 2, 1, 2, 3] {
            tasks.push((uid, comes(turns.enter(&Sharer::user(uid)).unwrap()).await));
        }
        drop(first);
        let mut order = Vec::new();
        while !tasks.is_empty() {
            for _ in 0..10 {
                tokio::task::yield_now().await;
            }
            let at = tasks.iter().position(|(_, task)| task.is_finished()).unwrap();
            let (uid, task) = tasks.remove(at);
            // One at a time.
            assert!(tasks.iter().all(|(_, task)| !task.is_finished()));
            order.push(uid);
            drop(task.await.unwrap().unwrap());
        }
        assert_eq!(order, [1, 2, 3, 1, 2, 1, 1]);
        assert_eq!(turns.lock().free, 1);
    }

    #[tokio::test]
    async fn who_has_most_places_gives_one_up_for_who_has_fewer_and_for_nobody_else() {
        let turns = Turns::new(1, 3);
        let key = turns.enter(&Sharer::user(1)).unwrap().turn().await.unwrap();
        let mut tasks = Vec::new();
        for _ in 0..3 {
            tasks.push(comes(turns.enter(&Sharer::user(1)).unwrap()).await);
        }
        assert!(turns.enter(&Sharer::user(1)).is_none(), "its own places are all taken");
        let other = comes(turns.enter(&Sharer::user(2)).unwrap()).await;
        assert!(tasks.pop().unwrap().await.unwrap().is_none(), "the last one gives way");
        let second = comes(turns.enter(&Sharer::user(2)).unwrap()).await;
        assert!(tasks.pop().unwrap().await.unwrap().is_none());
        // Two and two: one more place would be no fairer.
        assert!(turns.enter(&Sharer::user(2)).is_none());
        let third = comes(turns.enter(&Sharer::user(3)).unwrap()).await;
        assert!(second.await.unwrap().is_none());
        assert!(turns.enter(&Sharer::user(2)).is_none());
        drop(key);
        for task in [tasks.pop().unwrap(), other, third] {
            drop(task.await.unwrap().unwrap());
        }
        let state = turns.lock();
        assert_eq!((state.free, state.places.len(), state.users.len()), (1, 0, 0));
    }

    #[tokio::test]
    async fn a_client_has_its_turn_however_many_users_another_one_has() {
        let turns = Turns::new(1, 3);
        let of_group = |uid| turns.enter(&Sharer::client("group", uid));
        let key = of_group(1).unwrap().turn().await.unwrap();
        let mut theirs = Vec::new();
        for uid in 2..5 {
            theirs.push(comes(of_group(uid).unwrap()).await);
        }
        assert!(of_group(5).is_none(), "a user more is no client more");
        let own = comes(turns.enter(&Sharer::client("pay", 1501)).unwrap()).await;
        assert_eq!(theirs.iter().filter(|task| task.is_finished()).count(), 1);
        drop(key);
        // One of the group, then the other client, then the group again.
        assert!(theirs.pop().unwrap().await.unwrap().is_none(), "the last one has given way");
        drop(theirs.remove(0).await.unwrap().unwrap());
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
        assert!(own.is_finished() && !theirs.iter().any(JoinHandle::is_finished));
        drop(own.await.unwrap().unwrap());
        drop(theirs.pop().unwrap().await.unwrap().unwrap());
        assert!(turns.lock().shares.is_empty());
    }

    /// Also where all places are of others who do not wait, but are about to.
    #[test]
    fn a_user_who_has_no_place_gets_one() {
        let turns = Turns::new(1, 1);
        let _theirs =
            [turns.enter(&Sharer::user(1)).unwrap(), turns.enter(&Sharer::user(1)).unwrap()];
        assert!(turns.enter(&Sharer::user(1)).is_none());
        let _own = turns.enter(&Sharer::user(2)).unwrap();
        assert!(turns.enter(&Sharer::user(2)).is_none());
    }

    #[tokio::test]
    async fn who_goes_away_leaves_neither_place_nor_key_behind() {
        let turns = Turns::new(1, 2);
        let key = turns.enter(&Sharer::user(1)).unwrap().turn().await.unwrap();
        let gone = comes(turns.enter(&Sharer::user(1)).unwrap()).await;
        gone.abort();
        assert!(gone.await.is_err());
        assert!(turns.lock().waiting.is_empty());
        let left = comes(turns.enter(&Sharer::user(2)).unwrap()).await;
        drop(turns.enter(&Sharer::user(3)).unwrap());
        drop(key);
        // It has been given the key, and goes away with it.
        left.abort();
        drop(left.await);
        let state = turns.lock();
        assert_eq!((state.free, state.places.len(), state.waiting.users().count()), (1, 0, 0));
    }

    #[test]
    fn many_threads_end_with_the_key_free() {
        let turns = Turns::new(2, 50);
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(4).build().unwrap();
        runtime.block_on(async {
            let tasks = (0..500_u32).map(|number| {
                let turns = turns.clone();
                tokio::spawn(async move {
                    let place = turns.enter(&Sharer::user(number % 7))?;
                    tokio::task::yield_now().await;
                    let turn = place.turn().await?;
                    tokio::task::yield_now().await;
                    drop(turn);
                    Some(())
                })
            });
            let mut served = 0;
            for task in tasks.collect::<Vec<_>>() {
                served += usize::from(task.await.unwrap().is_some());
            }
            assert!(served > 0);
        });
        let state = turns.lock();
        assert_eq!((state.free, state.places.len(), state.waiting.users().count()), (2, 0, 0));
    }
}
