//! Files of ours: read only when safe, written so that a crash leaves the old
//! or the new one.

use std::fs::{self, DirBuilder, File, Metadata, OpenOptions};
use std::io::{self, Read, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;

use super::hex;
use crate::error::KeystoreError;
use crate::secret::{LockedBytes, LockedText};

/// No file of ours is longer: 1 MiB.
const MAX_LEN: u64 = 1024 * 1024;

/// Who may own a file and what others may do with it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Rule {
    /// Ours: our own, mode 0600 or tighter, one link.
    Private,
    /// Trusted: our own or root's, written by nobody else.
    Trusted,
    /// A credential that others provide: our own or root's, read by nobody
    /// else.
    Credential,
}

/// Reads a file of ours; `None` if there is none.
pub(crate) fn read_private(path: &Path) -> Result<Option<Vec<u8>>, KeystoreError> {
    read(path, Rule::Private)
}

/// Reads a text that may be ours or root's, and that nobody else can change.
pub(crate) fn read_trusted(path: &Path) -> Result<Option<String>, KeystoreError> {
    let Some(bytes) = read(path, Rule::Trusted)? else { return Ok(None) };
    String::from_utf8(bytes).map(Some).map_err(|error| {
        io_error("read", path)(io::Error::new(io::ErrorKind::InvalidData, error.utf8_error()))
    })
}

/// Reads a file that holds a passphrase or PIN, without the line break at its
/// end, straight into locked memory; it must be our own or root's, and nobody
/// else may read it.
///
/// # Errors
///
/// [`KeystoreError::Unsafe`] with the command that repairs it, or `Io`.
pub fn read_credential(path: &Path) -> Result<LockedText, KeystoreError> {
    let missing = || io_error("read", path)(io::ErrorKind::NotFound.into());
    let (mut file, length) = open(path, Rule::Credential)?.ok_or_else(missing)?;
    let mut bytes = LockedBytes::try_new(length, |bytes| read_into(&mut file, bytes))
        .map_err(io_error("read", path))?;
    for end in [b'\n', b'\r'] {
        if bytes.last() == Some(&end) {
            bytes.truncate(bytes.len() - 1);
        }
    }
    LockedText::from_utf8(bytes).ok_or_else(|| {
        io_error("read", path)(io::Error::new(io::ErrorKind::InvalidData, "it is not UTF-8"))
    })
}

/// Reads all of a file that holds a secret, under the rules of
/// [`read_credential`].
pub(crate) fn read_secret(path: &Path) -> Result<zeroize::Zeroizing<Vec<u8>>, KeystoreError> {
    let missing = || io_error("read", path)(io::ErrorKind::NotFound.into());
    read(path, Rule::Credential)?.map(zeroize::Zeroizing::new).ok_or_else(missing)
}

/// Reads a file that anybody may have written, up to a length. What is in it is
/// not trusted.
pub(crate) fn read_foreign(path: &Path, max: u64) -> Result<Vec<u8>, KeystoreError> {
    // NONBLOCK: a FIFO in the file's place must not hang us.
    let flags = OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let opened = OpenOptions::new().read(true).custom_flags(flags.bits().cast_signed()).open(path);
    let file = opened.map_err(io_error("open", path))?;
    let metadata = file.metadata().map_err(io_error("read", path))?;
    if !metadata.is_file() {
        return Err(not_safe(path, "it is not a regular file", "name a regular file"));
    }
    let mut bytes = Vec::new();
    file.take(max + 1).read_to_end(&mut bytes).map_err(io_error("read", path))?;
    if u64::try_from(bytes.len()).is_ok_and(|length| length > max) {
        let (problem, repair) = ("it is longer than any such file", "name the right file");
        return Err(not_safe(path, problem, repair));
    }
    Ok(bytes)
}

