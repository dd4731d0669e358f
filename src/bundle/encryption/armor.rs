//! Armor (age v1, section "ASCII armor"), read line by line, so that what is wrong with it
//! is said with its line.

use std::io::{self, BufReader, Chain, Cursor, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use ::age::armor::ArmoredReader;

use super::error::{BrokenArmor, InputFailed};

/// With 64 characters in a line; it is kept in memory.
const MAX_LINE: usize = 1024;

/// What is inside.
pub(super) struct Armored<R: Read> {
    reader: ArmoredReader<BufReader<Lines<R>>>,
    place: Arc<Place>,
}

/// How far the input was read.
#[derive(Default)]
struct Place {
    line: AtomicUsize,
    ended: AtomicBool,
}

impl<R: Read> Armored<R> {
    /// `line` is that which `start` begins with.
    pub(super) fn new(start: Chain<Cursor<Vec<u8>>, R>, line: usize) -> Self {
        let place = Arc::new(Place::default());
        place.line.store(line.saturating_sub(1), Ordering::Relaxed);
        let lines = Lines { reader: BufReader::new(start), place: place.clone(), length: 0 };
        Self { reader: ArmoredReader::new(lines), place }
    }
}

impl<R: Read> Read for Armored<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.reader.read(buffer).map_err(|error| {
            let is_of_input = error.kind() == io::ErrorKind::Interrupted
                || error.get_ref().is_some_and(|inner| inner.is::<InputFailed>());
            if is_of_input {
                return error;
            }
            let line = self.place.line.load(Ordering::Relaxed).max(1);
            let cut_short = self.place.ended.load(Ordering::Relaxed);
            io::Error::new(io::ErrorKind::InvalidData, BrokenArmor { line, cut_short })
        })
    }
}

/// Gives one line at a time and no more: whoever finds something wrong has found it in
/// the line that was given last.
struct Lines<R: Read> {
    reader: BufReader<Chain<Cursor<Vec<u8>>, R>>,
    place: Arc<Place>,
    /// Of the line so far; 0 at its beginning.
    length: usize,
}

impl<R: Read> Read for Lines<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        use std::io::BufRead as _;
        let there = self.reader.fill_buf()?;
        if there.is_empty() {
            self.place.ended.store(true, Ordering::Relaxed);
            return Ok(0);
        }
        if self.length == 0 {
            self.place.line.fetch_add(1, Ordering::Relaxed);
        }
        let end = there.iter().position(|byte| *byte == b'\n');
        let line = there.get(..end.map_or(there.len(), |end| end + 1)).unwrap_or(there);
        let count = line.len().min(buffer.len());
        let (Some(from), Some(to)) = (line.get(..count), buffer.get_mut(..count)) else {
            return Ok(0);
        };
        to.copy_from_slice(from);
        self.length = if from.ends_with(b"\n") { 0 } else { self.length.saturating_add(count) };
        self.reader.consume(count);
        if self.length > MAX_LINE {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "a line without an end"));
        }
        Ok(count)
    }
}
