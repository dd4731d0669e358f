//! The two ends of a migration: undone, or finished.

use std::path::PathBuf;

use super::Migration;
use super::run::Operator;
use crate::did::Did;
use crate::error::{Error, MigrationError};
use crate::file::{self, names};
use crate::home::Home;
use crate::keystore::{IdentityStore, Journal, MigrationMode, MigrationState, check_side};

/// A migration that was undone.
#[derive(Debug)]
#[non_exhaustive]
pub struct RolledBack {
    /// The identity that is in use: the old one.
    pub did: Option<Did>,
    /// The new one, which is no more.
    pub given_up: Option<Did>,
    /// The new one was in use, and peers may have followed to it: they do not come back.
    pub was_in_use: bool,
}

/// A migration whose old identity was removed.
#[derive(Debug)]
#[non_exhaustive]
pub struct Finished {
    /// The identity that is in use: the new one.
    pub did: Option<Did>,
    /// The one whose files were removed.
    pub removed: Option<Did>,
    /// The directory that they were in.
    pub previous: PathBuf,
    /// Where the old key still is, if it is on a token: nothing here names it any more.
    pub key_on_token: Option<String>,
}

/// What becomes of an old key that is on a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum OldKey {
    /// It is destroyed there, for which its PIN is wanted.
    Destroy,
    /// It stays there, and nothing names it any more: the token is gone, or others use it.
    Keep,
}

impl Migration {
    /// **Blocks** on the device and files, and while a person is asked. Undoes a migration:
    /// the old identity is in use afterwards, as it was, and the new key is removed from its
    /// device, for which a token wants its PIN.
    ///
    /// Before the switch, nobody has been given anything of it. After the switch peers may
    /// have followed to the new DID, and do not come back; so the note that the old identity
    /// has handed over stays then.
    ///
    /// # Errors
    ///
    /// [`MigrationError::NotUnderWay`], [`MigrationError::Finishing`];
    /// [`MigrationError::OtherIdentity`] and [`MigrationError::Disagrees`] if the files are not
    /// what the journal says: nothing is removed then;
    /// [`KeystoreError::PinNotWritten`]; [`KeystoreError::Unfinished`] if the key cannot be
    /// removed: the old identity is in use by then, and the journal stays until it is.
    ///
    /// [`KeystoreError::PinNotWritten`]: crate::error::KeystoreError::PinNotWritten
    /// [`KeystoreError::Unfinished`]: crate::error::KeystoreError::Unfinished
    pub fn roll_back(home: &Home, operator: &mut dyn Operator) -> Result<RolledBack, Error> {
        let store = home.store();
        let _lock = store.migration_lock()?;
        let mut journal = under_way(store)?;
        check_before(store, &journal)?;
        journal = match journal.state {
            MigrationState::Finishing => {
                let home = home.directory().to_owned();
                return Err(MigrationError::Finishing { home }.into());
            }
            MigrationState::Switched | MigrationState::Returning => {
                store.switch_back(journal, home.config_path())?
            }
            MigrationState::RollingBack => journal,
            _ => {
                journal.state = MigrationState::RollingBack;
                store.write_journal(&journal)?;
                journal
            }
        };
        // The one that stays is there; and so it is the new one whose key is removed.
        check_side(&journal, &journal.from, store)?;
        // The old identity is as it was, also where the device is not there now.
        forget_statement(store, &journal)?;
        let staging = store.staging();
        if file::is_there(&staging.home().join(names::CONFIG))? {
            home.staging(None)?.discard_noted(|wants| operator.new_credential(wants))?;
        }
        Home::remove_files_of(&staging)?;
        Home::remove_files_of(&store.old())?;
        store.remove_journal()?;
        let Journal { from, to, was_in_use, .. } = journal;
        Ok(RolledBack { did: from.did, given_up: to.did, was_in_use })
    }

