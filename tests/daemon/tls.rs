//! Certificates for TLS keys of clients.

use std::path::PathBuf;
use std::process::Command;
use std::time::SystemTime;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use icn_identity::client::{ClientError, RemoteIdentity};
use icn_identity::daemon::ProblemCode;
use icn_identity::peer::Instance;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use support::der::p256_spki;
use support::home::{Home, PASSPHRASE, run};

use crate::curl::{OTHER, curl_as};
use crate::node::{Node, client, own_uid};
use crate::wire::{handshake, meets, named, pinned, server};

pub(crate) const TLS: &str = "may = [\"tls\", \"admin\"]";
pub(crate) const INSTANCE: &str = "0123456789abcdef0123456789abcdef";

fn openssl(arguments: &[&str], stdin: &[u8]) -> Vec<u8> {
    let mut command = Command::new("openssl");
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), stdin).unwrap();
    command.args(arguments).stdin(std::fs::File::open(file.path()).unwrap());
    let output = command.output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

/// A key in a file, and its SubjectPublicKeyInfo.
fn key(node: &Node, name: &str) -> (PathBuf, Vec<u8>) {
    let path = node.home.beside(name);
    let text = path.to_str().unwrap();
    openssl(&["genpkey", "-algorithm", "ed25519", "-out", text], b"");
    let spki = openssl(&["pkey", "-in", text, "-pubout", "-outform", "DER"], b"");
    (path, spki)
}

fn asked(spki: &[u8], instance: &str) -> Value {
    json!({ "spki": STANDARD.encode(spki), "instance": instance })
}

pub(crate) fn fresh(node: &Node, instance: &str) -> Value {
    asked(&key(node, "fresh.pem").1, instance)
}

fn decoded(value: &Value) -> Vec<u8> {
    STANDARD.decode(value.as_str().unwrap()).unwrap()
}

/// Any language can do it: two texts, one signature.
#[test]
fn a_program_with_openssl_and_curl_speaks_for_the_did_by_a_key_of_its_own() {
    let node = Node::age();
    node.allow(TLS);
    let daemon = node.start();
    let (path, spki) = key(&node, "tls.pem");
    let told = daemon.post("/v1/tls", &asked(&spki, INSTANCE)).ok();
    assert_eq!(
        (told["did"].as_str(), told["instance"].as_str()),
        (Some(node.did().as_str()), Some(INSTANCE))
    );
    let to_be_signed = node.home.beside("to-be-signed");
    std::fs::write(&to_be_signed, decoded(&told["to_be_signed"])).unwrap();
    let key_file = path.to_str().unwrap();
    let file = to_be_signed.to_str().unwrap();
    let signature = openssl(&["pkeyutl", "-sign", "-rawin", "-inkey", key_file, "-in", file], b"");
    let der = [decoded(&told["certificate_start"]), signature].concat();
    let pem = openssl(&["x509", "-inform", "DER"], &der);
    let certificate = node.home.beside("certificate.pem");
    std::fs::write(&certificate, &pem).unwrap();
    let text = String::from_utf8(openssl(&["x509", "-noout", "-text"], &pem)).unwrap();
    assert!(text.contains(&format!("URI:{}", node.did())), "{text}");
    for (field, name) in [("not_before", "-startdate"), ("not_after", "-enddate")] {
        let dates = ["x509", "-noout", name, "-dateopt", "iso_8601"];
        let shown = String::from_utf8(openssl(&dates, &pem)).unwrap();
        let date = shown.trim().split_once('=').unwrap().1.replace(' ', "T");
        assert_eq!(told[field], date, "{told}");
    }

    let (serving, address) = server(&pinned(&node.did()));
    let mut curl = Command::new("curl");
    curl.args(["--silent", "--show-error", "--insecure", "--cert", certificate.to_str().unwrap()]);
    curl.args(["--key", key_file, &format!("https://{address}/")]);
    let ran = run(&mut curl, b"");
    assert_eq!((ran.code, ran.out), (0, format!("hello {}", node.did())), "{}", ran.err);
    let peer = serving.join().unwrap().unwrap();
    assert_eq!(peer.instance().to_string(), INSTANCE);
    assert_eq!(
        (told["sequence"].as_u64(), told["epoch"].as_u64()),
        (Some(peer.sequence()), Some(peer.epoch()))
    );

    // Which key, and for whom, is in the audit log.
    let last = node.audit().pop().unwrap();
    assert_eq!((&last["event"], &last["result"]), (&json!("tls"), &json!("allowed")), "{last}");
    assert_eq!((&last["client"], &last["instance"]), (&json!("tests"), &json!(INSTANCE)));
    let hash: String = Sha256::digest(&spki).iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(last["tls_key"], hash, "{last}");
}

