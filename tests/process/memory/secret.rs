//! What is looked for: a secret, and what is as good as the secret.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use ed25519_dalek::hazmat::ExpandedSecretKey;
use sha2::{Digest as _, Sha512};

/// How the bytes that are looked for come from the secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Form {
    Plain,
    /// As in the JSON of a payload.
    Base64,
    Hex,
    /// Words of 8 bytes, as SHA-512 loads a block.
    Words8,
    /// Words of 4 bytes, as SHA-256 does.
    Words4,
    /// The blocks of HMAC: combined with 0x36, with 0x5c, with both.
    Hmac(u8),
}

#[derive(Debug, Clone)]
pub(crate) struct Pattern {
    pub(crate) secret: String,
    pub(crate) form: Form,
    pub(crate) bytes: Vec<u8>,
}

/// Every form of 32 bytes.
pub(crate) fn forms(name: &str, secret: &[u8]) -> Vec<Pattern> {
    assert_eq!(secret.len(), 32, "{name}");
    let words = |length| secret.chunks(length).flat_map(|word| word.iter().rev().copied());
    let hmac = |mask| secret.iter().map(|byte| byte ^ mask).collect();
    let hex: String = secret.iter().map(|byte| format!("{byte:02x}")).collect();
    let all = [
        (Form::Plain, secret.to_vec()),
        (Form::Base64, STANDARD.encode(secret).into_bytes()),
        (Form::Hex, hex.into_bytes()),
        (Form::Words8, words(8).collect()),
        (Form::Words4, words(4).collect()),
        (Form::Hmac(0x36), hmac(0x36)),
        (Form::Hmac(0x5c), hmac(0x5c)),
        (Form::Hmac(0x36 ^ 0x5c), hmac(0x36 ^ 0x5c)),
    ];
    let pattern = |(form, bytes)| Pattern { secret: name.to_owned(), form, bytes };
    all.into_iter().map(pattern).collect()
}

/// An Ed25519 seed; its scalar, as hashed and clamped and as reduced; its
/// prefix. The names are `NAME`, `NAME scalar`, `NAME clamped`, `NAME prefix`.
pub(crate) fn key(name: &str, seed: &[u8; 32]) -> Vec<Pattern> {
    let hash: [u8; 64] = Sha512::digest(seed).into();
    let expanded = ExpandedSecretKey::from_bytes(&hash);
    let mut clamped = [0; 32];
    clamped.copy_from_slice(&hash[..32]);
    let clamped = curve_clamp(clamped);
    let parts: [(&str, &[u8]); 4] = [
        ("", seed),
        (" scalar", expanded.scalar.as_bytes()),
        (" clamped", &clamped),
        (" prefix", &expanded.hash_prefix),
    ];
    parts.iter().flat_map(|(part, bytes)| forms(&format!("{name}{part}"), bytes)).collect()
}

/// RFC 8032, section 5.1.5, step 2.
fn curve_clamp(mut scalar: [u8; 32]) -> [u8; 32] {
    scalar[0] &= 0xf8;
    scalar[31] = scalar[31] & 0x7f | 0x40;
    scalar
}

/// Random text that is 32 bytes long.
pub(crate) fn text() -> String {
    let mut bytes = [0; 24];
    getrandom::fill(&mut bytes).unwrap();
    STANDARD.encode(bytes)
}

pub(crate) fn seed() -> [u8; 32] {
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).unwrap();
    seed
}
