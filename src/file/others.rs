//! Directories that serve for other things than an identity: `/etc`, a user's home.
//!
//! Somebody has named one by mistake. A command that made it fit for an identity would
//! break what it is for.

use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use super::rule::{me, not_safe, way_to};
use super::{io_error, names, repair};
use crate::fault::{KeystoreError, quoted};

/// Checks a directory of ours; a missing one is left to whoever looks into it.
///
/// Somebody who could exchange the directory itself could not make us read a
/// file of theirs (each is judged once it is open), but could put an older copy
/// of it in its place: so the way to it is judged too.
pub(crate) fn check_directory(path: &Path) -> Result<(), KeystoreError> {
    let real = match way_to(path) {
        Ok(real) => real,
        Err(KeystoreError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
            return Ok(());
        }
        Err(error) => return Err(error),
    };
    let metadata = fs::symlink_metadata(&real).map_err(io_error("read", path))?;
    if !metadata.is_dir() {
        return Err(KeystoreError::NotADirectory { path: path.to_owned() });
    }
    let (me, owner) = (me(), metadata.uid());
    if owner != me {
        let problem = format!("it belongs to user {owner}, not to user {me}");
        return Err(match is_of_others(&real, &metadata) {
            true => not_a_home(path, &problem),
            false => not_safe(path, problem, repair::owner(path, owner, me)),
        });
    }
    if metadata.mode() & 0o077 != 0 {
        let problem = format!("its mode is {:04o}", metadata.mode() & 0o7777);
        return Err(match is_of_others(&real, &metadata) {
            true => not_a_home(path, &problem),
            false => not_safe(path, problem, repair::mode(path, me, "chmod 700")),
        });
    }
    Ok(())
}

/// Neither owner nor mode of a directory that serves for other things is to be changed.
fn not_a_home(path: &Path, problem: &str) -> KeystoreError {
    let repair = format!(
        "name a directory of its own below it, and leave {} as it is: it serves for other things",
        quoted(path)
    );
    not_safe(path, format!("there is no identity in it, and {problem}"), repair)
}

/// Whether a directory is none of an identity, and not one that could be meant to be: it
/// holds something else, everybody may write there, it is `$HOME`, or is right below `/`.
/// Of one that cannot be read nothing is known.
fn is_of_others(directory: &Path, metadata: &Metadata) -> bool {
    let Ok(entries) = fs::read_dir(directory) else { return false };
    let mut holds_others = false;
    for entry in entries.flatten() {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if names::is_of_one_that_is_there(&name) {
            return false;
        }
        holds_others |= !names::is_beside_one(&name);
    }
    let is_sticky = metadata.mode() & 0o1000 != 0;
    let is_home = std::env::var_os("HOME").is_some_and(|home| {
        fs::metadata(home)
            .is_ok_and(|home| (home.dev(), home.ino()) == (metadata.dev(), metadata.ino()))
    });
    let is_near_root = directory.parent().is_none_or(|parent| parent == Path::new("/"));
    holds_others || is_sticky || is_home || is_near_root
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of_others(directory: &Path) -> bool {
        is_of_others(directory, &fs::metadata(directory).unwrap())
    }

    #[test]
    fn directories_of_the_system_are_told_from_those_that_an_identity_may_have() {
        for system in ["/", "/etc", "/tmp", "/usr/bin", "/var/lib", "/usr", "/var"] {
            assert!(of_others(Path::new(system)), "{system}");
        }
        let directory = tempfile::tempdir().unwrap();
        let file = |name: &str| fs::write(directory.path().join(name), "").unwrap();
        assert!(!of_others(directory.path()));
        for beside in ["icn.toml", ".lock", "refused.json", ".scrypt.1"] {
            file(beside);
        }
        fs::create_dir(directory.path().join("peers")).unwrap();
        assert!(!of_others(directory.path()));
        file("notes.txt");
        assert!(of_others(directory.path()));
        // There is one, whatever else is there: it is to be kept from others.
        for of_identity in ["identity.age", "identity.json", "identity.age.prev", "unfinished.json"]
        {
            file(of_identity);
            assert!(!of_others(directory.path()));
            fs::remove_file(directory.path().join(of_identity)).unwrap();
        }
    }
}
