//! ICN's older keystores: age with a scrypt passphrase over JSON.
//!
//! | format | `version` | interpreted | carried along |
//! |---|---|---|---|
//! | v1 | none | `secret_bytes`, `public_bytes`, `did` | whatever else is there |
//! | v2 | none | and `tls_cert_der`, `tls_key_der`, `tls_binding_sig` | and `created_at` |
//! | v2.1 | none | and `x25519_secret`, `x25519_public` | the same |
//! | v3 | 3 | the same | and `did_document`, `device_id`, `rotation_chain` |
//! | v4 | 4 | the same; the pairs of every key bundle are checked | and `anchor`, `keybundles`, `current_keybundle_version`, `pq_*`, `kem_pq_*` |
//!
//! Byte strings are arrays of numbers, times are Unix seconds. Where there is no
//! `version`, the fields show the format. Each of those a format has must be
//! there, once, with its exact length, and belong to its key.
//!
//! What is carried along is kept **as the text it was**: numbers, order and
//! doubled names inside of it are not touched, and no secret in it is ever
//! parsed into memory that is not wiped.

mod bytes;
mod carried;
mod check;
mod fields;
mod file;

use std::fmt;
use std::path::Path;

pub(crate) use self::carried::Carried;
use self::fields::Fields;
pub(super) use self::file::is_same;
use super::pinned::Pinned;
use crate::agefile;
use crate::config::AgeConfig;
use crate::did::Did;
use crate::error::{Error, FormatError, LegacyError};
use crate::key::{Key, Software, Unlocked};
use crate::secret::{Passphrase, X25519Seed};

/// An older format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum LegacyFormat {
    /// The key and its DID.
    V1,
    /// And a TLS key with certificate and binding.
    V2,
    /// And an X25519 key.
    V2_1,
    /// And a DID document and rotations.
    V3,
    /// And key bundles.
    V4,
}

impl LegacyFormat {
    /// `v1`, `v2`, `v2.1`, `v3` or `v4`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::V1 => "v1",
            Self::V2 => "v2",
            Self::V2_1 => "v2.1",
            Self::V3 => "v3",
            Self::V4 => "v4",
        }
    }

    /// By the version, or by the fields where there is none.
    fn of(fields: &Fields<'_>) -> Result<Self, Error> {
        let Some(version) = fields.number("version")? else {
            return Ok(if fields.has_any(&check::X25519) {
                Self::V2_1
            } else if fields.has_any(&check::TLS) {
                Self::V2
            } else {
                Self::V1
            });
        };
        match version {
            3 => Ok(Self::V3),
            4 => Ok(Self::V4),
            5 => Err(LegacyError::Present.into()),
            found @ ..=2 => Err(LegacyError::UnknownVersion { found }.into()),
            found => Err(FormatError::Newer { what: "the imported file", found, known: 5 }.into()),
        }
    }
}

impl fmt::Display for LegacyFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How an older file is read.
#[derive(Debug, Clone)]
#[must_use]
pub struct LegacyOptions {
    max_work_factor: u8,
    discard_tls: bool,
}

impl LegacyOptions {
    /// With the limit for scrypt work that is configured.
    pub const fn new(config: &AgeConfig) -> Self {
        Self { max_work_factor: config.max_work_factor, discard_tls: false }
    }

    /// Whether the old TLS key, certificate and binding are left out, unchecked:
    /// the way on when the binding does not verify.
    pub const fn with_discarded_tls(mut self, discard: bool) -> Self {
        self.discard_tls = discard;
        self
    }
}

/// What an older file holds, checked: the key, the X25519 key, and what is
/// carried along.
#[must_use]
pub struct LegacyIdentity {
    pub(super) key: Key<Software, Unlocked>,
    pub(super) x25519: Option<X25519Seed>,
    pub(super) carried: Carried,
    format: LegacyFormat,
    names: Vec<String>,
}

impl LegacyIdentity {
    /// **Blocks** on scrypt and files. Reads and decrypts a file. It is opened for
    /// reading only.
    ///
    /// A file that others can read is warned about, with the command that
    /// repairs it, and read all the same: it is encrypted, and its owner must be
    /// able to leave it behind.
    ///
    /// # Errors
    ///
    /// [`crate::error::KeystoreError`] if it cannot be read, and as [`Self::decrypt`].
    pub fn read(
        path: &Path,
        passphrase: &Passphrase,
        options: &LegacyOptions,
    ) -> Result<Self, Error> {
        Self::decrypt(&file::read(path)?, passphrase, options)
    }

    /// **Blocks** on files. What can be told of a file without its passphrase: that it is one
    /// that a passphrase opens.
    ///
    /// # Errors
    ///
    /// As [`Self::read`], but for what the passphrase shows.
    pub(crate) fn check_file(path: &Path) -> Result<(), Error> {
        file::check(path)
    }

    /// **Blocks** on scrypt. Decrypts and checks a file.
    ///
    /// # Errors
    ///
    /// [`crate::error::OpenError`] if the passphrase is wrong, the file damaged, or too much
    /// work wanted; [`LegacyError`] names the field that is not right.
    pub fn decrypt(
        file: &[u8],
        passphrase: &Passphrase,
        options: &LegacyOptions,
    ) -> Result<Self, Error> {
        file::check_not_armored(file)?;
        let json = agefile::decrypt_with_passphrase(file, passphrase, options.max_work_factor)?;
        Self::parse(&json, options.discard_tls)
    }

    pub(super) fn parse(json: &[u8], discard_tls: bool) -> Result<Self, Error> {
        let mut fields = Fields::parse(json)?;
        let format = LegacyFormat::of(&fields)?;
        fields.remove("version");

        let key = check::key(&mut fields, format)?;
        if discard_tls {
            check::TLS.into_iter().for_each(|field| fields.remove(field));
        } else if format >= LegacyFormat::V2 {
            check::tls(&mut fields, format, key.verifying_key())?;
        }
        let x25519 = if format >= LegacyFormat::V2_1 {
            Some(check::x25519(&mut fields, format)?)
        } else {
            None
        };
        if format == LegacyFormat::V4 {
            check::keybundles(&fields)?;
        }
        let names = fields.names();
        let carried = Carried::new(format.as_str(), &fields)?;
        Ok(Self { key, x25519, carried, format, names })
    }

    /// Which format it is.
    #[must_use]
    pub const fn format(&self) -> LegacyFormat {
        self.format
    }

    /// The DID of the key, which it keeps.
    #[must_use]
    pub fn did(&self) -> &Did {
        self.key.did()
    }

    /// Whether it is the identity that is pinned, if one is.
    ///
    /// # Errors
    ///
    /// [`LegacyError::NotPinned`].
    pub fn check_pinned(&self, pinned: Pinned<'_>) -> Result<(), LegacyError> {
        match pinned.did() {
            Some(pinned) if pinned != self.did() => {
                let (pinned, found) = (pinned.clone(), self.did().clone());
                Err(LegacyError::NotPinned { pinned, found })
            }
            _ => Ok(()),
        }
    }

    /// Whether there is an X25519 key, which others may encrypt to already.
    #[must_use]
    pub const fn has_x25519(&self) -> bool {
        self.x25519.is_some()
    }

    /// The names of the fields that are carried along, in the file's order.
    #[must_use]
    pub fn carried(&self) -> &[String] {
        &self.names
    }
}

impl fmt::Debug for LegacyIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LegacyIdentity")
            .field("format", &self.format)
            .field("did", self.did())
            .finish_non_exhaustive()
    }
}

const fn not_its_key(public: &'static str, secret: &'static str) -> LegacyError {
    LegacyError::NotItsKey { public, secret }
}