/// Reads until the end of the file, or of the buffer.
fn read_into(file: &mut File, bytes: &mut [u8]) -> io::Result<usize> {
    let mut length = 0;
    while let Some(rest) = bytes.get_mut(length..)
        && !rest.is_empty()
    {
        match file.read(rest) {
            Ok(0) => break,
            Ok(more) => length += more,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(length)
}

fn read(path: &Path, rule: Rule) -> Result<Option<Vec<u8>>, KeystoreError> {
    let Some((mut file, length)) = open(path, rule)? else { return Ok(None) };
    // One more than the length: growing to EOF would copy secrets around.
    let mut bytes = Vec::with_capacity(length.saturating_add(1));
    Read::by_ref(&mut file)
        .take(MAX_LEN + 1)
        .read_to_end(&mut bytes)
        .map_err(io_error("read", path))?;
    Ok(Some(bytes))
}

/// Opens a file that the rule allows; gives its length too.
fn open(path: &Path, rule: Rule) -> Result<Option<(File, usize)>, KeystoreError> {
    // NONBLOCK: a FIFO in the file's place must not hang us.
    let mut flags = OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    if rule == Rule::Private {
        flags |= OFlags::NOFOLLOW;
    }
    let opened = OpenOptions::new().read(true).custom_flags(flags.bits().cast_signed()).open(path);
    let file = match opened {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) if error.raw_os_error() == Some(rustix::io::Errno::LOOP.raw_os_error()) => {
            return Err(not_safe(path, "it is a symbolic link", "put the file itself there"));
        }
        Err(error) => return Err(io_error("open", path)(error)),
    };
    let metadata = file.metadata().map_err(io_error("read", path))?;
    check(path, &metadata, rule)?;
    // Checked to be at most MAX_LEN.
    let length = usize::try_from(metadata.len()).unwrap_or(usize::MAX);
    Ok(Some((file, length)))
}

fn check(path: &Path, metadata: &Metadata, rule: Rule) -> Result<(), KeystoreError> {
    let me = rustix::process::geteuid().as_raw();
    let shown = path.display();
    if !metadata.is_file() {
        return Err(not_safe(path, "it is not a regular file", "put a regular file there"));
    }
    if metadata.len() > MAX_LEN {
        return Err(not_safe(path, "it is longer than 1 MiB", "restore it from a backup"));
    }
    let owner = metadata.uid();
    if owner != me && (rule == Rule::Private || owner != 0) {
        let problem = format!("it belongs to user {owner}, not to user {me}");
        return Err(not_safe(path, problem, format!("run: chown {me} {shown}")));
    }
    let (forbidden, mode) = match rule {
        Rule::Private | Rule::Credential => (0o077, "600"),
        Rule::Trusted => (0o022, "644"),
    };
    if metadata.mode() & forbidden != 0 {
        let problem = format!("its mode is {:04o}", metadata.mode() & 0o7777);
        return Err(not_safe(path, problem, format!("run: chmod {mode} {shown}")));
    }
    if rule == Rule::Private && metadata.nlink() != 1 {
        let problem = "it has another name (a hard link)";
        return Err(not_safe(path, problem, format!("find it with: find / -samefile {shown}")));
    }
    Ok(())
}

/// Makes a directory of ours (0700), or checks the one that is there.
pub(crate) fn private_dir(path: &Path) -> Result<(), KeystoreError> {
    match DirBuilder::new().recursive(true).mode(0o700).create(path) {
        Ok(()) => {}
        Err(error) => return Err(io_error("create", path)(error)),
    }
    check_private_dir(path)
}

/// Checks a directory of ours; a missing one is left to whoever looks into it.
pub(crate) fn check_private_dir(path: &Path) -> Result<(), KeystoreError> {
    let metadata = match fs::metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(io_error("read", path)(error)),
    };
    if !metadata.is_dir() {
        return Err(not_safe(path, "it is not a directory", "name another one with --home"));
    }
    let me = rustix::process::geteuid().as_raw();
    let shown = path.display();
    if metadata.uid() != me {
        let problem = format!("it belongs to user {}, not to user {me}", metadata.uid());
        return Err(not_safe(path, problem, format!("run: chown {me} {shown}")));
    }
    if metadata.mode() & 0o077 != 0 {
        let problem = format!("its mode is {:04o}", metadata.mode() & 0o7777);
        return Err(not_safe(path, problem, format!("run: chmod 700 {shown}")));
    }
    Ok(())
}

