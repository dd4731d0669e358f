//! `icnctl backend doctor` on tokens that speak like real modules.

use serde_json::{Value, json};
use support::dialects::{
    CRATON, NETHSM, NSS, OPENSC_OPENPGP, OPENSC_PIV, P11_KIT, YKCS11, YUBIHSM2,
};
use support::home::{Home, PASSPHRASE};
use support::softhsm::{PIN, SoftHsm};

use super::quiet;

pub(super) const LASTING: &str = "--probe-with-lasting-key";
const NO_GCM: &str = "on C_Encrypt all return CKR_BUFFER_TOO_SMALL\n";
const LASTS: &str = "making a key that lasts";

/// As JSON, with its exit code.
pub(super) fn doctor(hsm: &SoftHsm, home: &Home, more: &[&str]) -> (i32, Value) {
    let module = hsm.fault_module();
    let args = ["--format", "json", "backend", "doctor", "--module", &module];
    let ran = home.icnctl(&[&args[..], more].concat(), b"");
    quiet(&ran);
    (ran.code, serde_json::from_str(&ran.out).unwrap_or_else(|_| panic!("{} {}", ran.out, ran.err)))
}

pub(super) fn verdict<'a>(report: &'a Value, requirement: &str) -> &'a Value {
    let verdicts = report["verdicts"].as_array().unwrap();
    let mut found = verdicts.iter().filter(|verdict| verdict["requirement"] == requirement);
    let verdict = found.next().unwrap_or_else(|| panic!("{requirement}: {report}"));
    assert!(found.next().is_none(), "one verdict for one requirement: {report}");
    verdict
}

pub(super) fn state<'a>(report: &'a Value, requirement: &str) -> &'a str {
    verdict(report, requirement)["state"].as_str().unwrap()
}

pub(super) fn said<'a>(report: &'a Value, requirement: &str, field: &str) -> &'a str {
    verdict(report, requirement)[field].as_str().unwrap()
}

pub(super) fn conclusion(report: &Value) -> &str {
    report["conclusion"].as_str().unwrap()
}

/// Everything on the token, private objects too.
pub(super) fn objects(hsm: &SoftHsm) -> String {
    hsm.pkcs11_tool(&["--list-objects"]).out
}

pub(super) fn made(hsm: &SoftHsm) -> usize {
    ["C_GenerateKey", "C_GenerateKeyPair", "C_CreateObject"]
        .map(|call| hsm.count(call))
        .iter()
        .sum()
}

#[test]
fn a_probe_makes_its_keys_in_a_session_for_writing() {
    let hsm = SoftHsm::with_token("node-1");
    let home = hsm.home();
    hsm.script(CRATON);
    let (code, report) = doctor(&hsm, &home, &["--probe"]);
    assert_eq!((code, state(&report, "makes a key")), (0, "ok"), "{report}");
    assert_eq!(report["probe"]["lasting"], false);
    assert_eq!(report["probe"]["evidence"]["born_inside"], "device-held");
    assert_eq!(state(&report, "keeps the storage key"), "ok");
    assert_eq!(report["probe"]["storage"]["aes_gcm"]["state"], "works");
    assert_eq!(report["probe"]["storage"]["ecdh"]["state"], "works");
    // The key of an identity has to last, which this one did not.
    assert_eq!(report["not_tried"], json!([LASTS]));
    let said = conclusion(&report);
    assert!(!said.contains("works here"), "{said}");
    for part in ["Nothing speaks against an identity", LASTS, LASTING] {
        assert!(said.contains(part), "{part}: {said}");
    }
    assert_eq!(objects(&hsm), "");
    // With leave, all that it makes are such keys, and are removed.
    let (code, report) = doctor(&hsm, &home, &[LASTING]);
    assert_eq!((code, state(&report, "makes a key")), (0, "ok"), "{report}");
    assert_eq!(report["probe"]["lasting"], true);
    assert_eq!(report["probe"]["evidence"]["born_inside"], "device-held");
    assert_eq!(state(&report, "keeps the storage key"), "ok");
    assert!(conclusion(&report).starts_with("An identity works here"), "{report}");
    assert_eq!(report["not_tried"], json!([]));
    assert_eq!(objects(&hsm), "");
}

