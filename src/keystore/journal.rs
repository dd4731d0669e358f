//! How far a migration is, written down.

mod asked;
mod began;
mod state;
mod token_key;

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

pub(crate) use self::asked::BackupAsked;
pub(crate) use self::began::BegunIn;
pub use self::state::{MigrationMode, MigrationPart, MigrationState};
pub(crate) use self::token_key::TokenKey;
use crate::algorithm::AlgorithmId;
use crate::backend::BackendKind;
use crate::config::Config;
use crate::did::Did;
use crate::encoding::objects;
use crate::error::{FormatError, KeystoreError, MigrationError};
use crate::file::{self, names};
use crate::rotation::KeyCommitment;

const FORMAT: &str = "icn-identity-migration";
const VERSION: u64 = 1;

/// One of the two identities.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Side {
    pub(crate) backend: BackendKind,
    /// Of the new one, once it is made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) did: Option<Did>,
}

impl Side {
    /// Whether a configuration is of its backend, and names its device.
    pub(crate) fn is_reached_by(&self, config: &Config) -> bool {
        let identity = &config.identity;
        identity.backend == self.backend
            && (self.backend != BackendKind::Pkcs11 || identity.pkcs11.is_some())
    }
}

/// The backup that was made first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Backup {
    pub(crate) file: PathBuf,
    /// Of the file, in hex.
    pub(crate) sha256: String,
}

/// What is written down of a migration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Journal {
    format: String,
    version: u64,
    pub(crate) mode: MigrationMode,
    pub(crate) state: MigrationState,
    /// Unix time.
    pub(crate) begun: u64,
    pub(crate) from: Side,
    pub(crate) to: Side,
    /// The directory that it was begun in: a copy of that has the same journal.
    pub(crate) begun_in: BegunIn,
    /// Of the old identity, if it is on a token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) old_key: Option<TokenKey>,
    /// Of the new one, if it is on a token: from before it is made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) new_key: Option<TokenKey>,
    /// Labels that its token had before: it was renamed since the move was begun.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) new_token_before: Vec<String>,
    /// By which its token is reached.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) new_module: Option<PathBuf>,
    /// Of a key that may have been begun: it is written again what was to be made, and no note tells
    /// whether it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) may_be: Option<TokenKey>,
    /// Of the new key.
    pub(crate) algorithm: AlgorithmId,
    /// The new identity has a `did:key`, whatever its key.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) did_key: bool,
    /// The configuration, from the home on: which one is changed is the caller's to say, and
    /// has to be this one.
    pub(crate) config: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) backup: Option<Backup>,
    /// What was said of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) backup_asked: Option<BackupAsked>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) commit_next: Option<KeyCommitment>,
    /// A second statement is asked for.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) again: bool,
    /// The chain by which the old identity had handed over before, to another successor: JSON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) handed_over_before: Option<String>,
    /// The old key could not sign any more, so there is no statement.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) unstated: bool,
    /// There is a statement, and the old identity did not open any more to give its decryption
    /// key along.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) not_carried: bool,
    /// The files of the new identity, when they were proved; for a rotation, when they had the
    /// statement.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) proved: Option<String>,
    /// The new identity was in use: its statement may have been given to others.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) was_in_use: bool,
    /// A rollback has removed the new key from its token.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) key_removed: bool,
}

/// The fields that are read before all others.
#[derive(Deserialize)]
struct Version {
    format: String,
    version: u64,
}

impl Journal {
    /// Of a migration that begins.
    pub(crate) fn new(
        mode: MigrationMode,
        from: Side,
        to: BackendKind,
        config: String,
        (begun, begun_in): (u64, BegunIn),
    ) -> Self {
        let (algorithm, did_key) = (AlgorithmId::Ed25519, false);
        Self {
            format: FORMAT.into(),
            version: VERSION,
            mode,
            state: MigrationState::Planned,
            begun,
            from,
            to: Side { backend: to, did: None },
            begun_in,
            old_key: None,
            new_key: None,
            new_token_before: Vec::new(),
            new_module: None,
            may_be: None,
            algorithm,
            did_key,
            config,
            backup: None,
            backup_asked: None,
            commit_next: None,
            again: false,
            handed_over_before: None,
            unstated: false,
            not_carried: false,
            proved: None,
            was_in_use: false,
            key_removed: false,
        }
    }

