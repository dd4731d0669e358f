//! The instances that have certificates for TLS keys of their own: whose they are, how far
//! their numbers have come, and how many there are.
//!
//! An instance is of the client that had it first, for ever: that is on disk before a
//! certificate of it is given out.

mod kept;

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use icn_identity::Error;
use icn_identity::config::MOST_INSTANCES;
use icn_identity::peer::Instance;

use self::kept::Kept;
use crate::error::StartError;

/// Beyond what two certificates are valid for, in seconds: for clocks that differ.
const MARGIN: u64 = 3600;

#[derive(Debug)]
pub(crate) struct Issued {
    kept: Kept,
    /// One at a time writes what there is then.
    writing: Mutex<()>,
    all: Mutex<HashMap<Instance, Given>>,
}

#[derive(Debug, Clone)]
struct Given {
    client: String,
    sequence: u64,
    /// Until then, in Unix seconds, it is one of those that are counted.
    counts_until: u64,
    /// It is on disk.
    is_kept: bool,
    /// So many certificates of it are being made.
    pending: u32,
}

/// Why there is no certificate of an instance.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum NotGiven {
    /// Another client has it.
    OtherClients,
    /// The client has these, and may have no more; one of them counts no more from then on, of
    /// those for which nothing is being made.
    TooMany { own: Vec<Instance>, until: Option<u64> },
    /// All clients together have as many as peers remember.
    AllTaken,
}

/// The number of the next binding of an instance; given back if no certificate is made.
#[derive(Debug)]
pub(crate) struct Taken {
    issued: Arc<Issued>,
    instance: Instance,
    pub(crate) number: u64,
}

impl Issued {
    /// **Blocks** on files. As they were left.
    pub(crate) fn open(home: &Path) -> Result<Arc<Self>, StartError> {
        let kept = Kept::of(home);
        kept.sweep();
        let all = kept.read()?;
        Ok(Arc::new(Self { kept, writing: Mutex::default(), all: Mutex::new(all) }))
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Instance, Given>> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// For a client that may have so many, at this time in Unix seconds.
    pub(crate) fn take(
        self: &Arc<Self>,
        instance: Instance,
        client: &str,
        most: u32,
        now: u64,
    ) -> Result<Taken, NotGiven> {
        let mut all = self.lock();
        let counts = |given: &Given| given.pending > 0 || given.counts_until > now;
        let known = all.get(&instance);
        if known.is_some_and(|given| given.client != client) {
            return Err(NotGiven::OtherClients);
        }
        if !known.is_some_and(counts) {
            let others = || all.iter().filter(|(_, given)| counts(given));
            let own = || others().filter(|(_, given)| given.client == client);
            let is_full = |count: usize, most: u32| u32::try_from(count).is_ok_and(|it| it < most);
            if !is_full(own().count(), most) {
                // How long one counts that is being made is not known yet.
                let made = own().filter(|(_, given)| given.pending == 0);
                let until = made.map(|(_, given)| given.counts_until).min();
                let mut own: Vec<_> = own().map(|(instance, _)| *instance).collect();
                own.sort_unstable_by_key(|instance| *instance.as_bytes());
                return Err(NotGiven::TooMany { own, until });
            }
            if !is_full(others().count(), MOST_INSTANCES) {
                return Err(NotGiven::AllTaken);
            }
        }
        let given = all.entry(instance).or_insert_with(|| Given {
            client: client.to_owned(),
            sequence: 0,
            counts_until: 0,
            is_kept: false,
            pending: 0,
        });
        given.sequence = given.sequence.saturating_add(1).max(now);
        given.pending += 1;
        let number = given.sequence;
        drop(all);
        Ok(Taken { issued: self.clone(), instance, number })
    }
}

impl Taken {
    /// **Blocks** on files. What was made may be given out then.
    ///
    /// Whoever shows a certificate that was replaced has to be refused until it ends, and so
    /// long no peer may forget the number of its instance. All that may be shown until then
    /// were made in twice the time for which one is valid, and are counted together.
    pub(crate) fn keep(self, not_before: u64, not_after: u64) -> Result<(), Error> {
        let valid = not_after.saturating_sub(not_before);
        let _writing = self.issued.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut all = self.issued.lock();
        let Some(given) = all.get_mut(&self.instance) else { return Ok(()) };
        let before = (given.is_kept, given.counts_until);
        given.is_kept = true;
        let until = not_after.saturating_add(valid).saturating_add(MARGIN);
        given.counts_until = given.counts_until.max(until);
        let text = Kept::text(&all);
        drop(all);
        let written = self.issued.kept.write(&text);
        if written.is_err()
            && let Some(given) = self.issued.lock().get_mut(&self.instance)
        {
            (given.is_kept, given.counts_until) = before;
        }
        Ok(written?)
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        let mut all = self.issued.lock();
        if let Some(given) = all.get_mut(&self.instance) {
            given.pending -= 1;
            if given.pending == 0 && !given.is_kept {
                all.remove(&self.instance);
            }
        }
    }
}

#[cfg(test)]
mod tests;
