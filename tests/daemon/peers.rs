//! What peers read by mutual TLS.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::process::Command;
use std::time::{Duration, Instant};

use icn_identity::client::RemoteIdentity;
use icn_identity::did::DidDocument;
use icn_identity::tls::{self, Client, TlsError};
use icn_identity::{Did, RotationChain};
use serde_json::{Value, json};
use support::home::{Home, PASSPHRASE, run, write_private};

use crate::node::{Daemon, Node, PATIENCE, client, own_uid};
use crate::wire::{Bundle, Got, asks, bundle, named};

const ALL: &str = "may = [\"tls\", \"admin\"]";

/// The daemon, where peers reach it, and where its metrics are.
pub(crate) fn serving(node: &Node, more: &str) -> (Daemon, SocketAddr, SocketAddr) {
    let clients = client("tests", own_uid(), ALL);
    let listeners = "tls = \"127.0.0.1:0\"\nmonitor = \"127.0.0.1:0\"\n";
    node.configure(&format!("{listeners}{more}\n{clients}"));
    let daemon = node.start();
    let log = daemon.log();
    let address = |text: &str| {
        let line = log.lines().find_map(|line| line.split_once(text)).unwrap();
        line.1.trim().parse().unwrap()
    };
    let (peers, monitor) = (address("serves peers on "), address("is monitored on "));
    (daemon, peers, monitor)
}

fn metric(monitor: SocketAddr, name: &str) -> u64 {
    let mut stream = TcpStream::connect(monitor).unwrap();
    stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix(&format!("{name} ")));
    line.map_or(0, |number| number.parse().unwrap())
}

fn handshakes(monitor: SocketAddr, result: &str) -> u64 {
    metric(monitor, &format!("icnd_peer_handshakes_total{{result=\"{result}\"}}"))
}

/// What is counted is so after a while.
#[track_caller]
fn until(what: impl Fn() -> bool) {
    let start = Instant::now();
    while !what() {
        assert!(start.elapsed() < PATIENCE);
        std::thread::sleep(Duration::from_millis(20));
    }
}

struct Caller {
    bundle: Bundle,
    client: Client,
    did: Did,
}

impl Caller {
    fn of(did: &Did) -> Self {
        let bundle = bundle();
        let client = bundle.tls_client(&named()).unwrap();
        Self { bundle, client, did: did.clone() }
    }

    fn asks(&self, address: SocketAddr, request: &str) -> Result<Got, TlsError> {
        asks(address, &self.client, &self.did, request)
    }
}

#[test]
fn peers_read_what_is_public_by_mutual_tls() {
    let old = Home::new().with("ICN_PASSPHRASE", PASSPHRASE);
    old.ok(&["id", "init"], b"");
    let node = Node::age();
    let (to, secret) = (node.home.path(""), node.home.beside("passphrase"));
    write_private(&secret, PASSPHRASE);
    let chain = node.home.beside("chain.json");
    let [to, secret, chain] = [&to, &secret, &chain].map(|path| path.to_str().unwrap());
    let with = ["--successor-passphrase-file", secret, "--reason", "scheduled", "-o", chain];
    old.ok(&[&["id", "rotation", "create", "--successor", to][..], &with].concat(), b"");

    let (_daemon, peers, monitor) = serving(&node, "");
    let caller = Caller::of(&node.did());
    let health = caller.asks(peers, "GET /health").unwrap();
    assert_eq!((health.status, health.body.as_str()), (200, "{\"status\":\"ok\"}"));
    assert_eq!(health.peer.did(), &node.did());
    assert!(health.head.contains("connection: close"), "{health:?}");
    let document = caller.asks(peers, "GET /.well-known/did.json").unwrap();
    assert!(document.head.contains("content-type: application/did+json"), "{document:?}");
    assert_eq!(DidDocument::parse(document.body.as_bytes()).unwrap().did(), &node.did());
    let chain = caller.asks(peers, "GET /rotation-chain").unwrap();
    assert_eq!(RotationChain::from_json(chain.body.as_bytes()).unwrap().current(), &node.did());
    for (request, status) in [
        ("GET /v1/status", 404),
        ("GET /metrics", 404),
        ("GET /", 404),
        ("POST /health", 405),
        ("HEAD /health", 200),
    ] {
        assert_eq!(caller.asks(peers, request).unwrap().status, status, "{request}");
    }
    // Nothing else than what peers may read, and no line for it; who it was is in no metric.
    assert_eq!(handshakes(monitor, "accepted"), 8);
    let asked = |call: &str, status: u16| {
        metric(monitor, &format!("icnd_peer_requests_total{{call=\"{call}\",status=\"{status}\"}}"))
    };
    let counted = [("health", 200), ("did-document", 200), ("rotation-chain", 200), ("other", 404)];
    assert_eq!(counted.map(|(call, status)| asked(call, status)), [2, 1, 1, 3]);
    assert!(node.uses().is_empty(), "{:?}", node.uses());
    let mut stream = TcpStream::connect(monitor).unwrap();
    stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    let mut metrics = String::new();
    stream.read_to_string(&mut metrics).unwrap();
    assert!(metrics.contains("icnd_peer_requests") && !metrics.contains("did:"), "{metrics}");
}

