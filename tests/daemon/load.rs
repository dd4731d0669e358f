//! Many clients at once, for a while.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::thread;

use serde_json::{Value, json};
use support::softhsm::SoftHsm;

use crate::node::{Daemon, Node, posted};

const CLIENTS: usize = 8;

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
fn resident(daemon: &Daemon) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", daemon.pid())).unwrap();
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

/// None fails, each leaves its line, and memory stays as it is.
fn bears(node: &Node, times: usize) {
    node.allow("may = [\"sign\"]\ncontexts = [\"a\"]");
    let daemon = node.start();
    all_sign(&daemon, times / 4);
    let before = resident(&daemon);
    all_sign(&daemon, times);
    let grown = resident(&daemon).saturating_sub(before);
    assert!(grown < 5 * 1024, "{before} KiB, and {grown} KiB more");
    assert_eq!(node.uses().len(), CLIENTS * (times + times / 4));
}

#[test]
fn eight_clients_sign_with_a_token_and_memory_stays_as_it_is() {
    let hsm = SoftHsm::with_token("node");
    bears(&Node::of(hsm.identity("node")), 400);
}

#[test]
fn eight_clients_sign_with_a_key_in_a_file_and_memory_stays_as_it_is() {
    bears(&Node::age(), 400);
}
