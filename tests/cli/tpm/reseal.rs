//! PCRs that change, and keys sealed anew.

use serde_json::{Value, json};

use super::node::{BOTH, NEW, Node, PIN};

const LITERAL: &str =
    "boot the state that the key was made for; a P-256 key has its policy for good";

#[test]
fn a_changed_pcr_is_named_and_its_old_value_opens_again() {
    for (algorithm, more) in [("ed25519", &[][..]), ("p256", &[]), ("ed25519", &["--no-pin"])] {
        let node = Node::with_identity(algorithm, more);
        node.tpm.extend_pcr(16);
        node.is_refused_for_pcr_16(LITERAL);
        node.reset_pcr_16();
        node.signs();
    }
}

#[test]
fn an_identity_in_a_tpm_has_no_passphrase_to_be_changed() {
    let node = Node::with_identity("ed25519", &[]);
    let wanted = ["this identity has no passphrase", "its TPM opens it", "id reseal --new-pin"];
    node.fails(&["id", "change-passphrase"], &wanted);
}

#[test]
fn of_several_pcrs_those_that_differ_are_named_until_the_next_boot() {
    let mut node = Node::new();
    node.set("pcr_indices", "[0, 7, 16]");
    node.init("p256", &["--no-pin"]);
    assert!(node.home.read("icn.toml").contains("pcr_indices = \"0,7,16\""));
    node.tpm.extend_pcr(7);
    let refused = node.fails(&["sign"], &["PCR 7 (sha256)"]);
    assert!(!refused.err.contains("PCR 0") && !refused.err.contains("PCR 16"), "{}", refused.err);
    node.tpm.extend_pcr(0);
    node.fails(&["sign"], &["PCR 0 (sha256)", "; PCR 7 (sha256)"]);
    let checked = node.icnctl(&["--format", "json", "tpm", "check"]);
    assert_eq!(checked.code, 1);
    let checked: Value = serde_json::from_str(&checked.out).unwrap();
    assert_eq!((&checked["opens"], &checked["request"]), (&json!(false), &Value::Null));
    for (object, name) in checked["objects"].as_array().unwrap().iter().zip(["key", "storage"]) {
        assert_eq!(object["object"], name);
        assert_eq!((&object["opens"], &object["by"]), (&json!(false), &Value::Null));
        let differences = object["differences"].as_array().unwrap();
        assert_eq!(differences.len(), 2, "{object}");
        for (difference, index) in differences.iter().zip([0, 7]) {
            assert_eq!(difference["index"], index);
            assert_eq!(difference["expected"], "00".repeat(32));
            assert_eq!(difference["found"], node.tpm.read_pcr(index));
        }
    }
    node.tpm.restart();
    node.signs();
}

#[test]
fn resealed_for_coming_values_it_opens_before_and_after_the_update() {
    for json in [false, true] {
        let node = Node::with_identity("ed25519", &[]);
        let printed = node.coming_values();
        let coming = if json {
            let (_, value) = printed.split_once("0x").unwrap();
            let value = value.trim().to_lowercase();
            json!({ "bank": "sha256", "values": { "16": value } }).to_string()
        } else {
            printed
        };
        let coming = node.file("coming", &coming);
        let check = ["tpm", "check", "--pcr-values", &coming];
        let before = node.spends(0, || node.alone(&check));
        assert_eq!(before.code, 1, "{}", before.err);
        assert!(before.out.contains("does NOT open with the values given"), "{}", before.out);
        let did = node.home.show()["did"].clone();

        let said = node.spends(0, || node.ok(&["id", "reseal", "--pcr-values", &coming]));
        assert!(
            said.contains("sha256:16(2 states)+pin. Opens now, and when the PCRs have"),
            "{said}"
        );
        assert!(said.contains("Run `icnctl id reseal` again"), "{said}");
        let shown = node.home.show();
        assert_eq!((&shown["did"], &shown["generation"]), (&did, &json!(2)));
        node.signs();
        let after = node.spends(0, || node.alone(&check));
        assert_eq!(after.code, 0, "{}{}", after.out, after.err);
        node.tpm.extend_pcr(16);
        node.signs();
        // Now the state before the update is let go.
        let said = node.ok(&["id", "reseal"]);
        assert!(said.contains("sha256:16+pin. Opens now.\n"), "{said}");
        node.signs();
        node.reset_pcr_16();
        node.is_refused_for_pcr_16(LITERAL);
        let present = node.spends(0, || node.alone(&check));
        assert_eq!(present.code, 0, "{}{}", present.out, present.err);
    }
}

