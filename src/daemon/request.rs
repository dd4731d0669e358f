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

    /// Each in its own words: which field, what is wrong, and what to do.
    #[test]
    fn a_body_that_is_not_used_is_told_by_its_field() {
        type Parse = fn(&str) -> Option<InvalidRequest>;
        let sign: Parse = |json| SignRequest::parse(json.as_bytes()).err();
        let raw: Parse = |json| parse_sign_raw(json.as_bytes()).err();
        let challenge: Parse = |json| parse_challenge(json.as_bytes()).err();
        let decrypt: Parse = |json| parse_decrypt(json.as_bytes()).err();
        let tls: Parse = |json| TlsRequest::parse(json.as_bytes()).err();
        let unlock: Parse = |json| UnlockRequest::parse(json.as_bytes()).err();
        let lock: Parse = |json| parse_lock(json.as_bytes()).err();
        let header = base64::encode(b"age-encryption.org/v1\n");
        for (parse, json, detail, help) in [
            (sign, "", "the body is empty", "one JSON object"),
            (sign, "context=a", "not JSON: see its line 1, column 1", "jq -n"),
            (sign, "{\"context\": \"a\",\n x}", "not JSON: see its line 2, column 2", "jq -n"),
            (sign, "{\"context\": \"a\"", "not JSON: see its line 1", "jq -n"),
            (sign, "[]", "not a JSON object", "one JSON object"),
            (sign, "{\"message\": \"\"}", "`context` is missing", "`context`: the name"),
            (
                sign,
                "{\"context\": 7, \"message\": \"\"}",
                "`context` takes the name of a context, and this is not a text",
                "as a JSON string",
            ),
            (
                sign,
                "{\"context\": \"a\"}",
                "either `message` or `sha512`, and there is neither",
                "or `sha512`",
            ),
            (
                sign,
                "{\"context\": \"a\", \"message\": \"\", \"sha512\": \"\"}",
                "and there are both",
                "instead of it",
            ),
            (
                sign,
                "{\"context\": \"a\", \"mesage\": \"\"}",
                "`mesage` is not a field of this call, which takes `context`, `message` and `sha512`",
                "docs/operations.md",
            ),
            (
                sign,
                "{\"context\": \"a\", \"context\": \"a\"}",
                "`context` is there twice",
                "take it out",
            ),
            (
                sign,
                "{\"context\": \"a\", \"message\": \"aGVs\\nbG8=\"}",
                "`message` takes a message in base64, and this has line breaks",
                "base64 -w0 FILE",
            ),
            (
                sign,
                "{\"context\": \"a\", \"message\": \"aGVsbG8=\\n\"}",
                "has line breaks",
                "base64 -w0 FILE",
            ),
            (
                sign,
                "{\"context\": \"a\", \"message\": \"aGVsbG8\"}",
                "without its padding",
                "base64 -w0 FILE",
            ),
            (
                sign,
                "{\"context\": \"a\", \"message\": \"_-8=\"}",
                "base64 for URLs",
                "standard alphabet",
            ),
            (
                sign,
                "{\"context\": \"a\", \"message\": \"100 to Ada\"}",
                "this is not base64",
                "encode it",
            ),
            (
                sign,
                "{\"context\": \"a\", \"message\": null, \"sha512\": \"0F\"}",
                "`sha512` takes 64 bytes in lower-case hex, and this has upper-case letters",
                "lower case",
            ),
            (
                sign,
                "{\"context\": \"a\", \"sha512\": \"0f0f\"}",
                "these are 2 bytes and not 64",
                "64 bytes",
            ),
            (raw, "{}", "`message` is missing", "`message`: a message in base64"),
            (raw, "{\"message\": [1]}", "this is not a text", "as a JSON string"),
            (raw, "{\"message\": \"a\\r\\nb\"}", "has line breaks", "base64 -w0 FILE"),
            (
                challenge,
                "{\"nonce\": \"AAAA\"}",
                "`nonce` takes 32 random bytes in base64, and these are 3 bytes and not 32",
                "32 random",
            ),
            (
                decrypt,
                &format!("{{\"header\": {header:?}}}"),
                "`header` takes the header of an age file as text, and this is base64",
                "the text itself",
            ),
            (decrypt, "{\"header\": null}", "this is not a text", "as text"),
            (tls, "{\"spki\": \"AAEC\"}", "`instance` is missing", "16 bytes in lower-case hex"),
            (
                tls,
                "{\"spki\": \"AAEC\", \"instance\": \"x\"}",
                "`instance` takes 16 bytes in lower-case hex, and this is not in hex",
                "16 bytes",
            ),
            (
                unlock,
                "{\"pin\": \"1\"}",
                "something is not a field of this call, which takes `credential` and `passphrase`",
                "take it out",
            ),
            (unlock, "{}", "`credential` is missing", "the PIN"),
            (
                lock,
                "{\"now\": 1}",
                "`now` is not a field of this call, which takes no field",
                "take it out",
            ),
        ] {
            let error = parse(json).unwrap_or_else(|| panic!("{json} is taken"));
            let said = error.to_string();
            assert!(said.contains(detail), "wanted {detail:?}: {said}");
            let advice = error.help().unwrap();
            assert!(advice.contains(help), "wanted {help:?}: {advice}");
        }
    }

    #[test]
    fn a_credential_is_nowhere_but_in_locked_memory() {
        let json = br#"{"credential": "9876\u0035432", "passphrase": "a\nb"}"#;
        let request = UnlockRequest::parse(json).unwrap();
        assert_eq!(request.credential.expose_secret(), "98765432");
        assert_eq!(request.passphrase.as_ref().unwrap().expose_secret(), "a\nb");
        assert!(!format!("{request:?}").contains("9876"));
        for wrong in [r#"{"credential": 98765432}"#, r#"{"98765432": 1}"#, r#""98765432""#] {
            let error = UnlockRequest::parse(wrong.as_bytes()).unwrap_err();
            let said = format!("{error} {error:?} {:?}", error.help());
            assert!(!said.contains("9876"), "{said}");
        }
        assert!(UnlockRequest::parse(br#"{"credential": "1", "pin": "2"}"#).is_err());
    }
}
