//! A reload is in force with its line, or not at all.

use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::thread;
use std::time::Duration;

use rustix::process::Signal;
use serde_json::{Value, json};
use support::softhsm::{PIN, SoftHsm};

use crate::node::{Answer, Daemon, Node, PATIENCE, client, own_uid, posted};
use crate::tracer::Tracer;

const ALL: &str = "may = [\"sign\", \"admin\"]\ncontexts = [\"a\"]";

fn signs(daemon: &Daemon) -> Answer {
    daemon.post("/v1/sign", &json!({ "context": "a", "message": "" }))
}

fn is_not_done(daemon: &mut Daemon) {
    daemon.signal(Signal::HUP);
    daemon.wait_for_line(|line| line.starts_with("STATUS=") && line.contains("was not read"));
}

/// The disk fails when all else was done.
#[test]
fn a_reload_whose_line_cannot_be_written_changes_nothing() {
    let node = Node::age();
    node.allow(ALL);
    let mut daemon = node.start();
    let may = |daemon: &Daemon| daemon.get("/v1/status").ok()["may"].clone();
    let before = may(&daemon);
    let narrow = client("tests", own_uid(), "may = []");
    // Of another log the first line is that it begins.
    for (log, more, when) in
        [("audit.log", "", "1+"), ("other.log", "[audit]\npath = \"other.log\"\n", "2+")]
    {
        node.configure(&format!("{narrow}{more}"));
        let path = node.home.path(log);
        let inject = format!("inject=fdatasync:error=EIO:when={when}");
        let path = ["-P", path.to_str().unwrap()];
        let options = [&path[..], &["-e", "trace=fdatasync", "-e", &inject]].concat();
        let tracer = Tracer::attach(&daemon, &node, &options);
        is_not_done(&mut daemon);
        let calls = tracer.calls();
        assert!(calls.iter().any(|call| call.text.contains("(INJECTED)")), "{log}: {calls:?}");
        assert_eq!(may(&daemon), before, "{log}");
        assert!(daemon.get("/v1/status").ok()["reload_failed_at"].is_string(), "{log}");
        signs(&daemon).ok();
        assert_eq!(node.audit().last().unwrap()["event"], "sign", "{log}");
    }
    // That it was allowed after all, and that it failed, are of one request.
    let audit = node.audit();
    let reloads: Vec<&Value> = audit.iter().filter(|line| line["event"] == "reload").collect();
    let [.., allowed, failed] = reloads[..] else { panic!("{reloads:?}") };
    assert_eq!((&allowed["result"], &failed["result"]), (&json!("allowed"), &json!("failed")));
    assert_eq!(allowed["request"], failed["request"]);
    daemon.signal(Signal::HUP);
    daemon.wait_for("STATUS=serves");
    assert_eq!(may(&daemon), json!([]));
}

/// What lies beside the log is taken by a reload that is done.
#[test]
fn a_reload_that_fails_takes_nothing_that_was_exchanged() {
    let node = Node::age();
    node.allow(ALL);
    let mut daemon = node.start();
    let (head, moved) = (node.home.path("audit.log.head"), node.home.beside("moved"));
    fs::rename(&head, &moved).unwrap();
    fs::copy(&moved, &head).unwrap();
    signs(&daemon).problem(503, "audit-unwritable");
    let good = node.home.read("icn.toml");
    node.home.write("icn.toml", "this is no TOML [");
    for _ in 0..2 {
        is_not_done(&mut daemon);
        signs(&daemon).problem(503, "audit-unwritable");
    }
    node.home.write("icn.toml", &good);
    daemon.signal(Signal::HUP);
    daemon.wait_for("STATUS=serves");
    signs(&daemon).ok();
    node.audit();
}

