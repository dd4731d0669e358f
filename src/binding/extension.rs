//! The binding inside the certificate: a private X.509 extension.
//!
//! ```text
//! Binding ::= SEQUENCE {
//!     version    INTEGER (1),
//!     sequence   INTEGER (0..18446744073709551615),
//!     x25519     OCTET STRING (SIZE (32)),
//!     signature  OCTET STRING (SIZE (64)) }
//! ```
//!
//! Nothing is written twice: the DID is in the certificate's URI, the TLS key
//! and the times are the certificate's own. **Not critical**, since software
//! that does not know it (OpenSSL, curl) refuses critical ones.

use super::Binding;

/// Below 1.2.840.113556.1.8000.2554, where Microsoft lets everybody name things
/// by a GUID, cut into 4, 4, 4, 4, 4, 6 and 6 hexadecimal digits. Ours:
/// 477119d0-d0a2-4363-9085-c6dba5525d86.
pub(crate) const OID: [u64; 14] = [
    1, 2, 840, 113_556, 1, 8000, 2554, 0x4771, 0x19d0, 0xd0a2, 0x4363, 0x9085, 0xc6_dba5, 0x52_5d86,
];

const X25519_TAG: [u8; 2] = [0x04, 32];
const SIGNATURE_TAG: [u8; 2] = [0x04, 64];

/// What the extension holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Extension {
    pub(crate) sequence: u64,
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
            x25519_public: *binding.x25519_public_key(),
            signature: *binding.signature(),
        }
    }

    /// The extension's value, DER.
    pub(crate) fn to_der(self) -> Vec<u8> {
        let mut number = self.sequence.to_be_bytes().to_vec();
        // The shortest form, and a zero before what would be negative.
        let zeros = number.iter().take(7).take_while(|byte| **byte == 0).count();
        number.drain(..zeros);
        if number.first().is_some_and(|first| *first >= 0x80) {
            number.insert(0, 0);
        }
        let mut body = vec![0x02, 1, 1];
        body.extend(tagged(0x02, &number));
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
        let [0x30, _, 0x02, 1, version, rest @ ..] = der else { return Err(bad) };
        if *version != 1 {
            return Err(Unreadable::Version(*version));
        }
        let [0x02, length, rest @ ..] = rest else { return Err(bad) };
        let (number, rest) = rest.split_at_checked(usize::from(*length)).ok_or(bad)?;
        let sequence = number.iter().try_fold(0_u64, |value, byte| {
            Some(value.checked_mul(256)?.saturating_add(u64::from(*byte)))
        });
        let rest = rest.strip_prefix(&X25519_TAG).ok_or(bad)?;
        let (x25519, rest) = rest.split_first_chunk().ok_or(bad)?;
        let signature = rest.strip_prefix(&SIGNATURE_TAG).ok_or(bad)?;
        Ok(Self {
            sequence: sequence.ok_or(bad)?,
            x25519_public: *x25519,
            signature: *signature.first_chunk().ok_or(bad)?,
        })
    }
}

/// All of ours are shorter than 128 bytes.
fn tagged(tag: u8, value: &[u8]) -> Vec<u8> {
    let mut der = vec![tag, u8::try_from(value.len()).unwrap_or(u8::MAX)];
    der.extend_from_slice(value);
    der
}

#[cfg(test)]
mod tests {
    use super::*;

    fn extension(sequence: u64) -> Extension {
        Extension { sequence, x25519_public: [0x25; 32], signature: [0x51; 64] }
    }

    #[test]
    fn every_sequence_number_has_one_encoding() {
        for (sequence, number) in [
            (0, &[2, 1, 0][..]),
            (1, &[2, 1, 1]),
            (127, &[2, 1, 127]),
            (128, &[2, 2, 0, 128]),
            (256, &[2, 2, 1, 0]),
            (u64::MAX, &[2, 9, 0, 255, 255, 255, 255, 255, 255, 255, 255]),
        ] {
            let der = extension(sequence).to_der();
            let length = u8::try_from(der.len() - 2).unwrap();
            assert_eq!(der[..5], [0x30, length, 2, 1, 1], "{sequence}");
            assert_eq!(&der[5..5 + number.len()], number, "{sequence}");
            assert_eq!(Extension::from_der(&der), Ok(extension(sequence)));
        }
    }

    #[test]
    fn other_encodings_are_refused() {
        let good = extension(5).to_der();
        for end in 0..good.len() {
            assert!(Extension::from_der(&good[..end]).is_err(), "{end} bytes");
        }
        let changed = |index: usize, byte: u8| {
            let mut der = good.clone();
            der[index] = byte;
            Extension::from_der(&der)
        };
        assert_eq!(changed(4, 2), Err(Unreadable::Version(2)));
        for (index, byte) in [(0, 0x31), (1, 0), (2, 4), (3, 2), (5, 4), (6, 2), (8, 5), (9, 31)] {
            assert_eq!(changed(index, byte), Err(Unreadable::Malformed), "byte {index}");
        }
        // A number that is longer than it must be, or than 64 bits, or negative.
        for number in [&[2, 2, 0, 5][..], &[2, 9, 1, 0, 0, 0, 0, 0, 0, 0, 0], &[2, 1, 0x85]] {
            let body = [&[2, 1, 1], number, &good[8..]].concat();
            assert_eq!(Extension::from_der(&tagged(0x30, &body)), Err(Unreadable::Malformed));
        }
        let longer = [&good[..], &[0]].concat();
        assert_eq!(Extension::from_der(&longer), Err(Unreadable::Malformed));
    }

    #[test]
    fn the_oid_is_the_guid_cut_up() {
        let digits: String = OID[7..12].iter().map(|part| format!("{part:04x}")).collect();
        let rest: String = OID[12..].iter().map(|part| format!("{part:06x}")).collect();
        assert_eq!(digits + &rest, "477119d0d0a243639085c6dba5525d86");
    }
}
