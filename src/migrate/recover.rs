//! A journal that is lost, or cannot be read, written again: how far a migration was is told by
//! the files, which say of themselves whose they are.
//!
//! | home | `migration/` | `previous/` | state |
//! |---|---|---|---|
//! | old | no header | – | begun: can only be rolled back |
//! | old | new | – | `made`; or `switching`, if the configuration names the new one |
//! | old | new, without its payload | – | `rolling-back` |
//! | new | no header | old | `switched`; or `returning`, if the configuration names the old one |
//! | new | no header | old, without its payload; or no header | `finishing` |
//! | half | new, whole or half | old, whole or half | `switching` or `returning`: the configuration decides |
//!
//! What is not in the files is not known afterwards: when it was begun, which backup was made
//! first, and in which directory. That is the one in which the journal is written again, as
//! whoever has it written says: so that is not done in a copy.

use std::path::Path;

use super::Migration;
use super::statement;
use super::status::MigrationStatus;
use crate::clock;
use crate::config::{Config, IdentityConfig};
use crate::did::{Did, DidMethod};
use crate::error::{Error, KeystoreError, MigrationError};
use crate::file::{self, names};
use crate::keystore::{
    BegunIn, Header, IdentityStore, Journal, MigrationMode, MigrationState, Side, TokenKey,
};
use crate::locator::BackendKind;
use crate::rotation::RotationChain;

impl Migration {
    /// **Blocks** on files. How far a migration was whose journal is lost or cannot be read, as
    /// far as the files tell; `None` if there is one that can, or nothing of a migration. Uses no credential, and
    /// changes nothing. The configuration is the one that the migration has changed.
    ///
    /// # Errors
    ///
    /// [`MigrationError::NotTold`] if something is there that does not fit.
    pub fn lost_journal(
        store: &IdentityStore,
        config: &Path,
    ) -> Result<Option<MigrationStatus>, Error> {
        if file::is_there(&store.journal_path())? && !is_unreadable(store)? {
            return Ok(None);
        }
        let told = tell(store, config)?.map(|journal| MigrationStatus::of(store, journal));
        Ok(told.map(|status| MigrationStatus { journal_lost: true, ..status }))
    }

    /// **Blocks** on files. Writes the journal of a migration again that is lost or cannot be
    /// read, by [what the files tell](Self::lost_journal): so that it is gone on with, undone or
    /// ended as any other. One that cannot be read is put aside. Uses no credential.
    ///
    /// # Errors
    ///
    /// [`MigrationError::JournalThere`]; [`MigrationError::NotUnderWay`] if there is nothing of
    /// a migration; [`MigrationError::NotTold`]; one of a newer version is refused.
    pub fn recover(store: &IdentityStore, config: &Path) -> Result<MigrationStatus, Error> {
        let home = store.home();
        if !file::is_there(home)? {
            return Err(MigrationError::NotUnderWay { home: home.to_owned() }.into());
        }
        let _lock = store.migration_lock()?;
        let _files = store.lock()?;
        let path = store.journal_path();
        let unreadable = is_unreadable(store)?;
        if !unreadable && file::is_there(&path)? {
            return Err(MigrationError::JournalThere { path }.into());
        }
        let journal = tell(store, config)?;
        let journal =
            journal.ok_or_else(|| MigrationError::NotUnderWay { home: home.to_owned() })?;
        if unreadable {
            store.put_journal_aside()?;
        }
        store.put_journal(&journal)?;
        Ok(MigrationStatus::of(store, journal))
    }
}

/// Whether there is a journal that cannot be read. One of a newer version can be, by another
/// version of this program.
fn is_unreadable(store: &IdentityStore) -> Result<bool, Error> {
    match store.journal() {
        Ok(_) => Ok(false),
        Err(KeystoreError::Migration(error))
            if matches!(*error, MigrationError::Unreadable { .. }) =>
        {
            Ok(true)
        }
        Err(error) => Err(error.into()),
    }
}

/// What is in one of the three directories.
struct Place {
    header: Option<Header>,
    payload: bool,
}

