//! Why a doctor finds a token unfit for a new key, and which keys on it count.

use serde_json::{Value, json};
use support::softhsm::SoftHsm;

use super::doctor::{LASTING, conclusion, doctor, objects, said, state};

/// In whatever way it says so; nor can its own tool make one.
#[test]
fn what_a_write_protected_token_is_advised_fits_it() {
    const ANSWER: &str = "CKR_TOKEN_WRITE_PROTECTED";
    let by_answer = format!("on C_GenerateKeyPair all return {ANSWER}");
    let in_sessions = format!("flag write-protected\nwriting-sessions {ANSWER}");
    let unsaid = format!("writing-sessions {ANSWER}");
    for script in ["flag write-protected", &by_answer, &in_sessions, &unsaid] {
        let hsm = SoftHsm::with_token("node-1");
        let home = hsm.home();
        hsm.script(script);
        let says_so = script.starts_with("flag");
        for how in [&[][..], &["--probe"], &[LASTING]] {
            if how == [LASTING] && script == "flag write-protected" {
                // It says so and makes keys all the same.
                continue;
            }
            let (code, report) = doctor(&hsm, &home, how);
            if !says_so && how.is_empty() {
                assert_eq!((code, state(&report, "makes a key")), (0, "ok"), "{report}");
                continue;
            }
            let keys_may_be_there = how.is_empty();
            let expected = if keys_may_be_there { (0, "warning") } else { (1, "fail") };
            assert_eq!((code, state(&report, "makes a key")), expected, "{script}: {report}");
            let advice = said(&report, "makes a key", "advice");
            assert!(advice.contains("take the protection off"), "{script}: {advice}");
            assert!(!advice.contains("make a key with the token's own tool"), "{advice}");
            assert!(!advice.contains(LASTING), "{advice}");
            if says_so {
                assert_eq!(state(&report, "health"), "warning", "{report}");
                let advice = said(&report, "health", "advice");
                assert!(advice.contains("take the protection off"), "{advice}");
                assert!(!advice.contains("manual"), "{advice}");
            }
            let storage = state(&report, "keeps the storage key");
            assert!(storage == "warning" || script == by_answer, "{report}");
        }
        if script != "flag write-protected" {
            let fault = hsm.fault_module();
            let init =
                ["id", "init", "--backend", "pkcs11", "--module", &fault, "--token", "node-1"];
            home.fails(&init, b"", &[ANSWER, "the token is write-protected: take that off"]);
        }
    }
}

/// What is missing is not a key that lasts.
#[test]
fn a_token_with_too_few_sessions_is_not_offered_a_lasting_key() {
    for hidden in ["", "\nhide-max-sessions"] {
        let hsm = SoftHsm::with_token("node-1");
        let home = hsm.home();
        hsm.script(&format!("max-sessions 2{hidden}"));
        // Without a key nothing would work.
        for how in ["--probe", LASTING] {
            let (code, report) = doctor(&hsm, &home, &[how]);
            assert_eq!((code, state(&report, "room for sessions")), (1, "fail"), "{report}");
            assert!(!report.to_string().contains(LASTING), "{report}");
            assert_eq!(conclusion(&report), "No identity works here.");
            // `id init` wants three, too: the login, the key that is open, and one to make.
            let module = hsm.fault_module();
            let init =
                ["id", "init", "--backend", "pkcs11", "--module", &module, "--token", "node-1"];
            hsm.home().fails(&init, b"", &["CKR_SESSION_COUNT"]);
        }
        assert_eq!(objects(&hsm).trim(), "");
        hsm.import("node-1", "there", "07");
        let there = objects(&hsm);
        let (code, report) = doctor(&hsm, &home, &["--probe"]);
        assert_eq!(code, 0, "{report}");
        assert!(!report.to_string().contains(LASTING), "{report}");
        assert!(!report["not_tried"].to_string().contains("lasts"), "{report}");
        assert!(conclusion(&report).starts_with("No new key can be made here."), "{report}");
        assert_eq!(state(&report, "room for sessions"), "warning", "{report}");
        assert!(said(&report, "room for sessions", "found").contains("no new key"), "{report}");
        assert_eq!(report["probe"]["storage"]["aes_gcm"]["state"], "no-session", "{report}");
        let found = said(&report, "keeps the storage key", "found");
        assert!(found.contains("no session was left"), "{found}");
        // Although it is asked for.
        let (code, report) = doctor(&hsm, &home, &[LASTING]);
        assert_eq!((code, state(&report, "makes a key")), (0, "warning"), "{report}");
        assert_eq!(report["probe"]["not_made"]["reason"], "no-session", "{report}");
        let advice = said(&report, "makes a key", "advice");
        assert!(advice.contains("close what else uses the token"), "{advice}");
        assert_eq!(objects(&hsm), there, "{report}");
        // With one more, all of it works.
        hsm.script(&format!("max-sessions 3{hidden}"));
        let (code, report) = doctor(&hsm, &home, &[LASTING]);
        assert_eq!((code, state(&report, "makes a key")), (0, "ok"), "{report}");
        assert!(conclusion(&report).starts_with("An identity works here"), "{report}");
    }
}

