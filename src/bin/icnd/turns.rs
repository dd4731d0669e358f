//! Who has the key next: so many at once, and each user in turn.
//!
//! Whoever asks for it has a place first, of which there are only so many. Where all are
//! taken, the user who has most of them gives one up for a user who has fewer: nobody keeps
//! the key from others by asking for it often.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

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
    places: HashMap<u64, u32>,
    /// How many each user has.
    users: HashMap<u32, usize>,
    /// Who waits for the key: the users in their order, and of each one its places.
    waiting: VecDeque<(u32, VecDeque<Waiting>)>,
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
    /// up for it. A user who has none gets one in any case.
    pub(crate) fn enter(self: &Arc<Self>, uid: u32) -> Option<Place> {
        let mut state = self.lock();
        let has_one = state.users.contains_key(&uid);
        if state.places.len() >= self.most && !state.make_room(uid) && has_one {
            return None;
        }
        let number = state.next;
        state.next += 1;
        state.places.insert(number, uid);
        *state.users.entry(uid).or_default() += 1;
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
    /// The last one who waits of the user who has most; never of one who would have fewer
    /// than who comes.
    fn make_room(&mut self, uid: u32) -> bool {
        let own = self.users.get(&uid).copied().unwrap_or(0);
        let count = |user: &u32| self.users.get(user).copied().unwrap_or(0);
        let greediest = self.waiting.iter().map(|(user, _)| *user).max_by_key(count);
        let Some(greediest) = greediest.filter(|user| count(user) > own + 1) else { return false };
        let waiting = self.waiting.iter_mut().find(|(user, _)| *user == greediest);
        // What is dropped tells it.
        let Some(last) = waiting.and_then(|(_, places)| places.pop_back()) else { return false };
        self.waiting.retain(|(_, places)| !places.is_empty());
        self.leave(last.place);
        true
    }

    fn wait(&mut self, place: u64, turn: oneshot::Sender<Key>) {
        let Some(uid) = self.places.get(&place).copied() else { return };
        let waiting = Waiting { place, turn };
        match self.waiting.iter_mut().find(|(user, _)| *user == uid) {
            Some((_, places)) => places.push_back(waiting),
            None => self.waiting.push_back((uid, [waiting].into())),
        }
    }

    fn take_next(&mut self) -> Option<Waiting> {
        let (uid, mut places) = self.waiting.pop_front()?;
        let next = places.pop_front();
        if !places.is_empty() {
            self.waiting.push_back((uid, places));
        }
        next
    }

    fn leave(&mut self, place: u64) {
        let Some(uid) = self.places.remove(&place) else { return };
        if let Some(count) = self.users.get_mut(&uid) {
            *count -= 1;
            if *count == 0 {
                self.users.remove(&uid);
            }
        }
        if let Some((_, places)) = self.waiting.iter_mut().find(|(user, _)| *user == uid) {
            places.retain(|waiting| waiting.place != place);
        }
        self.waiting.retain(|(_, places)| !places.is_empty());
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
        let first = turns.enter(1).unwrap().turn().await.unwrap();
        let mut tasks = Vec::new();
        for uid in [1, 1, 1, 2, 1, 2, 3] {
            tasks.push((uid, comes(turns.enter(uid).unwrap()).await));
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
        let key = turns.enter(1).unwrap().turn().await.unwrap();
        let mut tasks = Vec::new();
        for _ in 0..3 {
            tasks.push(comes(turns.enter(1).unwrap()).await);
        }
        assert!(turns.enter(1).is_none(), "its own places are all taken");
        let other = comes(turns.enter(2).unwrap()).await;
        assert!(tasks.pop().unwrap().await.unwrap().is_none(), "the last one gives way");
        let second = comes(turns.enter(2).unwrap()).await;
        assert!(tasks.pop().unwrap().await.unwrap().is_none());
        // Two and two: one more place would be no fairer.
        assert!(turns.enter(2).is_none());
        let third = comes(turns.enter(3).unwrap()).await;
        assert!(second.await.unwrap().is_none());
        assert!(turns.enter(2).is_none());
        drop(key);
        for task in [tasks.pop().unwrap(), other, third] {
            drop(task.await.unwrap().unwrap());
        }
        let state = turns.lock();
        assert_eq!((state.free, state.places.len(), state.users.len()), (1, 0, 0));
    }

    /// Also where all places are of others who do not wait, but are about to.
    #[test]
    fn a_user_who_has_no_place_gets_one() {
        let turns = Turns::new(1, 1);
        let _theirs = [turns.enter(1).unwrap(), turns.enter(1).unwrap()];
        assert!(turns.enter(1).is_none());
        let _own = turns.enter(2).unwrap();
        assert!(turns.enter(2).is_none());
    }

    #[tokio::test]
    async fn who_goes_away_leaves_neither_place_nor_key_behind() {
        let turns = Turns::new(1, 2);
        let key = turns.enter(1).unwrap().turn().await.unwrap();
        let gone = comes(turns.enter(1).unwrap()).await;
        gone.abort();
        assert!(gone.await.is_err());
        assert!(turns.lock().waiting.is_empty());
        let left = comes(turns.enter(2).unwrap()).await;
        drop(turns.enter(3).unwrap());
        drop(key);
        // It has been given the key, and goes away with it.
        left.abort();
        drop(left.await);
        let state = turns.lock();
        assert_eq!((state.free, state.places.len(), state.waiting.len()), (1, 0, 0));
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
                    let place = turns.enter(number % 7)?;
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
        assert_eq!((state.free, state.places.len(), state.waiting.len()), (2, 0, 0));
    }
}
