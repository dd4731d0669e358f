//! The end of a file: its last line, and what a writer left after it that was cut off.

use super::error::AuditError;
use super::line::{Line, Link, NoLine};
use super::remains::are_of_writers;
use crate::file::appended::Appended;

/// As far back as a line is looked for: several of the longest.
const WINDOW: usize = 256 * 1024;

/// What is after the last line.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Rest {
    Nothing,
    /// The line is whole, but for its end.
    LineEnd,
    /// What was not written to its end.
    Torn(Vec<u8>),
    /// A line that was changed or put in, or nothing of ours.
    Damaged {
        ends_with_line: bool,
    },
}

#[derive(Debug, PartialEq, Eq)]
pub(super) struct Tail {
    pub(super) last: Option<Link>,
    pub(super) rest: Rest,
}

impl Tail {
    pub(super) fn read(file: &Appended) -> Result<Self, AuditError> {
        let length = file.length()?;
        let window = usize::try_from(length).unwrap_or(usize::MAX).min(WINDOW);
        let start = length.saturating_sub(u64::try_from(window).unwrap_or(0));
        Ok(Self::of(&file.read_from(start, window)?, start == 0))
    }

    /// Of the last bytes of a file, or of all of them.
    fn of(bytes: &[u8], is_all: bool) -> Self {
        let ends_with_line = bytes.ends_with(b"\n");
        let mut end = bytes.len();
        // Each line from the last, with where it begins.
        loop {
            let before = bytes.get(..end).unwrap_or_default();
            let content = before.strip_suffix(b"\n").unwrap_or(before);
            let start = content.iter().rposition(|byte| *byte == b'\n').map(|at| at + 1);
            let line = content.get(start.unwrap_or(0)..).unwrap_or_default();
            match Line::parse(line) {
                Ok(line) => {
                    let rest = match bytes.get(end..).unwrap_or_default() {
                        [] if ends_with_line => Rest::Nothing,
                        [] => Rest::LineEnd,
                        torn if are_of_writers(torn, Some(&line.link)) => Rest::Torn(torn.to_vec()),
                        _ => break,
                    };
                    return Self { last: Some(line.link), rest };
                }
                Err(NoLine::Changed) => break,
                Err(NoLine::Incomplete) => {}
            }
            match start {
                Some(start) => end = start,
                None if !is_all => break,
                None if bytes.is_empty() => return Self { last: None, rest: Rest::Nothing },
                // Not even its first line was written to its end.
                None if !are_of_writers(bytes, None) => break,
                None => return Self { last: None, rest: Rest::Torn(bytes.to_vec()) },
            }
        }
        Self { last: None, rest: Rest::Damaged { ends_with_line } }
    }
}

#[cfg(test)]
mod tests {
    use super::super::entry::{Entry, Event};
    use super::super::line::{ChainId, Content, write};
    use sha2::{Digest as _, Sha256};

    use super::*;
    use crate::encoding::hex;

    fn lines() -> (Vec<u8>, Link, Link) {
        let before = Link { chain: ChainId([1; 8]), seq: 3, hash: [2; 32] };
        let (mut text, entry) = (Vec::new(), Entry::allowed(Event::Sign));
        let key = crate::key::Key::<crate::Software, crate::Unlocked>::from_seed(&[1; 32]);
        let content = Content::Entry(key.did(), &entry);
        let at = "2026-11-28T10:00:00.123Z";
        let one = write(&mut text, &before, at, content);
        let other = write(&mut text, &one, at, content);
        (text, one, other)
    }

    #[test]
    fn wherever_a_writer_was_cut_off_the_last_whole_line_is_found() {
        let (text, one, other) = lines();
        let second = text.len() / 2;
        for cut in second..=text.len() {
            let tail = Tail::of(&text[..cut], true);
            let (last, rest) = match cut {
                _ if cut == second => (one, Rest::Nothing),
                _ if cut == text.len() => (other, Rest::Nothing),
                _ if cut == text.len() - 1 => (other, Rest::LineEnd),
                _ => (one, Rest::Torn(text[second..cut].to_vec())),
            };
            assert_eq!(tail, Tail { last: Some(last), rest }, "{cut}");
            // Of the first line of a file there is none before.
            if cut > second && cut < text.len() - 1 {
                let torn = Rest::Torn(text[second..cut].to_vec());
                assert_eq!(Tail::of(&text[second..cut], true), Tail { last: None, rest: torn });
            }
        }
        assert_eq!(Tail::of(b"", true), Tail { last: None, rest: Rest::Nothing });
    }

