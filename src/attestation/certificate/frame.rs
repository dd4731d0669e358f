//! What is around the signed part of a certificate, under no signature: it has one form. What can be
//! changed in it is an ECDSA signature, by whoever makes the other one of the two that verify, (r, n-s);
//! the DID's key signs the hash of the certificate with the one that it has.

use super::Refusal;

const SEQUENCE: u8 = 0x30;
const BIT_STRING: u8 = 0x03;
const OBJECT_IDENTIFIER: u8 = 0x06;

/// `SEQUENCE { tbsCertificate, signatureAlgorithm, signatureValue }` (RFC 5280, section 4.1), the
/// algorithm the same as inside to the byte.
pub(super) fn check(der: &[u8], place: usize) -> Result<(), Refusal> {
    let malformed = Refusal::Malformed { place };
    let Some((inner, outer)) = algorithms(der) else { return Err(malformed) };
    if inner == outer { Ok(()) } else { Err(Refusal::TwoAlgorithms { place }) }
}

/// The algorithm inside of the signed part and that beside it, if all around them is as it
/// should be.
fn algorithms(der: &[u8]) -> Option<(&[u8], &[u8])> {
    let (certificate, b"") = split(der)? else { return None };
    let (signed, rest) = split(content(certificate, SEQUENCE)?)?;
    let (outer, rest) = split(rest)?;
    let (signature, b"") = split(rest)? else { return None };
    let [0, _, ..] = content(signature, BIT_STRING)? else { return None };
    // Version and serial number are before it.
    let (_, rest) = split(content(signed, SEQUENCE)?)?;
    let (_, rest) = split(rest)?;
    let (inner, _) = split(rest)?;
    Some((inner, outer))
}

/// Whether the algorithm of a `SubjectPublicKeyInfo` names this curve, and has nothing behind it
/// (RFC 5480, section 2.1.1).
pub(super) fn is_curve(spki: &[u8], curve: &[u8]) -> bool {
    let named = || {
        let (algorithm, _) = split(content(spki, SEQUENCE)?)?;
        let (_, parameters) = split(content(algorithm, SEQUENCE)?)?;
        let (parameters, b"") = split(parameters)? else { return None };
        content(parameters, OBJECT_IDENTIFIER)
    };
    named() == Some(curve)
}

/// The first value with its tag and length, and what is behind it.
fn split(der: &[u8]) -> Option<(&[u8], &[u8])> {
    let (header, length) = header(der)?;
    der.split_at_checked(header.checked_add(length)?)
}

/// The content of one whole value.
fn content(value: &[u8], tag: u8) -> Option<&[u8]> {
    let (header, _) = header(value)?;
    value.get(header..).filter(|_| value.first() == Some(&tag))
}

/// How long tag and length are, and what the length says: in its one encoding.
fn header(der: &[u8]) -> Option<(usize, usize)> {
    match der {
        [_, length @ 0..=0x7f, ..] => Some((2, usize::from(*length))),
        [_, 0x81, length @ 0x80..=0xff, ..] => Some((3, usize::from(*length))),
        [_, 0x82, high @ 1..=0xff, low, ..] => {
            Some((4, usize::from(u16::from_be_bytes([*high, *low]))))
        }
        _ => None,
    }
}
