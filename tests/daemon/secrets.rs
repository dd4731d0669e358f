//! Where a credential is not: in no log, and in no memory of a daemon that is locked.

use std::fs::{self, File};
use std::os::unix::fs::FileExt as _;

use serde_json::json;
use support::home::PASSPHRASE;

use crate::node::{Daemon, Node, client, own_uid};

const ALL: &str = "may = [\"sign\", \"admin\"]\ncontexts = [\"a\"]";

/// How often any 16 bytes in a row of a text are in the memory of a process, at the first of
/// each eight bytes of the text.
fn found(daemon: &Daemon, text: &str) -> usize {
    let maps = fs::read_to_string(format!("/proc/{}/maps", daemon.pid())).unwrap();
    let memory = File::open(format!("/proc/{}/mem", daemon.pid())).unwrap();
    let pieces: Vec<&[u8]> = text.as_bytes().windows(16).step_by(4).collect();
    let mut count = 0;
    for line in maps.lines().filter(|line| line.contains(" rw")) {
        let (begin, end) = line.split(' ').next().unwrap().split_once('-').unwrap();
        let [begin, end] = [begin, end].map(|at| u64::from_str_radix(at, 16).unwrap());
        let mut bytes = vec![0; usize::try_from(end - begin).unwrap()];
        // Not everything that is mapped can be read.
        if memory.read_exact_at(&mut bytes, begin).is_err() {
            continue;
        }
        for piece in &pieces {
            count += bytes.windows(16).filter(|window| window == piece).count();
        }
    }
    count
}

#[test]
fn of_what_a_client_has_sent_to_unlock_nothing_is_left_when_it_is_locked() {
    let node = Node::age();
    node.configure(&format!("start_locked = true\n{}", client("tests", own_uid(), ALL)));
    let mut command = node.command();
    let daemon = node.start_by(command.env_remove("ICN_PASSPHRASE"));
    // What is not there cannot be left.
    assert_eq!(found(&daemon, PASSPHRASE), 0);
    daemon.post("/v1/unlock", &json!({ "credential": PASSPHRASE })).ok();
    assert!(found(&daemon, PASSPHRASE) > 0, "while it is open, it is there once");
    daemon.post("/v1/sign", &json!({ "context": "a", "message": "" })).ok();
    daemon.post("/v1/lock", &json!({})).ok();
    assert_eq!(found(&daemon, PASSPHRASE), 0);
    // Nor of one that was refused.
    let wrong = "another horse and another staple";
    daemon.post("/v1/unlock", &json!({ "credential": wrong })).problem(403, "credential-refused");
    assert_eq!(found(&daemon, wrong), 0);
}

#[test]
fn no_credential_is_in_a_log_however_much_is_logged() {
    for format in ["text", "json"] {
        let node = Node::age();
        node.allow(ALL);
        let mut command = node.command();
        command.args(["--log-level", "trace", "--log-format", format]);
        let daemon = node.start_by(&mut command);
        let wrong = "another horse and another staple";
        daemon.post("/v1/lock", &json!({})).ok();
        let refused = daemon.post("/v1/unlock", &json!({ "credential": wrong }));
        refused.problem(403, "credential-refused");
        daemon.post("/v1/unlock", &json!({ "credential": PASSPHRASE })).ok();
        daemon.post_text("/v1/unlock", "{\"credential\":\"a third horse").problem(400, "malformed");
        let all = daemon.log() + &node.home.read("audit.log");
        assert!(all.contains("serves"), "{all}");
        for secret in [wrong, PASSPHRASE, "a third horse"] {
            assert!(!all.contains(secret), "{all}");
        }
    }
}
