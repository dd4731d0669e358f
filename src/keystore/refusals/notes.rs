//! `refused.json`: read, and changed in one step.

use std::path::{Path, PathBuf};

use serde::de::Error as _;
use serde::{Deserialize, Serialize};

use super::device::{Slot, TriedDevice};
use super::source::Mark;
use super::{group, tag};
use crate::clock;
use crate::encoding::{objects, text};
use crate::error::KeystoreError;
use crate::file::{self, Lock, names};
use crate::sync::step;

/// More PINs than anybody tries at a device. When so many were refused, one that is not
/// known is not sent until somebody says so: an older one that makes room for it would be
/// sent again.
pub(super) const MOST: usize = 64;

/// Of all devices together.
const MOST_OF_ALL: usize = 16 * MOST;

/// A PIN that is not sent again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Refusal {
    /// The same in each file that has it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(super) id: String,
    /// In how many files it was noted, if it is not one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) copies: Option<usize>,
    pub(super) token: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) serial: Option<String>,
    /// The DID of the key that was to be used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) key: Option<String>,
    /// Of a token: who made it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) maker: Option<String>,
    /// Another token may have this serial number.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) shares_serial: bool,
    /// Another device may have this name.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) shares_name: bool,
    /// Where the configuration has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) slot: Option<Slot>,
    /// Keys that it has shown, if another one may have its name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) shown: Vec<String>,
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
    /// The device had shown that no wrong PIN was counted, and shows each; and nobody who looks
    /// at this finds it before whoever was alone with it has ended.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) none_counted: bool,
    /// Which of eight groups it is of, while it is in doubt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) group: Option<u8>,
    /// What tells it from other PINs, once it was refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) pin: Option<String>,
    /// The device has taken a right one when no more were noted: it is not sent again, and
    /// no longer in the way of those that are not known.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) outlived: bool,
}

impl Refusal {
    /// That it is not known what came, or will come, of a PIN.
    pub(super) fn doubt(
        id: &str,
        copies: usize,
        device: &TriedDevice,
        mark: &Mark,
        group: u8,
    ) -> Self {
        Self {
            id: id.to_owned(),
            copies: Some(copies).filter(|copies| *copies != 1),
            token: device.name().to_owned(),
            serial: device.serial().map(str::to_owned),
            key: device.key().map(str::to_owned),
            maker: device.maker().map(str::to_owned),
            shares_serial: device.shares_serial(),
            shares_name: device.shares_name(),
            slot: device.slot().cloned(),
            shown: device.shown().to_vec(),
            salt: device.salt().map(str::to_owned),
            mark: mark.clone(),
            at: clock::now(),
            in_doubt: true,
            none_counted: false,
            group: Some(group),
            pin: None,
            outlived: false,
        }
    }

    /// Whether it is in doubt and says so of what came from there: of this group, where it
    /// says of which it is.
    pub(super) fn is_doubt_of(&self, mark: &Mark, group: Option<u8>) -> bool {
        let same_group = self.group.zip(group).is_none_or(|(one, other)| one == other);
        self.in_doubt && self.mark == *mark && same_group
    }

    /// Whether it is this one, in another file.
    pub(super) fn is(&self, id: &str) -> bool {
        !id.is_empty() && self.id == id
    }
}

/// What a file says.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Kept {
    pub(super) refused: Vec<Refusal>,
    /// What was noted in other files as well, and counts there no longer: by its id.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) forgotten: Vec<String>,
}

impl Kept {
    /// What earlier versions have written is the list alone.
    fn parse(text: &[u8]) -> serde_json::Result<Self> {
        let kept = match text.trim_ascii_start() {
            [b'[', ..] => Self { refused: objects::from_slice(text)?, forgotten: Vec::new() },
            _ => objects::from_slice(text)?,
        };
        // It costs work to compare with each of them.
        if kept.refused.len() > MOST_OF_ALL {
            return Err(serde_json::Error::custom(format!(
                "{} entries, which is more than {MOST_OF_ALL}",
                kept.refused.len()
            )));
        }
        if !kept.refused.iter().filter_map(|noted| noted.group).all(group::is_one) {
            return Err(serde_json::Error::custom("an entry has an invalid value for `group`"));
        }
        match kept.refused.iter().filter_map(|noted| noted.pin.as_deref()).all(tag::is_one) {
            true => Ok(kept),
            false => Err(serde_json::Error::custom("an entry has an invalid value for `pin`")),
        }
    }

