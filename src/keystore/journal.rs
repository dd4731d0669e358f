//! How far a migration is, written down.

mod asked;
mod old_key;

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

pub(crate) use self::asked::BackupAsked;
pub(crate) use self::old_key::OldKey;
use crate::algorithm::AlgorithmId;
use crate::backend::BackendKind;
use crate::did::Did;
use crate::encoding::{named, objects};
use crate::error::{FormatError, KeystoreError, MigrationError, WaysOut};
use crate::file::{self, names};
use crate::rotation::KeyCommitment;

const FORMAT: &str = "icn-identity-migration";
const VERSION: u64 = 1;

/// How an identity is moved to another backend.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum MigrationMode {
    /// A key is born there, and the old one hands over to it: another DID, which peers
    /// follow, and the provenance that the device's evidence shows.
    #[default]
    Rotate,
    /// The key itself is written into the device: the same DID. Copies of the key may exist,
    /// and its type says so for ever.
    Import,
}

named! {
    /// The name used in files and on the command line: `rotate`, `import`.
    MigrationMode, "a mode of migration": Rotate => "rotate", Import => "import"
}

/// How far a migration is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum MigrationState {
    /// Begun: nothing is made.
    Planned,
    /// The old identity has opened, and its backup is there, if one is wanted.
    BackedUp,
    /// The new identity is whole, in a directory of its own.
    Made,
    /// A new process has opened and used it.
    Proved,
    /// The old key has handed over to it.
    Stated,
    /// It takes the place of the old one, as soon as the configuration names it.
    Switching,
    /// It is in use, and the old one is kept.
    Switched,
    /// The old one takes its place again, as soon as the configuration names it.
    Returning,
    /// What was made is being removed.
    RollingBack,
    /// The old identity is being removed.
    Finishing,
}

named! {
    /// The name used in files and in JSON: `planned`, `backed-up`, …
    MigrationState, "a state of a migration":
    Planned => "planned",
    BackedUp => "backed-up",
    Made => "made",
    Proved => "proved",
    Stated => "stated",
    Switching => "switching",
    Switched => "switched",
    Returning => "returning",
    RollingBack => "rolling-back",
    Finishing => "finishing"
}

impl MigrationState {
    /// What can be done from there.
    #[must_use]
    pub const fn ways_out(self) -> WaysOut {
        match self {
            Self::Planned
            | Self::BackedUp
            | Self::Made
            | Self::Proved
            | Self::Stated
            | Self::Switching => WaysOut::OnOrBack,
            Self::Switched => WaysOut::FinishOrBack,
            Self::Returning | Self::RollingBack => WaysOut::Back,
            Self::Finishing => WaysOut::Finish,
        }
    }
}

/// Which of the two identities of a migration one is, that is not in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum MigrationPart {
    /// The old one, which is kept whole after the switch.
    Old,
    /// The new one, before the switch.
    New,
}

named! {
    /// The name used in JSON: `old`, `new`.
    MigrationPart, "a part of a migration": Old => "old", New => "new"
}

/// One of the two identities.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Side {
    pub(crate) backend: BackendKind,
    /// Of the new one, once it is made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) did: Option<Did>,
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
    /// Of the old identity, if it is on a token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) old_key: Option<OldKey>,
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
        begun: u64,
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
            old_key: None,
            algorithm,
            did_key,
            config,
            backup: None,
            backup_asked: None,
            commit_next: None,
            proved: None,
            was_in_use: false,
            key_removed: false,
        }
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

    fn parse(bytes: &[u8], path: &Path) -> Result<Self, KeystoreError> {
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
    let Some(journal) = read(home)? else { return Ok(()) };
    if journal.state == MigrationState::Switched && allowed == During::Switched {
        return Ok(());
    }
    Err(journal.under_way(home).into())
}

