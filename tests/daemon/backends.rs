//! What each backend has to do alike: in a file, in a token, sealed to a TPM and in one.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use icn_identity::daemon::verify_proof;
use icn_identity::{Did, Signature};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha512};
use support::home::{PASSPHRASE, run, write_private};
use support::softhsm::{PIN, SoftHsm};
use support::ssh_keygen;
use support::swtpm::Swtpm;

use crate::curl::curl;
use crate::node::{Daemon, Node, own_uid};

const ALL: &str = "may = [\"sign\", \"sign-raw\", \"decrypt\", \"admin\"]\n\
                   contexts = [\"payments@coop.example\", \"git\"]";
const CONTEXT: &str = "payments@coop.example";

fn sign(daemon: &Daemon, message: &[u8]) -> String {
    let body = json!({ "context": CONTEXT, "message": STANDARD.encode(message) });
    daemon.post("/v1/sign", &body).ok()["signature"].as_str().unwrap().to_owned()
}

fn decoded(did: &Did, base64: &str) -> Signature {
    let bytes = STANDARD.decode(base64).unwrap();
    Signature::try_from((did.verifying_key().algorithm(), &bytes[..])).unwrap()
}

/// As docs/operations.md says it, with whatever has the key.
fn serves(node: &Node, credential: &str) {
    node.allow(ALL);
    let daemon = node.start();
    let did = node.did();
    let public = did.verifying_key().to_openssh();

    let status = daemon.get("/v1/status").ok();
    assert_eq!((&status["state"], &status["did"]), (&json!("unlocked"), &json!(did.as_str())));
    assert_eq!((&status["client"], &status["pid"]), (&json!("tests"), &json!(daemon.pid())));
    assert!(status["certificate_not_after"].is_string() && status["verified_at"].is_string());

    // By hand, and by whatever has HTTP.
    let body = json!({ "context": CONTEXT, "message": STANDARD.encode(b"100 to Ada") });
    let arguments = ["--data", &body.to_string(), "http://icnd/v1/sign"];
    let (status, answer) = curl(&daemon, &arguments);
    assert_eq!(status, 200, "{answer}");
    let answer: Value = serde_json::from_str(&answer).unwrap();
    let signature = answer["signature"].as_str().unwrap();
    assert!(ssh_keygen::verifies(&public, CONTEXT, b"100 to Ada", signature));
    assert!(!ssh_keygen::verifies(&public, "git", b"100 to Ada", signature));

    // A message that is too long to be sent, by its hash.
    let long = vec![7; 1 << 20];
    let digest: String = Sha512::digest(&long).iter().map(|byte| format!("{byte:02x}")).collect();
    let hashed = daemon.post("/v1/sign", &json!({ "context": CONTEXT, "sha512": digest })).ok();
    let signature = hashed["signature"].as_str().unwrap();
    assert!(ssh_keygen::verifies(&public, CONTEXT, &long, signature));

    let raw = daemon.post("/v1/sign-raw", &json!({ "message": STANDARD.encode(b"raw") })).ok();
    let raw = raw["signature"].as_str().unwrap();
    did.verifying_key().verify(b"raw", &decoded(&did, raw)).unwrap();

    let nonce = [9; 32];
    let proof = daemon.post("/v1/challenge", &json!({ "nonce": STANDARD.encode(nonce) })).ok();
    assert_eq!(proof["uid"], own_uid());
    let signature = decoded(&did, proof["signature"].as_str().unwrap());
    verify_proof(&did, &nonce, own_uid(), &signature).unwrap();
    assert!(verify_proof(&did, &nonce, own_uid() + 1, &signature).is_err());

    decrypts(node, &daemon);

    let document = daemon.get("/v1/did-document").ok();
    assert_eq!(document["id"], did.as_str());
    daemon.get("/v1/rotation-chain").problem(404, "not-found");

    // Locked, nothing is done, and it is open again with what was sent.
    assert_eq!(daemon.post("/v1/lock", &json!({})).ok()["state"], "locked");
    let body = json!({ "context": CONTEXT, "message": "" });
    daemon.post("/v1/sign", &body).problem(503, "locked");
    assert_eq!(daemon.get("/v1/status").ok()["state"], "locked");
    assert_eq!(daemon.get("/v1/did-document").ok()["id"], did.as_str());
    let unlocked = daemon.post("/v1/unlock", &json!({ "credential": credential })).ok();
    assert_eq!(unlocked["state"], "unlocked");
    let signature = sign(&daemon, b"again");
    assert!(ssh_keygen::verifies(&public, CONTEXT, b"again", &signature));

    let uses: Vec<String> =
        node.uses().into_iter().map(|(event, result, _)| format!("{event} {result}")).collect();
    let expected = [
        "sign allowed",
        "sign allowed",
        "sign-raw allowed",
        "challenge allowed",
        "decrypt allowed",
        "lock allowed",
        "sign refused",
        "unlock allowed",
        "sign allowed",
    ];
    assert_eq!(uses, expected);
    let log = node.home.read("audit.log") + &daemon.log();
    for secret in ["100 to Ada", &STANDARD.encode(b"100 to Ada"), credential] {
        assert!(!log.contains(secret), "{log}");
    }
}

