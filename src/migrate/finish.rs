//! A migration ended: the old identity is removed.

use std::path::PathBuf;

use super::Migration;
use super::backup::{self, BackupAtEnd};
use super::operator::Operator;
use super::roll_back::{KeyOnToken, stays, under_way};
use crate::did::Did;
use crate::error::{Error, MigrationError};
use crate::file::{self, names};
use crate::home::{Home, KeyLeft};
use crate::keystore::{IdentityStore, Journal, MigrationState, check_side};

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

impl Migration {
    /// **Blocks** on files, and on a token that has the old key. Ends a migration: the old
    /// identity is removed, and there is no way back. Backups and copies of it still sign, and
    /// what a disk keeps of removed files is not known.
    ///
    /// # Errors
    ///
    /// [`MigrationError::NotUnderWay`]; [`MigrationError::NotSwitched`] if the new identity is
    /// not in use; [`MigrationError::UnderWay`] if the old one is being moved itself;
    /// [`MigrationError::OtherConfig`]; [`MigrationError::BackupLost`];
    /// [`MigrationError::OtherIdentity`] and [`MigrationError::Disagrees`] if the files are not
    /// what the journal says; [`MigrationError::KeyStays`] if a token does not let go of the old
    /// key, which [`KeyOnToken::Keep`] gives up: nothing is removed then.
    pub fn finish(
        home: &Home,
        old_key: KeyOnToken,
        backup: &BackupAtEnd,
        operator: &mut dyn Operator,
    ) -> Result<Finished, Error> {
        let store = home.store();
        let _lock = store.migration_lock()?;
        let mut journal = under_way(home)?;
        let begun = journal.state == MigrationState::Finishing;
        if !begun && journal.state != MigrationState::Switched {
            let home = home.directory().to_owned();
            let (state, ways) = (journal.state.as_str(), journal.state.ways_out());
            return Err(MigrationError::NotSwitched { home, state, ways }.into());
        }
        let old = store.old();
        if !begun {
            backup::check_at_end(&journal, backup)?;
        }
        // Before a person is asked, and once more when nobody else can change it.
        let looked_at = look(store, &journal, &old)?;
        let locator = old.header().ok().and_then(|header| header.locator().cloned());
        let at = locator.as_ref().map(|locator| {
            let header = old.header().ok();
            KeyLeft::at(locator, header.as_ref().and_then(|header| header.storage_key_id()))
        });
        let is_left = locator.is_some() && old_key == KeyOnToken::Keep;
        let mut destroy = |only_checked| -> Result<(), Error> {
            match &at {
                Some(at) if !is_left => destroy_key(&home.previous()?, only_checked, operator)
                    .map_err(|error| stays(error, at, false)),
                _ => Ok(()),
            }
        };
        if !begun {
            // Whose PIN is wrong, or whose token is away, removes nothing.
            destroy(true)?;
        }
        // Who opens the old identity has it whole, or finds none: what was looked at is what is
        // removed.
        let _locks = (store.lock()?, old.lock_if_there()?);
        if !begun {
            if look(store, &journal, &old)? != looked_at {
                return Err(journal.disagrees(store.home()).into());
            }
            // Before the first object is gone: from then on there is no way back.
            journal.state = MigrationState::Finishing;
            store.put_journal(&journal)?;
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

/// What is removed, and that all of it is what the journal says. Of one whose removal was begun
/// there may be nothing left.
fn look(
    store: &IdentityStore,
    journal: &Journal,
    old: &IdentityStore,
) -> Result<Option<String>, Error> {
    // The one that stays is there.
    check_side(journal, &journal.to, store)?;
    if let Some(nested) = old.journal()? {
        return Err(nested.under_way(old.home()).into());
    }
    // And so is the one that is removed, if it is there.
    if journal.state == MigrationState::Finishing
        || !file::is_there(&old.home().join(names::HEADER))?
    {
        return Ok(None);
    }
    check_side(journal, &journal.from, old)?;
    // Its key and its place; a certificate may be renewed.
    let header = old.header()?;
    Ok(Some(format!("{} {:?}", header.did(), header.device_locator())))
}

#[cfg(feature = "pkcs11")]
fn destroy_key(old: &Home, checked: bool, operator: &mut dyn Operator) -> Result<(), Error> {
    old.destroy_key(checked, |wants| operator.old_credential(wants))
}

#[cfg(not(feature = "pkcs11"))]
fn destroy_key(_: &Home, _: bool, _: &mut dyn Operator) -> Result<(), Error> {
    Err(crate::error::DeviceError::NoPkcs11.into())
}
