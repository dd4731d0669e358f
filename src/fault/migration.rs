//! What can go wrong with the move of an identity to another backend.

mod help;
mod ways;

use std::error::Error as StdError;
use std::path::PathBuf;

pub use self::ways::{NotReady, WaysOut};
use crate::did::Did;
use crate::kind::{ErrorKind, explain};
use crate::locator::BackendKind;

explain!(MigrationError);

/// Why an identity was not moved to another backend, or not changed since it is being moved.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MigrationError {
    /// The identity is being moved, and nothing else changes it meanwhile.
    #[error("the identity in {} is being moved to {to} (state: {state})", home.display())]
    UnderWay {
        /// The directory.
        home: PathBuf,
        /// To which backend.
        to: BackendKind,
        /// How far it is.
        state: &'static str,
        /// What can be done with it.
        ways: WaysOut,
    },
    /// The new identity of a migration, which does nothing before it is in use; or what is left
    /// in its directory.
    #[error(
        "{} belongs to the move of the identity in {} to {to} (state: {state}): what is in it is \
         not in use", directory.display(), home.display()
    )]
    NotInUse {
        /// Where it is.
        directory: PathBuf,
        /// The directory of the identity that is being moved.
        home: PathBuf,
        /// To which backend.
        to: BackendKind,
        /// How far it is.
        state: &'static str,
        /// What can be done with the migration.
        ways: WaysOut,
    },
    /// There is no migration under way that could be gone on with, ended or undone.
    #[error("no migration of the identity in {} is under way", home.display())]
    NotUnderWay {
        /// The directory.
        home: PathBuf,
    },
    /// Something else is asked for than what is under way.
    #[error("a migration is under way with {what} {found}, and {asked} is asked for")]
    Other {
        /// Which part of it.
        what: &'static str,
        /// What is under way.
        found: String,
        /// What is asked for.
        asked: String,
        /// What can be done with it.
        ways: WaysOut,
    },
    /// It is being undone, and cannot be gone on with.
    #[error("the migration of the identity in {} is being rolled back", home.display())]
    RollingBack {
        /// The directory.
        home: PathBuf,
    },
    /// The old identity is being removed, and there is no way back.
    #[error("the migration of the identity in {} is being finished", home.display())]
    Finishing {
        /// The directory.
        home: PathBuf,
    },
    /// The new identity is not in use yet: the old one cannot be removed.
    #[error("the identity in {} was not switched to its new key yet (state: {state})", home.display())]
    NotSwitched {
        /// The directory.
        home: PathBuf,
        /// How far it is.
        state: &'static str,
        /// What can be done with it.
        ways: WaysOut,
    },
    /// The configuration is another file than the one that the move has begun with, and
    /// changes.
    #[error(
        "the migration is of the configuration {}, and {} was given",
        expected.display(),
        found.display()
    )]
    OtherConfig {
        /// The file that the journal names.
        expected: PathBuf,
        /// The file that was given.
        found: PathBuf,
    },
    /// The backup of the old identity that was made or opened first is not there any more,
    /// or is another file now.
    #[error(
        "the backup of the old identity, {}, {}",
        file.display(),
        if *missing { "is not there any more" } else { "is not the file that it was" }
    )]
    BackupLost {
        /// Where it was.
        file: PathBuf,
        /// It is not there; otherwise something else is.
        missing: bool,
        /// The old identity was about to be removed; otherwise it is still in use.
        at_the_end: bool,
    },
    /// The identity that is being moved has lost a file, and is still the one in use.
    #[error("{} is not there: the identity that is being moved is not whole", missing.display())]
    NotWhole {
        /// The file.
        missing: PathBuf,
        /// Whose it is.
        did: Option<Did>,
        /// Where its key is.
        backend: BackendKind,
    },
    /// The old identity was kept whole, and is not there any more, or only in part.
    #[error(
        "the old identity is not whole in {} any more{}",
        previous.display(),
        of_old_key(key.as_deref(), *at_the_end)
    )]
    OldLost {
        /// Where it was kept.
        previous: PathBuf,
        /// Where its key may still be, as far as that is known: on a token.
        key: Option<String>,
        /// The migration was about to be ended; otherwise undone.
        at_the_end: bool,
    },
    /// The new identity is to be undone, and is not there any more: nothing is left by which its
    /// key could be removed from its token.
    #[error(
        "the new identity is not whole in {} any more, and its key may still be on its token{}",
        staging.display(),
        key.as_ref().map(|key| format!(": {key}")).unwrap_or_default()
    )]
    NewLost {
        /// Where it was.
        staging: PathBuf,
        /// Where its key may still be, as far as that is known.
        key: Option<String>,
    },
    /// The directory is a copy of the one in which the migration was begun: the key that is to
    /// be destroyed on its token may be the one that is in use there.
    #[error(
        "{} is a copy of the directory in which this migration was begun, {}: there the key of the \
         {} identity may be in use, which is at {key}", home.display(), of.display(),
        if *is_new { "new" } else { "old" }
    )]
    Copy {
        /// This directory.
        home: PathBuf,
        /// The one in which it was begun.
        of: PathBuf,
        /// Where the key is.
        key: String,
        /// That of the new identity, which is undone; otherwise the old one, which is removed.
        is_new: bool,
    },
    /// The key that is to be removed from its token cannot be.
    #[error(
        "the key of the {} identity cannot be removed from {key}",
        if *is_new { "new" } else { "old" }
    )]
    KeyStays {
        /// Where it is: the token, and what to look for there.
        key: String,
        /// That of the new identity, which is undone; otherwise the old one, which is removed.
        is_new: bool,
        /// What the cause means for the program.
        kind: ErrorKind,
        /// Why.
        #[source]
        source: Box<dyn StdError + Send + Sync>,
    },
    /// The identity that is to stay does not open and sign, so nothing of the other one is
    /// removed.
    #[error(
        "the {} identity, in {}, does not open, and it is the one that would stay",
        if *is_new { "new" } else { "old" }, home.display()
    )]
    DoesNotOpen {
        /// Its directory.
        home: PathBuf,
        /// The new identity, and the old one was to be removed; otherwise the old one, and the
        /// new one was to be given up.
        is_new: bool,
        /// What can be done with the migration otherwise.
        ways: WaysOut,
        /// What the cause means for the program.
        kind: ErrorKind,
        /// Why.
        #[source]
        source: Box<dyn StdError + Send + Sync>,
    },
    /// The new identity does not open with its device any more, and is not put in use: the old one
    /// is.
    #[error(
        "the new identity, in {}, does not open, and is not put in use: the old one still is",
        home.display()
    )]
    NewDoesNotOpen {
        /// Its directory.
        home: PathBuf,
        /// What the cause means for the program.
        kind: ErrorKind,
        /// Why.
        #[source]
        source: Box<dyn StdError + Send + Sync>,
    },
    /// The old key cannot sign the statement by which it hands over to the new one.
    #[error(
        "the old identity, in {}, does not open: it cannot hand over to the new one",
        home.display()
    )]
    CannotState {
        /// Its directory.
        home: PathBuf,
        /// The new key is there, and waits for the statement; otherwise none was made.
        is_made: bool,
        /// What the cause means for the program.
        kind: ErrorKind,
        /// Why.
        #[source]
        source: Box<dyn StdError + Send + Sync>,
    },
    /// What is in a directory of the migration is not of it, and is not removed.
    #[error("{} is not what the migration has put there: {found}", path.display())]
    NotOfThis {
        /// The directory.
        path: PathBuf,
        /// What is there.
        found: &'static str,
    },
    /// The journal is lost, and the files tell how far the migration was.
    #[error("the identity in {} was being moved, and the journal is lost", home.display())]
    JournalLost {
        /// The directory.
        home: PathBuf,
        /// It was asked of another directory: the one in it that keeps the old identity.
        from_old: bool,
    },
    /// The journal is lost, and the files do not tell how far the migration was.
    #[error("the files in {} do not tell of a migration: {found}", home.display())]
    NotTold {
        /// The directory.
        home: PathBuf,
        /// What is there.
        found: &'static str,
    },
    /// The journal is lost, the new identity is in use, and nothing is left of the old one.
    #[error(
        "the files in {} do not tell of a migration: the new identity is in use, and nothing tells \
         which the old one was and where its key is", home.display()
    )]
    OldUnknown {
        /// The directory.
        home: PathBuf,
        /// Where what is left of the migration is.
        staging: PathBuf,
    },
    /// A journal is there, and is not written again.
    #[error("{} is there, and says how far a migration is", path.display())]
    JournalThere {
        /// The journal.
        path: PathBuf,
    },
    /// The journal cannot be read.
    #[error("{} cannot be read: it says how far a migration is", path.display())]
    Unreadable {
        /// The journal.
        path: PathBuf,
        /// Why.
        #[source]
        source: Box<dyn StdError + Send + Sync>,
    },
    /// A directory that the migration needs is there, and is not of it.
    #[error("{} is there, and no migration is under way", path.display())]
    InTheWay {
        /// The directory.
        path: PathBuf,
    },
    /// It is not said what is done for the case that both keys are lost.
    #[error("nothing is said of a backup of the old identity")]
    NoBackupSaid,
    /// The backup would be written where the migration has its own files, which it removes.
    #[error("{} is in the place of the migration's own files", file.display())]
    BackupInside {
        /// Where it was to be.
        file: PathBuf,
    },
    /// A key cannot be moved so.
    #[error("a key {from} is not moved {to}: {reason}", from = place(*from), to = into(*to))]
    Impossible {
        /// Where it is.
        from: BackendKind,
        /// Where it is to be.
        to: BackendKind,
        /// Why.
        reason: &'static str,
    },
    /// The identity has committed to its next key, and a key that is born now is another.
    #[error("{did} has committed to the key that comes after it, which a new key is not")]
    Committed {
        /// The identity.
        did: Did,
    },
    /// Another identity is there than the one that the journal names.
    #[error("the migration is of {expected}, and the identity that is there is {found}")]
    OtherIdentity {
        /// The DID of the journal.
        expected: Did,
        /// The DID of the header.
        found: Did,
    },
    /// What is in the directory does not fit its journal: one of both is of another time.
    /// Nothing is removed then.
    #[error("the files in {} are not what the journal there says (state: {state})", home.display())]
    Disagrees {
        /// The directory.
        home: PathBuf,
        /// How far it is by the journal.
        state: &'static str,
    },
    /// A new process could not use the key that is to take over.
    #[error("a new process did not open and use the key of {did}")]
    NotProved {
        /// The new identity.
        did: Did,
        /// Why.
        #[source]
        source: Box<dyn StdError + Send + Sync>,
    },
    /// One identity cannot take the place of the other; the one in use is as it was.
    #[error(
        "the {} identity cannot be put in use: {} {}",
        if *back { "old" } else { "new" },
        path.display(),
        problem.found()
    )]
    NotReady {
        /// The file or directory that was looked at.
        path: PathBuf,
        /// What is wrong with it.
        problem: NotReady,
        /// The migration is being undone; otherwise it is gone on with.
        back: bool,
    },
    /// The files could not be put in the place of the old ones.
    #[error("the switch to the new identity in {} was cut off and cannot be completed now", home.display())]
    NotCompleted {
        /// The directory.
        home: PathBuf,
        /// Why.
        #[source]
        source: Box<dyn StdError + Send + Sync>,
    },
}

