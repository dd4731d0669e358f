//! DIDs: one key has one text per method, and nothing else is accepted.

use icn_identity::algorithm::{Ed25519VerifyingKey, InvalidVerifyingKey};
use icn_identity::did::InvalidDid;
use icn_identity::{AlgorithmId, Did, DidMethod, Key, Software, Unlocked};
use proptest::prelude::*;

fn did_icn(bytes: &[u8]) -> String {
    format!("did:icn:z{}", bs58::encode(bytes).into_string())
}

fn did_key(prefix: &[u8], key: &[u8]) -> String {
    format!("did:key:z{}", bs58::encode([prefix, key].concat()).into_string())
}

proptest! {
    #[test]
    fn a_printed_did_is_read_back(seed: [u8; 32]) {
        let key = Key::<Software, Unlocked>::from_seed(&seed);
        for method in [DidMethod::Icn, DidMethod::Key] {
            let did = Did::from_key(method, key.verifying_key()).unwrap();
            let read = Did::parse(did.as_str()).unwrap();
            prop_assert_eq!(&read, &did);
            prop_assert_eq!(read.method(), method);
            prop_assert_eq!(read.verifying_key(), key.verifying_key());
            let json = serde_json::to_string(&did).unwrap();
            prop_assert_eq!(serde_json::from_str::<Did>(&json).unwrap(), did);
        }
    }

    #[test]
    fn whatever_is_read_prints_itself(text in "(did:(icn|key):)?z?[1-9A-HJ-NP-Za-km-z]{0,60}|.{0,80}") {
        if let Ok(did) = Did::parse(&text) {
            prop_assert_eq!(did.as_str(), text);
        }
    }

    #[test]
    fn one_changed_character_is_not_the_same_key(
        seed: [u8; 32], at in 0_usize..60, to in "[1-9A-HJ-NP-Za-km-z #?/]",
    ) {
        let key = Key::<Software, Unlocked>::from_seed(&seed);
        for method in [DidMethod::Icn, DidMethod::Key] {
            let did = Did::from_key(method, key.verifying_key()).unwrap().to_string();
            let at = at % did.len();
            let changed = format!("{}{to}{}", &did[..at], &did[at + 1..]);
            if changed != did && let Ok(other) = Did::parse(&changed) {
                prop_assert_ne!(other.verifying_key(), key.verifying_key());
            }
        }
    }

    #[test]
    fn dids_of_other_lengths_are_refused(bytes in proptest::collection::vec(any::<u8>(), 0..60)) {
        prop_assume!(bytes.len() != 32);
        prop_assert!(Did::parse(&did_icn(&bytes)).is_err());
        prop_assert!(Did::parse(&did_key(&[0xed, 0x01], &bytes)).is_err());
    }
}

#[test]
fn a_published_did_key_is_read() {
    let text = "did:key:z6MkiTBz1ymuepAQ4HEHYSF1H8quG5GLVVQR3djdX3mDooWp";
    assert_eq!(Did::parse(text).unwrap().as_str(), text);
}

/// From the did:key specification. No other method has them.
#[test]
fn published_p256_dids_are_read() {
    for text in [
        "did:key:zDnaerDaTF5BXEavCrfRZEk316dpbLsfPDZ3WJ5hRTPFU2169",
        "did:key:zDnaerx9CtbPJ1q36T5Ln5wYt3MQYeGRG5ehnPAmxcf5mDZpv",
    ] {
        let did = Did::parse(text).unwrap();
        assert_eq!(did.as_str(), text);
        assert_eq!(did.verifying_key().algorithm(), AlgorithmId::P256);
        assert_eq!(Did::from_key(DidMethod::Key, did.verifying_key()).unwrap(), did);
    }
}

fn refusal(text: &str) -> InvalidDid {
    Did::parse(text).unwrap_err()
}

