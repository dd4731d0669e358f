//! Why a text is not the JSON that it should be.

/// A text is not the JSON that it should be, or something cannot be written as JSON.
///
/// Its message may quote a piece of the text.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct InvalidJson(serde_json::Error);

impl InvalidJson {
    pub(crate) const fn new(error: serde_json::Error) -> Self {
        Self(error)
    }

    /// The line, from 1; 0 if it was not read from a text.
    #[must_use]
    pub fn line(&self) -> usize {
        self.0.line()
    }

    /// The column, in bytes; 0 as there.
    #[must_use]
    pub fn column(&self) -> usize {
        self.0.column()
    }
}