fn unlocking(socket: &Path, credential: &Value) -> Answer {
    let mut stream = UnixStream::connect(socket).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let request = posted("/v1/unlock", &credential.to_string(), "Connection: close\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    Answer::parse(&text)
}

/// It has taken so long that its client is none any more.
#[test]
fn a_client_that_was_taken_out_while_it_unlocks_opens_nothing() {
    let hsm = SoftHsm::with_token("node");
    let node = Node::of(hsm.faulty_identity("node"));
    let locked = |client: &str| node.configure(&format!("start_locked = true\n{client}"));
    let ours = client("tests", own_uid(), ALL);
    locked(&ours);
    let mut daemon = node.start();
    hsm.script("on C_Login all sleep 3000");
    let credential = json!({ "credential": PIN });
    for (now, code) in [
        (client("other", 4242, ALL), "not-a-client"),
        (client("tests", own_uid(), "may = []"), "not-permitted"),
    ] {
        let unlocks = |line: &Value| line["event"] == "unlock" && line["result"] == "allowed";
        let count = || node.audit().into_iter().filter(unlocks).count();
        let had = count();
        let socket = &daemon.socket.clone();
        let answer = thread::scope(|scope| {
            let unlock = scope.spawn(|| unlocking(socket, &credential));
            while count() == had {
                thread::sleep(Duration::from_millis(10));
            }
            locked(&now);
            daemon.signal(Signal::HUP);
            daemon.wait_for("STATUS=serves");
            // The reload has waited for it.
            let audit = node.audit();
            let at = |event: &str| audit.iter().rposition(|line| line["event"] == event).unwrap();
            let unlock_line = &audit[at("unlock")];
            assert_eq!(
                (&unlock_line["result"], &unlock_line["reason"]),
                (&json!("failed"), &json!(code))
            );
            assert!(at("unlock") < at("reload"), "{audit:?}");
            unlock.join().unwrap()
        });
        answer.problem(403, code);
        locked(&ours);
        daemon.signal(Signal::HUP);
        daemon.wait_for("STATUS=serves");
        assert_eq!(daemon.get("/v1/status").ok()["state"], "locked");
    }
    hsm.script("");
    daemon.post("/v1/unlock", &credential).ok();
}

/// Who is under way by the clients before is waited for, and meanwhile the line is not written:
/// what is allowed by then would be allowed by none if it never were.
#[test]
fn until_its_line_is_written_a_reload_allows_what_both_configurations_allow() {
    let hsm = SoftHsm::with_token("node");
    let node = Node::of(hsm.faulty_identity("node"));
    let allow = |contexts: &str| {
        let may = format!("may = [\"sign\", \"admin\"]\ncontexts = [{contexts}]");
        node.configure(&format!("start_locked = true\n{}", client("tests", own_uid(), &may)));
    };
    allow("\"a\", \"b\"");
    let mut daemon = node.start();
    hsm.script("on C_Login all sleep 5000");
    let sign = |context: &str| daemon.post("/v1/sign", &json!({"context": context, "message": ""}));
    let is_there = |event: &str| node.audit().iter().any(|line| line["event"] == event);
    thread::scope(|scope| {
        let (socket, credential) = (daemon.socket.clone(), json!({ "credential": PIN }));
        let unlock = scope.spawn(move || unlocking(&socket, &credential));
        while !is_there("unlock") {
            thread::sleep(Duration::from_millis(10));
        }
        allow("\"b\", \"c\"");
        daemon.signal(Signal::HUP);
        // While the key is locked, whoever may have a signature is told that.
        while sign("a").status != 403 {
            thread::sleep(Duration::from_millis(10));
        }
        sign("c").problem(403, "context-not-allowed");
        sign("b").problem(503, "locked");
        assert!(!is_there("reload"), "it waits");
        unlock.join().unwrap().ok();
    });
    daemon.wait_for("STATUS=serves");
    let sign = |context: &str| daemon.post("/v1/sign", &json!({"context": context, "message": ""}));
    sign("a").problem(403, "context-not-allowed");
    sign("c").ok();
    node.audit();
}
