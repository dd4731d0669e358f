//! What is under way when the daemon is told to stop, and what the log says of it.

use std::process::Command;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use support::home::run;
use support::softhsm::SoftHsm;

use crate::node::{Daemon, Node, PATIENCE, client, own_uid};

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
    assert_eq!(node.audit().last().unwrap()["event"], "stop");
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
