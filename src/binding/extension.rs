//! The binding inside the certificate: a private X.509 extension.
//!
//! ```text
//! Binding ::= SEQUENCE {
//!     version    INTEGER (1),
//!     sequence   INTEGER (0..18446744073709551615),
//!     instance   OCTET STRING (SIZE (16)),
//!     epoch      INTEGER (0..18446744073709551615),
//!     x25519     OCTET STRING (SIZE (32)),
//!     signature  OCTET STRING (SIZE (64)) }
//! ```
//!
//! Nothing is written twice: the DID is in the certificate's URI, the TLS key
//! and the times are the certificate's own. **Not critical**, since software
//! that does not know it (OpenSSL, curl) refuses critical ones.
//!
//! The old form has neither instance nor epoch. It is read, so that identities on
//! disk open; peers refuse it.

use super::{Binding, Holder, Instance};

/// Below 1.2.840.113556.1.8000.2554, where Microsoft lets everybody name things
/// by a GUID, cut into 4, 4, 4, 4, 4, 6 and 6 hexadecimal digits. Ours:
/// 477119d0-d0a2-4363-9085-c6dba5525d86.
pub(crate) const OID: [u64; 14] = [
    1, 2, 840, 113_556, 1, 8000, 2554, 0x4771, 0x19d0, 0xd0a2, 0x4363, 0x9085, 0xc6_dba5, 0x52_5d86,
];

const INSTANCE_TAG: [u8; 2] = [0x04, 16];
const X25519_TAG: [u8; 2] = [0x04, 32];
const SIGNATURE_TAG: [u8; 2] = [0x04, 64];

/// What the extension holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Extension {
    pub(crate) sequence: u64,
    /// None in the old form.
    pub(crate) holder: Option<Holder>,
    pub(crate) x25519_public: [u8; 32],
    pub(crate) signature: [u8; 64],
}

/// Why a value is not one of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unreadable {
    Malformed,
    /// Another version.
    Version(u8),
}

impl Extension {
    pub(crate) const fn of(binding: &Binding) -> Self {
        Self {
            sequence: binding.sequence(),
            holder: binding.holder(),
            x25519_public: *binding.x25519_public_key().as_bytes(),
            signature: *binding.signature(),
        }
    }

    /// The extension's value, DER.
    pub(crate) fn to_der(self) -> Vec<u8> {
        let mut body = vec![0x02, 1, 1];
        body.extend(tagged(0x02, &shortest(self.sequence)));
        if let Some(Holder { instance, epoch }) = &self.holder {
            body.extend(tagged(0x04, instance.as_bytes()));
            body.extend(tagged(0x02, &shortest(*epoch)));
        }
        body.extend(tagged(0x04, &self.x25519_public));
        body.extend(tagged(0x04, &self.signature));
        tagged(0x30, &body)
    }

    /// Reads exactly what [`Self::to_der`] writes.
    pub(crate) fn from_der(der: &[u8]) -> Result<Self, Unreadable> {
        let read = Self::fields(der)?;
        // One encoding and no other.
        if read.to_der() == der { Ok(read) } else { Err(Unreadable::Malformed) }
    }

    fn fields(der: &[u8]) -> Result<Self, Unreadable> {
        let bad = Unreadable::Malformed;
        // How it is written was compared: here only where it is.
        let ([0x30, 0x81, _, rest @ ..] | [0x30, _, rest @ ..]) = der else { return Err(bad) };
        let [0x02, 1, version, rest @ ..] = rest else { return Err(bad) };
        if *version != 1 {
            return Err(Unreadable::Version(*version));
        }
        let (sequence, rest) = number(rest).ok_or(bad)?;
        let (holder, rest) = match rest.strip_prefix(&INSTANCE_TAG) {
            Some(rest) => {
                let (instance, rest) = rest.split_first_chunk().ok_or(bad)?;
                let (epoch, rest) = number(rest).ok_or(bad)?;
                (Some(Holder { instance: Instance::from_bytes(*instance), epoch }), rest)
            }
            None => (None, rest),
        };
        let rest = rest.strip_prefix(&X25519_TAG).ok_or(bad)?;
        let (x25519, rest) = rest.split_first_chunk().ok_or(bad)?;
        let signature = rest.strip_prefix(&SIGNATURE_TAG).ok_or(bad)?;
        Ok(Self {
            sequence,
            holder,
            x25519_public: *x25519,
            signature: *signature.first_chunk().ok_or(bad)?,
        })
    }
}

/// An INTEGER of at most 64 bits, and what follows it.
fn number(der: &[u8]) -> Option<(u64, &[u8])> {
    let [0x02, length, rest @ ..] = der else { return None };
    let (bytes, rest) = rest.split_at_checked(usize::from(*length))?;
    let number = bytes.iter().try_fold(0_u64, |value, byte| {
        Some(value.checked_mul(256)?.saturating_add(u64::from(*byte)))
    })?;
    Some((number, rest))
}

/// The shortest form, and a zero before what would be negative.
fn shortest(number: u64) -> Vec<u8> {
    let mut bytes = number.to_be_bytes().to_vec();
    let zeros = bytes.iter().take(7).take_while(|byte| **byte == 0).count();
    bytes.drain(..zeros);
    if bytes.first().is_some_and(|first| *first >= 0x80) {
        bytes.insert(0, 0);
    }
    bytes
}

