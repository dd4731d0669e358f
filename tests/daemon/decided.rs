//! What is begun: decided by what is in force, done to its end, and true in the audit log.

use std::io::{Read as _, Write as _};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::{Value, json};
use support::home::PASSPHRASE;
use support::softhsm::SoftHsm;

use crate::node::{Answer, Daemon, Node, PATIENCE, client, own_uid, posted};

const ALL: &str = "may = [\"sign\", \"admin\"]\ncontexts = [\"a\"]";

fn request() -> String {
    posted(
        "/v1/sign",
        &json!({ "context": "a", "message": "" }).to_string(),
        "Connection: close\r\n",
    )
}

fn answer(mut stream: UnixStream) -> Answer {
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    Answer::parse(&text)
}

/// Waits for a line of the audit log.
#[track_caller]
fn wait_for(node: &Node, what: impl Fn(&Value) -> bool) {
    let start = Instant::now();
    while !node.audit().iter().any(&what) {
        assert!(start.elapsed() < PATIENCE, "{:?}", node.audit());
        thread::sleep(Duration::from_millis(10));
    }
}

fn is(line: &Value, event: &str, result: &str) -> bool {
    line["event"] == event && line["result"] == result
}

fn state(daemon: &Daemon) -> Value {
    daemon.get("/v1/status").ok()["state"].clone()
}

#[test]
fn a_client_that_was_taken_out_has_nothing_done_after_the_reload() {
    let node = Node::age();
    node.allow(ALL);
    let mut daemon = node.start();
    let mut half = daemon.connect();
    let whole = request();
    half.write_all(&whole.as_bytes()[..whole.len() - 1]).unwrap();
    // The head of it is there.
    thread::sleep(Duration::from_millis(200));
    node.configure(&client("other", 4242, ALL));
    daemon.signal(Signal::HUP);
    daemon.wait_for("READY=1");
    half.write_all(&whole.as_bytes()[whole.len() - 1..]).unwrap();
    answer(half).problem(403, "not-a-client");
    let audit = node.audit();
    assert!(!audit.iter().any(|line| is(line, "sign", "allowed")), "{audit:?}");
}

/// A reload is confirmed when what the old clients were allowed has been done.
#[test]
fn a_reload_waits_for_what_was_decided_before() {
    let hsm = SoftHsm::with_token("node");
    let node = Node::of(hsm.faulty_identity("node"));
    node.allow(ALL);
    let mut daemon = node.start();
    hsm.script("on C_Sign all sleep 1500");
    let mut at_work = daemon.connect();
    at_work.write_all(request().as_bytes()).unwrap();
    wait_for(&node, |line| is(line, "sign", "allowed"));
    node.configure(&client("other", 4242, ALL));
    daemon.signal(Signal::HUP);
    daemon.wait_for("READY=1");
    // It is there already.
    at_work.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
    answer(at_work).ok();
    let audit = node.audit();
    let at = |event: &str| audit.iter().position(|line| line["event"] == event).unwrap();
    assert!(at("sign") < at("reload"), "{audit:?}");
}

#[test]
fn who_has_sent_a_request_and_says_no_more_has_its_answer() {
    let node = Node::age();
    node.allow(ALL);
    let daemon = node.start();
    let mut half = daemon.connect();
    half.write_all(request().as_bytes()).unwrap();
    half.shutdown(Shutdown::Write).unwrap();
    answer(half).ok();
}

/// What the log says was done: also where nobody waits for the answer.
#[test]
fn a_lock_is_done_also_where_nobody_waits_for_it() {
    let node = Node::age();
    node.allow(ALL);
    let daemon = node.start();
    for _ in 0..5 {
        let mut gone = daemon.connect();
        gone.write_all(posted("/v1/lock", "{}", "").as_bytes()).unwrap();
        drop(gone);
        wait_for(&node, |line| is(line, "lock", "allowed"));
        let start = Instant::now();
        while state(&daemon) != "locked" {
            assert!(start.elapsed() < Duration::from_secs(5), "{:?}", node.audit());
            thread::sleep(Duration::from_millis(10));
        }
        daemon.post("/v1/unlock", &json!({ "credential": PASSPHRASE })).ok();
        std::fs::rename(node.home.path("audit.log"), node.home.path("audit.log.1")).unwrap();
        // The next round looks for its own line.
        daemon.signal(Signal::HUP);
        daemon.post("/v1/sign", &json!({ "context": "a", "message": "" })).ok();
    }
}

fn locked(hsm: &SoftHsm) -> (Node, Daemon) {
    let node = Node::of(hsm.faulty_identity("node"));
    node.configure(&format!("start_locked = true\n{}", client("tests", own_uid(), ALL)));
    let daemon = node.start();
    (node, daemon)
}

fn logins(calls: &[String]) -> usize {
    calls.iter().filter(|call| call.starts_with("C_Login ")).count()
}

/// Ten at once, of which each would be a try: one is sent.
#[test]
fn one_unlocks_at_a_time_and_the_others_are_sent_nowhere() {
    let hsm = SoftHsm::with_token("node");
    let (node, daemon) = locked(&hsm);
    hsm.script("on C_Login all sleep 1500");
    let credential = json!({ "credential": "12345670" });
    let (statuses, calls) = hsm.calls(|| {
        thread::scope(|scope| {
            let one = || daemon.post("/v1/unlock", &credential);
            let all: Vec<_> = (0..6).map(|_| scope.spawn(one)).collect();
            all.into_iter().map(|one| one.join().unwrap()).collect::<Vec<_>>()
        })
    });
    let busy = statuses.iter().filter(|answer| answer.status == 429);
    assert_eq!(busy.inspect(|answer| answer.problem(429, "busy")).count(), 5, "{statuses:?}");
    assert_eq!(logins(&calls), 1, "{calls:?}");
    let refused = |line: &&Value| is(line, "unlock", "refused");
    assert_eq!(node.audit().iter().filter(refused).count(), 5);
}