#[test]
fn without_a_key_that_is_bound_to_a_did_nobody_is_served() {
    let node = Node::age();
    let (_daemon, peers, monitor) = serving(&node, "");
    // No TLS at all.
    let mut plain = TcpStream::connect(peers).unwrap();
    plain.write_all(b"GET /health HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    let mut answer = Vec::new();
    let _ = plain.read_to_end(&mut answer);
    assert!(!answer.starts_with(b"HTTP"), "{answer:?}");
    // TLS without a certificate, and with one that no DID has signed for.
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    let (key, certificate) = (path("key.pem"), path("certificate.pem"));
    let mut made = Command::new("openssl");
    made.args(["req", "-x509", "-newkey", "ed25519", "-noenc", "-subj", "/CN=x", "-keyout", &key]);
    let subject = format!("subjectAltName=URI:{}", node.did());
    made.args(["-out", &certificate, "-addext", &subject]);
    let ran = run(&mut made, b"");
    assert_eq!(ran.code, 0, "{}", ran.err);
    let url = format!("https://{peers}/health");
    let curl = |with: &[&str]| {
        let mut curl = Command::new("curl");
        curl.args(["--silent", "--insecure", "--max-time", "20", &url]).args(with);
        run(&mut curl, b"")
    };
    for with in [&[][..], &["--cert", &certificate, "--key", &key]] {
        let ran = curl(with);
        assert!(ran.code != 0 && ran.out.is_empty(), "{with:?}: {ran:?}");
    }
    until(|| handshakes(monitor, "failed") + handshakes(monitor, "refused") == 3);
    assert_eq!(handshakes(monitor, "accepted"), 0);
    // Who shows one is.
    Caller::of(&node.did()).asks(peers, "GET /health").unwrap();
    assert_eq!(handshakes(monitor, "accepted"), 1);
}

/// The book of the home counts at the next handshake, as everywhere.
#[test]
fn peers_of_the_book_alone_are_served_where_that_is_configured() {
    let node = Node::age();
    let (_daemon, peers, monitor) = serving(&node, "tls_peers = \"book\"");
    let [known, stranger] = [(); 2].map(|()| Caller::of(&node.did()));
    known.asks(peers, "GET /health").unwrap_err();
    node.home.ok(&["peer", "allow", known.bundle.did().as_str(), "--name", "known"], b"");
    assert_eq!(known.asks(peers, "GET /health").unwrap().status, 200);
    stranger.asks(peers, "GET /health").unwrap_err();
    node.home.ok(&["peer", "remove", known.bundle.did().as_str()], b"");
    known.asks(peers, "GET /health").unwrap_err();
    until(|| handshakes(monitor, "refused") == 3);
}

/// By itself, when it is due, with a line in the log; peers meet the new one, and none is
/// refused meanwhile.
#[test]
fn the_daemon_renews_its_certificate_by_itself_and_shows_the_new_one() {
    let node = Node::age();
    node.shorten();
    let before = node.open().binding();
    let (daemon, peers, _) = serving(&node, "");
    let caller = Caller::of(&node.did());
    let mut seen = vec![caller.asks(peers, "GET /health").unwrap().peer];
    assert_eq!(seen[0].instance(), before.instance().unwrap());
    let start = Instant::now();
    while seen.len() < 3 {
        assert!(start.elapsed() < PATIENCE, "{}", daemon.log());
        std::thread::sleep(Duration::from_millis(100));
        let peer = caller.asks(peers, "GET /health").unwrap().peer;
        if peer.sequence() != seen.last().unwrap().sequence() {
            seen.push(peer);
        }
    }
    assert!(seen.windows(2).all(|pair| pair[0].sequence() < pair[1].sequence()), "{seen:?}");
    assert!(seen.iter().all(|peer| peer.instance() == before.instance().unwrap()));
    let status = daemon.get("/v1/status").ok();
    assert!(status["certificate_not_after"].is_string());
    // Each was written down before, and is in the files.
    let renewed = |line: &&Value| line["event"] == "renew" && line["result"] == "allowed";
    assert!(node.audit().iter().filter(renewed).count() >= 2);
    assert!(node.open().binding().sequence() >= seen[2].sequence());
}

/// What is due when it is opened is renewed by a use of the key of its own.
#[test]
fn what_is_due_at_an_unlocking_is_renewed_with_a_line_of_its_own() {
    let node = Node::age();
    node.shorten();
    let before = node.open().binding();
    node.configure(&format!(
        "start_locked = true\n{}",
        client("tests", own_uid(), r#"may = ["admin"]"#)
    ));
    let daemon = node.start();
    std::thread::sleep(Duration::from_secs(6));
    daemon.post("/v1/unlock", &json!({ "credential": PASSPHRASE })).ok();
    let audit = node.audit();
    let of = |event: &str| audit.iter().position(|line| line["event"] == event);
    assert!(of("unlock").unwrap() < of("renew").unwrap(), "{audit:?}");
    assert!(node.open().binding().sequence() > before.sequence());
}

/// Long before its own is due.
#[test]
fn what_another_process_has_renewed_is_shown_after_a_hang_up_or_a_minute() {
    let node = Node::age();
    let (daemon, peers, _) = serving(&node, "");
    let caller = Caller::of(&node.did());
    let epoch = || caller.asks(peers, "GET /health").unwrap().peer.epoch();
    let before = epoch();
    node.home.ok(&["id", "renew", "--all-instances"], b"");
    let begun = node.open().binding().epoch();
    assert!(begun > before);
    assert_eq!(epoch(), before, "nothing has told it");
    daemon.signal(rustix::process::Signal::HUP);
    until(|| epoch() == begun);
    // Nobody has, and it looks by itself.
    node.home.ok(&["id", "renew", "--all-instances"], b"");
    let begun = node.open().binding().epoch();
    let start = Instant::now();
    while epoch() != begun {
        assert!(start.elapsed() < Duration::from_secs(90), "{}", daemon.log());
        std::thread::sleep(Duration::from_millis(500));
    }
}

/// Nobody has to show a certificate of the new epoch first; nor after a restart.
#[test]
fn certificates_from_before_the_epoch_of_the_daemon_itself_are_refused_at_once() {
    for peers in ["any", "book"] {
        let node = Node::age();
        let more = format!("tls_peers = {peers:?}");
        let (mut daemon, address, _) = serving(&node, &more);
        node.home.ok(&["peer", "allow", node.did().as_str(), "--name", "ourselves"], b"");
        let of_client = RemoteIdentity::connect(&daemon.socket, node.did()).unwrap().tls().unwrap();
        let client = of_client.tls_client(&named()).unwrap();
        let asked = |address| asks(address, &client, &node.did(), "GET /health");
        assert_eq!(asked(address).unwrap().status, 200);
        let before = of_client.binding().epoch();
        node.home.ok(&["id", "renew", "--all-instances"], b"");
        daemon.signal(rustix::process::Signal::HUP);
        until(|| daemon.get("/v1/status").ok()["epoch"].as_u64().unwrap() > before);
        asked(address).unwrap_err();
        daemon.signal(rustix::process::Signal::TERM);
        daemon.ends();
        let (daemon, address, monitor) = serving(&node, &more);
        asked(address).unwrap_err();
        until(|| handshakes(monitor, "refused") == 1);
        // What is made in the new epoch is accepted.
        of_client.renew().unwrap();
        assert_eq!(asked(address).unwrap().status, 200);
        drop(daemon);
    }
}

#[test]
fn while_it_is_locked_no_peer_is_answered_and_its_tls_key_is_gone() {
    let node = Node::age();
    let (daemon, peers, monitor) = serving(&node, "");
    let caller = Caller::of(&node.did());
    let secret = node.open().companions().tls_private_key_der();
    let seed = &secret[secret.len() - 32..];
    assert!(crate::secrets::found(&daemon, seed) > 0, "while it is open, it is there");
    // One in the middle of its handshake, and one that is served, hold the key.
    let mut begun = TcpStream::connect(peers).unwrap();
    begun.write_all(b"\x16\x03\x01\x02").unwrap();
    let socket = TcpStream::connect(peers).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut open = tls::connect(socket, &caller.client, &node.did()).unwrap();
    until(|| handshakes(monitor, "accepted") == 1);
    let start = Instant::now();
    daemon.post("/v1/lock", &json!({})).ok();
    assert!(start.elapsed() < Duration::from_secs(4), "{:?}", start.elapsed());
    assert_eq!(crate::secrets::found(&daemon, seed), 0);
    let _ = open.write_all(b"GET /health HTTP/1.1\r\nHost: a\r\n\r\n");
    let mut answer = String::new();
    let _ = open.read_to_string(&mut answer);
    assert_eq!(answer, "");
    caller.asks(peers, "GET /health").unwrap_err();
    assert!(handshakes(monitor, "locked") >= 1);
    daemon.post("/v1/unlock", &json!({ "credential": PASSPHRASE })).ok();
    assert_eq!(caller.asks(peers, "GET /health").unwrap().status, 200);
}

/// Connections that do nothing, handshakes that come slowly, requests that never end.
#[test]
fn peers_that_do_nothing_keep_nobody_away() {
    let node = Node::age();
    let (daemon, peers, monitor) = serving(&node, "");
    let caller = Caller::of(&node.did());
    let idle: Vec<TcpStream> = (0..400).map(|_| TcpStream::connect(peers).unwrap()).collect();
    until(|| handshakes(monitor, "no-room") >= 400 - 128);
    assert_eq!(caller.asks(peers, "GET /health").unwrap().status, 200);
    // Those that are left have 5 seconds.
    until(|| handshakes(monitor, "no-room") + handshakes(monitor, "late") >= 400);
    drop(idle);
    // A request that does not come has 10.
    let socket = TcpStream::connect(peers).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut slow = tls::connect(socket, &caller.client, &node.did()).unwrap();
    let start = Instant::now();
    let mut answer = Vec::new();
    slow.write_all(b"GET /health HTT").unwrap();
    let _ = slow.read_to_end(&mut answer);
    assert!(start.elapsed() < Duration::from_secs(15) && answer.is_empty(), "{answer:?}");
    // Clients on the socket have noticed nothing.
    daemon.get("/v1/status").ok();
}

#[test]
fn no_peer_is_served_where_no_address_is_configured() {
    let node = Node::age();
    node.allow(ALL);
    let daemon = node.start();
    assert!(!daemon.log().contains("serves peers"), "{}", daemon.log());
    let table = std::fs::read_to_string(format!("/proc/{}/net/tcp", daemon.pid())).unwrap();
    let inodes: Vec<&str> =
        table.lines().filter_map(|line| line.split_whitespace().nth(9)).collect();
    let files = std::fs::read_dir(format!("/proc/{}/fd", daemon.pid())).unwrap();
    for file in files {
        let target = std::fs::read_link(file.unwrap().path()).unwrap_or_default();
        let target = target.to_string_lossy().into_owned();
        let inode = target.strip_prefix("socket:[").and_then(|inode| inode.strip_suffix(']'));
        assert!(inode.is_none_or(|inode| !inodes.contains(&inode)), "{target}");
    }
    // An address that is taken is said before it is ready.
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let other = Node::age();
    let clients = client("tests", own_uid(), ALL);
    other.configure(&format!("tls = \"{}\"\n{clients}", taken.local_addr().unwrap()));
    let (code, said) = other.fails();
    assert!(code == 1 && said.contains("`tls`") && said.contains("  try: "), "{said}");
}
