//! What was read where a passphrase or PIN is kept, before it is used.

use std::os::unix::ffi::OsStrExt as _;

use super::wants::Wanted;
use crate::error::{CredentialError, Error};
use crate::file::read_secret_text;
use crate::keystore::Place;
use crate::secret::{LockedText, Passphrase, Pin, TextProblem, without_line_end};

/// A text, and where it was read.
pub(super) struct Found {
    text: LockedText,
    /// What earlier versions have read there, if that was another text.
    earlier: Option<LockedText>,
    /// ` in /run/pin`, or nothing.
    origin: String,
}

impl Found {
    /// Of a person, or of the program.
    pub(super) const fn given(text: LockedText) -> Self {
        Self { text, earlier: None, origin: String::new() }
    }

    /// Of a file or a variable, without the end of the last line, if it is fit for that.
    pub(super) fn at(place: &Place, wanted: &Wanted) -> Result<Self, Error> {
        let origin = format!(" in {place}");
        let no_text = |problem| not_one_line(wanted, origin.clone(), problem);
        let found = match place {
            Place::File(path) => {
                let text = read_secret_text(path)?.map_err(no_text)?;
                Self { text, earlier: None, origin }
            }
            Place::Variable(variable) => {
                let Some(value) = std::env::var_os(variable) else {
                    return Err(CredentialError::NotSet { variable: variable.clone() }.into());
                };
                let text = value
                    .into_string()
                    .map_err(|value| no_text(TextProblem::of_bytes(value.as_bytes())))?;
                let all = LockedText::from(text);
                let whole = all.expose_secret();
                let line = whole.get(..without_line_end(whole.as_bytes())).unwrap_or(whole);
                match line.len() == whole.len() {
                    true => Self { text: all, earlier: None, origin },
                    false => Self { text: line.into(), earlier: Some(all), origin },
                }
            }
        };
        found.fit_for(wanted)
    }

    /// If it is not empty, and a line: but for a passphrase that is in use, of which
    /// earlier versions took any, and which costs nothing to try.
    pub(super) fn fit_for(self, wanted: &Wanted) -> Result<Self, Error> {
        if self.text.is_empty() {
            return Err(CredentialError::Empty { what: wanted.what() }.into());
        }
        match TextProblem::of(self.text.expose_secret()) {
            Some(problem) if wanted.is_pin() || wanted.is_new() => {
                Err(not_one_line(wanted, self.origin, problem).into())
            }
            _ => Ok(self),
        }
    }

    pub(super) const fn text(&self) -> &LockedText {
        &self.text
    }

    pub(super) fn into_text(self) -> LockedText {
        self.text
    }

    pub(super) fn into_pin(self) -> Pin {
        Pin::from(self.text)
    }

    pub(super) fn into_passphrase(self) -> Passphrase {
        Passphrase::from(self.text).or_earlier(self.earlier)
    }
}

fn not_one_line(wanted: &Wanted, origin: String, problem: TextProblem) -> CredentialError {
    let (what, is_new) = (wanted.what(), wanted.is_new());
    CredentialError::NotOneLine { what, origin, problem, is_new }
}
