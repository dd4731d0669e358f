//! What a client asks for, as JSON.

use std::fmt;

use serde::{Deserialize, Deserializer, de};

use crate::binding::Instance;
use crate::encoding::{base64, hex, objects};
use crate::secret::LockedText;

/// Reads the body of a request; nothing of it is repeated in an error.
fn read<'de, T: Deserialize<'de>>(
    json: &'de [u8],
    expected: &'static str,
) -> Result<T, &'static str> {
    objects::from_slice(json).map_err(|_| expected)
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
    /// What was expected.
    pub fn parse(json: &[u8]) -> Result<Self, &'static str> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Fields {
            context: String,
            message: Option<String>,
            sha512: Option<String>,
        }
        const EXPECTED: &str = "expected a JSON object with `context`, and either `message` in \
                                base64 or `sha512` in 128 lower-case hex digits";
        let Fields { context, message, sha512 } = read(json, EXPECTED)?;
        let message = match (message, sha512) {
            (Some(message), None) => base64::decode(&message).map(ToSign::Message),
            (None, Some(digest)) => {
                hex::decode(&digest).and_then(|bytes| bytes.try_into().ok()).map(ToSign::Sha512)
            }
            _ => None,
        };
        Ok(Self { context, message: message.ok_or(EXPECTED)? })
    }
}

/// Reads the body of `POST /v1/sign-raw`: the message.
///
/// # Errors
///
/// What was expected.
pub fn parse_sign_raw(json: &[u8]) -> Result<Vec<u8>, &'static str> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Fields {
        message: String,
    }
    const EXPECTED: &str = "expected a JSON object with `message` in base64";
    let Fields { message } = read(json, EXPECTED)?;
    base64::decode(&message).ok_or(EXPECTED)
}

/// Reads the body of `POST /v1/challenge`: the nonce.
///
/// # Errors
///
/// What was expected.
pub fn parse_challenge(json: &[u8]) -> Result<[u8; 32], &'static str> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Fields {
        nonce: String,
    }
    const EXPECTED: &str = "expected a JSON object with `nonce`, 32 bytes in base64";
    let Fields { nonce } = read(json, EXPECTED)?;
    base64::decode(&nonce).and_then(|bytes| bytes.try_into().ok()).ok_or(EXPECTED)
}

/// Reads the body of `POST /v1/decrypt`: the header of an age file.
///
/// # Errors
///
/// What was expected.
pub fn parse_decrypt(json: &[u8]) -> Result<String, &'static str> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Fields {
        header: String,
    }
    const EXPECTED: &str =
        "expected a JSON object with `header`, the header of an age file as text";
    read(json, EXPECTED).map(|Fields { header }| header)
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
    /// What was expected.
    pub fn parse(json: &[u8]) -> Result<Self, &'static str> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Fields {
            spki: String,
            instance: Instance,
        }
        const EXPECTED: &str = "expected a JSON object with `spki`, the SubjectPublicKeyInfo of a TLS \
                                key in base64, and `instance`, 32 lower-case hex digits";
        let Fields { spki, instance } = read(json, EXPECTED)?;
        Ok(Self { spki: base64::decode(&spki).ok_or(EXPECTED)?, instance })
    }
}

/// Reads the body of `POST /v1/lock`: nothing, or an object without anything in it.
///
/// # Errors
///
/// What was expected.
pub fn parse_lock(json: &[u8]) -> Result<(), &'static str> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Fields {}
    if json.is_empty() {
        return Ok(());
    }
    read(json, "expected nothing, or an empty JSON object").map(|Fields {}| ())
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
    /// What was expected.
    pub fn parse(json: &[u8]) -> Result<Self, &'static str> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Fields {
            credential: Locked,
            passphrase: Option<Locked>,
        }
        let Fields { credential, passphrase } = read(
            json,
            "expected a JSON object with `credential`, and `passphrase` where one is wanted too",
        )?;
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
mod tests {
    use super::*;

