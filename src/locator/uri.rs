//! `pkcs11:` URIs (RFC 7512): which token, and which key on it.
//!
//! Strict: what is not understood is refused, since a part that is overlooked
//! may be the one that tells the right key from a wrong one.

mod decode;
mod error;

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

use self::decode::{Attribute, Part, bytes, ended, not_taken, padded, percent_encode, split, text};
pub use self::error::InvalidPkcs11Uri;
use crate::evidence::DeviceIdentity;

/// A `pkcs11:` URI. What it leaves out may be anything.
///
/// Path attributes: `token`, `serial`, `manufacturer`, `model`, `object`, `id`,
/// `type` (`private` or `public`: both stand for the pair). Query attributes:
/// `pin-source` and `module-path`. Slots are not named (their numbers change),
/// and a PIN is never part of it (`pin-value` is refused).
///
/// ```
/// use icn_identity::backend::uri::Pkcs11Uri;
///
/// let uri: Pkcs11Uri = "pkcs11:token=node-1;object=my%20key;id=%01%02".parse()?;
/// assert_eq!(uri.token(), Some("node-1"));
/// assert_eq!(uri.object(), Some("my key"));
/// assert_eq!(uri.id(), Some([1, 2].as_slice()));
/// # Ok::<(), icn_identity::backend::uri::InvalidPkcs11Uri>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Pkcs11Uri {
    pub(super) token: Option<String>,
    pub(super) serial: Option<String>,
    pub(super) manufacturer: Option<String>,
    pub(super) model: Option<String>,
    pub(super) object: Option<String>,
    pub(super) id: Option<Vec<u8>>,
    pub(super) pin_source: Option<PathBuf>,
    pub(super) module_path: Option<PathBuf>,
}

impl Pkcs11Uri {
    /// `CK_TOKEN_INFO.label`
    #[must_use]
    pub fn token(&self) -> Option<&str> {
        self.token.as_deref()
    }

    /// `CK_TOKEN_INFO.serialNumber`
    #[must_use]
    pub fn serial(&self) -> Option<&str> {
        self.serial.as_deref()
    }

    /// `CK_TOKEN_INFO.manufacturerID`
    #[must_use]
    pub fn manufacturer(&self) -> Option<&str> {
        self.manufacturer.as_deref()
    }

    /// `CK_TOKEN_INFO.model`
    #[must_use]
    pub fn model(&self) -> Option<&str> {
        self.model.as_deref()
    }

    /// `CKA_LABEL`
    #[must_use]
    pub fn object(&self) -> Option<&str> {
        self.object.as_deref()
    }

    /// `CKA_ID`
    #[must_use]
    pub fn id(&self) -> Option<&[u8]> {
        self.id.as_deref()
    }

    /// File that holds the PIN (`pin-source=file:/…` or a path).
    #[must_use]
    pub fn pin_source(&self) -> Option<&Path> {
        self.pin_source.as_deref()
    }

    /// Absolute path of the module.
    #[must_use]
    pub fn module_path(&self) -> Option<&Path> {
        self.module_path.as_deref()
    }

    /// The same without `module-path`: for a URI that comes from somewhere else than the
    /// configuration, and must not say which library is loaded.
    #[must_use]
    pub fn without_module_path(self) -> Self {
        Self { module_path: None, ..self }
    }

    /// Whether it names a token, by label or serial number.
    #[must_use]
    pub fn names_a_token(&self) -> bool {
        self.token().or(self.serial()).is_some()
    }

    /// Whether it names a key, and not only a token.
    #[must_use]
    pub const fn names_a_key(&self) -> bool {
        self.object.is_some() || self.id.is_some()
    }

    /// The same, of a token with any label.
    #[cfg_attr(not(feature = "pkcs11"), allow(dead_code, reason = "asked by that backend"))]
    pub(crate) fn without_token(&self) -> Self {
        Self { token: None, ..self.clone() }
    }

    /// Whether a token is one that it means.
    #[must_use]
    pub fn matches_token(&self, device: &DeviceIdentity) -> bool {
        let agrees = |wanted: &Option<String>, found: &str| {
            wanted.as_ref().is_none_or(|wanted| wanted == found)
        };
        agrees(&self.token, &device.label)
            && agrees(&self.serial, &device.serial)
            && agrees(&self.manufacturer, &device.manufacturer)
            && agrees(&self.model, &device.model)
    }