/// The file stays with the client: `age` made it, and its key alone is asked for.
fn decrypts(node: &Node, daemon: &Daemon) {
    let recipient = node.home.show()["encryption"]["age_recipient"].as_str().unwrap().to_owned();
    let file = node.public("file.age");
    let made = run(
        std::process::Command::new("age").args(["-r", &recipient, "-o"]).arg(&file),
        b"for the node",
    );
    assert_eq!(made.code, 0, "{}", made.err);
    let bytes = std::fs::read(&file).unwrap();
    let mac = bytes.windows(5).position(|bytes| bytes == b"\n--- ").unwrap() + 1;
    let end = mac + bytes[mac..].iter().position(|byte| *byte == b'\n').unwrap();
    let header = std::str::from_utf8(&bytes[..=end]).unwrap();
    let opened = daemon.post("/v1/decrypt", &json!({ "header": header })).ok();
    assert_eq!(opened["retired"], Value::Null);
    let key = STANDARD.decode(opened["file_key"].as_str().unwrap()).unwrap();
    assert_eq!(plaintext(&bytes[end + 1..], &key), b"for the node");
}

/// age v1, section "Payload", of a file that is shorter than one piece.
fn plaintext(payload: &[u8], file_key: &[u8]) -> Vec<u8> {
    use chacha20poly1305::aead::{Aead as _, KeyInit as _};
    let (nonce, sealed) = payload.split_at(16);
    let mut key = [0; 32];
    hkdf::Hkdf::<sha2::Sha256>::new(Some(nonce), file_key).expand(b"payload", &mut key).unwrap();
    let mut last = [0; 12];
    last[11] = 1;
    let cipher = chacha20poly1305::ChaCha20Poly1305::new(&key.into());
    cipher.decrypt(&last.into(), sealed).unwrap()
}

#[test]
fn the_daemon_serves_with_a_key_in_a_file() {
    serves(&Node::age(), PASSPHRASE);
}

#[test]
fn the_daemon_serves_with_a_key_in_a_token() {
    let hsm = SoftHsm::with_token("node");
    serves(&Node::of(hsm.identity("node")), PIN);
}

#[test]
fn the_daemon_serves_with_a_key_sealed_to_a_tpm() {
    on_a_tpm("ed25519");
}

/// The key never leaves the TPM.
#[test]
fn the_daemon_serves_with_a_p256_key_in_a_tpm() {
    on_a_tpm("p256");
}

fn on_a_tpm(algorithm: &str) {
    let tpm = Swtpm::start();
    serves(&Node::on_a_tpm(&tpm, algorithm), PIN);
}

#[test]
fn a_wrong_pin_is_sent_once_and_the_daemon_ends_with_77() {
    let hsm = SoftHsm::with_token("node");
    let home = hsm.faulty_identity("node");
    let node = Node::of(home);
    write_private(&node.public("pin"), "not the right one");
    node.allow(ALL);
    let credentials = node.public("");
    // Nothing but what the service manager gives.
    let node = node.with("CREDENTIALS_DIRECTORY", credentials.to_str().unwrap());
    let logins = || hsm.count("C_Login");
    let before = logins();
    for _ in 0..3 {
        let (code, said) = node.fails();
        assert_eq!(code, 77, "{said}");
        assert!(said.contains("  try: ") && !said.contains("not the right one"), "{said}");
        // What a person can do, and nothing of the library.
        assert!(!said.contains("HomeOptions"), "{said}");
    }
    assert_eq!(logins(), before + 1, "sent once");
    assert!(node.fails().1.contains("--retry-pin"));
    assert!(!node.socket().exists());
    let audit = node.audit();
    let [.., last, stop] = &audit[..] else { panic!("{audit:?}") };
    assert_eq!((&last["event"], &last["result"]), (&json!("unlock"), &json!("failed")), "{last}");
    assert_eq!((&last["reason"], &stop["event"]), (&json!("credential-refused"), &json!("stop")));
}

/// One try is left: waiting helps, and whoever reads the log has a command that says how long.
/// A TPM that allows no more than one never frees itself.
#[test]
fn a_daemon_that_has_one_try_left_says_how_to_go_on_and_whether_to_start_it_again() {
    let tpm = Swtpm::start();
    let node = Node::on_a_tpm(&tpm, "ed25519");
    node.allow(ALL);
    let other = tpm.other_program();
    tpm.set_dictionary_attack(2, 777, 1000);
    other();
    let (code, said) = node.fails();
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("`icnctl tpm check`") && said.contains("or wait"), "{said}");
    assert!(!said.contains("a look at the TPM"), "{said}");
    tpm.clear_lockout();
    tpm.set_dictionary_attack(1, 777, 1000);
    let (code, said) = node.fails();
    assert_eq!(code, 77, "{said}");
    assert!(said.contains("tpm2_dictionarylockout -s -n 10"), "{said}");
    tpm.set_dictionary_attack(10, 600, 86400);
    node.start();
}

#[test]
fn a_token_that_was_pulled_and_is_back_serves_again_without_a_restart() {
    let hsm = SoftHsm::with_token("node");
    let node = Node::of(hsm.faulty_identity("node"));
    node.allow(ALL);
    let daemon = node.start();
    let body = json!({ "context": CONTEXT, "message": "" });
    daemon.post("/v1/sign", &body).ok();
    let ((), calls) = hsm.calls(|| {
        hsm.script("token removed");
        for _ in 0..3 {
            let away = daemon.post("/v1/sign", &body);
            away.problem(503, "device-away");
            assert!(away.headers.contains("retry-after: 1"), "{away:?}");
        }
        assert_eq!(daemon.get("/v1/status").ok()["state"], "unlocked");
        hsm.script("");
        daemon.post("/v1/sign", &body).ok();
        daemon.post("/v1/sign", &body).ok();
    });
    let uses = node.uses();
    let failed = |result: &str| uses.iter().filter(|(_, found, _)| found == result).count();
    assert_eq!((failed("allowed"), failed("failed")), (6, 3), "{uses:?}");
    // It was there again without a session: so the PIN was sent once, and was the right one.
    let logins: Vec<_> = calls.iter().filter(|call| call.starts_with("C_Login ")).collect();
    assert_eq!(logins, ["C_Login 0x0 user"], "{calls:?}");
}
