//! What `id show` says of a token that it has looked at.

use serde_json::{Value, json};
use support::dialects::{NETHSM, NSS};
use support::home::PASSPHRASE;
use support::softhsm::SoftHsm;

/// Whether the key is there cannot be seen, and is not claimed.
#[test]
fn a_key_that_a_token_does_not_show_is_not_said_to_be_there() {
    let hsm = SoftHsm::with_token("node-1");
    hsm.script("private-only");
    let home = hsm.faulty_identity("node-1");
    for deleted in [false, true] {
        if deleted {
            let id = home.show()["locator"].as_str().unwrap().to_owned();
            let id = id.split(";id=").nth(1).unwrap().replace('%', "");
            let id = id.split([';', '?']).next().unwrap().to_owned();
            for kind in ["privkey", "pubkey"] {
                let delete = ["--login", "--delete-object", "--type", kind, "--id", &id];
                let gone =
                    hsm.pkcs11_tool(&[&delete[..], &["--pin", support::softhsm::PIN]].concat());
                assert_eq!(gone.code, 0, "{}", gone.err);
            }
        }
        assert_eq!(home.show()["device"]["state"], "not-seen");
        let text = home.ok(&["id", "show"], b"");
        assert!(text.contains("does not show this key without a login"), "{text}");
        assert!(!text.contains("shows this key"), "{text}");
    }
    home.fails(&["sign"], b"hello", &["has no key"]);
}

#[test]
fn a_token_that_says_nothing_of_itself_and_facts_that_nobody_vouches_for_are_shown_as_such() {
    let hsm = SoftHsm::with_token("node-1");
    hsm.script("manufacturer Acme\nmodel HSM\nlibrary Acme");
    let home = hsm.faulty_identity("node-1");
    let shown = home.show();
    assert_eq!(shown["assurance"], "unstated");
    assert_eq!(shown["hardware_backed"], false);
    assert_eq!(shown["evidence_word"]["local"], "module");
    let text = home.ok(&["id", "show"], b"");
    assert!(text.contains("unstated (the device does not say whether it is hardware)"), "{text}");
    assert!(text.contains("module: always_sensitive=true"), "{text}");
    assert!(!text.contains("soft token"), "{text}");

    // A reader is hardware, whatever card is in it.
    let hsm = SoftHsm::with_token("node-1");
    hsm.script("hardware\nlibrary OpenSC_Project");
    let home = hsm.faulty_identity("node-1");
    let shown = home.show();
    assert_eq!(shown["provenance"], "device-held");
    assert_eq!(shown["evidence"]["local"], "unknown");
    assert_eq!(shown["evidence_word"]["local"], "nobody");
    let text = home.ok(&["id", "show"], b"");
    assert!(
        text.contains("Nobody vouches for always_sensitive, local, never_extractable"),
        "{text}"
    );
}

/// By `id init`, `id show` and the doctor, in words and in JSON.
#[test]
fn each_assurance_is_told_alike_by_init_show_and_doctor() {
    let claimed = "the module's word that the device is hardware";
    for (script, assurance, made, shown, state, found) in [
        (
            "hardware\nmanufacturer IBM\nmodel Soft",
            "soft-token",
            "a soft token: for tests, not for a node of value",
            "soft token, for tests: whoever can read its files",
            "warning",
            "a soft token",
        ),
        (
            "hardware\nmanufacturer aws_kms\nmodel 0\nlibrary none",
            "remote-service",
            "A service elsewhere keeps this key. It does not count as hardware.",
            "a service elsewhere keeps the key",
            "warning",
            "a service elsewhere keeps the keys",
        ),
        (
            "manufacturer Acme\nmodel HSM\nlibrary Acme",
            "unstated",
            "to \"soft-token\" or \"remote-service\"",
            "the device does not say whether it is hardware",
            "warning",
            "the token does not say whether it is hardware",
        ),
        (
            "hardware\nlibrary Acme",
            "claimed",
            "",
            claimed,
            "ok",
            "the module says that it is hardware",
        ),
    ] {
        let hsm = SoftHsm::with_token("node-1");
        hsm.script(script);
        let (home, module) = (hsm.home(), hsm.fault_module());
        let init = ["id", "init", "--backend", "pkcs11", "--module", &module, "--token", "node-1"];
        let said = home.ok(&init, b"");
        assert!(said.contains(made), "{made}: {said}");
        if assurance == "claimed" {
            for warning in ["soft token", "elsewhere", "does not say"] {
                assert!(!said.contains(warning), "{said}");
            }
        }
        let json = home.show();
        assert_eq!(json["assurance"], assurance);
        assert_eq!(json["hardware_backed"], assurance == "claimed");
        let word = if assurance == "claimed" { "module".into() } else { Value::Null };
        assert_eq!(json["assurance_word"], word);
        let text = home.ok(&["id", "show"], b"");
        let line = format!("Assurance   {assurance} ({shown}");
        assert!(text.contains(&line), "{line}: {text}");
        let report = home.ok(&["--format", "json", "backend", "doctor"], b"");
        let report: Value = serde_json::from_str(&report).unwrap();
        assert_eq!(report["module"]["tokens"][0]["assurance"], assurance, "{report}");
        let verdicts = report["verdicts"].as_array().unwrap();
        let verdict = verdicts.iter().find(|verdict| verdict["requirement"] == "hardware").unwrap();
        assert_eq!((&verdict["state"], &verdict["found"]), (&state.into(), &found.into()));
        let text = home.ok(&["backend", "doctor"], b"");
        for part in [&format!("Assurance          {assurance}"), found] {
            assert!(text.contains(part), "{part}: {text}");
        }
    }
}

