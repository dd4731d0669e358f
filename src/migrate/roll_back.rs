//! A migration undone.

use super::Migration;
use super::operator::Operator;
use super::stay;
use crate::did::Did;
use crate::error::{Error, MigrationError};
use crate::file::{self, Lock, names};
use crate::home::{Home, KeyLeft, OnToken};
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
    /// Where its key was removed, if it was on a token.
    pub removed: Option<KeyLeft>,
    /// Where its key, or a copy of it, still may be: nothing here names it any more.
    pub left: Vec<KeyLeft>,
}

/// What becomes of a key on a token that is given up: the new one when a migration is undone,
/// the old one when it is ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum KeyOnToken {
    /// It is destroyed there, for which its PIN is wanted.
    #[default]
    Destroy,
    /// It stays there, and nothing names it any more: the token is gone, or others use it.
    Keep,
}

impl Migration {
    /// **Blocks** on the device and files, and while a person is asked. Undoes a migration:
    /// the old identity is in use afterwards, as it was, and the new key is removed from the
    /// token that it is on by then, for which that wants its PIN. It is asked for first: as
    /// long as the token is away or the PIN is wrong, nothing is changed. Nor is it before the
    /// old identity, which stays, has opened and signed.
    ///
    /// Before the switch, nobody has been given anything of it. After the switch peers may
    /// have followed to the new DID, and do not come back; so the note that the old identity
    /// has handed over stays then, and says that the successor was given up.
    ///
    /// # Errors
    ///
    /// [`MigrationError::NotUnderWay`], [`MigrationError::Finishing`],
    /// [`MigrationError::OtherConfig`];
    /// [`MigrationError::OtherIdentity`] and [`MigrationError::Disagrees`] if the files are not
    /// what the journal says, and [`MigrationError::OldLost`] if the old identity is gone: nothing
    /// is removed then;
    /// [`MigrationError::DoesNotOpen`] if the old identity does not open;
    /// [`MigrationError::NotOfThis`] if a directory is another one's;
    /// [`KeystoreError::PinNotWritten`]; [`MigrationError::KeyStays`] if the key cannot be
    /// removed, which [`KeyOnToken::Keep`] gives up.
    ///
    /// [`KeystoreError::PinNotWritten`]: crate::error::KeystoreError::PinNotWritten
    pub fn roll_back(
        home: &Home,
        new_key: KeyOnToken,
        operator: &mut dyn Operator,
    ) -> Result<RolledBack, Error> {
        let store = home.store();
        let _lock = store.migration_lock()?;
        let journal = under_way(home)?;
        check_before(store, &journal)?;
        stay::check_places(store, &journal)?;
        let is_made = stay::is_made(store, &journal)?;
        let was_away = [MigrationState::Switched, MigrationState::Returning];
        let comes_back = was_away.contains(&journal.state);
        let mut journal = begin(home, journal, new_key, operator)?;
        // Under the locks of both, from the last look at them to the end.
        let staging = store.staging();
        let locks = match is_made {
            true if comes_back => stay::prove(&home.reread()?, false, operator)?,
            true => stay::prove(home, false, operator)?,
            false => store.lock()?,
        };
        file::private_dir(staging.home())?;
        let locks = [locks, staging.lock()?];
        stay::check_places(store, &journal)?;
        // The one that stays is there; and so it is the new one whose key is removed.
        check_side(&journal, &journal.from, store)?;
        // The old identity is as it was, also where the device is not there now.
        leave_statement(store, &journal)?;
        // The header names it where the note of its making is lost.
        let key = new_key_of(home, !journal.key_removed)?;
        if let Some((of, key)) = &key
            && new_key == KeyOnToken::Destroy
        {
            of.remove_key(key, &staging, |wants| operator.new_credential(wants))
                .map_err(|error| stays(error, &key.at, true))?;
            journal.key_removed = true;
            store.put_journal(&journal)?;
        }
        Home::remove_files_of(&staging)?;
        Home::remove_files_of(&store.old())?;
        store.remove_journal()?;
        let [_home, _staging]: [Lock; 2] = locks;
        let (mut removed, mut left) = (None, Vec::new());
        if let Some((_, OnToken { at, before, .. })) = key {
            match new_key {
                KeyOnToken::Destroy => removed = Some(at),
                KeyOnToken::Keep => left.push(at),
            }
            left.extend(before);
        }
        let Journal { from, to, was_in_use, .. } = journal;
        Ok(RolledBack { did: from.did, given_up: to.did, was_in_use, removed, left })
    }

