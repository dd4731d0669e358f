//! Ed25519 private keys as other software reads them: PKCS#8 v1 (RFC 8410).

use base64::{Engine as _, engine::general_purpose::STANDARD};
use zeroize::{Zeroize as _, Zeroizing};

/// PKCS#8 v1 of an Ed25519 key without the seed (RFC 8410, section 7).
const PREFIX: [u8; 16] =
    [0x30, 0x2e, 2, 1, 0, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20];
/// Base64 of prefix and seed, which has no padding and fits one line of PEM.
const ENCODED: usize = 64;

const BEGIN: &str = "-----BEGIN PRIVATE KEY-----\n";
const END: &str = "\n-----END PRIVATE KEY-----\n";

/// DER, 48 bytes, in one allocation.
pub(crate) fn der(seed: &[u8; 32]) -> Zeroizing<Vec<u8>> {
    let mut der = Zeroizing::new(Vec::with_capacity(PREFIX.len() + seed.len()));
    der.extend_from_slice(&PREFIX);
    der.extend_from_slice(seed);
    der
}

/// PEM (RFC 7468), in one allocation.
pub(crate) fn pem(seed: &[u8; 32]) -> Zeroizing<String> {
    let der = der(seed);
    let mut encoded = [0_u8; ENCODED];
    let mut pem = Zeroizing::new(String::with_capacity(BEGIN.len() + ENCODED + END.len()));
    pem.push_str(BEGIN);
    // Neither can fail: 48 bytes are 64 characters of base64, which are ASCII.
    if STANDARD.encode_slice(&*der, &mut encoded).is_ok() {
        pem.push_str(std::str::from_utf8(&encoded).unwrap_or_default());
    }
    encoded.zeroize();
    pem.push_str(END);
    pem
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of RFC 8410, section 10.3.
    #[test]
    fn the_example_of_rfc_8410_is_made() {
        let seed = [
            0xd4, 0xee, 0x72, 0xdb, 0xf9, 0x13, 0x58, 0x4a, 0xd5, 0xb6, 0xd8, 0xf1, 0xf7, 0x69,
            0xf8, 0xad, 0x3a, 0xfe, 0x7c, 0x28, 0xcb, 0xf1, 0xd4, 0xfb, 0xe0, 0x97, 0xa8, 0x8f,
            0x44, 0x75, 0x58, 0x42,
        ];
        let wanted = "-----BEGIN PRIVATE KEY-----\n\
                      MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n\
                      -----END PRIVATE KEY-----\n";
        let pem = pem(&seed);
        assert_eq!(*pem, wanted);
        assert_eq!(pem.capacity(), pem.len());
    }
}
