//! A migration undone.

mod before;
mod key;

use std::path::PathBuf;

pub(super) use self::before::under_way;
use self::before::{look, to_undo};
pub(super) use self::key::{check_begun, stays};
use self::key::{is_lost, key_in_use, key_now, new_key_of, new_lost, where_it_is};
use super::Migration;
use super::epoch;
use super::operator::Operator;
use super::statement;
use super::stay::{self, Stays};
use crate::did::Did;
use crate::error::{Error, MigrationError, WaysOut};
use crate::file::{self, Lock};
use crate::home::{Home, KeyLeft, OnToken};
use crate::keystore::{Journal, MigrationState, check_side};

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
    /// The label that the token of the old key has now, if that was renamed meanwhile: it opens
    /// once that is recorded ([`Ready::relocate`]).
    ///
    /// [`Ready::relocate`]: crate::home::Ready::relocate
    pub renamed: Option<String>,
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
        let mut key = new_key_of(home, !journal.key_removed)?;
        if new_key == KeyOnToken::Destroy {
            key = key.map(where_it_is);
        }
        let is_lost = new.is_lost || (key.is_none() && is_lost(store, &journal)?);
        if is_lost && new_key == KeyOnToken::Destroy {
            return Err(new_lost(store, &journal));
        }
        // By its configuration, which is about to be removed.
        let of_new = home.staging(None).ok();
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
            if let Some(of) = &of_new {
                *key = of.as_labelled_now(key.clone());
            }
        }
        let renamed = home.reread()?.renamed().map(|at| at.token);
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
            renamed,
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

/// From here on the old identity is in use, and there is no way but back.
fn begin(
    home: &Home,
    mut journal: Journal,
    new_key: KeyOnToken,
    must_open: bool,
    operator: &mut dyn Operator,
) -> Result<Journal, Error> {
    let store = home.store();
    let check = |key: (Home, OnToken), operator: &mut dyn Operator| match new_key {
        KeyOnToken::Keep => Ok(()),
        KeyOnToken::Destroy => {
            let (of, key) = where_it_is(key);
            of.check_removable(&key, |wants| operator.new_credential(wants))
                .map_err(|error| stays(error, &key.at, true))
        }
    };
    match journal.state {
        MigrationState::Finishing => {
            let home = home.directory().to_owned();
            Err(MigrationError::Finishing { home }.into())
        }
        MigrationState::Switched => {
            if let Some(key) = key_in_use(home, &journal)? {
                check(key, operator)?;
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
            if let Some(key) = new_key_of(home, true)? {
                check(key, operator)?;
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