    #[test]
    fn what_was_cut_off_twice_is_one_rest() {
        let (mut text, one, _) = lines();
        text.truncate(text.len() - 100);
        text.extend_from_slice(b"\n{\"seq\":5");
        let tail = Tail::of(&text, true);
        let torn = text[text.len() / 2..].to_vec();
        assert_eq!(tail.last, Some(one));
        assert!(
            matches!(tail.rest, Rest::Torn(rest) if rest.ends_with(b"\n{\"seq\":5") && rest.len() < torn.len() + 100)
        );
    }

    #[test]
    fn a_changed_last_line_is_not_taken_for_one_that_was_cut_off() {
        let (mut text, ..) = lines();
        let place = text.len() - 200;
        text[place] ^= 1;
        let damaged = Tail { last: None, rest: Rest::Damaged { ends_with_line: true } };
        assert_eq!(Tail::of(&text, true), damaged);
        // Nor is what is no log at all, of which only the end is looked at.
        assert_eq!(Tail::of(&b"x\n".repeat(100), false), damaged);
        assert_eq!(Tail::of(b"[identity]\n", true), damaged);
        let beside = [&lines().0, &b"hello"[..]].concat();
        let damaged = Tail { last: None, rest: Rest::Damaged { ends_with_line: false } };
        assert_eq!(Tail::of(&beside, true), damaged);
    }

    /// What was put in is not what a writer has left, however it is made to look.
    #[test]
    fn what_was_put_in_is_not_taken_for_a_line_that_was_cut_off() {
        let (text, one, other) = lines();
        let start = String::from_utf8(text[text.len() / 2..].to_vec()).unwrap();
        let next = start.replacen("\"seq\":5", "\"seq\":6", 1);
        let next = next.replace(&hex::encode(&one.hash), &hex::encode(&other.hash));
        let cut = |at: usize| next[..at].to_owned();
        let event = next.find("\"event\"").unwrap();
        let (whole, of_other) = (next.rsplit_once(",\"hash\"").unwrap().0, start.clone());
        let kept = |rest: &str| {
            let tail = Tail::of(&[&text[..], rest.as_bytes()].concat(), true);
            matches!(tail, Tail { last: Some(last), rest: Rest::Torn(_) } if last == other)
        };
        let torn = format!("{}\"torn\",\"by", cut(event + 8));
        let again = ["", "\n", "\0\0", "\n\0\0", "\n{\"seq\":6,\"at\":\"20", &format!("\n{torn}")];
        let in_hash = |digits: usize| {
            let hash = hex::encode(&Sha256::digest(whole.as_bytes()));
            format!("{whole},\"hash\":\"{}", &hash[..digits])
        };
        let hashed = [in_hash(0), in_hash(9), in_hash(64), format!("{}\"", in_hash(64))];
        let begun = [cut(3), cut(9), cut(20), cut(60), cut(event + 12), whole.to_owned()];
        for rest in begun.iter().chain(&hashed).map(String::as_str).chain(["\0\0\0"]) {
            for end in again {
                assert!(kept(&format!("{rest}{end}")), "{rest}{end}");
            }
        }
        // JSON that is complete; a number, or a line before it, that is another; what is
        // put before or after it.
        for rest in [
            format!("{whole},\"hash\":\"{}\"", "ab".repeat(32)),
            format!("{whole},\"hash\":\"0"),
            format!("{whole},\"hash\":\"{}\",\"x", hex::encode(&Sha256::digest(whole))),
            format!("{}\n{whole}", cut(60)),
            format!("{}\n\n", cut(60)),
            format!("{whole}}}\n"),
            format!("{whole}}}"),
            format!("{whole}}}\0"),
            format!("{{\"seq\":6}}\n{}", cut(60)),
            format!("{}\n{{\"seq\":6,\"context\":\"x\"}}\n", cut(60)),
            of_other[..event + 12].to_owned(),
            "{\"seq\":99,\"at\":\"2026-11-28T10:00:00.123Z\",\"ch".to_owned(),
            format!("\n{}", cut(60)),
            "{\"seq\":6,\"context\":\"x".to_owned(),
        ] {
            assert!(!kept(&rest), "{rest}");
        }
    }
}
