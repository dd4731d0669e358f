//! The input of a decryption: armor is taken off, errors of the input are told
//! from those of the format, and what the format leaves unbounded is bounded.

use std::io::{self, Chain, Cursor, Read};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::armor::Armored;
use super::error::{DecryptError, HeaderTooLong, InputFailed};
use crate::agefile::HeaderLines;

const MAGIC: &[u8] = b"age-encryption.org/";
const ARMOR: &[u8] = b"-----BEGIN AGE ENCRYPTED FILE-----";
/// As much of the first line is looked at, to see what it was meant to be.
const FIRST_LINE: usize = 64;

/// A header is kept in memory, and the crate `age` parses it again from its
/// start with every line: this is room for some 600 recipients.
const MAX_HEADER: usize = 64 * 1024;
const MAX_HEADER_LINES: usize = 2048;
/// As much white space may come before armor.
const MAX_SPACE: usize = 1024;
/// What an editor may have put before that.
const MARK: &[u8] = b"\xef\xbb\xbf";

/// What was looked at to see what it is, and the rest.
type Whole<R> = Chain<Cursor<Vec<u8>>, Source<R>>;

/// How the input begins.
struct Start {
    /// Whether there was white space or a byte order mark before it.
    before: bool,
    /// The line that it is in, from 1.
    line: usize,
    /// As long as the beginning of armor, or of a binary file, if it is that so far.
    start: Vec<u8>,
}

impl Start {
    /// Reads one of the two beginnings, or the line that is another.
    fn read(source: &mut impl Read) -> Result<Self, DecryptError> {
        let (mut skipped, mut line, mut start) = (Vec::new(), 1, Vec::new());
        let mut byte = [0];
        loop {
            // Of a mark there is nothing, all, or this much.
            let is_mark = MARK.starts_with(&skipped) && skipped.len() < MARK.len();
            match source.read(&mut byte) {
                Ok(0) => break,
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(DecryptError::of_payload(error)),
            }
            let [byte] = byte;
            let goes_on = is_mark && MARK.get(skipped.len()) == Some(&byte);
            if is_mark && !goes_on && !skipped.is_empty() {
                start = std::mem::take(&mut skipped);
                break;
            }
            let belongs_before = goes_on || byte.is_ascii_whitespace();
            if start.is_empty() && belongs_before && skipped.len() < MAX_SPACE {
                line += usize::from(byte == b'\n');
                skipped.push(byte);
                continue;
            }
            start.push(byte);
            let is_one = |known: &[u8]| known.starts_with(&start) && start.len() < known.len();
            let is_whole = start == ARMOR || start == MAGIC;
            let is_line = byte == b'\n' || start.len() == FIRST_LINE;
            if is_whole || (is_line && !is_one(ARMOR) && !is_one(MAGIC)) {
                break;
            }
        }
        Ok(Self { before: !skipped.is_empty(), line, start })
    }

    /// What is wrong with the beginning of what is neither: what was meant to be one of
    /// them is damaged, or cut short.
    fn problem(start: &[u8], line: usize) -> DecryptError {
        let letters = start.iter().filter(|byte| byte.is_ascii_alphanumeric());
        let letters: Vec<u8> = letters.map(u8::to_ascii_uppercase).collect();
        let has = |word: &[u8]| letters.windows(word.len()).any(|letters| letters == word);
        if !start.is_empty() && ARMOR.starts_with(start) {
            DecryptError::CutShort { line }
        } else if MAGIC.starts_with(start) && start != MAGIC {
            DecryptError::Truncated
        } else if has(b"BEGINAGE") && start.contains(&0) {
            // The letters are there, and zeros between them.
            let is_wide = start.windows(2).any(|pair| pair == [0, 0]);
            DecryptError::OtherEncoding { found: if is_wide { "UTF-32" } else { "UTF-16" } }
        } else if has(b"BEGINAGE") || has(b"AGEENCRYPTEDFILE") {
            DecryptError::DamagedArmor { line }
        } else if has(b"AGEENCRYPTIONORG") || letters.starts_with(b"AGEENC") {
            DecryptError::UnknownHeader
        } else {
            DecryptError::NotAge
        }
    }
}

/// The age file without its armor.
pub(super) struct Unarmored<R: Read> {
    reader: Reader<R>,
    header: Header,
}

enum Reader<R: Read> {
    Binary(Whole<R>),
    Armored(Box<Armored<Source<R>>>),
}

/// What there may still be of the header.
struct Header {
    read: Arc<AtomicBool>,
    seen: Arc<Mutex<Vec<u8>>>,
    bytes: usize,
    lines: usize,
    looked_at: HeaderLines,
}

/// To say that the header is read.
pub(super) struct Limit {
    read: Arc<AtomicBool>,
    seen: Arc<Mutex<Vec<u8>>>,
}

impl Limit {
    /// Gives what was read so far: the header, and what came with it.
    pub(super) fn lift(self) -> Vec<u8> {
        self.read.store(true, Ordering::Relaxed);
        std::mem::take(&mut *self.seen.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl<R: Read> Unarmored<R> {
    pub(super) fn new(input: R) -> Result<(Self, Limit), DecryptError> {
        let mut source = Source(input);
        let Start { before, line, start } = Start::read(&mut source)?;
        let armored = start == ARMOR;
        if !armored && (before || start != MAGIC) {
            return Err(Start::problem(&start, line));
        }
        let start = Cursor::new(start).chain(source);
        let reader = if armored {
            Reader::Armored(Box::new(Armored::new(start, line)))
        } else {
            Reader::Binary(start)
        };
        let limit = Limit { read: Arc::default(), seen: Arc::default() };
        let (read, seen) = (limit.read.clone(), limit.seen.clone());
        let (bytes, lines, looked_at) = (MAX_HEADER, MAX_HEADER_LINES, HeaderLines::default());
        let header = Header { read, seen, bytes, lines, looked_at };
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
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).extend(bytes);
        self.looked_at.look_at(bytes).map_err(io::Error::other)
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
