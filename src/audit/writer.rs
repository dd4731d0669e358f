//! The file that is written, by whatever name it goes meanwhile.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use super::entry::Entry;
use super::error::AuditError;
use super::head::{Head, Held, Last, look_anew};
use super::line::{Content, Link, Torn, write};
use super::tail::{Rest, Tail};
use crate::clock;
use crate::did::Did;
use crate::file::appended::{Appended, Beside, FileId, room_beside};
use crate::file::parent;

/// Room that a log wants, in bytes: for some lines.
const WANTED_ROOM: u64 = 64 * 1024;

#[derive(Debug)]
pub(super) struct Writer {
    head: Head,
    log: Log,
}

#[derive(Debug)]
struct Log {
    path: PathBuf,
    did: Did,
    current: Option<Current>,
}

/// The file as this process has left it.
#[derive(Debug, Clone)]
struct Current {
    file: Arc<Appended>,
    length: u64,
    last: Link,
}

/// Where the next line goes.
struct Place {
    file: Arc<Appended>,
    length: u64,
    /// What has to be written before it.
    first: Vec<u8>,
    /// The line before it, with those in `first`.
    last: Link,
}

/// What was open before it was opened anew.
pub(super) struct Before {
    head: Option<Beside>,
    current: Option<Current>,
}

impl Writer {
    pub(super) fn new(path: PathBuf, did: Did) -> Self {
        Self { head: Head::of(&path), log: Log { path, did, current: None } }
    }

    pub(super) const fn did(&self) -> &Did {
        &self.log.did
    }

    /// What lies beside the file is taken as it is now. Gives what was opened before.
    pub(super) fn open_anew(&mut self) -> Before {
        Before { head: self.head.exchange(None), current: self.log.current.clone() }
    }

    /// It is not taken after all: neither what lies beside the file, nor a file that was
    /// made by it.
    pub(super) fn put_back(&mut self, before: Before) {
        self.head.exchange(before.head);
        self.log.current = before.current;
    }

    /// Writes lines, and gives the last one; without any it sees to it that the file is
    /// there and in order. When it returns they are on disk.
    ///
    /// After an error nothing was done of which a line would have to be there; some of them
    /// may be there all the same.
    pub(super) fn write(&mut self, entries: &[Entry]) -> Result<Link, AuditError> {
        let held = self.head.lock()?;
        let did = self.log.did.clone();
        let Place { file, length, first: mut bytes, mut last } = self.log.follow(&held)?;
        let at = clock::rfc3339_millis(SystemTime::now());
        for entry in entries {
            last = write(&mut bytes, &last, &at, Content::Entry(&did, entry));
        }
        if !bytes.is_empty() {
            file.append(&bytes)?;
            note(&held, &file, last);
        }
        let length = length.saturating_add(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
        self.log.current = Some(Current { file, length, last });
        Ok(last)
    }

    /// Whether a line could be written, as far as that can be told without one.
    pub(super) fn check(&mut self) -> Result<(), AuditError> {
        self.write(&[])?;
        let Some(current) = &self.log.current else { return Ok(()) };
        self.log.check_room(current.file.room()?)
    }

    /// Whether a line could be written once it is opened anew, as far as that can be told
    /// without doing so: nothing is written, made or taken. What is there now may be on a disk
    /// of its own, and be gone before the next line.
    pub(super) fn check_anew(&self) -> Result<(), AuditError> {
        let known = look_anew(&self.log.path)?;
        let Some(file) = Appended::open(&self.log.path)? else {
            return self.log.check_room(room_beside(&self.log.path)?);
        };
        self.log.check_end(&Tail::read(&file)?, known)?;
        self.log.check_room(file.room()?)
    }
}

/// It is looked at where the log itself does not say it: so it need not be on disk.
fn note(held: &Held<'_>, file: &Appended, link: Link) {
    if let Err(error) = held.set_last(&Last { link, file: file.id() }) {
        log::warn!("which line of the audit log was the last one is not noted: {error}");
    }
}

impl Log {
    fn check_room(&self, room: u64) -> Result<(), AuditError> {
        if room < WANTED_ROOM {
            let full = std::io::ErrorKind::StorageFull.into();
            return Err(crate::file::io_error("write", &self.path)(full).into());
        }
        Ok(())
    }

    /// Whether there is a line to go on from, as [`Self::go_on`] does.
    fn check_end(&self, tail: &Tail, known: Option<Last>) -> Result<(), AuditError> {
        let is_damaged = matches!(tail.rest, Rest::Damaged { .. });
        if is_damaged && tail.last.is_none() && known.is_none() {
            return Err(AuditError::Damaged { path: self.path.clone() });
        }
        Ok(())
    }

