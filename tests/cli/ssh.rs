//! Signatures for a context and OpenSSH, on each backend: what `icnctl` signs `ssh-keygen`
//! verifies by what `id export --ssh` prints, and what `ssh-keygen` signs `icnctl` verifies.

use std::process::Command;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use icn_identity::{Did, DidMethod, SshSignature};
use serde_json::Value;
use support::home::{Home, PASSPHRASE, run};
use support::softhsm::{PIN, SoftHsm};
use support::ssh_keygen;

use super::age::identity;
use super::tpm::node::Node;

const CONTEXT: &str = "payments@coop.example";
const MESSAGE: &[u8] = b"100 to Ada";

/// By the two lines alone, and by the whole output as a file.
fn openssh_agrees(home: &Home, key_type: &str) {
    let exported = home.icnctl(&["id", "export", "--ssh"], b"");
    assert_eq!(exported.code, 0, "{}", exported.err);
    assert!(exported.err.contains("is linked to this DID"), "{}", exported.err);
    let lines: Vec<&str> = exported.out.lines().collect();
    let [public, allowed] = lines[..] else { panic!("{}", exported.out) };
    let did = home.show()["did"].as_str().unwrap().to_owned();
    let key = Did::parse(&did).unwrap().verifying_key().to_openssh();
    assert_eq!((public, allowed), (&*format!("{key} {did}"), &*format!("{did} {key}")));
    let said = ssh_keygen::fingerprint(public);
    assert!(said.contains(&did) && said.trim_end().ends_with(key_type), "{said}");

    let signature = home.ok(&["sign", "--context", CONTEXT], MESSAGE);
    for allowed in [format!("{allowed}\n"), exported.out.clone()] {
        let verifies = |who: &str, context: &str, message: &[u8]| {
            ssh_keygen::verifies_of(&allowed, who, context, message, &signature)
        };
        assert!(verifies(&did, CONTEXT, MESSAGE), "{allowed}");
        assert!(!verifies(&did, CONTEXT, b"100 to Eve"));
        assert!(!verifies(&did, "login", MESSAGE));
        assert!(!verifies("somebody@coop.example", CONTEXT, MESSAGE));
    }
    assert_eq!(verify(home, &did, CONTEXT, &signature, MESSAGE), 0);
    assert_eq!(verify(home, &did, CONTEXT, &signature, b"100 to Eve"), 1);
    assert_eq!(verify(home, &did, "login", &signature, MESSAGE), 1);
}

fn verify(home: &Home, did: &str, context: &str, signature: &str, message: &[u8]) -> i32 {
    let file = home.beside("signature");
    std::fs::write(&file, signature).unwrap();
    let file = file.to_str().unwrap();
    let command = ["verify", "--did", did, "--context", context, "--signature-file", file];
    home.icnctl(&command, message).code
}

#[test]
fn openssh_verifies_what_a_software_identity_signs() {
    openssh_agrees(&identity(), "(ED25519)");
}

#[test]
fn openssh_verifies_what_a_token_signs() {
    let hsm = SoftHsm::with_token("node-1");
    openssh_agrees(&hsm.identity("node-1"), "(ED25519)");
    let hsm = SoftHsm::with_token("node-1");
    let home = hsm.home();
    home.ok(&[&hsm.init("node-1")[..], &["--algorithm", "p256"]].concat(), b"");
    openssh_agrees(&home, "(ECDSA)");
}

#[test]
fn openssh_verifies_what_a_tpm_signs() {
    openssh_agrees(&Node::with_identity("ed25519", &[]).home, "(ED25519)");
    openssh_agrees(&Node::with_identity("p256", &[]).home, "(ECDSA)");
}

/// The other way round: by the identity's own key, taken to OpenSSH.
#[test]
fn what_openssh_signs_with_an_exported_key_is_of_the_identity() {
    let home = identity();
    let text = |name: &str| home.beside(name).to_str().unwrap().to_owned();
    let (recovery, out) = (text("recovery.key"), text("export.age"));
    let made = run(Command::new("age-keygen").args(["-o", &recovery]), b"");
    assert_eq!(made.code, 0, "{}", made.err);
    let recipient = run(Command::new("age-keygen").args(["-y", &recovery]), b"").out;
    let export = ["id", "export", "--secret", "-o", &out, "--recipient", recipient.trim()];
    home.ok(&export, b"");
    let pem = run(Command::new("age").args(["-d", "-i", &recovery, &out]), b"").out;
    let body: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
    let der = STANDARD.decode(body).unwrap();
    // RFC 8410: the seed is the last string of the version without a public key.
    let seed = &der[16..48];
    let did = home.show()["did"].as_str().unwrap().to_owned();
    let public = *Did::parse(&did).unwrap().verifying_key();
    let signature = ssh_keygen::signs_with(seed, public.as_bytes(), CONTEXT, MESSAGE);
    assert_eq!(verify(&home, &did, CONTEXT, &signature, MESSAGE), 0);
    assert_eq!(verify(&home, &did, CONTEXT, &signature, b"100 to Eve"), 1);
    assert_eq!(verify(&home, &did, "login", &signature, MESSAGE), 1);
    let other = identity().show()["did"].as_str().unwrap().to_owned();
    assert_eq!(verify(&home, &other, CONTEXT, &signature, MESSAGE), 1);
}

