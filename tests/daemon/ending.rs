//! What is under way when the daemon is told to stop, and what the log says of it.

use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::{Value, json};
use support::home::run;
use support::softhsm::{PIN, SoftHsm};

use crate::node::{Daemon, Node, PATIENCE, client, own_uid, posted};

/// By the library of `faketime`: the program would stand in between.
fn later(offset: &str) -> [(&'static str, String); 2] {
    let told = run(Command::new("faketime").args([offset, "env"]), b"");
    ["LD_PRELOAD", "FAKETIME"].map(|name| {
        let line = told.out.lines().find_map(|line| line.strip_prefix(&format!("{name}=")));
        let set = line.unwrap_or_else(|| panic!("apt-get install faketime: {}", told.err));
        (name, set.to_owned())
    })
}

fn renewals(node: &Node) -> Vec<String> {
    let of_it = node.audit().into_iter().filter(|line| line["event"] == "renew");
    of_it.map(|line| line["result"].as_str().unwrap().to_owned()).collect()
}

/// The device takes its time for it, which the end waits for: what the log says is so.
#[test]
fn a_renewal_that_is_under_way_at_the_end_is_made_and_not_said_to_have_failed() {
    let hsm = SoftHsm::with_token("node");
    let node = Node::of(hsm.faulty_identity("node"));
    node.configure(&client("tests", own_uid(), "may = []"));
    let before = node.home.read("identity.json");
    hsm.script("on C_Sign all sleep 1500");
    let mut daemon = node.start_by(node.command().envs(later("+6 days")));
    let start = Instant::now();
    while renewals(&node).is_empty() {
        assert!(start.elapsed() < PATIENCE, "{}", daemon.log());
        std::thread::sleep(Duration::from_millis(10));
    }
    assert_eq!(node.home.read("identity.json"), before, "it is under way");
    daemon.signal(Signal::TERM);
    assert_eq!(daemon.ends().code(), Some(0), "{}", daemon.log());
    assert_eq!(renewals(&node), ["allowed"]);
    assert_ne!(node.home.read("identity.json"), before, "it was made");
    assert_eq!(node.audit().last().unwrap()["event"], "stop");
}

/// Started while its certificate is new; what the device does and what time it is comes then.
fn in_time(hsm: &SoftHsm, node: &Node, script: &str) -> Daemon {
    let clock = node.home.beside("clock");
    std::fs::write(&clock, "+0").unwrap();
    let [library, _] = later("+0 days");
    let mut daemon = node.start_by(
        node.command()
            .envs([library])
            .env("FAKETIME_TIMESTAMP_FILE", &clock)
            .envs(["FAKETIME_NO_CACHE", "FAKETIME_DONT_FAKE_MONOTONIC"].map(|name| (name, "1")))
            .env("DONT_FAKE_MONOTONIC", "1"),
    );
    hsm.script(script);
    std::fs::write(&clock, "+6d").unwrap();
    daemon.signal(Signal::HUP);
    daemon.wait_for("READY=1");
    let start = Instant::now();
    while renewals(node).is_empty() {
        assert!(start.elapsed() < PATIENCE, "{}", daemon.log());
        std::thread::sleep(Duration::from_millis(10));
    }
    daemon
}

/// Whoever reads the signals waits for no device, and so does who is taken out of the clients.
#[test]
fn a_device_that_hangs_after_a_reload_keeps_icnd_neither_from_reloading_nor_from_stopping() {
    let hsm = SoftHsm::with_token("node");
    let node = Node::of(hsm.faulty_identity("node"));
    node.configure(&client("tests", own_uid(), "may = []"));
    let mut daemon = in_time(&hsm, &node, "on C_Sign all sleep 400000");
    daemon.get("/v1/status").ok();
    node.configure(&client("others", own_uid() + 1, "may = []"));
    daemon.signal(Signal::HUP);
    daemon.wait_for("READY=1");
    daemon.get("/v1/status").problem(403, "not-a-client");
    let start = Instant::now();
    daemon.signal(Signal::TERM);
    daemon.wait_for("STOPPING=1");
    assert!(start.elapsed() < Duration::from_secs(5), "{}", daemon.log());
    assert_eq!(daemon.ends().code(), Some(0), "{}", daemon.log());
    // The service manager kills it after 40 seconds.
    assert!(start.elapsed() < Duration::from_secs(38), "{}", daemon.log());
    is_unfinished(&node, "renew");
}

/// Also where nobody waits for it any more.
#[test]
fn a_renewal_that_fails_while_icnd_ends_has_its_second_line() {
    let hsm = SoftHsm::with_token("node");
    let node = Node::of(hsm.faulty_identity("node"));
    node.configure(&client("tests", own_uid(), "may = []"));
    let script = "on C_Sign all sleep 11000\non C_Sign all return CKR_DEVICE_ERROR";
    let mut daemon = in_time(&hsm, &node, script);
    daemon.signal(Signal::TERM);
    assert_eq!(daemon.ends().code(), Some(0), "{}", daemon.log());
    assert_eq!(renewals(&node), ["allowed", "failed"], "{}", daemon.log());
}

fn of(node: &Node, event: &str) -> Vec<(String, Option<String>)> {
    let of_it = node.audit().into_iter().filter(|line| line["event"] == event);
    let text = |value: &Value| value.as_str().map(str::to_owned);
    of_it.map(|line| (text(&line["result"]).unwrap(), text(&line["reason"]))).collect()
}

fn is_unfinished(node: &Node, event: &str) {
    let unfinished = ("failed".to_owned(), Some("unfinished".to_owned()));
    assert_eq!(of(node, event), [("allowed".to_owned(), None), unfinished], "{:?}", node.audit());
    let audit = node.audit();
    assert_eq!(audit.last().unwrap()["event"], "stop");
    let lines: Vec<_> = audit.iter().filter(|line| line["event"] == event).collect();
    assert_eq!(lines[0]["request"], lines[1]["request"]);
}

/// The device may do it after all, or not: the log does not end as if it had been done.
#[test]
fn what_a_device_has_not_done_at_the_end_is_said_to_be_unfinished() {
    // A renewal, in the test of a device that hangs; an opening, while it starts.
    let hsm = SoftHsm::with_token("node");
    let node = Node::of(hsm.faulty_identity("node"));
    node.allow("may = [\"admin\"]");
    hsm.script("on C_Login all sleep 400000");
    let opening = |line: &Value| line["event"] == "unlock";
    let mut daemon = node.start_signalled(opening, Signal::TERM);
    assert_eq!(daemon.ends().code(), Some(0), "{}", daemon.log());
    is_unfinished(&node, "unlock");

    // And one that a client wants.
    for name in ["audit.log", "audit.log.head"] {
        std::fs::remove_file(node.home.path(name)).unwrap();
    }
    node.configure(&format!(
        "start_locked = true\n{}",
        client("tests", own_uid(), "may = [\"admin\"]")
    ));
    let mut daemon = node.start();
    let body = json!({ "credential": PIN }).to_string();
    let mut stream = daemon.connect();
    stream.write_all(posted("/v1/unlock", &body, "").as_bytes()).unwrap();
    let start = Instant::now();
    while of(&node, "unlock").is_empty() {
        assert!(start.elapsed() < PATIENCE, "{}", daemon.log());
        std::thread::sleep(Duration::from_millis(10));
    }
    daemon.signal(Signal::TERM);
    assert_eq!(daemon.ends().code(), Some(0), "{}", daemon.log());
    is_unfinished(&node, "unlock");
}

/// No line can be written any more, and it was sent all the same.
#[test]
fn a_credential_that_was_refused_is_said_to_be_so_without_a_line_for_it() {
    let hsm = SoftHsm::with_token("node");
    let node = Node::of(hsm.faulty_identity("node"));
    node.configure(&format!(
        "start_locked = true\n{}[audit]\npath = \"logs/audit.log\"\n",
        client("tests", own_uid(), "may = [\"admin\"]")
    ));
    let logs = node.home.path("logs");
    std::fs::create_dir(&logs).unwrap();
    let daemon = node.start();
    hsm.script("on C_Login all sleep 3000");
    let sent = std::thread::scope(|scope| {
        let sent = scope.spawn(|| daemon.post("/v1/unlock", &json!({ "credential": "98765432" })));
        let start = Instant::now();
        let log = || std::fs::read_to_string(logs.join("audit.log")).unwrap();
        while !log().contains("\"unlock\"") {
            assert!(start.elapsed() < PATIENCE, "{}", daemon.log());
            std::thread::sleep(Duration::from_millis(5));
        }
        std::fs::set_permissions(&logs, std::fs::Permissions::from_mode(0o777)).unwrap();
        sent.join().unwrap()
    });
    sent.problem(403, "credential-refused");
    assert!(daemon.log().contains("the audit log cannot be written"), "{}", daemon.log());
    daemon.post("/v1/lock", &json!({})).problem(503, "audit-unwritable");
}

/// Nor is it to be sent again by whoever starts the daemon again.
#[test]
fn a_credential_that_was_refused_at_a_start_ends_it_with_77_without_a_line_for_it() {
    let hsm = SoftHsm::with_token("node");
    let node = Node::of(hsm.faulty_identity("node")).with("ICN_PIN", "98765432");
    let clients = client("tests", own_uid(), "may = []");
    node.configure(&format!("{clients}[audit]\npath = \"logs/audit.log\"\n"));
    let logs = node.home.path("logs");
    std::fs::create_dir(&logs).unwrap();
    hsm.script("on C_Login all sleep 3000");
    let mut child = node.command();
    let said = node.home.beside("said");
    let child = child.stderr(std::fs::File::create(&said).unwrap()).spawn().unwrap();
    let log = || std::fs::read_to_string(logs.join("audit.log")).unwrap_or_default();
    let start = Instant::now();
    while !log().contains("\"unlock\"") {
        assert!(start.elapsed() < PATIENCE, "{}", log());
        std::thread::sleep(Duration::from_millis(5));
    }
    std::fs::set_permissions(&logs, std::fs::Permissions::from_mode(0o777)).unwrap();
    let said = || std::fs::read_to_string(&said).unwrap();
    assert_eq!(crate::node::ends(child).code(), Some(77), "{}", said());
    assert!(said().contains("the audit log cannot be written"), "{}", said());
}

/// All that a start needs is there before anybody is accepted: nobody is cut off by its failure.
#[test]
fn a_start_that_fails_at_an_address_serves_nobody_before_and_has_its_last_line() {
    let node = Node::age();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    node.configure(&format!(
        "tls = \"{address}\"\n{}[audit]\nlog_all_operations = true\n",
        client("tests", own_uid(), "may = []")
    ));
    let is_over = std::sync::atomic::AtomicBool::new(false);
    let answers = std::thread::scope(|scope| {
        let asking = scope.spawn(|| {
            use std::io::Read as _;
            let mut answers = String::new();
            while !is_over.load(std::sync::atomic::Ordering::SeqCst) {
                let Ok(mut stream) = std::os::unix::net::UnixStream::connect(node.socket()) else {
                    continue;
                };
                let _ = stream
                    .write_all(b"GET /v1/status HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
                let _ = stream.read_to_string(&mut answers);
            }
            answers
        });
        let (code, said) = node.fails();
        is_over.store(true, std::sync::atomic::Ordering::SeqCst);
        assert_eq!(code, 1, "{said}");
        assert!(said.contains("cannot listen on"), "{said}");
        asking.join().unwrap()
    });
    assert_eq!(answers, "");
    let audit = node.audit();
    assert!(audit.iter().all(|line| line["event"] != "read"), "{audit:?}");
    assert_eq!(audit.last().unwrap()["event"], "stop", "{audit:?}");
}

#[test]
fn with_too_few_files_it_ends_with_1_and_says_so() {
    let node = Node::age();
    node.allow("may = []");
    for files in [12, 255] {
        let command = node.command();
        let mut limited = Command::new("prlimit");
        limited.arg(format!("--nofile={files}")).arg(command.get_program()).env_clear();
        limited.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
        let ran = run(&mut limited, b"");
        assert_eq!(ran.code, 1, "{}", ran.err);
        let said = format!("at most {files} files may be open");
        assert!(ran.err.contains(&said), "{}", ran.err);
        assert!(!ran.err.contains("panicked"), "{}", ran.err);
    }
}

/// What begins with `start` ends with `stop`.
#[test]
fn a_start_that_does_not_open_the_identity_has_its_last_line() {
    let node = Node::age();
    node.allow("may = []");
    let ran = run(node.command().env("ICN_PASSPHRASE", "not the passphrase"), b"");
    assert_eq!(ran.code, 77, "{}", ran.err);
    let events: Vec<_> = node.audit().iter().map(|line| line["event"].clone()).collect();
    assert_eq!(events[1..], ["start", "unlock", "unlock", "stop"], "{events:?}");
}
