//! The pin before the identity: a command that is cut off between the two
//! leaves none that is not pinned.

use icn_identity::keystore::IdentityStore;

use super::{Cause, Pins, fill, put, read};
use crate::context::Context;
use crate::error::CliError;
use crate::output::say;

/// What was written before there is an identity.
#[must_use]
pub(crate) struct PinnedAhead {
    context: Context,
    /// The file as it was, if it was changed; `None` inside if there was none.
    before: Option<Option<String>>,
}

/// Writes it where it is not there yet. A file that has it already need not be
/// writable. Where there is no file, it begins as `if_none`.
pub(crate) fn pin_ahead(
    context: &Context,
    pins: &Pins<'_>,
    if_none: &str,
) -> Result<PinnedAhead, CliError> {
    let path = &context.config_path;
    let pin = || -> Result<_, Cause> {
        let before = read(path)?;
        let text = before.as_deref().unwrap_or(if_none);
        let mut document: toml_edit::DocumentMut = text.parse()?;
        fill(&mut document, context, pins).ok_or("[identity] is not a table")?;
        let text = document.to_string();
        if before.as_ref() == Some(&text) {
            return Ok(None);
        }
        put(context, &text)?;
        Ok(Some(before))
    };
    match pin() {
        Ok(before) => Ok(PinnedAhead { context: context.clone(), before }),
        Err(source) => {
            let (path, lines) = (path.clone(), pins.lines(context));
            Err(CliError::NotPinned { path, lines, source })
        }
    }
}

impl PinnedAhead {
    /// Puts the file back as it was, if no identity came of it.
    pub(crate) fn unless_failed<T, E>(
        self,
        store: &IdentityStore,
        result: Result<T, E>,
    ) -> Result<T, E> {
        if result.is_err()
            && let Some(before) = self.before
            // Another process may have made it, and pinned it here.
            && store.check_vacant().is_ok()
        {
            let path = &self.context.config_path;
            let put_back = match before {
                Some(text) => put(&self.context, &text),
                None => std::fs::remove_file(path).map_err(Into::into),
            };
            if let Err(error) = put_back {
                say(&format!("warning: {} was not put back as it was: {error}", path.display()));
            }
        }
        result
    }
}
