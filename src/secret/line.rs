//! What a passphrase or PIN has to look like: one line, as a person can type it.

use std::fmt;

/// Why a text is not a line that a person could type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum TextProblem {
    /// It goes on after the end of its first line.
    Lines,
    /// There is a control character in it.
    Control(char),
    /// There is a byte order mark in it, as some editors put one before a text.
    ByteOrderMark,
}

impl TextProblem {
    /// The first one of a text.
    pub(crate) fn of(text: &str) -> Option<Self> {
        let found = |character| match character {
            '\n' | '\u{2028}' | '\u{2029}' => Some(Self::Lines),
            '\u{feff}' => Some(Self::ByteOrderMark),
            character if character.is_control() => Some(Self::Control(character)),
            _ => None,
        };
        // Where there are lines, that is what is wrong with it.
        let lines = text.chars().filter_map(found).find(|problem| *problem == Self::Lines);
        lines.or_else(|| text.chars().find_map(found))
    }
}

impl fmt::Display for TextProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lines => f.write_str("it has more than one line"),
            Self::Control(character) => {
                write!(f, "it has a control character, U+{:04X}", u32::from(*character))
            }
            Self::ByteOrderMark => f.write_str("it has a byte order mark, U+FEFF"),
        }
    }
}

/// How long a text is without the end of its last line: files and variables alike.
#[cfg(feature = "keystore")]
pub(crate) fn without_line_end(text: &[u8]) -> usize {
    let text = text.strip_suffix(b"\n").unwrap_or(text);
    text.strip_suffix(b"\r").unwrap_or(text).len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_a_person_can_type_has_no_problem() {
        for text in ["", "1234", " pass phrase ", "päss", "e\u{301}", "\u{1f511}", "\u{a0}"] {
            assert_eq!(TextProblem::of(text), None, "{text:?}");
        }
    }

    #[test]
    fn lines_control_characters_and_byte_order_marks_are_named() {
        for (text, problem) in [
            ("1234\n", TextProblem::Lines),
            ("\n1234", TextProblem::Lines),
            ("12\r\n34", TextProblem::Lines),
            ("\u{feff}12\n34", TextProblem::Lines),
            ("12\u{2028}34", TextProblem::Lines),
            ("12\r34", TextProblem::Control('\r')),
            ("12\t34", TextProblem::Control('\t')),
            ("1234\0", TextProblem::Control('\0')),
            ("\u{1b}[A1234", TextProblem::Control('\u{1b}')),
            ("1234\u{7f}", TextProblem::Control('\u{7f}')),
            ("12\u{85}34", TextProblem::Control('\u{85}')),
            ("\u{feff}1234", TextProblem::ByteOrderMark),
            ("1234\u{feff}", TextProblem::ByteOrderMark),
        ] {
            assert_eq!(TextProblem::of(text), Some(problem), "{text:?}");
        }
    }

    #[cfg(feature = "keystore")]
    #[test]
    fn one_line_end_is_left_out() {
        for (text, rest) in [
            ("x", "x"),
            ("x\n", "x"),
            ("x\r\n", "x"),
            ("x\r", "x"),
            ("x\n\n", "x\n"),
            ("x\n\r", "x\n"),
            ("x\r\n\r\n", "x\r\n"),
            ("\n", ""),
            ("", ""),
        ] {
            assert_eq!(&text[..without_line_end(text.as_bytes())], rest, "{text:?}");
        }
    }
}
