//! What tells a PIN that was refused from another one, wherever either comes from.
//!
//! It lies beside its salt, on a disk that may be stolen with the device, and a refused PIN
//! may be the right one with a slip. So guessing costs scrypt, and brings little: of
//! 65,536 PINs one has this tag, of a million with six digits some fifteen. A PIN that
//! nobody has refused (one that is being tried, or in doubt) may be right: it has none.

use std::collections::BTreeMap;

use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use crate::agefile;
use crate::encoding::hex;
use crate::secret::{LockedText, leaving_no_trace_of_much};

/// log2 of scrypt's `N`: 32 MiB, and about a tenth of a second.
const LOG_N: u8 = 15;

/// Bytes of the salt.
const SALT: usize = 16;

/// Bytes of a tag. Longer ones would tell more of the PIN.
const LENGTH: usize = 2;

pub(super) type Salt = [u8; SALT];

/// `SALT:TAG`, in hex.
pub(super) fn make(pin: &LockedText, salt: Option<Salt>) -> Option<String> {
    let salt = match salt {
        Some(salt) => salt,
        None => {
            let mut salt = [0; SALT];
            crate::secret::fill_random(&mut salt).ok()?;
            salt
        }
    };
    Some(format!("{}:{}", hex::encode(&salt), hex::encode(&stretched(pin, &salt)?)))
}

pub(super) fn salt_of(tag: &str) -> Option<Salt> {
    hex::decode(tag.split_once(':')?.0)?.try_into().ok()
}

/// A PIN that is compared with what is noted: scrypt once for each salt.
pub(super) struct Compared<'a> {
    pin: &'a LockedText,
    known: BTreeMap<Salt, Option<[u8; LENGTH]>>,
}

impl<'a> Compared<'a> {
    pub(super) const fn new(pin: &'a LockedText) -> Self {
        Self { pin, known: BTreeMap::new() }
    }

    /// Whether it has this tag; `None` if that cannot be told.
    pub(super) fn has(&mut self, tag: &str) -> Option<bool> {
        let (salt, tag) = (salt_of(tag)?, hex::decode(tag.split_once(':')?.1)?);
        let own = *self.known.entry(salt).or_insert_with(|| stretched(self.pin, &salt));
        Some(own?.as_slice().ct_eq(&tag).into())
    }
}

fn stretched(pin: &LockedText, salt: &Salt) -> Option<[u8; LENGTH]> {
    let params = scrypt::Params::new(LOG_N, 8, 1, 32).ok()?;
    let mut out = Zeroizing::new([0; 32]);
    let done = agefile::costing_scrypt(Some(LOG_N), || {
        leaving_no_trace_of_much(|| {
            // HMAC takes a text and the same one with zeros after it for one.
            let text = pin.expose_secret().as_bytes();
            let hashed = Zeroizing::new(<[u8; 32]>::from(Sha256::digest(text)));
            scrypt::scrypt(hashed.as_slice(), salt, &params, out.as_mut_slice())
        })
    });
    done.ok()?.ok()?;
    out.first_chunk().copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_is_that_of_one_pin_and_tells_little_of_it() {
        let pin = LockedText::from("1234");
        let tag = make(&pin, Some([7; SALT])).unwrap();
        assert_eq!(tag.len(), 2 * SALT + 1 + 2 * LENGTH);
        assert_eq!(Compared::new(&pin).has(&tag), Some(true));
        // Each note of one PIN is the same, so that many tell no more than one.
        assert_eq!(make(&pin, salt_of(&tag)), Some(tag.clone()));
        let mut others = ["123", "12345", "1234\0"]
            .into_iter()
            .filter(|other| Compared::new(&LockedText::from(*other)).has(&tag) == Some(true));
        assert_eq!(others.next(), None);
        assert_eq!(Compared::new(&pin).has("no tag"), None);
    }
}
