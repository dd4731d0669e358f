//! The directory in which a migration was begun.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::error::KeystoreError;
use crate::file;

/// The directory in which a migration was begun. A copy of it has the same journal, by which it
/// could destroy a key that is in use: so it is told from the one that it was copied from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct BegunIn {
    pub(crate) path: String,
    device: u64,
    inode: u64,
}

impl BegunIn {
    pub(crate) fn of(home: &Path) -> Result<Self, KeystoreError> {
        let unreadable = file::io_error("read", home);
        let found = home.canonicalize().and_then(|real| Ok((fs::metadata(&real)?, real)));
        let (metadata, real) = found.map_err(unreadable)?;
        let path = real.display().to_string();
        Ok(Self { path, device: metadata.dev(), inode: metadata.ino() })
    }

    /// Whether a directory is that one. One that was moved keeps its inode, and one that was put
    /// back from a copy of its files its path, if only by a link there.
    pub(super) fn is(&self, home: &Path) -> Result<bool, KeystoreError> {
        let now = Self::of(home)?;
        let leads_here =
            || Self::of(Path::new(&self.path)).is_ok_and(|there| there.path == now.path);
        let is_moved = (self.device, self.inode) == (now.device, now.inode);
        Ok(is_moved || self.path == now.path || leads_here())
    }

    /// Whether it is that one by its path and its inode.
    pub(super) fn is_surely(&self, home: &Path) -> Result<bool, KeystoreError> {
        Ok(*self == Self::of(home)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_is_not_the_directory_that_a_move_was_begun_in_and_a_moved_one_is() {
        let dir = tempfile::tempdir().unwrap();
        let [home, copy, moved] = ["home", "copy", "moved"].map(|name| dir.path().join(name));
        fs::create_dir(&home).unwrap();
        fs::create_dir(&copy).unwrap();
        let begun = BegunIn::of(&home).unwrap();
        assert!(begun.is(&home).unwrap() && !begun.is(&copy).unwrap());
        assert!(begun.is_surely(&home).unwrap() && !begun.is_surely(&copy).unwrap());
        fs::rename(&home, &moved).unwrap();
        assert!(begun.is(&moved).unwrap() && !begun.is(&copy).unwrap());
        assert!(!begun.is_surely(&moved).unwrap());
        // A link to another one, where it was, says that it is that one now.
        std::os::unix::fs::symlink(&copy, &home).unwrap();
        assert!(begun.is(&copy).unwrap());
        fs::remove_file(&home).unwrap();
        fs::rename(&copy, &home).unwrap();
        assert!(begun.is(&home).unwrap() && !begun.is_surely(&home).unwrap());
    }
}
