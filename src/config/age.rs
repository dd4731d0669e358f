//! `[identity.age]`: how much work a passphrase costs.

use serde::{Deserialize, Serialize};

use crate::encoding::objects::object_only;

/// `[identity.age]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct AgeConfig {
    /// log2 of scrypt's work for new files (default 18, about a second).
    pub work_factor: u8,
    /// log2 of the work that a file may ask for when it is read (default 20).
    pub max_work_factor: u8,
}

/// As it is read.
#[derive(Deserialize)]
#[serde(remote = "AgeConfig", deny_unknown_fields, default = "AgeConfig::default")]
struct Fields {
    work_factor: u8,
    max_work_factor: u8,
}

object_only!(AgeConfig as Fields);

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
