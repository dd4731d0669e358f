//! What can be wrong with a keystore of ICN's older formats.

use std::path::PathBuf;

use crate::did::Did;
use crate::fault::quoted;
use crate::kind::{ErrorKind, explain};

/// Why an older file was not imported. Names fields, never their values.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LegacyError {
    /// The file is ASCII armor around an age file.
    #[error("the file is armored age, the older keystores are binary age")]
    Armored,
    /// The file is no age file.
    #[error("the file is not an age file but {looks}; the older keystores are age files")]
    NotAge {
        /// What it looks like.
        looks: &'static str,
    },
    /// It is an age file that is not whole.
    #[error("the file is an age file whose header is damaged or cut short")]
    Cut,
    /// It was encrypted to a key.
    #[error(
        "the file was encrypted to a key, as a backup is; the older keystores are encrypted with a \
         passphrase"
    )]
    ToAKey,
    /// What was decrypted is no JSON object.
    #[error("the decrypted file is not a JSON object: line {line}, column {column}")]
    Json {
        /// The line, from 1.
        line: usize,
        /// The column, from 1.
        column: usize,
    },
    /// The file is of the present format.
    #[error("the file has version 5, which is the present format and not an older one")]
    Present,
    /// There never was such a version.
    #[error("the file has version {found}; the older formats have none, 3 or 4")]
    UnknownVersion {
        /// The version found.
        found: u64,
    },
    /// A field is missing.
    #[error("the field `{field}` is missing, which {format} has")]
    Missing {
        /// Which.
        field: &'static str,
        /// The format that the other fields show.
        format: &'static str,
    },
    /// A field is there twice.
    #[error("the field {field:?} is there twice")]
    Doubled {
        /// Which.
        field: String,
    },
    /// A field is not what it should be.
    #[error("the field `{field}` {problem}")]
    Field {
        /// Which.
        field: &'static str,
        /// What is wrong with it.
        problem: FieldProblem,
    },
    /// A public key does not belong to its secret.
    #[error("`{public}` is not the public key of `{secret}`")]
    NotItsKey {
        /// The field of the public key.
        public: &'static str,
        /// The field of the secret.
        secret: &'static str,
    },
    /// The DID is not that of the key.
    #[error("the field `did` names {named:?}, the key in the file is that of {key}")]
    WrongDid {
        /// What the file says (its first 128 characters).
        named: String,
        /// The DID of the key.
        key: Did,
    },
    /// The old TLS binding does not verify.
    #[error("`tls_binding_sig` is not this key's signature over the certificate `tls_cert_der`")]
    Binding,
    /// Another identity is pinned.
    #[error("the file holds {found}, the configuration pins {pinned}")]
    NotPinned {
        /// What `icn.toml` pins.
        pinned: Did,
        /// Whose file it is.
        found: Did,
    },
    /// The file lies where the new identity is to be written.
    #[error("{} is where the new identity is to be written", path.display())]
    SamePlace {
        /// The file.
        path: PathBuf,
    },
    /// What is carried over would not be read again.
    #[error("what the file holds beside its keys is {found} bytes long, the limit is {limit}")]
    TooLong {
        /// How long it is.
        found: usize,
        /// What is allowed.
        limit: usize,
    },
}

/// What is wrong with a field. It never says what the field holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FieldProblem {
    /// Not an array of numbers.
    #[error("is not an array of numbers")]
    NotBytes,
    /// An element is no byte.
    #[error("has an element that is not a whole number from 0 to 255, at index {at}")]
    Range {
        /// Which element, from 0.
        at: usize,
    },
    /// The wrong number of elements.
    #[error("has {found} elements instead of {expected}")]
    Length {
        /// How many there are.
        found: usize,
        /// How many there should be.
        expected: usize,
    },
    /// Not a string.
    #[error("is not a string")]
    NotText,
    /// Not a whole number.
    #[error("is not a whole number")]
    NotNumber,
    /// Not an array of objects.
    #[error("is not an array of objects")]
    NotObjects,
}

explain!(LegacyError);

impl LegacyError {
    /// What it means for the program.
    #[must_use]
    pub const fn kind(&self) -> ErrorKind {
        match self {
            Self::Armored
            | Self::NotAge { .. }
            | Self::ToAKey
            | Self::Present
            | Self::SamePlace { .. }
            | Self::TooLong { .. } => ErrorKind::InvalidInput,
            Self::UnknownVersion { .. } => ErrorKind::Unsupported,
            Self::Cut
            | Self::Json { .. }
            | Self::Missing { .. }
            | Self::Doubled { .. }
            | Self::Field { .. }
            | Self::NotItsKey { .. }
            | Self::WrongDid { .. } => ErrorKind::Damaged,
            Self::Binding => ErrorKind::Untrusted,
            Self::NotPinned { .. } => ErrorKind::OtherIdentity,
        }
    }

    /// What to try next.
    #[must_use]
    pub fn help(&self) -> Option<String> {
        let help = match self {
            Self::Armored => {
                "take the armor off and import the result: \
                 sed '/^-----/d' FILE | base64 -d > FILE.age"
            }
            Self::NotAge { .. } => {
                "name the keystore file of the older version; docs/import.md lists the formats"
            }
            Self::Cut => "import another copy of the file",
            Self::ToAKey => "restore a backup by its recovery key (`Home::restore`)",
            Self::Present => {
                "nothing has to be imported: put it, as identity.age, and its identity.json into \
                 the home directory (mode 0700), or restore it from a backup"
            }
            Self::UnknownVersion { .. } | Self::Json { .. } => {
                "check that this is a keystore of ICN's; docs/import.md lists the formats"
            }
            Self::Missing { .. } | Self::Doubled { .. } | Self::Field { .. } => {
                "the file was changed or written by another program: import an older backup of it"
            }
            Self::NotItsKey { .. } | Self::WrongDid { .. } => {
                "keys of two identities are mixed in this file: import an older backup of it; \
                 nothing was written"
            }
            Self::Binding => {
                "import an older backup; or, as the old TLS key and certificate are replaced in \
                 any case, leave them out (`LegacyOptions::with_discarded_tls`; the key, its DID and the X25519 key \
                 are checked as before)"
            }
            Self::NotPinned { .. } => {
                "use the directory of that identity, or remove the line `did` from the \
                 configuration if this one is meant to be replaced"
            }
            Self::SamePlace { path } => {
                let path = quoted(path);
                return Some(format!(
                    "move the old file away first: mv -n {path} {path}.old; then import {path}.old"
                ));
            }
            Self::TooLong { .. } => {
                "remove key bundles that are no longer needed with the program that wrote them"
            }
        };
        Some(help.to_owned())
    }
}