    #[test]
    fn a_request_to_sign_has_a_context_and_one_message() {
        let read = |json: &str| SignRequest::parse(json.as_bytes());
        let message = read(r#"{"context": "a", "message": "aGVsbG8="}"#).unwrap();
        assert_eq!(
            (message.context.as_str(), message.message),
            ("a", ToSign::Message(b"hello".into()))
        );
        let digest = "0f".repeat(64);
        let hashed = read(&format!(r#"{{"sha512": "{digest}", "context": "a"}}"#)).unwrap();
        assert_eq!(hashed.message, ToSign::Sha512([0x0f; 64]));
        for wrong in [
            "",
            "{}",
            "[]",
            "null",
            r#"["a", "aGVsbG8=", null]"#,
            r#"{"context": "a"}"#,
            r#"{"message": "aGVsbG8="}"#,
            r#"{"context": "a", "message": "aGVsbG8"}"#,
            r#"{"context": "a", "message": "aGVsbG9="}"#,
            r#"{"context": "a", "message": "aGVsbG8=", "more": 1}"#,
            r#"{"context": "a", "context": "b", "message": "aGVsbG8="}"#,
            r#"{"context": "a", "message": "aGVsbG8="} x"#,
            &format!(r#"{{"context": "a", "message": "aGVsbG8=", "sha512": "{digest}"}}"#),
            &format!(r#"{{"context": "a", "sha512": "{}"}}"#, &digest[2..]),
            &format!(r#"{{"context": "a", "sha512": "{}"}}"#, digest.to_uppercase()),
        ] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn each_other_request_is_an_object_of_its_fields() {
        assert_eq!(parse_sign_raw(br#"{"message": ""}"#), Ok(Vec::new()));
        assert!(parse_sign_raw(br#"{"message": 1}"#).is_err());
        let nonce = base64::encode(&[7; 32]);
        assert_eq!(parse_challenge(format!(r#"{{"nonce": "{nonce}"}}"#).as_bytes()), Ok([7; 32]));
        assert!(parse_challenge(br#"{"nonce": "AAAA"}"#).is_err());
        let tls = |instance: &str| {
            TlsRequest::parse(format!(r#"{{"spki": "AAEC", "instance": "{instance}"}}"#).as_bytes())
        };
        let asked = tls(&"0f".repeat(16)).unwrap();
        assert_eq!((asked.spki, asked.instance), (vec![0, 1, 2], Instance::from_bytes([15; 16])));
        for wrong in ["", &"0f".repeat(15), &"0f".repeat(17), &"0F".repeat(16), &"0g".repeat(16)] {
            assert!(tls(wrong).is_err(), "{wrong}");
        }
        assert!(TlsRequest::parse(br#"{"spki": "AAEC"}"#).is_err());
        assert_eq!(parse_decrypt(br#"{"header": "a\nb"}"#), Ok("a\nb".to_owned()));
        assert!(parse_decrypt(br#"{"header": null}"#).is_err());
        assert_eq!((parse_lock(b""), parse_lock(b"{}")), (Ok(()), Ok(())));
        assert!(parse_lock(br#"{"a": 1}"#).is_err() && parse_lock(b"[]").is_err());
    }

    #[test]
    fn a_credential_is_nowhere_but_in_locked_memory() {
        let json = br#"{"credential": "9876\u0035432", "passphrase": "a\nb"}"#;
        let request = UnlockRequest::parse(json).unwrap();
        assert_eq!(request.credential.expose_secret(), "98765432");
        assert_eq!(request.passphrase.as_ref().unwrap().expose_secret(), "a\nb");
        assert!(!format!("{request:?}").contains("9876"));
        let error = UnlockRequest::parse(br#"{"credential": 98765432}"#).unwrap_err();
        assert!(!error.contains("9876"));
        assert!(UnlockRequest::parse(br#"{"credential": "1", "pin": "2"}"#).is_err());
    }
}
