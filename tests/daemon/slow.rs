//! A device that takes its time, and a key that is looked at from time to time.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use support::softhsm::SoftHsm;
use support::user::by_user;

use crate::curl::STRANGER;
use crate::node::{Answer, Daemon, Node, PATIENCE, client, own_uid};
use crate::tracer::Tracer;

const ALL: &str = "may = [\"sign\", \"admin\"]\ncontexts = [\"a\"]";

fn signs(daemon: &Daemon) -> Answer {
    daemon.post("/v1/sign", &json!({ "context": "a", "message": "" }))
}

fn of(node: &Node, event: &str) -> Vec<(String, Option<String>)> {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let lines = node.audit().into_iter().filter(|line| line["event"] == event);
    lines.map(|line| (text(&line["result"]).unwrap(), text(&line["reason"]))).collect()
}

/// The key was used, or may be still: the log says that nobody was answered.
#[test]
fn what_the_device_has_not_done_in_time_is_504_and_has_its_second_line() {
    let hsm = SoftHsm::with_token("node");
    let node = Node::of(hsm.faulty_identity("node"));
    node.allow(ALL);
    let daemon = node.start();
    hsm.script("on C_Sign all sleep 11500");
    let late = signs(&daemon);
    late.problem(504, "deadline");
    assert!(late.body.get("signature").is_none(), "{late:?}");
    hsm.script("");
    signs(&daemon).ok();
    let allowed = ("allowed".to_owned(), None);
    let failed = ("failed".to_owned(), Some("deadline".to_owned()));
    assert_eq!(of(&node, "sign"), [allowed.clone(), failed, allowed]);
}

#[test]
fn where_too_many_wait_for_the_key_a_request_is_429_and_says_when_to_come_again() {
    let hsm = SoftHsm::with_token("node");
    let node = Node::of(hsm.faulty_identity("node"));
    node.configure(&format!("max_queued = 1\n{}", client("tests", own_uid(), ALL)));
    let daemon = node.start();
    hsm.script("on C_Sign all sleep 1500");
    let answers: Vec<Answer> = std::thread::scope(|scope| {
        let asked: Vec<_> = (0..24).map(|_| scope.spawn(|| signs(&daemon))).collect();
        asked.into_iter().map(|asked| asked.join().unwrap()).collect()
    });
    let (done, refused): (Vec<_>, Vec<_>) =
        answers.into_iter().partition(|answer| answer.status == 200);
    // Those at work, and the one who may wait.
    assert!(done.len() >= 2 && !refused.is_empty(), "{} {}", done.len(), refused.len());
    for answer in &refused {
        answer.problem(429, "busy");
        assert!(answer.headers.contains("retry-after: "), "{answer:?}");
    }
    let busy = |(result, reason): &&(String, Option<String>)| {
        result == "refused" && reason.as_deref() == Some("busy")
    };
    let lines = of(&node, "sign");
    assert_eq!(lines.iter().filter(busy).count(), refused.len(), "{lines:?}");
    assert_eq!(lines.len(), refused.len() + done.len(), "{lines:?}");
    hsm.script("");
    signs(&daemon).ok();
}

/// And is found to be away before a client asks.
#[test]
fn the_key_is_verified_from_time_to_time_and_no_pin_is_spent_on_it() {
    let hsm = SoftHsm::with_token("node");
    let node = Node::of(hsm.faulty_identity("node"));
    node.configure(&format!("verify_interval = 1\n{}", client("tests", own_uid(), ALL)));
    let daemon = node.start();
    let until = |what: &str, is_so: &dyn Fn() -> bool| {
        let start = Instant::now();
        while !is_so() {
            assert!(start.elapsed() < PATIENCE, "not {what}: {}", daemon.log());
            std::thread::sleep(Duration::from_millis(50));
        }
    };
    let logins = hsm.count("C_Login");
    let at = || daemon.get("/v1/status").ok()["verified_at"].clone();
    let first = at();
    until("verified", &|| of(&node, "verify").len() >= 3 && at() != first);
    assert_eq!(hsm.count("C_Login"), logins, "no PIN is sent for it");
    hsm.script("token removed");
    let away = ("failed".to_owned(), Some("device-away".to_owned()));
    until("missed", &|| of(&node, "verify").contains(&away));
    let missed = at();
    hsm.script("");
    until("verified again", &|| at() != missed);
    signs(&daemon).ok();
}

/// Whoever is refused is answered in time, too; the line comes when it can.
#[test]
fn a_refusal_whose_line_takes_longer_than_a_request_may_is_504_and_has_its_line_all_the_same() {
    let node = Node::age();
    node.allow(ALL);
    let daemon = node.start();
    let log = node.home.path("audit.log");
    let only = ["-P", log.to_str().unwrap(), "-e", "trace=fdatasync"];
    let slow = ["-e", "inject=fdatasync:delay_enter=14000000:when=1"];
    let _tracer = Tracer::attach(&daemon, &node, &[&only[..], &slow].concat());
    std::thread::scope(|scope| {
        let stranger = scope.spawn(|| by_user(STRANGER, STRANGER, || daemon.get("/v1/status")));
        daemon.get("/v1/nothing").problem(504, "deadline");
        stranger.join().unwrap().problem(504, "deadline");
    });
    let start = Instant::now();
    let is_there = |reason: &str| {
        node.audit().iter().any(|line| line["result"] == "refused" && line["reason"] == reason)
    };
    while !(is_there("not-found") && is_there("not-a-client")) {
        assert!(start.elapsed() < PATIENCE, "{:?}", node.audit());
        std::thread::sleep(Duration::from_millis(20));
    }
}
