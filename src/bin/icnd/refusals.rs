//! How many refusals are written down: whoever is refused could fill the disk with them.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// So many refusals of one user are written down in [`TIME`]; more are answered and not
/// written down.
const MOST: u32 = 100;
const TIME: Duration = Duration::from_secs(10);
/// Of so many users at a time it is remembered.
const USERS: usize = 4096;

#[derive(Debug, Default)]
pub(crate) struct Refusals(Mutex<HashMap<u32, (Instant, u32)>>);

impl Refusals {
    /// Whether one more of this user is written down.
    pub(crate) fn admit(&self, uid: u32, now: Instant) -> bool {
        let mut users = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if users.len() >= USERS {
            users.retain(|_, (since, _)| now.duration_since(*since) < TIME);
        }
        if users.len() >= USERS && !users.contains_key(&uid) {
            return false;
        }
        let (since, count) = users.entry(uid).or_insert((now, 0));
        if now.duration_since(*since) >= TIME {
            (*since, *count) = (now, 0);
        }
        if *count == MOST {
            tracing::warn!(
                "more than {MOST} refusals of user {uid} in {TIME:?}: not all are recorded"
            );
        }
        *count = count.saturating_add(1);
        *count <= MOST
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
    fn many_users_take_no_more_memory() {
        let (refusals, start) = (Refusals::default(), Instant::now());
        for uid in 0..10_000 {
            refusals.admit(uid, start);
        }
        assert!(refusals.0.lock().unwrap().len() <= USERS);
        assert!(refusals.admit(20_000, start + TIME));
    }
}
