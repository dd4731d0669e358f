//! The kinds of backends, by name.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The kinds of backends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum BackendKind {
    /// An age file with a passphrase.
    #[default]
    Age,
    /// A token behind a PKCS#11 module.
    Pkcs11,
    /// A TPM 2.0.
    Tpm,
}

impl BackendKind {
    /// The name used in files and on the command line: `age`, `pkcs11`, `tpm`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Age => "age",
            Self::Pkcs11 => "pkcs11",
            Self::Tpm => "tpm",
        }
    }
}

impl fmt::Display for BackendKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