/// Nothing is said of it where it is not about to be destroyed.
fn of_old_key(key: Option<&str>, at_the_end: bool) -> String {
    match (key, at_the_end) {
        (_, false) => String::new(),
        (Some(key), true) => format!(": its key may still be there, at {key}"),
        (None, true) => ": its key may still be on its token".to_owned(),
    }
}

const fn place(backend: BackendKind) -> &'static str {
    match backend {
        BackendKind::Age => "in a file",
        BackendKind::Pkcs11 => "in a token",
        BackendKind::Tpm => "in a TPM",
    }
}

const fn into(backend: BackendKind) -> &'static str {
    match backend {
        BackendKind::Age => "into a file",
        BackendKind::Pkcs11 => "into a token",
        BackendKind::Tpm => "into a TPM",
    }
}

impl MigrationError {
    /// What it means for the program.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::UnderWay { .. }
            | Self::NotInUse { .. }
            | Self::RollingBack { .. }
            | Self::Finishing { .. }
            | Self::JournalThere { .. }
            | Self::InTheWay { .. } => ErrorKind::AlreadyExists,
            Self::NotUnderWay { .. } => ErrorKind::NotFound,
            Self::Other { .. }
            | Self::NotSwitched { .. }
            | Self::NoBackupSaid
            | Self::BackupInside { .. }
            | Self::Committed { .. } => ErrorKind::InvalidInput,
            Self::Unreadable { .. }
            | Self::BackupLost { .. }
            | Self::NotWhole { .. }
            | Self::OldLost { .. }
            | Self::NewLost { .. }
            | Self::JournalLost { .. }
            | Self::NotTold { .. }
            | Self::OldUnknown { .. } => ErrorKind::Damaged,
            Self::OtherConfig { .. } => ErrorKind::Configuration,
            Self::KeyStays { kind, .. }
            | Self::DoesNotOpen { kind, .. }
            | Self::NewDoesNotOpen { kind, .. }
            | Self::CannotState { kind, .. } => *kind,
            Self::Impossible { .. } => ErrorKind::Unsupported,
            Self::OtherIdentity { .. }
            | Self::Disagrees { .. }
            | Self::NotOfThis { .. }
            | Self::Copy { .. } => ErrorKind::OtherIdentity,
            Self::NotProved { .. } => ErrorKind::External,
            Self::NotReady { problem, .. } => match problem {
                NotReady::InTheWay => ErrorKind::AlreadyExists,
                NotReady::NoDirectory | NotReady::OtherFileSystem => ErrorKind::Storage,
                NotReady::OtherIdentity => ErrorKind::OtherIdentity,
                NotReady::Missing | NotReady::Changed | NotReady::NotStated => ErrorKind::Damaged,
            },
            Self::NotCompleted { .. } => ErrorKind::Storage,
        }
    }
}