/// Keys that go with their session work on all of these.
#[test]
fn a_token_on_which_no_key_lasts_is_not_fit_although_keys_of_a_session_work() {
    let hsm = SoftHsm::with_token("node-1");
    let home = hsm.home();
    for (script, found) in [
        ("lasting-objects CKR_ATTRIBUTE_VALUE_INVALID", "CKR_ATTRIBUTE_VALUE_INVALID"),
        ("lasting-objects CKR_DEVICE_MEMORY", "CKR_DEVICE_MEMORY"),
        // It says that it made one, which goes with the session.
        ("lasting-objects pass", "which was made to last"),
    ] {
        hsm.script(script);
        let (code, report) = doctor(&hsm, &home, &["--probe"]);
        assert_eq!((code, state(&report, "makes a key")), (0, "ok"), "{script}: {report}");
        assert!(!conclusion(&report).contains("works here"), "{report}");
        let (code, report) = doctor(&hsm, &home, &[LASTING]);
        assert_eq!((code, state(&report, "makes a key")), (1, "fail"), "{script}: {report}");
        assert!(said(&report, "makes a key", "found").contains(found), "{script}: {report}");
        assert_eq!(conclusion(&report), "No identity works here.");
        assert_eq!(report["probe"]["storage"]["aes_gcm"]["state"], "fails", "{report}");
        assert_eq!(report["probe"]["storage"]["ecdh"]["state"], "fails", "{report}");
        assert_eq!(objects(&hsm), "", "{script}");
        let module = hsm.fault_module();
        let init = ["id", "init", "--backend", "pkcs11", "--module", &module, "--token", "node-1"];
        let ran = hsm.home().icnctl(&init, b"");
        assert_eq!(ran.code, 1, "as the doctor says: {script}");
        assert_eq!(objects(&hsm), "", "{script}");
    }
}

#[test]
fn a_token_without_session_keys_is_offered_a_lasting_one_which_is_removed() {
    let hsm = SoftHsm::with_token("node-1");
    let home = hsm.home();
    hsm.script(YUBIHSM2);
    let (code, report) = doctor(&hsm, &home, &["--probe"]);
    assert_eq!((code, state(&report, "makes a key")), (0, "warning"), "{report}");
    assert!(said(&report, "makes a key", "found").contains("none that goes with its session"));
    for requirement in ["makes a key", "keeps the storage key"] {
        assert!(said(&report, requirement, "advice").contains(LASTING), "{report}");
    }
    assert_eq!(report["not_tried"], json!(["making a key", "signing", "keeping the storage key"]));
    assert!(!conclusion(&report).contains("works here"), "{report}");
    assert_eq!(objects(&hsm), "");

    let (code, report) = doctor(&hsm, &home, &[LASTING]);
    assert_eq!((code, state(&report, "makes a key")), (0, "ok"), "{report}");
    assert_eq!(report["probe"]["lasting"], true);
    assert_eq!(report["probe"]["curve"], "PrintableString \"edwards25519\"");
    assert_eq!(report["probe"]["storage"]["ecdh"]["state"], "works", "{report}");
    assert_eq!(state(&report, "keeps the storage key"), "ok");
    assert_eq!(report["not_tried"], json!([]));
    assert_eq!(objects(&hsm), "", "removed, although half of each pair was gone already");
}

#[test]
fn a_key_that_lasts_unasked_is_removed_and_told_of() {
    let hsm = SoftHsm::with_token("node-1");
    let home = hsm.home();
    hsm.script(NETHSM);
    let (code, report) = doctor(&hsm, &home, &["--probe"]);
    assert_eq!((code, &report["probe"]["lasting"]), (0, &json!(true)), "{report}");
    assert_eq!(state(&report, "keeps the storage key"), "warning");
    assert_eq!(report["probe"]["storage"]["aes_gcm"]["state"], "not-listed");
    assert_eq!(objects(&hsm), "");
}

