//! PINs that a device refused, remembered across processes.
//!
//! A service that its supervisor starts again and again would spend a token's
//! PIN tries, one with each start. So the *source* of a refused PIN (which
//! file, last changed when) is written to `refused.json`, never the PIN or
//! anything made of it; nothing is sent from that source until it changes, or
//! the operator says so. Where that cannot be written, this process at least
//! remembers it.

mod one;

use std::fmt;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use self::one::OneTry;
use super::identity::IdentityStore;
use crate::error::{Error, KeystoreError};
use crate::file::{self, Lock, names};
use crate::secret::{LockedText, Pin};

/// More sources than any operator has; older refusals are dropped first.
const MOST: usize = 64;

/// Where a PIN is kept, and stays after it was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Place {
    File(PathBuf),
    /// By its name. It does not show whether it has changed.
    Variable(String),
}

impl Place {
    /// What tells this version of the source from a later one.
    ///
    /// A file is another one when it was written or replaced; not when it was looked at,
    /// linked, or had its mode changed. Credentials that
    /// systemd makes anew with each start (`$CREDENTIALS_DIRECTORY`) go by
    /// their name.
    fn mark(&self) -> Mark {
        match self {
            Self::Variable(name) => Mark::Variable { name: name.clone() },
            Self::File(path) => {
                let path = fs::canonicalize(path).unwrap_or_else(|_| path.clone());
                let made_anew = file::is_from_systemd(&path);
                let version = fs::metadata(&path).ok().filter(|_| !made_anew).map(|metadata| {
                    let changed = (metadata.mtime(), metadata.mtime_nsec());
                    format!(
                        "{}:{}:{}:{}.{:09}",
                        metadata.dev(),
                        metadata.ino(),
                        metadata.len(),
                        changed.0,
                        changed.1
                    )
                });
                Mark::File { path, version }
            }
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => path.display().fmt(f),
            Self::Variable(name) => write!(f, "${name}"),
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", tag = "source", deny_unknown_fields)]
enum Mark {
    Variable { name: String },
    File { path: PathBuf, version: Option<String> },
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Refusal {
    token: String,
    mark: Mark,
    /// Unix time.
    at: u64,
}

impl Refusal {
    /// Whether it is of the same version of the same source, by the same device.
    fn is_same_as(&self, other: &Self) -> bool {
        self.token == other.token && self.mark == other.mark
    }
}

impl IdentityStore {
    /// Reads a PIN from where it is kept, sends it, and notes what came of it, in
    /// one step for all threads and processes: the PIN of a source that the device
    /// has refused is not sent again until the source changes, or `again`.
    ///
    /// What the device said of the PIN is told by the PIN, not by what `send` makes of
    /// it.
    ///
    /// # Errors
    ///
    /// [`KeystoreError::RefusedBefore`], and those of `read` and `send`.
    pub(crate) fn try_once<T>(
        &self,
        device: &str,
        place: &Place,
        again: bool,
        read: impl Fn() -> Result<LockedText, Error>,
        send: impl FnOnce(Pin) -> Result<T, Error>,
    ) -> Result<T, Error> {
        // There may be no identity yet, and a refusal has to be noted all the same.
        if let Err(error) = file::private_dir(self.home()) {
            log::debug!("{} cannot be made: {error}", self.home().display());
        }
        let one = OneTry::begin(self)?;
        // What is noted has to be the version that was sent.
        let mut mark = place.mark();
        let pin = loop {
            if !again {
                one.check(device, place, &mark)?;
            }
            let pin = read()?;
            let now = place.mark();
            if now == mark {
                break pin;
            }
            mark = now;
        };
        let (pin, answer) = Pin::from(pin).watched();
        let sent = send(pin);
        if answer.was_refused() {
            one.refused(device, mark);
        } else if answer.was_accepted() {
            one.accepted(device);
        }
        sent
    }

    /// Whether [`Self::try_once`] would refuse the source, before anybody is asked
    /// for something else.
    ///
    /// # Errors
    ///
    /// [`KeystoreError::RefusedBefore`].
    pub(crate) fn check_source(&self, device: &str, place: &Place) -> Result<(), Error> {
        Ok(OneTry::begin(self)?.check(device, place, &place.mark())?)
    }

    /// A device has accepted a PIN that came from nowhere: what it has refused
    /// before counts no longer.
    pub(crate) fn forget_refusals(&self, device: &str) {
        match OneTry::begin(self) {
            Ok(one) => one.accepted(device),
            Err(error) => log::warn!("that the PIN was accepted could not be noted: {error}"),
        }
    }

    fn refusals_path(&self) -> PathBuf {
        Path::new(self.home()).join(names::REFUSED)
    }

    fn refusals(&self) -> Result<Vec<Refusal>, KeystoreError> {
        let path = self.refusals_path();
        let Some(bytes) = file::read_private(&path)? else { return Ok(Vec::new()) };
        Ok(serde_json::from_slice(&bytes).unwrap_or_else(|error| {
            // A damaged note must not lock anybody out.
            log::warn!("{} cannot be read and is left aside: {error}", path.display());
            Vec::new()
        }))
    }

    /// Adds one to what is noted. Under the lock of tries, which keeps other writers of
    /// the note out: the lock of the files may be held, by what was opened meanwhile.
    fn remember(&self, refusal: &Refusal, tries: &Lock) -> Result<(), KeystoreError> {
        let _lock = self.alone_with_refusals(tries)?;
        let mut refused = self.refusals().unwrap_or_default();
        refused.retain(|known| known.token != refusal.token || known.mark != refusal.mark);
        refused.drain(..refused.len().saturating_sub(MOST - 1));
        refused.push(refusal.clone());
        self.write_refusals(&refused)
    }

    /// Where the disk has no lock of tries, that of the files.
    fn alone_with_refusals(&self, tries: &Lock) -> Result<Option<Lock>, KeystoreError> {
        let lock = if tries.is_held() { None } else { Some(self.lock()?) };
        file::sweep_beside(&self.refusals_path());
        Ok(lock)
    }

    /// Removes those of a device, as [`Self::remember`].
    fn forget(&self, device: &str, tries: &Lock) -> Result<(), KeystoreError> {
        // Nearly always there is nothing to be forgotten.
        if self.refusals().unwrap_or_default().iter().all(|refusal| refusal.token != device) {
            return Ok(());
        }
        let _lock = self.alone_with_refusals(tries)?;
        let mut refused = self.refusals().unwrap_or_default();
        let before = refused.len();
        refused.retain(|refusal| refusal.token != device);
        match (before == refused.len(), refused.is_empty()) {
            (true, _) => Ok(()),
            (false, true) => file::remove(&self.refusals_path()),
            (false, false) => self.write_refusals(&refused),
        }
    }

    fn write_refusals(&self, refused: &[Refusal]) -> Result<(), KeystoreError> {
        let path = self.refusals_path();
        let text = serde_json::to_vec_pretty(refused).map_err(|source| KeystoreError::Header {
            path: path.clone(),
            source: source.into(),
        })?;
        file::write(&path, &text)
    }
}

#[cfg(test)]
mod tests;
