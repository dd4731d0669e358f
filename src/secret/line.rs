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
    /// It begins or ends with white space that is no blank, or with something else that
    /// shows nothing: as is copied with a text from a page.
    Unseen(char),
    /// It is no UTF-8.
    NotUtf8,
    /// It is UTF-16, by its byte order mark.
    Utf16,
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
        let ends = || [text.chars().next(), text.chars().next_back()].into_iter().flatten();
        lines
            .or_else(|| text.chars().find_map(found))
            .or_else(|| ends().find(|end| is_unseen(*end)).map(Self::Unseen))
    }

    /// What is wrong with bytes that are no UTF-8.
    #[cfg(feature = "keystore")]
    pub(crate) fn of_bytes(bytes: &[u8]) -> Self {
        match bytes.get(..2) {
            Some(b"\xff\xfe" | b"\xfe\xff") => Self::Utf16,
            _ => Self::NotUtf8,
        }
    }
}

/// Whether nobody sees that it is there, at an end of a text. A blank is typed by a key of
/// its own, and what joins emoji or chooses their form is at the end of some.
const fn is_unseen(character: char) -> bool {
    match character {
        ' ' => false,
        // Soft hyphen, joiners, fillers, marks of direction, invisible operators.
        '\u{ad}'
        | '\u{34f}'
        | '\u{61c}'
        | '\u{115f}'
        | '\u{1160}'
        | '\u{17b4}'
        | '\u{17b5}'
        | '\u{180b}'..='\u{180f}'
        | '\u{200b}'..='\u{200f}'
        | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}'
        | '\u{2800}'
        | '\u{3164}'
        | '\u{ffa0}'
        | '\u{fff9}'..='\u{fffb}' => true,
        character => character.is_whitespace(),
    }
}

/// What some of them are called.
const fn name_of(character: char) -> &'static str {
    match character {
        '\u{a0}' => " (no-break space)",
        '\u{ad}' => " (soft hyphen)",
        '\u{2000}'..='\u{200a}' | '\u{205f}' => " (a space of another width)",
        '\u{200b}' => " (zero width space)",
        '\u{200c}' => " (zero width non-joiner)",
        '\u{200d}' => " (zero width joiner)",
        '\u{200e}' => " (left-to-right mark)",
        '\u{200f}' => " (right-to-left mark)",
        '\u{202f}' => " (narrow no-break space)",
        '\u{2060}' => " (word joiner)",
        '\u{3000}' => " (ideographic space)",
        _ => "",
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
            Self::Unseen(character) => write!(
                f,
                "it begins or ends with a character that nobody sees, U+{:04X}{}",
                u32::from(*character),
                name_of(*character)
            ),
            Self::NotUtf8 => f.write_str("it is not UTF-8"),
            Self::Utf16 => f.write_str("it is UTF-16, and not UTF-8"),
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
        for text in ["", "1234", " pass phrase ", "päss", "e\u{301}", "\u{1f511}", "1\u{a0}2"] {
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
            ("12\n34\u{a0}", TextProblem::Lines),
            ("\u{200b}12\t34", TextProblem::Control('\t')),
        ] {
            assert_eq!(TextProblem::of(text), Some(problem), "{text:?}");
        }
    }

    #[test]
    fn white_space_at_an_end_that_nobody_sees_is_named_and_a_blank_is_none() {
        for unseen in [
            '\u{a0}', '\u{1680}', '\u{2003}', '\u{2007}', '\u{200b}', '\u{200d}', '\u{200e}',
            '\u{202f}', '\u{205f}', '\u{2060}', '\u{2064}', '\u{3000}', '\u{ad}', '\u{2800}',
            '\u{3164}', '\u{180e}',
        ] {
            for text in [format!("1234{unseen}"), format!("{unseen}1234"), unseen.to_string()] {
                let problem = TextProblem::of(&text).unwrap_or_else(|| panic!("{text:?}"));
                assert_eq!(problem, TextProblem::Unseen(unseen));
                let named = format!("U+{:04X}", u32::from(unseen));
                assert!(problem.to_string().contains(&named), "{problem}");
            }
            // Between others it is a part of what was typed or copied whole.
            assert_eq!(TextProblem::of(&format!("12{unseen}34")), None, "{unseen:?}");
        }
        // As phones put them there: a heart, a family, a flag.
        for seen in ["\u{2764}\u{fe0f}", "\u{1f468}\u{200d}\u{1f467}", "\u{1f1e9}\u{1f1ea}", " 1 "]
        {
            assert_eq!(TextProblem::of(seen), None, "{seen:?}");
        }
        let no_break = TextProblem::Unseen('\u{a0}').to_string();
        assert!(no_break.ends_with("U+00A0 (no-break space)"), "{no_break}");
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
