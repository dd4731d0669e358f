//! Who has connected and is not served yet: so many of each user, and each user in turn.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use tokio::sync::Notify;

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
    /// The users in their order, and of each one its connections.
    users: VecDeque<(u32, VecDeque<T>)>,
}

impl<T> Queue<T> {
    pub(super) fn new(most: usize) -> Self {
        let state = Mutex::new(State { count: 0, users: VecDeque::new() });
        Self { most, state, more: Notify::new() }
    }

    /// Gives the one that makes room for it, if there are too many: the oldest of this user,
    /// or of the one who has most.
    pub(super) fn put(&self, uid: u32, arrived: T) -> Option<T> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.count += 1;
        let own = match state.users.iter().position(|(user, _)| *user == uid) {
            Some(place) => place,
            None => {
                state.users.push_back((uid, VecDeque::new()));
                state.users.len() - 1
            }
        };
        let mut is_full = false;
        if let Some((_, own)) = state.users.get_mut(own) {
            own.push_back(arrived);
            is_full = own.len() > OF_ONE;
        }
        let gives_way = if is_full {
            state.remove_oldest_at(own)
        } else if state.count > self.most {
            let most = state.users.iter().enumerate().max_by_key(|(_, (_, own))| own.len());
            most.map(|(place, _)| place).and_then(|place| state.remove_oldest_at(place))
        } else {
            None
        };
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
        let (uid, mut own) = state.users.pop_front()?;
        let next = own.pop_front();
        if !own.is_empty() {
            state.users.push_back((uid, own));
        }
        state.count -= 1;
        next
    }
}

impl<T> State<T> {
    fn remove_oldest_at(&mut self, place: usize) -> Option<T> {
        let (_, own) = self.users.get_mut(place)?;
        let oldest = own.pop_front()?;
        self.count -= 1;
        if own.is_empty() {
            self.users.remove(place);
        }
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
        let put = |uid, number| queue.put(uid, (uid, number));
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
            assert_eq!(queue.put(1_000_000, (1_000_000, number)), None);
        }
        // Who has most makes room.
        let gone: Vec<_> = (0..90).filter_map(|uid| queue.put(uid, (uid, 0))).collect();
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
        queue.put(7, (7, 7));
        assert_eq!(waiting.await.unwrap(), (7, 7));
        assert!(queue.state.lock().unwrap().users.is_empty());
    }
}
