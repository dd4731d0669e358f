use serde_json::json;

use super::*;
use crate::key::{Key, Software, Unlocked};
use crate::signer::sign_statement;

const AT: SystemTime = SystemTime::UNIX_EPOCH;

fn signed(key: &Key<Software, Unlocked>) -> DidDocument {
    DidDocument::sign(key.did(), X25519PublicKey::from_bytes([9; 32]), AT, |message| {
        sign_statement(key, message)
    })
    .unwrap()
}

fn parse(value: &Value) -> Result<DidDocument, InvalidDocument> {
    DidDocument::parse(value.to_string().as_bytes())
}

/// Makes the proof anew, as a client does that may let the key sign bytes of
/// its choice.
fn prove(key: &Key<Software, Unlocked>, value: &mut Value) {
    let mut document = value.as_object().unwrap().clone();
    let mut options = document.remove("proof").unwrap();
    options.as_object_mut().unwrap().remove("proofValue");
    options["@context"] = document["@context"].clone();
    let message = proof::hash_data(&options, &document).unwrap();
    assert!(!crate::statement::is_reserved(&message), "nothing keeps this from being signed");
    let signature = key.sign(&message).unwrap();
    options["proofValue"] = proof::encode_signature(signature.as_bytes()).into();
    value["proof"] = options;
    let secured = value.as_object().unwrap();
    assert!(proof::verify(secured, key.verifying_key()), "valid for everybody else");
}

#[test]
fn a_document_is_read_as_it_was_written() {
    let key = Key::generate().unwrap();
    let document = signed(&key);
    let json = document.to_json().unwrap();
    assert_eq!(DidDocument::parse(json.as_bytes()).unwrap(), document);
    let value = document.to_value().unwrap();
    assert_eq!(DidDocument::from_value(&value).unwrap(), document);
    let (did, key) = (key.did(), key.verifying_key().to_multibase());
    let method = format!("{did}#{key}");
    assert_eq!(value["@context"][0], "https://www.w3.org/ns/did/v1");
    assert_eq!(value["id"], did.as_str());
    assert_eq!(
        value["verificationMethod"],
        json!([{
            "id": method, "type": "Multikey", "controller": did, "publicKeyMultibase": key,
        }])
    );
    assert_eq!(value["assertionMethod"], json!([method]));
    assert_eq!(value["authentication"], json!([method]));
    let agreed = value["keyAgreement"][0]["publicKeyMultibase"].as_str().unwrap();
    assert!(agreed.starts_with("z6LS"), "{agreed}");
    assert_eq!(value["keyAgreement"][0]["id"], format!("{did}#{agreed}"));
    assert_eq!(value["proof"]["cryptosuite"], "eddsa-jcs-2022");
    assert_eq!(value["proof"]["created"], "1970-01-01T00:00:00Z");
    assert_eq!(value["proof"]["@context"], value["@context"]);
}

/// The prefixed statement is what a raw signature cannot make.
#[test]
fn a_valid_proof_without_the_statement_is_refused() {
    let key = Key::generate().unwrap();
    let mut forged = signed(&key).to_value().unwrap();
    forged.as_object_mut().unwrap().remove("icnKeyAgreement");
    prove(&key, &mut forged);
    assert!(matches!(parse(&forged), Err(InvalidDocument::NoStatement)));
}

#[test]
fn a_valid_proof_with_a_wrong_statement_is_refused() {
    let (key, mallory) = (Key::generate().unwrap(), Key::generate().unwrap());
    let good = signed(&key);
    let sign_by = |by: &Key<Software, Unlocked>, x25519: [u8; 32], created: u64| {
        let statement = *sign_statement(
            by,
            &statement(key.did(), &X25519PublicKey::from_bytes(x25519), created),
        )
        .unwrap()
        .as_bytes();
        let form = Form::new(key.did(), &X25519PublicKey::from_bytes(x25519), created, &statement);
        let mut proof = form.options(date(created).unwrap());
        proof.proof_value = Some(String::new());
        let mut forged = serde_json::to_value(&form).unwrap();
        forged["proof"] = serde_json::to_value(&proof).unwrap();
        prove(&key, &mut forged);
        forged
    };
    // The statement is of another key's making.
    assert!(matches!(parse(&sign_by(&mallory, [7; 32], 0)), Err(InvalidDocument::Statement)));
    parse(&sign_by(&key, [7; 32], 0)).unwrap();
    // The good statement, beside another X25519 key or time.
    let good = good.to_value().unwrap();
    let other = sign_by(&mallory, [7; 32], 0);
    let mut forged = good.clone();
    forged["icnKeyAgreement"]["publicKeyMultibase"] =
        other["icnKeyAgreement"]["publicKeyMultibase"].clone();
    prove(&key, &mut forged);
    assert!(matches!(parse(&forged), Err(InvalidDocument::Statement)));
    let mut forged = good.clone();
    forged["icnKeyAgreement"]["created"] = 1.into();
    prove(&key, &mut forged);
    assert!(matches!(parse(&forged), Err(InvalidDocument::Statement)));
    // The good statement, and another key where others look for it.
    let mut forged = good;
    forged["keyAgreement"] = other["keyAgreement"].clone();
    prove(&key, &mut forged);
    assert!(matches!(parse(&forged), Err(InvalidDocument::Proof)));
}

