//! Whether a log is as it was written: every line, and each where it has to be.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};

use super::checkpoint::Checkpoint;
use super::error::{AuditError, Fault};
use super::head;
use super::line::{BEGIN, Line, Link, MAX_LINE, NoLine, Torn};
use super::remains::are_of_writers;
use crate::file::io_error;

/// A log that is as it was written, as far as the files go.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Verified {
    /// The DID that its first line names.
    pub did: Option<String>,
    /// The DIDs whose keys its lines are about, in the order in which they come: several after
    /// a rotation, or where several identities write one log.
    pub dids: Vec<String>,
    /// Lines.
    pub lines: u64,
    /// What writers left that were cut off, and said so by who came next: file, line, bytes.
    pub torn: Vec<TornPlace>,
    /// Whether it begins with the very first line. Otherwise earlier files are not here.
    pub is_whole: bool,
    first: u64,
    last: Link,
    at: String,
}

/// Where a writer was cut off.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct TornPlace {
    /// The file.
    pub path: PathBuf,
    /// The line in it, from 1.
    pub line: u64,
    /// How many bytes are there.
    pub bytes: u64,
}

impl Verified {
    /// The number of the first line.
    #[must_use]
    pub const fn first(&self) -> u64 {
        self.first
    }

    /// The number of the last line.
    #[must_use]
    pub const fn last(&self) -> u64 {
        self.last.seq
    }

    /// When the last line was written, in RFC 3339.
    #[must_use]
    pub fn last_at(&self) -> &str {
        &self.at
    }

    /// What the log is known by in all its files: 16 digits of hex.
    #[must_use]
    pub fn chain(&self) -> String {
        self.last.chain.to_string()
    }
}

/// **Blocks** on files. Reads the files of one log, in whatever order they are given, and
/// checks every line. A checkpoint that its DID has signed says of one line that it was
/// there, and so of all before it. A file with its `.head` beside it, as it is where it is
/// written, has to go as far as that says; it may be written meanwhile.
///
/// Without a checkpoint from elsewhere, who can write to the log can write it anew from any
/// line on.
///
/// # Errors
///
/// [`AuditError::Broken`] for the first line that is not what and where it has to be, with
/// its file; [`AuditError::Empty`]; or if a file cannot be read.
pub fn verify(files: &[PathBuf], checkpoint: Option<&Checkpoint>) -> Result<Verified, AuditError> {
    let mut opened = files.iter().map(|path| Opened::open(path)).collect::<Result<Vec<_>, _>>()?;
    opened.sort_by_key(|file| file.first);
    let mut walk = Walk { checkpoint, ..Walk::default() };
    while !opened.is_empty() {
        let mut file = opened.remove(0);
        if let Some((line, fault)) = walk.file(&mut file)? {
            let fault = match fault {
                Fault::Missing { last, .. } => {
                    match further_on(walk.last.as_ref(), &mut file, &mut opened)? {
                        Some(expected) => Fault::Moved { found: last + 1, expected },
                        None => fault,
                    }
                }
                fault => fault,
            };
            return Err(AuditError::Broken { path: file.path, line, fault });
        }
    }
    walk.end()
}

/// A file, up to where it went when it was opened.
struct Opened {
    path: PathBuf,
    reader: BufReader<std::io::Take<File>>,
    /// The number of its first line, for the order.
    first: u64,
    /// What is known from outside to be its last line.
    known: Option<Link>,
    /// Lines that were looked at already.
    ahead: VecDeque<Vec<u8>>,
}

impl Opened {
    fn open(path: &Path) -> Result<Self, AuditError> {
        let failed = |error| AuditError::from(io_error("read", path)(error));
        // Whoever may read the log may not be allowed to look at what is beside it.
        let known = head::look(path).ok().flatten();
        let file = File::open(path).map_err(failed)?;
        let length = match known {
            Some((_, length)) => length,
            None => file.metadata().map_err(failed)?.len(),
        };
        let mut opened = Self {
            path: path.to_owned(),
            reader: BufReader::new(file.take(length)),
            first: 0,
            known: known.map(|(last, _)| last.link),
            ahead: VecDeque::new(),
        };
        if let Some(line) = opened.next()? {
            let content = line.strip_suffix(b"\n").unwrap_or(&line);
            opened.first = Line::parse(content).map_or(0, |line| line.link.seq);
            opened.ahead.push_back(line);
        }
        Ok(opened)
    }

