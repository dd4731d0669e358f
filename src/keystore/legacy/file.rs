//! An older file on disk. Nothing of it is changed, its mode neither.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;

use rustix::fs::OFlags;

use crate::error::KeystoreError;
use crate::file::io_error;

/// As for files of ours: 1 MiB.
const MAX_LEN: u64 = 1024 * 1024;

/// Whose it is and who can write it does not matter: what comes of it was
/// encrypted with the passphrase, and is checked.
pub(super) fn read(path: &Path) -> Result<Vec<u8>, KeystoreError> {
    let unsafe_file = |problem: &str, repair: String| KeystoreError::Unsafe {
        path: path.to_owned(),
        problem: problem.into(),
        repair,
    };
    let mut file = open(path).map_err(io_error("open", path))?;
    let metadata = file.metadata().map_err(io_error("read", path))?;
    if !metadata.is_file() {
        return Err(unsafe_file("it is not a regular file", "name the file itself".into()));
    }
    if metadata.len() > MAX_LEN {
        return Err(unsafe_file("it is longer than 1 MiB", "no keystore of ICN's is".into()));
    }
    if metadata.mode() & 0o077 != 0 {
        let (shown, mode) = (path.display(), metadata.mode() & 0o7777);
        log::warn!(
            "{shown} holds a key and its mode is {mode:04o}: others can try passphrases on it. \
             Run: chmod 600 {shown}"
        );
    }
    let mut bytes = Vec::new();
    file.by_ref().take(MAX_LEN).read_to_end(&mut bytes).map_err(io_error("read", path))?;
    Ok(bytes)
}

fn open(path: &Path) -> io::Result<File> {
    // NONBLOCK: a FIFO in the file's place must not hang us.
    let flags = OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    OpenOptions::new().read(true).custom_flags(flags.bits().cast_signed()).open(path)
}

/// Whether two names are names of one file that exists.
pub(in super::super) fn is_same(one: &Path, other: &Path) -> bool {
    let identity =
        |path: &Path| std::fs::metadata(path).ok().map(|metadata| (metadata.dev(), metadata.ino()));
    identity(one).is_some_and(|found| Some(found) == identity(other))
}
