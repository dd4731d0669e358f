//! A migration undone.

use std::path::PathBuf;

use super::Migration;
use super::epoch;
use super::operator::Operator;
use super::statement;
use super::stay::{self, Stays};
use crate::backend::BackendKind;
use crate::did::Did;
use crate::error::{Error, MigrationError, WaysOut};
use crate::file::{self, Lock, names};
use crate::home::{Home, KeyLeft, OnToken};
use crate::keystore::{IdentityStore, Journal, MigrationState, check_side};

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
    /// It was not there any more.
    pub was_gone: bool,
    /// Where its key, or a copy of it, still may be: nothing here names it any more.
    pub left: Vec<KeyLeft>,
    /// Its key may be on its token, and nothing tells what to look for there.
    pub key_unknown: bool,
    /// Where a key may have been begun: nothing tells whether it was.
    pub may_be: Option<KeyLeft>,
    /// The later epoch of its DID, begun with the one that is given up, that it has joined.
    pub epoch: Option<u64>,
    /// The directory that this one is a copy of: what is left on a token may be in use there.
    pub copy_of: Option<PathBuf>,
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
    /// [`MigrationError::NotUnderWay`]; [`MigrationError::Finishing`] if an end has removed something
    /// already; [`MigrationError::OtherConfig`];
    /// [`MigrationError::OtherIdentity`] and [`MigrationError::Disagrees`] if the files are not
    /// what the journal says, and [`MigrationError::OldLost`] if the old identity is gone: nothing
    /// is removed then;
    /// [`MigrationError::DoesNotOpen`] if the old identity does not open;
    /// [`MigrationError::Copy`] if the key is on a token and this is a copy of the directory in
    /// which the migration was begun, and [`MigrationError::NewLost`] if the key may be on a token
    /// and nothing is left that can remove it: [`KeyOnToken::Keep`] leaves it there;
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
        let journal = to_undo(home)?;
        let new = look(home, &journal, new_key)?;
        let is_copy = !journal.is_of(store.home())?;
        let was_away = [MigrationState::Switched, MigrationState::Returning];
        let comes_back = was_away.contains(&journal.state);
        let must_open = new.old_must_open(store, &journal, new_key)?;
        let mut journal = begin(home, journal, new_key, must_open, operator)?;
        // Under the locks of both, from the last look at them to the end.
        let staging = store.staging();
        let credential = |operator: &mut dyn Operator, wants: &_| operator.old_credential(wants);
        let epoch = epoch::carry(&home.reread()?, &staging, operator, credential)?;
        let locks = match must_open {
            true if comes_back => {
                stay::prove(&home.reread()?, Stays::Old(WaysOut::Back), operator)?
            }
            true => stay::prove(home, Stays::Old(WaysOut::Back), operator)?,
            false => store.lock()?,
        };
        file::private_dir(staging.home())?;
        let locks = [locks, staging.lock()?];
        stay::check_places(store, &journal)?;
        // The one that stays is there; and so it is the new one whose key is removed.
        check_side(&journal, &journal.from, store)?;
        // What was given out where this is a copy of is not for this one to say.
        if !is_copy {
            // The old identity is as it was, also where the device is not there now.
            statement::leave(store, &journal)?;
        }
        // The header names it where the note of its making is lost.
        let key = new_key_of(home, !journal.key_removed)?;
        let is_lost = new.is_lost || (key.is_none() && is_key_lost(store, &journal)?);
        if is_lost && new_key == KeyOnToken::Destroy {
            return Err(new_lost(store, &journal));
        }
        let mut was_gone = false;
        if let Some((of, key)) = &key
            && new_key == KeyOnToken::Destroy
        {
            let removed = of
                .remove_key(key, &staging, |wants| operator.new_credential(wants))
                .map_err(|error| stays(error, &key.at, true))?;
            was_gone = !removed;
            journal.key_removed = true;
            store.put_journal(&journal)?;
        }
        // Where the journal is lost as well, what is left tells how far this was: last of all the
        // configuration of the new one, which says what it was.
        home.forget_unreadable_refusals()?;
        Home::remove_all_but_config(&staging)?;
        Home::remove_files_of(&store.old())?;
        Home::remove_files_of(&staging)?;
        store.remove_journal()?;
        let [_home, _staging]: [Lock; 2] = locks;
        let (mut removed, mut left, mut key_unknown) = (None, Vec::new(), false);
        match (key, &journal.new_key) {
            (Some((_, OnToken { at, before, .. })), _) => {
                match new_key {
                    KeyOnToken::Destroy => removed = Some(at),
                    KeyOnToken::Keep => left.push(at),
                }
                left.extend(before);
            }
            (None, Some(key)) if is_lost => left.push(KeyLeft::of(key, None)),
            (None, _) => key_unknown = is_lost,
        }
        for key in &mut left {
            // Where no configuration names it any more.
            key.module = key.module.take().or_else(|| journal.new_module.clone());
        }
        let copy_of = is_copy.then(|| PathBuf::from(&journal.begun_in.path));
        let Journal { from, to, was_in_use, may_be, new_module, .. } = journal;
        let (did, given_up) = (from.did, to.did);
        let may_be = may_be.filter(|_| removed.is_none() && left.is_empty());
        let may_be = may_be.map(|key| KeyLeft::of(&key, new_module));
        Ok(RolledBack {
            did,
            given_up,
            was_in_use,
            removed,
            was_gone,
            left,
            key_unknown,
            may_be,
            epoch,
            copy_of,
        })
    }

    /// **Blocks** on files. What [`Self::roll_back`] refuses whoever says yes to it: before
    /// anybody is asked. Uses no credential, and asks no device.
    ///
    /// # Errors
    ///
    /// As [`Self::roll_back`].
    pub fn check_roll_back(home: &Home, new_key: KeyOnToken) -> Result<(), Error> {
        look(home, &to_undo(home)?, new_key).map(drop)
    }

    /// **Blocks** on files. The directory in which the migration under way was begun, where it is not
    /// certain that this is that one: only its path says so, or only its inode. A copy may have been
    /// put in its place, and what [`Self::roll_back`] or [`Self::finish`] destroys on a token may be
    /// in use elsewhere.
    ///
    /// # Errors
    ///
    /// If the files cannot be read.
    pub fn may_be_copy(home: &Home) -> Result<Option<PathBuf>, Error> {
        let Some(journal) = home.store().journal()? else { return Ok(None) };
        let is_certain = journal.is_surely_of(home.directory())?;
        Ok((!is_certain).then(|| PathBuf::from(&journal.begun_in.path)))
    }

    /// **Blocks** on files. Where the new key of the migration under way is, if it is on a
    /// token: what [`Self::roll_back`] removes. Uses no credential, and asks no device.
    ///
    /// # Errors
    ///
    /// If the files cannot be read.
    pub fn new_key(home: &Home) -> Result<Option<KeyLeft>, Error> {
        if home.store().journal()?.is_none() {
            return Ok(None);
        }
        Ok(key_now(home, &to_undo(home)?)?.map(|key| key.at))
    }
}

