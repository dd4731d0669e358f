//! Tokens that lie about a key, or about what they have done.

use serde_json::Value;
use support::softhsm::SoftHsm;

use super::doctor::{LASTING, conclusion, doctor, made, objects, said, state};

const TELLS: &str = "tells where keys come from";
/// It says that it has removed everything, and removes nothing.
const KEEPS_ALL: &str = "on C_DestroyObject all return CKR_OK\n";

/// A key that was imported stays one, whatever is said of it later and by whomever the
/// identity is written: a renewal on purpose, one that was due, a restored backup, a key
/// that is adopted anew, and one whose history was not trusted meanwhile.
#[test]
fn what_a_token_has_denied_of_a_key_is_not_believed_later() {
    let hsm = SoftHsm::with_token("node-1");
    hsm.script("hardware");
    hsm.import("node-1", "imported", "ab01");
    let home = hsm.home();
    let module = hsm.fault_module();
    let adopt = ["id", "init", "--backend", "pkcs11", "--module", &module, "--token", "node-1"];
    let adopt = [&adopt[..], &["--key", "pkcs11:object=imported"]].concat();
    home.ok(&adopt, b"");
    hsm.script("hardware\nlie ab01");
    let stays = |after: &str| {
        let shown = home.show();
        assert_eq!(shown["provenance"], "device-held", "{after}: {shown}");
        assert_eq!(shown["evidence"]["local"], false, "{after}: {shown}");
        let (code, report) = doctor(&hsm, &home, &["--probe"]);
        assert_eq!((code, state(&report, "the identity's key")), (1, "fail"), "{after}: {report}");
    };
    let renewed = home.icnctl(&["id", "renew"], b"");
    assert_eq!(renewed.code, 0, "{}", renewed.err);
    assert!(renewed.err.contains("its word is not taken"), "{}", renewed.err);
    stays("a renewal");
    home.ok(&["sign"], b"hello");
    stays("signing");

    // Nobody's word in between makes nobody forget.
    let config = home.read("icn.toml");
    let distrusting = format!("{config}trust_key_history = false\n");
    home.write("icn.toml", &distrusting);
    home.ok(&["id", "renew"], b"");
    home.write("icn.toml", &config);
    home.ok(&["id", "renew"], b"");
    stays("a time without trust");
    hsm.script("hardware\nlie ab01\nlibrary OpenSC_Project");
    home.ok(&["id", "renew"], b"");
    hsm.script("hardware\nlie ab01");
    home.ok(&["id", "renew"], b"");
    stays("another library");

    // The key is adopted anew beside the header that was left.
    for file in ["identity.age", "icn.toml"] {
        std::fs::remove_file(home.path(file)).unwrap();
    }
    home.ok(&adopt, b"");
    stays("an adoption");
}

/// As `id init` refuses them.
#[test]
fn a_token_that_would_hand_out_the_keys_that_it_makes_is_not_fit() {
    for script in ["say CKA_EXTRACTABLE true", "say CKA_SENSITIVE false"] {
        let hsm = SoftHsm::with_token("node-1");
        hsm.script(&format!("hardware\n{script}"));
        let home = hsm.home();
        for probe in [LASTING, "--probe"] {
            let (code, report) = doctor(&hsm, &home, &[probe]);
            assert_eq!((code, state(&report, TELLS)), (1, "fail"), "{script}: {report}");
            assert!(said(&report, TELLS, "found").contains("born inside: refused"), "{report}");
            assert_eq!(conclusion(&report), "No identity works here.", "{script}: {report}");
        }
        let module = hsm.fault_module();
        let init = ["id", "init", "--backend", "pkcs11", "--module", &module, "--token", "node-1"];
        home.fails(&init, b"", &["the key is not confined to its device"]);
    }
}

#[test]
fn whether_a_token_lies_of_keys_from_outside_is_not_known_where_it_takes_none() {
    let hsm = SoftHsm::with_token("node-1");
    hsm.script(
        "hardware\nsay CKA_LOCAL true\nsay CKA_ALWAYS_SENSITIVE true\n\
         say CKA_NEVER_EXTRACTABLE true\non C_CreateObject all return CKR_FUNCTION_NOT_SUPPORTED\n\
         on C_SetAttributeValue all return CKR_FUNCTION_NOT_SUPPORTED",
    );
    let (code, report) = doctor(&hsm, &hsm.home(), &[LASTING]);
    assert_eq!((code, state(&report, TELLS)), (0, "warning"), "{report}");
    let untried = "whether it tells the truth of keys that were not born in it";
    let not_tried = report["not_tried"].as_array().unwrap();
    assert!(not_tried.contains(&Value::from(untried)), "{report}");
}

/// The ids of all objects on the token.
fn ids(hsm: &SoftHsm) -> Vec<String> {
    let listed = objects(hsm);
    let ids = listed.lines().filter_map(|line| line.trim().strip_prefix("ID:"));
    let mut ids: Vec<_> = ids.map(|id| id.trim().to_owned()).collect();
    ids.sort_unstable();
    ids.dedup();
    ids
}

#[test]
fn what_a_token_only_says_that_it_has_removed_is_named() {
    for (script, probe) in [("", LASTING), ("session-objects last", "--probe")] {
        let hsm = SoftHsm::with_token("node-1");
        hsm.script(&format!("hardware\n{script}\n{KEEPS_ALL}"));
        let module = hsm.fault_module();
        let args = ["backend", "doctor", "--module", &module, probe];
        let ran = hsm.home().fails(&args, b"", &["what a probe has made is still on token node-1"]);
        let ids = ids(&hsm);
        assert!(!ids.is_empty(), "{script}: {}", ran.err);
        for id in ids {
            assert!(ran.err.contains(&id), "{script}: {id}: {}", ran.err);
        }
    }
    // What goes with its session is gone with it.
    let hsm = SoftHsm::with_token("node-1");
    hsm.script(&format!("hardware\n{KEEPS_ALL}"));
    let (code, report) = doctor(&hsm, &hsm.home(), &["--probe"]);
    assert_eq!((code, ids(&hsm)), (0, Vec::new()), "{report}");
}

