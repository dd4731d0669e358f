//! A part of it panics, by a fault of the system that its libraries take for impossible.

use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;

use serde_json::json;
use support::user::by_user;

use crate::curl::STRANGER;
use crate::node::{Node, client, own_uid};
use crate::tracer::Tracer;

/// The keys of a map come from the system, and where it gives none the standard library panics:
/// in a thread that accepts, at the first connection there of who is no client.
#[test]
fn where_a_thread_that_accepts_panics_it_ends_with_1_and_waits_for_nobody_who_keeps_a_connection() {
    let node = Node::age();
    node.configure(&client("tests", own_uid(), "may = [\"sign\"]\ncontexts = [\"a\"]"));
    let mut daemon = node.start();
    let mut kept = daemon.connect();
    let body = json!({ "context": "a", "message": "" }).to_string();
    kept.write_all(crate::node::posted("/v1/sign", &body, "").as_bytes()).unwrap();
    let mut answer = [0; 4096];
    let length = kept.read(&mut answer).unwrap();
    assert!(answer[..length].starts_with(b"HTTP/1.1 200"));
    let inject = "inject=getrandom:error=EIO:when=1+";
    let tracer = Tracer::attach(&daemon, &node, &["-e", "trace=getrandom", "-e", inject]);
    by_user(STRANGER, STRANGER, || drop(UnixStream::connect(&daemon.socket).unwrap()));
    daemon.wait_for("STOPPING=1");
    let mut rest = Vec::new();
    kept.read_to_end(&mut rest).unwrap();
    assert_eq!(rest, b"");
    assert_eq!(daemon.ends().code(), Some(1), "{}", daemon.log());
    drop(tracer);
    let log = daemon.log();
    for said in [
        "panicked at",
        "what accepts connections has panicked",
        "icnd: a part of icnd has ended, without which it cannot serve clients",
        "  try: start icnd again",
    ] {
        assert!(log.contains(said), "{said}: {log}");
    }
    assert!(!log.contains("requests that were under way have not ended"), "{log}");
    assert_eq!(node.audit().last().unwrap()["event"], "stop");
    assert!(!node.socket().exists());
    // As it is said.
    node.start().post_text("/v1/sign", &body).ok();
}
