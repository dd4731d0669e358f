//! What comes on the socket that is no request, or too much of one: others are served.

use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use rustix::process::{Resource, Rlimit};
use serde_json::json;

use crate::node::{Answer, Daemon, Node, posted};

const SIGN: &str = "may = [\"sign\"]\ncontexts = [\"a\"]";

fn served(daemon: &Daemon) {
    daemon.post("/v1/sign", &json!({ "context": "a", "message": "" })).ok();
}

fn node() -> Node {
    let node = Node::age();
    node.allow(SIGN);
    node
}

#[test]
fn what_is_too_long_is_413_and_read_no_further() {
    let node = node();
    let daemon = node.start();
    let longest = 64 * 1024;
    let message = |length: usize| {
        let body = json!({ "context": "a", "message": "" }).to_string();
        body.clone() + &" ".repeat(length - body.len())
    };
    daemon.post_text("/v1/sign", &message(longest)).ok();
    let long = daemon.post_text("/v1/sign", &message(longest + 1));
    long.problem(413, "too-large");
    assert!(long.headers.contains("connection: close"), "{long:?}");
    // Told by its length alone, and where it has none.
    let told = "POST /v1/sign HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999\r\n\r\n";
    daemon.send(told).problem(413, "too-large");
    let piece = format!("{:x}\r\n{}\r\n", 40_000, " ".repeat(40_000));
    let chunked = "POST /v1/sign HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
    daemon.send(&format!("{chunked}{piece}{piece}0\r\n\r\n")).problem(413, "too-large");
    // A head without end.
    let mut stream = daemon.connect();
    let _ = stream.write_all(format!("GET / HTTP/1.1\r\na: {}", "b".repeat(100_000)).as_bytes());
    let mut answer = String::new();
    let _ = stream.read_to_string(&mut answer);
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 431"), "{answer}");
    served(&daemon);
}

#[test]
fn garbage_and_what_is_cut_off_is_answered_or_closed() {
    let node = node();
    let daemon = node.start();
    for garbage in
        [&b"\x16\x03\x01\x02\0\x01\0\x01\xfc"[..], b"\0\0\0\0", b"hello\r\n\r\n", b"\n\n\n\n"]
    {
        let mut stream = daemon.connect();
        stream.write_all(garbage).unwrap();
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        let answer = String::from_utf8_lossy(&answer);
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 400"), "{answer}");
    }
    let whole = posted("/v1/sign", r#"{"context":"a","message":""}"#, "");
    for end in (0..whole.len()).step_by(7) {
        let mut stream = daemon.connect();
        stream.write_all(&whole.as_bytes()[..end]).unwrap();
        drop(stream);
    }
    for body in ["", "{", "[]", "null", "\u{feff}", "{\"context\":\"a\"}", "\0"] {
        daemon.post_text("/v1/sign", body).problem(400, "malformed");
    }
    let control = json!({ "context": "a\nb", "message": "" });
    daemon.post("/v1/sign", &control).problem(400, "malformed");
    daemon.get("/v1/nothing").problem(404, "not-found");
    let other = daemon.get("/v1/sign");
    other.problem(405, "method-not-allowed");
    assert!(other.headers.contains("allow: post"), "{other:?}");
    served(&daemon);
    // Nothing of it was a use, and what had an answer has its line.
    let uses = node.uses();
    let of = |result: &str, reason: &str| {
        uses.iter().filter(|(_, is, why)| is == result && why == reason).count()
    };
    assert_eq!((of("allowed", ""), of("refused", "not-found")), (1, 1), "{uses:?}");
    assert_eq!(of("refused", "method-not-allowed"), 1, "{uses:?}");
    assert!(of("refused", "malformed") >= 8, "{uses:?}");
}

#[test]
fn requests_in_a_row_are_answered_in_their_order() {
    let node = node();
    let daemon = node.start();
    let mut stream = daemon.connect();
    let get = |path: &str, close: &str| format!("GET {path} HTTP/1.1\r\nHost: a\r\n{close}\r\n");
    let sign = posted("/v1/sign", r#"{"context":"a","message":""}"#, "");
    let all = [
        get("/v1/status", ""),
        sign.clone(),
        get("/v1/nothing", ""),
        sign,
        get("/v1/did-document", "Connection: close\r\n"),
    ];
    stream.write_all(all.concat().as_bytes()).unwrap();
    let mut answers = String::new();
    stream.read_to_string(&mut answers).unwrap();
    let statuses: Vec<&str> =
        answers.split("HTTP/1.1 ").skip(1).map(|answer| &answer[..3]).collect();
    assert_eq!(statuses, ["200", "200", "404", "200", "200"]);
}

/// Byte by byte, heads and bodies: each ends at its time, and nobody waits for them.
#[test]
fn whoever_sends_slowly_is_not_waited_for() {
    let node = node();
    let daemon = node.start();
    let start = Instant::now();
    let mut heads: Vec<UnixStream> = (0..50).map(|_| daemon.connect()).collect();
    let mut bodies: Vec<UnixStream> = (0..50).map(|_| daemon.connect()).collect();
    for stream in &mut bodies {
        stream
            .write_all(b"POST /v1/sign HTTP/1.1\r\nHost: a\r\nContent-Length: 60\r\n\r\n{")
            .unwrap();
    }
    let line = b"GET /v1/status HTTP/1.1\r\nHost: a\r\nX-Slow: ";
    for second in 0..13 {
        let byte = line.get(second).copied().unwrap_or(b'a');
        for stream in heads.iter_mut().chain(&mut bodies) {
            // It may be closed already.
            let _ = stream.write_all(&[byte]);
        }
        let before = Instant::now();
        served(&daemon);
        assert!(before.elapsed() < Duration::from_secs(3), "{:?}", before.elapsed());
        std::thread::sleep(Duration::from_secs(1));
    }
    assert!(start.elapsed() < Duration::from_secs(50));
    for mut stream in heads {
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        assert!(answer.is_empty(), "{:?}", String::from_utf8_lossy(&answer));
    }
    for mut stream in bodies {
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        Answer::parse(&String::from_utf8(answer).unwrap()).problem(408, "deadline");
    }
}

/// More connections than there may be: those that do nothing make room, the one that was
/// used last stays.
#[test]
fn two_thousand_idle_connections_make_room() {
    let files = rustix::process::getrlimit(Resource::Nofile);
    let most = Rlimit { current: files.maximum, ..files };
    rustix::process::setrlimit(Resource::Nofile, most).unwrap();
    let node = node();
    let daemon = node.start();
    let mut idle = Vec::new();
    for number in 0..2000 {
        idle.push(UnixStream::connect(&daemon.socket).unwrap());
        if number % 100 == 0 {
            served(&daemon);
        }
    }
    served(&daemon);
    let closed = |stream: &mut UnixStream| {
        stream.set_read_timeout(Some(Duration::from_millis(1))).unwrap();
        // It is told that there are too many, before it ends.
        matches!(stream.read(&mut [0; 4096]), Ok(0))
    };
    let start = Instant::now();
    while idle.iter_mut().filter_map(|stream| closed(stream).then_some(())).count() < 900 {
        assert!(start.elapsed() < Duration::from_secs(30));
    }
    let latest = idle.last_mut().unwrap();
    assert!(!closed(latest));
    latest.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    latest.write_all(b"GET /v1/status HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    latest.read_to_string(&mut answer).unwrap();
    Answer::parse(&answer).ok();
}