/// Both ways are tried, whatever is listed.
#[test]
fn the_storage_key_is_tried_in_both_ways_and_not_judged_by_what_is_listed() {
    let hsm = SoftHsm::with_token("node-1");
    let home = hsm.home().with("ICN_PASSPHRASE", PASSPHRASE);
    for (script, aes_gcm, ecdh, kept, kind) in [
        (NSS.to_owned(), "works", "works", "ok", "pkcs11-aes-gcm"),
        (format!("{NSS}{NO_GCM}"), "not-in-session", "works", "ok", "pkcs11-ecdh"),
        (
            format!("{NSS}{NO_GCM}on C_DeriveKey all return CKR_FUNCTION_FAILED"),
            "not-in-session",
            "not-in-session",
            "warning",
            "passphrase",
        ),
        ("hide CKA_VALUE".into(), "works", "not-in-session", "ok", "pkcs11-aes-gcm"),
    ] {
        hsm.script(&script);
        let (code, report) = doctor(&hsm, &home, &["--probe"]);
        assert_eq!((code, state(&report, "keeps the storage key")), (0, kept), "{report}");
        let storage = &report["probe"]["storage"];
        assert_eq!(storage["aes_gcm"]["state"], aes_gcm, "{report}");
        assert_eq!(storage["ecdh"]["state"], ecdh, "{report}");
        // A lasting key fails in the same way.
        let (_, report) = doctor(&hsm, &home, &[LASTING]);
        let storage = &report["probe"]["storage"];
        for (state, tried) in [(aes_gcm, &storage["aes_gcm"]), (ecdh, &storage["ecdh"])] {
            let expected = if state == "works" { "works" } else { "fails" };
            assert_eq!(tried["state"], expected, "{report}");
        }
        assert_eq!(objects(&hsm), "");
        // And what is made then is kept as the probe has found.
        let here = hsm.home().with("ICN_PASSPHRASE", PASSPHRASE);
        let module = hsm.fault_module();
        let init = ["id", "init", "--backend", "pkcs11", "--module", &module, "--token", "node-1"];
        here.ok(&[&init[..], &["--key-label", kind]].concat(), b"");
        assert!(here.read("identity.json").contains(&format!("\"kind\": \"{kind}\"")), "{kind}");
        here.ok(&["sign"], b"hello");
        hsm.script("");
        for class in ["privkey", "pubkey", "secrkey"] {
            for label in [kind, &format!("{kind} storage")] {
                hsm.pkcs11_tool(&["--delete-object", "--type", class, "--label", label]);
            }
        }
    }
}

#[test]
fn a_card_that_makes_no_keys_is_fit_if_there_are_some() {
    for (name, card) in [("ykcs11", YKCS11), ("piv", OPENSC_PIV), ("openpgp", OPENSC_OPENPGP)] {
        let hsm = SoftHsm::with_token("node-1");
        let home = hsm.home().with("ICN_PASSPHRASE", PASSPHRASE);
        hsm.script(card);
        let (code, report) = doctor(&hsm, &home, &["--probe"]);
        assert_eq!((code, state(&report, "makes a key")), (1, "fail"), "{name}: {report}");
        assert!(said(&report, "makes a key", "advice").contains("adopt it"), "{report}");

        match name {
            "openpgp" => hsm.import("node-1", "there", "01"),
            _ => {
                let p256 = ["EC", "-pkeyopt", "ec_paramgen_curve:P-256"];
                hsm.import_made_by(&p256, "node-1", "there", "01")
            }
        };
        let before = objects(&hsm);
        let (code, report) = doctor(&hsm, &home, &["--probe"]);
        assert_eq!((code, state(&report, "makes a key")), (0, "warning"), "{name}: {report}");
        assert!(said(&report, "makes a key", "advice").contains("--key URI"), "{name}: {report}");
        assert_eq!(state(&report, "keeps the storage key"), "warning");
        assert!(!conclusion(&report).contains("works here"), "nothing has signed: {report}");
        // The key itself, by name.
        let uri = report["module"]["tokens"][0]["keys"][0]["uri"].as_str().unwrap().to_owned();
        let (code, report) = doctor(&hsm, &home, &["--probe", "--key", &uri]);
        assert_eq!((code, state(&report, "the key that is there")), (0, "ok"), "{name}: {report}");
        assert!(conclusion(&report).starts_with("An identity with this key works here"));
        assert_eq!(made(&hsm), 0, "{name}: nothing is made on a card with slots");
        let module = hsm.fault_module();
        home.ok(&["id", "init", "--backend", "pkcs11", "--module", &module, "--key", &uri], b"");
        home.ok(&["sign"], b"hello");
        let (code, report) = doctor(&hsm, &home, &["--probe"]);
        assert_eq!((code, state(&report, "the identity's key")), (0, "ok"), "{name}: {report}");
        assert!(conclusion(&report).starts_with("This identity works here, with"), "{report}");
        assert_eq!((made(&hsm), objects(&hsm)), (0, before), "{name}");
    }
}

