//! Another policy: with its line, or not at all.

use std::sync::{Arc, Mutex, PoisonError, RwLock, Weak};
use std::time::{Duration, Instant};

use icn_identity::config::Config;

use super::Door;
use crate::in_force::InForce;

/// For so long a policy is held by requests that it has decided, after another one has taken its
/// place: a little longer than they have.
const DECIDED: Duration = Duration::from_secs(12);

/// What decides now; and what has decided before, for as long as a request is under way that
/// it was decided by.
pub(super) struct Policies {
    now: RwLock<Arc<InForce>>,
    /// Each with the time at which another one took its place.
    before: Mutex<Vec<(Weak<InForce>, Instant)>>,
}

impl Policies {
    pub(super) fn new(policy: InForce) -> Self {
        Self { now: RwLock::new(Arc::new(policy)), before: Mutex::default() }
    }

    fn exchange(&self, policy: impl FnOnce(&InForce) -> InForce) {
        let mut now = self.now.write().unwrap_or_else(PoisonError::into_inner);
        let next = Arc::new(policy(&now));
        let before = std::mem::replace(&mut *now, next);
        let mut all = self.before.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|(policy, _)| policy.strong_count() > 0);
        all.push((Arc::downgrade(&before), Instant::now()));
    }

    /// Whether a request may be under way that one of those before has decided. Each has had its
    /// answer once this policy was not asked any more for [`DECIDED`], whatever a device does
    /// still.
    fn decides_still(&self, is_late: &mut bool) -> bool {
        let before = self.before.lock().unwrap_or_else(PoisonError::into_inner);
        let held = before.iter().filter(|(policy, _)| policy.strong_count() > 0);
        let (late, waits): (Vec<_>, Vec<_>) =
            held.partition(|(_, replaced)| replaced.elapsed() > DECIDED);
        *is_late |= !late.is_empty();
        !waits.is_empty()
    }
}

impl Door {
    pub(crate) fn policy(&self) -> Arc<InForce> {
        self.policies.now.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// No other policy is brought into force until this is done.
    pub(super) fn with_policy<T>(&self, decide: impl FnOnce(&InForce) -> T) -> T {
        decide(&self.policies.now.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// **Blocks** until no request is under way that was decided by what was in force before, at
    /// whatever reload that was. From now on what one of both policies refuses is refused, until
    /// what this gives is kept or dropped. `None` once icnd is about to stop.
    pub(crate) fn reload(&self, config: &Config) -> Option<Reloaded<'_>> {
        self.policies.exchange(|now| now.with_next(config));
        let reloaded = Reloaded { door: self, is_kept: false };
        let mut is_late = false;
        while self.policies.decides_still(&mut is_late) && !self.is_stopping() {
            std::thread::sleep(Duration::from_millis(2));
        }
        if is_late {
            tracing::warn!("requests that were decided before are still under way");
        }
        (!self.is_stopping()).then_some(reloaded)
    }
}

/// A configuration whose line is not written yet: one at a time.
#[must_use = "dropped, it is not in force"]
pub(crate) struct Reloaded<'d> {
    door: &'d Door,
    is_kept: bool,
}

impl Reloaded<'_> {
    /// Its line is on disk.
    pub(crate) fn keep(mut self) {
        self.is_kept = true;
    }
}

impl Drop for Reloaded<'_> {
    fn drop(&mut self) {
        // What was decided by both is decided by either: nobody is waited for here, but by the
        // next one.
        let is_kept = self.is_kept;
        self.door.policies.exchange(|both| match is_kept {
            true => both.followed(),
            false => both.not_followed(),
        });
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use super::*;
    use crate::door::tests::Home;

    /// Whoever was allowed something while a reload waited is waited for by the next one, which
    /// may have taken that away.
    #[test]
    fn a_reload_waits_also_for_what_was_decided_while_the_one_before_waited() {
        let home = Home::new();
        let (door, config) = (home.door(""), Config::parse("").unwrap());
        for is_kept in [true, false] {
            let first = door.reload(&config).unwrap();
            let by_both = door.policy();
            if is_kept {
                first.keep();
            } else {
                drop(first);
            }
            std::thread::scope(|scope| {
                let (done, is_done) = channel();
                let next = scope.spawn({
                    let (door, config) = (&door, &config);
                    move || {
                        drop(door.reload(config));
                        let _ = done.send(());
                    }
                });
                assert!(is_done.recv_timeout(Duration::from_millis(300)).is_err());
                drop(by_both);
                next.join().unwrap();
            });
        }
        assert!(door.policies.before.lock().unwrap().len() <= 2, "what is held by nobody goes");
    }

    #[test]
    fn a_reload_that_still_waits_when_icnd_stops_changes_nothing() {
        let home = Home::new();
        let door = home.door("");
        let config = Config::parse("[audit]\nlog_all_operations = true\n").unwrap();
        let decided = door.policy();
        std::thread::scope(|scope| {
            let reload = scope.spawn(|| door.reload(&config).is_some());
            while !door.policy().logs_all() {
                std::thread::yield_now();
            }
            door.stop();
            assert!(!reload.join().unwrap());
        });
        assert!(!door.policy().logs_all());
        drop(decided);
    }
}