    /// **Blocks** on files, and on a token that has the old key. Ends a migration: the old
    /// identity is removed, and there is no way back. Backups and copies of it still sign, and
    /// what a disk keeps of removed files is not known.
    ///
    /// # Errors
    ///
    /// [`MigrationError::NotUnderWay`]; [`MigrationError::NotSwitched`] if the new identity is
    /// not in use; [`MigrationError::UnderWay`] if the old one is being moved itself;
    /// [`MigrationError::OtherIdentity`] and [`MigrationError::Disagrees`] if the files are not
    /// what the journal says; those of a token that does not let go of the old key: nothing is removed
    /// then.
    pub fn finish(
        home: &Home,
        old_key: OldKey,
        operator: &mut dyn Operator,
    ) -> Result<Finished, Error> {
        let store = home.store();
        let _lock = store.migration_lock()?;
        let mut journal = under_way(store)?;
        let begun = journal.state == MigrationState::Finishing;
        if !begun && journal.state != MigrationState::Switched {
            let (home, state) = (home.directory().to_owned(), journal.state.as_str());
            return Err(MigrationError::NotSwitched { home, state }.into());
        }
        // The one that stays is there.
        check_side(&journal, &journal.to, store)?;
        let old = store.old();
        if let Some(nested) = old.journal()? {
            return Err(nested.under_way(old.home()).into());
        }
        // And so is the one that is removed, if it is there.
        if !begun && file::is_there(&old.home().join(names::HEADER))? {
            check_side(&journal, &journal.from, &old)?;
        }
        let locator = old.header().ok().and_then(|header| header.locator().cloned());
        let is_left = locator.is_some() && old_key == OldKey::Keep;
        let mut destroy = |only_checked| -> Result<(), Error> {
            if locator.is_none() || is_left {
                return Ok(());
            }
            destroy_key(&home.previous()?, only_checked, operator)
        };
        if !begun {
            // Whose PIN is wrong, or whose token is away, removes nothing.
            destroy(true)?;
            // Before the first object is gone: from then on there is no way back.
            journal.state = MigrationState::Finishing;
            store.write_journal(&journal)?;
        }
        destroy(false)?;
        Home::remove_files_of(&old)?;
        Home::remove_files_of(&store.staging())?;
        store.remove_journal()?;
        Ok(Finished {
            did: journal.to.did,
            removed: journal.from.did,
            previous: old.home().to_owned(),
            key_on_token: locator.filter(|_| is_left).map(|locator| locator.to_string()),
        })
    }
}

#[cfg(feature = "pkcs11")]
fn destroy_key(old: &Home, checked: bool, operator: &mut dyn Operator) -> Result<(), Error> {
    old.destroy_key(checked, |wants| operator.old_credential(wants))
}

#[cfg(not(feature = "pkcs11"))]
fn destroy_key(_: &Home, _: bool, _: &mut dyn Operator) -> Result<(), Error> {
    Err(crate::error::DeviceError::NoPkcs11.into())
}

/// That the files are what the journal says, before anything is removed: one of both may be
/// of another time. A switch that was cut off is looked at when it is completed.
fn check_before(store: &IdentityStore, journal: &Journal) -> Result<(), Error> {
    match journal.state {
        MigrationState::Finishing | MigrationState::Returning => Ok(()),
        MigrationState::Switched => {
            check_side(journal, &journal.to, store)?;
            Ok(check_side(journal, &journal.from, &store.old())?)
        }
        _ if file::is_there(&store.old().home().join(names::HEADER))? => {
            Err(journal.disagrees(store.home()).into())
        }
        _ => Ok(check_side(journal, &journal.from, store)?),
    }
}

fn under_way(store: &IdentityStore) -> Result<Journal, Error> {
    let home = || store.home().to_owned();
    Ok(store.journal()?.ok_or_else(|| MigrationError::NotUnderWay { home: home() })?)
}

/// The statement to a key that is given up, which nobody was given: the old identity is as
/// if it had made none.
fn forget_statement(store: &IdentityStore, journal: &Journal) -> Result<(), Error> {
    let (Some(old), Some(new)) = (&journal.from.did, &journal.to.did) else { return Ok(()) };
    if journal.mode != MigrationMode::Rotate || journal.was_in_use {
        return Ok(());
    }
    match store.handed_over(old)? {
        Some(chain) if chain.current() == new => {
            Ok(file::remove(&store.home().join(names::HANDED_OVER))?)
        }
        _ => Ok(()),
    }
}
