//! What of ECDH storage keys needs no token: points, the key, the encryption.

use chacha20poly1305::aead::{Aead as _, KeyInit as _, Payload};
use chacha20poly1305::{ChaCha20Poly1305, Nonce};
use hkdf::Hkdf;
use p256::PublicKey;
use p256::elliptic_curve::Error;
use p256::elliptic_curve::sec1::ToSec1Point as _;
use sha2::Sha256;
use zeroize::Zeroizing;

use super::super::point;
pub(super) use super::super::point::P256 as POINT;

const CONTEXT: &[u8] = b"icn-identity/storage-ecdh/v1\0";

/// DER `OCTET STRING` of 65 bytes.
pub(super) const OCTET_STRING: [u8; 2] = [point::OCTET_STRING, 0x41];

/// Reads an uncompressed point of the curve. No other form is taken, so that a
/// stored point has one spelling.
pub(super) fn point(raw: &[u8]) -> Result<PublicKey, Error> {
    let raw: &[u8; POINT] = raw.try_into().map_err(|_| Error)?;
    PublicKey::from_sec1_bytes(raw)
}

/// Reads `CKA_EC_POINT`, in any of its encodings.
pub(super) fn shown_point(encoded: &[u8]) -> Result<PublicKey, Error> {
    let raw: &[u8; POINT] = point::raw(encoded).ok_or(Error)?;
    point(raw)
}

pub(super) fn uncompressed(key: &PublicKey) -> [u8; POINT] {
    let mut point = [0; POINT];
    for (place, byte) in point.iter_mut().zip(key.to_sec1_point(false).as_bytes()) {
        *place = *byte;
    }
    point
}

/// Everything that the ciphertext belongs to, each with its length.
pub(super) fn context(did: &str, ephemeral: &[u8; POINT], token: &[u8; POINT]) -> Vec<u8> {
    let mut context = CONTEXT.to_vec();
    for part in [did.as_bytes(), ephemeral, token] {
        // No part is near 4 GiB long.
        context.extend(u32::try_from(part.len()).unwrap_or(u32::MAX).to_be_bytes());
        context.extend(part);
    }
    context
}

/// Encrypts under the key of this secret and context, which encrypts once.
pub(super) fn seal(secret: &[u8], context: &[u8], text: &[u8]) -> Option<Vec<u8>> {
    let payload = Payload { msg: text, aad: context };
    cipher(secret, context)?.encrypt(&Nonce::default(), payload).ok()
}

/// Decrypts what [`seal`] made.
pub(super) fn open(secret: &[u8], context: &[u8], sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let payload = Payload { msg: sealed, aad: context };
    cipher(secret, context)?.decrypt(&Nonce::default(), payload).ok().map(Zeroizing::new)
}

fn cipher(secret: &[u8], context: &[u8]) -> Option<ChaCha20Poly1305> {
    let mut key = Zeroizing::new([0_u8; 32]);
    Hkdf::<Sha256>::new(None, secret).expand(context, key.as_mut_slice()).ok()?;
    ChaCha20Poly1305::new_from_slice(key.as_slice()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::encoding::hex;

    // RFC 5903, section 8.1: both keys and their secret.
    const EPHEMERAL: &str = "04dad0b65394221cf9b051e1feca5787d098dfe637fc90b9ef945d0c3772581180\
                             5271a0461cdb8252d61f1c456fa3e59ab1f45b33accf5f58389e0577b8990bb3";
    const TOKEN: &str = "04d12dfb5289c8d4f81208b70270398c342296970a0bccb74c736fc7554494bf63\
                         56fbf3ca366cc23e8157854c13c58d6aac23f046ada30f8353e74f33039872ab";
    const SECRET: &str = "d6840f6b42f6edafd13116e0e12565202fef8e9ece7dce03812464d04b9442de";
    const TEXT: &[u8] = b"AGE-SECRET-KEY-1STORAGE";
    /// Made with pyca/cryptography (OpenSSL), for the DID below.
    const SEALED: &str = "f2e694bb7be1ecd581b11c261140f32e06da2beef55acf2a87340af4ea7ed21c\
                          f8c3566e0049c9";
    const DID: &str = "did:icn:zDID";

    fn bytes(text: &str) -> Vec<u8> {
        hex::decode(text).unwrap()
    }

    fn bound_to(did: &str, ephemeral: &str, token: &str) -> Vec<u8> {
        let known = |text| uncompressed(&point(&bytes(text)).unwrap());
        context(did, &known(ephemeral), &known(token))
    }

    #[test]
    fn a_storage_key_is_sealed_as_other_software_does_it() {
        let context = bound_to(DID, EPHEMERAL, TOKEN);
        let (secret, sealed) = (bytes(SECRET), bytes(SEALED));
        assert_eq!(seal(&secret, &context, TEXT).unwrap(), sealed);
        assert_eq!(open(&secret, &context, &sealed).unwrap().as_slice(), TEXT);
    }

    #[test]
    fn every_byte_and_every_part_of_the_context_counts() {
        let context = bound_to(DID, EPHEMERAL, TOKEN);
        let (secret, sealed) = (bytes(SECRET), bytes(SEALED));
        for index in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[index] ^= 1;
            assert!(open(&secret, &context, &changed).is_none(), "{index}");
        }
        for other in [
            bound_to("did:icn:zDIE", EPHEMERAL, TOKEN),
            bound_to(DID, TOKEN, TOKEN),
            bound_to(DID, EPHEMERAL, EPHEMERAL),
        ] {
            assert!(open(&secret, &other, &sealed).is_none());
        }
        assert!(open(&[0; 32], &context, &sealed).is_none());
    }

    #[test]
    fn three_encodings_are_one_point() {
        let raw = bytes(TOKEN);
        for prefix in [&[][..], &[0x04, 0x41], &[0x03, 0x42, 0x00]] {
            let shown = [prefix, &raw].concat();
            assert_eq!(uncompressed(&shown_point(&shown).unwrap()).as_slice(), raw, "{prefix:?}");
        }
    }

    #[test]
    fn what_is_no_point_of_the_curve_in_that_form_is_refused() {
        let raw = bytes(TOKEN);
        let compressed = [&[0x03], &raw[1..33]].concat();
        assert!(PublicKey::from_sec1_bytes(&compressed).is_ok(), "the same point");
        let mut off_curve = raw.clone();
        off_curve[64] ^= 1;
        let mut hybrid = raw.clone();
        hybrid[0] = 0x07;
        let zeros = [&[0x04][..], &[0; 64]].concat();
        for wrong in [
            vec![],
            vec![0],
            vec![0; POINT],
            zeros.clone(),
            off_curve.clone(),
            hybrid,
            compressed.clone(),
            raw[..64].to_vec(),
            [&raw[..], &[0]].concat(),
        ] {
            assert!(point(&wrong).is_err() && shown_point(&wrong).is_err(), "{wrong:02x?}");
        }
        let prefixed = |prefix: &[u8], point: &[u8]| [prefix, point].concat();
        for wrong in [
            prefixed(&[0x04, 0x42], &raw),
            prefixed(&[0x03, 0x42, 0x01], &raw),
            prefixed(&OCTET_STRING, &zeros),
            prefixed(&OCTET_STRING, &off_curve),
            prefixed(&[0x04, 0x21], &compressed),
        ] {
            assert!(shown_point(&wrong).is_err(), "{wrong:02x?}");
        }
    }
}