/// Of the new identity, before anything is changed.
struct New {
    key: Option<OnToken>,
    /// It may be on its token, and nothing is left by which it could be removed.
    is_lost: bool,
}

/// That all is what the journal says, and what is to be destroyed is nobody else's.
fn look(home: &Home, journal: &Journal, new_key: KeyOnToken) -> Result<New, Error> {
    let store = home.store();
    // First, as through a link the files of another one would be looked at.
    stay::check_places(store, journal)?;
    store.check_old_is_whole(journal)?;
    check_before(store, journal)?;
    let key = key_now(home, journal)?;
    let is_lost = key.is_none() && is_key_lost(store, journal)?;
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
    fn old_must_open(
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

/// Where the new key is.
fn key_now(home: &Home, journal: &Journal) -> Result<Option<OnToken>, Error> {
    match journal.state {
        MigrationState::Switched => Ok(key_in_use(home, journal)?.map(|(_, key)| key)),
        MigrationState::Finishing => Ok(None),
        _ => Ok(new_key_of(home, !journal.key_removed)?.map(|(_, key)| key)),
    }
}

/// Where nothing names a key: whether one was made all the same, by how far it was.
fn is_key_lost(store: &IdentityStore, journal: &Journal) -> Result<bool, Error> {
    use MigrationState as S;
    if journal.to.backend != BackendKind::Pkcs11 || journal.key_removed {
        return Ok(false);
    }
    Ok(match journal.state {
        S::Planned | S::Switched | S::Finishing => false,
        // It may have been begun, and what says so is beside this.
        S::BackedUp => {
            journal.new_key.is_some()
                || !file::is_there(&store.staging().home().join(names::CONFIG))?
        }
        S::Made | S::Proved | S::Stated | S::Switching | S::Returning => true,
        S::RollingBack => journal.to.did.is_some() || journal.new_key.is_some(),
    })
}

/// That no key was begun of which only the journal tells: nothing is left by which it could be
/// removed, and no other one is made beside it.
pub(super) fn check_begun(store: &IdentityStore, journal: &Journal) -> Result<(), Error> {
    let staging = store.staging();
    let is_begun = journal.state == MigrationState::BackedUp && journal.new_key.is_some();
    if !is_begun || stay::is_whole(&staging)? || staging.noted_objects()?.is_some() {
        return Ok(());
    }
    Err(new_lost(store, journal))
}

fn new_lost(store: &IdentityStore, journal: &Journal) -> Error {
    let staging = store.staging().home().to_owned();
    let key = journal.new_key.as_ref().map(|key| KeyLeft::of(key, None).to_string());
    MigrationError::NewLost { staging, key }.into()
}

/// From here on the old identity is in use, and there is no way but back.
fn begin(
    home: &Home,
    mut journal: Journal,
    new_key: KeyOnToken,
    must_open: bool,
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
            if let Some((of, key)) = key_in_use(home, &journal)? {
                check(&of, &key, operator)?;
            }
            epoch::check(&store.old(), store)?;
            let ways = Stays::Old(WaysOut::FinishOrBack);
            let _as_it_opened = stay::prove(&home.previous()?, ways, operator)?;
            store.switch_back(journal, home.config_path())
        }
        MigrationState::Returning => {
            let ways = Stays::Old(WaysOut::Back);
            let _as_it_opened = match stay::is_whole(&store.old())? {
                true => Some(stay::prove(&home.previous()?, ways, operator)?),
                false => None,
            };
            store.switch_back(journal, home.config_path())
        }
        MigrationState::RollingBack => Ok(journal),
        _ => {
            if let Some((of, key)) = new_key_of(home, true)? {
                check(&of, &key, operator)?;
            }
            if must_open {
                drop(stay::prove(home, Stays::Old(WaysOut::OnOrBack), operator)?);
            }
            journal.state = MigrationState::RollingBack;
            store.write_journal(&journal)?;
            Ok(journal)
        }
    }
}

/// The key of the new identity once it is in use, by a configuration that names its device: the
/// one in use may have been lost, or put back from another time, and the one by which it was made
/// is kept until the end.
fn key_in_use(home: &Home, journal: &Journal) -> Result<Option<(Home, OnToken)>, Error> {
    let store = home.store();
    let by = match journal.to.is_reached_by(home.config()) {
        true => None,
        false => store.staged_config()?.filter(|config| journal.to.is_reached_by(config)),
    };
    let of = home.configured_by(by.unwrap_or_else(|| home.config().clone()))?;
    Ok(of.key_on_token(&store.staging(), true)?.map(|key| (of, key)))
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

/// The journal of what is to be undone. An end that was begun, and has removed nothing yet, can be:
/// the old identity is whole, and has to open before anything is changed.
fn to_undo(home: &Home) -> Result<Journal, Error> {
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
pub(super) fn under_way(home: &Home) -> Result<Journal, Error> {
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
