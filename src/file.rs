//! Files of ours: read only when safe, written so that a crash leaves the old
//! or the new one.

#[cfg(feature = "audit")]
pub(crate) mod appended;
mod descriptor;
#[cfg(feature = "attestation")]
mod folder;
mod inherited;
mod lock;
mod look;
pub(crate) mod names;
mod new;
#[cfg(feature = "attestation")]
mod once;
mod others;
mod place;
mod repair;
mod rule;
mod turn;

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, Read};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags};

#[cfg(feature = "attestation")]
pub(crate) use self::folder::TrustedFolder;
use self::inherited::Inherited;
pub(crate) use self::inherited::is_inherited_pipe;
pub(crate) use self::lock::{Lock, TRY_PATIENCE, sweep_all, sweep_beside};
pub(crate) use self::look::Look;
pub use self::new::{Existing, NewFile};
#[cfg(feature = "attestation")]
pub use self::once::{look_at_secret, use_secret};
pub(crate) use self::others::check_directory;
pub(crate) use self::place::Place;
use self::rule::{MAX_LEN, Rule, not_safe};
pub(crate) use self::rule::{MAX_LENGTH, is_from_systemd, name_in_kubernetes, other_than_a_file};
pub(crate) use self::turn::Turn;
use crate::encoding::text;
use crate::fault::KeystoreError;
use crate::secret::{LockedBytes, LockedText, TextProblem, without_line_end};

/// Reads a file of ours; `None` if there is none.
pub(crate) fn read_private(path: &Path) -> Result<Option<Vec<u8>>, KeystoreError> {
    read(path, Rule::Private)
}

/// As [`read_private`], and leaves the file open.
pub(crate) fn open_and_read_private(path: &Path) -> Result<Option<(File, Vec<u8>)>, KeystoreError> {
    let Some((mut file, length)) = open(path, Rule::Private)? else { return Ok(None) };
    let bytes = read_open(path, &mut file, length)?;
    Ok(Some((file, bytes)))
}

/// Reads a text that may be ours or root's, and that nobody else can change. A byte
/// order mark before it is no part of it.
pub(crate) fn read_trusted(path: &Path) -> Result<Option<String>, KeystoreError> {
    let Some(bytes) = read(path, Rule::Trusted)? else { return Ok(None) };
    trusted_text(path, &bytes).map(Some)
}

fn trusted_text(path: &Path, bytes: &[u8]) -> Result<String, KeystoreError> {
    let invalid = |error: Box<dyn std::error::Error + Send + Sync>| {
        io_error("read", path)(io::Error::new(io::ErrorKind::InvalidData, error))
    };
    let text = text::after_mark(bytes).map_err(|error| invalid(error.into()))?;
    let text = std::str::from_utf8(text).map_err(|error| invalid(error.into()))?;
    Ok(text.to_owned())
}

/// **Blocks** on files. Reads a file that holds a passphrase or PIN (one line of UTF-8),
/// without the end of the line, straight into locked memory.
///
/// It is our own and nobody else may read it, or it is root's and at most its
/// group may read it. Symbolic links are followed where no stranger could have
/// made them or could turn them elsewhere: so the files of systemd
/// (`$CREDENTIALS_DIRECTORY`) and the secrets of Kubernetes are taken. A pipe that this
/// process was given (`/dev/stdin`, `/dev/fd/N`) is read to its end.
///
/// # Errors
///
/// [`KeystoreError::Unsafe`] with the command that repairs it, or if there is more than
/// one line, or what else keeps it from being one ([`TextProblem`]); or `Io`.
pub fn read_credential(path: &Path) -> Result<LockedText, KeystoreError> {
    let fit = |text: LockedText| match TextProblem::of(text.expose_secret()) {
        None => Ok(text),
        Some(problem) => Err(problem),
    };
    read_secret_text(path)?.and_then(fit).map_err(|problem| {
        let repair = "put the passphrase or PIN there alone, on one line of UTF-8";
        not_safe(path, problem.to_string(), repair)
    })
}

