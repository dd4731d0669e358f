//! How many refusals are written down: whoever is refused could fill the disk with them. Of
//! the others it is written down how many they were.
//!
//! Each client has a part of its own, and all who are no clients have one: nobody hides by its
//! refusals what another one is refused.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::sharing::{Share, Sharer};

/// So many refusals of one user are written down in [`TIME`].
const OF_USER: u32 = 100;
/// So many of a client, with all its users.
const OF_CLIENT: u32 = 200;
/// And so many of all who are no clients.
const OF_STRANGERS: u32 = 1000;
const TIME: Duration = Duration::from_secs(10);
/// Of so many users of a part it is remembered.
const USERS: usize = 4096;
/// So many are named.
const NAMED: usize = 8;

#[derive(Debug, Default)]
pub(crate) struct Refusals {
    state: Mutex<State>,
    #[cfg(test)]
    /// The next look at what is to be written down is a panic.
    pub(crate) panics: std::sync::atomic::AtomicBool,
}

/// Of a client, by its name; `None` of all who are none.
type Of = Option<Arc<str>>;

#[derive(Debug, Default)]
struct State {
    since: Option<Instant>,
    parts: BTreeMap<Of, Part>,
}

#[derive(Debug, Default)]
struct Part {
    /// Of each user, of whom there are no more than lines.
    admitted: BTreeMap<u32, u32>,
    of_all: u32,
    others: Others,
}

/// Those that were not written down.
#[derive(Debug, Default)]
struct Others {
    since: Option<Instant>,
    /// Their line could not be written then.
    tried: Option<Instant>,
    count: u64,
    users: BTreeMap<u32, u64>,
    /// There were more users than are remembered.
    is_cut: bool,
}

/// One that has its line among those that are written down. Dropped without it, it is counted
/// among the others.
#[derive(Debug)]
#[must_use = "dropped, it is counted"]
pub(crate) struct Admitted {
    refusals: Arc<Refusals>,
    /// `None` once it has its line.
    who: Option<Sharer>,
}

/// How many refusals were not written down, and of whom: given back if that has no line either.
#[derive(Debug)]
#[must_use = "what is not told is counted still"]
pub(crate) struct Unwritten {
    pub(crate) client: Of,
    pub(crate) count: u64,
    /// For people: those who have most come first.
    pub(crate) users: String,
    pub(crate) within: Duration,
    others: Others,
}

impl Refusals {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One more of this user, to be written down; `None` if it is counted.
    pub(crate) fn admit(self: &Arc<Self>, who: &Sharer, now: Instant) -> Option<Admitted> {
        let mut state = self.lock();
        let is_over = state.since.is_none_or(|since| now.duration_since(since) >= TIME);
        if is_over {
            state.parts.retain(|_, part| part.is_new_again());
            state.since = Some(now);
        }
        let part = state.parts.entry(of(who)).or_default();
        let count = part.admitted.get(&who.uid).copied().unwrap_or(0);
        let most = if who.is_client() { OF_CLIENT } else { OF_STRANGERS };
        if count >= OF_USER || part.of_all >= most {
            part.others.add(who.uid, now);
            return None;
        }
        part.of_all += 1;
        part.admitted.insert(who.uid, count + 1);
        Some(Admitted { refusals: self.clone(), who: Some(who.clone()) })
    }

    /// Of one that has no line: its connection was closed before it could ask, since there were
    /// too many; or the line could not be written.
    pub(crate) fn has_no_line(&self, who: &Sharer, now: Instant) {
        // Who connects without end is to cost little: there are few parts, and few users in one.
        self.lock().parts.entry(of(who)).or_default().others.add(who.uid, now);
    }

    /// What is to be written down of the others, of each part: at once if there are any and it
    /// is `due`, and else when their time is over.
    pub(crate) fn unwritten(&self, now: Instant, due: bool) -> Vec<Unwritten> {
        #[cfg(test)]
        assert!(!self.panics.swap(false, std::sync::atomic::Ordering::SeqCst), "on purpose");
        let mut state = self.lock();
        let parts = state.parts.iter_mut();
        let taken = parts.filter_map(|(client, part)| {
            let within = now.duration_since(part.others.since?);
            let waits = part.others.tried.map_or(within, |tried| now.duration_since(tried));
            let is_due = due || waits >= TIME;
            is_due.then(|| (client.clone(), std::mem::take(&mut part.others), within))
        });
        let taken: Vec<_> = taken.collect();
        drop(state);
        let told = taken.into_iter().map(|(client, others, within)| Unwritten {
            client,
            count: others.count,
            users: others.named(),
            within,
            others,
        });
        told.collect()
    }