    /// In the place of what says the same. The oldest one of this device makes room, if that
    /// forgets it by itself once it takes a right one: whoever has it tried all the same has
    /// said so. Of one that would count it again all stay.
    pub(super) fn put(&mut self, device: &TriedDevice, noted: &Refusal) {
        let says_the_same = |known: &Refusal| match (&known.pin, &noted.pin) {
            (Some(one), Some(other)) => one == other && known.is_by(device),
            _ => known.is_doubt_of(&noted.mark, noted.group) && known.is_by(device),
        };
        self.refused.retain(|known| !known.is(&noted.id) && !says_the_same(known));
        let counts = |known: &Refusal| !known.outlived && known.is_by(device);
        // One that is being tried may be right, and then no other one has to make room.
        let makes_room = !noted.in_doubt && device.counts_anew();
        let is_refused = |known: &&Refusal| makes_room && counts(known);
        for _ in MOST..=self.refused.iter().filter(is_refused).count() {
            let oldest = self.refused.iter().position(counts);
            oldest.map(|oldest| self.refused.remove(oldest));
        }
        self.refused.push(noted.clone());
        self.refused.drain(..self.refused.len().saturating_sub(MOST_OF_ALL));
    }

    /// What another file says as well.
    fn merge(&mut self, other: &Self) {
        for noted in &other.refused {
            let is_known = self.refused.iter().any(|known| known.is(&noted.id) || known == noted);
            if !is_known && !self.forgotten.contains(&noted.id) {
                self.refused.push(noted.clone());
            }
        }
        self.refused.drain(..self.refused.len().saturating_sub(MOST_OF_ALL));
        for id in &other.forgotten {
            if !self.forgotten.contains(id) && !self.refused.iter().any(|known| known.is(id)) {
                self.forgotten.push(id.clone());
            }
        }
    }
}

/// What a file says, as it would be written.
#[cfg(all(
    any(test, fuzzing),
    feature = "attestation",
    feature = "audit",
    feature = "client",
    feature = "pkcs11",
    feature = "tpm"
))]
pub(in crate::keystore) fn reread(bytes: &[u8]) -> Option<Vec<u8>> {
    serde_json::to_vec_pretty(&Kept::parse(bytes).ok()?).ok()
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

    /// # Errors
    ///
    /// [`KeystoreError::Refusals`] if it is not understood: which PINs were refused is not
    /// known then.
    pub(super) fn read(&self) -> Result<Kept, KeystoreError> {
        step();
        let path = self.path();
        let of_file = |path, source| KeystoreError::Refusals { path, source };
        if let Some(found) = file::other_than_a_file(&path) {
            return Err(of_file(path, format!("it is not a regular file but {found}").into()));
        }
        let bytes = match file::read_private(&path) {
            Ok(None) => return Ok(Kept::default()),
            Ok(Some(bytes)) => bytes,
            // Nobody has a backup of it.
            Err(error) if file::is_too_long(&path) => return Err(of_file(path, error.into())),
            Err(error) => return Err(error),
        };
        let text = match text::after_mark(&bytes) {
            Ok(text) if text.trim_ascii().is_empty() => Err("it is empty".into()),
            Ok(text) => Kept::parse(text).map_err(Into::into),
            Err(error) => Err(error.into()),
        };
        text.map_err(|error| of_file(path, error))
    }

    /// Changes what is noted. The lock of the files may be held meanwhile, by what was
    /// opened, and so may that of a try.
    pub(super) fn change(&self, change: impl Fn(&mut Kept)) -> Result<(), KeystoreError> {
        let changed = || {
            let before = self.read()?;
            let mut after = before.clone();
            change(&mut after);
            Ok::<_, KeystoreError>((before != after).then_some(after))
        };
        // Nearly always there is nothing to be forgotten.
        if changed()?.is_none() {
            return Ok(());
        }
        let _lock = Lock::of_notes(&self.directory)?;
        let path = self.path();
        file::sweep_beside(&path);
        let Some(mut after) = changed()? else { return Ok(()) };
        after.forgotten.drain(..after.forgotten.len().saturating_sub(MOST));
        step();
        if after == Kept::default() {
            return file::remove(&path);
        }
        let text = serde_json::to_vec_pretty(&after).map_err(|source| KeystoreError::Refusals {
            path: path.clone(),
            source: source.into(),
        })?;
        file::write(&path, &text)
    }

    /// Has what another file says noted here, and then no longer there. Whoever is cut off
    /// between the two does it again.
    ///
    /// # Errors
    ///
    /// As [`Self::read`], of either; and if either cannot be written.
    pub(super) fn take_over(&self, other: &Self) -> Result<(), KeystoreError> {
        if !file::is_there(&other.path())? {
            return Ok(());
        }
        let theirs = other.read()?;
        self.change(|kept| kept.merge(&theirs))?;
        let _lock = Lock::of_notes(&other.directory)?;
        match other.read()? == theirs {
            true => file::remove(&other.path()),
            // Something was noted meanwhile: it is taken over next time.
            false => Ok(()),
        }
    }

    /// Removes one that is not understood.
    pub(super) fn remove_if_unreadable(&self) -> Result<(), KeystoreError> {
        let Err(KeystoreError::Refusals { path, .. }) = self.read() else { return Ok(()) };
        let _lock = Lock::of_notes(&self.directory)?;
        match self.read() {
            Err(KeystoreError::Refusals { .. }) => file::remove(&path),
            _ => Ok(()),
        }
    }
}
