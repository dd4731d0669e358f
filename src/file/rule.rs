//! Who may own a file or a directory, and what others may do with it.

use std::ffi::{OsStr, OsString};
use std::fs::{self, Metadata};
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::path::{Component, Path, PathBuf};

use super::descriptor::{self, Name};
use super::{io_error, repair};
use crate::fault::{KeystoreError, quoted};

/// No file of ours, and no credential, is longer: 1 MiB.
pub(crate) const MAX_LENGTH: usize = 1024 * 1024;
pub(super) const MAX_LEN: u64 = 1024 * 1024;

/// As many symbolic links as Linux follows in one path.
const MAX_LINKS: usize = 40;

/// Whose a file has to be.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Rule {
    /// Ours: our own, mode 0600 or tighter, one link.
    Private,
    /// Trusted: our own or root's, written by nobody else.
    Trusted,
    /// A credential that others provide: our own and read by nobody else, or
    /// root's and read by at most one group besides.
    Credential,
    /// A log: our own and written by nobody else, of any length.
    Log,
}

/// Judges an open file. `path` is what it is called in an error.
pub(super) fn check(path: &Path, metadata: &Metadata, rule: Rule) -> Result<(), KeystoreError> {
    let me = me();
    let (shown, mode, owner) = (quoted(path), metadata.mode() & 0o7777, metadata.uid());
    if !metadata.is_file() {
        return Err(match rule {
            Rule::Credential => not_a_file(path, metadata),
            Rule::Private | Rule::Trusted | Rule::Log => {
                not_safe(path, "it is not a regular file", "put a regular file there")
            }
        });
    }
    if metadata.len() > MAX_LEN && rule != Rule::Log {
        return Err(too_long(path, rule));
    }
    // What is repaired is the file itself, and not what it is called in this process.
    let named = descriptor::name_of(path);
    let at = if let Name::Inherited(real) = &named { real } else { path };
    if owner != me && (matches!(rule, Rule::Private | Rule::Log) || owner != 0) {
        let problem = format!("it belongs to user {owner}, not to user {me}");
        let repair = match rule {
            Rule::Credential if named == Name::None => without_a_name(me),
            Rule::Credential => repair::credential(at, owner, me),
            Rule::Private | Rule::Trusted | Rule::Log => repair::owner(at, owner, me),
        };
        return Err(not_safe(path, problem, repair));
    }
    let forbidden = match rule {
        Rule::Trusted | Rule::Log => 0o022,
        // The group of a file that root made is a group that root chose
        // (Kubernetes' fsGroup). Where a file has an access control list, as
        // systemd makes them, these bits are the list's mask.
        Rule::Credential if owner == 0 || is_from_systemd(path) => 0o027,
        Rule::Private | Rule::Credential => 0o077,
    };
    if mode & forbidden != 0 {
        let repair = match rule {
            Rule::Credential if named == Name::None => without_a_name(me),
            Rule::Trusted => repair::mode(at, me, "chmod 644"),
            Rule::Credential if is_from_kubernetes(path) => {
                "set `defaultMode: 0400` on the volume, and `fsGroup` in the pod's security \
                 context unless it runs as root"
                    .into()
            }
            // With a tighter mode it would be root's alone.
            Rule::Credential if owner != me => repair::credential(at, owner, me),
            Rule::Private | Rule::Credential | Rule::Log => repair::mode(at, me, "chmod 600"),
        };
        return Err(not_safe(path, format!("its mode is {mode:04o}"), repair));
    }
    if rule == Rule::Private && metadata.nlink() != 1 {
        let problem = "it has another name (a hard link)";
        return Err(not_safe(path, problem, format!("find it with: find / -samefile {shown}")));
    }
    Ok(())
}

/// Goes a path as the system does, through symbolic links, and refuses each
/// step that a stranger could turn elsewhere. What is at its end is left to the
/// caller. A group that can write to a directory on the way is not a stranger:
/// whoever set it up chose it, and volumes of Kubernetes are so.
pub(super) fn way_to(path: &Path) -> Result<PathBuf, KeystoreError> {
    let failed = |error| io_error("read", path)(error);
    let mut ahead = parts(&std::path::absolute(path).map_err(failed)?);
    let (mut at, mut links) = (PathBuf::from("/"), 0);
    while let Some(part) = ahead.pop() {
        if part == ".." {
            at.pop();
            continue;
        }
        check_above(&at)?;
        let next = at.join(&part);
        let metadata = fs::symlink_metadata(&next).map_err(failed)?;
        if !metadata.is_symlink() {
            at = next;
            continue;
        }
        if is_strangers(metadata.uid()) {
            let problem = format!("it is a symbolic link of user {}", metadata.uid());
            let repair = format!("remove it, or run: chown -h {} {}", me(), quoted(&next));
            return Err(not_safe(&next, problem, repair));
        }
        links += 1;
        if links > MAX_LINKS {
            return Err(failed(rustix::io::Errno::LOOP.into()));
        }
        let target = fs::read_link(&next).map_err(failed)?;
        if target.is_absolute() {
            at = PathBuf::from("/");
        }
        ahead.extend(parts(&target));
    }
    Ok(at)
}

/// The last one first.
fn parts(path: &Path) -> Vec<OsString> {
    let parts = path.components().rev().filter_map(|component| match component {
        Component::Normal(name) => Some(name.to_owned()),
        Component::ParentDir => Some("..".into()),
        Component::RootDir | Component::CurDir | Component::Prefix(_) => None,
    });
    parts.collect()
}