    /// What [`Self::unwritten`] gave has its line by now; or has not, and is counted still.
    pub(crate) fn was_told(&self, unwritten: Unwritten, has_line: bool, now: Instant) {
        if !has_line {
            self.lock()
                .parts
                .entry(unwritten.client)
                .or_default()
                .others
                .take_back(unwritten.others, now);
        }
    }
}

#[cfg(test)]
impl Refusals {
    /// Those of whom nothing is to be written down, and those that are being written, are none.
    pub(crate) fn is_empty(&self) -> bool {
        self.lock().parts.values().all(|part| part.others.count == 0)
    }
}

impl Admitted {
    pub(crate) fn has_line(mut self) {
        self.who = None;
    }
}

impl Drop for Admitted {
    fn drop(&mut self) {
        if let Some(who) = &self.who {
            self.refusals.has_no_line(who, Instant::now());
        }
    }
}

fn of(who: &Sharer) -> Of {
    match &who.share {
        Share::Client(name) => Some(name.clone()),
        Share::User(_) => None,
    }
}

impl Part {
    /// Whether something of it is still to be said.
    fn is_new_again(&mut self) -> bool {
        self.admitted.clear();
        self.of_all = 0;
        self.others.count > 0
    }
}

impl Others {
    fn add(&mut self, uid: u32, now: Instant) {
        if self.since.is_none() {
            self.since = Some(now);
            tracing::warn!(
                "a refusal of user {uid} has no line in the audit log: of those that have none it \
                 is written down, after {TIME:?}, how many they are"
            );
        }
        self.count += 1;
        if self.users.len() < USERS || self.users.contains_key(&uid) {
            *self.users.entry(uid).or_default() += 1;
        } else {
            self.is_cut = true;
        }
    }

    /// Those who have come meanwhile are the later ones.
    fn take_back(&mut self, before: Self, tried: Instant) {
        self.since = before.since;
        self.tried = Some(tried);
        self.count += before.count;
        self.is_cut |= before.is_cut;
        for (uid, count) in before.users {
            if self.users.len() < USERS || self.users.contains_key(&uid) {
                *self.users.entry(uid).or_default() += count;
            } else {
                self.is_cut = true;
            }
        }
    }

