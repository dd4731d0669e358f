//! `CKA_EC_POINT`, which each module encodes in its own way.

use crate::algorithm::{Ed25519VerifyingKey, VerifyingKey};

/// DER `OCTET STRING` of 32 bytes: SoftHSM, YubiHSM 2, NetHSM.
const OCTET_STRING: [u8; 2] = [0x04, 0x20];
/// DER `BIT STRING` of 256 bits, the other reading of PKCS#11 v3.0.
const BIT_STRING: [u8; 3] = [0x03, 0x21, 0x00];

/// Reads an Ed25519 point: raw (PKCS#11 v3.1), or in one of the two encodings
/// that "DER" was taken for before.
pub(super) fn decode(encoded: &[u8]) -> Result<VerifyingKey, String> {
    let raw = match encoded.len() {
        32 => Some(encoded),
        34 => encoded.strip_prefix(&OCTET_STRING),
        35 => encoded.strip_prefix(&BIT_STRING),
        _ => None,
    };
    let raw: &[u8; 32] = raw.and_then(|raw| raw.try_into().ok()).ok_or_else(|| {
        let start: String = encoded.iter().take(4).map(|byte| format!("{byte:02x}")).collect();
        format!(
            "CKA_EC_POINT is no Ed25519 point in a known encoding ({} bytes, {start}…)",
            encoded.len()
        )
    })?;
    let key = Ed25519VerifyingKey::from_bytes(raw).map_err(|error| error.to_string())?;
    Ok(key.into())
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

    fn with(prefix: &[u8]) -> Vec<u8> {
        [prefix, KEY.as_slice()].concat()
    }

    #[test]
    fn three_encodings_are_one_key() {
        for prefix in [&[][..], &[0x04, 0x20], &[0x03, 0x21, 0x00]] {
            assert_eq!(decode(&with(prefix)).unwrap().as_bytes(), KEY, "{prefix:02x?}");
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
        ] {
            let error = decode(&wrong).unwrap_err();
            assert!(error.contains(&format!("({} bytes", wrong.len())), "{error}");
        }
    }

    #[test]
    fn a_point_must_be_acceptable() {
        let not_canonical = [0xff; 32];
        assert!(decode(&not_canonical).is_err());
        let mut neutral = [0; 32];
        neutral[0] = 1;
        assert_eq!(decode(&neutral).unwrap_err(), "the point has small order");
    }
}
