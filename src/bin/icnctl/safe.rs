//! What others have written, made safe for a terminal.
//!
//! A backup, a statement, or a token's label can hold sequences that move the
//! cursor, change the title or the order of the letters, or begin a line that
//! looks like one of ours. They are shown, as `\u{1b}`, and not acted upon.

use std::fmt::Write as _;

/// Whether a terminal does something else with it than to show it in its place, or shows nothing.
fn acts(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            // The order of the letters (Unicode UAX #9), and the ends of lines.
            '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
            // Of no width: two names that differ would look the same.
            | '\u{ad}' | '\u{200b}' | '\u{2060}'..='\u{2064}' | '\u{feff}'
        )
}

pub(crate) fn escaped(text: &str, line_end: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\n' => safe.push_str(line_end),
            character if acts(character) => safe.extend(character.escape_default()),
            character => safe.push(character),
        }
    }
    safe
}

/// A text of others, for the middle of a line.
pub(crate) fn one_line(text: &str) -> String {
    escaped(text, "\\n")
}

/// A text whose line ends are ours.
pub(crate) fn lines(text: &str) -> String {
    escaped(text, "\n")
}

/// JSON, which has escapes of its own; serde_json writes those below U+0020.
pub(crate) fn json(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for character in text.chars() {
        if character != '\n' && acts(character) {
            let _ = write!(safe, "\\u{:04x}", u32::from(character));
        } else {
            safe.push(character);
        }
    }
    safe
}

/// A text as a shell takes it, in a command that is advised.
pub(crate) fn word(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/._-+:@,=%".contains(&byte);
    if !text.is_empty() && text.bytes().all(plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const FOREIGN: &str = "a\u{1b}[2J\u{9b}1m\u{7f}\r\tü\u{202e}b\nerror: c";

    #[test]
    fn nothing_that_a_terminal_acts_upon_is_left() {
        let shown = "a\\u{1b}[2J\\u{9b}1m\\u{7f}\\r\\tü\\u{202e}b";
        assert_eq!(one_line(FOREIGN), format!("{shown}\\nerror: c"));
        assert_eq!(lines(FOREIGN), format!("{shown}\nerror: c"));
        assert_eq!(escaped(FOREIGN, "\n    "), format!("{shown}\n    error: c"));
    }

    #[test]
    fn what_has_no_width_is_shown() {
        assert_eq!(one_line("treasury@b\u{200b}.example"), "treasury@b\\u{200b}.example");
        for hidden in ['\u{ad}', '\u{2060}', '\u{feff}'] {
            assert!(one_line(&hidden.to_string()).starts_with("\\u{"));
        }
        // By these the letters of some scripts, and pictures, are joined or kept apart.
        assert_eq!(one_line("\u{200c}\u{200d}"), "\u{200c}\u{200d}");
    }

    #[test]
    fn json_stays_what_it_was() {
        let value = serde_json::json!({ "text": FOREIGN, FOREIGN: [1] });
        let shown = json(&format!("{value:#}"));
        assert!(!shown.chars().any(|character| character != '\n' && acts(character)), "{shown}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&shown).unwrap(), value);
    }
}