/// On a token that takes no usages it looks like a key that signs.
#[test]
fn the_key_that_keeps_a_storage_key_is_none_that_an_identity_can_have() {
    let plain = "refuse CKA_DECRYPT CKR_GENERAL_ERROR\nrefuse CKA_MODIFIABLE CKR_GENERAL_ERROR";
    for (script, shown) in [
        ("private-only", false),
        ("login-to-see\nprivate-only", false),
        (plain, true),
        ("hide CKA_VERIFY", true),
    ] {
        let hsm = SoftHsm::with_token("node-1");
        hsm.script(&format!("{script}\nno-mechanism CKM_AES_GCM"));
        let home = hsm.faulty_identity("node-1");
        assert_eq!(home.show()["storage"], "pkcs11-ecdh");
        let (code, report) = doctor(&hsm, &home, &["--probe"]);
        assert_eq!((code, &report["probe"]["keys"]), (0, &json!(1)), "{script}: {report}");
        let keys = report["module"]["tokens"][0]["keys"].as_array().unwrap();
        let named = |label: &str| keys.iter().find(|key| key["label"] == label);
        if shown {
            assert!(named("icn-identity").unwrap()["did"].is_string(), "{report}");
            let storage = named("icn-identity storage").unwrap();
            assert_eq!(storage["did"], Value::Null, "{storage}");
            let problem = storage["problem"].as_str().unwrap();
            assert_eq!(problem, "it keeps the storage key of an identity");
        }
        // Alone it is not offered, by a card that makes no keys.
        for kind in ["pubkey", "privkey"] {
            hsm.pkcs11_tool(&["--delete-object", "--type", kind, "--label", "icn-identity"]);
        }
        hsm.script(&format!("{script}\nhardware\nmodel YubiKey_YK5"));
        let (_, report) = doctor(&hsm, &hsm.home(), &["--probe"]);
        // One that shows what it has is not probed for that.
        let counted = if shown { Value::Null } else { json!(0) };
        assert_eq!(report["probe"]["keys"], counted, "{script}: {report}");
        assert_eq!(state(&report, "makes a key"), "fail", "{script}: {report}");
    }
}

/// An identity's own key may end so.
#[test]
fn a_key_that_is_only_called_like_a_storage_key_counts() {
    let hsm = SoftHsm::with_token("node-1");
    hsm.script("no-mechanism CKM_AES_GCM");
    let home = hsm.home();
    let module = hsm.fault_module();
    let init = ["id", "init", "--backend", "pkcs11", "--module", &module, "--token", "node-1"];
    home.ok(&[&init[..], &["--algorithm", "p256", "--key-label", "cold storage"]].concat(), b"");
    hsm.import_made_by(
        &["EC", "-pkeyopt", "ec_paramgen_curve:P-256"],
        "node-1",
        "warm storage",
        "07",
    );
    let (code, report) = doctor(&hsm, &home, &["--probe"]);
    assert_eq!((code, &report["probe"]["keys"]), (0, &json!(2)), "{report}");
    let keys = report["module"]["tokens"][0]["keys"].as_array().unwrap();
    assert!(keys.iter().all(|key| key["did"].is_string()), "{report}");
}
