//! `icnctl backend doctor` on TPMs.

use serde_json::{Value, json};
use support::home::Home;

use super::node::{NEW, Node, WRONG};

/// As JSON, with its exit code. Nothing is left in the TPM, and no try spent.
fn doctor(node: &Node, more: &[&str]) -> (i32, Value) {
    let args = [&["--format", "json", "backend", "doctor"], more].concat();
    let ran = node.spends(0, || node.icnctl(&args));
    let report = serde_json::from_str(&ran.out);
    (ran.code, report.unwrap_or_else(|_| panic!("{}{}", ran.out, ran.err)))
}

fn verdict<'a>(report: &'a Value, requirement: &str) -> &'a Value {
    let verdicts = report["verdicts"].as_array().unwrap();
    verdicts.iter().find(|verdict| verdict["requirement"] == requirement).unwrap()
}

fn assert_fails(node: &Node, requirement: &str, texts: &[&str]) {
    let (code, report) = doctor(node, &[]);
    let found = verdict(&report, requirement);
    assert_eq!((code, &report["verdict"], &found["state"]), (1, &json!("fail"), &json!("fail")));
    for text in texts {
        assert!(found.to_string().contains(text), "wanted {text:?} in {found}");
    }
    let text = node.icnctl(&["backend", "doctor"]);
    assert_eq!(text.code, 1);
    assert!(text.out.contains("FAIL ") && text.out.contains("No identity works here."));
}

#[test]
fn the_tpm_doctor_says_what_the_tpm_is_and_what_that_means() {
    let node = Node::new();
    let home = Home::new();
    let device = node.tpm.tcti();
    for more in [&["--backend", "tpm", "--device", &device][..], &["--device", &device]] {
        let args = [&["backend", "doctor"], more].concat();
        let text = node.spends(0, || home.ok(&args, b""));
        for wanted in [
            &format!("TPM {device}\n"),
            "IBM",
            "soft-token",
            "Ed25519                      absent, as in every TPM that is known",
            "an Ed25519 key is sealed to the TPM and signs in memory",
            "use a P-256 key: --algorithm p256",
            "it is a virtual TPM",
            "3 of 3 left; one comes back in 1000 s",
            "Nothing speaks against an identity here, but nothing was tried",
        ] {
            assert!(text.contains(wanted), "wanted {wanted:?} in:\n{text}");
        }
        assert!(!text.contains("Probe"), "{text}");
    }
}

#[test]
fn the_tpm_doctor_says_the_same_as_json() {
    let node = Node::new();
    let (code, report) = doctor(&node, &[]);
    assert_eq!((code, &report["verdict"]), (0, &json!("warning")), "{report}");
    let tpm = &report["tpm"];
    assert_eq!(tpm["device"], node.tpm.tcti());
    assert_eq!(tpm["manufacturer"], "IBM");
    assert_eq!(tpm["assurance"], "soft-token");
    assert_eq!((&tpm["p256"], &tpm["latency"]), (&json!(true), &Value::Null));
    assert_eq!((&tpm["lockout_counter"], &tpm["max_tries"]), (&json!(0), &json!(3)));
    assert_eq!((&tpm["free_objects"], &tpm["free_sessions"]), (&json!(3), &json!(3)));
    assert!(tpm["banks"].as_array().unwrap().contains(&json!("sha256")), "{tpm}");
    for (requirement, state) in [
        ("Ed25519", "warning"),
        ("P-256", "ok"),
        ("storage key", "ok"),
        ("PCR bank", "ok"),
        ("PIN tries", "ok"),
        ("room", "ok"),
        ("hardware", "warning"),
    ] {
        let found = verdict(&report, requirement);
        assert_eq!(found["state"], state, "{found}");
        assert_eq!(found["advice"].is_string(), state != "ok", "{found}");
    }
}

#[test]
fn a_probe_measures_each_step_and_leaves_nothing() {
    let node = Node::new();
    let (code, report) = doctor(&node, &["--probe"]);
    assert_eq!((code, &report["verdict"]), (0, &json!("warning")), "{report}");
    let steps = report["tpm"]["latency"].as_array().unwrap();
    for step in ["storage key", "seal", "load", "unseal", "make P-256 key", "sign with P-256"] {
        let found = steps.iter().find(|found| found["step"] == step);
        let took = found.unwrap_or_else(|| panic!("no {step} in {steps:?}"));
        assert!(took["milliseconds"].as_f64().unwrap() >= 0.0, "{took}");
    }
    let text = node.ok(&["backend", "doctor", "--probe"]);
    assert!(text.contains("Probe (nothing of it is left)"), "{text}");
    assert_eq!(text.lines().filter(|line| line.ends_with(" ms")).count(), steps.len(), "{text}");
    assert_eq!(node.tpm.handles("persistent").len(), 0);
}

#[test]
fn a_probe_works_beside_an_identity_and_with_other_pcrs() {
    let node = Node::with_identity("p256", &["--no-pin"]);
    for (key, value) in
        [("pcr_indices", "[0, 1, 2, 3, 4, 5, 6, 7, 8, 9]"), ("pcr_bank", "\"sha512\"")]
    {
        node.set(key, value);
        assert_eq!(doctor(&node, &["--probe"]).0, 0, "{key} = {value}");
    }
}