/// Writes a file of ours durably (mode 0600), as the identity's own files are.
///
/// # Errors
///
/// [`KeystoreError::Io`]; the file is the old one then.
pub fn write_private(path: &Path, bytes: &[u8]) -> Result<(), KeystoreError> {
    write(path, bytes)
}

/// Writes a file of ours: a temporary file beside it, synced, renamed over it,
/// the directory synced.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> Result<(), KeystoreError> {
    let directory = parent(path);
    let temporary = temporary_name(path)?;
    let result = write_new(&temporary, bytes)
        .and_then(|()| fs::rename(&temporary, path).map_err(io_error("replace", path)))
        .and_then(|()| sync_dir(directory));
    if result.is_err() {
        // Whatever stopped us may stop this too; the file holds nothing that
        // the one beside it does not.
        let _ = fs::remove_file(&temporary);
    }
    result
}

/// Writes a file durably (mode 0600), and never over another one.
pub(crate) fn write_once(path: &Path, bytes: &[u8]) -> Result<(), KeystoreError> {
    let temporary = temporary_name(path)?;
    let rename = || {
        use rustix::io::Errno;
        let (flags, cwd) = (rustix::fs::RenameFlags::NOREPLACE, rustix::fs::CWD);
        match rustix::fs::renameat_with(cwd, &temporary, cwd, path, flags) {
            // Not every filesystem has it (NFS has not).
            Err(Errno::INVAL | Errno::NOSYS) => {
                fs::hard_link(&temporary, path).and_then(|()| fs::remove_file(&temporary))
            }
            renamed => renamed.map_err(io::Error::from),
        }
        .map_err(io_error("create", path))
    };
    let result = write_new(&temporary, bytes).and_then(|()| rename());
    if result.is_err() {
        let _ = fs::remove_file(&temporary);
    }
    result.and_then(|()| sync_dir(parent(path)))
}

fn write_new(path: &Path, bytes: &[u8]) -> Result<(), KeystoreError> {
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .custom_flags((OFlags::NOFOLLOW | OFlags::CLOEXEC).bits().cast_signed())
        .open(path)
        .map_err(io_error("create", path))?;
    // Whatever the umask took away or a default ACL added.
    rustix::fs::fchmod(&file, rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR)
        .map_err(|errno| io_error("protect", path)(errno.into()))?;
    file.write_all(bytes).map_err(io_error("write", path))?;
    file.sync_all().map_err(io_error("sync", path))
}

/// Renames within a directory, durably. A missing source is no error.
pub(crate) fn rename(from: &Path, to: &Path) -> Result<(), KeystoreError> {
    match fs::rename(from, to) {
        Ok(()) => sync_dir(parent(to)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(io_error("replace", to)(error)),
    }
}

/// Removes a file, durably. A missing one is no error.
pub(crate) fn remove(path: &Path) -> Result<(), KeystoreError> {
    match fs::remove_file(path) {
        Ok(()) => sync_dir(parent(path)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(io_error("remove", path)(error)),
    }
}

fn sync_dir(path: &Path) -> Result<(), KeystoreError> {
    File::open(path).and_then(|directory| directory.sync_all()).map_err(io_error("sync", path))
}

fn temporary_name(path: &Path) -> Result<PathBuf, KeystoreError> {
    let mut random = [0_u8; 12];
    getrandom::fill(&mut random)
        .map_err(|error| io_error("name a new version of", path)(io::Error::other(error)))?;
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    Ok(path.with_file_name(format!(".{name}.{}", hex::encode(&random))))
}

fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

pub(crate) fn io_error(
    action: &'static str,
    path: &Path,
) -> impl FnOnce(io::Error) -> KeystoreError + use<> {
    let path = path.to_owned();
    move |source| KeystoreError::Io { action, path, source }
}

fn not_safe(path: &Path, problem: impl Into<String>, repair: impl Into<String>) -> KeystoreError {
    KeystoreError::Unsafe { path: path.to_owned(), problem: problem.into(), repair: repair.into() }
}
