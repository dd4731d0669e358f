//! What was read where a passphrase or PIN is kept, before it is used.

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

    /// Of a file or a variable, without the end of the last line.
    pub(super) fn at(place: &Place) -> Result<Self, Error> {
        let origin = format!(" in {place}");
        match place {
            Place::File(path) => Ok(Self { text: read_secret_text(path)?, earlier: None, origin }),
            Place::Variable(variable) => {
                let variable = variable.clone();
                let Some(value) = std::env::var_os(&variable) else {
                    return Err(CredentialError::NotSet { variable }.into());
                };
                let text =
                    value.into_string().map_err(|_| CredentialError::NotUtf8 { variable })?;
                let all = LockedText::from(text);
                let whole = all.expose_secret();
                let line = whole.get(..without_line_end(whole.as_bytes())).unwrap_or(whole);
                if line.len() == whole.len() {
                    return Ok(Self { text: all, earlier: None, origin });
                }
                Ok(Self { text: line.into(), earlier: Some(all), origin })
            }
        }
    }

    /// If it is not empty, and a line: but for a passphrase that is in use, of which
    /// earlier versions took any, and which costs nothing to try.
    pub(super) fn fit_for(self, wanted: &Wanted) -> Result<Self, Error> {
        let what = wanted.what();
        if self.text.is_empty() {
            return Err(CredentialError::Empty { what }.into());
        }
        match TextProblem::of(self.text.expose_secret()) {
            Some(problem) if wanted.is_pin() || wanted.is_new() => {
                Err(CredentialError::NotOneLine { what, origin: self.origin, problem }.into())
            }
            _ => Ok(self),
        }
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
