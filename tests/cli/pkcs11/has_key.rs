//! A doctor in a home whose identity has its key on the token: no other key is to be made
//! or adopted.

use serde_json::Value;
use support::dialects::{OPENSC_OPENPGP, OPENSC_PIV, YKCS11};
use support::home::{Home, PASSPHRASE};
use support::softhsm::SoftHsm;

use super::doctor::{conclusion, said, state};

const HAS_IT: &str = "the identity here has its key on this token, and needs no other";
const CARDS: [(&str, &str); 3] =
    [("ykcs11", YKCS11), ("piv", OPENSC_PIV), ("openpgp", OPENSC_OPENPGP)];

fn put_key(hsm: &SoftHsm, name: &str, token: &str) {
    match name {
        "openpgp" => hsm.import(token, "there", "01"),
        _ => {
            let p256 = ["EC", "-pkeyopt", "ec_paramgen_curve:P-256"];
            hsm.import_made_by(&p256, token, "there", "01")
        }
    };
}

fn adopted(hsm: &SoftHsm, name: &str, card: &str) -> Home {
    put_key(hsm, name, "node-1");
    hsm.script(card);
    let home = hsm.home().with("ICN_PASSPHRASE", PASSPHRASE);
    let key = format!("pkcs11:token=node-1;object=there?module-path={}", hsm.fault_module());
    home.ok(&["id", "init", "--key", &key], b"");
    home
}

/// As text and as JSON; its exit code.
fn doctor(home: &Home, more: &[&str]) -> (i32, String, Value) {
    let text = home.icnctl(&[&["backend", "doctor"], more].concat(), b"");
    let json = [&["--format", "json", "backend", "doctor"], more].concat();
    let ran = home.icnctl(&json, b"");
    let report =
        serde_json::from_str(&ran.out).unwrap_or_else(|_| panic!("{} {}", ran.out, ran.err));
    assert_eq!(text.code, ran.code, "{}", ran.out);
    (ran.code, text.out, report)
}

#[test]
fn a_doctor_advises_nobody_to_adopt_the_key_that_the_identity_has() {
    for (name, card) in CARDS {
        let hsm = SoftHsm::with_token("node-1");
        let home = adopted(&hsm, name, card);
        for how in [&[][..], &["--probe"], &["--token", "node-1"]] {
            let (code, text, report) = doctor(&home, how);
            assert_eq!(code, 0, "{name} {how:?}: {text}");
            for said in [&text, &report.to_string()] {
                assert!(!said.contains("adopt it"), "{name} {how:?}: {said}");
                assert!(!said.contains("id init") && !said.contains("--algorithm"), "{said}");
                assert!(said.contains(HAS_IT), "{name} {how:?}: {said}");
            }
            assert_eq!(state(&report, "makes a key"), "warning", "{name}: {report}");
            assert!(said(&report, "makes a key", "advice").ends_with(HAS_IT), "{report}");
            assert_eq!(state(&report, "the identity's key"), "ok", "{name}: {report}");
        }
    }
}

/// What is wrong is its key, and another one would be another identity.
#[test]
fn a_doctor_advises_nobody_to_make_another_key_in_the_place_of_the_identitys() {
    for (name, card) in CARDS {
        let hsm = SoftHsm::with_token("node-1");
        let home = adopted(&hsm, name, card);
        for kind in ["pubkey", "privkey"] {
            hsm.pkcs11_tool_on("node-1", &["--delete-object", "--type", kind, "--id", "01"]);
        }
        // Nothing is left, and then another key.
        for other in [false, true] {
            if other {
                let make = ["--keypairgen", "--key-type", "EC:prime256v1", "--label", "other"];
                hsm.pkcs11_tool_on("node-1", &make);
            }
            let (code, text, report) = doctor(&home, &[]);
            let is_gone = state(&report, "the identity's key") == "fail";
            assert_eq!(code, i32::from(is_gone || state(&report, "makes a key") == "fail"));
            assert!(is_gone || !other, "{name}: {text}");
            for said in [&text, &report.to_string()] {
                assert!(!said.contains("adopt it") && !said.contains("id init"), "{said}");
                assert_eq!(said.contains("another key is another identity"), is_gone, "{said}");
                assert!(!said.contains(HAS_IT), "{said}");
            }
        }
    }
}

/// In this home is an identity: that of another token's key has a home of its own.
#[test]
fn a_doctor_that_looks_at_another_token_names_another_home() {
    for (name, card) in CARDS {
        let hsm = SoftHsm::with_token("node-1");
        hsm.token("node-2");
        let home = adopted(&hsm, name, card);
        put_key(&hsm, name, "node-2");
        let (code, text, report) = doctor(&home, &["--token", "node-2"]);
        assert_eq!((code, state(&report, "makes a key")), (0, "warning"), "{text}");
        for said in [&text, &report.to_string()] {
            assert!(said.contains("icnctl --home ANOTHER id init --key URI"), "{name}: {said}");
            assert!(!said.contains(HAS_IT), "{name}: {said}");
        }
        // And its key is tried, as is advised.
        let key = "pkcs11:token=node-2;object=there";
        let (code, text, report) = doctor(&home, &["--token", "node-2", "--probe", "--key", key]);
        assert_eq!((code, state(&report, "the key that is there")), (0, "ok"), "{name}: {text}");
        assert!(conclusion(&report).starts_with("An identity with this key works here"), "{text}");
    }
}
