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
use crate::error::NotCompared;
use crate::secret::{LockedText, leaving_no_trace_of_much};

/// Most log2 of scrypt's `N` for a new tag: 32 MiB, and about a tenth of a second. Less
/// where the passphrase has less.
const LOG_N: u8 = 15;

/// What a note may ask for.
const ALLOWED: RangeInclusive<u8> = 10..=LOG_N;

/// A PIN is compared by so many salts at most: all tags of a device that one file has are
/// made with one, and a note that was made up costs nobody hours.
const MOST_SALTS: usize = 4;

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

    fn tag(self, tag: [u8; LENGTH]) -> String {
        format!("{}:{}:{}", self.log_n, hex::encode(&self.salt), hex::encode(&tag))
    }
}

/// Whether it is a tag.
pub(super) fn is_one(tag: &str) -> bool {
    read(tag).is_some()
}

fn read(tag: &str) -> Option<(Stretching, [u8; LENGTH])> {
    let (how, bytes) = (Stretching::of(tag)?, hex::decode(tag.rsplit_once(':')?.1)?);
    let bytes = bytes.try_into().ok()?;
    // No zeros or sign before a number, and nothing between salt and tag.
    (how.tag(bytes) == tag).then_some((how, bytes))
}

/// What a PIN is compared by: scrypt once for each salt.
#[derive(Default)]
pub(super) struct Compared {
    known: BTreeMap<Stretching, [u8; LENGTH]>,
}

impl Compared {
    /// Whether the PIN, which is the same each time, has this tag.
    ///
    /// # Errors
    ///
    /// If that cannot be told.
    pub(super) fn has(&mut self, tag: &str, pin: &LockedText) -> Result<bool, NotCompared> {
        let (how, tag) = read(tag).ok_or(NotCompared::Untagged)?;
        Ok(self.stretched(how, pin)?.as_slice().ct_eq(&tag).into())
    }

    /// The tag of the PIN; `None` if there is no memory for it.
    pub(super) fn tag(&mut self, how: Stretching, pin: &LockedText) -> Option<String> {
        Some(how.tag(self.stretched(how, pin).ok()?))
    }

    fn stretched(
        &mut self,
        how: Stretching,
        pin: &LockedText,
    ) -> Result<[u8; LENGTH], NotCompared> {
        if let Some(known) = self.known.get(&how) {
            return Ok(*known);
        }
        if self.known.len() == MOST_SALTS {
            return Err(NotCompared::ManySalts);
        }
        let new = stretched(pin, how).ok_or(NotCompared::NoMemory { log_n: how.log_n })?;
        Ok(*self.known.entry(how).or_insert(new))
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
        let tag = Compared::default().tag(how, &pin).unwrap();
        assert_eq!(tag.len(), "11:".len() + 2 * SALT + ":".len() + 2 * LENGTH);
        assert_eq!(Compared::default().has(&tag, &pin), Ok(true));
        assert_eq!(Stretching::of(&tag), Some(how));
        let mut others = ["123", "12345", "1234\0"]
            .into_iter()
            .filter(|other| Compared::default().has(&tag, &LockedText::from(*other)) == Ok(true));
        assert_eq!(others.next(), None);
        for (work_factor, log_n) in [(18, 15), (12, 12), (1, 10)] {
            assert_eq!(Stretching::generate(work_factor).unwrap().log_n, log_n);
        }
    }

    #[test]
    fn a_note_that_was_made_up_costs_nobody_hours() {
        let tag = |log_n: u8, salt: u8| Stretching { log_n, salt: [salt; SALT] }.tag([0, 0]);
        assert!(is_one(&tag(15, 0)));
        for none in
            ["no tag", &tag(16, 0), &tag(9, 0), &tag(10, 0)[1..], &format!("{}00", tag(10, 0))]
        {
            assert!(!is_one(none), "{none}");
        }
        let (pin, mut compared) = (LockedText::from("1234"), Compared::default());
        let told: Vec<_> = (0..30).map(|salt| compared.has(&tag(10, salt), &pin)).collect();
        let (first, others) = told.split_at(MOST_SALTS);
        assert!(first.iter().all(Result::is_ok));
        assert!(others.iter().all(|told| *told == Err(NotCompared::ManySalts)));
    }
}
