//! The X25519 public keys with which everybody comes to the same secret.

/// Every u-coordinate of small order below 2^255 (RFC 7748, section 6.1; the
/// last two are those of 0 and 1, not reduced), little-endian hex.
const POINTS: [&str; 7] = [
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0100000000000000000000000000000000000000000000000000000000000000",
    "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
    "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
];

/// Each as an age recipient, with the bit that X25519 ignores and without.
pub fn recipients() -> Vec<String> {
    let hrp = bech32::Hrp::parse("age").unwrap();
    let mut recipients = Vec::new();
    for hex in POINTS {
        let pairs = hex.as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).unwrap());
        let mut point: Vec<u8> = pairs.map(|pair| u8::from_str_radix(pair, 16).unwrap()).collect();
        for top in [0, 0x80] {
            point[31] |= top;
            recipients.push(bech32::encode::<bech32::Bech32>(hrp, &point).unwrap());
        }
    }
    recipients
}
