//! Standard input and output: as they were given to us, or an error.
//!
//! Where one of them was closed, Rust's runtime opens `/dev/null` in its place before
//! `main`, and its own handles take one that cannot be read or written for an empty
//! one. A message would be signed that nobody gave, or a signature lost.

mod closed;

use std::fs::File;
use std::io::{self, Write as _};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use rustix::fd::BorrowedFd;
use rustix::fs::OFlags;

use crate::error::CliError;

/// What standard input is read for. It can be read once.
static READ_FOR: Mutex<Option<&str>> = Mutex::new(None);

/// Whether a file is standard input.
pub(crate) fn is_input(path: &Path) -> bool {
    ["-", "/dev/stdin", "/dev/fd/0", "/proc/self/fd/0"].iter().any(|name| path == Path::new(name))
}

/// Takes standard input for one thing, which is named in an error.
pub(crate) fn take(what: &'static str) -> Result<(), CliError> {
    if !closed::was_open(0) {
        return Err(closed("standard input"));
    }
    if access(rustix::stdio::stdin())? == OFlags::WRONLY {
        return Err(CliError::Standard { what: "standard input", problem: "cannot be read from" });
    }
    let mut read_for = READ_FOR.lock().unwrap_or_else(PoisonError::into_inner);
    match *read_for {
        Some(first) if first != what => Err(CliError::TwiceStandardInput { first, second: what }),
        _ => {
            *read_for = Some(what);
            Ok(())
        }
    }
}

/// Standard input, for one thing.
pub(crate) fn input(what: &'static str) -> Result<File, CliError> {
    take(what)?;
    let shared = rustix::io::dup(rustix::stdio::stdin());
    shared
        .map(File::from)
        .map_err(|error| CliError::Input { what: "standard input".into(), source: error.into() })
}

/// Whether somebody will see what is printed, as far as can be told before.
pub(crate) fn check_output() -> Result<(), CliError> {
    if !closed::was_open(1) {
        return Err(closed("standard output"));
    }
    if access(rustix::stdio::stdout())? == OFlags::RDONLY {
        return Err(CliError::Standard {
            what: "standard output",
            problem: "cannot be written to",
        });
    }
    Ok(())
}

/// Standard output. What cannot be written there is an error, also if it is closed.
pub(crate) struct Output(File);

impl Output {
    pub(crate) fn open() -> Result<Self, CliError> {
        check_output()?;
        let shared = rustix::io::dup(rustix::stdio::stdout());
        shared.map(File::from).map(Self).map_err(|error| CliError::Output { source: error.into() })
    }
}

impl io::Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// Prints all of a text.
pub(crate) fn print(text: &str) -> Result<(), CliError> {
    let mut out = Output::open()?;
    out.write_all(text.as_bytes()).map_err(|source| CliError::Output { source })
}

const fn closed(what: &'static str) -> CliError {
    CliError::Standard { what, problem: "is closed" }
}

fn access(file: BorrowedFd<'_>) -> Result<OFlags, CliError> {
    let flags = rustix::fs::fcntl_getfl(file);
    flags
        .map(|flags| flags & OFlags::RWMODE)
        .map_err(|error| CliError::Output { source: error.into() })
}
