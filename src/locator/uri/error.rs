//! Why a text is no URI of ours. No value is ever repeated: it may be a PIN.

use crate::kind::{ErrorKind, explain};

/// Why a text is not a `pkcs11:` URI that names a key or token.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidPkcs11Uri {
    /// It does not begin with `pkcs11:`.
    #[error("it does not begin with `pkcs11:`")]
    Scheme,
    /// A character that must be percent-encoded, or cannot be in a URI.
    #[error("the character at offset {offset} must be percent-encoded")]
    Character {
        /// Bytes from the start.
        offset: usize,
    },
    /// `%` without two hexadecimal digits.
    #[error("`%` at offset {offset} is not followed by two hexadecimal digits")]
    Percent {
        /// Bytes from the start.
        offset: usize,
    },
    /// An attribute without a name, or without `=`.
    #[error("at offset {offset} there is no `name=value`")]
    NoAttribute {
        /// Bytes from the start.
        offset: usize,
    },
    /// An attribute is there twice.
    #[error("`{name}` is there twice")]
    Twice {
        /// Which.
        name: String,
    },
    /// An attribute that is not known, or not where it belongs.
    #[error("the attribute at offset {offset} is not known there")]
    Unknown {
        /// Bytes from the start.
        offset: usize,
    },
    /// An attribute that has its place on the other side of the `?`.
    #[error("`{name}` belongs {place} the `?`")]
    Misplaced {
        /// Which.
        name: &'static str,
        /// `before` or `after`.
        place: &'static str,
    },
    /// An attribute of RFC 7512 that does not say which key is meant.
    #[error("`{name}` is not taken here")]
    NotTaken {
        /// Which.
        name: &'static str,
    },
    /// The decoded text is not UTF-8, or holds NUL.
    #[error("`{name}` is not text")]
    NotText {
        /// Which.
        name: String,
    },
    /// Longer than such a value can be.
    #[error("`{name}` is longer than {limit} bytes")]
    TooLong {
        /// Which.
        name: String,
        /// The most bytes that it can have.
        limit: usize,
    },
    /// `id=` with nothing after it.
    #[error("`id` is empty")]
    EmptyId,
    /// `type` is something else than a key pair.
    #[error("`type` is neither `private` nor `public`")]
    Type,
    /// A PIN in the URI itself.
    #[error("`pin-value` would put a PIN where others can read it")]
    PinValue,
    /// `pin-source` is no file.
    #[error("`pin-source` is not an absolute path or `file:` URI")]
    PinSource,
    /// `module-path` is not absolute.
    #[error("`module-path` is not an absolute path")]
    ModulePath,
}

explain!(InvalidPkcs11Uri);

impl InvalidPkcs11Uri {
    /// What it means for the program.
    #[must_use]
    pub const fn kind(&self) -> ErrorKind {
        match self {
            Self::Scheme
            | Self::Character { .. }
            | Self::Percent { .. }
            | Self::NoAttribute { .. }
            | Self::Twice { .. }
            | Self::Unknown { .. }
            | Self::Misplaced { .. }
            | Self::NotTaken { .. }
            | Self::NotText { .. }
            | Self::TooLong { .. }
            | Self::EmptyId
            | Self::Type
            | Self::PinValue
            | Self::PinSource
            | Self::ModulePath => ErrorKind::InvalidInput,
        }
    }

    /// What to try next.
    #[must_use]
    pub fn help(&self) -> Option<String> {
        let help = match self {
            Self::Misplaced { .. } => {
                "write it as pkcs11:token=…;object=…?pin-source=…&module-path=…"
            }
            Self::NotTaken { name: "module-name" } => "name the module by `module-path`",
            Self::NotTaken { .. } => {
                "slot numbers and libraries change: name the token by `token` and `serial`"
            }
            Self::PinValue => {
                "take it out (and change the PIN if others have seen it); name a file by \
                 `pin-source`"
            }
            Self::PinSource => "name a file of mode 0600 that holds the PIN: pin-source=file:/…",
            Self::Type => "give the URI of the private or the public key",
            _ => "each `Pkcs11Locator` is printed as the URI of its key",
        };
        Some(help.to_owned())
    }
}
