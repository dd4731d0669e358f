//! What tells a PIN that was refused from another one, wherever either comes from.
//!
//! It lies beside its salt, on a disk that may be stolen with the device, and a refused PIN
//! may be the right one with a slip. So guessing costs scrypt, and brings little: of
//! 65,536 PINs one has this tag, of a million with six digits some fifteen. A PIN that
//! nobody has refused (one that is being tried, or in doubt) may be right: it has none.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use crate::agefile;
use crate::encoding::hex;
use crate::secret::{LockedText, leaving_no_trace_of_much};

/// Most log2 of scrypt's `N` for a new tag: 32 MiB, and about a tenth of a second. Less
/// where the passphrase has less.
const LOG_N: u8 = 15;

/// What a note may ask for.
const ALLOWED: RangeInclusive<u8> = 10..=18;

/// Bytes of the salt.
const SALT: usize = 16;

/// Bytes of a tag. Longer ones would tell more of the PIN.
const LENGTH: usize = 2;

/// How tags are made: all of one PIN in the same way, so that many tell no more than one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Stretching {
    log_n: u8,
    salt: [u8; SALT],
}

impl Stretching {
    /// With a new salt, and no more work than a passphrase has.
    pub(super) fn generate(work_factor: u8) -> Option<Self> {
        let mut salt = [0; SALT];
        crate::secret::fill_random(&mut salt).ok()?;
        Some(Self { log_n: work_factor.clamp(*ALLOWED.start(), LOG_N), salt })
    }

    /// Of a tag: `LOG_N:SALT:TAG`, the last two in hex.
    pub(super) fn of(tag: &str) -> Option<Self> {
        let (log_n, rest) = tag.split_once(':')?;
        let log_n = log_n.parse().ok().filter(|log_n| ALLOWED.contains(log_n))?;
        let salt = hex::decode(rest.split_once(':')?.0)?.try_into().ok()?;
        Some(Self { log_n, salt })
    }

    pub(super) fn tag(self, pin: &LockedText) -> Option<String> {
        let tag = hex::encode(&stretched(pin, self)?);
        Some(format!("{}:{}:{tag}", self.log_n, hex::encode(&self.salt)))
    }
}

/// A PIN that is compared with what is noted: scrypt once for each salt.
pub(super) struct Compared<'a> {
    pin: &'a LockedText,
    known: BTreeMap<Stretching, Option<[u8; LENGTH]>>,
}

impl<'a> Compared<'a> {
    pub(super) const fn new(pin: &'a LockedText) -> Self {
        Self { pin, known: BTreeMap::new() }
    }

    /// Whether it has this tag; `None` if that cannot be told.
    pub(super) fn has(&mut self, tag: &str) -> Option<bool> {
        let (how, tag) = (Stretching::of(tag)?, hex::decode(tag.rsplit_once(':')?.1)?);
        let own = *self.known.entry(how).or_insert_with(|| stretched(self.pin, how));
        Some(own?.as_slice().ct_eq(&tag).into())
    }
}

fn stretched(pin: &LockedText, how: Stretching) -> Option<[u8; LENGTH]> {
    let params = scrypt::Params::new(how.log_n, 8, 1, 32).ok()?;
    let mut out = Zeroizing::new([0; 32]);
    let done = agefile::costing_scrypt(Some(how.log_n), || {
        leaving_no_trace_of_much(|| {
            // HMAC takes a text and the same one with zeros after it for one.
            let text = pin.expose_secret().as_bytes();
            let hashed = Zeroizing::new(<[u8; 32]>::from(Sha256::digest(text)));
            scrypt::scrypt(hashed.as_slice(), &how.salt, &params, out.as_mut_slice())
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
        let how = Stretching { log_n: 11, salt: [7; SALT] };
        let tag = how.tag(&pin).unwrap();
        assert_eq!(tag.len(), "11:".len() + 2 * SALT + ":".len() + 2 * LENGTH);
        assert_eq!(Compared::new(&pin).has(&tag), Some(true));
        assert_eq!(Stretching::of(&tag), Some(how));
        let mut others = ["123", "12345", "1234\0"]
            .into_iter()
            .filter(|other| Compared::new(&LockedText::from(*other)).has(&tag) == Some(true));
        assert_eq!(others.next(), None);
        // A note that was made up costs nobody hours.
        for none in ["no tag", &tag.replacen("11", "30", 1), &tag.replacen("11", "9", 1)] {
            assert_eq!(Compared::new(&pin).has(none), None);
        }
        for (work_factor, log_n) in [(18, 15), (12, 12), (1, 10)] {
            assert_eq!(Stretching::generate(work_factor).unwrap().log_n, log_n);
        }
    }
}
