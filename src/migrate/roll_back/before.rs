//! What is looked at before a migration is undone: nothing is changed, and no credential is used.

use super::key::{is_lost, key_now, new_lost};
use super::{KeyOnToken, Migration};
use crate::error::{Error, MigrationError};
use crate::file::{self, names};
use crate::home::{Home, OnToken};
use crate::keystore::{IdentityStore, Journal, MigrationState, check_side};
use crate::migrate::stay;

/// Of the new identity, before anything is changed.
pub(super) struct New {
    key: Option<OnToken>,
    /// It may be on its token, and nothing is left by which it could be removed.
    pub(super) is_lost: bool,
}

/// That all is what the journal says, and what is to be destroyed is nobody else's.
pub(super) fn look(home: &Home, journal: &Journal, new_key: KeyOnToken) -> Result<New, Error> {
    let store = home.store();
    // First, as through a link the files of another one would be looked at.
    stay::check_places(store, journal)?;
    store.check_old_is_whole(journal)?;
    check_before(store, journal)?;
    let key = key_now(home, journal)?;
    let is_lost = key.is_none() && is_lost(store, journal)?;
    if new_key == KeyOnToken::Destroy {
        if is_lost {
            return Err(new_lost(store, journal));
        }
        if let Some(key) = &key {
            stay::check_no_copy(store, journal, &key.at.to_string(), true)?;
        }
    }
    Ok(New { key, is_lost })
}

impl New {
    /// Whether anything is removed that could still be used: then the old identity has to open.
    pub(super) fn old_must_open(
        &self,
        store: &IdentityStore,
        journal: &Journal,
        new_key: KeyOnToken,
    ) -> Result<bool, Error> {
        let is_in_use = [MigrationState::Switched, MigrationState::Returning];
        let opens = is_in_use.contains(&journal.state) || store.staging().is_whole()?;
        let is_destroyed = self.key.is_some() && new_key == KeyOnToken::Destroy;
        Ok(!journal.key_removed && (opens || is_destroyed))
    }
}

/// The journal of what is to be undone. An end that was begun, and has removed nothing yet, can be:
/// the old identity is whole, and has to open before anything is changed.
pub(super) fn to_undo(home: &Home) -> Result<Journal, Error> {
    let mut journal = under_way(home)?;
    let is_destroyed = journal.old_key.as_ref().is_some_and(|key| key.destroyed);
    if journal.state == MigrationState::Finishing
        && !is_destroyed
        && stay::is_whole(&home.store().old())?
    {
        journal.state = MigrationState::Switched;
    }
    Ok(journal)
}

/// That the files are what the journal says, before anything is removed: one of both may be
/// of another time. A switch that was cut off is looked at when it is completed.
fn check_before(store: &IdentityStore, journal: &Journal) -> Result<(), Error> {
    match journal.state {
        MigrationState::Finishing | MigrationState::Returning => Ok(()),
        MigrationState::Switched => {
            check_side(journal, &journal.to, store)?;
            if !store.old().is_whole()? {
                let previous = store.old().home().to_owned();
                return Err(
                    MigrationError::OldLost { previous, key: None, at_the_end: false }.into()
                );
            }
            Ok(check_side(journal, &journal.from, &store.old())?)
        }
        _ if file::is_there(&store.old().home().join(names::HEADER))? => {
            Err(journal.disagrees(store.home()).into())
        }
        _ => Ok(check_side(journal, &journal.from, store)?),
    }
}

/// The journal of the migration of a home, which is of its configuration.
pub(in crate::migrate) fn under_way(home: &Home) -> Result<Journal, Error> {
    let store = home.store();
    let Some(journal) = store.journal()? else {
        let lost = Migration::lost_journal(store, home.config_path());
        let home = store.home().to_owned();
        return Err(match lost {
            Ok(Some(_)) => MigrationError::JournalLost { home, from_old: false },
            Ok(None) => MigrationError::NotUnderWay { home },
            Err(error) => return Err(error),
        }
        .into());
    };
    journal.check_config(store.home(), home.config_path())?;
    Ok(journal)
}
