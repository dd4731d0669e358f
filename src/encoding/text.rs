//! Text that others hand over: what an editor puts before it is no part of it.

/// The byte order mark, in UTF-8: what editors of other systems begin a file with.
const MARK: &[u8] = b"\xef\xbb\xbf";

/// A text in another encoding than UTF-8, by its byte order mark.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the text is {found}, not UTF-8: save it as UTF-8")]
pub(crate) struct NotUtf8 {
    found: &'static str,
}

/// What comes after a byte order mark, if there is one; it may be there once.
///
/// # Errors
///
/// If the mark is that of another encoding.
pub(crate) fn after_mark(text: &[u8]) -> Result<&[u8], NotUtf8> {
    let found = match text {
        [0xff, 0xfe, 0, 0, ..] | [0, 0, 0xfe, 0xff, ..] => "UTF-32",
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => "UTF-16",
        _ => return Ok(text.strip_prefix(MARK).unwrap_or(text)),
    };
    Err(NotUtf8 { found })
}

/// As [`after_mark`], of what is UTF-8.
pub(crate) fn after_mark_of(text: &str) -> &str {
    text.strip_prefix('\u{feff}').unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_mark_of_utf_8_is_skipped_and_others_are_named() {
        assert_eq!(after_mark(b"text"), Ok(&b"text"[..]));
        assert_eq!((after_mark_of("\u{feff}text"), after_mark_of("text")), ("text", "text"));
        assert_eq!(after_mark(b""), Ok(&b""[..]));
        assert_eq!(after_mark(b"\xef\xbb\xbftext"), Ok(&b"text"[..]));
        assert_eq!(after_mark(b"\xef\xbb\xbf\xef\xbb\xbft"), Ok(&b"\xef\xbb\xbft"[..]));
        assert_eq!(after_mark(b"a\xef\xbb\xbf"), Ok(&b"a\xef\xbb\xbf"[..]));
        for (text, name) in [
            (&b"\xff\xfet\0"[..], "UTF-16"),
            (b"\xfe\xff\0t", "UTF-16"),
            (b"\xff\xfe\0\0t\0\0\0", "UTF-32"),
            (b"\0\0\xfe\xff\0\0\0t", "UTF-32"),
        ] {
            let error = after_mark(text).unwrap_err().to_string();
            assert_eq!(error, format!("the text is {name}, not UTF-8: save it as UTF-8"));
        }
    }
}
