//! What a writer leaves that was cut off, and what somebody else has put in.
//!
//! A writer writes whole lines, one after another. So of the last one there can be a
//! beginning; and again one of the line by which the next writer wanted to say so. Each
//! has the number of the line that was to come, and names the line before; and none is
//! JSON that is complete, which a beginning of a line never is.

use super::line::{Link, START};
use crate::encoding::{hex, objects};

/// Whether all of it is what writers left after a line. Of the first lines of a file it is
/// not known what was before them.
pub(super) fn are_of_writers(bytes: &[u8], after: Option<&Link>) -> bool {
    let bytes = bytes.strip_suffix(b"\n").unwrap_or(bytes);
    let next = after.map(Next::after);
    bytes.split(|byte| *byte == b'\n').all(|part| {
        // A disk that lost power can have zeros where something was to be written.
        let end = part.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
        let part = part.get(..end).unwrap_or_default();
        !part.is_empty()
            && part.iter().zip(START).all(|(byte, start)| byte == start)
            && next.as_ref().is_none_or(|next| next.begins_as(part))
            && objects::is_cut_off(part)
    })
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

    fn begins_as(&self, part: &[u8]) -> bool {
        let number = self.number.as_bytes();
        let Some(time) = part.strip_prefix(number) else { return number.starts_with(part) };
        let Some(end) = time.iter().position(|byte| *byte == b'"') else { return true };
        let names = time.get(end..).unwrap_or_default();
        names.starts_with(self.names.as_bytes()) || self.names.as_bytes().starts_with(names)
    }
}
