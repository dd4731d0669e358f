//! One user who takes what there is: others are served all the same.

use std::collections::VecDeque;
use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, connect, socket_with};
use serde_json::json;
use support::softhsm::SoftHsm;
use support::user::by_user;

use crate::curl::{OTHER, STRANGER};
use crate::monitor::{get, monitored_with, value};
use crate::node::{Answer, Daemon, Node, PATIENCE, client, own_uid, posted};

const SIGN: &str = "may = [\"sign\"]\ncontexts = [\"a\"]";

fn signs(daemon: &Daemon) {
    let start = Instant::now();
    daemon.post("/v1/sign", &json!({ "context": "a", "message": "" })).ok();
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
}

/// Connections of another user, on each of which this was sent.
fn connections(daemon: &Daemon, uid: u32, count: usize, sent: &[u8]) -> Vec<UnixStream> {
    by_user(uid, uid, || {
        let connect = |_| {
            let mut stream = UnixStream::connect(&daemon.socket).unwrap();
            stream.set_read_timeout(Some(PATIENCE)).unwrap();
            // It may be closed already.
            let _ = stream.write_all(sent);
            stream
        };
        (0..count).map(connect).collect()
    })
}

fn limited(others_may: Option<&str>, limits: &str) -> Node {
    let node = Node::age();
    node.configure(&clients(others_may, limits));
    node
}

fn clients(others_may: Option<&str>, limits: &str) -> String {
    let others = others_may.map(|may| client("other", OTHER, may)).unwrap_or_default();
    format!("{limits}\n{}{others}", client("tests", own_uid(), SIGN))
}

#[test]
fn a_client_whose_bodies_do_not_come_keeps_no_other_client_out() {
    let node = limited(Some(""), "max_connections = 20");
    let daemon = node.start();
    let stalled = b"POST /v1/challenge HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n{";
    let mut held = connections(&daemon, OTHER, 20, stalled);
    for _ in 0..20 {
        signs(&daemon);
        held.extend(connections(&daemon, OTHER, 2, stalled));
    }
}

/// Neither by holding connections nor by making them anew; and a client that is there already
/// stays.
#[test]
fn who_is_no_client_and_only_connects_keeps_no_client_out() {
    let node = limited(None, "max_connections = 10");
    let daemon = node.start();
    let mut kept = daemon.connect();
    let status = b"GET /v1/status HTTP/1.1\r\nHost: a\r\n\r\n";
    let mut asks = || {
        kept.write_all(status).unwrap();
        let mut answer = [0; 4096];
        let length = kept.read(&mut answer).unwrap();
        assert!(answer[..length].starts_with(b"HTTP/1.1 200"));
    };
    asks();
    let mut held = connections(&daemon, STRANGER, 200, b"");
    for _ in 0..10 {
        signs(&daemon);
        held.extend(connections(&daemon, STRANGER, 50, b""));
    }
    asks();
    // What they hold is closed soon: they have asked for nothing.
    let start = Instant::now();
    for stream in &mut held {
        let _ = stream.read_to_end(&mut Vec::new());
    }
    assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
    // Whoever of them asks is told why, and the connection ends.
    let mut one = connections(&daemon, STRANGER, 1, status).pop().unwrap();
    let mut answer = String::new();
    one.read_to_string(&mut answer).unwrap();
    let answer = Answer::parse(&answer);
    answer.problem(403, "not-a-client");
    assert!(answer.headers.contains("connection: close"), "{answer:?}");
}

/// As fast as several threads can, holding what they get: the others find room in the queue of
/// the system, also who does not wait for it, as curl.
#[test]
fn whoever_connects_without_end_keeps_no_client_out_of_the_queue() {
    for others_may in [Some(""), None] {
        let node = limited(others_may, "");
        let daemon = node.start();
        let (is_over, made) = (AtomicBool::new(false), AtomicUsize::new(0));
        let (refused, tried) = std::thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| {
                    by_user(OTHER, OTHER, || {
                        let mut held = VecDeque::new();
                        while !is_over.load(Ordering::Relaxed) {
                            held.extend(UnixStream::connect(&daemon.socket));
                            made.fetch_add(1, Ordering::Relaxed);
                            if held.len() > 400 {
                                held.pop_front();
                            }
                        }
                    });
                });
            }
            std::thread::sleep(Duration::from_secs(1));
            let (mut refused, start) = (0, Instant::now());
            let mut tried = 0;
            while start.elapsed() < Duration::from_secs(4) {
                tried += 1;
                refused += usize::from(!connects_at_once(&daemon));
                std::thread::sleep(Duration::from_millis(20));
            }
            signs(&daemon);
            is_over.store(true, Ordering::Relaxed);
            (refused, tried)
        });
        let made = made.into_inner();
        println!("{others_may:?}: {refused} of {tried}, beside {made}");
        assert!(made > 5_000 && tried > 40, "{made} {tried}");
        assert!(refused * 10 <= tried, "{refused} of {tried}, beside {made}");
    }
}

/// Without waiting until there is room.
fn connects_at_once(daemon: &Daemon) -> bool {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None).unwrap();
    connect(&socket, &SocketAddrUnix::new(&daemon.socket).unwrap()).is_ok()
}

/// A device that takes its time: who has asked for it once does not wait for all that somebody
/// else has asked for.
#[test]
fn each_user_has_its_turn_with_a_slow_device() {
    let hsm = SoftHsm::with_token("node");
    let node = Node::of(hsm.faulty_identity("node"));
    node.configure(&clients(Some(SIGN), "max_queued = 40"));
    let daemon = node.start();
    hsm.script("on C_Sign all sleep 100");
    let request = posted("/v1/sign", &json!({ "context": "a", "message": "" }).to_string(), "");
    let mut held = connections(&daemon, OTHER, 100, request.as_bytes());
    for _ in 0..5 {
        signs(&daemon);
        held.extend(connections(&daemon, OTHER, 10, request.as_bytes()));
    }
}