    fn take(&mut self, attribute: &Attribute<'_>) -> Result<(), InvalidPkcs11Uri> {
        let name = attribute.name;
        match (attribute.part, name) {
            (Part::Path, "token") => put(&mut self.token, name, padded(attribute, 32)?),
            (Part::Path, "serial") => put(&mut self.serial, name, padded(attribute, 16)?),
            (Part::Path, "manufacturer") => {
                put(&mut self.manufacturer, name, padded(attribute, 32)?)
            }
            (Part::Path, "model") => put(&mut self.model, name, padded(attribute, 16)?),
            (Part::Path, "object") => put(&mut self.object, name, ended(attribute, 255)?),
            (Part::Path, "id") => {
                let id = bytes(attribute)?;
                if id.is_empty() {
                    // An object that was given no id has the empty one.
                    return Err(InvalidPkcs11Uri::EmptyId);
                }
                put(&mut self.id, name, id)
            }
            (Part::Query, "pin-source") => {
                let source = text(attribute, 4096)?;
                let path = source.strip_prefix("file://").or_else(|| source.strip_prefix("file:"));
                let path = PathBuf::from(path.unwrap_or(&source));
                if !path.is_absolute() {
                    return Err(InvalidPkcs11Uri::PinSource);
                }
                put(&mut self.pin_source, name, path)
            }
            (Part::Query, "module-path") => {
                let path = PathBuf::from(text(attribute, 4096)?);
                if !path.is_absolute() {
                    return Err(InvalidPkcs11Uri::ModulePath);
                }
                put(&mut self.module_path, name, path)
            }
            (part, name) => Err(not_taken(part, name, attribute.offset)),
        }
    }
}

fn put<T>(place: &mut Option<T>, name: &str, value: T) -> Result<(), InvalidPkcs11Uri> {
    match place.replace(value) {
        None => Ok(()),
        Some(_) => Err(InvalidPkcs11Uri::Twice { name: name.into() }),
    }
}

impl FromStr for Pkcs11Uri {
    type Err = InvalidPkcs11Uri;

    fn from_str(uri: &str) -> Result<Self, Self::Err> {
        let mut parsed = Self::default();
        let mut kind = None;
        for attribute in split(uri)? {
            let attribute = attribute?;
            if (attribute.part, attribute.name) == (Part::Path, "type") {
                match text(&attribute, 16)?.as_str() {
                    "private" | "public" => put(&mut kind, "type", ())?,
                    _ => return Err(InvalidPkcs11Uri::Type),
                }
            } else {
                parsed.take(&attribute)?;
            }
        }
        Ok(parsed)
    }
}

/// Canonical: attributes in the order of the fields, everything percent-encoded
/// but unreserved characters, the id throughout (RFC 7512, section 2.3).
impl fmt::Display for Pkcs11Uri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("pkcs11:")?;
        let mut separator = "";
        for (name, value) in [
            ("token", &self.token),
            ("serial", &self.serial),
            ("manufacturer", &self.manufacturer),
            ("model", &self.model),
            ("object", &self.object),
        ] {
            if let Some(value) = value {
                write!(f, "{separator}{name}=")?;
                percent_encode(f, value.as_bytes(), false)?;
                separator = ";";
            }
        }
        if let Some(id) = &self.id {
            write!(f, "{separator}id=")?;
            percent_encode(f, id, true)?;
        }
        if self.names_a_key() {
            f.write_str(";type=private")?;
        }
        let mut separator = "?";
        for (name, path) in [("pin-source", &self.pin_source), ("module-path", &self.module_path)] {
            if let Some(path) = path {
                write!(f, "{separator}{name}=")?;
                percent_encode(f, path.as_os_str().as_encoded_bytes(), false)?;
                separator = "&";
            }
        }
        Ok(())
    }
}

impl Serialize for Pkcs11Uri {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Pkcs11Uri {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let uri = String::deserialize(deserializer)?;
        uri.parse().map_err(|error| D::Error::custom(format!("invalid pkcs11 URI: {error}")))
    }
}

#[cfg(test)]
mod tests;
