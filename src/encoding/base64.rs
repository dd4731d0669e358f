//! Base64: standard with padding, and for URLs without it.

use ::base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use serde::{Deserialize, Deserializer, Serializer, de::Error as _};

pub(crate) fn encode(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

/// `None` if it is not its one canonical encoding.
pub(crate) fn decode(text: &str) -> Option<Vec<u8>> {
    STANDARD.decode(text).ok()
}

/// For URLs, without padding (RFC 7515, section 2).
pub(crate) fn encode_url(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

pub(crate) fn decode_url(text: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text).ok()
}

pub(crate) fn serialize<S: Serializer>(
    bytes: impl AsRef<[u8]>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&encode(bytes.as_ref()))
}

pub(crate) fn deserialize<'de, D: Deserializer<'de>, B: TryFrom<Vec<u8>>>(
    deserializer: D,
) -> Result<B, D::Error> {
    let text = String::deserialize(deserializer)?;
    let bytes = STANDARD.decode(text).map_err(|_| D::Error::custom("not base64"))?;
    bytes.try_into().map_err(|_| D::Error::custom("wrong number of bytes"))
}

/// 32 secret bytes, decoded on the stack into `use_bytes` and wiped.
pub(crate) fn decode_secret<T>(text: &str, use_bytes: impl FnOnce(&[u8; 32]) -> T) -> Option<T> {
    let mut bytes = zeroize::Zeroizing::new([0_u8; 33]);
    let length = STANDARD.decode_slice(text, bytes.as_mut_slice()).ok()?;
    let secret: &[u8; 32] = bytes.get(..length)?.try_into().ok()?;
    Some(use_bytes(secret))
}
