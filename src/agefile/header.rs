//! What the crate `age` lets pass in a header, and the format does not.

/// The version whose form is known here.
const V1: &[u8] = b"age-encryption.org/v1";
/// A full line of a stanza's body, in base64.
const FULL: usize = 64;

/// Looks at the lines of a header as they go by.
///
/// The body of each stanza ends with a line that is not full (age v1, section "recipient
/// stanza"). `age` takes one without that line too, as files of its first years had it,
/// and then a file that was cut and put together again looks like another one.
#[derive(Default)]
pub(crate) struct HeaderLines {
    /// As much of the line as tells what it is.
    start: Vec<u8>,
    length: usize,
    line: usize,
    in_body: bool,
    done: bool,
}

/// A stanza's last line is missing before this line, counted from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("line {line} of the header comes before the end of a stanza")]
pub(crate) struct UnendedStanza {
    pub(crate) line: usize,
}

impl HeaderLines {
    /// Looks at more of the file. What comes after the header is not looked at.
    pub(crate) fn look_at(&mut self, bytes: &[u8]) -> Result<(), UnendedStanza> {
        for byte in bytes {
            if self.done {
                break;
            }
            if *byte != b'\n' {
                self.length = self.length.saturating_add(1);
                if self.start.len() <= V1.len() {
                    self.start.push(*byte);
                }
                continue;
            }
            self.line += 1;
            self.end_of_line()?;
            self.start.clear();
            self.length = 0;
        }
        Ok(())
    }

    fn end_of_line(&mut self) -> Result<(), UnendedStanza> {
        let is_stanza = self.start.starts_with(b"->");
        let is_last = self.start.starts_with(b"---");
        if self.line == 1 {
            self.done = self.start != V1;
        } else if is_stanza || is_last {
            if self.in_body {
                return Err(UnendedStanza { line: self.line });
            }
            self.in_body = is_stanza;
            self.done = is_last;
        } else if self.length != FULL {
            self.in_body = false;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn looked_at(text: &str) -> Result<(), UnendedStanza> {
        let mut lines = HeaderLines::default();
        let whole = HeaderLines::default().look_at(text.as_bytes());
        for byte in text.as_bytes() {
            lines.look_at(&[*byte]).inspect_err(|error| assert_eq!(whole, Err(*error)))?;
        }
        assert_eq!(whole, Ok(()));
        Ok(())
    }

    #[test]
    fn each_stanza_has_a_last_line_that_is_not_full() {
        let full = "A".repeat(64);
        for good in [
            "-> a\n\n--- MAC\n".to_owned(),
            "-> a\nAA\n-> b\n\n--- MAC\n".into(),
            format!("-> a\n{full}\n\n--- MAC\n"),
            format!("-> a\n{full}\n{full}\nAA\n-> b c\nAA\n--- MAC\n-> x\n--- \n"),
            format!("-> a\n{full}"),
        ] {
            assert_eq!(looked_at(&format!("age-encryption.org/v1\n{good}")), Ok(()), "{good}");
        }
        for (bad, line) in [
            (format!("-> a\n{full}\n--- MAC\n"), 4),
            (format!("-> a\n{full}\n-> b\n\n--- MAC\n"), 4),
            ("-> a\n--- MAC\n".into(), 3),
            ("-> a\n\n-> b\n-> c\n\n--- MAC\n".into(), 5),
        ] {
            let refused = looked_at(&format!("age-encryption.org/v1\n{bad}"));
            assert_eq!(refused, Err(UnendedStanza { line }), "{bad}");
        }
        // Of another version nothing is known.
        assert_eq!(looked_at("age-encryption.org/v2\n-> a\n--- MAC\n"), Ok(()));
        assert_eq!(looked_at("age-encryption.org/v10\n-> a\n--- MAC\n"), Ok(()));
    }
}