/// As [`read_credential`], whatever the text is: 1 MiB at most.
pub(crate) fn read_secret_text(
    path: &Path,
) -> Result<Result<LockedText, TextProblem>, KeystoreError> {
    let mut bytes = match inherited::find(path)? {
        Some(Inherited::Pipe(pipe)) => inherited::read(path, pipe)?,
        Some(Inherited::Named) | None => {
            let missing = || io_error("read", path)(io::ErrorKind::NotFound.into());
            let (mut file, length) = open(path, Rule::Credential)?.ok_or_else(missing)?;
            LockedBytes::try_new(length, |bytes| read_into(&mut file, bytes))
                .map_err(io_error("read", path))?
        }
    };
    bytes.truncate(without_line_end(&bytes));
    let problem = TextProblem::of_bytes(&bytes);
    Ok(LockedText::from_utf8(bytes).ok_or(problem))
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
    read_open(path, &mut file, length).map(Some)
}

fn read_open(path: &Path, file: &mut File, length: usize) -> Result<Vec<u8>, KeystoreError> {
    // One more than the length: growing to EOF would copy secrets around.
    let mut bytes = Vec::with_capacity(length.saturating_add(1));
    let read = file.take(MAX_LEN + 1).read_to_end(&mut bytes);
    read.map_err(io_error("read", path))?;
    if bytes.len() > length {
        // It has grown since it was judged: somebody else is writing to it.
        return Err(io_error("read", path)(io::ErrorKind::InvalidData.into()));
    }
    Ok(bytes)
}

/// Opens a file that the rule allows; gives its length too.
fn open(path: &Path, rule: Rule) -> Result<Option<(File, usize)>, KeystoreError> {
    // NONBLOCK: a FIFO in the file's place must not hang us.
    let mut flags = OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    match rule {
        Rule::Private | Rule::Log => flags |= OFlags::NOFOLLOW,
        Rule::Credential => drop(rule::way_to(path)?),
        Rule::Trusted => {}
    }
    let opened = OpenOptions::new().read(true).custom_flags(flags.bits().cast_signed()).open(path);
    let file = match opened {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) if error.raw_os_error() == Some(rustix::io::Errno::LOOP.raw_os_error()) => {
            let problem = "it is a symbolic link";
            return Err(not_safe(path, problem, "put the file itself there"));
        }
        // Sockets cannot be opened.
        Err(error) if error.raw_os_error() == Some(rustix::io::Errno::NXIO.raw_os_error()) => {
            return Err(match fs::metadata(path) {
                Ok(metadata) => rule::not_a_file(path, &metadata),
                Err(_) => io_error("open", path)(error),
            });
        }
        Err(error) => return Err(io_error("open", path)(error)),
    };
    let metadata = file.metadata().map_err(io_error("read", path))?;
    rule::check(path, &metadata, rule)?;
    // Checked to be at most MAX_LEN.
    let length = usize::try_from(metadata.len()).unwrap_or(usize::MAX);
    Ok(Some((file, length)))
}

/// Whether a file is longer than any of ours.
pub(crate) fn is_too_long(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|metadata| metadata.len() > MAX_LEN)
}

/// Makes a directory of ours (0700 whatever the umask) durably, or checks the
/// one that is there.
pub(crate) fn private_dir(path: &Path) -> Result<(), KeystoreError> {
    let mut missing = Vec::new();
    for directory in path.ancestors().take_while(|path| !path.as_os_str().is_empty()) {
        if is_there(directory)? {
            break;
        }
        missing.push(directory);
    }
    for directory in missing.into_iter().rev() {
        match DirBuilder::new().mode(0o700).create(directory) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
            Err(error) => return Err(io_error("create", directory)(error)),
        }
        fs::set_permissions(directory, Permissions::from_mode(0o700))
            .map_err(io_error("protect", directory))?;
        sync_dir(parent(directory))?;
    }
    check_directory(path)
}

/// Writes a file of ours durably (mode 0600), over the one that is there.
///
/// # Errors
///
/// [`KeystoreError::Io`], or `Unsafe` if something else than a file has that
/// name. The file is the old one then; or, if the directory could not be
/// synced, perhaps the new one.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> Result<(), KeystoreError> {
    write_as(path, bytes, Existing::Replace)
}

/// Writes a file of ours, and never over another one.
pub(crate) fn write_once(path: &Path, bytes: &[u8]) -> Result<(), KeystoreError> {
    write_as(path, bytes, Existing::Refuse)
}