impl Place {
    fn of(store: &IdentityStore) -> Result<Self, Error> {
        Ok(Self { header: store.header_alone()?, payload: file::is_there(&store.payload_path())? })
    }
}

/// The journal, as it has to have been.
fn tell(store: &IdentityStore, config: &Path) -> Result<Option<Journal>, Error> {
    use MigrationState::{Finishing, Made, Returning, RollingBack, Switched, Switching};
    let (staging, old) = (store.staging(), store.old());
    // What is left where an end was cut off right before the journal was removed.
    if file::is_bare(staging.home())? && file::is_bare(old.home())? {
        return Ok(None);
    }
    let told = Told { store, config };
    let identity = Config::load(config)?.identity;
    let is_named = |header: &Header| {
        header.backend() == identity.backend && Some(header.did()) == identity.did.as_ref()
    };
    let [here, new, before] = [Place::of(store)?, Place::of(&staging)?, Place::of(&old)?];
    let journal = match (here.header, new.header, before.header) {
        (Some(now), None, Some(kept)) => {
            let state = match (here.payload, before.payload) {
                (true, true) if is_named(&kept) => Returning,
                (true, true) => Switched,
                (true, false) => Finishing,
                (false, _) => Returning,
            };
            told.both(state, &kept, &now)?
        }
        (Some(now), Some(made), None) => {
            let state = match (here.payload, new.payload) {
                (true, true) if is_named(&made) => Switching,
                (true, true) => Made,
                (true, false) => RollingBack,
                (false, _) => Switching,
            };
            told.both(state, &now, &made)?
        }
        (None, Some(made), Some(kept)) => {
            let state = match (new.payload, before.payload) {
                (false, true) => Switching,
                (true, false) => Returning,
                _ if is_named(&made) => Switching,
                _ if is_named(&kept) => Returning,
                _ => return Err(told.not("the configuration names neither of two identities")),
            };
            told.both(state, &kept, &made)?
        }
        (Some(now), None, None) if !new.payload && !before.payload => return told.one(&now),
        (Some(_), Some(_), Some(_)) => return Err(told.not("three identities are there")),
        _ => return Err(told.not("one of two identities is not there")),
    };
    Ok(Some(journal))
}

struct Told<'a> {
    store: &'a IdentityStore,
    config: &'a Path,
}

