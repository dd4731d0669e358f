//! In which home it is noted what a device has refused.
//!
//! A migration has the new identity in `migration/` and the old one in `previous/`, and removes
//! either in the end, or moves what is in it: what a device has refused there is as true
//! afterwards. So it is noted in the home that they are in, for all three, and whoever tries a
//! PIN in one of them has the turn of that home.

use std::path::{Path, PathBuf};

use super::notes::Notes;
use crate::error::KeystoreError;
use crate::file::{self, names};
use crate::keystore::identity::IdentityStore;
use crate::keystore::journal::home_around;

/// The directories of a migration.
const PARTS: [&str; 2] = [names::STAGING, names::OLD];

/// The directory itself, or the home that it is a part of.
pub(super) fn of(directory: &Path) -> PathBuf {
    let around = PARTS.into_iter().find_map(|part| home_around(directory, part));
    match around.filter(|home| is_home(home)) {
        Some(home) => of(&home),
        None => directory.to_owned(),
    }
}

/// Whether a directory with one of these names in it is a home, and not just a place that
/// somebody keeps homes in.
fn is_home(directory: &Path) -> bool {
    let is_there = |name: &str| file::is_there(&directory.join(name)).unwrap_or(true);
    file::check_directory(directory).is_ok()
        && names::OF_IDENTITY.iter().chain([&names::MIGRATION]).any(|name| is_there(name))
}

impl IdentityStore {
    /// Has what is noted in a directory that is a part of a home noted in that home, where it
    /// stays when the directory is removed.
    ///
    /// # Errors
    ///
    /// If one of the files cannot be read, or not be written. Nothing is removed then.
    pub(crate) fn keep_refusals(&self) -> Result<(), KeystoreError> {
        let home = of(self.home());
        if home == self.home() { Ok(()) } else { take_over(&home, self.home()) }
    }

    /// Removes what is noted in the parts of this home and not understood: somebody has said
    /// that a PIN is to be tried in spite of it.
    ///
    /// # Errors
    ///
    /// If it cannot be removed.
    pub(crate) fn forget_unreadable_refusals(&self) -> Result<(), KeystoreError> {
        for part in PARTS.map(|part| self.home().join(part)) {
            if is_part(&part)? {
                Notes::of(&part).remove_if_unreadable()?;
            }
        }
        Ok(())
    }
}

/// The same of all parts of a home. Gives those in which something stays, since it cannot be
/// read or the home cannot be written to: it counts as it does in the home.
pub(super) fn gather(home: &Path) -> Vec<Notes> {
    let parts = PARTS.iter().map(|part| home.join(part));
    let left = parts.filter(|part| {
        take_over(home, part)
            .inspect_err(|error| log::debug!("what is noted in {} stays: {error}", part.display()))
            .is_err()
    });
    left.map(|part| Notes::of(&part)).collect()
}

fn take_over(home: &Path, part: &Path) -> Result<(), KeystoreError> {
    if is_part(part)? { Notes::of(home).take_over(&Notes::of(part)) } else { Ok(()) }
}

/// No link is followed: what it leads to is another one's.
fn is_part(directory: &Path) -> Result<bool, KeystoreError> {
    Ok(!file::is_link(directory)? && directory.is_dir())
}