    /// Whether this is the journal of the directory that it is found in, and not of one of which
    /// that is a copy: there the same key may be in use.
    pub(crate) fn is_of(&self, home: &Path) -> Result<bool, KeystoreError> {
        self.begun_in.is(home)
    }

    /// Whether both say so, the path and the inode: one of them alone may be of a copy that was put
    /// in the place of the other.
    pub(crate) fn is_surely_of(&self, home: &Path) -> Result<bool, KeystoreError> {
        self.begun_in.is_surely(home)
    }

    /// The same in another state.
    pub(super) fn with_state(&self, state: MigrationState) -> Self {
        Self { state, ..self.clone() }
    }

    /// For whoever would change the identity meanwhile.
    pub(crate) fn under_way(&self, home: &Path) -> MigrationError {
        MigrationError::UnderWay {
            home: home.to_owned(),
            to: self.to.backend,
            state: self.state.as_str(),
            ways: self.state.ways_out(),
        }
    }

    /// That a configuration is the one that the move has begun with: whatever is done by
    /// another one leaves both half changed.
    pub(crate) fn check_config(&self, home: &Path, found: &Path) -> Result<(), MigrationError> {
        let expected = home.join(&self.config);
        let is_same = absolute(&expected) == absolute(found)
            // By another way, or a name that is no text.
            || expected.display().to_string() == found.display().to_string()
            || matches!(
                (expected.canonicalize(), found.canonicalize()),
                (Ok(expected), Ok(found)) if expected == found
            );
        match is_same {
            true => Ok(()),
            false => Err(MigrationError::OtherConfig { expected, found: found.to_owned() }),
        }
    }

    /// The configuration, as it is written down: one that is in the home moves with it.
    pub(crate) fn name_of_config(home: &Path, config: &Path) -> String {
        match config == home.join(names::CONFIG) {
            true => names::CONFIG.to_owned(),
            false => absolute(config).display().to_string(),
        }
    }

    /// For files that are not what this says.
    pub(crate) fn disagrees(&self, home: &Path) -> MigrationError {
        MigrationError::Disagrees { home: home.to_owned(), state: self.state.as_str() }
    }

    pub(super) fn parse(bytes: &[u8], path: &Path) -> Result<Self, KeystoreError> {
        let unreadable = |source: Box<dyn std::error::Error + Send + Sync>| {
            KeystoreError::from(MigrationError::Unreadable { path: path.to_owned(), source })
        };
        let Version { format, version: found } =
            objects::from_slice(bytes).map_err(|error| unreadable(error.into()))?;
        if format != FORMAT {
            return Err(unreadable(format!("its format is {format:?}, not {FORMAT:?}").into()));
        }
        if found != VERSION {
            let what = names::MIGRATION;
            return Err(FormatError::Newer { what, found, known: VERSION }.into());
        }
        objects::from_slice(bytes).map_err(|error| unreadable(error.into()))
    }
}

fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

/// Where it is, beside an identity.
pub(crate) fn path(home: &Path) -> PathBuf {
    home.join(names::MIGRATION)
}

/// What is written down of a migration of the identity in a directory, if one is under way.
pub(crate) fn read(home: &Path) -> Result<Option<Journal>, KeystoreError> {
    let path = path(home);
    let Some(bytes) = file::read_private(&path)? else { return Ok(None) };
    Journal::parse(&bytes, &path).map(Some)
}