#[test]
fn an_option_of_the_other_kind_of_device_is_not_passed_over() {
    let home = Home::new();
    let (module, device) = (support::softhsm::module(), "swtpm:host=127.0.0.1,port=1");
    for (args, option) in [
        (&["--module", module, "--device", device][..], "--module is for the pkcs11 backend"),
        (&["--backend", "tpm", "--module", module], "--module is for the pkcs11 backend"),
        (&["--device", device, "--token", "x"], "--token is for the pkcs11 backend"),
        (&["--device", device, "--key", "pkcs11:token=x"], "--key is for the pkcs11 backend"),
        (&["--backend", "tpm", "--probe-with-lasting-key"], "--probe-with-lasting-key is for"),
        (&["--backend", "pkcs11", "--device", device], "--device is for the tpm backend"),
    ] {
        let ran = home.icnctl(&[&["backend", "doctor"], args].concat(), b"");
        assert_eq!(ran.code, 2, "{args:?}: {}{}", ran.out, ran.err);
        assert!(ran.err.contains(option) && ran.err.contains("leave it out"), "{}", ran.err);
    }
}

#[test]
fn what_cannot_be_listed_is_a_failure() {
    let hsm = SoftHsm::with_token("node-1");
    let home = hsm.home();
    for script in [
        P11_KIT,
        "on C_FindObjectsInit all return CKR_GENERAL_ERROR",
        "on C_GetMechanismList all return CKR_DEVICE_ERROR",
    ] {
        hsm.script(script);
        let (code, report) = doctor(&hsm, &home, &["--probe"]);
        assert_eq!((code, state(&report, "lists what it has")), (1, "fail"), "{script}");
        assert!(report["probe"].is_null());
        assert_eq!(conclusion(&report), "No identity works here.");
    }
}

/// The identity's key was imported, and its header says so.
#[test]
fn a_token_that_claims_more_of_the_identitys_key_than_it_did_is_a_liar() {
    let hsm = SoftHsm::with_token("node-1");
    hsm.import("node-1", "imported", "ab01");
    let home = hsm.home();
    let module = hsm.fault_module();
    let key = ["id", "init", "--backend", "pkcs11", "--module", &module, "--token", "node-1"];
    home.ok(&[&key[..], &["--key", "pkcs11:object=imported"]].concat(), b"");
    assert_eq!(home.show()["provenance"], "device-held");
    let (code, report) = doctor(&hsm, &home, &["--probe"]);
    assert_eq!((code, state(&report, "the identity's key")), (0, "ok"), "{report}");

    hsm.script("lie ab01");
    let (code, report) = doctor(&hsm, &home, &["--probe"]);
    // Of its own keys it has told the truth, and the report says what that is worth.
    assert_eq!(state(&report, "tells where keys come from"), "ok", "{report}");
    let found = said(&report, "tells where keys come from", "found");
    assert!(found.contains("a lie about one other key is not seen"), "{found}");
    assert_eq!((code, state(&report, "the identity's key")), (1, "fail"), "{report}");
    let found = said(&report, "the identity's key", "found");
    assert!(found.contains("hardware by local (was false)"), "{found}");
    assert_eq!(conclusion(&report), "This identity does not work here.");
    let text = home.icnctl(&["backend", "doctor", "--probe"], b"");
    assert_eq!(text.code, 1);
    assert!(text.out.contains("a lie about one key that the probe has not made"), "{}", text.out);
}

