//! Health and metrics.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::json;
use support::softhsm::{PIN, SoftHsm};
use support::swtpm::Swtpm;

use crate::node::{Daemon, Node, PATIENCE, client, own_uid};

const ALL: &str = "may = [\"sign\", \"admin\"]\ncontexts = [\"a\"]";

pub(crate) fn monitored(node: &Node) -> (Daemon, SocketAddr) {
    let clients = client("tests", own_uid(), ALL);
    monitored_with(node, &format!("monitor = \"127.0.0.1:0\"\n{clients}"))
}

/// By these lines, at whichever port is free.
pub(crate) fn monitored_with(node: &Node, lines: &str) -> (Daemon, SocketAddr) {
    node.configure(lines);
    let daemon = node.start();
    let log = daemon.log();
    let address = log.lines().find_map(|line| line.split_once("is monitored on ")).unwrap().1;
    (daemon, address.trim().parse().unwrap())
}

pub(crate) fn get(address: SocketAddr, path: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(format!("GET {path} HTTP/1.1\r\nHost: {address}\r\n\r\n").as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
}

pub(crate) fn value(metrics: &str, name: &str) -> f64 {
    let line = metrics.lines().find_map(|line| line.strip_prefix(&format!("{name} ")));
    line.unwrap_or_else(|| panic!("no {name} in:\n{metrics}")).parse().unwrap()
}

#[test]
fn what_was_done_and_what_was_not_is_counted() {
    let node = Node::age();
    let (daemon, address) = monitored(&node);
    let body = json!({ "context": "a", "message": "" });
    for _ in 0..3 {
        daemon.post("/v1/sign", &body).ok();
    }
    daemon.post("/v1/sign", &json!({ "context": "secret-plans", "message": "" }));
    daemon.get("/whatever/somebody/asks").problem(404, "not-found");
    let (status, metrics) = get(address, "/metrics");
    assert_eq!(status, 200);
    for (name, wanted) in [
        ("icnd_requests_total{call=\"sign\",status=\"200\"}", 3.0),
        ("icnd_requests_total{call=\"sign\",status=\"403\"}", 1.0),
        ("icnd_requests_total{call=\"other\",status=\"404\"}", 1.0),
        ("icnd_problems_total{code=\"context-not-allowed\"}", 1.0),
        ("icnd_key_use_seconds_count", 3.0),
        ("icnd_in_flight", 0.0),
        ("icnd_unlocked", 1.0),
        ("icnd_audit_errors_total", 0.0),
    ] {
        assert!((value(&metrics, name) - wanted).abs() < 0.5, "{name}:\n{metrics}");
    }
    let lines = node.audit().len();
    assert!(
        (value(&metrics, "icnd_audit_sequence") - f64::from(u32::try_from(lines).unwrap())).abs()
            < 1.5
    );
    assert!(value(&metrics, "icnd_certificate_not_after") > 1.7e9);
    assert!(metrics.ends_with("# EOF\n"), "{metrics}");
    // Of what is signed, and for whom, nothing; and nothing of what others ask for.
    for word in ["secret-plans", "whatever", node.did().as_str(), "tests"] {
        assert!(!metrics.contains(word), "{word}: {metrics}");
    }
    assert_eq!(get(address, "/v1/status").0, 404);
}

#[test]
fn it_is_ready_while_it_is_unlocked_and_its_log_can_be_written() {
    let node = Node::age();
    let (daemon, address) = monitored(&node);
    assert_eq!(get(address, "/readyz").0, 200, "{}", get(address, "/readyz").1);
    assert_eq!(get(address, "/livez"), (200, "alive\n".to_owned()));
    daemon.post("/v1/lock", &json!({})).ok();
    let (status, said) = get(address, "/readyz");
    assert!(status == 503 && said.contains("unlocked: no"), "{status} {said}");
    assert_eq!(get(address, "/livez").0, 200);
    daemon.post("/v1/unlock", &json!({ "credential": support::home::PASSPHRASE })).ok();
    assert_eq!(get(address, "/readyz").0, 200);
    let log = node.home.path("audit.log");
    std::fs::rename(&log, node.home.path("moved.log")).unwrap();
    std::fs::create_dir(&log).unwrap();
    let (status, said) = get(address, "/readyz");
    assert!(status == 503 && said.contains("audit: no"), "{status} {said}");
}

/// Whether a series is there.
fn is_told(metrics: &str, name: &str) -> bool {
    metrics.lines().any(|line| line.starts_with(&format!("{name} ")))
}

/// What is counted is 0 before it happens, so that its first time is an increase; and what is
/// not known is not there, so that no time in 1970 is taken for one.
#[test]
fn every_reason_is_counted_from_0_and_what_is_not_known_is_not_told() {
    let hsm = SoftHsm::with_token("node");
    let node = Node::of(hsm.faulty_identity("node"));
    let (daemon, address) = monitored(&node);
    let metrics = || get(address, "/metrics").1;
    let first = metrics();
    for code in icn_identity::daemon::ProblemCode::ALL {
        assert!(value(&first, &format!("icnd_problems_total{{code=\"{code}\"}}")).abs() < 0.5);
    }
    for code in ["device-away", "credential-refused", "internal"] {
        assert!(value(&first, &format!("icnd_key_errors_total{{code=\"{code}\"}}")).abs() < 0.5);
    }
    // So is each one that an alert of the page waits for.
    let page = crate::page::PAGE;
    let mut watched = 0;
    for (at, _) in page.match_indices("_total{code=") {
        let name = page[..at].rsplit(['(', '`']).next().unwrap();
        let codes = page[at..].split('"').nth(1).unwrap();
        for code in codes.split('|') {
            let series = format!("{name}_total{{code=\"{code}\"}}");
            assert!(value(&first, &series).abs() < 0.5, "{series}");
            watched += 1;
        }
    }
    assert!(watched > 3, "{watched}");
    let known = ["icnd_certificate_not_after", "icnd_verified_at"];
    assert!(known.iter().all(|name| value(&first, name) > 1.7e9), "{first}");
    daemon.post("/v1/lock", &json!({})).ok();
    let locked = metrics();
    assert!(!known.iter().any(|name| is_told(&locked, name)), "{locked}");
    assert!(value(&locked, "icnd_unlocked").abs() < 0.5);
    // A device that is away when it is to be unlocked is one that is away.
    hsm.script("token removed");
    let _ = daemon.post("/v1/unlock", &json!({ "credential": PIN }));
    let away = metrics();
    assert!(
        (value(&away, "icnd_key_errors_total{code=\"device-away\"}") - 1.0).abs() < 0.5,
        "{away}"
    );
    assert!(
        (value(&away, "icnd_problems_total{code=\"device-away\"}") - 1.0).abs() < 0.5,
        "{away}"
    );
    hsm.script("");
    daemon.post("/v1/unlock", &json!({ "credential": PIN })).ok();
    assert!(known.iter().all(|name| is_told(&metrics(), name)));
}

/// Whoever looks at its health spends none of the device's time.
#[test]
fn health_and_metrics_never_ask_the_device_and_have_the_names_that_the_page_has() {
    let hsm = SoftHsm::with_token("node");
    let node = Node::of(hsm.faulty_identity("node"));
    let (daemon, address) = monitored(&node);
    let ((), calls) = hsm.calls(|| {
        for path in ["/livez", "/readyz", "/metrics"] {
            assert_eq!(get(address, path).0, 200, "{path}");
        }
    });
    assert!(calls.is_empty(), "{calls:?}");
    hsm.script("token removed");
    let body = json!({ "context": "a", "message": "" });
    daemon.post("/v1/sign", &body).problem(503, "device-away");
    let metrics = get(address, "/metrics").1;
    assert!(value(&metrics, "icnd_key_errors_total{code=\"device-away\"}") > 0.5);
    // What the page names is there.
    let page = include_str!("../../docs/operations.md");
    let is_name = |letter: char| letter.is_ascii_lowercase() || letter == '_';
    let named = page.match_indices("icnd_").map(|(at, _)| page[at..].split(|c| !is_name(c)).next());
    // That one is there of a TPM: the test of the tries has it.
    let named: Vec<&str> =
        named.map(Option::unwrap).filter(|name| *name != "icnd_pin_tries_left").collect();
    assert!(named.len() > 8, "{named:?}");
    for name in named {
        assert!(metrics.contains(&format!("\n{name}")), "{name}: {metrics}");
    }
}

/// Of a token, which has no number: nothing, until the next wrong one is the last.
#[test]
fn the_tries_of_a_pin_are_told_where_the_device_says_them_and_nowhere_else() {
    let told = |address, name: &str| {
        let metrics = get(address, "/metrics").1;
        metrics
            .lines()
            .any(|line| line.starts_with(&format!("{name} ")))
            .then(|| value(&metrics, name))
    };
    let both =
        |address| [told(address, "icnd_pin_tries_left"), told(address, "icnd_pin_count_low")];
    let node = Node::age();
    let (_daemon, address) = monitored(&node);
    assert_eq!(both(address), [None, None], "there is no PIN");

    let hsm = SoftHsm::with_token("node");
    let node = Node::of(hsm.faulty_identity("node"));
    let (daemon, address) = monitored(&node);
    assert_eq!(both(address), [None, Some(0.0)]);
    daemon.post("/v1/lock", &json!({})).ok();
    let wrong = json!({ "credential": "not the right one" });
    daemon.post("/v1/unlock", &wrong).problem(403, "credential-refused");
    assert_eq!(both(address), [None, Some(1.0)]);
    hsm.script("flag final-try");
    let _ = daemon.post("/v1/unlock", &json!({ "credential": PIN }));
    assert_eq!(told(address, "icnd_pin_tries_left"), Some(1.0));
    hsm.script("token removed");
    let _ = daemon.post("/v1/unlock", &json!({ "credential": PIN }));
    assert_eq!(both(address), [None, None], "nobody is there who says it");

    let tpm = Swtpm::start();
    tpm.set_dictionary_attack(5, 1000, 1000);
    let node = Node::sealed_to(&tpm);
    let (daemon, address) = monitored(&node);
    assert_eq!(both(address), [Some(5.0), Some(0.0)]);
    daemon.post("/v1/lock", &json!({})).ok();
    daemon.post("/v1/unlock", &wrong).problem(403, "credential-refused");
    assert_eq!(both(address), [Some(4.0), Some(1.0)]);
}

/// Also what another program has spent of them.
#[test]
fn the_tries_of_a_pin_are_looked_at_from_time_to_time() {
    let tpm = Swtpm::start();
    tpm.set_dictionary_attack(9, 1000, 1000);
    let node = Node::sealed_to(&tpm);
    let clients = client("tests", own_uid(), ALL);
    let lines = format!("monitor = \"127.0.0.1:0\"\nverify_interval = 1\n{clients}");
    let (_daemon, address) = monitored_with(&node, &lines);
    let left = || value(&get(address, "/metrics").1, "icnd_pin_tries_left");
    assert!((left() - 9.0).abs() < 0.5);
    tpm.other_program()();
    let start = Instant::now();
    while (left() - 8.0).abs() > 0.5 {
        assert!(start.elapsed() < PATIENCE, "{}", left());
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Programs of this machine that connect and say nothing keep no probe out.
#[test]
fn who_is_idle_makes_room_for_a_probe_and_is_closed_soon() {
    let node = Node::age();
    let (_daemon, address) = monitored(&node);
    let mut idle: Vec<TcpStream> = (0..200).map(|_| TcpStream::connect(address).unwrap()).collect();
    for _ in 0..5 {
        assert_eq!(get(address, "/livez"), (200, "alive\n".to_owned()));
    }
    let start = Instant::now();
    for stream in &mut idle {
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        // Closed, or told that it was too slow.
        let _ = stream.read_to_end(&mut Vec::new());
    }
    assert!(start.elapsed() < Duration::from_secs(8), "{:?}", start.elapsed());
}

/// A page of the web whose name was made to lead here is told nothing.
#[test]
fn it_is_read_by_the_names_of_this_machine_alone() {
    let node = Node::age();
    let (_daemon, address) = monitored(&node);
    let port = address.port();
    let asked = |head: String| {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.write_all(head.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer.split(' ').nth(1).unwrap().to_owned()
    };
    let by = |host: &str| asked(format!("GET /metrics HTTP/1.1\r\nHost: {host}\r\n\r\n"));
    for host in ["localhost", "LOCALHOST:80", "127.0.0.1", "[::1]:9464", &address.to_string()] {
        assert_eq!(by(host), "200", "{host}");
    }
    for host in ["evil.example", "evil.example:80", "127.0.0.1.evil.example", "192.0.2.1", "", "@"]
    {
        assert!(["421", "400"].contains(&by(host).as_str()), "{host}");
    }
    let absolute =
        format!("GET http://evil.example:{port}/metrics HTTP/1.1\r\nHost: localhost\r\n\r\n");
    assert_eq!(asked(absolute), "421");
    // What is older than that field.
    assert_eq!(asked("GET /livez HTTP/1.0\r\n\r\n".to_owned()), "200");
}

/// Nobody takes the new configuration to be in force when it is not.
#[test]
fn a_reload_that_failed_is_told_everywhere_and_one_that_did_not_ends_that() {
    let node = Node::age();
    let (mut daemon, address) = monitored(&node);
    let is_failed = || value(&get(address, "/metrics").1, "icnd_config_reload_failed") > 0.5;
    assert!(!is_failed());
    let good = node.home.read("icn.toml");
    node.home.write("icn.toml", &format!("{good}\n[broken\n"));
    daemon.signal(Signal::HUP);
    daemon.wait_for_line(|line| {
        line.starts_with("STATUS=") && line.contains("the new one was not read")
    });
    assert!(is_failed());
    // Checkpoints are signed when they are.
    let last = || {
        let audit = node.audit();
        audit.iter().rfind(|line| line["event"] == "reload").unwrap()["result"].clone()
    };
    assert_eq!(last(), "failed");
    node.home.write("icn.toml", &good);
    daemon.signal(Signal::HUP);
    daemon.wait_for("STATUS=serves");
    assert!(!is_failed());
    assert_eq!(last(), "allowed");
}
