//! The input of a decryption: armor is taken off, errors of the input are told
//! from those of the format, and what the format leaves unbounded is bounded.

use std::io::{self, BufReader, Chain, Cursor, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use ::age::armor::ArmoredReader;

use super::error::{DecryptError, HeaderTooLong, InputFailed};

const MAGIC: &[u8] = b"age-encryption.org/";
const ARMOR: &[u8] = b"-----BEGIN AGE ENCRYPTED FILE-----";

/// A header is kept in memory, and the crate `age` parses it again from its
/// start with every line: this is room for some 600 recipients.
const MAX_HEADER: usize = 64 * 1024;
const MAX_HEADER_LINES: usize = 2048;
/// Of armor, with 64 characters in a line; it is kept in memory as well.
const MAX_ARMOR_LINE: usize = 1024;

/// What was looked at to see what it is, and the rest.
type Start<R> = Chain<Cursor<Vec<u8>>, Source<R>>;

/// The age file without its armor.
pub(super) struct Unarmored<R: Read> {
    reader: Reader<R>,
    header: Header,
}

enum Reader<R: Read> {
    Binary(Start<R>),
    Armored(Box<ArmoredReader<BufReader<Lines<R>>>>),
}

/// What there may still be of the header.
struct Header {
    read: Arc<AtomicBool>,
    bytes: usize,
    lines: usize,
}

/// To say that the header is read.
pub(super) struct Limit(Arc<AtomicBool>);

impl Limit {
    pub(super) fn lift(self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl<R: Read> Unarmored<R> {
    pub(super) fn new(input: R) -> Result<(Self, Limit), DecryptError> {
        let mut source = Source(input);
        let mut start = Vec::new();
        Read::by_ref(&mut source)
            .take(ARMOR.len().try_into().unwrap_or(0))
            .read_to_end(&mut start)
            .map_err(DecryptError::of_payload)?;
        let armored = start == ARMOR;
        if !armored && !start.starts_with(MAGIC) {
            let cut_short = ARMOR.starts_with(&start) || MAGIC.starts_with(&start);
            return Err(if cut_short { DecryptError::Truncated } else { DecryptError::NotAge });
        }
        let start = Cursor::new(start).chain(source);
        let reader = if armored {
            let lines = Lines { reader: start, length: 0 };
            Reader::Armored(Box::new(ArmoredReader::new(lines)))
        } else {
            Reader::Binary(start)
        };
        let read = Arc::new(AtomicBool::new(false));
        let limit = Limit(read.clone());
        let header = Header { read, bytes: MAX_HEADER, lines: MAX_HEADER_LINES };
        Ok((Self { reader, header }, limit))
    }
}

impl<R: Read> Read for Unarmored<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = match &mut self.reader {
            Reader::Binary(reader) => reader.read(buffer),
            Reader::Armored(reader) => reader.read(buffer),
        }?;
        self.header.count(buffer.get(..count).unwrap_or_default())?;
        Ok(count)
    }
}

impl Header {
    fn count(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.read.load(Ordering::Relaxed) {
            return Ok(());
        }
        let lines = bytes.iter().filter(|byte| **byte == b'\n').count();
        let left = self.bytes.checked_sub(bytes.len()).zip(self.lines.checked_sub(lines));
        (self.bytes, self.lines) = left.ok_or_else(|| io::Error::other(HeaderTooLong))?;
        Ok(())
    }
}

/// Armor whose lines have an end.
struct Lines<R> {
    reader: Start<R>,
    length: usize,
}

impl<R: Read> Read for Lines<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.reader.read(buffer)?;
        for byte in buffer.get(..count).unwrap_or_default() {
            self.length = if *byte == b'\n' { 0 } else { self.length.saturating_add(1) };
            if self.length > MAX_ARMOR_LINE {
                return Err(io::Error::new(io::ErrorKind::InvalidData, "a line without an end"));
            }
        }
        Ok(count)
    }
}

struct Source<R>(R);

impl<R: Read> Read for Source<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer).map_err(|error| match error.kind() {
            io::ErrorKind::Interrupted => error,
            kind => io::Error::new(kind, InputFailed(error)),
        })
    }
}
