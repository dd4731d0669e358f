//! Text of others, which is cut off where it is long.

/// The longest context, name or path that is written, in bytes.
const LONGEST: usize = 1024;

pub(super) fn cut(text: &str) -> String {
    text.get(..text.floor_char_boundary(LONGEST)).unwrap_or(text).to_owned()
}