#[test]
fn each_rule_refuses_by_name() {
    let key = Key::<Software, Unlocked>::from_seed(&[7; 32]);
    let raw = key.verifying_key().as_bytes();
    let good = key.did().as_str();
    assert_eq!(refusal(&good.replace(":z", ":f")), InvalidDid::NotBase58Btc);
    assert_eq!(refusal(&good.to_uppercase()), InvalidDid::UnknownMethod);
    assert_eq!(refusal("did:web:example.org"), InvalidDid::UnknownMethod);
    assert_eq!(refusal(&format!(" {good}")), InvalidDid::UnknownMethod);
    assert_eq!(refusal(&format!("{good} ")), InvalidDid::Alphabet);
    assert_eq!(refusal(&format!("{good}0")), InvalidDid::Alphabet);
    for tail in ["#key-1", "?versionId=1", "/path", ";service=x"] {
        assert_eq!(refusal(&format!("{good}{tail}")), InvalidDid::DidUrl);
    }
    assert_eq!(refusal(&did_icn(&raw[..31])), InvalidDid::Length { found: 31, expected: 32 });
    assert_eq!(
        refusal(&did_icn(&[raw, &[0][..]].concat())),
        InvalidDid::Length { found: 33, expected: 32 }
    );
    assert_eq!(refusal(&format!("did:icn:z{}", "1".repeat(200))), InvalidDid::TooLong);
    // Multicodec: not minimal, cut short, another code (X25519).
    assert_eq!(refusal(&did_key(&[0xed, 0x81, 0x00], raw)), InvalidDid::Varint);
    assert_eq!(refusal(&did_key(&[0xed], &[])), InvalidDid::Varint);
    assert_eq!(refusal(&did_key(&[], &[])), InvalidDid::Varint);
    assert_eq!(refusal(&did_key(&[0xec, 0x01], raw)), InvalidDid::Multicodec { code: 0xec });
    // secp256k1
    assert_eq!(refusal(&did_key(&[0xe7, 0x01], raw)), InvalidDid::Multicodec { code: 0xe7 });
    let point = [&[2][..], &[0xff; 32]].concat();
    let p256 = |raw: &[u8]| did_key(&[0x80, 0x24], raw);
    assert_eq!(refusal(&p256(raw)), InvalidDid::Length { found: 32, expected: 33 });
    assert_eq!(refusal(&p256(&point)), InvalidDid::Key(InvalidVerifyingKey::NotOnCurve));
    let other_form = [&[4][..], &[0; 32]].concat();
    assert_eq!(refusal(&p256(&other_form)), InvalidDid::Key(InvalidVerifyingKey::NotCanonical));
}

fn hex(text: &str) -> [u8; 32] {
    let bytes: Vec<u8> =
        (0..64).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect();
    bytes.try_into().unwrap()
}

/// The eight points of small order in their canonical encodings.
#[test]
fn points_of_small_order_are_refused() {
    for point in [
        "0100000000000000000000000000000000000000000000000000000000000000",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0000000000000000000000000000000000000000000000000000000000000080",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
    ] {
        let refused = Ed25519VerifyingKey::from_bytes(&hex(point)).unwrap_err();
        assert_eq!(refused, InvalidVerifyingKey::SmallOrder, "{point}");
        assert_eq!(refusal(&did_icn(&hex(point))), InvalidDid::Key(refused));
    }
}

/// y of p and above, and x = 0 with the sign bit set.
#[test]
fn second_encodings_of_a_point_are_refused() {
    for point in [
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "f0ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "0100000000000000000000000000000000000000000000000000000000000080",
    ] {
        let refused = Ed25519VerifyingKey::from_bytes(&hex(point)).unwrap_err();
        let named =
            matches!(refused, InvalidVerifyingKey::NotCanonical | InvalidVerifyingKey::NotOnCurve);
        assert!(named, "{point}: {refused:?}");
    }
    let off = hex("0200000000000000000000000000000000000000000000000000000000000000");
    let refused = Ed25519VerifyingKey::from_bytes(&off).unwrap_err();
    assert_eq!(refused, InvalidVerifyingKey::NotOnCurve);
}