/// Without a word of its past then, and with all of it now.
#[test]
fn a_token_that_has_found_its_tongue_is_not_believed() {
    let hsm = SoftHsm::with_token("node-1");
    hsm.script("hide CKA_LOCAL");
    let home = hsm.faulty_identity("node-1");
    hsm.script("");
    let (code, report) = doctor(&hsm, &home, &["--probe"]);
    assert_eq!((code, state(&report, "the identity's key")), (1, "fail"), "{report}");
    assert!(said(&report, "the identity's key", "found").contains("local (was unknown)"));

    // Nor is it once the identity was written anew.
    home.ok(&["id", "renew"], b"");
    assert_eq!(home.show()["provenance"], "device-held");
    let (code, report) = doctor(&hsm, &home, &["--probe"]);
    assert_eq!((code, state(&report, "the identity's key")), (1, "fail"), "{report}");

    // What the operator did not trust was nobody's word, and cannot be compared.
    let hsm = SoftHsm::with_token("node-1");
    let home = hsm.home();
    let module = hsm.fault_module();
    home.write(
        "icn.toml",
        &format!(
            "[identity]\nbackend = \"pkcs11\"\n[identity.pkcs11]\nmodule = \"{module}\"\n\
             token = \"node-1\"\ntrust_key_history = false\n"
        ),
    );
    home.ok(&["id", "init"], b"");
    assert_eq!(home.show()["provenance"], "device-held");
    let (code, report) = doctor(&hsm, &home, &["--probe"]);
    assert_eq!((code, state(&report, "the identity's key")), (0, "ok"), "{report}");
}

#[test]
fn an_identity_whose_key_is_gone_does_not_work_here() {
    let hsm = SoftHsm::with_token("node-1");
    let home = hsm.faulty_identity("node-1");
    let (code, report) = doctor(&hsm, &home, &[]);
    assert_eq!((code, state(&report, "the identity's key")), (0, "ok"));
    for class in ["privkey", "pubkey"] {
        hsm.pkcs11_tool(&["--delete-object", "--type", class, "--label", "icn-identity"]);
    }
    // It has shown its key before: a probe sends no PIN to one that does not.
    for more in [&[][..], &["--probe"]] {
        let before = hsm.count("C_Login");
        let (code, report) = doctor(&hsm, &home, more);
        assert_eq!((code, state(&report, "the identity's key")), (1, "fail"), "{report}");
        assert!(said(&report, "the identity's key", "found").contains("does not show the public"));
        assert_eq!(conclusion(&report), "This identity does not work here.");
        assert_eq!(hsm.count("C_Login"), before);
    }
    // Where that is not known, it may show nothing without a login.
    let hsm = SoftHsm::with_token("node-1");
    hsm.script("login-to-see");
    let home = hsm.faulty_identity("node-1");
    hsm.script("");
    for class in ["privkey", "pubkey"] {
        hsm.pkcs11_tool(&["--delete-object", "--type", class, "--label", "icn-identity"]);
    }
    let (code, report) = doctor(&hsm, &home, &[]);
    assert_eq!((code, state(&report, "the identity's key")), (0, "warning"), "{report}");
    assert!(said(&report, "the identity's key", "found").contains("it was not seen"), "{report}");
    assert!(!conclusion(&report).contains("works here"), "{report}");
    let (code, report) = doctor(&hsm, &home, &["--probe"]);
    assert_eq!((code, state(&report, "the identity's key")), (1, "fail"), "{report}");
    assert!(said(&report, "the identity's key", "found").contains("has no key with id"));
    assert_eq!(conclusion(&report), "This identity does not work here.");
    // Its files are gone too, and the pin is still there.
    for file in ["identity.json", "identity.age"] {
        std::fs::remove_file(home.path(file)).unwrap();
    }
    hsm.import("node-1", "another", "ab01");
    let text = home.icnctl(&["backend", "doctor"], b"");
    assert_eq!(text.code, 1);
    assert!(text.out.contains("which the configuration pins"), "{}", text.out);
    // Another token is looked at without a word of it.
    hsm.token("node-2");
    assert_eq!(doctor(&hsm, &home, &["--token", "node-2"]).0, 0);
}

#[test]
fn an_identity_whose_storage_key_is_gone_does_not_work_here() {
    let hsm = SoftHsm::with_token("node-1");
    let home = hsm.faulty_identity("node-1");
    let (code, report) = doctor(&hsm, &home, &["--probe"]);
    assert_eq!((code, state(&report, "the identity's storage key")), (0, "ok"), "{report}");
    hsm.pkcs11_tool(&["--delete-object", "--type", "secrkey", "--label", "icn-identity storage"]);
    let (code, report) = doctor(&hsm, &home, &["--probe"]);
    assert_eq!((code, state(&report, "the identity's key")), (1, "ok"), "{report}");
    assert_eq!(state(&report, "the identity's storage key"), "fail");
    assert_eq!(conclusion(&report), "This identity does not work here.");
}

