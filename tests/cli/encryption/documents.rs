//! DID documents, checked by others than us.

use std::path::Path;
use std::process::Command;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};
use support::home::{Home, openssl_verifies, run};
use support::softhsm::SoftHsm;

use super::{identity, recipient, text};
use crate::tpm::node::{self, Node};

const SHOW: [&str; 4] = ["--format", "did-document", "id", "show"];

fn document(home: &Home) -> Value {
    serde_json::from_str(&home.ok(&SHOW, b"")).unwrap()
}

fn verify(home: &Home, document: &str) -> (i32, String, String) {
    let ran = home.icnctl(&["id", "verify-document"], document.as_bytes());
    (ran.code, ran.out, ran.err)
}

/// SHA-256 of what a jq filter leaves, in canonical form: sorted and compact,
/// which is RFC 8785 for ASCII without fractions.
fn hash(dir: &Path, document: &str, filter: &str) -> Vec<u8> {
    assert!(document.is_ascii());
    let canonical = run(Command::new("jq").args(["-cjS", filter]), document.as_bytes());
    assert_eq!(canonical.code, 0, "{}", canonical.err);
    let file = dir.join("hash");
    let mut openssl = Command::new("openssl");
    openssl.args(["dgst", "-sha256", "-binary", "-out"]).arg(&file);
    assert_eq!(run(&mut openssl, canonical.out.as_bytes()).code, 0);
    std::fs::read(file).unwrap()
}

/// The procedure of `eddsa-jcs-2022` and `ecdsa-jcs-2019`, by jq and OpenSSL.
fn openssl_verifies_the_proof(home: &Home) {
    let shown = home.show();
    let key = shown["public_key"]["hex"].as_str().unwrap();
    let text = home.ok(&SHOW, b"");
    let document: Value = serde_json::from_str(&text).unwrap();
    let dir = home.beside("");
    let mut message = hash(&dir, &text, ".proof | del(.proofValue)");
    message.extend(hash(&dir, &text, "del(.proof)"));
    assert_eq!(message.len(), 64);
    let signature = |value: &Value| {
        let base58 = value.as_str().unwrap().strip_prefix('z').unwrap();
        STANDARD.encode(bs58::decode(base58).into_vec().unwrap())
    };
    let proof = signature(&document["proof"]["proofValue"]);
    assert!(openssl_verifies(&dir, key, &message, &proof));
    message[63] ^= 1;
    assert!(!openssl_verifies(&dir, key, &message, &proof));
    // And our own statement.
    let did = shown["did"].as_str().unwrap();
    let x25519 = shown["encryption"]["public_key"].as_str().unwrap();
    let pairs = x25519.as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).unwrap());
    let x25519: Vec<u8> = pairs.map(|pair| u8::from_str_radix(pair, 16).unwrap()).collect();
    let length = u64::try_from(did.len()).unwrap().to_be_bytes();
    let created = document["icnKeyAgreement"]["created"].as_u64().unwrap().to_be_bytes();
    let prefix = b"icn-identity/encryption-key/v1\0";
    let statement = [prefix, &length[..], did.as_bytes(), &x25519, &created].concat();
    let signature = signature(&document["icnKeyAgreement"]["signature"]);
    assert!(openssl_verifies(&dir, key, &statement, &signature));

    let method = &document["verificationMethod"][0];
    assert_eq!(document["id"], did);
    assert_eq!(method["publicKeyMultibase"], shown["public_key"]["multibase"]);
    let (code, out, err) = verify(home, &text);
    // Nobody was named.
    assert!(code == 0 && err.starts_with("warning: whose document"), "{out}{err}");
    assert_eq!(err.lines().count(), 1, "{err}");
    assert_eq!(out, format!("valid\n{did}\n{}\n", recipient(home)));
}