    /// The next line with its end, or as much of it as a line can be long.
    fn next(&mut self) -> Result<Option<Vec<u8>>, AuditError> {
        if let Some(line) = self.ahead.pop_front() {
            return Ok(Some(line));
        }
        let mut line = Vec::new();
        let most = u64::try_from(MAX_LINE).unwrap_or(u64::MAX);
        let read = self.reader.by_ref().take(most).read_until(b'\n', &mut line);
        read.map_err(io_error("read", &self.path))?;
        Ok(Some(line).filter(|line| !line.is_empty()))
    }
}

/// The number of the line that has to come next, if it comes later.
fn further_on(
    after: Option<&Link>,
    file: &mut Opened,
    later: &mut [Opened],
) -> Result<Option<u64>, AuditError> {
    // Before all others there is one that begins a file.
    let later = if after.is_some() { later } else { &mut [] };
    for file in std::iter::once(file).chain(later) {
        while let Some(line) = file.next()? {
            let content = line.strip_suffix(b"\n").unwrap_or(&line);
            let is_it = |line: &Line| after.map_or(line.begins_a_file(), |it| line.follows(it));
            if let Ok(line) = Line::parse(content)
                && is_it(&line)
            {
                return Ok(Some(line.link.seq));
            }
        }
    }
    Ok(None)
}

/// Goes along the lines.
#[derive(Default)]
struct Walk<'c> {
    checkpoint: Option<&'c Checkpoint>,
    /// Where the line of the checkpoint was seen, or is known to be before the files.
    is_met: bool,
    did: Option<String>,
    dids: Vec<String>,
    first: Option<Line>,
    last: Option<Link>,
    at: String,
    lines: u64,
    torn: Vec<TornPlace>,
    /// What is no line, since the last one, and where it begins.
    rest: Option<(u64, Vec<u8>)>,
    /// What is no line at the end of the last file: nobody has gone on from there yet.
    open_end: Option<(u64, Fault)>,
    /// The last file that had a line, with how many: where something is missing at the end.
    end: Option<(PathBuf, u64, Option<Link>)>,
}

