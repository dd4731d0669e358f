//! `[identity.age]`: how much work a passphrase costs.

use serde::Deserialize;

/// `[identity.age]`
#[derive(Debug, Clone, Deserialize)]
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
