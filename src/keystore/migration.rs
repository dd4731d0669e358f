//! The journal of a move to another backend, and the one step of it that the files of an
//! identity must complete by themselves: the switch.
//!
//! `migration.json` is there from before anything is made until the old identity is
//! removed, or the move is undone. It holds no secret, and names no object but the old key,
//! which the end destroys or names: those that are made are in the `unfinished.json` of the
//! new identity's directory, which stays as long as the journal does.
//!
//! | directory | holds |
//! |---|---|
//! | the home | the identity in use |
//! | `migration/` | the new identity, until it is in use; then what undoes the move |
//! | `previous/` | the old identity, from then on |
//!
//! The configuration decides which of both is in use. It is replaced in one step, when all
//! else of the switch is renames: whoever finds it naming the one, and the files of the
//! other in the home, does these renames. So at each moment one identity opens.

mod ready;
mod switch;

use std::path::PathBuf;

pub(crate) use self::switch::{check_did, check_side};
use super::header::Header;
use super::identity::IdentityStore;
use super::journal::{self, During, Journal, MigrationPart, MigrationState, TokenKey};
use super::located::Located;
use crate::backend::{BackendKind, Credentials, ObjectNames};
use crate::config::{Config, ConfigError};
use crate::did::Did;
use crate::error::{Error, KeystoreError, MigrationError};
use crate::file::{self, Lock, names};

/// What is signed to prove a key, for nobody else.
pub(crate) const PROOF_CONTEXT: &str = "migration@icn-identity.invalid";

impl Located<'_> {
    /// **Blocks** on device, scrypt and files. Opens the identity and signs with it, and keeps
    /// the lock of its files: what is removed next relies on it.
    pub(crate) fn prove(self, credentials: &Credentials) -> Result<Lock, Error> {
        let session = self.session(credentials)?;
        let message = session.bundle.certificate_der().to_vec();
        let signature = session.bundle.sign_for(PROOF_CONTEXT, &message)?;
        session.header.did().verifying_key().verify_for(PROOF_CONTEXT, &message, &signature)?;
        Ok(session.lock)
    }
}

impl IdentityStore {
    /// **Blocks** on files. Held for all the steps of a migration.
    pub(crate) fn migration_lock(&self) -> Result<Lock, KeystoreError> {
        file::private_dir(self.home())?;
        Lock::of_migration(self.home())
    }

    /// What a migration is to make, as it was written down in the new identity's own home.
    pub(crate) fn staged_config(&self) -> Result<Option<Config>, ConfigError> {
        let text = Config::read(&self.staging().home().join(names::CONFIG))?;
        text.map(|text| Config::parse(&text)).transpose()
    }

    /// The new identity, while this one is being moved.
    pub(crate) fn staging(&self) -> Self {
        self.beside(names::STAGING).of_migration(true)
    }

    /// The old identity, after the switch.
    pub(crate) fn old(&self) -> Self {
        self.beside(names::OLD)
    }

    /// The lock of its files, if there is a directory that has them.
    pub(crate) fn lock_if_there(&self) -> Result<Option<Lock>, KeystoreError> {
        if file::is_there(self.home())? { self.lock().map(Some) } else { Ok(None) }
    }

    fn beside(&self, directory: &str) -> Self {
        Self { home: self.home.join(directory), ..self.clone() }
    }

    /// Whether this is the new identity of a migration: the note of what its making may
    /// have left stays as long as that can be undone.
    pub(super) fn is_staged(&self) -> bool {
        let journal = self.home().parent().map(|home| home.join(names::MIGRATION));
        self.home().file_name().is_some_and(|name| name == names::STAGING)
            && journal.is_some_and(|path| file::is_there(&path).unwrap_or(true))
    }

    /// What is about to be made of this new identity on a token, or was removed there again: also in
    /// the journal, which then still tells of it where the note is lost. Later the journal has what
    /// the header says. Only the migration, which makes and removes it, writes that at the time.
    pub(super) fn note_in_journal(&self, names: Option<&ObjectNames>) -> Result<(), KeystoreError> {
        let Some(home) = self.home().parent() else { return Ok(()) };
        let Some(mut journal) = journal::read(home)? else { return Ok(()) };
        let noted = names.map(TokenKey::noted);
        if journal.to.did.is_some() || journal.new_key == noted {
            return Ok(());
        }
        journal.new_key = noted;
        journal::put(home, &journal)
    }

    /// That the identity is not being moved, or that this may be done all the same.
    pub(crate) fn check_unmoved(&self, allowed: During) -> Result<(), KeystoreError> {
        self.check_not_staged()?;
        journal::check_unmoved(self.home(), allowed)
    }

    /// That this is neither the old identity of a migration that is under way nor the new one.
    pub(crate) fn check_not_kept(&self) -> Result<(), KeystoreError> {
        self.check_not_staged()?;
        journal::check_not_kept(self.home())
    }

