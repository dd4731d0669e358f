//! A migration ended: the old identity is removed.

use std::path::PathBuf;

use super::Migration;
use super::backup::{self, BackupAtEnd};
use super::epoch;
use super::operator::Operator;
use super::roll_back::{KeyOnToken, stays, under_way};
use super::stay::{self, Stays};
use crate::backend::BackendKind;
use crate::did::Did;
use crate::error::{Error, KeystoreError, MigrationError};
use crate::file::{self, names};
use crate::home::{Home, KeyLeft};
use crate::keystore::{IdentityStore, Journal, MigrationState, TokenKey, check_did, check_side};

/// A migration whose old identity was removed.
#[derive(Debug)]
#[non_exhaustive]
pub struct Finished {
    /// The identity that is in use: the new one.
    pub did: Option<Did>,
    /// The one whose files were removed; `None` if they were not there any more.
    pub removed: Option<Did>,
    /// The directory that they were in.
    pub previous: PathBuf,
    /// Where the old key still is, if it is on a token: nothing here names it any more. The
    /// RFC 7512 URI; `None` also where it was not known ([`Self::key_unknown`]).
    pub key_on_token: Option<String>,
    /// The same, with what kept its storage key there.
    pub left: Option<KeyLeft>,
    /// Its token has let go of the old key: it is destroyed there.
    pub key_destroyed: bool,
    /// The old key was on a token, and nothing told on which, or whether it is still there.
    pub key_unknown: bool,
    /// The later epoch of its DID, begun with the old one, that the new one has joined.
    pub epoch: Option<u64>,
    /// The directory that this one is a copy of: what is left on a token may be in use there.
    pub copy_of: Option<PathBuf>,
}

impl Migration {
    /// **Blocks** on devices, scrypt and files, and while a person is asked. Ends a migration:
    /// the new identity is opened once more and signs, then the old one is removed, and there is
    /// no way back. Backups and copies of it still sign, and what a disk keeps of removed files
    /// is not known.
    ///
    /// # Errors
    ///
    /// [`MigrationError::NotUnderWay`]; [`MigrationError::NotSwitched`] if the new identity is
    /// not in use; [`MigrationError::UnderWay`] if the old one is being moved itself;
    /// [`MigrationError::OtherConfig`]; [`MigrationError::BackupLost`];
    /// [`MigrationError::OtherIdentity`] and [`MigrationError::Disagrees`] if the files are not
    /// what the journal says; [`MigrationError::OldLost`] if the old identity is gone and its
    /// key may be on a token all the same, which [`KeyOnToken::Keep`] names;
    /// [`MigrationError::DoesNotOpen`] if the new identity does not open with its device;
    /// [`MigrationError::NotOfThis`] if a directory is another one's;
    /// [`MigrationError::Copy`] if the old key is on a token and this is a copy of the directory
    /// in which the migration was begun, where that key may be in use;
    /// [`MigrationError::KeyStays`] if a token does not let go of the old
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
        let old = store.old();
        // Before a person is asked, and once more when nobody else can change it.
        let (looked_at, key) = check(home, &journal, old_key, backup)?;
        let is_there = begun
            || file::is_there(&old.home().join(names::HEADER))?
            || file::is_there(&old.home().join(names::PAYLOAD))?;
        let is_given_up = old_key == KeyOnToken::Keep;
        let destroy = |only_checked, operator: &mut dyn Operator| -> Result<(), Error> {
            match &key {
                Key::Named(key) if !is_given_up => {
                    destroy_key(&home.previous()?, only_checked, operator)
                        .map_err(|error| stays(error, &KeyLeft::of(key, None), false))
                }
                _ => Ok(()),
            }
        };
        if !begun {
            // Whose PIN is wrong, or whose token is away, removes nothing.
            destroy(true, operator)?;
        }
        let credential = |operator: &mut dyn Operator, wants: &_| operator.new_credential(wants);
        let epoch = match begun {
            true => None,
            false => epoch::carry(home, &old, operator, credential)?,
        };
        // The new one opens. What is left of one whose removal was cut off opens no more, and
        // is removed whatever the new one does.
        let in_use = match begun && !stay::is_whole(&old)? {
            true => store.lock()?,
            false => stay::prove(home, Stays::New, operator)?,
        };
        // Who opens the old identity has it whole, or finds none: what was looked at is what is
        // removed.
        let _locks = (in_use, old.lock_if_there()?);
        stay::check_places(store, &journal)?;
        if !begun {
            if look(store, &journal, &old)? != looked_at {
                return Err(journal.disagrees(store.home()).into());
            }
            // Before the first object is gone: from then on there is no way back.
            journal.state = MigrationState::Finishing;
            store.put_journal(&journal)?;
        }
        destroy(false, operator)?;
        if let Key::Named(key) = &key
            && !is_given_up
        {
            // Before the header is gone: without it, nothing else tells that it was.
            journal.old_key = Some(key.clone().destroyed());
            store.put_journal(&journal)?;
        }
        let left = match &key {
            Key::Named(key) if is_given_up => Some(key),
            Key::Lost(key) => key.as_ref(),
            Key::None | Key::Named(_) | Key::Destroyed => None,
        };
        let previous = home.previous().ok();
        let left = left.map(|key| {
            let of = previous.as_ref();
            let module = of.and_then(|old| Some(old.config().identity.pkcs11.clone()?.module));
            let left = KeyLeft::of(key, module);
            (key, of.map(|old| old.as_labelled_now(left.clone())).unwrap_or(left))
        });
        let copy_of = match journal.is_of(store.home())? {
            true => None,
            false => Some(PathBuf::from(&journal.begun_in.path)),
        };
        // Where the journal is lost as well, what is left tells how far this was: last of all the
        // configuration of the old one, which says what it was.
        home.forget_unreadable_refusals()?;
        Home::remove_all_but_config(&old)?;
        Home::remove_files_of(&store.staging())?;
        Home::remove_files_of(&old)?;
        store.remove_journal()?;
        Ok(Finished {
            did: journal.to.did,
            removed: journal.from.did.filter(|_| is_there),
            previous: old.home().to_owned(),
            key_on_token: left.as_ref().map(|(key, _)| key.to_string()),
            left: left.map(|(_, left)| left),
            key_destroyed: match &key {
                Key::Named(_) => !is_given_up,
                Key::Destroyed => true,
                Key::None | Key::Lost(_) => false,
            },
            key_unknown: matches!(key, Key::Lost(None)),
            epoch,
            copy_of,
        })
    }

    /// **Blocks** on files. What [`Self::finish`] refuses whoever says yes to it: before anybody
    /// is asked. Uses no credential, and asks no device.
    ///
    /// # Errors
    ///
    /// As [`Self::finish`].
    pub fn check_finish(
        home: &Home,
        old_key: KeyOnToken,
        backup: &BackupAtEnd,
    ) -> Result<(), Error> {
        check(home, &under_way(home)?, old_key, backup).map(drop)
    }
}