#[test]
fn coming_values_are_read_from_standard_input() {
    let node = Node::with_identity("ed25519", &["--no-pin"]);
    let coming = node.coming_values();
    let ran = node.home.icnctl(&["id", "reseal", "--pcr-values", "-"], coming.as_bytes());
    assert_eq!(ran.code, 0, "{}", ran.err);
    node.tpm.extend_pcr(16);
    node.signs();
    // A state that is neither.
    node.tpm.extend_pcr(16);
    node.fails(&["id", "reseal"], &["PCR 16 (sha256)"]);
}

#[test]
fn values_that_are_none_or_of_other_registers_are_refused_and_change_nothing() {
    let node = Node::with_identity("ed25519", &["--no-pin"]);
    let files = ["identity.json", "icn.toml"];
    let before = files.map(|name| node.home.read(name));
    let values = |bank: &str, index: &str, value: String| {
        json!({ "bank": bank, "values": { index: value } }).to_string()
    };
    let refused = |text: &str, reason: &str| {
        let file = node.file("values", text);
        for command in [["id", "reseal"], ["tpm", "check"]] {
            let ran = node.icnctl(&[&command[..], &["--pcr-values", &file]].concat());
            assert_eq!(ran.code, 1, "{text}: {}", ran.out);
            assert!(ran.err.contains(reason), "{text}: {}", ran.err);
        }
    };
    refused("garbage", "cannot be read as PCR values");
    refused("", "cannot be read as PCR values");
    refused("sha256:\n  16: 00\n", "cannot be read as PCR values");
    refused(&values("sha256", "7", "00".repeat(32)), "of another bank, or of PCRs");
    refused(&values("sha1", "16", "00".repeat(20)), "of another bank, or of PCRs");
    assert_eq!(files.map(|name| node.home.read(name)), before);
    node.signs();
}

/// No values of a SHA-256 register.
fn wrong_values(node: &Node) -> impl Iterator<Item = String> {
    let wrong = ["00".repeat(20), "0".repeat(63), "no hex".to_owned()];
    wrong.into_iter().map(|value| {
        let text = json!({ "bank": "sha256", "values": { "16": value } }).to_string();
        node.file("values", &text)
    })
}

#[test]
fn nothing_is_sealed_for_values_of_a_wrong_length() {
    let node = Node::with_identity("ed25519", &["--no-pin"]);
    for file in wrong_values(&node) {
        node.fails(&["id", "reseal", "--pcr-values", &file], &["no PCR values of their bank"]);
    }
}

#[test]
fn values_of_a_wrong_length_are_not_compared() {
    let node = Node::with_identity("ed25519", &["--no-pin"]);
    for file in wrong_values(&node) {
        node.fails(&["tpm", "check", "--pcr-values", &file], &["PCR values"]);
    }
}

#[test]
fn with_another_pin_the_old_one_is_refused() {
    let node = Node::with_identity("ed25519", &[]);
    let new = node.file("new", NEW);
    node.spends(0, || node.ok(&["id", "reseal", "--new-pin-file", &new]));
    node.ends(77, 1, &["sign"], &["refused the PIN; it was tried once, and 2 tries are left"]);
    node.signs_with(&["--pin-file", &new]);
    // A PIN given without saying so is the old one, and stays.
    node.ok(&["--pin-file", &new, "id", "reseal"]);
    node.signs_with(&["--pin-file", &new]);
    // Which keeps what was refused.
    let old = node.file("old", PIN);
    node.ends(77, 0, &["--pin-file", &old, "id", "reseal"], &["was not sent again"]);
}

#[test]
fn a_policy_that_is_configured_anew_comes_into_force() {
    let node = Node::with_identity("ed25519", &[]);
    node.set("pcr_indices", "\"7\"");
    node.ok(&["id", "reseal"]);
    node.tpm.extend_pcr(16);
    node.signs();
    assert_eq!(node.home.show()["locator"], "tpm2:parent=owner;policy=sha256:7+pin");
    // A PIN alone, and PCRs alone.
    node.set("platform_binding", "false");
    node.ok(&["id", "reseal"]);
    assert_eq!(node.home.show()["locator"], "tpm2:parent=owner;policy=pin");
    assert!(node.ok(&["tpm", "check"]).contains("Key          opens, with its PIN\n"));
    node.tpm.extend_pcr(7);
    node.signs();
    node.set("platform_binding", "true");
    node.set("pin", "false");
    node.ok(&["id", "reseal"]);
    assert_eq!(node.home.show()["locator"], "tpm2:parent=owner;policy=sha256:7");
    assert_eq!(node.alone(&["sign"]).code, 0);
    // And a PIN again: not the one in the variable without saying so.
    node.set("pin", "true");
    let missing = node.alone(&["id", "reseal"]);
    assert_eq!(missing.code, 1);
    assert!(
        missing.err.contains("give it with --new-pin-file FILE; $ICN_PIN is the present one"),
        "{}",
        missing.err
    );
    let pin = node.file("new", PIN);
    node.ok(&["id", "reseal", "--new-pin-file", &pin]);
    assert_eq!(node.alone(&["sign"]).code, 1);
    node.signs();
}

