//! One identity takes the place of another: the configuration first, in one step, then
//! the files, by renames that anybody goes on with.

use std::path::{Path, PathBuf};

use crate::backend::BackendKind;
use crate::config::{Config, ConfigText};
use crate::did::Did;
use crate::error::{Error, KeystoreError, MigrationError};
use crate::file::names::{self, previous};
use crate::file::{self, Lock};
use crate::keystore::IdentityStore;
use crate::keystore::config_file::Cause;
use crate::keystore::journal::{self, Journal, MigrationState, Side, TokenKey};

/// The files of an identity, in the order in which they are moved: with its header it is
/// there, and gone.
pub(super) fn files_of(home: &Path) -> [PathBuf; 7] {
    let path = |name| home.join(name);
    [
        path(names::APPROVALS),
        path(names::GIVEN_UP),
        path(names::HANDED_OVER),
        previous(&path(names::PAYLOAD)),
        previous(&path(names::HEADER)),
        path(names::PAYLOAD),
        path(names::HEADER),
    ]
}

/// Moves all of an identity, if that is not done yet.
fn move_all(from: &Path, to: &Path) -> Result<(), KeystoreError> {
    if file::is_there(&to.join(names::HEADER))? {
        return Ok(());
    }
    files_of(from).iter().zip(&files_of(to)).try_for_each(|(from, to)| file::move_over(from, to))
}

impl IdentityStore {
    /// What [`Self::switch`] refuses, before a credential is asked for.
    pub(crate) fn check_switch(&self, journal: &Journal) -> Result<(), Error> {
        let _locks = self.locks_of_both()?;
        self.check_ready(journal, MigrationState::Switching)
    }

    /// Puts the new identity in the place of the old one, under the locks of both, by which the
    /// new one has opened.
    ///
    /// # Errors
    ///
    /// [`KeystoreError::PinNotWritten`] if the configuration cannot be changed: the old one
    /// is in use then; [`MigrationError::NotReady`], before anything is changed.
    pub(crate) fn switch(
        &self,
        journal: Journal,
        config: &Path,
        _locks: [Lock; 2],
    ) -> Result<Journal, Error> {
        self.check_ready(&journal, MigrationState::Switching)?;
        let header = self.read_header()?.0;
        let did = header.did().clone();
        self.old().keep_config(config, journal.from.backend, did)?;
        let mut switching = journal.with_state(MigrationState::Switching);
        // Its key may be on another token than when this was begun.
        switching.old_key = TokenKey::of(&header);
        self.exchange(&journal, switching, config, &self.staging())
    }

    /// What the configuration says of the identity that is in use, in the home of its own that
    /// this is: there it also says whose it is.
    fn keep_config(&self, config: &Path, backend: BackendKind, did: Did) -> Result<(), Error> {
        let before = Config::read(config)?.unwrap_or_default();
        let mut kept = ConfigText::parse(&before)?;
        kept.retain_identity();
        let kept = Config::edit(&kept.to_string(), |config| {
            config.identity.backend = backend;
            config.identity.did = Some(did);
        })?;
        file::private_dir(self.home())?;
        Ok(file::write(&self.home().join(names::CONFIG), kept.as_bytes())?)
    }

    /// Puts the old identity back in its place, after it has opened.
    ///
    /// # Errors
    ///
    /// As [`Self::switch`]: the new one is in use then.
    pub(crate) fn switch_back(&self, journal: Journal, config: &Path) -> Result<Journal, Error> {
        let _locks = self.locks_of_both()?;
        self.check_ready(&journal, MigrationState::Returning)?;
        if journal.state == MigrationState::Switched {
            // Its key may be on another token than the one that it was made on.
            let did = self.read_header()?.0.did().clone();
            // By which the key is removed: not in favour of one that names no such device.
            if journal.to.is_reached_by(&Config::load(config)?) || self.staged_config()?.is_none() {
                self.staging().keep_config(config, journal.to.backend, did)?;
            }
        }
        let mut returning = journal.with_state(MigrationState::Returning);
        returning.was_in_use = true;
        if journal.state == MigrationState::Switched {
            returning.new_key = TokenKey::of(&self.read_header()?.0);
        }
        self.exchange(&journal, returning, config, &self.old())
    }

