//! What a writer leaves that was cut off, and what somebody else has put in.
//!
//! A writer writes whole lines, one after another. So of the last one there can be a
//! beginning; and again one of the line by which the next writer wanted to say so. Each
//! has the number of the line that was to come, and names the line before; none is JSON that
//! is complete, which a beginning of a line never is; and a hash that is there is its own.

use sha2::{Digest as _, Sha256};

use super::line::{CONTINUE, HASH, Link, START, TORN};
use crate::encoding::{hex, objects};

/// Whether all of it is what writers left after a line. Of the first lines of a file it is
/// not known what was before them.
pub(super) fn are_of_writers(bytes: &[u8], after: Option<&Link>) -> bool {
    let bytes = bytes.strip_suffix(b"\n").unwrap_or(bytes);
    let next = after.map(Next::after);
    let mut parts = bytes.split(|byte| *byte == b'\n');
    let first = parts.next().unwrap_or_default();
    is_of_writer(first, next.as_ref(), false)
        && parts.all(|part| is_of_writer(part, next.as_ref(), true))
}

/// Of what comes `again` the writer wanted to say that something was cut off.
fn is_of_writer(part: &[u8], next: Option<&Next>, again: bool) -> bool {
    // A disk that lost power can have zeros where something was to be written.
    let end = part.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
    let begun = part.get(..end).unwrap_or_default();
    if begun.is_empty() {
        return !part.is_empty();
    }
    begun.iter().zip(START).all(|(byte, start)| byte == start)
        && next.is_none_or(|next| next.begins_as(begun, again))
        && objects::is_cut_off(begun)
        && has_its_own_hash(begun)
}

/// The hash of a line, as far as it is there, is that of what is before it. In a text of
/// others there is no such name: its quotes are escaped.
fn has_its_own_hash(begun: &[u8]) -> bool {
    let Some(place) = begun.windows(HASH.len()).position(|text| text == HASH.as_bytes()) else {
        return true;
    };
    let (body, hash) = begun.split_at(place);
    let whole = format!("{HASH}{}\"", hex::encode(&Sha256::digest(body)));
    whole.as_bytes().starts_with(hash)
}

/// How the next line begins.
struct Next {
    number: String,
    names: String,
}

impl Next {
    fn after(last: &Link) -> Self {
        let (number, prev) = (last.seq.saturating_add(1), hex::encode(&last.hash));
        Self {
            number: format!("{{\"seq\":{number},\"at\":\""),
            names: format!("\",\"chain\":\"{}\",\"prev\":\"{prev}\",\"event\":\"", last.chain),
        }
    }

    fn begins_as(&self, part: &[u8], again: bool) -> bool {
        let number = self.number.as_bytes();
        let Some(time) = part.strip_prefix(number) else { return number.starts_with(part) };
        let Some(end) = time.iter().position(|byte| *byte == b'"') else { return true };
        let names = time.get(end..).unwrap_or_default();
        let Some(event) = names.strip_prefix(self.names.as_bytes()) else {
            return self.names.as_bytes().starts_with(names);
        };
        let says = |name: &str| {
            let whole = format!("{name}\"");
            event.starts_with(whole.as_bytes()) || whole.as_bytes().starts_with(event)
        };
        !again || says(TORN) || says(CONTINUE)
    }
}