#[test]
fn openssl_verifies_the_document_of_a_software_identity() {
    let home = identity();
    openssl_verifies_the_proof(&home);
    assert_eq!(document(&home)["proof"]["cryptosuite"], "eddsa-jcs-2022");
}

#[test]
fn openssl_verifies_the_documents_of_identities_in_tokens() {
    let hsm = SoftHsm::with_token("node-1");
    openssl_verifies_the_proof(&hsm.identity("node-1"));
    hsm.token("node-2");
    let home = hsm.home();
    home.ok(&[&hsm.init("node-2")[..], &["--algorithm", "p256"]].concat(), b"");
    openssl_verifies_the_proof(&home);
    assert_eq!(document(&home)["proof"]["cryptosuite"], "ecdsa-jcs-2019");
}

#[test]
fn openssl_verifies_the_documents_of_identities_in_tpms() {
    for algorithm in node::BOTH {
        openssl_verifies_the_proof(&Node::with_identity(algorithm, &[]).home);
    }
}

/// The public half of what `age-keygen` makes is spelt as ours is: the same
/// Bech32, and the document's Multikey holds the same 32 bytes.
#[test]
fn the_recipient_is_the_documents_key() {
    let home = identity();
    let shown = home.show();
    let recipient = recipient(&home);
    let (hrp, bytes) = bech32::decode(&recipient).unwrap();
    assert_eq!(hrp.as_str(), "age");
    let multibase = document(&home)["keyAgreement"][0]["publicKeyMultibase"].clone();
    let decoded = bs58::decode(&multibase.as_str().unwrap()[1..]).into_vec().unwrap();
    assert_eq!(decoded, [&[0xec, 0x01], &bytes[..]].concat());
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(shown["encryption"]["public_key"], hex);
    assert_eq!(shown["encryption"]["signed"], true);
    let text = home.ok(&["id", "show"], b"");
    assert!(text.contains(&format!("{recipient} (signed by the DID's key)")), "{text}");
}

#[test]
fn the_document_needs_no_passphrase_and_stays() {
    let home = identity();
    let before = document(&home);
    let json: Value =
        serde_json::from_str(&home.ok(&["--format", "json", "sign"], b"hello")).unwrap();
    assert_eq!(json["did"], before["id"]);
    let home = home.with("ICN_PASSPHRASE", "");
    assert_eq!(document(&home), before);
}

#[test]
fn a_peer_verifies_it_without_a_home() {
    let home = identity();
    std::fs::write(home.beside("peer.json"), home.ok(&SHOW, b"")).unwrap();
    let peer = home.beside("peer.json");
    let args = ["--format", "json", "id", "verify-document", text(&peer)];
    let ran = run(home.command(&args).env_remove("ICN_HOME"), b"");
    assert_eq!(ran.code, 0, "{}", ran.err);
    let told: Value = serde_json::from_str(&ran.out).unwrap();
    let shown = home.show();
    assert_eq!(told["valid"], true);
    assert_eq!(told["did"], shown["did"]);
    assert_eq!(told["age_recipient"], shown["encryption"]["age_recipient"]);
    assert_eq!(told["created"], document(&home)["proof"]["created"]);
}