    fn named(&self) -> String {
        let mut users: Vec<(u64, u32)> =
            self.users.iter().map(|(uid, count)| (*count, *uid)).collect();
        users.sort_unstable_by_key(|(count, uid)| (Reverse(*count), *uid));
        let mut text: Vec<String> =
            users.iter().take(NAMED).map(|(_, uid)| uid.to_string()).collect();
        if users.len() > NAMED {
            let more = if self.is_cut { "many" } else { &(users.len() - NAMED).to_string() };
            text.push(format!("and {more} more"));
        }
        text.join(", ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admits(refusals: &Arc<Refusals>, who: &Sharer, at: Instant) -> bool {
        refusals.admit(who, at).map(Admitted::has_line).is_some()
    }

    fn counted(refusals: &Refusals, now: Instant) -> Vec<(Option<String>, u64)> {
        let unwritten = refusals.unwritten(now, true).into_iter();
        unwritten.map(|of| (of.client.map(|name| name.to_string()), of.count)).collect()
    }

    #[test]
    fn a_hundred_refusals_of_a_user_are_written_down_in_ten_seconds() {
        let (refusals, start) = (Arc::new(Refusals::default()), Instant::now());
        let admitted =
            |uid, at| (0..150).filter(|_| admits(&refusals, &Sharer::user(uid), at)).count();
        assert_eq!(admitted(1, start), 100);
        assert_eq!(admitted(2, start), 100, "each user has its own");
        assert_eq!(admitted(1, start + TIME / 2), 0);
        assert_eq!(admitted(1, start + TIME), 100);
    }

    #[test]
    fn many_users_take_no_more_memory_and_each_refusal_is_counted() {
        let (refusals, start) = (Arc::new(Refusals::default()), Instant::now());
        let admitted =
            (0..10_000).filter(|uid| admits(&refusals, &Sharer::user(*uid), start)).count();
        assert_eq!(admitted, usize::try_from(OF_STRANGERS).unwrap());
        assert!(refusals.lock().parts[&None].others.users.len() <= USERS);
        assert!(refusals.unwritten(start, false).is_empty(), "their time is not over");
        let unwritten = refusals.unwritten(start + TIME, false).pop().unwrap();
        assert_eq!(unwritten.count, 9000);
        assert!(unwritten.users.ends_with("and many more"), "{unwritten:?}");
        assert!(admits(&refusals, &Sharer::user(20_000), start + TIME));
        assert!(refusals.unwritten(start + TIME, true).is_empty());
    }

    /// Neither who is no client nor a client with many users hides what another one is refused.
    #[test]
    fn what_a_client_is_refused_is_written_down_however_much_others_are() {
        let (refusals, start) = (Arc::new(Refusals::default()), Instant::now());
        let strangers = (5000..9000).filter(|uid| admits(&refusals, &Sharer::user(*uid), start));
        assert_eq!(strangers.count(), 1000);
        let many = (0..400).filter(|uid| admits(&refusals, &Sharer::client("many", *uid), start));
        assert_eq!(many.count(), 200);
        // Also where a user of that client is the same.
        assert!((0..100).all(|_| admits(&refusals, &Sharer::client("pay", 7), start)));
        assert!(!admits(&refusals, &Sharer::client("pay", 7), start));
        let expected = [(None, 3000), (Some("many".to_owned()), 200), (Some("pay".to_owned()), 1)];
        assert_eq!(counted(&refusals, start), expected);
        // What is not said yet stays when their time is over, and the rest is forgotten.
        refusals.has_no_line(&Sharer::client("pay", 7), start);
        assert!(admits(&refusals, &Sharer::client("other", 8), start + TIME));
        assert_eq!(refusals.lock().parts.len(), 2);
        assert_eq!(counted(&refusals, start + TIME), [(Some("pay".to_owned()), 1)]);
    }

    #[test]
    fn what_could_not_be_said_is_said_later_with_what_has_come_meanwhile() {
        let (refusals, start) = (Arc::new(Refusals::default()), Instant::now());
        let turn_away = |uid| refusals.has_no_line(&Sharer::user(uid), start);
        (0..3).for_each(|_| turn_away(7));
        let unwritten = refusals.unwritten(start + TIME, false).pop().unwrap();
        turn_away(8);
        refusals.was_told(unwritten, false, start + TIME);
        // Not each second.
        assert!(refusals.unwritten(start + TIME + TIME / 2, false).is_empty());
        let unwritten = refusals.unwritten(start + 2 * TIME, false).pop().unwrap();
        assert_eq!((unwritten.count, unwritten.users.as_str()), (4, "7, 8"));
        assert_eq!(unwritten.within, 2 * TIME);
        refusals.was_told(unwritten, true, start + 2 * TIME);
        assert!(refusals.unwritten(start + 4 * TIME, true).is_empty());
    }

    #[test]
    fn of_one_user_it_is_said_who_it_is_and_of_many_who_has_most() {
        let (refusals, start) = (Arc::new(Refusals::default()), Instant::now());
        refusals.has_no_line(&Sharer::user(7), start);
        refusals.has_no_line(&Sharer::user(7), start);
        let unwritten = refusals.unwritten(start, true).pop().unwrap();
        assert_eq!(
            (unwritten.client, unwritten.count, unwritten.within),
            (None, 2, Duration::ZERO)
        );
        assert_eq!(unwritten.users, "7");
        for uid in (0..20).chain([15, 15, 12]) {
            refusals.has_no_line(&Sharer::user(uid), start);
        }
        let unwritten = refusals.unwritten(start, true).pop().unwrap();
        assert_eq!(unwritten.users, "15, 12, 0, 1, 2, 3, 4, 5, and 12 more");
    }

    /// Its line could not be written, or nobody has waited until it was.
    #[test]
    fn one_that_was_to_be_written_down_and_was_not_is_counted() {
        let (refusals, start) = (Arc::new(Refusals::default()), Instant::now());
        let who = Sharer::client("pay", 7);
        let admitted: Vec<_> = (0..5).map(|_| refusals.admit(&who, start).unwrap()).collect();
        let mut admitted = admitted.into_iter();
        admitted.by_ref().take(2).for_each(Admitted::has_line);
        assert_eq!(counted(&refusals, start), []);
        drop(admitted);
        assert_eq!(counted(&refusals, start), [(Some("pay".to_owned()), 3)]);
    }
}