/// However many of its requests are under way: another client has a connection, and its turn.
#[test]
fn a_client_whose_connections_are_all_at_work_keeps_no_other_client_out() {
    let hsm = SoftHsm::with_token("node");
    let node = Node::of(hsm.faulty_identity("node"));
    node.configure(&clients(Some(SIGN), "max_connections = 4"));
    let daemon = node.start();
    hsm.script("on C_Sign all sleep 800");
    let request = posted("/v1/sign", &json!({ "context": "a", "message": "" }).to_string(), "");
    let held = connections(&daemon, OTHER, 4, request.as_bytes());
    let at_work = |line: &serde_json::Value| line["client"] == "other";
    let start = Instant::now();
    while node.audit().into_iter().filter(at_work).count() < held.len() {
        assert!(start.elapsed() < PATIENCE, "{:?}", node.audit());
        std::thread::sleep(Duration::from_millis(10));
    }
    signs(&daemon);
    // Its own are done, too.
    for mut stream in held {
        let mut answer = [0; 12];
        stream.read_exact(&mut answer).unwrap();
        assert_eq!(&answer, b"HTTP/1.1 200");
    }
}

/// Many more than there may be connections: what was allowed was done, and who was turned away
/// was told, and counted.
#[test]
fn of_those_who_find_no_room_each_is_told_and_counted_and_nothing_is_begun_and_cut_off() {
    let node = Node::age();
    let limits = "max_connections = 8\nmonitor = \"127.0.0.1:0\"";
    let (daemon, address) = monitored_with(&node, &clients(None, limits));
    let request = posted(
        "/v1/sign",
        &json!({ "context": "a", "message": "" }).to_string(),
        "Connection: close\r\n",
    );
    let is_over = AtomicBool::new(false);
    let asks = || {
        let mut answers = Vec::new();
        while !is_over.load(Ordering::Relaxed) {
            let mut stream = daemon.connect();
            // It may be closed already; what was sent before that is there.
            let _ = stream.write_all(request.as_bytes());
            let mut text = Vec::new();
            let _ = stream.read_to_end(&mut text);
            answers.push(String::from_utf8(text).unwrap());
        }
        answers
    };
    let answers: Vec<String> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..24).map(|_| scope.spawn(asks)).collect();
        std::thread::sleep(Duration::from_secs(3));
        is_over.store(true, Ordering::Relaxed);
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    let of = |status: &str| answers.iter().filter(|text| text.starts_with(status)).count();
    let (done, refused) = (of("HTTP/1.1 200"), of("HTTP/1.1 429"));
    println!("{done} done, {refused} refused");
    assert_eq!(done + refused, answers.len(), "each has an answer");
    assert!(done > 8 && refused > 8, "{done} {refused}");
    for text in answers.iter().filter(|text| text.starts_with("HTTP/1.1 429")) {
        let answer = Answer::parse(text);
        assert_eq!(answer.body["code"], "busy", "{answer:?}");
        assert!(answer.headers.contains("retry-after: "), "{answer:?}");
    }
    let metrics = get(address, "/metrics").1;
    let turned_away = value(&metrics, "icnd_turned_away_total");
    assert!(turned_away > 0.5, "{turned_away}");
    let start = Instant::now();
    let refusals = || -> u64 {
        let audit = node.audit().into_iter().filter(|line| line["result"] == "refused");
        audit.map(|line| line["count"].as_u64().unwrap_or(1)).sum()
    };
    let refused = u64::try_from(refused).unwrap();
    while refusals() < refused {
        assert!(start.elapsed() < PATIENCE, "{} of {refused}", refusals());
        std::thread::sleep(Duration::from_millis(500));
    }
    assert_eq!(refusals(), refused);
    let audit = node.audit();
    let of_signing = |result: &str| {
        audit.iter().filter(|line| line["event"] == "sign" && line["result"] == result).count()
    };
    assert_eq!((of_signing("allowed"), of_signing("failed")), (done, 0));
    let counted = audit.iter().find(|line| line["reason"] == "not-recorded").unwrap();
    assert_eq!(counted["client"], "tests", "{counted}");
}

/// Of each user some have a line; how many more there were is in another one.
#[test]
fn refusals_that_have_no_line_are_counted_in_one() {
    let node = limited(None, "");
    let daemon = node.start();
    let status = b"GET /v1/status HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    let mut refused = 0;
    for uid in [100_000, 100_001] {
        for _ in 0..400 {
            for mut stream in connections(&daemon, uid, 1, status) {
                let _ = stream.read_to_end(&mut Vec::new());
                refused += 1;
            }
        }
    }
    let start = Instant::now();
    let counted = || -> u64 {
        let audit = node.audit();
        let lines = audit.iter().filter(|line| line["event"] == "connect");
        lines.map(|line| line["count"].as_u64().unwrap_or(1)).sum()
    };
    while counted() < refused {
        assert!(start.elapsed() < PATIENCE, "{} of {refused}", counted());
        std::thread::sleep(Duration::from_millis(500));
    }
    assert_eq!(counted(), refused);
    let audit = node.audit();
    let summary = audit.iter().find(|line| line["count"].is_u64()).unwrap();
    assert_eq!(
        (&summary["result"], &summary["reason"]),
        (&json!("refused"), &json!("not-recorded"))
    );
    assert!(daemon.log().contains("has no line in the audit log"), "{}", daemon.log());
}
