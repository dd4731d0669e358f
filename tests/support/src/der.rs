//! P-256 keys and signatures in DER, as OpenSSL wants them.

/// A `SubjectPublicKeyInfo`, of a point in either form (RFC 5480, section 2).
pub fn p256_spki(point: &[u8]) -> Vec<u8> {
    let ec_public_key = [0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01];
    let curve = [0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];
    let algorithm = tagged(0x30, &[&ec_public_key[..], &curve].concat());
    let key = tagged(0x03, &[&[0], point].concat());
    tagged(0x30, &[algorithm, key].concat())
}

/// An `Ecdsa-Sig-Value` of `r` and `s`.
pub fn ecdsa_signature(raw: &[u8]) -> Vec<u8> {
    let integer = |number: &[u8]| {
        let start = number.iter().position(|byte| *byte != 0).unwrap();
        let sign: &[u8] = if number[start] >= 0x80 { &[0] } else { &[] };
        tagged(0x02, &[sign, &number[start..]].concat())
    };
    let (r, s) = raw.split_at(32);
    tagged(0x30, &[integer(r), integer(s)].concat())
}

fn tagged(tag: u8, value: &[u8]) -> Vec<u8> {
    let length = u8::try_from(value.len()).unwrap();
    assert!(length < 0x80);
    [&[tag, length], value].concat()
}