    /// That this is not the new identity of a migration that is under way, unless it is opened
    /// for a step of that.
    pub(super) fn check_not_staged(&self) -> Result<(), KeystoreError> {
        if self.of_migration { Ok(()) } else { journal::check_not_staged(self.home()) }
    }

    /// The identity whose migration this one is a part of, and as which.
    pub(crate) fn moved_identity(&self) -> Option<(Self, MigrationPart)> {
        let part = |name, part| Some((journal::home_around(self.home(), name)?, part));
        let (home, part) = part(names::OLD, MigrationPart::Old)
            .or_else(|| part(names::STAGING, MigrationPart::New))?;
        Some((Self { home, of_migration: false, ..self.clone() }, part))
    }

    pub(crate) fn journal_path(&self) -> PathBuf {
        journal::path(self.home())
    }

    /// What is written down of a migration of this identity, if one is under way.
    pub(crate) fn journal(&self) -> Result<Option<Journal>, KeystoreError> {
        journal::read(self.home())
    }

    /// Durably, before the step that it announces, or after the one that it reports.
    pub(crate) fn write_journal(&self, journal: &Journal) -> Result<(), KeystoreError> {
        let _lock = self.lock()?;
        journal::put(self.home(), journal)
    }

    /// The same, under the lock that is held.
    pub(crate) fn put_journal(&self, journal: &Journal) -> Result<(), KeystoreError> {
        journal::put(self.home(), journal)
    }

    /// One that cannot be read stays beside the one that takes its place.
    pub(crate) fn put_journal_aside(&self) -> Result<(), KeystoreError> {
        let path = self.journal_path();
        let Some(bytes) = file::read_private(&path)? else { return Ok(()) };
        file::rename(&path, &self.aside(names::MIGRATION, &bytes))
    }

    /// That the identity that is being moved is there, as long as it is in use.
    pub(crate) fn check_old_is_whole(&self, journal: &Journal) -> Result<(), KeystoreError> {
        journal::check_old_is_whole(self.home(), journal)
    }

    /// **Blocks** on files. Whether this identity has handed over to `did` in a migration that has
    /// not put that in use: nobody follows to it yet.
    #[must_use]
    pub fn hands_over_in_move(&self, did: &Did) -> bool {
        self.journal().ok().flatten().is_some_and(|journal| {
            let is_before = journal.state < MigrationState::Switching
                || (journal.state == MigrationState::RollingBack && !journal.was_in_use);
            is_before && journal.to.did.as_ref() == Some(did)
        })
    }

    /// The header, also where the payload is not beside it.
    pub(crate) fn header_alone(&self) -> Result<Option<Header>, KeystoreError> {
        Ok(self.read_header_at(&self.header_path())?.map(|(header, _)| header))
    }

    /// Whether both files of an identity are there.
    pub(crate) fn is_whole(&self) -> Result<bool, KeystoreError> {
        Ok(file::is_there(&self.header_path())? && file::is_there(&self.payload_path())?)
    }

    /// Whether the note of what its making may have left is of this header.
    pub(crate) fn began(&self, header: &Header) -> Result<bool, KeystoreError> {
        Ok(self.read_unfinished()?.began(header))
    }

    /// The migration is over. Under the lock that is held, or in nobody's way.
    pub(crate) fn remove_journal(&self) -> Result<(), KeystoreError> {
        file::remove(&self.journal_path())
    }

    /// **Blocks** on files. Completes a switch from one identity to another that was cut
    /// off, if the configuration names the other one. Everything that opens the identity
    /// does so.
    ///
    /// # Errors
    ///
    /// [`MigrationError::NotCompleted`], on a disk that is read-only. A journal that cannot be
    /// read is no error here, but for one of a newer version.
    #[doc(hidden)]
    pub fn settle_switch(
        &self,
        backend: BackendKind,
        pinned: Option<&Did>,
    ) -> Result<(), KeystoreError> {
        let is_cut_off = |journal: &Journal| {
            let state = journal.state;
            [MigrationState::Switching, MigrationState::Returning].contains(&state)
        };
        let journal = match self.journal() {
            // As if it were lost: what is there opens, and nothing is moved.
            Err(KeystoreError::Migration(error))
                if matches!(*error, MigrationError::Unreadable { .. }) =>
            {
                log::warn!("{error}; what is there is opened as it is");
                return Ok(());
            }
            journal => journal?,
        };
        if journal.as_ref().is_none_or(|journal| !is_cut_off(journal)) {
            return Ok(());
        }
        let settle = || {
            let _lock = self.lock()?;
            // Its own process may have done it meanwhile.
            match self.journal()?.filter(is_cut_off) {
                Some(journal) if self.is_decided(&journal, backend, pinned)? => {
                    self.complete(journal).map(drop)
                }
                _ => Ok(()),
            }
        };
        settle().map_err(|error| match error {
            KeystoreError::Migration(_) | KeystoreError::InUse { .. } => error,
            error => {
                let (home, source) = (self.home().to_owned(), error.into());
                MigrationError::NotCompleted { home, source }.into()
            }
        })
    }
}