/// A key that only OpenSSH has ever had is a DID, too.
#[test]
fn what_openssh_signs_with_its_own_keys_is_verified_under_their_dids() {
    let home = Home::new();
    for key_type in ["ed25519", "ecdsa"] {
        let (_, signature) = ssh_keygen::signs(key_type, CONTEXT, MESSAGE);
        let key = *signature.parse::<SshSignature>().unwrap().claimed_key();
        let did = Did::from_key(DidMethod::Key, &key).unwrap().to_string();
        assert_eq!(verify(&home, &did, CONTEXT, &signature, MESSAGE), 0, "{key_type}");
        assert_eq!(verify(&home, &did, CONTEXT, &signature, b"100 to Eve"), 1, "{key_type}");
        assert_eq!(verify(&home, &did, "login", &signature, MESSAGE), 1, "{key_type}");
    }
}

#[test]
fn the_lines_for_openssh_need_no_secret_and_are_in_json() {
    let home = identity().with("ICN_PASSPHRASE", "");
    let lines = home.ok(&["id", "export", "--ssh"], b"");
    let json: Value =
        serde_json::from_str(&home.ok(&["--format", "json", "id", "export", "--ssh"], b""))
            .unwrap();
    let of_json = [&json["ssh"]["public_key"], &json["ssh"]["allowed_signers"]];
    let of_json = of_json.map(|line| line.as_str().unwrap());
    assert_eq!(lines.lines().collect::<Vec<_>>(), of_json);
    assert_eq!(json["ssh"]["principal"], json["did"]);
    let hsm = SoftHsm::with_token("node-1");
    let of_token = hsm.identity("node-1").with("ICN_PIN", "");
    let ran = of_token.icnctl(&["id", "export", "--ssh"], b"");
    assert!(ran.code == 0 && !ran.err.contains(PIN), "{}", ran.err);
}

/// Of what contradicts itself nothing is done, and it is said to be wrong usage.
#[test]
fn options_that_contradict_each_other_are_wrong_usage() {
    let home = identity();
    let did = home.show()["did"].as_str().unwrap().to_owned();
    std::fs::write(home.beside("file"), "x").unwrap();
    let file = home.beside("file");
    let file = file.to_str().unwrap();
    for args in [
        &["id", "export", "--ssh", "--did-only"][..],
        &["id", "export", "--ssh", "--public-key"],
        &["id", "export", "--ssh", "--secret", "-o", "x"],
        &["id", "export", "--ssh", "-o", "x"],
        &["id", "export", "--ssh", "--recipient", "age1x"],
        &["id", "export", "--ssh", "--export-passphrase-file", file],
        &["sign", "--context"],
        &["sign", "--context", "a", "--context", "b"],
        &["sign", "--signature-file", file],
        &["verify", "--did", &did],
        &["verify", "--context", "a", "--signature-file", file],
        &["verify", "--did", &did, "--context", "a"],
        &["verify", "--did", &did, "--context", "a", "--signature", "AAAA"],
        &["verify", "--did", &did, "--signature", "AAAA", "--signature-file", file],
    ] {
        let ran = home.icnctl(args, b"x");
        assert_eq!(ran.code, 2, "{args:?}: {}", ran.err);
        assert!(ran.out.is_empty() && !ran.err.contains(PASSPHRASE), "{args:?}: {}", ran.out);
    }
    assert!(!home.beside("x").exists());
}

/// It begins with dashes, and is an SSH signature all the same.
#[test]
fn an_ssh_signature_in_the_place_of_a_bare_one_is_told_where_it_belongs() {
    let home = identity();
    let signature = home.ok(&["sign", "--context", CONTEXT], MESSAGE);
    let did = home.show()["did"].as_str().unwrap().to_owned();
    for given in [signature.as_str(), signature.trim()] {
        let verify = ["verify", "--did", &did, "--signature", given];
        let ran = home.icnctl(&verify, MESSAGE);
        assert_eq!(ran.code, 2, "{}", ran.err);
        for text in ["this is an SSH signature", "--signature-file FILE --context CONTEXT"] {
            assert!(ran.err.contains(text), "{}", ran.err);
        }
        assert!(!ran.err.contains("Usage") && ran.err.lines().count() < 5, "{}", ran.err);
    }
}