/// That the migration can be ended, as far as shows without a credential: what is removed, and
/// which key.
fn check(
    home: &Home,
    journal: &Journal,
    old_key: KeyOnToken,
    backup: &BackupAtEnd,
) -> Result<(Option<String>, Key), Error> {
    let (store, old) = (home.store(), home.store().old());
    let begun = journal.state == MigrationState::Finishing;
    if !begun && journal.state != MigrationState::Switched {
        let home = home.directory().to_owned();
        let (state, ways) = (journal.state.as_str(), journal.state.ways_out());
        return Err(MigrationError::NotSwitched { home, state, ways }.into());
    }
    if !begun {
        backup::check_at_end(journal, backup)?;
    }
    stay::check_places(store, journal)?;
    let looked_at = look(store, journal, &old)?;
    let key = Key::of(journal, &old)?;
    match &key {
        _ if old_key == KeyOnToken::Keep => {}
        Key::Lost(known) => {
            let key = known.as_ref().map(ToString::to_string).or_else(|| configured(home));
            let previous = old.home().to_owned();
            return Err(MigrationError::OldLost { previous, key, at_the_end: true }.into());
        }
        Key::Named(key) => stay::check_no_copy(store, journal, &key.to_string(), false)?,
        Key::None | Key::Destroyed => {}
    }
    Ok((looked_at, key))
}

/// The old key.
enum Key {
    /// It is on no token.
    None,
    /// It is where the header says, which is there.
    Named(TokenKey),
    /// It was destroyed, and that was written down.
    Destroyed,
    /// The header is gone, and it may be on its token: where the journal says, if it does.
    Lost(Option<TokenKey>),
}

impl Key {
    fn of(journal: &Journal, old: &IdentityStore) -> Result<Self, Error> {
        if journal.from.backend != BackendKind::Pkcs11 {
            return Ok(Self::None);
        }
        if journal.old_key.as_ref().is_some_and(|key| key.destroyed) {
            return Ok(Self::Destroyed);
        }
        // Also beside no payload, which is removed first.
        let named = old.header_alone()?.as_ref().and_then(TokenKey::of);
        // Only what is whole is known to be what it says, until it was looked at.
        let is_known = journal.state == MigrationState::Finishing || old.is_whole()?;
        Ok(match named {
            Some(named) if is_known => Self::Named(named),
            named => Self::Lost(named.or_else(|| journal.old_key.clone())),
        })
    }
}

/// The token that the configuration of the old identity names, where nothing names its key.
fn configured(home: &Home) -> Option<String> {
    let token = home.previous().ok()?.config().identity.pkcs11.clone()?.token?;
    Some(format!("token {token}"))
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
    if journal.state == MigrationState::Finishing || !old.is_whole()? {
        if let Some(header) = old.header_alone()? {
            check_did(&journal.from, header.did()).map_err(KeystoreError::from)?;
        }
        return Ok(None);
    }
    check_side(journal, &journal.from, old)?;
    // Its key and its place; a certificate may be renewed.
    let header = old.header()?;
    Ok(Some(format!("{} {:?}", header.did(), header.device_locator())))
}

#[cfg(feature = "pkcs11")]
fn destroy_key(old: &Home, checked: bool, operator: &mut dyn Operator) -> Result<(), Error> {
    let moved = old.by_serial();
    let old = moved.as_ref().unwrap_or(old);
    old.destroy_key(checked, |wants| operator.old_credential(wants)).map(drop)
}

#[cfg(not(feature = "pkcs11"))]
fn destroy_key(_: &Home, _: bool, _: &mut dyn Operator) -> Result<(), Error> {
    Err(crate::error::DeviceError::NoPkcs11.into())
}
