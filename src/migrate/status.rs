//! How far a migration is, for people and programs.

use std::path::{Path, PathBuf};

use serde::Serialize;

use super::Migration;
use crate::backend::BackendKind;
use crate::did::Did;
use crate::error::Error;
use crate::file::{self, names};
use crate::keystore::{During, IdentityStore, Journal, MigrationMode, MigrationState};

/// A migration that is under way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct MigrationStatus {
    /// How.
    pub mode: MigrationMode,
    /// How far.
    pub state: MigrationState,
    /// When it was begun, Unix time.
    pub begun: u64,
    /// Where the key is that it moves away from.
    pub from: BackendKind,
    /// The DID of the old identity.
    pub from_did: Option<Did>,
    /// Where the new one is.
    pub to: BackendKind,
    /// The DID of the new identity, once it is made.
    pub to_did: Option<Did>,
    /// The backup that was made first.
    pub backup: Option<PathBuf>,
    /// Where the old identity is, whole, once the new one is in use.
    pub previous: Option<PathBuf>,
    /// The old identity is to be kept until the end, and is not there any more, or only in part.
    pub previous_lost: bool,
    /// It was cut off before it was written down where the identity is to go: to go on, that has
    /// to be asked for once more.
    pub needs_target: bool,
    /// The old key was in a file until then, before it came into its device (Unix time):
    /// copies of that file still sign, whatever becomes of the device.
    pub in_file_until: Option<u64>,
    /// The old key could not sign any more, and has made no statement: peers cannot follow to the
    /// new DID.
    pub unstated: bool,
    /// There is a statement, and the old identity did not open any more to give its decryption key
    /// along: what was encrypted to it does not decrypt with the new one.
    pub not_carried: bool,
    /// The journal is lost or cannot be read: this is what the files tell
    /// ([`Migration::lost_journal`]).
    pub journal_lost: bool,
}

impl MigrationStatus {
    pub(super) fn of(store: &IdentityStore, journal: Journal) -> Self {
        let is_in_use = [MigrationState::Switched, MigrationState::Finishing];
        let is_in_use = is_in_use.contains(&journal.state);
        let is_kept = journal.state == MigrationState::Switched;
        let previous_lost = is_kept && !store.old().is_whole().unwrap_or(true);
        let previous = (is_in_use && !previous_lost).then(|| store.old().home().to_owned());
        let needs_target = journal.state < MigrationState::Made
            && !file::is_there(&store.staging().home().join(names::CONFIG)).unwrap_or(true);
        let old = if is_in_use { store.old() } else { store.clone() };
        let in_file_until = old.header().ok().and_then(|header| header.in_file_until());
        Self {
            mode: journal.mode,
            state: journal.state,
            begun: journal.begun,
            from: journal.from.backend,
            from_did: journal.from.did,
            to: journal.to.backend,
            to_did: journal.to.did,
            backup: journal.backup.map(|backup| backup.file),
            previous,
            previous_lost,
            needs_target,
            in_file_until,
            unstated: journal.unstated,
            not_carried: journal.not_carried,
            journal_lost: false,
        }
    }
}

impl Migration {
    /// **Blocks** on files. That the identity is not being moved: nothing else changes it
    /// meanwhile, and nobody is asked for a credential in vain.
    ///
    /// # Errors
    ///
    /// [`MigrationError::UnderWay`](crate::error::MigrationError::UnderWay).
    pub fn check_none(store: &IdentityStore) -> Result<(), Error> {
        Ok(store.check_unmoved(During::Nothing)?)
    }

    /// **Blocks** on files. The same, but that the new identity may be in use already: it is
    /// renewed, sealed anew and found again also while the old one is kept.
    ///
    /// # Errors
    ///
    /// As [`Self::check_none`].
    pub fn check_none_before_switch(store: &IdentityStore) -> Result<(), Error> {
        Ok(store.check_unmoved(During::Switched)?)
    }

    /// **Blocks** on files. That a configuration is the one that the migration under way has
    /// begun with, if one is: what is said and done by another one is not of it.
    ///
    /// # Errors
    ///
    /// [`MigrationError::OtherConfig`](crate::error::MigrationError::OtherConfig).
    pub fn check_config(store: &IdentityStore, config: &Path) -> Result<(), Error> {
        match store.journal()? {
            Some(journal) => Ok(journal.check_config(store.home(), config)?),
            None => Ok(()),
        }
    }

    /// **Blocks** on files. The migration of the identity in a home, if one is under way.
    /// Uses no credential.
    ///
    /// # Errors
    ///
    /// [`MigrationError::Unreadable`](crate::error::MigrationError::Unreadable), or if the
    /// journal is of a newer version.
    pub fn status(store: &IdentityStore) -> Result<Option<MigrationStatus>, Error> {
        Ok(store.journal()?.map(|journal| MigrationStatus::of(store, journal)))
    }

    /// **Blocks** on files. The same; or, where the journal is lost or cannot be read, what
    /// [the files tell](Self::lost_journal).
    ///
    /// # Errors
    ///
    /// If the journal is of a newer version, or the files do not tell.
    pub fn status_by_all(
        store: &IdentityStore,
        config: &Path,
    ) -> Result<Option<MigrationStatus>, Error> {
        match Self::status(store) {
            Ok(Some(status)) => Ok(Some(status)),
            Ok(None) => Self::lost_journal(store, config),
            Err(unreadable) => match Self::lost_journal(store, config)? {
                Some(told) => Ok(Some(told)),
                None => Err(unreadable),
            },
        }
    }
}
