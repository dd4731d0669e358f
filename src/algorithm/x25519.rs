//! X25519 public keys.

use std::fmt;
use std::str::FromStr;

use super::InvalidVerifyingKey;
use crate::encoding::{age, hex};

/// An X25519 public key (RFC 7748): what others encrypt to.
///
/// Any 32 bytes are one, also those with which every key agrees on zero: agreement
/// and encryption refuse these. Compared byte by byte.
///
/// Displayed as the age recipient `age1…` (age v1, Bech32, 62 characters), and read
/// from it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct X25519PublicKey([u8; 32]);

impl X25519PublicKey {
    /// The 32 bytes of RFC 7748, section 5.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The 32 bytes of RFC 7748, section 5.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Multikey (Controlled Identifiers v1.0): `z6LS…`, base58btc of multicodec `ec 01`
    /// and key, as DID documents have it.
    #[must_use]
    pub fn to_multibase(&self) -> String {
        format!("z{}", bs58::encode([&[0xec, 0x01], self.0.as_slice()].concat()).into_string())
    }
}

impl fmt::Display for X25519PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&age::recipient(&self.0))
    }
}

/// Reads an age recipient, `age1…`, in lower case.
impl FromStr for X25519PublicKey {
    type Err = InvalidVerifyingKey;

    fn from_str(text: &str) -> Result<Self, InvalidVerifyingKey> {
        // The whole file of a key begins with a comment.
        if text.to_ascii_uppercase().contains("AGE-SECRET-KEY") {
            return Err(InvalidVerifyingKey::PrivateKey);
        }
        let key = age::public_key(text).map(Self);
        // Another checksum (Bech32m) and upper case are not written by age.
        key.filter(|key| age::recipient(&key.0) == text).ok_or(InvalidVerifyingKey::Format {
            expected: "an X25519 public key as an age recipient (age1…)",
        })
    }
}

impl fmt::Debug for X25519PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "X25519PublicKey(")?;
        hex::write(f, &self.0)?;
        write!(f, ")")
    }
}

#[cfg(test)]
mod tests {
    use std::str::FromStr as _;

    use super::*;

    #[cfg(feature = "keystore")]
    #[test]
    fn the_age_crate_reads_and_writes_the_same_recipient() {
        for _ in 0..20 {
            let theirs = ::age::x25519::Identity::generate().to_public().to_string();
            let key = X25519PublicKey::from_str(&theirs).unwrap();
            assert_eq!(key.to_string(), theirs);
            assert_eq!(X25519PublicKey::from_bytes(*key.as_bytes()), key);
            assert!(key.to_multibase().starts_with("z6LS"));
        }
    }

    #[test]
    fn what_is_no_recipient_is_refused_and_not_repeated() {
        let key = X25519PublicKey::from_bytes([7; 32]);
        let good = key.to_string();
        let other = bech32::encode::<bech32::Bech32m>(bech32::Hrp::parse("age").unwrap(), &[7; 32]);
        let format = |text: &str| {
            let error = X25519PublicKey::from_str(text).unwrap_err();
            assert!(matches!(error, InvalidVerifyingKey::Format { .. }), "{text}: {error:?}");
            assert!(error.help().unwrap().contains("age1"));
        };
        for text in [
            "",
            "age1",
            &good[1..],
            &good[..61],
            &good.to_uppercase(),
            &format!(" {good}"),
            &other.unwrap(),
            &bech32::encode::<bech32::Bech32>(bech32::Hrp::parse("agf").unwrap(), &[7; 32])
                .unwrap(),
            &bech32::encode::<bech32::Bech32>(bech32::Hrp::parse("age").unwrap(), &[7; 31])
                .unwrap(),
        ] {
            format(text);
        }
        let secret = age::secret_key(&[7; 32]).unwrap();
        for text in [secret.to_string(), format!("# created\n{}", secret.to_lowercase())] {
            let error = X25519PublicKey::from_str(&text).unwrap_err();
            assert_eq!(error, InvalidVerifyingKey::PrivateKey);
        }
    }

    #[test]
    fn it_is_shown_whole_since_it_is_public() {
        let key = X25519PublicKey::from_bytes([0xab; 32]);
        assert_eq!(format!("{key:?}"), format!("X25519PublicKey({})", "ab".repeat(32)));
    }
}
