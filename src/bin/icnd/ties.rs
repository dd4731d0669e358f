//! What may lead from the log back to the line of the checkpoint before: earlier files.

use std::fs::{self, File};
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// So many of them are looked at.
const MOST: usize = 1024;

/// The file of the log as it was when a checkpoint was signed, held open: it can be read
/// wherever it is moved meanwhile, and after it was compressed or removed.
#[derive(Debug, Clone, Default)]
pub(crate) struct Ties(Arc<Mutex<Vec<File>>>);

impl Ties {
    /// Blocks. The log may be rotated before it is signed, and after: the last two are held.
    pub(crate) fn hold(&self, log: &Path) {
        let Ok(file) = File::open(log) else { return };
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let id = |file: &File| file.metadata().map(|found| (found.dev(), found.ino())).ok();
        if held.last().is_some_and(|last| id(last) == id(&file)) {
            return;
        }
        held.push(file);
        if held.len() > 2 {
            held.remove(0);
        }
    }

    /// Blocks. The files that are held; and those beside the log whose names begin as its own,
    /// as logrotate names them.
    pub(crate) fn candidates(&self, log: &Path) -> Vec<PathBuf> {
        let held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // None of them is closed while this process looks at it: one checkpoint at a time.
        let mut found: Vec<PathBuf> =
            held.iter().map(|file| format!("/proc/self/fd/{}", file.as_raw_fd()).into()).collect();
        let stem = log.file_stem().unwrap_or_default().as_encoded_bytes();
        let beside = log.parent().and_then(|directory| fs::read_dir(directory).ok());
        let beside = beside.into_iter().flatten().flatten().map(|entry| entry.path());
        let earlier = beside.filter(|path| {
            let name = path.file_name().unwrap_or_default().as_encoded_bytes();
            let is_file = || fs::symlink_metadata(path).is_ok_and(|found| found.is_file());
            name.starts_with(stem) && path != log && is_file()
        });
        found.extend(earlier.take(MOST));
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn earlier_files_are_found_among_many_others() {
        let directory = tempfile::tempdir().unwrap();
        for number in 0..2 * MOST {
            fs::write(directory.path().join(format!("other-{number}")), "").unwrap();
        }
        let log = directory.path().join("audit.log");
        let earlier = ["audit.log.1", "audit-20261128.log"].map(|it| directory.path().join(it));
        for path in earlier.iter().chain([&log]) {
            fs::write(path, "").unwrap();
        }
        let mut found = Ties::default().candidates(&log);
        found.sort_unstable();
        assert_eq!(found, [earlier[1].clone(), earlier[0].clone()]);
    }
}
