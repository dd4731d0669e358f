//! Public keys in the forms of other software: DER, PEM, JWK and Multikey.

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::{
    AlgorithmId, Ed25519VerifyingKey, InvalidVerifyingKey, P256VerifyingKey, VerifyingKey,
};
use crate::encoding::{base64, objects, text};

/// SubjectPublicKeyInfo up to the 32 bytes of an Ed25519 key (RFC 8410, section 4).
const ED25519_SPKI: [u8; 12] =
    [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];
/// The same up to the 65 bytes of an uncompressed P-256 point (RFC 5480, section 2).
const P256_SPKI: [u8; 26] = [
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a,
    0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
];
/// And up to the 33 bytes of a compressed one.
const P256_COMPRESSED_SPKI: [u8; 26] = [
    0x30, 0x39, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a,
    0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x22, 0x00,
];

const BEGIN: &str = "-----BEGIN PUBLIC KEY-----";
const END: &str = "-----END PUBLIC KEY-----";

/// What a key is expected to be, in messages.
const SPKI: &str = "an Ed25519 or P-256 public key in DER (SubjectPublicKeyInfo)";
const PEM: &str = "a public key in PEM (-----BEGIN PUBLIC KEY-----)";
const JWK: &str = "an Ed25519 or P-256 public key as JWK";

/// Longer than any key in PEM or JWK, with whatever else a JWK may say, in bytes.
const MAX_LEN: usize = 16 * 1024;

/// Other members are ignored, as RFC 7517 has it, but for the private one.
#[derive(Deserialize)]
struct Jwk {
    crv: String,
    kty: String,
    x: String,
    y: Option<String>,
    d: Option<IgnoredAny>,
}

impl VerifyingKey {
    /// Reads the encoded key of an algorithm, as [`Self::as_bytes`] gives it: 32 bytes
    /// for Ed25519, 33 (compressed) or 65 (uncompressed point) for P-256.
    ///
    /// # Errors
    ///
    /// [`InvalidVerifyingKey`] says which check failed.
    pub fn from_bytes(algorithm: AlgorithmId, bytes: &[u8]) -> Result<Self, InvalidVerifyingKey> {
        let length = |expected| InvalidVerifyingKey::Length { found: bytes.len(), expected };
        match (algorithm, bytes.len()) {
            (AlgorithmId::Ed25519, _) => {
                let bytes = bytes.try_into().map_err(|_| length(32))?;
                Ed25519VerifyingKey::from_bytes(bytes).map(Into::into)
            }
            (AlgorithmId::P256, 65) => {
                let bytes = bytes.try_into().map_err(|_| length(65))?;
                P256VerifyingKey::from_uncompressed(bytes).map(Into::into)
            }
            (AlgorithmId::P256, _) => {
                let bytes = bytes.try_into().map_err(|_| length(33))?;
                P256VerifyingKey::from_bytes(bytes).map(Into::into)
            }
        }
    }

    /// SubjectPublicKeyInfo in DER (RFC 5280; Ed25519: RFC 8410; P-256: RFC 5480,
    /// uncompressed), as `openssl pkey -pubin -inform DER` reads it.
    #[must_use]
    pub fn to_spki_der(&self) -> Vec<u8> {
        match self {
            Self::Ed25519(key) => [ED25519_SPKI.as_slice(), key.as_bytes()].concat(),
            Self::P256(key) => [P256_SPKI.as_slice(), &key.to_uncompressed()].concat(),
        }
    }

    /// Reads SubjectPublicKeyInfo in DER, and nothing after it. A P-256 point may be
    /// compressed; its curve has to be named.
    ///
    /// # Errors
    ///
    /// [`InvalidVerifyingKey::Format`] if it is something else, or a key of another
    /// algorithm; otherwise says which check of the key failed.
    pub fn from_spki_der(der: &[u8]) -> Result<Self, InvalidVerifyingKey> {
        let after = |prefix: &[u8], length: usize| {
            der.strip_prefix(prefix).filter(|key| key.len() == length)
        };
        let (algorithm, key) = after(&ED25519_SPKI, 32)
            .map(|key| (AlgorithmId::Ed25519, key))
            .or_else(|| after(&P256_SPKI, 65).map(|key| (AlgorithmId::P256, key)))
            .or_else(|| after(&P256_COMPRESSED_SPKI, 33).map(|key| (AlgorithmId::P256, key)))
            .ok_or(InvalidVerifyingKey::Format { expected: SPKI })?;
        Self::from_bytes(algorithm, key)
    }