#[test]
fn what_an_identity_that_failed_has_made_is_named_where_it_is_only_said_to_be_removed() {
    let hsm = SoftHsm::with_token("node-1");
    let broken = "on C_Encrypt all return CKR_DEVICE_ERROR\non C_DeriveKey all return \
                  CKR_DEVICE_ERROR\n";
    hsm.script(&format!("hardware\n{broken}{KEEPS_ALL}"));
    let module = hsm.fault_module();
    let home = hsm.home();
    let init = ["id", "init", "--backend", "pkcs11", "--module", &module, "--token", "node-1"];
    let ran = home.fails(&init, b"", &["is still on token node-1"]);
    let left = ids(&hsm);
    assert!(!left.is_empty(), "{}", ran.err);
    // Named now, or by the note that the next attempt goes by.
    hsm.script("hardware");
    let again = home.icnctl(&init, b"");
    assert_eq!(again.code, 0, "{}", again.err);
    for id in left.iter().filter(|id| ids(&hsm).contains(id)) {
        assert!(ran.err.contains(id.as_str()), "{id} is left: {}", ran.err);
    }
}

/// What is labelled as the probe's and shows its id is its own.
#[test]
fn what_a_loose_search_does_not_find_is_removed_by_its_label() {
    let hsm = SoftHsm::with_token("node-1");
    hsm.script("hardware\nslot-ids");
    let module = hsm.fault_module();
    let ran = hsm.home().icnctl(&["backend", "doctor", "--module", &module, LASTING], b"");
    assert!(made(&hsm) > 0, "{}", ran.err);
    assert_eq!(ids(&hsm), Vec::<String>::new(), "{} {}", ran.out, ran.err);
}

#[test]
fn where_nobody_is_logged_in_nothing_is_said_to_be_left() {
    let hsm = SoftHsm::with_token("node-1");
    hsm.script("hardware\non C_Login all return CKR_OK");
    let module = hsm.fault_module();
    for probe in [LASTING, "--probe"] {
        let args = ["backend", "doctor", "--module", &module, probe];
        let ran = hsm.home().fails(&args, b"", &["CKR_USER_NOT_LOGGED_IN"]);
        assert!(!ran.err.contains("still on token"), "{}", ran.err);
    }
    assert_eq!(ids(&hsm), Vec::<String>::new());
}

/// On a token that hides them, or as private objects.
#[test]
fn what_a_probe_has_left_and_only_a_login_shows_is_named_by_the_next() {
    for (script, kind) in
        [("login-to-see", "EC:prime256v1"), ("private-only", "EC:edwards25519"), ("", "AES:32")]
    {
        let hsm = SoftHsm::with_token("node-1");
        let home = hsm.home();
        let make = if kind.starts_with("AES") { "--keygen" } else { "--keypairgen" };
        let label = ["--label", "icn-identity probe"];
        let make = [make, "--key-type", kind, "--id", "0b57ac1e"];
        hsm.pkcs11_tool_on("node-1", &[&make[..], &label].concat());
        if script == "private-only" {
            // Its private half alone.
            let public = ["--delete-object", "--type", "pubkey"];
            hsm.pkcs11_tool_on("node-1", &[&public[..], &label].concat());
        }
        hsm.script(script);
        let (_, report) = doctor(&hsm, &home, &[]);
        assert!(!report.to_string().contains("left of a probe"), "{report}");
        let left = hsm.objects("node-1");
        for probe in ["--probe", LASTING] {
            let (code, report) = doctor(&hsm, &home, &[probe]);
            assert_eq!(code, 0, "{report}");
            assert_eq!(report["probe"]["left"], serde_json::json!(["0b57ac1e"]), "{report}");
            assert_eq!(report["probe"]["keys"], 0, "{report}");
            assert_eq!(state(&report, "nothing is left of a probe"), "warning", "{report}");
            let found = said(&report, "nothing is left of a probe", "found");
            assert!(found.contains("CKA_ID 0b57ac1e"), "{found}");
            let advice = said(&report, "nothing is left of a probe", "advice");
            let command = "--login --delete-object --label 'icn-identity probe' --type privkey";
            assert!(advice.contains(command), "{advice}");
            // Another probe may be at work: it is for the operator to remove.
            assert_eq!(hsm.objects("node-1"), left);
        }
    }
}

/// Of a probe that was killed, say.
#[test]
fn a_key_that_a_probe_has_left_is_told_of_and_never_offered() {
    let hsm = SoftHsm::with_token("node-1");
    hsm.script("hardware\nmodel YubiKey_YK5");
    let home = hsm.home();
    let (_, report) = doctor(&hsm, &home, &[]);
    assert!(!report.to_string().contains("left of a probe"), "{report}");
    let p256 = ["EC", "-pkeyopt", "ec_paramgen_curve:P-256"];
    hsm.import_made_by(&p256, "node-1", "icn-identity probe", "07");
    for probe in [&[][..], &["--probe"]] {
        let (code, report) = doctor(&hsm, &home, probe);
        assert_eq!((code, state(&report, "makes a key")), (1, "fail"), "not adopted: {report}");
        assert_eq!(state(&report, "nothing is left of a probe"), "warning", "{report}");
        let found = said(&report, "nothing is left of a probe", "found");
        assert!(found.contains("icn-identity%20probe"), "{found}");
    }
}