impl Told<'_> {
    fn not(&self, found: &'static str) -> Error {
        MigrationError::NotTold { home: self.store.home().to_owned(), found }.into()
    }

    /// Of two identities that belong together.
    fn both(&self, state: MigrationState, old: &Header, new: &Header) -> Result<Journal, Error> {
        let mode = match old.did() == new.did() {
            true => MigrationMode::Import,
            false => MigrationMode::Rotate,
        };
        let chain = self.statement(old.did(), new.did())?;
        // What is made and not in use yet has a note that stays as long as it can be undone.
        let is_noted = self.store.staging().began(new)?;
        let is_of_it = match (mode, state) {
            (MigrationMode::Import, _) => new.in_file_until().is_some(),
            (MigrationMode::Rotate, _) => is_noted || chain.is_some(),
        };
        // Nothing moves into a file, and an import is no move within a backend.
        let is_possible = new.backend() != BackendKind::Age
            && (mode == MigrationMode::Rotate || old.backend() != new.backend());
        if !is_of_it || !is_possible {
            return Err(self.not("another identity is beside it that is of no move of it"));
        }
        let side =
            |header: &Header| Side { backend: header.backend(), did: Some(header.did().clone()) };
        let mut journal = self.journal(mode, side(old), new.backend())?;
        journal.to = side(new);
        journal.old_key = TokenKey::of(old);
        journal.new_key = TokenKey::of(new);
        journal.algorithm = new.algorithm();
        journal.did_key = new.did().method() == DidMethod::Key;
        journal.commit_next = chain.as_ref().and_then(RotationChain::commitment).cloned();
        let is_before = [MigrationState::Made, MigrationState::RollingBack].contains(&state);
        // Nobody knows whether it was given to others; but not before the switch, which writes that
        // file before anything else.
        let was_never = is_before && !file::is_there(&self.store.old().home().join(names::CONFIG))?;
        journal.was_in_use = chain.is_some() && !was_never;
        journal.handed_over_before = statement::kept(&self.store.staging(), old.did(), new.did())?;
        journal.unstated = mode == MigrationMode::Rotate && chain.is_none() && !is_before;
        journal.state = state;
        Ok(journal)
    }

    /// Of one identity, beside which there is what is left of the other.
    fn one(&self, now: &Header) -> Result<Option<Journal>, Error> {
        let (staging, old) = (self.store.staging(), self.store.old());
        let told_by = |store: &IdentityStore| -> Result<Option<Config>, Error> {
            let path = store.home().join(names::CONFIG);
            Ok(if file::is_there(&path)? { Some(Config::load(&path)?) } else { None })
        };
        let [new, before] =
            [told_by(&staging)?, told_by(&old)?].map(|config| config.map(|config| config.identity));
        let is_now = |side: &IdentityConfig| {
            side.backend == now.backend() && side.did.as_ref() == Some(now.did())
        };
        let new = match (new, &before) {
            (Some(new), _) => new,
            // The end has removed the one, and then the rest of the other, but for this.
            (None, Some(before)) if !is_now(before) => IdentityConfig {
                backend: now.backend(),
                did: Some(now.did().clone()),
                ..IdentityConfig::default()
            },
            (None, _) => {
                return Err(self.not("a directory of a move is there, and nothing of it"));
            }
        };
        let side = |backend, did: Option<Did>| Side { backend, did };
        let is_new = staging.began(now)? || new.did.as_ref() == Some(now.did());
        let mut journal;
        if is_new {
            // Its key is in use: the old one was being removed, or is lost.
            let (backend, did) = match before {
                Some(from) => (from.backend, from.did),
                // Only what was imported tells what it was before.
                None if now.in_file_until().is_some() => {
                    (BackendKind::Age, Some(now.did().clone()))
                }
                None => {
                    let [home, staging] = [self.store, &staging].map(|it| it.home().to_owned());
                    return Err(MigrationError::OldUnknown { home, staging }.into());
                }
            };
            let mode = match did.as_ref() == Some(now.did()) {
                true => MigrationMode::Import,
                false => MigrationMode::Rotate,
            };
            journal = self.journal(mode, side(backend, did), now.backend())?;
            journal.to = side(now.backend(), Some(now.did().clone()));
            journal.state = MigrationState::Finishing;
        } else {
            // Not more than that is known of it: how it was to be moved is not.
            let from = side(now.backend(), Some(now.did().clone()));
            journal = self.journal(MigrationMode::Rotate, from, new.backend)?;
            journal.to.did = new.did;
            journal.state = MigrationState::RollingBack;
            journal.was_in_use = file::is_there(&self.store.home().join(names::HANDED_OVER))?;
            // Where no note tells whether one was begun.
            if let (BackendKind::Pkcs11, Some(token), None) =
                (new.backend, &new.pkcs11, staging.noted_objects()?)
            {
                journal.may_be = Some(TokenKey::wanted(token));
                journal.new_module = Some(token.module.clone());
            }
        }
        Ok(Some(journal))
    }

    fn journal(&self, mode: MigrationMode, from: Side, to: BackendKind) -> Result<Journal, Error> {
        let config = Journal::name_of_config(self.store.home(), self.config);
        Ok(Journal::new(mode, from, to, config, (clock::now(), BegunIn::of(self.store.home())?)))
    }

    /// By which the old one has handed over to the new one. It is moved with the old one.
    fn statement(&self, old: &Did, new: &Did) -> Result<Option<RotationChain>, Error> {
        for place in [self.store, &self.store.old()] {
            if let Ok(Some(chain)) = place.handed_over(old)
                && chain.current() == new
            {
                return Ok(Some(chain));
            }
        }
        Ok(None)
    }
}
