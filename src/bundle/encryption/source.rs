//! The input of a decryption: tells its own errors from those of the format,
//! and bounds the header, which the format does not.

use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Room for some 600 recipients, and what buffers read ahead. A header is kept
/// in memory, and parsed again with every line.
const MAX_HEADER: usize = 64 * 1024;

pub(super) struct Source<R> {
    input: R,
    left: Arc<AtomicUsize>,
}

/// Holds the input back until the header is read.
pub(super) struct Limit(Arc<AtomicUsize>);

impl<R> Source<R> {
    pub(super) fn new(input: R) -> (Self, Limit) {
        let left = Arc::new(AtomicUsize::new(MAX_HEADER));
        (Self { input, left: left.clone() }, Limit(left))
    }
}

impl Limit {
    pub(super) fn lift(self) {
        self.0.store(usize::MAX, Ordering::Relaxed);
    }
}

impl<R: Read> Read for Source<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = self.left.load(Ordering::Relaxed);
        if left == 0 {
            return Err(io::Error::other(HeaderTooLong));
        }
        let count = self.input.read(buffer).map_err(|error| match error.kind() {
            io::ErrorKind::Interrupted => error,
            kind => io::Error::new(kind, InputFailed(error)),
        })?;
        if left != usize::MAX {
            self.left.store(left.saturating_sub(count), Ordering::Relaxed);
        }
        Ok(count)
    }
}

/// The input itself failed.
#[derive(Debug, thiserror::Error)]
#[error("the input cannot be read")]
pub(super) struct InputFailed(#[source] pub(super) io::Error);

#[derive(Debug, thiserror::Error)]
#[error("the header is longer than 64 KiB")]
pub(super) struct HeaderTooLong;
