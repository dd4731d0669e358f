//! An error with what it comes from.

use std::error::Error as StdError;

/// An error and its causes, outermost first, in one line: what a log or a report shows where
/// there is no room for a line each. A cause that says the same as the error that it is the
/// cause of is left out. [`Error::help`](super::Error::help) is not in it.
///
/// ```
/// use icn_identity::error::{in_full, KeystoreError};
///
/// let source = std::io::Error::other("the disk has failed");
/// let error = KeystoreError::Io { action: "read", path: "/home/icn.toml".into(), source };
/// assert_eq!(in_full(&error), "cannot read /home/icn.toml: the disk has failed");
/// ```
#[must_use]
pub fn in_full(error: &dyn StdError) -> String {
    let mut said = error.to_string();
    let (mut text, mut cause) = (said.clone(), error.source());
    while let Some(error) = cause {
        let because = error.to_string();
        if because != said {
            text.push_str(": ");
            text.push_str(&because);
        }
        (said, cause) = (because, error.source());
    }
    text
}
