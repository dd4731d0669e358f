//! The names of the files in an identity's directory, each in one place.

use std::path::{Path, PathBuf};

use super::new::target_of_temporary;

/// The public header.
pub(crate) const HEADER: &str = "identity.json";
/// The payload, encrypted.
pub(crate) const PAYLOAD: &str = "identity.age";
/// Sources of PINs that were refused.
pub(crate) const REFUSED: &str = "refused.json";
/// PCR values that an approver signed.
#[cfg_attr(not(feature = "tpm"), allow(dead_code, reason = "of that backend"))]
pub(crate) const APPROVALS: &str = "tpm-approvals.json";
/// The chain whose last statement the identity has made.
pub(crate) const HANDED_OVER: &str = "handed-over.json";
/// Successors that were given up: the statement to them leads nowhere.
pub(crate) const GIVEN_UP: &str = "given-up.json";
/// What an attempt to make an identity may leave.
pub(crate) const UNFINISHED: &str = "unfinished.json";
/// How far a move to another backend is.
pub(crate) const MIGRATION: &str = "migration.json";
/// The new identity of such a move, until it takes the place of the old one.
pub(crate) const STAGING: &str = "migration";
/// The old one, from then on.
pub(crate) const OLD: &str = "previous";
/// The configuration, unless it is elsewhere.
pub(crate) const CONFIG: &str = "icn.toml";
/// Held while it is written down what became of a PIN.
pub(super) const NOTES_LOCK: &str = ".refused.lock";
/// Held while an identity is moved to another backend, step by step.
pub(super) const MIGRATION_LOCK: &str = ".migration.lock";
/// Held while the files are read or written together.
pub(super) const LOCK: &str = ".lock";

/// Held by the daemon that has the identity open, with its number in it.
const DAEMON_LOCK: &str = "icnd.lock";
/// Where the daemon listens, and who had the key do what, unless they are elsewhere; and which
/// client has which instance. These are records, and stay when the identity is removed.
const OF_DAEMON: [&str; 5] =
    ["icnd.sock", "icnd.instances", "audit.log", "audit.log.head", "audit.log.checkpoint"];

/// How the names of the locks of those who do scrypt begin.
const TURN: &str = ".scrypt.";
/// The book of peers of the services that use the identity.
const PEERS: &str = "peers";

/// Locked by one of those who do scrypt now.
pub(super) fn turn(number: usize) -> String {
    format!("{TURN}{number}")
}

/// All that there may be in the directory of an identity, in the order in which it is
/// removed: what holds its secrets first.
pub(crate) const OF_IDENTITY: [&str; 13] = [
    PAYLOAD,
    "identity.age.prev",
    HEADER,
    "identity.json.prev",
    APPROVALS,
    HANDED_OVER,
    GIVEN_UP,
    UNFINISHED,
    REFUSED,
    CONFIG,
    NOTES_LOCK,
    DAEMON_LOCK,
    LOCK,
];

/// Whether a file of this name says that an identity is, or was to be, in its directory.
pub(super) fn is_of_one_that_is_there(name: &str) -> bool {
    let name = name.strip_suffix(PREVIOUS).unwrap_or(name);
    [HEADER, PAYLOAD, UNFINISHED, MIGRATION].contains(&name)
}

/// Whether a file of this name may be in such a directory without an identity in it: what
/// was written before it was made, or is left of one.
pub(super) fn is_beside_one(name: &str) -> bool {
    [STAGING, OLD, MIGRATION_LOCK, PEERS].contains(&name)
        || OF_IDENTITY.contains(&name)
        || OF_DAEMON.contains(&name)
        || name.starts_with(TURN)
        || is_unfinished_of_any(name)
}

/// The previous version of a file, while the new one is being verified.
pub(crate) fn previous(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(PREVIOUS);
    PathBuf::from(name)
}

const PREVIOUS: &str = ".prev";

/// What is written under the lock.
const WRITTEN: [&str; 8] =
    [HEADER, PAYLOAD, APPROVALS, HANDED_OVER, GIVEN_UP, UNFINISHED, MIGRATION, CONFIG];

/// Whether a file of this name is a new version of one that is written under the
/// lock: under it, one that its writer did not finish.
pub(crate) fn is_unfinished(name: &str) -> bool {
    let Some(target) = target_of_temporary(name) else { return false };
    match target.strip_suffix(PREVIOUS) {
        Some(target) => [HEADER, PAYLOAD].contains(&target),
        None => WRITTEN.contains(&target),
    }
}

/// Whether a file of this name is a new version of another.
pub(super) fn is_unfinished_of_any(name: &str) -> bool {
    target_of_temporary(name).is_some()
}

/// Whether a file of this name is a new version of the file of that name.
pub(super) fn is_unfinished_of(name: &str, file: &str) -> bool {
    target_of_temporary(name) == Some(file)
}
