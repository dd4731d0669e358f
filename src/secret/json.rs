//! JSON that holds secrets: written in one allocation that is wiped, and read
//! without an error that quotes it.

use std::io::{self, Write};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use zeroize::Zeroizing;

use super::{SigningSeed, X25519Seed};
use crate::encoding::base64;

/// JSON, in one allocation that is wiped.
pub(crate) fn to_json(value: &impl Serialize) -> serde_json::Result<Zeroizing<Vec<u8>>> {
    let mut length = Length(0);
    serde_json::to_writer(&mut length, value)?;
    let mut json = Zeroizing::new(Vec::with_capacity(length.0));
    serde_json::to_writer(&mut *json, value)?;
    Ok(json)
}

/// Where JSON goes wrong. `serde_json`'s own message can quote a value, and the
/// values here are secrets.
#[derive(Debug, thiserror::Error)]
#[error("line {line}, column {column}")]
pub(crate) struct Position {
    line: usize,
    column: usize,
}

impl From<serde_json::Error> for Position {
    fn from(error: serde_json::Error) -> Self {
        Self { line: error.line(), column: error.column() }
    }
}

/// Counts what would be written.
struct Length(usize);

impl Write for Length {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

macro_rules! secret_as_base64 {
    ($($seed:ty),+) => {$(
        impl Serialize for $seed {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                let text = Zeroizing::new(base64::encode(self.as_bytes()));
                serializer.serialize_str(&text)
            }
        }

        impl<'de> Deserialize<'de> for $seed {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                // Borrowed: base64 has nothing that JSON would escape.
                let text = <&str>::deserialize(deserializer)?;
                base64::decode_secret(text, <$seed>::from_bytes)
                    .ok_or_else(|| D::Error::custom("not 32 bytes in base64"))
            }
        }
    )+};
}

secret_as_base64!(SigningSeed, X25519Seed);