#[test]
fn nothing_may_be_added_or_changed_even_with_a_valid_proof() {
    let key = Key::generate().unwrap();
    let good = signed(&key).to_value().unwrap();
    let method = good["assertionMethod"][0].clone();
    let other = signed(&Key::generate().unwrap()).to_value().unwrap();
    let changes: [&dyn Fn(&mut Value); 8] = [
        &|value| {
            let methods = value["verificationMethod"].as_array_mut().unwrap();
            methods.push(other["verificationMethod"][0].clone());
        },
        &|value| value["verificationMethod"] = other["verificationMethod"].clone(),
        &|value| value["assertionMethod"] = json!([]),
        &|value| value["authentication"] = json!([method, method]),
        &|value| value["keyAgreement"][0]["controller"] = other["id"].clone(),
        &|value| value["@context"] = json!(["https://www.w3.org/ns/did/v1"]),
        &|value| value["service"] = json!([{ "id": "#x", "serviceEndpoint": "https://x" }]),
        &|value| value["proof"]["domain"] = "x".into(),
    ];
    for (index, change) in changes.into_iter().enumerate() {
        let mut forged = good.clone();
        change(&mut forged);
        prove(&key, &mut forged);
        assert!(parse(&forged).is_err(), "change {index}");
    }
}

#[test]
fn a_document_without_a_valid_proof_is_refused() {
    let (key, mallory) = (Key::generate().unwrap(), Key::generate().unwrap());
    let good = signed(&key).to_value().unwrap();
    let mut bare = good.clone();
    bare.as_object_mut().unwrap().remove("proof");
    assert!(matches!(parse(&bare), Err(InvalidDocument::NoProof)));
    let mut wrong = good.clone();
    wrong["proof"]["proofValue"] =
        signed(&mallory).to_value().unwrap()["proof"]["proofValue"].clone();
    assert!(matches!(parse(&wrong), Err(InvalidDocument::Proof)));
    let mut wrong = good;
    wrong["proof"].as_object_mut().unwrap().remove("proofValue");
    assert!(matches!(parse(&wrong), Err(InvalidDocument::Proof)));
}

/// Every byte is either in what is signed, or in how it is written down.
#[test]
fn a_changed_byte_never_gives_another_document() {
    let key = Key::generate().unwrap();
    let good = signed(&key);
    let json = good.to_json().unwrap().into_bytes();
    for at in 0..json.len() {
        for flip in [1, 0x20] {
            let mut changed = json.clone();
            changed[at] ^= flip;
            if let Ok(read) = DidDocument::parse(&changed) {
                assert_eq!(read, good, "byte {at}");
                assert!(json[at].is_ascii_whitespace(), "byte {at}");
            }
        }
    }
}

/// Of two properties with one name, programs read either.
#[test]
fn a_property_that_is_there_twice_is_refused() {
    let document = signed(&Key::generate().unwrap()).to_json().unwrap();
    let name = "\"keyAgreement\":";
    let twice = document.replacen(name, &format!("\"keyAgreement\": [],\n  {name}"), 1);
    let refused = DidDocument::parse(twice.as_bytes()).unwrap_err();
    assert!(matches!(refused, InvalidDocument::Json(_)), "{refused:?}");
    assert!(!refused.is_verdict());
}

#[test]
fn what_cannot_be_told_is_not_called_invalid() {
    for (json, verdict) in [
        (b"".to_vec(), false),
        (b"{}".to_vec(), false),
        (b"[1]".to_vec(), false),
        (vec![b' '; MAX_LEN + 1], false),
    ] {
        assert_eq!(DidDocument::parse(&json).unwrap_err().is_verdict(), verdict);
    }
    let key = Key::generate().unwrap();
    let late = SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1 << 40);
    let error =
        DidDocument::sign(key.did(), X25519PublicKey::from_bytes([9; 32]), late, |message| {
            sign_statement(&key, message)
        });
    assert!(matches!(error, Err(NotSigned::Invalid(InvalidDocument::Time))));
}

/// The statement has its own domain, and names everything.
#[test]
fn the_statement_is_prefixed() {
    let key = Key::<Software, Unlocked>::generate().unwrap();
    let bytes = statement(key.did(), &X25519PublicKey::from_bytes([9; 32]), 5);
    assert!(bytes.starts_with(b"icn-identity/encryption-key/v1\0\0\0\0\0\0\0\0"));
    assert!(crate::statement::is_reserved(&bytes));
    assert!(bytes.ends_with(&[9, 0, 0, 0, 0, 0, 0, 0, 5]));
}
