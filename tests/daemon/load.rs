//! Many clients at once, for a while.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::thread;
use std::time::Instant;

use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::mechanism::Mechanism;
use cryptoki::mechanism::eddsa::{EddsaParams, EddsaSignatureScheme};
use cryptoki::object::{Attribute, ObjectClass};
use cryptoki::session::UserType;
use cryptoki::types::AuthPin;
use serde_json::{Value, json};
use support::softhsm::{PIN, SoftHsm, alone, module};
use support::swtpm::Swtpm;

use crate::node::{Daemon, Node, posted};

const CLIENTS: usize = 8;

/// So many before memory is looked at for the first time, of each client.
const FIRST: usize = 100;

/// Signatures of each client: few where everything is tested, ten thousand where somebody
/// asks for them.
fn times() -> usize {
    std::env::var("ICN_TEST_LOAD").map_or(400, |times| times.parse().unwrap())
}

/// Of each client, on a connection that is kept.
fn signs(daemon: &Daemon, times: usize) {
    let mut stream = BufReader::new(UnixStream::connect(&daemon.socket).unwrap());
    let body = json!({ "context": "a", "message": "aGVsbG8=" }).to_string();
    let request = posted("/v1/sign", &body, "");
    for _ in 0..times {
        stream.get_mut().write_all(request.as_bytes()).unwrap();
        let (mut line, mut length) = (String::new(), 0);
        stream.read_line(&mut line).unwrap();
        assert_eq!(line, "HTTP/1.1 200 OK\r\n");
        while line != "\r\n" {
            line.clear();
            stream.read_line(&mut line).unwrap();
            if let Some(number) = line.strip_prefix("content-length: ") {
                length = number.trim().parse().unwrap();
            }
        }
        let mut body = vec![0; length];
        stream.read_exact(&mut body).unwrap();
        let body: Value = serde_json::from_slice(&body).unwrap();
        assert!(body["signature"].as_str().unwrap().starts_with("-----BEGIN SSH SIGNATURE-----"));
    }
}

/// In KiB.
fn resident(process: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

fn all_sign(daemon: &Daemon, times: usize) {
    thread::scope(|scope| {
        for _ in 0..CLIENTS {
            scope.spawn(|| signs(daemon, times));
        }
    });
}

/// None fails, each leaves its line, and memory stays as it is, but for what the module loses
/// by itself, in KiB.
fn bears(node: &Node, lost: u64) {
    node.allow("may = [\"sign\"]\ncontexts = [\"a\"]");
    let daemon = node.start();
    all_sign(&daemon, FIRST);
    let before = resident(daemon.pid());
    let start = Instant::now();
    all_sign(&daemon, times());
    let took = start.elapsed();
    let grown = resident(daemon.pid()).saturating_sub(before);
    let signatures = CLIENTS * times();
    println!(
        "{signatures} in {took:.1?}: {before} KiB, then {grown} KiB more ({lost} by the module)"
    );
    assert_eq!(node.uses().len(), signatures + CLIENTS * FIRST);
    assert!(grown < 5 * 1024 + lost, "{before} KiB, and {grown} KiB more");
}

/// What so many signatures by the Ed25519 key of a token take of memory and never give back
/// where nothing but its module is called, in KiB: SoftHSM 2.6.1 loses 64 bytes at each
/// `C_SignInit` (its `byteString2oid`, mended later), and nothing with a P-256 key.
fn lost_by_the_module(signatures: usize) -> u64 {
    let context = Pkcs11::new(module()).unwrap();
    context.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK)).unwrap();
    let slot = context.get_slots_with_initialized_token().unwrap()[0];
    let session = context.open_ro_session(slot).unwrap();
    session.login(UserType::User, Some(&AuthPin::new(PIN.into()))).unwrap();
    let private = [Attribute::Class(ObjectClass::PRIVATE_KEY), Attribute::Sign(true)];
    let key = session.find_objects(&private).unwrap()[0];
    let sign = |times| {
        let mechanism = Mechanism::Eddsa(EddsaParams::new(EddsaSignatureScheme::Pure));
        for _ in 0..times {
            assert_eq!(session.sign(&mechanism, key, b"hello").unwrap().len(), 64);
        }
    };
    sign(CLIENTS * FIRST);
    let before = resident(std::process::id());
    sign(signatures);
    resident(std::process::id()).saturating_sub(before)
}

/// What the module loses lies between what is used again, in the memory of each thread: so it
/// costs up to twice as much where several threads sign.
#[test]
fn eight_clients_sign_with_a_token_and_memory_stays_as_it_is() {
    alone(|hsm| {
        hsm.token("node");
        let node = Node::of(hsm.identity("node"));
        bears(&node, 2 * lost_by_the_module(CLIENTS * times()));
    });
}

#[test]
fn eight_clients_sign_with_a_p256_key_in_a_token_and_memory_stays_as_it_is() {
    let hsm = SoftHsm::with_token("node");
    let home = hsm.home();
    home.ok(&[&hsm.init("node")[..], &["--algorithm", "p256"]].concat(), b"");
    bears(&Node::of(home), 0);
}

#[test]
fn eight_clients_sign_with_a_key_in_a_file_and_memory_stays_as_it_is() {
    bears(&Node::age(), 0);
}

#[test]
fn eight_clients_sign_with_a_key_sealed_to_a_tpm_and_memory_stays_as_it_is() {
    let tpm = Swtpm::start();
    bears(&Node::sealed_to(&tpm), 0);
}
