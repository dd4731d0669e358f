//! `refused.json`: read, and changed in one step.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::device::TriedDevice;
use super::source::Mark;
use super::tag::Compared;
use crate::encoding::objects;
use crate::error::KeystoreError;
use crate::file::{self, Lock, names};

/// More sources than any operator has; older refusals are dropped first.
pub(super) const MOST: usize = 64;

/// A PIN that is not sent again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Refusal {
    pub(super) token: String,
    /// Which PIN of a key of a TPM, see [`TriedDevice`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) salt: Option<String>,
    /// Where it came from.
    #[serde(deserialize_with = "objects::tagged")]
    pub(super) mark: Mark,
    /// Unix time.
    pub(super) at: u64,
    /// It is being tried, or nobody knows what came of that.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) in_doubt: bool,
    /// What tells it from other PINs, once it was refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) pin: Option<String>,
}

impl Refusal {
    /// Whether it is of this device; and of the PIN that this one has, if it says of which.
    pub(super) fn is_by(&self, device: &TriedDevice) -> bool {
        self.token == device.name()
            && (self.salt.is_none() || self.salt.as_deref() == device.salt())
    }

    /// Whether it is of this version of a source, by this device.
    pub(super) fn is_of(&self, device: &TriedDevice, mark: &Mark) -> bool {
        self.is_by(device) && self.mark == *mark
    }

    /// Whether it speaks of this PIN, from wherever it comes now; or, where it does not
    /// know the PIN, of this version of a source.
    pub(super) fn is_about(
        &self,
        device: &TriedDevice,
        mark: &Mark,
        pin: &mut Compared<'_>,
    ) -> bool {
        self.is_by(device)
            && self
                .pin
                .as_deref()
                .and_then(|tag| pin.has(tag))
                .unwrap_or_else(|| self.mark == *mark)
    }
}

/// The file, in the directory of an identity or of a device.
#[derive(Debug, Clone)]
pub(super) struct Notes {
    directory: PathBuf,
}

impl Notes {
    pub(super) fn of(directory: &Path) -> Self {
        Self { directory: directory.to_owned() }
    }

    pub(super) fn path(&self) -> PathBuf {
        self.directory.join(names::REFUSED)
    }

    pub(super) fn read(&self) -> Result<Vec<Refusal>, KeystoreError> {
        let path = self.path();
        let Some(bytes) = file::read_private(&path)? else { return Ok(Vec::new()) };
        Ok(objects::from_slice(&bytes).unwrap_or_else(|error| {
            // A damaged note must not lock anybody out.
            log::warn!("{} cannot be read and is left aside: {error}", path.display());
            Vec::new()
        }))
    }

    /// Changes what is noted. The lock of the files may be held meanwhile, by what was
    /// opened, and so may that of a try.
    pub(super) fn change(&self, change: impl Fn(&mut Vec<Refusal>)) -> Result<(), KeystoreError> {
        let changed = || {
            let before = self.read().unwrap_or_default();
            let mut after = before.clone();
            change(&mut after);
            (before != after).then_some(after)
        };
        // Nearly always there is nothing to be forgotten.
        if changed().is_none() {
            return Ok(());
        }
        let _lock = Lock::of_notes(&self.directory)?;
        let path = self.path();
        file::sweep_beside(&path);
        let Some(mut after) = changed() else { return Ok(()) };
        if after.is_empty() {
            return file::remove(&path);
        }
        after.drain(..after.len().saturating_sub(MOST));
        let text = serde_json::to_vec_pretty(&after).map_err(|source| KeystoreError::Header {
            path: path.clone(),
            source: source.into(),
        })?;
        file::write(&path, &text)
    }
}