/// All of ours are shorter than 256 bytes.
fn tagged(tag: u8, value: &[u8]) -> Vec<u8> {
    let length = u8::try_from(value.len()).unwrap_or(u8::MAX);
    let mut der = if length < 0x80 { vec![tag, length] } else { vec![tag, 0x81, length] };
    der.extend_from_slice(value);
    der
}

#[cfg(test)]
mod tests {
    use super::*;

    const INSTANCE: Instance = Instance::from_bytes([0x17; 16]);

    fn extension(sequence: u64, epoch: u64) -> Extension {
        let holder = Some(Holder { instance: INSTANCE, epoch });
        Extension { sequence, holder, x25519_public: [0x25; 32], signature: [0x51; 64] }
    }

    fn old(sequence: u64) -> Extension {
        Extension { holder: None, ..extension(sequence, 0) }
    }

    const NUMBERS: [(u64, &[u8]); 7] = [
        (0, &[2, 1, 0]),
        (1, &[2, 1, 1]),
        (127, &[2, 1, 127]),
        (128, &[2, 2, 0, 128]),
        (256, &[2, 2, 1, 0]),
        (1 << 31, &[2, 5, 0, 128, 0, 0, 0]),
        (u64::MAX, &[2, 9, 0, 255, 255, 255, 255, 255, 255, 255, 255]),
    ];

    /// Both sides of 128 bytes, where the length takes a byte more.
    #[test]
    fn every_sequence_number_and_epoch_has_one_encoding() {
        let keys = [&[4, 32][..], &[0x25; 32], &[4, 64], &[0x51; 64]].concat();
        let instance = [&[4, 16][..], &[0x17; 16]].concat();
        for (sequence, number) in NUMBERS {
            for (epoch, counted) in NUMBERS {
                let body = [&[2, 1, 1], number, &instance, counted, &keys].concat();
                let length = u8::try_from(body.len()).unwrap();
                let long = length > 127;
                assert_eq!(long, sequence > 127 || epoch > 127, "{sequence} {epoch}");
                let head = if long { vec![0x30, 0x81, length] } else { vec![0x30, length] };
                let der = extension(sequence, epoch).to_der();
                assert_eq!(der, [head, body].concat(), "{sequence} {epoch}");
                assert_eq!(Extension::from_der(&der), Ok(extension(sequence, epoch)));
            }
            let body = [&[2, 1, 1], number, &keys].concat();
            let der = old(sequence).to_der();
            assert_eq!(der, [&[0x30, u8::try_from(body.len()).unwrap()], &body[..]].concat());
            assert_eq!(Extension::from_der(&der), Ok(old(sequence)));
        }
    }

    #[test]
    fn other_encodings_of_the_extension_are_refused() {
        let malformed = Err(Unreadable::Malformed);
        // 130 bytes: what real ones have, 4 bytes of a sequence number and more.
        for good in [extension(5, 6), extension(5, 128), extension(1 << 31, 1 << 31), old(5)] {
            let good = good.to_der();
            for end in 0..good.len() {
                assert!(Extension::from_der(&good[..end]).is_err(), "{end} bytes");
            }
            assert_eq!(Extension::from_der(&[&good[..], &[0]].concat()), malformed);
        }
        let good = extension(5, 6).to_der();
        let changed = |index: usize, byte: u8| {
            let mut der = good.clone();
            der[index] = byte;
            Extension::from_der(&der)
        };
        assert_eq!(changed(4, 2), Err(Unreadable::Version(2)));
        let elsewhere = [(0, 0x31), (1, 0), (2, 4), (3, 2), (5, 4), (6, 2), (8, 5), (9, 15)];
        for (index, byte) in elsewhere.into_iter().chain([(26, 4), (27, 2), (29, 5), (30, 31)]) {
            assert_eq!(changed(index, byte), malformed, "byte {index}");
        }
        // A number that is longer than it must be, or than 64 bits, or negative.
        let (before, instance, after) = (&good[2..5], &good[8..26], &good[29..]);
        for wrong in [&[2, 2, 0, 5][..], &[2, 9, 1, 0, 0, 0, 0, 0, 0, 0, 0], &[2, 1, 0x85]] {
            for numbers in [[wrong, &[2, 1, 6]], [&[2, 1, 5], wrong]] {
                let [sequence, epoch] = numbers;
                let body = [before, sequence, instance, epoch, after].concat();
                assert_eq!(Extension::from_der(&tagged(0x30, &body)), malformed, "{wrong:?}");
            }
        }
        // A length in the long form where the short one does, or in a longer one.
        assert_eq!(Extension::from_der(&[&[0x30, 0x81], &good[1..]].concat()), malformed);
        let long = extension(5, 128).to_der();
        for length in [&[0x82, 0][..], &[0x80]] {
            let der = [&[0x30], length, &long[2..]].concat();
            assert_eq!(Extension::from_der(&der), malformed, "{length:?}");
        }
        // An instance without an epoch, an epoch without an instance.
        let only = |part: &[u8]| {
            let body = [before, &[2, 1, 5], part, after].concat();
            Extension::from_der(&tagged(0x30, &body))
        };
        assert_eq!(only(instance), malformed);
        assert_eq!(only(&[2, 1, 6]), malformed);
    }

    #[test]
    fn the_oid_is_the_guid_cut_up() {
        let digits: String = OID[7..12].iter().map(|part| format!("{part:04x}")).collect();
        let rest: String = OID[12..].iter().map(|part| format!("{part:06x}")).collect();
        assert_eq!(digits + &rest, "477119d0d0a243639085c6dba5525d86");
    }
}
