//! An older file on disk. Nothing of it is changed, its mode neither.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;

use rustix::fs::OFlags;

use crate::agefile;
use crate::error::{Error, KeystoreError, LegacyError};
use crate::fault::quoted;
use crate::file::io_error;

/// As for files of ours: 1 MiB.
const MAX_LEN: u64 = 1024 * 1024;

/// Whose it is and who can write it does not matter: what comes of it was
/// encrypted with the passphrase, and is checked.
pub(super) fn read(path: &Path) -> Result<Vec<u8>, Error> {
    let (bytes, mode) = open_and_read(path)?;
    check_form(&bytes)?;
    if mode & 0o077 != 0 {
        let shown = quoted(path);
        log::warn!(
            "{shown} holds a key and its mode is {mode:04o}: others can try passphrases on it. \
             Run: chmod 600 {shown}"
        );
    }
    Ok(bytes)
}

/// Whether a file can be an older keystore, as far as shows without its passphrase.
pub(super) fn check(path: &Path) -> Result<(), Error> {
    Ok(check_form(&open_and_read(path)?.0)?)
}

pub(super) fn check_not_armored(file: &[u8]) -> Result<(), LegacyError> {
    match file.starts_with(b"-----BEGIN AGE") {
        true => Err(LegacyError::Armored),
        false => Ok(()),
    }
}

fn check_form(file: &[u8]) -> Result<(), LegacyError> {
    check_not_armored(file)?;
    if !file.starts_with(b"age-encryption.org/") {
        let looks = match std::str::from_utf8(file) {
            _ if file.is_empty() => "empty",
            Ok(text) if text.trim_start().starts_with(['{', '[']) => "JSON",
            Ok(text) if text.contains("AGE-SECRET-KEY") => "a secret key of age",
            Ok(_) => "text",
            Err(_) => "other data",
        };
        return Err(LegacyError::NotAge { looks });
    }
    match agefile::is_for_passphrase(file) {
        None => Err(LegacyError::Cut),
        Some(false) => Err(LegacyError::ToAKey),
        Some(true) => Ok(()),
    }
}

/// With its mode.
fn open_and_read(path: &Path) -> Result<(Vec<u8>, u32), KeystoreError> {
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
    let mut bytes = Vec::new();
    file.by_ref().take(MAX_LEN).read_to_end(&mut bytes).map_err(io_error("read", path))?;
    Ok((bytes, metadata.mode() & 0o7777))
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
