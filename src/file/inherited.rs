//! Files that this process was given open: `/dev/stdin`, `/dev/fd/N`.
//!
//! Who has started us has opened them, and nobody else can exchange them. Of a pipe or
//! a here-document nobody else can read what is in it either.

use std::fs::File;
use std::io::{self, Read as _};
use std::os::fd::AsFd as _;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::path::Path;
use std::time::Duration;

use super::descriptor::{link, metadata, number};
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

/// Whether a path names a pipe or socket that this process was given.
pub(crate) fn is_inherited_pipe(path: &Path) -> bool {
    number(path).is_some_and(|number| {
        metadata(number).is_ok_and(|metadata| {
            let kind = metadata.file_type();
            kind.is_fifo() || kind.is_socket() || (metadata.is_file() && metadata.nlink() == 0)
        })
    })
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