#[test]
fn a_tls_key_that_peers_refuse_or_is_none_of_the_clients_is_refused_and_written_down() {
    let node = Node::age();
    node.allow(TLS);
    let daemon = node.start();
    let (_, spki) = key(&node, "tls.pem");
    let opened = node.open();
    let own = opened.binding();
    let mut x25519 = spki.clone();
    x25519[8] = 0x6e;
    let mut weak = spki.clone();
    weak[12..].fill(0);
    let long = [&spki[..], &[0]].concat();
    let refused = [
        opened.verifying_key().to_spki_der(),
        own.tls_spki().to_vec(),
        p256_spki(&[4; 65]),
        x25519,
        weak,
        long,
        spki[..43].to_vec(),
        Vec::new(),
    ];
    for spki in &refused {
        let answer = daemon.post("/v1/tls", &asked(spki, INSTANCE));
        answer.problem(400, "malformed");
        assert!(answer.body["help"].as_str().unwrap().contains("Ed25519"), "{answer:?}");
    }
    let own = own.instance().unwrap().to_string();
    daemon.post("/v1/tls", &asked(&spki, &own)).problem(409, "instance-in-use");
    for (_, result, _) in node.uses() {
        assert_eq!(result, "refused");
    }
    let lines = node.audit();
    let lines: Vec<_> = lines.iter().filter(|line| line["event"] == "tls").collect();
    assert_eq!(lines.len(), refused.len() + 1);
    assert_eq!(lines.last().unwrap()["instance"], own);
    assert!(lines.iter().all(|line| line["tls_key"].is_string()));
    // What is no such request at all.
    for body in [
        json!({ "spki": STANDARD.encode(&spki) }),
        json!({ "instance": INSTANCE }),
        json!({ "spki": STANDARD.encode(&spki), "instance": INSTANCE.to_uppercase() }),
        json!({ "spki": STANDARD.encode(&spki), "instance": &INSTANCE[2..] }),
        json!({ "spki": "!", "instance": INSTANCE }),
        json!({ "spki": STANDARD.encode(&spki), "instance": INSTANCE, "validity": 1 }),
    ] {
        daemon.post("/v1/tls", &body).problem(400, "malformed");
    }
    daemon.get("/v1/tls").problem(405, "method-not-allowed");
}

#[test]
fn who_may_not_and_when_it_is_locked_has_no_tls_key_bound() {
    let node = Node::age();
    let others = client("others", OTHER, "may = [\"tls\"]");
    node.configure(&format!(
        "{}{others}",
        client("tests", own_uid(), "may = [\"sign\", \"admin\"]\ncontexts = [\"a\"]")
    ));
    let mut daemon = node.start();
    daemon.post("/v1/tls", &fresh(&node, INSTANCE)).problem(403, "not-permitted");
    node.configure(&format!(
        "{}{others}",
        client("tests", own_uid(), &format!("{TLS}\nrate = \"4/h\""))
    ));
    daemon.signal(rustix::process::Signal::HUP);
    daemon.wait_for("READY=1");
    daemon.post("/v1/tls", &fresh(&node, INSTANCE)).ok();
    // An instance is of the client that had it first.
    let data = fresh(&node, INSTANCE).to_string();
    let by_other =
        |data: &str| curl_as(OTHER, OTHER, &daemon, &["--data", data, "http://icnd/v1/tls"]);
    let (status, answer) = by_other(&data);
    assert_eq!((status, &answer["code"]), (409, &json!("instance-in-use")), "{answer}");
    let (status, answer) = by_other(&fresh(&node, &INSTANCE.replace('0', "1")).to_string());
    assert_eq!(status, 200, "{answer}");
    daemon.post("/v1/lock", &json!({})).ok();
    daemon.post("/v1/tls", &fresh(&node, INSTANCE)).problem(503, "locked");
    daemon.post("/v1/unlock", &json!({ "credential": PASSPHRASE })).ok();
    daemon.post("/v1/tls", &fresh(&node, INSTANCE)).problem(429, "rate");
    let reasons: Vec<_> = node.uses().into_iter().filter(|(event, ..)| event == "tls").collect();
    let reasons: Vec<&str> = reasons.iter().map(|(_, _, reason)| reason.as_str()).collect();
    assert_eq!(reasons, ["not-permitted", "", "instance-in-use", "", "locked", "rate"]);
}

