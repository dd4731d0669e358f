//! Whose the instances of clients are, and how many there are.

use icn_identity::client::RemoteIdentity;
use icn_identity::tls::TlsIdentity;
use rustix::process::Signal;
use serde_json::json;

use crate::curl::{OTHER, curl_as};
use crate::node::{Daemon, Node, client, own_uid};
use crate::tls::{INSTANCE, TLS, fresh};
use crate::wire::{meets, pinned};

/// Whatever becomes of the daemon meanwhile: peers see each instance, and would take another
/// client's certificate for the latest one of its holder.
#[test]
fn an_instance_of_another_client_is_not_to_be_had_after_a_restart_a_kill_or_a_reload() {
    let node = Node::age();
    let others = client("others", OTHER, "may = [\"tls\"]");
    node.configure(&format!("{}{others}", client("tests", own_uid(), TLS)));
    let mut daemon = node.start();
    let first = daemon.post("/v1/tls", &fresh(&node, INSTANCE)).ok();
    let data = fresh(&node, INSTANCE).to_string();
    let is_refused = |daemon: &Daemon| {
        let (status, answer) =
            curl_as(OTHER, OTHER, daemon, &["--data", &data, "http://icnd/v1/tls"]);
        assert_eq!((status, &answer["code"]), (409, &json!("instance-in-use")), "{answer}");
    };
    is_refused(&daemon);
    daemon.signal(Signal::HUP);
    daemon.wait_for("READY=1");
    is_refused(&daemon);
    daemon.signal(Signal::TERM);
    daemon.ends();
    let mut daemon = node.start();
    is_refused(&daemon);
    daemon.signal(Signal::KILL);
    daemon.ends();
    // Also where the log is elsewhere by now.
    std::fs::remove_file(node.home.path("audit.log")).unwrap();
    let daemon = node.start();
    is_refused(&daemon);
    // Its own client goes on with it, and never by a lower number.
    let again = daemon.post("/v1/tls", &fresh(&node, INSTANCE)).ok();
    assert!(again["sequence"].as_u64() > first["sequence"].as_u64(), "{first} {again}");
    drop(daemon);
    // What does not say whose they are is not passed over.
    node.home.write("icnd.instances", "{}");
    let (code, said) = node.fails();
    assert!(code == 1 && said.contains("icnd.instances") && said.contains("a copy"), "{said}");
}

/// Of a DID, peers remember 64 instances: one client could make them forget another one's.
#[test]
fn a_client_gets_no_more_instances_than_it_may_and_is_told_which_it_has() {
    let node = Node::age();
    let others = client("others", OTHER, "may = [\"tls\"]");
    let configure = |more: &str| {
        node.configure(&format!(
            "{}{others}",
            client("tests", own_uid(), &format!("{TLS}\n{more}"))
        ));
    };
    configure("");
    let mut daemon = node.start();
    let instance = |number: u32| format!("{number:032x}");
    let asks = |daemon: &Daemon, number| daemon.post("/v1/tls", &fresh(&node, &instance(number)));
    for number in 0..4 {
        asks(&daemon, number).ok();
    }
    let is_refused = |daemon: &Daemon| {
        let refused = asks(daemon, 4);
        refused.problem(409, "too-many-instances");
        let told = |field: &str| refused.body[field].as_str().unwrap();
        assert!((0..4).all(|number| told("detail").contains(&instance(number))), "{refused:?}");
        assert!(told("help").contains("`instances`"), "{refused:?}");
    };
    is_refused(&daemon);
    assert_eq!(node.uses().last().unwrap().2, "too-many-instances");
    // What it has it renews, and another client has its own.
    asks(&daemon, 2).ok();
    let data = fresh(&node, INSTANCE).to_string();
    let (status, _) = curl_as(OTHER, OTHER, &daemon, &["--data", &data, "http://icnd/v1/tls"]);
    assert_eq!(status, 200);
    daemon.signal(Signal::KILL);
    daemon.ends();
    let mut daemon = node.start();
    is_refused(&daemon);
    configure("instances = 6");
    daemon.signal(Signal::HUP);
    daemon.wait_for("READY=1");
    asks(&daemon, 4).ok();
    // A configuration by which peers would forget is none.
    configure("instances = 28");
    daemon.signal(Signal::HUP);
    daemon.wait_for_line(|line| line.starts_with("STATUS=") && line.contains("31 instances"));
}

/// Each of them shown, as often as it can: a certificate that was replaced stays refused.
#[test]
fn no_client_makes_peers_forget_what_ended_the_certificate_of_another_one() {
    let node = Node::age();
    let greedy = |may: &str| client("greedy", own_uid(), may);
    node.configure(&greedy("may = [\"tls\"]\ninstances = 30"));
    let daemon = node.start();
    let identity = RemoteIdentity::connect(&daemon.socket, node.did()).unwrap();
    let verifier = pinned(&node.did());
    let victim = node.open();
    victim.renew_as_own_instance().unwrap();
    let replaced = TlsIdentity::fixed(&victim);
    victim.renew().unwrap();
    meets(&verifier, &victim.tls_identity()).unwrap();
    assert_eq!(meets(&verifier, &replaced).unwrap_err(), "Superseded");
    let shown = (0..70).filter(|_| {
        let made = identity.tls();
        made.is_ok_and(|made| meets(&verifier, &made.tls_identity()).is_ok())
    });
    assert_eq!(shown.count(), 30);
    assert_eq!(meets(&verifier, &replaced).unwrap_err(), "Superseded");
}
