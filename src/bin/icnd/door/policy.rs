//! Another policy: with its line, or not at all.

use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use icn_identity::config::Config;

use super::Door;
use crate::in_force::InForce;

/// For so long a policy is held by requests that it has decided: a little longer than they have.
const DECIDED: Duration = Duration::from_secs(12);

impl Door {
    pub(crate) fn policy(&self) -> Arc<InForce> {
        self.policy.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// **Blocks** until no request is under way that was decided by what was in force before.
    /// From now on what one of both policies refuses is refused, until what this gives is kept
    /// or dropped.
    pub(crate) fn reload(&self, config: &Config) -> Reloaded<'_> {
        let both = self.policy().with_next(config);
        let before = self.exchange(both);
        let start = Instant::now();
        while Arc::strong_count(&before) > 1 {
            if start.elapsed() > DECIDED {
                tracing::warn!("requests that were decided before are still under way");
                break;
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        Reloaded { door: self, is_kept: false }
    }

    /// Gives what was in force before.
    fn exchange(&self, policy: InForce) -> Arc<InForce> {
        let mut in_force = self.policy.write().unwrap_or_else(PoisonError::into_inner);
        std::mem::replace(&mut *in_force, Arc::new(policy))
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
        let both = self.door.policy();
        // What was decided by both is decided by either: nobody is waited for.
        let policy = if self.is_kept { both.followed() } else { both.not_followed() };
        drop(self.door.exchange(policy));
    }
}