    /// [`Self::to_spki_der`] in PEM (RFC 7468), with a newline at its end.
    #[must_use]
    pub fn to_public_key_pem(&self) -> String {
        let encoded = base64::encode(&self.to_spki_der());
        let mut pem = format!("{BEGIN}\n");
        let mut rest = encoded.as_str();
        while !rest.is_empty() {
            let (line, after) = rest.split_at_checked(64).unwrap_or((rest, ""));
            pem.push_str(line);
            pem.push('\n');
            rest = after;
        }
        pem + END + "\n"
    }

    /// Reads [`Self::to_public_key_pem`], with line ends and white space of any kind.
    ///
    /// # Errors
    ///
    /// [`InvalidVerifyingKey::PrivateKey`] for a private key,
    /// [`InvalidVerifyingKey::Format`] for what is no public key in PEM; otherwise as
    /// [`Self::from_spki_der`].
    pub fn from_public_key_pem(pem: &str) -> Result<Self, InvalidVerifyingKey> {
        if pem.contains("PRIVATE KEY-----") {
            return Err(InvalidVerifyingKey::PrivateKey);
        }
        let decode = || {
            let pem = text::after_mark_of(pem);
            let text = Some(pem.trim()).filter(|text| text.len() < MAX_LEN)?;
            let body = text.strip_prefix(BEGIN)?.strip_suffix(END)?;
            base64::decode(&body.split_ascii_whitespace().collect::<String>())
        };
        Self::from_spki_der(&decode().ok_or(InvalidVerifyingKey::Format { expected: PEM })?)
    }

    /// A JSON Web Key (RFC 7517; Ed25519: RFC 8037; P-256: RFC 7518): the required
    /// members alone, in the order of RFC 7638, so that its SHA-256 is the key's
    /// thumbprint.
    #[must_use]
    pub fn to_jwk(&self) -> String {
        match self {
            Self::Ed25519(key) => {
                let x = base64::encode_url(key.as_bytes());
                format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{x}"}}"#)
            }
            Self::P256(key) => {
                let point = key.to_uncompressed();
                let (x, y) = point.split_at(33);
                let (x, y) = (x.get(1..).unwrap_or_default(), y);
                let (x, y) = (base64::encode_url(x), base64::encode_url(y));
                format!(r#"{{"crv":"P-256","kty":"EC","x":"{x}","y":"{y}"}}"#)
            }
        }
    }

    /// Reads a JSON Web Key. Members that say nothing of the key itself (`kid`, `use`,
    /// `alg`, …) are ignored.
    ///
    /// # Errors
    ///
    /// [`InvalidVerifyingKey::PrivateKey`] if it has the private part (`d`),
    /// [`InvalidVerifyingKey::Format`] for what is no such JWK; otherwise says which
    /// check of the key failed.
    pub fn from_jwk(json: &str) -> Result<Self, InvalidVerifyingKey> {
        let format = || InvalidVerifyingKey::Format { expected: JWK };
        if json.len() > MAX_LEN {
            return Err(format());
        }
        let jwk: Jwk = objects::from_str(json).map_err(|_| format())?;
        if jwk.d.is_some() {
            return Err(InvalidVerifyingKey::PrivateKey);
        }
        let coordinate = |text: &str| base64::decode_url(text).filter(|bytes| bytes.len() == 32);
        let x = coordinate(&jwk.x).ok_or_else(format)?;
        match (jwk.kty.as_str(), jwk.crv.as_str(), jwk.y) {
            ("OKP", "Ed25519", None) => Self::from_bytes(AlgorithmId::Ed25519, &x),
            ("EC", "P-256", Some(y)) => {
                let y = coordinate(&y).ok_or_else(format)?;
                Self::from_bytes(AlgorithmId::P256, &[&[4], x.as_slice(), &y].concat())
            }
            _ => Err(format()),
        }
    }

    /// Multikey (Controlled Identifiers v1.0): `z` and base58btc of multicodec and key,
    /// `z6Mk…` or `zDn…`; what a `did:key` has after its method.
    #[must_use]
    pub fn to_multibase(&self) -> String {
        format!("z{}", bs58::encode(self.multikey_bytes()).into_string())
    }

    /// Multicodec and key: what base58btc makes a `publicKeyMultibase` of.
    pub(crate) fn multikey_bytes(&self) -> Vec<u8> {
        let code: &[u8] = match self.algorithm() {
            AlgorithmId::Ed25519 => &[0xed, 0x01],
            AlgorithmId::P256 => &[0x80, 0x24],
        };
        [code, self.as_bytes()].concat()
    }
}