    /// **Blocks** on files. Where the new key of the migration under way is, if it is on a
    /// token: what [`Self::roll_back`] removes. Uses no credential, and asks no device.
    ///
    /// # Errors
    ///
    /// If the files cannot be read.
    pub fn new_key(home: &Home) -> Result<Option<KeyLeft>, Error> {
        let Some(journal) = home.store().journal()? else { return Ok(None) };
        let key = match journal.state {
            MigrationState::Switched => home.key_on_token(&home.store().staging(), true)?,
            MigrationState::Finishing => None,
            _ => new_key_of(home, !journal.key_removed)?.map(|(_, key)| key),
        };
        Ok(key.map(|key| key.at))
    }
}

/// From here on the old identity is in use, and there is no way but back.
fn begin(
    home: &Home,
    mut journal: Journal,
    new_key: KeyOnToken,
    operator: &mut dyn Operator,
) -> Result<Journal, Error> {
    let store = home.store();
    let check = |of: &Home, key: &OnToken, operator: &mut dyn Operator| match new_key {
        KeyOnToken::Keep => Ok(()),
        KeyOnToken::Destroy => of
            .check_removable(key, |wants| operator.new_credential(wants))
            .map_err(|error| stays(error, &key.at, true)),
    };
    match journal.state {
        MigrationState::Finishing => {
            let home = home.directory().to_owned();
            Err(MigrationError::Finishing { home }.into())
        }
        MigrationState::Switched => {
            if let Some(key) = home.key_on_token(&store.staging(), true)? {
                check(home, &key, operator)?;
            }
            drop(stay::prove(&home.previous()?, false, operator)?);
            store.switch_back(journal, home.config_path())
        }
        MigrationState::Returning => store.switch_back(journal, home.config_path()),
        MigrationState::RollingBack => Ok(journal),
        _ => {
            if let Some((of, key)) = new_key_of(home, true)? {
                check(&of, &key, operator)?;
            }
            if stay::is_made(store, &journal)? {
                drop(stay::prove(home, false, operator)?);
            }
            journal.state = MigrationState::RollingBack;
            store.write_journal(&journal)?;
            Ok(journal)
        }
    }
}

/// The key of the new identity in its own home, as long as it is not in use.
fn new_key_of(home: &Home, whole: bool) -> Result<Option<(Home, OnToken)>, Error> {
    let staging = home.store().staging();
    if !file::is_there(&staging.home().join(names::CONFIG))? {
        return Ok(None);
    }
    let of = home.staging(None)?;
    Ok(of.key_on_token(&staging, whole)?.map(|key| (of, key)))
}

/// What a device says that is not of its credential: the key is named, and so is the way out.
pub(super) fn stays(error: Error, key: &KeyLeft, is_new: bool) -> Error {
    if stay::is_of_the_caller(&error) {
        return error;
    }
    let (key, kind, source) = (key.to_string(), error.kind(), error.into());
    MigrationError::KeyStays { key, is_new, kind, source }.into()
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
pub(super) fn under_way(home: &Home) -> Result<Journal, Error> {
    let store = home.store();
    let Some(journal) = store.journal()? else {
        let lost = Migration::lost_journal(store, home.config_path());
        let home = store.home().to_owned();
        return Err(match lost {
            Ok(Some(_)) => MigrationError::JournalLost { home },
            Ok(None) => MigrationError::NotUnderWay { home },
            Err(error) => return Err(error),
        }
        .into());
    };
    journal.check_config(store.home(), home.config_path())?;
    Ok(journal)
}

/// The statement to a key that is given up. If nobody was given it, the old identity is as if
/// it had made none; otherwise it stays, and it is written down that it leads nowhere.
fn leave_statement(store: &IdentityStore, journal: &Journal) -> Result<(), Error> {
    let (Some(old), Some(new)) = (&journal.from.did, &journal.to.did) else { return Ok(()) };
    if journal.mode != MigrationMode::Rotate {
        return Ok(());
    }
    if journal.was_in_use {
        return Ok(store.give_up(new)?);
    }
    match store.handed_over(old)? {
        Some(chain) if chain.current() == new => {
            Ok(file::remove(&store.home().join(names::HANDED_OVER))?)
        }
        _ => Ok(()),
    }
}
