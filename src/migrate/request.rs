//! What is asked of a migration.

use std::path::PathBuf;

use crate::backend::{BackendKind, NewKey};
use crate::config::Config;
use crate::did::DidMethod;
use crate::error::{BackupError, Error, MigrationError};
use crate::home::Home;
use crate::keystore::backup::{Backup, BackupRequest};
use crate::keystore::{BackupAsked, Journal, MigrationMode, MigrationState};
use crate::rotation::KeyCommitment;

/// What is done for the case that both are lost.
#[derive(Debug)]
#[non_exhaustive]
pub enum BackupFirst {
    /// A backup of the old identity is made.
    Make {
        /// Whom it is for.
        request: BackupRequest,
        /// Where it is written; never over another file.
        output: PathBuf,
    },
    /// There is one, which was opened: it has to be of this identity.
    Opened(Box<Backup>),
    /// None: somebody has said so.
    None,
    /// Nobody has said what. Enough for a plan, and to go on once the old identity is backed
    /// up.
    Unsaid,
}

impl BackupFirst {
    /// What was said of it when a migration was begun.
    pub(super) fn said(journal: &Journal) -> Result<Self, Error> {
        Ok(match &journal.backup_asked {
            Some(BackupAsked { file: Some(file), recipients, .. }) => {
                let recipients: Result<Vec<_>, BackupError> =
                    recipients.iter().map(|recipient| recipient.parse()).collect();
                let request = BackupRequest::new(recipients?)?;
                Self::Make { request, output: file.clone() }
            }
            Some(BackupAsked { opened: false, .. }) => Self::None,
            Some(_) | None => Self::Unsaid,
        })
    }
}

/// Where an identity is moved to, and how.
#[derive(Debug)]
#[must_use]
pub struct MigrationRequest {
    pub(super) to: Config,
    pub(super) mode: MigrationMode,
    pub(super) key: NewKey,
    pub(super) backup: BackupFirst,
    pub(super) commit_next: Option<KeyCommitment>,
    pub(super) again: bool,
    pub(super) unstated: bool,
}

impl MigrationRequest {
    /// To the backend that is configured so, with a new Ed25519 key.
    pub fn new(to: Config, mode: MigrationMode, backup: BackupFirst) -> Self {
        let key = NewKey::default();
        Self { to, mode, key, backup, commit_next: None, again: false, unstated: false }
    }

    /// **Blocks** on files. What is asked of the migration that is under way: to go on with
    /// it. What was said of a backup when it was begun holds, unless it is
    /// [said otherwise](Self::with_backup).
    ///
    /// # Errors
    ///
    /// [`MigrationError::NotUnderWay`], also if it was cut off before it was written down
    /// where the identity is moved to; [`MigrationError::Disagrees`] if that is gone.
    pub fn going_on(home: &Home) -> Result<Self, Error> {
        let store = home.store();
        let journal = store.journal()?;
        let to = match &journal {
            // It is in use, by the configuration that is.
            Some(journal)
                if journal.state == MigrationState::Switched
                    && journal.to.is_reached_by(home.config()) =>
            {
                Some(home.config().clone())
            }
            _ => store.staged_config()?,
        };
        let (journal, to) = match (journal, to) {
            (Some(journal), Some(to)) => (journal, to),
            // It was made, and what that says is gone.
            (Some(journal), None) if journal.state >= MigrationState::Made => {
                return Err(journal.disagrees(home.directory()).into());
            }
            _ => {
                let home = home.directory().to_owned();
                return Err(MigrationError::NotUnderWay { home }.into());
            }
        };
        let method = if journal.did_key { DidMethod::Key } else { DidMethod::Icn };
        let key = NewKey::new(method).with_algorithm(journal.algorithm);
        // Later it is done, and only looked at.
        let backup = match journal.state {
            MigrationState::Planned => BackupFirst::said(&journal)?,
            _ => BackupFirst::Unsaid,
        };
        let (mode, again) = (journal.mode, journal.again);
        let commit_next = journal.commit_next;
        Ok(Self { to, mode, key, backup, commit_next, again, unstated: false })
    }

    /// With another backup first.
    pub fn with_backup(mut self, backup: BackupFirst) -> Self {
        self.backup = backup;
        self
    }

    /// The new key is of another algorithm, or has another name.
    pub fn with_key(mut self, key: NewKey) -> Self {
        self.key = key;
        self
    }

    /// The statement commits to the key that comes after the new one.
    pub const fn commit_to(mut self, next: KeyCommitment) -> Self {
        self.commit_next = Some(next);
        self
    }

    /// A statement is made although the old key has made one for another successor, which
    /// was never given to anybody: see [`Earlier::NeverGivenOut`].
    ///
    /// [`Earlier::NeverGivenOut`]: crate::keystore::Earlier::NeverGivenOut
    pub const fn although_handed_over(mut self) -> Self {
        self.again = true;
        self
    }

    /// Where the old key cannot sign any more, as its device is gone or its files are damaged, the
    /// migration goes on without the statement: peers cannot follow to the new DID, and have to
    /// be told of it. Where it can, it makes the statement all the same.
    pub const fn although_unstated(mut self) -> Self {
        self.unstated = true;
        self
    }

    /// The backend that the identity is moved to.
    #[must_use]
    pub const fn to(&self) -> BackendKind {
        self.to.identity.backend
    }
}