fn write_as(path: &Path, bytes: &[u8], existing: Existing) -> Result<(), KeystoreError> {
    let mut new = NewFile::create(path)?;
    new.put(bytes)?;
    new.keep(existing)
}

/// Writes a file over the one that is there, with the mode that it is to have.
pub(crate) fn write_with_mode(
    path: &Path,
    bytes: &[u8],
    mode: Permissions,
) -> Result<(), KeystoreError> {
    let mut new = NewFile::with_mode(path, Mode::from_raw_mode(mode.mode() & 0o7777))?;
    new.put(bytes)?;
    new.keep(Existing::Replace)
}

/// Renames within a directory, durably. A missing source is no error.
pub(crate) fn rename(from: &Path, to: &Path) -> Result<(), KeystoreError> {
    match fs::rename(from, to) {
        Ok(()) => sync_dir(parent(to)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(io_error("replace", to)(error)),
    }
}

/// Renames from one directory to another of the same file system, durably in both. A
/// missing source is no error.
pub(crate) fn move_over(from: &Path, to: &Path) -> Result<(), KeystoreError> {
    if !is_there(from)? {
        return Ok(());
    }
    rename(from, to)?;
    sync_dir(parent(from))
}

/// Removes a directory of ours that is empty, durably. A missing one is no error.
pub(crate) fn remove_dir(path: &Path) -> Result<(), KeystoreError> {
    match fs::remove_dir(path) {
        Ok(()) => sync_dir(parent(path)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(io_error("remove", path)(error)),
    }
}

/// Whether there is anything of that name.
pub(crate) fn is_there(path: &Path) -> Result<bool, KeystoreError> {
    match fs::symlink_metadata(path) {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(io_error("read", path)(error)),
    }
}

/// Whether a symbolic link is there, wherever it leads.
pub(crate) fn is_link(path: &Path) -> Result<bool, KeystoreError> {
    match fs::symlink_metadata(path) {
        Ok(found) => Ok(found.is_symlink()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(io_error("read", path)(error)),
    }
}

/// Whether a directory holds no file but locks and what was being written; or is not there. Not one
/// that is a link.
pub(crate) fn is_bare(directory: &Path) -> Result<bool, KeystoreError> {
    if !is_there(directory)? {
        return Ok(true);
    }
    if is_link(directory)? || !directory.is_dir() {
        return Ok(false);
    }
    for entry in fs::read_dir(directory).map_err(io_error("read", directory))? {
        let name = entry.map_err(io_error("read", directory))?.file_name();
        if !name.as_encoded_bytes().starts_with(b".") {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Removes a file, durably. A missing one is no error.
pub(crate) fn remove(path: &Path) -> Result<(), KeystoreError> {
    // On a read-only file system even a missing file cannot be removed.
    if !is_there(path)? {
        return Ok(());
    }
    match fs::remove_file(path) {
        Ok(()) => sync_dir(parent(path)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(io_error("remove", path)(error)),
    }
}

fn sync_dir(path: &Path) -> Result<(), KeystoreError> {
    File::open(path).and_then(|directory| directory.sync_all()).map_err(io_error("sync", path))
}

pub(crate) fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// Whether files can be made in a directory, as far as shows without making one.
pub(crate) fn check_makes_files(directory: &Path) -> io::Result<()> {
    use rustix::fs::{Access, AtFlags, CWD};

    if !fs::metadata(directory)?.is_dir() {
        return Err(io::ErrorKind::NotADirectory.into());
    }
    let access = Access::WRITE_OK | Access::EXEC_OK;
    Ok(rustix::fs::accessat(CWD, directory, access, AtFlags::EACCESS)?)
}

/// What a path leads to, as far as that is there.
pub(crate) fn real(path: &Path) -> PathBuf {
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    for there in path.ancestors() {
        if let Ok(real) = there.canonicalize()
            && let Ok(rest) = path.strip_prefix(there)
        {
            return if rest.as_os_str().is_empty() { real } else { real.join(rest) };
        }
    }
    path
}

pub(crate) fn io_error(
    action: &'static str,
    path: &Path,
) -> impl FnOnce(io::Error) -> KeystoreError + use<> {
    let path = path.to_owned();
    move |source| KeystoreError::Io { action, path, source }
}
