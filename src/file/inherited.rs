//! Files that this process was given open: `/dev/stdin`, `/dev/fd/N`.
//!
//! Who has started us has opened them, and nobody else can exchange them. Of a pipe or
//! a here-document nobody else can read what is in it either.

use std::fs::{File, Metadata};
use std::io::{self, Read as _};
use std::os::fd::AsFd as _;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::path::{Component, Path, PathBuf};
use std::time::Duration;

use super::io_error;
use super::rule::{self, MAX_LENGTH, Rule, too_long};
use crate::fault::KeystoreError;
use crate::secret::LockedBytes;

/// Many pipes hold no more at once.
const FIRST: usize = 4096;

/// How a path to an open file is to be read.
pub(super) enum Inherited {
    /// Nobody else reads it, and it can be read once.
    Pipe(File),
    /// A regular file that has a name: by the rules for its path.
    Named,
}

/// By what an open file can be reached from elsewhere.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Name {
    /// The path itself.
    Path,
    /// It was given open, and has this path.
    Inherited(PathBuf),
    /// It was given open, and has none, as that of `memfd_create`.
    None,
}

pub(super) fn name_of(path: &Path) -> Name {
    let Some(number) = number(path) else { return Name::Path };
    let id = |metadata: Metadata| (metadata.dev(), metadata.ino());
    let open = metadata(number).ok().map(id);
    let real = std::fs::read_link(link(number)).ok();
    let real = real.filter(|real| open.is_some() && std::fs::metadata(real).ok().map(id) == open);
    real.map_or(Name::None, Name::Inherited)
}

/// The number of an open file that a path names.
fn number(path: &Path) -> Option<u32> {
    if path == Path::new("/dev/stdin") {
        return Some(0);
    }
    let mut parts = path.components().filter_map(|part| match part {
        Component::Normal(name) => name.to_str(),
        _ => None,
    });
    let of_ours = match (parts.next()?, parts.next()?) {
        ("dev", "fd") => true,
        ("proc", "self" | "thread-self") => parts.next()? == "fd",
        ("proc", process) if process == std::process::id().to_string() => parts.next()? == "fd",
        _ => false,
    };
    let number = parts.next()?.parse().ok()?;
    (of_ours && path.is_absolute() && parts.next().is_none()).then_some(number)
}

/// Whether a path names a pipe or socket that this process was given.
pub(crate) fn is_inherited_pipe(path: &Path) -> bool {
    number(path).is_some_and(|number| {
        metadata(number).is_ok_and(|metadata| {
            let kind = metadata.file_type();
            kind.is_fifo() || kind.is_socket() || (metadata.is_file() && metadata.nlink() == 0)
        })
    })
}

fn link(number: u32) -> String {
    format!("/proc/self/fd/{number}")
}

fn metadata(number: u32) -> io::Result<Metadata> {
    std::fs::metadata(link(number))
}

/// `None` if the path names no open file of this process.
pub(super) fn find(path: &Path) -> Result<Option<Inherited>, KeystoreError> {
    let Some(number) = number(path) else { return Ok(None) };
    let metadata = metadata(number).map_err(io_error("read", path))?;
    let kind = metadata.file_type();
    if metadata.is_file() {
        if metadata.nlink() > 0 {
            return Ok(Some(Inherited::Named));
        }
        rule::check(path, &metadata, Rule::Credential)?;
    } else if !kind.is_fifo() && !kind.is_socket() {
        return Err(rule::not_a_file(path, &metadata));
    }
    // A socket cannot be opened once more, nor can the pipe of another user (`sudo -u`).
    // Standard input can be shared instead.
    let opened = match File::open(link(number)) {
        Err(_) if number == 0 => io::stdin().as_fd().try_clone_to_owned().map(File::from),
        Err(_) if kind.is_socket() => return Err(rule::not_a_file(path, &metadata)),
        opened => opened,
    };
    Ok(Some(Inherited::Pipe(opened.map_err(io_error("open", path))?)))
}

/// All that comes, until whoever writes has closed it.
pub(super) fn read(path: &Path, mut pipe: File) -> Result<LockedBytes, KeystoreError> {
    let mut all = LockedBytes::copy_of(b"");
    let mut capacity = FIRST;
    loop {
        let larger = LockedBytes::try_new(capacity, |bytes| {
            let (known, rest) = bytes.split_at_mut(all.len());
            known.copy_from_slice(&all);
            Ok(known.len() + fill(&mut pipe, rest)?)
        });
        all = larger.map_err(io_error("read", path))?;
        if all.len() < capacity {
            return Ok(all);
        }
        if all.len() > MAX_LENGTH {
            return Err(too_long(path, Rule::Credential));
        }
        capacity = capacity.saturating_mul(4).min(MAX_LENGTH + 1);
    }
}

/// Until the end, or until there is no more room.
fn fill(pipe: &mut File, bytes: &mut [u8]) -> io::Result<usize> {
    let mut length = 0;
    while let Some(rest) = bytes.get_mut(length..)
        && !rest.is_empty()
    {
        match pipe.read(rest) {
            Ok(0) => break,
            Ok(more) => length += more,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            // Somebody who has it, too, has made it so.
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                std::thread::sleep(Duration::from_millis(10));
            }
            Err(error) => return Err(error),
        }
    }
    Ok(length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_names_an_open_file_or_not() {
        for (path, wanted) in [
            ("/dev/stdin", Some(0)),
            ("/dev/fd/0", Some(0)),
            ("/dev/fd/63", Some(63)),
            ("/proc/self/fd/3", Some(3)),
            ("/proc/thread-self/fd/3", Some(3)),
            ("/proc/1/fd/3", None),
            ("/dev/fd", None),
            ("/dev/fd/x", None),
            ("/dev/fd/-1", None),
            ("/dev/fd/3/x", None),
            ("dev/fd/3", None),
            ("-", None),
            ("/home/dev/fd/3", None),
        ] {
            assert_eq!(number(Path::new(path)), wanted, "{path}");
        }
        let own = format!("/proc/{}/fd/7", std::process::id());
        assert_eq!(number(Path::new(&own)), Some(7));
    }
}
