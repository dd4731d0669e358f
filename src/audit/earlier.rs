//! The files that a log goes on from.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};

use super::error::AuditError;
use super::line::{BEGIN, Line, Link, MAX_LINE};
use super::record::tail;
use crate::file::io_error;

/// Lines at the end of a file among which its last one is: a writer that was cut off may have
/// left something behind it.
const LAST: usize = 16;

/// **Blocks** on files. Of some files, those that a file of a log goes on from, the earliest
/// first: each ends with the line that the next one names as the one before it. The earliest
/// is the one with a line of this number, if there is a way to it.
///
/// Only their ends are looked at: [`verify()`](super::verify()) reads what is between.
///
/// # Errors
///
/// [`AuditError::Files`] if the file of the log cannot be read. What is among the others and
/// cannot be read, or is no log, is left out.
pub fn earlier_files(log: &Path, among: &[PathBuf], seq: u64) -> Result<Vec<PathBuf>, AuditError> {
    let mut ends: Vec<Ends> =
        among.iter().filter_map(|path| Ends::of(path).ok().flatten()).collect();
    let (mut found, mut first) = (Vec::new(), first_of(log)?);
    while let Some(line) = first.take().filter(|line| line.link.seq > seq && !line.is(BEGIN)) {
        // A copy of a part has the same end: the one that begins first leads furthest.
        let lead_here = ends.iter().enumerate().filter(|(_, ends)| line.follows(&ends.last));
        let longest = lead_here.min_by_key(|(_, ends)| ends.first.link.seq);
        let Some(place) = longest.map(|(place, _)| place) else { break };
        let earlier = ends.swap_remove(place);
        found.insert(0, earlier.path);
        first = Some(earlier.first);
    }
    Ok(found)
}

/// The first and the last line of a file.
struct Ends {
    path: PathBuf,
    first: Line,
    last: Link,
}

impl Ends {
    fn of(path: &Path) -> Result<Option<Self>, AuditError> {
        let Some(first) = first_of(path)? else { return Ok(None) };
        let records = tail(path, LAST)?;
        let last = records.iter().rev().find_map(|record| record.link());
        Ok(last.map(|last| Self { path: path.to_owned(), first, last }))
    }
}

/// What was cut off before it may come first.
fn first_of(path: &Path) -> Result<Option<Line>, AuditError> {
    let failed = |error| AuditError::from(io_error("read", path)(error));
    let most = u64::try_from(5 * MAX_LINE).unwrap_or(u64::MAX);
    let mut reader = BufReader::new(File::open(path).map_err(failed)?.take(most));
    loop {
        let mut bytes = Vec::new();
        if reader.read_until(b'\n', &mut bytes).map_err(failed)? == 0 {
            return Ok(None);
        }
        if let Ok(line) = Line::parse(bytes.strip_suffix(b"\n").unwrap_or(&bytes)) {
            return Ok(Some(line));
        }
    }
}