/// Before the next write of the header, too.
#[test]
fn what_the_configuration_does_not_trust_is_not_shown() {
    let hsm = SoftHsm::with_token("node-1");
    hsm.script("hardware");
    let home = hsm.faulty_identity("node-1");
    let shown = home.show();
    assert_eq!(
        (&shown["provenance"], &shown["hardware_backed"]),
        (&"hardware".into(), &true.into())
    );
    let config = home.read("icn.toml");
    let with = |line: &str| {
        let text = config.replace("[identity.pkcs11]", &format!("[identity.pkcs11]\n{line}"));
        support::home::write_private(&home.path("icn.toml"), &text);
    };
    assert_eq!(shown["limited_by"], json!([]));
    with("trust_key_history = false");
    let history = ["local", "always_sensitive", "never_extractable"];
    // Before the next write of the header, and after it.
    for is_written in [false, true] {
        if is_written {
            home.ok(&["id", "renew"], b"");
        }
        let shown = home.show();
        assert_eq!(shown["provenance"], "device-held");
        for fact in history {
            assert_eq!(shown["evidence"][fact], "unknown", "{fact}: {shown}");
            assert_eq!(shown["evidence_word"][fact], "nobody", "{fact}: {shown}");
        }
        assert_eq!(shown["evidence"]["sensitive"], true);
        let text = home.ok(&["id", "show"], b"");
        assert!(text.contains("Nobody vouches for always_sensitive, local"), "{text}");
        assert!(text.contains("trust_key_history = false under [identity.pkcs11]"), "{text}");
        assert!(!text.contains("local=true") && !text.contains("assurance_at_most"), "{text}");
        // This module is not known for anything of the kind.
        assert!(!text.contains("known to answer"), "{text}");
        assert_eq!(text.contains("takes it for less"), !is_written, "{text}");
        let limits = if is_written { json!([]) } else { json!(["trust_key_history = false"]) };
        assert_eq!(shown["limited_by"], limits);
    }
    // What is printed by what opens it is no other.
    let moved = home.ok(&["--format", "json", "id", "relocate"], b"");
    let moved: Value = serde_json::from_str(&moved).unwrap();
    assert_eq!(moved["evidence"]["local"], "unknown", "{moved}");
    with("assurance_at_most = \"remote-service\"");
    let shown = home.show();
    assert_eq!(
        (&shown["assurance"], &shown["hardware_backed"]),
        (&"remote-service".into(), &false.into())
    );
    let text = home.ok(&["id", "show"], b"");
    let setting = "assurance_at_most = \"remote-service\" under [identity.pkcs11]";
    assert!(text.contains(setting), "{text}");
    assert!(!text.contains("trust_key_history = false"), "{text}");
    with("trust_key_history = false\nassurance_at_most = \"soft-token\"");
    let text = home.ok(&["id", "show"], b"");
    assert!(text.contains("assurance_at_most = \"soft-token\" under"), "{text}");
}

/// Above the facts themselves, which say whose each is.
#[test]
fn who_says_that_a_key_was_born_in_its_device_is_who_said_it() {
    for (script, says) in [
        ("", "by all that the device says)"),
        ("library PKCS#11_Kit", "by all that its module says)"),
        ("manufacturer Acme\nmodel HSM\nlibrary Acme", "by all that its module says)"),
        (
            "manufacturer Yubico_(www.yubico.com)\nmodel YubiHSM\nlibrary Yubico",
            "by all that the device and its module say)",
        ),
    ] {
        let hsm = SoftHsm::with_token("node-1");
        hsm.script(script);
        let home = hsm.faulty_identity("node-1");
        let text = home.ok(&["id", "show"], b"");
        assert!(
            text.contains("Provenance  hardware (born in the device") && text.contains(says),
            "{says}: {text}"
        );
    }
}

/// A module says of each key that it was not made in the token. Of one that is known to do so
/// nothing is said by that, and of another one it is its word.
#[test]
fn a_key_that_was_just_made_is_not_said_to_be_written_in_for_what_a_module_says_of_each() {
    let unknown = "manufacturer Acme\nmodel HSM\nlibrary Acme\nsay CKA_LOCAL false\n";
    for (dialect, says) in [(NSS, false), (NETHSM, false), (unknown, true)] {
        let hsm = SoftHsm::with_token("node-1");
        hsm.script(dialect);
        let home = hsm.home().with("ICN_PASSPHRASE", PASSPHRASE);
        let module = hsm.fault_module();
        let init = ["id", "init", "--backend", "pkcs11", "--module", &module, "--token", "node-1"];
        home.ok(&init, b"");
        let shown = home.ok(&["id", "show"], b"");
        assert!(!shown.contains("written into the token"), "{shown}");
        let is_said = shown.contains("not born in the token, by its module's word");
        assert_eq!(is_said, says, "{shown}");
        assert_eq!(shown.contains("\nHistory "), says, "{shown}");
        assert_eq!(shown.contains("Nobody vouches for"), !says, "{shown}");
    }
}