/// The number of an instance grows with each key, and a later epoch counts at once.
#[test]
fn numbers_grow_and_a_later_epoch_counts_from_the_next_certificate_on() {
    let node = Node::age();
    node.allow(TLS);
    let daemon = node.start();
    let number =
        |told: &Value| (told["epoch"].as_u64().unwrap(), told["sequence"].as_u64().unwrap());
    let made: Vec<_> =
        (0..5).map(|_| number(&daemon.post("/v1/tls", &fresh(&node, INSTANCE)).ok())).collect();
    assert!(
        made.windows(2).all(|pair| pair[0].1 < pair[1].1 && pair[0].0 == pair[1].0),
        "{made:?}"
    );
    let status = daemon.get("/v1/status").ok();
    assert_eq!(status["epoch"], made[0].0);
    let text = node.home.ok(&["--format", "json", "id", "renew", "--all-instances"], b"");
    let renewed: Value = serde_json::from_str(&text).unwrap();
    let epoch = renewed["tls"]["epoch"].as_u64().unwrap();
    assert!(epoch > made[0].0);
    assert_eq!(number(&daemon.post("/v1/tls", &fresh(&node, INSTANCE)).ok()).0, epoch);
    // It uses what the other process has made, whose line alone there is.
    assert_eq!(daemon.get("/v1/status").ok()["epoch"], epoch);
    let lines = node.audit();
    let renewed: Vec<_> = lines.iter().filter(|line| line["event"] == "renew").collect();
    assert!(renewed.len() == 1 && renewed[0]["exe"].as_str().unwrap().ends_with("/icnctl"));
}

#[test]
fn an_identity_that_has_handed_over_binds_no_tls_key() {
    let node = Node::age();
    node.allow(TLS);
    let mut daemon = node.start();
    daemon.post("/v1/tls", &fresh(&node, INSTANCE)).ok();
    // `icnctl` hands over beside no daemon that would go on.
    daemon.signal(rustix::process::Signal::TERM);
    daemon.ends();
    let next = Home::new().with("ICN_PASSPHRASE", PASSPHRASE);
    next.ok(&["id", "init"], b"");
    let secret = next.beside("passphrase");
    support::home::write_private(&secret, PASSPHRASE);
    let (to, secret, chain) = (next.path(""), secret, next.beside("chain.json"));
    let [to, secret, chain] = [&to, &secret, &chain].map(|path| path.to_str().unwrap());
    let with = ["--successor-passphrase-file", secret, "--reason", "scheduled", "-o", chain];
    node.home.ok(&[&["id", "rotation", "create", "--successor", to][..], &with].concat(), b"");
    let daemon = node.start();
    let refused = daemon.post("/v1/tls", &fresh(&node, INSTANCE));
    refused.problem(409, "handed-over");
    assert!(refused.body["help"].is_string());
    assert_eq!(node.uses().last().unwrap().2, "handed-over");
}

/// As a bundle does, on both sides, and its renewals are used from the next handshake on.
#[test]
fn the_client_of_the_library_has_tls_without_the_dids_key() {
    let node = Node::age();
    node.allow(TLS);
    let daemon = node.start();
    let identity = RemoteIdentity::connect(&daemon.socket, node.did()).unwrap();
    let own = identity.tls().unwrap();
    assert_eq!((own.did(), own.binding().did()), (&node.did(), &node.did()));
    let verifier = pinned(&node.did());
    let handle = own.tls_identity();
    let met = meets(&verifier, &handle).unwrap();
    assert_eq!((met.did().as_did(), met.instance()), (&node.did(), own.instance()));
    assert_eq!(met.sequence(), own.binding().sequence());
    assert!(!own.renew_if_due(SystemTime::now()).unwrap());
    let due = own.renewal_due_at();
    let before = own.certificate_and_key_der();
    assert!(own.renew_if_due(due).unwrap());
    let after = own.certificate_and_key_der();
    assert!(before.0 != after.0 && before.1 != after.1);
    assert_eq!(own.certificate_der(), after.0);
    let later = meets(&verifier, &handle).unwrap();
    assert!(later.sequence() > met.sequence());
    assert_eq!(later.instance(), met.instance());
    // As a server, and as an instance that was kept.
    let kept = Instance::from_bytes([7; 16]);
    let again = identity.tls_as(kept).unwrap();
    assert_eq!(again.instance(), &kept);
    let server = again.tls_server(&verifier).unwrap();
    let client = own.tls_client(&named()).unwrap();
    assert_eq!(handshake(&server, &client, &node.did()).unwrap().instance(), own.instance());
    // What it is refused is typed, and what it had stays.
    let own_instance = *node.open().binding().instance().unwrap();
    let refused = identity.tls_as(own_instance).unwrap_err();
    let code = |error: &ClientError| error.problem().and_then(|problem| problem.code);
    assert_eq!(code(&refused), Some(ProblemCode::InstanceInUse));
    identity.lock().unwrap();
    let refused = own.renew().unwrap_err();
    assert_eq!(code(&refused), Some(ProblemCode::Locked));
    assert_eq!(own.certificate_der(), after.0);
    assert!(!own.renew_if_due(SystemTime::now()).unwrap());
    drop(daemon);
    assert!(own.renew_if_due(SystemTime::now()).is_err());
    meets(&verifier, &own.tls_identity()).unwrap();
}
