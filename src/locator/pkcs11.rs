//! A key pair on a token.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::uri::Pkcs11Uri;
use crate::encoding::objects::object_only;

/// A key pair on a token: the token by serial and label, the pair by `CKA_ID`.
///
/// Slot numbers change when tokens are added; they are not part of it.
/// `Display` prints the RFC 7512 URI.
///
/// Two are equal that are of one place, whatever is known of it (`shown`).
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct Pkcs11Locator {
    /// Label of the token (`CK_TOKEN_INFO.label`, trimmed).
    pub token: String,
    /// Serial number of the token, trimmed.
    pub serial: String,
    /// `CKA_ID` of the pair.
    #[serde(with = "crate::encoding::hex")]
    pub id: Vec<u8>,
    /// `CKA_LABEL` of the pair, for people. Not used to find it.
    pub label: String,
    /// Whether the token has shown the public key while nobody was logged in: one that does
    /// not show it is another token, or has lost it, and gets no PIN. False where it did not,
    /// or where that is not known.
    #[serde(skip)]
    pub shown: bool,
}

/// As it is read.
#[derive(Deserialize)]
#[serde(remote = "Pkcs11Locator", deny_unknown_fields)]
struct Fields {
    token: String,
    serial: String,
    #[serde(with = "crate::encoding::hex")]
    id: Vec<u8>,
    label: String,
    #[serde(skip)]
    shown: bool,
}

object_only!(Pkcs11Locator as Fields);

impl Pkcs11Locator {
    /// A pair by the token's label and serial, and the pair's `CKA_ID`.
    #[must_use]
    pub fn new(token: impl Into<String>, serial: impl Into<String>, id: Vec<u8>) -> Self {
        let (token, serial, label) = (token.into(), serial.into(), String::new());
        Self { token, serial, id, label, shown: false }
    }
}

impl Pkcs11Locator {
    /// RFC 7512 URI of the token alone.
    #[must_use]
    pub fn token_uri(&self) -> String {
        Pkcs11Uri::from(&Self { id: Vec::new(), label: String::new(), ..self.clone() }).to_string()
    }
}

impl PartialEq for Pkcs11Locator {
    fn eq(&self, other: &Self) -> bool {
        let Self { token, serial, id, label, shown: _ } = self;
        (token, serial, id, label) == (&other.token, &other.serial, &other.id, &other.label)
    }
}

impl Eq for Pkcs11Locator {}

/// What a field of fixed length says.
fn unpadded(field: &str) -> &str {
    field.trim_end_matches([' ', '\0'])
}

impl From<&Pkcs11Locator> for Pkcs11Uri {
    fn from(locator: &Pkcs11Locator) -> Self {
        Self {
            token: Some(unpadded(&locator.token).to_owned()),
            serial: Some(unpadded(&locator.serial).to_owned()),
            object: Some(locator.label.trim_end_matches('\0').to_owned())
                .filter(|label| !label.is_empty()),
            id: Some(locator.id.clone()).filter(|id| !id.is_empty()),
            ..Self::default()
        }
    }
}

impl Pkcs11Uri {
    /// The same `pin-source` and `module-path`, with a key at this locator.
    #[must_use]
    pub fn at(&self, locator: &Pkcs11Locator) -> Self {
        Self {
            pin_source: self.pin_source.clone(),
            module_path: self.module_path.clone(),
            ..Self::from(locator)
        }
    }

    /// Whether a key is the one that it means, as far as a locator tells.
    #[must_use]
    pub fn matches_locator(&self, locator: &Pkcs11Locator) -> bool {
        self.token.as_ref().is_none_or(|token| token == unpadded(&locator.token))
            && self.serial.as_ref().is_none_or(|serial| serial == unpadded(&locator.serial))
            && self
                .object
                .as_ref()
                .is_none_or(|object| object == locator.label.trim_end_matches('\0'))
            && self.id.as_ref().is_none_or(|id| *id == locator.id)
    }
}

impl fmt::Display for Pkcs11Locator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Pkcs11Uri::from(self).fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_locator_prints_as_an_rfc_7512_uri() {
        let mut locator = Pkcs11Locator::new("my token; 1", "ab12", vec![0x01, 0x61]);
        locator.label = "näme".into();
        assert_eq!(
            locator.to_string(),
            "pkcs11:token=my%20token%3B%201;serial=ab12;object=n%C3%A4me;id=%01%61;type=private"
        );
    }
}
