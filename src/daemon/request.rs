//! What a client asks for, as JSON.

mod invalid;

use std::fmt;

use serde::{Deserialize, Deserializer, de};

use self::invalid::{Field, Shape, why};
pub use self::invalid::{InvalidRequest, InvalidValue};
use crate::binding::Instance;
use crate::encoding::{base64, hex, objects};
use crate::secret::LockedText;

/// Reads the body of a request; no value of it is repeated in an error.
fn read<'de, T: Deserialize<'de>>(json: &'de [u8], shape: Shape) -> Result<T, InvalidRequest> {
    objects::from_slice(json).map_err(|_| why(json, shape))
}

fn base64_of(of: Field, text: &str) -> Result<Vec<u8>, InvalidRequest> {
    base64::decode(text).ok_or_else(|| of.wrong(InvalidValue::of_base64(text)))
}

fn base64_array<const N: usize>(of: Field, text: &str) -> Result<[u8; N], InvalidRequest> {
    let bytes = base64_of(of, text)?;
    let found = bytes.len();
    bytes.try_into().map_err(|_| of.wrong(InvalidValue::Length { found, expected: N }))
}

fn hex_array<const N: usize>(of: Field, text: &str) -> Result<[u8; N], InvalidRequest> {
    let bytes = hex::decode(text).and_then(|bytes| bytes.try_into().ok());
    bytes.ok_or_else(|| of.wrong(InvalidValue::of_hex(text, N)))
}

/// What is signed for a context.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ToSign {
    /// A message.
    Message(Vec<u8>),
    /// The SHA-512 of one.
    Sha512([u8; 64]),
}

/// The body of `POST /v1/sign`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SignRequest {
    /// For which context.
    pub context: String,
    /// What.
    pub message: ToSign,
}

impl SignRequest {
    /// Reads it.
    ///
    /// # Errors
    ///
    /// [`InvalidRequest`].
    pub fn parse(json: &[u8]) -> Result<Self, InvalidRequest> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Fields {
            context: String,
            message: Option<String>,
            sha512: Option<String>,
        }
        const CONTEXT: Field = Field::required("context", "the name of a context");
        const MESSAGE: Field = Field::optional("message", "a message in base64");
        const SHA512: Field = Field::optional("sha512", "64 bytes in lower-case hex");
        let shape = Shape::of(&[CONTEXT, MESSAGE, SHA512]);
        let Fields { context, message, sha512 } = read(json, shape)?;
        let message = match (message, sha512) {
            (Some(message), None) => ToSign::Message(base64_of(MESSAGE, &message)?),
            (None, Some(digest)) => ToSign::Sha512(hex_array(SHA512, &digest)?),
            (message, _) => {
                let (one, other, both) = (MESSAGE.name, SHA512.name, message.is_some());
                return Err(InvalidRequest::Either { one, other, both });
            }
        };
        Ok(Self { context, message })
    }
}

/// Reads the body of `POST /v1/sign-raw`: the message.
///
/// # Errors
///
/// [`InvalidRequest`].
pub fn parse_sign_raw(json: &[u8]) -> Result<Vec<u8>, InvalidRequest> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Fields {
        message: String,
    }
    const MESSAGE: Field = Field::required("message", "a message in base64");
    let Fields { message } = read(json, Shape::of(&[MESSAGE]))?;
    base64_of(MESSAGE, &message)
}

/// Reads the body of `POST /v1/challenge`: the nonce.
///
/// # Errors
///
/// [`InvalidRequest`].
pub fn parse_challenge(json: &[u8]) -> Result<[u8; 32], InvalidRequest> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Fields {
        nonce: String,
    }
    const NONCE: Field = Field::required("nonce", "32 random bytes in base64");
    let Fields { nonce } = read(json, Shape::of(&[NONCE]))?;
    base64_array(NONCE, &nonce)
}

/// What the header of an age file begins with.
const AGE: &[u8] = b"age-encryption.org/";

/// Reads the body of `POST /v1/decrypt`: the header of an age file.
///
/// # Errors
///
/// [`InvalidRequest`].
pub fn parse_decrypt(json: &[u8]) -> Result<String, InvalidRequest> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Fields {
        header: String,
    }
    const HEADER: Field = Field::required("header", "the header of an age file as text");
    let Fields { header } = read(json, Shape::of(&[HEADER]))?;
    let unwrapped = header.replace(['\n', '\r'], "");
    match base64::decode(&unwrapped) {
        Some(inner) if inner.starts_with(AGE) => Err(HEADER.wrong(InvalidValue::Base64)),
        _ => Ok(header),
    }
}

/// The body of `POST /v1/tls`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct TlsRequest {
    /// The SubjectPublicKeyInfo of the client's TLS key, DER. Nothing of it is checked.
    pub spki: Vec<u8>,
    /// Which holder of the DID the client is.
    pub instance: Instance,
}

impl TlsRequest {
    /// Reads it.
    ///
    /// # Errors
    ///
    /// [`InvalidRequest`].
    pub fn parse(json: &[u8]) -> Result<Self, InvalidRequest> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Fields {
            spki: String,
            instance: String,
        }
        const SPKI: Field =
            Field::required("spki", "the SubjectPublicKeyInfo of a TLS key (DER) in base64");
        const INSTANCE: Field = Field::required("instance", "16 bytes in lower-case hex");
        let Fields { spki, instance } = read(json, Shape::of(&[SPKI, INSTANCE]))?;
        let instance = Instance::from_bytes(hex_array(INSTANCE, &instance)?);
        Ok(Self { spki: base64_of(SPKI, &spki)?, instance })
    }
}

/// Reads the body of `POST /v1/lock`: nothing, or an object without anything in it.
///
/// # Errors
///
/// [`InvalidRequest`].
pub fn parse_lock(json: &[u8]) -> Result<(), InvalidRequest> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Fields {}
    if json.is_empty() {
        return Ok(());
    }
    read(json, Shape::of(&[])).map(|Fields {}| ())
}

/// The body of `POST /v1/unlock`: what opens the key, in locked memory.
#[derive(Debug)]
#[non_exhaustive]
pub struct UnlockRequest {
    /// The PIN, or the passphrase where there is no PIN.
    pub credential: LockedText,
    /// The passphrase, where one is wanted beside the PIN.
    pub passphrase: Option<LockedText>,
}

impl UnlockRequest {
    /// Reads it. What is in `json` is the caller's to wipe.
    ///
    /// # Errors
    ///
    /// [`InvalidRequest`].
    pub fn parse(json: &[u8]) -> Result<Self, InvalidRequest> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Fields {
            credential: Locked,
            passphrase: Option<Locked>,
        }
        const SHAPE: Shape = Shape {
            fields: &[
                Field::required("credential", "the PIN, or the passphrase where there is no PIN"),
                Field::optional("passphrase", "the passphrase, where one is wanted beside the PIN"),
            ],
            names_others: false,
        };
        let Fields { credential, passphrase } = read(json, SHAPE)?;
        Ok(Self { credential: credential.0, passphrase: passphrase.map(|text| text.0) })
    }
}

/// A text that goes from the body into locked memory.
struct Locked(LockedText);

impl<'de> Deserialize<'de> for Locked {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Text;
        impl de::Visitor<'_> for Text {
            type Value = Locked;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Locked, E> {
                Ok(Locked(LockedText::from(text)))
            }
        }
        from.deserialize_str(Text)
    }
}

#[cfg(test)]
mod tests;
