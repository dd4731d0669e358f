//! `id show --check`: whether the TPM opens the identity, as far as that shows without
//! a PIN, for a monitor.

use serde_json::json;

use super::node::{BOTH, Node, WRONG};

const CHECK: [&str; 3] = ["id", "show", "--check"];

/// What the check says on a terminal and to a program; no try is spent, no secret asked for.
#[track_caller]
fn checked(node: &Node, code: i32, texts: &[&str]) -> serde_json::Value {
    let ran = node.spends(0, || node.alone(&CHECK));
    assert_eq!(ran.code, code, "{}{}", ran.out, ran.err);
    for text in texts {
        assert!(ran.out.contains(text), "wanted {text:?} in:\n{}", ran.out);
    }
    let json = node.spends(0, || node.alone(&[&["--format", "json"], &CHECK[..]].concat()));
    assert_eq!(json.code, code, "{}", json.err);
    let shown: serde_json::Value = serde_json::from_str(&json.out).unwrap();
    assert_eq!(shown["problems"].as_array().unwrap().is_empty(), code == 0, "{shown}");
    // Who does not ask for a check is not told by the exit code, and is told.
    let plain = node.alone(&["id", "show"]);
    assert_eq!(plain.code, 0, "{}", plain.err);
    assert_eq!(plain.out.contains("WARNING"), code != 0, "{}", plain.out);
    shown["device"].clone()
}

#[test]
fn a_tpm_that_opens_the_identity_passes_the_check() {
    for algorithm in BOTH {
        for more in [&[][..], &["--no-pin"]] {
            let node = Node::with_identity(algorithm, more);
            let texts = ["its PCRs are as the policy wants", "No problem was found"];
            let device = checked(&node, 0, &texts);
            assert_eq!((&device["state"], &device["opens"]), (&json!("present"), &json!(true)));
        }
    }
}

#[test]
fn a_cleared_tpm_fails_the_check() {
    for algorithm in BOTH {
        let node = Node::with_identity(algorithm, &["--no-pin"]);
        node.tpm.clear();
        let texts = ["PROBLEM: this is another TPM, or it was cleared", "the key is not there"];
        let device = checked(&node, 1, &texts);
        assert_eq!((&device["state"], &device["opens"]), (&json!("missing"), &json!(false)));
    }
}

#[test]
fn changed_pcrs_fail_the_check_and_are_named() {
    for algorithm in BOTH {
        let node = Node::with_identity(algorithm, &[]);
        node.tpm.extend_pcr(16);
        let texts = [
            "PROBLEM: the TPM's PCRs have changed: PCR 16 (sha256) is ",
            "WARNING, the TPM does not open this identity now",
        ];
        let device = checked(&node, 1, &texts);
        assert_eq!((&device["state"], &device["opens"]), (&json!("present"), &json!(false)));
        node.reset_pcr_16();
        checked(&node, 0, &[]);
    }
}

/// Whatever locked it. A key without a PIN opens all the same.
#[test]
fn a_locked_tpm_fails_the_check_and_tells_so_first() {
    let node = Node::with_identity("ed25519", &[]);
    let without = Node::with_identity("ed25519", &["--no-pin"]);
    for node in [&node, &without] {
        node.tpm.set_dictionary_attack(3, 777, 0);
        let locks = node.tpm.other_program();
        (0..3).for_each(|_| locks());
    }
    let texts = ["PROBLEM: the TPM is locked after too many wrong PINs", "in at most 777 seconds"];
    let device = checked(&node, 1, &texts);
    assert_eq!((&device["state"], &device["opens"]), (&json!("present"), &json!(false)));
    checked(&without, 0, &[]);

    let told = node.alone(&["tpm", "check"]);
    assert_eq!(told.code, 1, "{}", told.err);
    let first = told.out.lines().next().unwrap();
    assert!(first.starts_with("LOCKED ") && first.contains("at most 777 seconds"), "{}", told.out);
    assert!(!told.out.contains("opens now, with its PIN (values"), "{}", told.out);
    assert_eq!(told.out.matches("when the TPM is no longer locked").count(), 2, "{}", told.out);
    let json = node.alone(&["--format", "json", "tpm", "check"]);
    let json: serde_json::Value = serde_json::from_str(&json.out).unwrap();
    assert_eq!((&json["locked"], &json["recovery_seconds"]), (&json!(true), &json!(777)));
    assert!(!without.ok(&["tpm", "check"]).contains("LOCKED"));

    node.tpm.clear_lockout();
    checked(&node, 0, &[]);
    let json = node.json(&["tpm", "check"]);
    assert_eq!((&json["locked"], &json["recovery_seconds"]), (&json!(false), &json!(null)));
}

#[test]
fn the_last_try_is_a_problem_and_the_identity_opens() {
    let node = Node::with_identity("ed25519", &[]);
    let wrong = node.pin_file(WRONG);
    for _ in 0..2 {
        let args = [&[wrong[0].as_str(), &wrong[1], "--retry-pin"][..], &["sign"]].concat();
        assert_eq!(node.icnctl(&args).code, 77);
    }
    let ran = node.alone(&CHECK);
    assert_eq!(ran.code, 1, "{}{}", ran.out, ran.err);
    assert!(ran.out.contains("PROBLEM: one wrong PIN more locks the device"), "{}", ran.out);
    assert_eq!(node.json(&["id", "show"])["device"]["opens"], true);
}