/// A lock wins over an unlocking that is under way, whose line says that it came to nothing.
#[test]
fn an_unlocking_that_a_lock_overtakes_opens_nothing() {
    let hsm = SoftHsm::with_token("node");
    let (node, daemon) = locked(&hsm);
    hsm.script("on C_Login all sleep 1500");
    let credential = json!({ "credential": support::softhsm::PIN });
    thread::scope(|scope| {
        let unlock = scope.spawn(|| daemon.post("/v1/unlock", &credential));
        wait_for(&node, |line| is(line, "unlock", "allowed"));
        daemon.post("/v1/lock", &json!({})).ok();
        unlock.join().unwrap().problem(503, "locked");
    });
    assert_eq!(state(&daemon), "locked");
    let audit = node.audit();
    assert!(audit.iter().any(|line| is(line, "unlock", "failed")), "{audit:?}");
    hsm.script("");
    daemon.post("/v1/unlock", &credential).ok();
    assert_eq!(state(&daemon), "unlocked");
}

/// However many have asked to unlock: the end comes soon, and no PIN is sent after it was
/// asked for.
#[test]
fn no_unlocking_is_begun_when_it_ends() {
    let hsm = SoftHsm::with_token("node");
    let (node, mut daemon) = locked(&hsm);
    hsm.script("on C_Login all sleep 1500");
    let body = json!({ "credential": "12345670" }).to_string();
    let (held, calls) = hsm.calls(|| {
        let held: Vec<UnixStream> = (0..8)
            .map(|_| {
                let mut stream = daemon.connect();
                stream.write_all(posted("/v1/unlock", &body, "").as_bytes()).unwrap();
                stream
            })
            .collect();
        wait_for(&node, |line| is(line, "unlock", "allowed"));
        let start = Instant::now();
        daemon.signal(Signal::TERM);
        assert_eq!(daemon.ends().code(), Some(0), "{}", daemon.log());
        assert!(start.elapsed() < Duration::from_secs(8), "{:?}", start.elapsed());
        held
    });
    assert!(logins(&calls) <= 1, "{calls:?}");
    drop(held);
    let audit = node.audit();
    let (allowed, failed) = (
        audit.iter().filter(|line| is(line, "unlock", "allowed")).count(),
        audit.iter().filter(|line| is(line, "unlock", "failed")).count(),
    );
    assert_eq!((allowed, failed), (1, 1), "{audit:?}");
    assert_eq!(audit.last().unwrap()["event"], "stop");
}

/// While it starts it is told so as well: a device may take its time.
#[test]
fn signals_before_it_is_ready_do_what_they_do_later() {
    let hsm = SoftHsm::with_token("node");
    let node = Node::of(hsm.faulty_identity("node"));
    node.allow(ALL);
    hsm.script("on C_Login all sleep 2000");
    let is_opening = |line: &Value| line["event"] == "unlock";
    let mut daemon = node.start_signalled(is_opening, Signal::HUP);
    daemon.wait_for("READY=1");
    wait_for(&node, |line| is(line, "reload", "allowed"));
    daemon.signal(Signal::TERM);
    assert_eq!(daemon.ends().code(), Some(0), "{}", daemon.log());
    std::fs::remove_file(node.home.path("audit.log")).unwrap();
    std::fs::remove_file(node.home.path("audit.log.head")).unwrap();
    let mut daemon = node.start_signalled(is_opening, Signal::TERM);
    assert_eq!(daemon.ends().code(), Some(0), "{}", daemon.log());
    assert_eq!(node.audit().last().unwrap()["event"], "stop");
    assert!(!node.socket().exists());
}

/// The log is where the configuration says, from the reload on.
#[test]
fn a_reload_goes_on_in_the_audit_log_that_is_configured_now() {
    let node = Node::age();
    node.allow(ALL);
    let mut daemon = node.start();
    let sign = || daemon_signs(&node);
    sign();
    let with = |path: &str| {
        let client = client("tests", own_uid(), ALL);
        node.configure(&format!("{client}[audit]\npath = {path:?}\n"));
    };
    with("other.log");
    daemon.signal(Signal::HUP);
    daemon.wait_for("READY=1");
    sign();
    let events = |name: &str| -> Vec<String> {
        icn_identity::audit::verify(&[node.home.path(name)], None).unwrap();
        let text = node.home.read(name);
        let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let events = lines.map(|line| line["event"].as_str().unwrap().to_owned());
        // What it does by itself comes when it comes.
        events.filter(|event| ["begin", "sign", "reload"].contains(&event.as_str())).collect()
    };
    assert_eq!(events("audit.log"), ["begin", "sign", "reload"]);
    assert_eq!(events("other.log"), ["begin", "reload", "sign"]);
    // Which log went before is known by the request of that line.
    let request = |name: &str| -> Value {
        let text = node.home.read(name);
        let mut lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        lines.find(|line| line["event"] == "reload").unwrap()["request"].clone()
    };
    assert!(request("audit.log").is_string());
    assert_eq!(request("audit.log"), request("other.log"));
    // Where there can be none, nothing changes.
    with("nowhere/there.log");
    daemon.signal(Signal::HUP);
    daemon.wait_for_line(|line| line.starts_with("STATUS=") && line.contains("was not read"));
    sign();
    assert_eq!(events("other.log"), ["begin", "reload", "sign", "reload", "sign"]);
}

fn daemon_signs(node: &Node) {
    let mut stream = UnixStream::connect(node.socket()).unwrap();
    stream.write_all(request().as_bytes()).unwrap();
    answer(stream).ok();
}
