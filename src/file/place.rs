//! Where a directory is: files are renamed within one file system only, as it is mounted once.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use super::io_error;
use crate::fault::KeystoreError;

/// The file system that a directory is on, and which of its mounts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    device: u64,
    /// A directory that is mounted once more has the same device. `None` if the kernel does
    /// not tell.
    mount: Option<u64>,
}

impl Place {
    pub(crate) fn of(directory: &Path) -> Result<Self, KeystoreError> {
        let metadata = fs::metadata(directory).map_err(io_error("read", directory))?;
        Ok(Self { device: metadata.dev(), mount: mount_of(directory) })
    }
}

#[cfg(target_os = "linux")]
fn mount_of(directory: &Path) -> Option<u64> {
    use rustix::fs::{AtFlags, CWD, StatxFlags};

    let found = rustix::fs::statx(CWD, directory, AtFlags::empty(), StatxFlags::MNT_ID).ok()?;
    let is_told = StatxFlags::from_bits_retain(found.stx_mask).contains(StatxFlags::MNT_ID);
    is_told.then_some(found.stx_mnt_id)
}

#[cfg(not(target_os = "linux"))]
fn mount_of(_: &Path) -> Option<u64> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_file_system_is_another_place() {
        let dir = tempfile::tempdir().unwrap();
        let beside = dir.path().join("beside");
        fs::create_dir(&beside).unwrap();
        let place = Place::of(dir.path()).unwrap();
        assert_eq!(place, Place::of(&beside).unwrap());
        assert_ne!(place, Place::of(Path::new("/proc")).unwrap());
        assert!(Place::of(&dir.path().join("nowhere")).is_err());
    }
}
