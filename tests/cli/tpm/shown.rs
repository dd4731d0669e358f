//! `id show --check`: whether the TPM opens the identity, as far as that shows without
//! a PIN, for a monitor.

use icn_identity::backend::{BackendKind, NewKey};
use icn_identity::config::{Config, PcrIndices, TpmConfig};
use icn_identity::home::{CredentialSource, HomeOptions};
use serde_json::json;

use super::node::{BOTH, Node, PIN, WRONG};

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

/// In words and in JSON, after whatever is made of the identity.
#[test]
fn id_show_says_of_an_imported_key_that_copies_may_exist() {
    let node = Node::new();
    let given = |secret: &str| CredentialSource::given(secret.to_owned());
    let mut config = Config::default();
    config.identity.age.work_factor = 10;
    let options = HomeOptions::new().with_config(config.clone());
    let mut old = options.open(node.home.beside("old")).unwrap();
    drop(old.create(&NewKey::default(), given("a passphrase")).unwrap());
    let mut tpm = TpmConfig::new(node.tpm.tcti());
    tpm.pcr_indices = PcrIndices::new([16]).unwrap();
    tpm.pin_work_factor = 10;
    config.identity.backend = BackendKind::Tpm;
    config.identity.tpm = Some(tpm);
    let mut new = HomeOptions::new().with_config(config).open(node.home.path("")).unwrap();
    let ready = old.locate().unwrap().ask(given("a passphrase")).unwrap();
    let did = new.create_imported(ready, None, given(PIN)).unwrap().header.did().to_string();
    for command in [None, Some(["id", "renew"])] {
        if let Some(command) = command {
            node.ok(&command);
        }
        let shown = node.home.show();
        assert_eq!(
            (shown["did"].as_str(), &shown["provenance"]),
            (Some(&*did), &json!("tpm-sealed"))
        );
        let until = shown["in_file_until"].as_str().unwrap();
        assert!(until.ends_with('Z'), "{until}");
        let text = node.ok(&["id", "show"]);
        let line = format!("History     in a file until {until}: copies may exist");
        assert!(text.contains(&line), "{text}");
    }
    // Of others nothing is said.
    let born = Node::with_identity("ed25519", &[]);
    assert!(born.home.show()["in_file_until"].is_null());
    assert!(!born.ok(&["id", "show"]).contains("in a file until"));
}
