//! Who has connected and is not served yet: so many of each user, and each client in turn.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use tokio::sync::Notify;

use crate::sharing::{InTurn, Sharer};

/// Of one user.
const OF_ONE: usize = 256;

#[derive(Debug)]
pub(super) struct Queue<T> {
    /// Of all: a group may be many users.
    most: usize,
    state: Mutex<State<T>>,
    more: Notify,
}

pub(super) type Arrivals = Queue<super::Arrived>;

#[derive(Debug)]
struct State<T> {
    count: usize,
    waiting: InTurn<T>,
}

impl<T> Queue<T> {
    pub(super) fn new(most: usize) -> Self {
        let state = Mutex::new(State { count: 0, waiting: InTurn::default() });
        Self { most, state, more: Notify::new() }
    }

    /// Gives the one that makes room for it, if there are too many: the oldest of this user,
    /// or of the client who has most with all its users.
    pub(super) fn put(&self, who: &Sharer, arrived: T) -> Option<T> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.count += 1;
        let gives_way = if state.waiting.push(who, arrived) > OF_ONE {
            Some(who.clone())
        } else if state.count > self.most {
            state.waiting.greediest()
        } else {
            None
        };
        let gives_way = gives_way.and_then(|who| state.remove_oldest_of(&who));
        drop(state);
        self.more.notify_one();
        gives_way
    }

    pub(super) async fn next(&self) -> T {
        loop {
            if let Some(next) = self.take() {
                return next;
            }
            self.more.notified().await;
        }
    }

    fn take(&self) -> Option<T> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let next = state.waiting.pop()?;
        state.count -= 1;
        Some(next)
    }
}

impl<T> State<T> {
    fn remove_oldest_of(&mut self, who: &Sharer) -> Option<T> {
        let oldest = self.waiting.take_of(who, VecDeque::pop_front).flatten()?;
        self.count -= 1;
        Some(oldest)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[tokio::test]
    async fn each_user_is_served_in_turn_however_many_connections_another_one_makes() {
        let queue = Queue::new(10_000);
        let put = |uid, number| queue.put(&Sharer::user(uid), (uid, number));
        // Its own oldest ones make room.
        let gone: Vec<_> = (0..1000).filter_map(|number| put(1, number)).collect();
        assert_eq!(gone, (0..1000 - OF_ONE).map(|number| (1, number)).collect::<Vec<_>>());
        let first = gone.len();
        assert!([(2, 0), (2, 1), (3, 0)].into_iter().all(|(uid, it)| put(uid, it).is_none()));
        let mut order = Vec::new();
        for _ in 0..6 {
            order.push(queue.next().await);
        }
        let own = |number| (1, first + number);
        assert_eq!(order, [own(0), (2, 0), (3, 0), own(1), (2, 1), own(2)]);
    }

    #[tokio::test]
    async fn all_users_together_fill_no_memory_and_who_waits_is_woken() {
        let queue = Arc::new(Queue::new(100));
        for number in 0..60 {
            assert_eq!(queue.put(&Sharer::user(1_000_000), (1_000_000, number)), None);
        }
        // Who has most makes room.
        let gone: Vec<_> =
            (0..90).filter_map(|uid| queue.put(&Sharer::user(uid), (uid, 0))).collect();
        assert_eq!(gone, (0..50).map(|number| (1_000_000, number)).collect::<Vec<_>>());
        let mut left = 0;
        while queue.take().is_some() {
            left += 1;
        }
        assert_eq!(left, 100);
        let waiting = {
            let queue = queue.clone();
            tokio::spawn(async move { queue.next().await })
        };
        tokio::task::yield_now().await;
        queue.put(&Sharer::user(7), (7, 7));
        assert_eq!(waiting.await.unwrap(), (7, 7));
        assert!(queue.state.lock().unwrap().waiting.is_empty());
    }

    #[tokio::test]
    async fn however_many_users_a_client_has_another_client_is_kept_and_served_in_turn() {
        let queue = Queue::new(100);
        let many = |uid| queue.put(&Sharer::client("group", uid), uid);
        assert!((0..100).all(|uid| many(uid).is_none()));
        // Who waits for longest of the one with most, and not who comes last.
        assert_eq!(many(100), Some(0));
        assert_eq!(queue.put(&Sharer::client("pay", 1501), 1501), Some(1));
        assert_eq!((101..1000).filter_map(many).collect::<Vec<_>>(), (2..901).collect::<Vec<_>>());
        assert_eq!((queue.next().await, queue.next().await), (901, 1501));
        // One user of the group who has more than the others of it gives way first.
        assert!(queue.put(&Sharer::client("group", 999), 5000).is_none());
        assert!(queue.put(&Sharer::client("group", 998), 5001).is_none());
        assert_eq!(queue.put(&Sharer::client("pay", 1501), 1502), Some(998));
    }
}
