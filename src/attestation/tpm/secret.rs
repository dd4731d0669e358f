//! 32 secret bytes in a file of ours.

use std::fmt;

use serde::{Deserialize, Deserializer, de::Error as _, de::Visitor};
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use crate::encoding::base64;

/// Compared in constant time, wiped, never shown.
pub(in crate::attestation) struct Secret(Zeroizing<[u8; 32]>);

impl Secret {
    pub(in crate::attestation) const fn new(bytes: Zeroizing<[u8; 32]>) -> Self {
        Self(bytes)
    }

    /// The only reader, beside the comparison.
    pub(in crate::attestation) fn expose(&self) -> &[u8; 32] {
        &self.0
    }

    pub(in crate::attestation) fn is(&self, other: &Self) -> bool {
        self.0.as_slice().ct_eq(other.0.as_slice()).into()
    }

    /// base64url.
    pub(in crate::attestation) fn to_text(&self) -> Zeroizing<String> {
        Zeroizing::new(base64::encode_url(self.0.as_slice()))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Secret").finish_non_exhaustive()
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Text;
        impl Visitor<'_> for Text {
            type Value = Secret;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("32 bytes in base64url")
            }
            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Secret, E> {
                let bytes = base64::decode_url(text).map(Zeroizing::new);
                // What was found stays out of the error.
                let wrong = || E::custom("not 32 bytes in base64url");
                let bytes = bytes.filter(|bytes| bytes.len() == 32).ok_or_else(wrong)?;
                let mut secret = Zeroizing::new([0; 32]);
                secret.copy_from_slice(&bytes);
                Ok(Secret(secret))
            }
        }
        from.deserialize_str(Text).map_err(|_| D::Error::custom("not 32 bytes in base64url"))
    }
}
