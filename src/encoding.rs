//! Byte strings in JSON: lower-case hex for what people compare, standard
//! base64 for the rest.

pub(crate) mod hex {
    use serde::{Deserialize, Deserializer, Serializer, de::Error as _};

    pub(crate) fn encode(bytes: &[u8]) -> String {
        use std::fmt::Write as _;
        bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        })
    }

    pub(crate) fn decode(text: &str) -> Option<Vec<u8>> {
        let (pairs, rest) = text.as_bytes().as_chunks::<2>();
        if !rest.is_empty() {
            return None;
        }
        let digit = |byte: u8| match byte {
            b'0'..=b'9' => Some(byte - b'0'),
            b'a'..=b'f' => Some(byte - b'a' + 10),
            _ => None,
        };
        pairs.iter().map(|[high, low]| Some(digit(*high)? << 4 | digit(*low)?)).collect()
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
        let bytes = decode(&text).ok_or_else(|| D::Error::custom("not lower-case hex"))?;
        bytes.try_into().map_err(|_| D::Error::custom("wrong number of bytes"))
    }
}

pub(crate) mod base64 {
    use ::base64::{Engine as _, engine::general_purpose::STANDARD};
    use serde::{Deserialize, Deserializer, Serializer, de::Error as _};

    pub(crate) fn encode(bytes: &[u8]) -> String {
        STANDARD.encode(bytes)
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
    pub(crate) fn decode_secret<T>(
        text: &str,
        use_bytes: impl FnOnce(&[u8; 32]) -> T,
    ) -> Option<T> {
        let mut bytes = zeroize::Zeroizing::new([0_u8; 33]);
        let length = STANDARD.decode_slice(text, bytes.as_mut_slice()).ok()?;
        let secret: &[u8; 32] = bytes.get(..length)?.try_into().ok()?;
        Some(use_bytes(secret))
    }
}
