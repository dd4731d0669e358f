//! Killed at any call that has to do with the audit log, `icnd` has given out nothing without
//! its line, and the next one goes on with the chain.

use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::Path;

use icn_identity::audit::verify;
use serde_json::{Value, json};

use crate::node::{Daemon, Node, PATIENCE, posted};
use crate::tracer::{Call, Tracer};

const SIGN: &str = "may = [\"sign\"]\ncontexts = [\"a\"]";

fn request() -> String {
    posted("/v1/sign", &json!({ "context": "a", "message": "" }).to_string(), "")
}

/// The number of a request that was answered by a signature; none if the daemon was killed
/// before it could answer.
fn answer(daemon: &Daemon) -> Option<String> {
    let mut stream = UnixStream::connect(&daemon.socket).ok()?;
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(request().as_bytes()).ok()?;
    let (mut text, mut piece) = (Vec::new(), [0; 4096]);
    while let Ok(length) = stream.read(&mut piece) {
        text.extend_from_slice(&piece[..length]);
        if length == 0 || text.ends_with(b"\"}") {
            break;
        }
    }
    let text = String::from_utf8(text).unwrap();
    text.starts_with("HTTP/1.1 200").then(|| number(&text).to_owned())
}

/// Of the request, which its line has, too.
fn number(answer: &str) -> &str {
    answer.split("icn-request: ").nth(1).unwrap().split("\r\n").next().unwrap()
}

/// The numbers of the requests that have a line that something was signed for them.
fn signed(log: &Path) -> Vec<String> {
    let text = fs::read_to_string(log).unwrap();
    let lines = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    lines
        .filter(|line| line["event"] == "sign" && line["result"] == "allowed")
        .map(|line| line["request"].as_str().unwrap().to_owned())
        .collect()
}

fn node() -> Node {
    let node = Node::age();
    node.allow(SIGN);
    node
}

/// Who has read an answer finds its line; the next daemon goes on.
#[track_caller]
fn is_in_order(node: &Node, given_out: &[String], what: &str) {
    let log = node.home.path("audit.log");
    let lines = signed(&log);
    for number in given_out {
        assert!(lines.contains(number), "{what}: no line of {number}");
    }
    let daemon = node.start();
    let after = answer(&daemon).unwrap_or_else(|| panic!("{what}: {}", daemon.log()));
    let verified = verify(std::slice::from_ref(&log), None);
    assert!(verified.as_ref().is_ok_and(|log| log.is_whole), "{what}: {verified:?}");
    let lines = signed(&log);
    for number in given_out.iter().chain([&after]) {
        assert!(lines.contains(number), "{what}: no line of {number}");
    }
}

#[test]
fn a_daemon_killed_at_any_call_of_an_audit_write_has_given_out_nothing_without_its_line() {
    let node = node();
    let daemon = node.start();
    answer(&daemon).unwrap();
    let tracer = Tracer::attach(&daemon, &node, &[]);
    answer(&daemon).unwrap();
    let all = tracer.calls();
    drop(daemon);
    // What is done with the log and its note, and the sending of the answer.
    let of_log = |call: &&Call| call.text.contains("/audit.log");
    let sends = |call: &&Call| call.text.contains("HTTP/1.1 200") && !call.name.starts_with("re");
    let window: Vec<&Call> = all.iter().filter(|call| of_log(call) || sends(call)).collect();
    let names: Vec<&str> = window.iter().map(|call| call.name.as_str()).collect();
    for name in ["flock", "write", "fdatasync", "pwrite64"] {
        assert!(names.contains(&name), "{names:?}");
    }
    assert!(window.iter().any(sends), "{all:?}");
    let mut before_its_line = 0;
    for call in &window {
        let what = format!("killed at {} {}: {}", call.name, call.nth, call.text);
        let daemon = node.start();
        let mut given_out = vec![answer(&daemon).unwrap()];
        let had = signed(&node.home.path("audit.log")).len();
        let inject = format!("inject={}:signal=SIGKILL:when={}", call.name, call.nth);
        let trace = format!("trace={}", call.name);
        let mut tracer = Tracer::attach(&daemon, &node, &["-e", &trace, "-e", &inject]);
        given_out.extend(answer(&daemon));
        // What is counted may come a little later than in the run before.
        for _ in 0..20 {
            given_out.extend(answer(&daemon));
        }
        let seen = tracer.ends();
        assert!(seen.contains("killed by SIGKILL"), "{what}: {seen}");
        drop(daemon);
        let lines = signed(&node.home.path("audit.log")).len();
        before_its_line += usize::from(lines == had);
        is_in_order(&node, &given_out, &what);
    }
    println!("killed at {names:?}, {before_its_line} times before a line");
    // Before its line is there, and after it.
    assert!(before_its_line > 0 && before_its_line < window.len(), "{names:?}");
}

/// Many at work at the same time, whose lines are synced together.
#[test]
fn a_daemon_killed_while_many_are_at_work_has_given_out_nothing_without_its_line() {
    let node = node();
    let mut answered = 0;
    for (name, nth) in [("fdatasync", 3), ("write", 4), ("pwrite64", 5), ("flock", 9)] {
        let what = format!("killed at {name} {nth}");
        let daemon = node.start();
        let inject = format!("inject={name}:signal=SIGKILL:when={nth}");
        let mut tracer =
            Tracer::attach(&daemon, &node, &["-e", &format!("trace={name}"), "-e", &inject]);
        let given_out: Vec<String> = std::thread::scope(|scope| {
            let clients: Vec<_> = (0..8)
                .map(|_| scope.spawn(|| std::iter::from_fn(|| answer(&daemon)).collect()))
                .collect();
            clients.into_iter().flat_map(|client| client.join().unwrap_or(Vec::new())).collect()
        });
        // It may write its last line a little later.
        let seen = tracer.ends();
        assert!(seen.contains("killed by SIGKILL"), "{what}: {seen}");
        drop((tracer, daemon));
        answered += given_out.len();
        is_in_order(&node, &given_out, &what);
    }
    assert!(answered > 8, "{answered}");
}