    /// Of this home and the new identity's: in the order in which handing over takes them.
    pub(crate) fn locks_of_both(&self) -> Result<[Lock; 2], KeystoreError> {
        file::private_dir(self.staging().home())?;
        Ok([self.lock()?, self.staging().lock()?])
    }

    /// From the moment that the configuration is written, the other one is in use.
    fn exchange(
        &self,
        before: &Journal,
        announced: Journal,
        config: &Path,
        other: &Self,
    ) -> Result<Journal, Error> {
        let theirs = Config::read(&other.home().join(names::CONFIG))?.unwrap_or_default();
        journal::put(self.home(), &announced)?;
        let edit = |text: &str| -> Result<String, Cause> {
            let mut text = ConfigText::parse(text)?;
            text.take_identity(ConfigText::parse(&theirs)?);
            Ok(text.to_string())
        };
        if let Err(error) = self.exchange_config(config, edit) {
            // It may be written all the same, if the directory could not be synced.
            let is_written = Config::load(config).is_ok_and(|now| {
                let identity = now.identity;
                self.is_decided(&announced, identity.backend, identity.did.as_ref())
                    .unwrap_or(false)
            });
            if !is_written {
                if let Err(error) = journal::put(self.home(), before) {
                    log::warn!("{} stays: {error}", self.journal_path().display());
                }
                let (path, source) = (config.to_owned(), error.into());
                return Err(KeystoreError::PinNotWritten { path, lines: None, source }.into());
            }
        }
        self.complete(announced).map_err(|error| {
            let (home, source) = (self.home().to_owned(), error.into());
            MigrationError::NotCompleted { home, source }.into()
        })
    }

    /// Whether the configuration names the identity that is to be in use, or files were
    /// moved already: then it did.
    pub(super) fn is_decided(
        &self,
        journal: &Journal,
        backend: BackendKind,
        pinned: Option<&Did>,
    ) -> Result<bool, KeystoreError> {
        let (side, away) = match journal.state {
            MigrationState::Switching => (&journal.to, self.old()),
            _ => (&journal.from, self.staging()),
        };
        if side.backend == backend && side.did.as_ref() == pinned && pinned.is_some() {
            return Ok(true);
        }
        for path in files_of(away.home()) {
            if file::is_there(&path)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Under the lock. Each rename may have been done before.
    pub(super) fn complete(&self, mut journal: Journal) -> Result<Journal, KeystoreError> {
        let (out, into, next) = match journal.state {
            MigrationState::Switching => (self.old(), self.staging(), MigrationState::Switched),
            MigrationState::Returning => (self.staging(), self.old(), MigrationState::RollingBack),
            _ => return Ok(journal),
        };
        move_all(self.home(), out.home())?;
        move_all(into.home(), self.home())?;
        journal.state = next;
        journal::put(self.home(), &journal)?;
        Ok(journal)
    }
}

/// That the identity in the home is the one that is being moved.
pub(crate) fn check_did(side: &Side, found: &Did) -> Result<(), MigrationError> {
    match &side.did {
        Some(expected) if expected != found => {
            let (expected, found) = (expected.clone(), found.clone());
            Err(MigrationError::OtherIdentity { expected, found })
        }
        _ => Ok(()),
    }
}

/// That an identity is the one of this side, in its backend too: after an import both sides
/// have one DID.
pub(crate) fn check_side(
    journal: &Journal,
    side: &Side,
    store: &IdentityStore,
) -> Result<(), KeystoreError> {
    let header = store.header()?;
    check_did(side, header.did())?;
    match header.backend() == side.backend {
        true => Ok(()),
        false => Err(journal.disagrees(store.home()).into()),
    }
}
