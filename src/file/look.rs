//! Whether nothing is there, for certain: a look that fails is none that found nothing.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// What a path leads to.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Look {
    /// Something, by whatever links.
    There,
    /// Nothing yet: whoever may, can make it.
    Absent,
    /// It is not to be told, or can never be: what is in the way.
    Barred { at: PathBuf, problem: String },
}

impl Look {
    /// As the system goes, from the root on.
    pub(crate) fn at(path: &Path) -> Self {
        let barred = |at: &Path, problem: &str| Self::Barred {
            at: at.to_owned(),
            problem: problem.to_owned(),
        };
        let path = match std::path::absolute(path) {
            Ok(path) => path,
            Err(error) => return barred(path, &error.to_string()),
        };
        let mut way: Vec<_> = path.ancestors().collect();
        way.reverse();
        for step in way {
            match fs::metadata(step) {
                Ok(found) if step != path && !found.is_dir() => {
                    return barred(step, "it is not a directory");
                }
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    return match fs::symlink_metadata(step) {
                        Ok(_) => barred(step, "it is a symbolic link that leads nowhere"),
                        Err(_) => Self::Absent,
                    };
                }
                Err(error) => return barred(step, &error.to_string()),
            }
        }
        Self::There
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use support::user::by_user;

    use super::*;

    #[test]
    fn what_cannot_be_looked_at_is_not_taken_for_what_is_not_there() {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        fs::create_dir_all(at("there/in it")).unwrap();
        fs::write(at("file"), "").unwrap();
        symlink(at("there"), at("link")).unwrap();
        symlink("nowhere", at("dangling")).unwrap();
        symlink("there/../dangling/..", at("by a dangling one")).unwrap();
        symlink("loop", at("loop")).unwrap();
        for there in ["there", "there/in it", "link/in it", "file"] {
            assert_eq!(Look::at(&at(there)), Look::There, "{there}");
        }
        for absent in ["a", "a/b/c", "there/a", "link/a/b"] {
            assert_eq!(Look::at(&at(absent)), Look::Absent, "{absent}");
        }
        for (barred, by, why) in [
            ("file/a", "file", "not a directory"),
            ("file/a/b", "file", "not a directory"),
            ("dangling", "dangling", "leads nowhere"),
            ("dangling/a/b", "dangling", "leads nowhere"),
            ("by a dangling one/a", "by a dangling one", "leads nowhere"),
            ("loop", "loop", "symbolic links"),
            ("loop/a/b", "loop", "symbolic links"),
            (&"a".repeat(300), &"a".repeat(300), "too long"),
        ] {
            match Look::at(&at(barred)) {
                Look::Barred { at: found, problem } => {
                    assert!(found == at(by) && problem.contains(why), "{barred}: {problem}");
                }
                look => panic!("{barred}: {look:?}"),
            }
        }
    }

    #[test]
    fn a_directory_that_cannot_be_entered_hides_nothing_that_is_taken_for_absent() {
        let directory = tempfile::tempdir().unwrap();
        let open = fs::Permissions::from_mode(0o711);
        fs::set_permissions(directory.path(), open).unwrap();
        let closed = directory.path().join("closed");
        fs::create_dir_all(closed.join("state")).unwrap();
        fs::set_permissions(&closed, fs::Permissions::from_mode(0o000)).unwrap();
        let look = || ["state", "none/there"].map(|name| Look::at(&closed.join(name)));
        // root enters each.
        let looks = match rustix::process::geteuid().is_root() {
            true => by_user(65534, 65534, look),
            false => look(),
        };
        for (look, step) in looks.into_iter().zip(["state", "none"]) {
            let Look::Barred { at, problem } = look else { panic!("{look:?}") };
            assert!(at == closed.join(step) && problem.contains("denied"), "{at:?} {problem}");
        }
        fs::set_permissions(&closed, fs::Permissions::from_mode(0o700)).unwrap();
    }
}
