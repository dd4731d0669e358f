//! `CKA_EC_POINT`, which each module encodes in its own way.

use crate::algorithm::{AlgorithmId, Ed25519VerifyingKey, P256VerifyingKey, VerifyingKey};
use crate::encoding::hex;

/// An Ed25519 point (RFC 8032, section 5.1.5).
const ED25519: usize = 32;
/// An uncompressed P-256 point (SEC 1, section 2.3.3).
pub(super) const P256: usize = 65;

/// Tag of a DER `OCTET STRING`: SoftHSM, YubiHSM 2, NetHSM.
pub(super) const OCTET_STRING: u8 = 0x04;
/// Tag of a DER `BIT STRING`, the other reading of PKCS#11 v3.0.
const BIT_STRING: u8 = 0x03;

/// The N bytes of a point: raw (PKCS#11 v3.1 for Ed25519), or in one of the two
/// encodings that "DER" is taken for.
pub(super) fn raw<const N: usize>(encoded: &[u8]) -> Option<&[u8; N]> {
    let length = u8::try_from(N).ok()?;
    let raw = match encoded.len().checked_sub(N)? {
        0 => Some(encoded),
        2 => encoded.strip_prefix(&[OCTET_STRING, length]),
        // One byte more says that no bit of the last is unused.
        3 => encoded.strip_prefix(&[BIT_STRING, length.checked_add(1)?, 0]),
        _ => None,
    };
    raw?.try_into().ok()
}

/// Reads the point of a key of this algorithm.
pub(super) fn decode(algorithm: AlgorithmId, encoded: &[u8]) -> Result<VerifyingKey, String> {
    let key = match algorithm {
        AlgorithmId::Ed25519 => {
            raw(encoded).map(|raw| Ed25519VerifyingKey::from_bytes(raw).map(VerifyingKey::from))
        }
        AlgorithmId::P256 => {
            raw(encoded).map(|raw| P256VerifyingKey::from_uncompressed(raw).map(VerifyingKey::from))
        }
    };
    let key = key.ok_or_else(|| {
        let start = hex::encode(encoded.get(..4).unwrap_or(encoded));
        let name = match algorithm {
            AlgorithmId::Ed25519 => "Ed25519",
            AlgorithmId::P256 => "P-256",
        };
        format!(
            "CKA_EC_POINT is no {name} point in a known encoding ({} bytes, {start}…)",
            encoded.len()
        )
    })?;
    key.map_err(|error| error.to_string())
}

/// The encoding of a point that was decoded, for people.
pub(super) const fn form(encoded: &[u8]) -> &'static str {
    match encoded.len() {
        ED25519 => "raw, 32 bytes",
        P256 => "raw, 65 bytes",
        34 => "DER OCTET STRING, 04 20",
        67 => "DER OCTET STRING, 04 41",
        35 => "DER BIT STRING, 03 21 00",
        _ => "DER BIT STRING, 03 42 00",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 8032, section 7.1, test 1.
    const KEY: [u8; 32] = [
        0xd7, 0x5a, 0x98, 0x01, 0x82, 0xb1, 0x0a, 0xb7, 0xd5, 0x4b, 0xfe, 0xd3, 0xc9, 0x64, 0x07,
        0x3a, 0x0e, 0xe1, 0x72, 0xf3, 0xda, 0xa6, 0x23, 0x25, 0xaf, 0x02, 0x1a, 0x68, 0xf7, 0x07,
        0x51, 0x1a,
    ];
    /// RFC 6979, appendix A.2.5.
    const POINT: &str = "0460fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb6\
                           7903fe1008b8bc99a41ae9e95628bc64f2f1b20c2d7e9f5177a3c294d4462299";

    fn with(prefix: &[u8]) -> Vec<u8> {
        [prefix, KEY.as_slice()].concat()
    }

    fn point() -> Vec<u8> {
        hex::decode(&POINT.replace(' ', "")).unwrap()
    }

    #[test]
    fn three_encodings_are_one_key() {
        for prefix in [&[][..], &[0x04, 0x20], &[0x03, 0x21, 0x00]] {
            let key = decode(AlgorithmId::Ed25519, &with(prefix)).unwrap();
            assert_eq!(key.as_bytes(), KEY, "{prefix:02x?}");
        }
        for prefix in [&[][..], &[0x04, 0x41], &[0x03, 0x42, 0x00]] {
            let VerifyingKey::P256(key) =
                decode(AlgorithmId::P256, &[prefix, &point()].concat()).unwrap()
            else {
                panic!()
            };
            assert_eq!(key.to_uncompressed().as_slice(), point(), "{prefix:02x?}");
        }
    }

    #[test]
    fn anything_else_is_refused_with_its_length_and_start() {
        for wrong in [
            vec![],
            with(&[0x04]),
            with(&[0x04, 0x21]),
            with(&[0x03, 0x20]),
            with(&[0x03, 0x21, 0x01]),
            with(&[0x04, 0x81, 0x20]),
            with(&[0x04, 0x22, 0x04, 0x20]),
            KEY[..31].to_vec(),
            vec![0x04; 57],
            point(),
        ] {
            let error = decode(AlgorithmId::Ed25519, &wrong).unwrap_err();
            assert!(
                error.contains(&format!("no Ed25519 point in a known encoding ({} b", wrong.len()))
            );
        }
        let compressed = [&[0x02], &point()[1..33]].concat();
        for wrong in [
            vec![],
            KEY.to_vec(),
            [&[0x04, 0x21][..], &compressed].concat(),
            compressed,
            [&[0x04, 0x42][..], &point()].concat(),
            [&[0x03, 0x42, 0x01][..], &point()].concat(),
            // P-384.
            vec![0x04; 97],
        ] {
            let error = decode(AlgorithmId::P256, &wrong).unwrap_err();
            assert!(
                error.contains(&format!("no P-256 point in a known encoding ({} b", wrong.len()))
            );
        }
    }

    #[test]
    fn a_point_must_be_acceptable() {
        let ed25519 = |bytes: &[u8]| decode(AlgorithmId::Ed25519, bytes);
        assert!(ed25519(&[0xff; 32]).is_err(), "not canonical");
        let mut neutral = [0; 32];
        neutral[0] = 1;
        assert_eq!(ed25519(&neutral).unwrap_err(), "the point has small order");
        let mut off_curve = point();
        off_curve[64] ^= 1;
        let error = decode(AlgorithmId::P256, &off_curve).unwrap_err();
        assert_eq!(error, "the bytes are not a point on the curve");
    }
}