impl Walk<'_> {
    /// The first fault of a file, with its line.
    fn file(&mut self, file: &mut Opened) -> Result<Option<(u64, Fault)>, AuditError> {
        let mut number = 0;
        let mut is_first = true;
        while let Some(bytes) = file.next()? {
            number += 1;
            let content = bytes.strip_suffix(b"\n").unwrap_or(&bytes);
            match Line::parse(content) {
                Ok(line) => {
                    if let Some((at, fault)) = self.line(&line, number, is_first, &file.path) {
                        return Ok(Some((at, fault)));
                    }
                    is_first = false;
                }
                Err(NoLine::Changed) => return Ok(Some((number, Fault::Changed))),
                Err(NoLine::Incomplete) => {
                    let (begin, rest) = self.rest.get_or_insert((number, Vec::new()));
                    rest.extend_from_slice(&bytes);
                    if rest.len() > 4 * MAX_LINE {
                        return Ok(Some((*begin, Fault::Changed)));
                    }
                }
            }
        }
        if number > 0 {
            self.end = Some((file.path.clone(), number, file.known));
        }
        // What was cut off at the end of a file that was left is none of the log, if the next
        // one goes on from the line before.
        if let Some((line, rest)) = self.rest.take() {
            if !self.is_cut_off(&rest) {
                return Ok(Some((line, Fault::Changed)));
            }
            let fault = if rest.ends_with(b"\n") { Fault::Changed } else { Fault::CutOff };
            self.open_end = Some((line, fault));
            let bytes = u64::try_from(rest.len()).unwrap_or(u64::MAX);
            self.torn.push(TornPlace { path: file.path.clone(), line, bytes });
        }
        Ok(None)
    }

    fn line(
        &mut self,
        line: &Line,
        number: u64,
        is_first: bool,
        path: &Path,
    ) -> Option<(u64, Fault)> {
        let rest = self.rest.take();
        let said = line.torn();
        match (&rest, said) {
            (None, None) => {}
            (Some((begin, bytes)), Some(torn))
                if torn == Torn::of(bytes) && self.is_cut_off(bytes) =>
            {
                let (path, line, bytes) = (path.to_owned(), *begin, torn.bytes);
                self.torn.push(TornPlace { path, line, bytes });
            }
            (Some((begin, _)), _) => return Some((*begin, Fault::Changed)),
            // What it speaks of was taken out.
            (None, Some(_)) => {
                return Some((number, Fault::NotContinued { number: line.link.seq }));
            }
        }
        if let Some(fault) = self.misplaced(line, is_first) {
            return Some((number, fault));
        }
        if self.first.is_none() {
            self.did.clone_from(&line.read.did);
            self.first = Some(line.clone());
        }
        if let Some(did) = line.read.did.as_ref().filter(|did| !self.dids.contains(did)) {
            self.dids.push(did.clone());
        }
        self.lines += 1;
        self.open_end = None;
        self.last = Some(line.link);
        self.at.clone_from(&line.read.at);
        self.compare(line).map(|fault| (number, fault))
    }

    /// Whether it is what writers have left after the line before. It may be the end of a
    /// file whose first line is in none of these.
    fn is_cut_off(&self, rest: &[u8]) -> bool {
        are_of_writers(rest, self.last.as_ref())
    }

    /// Whether a line is not the next one.
    fn misplaced(&self, line: &Line, is_first: bool) -> Option<Fault> {
        let (seq, number) = (line.link.seq, line.link.seq);
        // A file begins with a line that says so.
        let begins = line.begins_a_file();
        let Some(last) = &self.last else {
            if is_first && begins && (!line.is(BEGIN) || (seq == 1 && line.prev == [0; 32])) {
                return None;
            }
            return Some(match seq {
                0 | 1 => Fault::NotContinued { number },
                seq => Fault::Missing { first: 1, last: seq - 1 },
            });
        };
        if line.follows(last) {
            // It is there, and what was before it in its file is not.
            return (is_first && !begins).then_some(Fault::NotContinued { number });
        }
        Some(match last.seq.saturating_add(1) {
            _ if line.link.chain != last.chain => Fault::OtherLog,
            expected if seq > expected => Fault::Missing { first: expected, last: seq - 1 },
            expected if seq < expected => Fault::Repeated { number },
            _ => Fault::NotContinued { number },
        })
    }

    fn compare(&mut self, line: &Line) -> Option<Fault> {
        let signed = self.checkpoint?.link();
        if line.link.chain != signed.chain {
            return Some(Fault::OtherLog);
        }
        let is_first = self.lines == 1;
        let before = signed.seq.checked_add(1) == Some(line.link.seq);
        if line.link.seq == signed.seq {
            self.is_met = line.link == signed;
        } else if is_first && before {
            // Its line is the last one of the file before.
            self.is_met = line.prev == signed.hash;
        } else if is_first && line.link.seq > signed.seq {
            return Some(Fault::BeginsLater { checkpoint: signed.seq });
        } else {
            return None;
        }
        (!self.is_met).then_some(Fault::NotThatOfCheckpoint { number: signed.seq })
    }

    fn end(self) -> Result<Verified, AuditError> {
        let Some((path, line, known)) = self.end else { return Err(AuditError::Empty) };
        if let Some((line, fault)) = self.open_end {
            return Err(AuditError::Broken { path, line, fault });
        }
        let (Some(first), Some(last)) = (self.first, self.last) else {
            return Err(AuditError::Empty);
        };
        let broken = |fault| Err(AuditError::Broken { path: path.clone(), line: line + 1, fault });
        let signed = self.checkpoint.map(Checkpoint::link).filter(|_| !self.is_met);
        for known in [signed, known].into_iter().flatten() {
            if known.chain != last.chain {
                return broken(Fault::OtherLog);
            }
            if known.seq > last.seq {
                return broken(Fault::EndsEarly { last: last.seq, known: known.seq });
            }
            if known.seq == last.seq && known.hash != last.hash {
                return broken(Fault::NotContinued { number: last.seq });
            }
        }
        Ok(Verified {
            did: self.did,
            dids: self.dids,
            lines: self.lines,
            torn: self.torn,
            is_whole: first.is(BEGIN),
            first: first.link.seq,
            last,
            at: self.at,
        })
    }
}
