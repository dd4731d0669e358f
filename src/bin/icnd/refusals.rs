//! How many refusals are written down: whoever is refused could fill the disk with them. Of
//! the others it is written down how many they were.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// So many refusals of one user are written down in [`TIME`].
const MOST: u32 = 100;
/// And so many of all users together.
const OF_ALL: u32 = 2000;
const TIME: Duration = Duration::from_secs(10);
/// Of so many users at a time it is remembered.
const USERS: usize = 4096;
/// So many are named.
const NAMED: usize = 8;

#[derive(Debug, Default)]
pub(crate) struct Refusals(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    since: Option<Instant>,
    /// Of each user.
    admitted: HashMap<u32, u32>,
    of_all: u32,
    others: Others,
}

/// Those that were not written down.
#[derive(Debug, Default)]
struct Others {
    since: Option<Instant>,
    count: u64,
    users: HashSet<u32>,
    /// There were more users than are remembered.
    is_cut: bool,
}

/// How many refusals were not written down, and of whom.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Unwritten {
    pub(crate) count: u64,
    /// For people.
    pub(crate) users: String,
    pub(crate) within: Duration,
}

impl Refusals {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether one more of this user is written down. If not, it is counted.
    pub(crate) fn admit(&self, uid: u32, now: Instant) -> bool {
        let mut state = self.lock();
        let is_over = state.since.is_none_or(|since| now.duration_since(since) >= TIME);
        if is_over {
            state.admitted.clear();
            (state.since, state.of_all) = (Some(now), 0);
        }
        let count = state.admitted.get(&uid).copied().unwrap_or(0);
        let is_full = state.of_all >= OF_ALL
            || state.admitted.len() >= USERS && !state.admitted.contains_key(&uid);
        if count >= MOST || is_full {
            state.others.add(uid, now);
            return false;
        }
        state.of_all += 1;
        state.admitted.insert(uid, count + 1);
        true
    }

    /// Of one whose connection was closed before it could ask: there were too many.
    pub(crate) fn was_turned_away(&self, uid: u32, now: Instant) {
        self.lock().others.add(uid, now);
    }

    /// What is to be written down of the others: at once if there are any and it is `due`, and
    /// else when their time is over.
    pub(crate) fn unwritten(&self, now: Instant, due: bool) -> Option<Unwritten> {
        let mut state = self.lock();
        let within = now.duration_since(state.others.since?);
        if !due && within < TIME {
            return None;
        }
        let Others { count, users, is_cut, .. } = std::mem::take(&mut state.others);
        drop(state);
        let mut named: Vec<u32> = users.iter().copied().collect();
        named.sort_unstable();
        named.truncate(NAMED);
        let mut text: Vec<String> = named.iter().map(u32::to_string).collect();
        if users.len() > NAMED {
            let more = if is_cut { "many" } else { &(users.len() - NAMED).to_string() };
            text.push(format!("and {more} more"));
        }
        Some(Unwritten { count, users: text.join(", "), within })
    }
}

impl Others {
    fn add(&mut self, uid: u32, now: Instant) {
        if self.since.is_none() {
            self.since = Some(now);
            tracing::warn!(
                "more refusals than are recorded within {TIME:?}, of user {uid}: not all are \
                 recorded, but how many"
            );
        }
        self.count += 1;
        if self.users.len() < USERS {
            self.users.insert(uid);
        } else {
            self.is_cut |= !self.users.contains(&uid);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hundred_refusals_of_a_user_are_written_down_in_ten_seconds() {
        let (refusals, start) = (Refusals::default(), Instant::now());
        let admitted = |uid, at| (0..150).filter(|_| refusals.admit(uid, at)).count();
        assert_eq!(admitted(1, start), 100);
        assert_eq!(admitted(2, start), 100, "each user has its own");
        assert_eq!(admitted(1, start + TIME / 2), 0);
        assert_eq!(admitted(1, start + TIME), 100);
    }

    #[test]
    fn many_users_take_no_more_memory_and_each_refusal_is_counted() {
        let (refusals, start) = (Refusals::default(), Instant::now());
        let admitted = (0..10_000).filter(|uid| refusals.admit(*uid, start)).count();
        assert_eq!(admitted, usize::try_from(OF_ALL).unwrap());
        assert!(refusals.lock().others.users.len() <= USERS);
        assert_eq!(refusals.unwritten(start, false), None, "their time is not over");
        let unwritten = refusals.unwritten(start + TIME, false).unwrap();
        assert_eq!(unwritten.count, 8000);
        assert!(unwritten.users.ends_with("and many more"), "{unwritten:?}");
        assert!(refusals.admit(20_000, start + TIME));
        assert_eq!(refusals.unwritten(start + TIME, true), None);
    }

    #[test]
    fn of_one_user_it_is_said_who_it_is() {
        let (refusals, start) = (Refusals::default(), Instant::now());
        refusals.was_turned_away(7, start);
        refusals.was_turned_away(7, start);
        let unwritten = refusals.unwritten(start, true).unwrap();
        let expected = Unwritten { count: 2, users: "7".into(), within: Duration::ZERO };
        assert_eq!(unwritten, expected);
    }
}
