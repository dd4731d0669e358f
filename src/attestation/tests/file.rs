use serde_json::{Value, json};
use support::maker::Maker;

use super::made::*;
use crate::attestation::*;

fn value() -> Value {
    serde_json::from_str(&attestation(&Maker::yubihsm()).0.to_json()).unwrap()
}

fn parse(value: &Value) -> Result<Attestation, AttestationError> {
    Attestation::parse(value.to_string().as_bytes())
}

#[test]
fn a_file_has_each_field_once_and_no_other() {
    let good = value();
    assert!(parse(&good).is_ok());
    let fields = ["format", "did", "audience", "nonce", "created", "evidence", "signature"];
    assert_eq!(good.as_object().unwrap().len(), fields.len());
    for field in fields {
        let mut without = good.clone();
        without.as_object_mut().unwrap().remove(field);
        assert!(parse(&without).is_err(), "{field}");
        let name = format!("{{\"{field}\":{},", good[field]);
        let twice = good.to_string().replacen('{', &name, 1);
        assert!(Attestation::parse(twice.as_bytes()).is_err(), "{field} twice");
    }
    for place in [&[][..], &["evidence"]] {
        let mut more = good.clone();
        let object = place.iter().fold(&mut more, |value, name| &mut value[*name]);
        object["more"] = json!(1);
        assert!(parse(&more).is_err(), "{place:?}");
    }
    let mut type_only = good.clone();
    type_only["evidence"]["type"] = json!("tpm2-certify");
    assert!(matches!(parse(&type_only), Err(AttestationError::Json { .. })));
    let mut newer = good.clone();
    newer["format"] = json!("icn-attestation/v2");
    assert!(matches!(parse(&newer), Err(AttestationError::Format { .. })));
    let mut none = good.clone();
    none["evidence"]["x5c"] = json!([]);
    assert!(matches!(parse(&none), Err(AttestationError::NoCertificate)));
    let mut many = good.clone();
    many["evidence"]["x5c"] = json!(["AA", "AA", "AA", "AA", "AA", "AA", "AA"]);
    assert!(matches!(parse(&many), Err(AttestationError::TooManyCertificates { count: 7 })));
}

#[test]
fn a_file_is_no_longer_than_64_kib_and_bytes_have_one_spelling() {
    let good = value();
    let long = good.to_string() + &" ".repeat(MAX_FILE_LEN);
    assert!(matches!(
        Attestation::parse(long.as_bytes()),
        Err(AttestationError::TooLong { limit: MAX_FILE_LEN })
    ));
    for field in ["nonce", "signature"] {
        let text = good[field].as_str().unwrap();
        let mut last = text.to_owned();
        // 32 and 64 bytes leave bits over in the last letter, which have to be zero.
        let letter = last.pop().unwrap();
        last.push(char::from(u8::try_from(letter).unwrap() + 1));
        let others =
            [format!("{text}="), format!(" {text}"), text[1..].to_owned(), String::new(), last];
        for other in others {
            let mut changed = good.clone();
            changed[field] = json!(other);
            assert!(parse(&changed).is_err(), "{field}: {other}");
        }
    }
}

/// Each byte of the file: it is refused when read, or not believed.
#[test]
fn no_byte_of_a_file_can_be_changed_and_none_be_left_out() {
    let maker = Maker::yubihsm();
    let (attestation, challenge) = attestation(&maker);
    let (verifier, json) = (verifier(&maker), attestation.to_json().into_bytes());
    let believed = |bytes: &[u8]| {
        Attestation::parse(bytes)
            .is_ok_and(|read| verifier.verify(&read, Fresh::To(&challenge), now()).is_ok())
    };
    assert!(believed(&json));
    for at in 0..json.len() {
        let mut changed = json.clone();
        changed[at] ^= 1 << (at % 7);
        assert!(!believed(&changed), "byte {at}");
        assert!(!believed(&json[..at]), "cut at {at}");
    }
}

#[test]
fn certificates_are_read_as_pem_and_der_and_nothing_else_is_taken_for_one() {
    use support::maker::pem;
    let maker = Maker::yubihsm();
    let leaf = Maker::yubihsm_leaf(&spki()).sign(&maker.device_key);
    let chain = pem(&maker.device) + &pem(&maker.sub);
    let by_pem = DeviceCertificates::parse(pem(&leaf).as_bytes(), &[chain.as_bytes()]).unwrap();
    let by_der = DeviceCertificates::parse(&leaf, &[&maker.device, &maker.sub]).unwrap();
    assert_eq!(by_pem, by_der);
    assert_eq!(by_pem.count(), 3);
    assert!(matches!(DeviceCertificates::parse(b"", &[]), Err(AttestationError::NoCertificate)));
    let key = b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
    assert!(matches!(DeviceCertificates::parse(key, &[]), Err(AttestationError::NoCertificate)));
    assert!(matches!(
        DeviceCertificates::parse(b"no certificate", &[]),
        Err(AttestationError::Certificate(_))
    ));
    let many = [&leaf[..]; 6];
    assert!(matches!(
        DeviceCertificates::parse(&leaf, &many),
        Err(AttestationError::TooManyCertificates { count: 7 })
    ));
}

#[test]
fn the_signed_bytes_are_those_that_are_documented() {
    let (attestation, _) = attestation(&Maker::yubihsm());
    let signed = attestation.signed_bytes();
    let (did, audience) = (attestation.did.as_str().as_bytes(), AUDIENCE.as_bytes());
    let length = |bytes: &[u8]| u64::try_from(bytes.len()).unwrap().to_be_bytes();
    let core = [
        b"icn-identity/attestation/v1\0",
        &length(did)[..],
        did,
        &length(audience),
        audience,
        &attestation.nonce,
        &attestation.created.to_be_bytes(),
    ]
    .concat();
    let mut evidence = [&length(b"yubico")[..], b"yubico"].concat();
    let certificates = attestation.certificates();
    evidence.extend(u64::try_from(certificates.count()).unwrap().to_be_bytes());
    for der in certificates.iter() {
        evidence.extend([&length(der)[..], der].concat());
    }
    use sha2::Digest as _;
    let hash: [u8; 32] = sha2::Sha256::digest(&evidence).into();
    assert_eq!(signed, [core.as_slice(), &hash].concat());
    assert!(crate::statement::is_reserved(&signed));
}

#[test]
fn of_many_certificates_those_of_the_key_are_found_in_order() {
    let (maker, other) = (Maker::yubihsm(), Maker::yubihsm());
    let leaf = Maker::yubihsm_leaf(&spki()).sign(&maker.device_key);
    let of_other = Maker::yubihsm_leaf(&other.sub_key.spki()).sign(&maker.device_key);
    let all = [
        maker.root.clone(),
        b"no certificate".to_vec(),
        other.device.clone(),
        maker.sub.clone(),
        of_other,
        leaf.clone(),
        maker.device.clone(),
    ];
    let found = DeviceCertificates::of_key(key().verifying_key(), &all).unwrap();
    let way: Vec<&[u8]> = found.iter().collect();
    assert_eq!(way, [&leaf[..], &maker.device, &maker.sub, &maker.root]);
    assert!(verifier(&maker).examine(&found, now()).is_ok());
    // Without its attestation there is nothing, whatever else is there.
    let without = [&all[..5], &all[6..]].concat();
    assert!(matches!(
        DeviceCertificates::of_key(key().verifying_key(), &without),
        Err(AttestationError::NoCertificate)
    ));
}