/// `pin = false` in the configuration, and a new PIN on the command line.
#[test]
fn a_new_pin_is_not_left_out_in_silence() {
    let node = Node::with_identity("ed25519", &["--no-pin"]);
    let new = node.file("new", NEW);
    node.fails(&["id", "reseal", "--new-pin-file", &new], &["pin = false"]);
    assert_eq!(node.home.show()["locator"], "tpm2:parent=owner;policy=sha256:16");
}

#[test]
fn a_p256_key_cannot_be_sealed_anew_and_the_reason_is_said() {
    let node = Node::with_identity("p256", &[]);
    let before = node.home.read("identity.json");
    let wanted = ["the policy of a P-256 key is a part of the key and stays", "\"authorized\""];
    node.fails(&["id", "reseal"], &wanted);
    let coming = node.file("coming", &node.coming_values());
    node.fails(&["id", "reseal", "--pcr-values", &coming], &wanted);
    let new = node.file("new", NEW);
    let keeps = ["and so does its PIN", "make another identity"];
    let told = node.fails(&["id", "reseal", "--new-pin-file", &new], &keeps);
    assert!(!told.err.contains("no such policy"), "{}", told.err);
    assert_eq!(node.home.read("identity.json"), before);
    node.signs();
}

/// Of what there is, and no more.
#[test]
fn what_backups_of_then_want_is_what_the_key_had_then() {
    for (more, wants) in [
        (&[][..], "want the PCR values and the PIN of then"),
        (&["--no-pin"], "want the PCR values of then"),
        (&["--no-platform-binding"], "want the PIN of then"),
    ] {
        let node = Node::with_identity("ed25519", more);
        let told = node.ok(&["id", "reseal"]);
        assert!(told.contains(wants), "{more:?}: {told}");
    }
}

#[test]
fn options_that_do_not_go_together_are_told_by_their_names() {
    let node = Node::new();
    for (options, wanted) in [
        (
            &["--no-pin", "--no-platform-binding"][..],
            ["--no-pin or --no-platform-binding", "use the key"],
        ),
        (&["--pcr-indices", ""], ["--pcr-indices", "like --pcr-indices 0,7"]),
        (&["--pcr-indices", " "], ["--pcr-indices", "like --pcr-indices 0,7"]),
        (&["--policy", "authorized"], ["--policy authorized wants", "--approver FILE"]),
        (
            &["--policy", "authorized", "--no-platform-binding"],
            ["leave --no-platform-binding out", "--policy literal"],
        ),
    ] {
        for algorithm in BOTH {
            let init = [&["id", "init", "--algorithm", algorithm], options].concat();
            let ran = node.icnctl(&init);
            assert_eq!(ran.code, 1, "{options:?}: {}", ran.err);
            for text in wanted {
                assert!(ran.err.contains(text), "{options:?}: {}", ran.err);
            }
            assert!(!ran.err.contains("no such policy"), "{options:?}: {}", ran.err);
        }
    }
    assert!(!node.home.path("identity.json").exists());
}

#[test]
fn other_banks_work_and_an_absent_one_is_named() {
    let mut node = Node::new();
    node.set("pcr_bank", "\"sha384\"");
    node.init("p256", &["--no-pin"]);
    node.signs();
    let extension = format!("16:sha384={}", "11".repeat(48));
    node.tpm.tool("tpm2_pcrextend", &[&extension]);
    node.fails(&["sign"], &["PCR 16 (sha384)"]);
    node.tpm.tool("tpm2_pcrallocate", &["sha1:none+sha256:all+sha384:none+sha512:none"]);
    node.tpm.restart();
    node.fails(&["sign"], &["the TPM has no PCR bank sha384", "icnctl backend doctor"]);
    let other = super::node::home_on(&node.tpm);
    super::node::set(&other, "pcr_bank", "\"sha1\"");
    for algorithm in BOTH {
        let init = ["id", "init", "--algorithm", algorithm, "--no-pin"];
        other.fails(&init, b"", &["the TPM has no PCR bank sha1"]);
    }
    assert!(!other.path("identity.json").exists());
    node.is_idle();
}
