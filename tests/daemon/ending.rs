//! What is under way when the daemon is told to stop, and what the log says of it.

use std::process::Command;
use std::time::Instant;

use rustix::process::Signal;
use support::home::run;
use support::softhsm::SoftHsm;

use crate::node::{Node, PATIENCE, client, own_uid};

/// The device takes its time for it, which the end waits for: what the log says is so.
#[test]
fn a_renewal_that_is_under_way_at_the_end_is_made_and_not_said_to_have_failed() {
    let hsm = SoftHsm::with_token("node");
    let node = Node::of(hsm.faulty_identity("node"));
    node.configure(&client("tests", own_uid(), "may = []"));
    let before = node.home.read("identity.json");
    hsm.script("on C_Sign all sleep 1500");
    // Its certificate is due. By its library: the program `faketime` would stand in between.
    let told = run(Command::new("faketime").args(["+6 days", "env"]), b"");
    let set = |name: &str| {
        let line = told.out.lines().find_map(|line| line.strip_prefix(&format!("{name}=")));
        line.unwrap_or_else(|| panic!("apt-get install faketime: {}{}", told.out, told.err))
            .to_owned()
    };
    let later = ["LD_PRELOAD", "FAKETIME"].map(|name| (name, set(name)));
    let mut daemon = node.start_by(node.command().envs(later));
    let renewals = || {
        let of_it = node.audit().into_iter().filter(|line| line["event"] == "renew");
        of_it.map(|line| line["result"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let start = Instant::now();
    while renewals().is_empty() {
        assert!(start.elapsed() < PATIENCE, "{}", daemon.log());
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    assert_eq!(node.home.read("identity.json"), before, "it is under way");
    daemon.signal(Signal::TERM);
    assert_eq!(daemon.ends().code(), Some(0), "{}", daemon.log());
    assert_eq!(renewals(), ["allowed"]);
    assert_ne!(node.home.read("identity.json"), before, "it was made");
    assert_eq!(node.audit().last().unwrap()["event"], "stop");
}
