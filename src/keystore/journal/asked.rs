//! What was said of a backup when a migration was begun.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// So that nobody has to say it once more, where that was cut off before it was done. Without
/// any of these there is to be none.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct BackupAsked {
    /// There was one, which was opened; the journal has its digest.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) opened: bool,
    /// Where one is made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) file: Option<PathBuf>,
    /// For whom: public keys.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) recipients: Vec<String>,
}
