//! What is sealed to, or was made in, a TPM opens in that one only.

use support::swtpm::Swtpm;

use super::drill::{Drill, everything, lose, signs_as};
use crate::tpm::approver::Approver;
use crate::tpm::node::{BOTH, Node, home_on};

fn backed_up(algorithm: &str, more: &[&str]) -> (Node, Drill, String) {
    let node = Node::with_identity(algorithm, more);
    let drill = Drill::new(&node.home);
    let did = node.home.show()["did"].as_str().unwrap().to_owned();
    (node, drill, did)
}

#[test]
fn an_identity_is_put_back_on_its_tpm() {
    for algorithm in BOTH {
        for pin in [&[][..], &["--no-pin"]] {
            let (node, drill, did) = backed_up(algorithm, pin);
            node.spends(0, || drill.make(&node.home));
            let inside = drill.json();
            assert!(inside["contents"]["payload"]["seed"].is_null());
            let not = inside["contents"]["does_not_contain"].to_string();
            assert!(not.contains("it is in the TPM whose storage key is 000b"), "{not}");
            let shown = node.home.show();
            lose(&node.home);
            node.spends(0, || drill.ok(&node.home, &["--did", &did]));
            signs_as(&node.home, &shown["did"]);
            assert_eq!(node.home.show()["tpm"], shown["tpm"]);
            assert!(node.home.read("icn.toml").contains("# of tests"));
            node.is_idle();
        }
    }
}

#[test]
fn another_tpm_is_refused_in_plain_words_and_its_pin_not_sent() {
    for algorithm in BOTH {
        let (node, drill, did) = backed_up(algorithm, &[]);
        drill.make(&node.home);
        // A new machine; there nothing pins the storage key yet.
        let tpm = Swtpm::start();
        let home = home_on(&tpm);
        let other = Node { tpm, home };
        let drill = Drill { key: drill.key.clone(), ..drill };
        let before = everything(&other.home);
        let texts = [
            "is not in this backup: it was in the TPM whose storage key is 000b",
            "because: this is another TPM, or it was cleared",
            "its key is gone with it",
        ];
        other.spends(0, || drill.fails(&other.home, &["--did", &did], &texts));
        assert_eq!(everything(&other.home), before);
        // With all of the old node's configuration but the device.
        lose(&other.home);
        std::fs::create_dir(other.home.path("")).unwrap();
        other.home.chmod("", 0o700);
        let config = node.home.read("icn.toml").replace(&node.tpm.tcti(), &other.tpm.tcti());
        other.home.write("icn.toml", &config);
        other.spends(0, || drill.fails(&other.home, &["--did", &did], &texts));
    }
}

#[test]
fn a_tpm_that_was_cleared_is_another_one() {
    let (node, drill, did) = backed_up("ed25519", &[]);
    drill.make(&node.home);
    lose(&node.home);
    node.tpm.tool("tpm2_clear", &["-c", "p"]);
    drill.fails(&node.home, &["--did", &did], &["is not in this backup", "or it was cleared"]);
}

#[test]
fn changed_pcrs_are_told_as_what_they_are() {
    let (node, drill, did) = backed_up("ed25519", &[]);
    drill.make(&node.home);
    lose(&node.home);
    node.tpm.extend_pcr(16);
    let ran = drill.fails(&node.home, &["--did", &did], &["the TPM's PCRs have changed"]);
    assert!(!ran.err.contains("gone"), "{}", ran.err);
    assert!(!node.home.path("identity.json").exists());
    node.reset_pcr_16();
    drill.ok(&node.home, &["--did", &did]);
}

/// Without the approval, nothing would open the key after an update.
#[test]
fn approvals_are_in_the_backup() {
    let approver = Approver::new();
    let public = approver.public();
    let policy = ["--policy", "authorized", "--approver", &public];
    let (node, drill, did) = backed_up("ed25519", &policy);
    node.tpm.extend_pcr(16);
    let request = node.alone(&["--format", "json", "tpm", "check"]).out;
    let approval = approver.approve(&request, &[]);
    let file = node.file("approval.json", &approval.to_string());
    assert_eq!(node.alone(&["tpm", "install", &file]).code, 0);
    drill.make(&node.home);
    let approvals = node.home.read("tpm-approvals.json");
    lose(&node.home);
    drill.ok(&node.home, &["--did", &did]);
    let read = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
    assert_eq!(read(&node.home.read("tpm-approvals.json")), read(&approvals));
    node.signs();
}