/// A directory in which the next step is looked up. What was looked at.
pub(super) fn check_above(path: &Path) -> Result<Metadata, KeystoreError> {
    let metadata = fs::symlink_metadata(path).map_err(io_error("read", path))?;
    let (owner, mode) = (metadata.uid(), metadata.mode() & 0o7777);
    if is_strangers(owner) {
        let problem = format!("it belongs to user {owner}, who can exchange what is in it");
        return Err(not_safe(path, problem, repair::way(path, owner, me())));
    }
    // In a sticky one (/tmp) nobody can exchange what belongs to others.
    if mode & 0o1002 == 0o002 {
        let problem = format!("its mode is {mode:04o}, so that anybody can exchange what is in it");
        // Where others are to write, as in /tmp, it is made sticky.
        let is_shared = ["/tmp", "/var/tmp", "/dev/shm"].iter().any(|it| path == Path::new(it));
        let command = if is_shared { "chmod +t" } else { "chmod o-w" };
        return Err(not_safe(path, problem, repair::mode(path, me(), command)));
    }
    Ok(metadata)
}

fn is_strangers(owner: u32) -> bool {
    owner != 0 && owner != me() && !repair::is_unmapped(owner)
}

/// Whether systemd made it for this service (`LoadCredential=` and the like).
pub(crate) fn is_from_systemd(path: &Path) -> bool {
    let real = |path: &Path| fs::canonicalize(path).ok();
    std::env::var_os("CREDENTIALS_DIRECTORY")
        .filter(|directory| Path::new(directory).is_absolute())
        .and_then(|directory| real(Path::new(&directory)))
        .is_some_and(|directory| real(path).is_some_and(|path| path.starts_with(directory)))
}

/// Whether it is in a volume of Kubernetes, whose files are links to others in
/// `..data`: there modes are changed in the pod's specification only.
fn is_from_kubernetes(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default();
    fs::read_link(path).is_ok_and(|target| target == Path::new("..data").join(name))
}

/// The name by which a file keeps in a volume of Kubernetes, of which this is the real
/// path: `/run/pin` of `/run/..2024_05_01_10_00_00.123/pin`, where `..data` leads now.
#[cfg_attr(not(feature = "keystore"), allow(dead_code, reason = "of credentials"))]
pub(crate) fn name_in_kubernetes(real: &Path) -> Option<PathBuf> {
    let (version, name) = (real.parent()?, real.file_name()?);
    let is_one = version.file_name()?.as_encoded_bytes().starts_with(b"..");
    is_one.then(|| version.parent().map(|volume| volume.join(name)))?
}

pub(super) fn me() -> u32 {
    rustix::process::geteuid().as_raw()
}

/// What is neither a file nor a pipe that we were given, where a secret should be.
pub(super) fn not_a_file(path: &Path, metadata: &Metadata) -> KeystoreError {
    let kind = kind_of(metadata, path.file_name().unwrap_or_default());
    not_safe(
        path,
        format!("it is not a regular file but {kind}"),
        "put a regular file there; or give the secret through a pipe that the program inherits \
         (/dev/stdin, /dev/fd/N)",
    )
}

/// What is there instead of a regular file, if something else is.
pub(crate) fn other_than_a_file(path: &Path) -> Option<&'static str> {
    let metadata = fs::symlink_metadata(path).ok()?;
    match metadata.is_symlink() {
        true if path.exists() => Some("a symbolic link"),
        true => Some("a symbolic link that leads nowhere"),
        false if metadata.is_file() => None,
        false => Some(kind_of(&metadata, path.file_name().unwrap_or_default())),
    }
}

/// What something is that is no regular file.
fn kind_of(metadata: &Metadata, name: &OsStr) -> &'static str {
    let kind = metadata.file_type();
    if kind.is_dir() {
        "a directory"
    } else if kind.is_fifo() {
        "a named pipe (FIFO)"
    } else if kind.is_socket() {
        "a socket"
    } else if kind.is_block_device() {
        "a block device"
    } else if is_terminal(metadata) || name == "tty" {
        "a terminal"
    } else {
        "a device"
    }
}

/// `/dev/pts/N`, `/dev/ttyN` and `/dev/tty`, by their numbers on Linux.
fn is_terminal(metadata: &Metadata) -> bool {
    let major = rustix::fs::major(metadata.rdev());
    matches!(major, 4 | 5 | 136..=143)
}

pub(super) fn too_long(path: &Path, rule: Rule) -> KeystoreError {
    let repair = match rule {
        Rule::Private | Rule::Log => "restore it from a backup",
        Rule::Trusted => "put the right file there: none that is read here is so long",
        Rule::Credential => {
            "give a file or pipe with the secret alone: a passphrase or PIN on one line, or a \
             recovery key as `age-keygen` writes it"
        }
    };
    not_safe(path, format!("it is longer than 1 MiB ({MAX_LEN} bytes)"), repair)
}

/// For what was given open, and has no name by which it could be reached.
fn without_a_name(me: u32) -> String {
    format!(
        "have the program that made it give it to user {me} alone, with mode 0600 (fchmod), before \
         it starts this one; or give the secret through a pipe"
    )
}

pub(super) fn not_safe(
    path: &Path,
    problem: impl Into<String>,
    repair: impl Into<String>,
) -> KeystoreError {
    KeystoreError::Unsafe { path: path.to_owned(), problem: problem.into(), repair: repair.into() }
}