    /// The file of our name, which may be another one than before. Nobody else writes
    /// meanwhile.
    fn follow(&mut self, held: &Held<'_>) -> Result<Place, AuditError> {
        let mut known = held.last()?;
        if let Some(Current { file, length, last }) = self.current.take() {
            let in_place = FileId::at(&self.path)? == Some(file.id());
            let own = Last { link: last, file: file.id() };
            known = Some(known.filter(|known| !is_older(known, &own, in_place)).unwrap_or(own));
            if in_place && file.length_of_safe()? == length && known == Some(own) {
                return Ok(Place { file, length, first: Vec::new(), last });
            }
            if !in_place {
                self.leave(held, &file, &mut known)?;
            }
        }
        let file = match Appended::open(&self.path)? {
            Some(file) => file,
            None => {
                // It may have been renamed while nobody wrote.
                if let Some(path) = known.and_then(|last| last.file.find_in(parent(&self.path)))
                    && let Ok(Some(file)) = Appended::open(&path)
                {
                    self.leave(held, &file, &mut known)?;
                }
                Appended::create(&self.path)?
            }
        };
        let length = file.length()?;
        let (first, last) = self.go_on(&self.path, Tail::read(&file)?, known)?;
        Ok(Place { file: Arc::new(file), length, first, last })
    }

    /// The file has got another name: no line is written to it any more, and the next one
    /// names its last.
    fn leave(
        &self,
        held: &Held<'_>,
        file: &Appended,
        known: &mut Option<Last>,
    ) -> Result<(), AuditError> {
        // Somebody else has gone on to the next file already.
        if known.is_some_and(|known| known.file != file.id()) {
            return Ok(());
        }
        let tail = Tail::read(file)?;
        let Some(own) = tail.last.filter(|own| is_latest(own, known.as_ref())) else {
            return Ok(());
        };
        let mut link = own;
        if tail.rest != Rest::Nothing {
            let (first, last) = self.go_on(file.path(), tail, *known)?;
            // Whoever has renamed it may have made it read-only: then it ends as it does.
            match file.append(&first) {
                Ok(()) => link = last,
                Err(error) => log::warn!("the audit log keeps a line that was cut off: {error}"),
            }
        }
        *known = Some(Last { link, file: file.id() });
        note(held, file, link);
        Ok(())
    }

    /// What is written first in a file with such an end, and the last line then.
    fn go_on(
        &self,
        path: &Path,
        tail: Tail,
        known: Option<Last>,
    ) -> Result<(Vec<u8>, Link), AuditError> {
        let at = clock::rfc3339_millis(SystemTime::now());
        let latest = tail.last.filter(|own| is_latest(own, known.as_ref()));
        let mut bytes = Vec::new();
        let (torn, is_damaged) = match tail.rest {
            Rest::Nothing => (None, false),
            Rest::LineEnd => {
                bytes.push(b'\n');
                (None, false)
            }
            Rest::Torn(mut torn) => {
                if !torn.ends_with(b"\n") {
                    torn.push(b'\n');
                    bytes.push(b'\n');
                }
                (Some(Torn::of(&torn)), false)
            }
            Rest::Damaged { ends_with_line } => {
                if !ends_with_line {
                    bytes.push(b'\n');
                }
                (None, true)
            }
        };
        let last = match (latest, known, torn) {
            (Some(own), _, None) => own,
            (Some(own), _, Some(torn)) => write(&mut bytes, &own, &at, Content::Torn(torn)),
            (None, Some(known), torn) => {
                if is_damaged || tail.last.is_some() {
                    log::warn!(
                        "{} does not end with line {}, which was written last: it was changed or \
                         cut off",
                        path.display(),
                        known.link.seq
                    );
                }
                write(&mut bytes, &known.link, &at, Content::Continue(&self.did, torn))
            }
            (None, None, torn) if !is_damaged => {
                let content = Content::Begin(&self.did, torn);
                write(&mut bytes, &Link::before_first()?, &at, content)
            }
            (None, None, _) => return Err(AuditError::Damaged { path: path.to_owned() }),
        };
        Ok((bytes, last))
    }
}

/// Whether a note is not about what this process has written last, nor about what others
/// have written since: then it was changed, or put back.
fn is_older(note: &Last, own: &Last, in_place: bool) -> bool {
    match note.link.chain == own.link.chain {
        true => note.link.seq < own.link.seq || (note.link.seq == own.link.seq && note != own),
        false => in_place || note.file == own.file,
    }
}

/// Whether no line is known that would have to come after it, or be in its place.
fn is_latest(own: &Link, known: Option<&Last>) -> bool {
    known.is_none_or(|known| {
        let known = &known.link;
        own.chain == known.chain && (own.seq > known.seq || own == known)
    })
}
