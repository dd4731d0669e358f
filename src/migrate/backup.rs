//! The backup of the old identity: made or opened first, and looked at again before the steps
//! after which it is wanted.

use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use super::Migration;
use super::operator::Operator;
use super::request::{BackupFirst, MigrationRequest};
use crate::encoding::hex;
use crate::error::{Error, MigrationError};
use crate::file;
use crate::home::Home;
use crate::keystore::backup::{Backup, BackupRequest};
use crate::keystore::{BackupAsked, Journal, JournalBackup};

/// What is known of the backup that was made before the migration, when the old identity is
/// removed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum BackupAtEnd {
    /// It is where it was made, if one was made.
    #[default]
    Intact,
    /// It is in another place, where it is looked at.
    At(PathBuf),
    /// There is none any more, or none that could be looked at: somebody has said so.
    None,
}

/// How a backup is, that was made or opened before.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Found {
    Intact,
    Missing,
    Changed,
}

/// More than a backup can be.
const MAX_LEN: u64 = 8 * 1024 * 1024;

fn sha256(bytes: &[u8]) -> String {
    hex::encode(&Sha256::digest(bytes))
}

/// A backup at this place, by the digest that is written down.
fn look(backup: &JournalBackup, at: &Path) -> Result<Found, Error> {
    if !file::is_there(at)? {
        return Ok(Found::Missing);
    }
    Ok(match file::read_foreign(at, MAX_LEN) {
        Ok(now) if sha256(&now) == backup.sha256 => Found::Intact,
        // Not a file, longer than any backup, or one that nobody can read.
        Ok(_) | Err(_) => Found::Changed,
    })
}

fn lost(backup: &JournalBackup, at: &Path, at_the_end: bool) -> Result<(), Error> {
    let missing = match look(backup, at)? {
        Found::Intact => return Ok(()),
        found => found == Found::Missing,
    };
    Err(MigrationError::BackupLost { file: at.to_owned(), missing, at_the_end }.into())
}

/// Writes down what is said, so that nobody has to say it once more.
pub(super) fn note(journal: &mut Journal, said: &BackupFirst) {
    let mut asked = BackupAsked::default();
    match said {
        BackupFirst::Unsaid => return,
        BackupFirst::None => {}
        BackupFirst::Opened(backup) => {
            journal.backup = opened(backup);
            asked.opened = true;
        }
        BackupFirst::Make { request, output } => {
            asked.file = Some(absolute(output));
            asked.recipients = request.recipients().iter().map(ToString::to_string).collect();
        }
    }
    journal.backup_asked = Some(asked);
}

fn opened(backup: &Backup) -> Option<JournalBackup> {
    let (file, sha256) = backup.file()?;
    Some(JournalBackup { file: absolute(file), sha256: hex::encode(sha256) })
}

/// Before anybody is asked for a secret: whether the backup that is asked for is there. If
/// not, nothing else is.
pub(super) fn is_made(home: &Home, journal: &Journal, output: &Path) -> Result<bool, Error> {
    if let Some(backup) = journal.backup.as_ref().filter(|backup| backup.file == absolute(output))
        && look(backup, output)? == Found::Intact
    {
        return Ok(true);
    }
    Migration::check_backup_output(home.store(), output)?;
    Ok(false)
}

/// Does what is asked for, where it is not done. The journal is the caller's to write.
pub(super) fn see_to(
    home: &Home,
    said: &BackupFirst,
    operator: &mut dyn Operator,
    mut journal: Journal,
) -> Result<Journal, Error> {
    match said {
        BackupFirst::Make { request, output } => match is_made(home, &journal, output)? {
            true => Ok(journal),
            false => write(home, operator, journal, request, output),
        },
        BackupFirst::Unsaid => Ok(journal),
        BackupFirst::Opened(backup) => {
            // Whichever step it is taken at.
            if let Some(did) = &journal.from.did {
                backup.is_of(did)?;
            }
            journal.backup = opened(backup);
            Ok(journal)
        }
        BackupFirst::None => {
            journal.backup = None;
            Ok(journal)
        }
    }
}

/// Before the switch: the backup is what it was; or another one is made or named, or there is
/// to be none, as is asked for now.
pub(super) fn check_before_switch(
    home: &Home,
    request: &MigrationRequest,
    operator: &mut dyn Operator,
    journal: Journal,
) -> Result<Journal, Error> {
    let Some(backup) = &journal.backup else { return Ok(journal) };
    let found = look(backup, &backup.file)?;
    let is_asked_again = match &request.backup {
        BackupFirst::Unsaid => false,
        // Nothing is written over what is there now.
        BackupFirst::Make { output, .. } => {
            absolute(output) != backup.file || found == Found::Missing
        }
        BackupFirst::Opened(_) | BackupFirst::None => true,
    };
    match (found, is_asked_again) {
        (Found::Intact, _) => Ok(journal),
        (_, false) => lost(backup, &backup.file.clone(), false).map(|()| journal),
        (_, true) => {
            log::warn!("the backup {} is not what it was", backup.file.display());
            let journal = see_to(home, &request.backup, operator, journal)?;
            home.store().write_journal(&journal)?;
            Ok(journal)
        }
    }
}

/// Before the old identity is removed.
pub(super) fn check_at_end(journal: &Journal, said: &BackupAtEnd) -> Result<(), Error> {
    match (&journal.backup, said) {
        (None, _) | (_, BackupAtEnd::None) => Ok(()),
        (Some(backup), BackupAtEnd::Intact) => lost(backup, &backup.file, true),
        (Some(backup), BackupAtEnd::At(file)) => lost(backup, file, true),
    }
}

fn absolute(file: &Path) -> PathBuf {
    std::path::absolute(file).unwrap_or_else(|_| file.to_owned())
}

fn write(
    home: &Home,
    operator: &mut dyn Operator,
    mut journal: Journal,
    request: &BackupRequest,
    output: &Path,
) -> Result<Journal, Error> {
    let identity = home.locate()?;
    let source = operator.old_credential(&identity.wants());
    let made = identity.ask(source)?.backup(request)?;
    // Which file is ours, before it is there.
    journal.backup = Some(JournalBackup { file: absolute(output), sha256: sha256(&made.file) });
    home.store().write_journal(&journal)?;
    made.write(output)?;
    Ok(journal)
}
