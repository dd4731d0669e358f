//! RFC 8032 and RFC 8037; the test vectors of did:key.

use icn_identity::{AlgorithmId, Did, DidMethod, Key, Signature, Software, Unlocked, VerifyingKey};

use super::{bytes, verifies};

#[test]
fn all_signatures_of_rfc_8032_are_made_and_verify() {
    let text = include_str!("../../fixtures/rfc8032.txt");
    let mut lengths = Vec::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let [seed, public, message, signature] = line
            .split(' ')
            .map(|hex| bytes(hex.trim_matches('-')))
            .collect::<Vec<_>>()
            .try_into()
            .unwrap();
        let key = Key::<Software, Unlocked>::from_seed(&seed.try_into().unwrap());
        assert_eq!(key.verifying_key().as_bytes(), public);
        assert_eq!(key.sign(&message).unwrap().as_bytes(), signature.as_slice());
        assert!(verifies(AlgorithmId::Ed25519, &public, &message, &signature));
        let mut other = message.clone();
        other.push(0);
        assert!(!verifies(AlgorithmId::Ed25519, &public, &other, &signature));
        lengths.push(message.len());
    }
    assert_eq!(lengths, [0, 1, 2, 1023, 64]);
}

fn base64url(text: &str) -> Vec<u8> {
    const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let (mut out, mut bits, mut count) = (Vec::new(), 0_u32, 0);
    for letter in text.bytes() {
        let value = LETTERS.iter().position(|known| *known == letter).unwrap();
        bits = bits << 6 | u32::try_from(value).unwrap();
        count += 6;
        if count >= 8 {
            count -= 8;
            out.push(u8::try_from(bits >> count & 0xff).unwrap());
        }
    }
    out
}

/// Appendices A.1 to A.5: the key, its JWK, and the JWS. (Its thumbprint:
/// `the_jwks_of_the_rfcs_are_read_and_written`.)
#[test]
fn the_jws_of_rfc_8037_is_made_and_verifies() {
    let jwk = r#"{"crv":"Ed25519","kty":"OKP","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;
    let seed = base64url("nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A").try_into().unwrap();
    let signed = "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc";
    let signature =
        "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg";
    let key = Key::<Software, Unlocked>::from_seed(&seed);
    assert_eq!(key.verifying_key().to_jwk(), jwk);
    let signature = Signature::from_slice(AlgorithmId::Ed25519, &base64url(signature)).unwrap();
    assert_eq!(key.sign(signed.as_bytes()).unwrap(), signature);
    VerifyingKey::from_jwk(jwk).unwrap().verify(signed.as_bytes(), &signature).unwrap();
}

/// Seeds and P-256 keys of the test vectors for did:key (digitalbazaar/did-method-key; the
/// Credentials Community Group's specification).
#[test]
fn the_keys_of_the_did_key_vectors_have_those_dids() {
    for (last, did) in [
        (0, "did:key:z6MkiTBz1ymuepAQ4HEHYSF1H8quG5GLVVQR3djdX3mDooWp"),
        (1, "did:key:z6MkjchhfUsD6mmvni8mCdXHw216Xrm9bQe2mBH1P5RDjVJG"),
        (2, "did:key:z6MknGc3ocHs3zdPiJbnaaqDi58NGb4pk1Sp9WxWufuXSdxf"),
    ] {
        let mut seed = [0; 32];
        seed[31] = last;
        let key = Key::<Software, Unlocked>::from_seed(&seed);
        let made = Did::from_key(DidMethod::Key, key.verifying_key()).unwrap();
        assert_eq!(made.as_str(), did);
        assert_eq!(Did::parse(did).unwrap().verifying_key(), key.verifying_key());
    }
    for (x, y, did) in [
        (
            "igrFmi0whuihKnj9R3Om1SoMph72wUGeFaBbzG2vzns",
            "efsX5b10x8yjyrj4ny3pGfLcY7Xby1KzgqOdqnsrJIM",
            "did:key:zDnaerx9CtbPJ1q36T5Ln5wYt3MQYeGRG5ehnPAmxcf5mDZpv",
        ),
        (
            "fyNYMN0976ci7xqiSdag3buk-ZCwgXU4kz9XNkBlNUI",
            "hW2ojTNfH7Jbi8--CJUo3OCbH3y5n91g-IMA9MLMbTU",
            "did:key:zDnaerDaTF5BXEavCrfRZEk316dpbLsfPDZ3WJ5hRTPFU2169",
        ),
    ] {
        let jwk = format!(r#"{{"crv":"P-256","kty":"EC","x":"{x}","y":"{y}"}}"#);
        let key = VerifyingKey::from_jwk(&jwk).unwrap();
        let made = Did::from_key(DidMethod::Key, &key).unwrap();
        let read = Did::parse(did).unwrap();
        assert_eq!((made.as_str(), read.verifying_key()), (did, &key));
        assert_eq!(read.verifying_key().to_jwk(), jwk);
    }
}
