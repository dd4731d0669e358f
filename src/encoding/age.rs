//! X25519 keys as age v1 writes them, in Bech32.

use bech32::{Bech32, Hrp};
use zeroize::Zeroizing;

const RECIPIENT: Hrp = Hrp::parse_unchecked("age");
const SECRET_KEY: Hrp = Hrp::parse_unchecked("age-secret-key-");
/// `AGE-SECRET-KEY-1`, 52 characters for 32 bytes, 6 of checksum.
const SECRET_KEY_LEN: usize = 16 + 52 + 6;

/// `age1…`
pub(crate) fn recipient(x25519_public: &[u8; 32]) -> String {
    let mut text = String::new();
    // Too long for Bech32 is the only error, and this is 62 characters.
    let _ = bech32::encode_lower_to_fmt::<Bech32, _>(&mut text, RECIPIENT, x25519_public);
    text
}

/// The public key of `age1…`.
pub(crate) fn public_key(recipient: &str) -> Option<[u8; 32]> {
    let (prefix, bytes) = bech32::decode(recipient).ok()?;
    if prefix == RECIPIENT { bytes.try_into().ok() } else { None }
}

/// `AGE-SECRET-KEY-1…`, as stock tools read it.
pub(crate) fn secret_key(x25519_secret: &[u8; 32]) -> Option<Zeroizing<String>> {
    // Of its full length: growing would leave copies behind.
    let mut text = Zeroizing::new(String::with_capacity(SECRET_KEY_LEN));
    bech32::encode_upper_to_fmt::<Bech32, _>(&mut *text, SECRET_KEY, x25519_secret).ok()?;
    Some(text)
}