/// Nothing is offered that it would refuse.
#[test]
fn a_write_protected_token_makes_no_key_in_any_session() {
    let hsm = SoftHsm::with_token("node-1");
    let home = hsm.home();
    hsm.import("node-1", "there", "01");
    let before = objects(&hsm);
    let protected = "flag write-protected";
    let refusing = format!(
        "{protected}\non C_GenerateKeyPair all return CKR_TOKEN_WRITE_PROTECTED\non C_GenerateKey \
         all return CKR_TOKEN_WRITE_PROTECTED"
    );
    // The first makes keys of a session all the same.
    for script in [protected, &refusing] {
        hsm.script(script);
        let (code, report) = doctor(&hsm, &home, &["--probe"]);
        assert_eq!((code, state(&report, "makes a key")), (0, "warning"), "{report}");
        assert!(said(&report, "makes a key", "advice").contains("--key URI"), "{report}");
        assert_eq!(report["probe"]["storage"]["aes_gcm"]["state"], "fails", "{report}");
        assert!(!report.to_string().contains(LASTING), "{report}");
        assert!(!conclusion(&report).contains("works here"), "{report}");
        assert_eq!(objects(&hsm), before);
    }
}

#[test]
fn without_a_probe_the_doctor_says_that_nothing_was_tried() {
    let hsm = SoftHsm::with_token("node-1");
    let home = hsm.home();
    hsm.script("");
    let (code, report) = doctor(&hsm, &home, &[]);
    assert_eq!(code, 0);
    assert_eq!(report["not_tried"], json!(["making a key", "signing", "keeping the storage key"]));
    for part in ["nothing was tried", "--probe"] {
        assert!(conclusion(&report).contains(part), "{report}");
    }
    assert!(!conclusion(&report).contains("works here"));
    assert!(said(&report, "keeps the storage key", "found").contains("not tried"), "{report}");
}

#[test]
fn whatever_fails_a_probe_leaves_nothing_or_names_it() {
    let hsm = SoftHsm::with_token("node-1");
    let home = hsm.home();
    let module = hsm.fault_module();
    let lasting = "session-objects CKR_TEMPLATE_INCONSISTENT\n";
    let run = || home.icnctl(&["backend", "doctor", "--module", &module, LASTING], b"");
    for fault in [
        "on C_Sign 3 return CKR_FUNCTION_FAILED",
        "on C_Sign 3 return CKR_DEVICE_ERROR",
        "on C_GenerateKeyPair 3 after CKR_DEVICE_ERROR",
        "on C_SignInit 2 kill-session",
        "hide CKA_EC_POINT",
        "on C_GenerateKey all after CKR_DEVICE_ERROR",
        "on C_SetAttributeValue all return CKR_DEVICE_ERROR",
        "on C_DeriveKey all return CKR_DEVICE_ERROR",
        "on C_Decrypt all return CKR_DEVICE_ERROR",
    ] {
        hsm.script(&format!("{lasting}{fault}"));
        quiet(&run());
        assert_eq!(objects(&hsm), "", "{fault}");
    }
    hsm.script(&format!("{lasting}on C_DestroyObject all return CKR_DEVICE_ERROR"));
    let ran = run();
    quiet(&ran);
    assert_eq!(ran.code, 1);
    let left = objects(&hsm);
    let ids = left.lines().filter_map(|line| line.trim().strip_prefix("ID:"));
    for part in ids.map(str::trim).chain(["is still on token node-1", "--delete-object"]) {
        assert!(ran.err.contains(part), "{part} in {}", ran.err);
    }
    assert!(left.contains("icn-identity probe"), "{left}");
    assert!(!ran.err.contains(PIN));
}

/// The first thing that is done with a token, before any home is there.
#[test]
fn a_pin_that_a_probe_had_refused_is_not_sent_by_the_next_although_there_is_no_home() {
    let hsm = SoftHsm::with_token("node-1");
    let (home, module) = (hsm.home(), hsm.fault_module());
    let file = home.beside("pin");
    support::home::write_private(&file, "11112222\n");
    std::fs::remove_dir_all(home.path("")).ok();
    let file = file.to_str().unwrap();
    let probe = ["--pin-file", file, "backend", "doctor", "--module", &module];
    let probe = [&probe[..], &["--token", "node-1", "--probe"]].concat();
    home.refused(&probe, b"", &["it was tried once"]);
    home.refused(&probe, b"", &["was not sent again"]);
    assert_eq!(hsm.count("C_Login"), 1);
}