/// Writes it down, under the lock of the directory.
pub(super) fn put(home: &Path, journal: &Journal) -> Result<(), KeystoreError> {
    let path = path(home);
    let json = serde_json::to_vec_pretty(journal).map_err(|source| MigrationError::Unreadable {
        path: path.clone(),
        source: source.into(),
    })?;
    file::write(&path, &json)
}

/// What changes an identity while it is being moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum During {
    /// What may be urgent in the weeks that peers take to follow: a new certificate, other
    /// PCR values, another token. The new identity is in use then, and it concerns no other.
    Switched,
    /// Nothing of it.
    Nothing,
}

/// That the identity in a directory is not being moved, or that this may be done all the
/// same.
pub(crate) fn check_unmoved(home: &Path, allowed: During) -> Result<(), KeystoreError> {
    if allowed == During::Nothing {
        check_not_kept(home)?;
    }
    let Some(journal) = read(home)? else {
        return if allowed == During::Nothing { check_not_lost(home, false) } else { Ok(()) };
    };
    if journal.state == MigrationState::Switched && allowed == During::Switched {
        return Ok(());
    }
    check_old_is_whole(home, &journal)?;
    Err(journal.under_way(home).into())
}

/// That the identity that is being moved is there as long as it is in use: put back it is from
/// beside, as nothing is made in the directory of a migration but by that.
pub(crate) fn check_old_is_whole(home: &Path, journal: &Journal) -> Result<(), KeystoreError> {
    if journal.state >= MigrationState::Switching && journal.state != MigrationState::RollingBack {
        return Ok(());
    }
    for name in [names::HEADER, names::PAYLOAD] {
        let missing = home.join(name);
        if !file::is_there(&missing)? {
            let Side { backend, did } = journal.from.clone();
            return Err(MigrationError::NotWhole { missing, did, backend }.into());
        }
    }
    Ok(())
}

/// That a directory is not the one in which a migration keeps the old identity whole. What
/// would change that one, or move it on, is refused in the name of the migration.
pub(crate) fn check_not_kept(home: &Path) -> Result<(), KeystoreError> {
    let Some(moved) = home_around(home, names::OLD) else { return Ok(()) };
    match read(&moved)? {
        Some(journal) => Err(journal.under_way(&moved).into()),
        None => check_not_lost(&moved, true),
    }
}

/// That no move is under way whose journal is lost: the note of the making of the new identity
/// stays as long as that can be undone.
fn check_not_lost(home: &Path, from_old: bool) -> Result<(), KeystoreError> {
    if !file::is_there(&home.join(names::STAGING).join(names::UNFINISHED))? {
        return Ok(());
    }
    // One that has begun meanwhile has written it before that.
    Err(match read(home)? {
        Some(journal) => journal.under_way(home).into(),
        None => MigrationError::JournalLost { home: home.to_owned(), from_old }.into(),
    })
}

/// That a directory is not the one in which a migration makes the new identity: that one does
/// nothing before it is in use.
pub(crate) fn check_not_staged(home: &Path) -> Result<(), KeystoreError> {
    let Some(moved) = home_around(home, names::STAGING) else { return Ok(()) };
    let Some(journal) = read(&moved)? else { return Ok(()) };
    Err(MigrationError::NotInUse {
        directory: home.to_owned(),
        home: moved,
        to: journal.to.backend,
        state: journal.state.as_str(),
        ways: journal.state.ways_out(),
    }
    .into())
}

/// The home that a directory of this name is in: by where it is, whatever it is called (`.`, or
/// a link to it).
pub(in crate::keystore) fn home_around(directory: &Path, name: &str) -> Option<PathBuf> {
    let real = directory.canonicalize().or_else(|_| std::path::absolute(directory)).ok()?;
    let is_named_so = real.file_name().is_some_and(|found| found == name);
    real.parent().filter(|_| is_named_so).map(Path::to_owned)
}

#[cfg(test)]
mod tests;