#[test]
fn verify_document_exits_with_0_1_or_2() {
    let home = identity();
    let good = document(&home);
    let told = |document: &Value| verify(&home, &document.to_string());
    assert_eq!(told(&good).0, 0);
    let mut forged = good.clone();
    forged["keyAgreement"] = document(&identity())["keyAgreement"].clone();
    assert_eq!(told(&forged).0, 1);
    for (change, why) in [
        (json!(null), "no statement that its DID key signed"),
        (document(&identity())["icnKeyAgreement"].clone(), "was not signed by the DID's key"),
    ] {
        let mut wrong = good.clone();
        match change {
            Value::Null => drop(wrong.as_object_mut().unwrap().remove("icnKeyAgreement")),
            change => wrong["icnKeyAgreement"] = change,
        }
        let (code, out, err) = told(&wrong);
        assert_eq!((code, err.as_str()), (1, ""));
        assert!(out.starts_with("not valid: ") && out.contains(why), "{out}");
    }
    let mut wrong = good.clone();
    wrong["proof"]["created"] = "2020-01-01T00:00:00Z".into();
    assert_eq!(told(&wrong).0, 1);
    let ran =
        home.icnctl(&["--format", "json", "id", "verify-document"], wrong.to_string().as_bytes());
    let json: Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!((ran.code, &json["valid"]), (1, &json!(false)));
    assert!(json["error"].is_string() && json["help"].is_string());

    let (own, other) = (good["id"].as_str().unwrap(), identity().show()["did"].clone());
    for (did, code) in [(own, 0), (other.as_str().unwrap(), 1), ("did:web:example.org", 2)] {
        let args = ["id", "verify-document", "--did", did];
        let ran = home.icnctl(&args, good.to_string().as_bytes());
        assert_eq!(ran.code, code, "{}{}", ran.out, ran.err);
        let other = format!("not valid: the DID document is that of {own}, not of {did}\n");
        assert_eq!(code == 1, ran.out == other);
    }

    let mut newer = good.clone();
    newer["service"] = json!([]);
    for cannot_tell in ["", "{}", "hello", &newer.to_string(), &" ".repeat(100_000)] {
        let (code, out, err) = verify(&home, cannot_tell);
        assert_eq!((code, out.as_str()), (2, ""), "{err}");
        assert!(err.contains("try: "), "{err}");
    }
    let mut web = good;
    web["id"] = "did:web:example.org".into();
    assert_eq!(told(&web).0, 2);
    assert_eq!(home.icnctl(&["id", "verify-document", "/nowhere"], b"").code, 2);
}

/// The header is not trusted: what it says of the encryption key is not shown
/// unless the DID's key has signed it.
#[test]
fn a_key_that_was_put_into_the_header_is_not_shown() {
    let (home, mallory) = (identity(), identity());
    let good = home.read("identity.json");
    let evil = mallory.show()["encryption"]["public_key"].clone();
    home.edit_header("/x25519_public", evil);
    for args in [&SHOW[..], &["id", "show"], &["--format", "json", "id", "show"]] {
        home.fails(args, b"", &["the DID document is not that of this X25519 key"]);
    }
    home.write("identity.json", &good);
    home.edit_header("/did_document", document(&mallory));
    home.fails(&SHOW, b"", &["the DID document is not that of this DID"]);
    home.write("identity.json", &good);
    home.edit_header("/did_document/icnKeyAgreement/created", json!(1));
    home.fails(&SHOW, b"", &["was not signed by the DID's key"]);
    // The payload knows its header.
    home.fails(&["sign"], b"hello", &["does not belong to this identity's payload"]);
    // Taken away altogether, it is missing, and what is there not called signed.
    let mut header: Value = serde_json::from_str(&good).unwrap();
    header.as_object_mut().unwrap().remove("did_document");
    home.write("identity.json", &header.to_string());
    home.fails(&SHOW, b"", &["has no DID document yet", "icnctl sign"]);
    assert_eq!(home.show()["encryption"]["signed"], false);
    let shown = home.ok(&["id", "show"], b"");
    assert!(shown.contains("(not signed yet: the identity has no DID document)"), "{shown}");
    home.write("identity.json", &good);
    home.ok(&["sign"], b"hello");
}

#[test]
fn other_commands_refuse_that_format_by_name() {
    let home = identity();
    for command in [&["sign"][..], &["id", "init"], &["decrypt"], &["id", "verify-document"]] {
        let args = [&["--format", "did-document"], command].concat();
        let ran = home.icnctl(&args, b"");
        assert_ne!(ran.code, 0);
        assert!(ran.err.contains("--format did-document is for `id show`"), "{}", ran.err);
    }
}