/// That a directory is not the one in which a migration keeps the old identity whole. What
/// would change that one, or move it on, is refused in the name of the migration.
pub(crate) fn check_not_kept(home: &Path) -> Result<(), KeystoreError> {
    let Some(moved) = home_around(home, names::OLD) else { return Ok(()) };
    match read(&moved)? {
        Some(journal) => Err(journal.under_way(&moved).into()),
        None => Ok(()),
    }
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
pub(super) fn home_around(directory: &Path, name: &str) -> Option<PathBuf> {
    let real = directory.canonicalize().or_else(|_| std::path::absolute(directory)).ok()?;
    let is_named_so = real.file_name().is_some_and(|found| found == name);
    real.parent().filter(|_| is_named_so).map(Path::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn journal() -> Journal {
        let from = Side { backend: BackendKind::Age, did: None };
        let config = Journal::name_of_config(Path::new("/h"), Path::new("/etc/icn.toml"));
        Journal::new(MigrationMode::Rotate, from, BackendKind::Pkcs11, config, 1)
    }

    #[test]
    fn the_configuration_of_a_home_moves_with_it_and_another_one_does_not() {
        let [old, new] = ["/h", "/srv/h"].map(Path::new);
        let of = |path: &str| Journal {
            config: Journal::name_of_config(old, Path::new(path)),
            ..journal()
        };
        let own = of("/h/icn.toml");
        assert!(own.check_config(old, &old.join("icn.toml")).is_ok());
        assert!(own.check_config(new, &new.join("icn.toml")).is_ok());
        assert!(own.check_config(new, &old.join("icn.toml")).is_err());
        let elsewhere = of("/etc/icn.toml");
        assert!(elsewhere.check_config(new, Path::new("/etc/icn.toml")).is_ok());
        let error = elsewhere.check_config(old, &old.join("icn.toml")).unwrap_err();
        let said = error.to_string();
        assert!(said.contains("/etc/icn.toml") && said.contains("/h/icn.toml"), "{said}");
    }

    /// Whoever is told of a state is told the ways out of that state, and of no other.
    #[test]
    fn each_state_has_its_ways_out() {
        use MigrationState as S;
        let [on, back, finish] =
            ["`Migration::run`", "`Migration::roll_back`", "`Migration::finish`"];
        let keep = "`KeyOnToken::Keep`";
        for (state, ways, others) in [
            (S::Planned, vec![on, back], vec![finish, keep]),
            (S::BackedUp, vec![on, back], vec![finish, keep]),
            (S::Made, vec![on, back], vec![finish, keep]),
            (S::Proved, vec![on, back], vec![finish, keep]),
            (S::Stated, vec![on, back], vec![finish, keep]),
            (S::Switching, vec![on, back], vec![finish, keep]),
            (S::Switched, vec![finish, back], vec![on, keep]),
            (S::Returning, vec![back, keep], vec![on, finish]),
            (S::RollingBack, vec![back, keep], vec![on, finish]),
            (S::Finishing, vec![finish, keep], vec![on, back]),
        ] {
            let error = journal().with_state(state).under_way(Path::new("/h"));
            let help = error.help().unwrap();
            assert!(ways.iter().all(|way| help.contains(way)), "{state}: {help}");
            assert!(!others.iter().any(|other| help.contains(other)), "{state}: {help}");
        }
    }

    #[test]
    fn a_journal_of_another_version_or_with_an_unknown_field_is_refused() {
        let (path, good) = (Path::new("/x"), serde_json::to_value(journal()).unwrap());
        let parse =
            |value: &serde_json::Value| Journal::parse(&serde_json::to_vec(value).unwrap(), path);
        assert_eq!(parse(&good).unwrap(), journal());
        for (field, value) in [
            ("format", "other".into()),
            ("state", "elsewhere".into()),
            ("mode", "copy".into()),
            ("unknown", true.into()),
        ] {
            let mut changed = good.clone();
            changed[field] = value;
            let error = parse(&changed).unwrap_err();
            assert!(matches!(&error, KeystoreError::Migration(_)), "{field}: {error:?}");
        }
        let mut newer = good;
        newer["version"] = 2.into();
        let error = parse(&newer).unwrap_err();
        assert!(error.to_string().contains("migration.json"), "{error}");
        assert_eq!(error.kind(), crate::ErrorKind::Unsupported);
    }
}