/// The PIN alone: there are no PCRs to be measured with.
#[test]
fn a_probe_works_where_no_pcrs_are_configured() {
    let node = Node::new();
    node.set("platform_binding", "false");
    node.set("pcr_indices", "[]");
    assert_eq!(doctor(&node, &["--probe"]).0, 0);
}

#[test]
fn a_locked_tpm_is_of_no_use_for_a_key_with_a_pin() {
    let node = Node::with_identity("ed25519", &[]);
    node.set("allow_final_try", "true");
    node.tpm.set_dictionary_attack(2, 777, 1000);
    let wrong = |pin: &str| {
        let file = node.pin_file(pin);
        node.ends(77, 1, &[&file[0], &file[1], "sign"], &["tried once"]);
    };
    wrong(WRONG);
    let (code, report) = doctor(&node, &[]);
    assert_eq!((code, &verdict(&report, "PIN tries")["state"]), (0, &json!("warning")));
    wrong(NEW);
    let (code, report) = doctor(&node, &[]);
    assert_eq!((code, &verdict(&report, "PIN tries")["state"]), (1, &json!("fail")));
    let conclusion = report["conclusion"].as_str().unwrap();
    assert!(conclusion.contains("no identity with a PIN works"), "{conclusion}");
    assert!(conclusion.contains("one without a PIN does"), "{conclusion}");
    let text = node.icnctl(&["backend", "doctor"]);
    for part in ["0 of 2 left; one comes back in 777 s", "-c", conclusion] {
        assert!(text.out.contains(part), "{}", text.out);
    }
    // So it is.
    let without = super::node::home_on(&node.tpm);
    without.ok(&["id", "init", "--no-pin"], b"");
    without.ok(&["sign"], b"hello");
    node.set("pin", "false");
    let (code, report) = doctor(&node, &["--probe"]);
    assert_eq!((code, &verdict(&report, "PIN tries")["state"]), (0, &json!("warning")));
}

#[test]
fn another_tpm_than_the_pinned_one_fails() {
    let node = Node::with_identity("ed25519", &[]);
    let (code, report) = doctor(&node, &[]);
    assert_eq!((code, &verdict(&report, "storage key")["state"]), (0, &json!("ok")));
    let theirs = Node::with_identity("ed25519", &[]).home.show()["tpm"]["parent_name"].clone();
    node.set("parent_name", &theirs.to_string());
    assert_fails(&node, "storage key", &["which is not the pinned one", "this is another TPM"]);
}

#[test]
fn a_handle_without_a_storage_key_fails_and_one_with_it_is_named() {
    let node = Node::new();
    node.set("key_handle", "0x81000001");
    assert_fails(&node, "storage key", &["there is no storage key at 0x81000001", "key_handle"]);
    node.tpm.make_storage_root(0x8100_0001);
    let (code, report) = doctor(&node, &["--probe"]);
    assert_eq!(code, 0, "{report}");
    assert_eq!(verdict(&report, "storage key")["found"], "at 0x81000001");
}

#[test]
fn an_absent_bank_fails() {
    let mut node = Node::new();
    node.tpm.tool("tpm2_pcrallocate", &["sha1:none+sha256:all+sha384:none+sha512:none"]);
    node.tpm.restart();
    node.set("pcr_bank", "\"sha1\"");
    assert_fails(&node, "PCR bank", &["sha1 (of sha256)"]);
}

/// What is wrong is reported, with or without `--probe`.
#[test]
fn a_probe_that_fails_is_a_part_of_the_report() {
    let mut node = Node::new();
    node.tpm.tool("tpm2_pcrallocate", &["sha1:none+sha256:all+sha384:none+sha512:none"]);
    node.tpm.restart();
    node.set("pcr_bank", "\"sha1\"");
    let (code, report) = doctor(&node, &["--probe"]);
    assert_eq!((code, &verdict(&report, "PCR bank")["state"]), (1, &json!("fail")));
    assert_eq!(verdict(&report, "probe")["found"], "the TPM has no PCR bank sha1");
}

#[test]
fn a_tpm_without_room_fails() {
    let node = Node::new();
    for _ in 0..2 {
        node.tpm.tool("tpm2_createprimary", &["-Q", "-C", "o", "-c", "filling.ctx"]);
    }
    let ran = node.icnctl(&["--format", "json", "backend", "doctor"]);
    let report: Value = serde_json::from_str(&ran.out).unwrap_or_else(|_| panic!("{}", ran.err));
    let found = verdict(&report, "room");
    assert_eq!((ran.code, &found["state"]), (1, &json!("fail")), "{report}");
    assert!(found["found"].as_str().unwrap().starts_with("1 objects"), "{found}");
    assert!(found["advice"].as_str().unwrap().contains("tpm2_flushcontext"), "{found}");
    assert_eq!(super::quick::loaded(&node.tpm), (2, 0));
}
