//! `[identity.age]`: how much work a passphrase costs.

use serde::{Deserialize, Serialize};

/// `[identity.age]`
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct AgeConfig {
    /// log2 of scrypt's work for new files (default 18, about a second).
    pub work_factor: u8,
    /// log2 of the work that a file may ask for when it is read (default 20).
    pub max_work_factor: u8,
}

impl Default for AgeConfig {
    fn default() -> Self {
        Self { work_factor: 18, max_work_factor: 20 }
    }
}

impl AgeConfig {
    pub(super) fn is_default(&self) -> bool {
        *self == Self::default()
    }
}
