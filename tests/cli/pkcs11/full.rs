//! A token on which there is no room for more.

use serde_json::{Value, json};
use support::home::{Home, PASSPHRASE};
use support::softhsm::SoftHsm;

/// SoftHSM2 on a full disk answers by the first, others by the second.
const ANSWERS: [(&str, &str); 2] =
    [("CKR_FUNCTION_FAILED", "it may be full"), ("CKR_DEVICE_MEMORY", "the token is full")];

/// Nothing is made, whatever it is.
fn full(answer: &str) -> String {
    ["C_GenerateKeyPair", "C_GenerateKey", "C_CreateObject"]
        .map(|call| format!("on {call} all return {answer}\n"))
        .concat()
}

fn doctor(hsm: &SoftHsm, home: &Home, more: &[&str]) -> (i32, Value, String) {
    let module = hsm.fault_module();
    let args = [&["backend", "doctor", "--module", &module][..], more].concat();
    let text = home.icnctl(&args, b"");
    let json = home.icnctl(&[&["--format", "json"][..], &args].concat(), b"");
    assert_eq!(text.code, json.code, "{}", text.err);
    (text.code, serde_json::from_str(&json.out).unwrap(), text.out)
}

fn verdict<'a>(report: &'a Value, requirement: &str) -> &'a Value {
    let verdicts = report["verdicts"].as_array().unwrap();
    verdicts.iter().find(|verdict| verdict["requirement"] == requirement).unwrap()
}

#[test]
fn of_a_full_token_no_key_is_said_to_work_that_was_not_tried() {
    for (answer, hint) in ANSWERS {
        let hsm = SoftHsm::with_token("node-1");
        hsm.import("node-1", "there", "01");
        let home = hsm.home().with("ICN_PASSPHRASE", PASSPHRASE);
        hsm.script(&full(answer));
        // Whether a key that goes with its session, or one that lasts.
        for (how, not_tried) in [
            ("--probe", json!(["making a key", "signing", "keeping the storage key"])),
            ("--probe-with-lasting-key", json!(["signing"])),
        ] {
            let (code, report, text) = doctor(&hsm, &home, &[how]);
            assert_eq!((code, &report["not_tried"]), (0, &not_tried), "{how} {answer}: {report}");
            let conclusion = report["conclusion"].as_str().unwrap();
            assert!(text.contains(conclusion), "{text}");
            assert!(conclusion.contains("Not tried: ") && !conclusion.contains("Not tried: ."));
            for claim in ["works here", "that is there works", "are there work"] {
                assert!(!text.contains(claim), "{claim}: {text}");
            }
            assert_eq!(verdict(&report, "makes a key")["state"], "warning", "{report}");
            let found = verdict(&report, "makes a key")["found"].as_str().unwrap();
            assert!(found.contains(answer) && found.contains(hint), "{found}");
            let found = verdict(&report, "keeps the storage key")["found"].as_str().unwrap();
            assert!(found.contains(answer) && found.contains(hint), "{found}");
        }
        let (_, report, _) = doctor(&hsm, &home, &["--probe-with-lasting-key"]);
        let conclusion = report["conclusion"].as_str().unwrap();
        assert!(conclusion.starts_with("No new key can be made here."), "{conclusion}");
        assert!(conclusion.contains("--probe --key URI"), "{conclusion}");
        // As it advises.
        let uri = report["module"]["tokens"][0]["keys"][0]["uri"].as_str().unwrap().to_owned();
        let key = ["--probe-with-lasting-key", "--key", &uri];
        let (code, report, _) = doctor(&hsm, &home, &key);
        assert_eq!((code, &report["not_tried"]), (0, &json!([])), "{report}");
        let conclusion = report["conclusion"].as_str().unwrap();
        assert!(conclusion.starts_with("An identity with this key works here"), "{conclusion}");
    }
}

/// And one without a key on it is fit for nothing.
#[test]
fn a_full_token_without_a_key_is_not_fit() {
    for (answer, hint) in ANSWERS {
        let hsm = SoftHsm::with_token("node-1");
        let home = hsm.home();
        hsm.script(&full(answer));
        let (code, report, _) = doctor(&hsm, &home, &["--probe-with-lasting-key"]);
        assert_eq!((code, &report["conclusion"]), (1, &json!("No identity works here.")));
        assert!(verdict(&report, "makes a key")["found"].as_str().unwrap().contains(hint));
        let module = hsm.fault_module();
        let init = ["id", "init", "--backend", "pkcs11", "--module", &module, "--token", "node-1"];
        home.fails(&init, b"", &[answer, "token", " full"]);
        assert!(!home.path("identity.json").exists());
    }
}

/// There is room for the key, and for nothing beside it.
#[test]
fn why_a_storage_key_is_not_kept_is_said_where_a_passphrase_is_wanted_for_it() {
    for (answer, hint) in ANSWERS {
        let hsm = SoftHsm::with_token("node-1");
        let script = format!(
            "on C_GenerateKey all return {answer}\non C_GenerateKeyPair 2..99 return {answer}"
        );
        let module = hsm.fault_module();
        let init = ["id", "init", "--backend", "pkcs11", "--module", &module, "--token", "node-1"];
        let why = ["does not keep a storage key, so a passphrase is wanted", "AES-GCM: ", hint];
        hsm.script(&script);
        hsm.home().fails(&init, b"", &[&why[..], &[answer, "passphrase"]].concat());
        assert_eq!(hsm.objects("node-1"), "", "nothing is left");
        hsm.script(&script);
        let home = hsm.home().with("ICN_PASSPHRASE", PASSPHRASE);
        let ran = home.icnctl(&init, b"");
        assert_eq!(ran.code, 0, "{}", ran.err);
        for part in why {
            assert!(ran.err.contains(part), "{part}: {}", ran.err);
        }
        home.ok(&["sign"], b"hello");
    }
}
