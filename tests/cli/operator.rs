//! What an operator of a token needs: `backend doctor`, keys named by URI, a
//! key that has moved, prompts that tell of tries.

use serde_json::Value;
use support::home::{Home, Ran, on_a_terminal};
use support::softhsm::{PIN, SoftHsm};

fn quiet(ran: &Ran) {
    assert!(!ran.err.contains(PIN) && !ran.out.contains(PIN), "{} {}", ran.out, ran.err);
}

/// `backend doctor` as JSON, with its exit code.
fn doctor(hsm: &SoftHsm, home: &Home, more: &[&str]) -> (i32, Value) {
    let module = hsm.fault_module();
    let args = ["--format", "json", "backend", "doctor", "--module", &module];
    let ran = home.icnctl(&[&args[..], more].concat(), b"");
    quiet(&ran);
    (ran.code, serde_json::from_str(&ran.out).unwrap_or_else(|_| panic!("{} {}", ran.out, ran.err)))
}

fn state<'a>(report: &'a Value, requirement: &str) -> &'a str {
    let verdicts = report["verdicts"].as_array().unwrap();
    let found = verdicts.iter().find(|verdict| verdict["requirement"] == requirement);
    found.unwrap_or_else(|| panic!("{requirement}: {report}"))["state"].as_str().unwrap()
}

#[test]
fn the_doctor_tells_what_is_there_without_a_pin() {
    let hsm = SoftHsm::with_token("node-1");
    let home = hsm.faulty_identity("node-1");
    let logins = hsm.count("C_Login");
    let (code, report) = doctor(&hsm, &home, &[]);
    assert_eq!((code, hsm.count("C_Login")), (0, logins));
    let module = &report["module"];
    assert!(module["description"].as_str().unwrap().contains("Forwards"), "{module}");
    assert!(module["interface"].as_str().unwrap().starts_with("2."), "{module}");
    let token = &module["tokens"][0];
    assert_eq!(token["label"], "node-1");
    assert_eq!(token["selected"], true);
    assert_eq!(token["model"], "SoftHSM v2");
    assert_eq!(token["firmware"], "2.6");
    assert_eq!(token["pin"]["initialized"], true);
    assert!(token["mechanisms"].as_array().unwrap().iter().any(|name| name == "CKM_EDDSA"));
    assert_eq!(token["keys"][0]["did"], report["identity"]);
    assert_eq!(token["keys"][0]["uri"], home.show()["locator"]);
    assert_eq!(report["verdict"], "warning", "a soft token");
    assert_eq!(state(&report, "hardware"), "warning");

    let text = home.ok(&["backend", "doctor"], b"");
    for part in ["Token node-1", "(this identity)", "CKM_EDDSA", "Verdict", "nothing was tried"] {
        assert!(text.contains(part), "{part} in {text}");
    }
}

#[test]
fn the_doctor_says_why_no_identity_works_and_what_to_do() {
    let hsm = SoftHsm::with_token("node-1");
    let home = hsm.home();
    for (script, requirement) in [
        ("no-mechanism CKM_EDDSA\nno-mechanism CKM_ECDSA", "signs with Ed25519"),
        (
            "no-mechanism CKM_EC_EDWARDS_KEY_PAIR_GEN\nno-mechanism CKM_EC_KEY_PAIR_GEN",
            "makes a key",
        ),
        ("flag pin-locked", "user PIN"),
        ("flag pin-uninitialized", "user PIN"),
        ("flag to-be-changed", "user PIN"),
        ("flag error-state", "health"),
        ("token removed", "one token"),
    ] {
        hsm.script(script);
        let (code, report) = doctor(&hsm, &home, &["--probe"]);
        assert_eq!(code, 1, "{script}");
        assert_eq!(report["verdict"], "fail", "{script}");
        assert_eq!(state(&report, requirement), "fail", "{script}");
        // There may be keys that are shown within a login only: the probe's login tells.
        assert_eq!(report["probe"].is_null(), requirement != "makes a key", "{script}: {report}");
        let verdicts = report["verdicts"].as_array().unwrap();
        for verdict in verdicts.iter().filter(|verdict| verdict["state"] != "ok") {
            assert!(verdict["advice"].is_string(), "{verdict}");
        }
    }
    assert_eq!(hsm.count("C_Login"), 1);
    for (script, requirement) in [
        ("flag final-try", "user PIN"),
        ("flag count-low", "user PIN"),
        ("flag write-protected", "health"),
        ("no-mechanism CKM_AES_GCM\nno-mechanism CKM_ECDH1_DERIVE", "keeps the storage key"),
        ("max-sessions 2", "room for sessions"),
    ] {
        hsm.script(script);
        let (code, report) = doctor(&hsm, &home, &[]);
        assert_eq!((code, state(&report, requirement)), (0, "warning"), "{script}");
    }
    hsm.script("");
    hsm.token("node-2");
    let (code, report) = doctor(&hsm, &home, &[]);
    assert_eq!((code, state(&report, "one token")), (1, "fail"));
    assert_eq!(doctor(&hsm, &home, &["--token", "node-2"]).0, 0);
}

#[test]
fn a_probe_measures_the_dialect_and_leaves_nothing() {
    let hsm = SoftHsm::with_token("node-1");
    let home = hsm.home();
    hsm.script("point raw\ncurve printable\nrefuse CKA_COPYABLE CKR_ATTRIBUTE_TYPE_INVALID\nmax-sessions 9");
    let (code, report) = doctor(&hsm, &home, &["--probe"]);
    assert_eq!(code, 0, "{report}");
    let probe = &report["probe"];
    assert_eq!(probe["curve"], "PrintableString \"edwards25519\"");
    assert_eq!(probe["point"], "raw, 32 bytes");
    assert_eq!(probe["template"], "without MODIFIABLE and COPYABLE");
    assert_eq!(probe["session_limit"], 9);
    assert_eq!(probe["signatures_verify"], true);
    assert_eq!(probe["latency"]["signatures"], 200);
    let us = |name: &str| probe["latency"][name].as_u64().unwrap();
    assert!(0 < us("p50_us") && us("p50_us") <= us("p99_us"));
    assert!(probe["two_thread_scaling"].as_f64().unwrap() > 0.0);
    assert_eq!(probe["evidence"]["born_inside"], "hardware");
    assert_ne!(probe["evidence"]["written_in"], "hardware");
    assert_ne!(probe["evidence"]["once_extractable"], "hardware");
    assert_eq!(state(&report, "tells where keys come from"), "ok");
    assert_eq!(hsm.count("C_Login"), 1);
    assert_eq!(hsm.pkcs11_tool(&["--list-objects"]).out, "");
}

#[test]
fn a_probe_finds_tokens_that_lie_or_say_too_little() {
    let hsm = SoftHsm::with_token("node-1");
    let home = hsm.home();
    hsm.script(
        "say CKA_LOCAL true\nsay CKA_ALWAYS_SENSITIVE true\nsay CKA_NEVER_EXTRACTABLE true\n\
         say CKA_SENSITIVE true\nsay CKA_EXTRACTABLE false",
    );
    let (code, report) = doctor(&hsm, &home, &["--probe"]);
    assert_eq!((code, state(&report, "tells where keys come from")), (1, "fail"));
    assert_eq!(report["probe"]["evidence"]["written_in"], "hardware");

    hsm.script("hide CKA_LOCAL\nhide CKA_NEVER_EXTRACTABLE");
    let (code, report) = doctor(&hsm, &home, &["--probe"]);
    assert_eq!((code, state(&report, "tells where keys come from")), (0, "warning"));
    assert_eq!(report["probe"]["evidence"]["born_inside"], "device-held");

    hsm.script("on C_Sign 3 flip");
    let (code, report) = doctor(&hsm, &home, &["--probe"]);
    assert_eq!((code, state(&report, "signs correctly")), (1, "fail"));
}

#[test]
fn a_key_is_named_by_the_uri_that_show_prints() {
    let hsm = SoftHsm::with_token("node-1");
    let home = hsm.faulty_identity("node-1");
    let uri = home.show()["locator"].as_str().unwrap().to_owned();
    let plain = home.ok(&["sign"], b"hello");
    assert_eq!(home.ok(&["sign", "--key", &uri], b"hello"), plain);
    assert_eq!(home.ok(&["sign", "--key", "pkcs11:token=node-1"], b"hello"), plain);
    let logins = hsm.count("C_Login");
    for (other, text) in [
        ("pkcs11:id=%01%02", "the configuration means the key pkcs11:id=%01%02"),
        ("pkcs11:object=another", "the configuration means the key"),
        ("pkcs11:token=node-2", "no token matches"),
        ("pkcs11:manufacturer=Acme", "no token matches"),
        ("pkcs11:slot-id=0", "`slot-id` is not taken here"),
        ("pkcs11:token=%ZZ", "not followed by two hexadecimal digits"),
    ] {
        quiet(&home.fails(&["sign", "--key", other], b"hello", &[text, "try: "]));
    }
    let secret = format!("pkcs11:token=node-1?pin-value={PIN}");
    quiet(&home.fails(&["sign", "--key", &secret], b"hello", &["`pin-value`", "pin-source"]));
    assert_eq!(hsm.count("C_Login"), logins, "nothing was sent for these");
}

#[test]
fn a_pin_source_is_a_file_with_the_rules_of_one() {
    let hsm = SoftHsm::with_token("node-1");
    let home = hsm.faulty_identity("node-1");
    let file = home.beside("pin");
    support::home::write_private(&file, &format!("{PIN}\n"));
    let uri = format!("pkcs11:token=node-1?pin-source=file:{}", file.display());
    let mut sign = home.command(&["sign", "--key", &uri]);
    assert_eq!(support::home::run(sign.env_remove("ICN_PIN"), b"hello").code, 0);
    // In the configuration, too.
    let config = home.read("icn.toml");
    home.write("icn.toml", &format!("{config}key = \"{uri}\"\n"));
    let mut sign = home.command(&["sign"]);
    assert_eq!(support::home::run(sign.env_remove("ICN_PIN"), b"hello").code, 0);
    std::fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o644)).unwrap();
    quiet(&home.fails(&["sign"], b"hello", &["is not safe to use", "chmod"]));
    let config =
        config.replace("[identity.pkcs11]", "[identity.pkcs11]\nkey = \"pkcs11:?pin-value=4711\"");
    home.write("icn.toml", &config);
    let ran = home.fails(&["sign"], b"hello", &["line", "`pin-value` would put a PIN"]);
    assert!(!ran.err.contains("4711"), "{}", ran.err);
}

#[test]
fn a_key_that_is_there_becomes_an_identity() {
    let hsm = SoftHsm::with_token("node-1");
    for (id, label) in [("01", "first"), ("02", "second"), ("03", "second")] {
        let make = ["--keypairgen", "--key-type", "EC:edwards25519", "--id", id, "--label", label];
        assert_eq!(hsm.pkcs11_tool(&make).code, 0);
    }
    let module = hsm.fault_module();
    let uri = |rest: &str| format!("pkcs11:token=node-1;{rest}?module-path={module}");
    let home = hsm.home();
    let ambiguous = uri("object=second");
    home.fails(
        &["id", "init", "--key", &ambiguous],
        b"",
        &["has 2 keys", "\"second\" (id 02)", "\"second\" (id 03)"],
    );
    assert_eq!(hsm.count("C_Login"), 0);
    // The token is named: it may have a key that it shows within a login only.
    home.fails(&["id", "init", "--key", &uri("object=none")], b"", &["has no key"]);
    assert_eq!(hsm.count("C_Login"), 1);

    // A failed attempt leaves the key, and nothing else.
    let before = hsm.pkcs11_tool(&["--list-objects"]).out;
    hsm.script("on C_Decrypt 1 return CKR_DEVICE_REMOVED");
    home.fails(&["id", "init", "--key", &uri("id=%02")], b"", &["storage key"]);
    assert_eq!(hsm.pkcs11_tool(&["--list-objects"]).out, before);
    assert!(!home.path("identity.json").exists());

    hsm.script("");
    home.ok(&["id", "init", "--key", &uri("id=%02")], b"");
    let shown = home.show();
    assert!(shown["locator"].as_str().unwrap().contains(";object=second;id=%02;"), "{shown}");
    assert_eq!(shown["provenance"], "hardware");
    let signature = home.ok(&["sign"], b"hello");
    let did = shown["did"].as_str().unwrap();
    home.ok(&["verify", "--did", did, "--signature", signature.trim()], b"hello");
}

#[test]
fn a_key_on_a_restored_token_is_found_again() {
    let hsm = SoftHsm::with_token("node-1");
    let home = hsm.faulty_identity("node-1");
    let before = home.show();
    // Restored onto another device: the same objects, another serial number.
    hsm.script("serial NEW0001");
    home.fails(&["sign"], b"hello", &["no token matches"]);
    let said = home.ok(&["id", "relocate"], b"");
    assert!(said.contains("serial=NEW0001"), "{said}");
    home.ok(&["sign"], b"hello");
    let after = home.show();
    assert_eq!(after["did"], before["did"]);
    assert_eq!(after["tls"], before["tls"], "the companions are the old ones");
    assert_eq!(after["device"]["state"], "present");
    assert!(home.read("icn.toml").contains("serial = \"NEW0001\""));
    assert_eq!(after["generation"], before["generation"].as_u64().unwrap() + 1);
    // A slot number that was configured is another one's now.
    let config = home.read("icn.toml");
    home.write("icn.toml", &config.replace("[identity.pkcs11]", "[identity.pkcs11]\nslot = 1"));
    home.fails(&["sign"], b"hello", &["no token matches", "slot 1"]);
    home.ok(&["id", "relocate"], b"");
    assert!(!home.read("icn.toml").contains("slot"));
    home.ok(&["sign"], b"hello");
    // Once more changes nothing.
    home.ok(&["id", "relocate"], b"");
    assert_eq!(home.show()["generation"], after["generation"]);
}

#[test]
fn a_key_that_is_nowhere_or_in_two_places_is_not_guessed() {
    let hsm = SoftHsm::with_token("node-1");
    let home = hsm.faulty_identity("node-1");
    let files = || (home.read("identity.json"), std::fs::read(home.path("identity.age")).unwrap());
    let before = files();
    let logins = hsm.count("C_Login");
    hsm.script("token removed");
    home.fails(&["id", "relocate"], b"", &["no token has the key of", "looked at none"]);
    hsm.script("duplicate");
    home.fails(&["id", "relocate"], b"", &["is in several places", "--key URI"]);
    assert_eq!(hsm.count("C_Login"), logins);
    hsm.script("");
    hsm.token("node-2");
    let key = "pkcs11:token=node-2";
    home.fails(&["id", "relocate", "--key", key], b"", &["looked at node-2 (serial"]);
    // It shows no key at all, and was named: it could show one within a login.
    assert_eq!(hsm.count("C_Login"), logins + 1);

    // There, but it does not open the storage key.
    hsm.script("serial NEW0001\non C_Decrypt all return CKR_DEVICE_ERROR");
    home.fails(
        &["id", "relocate", "--key", "pkcs11:token=node-1"],
        b"",
        &["does not open the storage key"],
    );
    assert_eq!(files(), before);
    hsm.script("");
    home.ok(&["sign"], b"hello");
}

/// Killed between the two files of a relocation.
#[test]
fn a_relocation_that_was_cut_off_locks_nobody_out() {
    let hsm = SoftHsm::with_token("node-1");
    let home = hsm.faulty_identity("node-1");
    let old = home.read("identity.json");
    let payload = std::fs::read(home.path("identity.age")).unwrap();
    hsm.script("serial NEW0001");
    home.ok(&["id", "relocate"], b"");
    let moved = home.read("identity.json");
    // As it is after the header was written, and before the payload is.
    home.write("identity.json.prev", &old);
    home.write("identity.json", &moved);
    std::fs::write(home.path("identity.age"), payload).unwrap();
    home.ok(&["sign"], b"hello");
    assert_eq!(home.read("identity.json"), old);
    home.ok(&["id", "relocate"], b"");
    home.ok(&["sign"], b"hello");
}

#[test]
fn a_prompt_tells_of_tries_and_a_pin_pad_is_not_prompted_for() {
    let hsm = SoftHsm::with_token("node-1");
    let home = hsm.faulty_identity("node-1");
    std::fs::write(home.beside("message"), b"hello").unwrap();
    let message = home.beside("message");
    let prompted = || {
        let mut sign = home.command(&["sign", message.to_str().unwrap()]);
        sign.env_remove("ICN_PIN");
        on_a_terminal(&sign, &format!("{PIN}\n"))
    };
    // What a person types is not noted: the next attempt is another.
    hsm.script("on C_Login 1 return CKR_PIN_INCORRECT");
    assert_eq!(prompted().code, 77);
    assert!(!home.path("refused.json").exists());
    hsm.script("flag count-low");
    let ran = prompted();
    assert_eq!(ran.code, 0, "{}", ran.out);
    assert!(ran.out.contains("PIN of token node-1 (a wrong PIN was entered before): "));
    hsm.script("flag final-try");
    let logins = hsm.count("C_Login");
    let ran = prompted();
    assert_eq!((ran.code, hsm.count("C_Login")), (77, logins), "{}", ran.out);
    assert!(ran.out.contains("one PIN try left; the PIN was not sent"), "{}", ran.out);
    assert!(!ran.out.contains("LAST TRY"), "nobody is asked for what is not sent: {}", ran.out);
    let config = home.read("icn.toml");
    let allowed =
        config.replace("[identity.pkcs11]\n", "[identity.pkcs11]\nallow_final_try = true\n");
    home.write("icn.toml", &allowed);
    let ran = prompted();
    assert_eq!(ran.code, 0, "{}", ran.out);
    assert!(ran.out.contains("(LAST TRY: a wrong PIN locks the token)"), "{}", ran.out);
    home.write("icn.toml", &config);
    hsm.script("flag pin-locked");
    home.refused(&["sign"], b"hello", &["the user PIN of token node-1 is locked"]);
    hsm.script("flag protected-path");
    let mut sign = home.command(&["sign", message.to_str().unwrap()]);
    let ran = support::home::run(sign.env_remove("ICN_PIN"), b"");
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(ran.err.contains("Enter the PIN of token node-1 at its PIN pad."), "{}", ran.err);
}

/// Only what the payload vouches for is written: not where a header beside it says
/// that the key is.
#[test]
fn a_locator_that_nobody_vouches_for_is_not_written_by_a_renewal() {
    let hsm = SoftHsm::with_token("node-1");
    let home = hsm.identity("node-1");
    let genuine = home.read("identity.json");
    let label = |text: &str| {
        let header: Value = serde_json::from_str(text).unwrap();
        header["locator"]["label"].as_str().unwrap().to_owned()
    };
    home.write("identity.json.prev", &genuine);
    home.edit_header("/locator/label", "another".into());
    home.ok(&["id", "renew"], b"");
    assert_eq!(label(&home.read("identity.json")), label(&genuine));
    home.ok(&["sign"], b"hello");
}

/// The lock is held until the configuration is as it was.
#[test]
fn a_relocation_that_fails_puts_the_configuration_back_under_the_lock() {
    let hsm = SoftHsm::with_token("node-1");
    let home = hsm.faulty_identity("node-1");
    hsm.script("serial NEW0001");
    let (config, log) = (home.read("icn.toml"), home.beside("log"));
    let relocate = home.command(&["id", "relocate"]);
    let mut strace = std::process::Command::new("strace");
    strace.args(["-f", "-y", "-o", log.to_str().unwrap(), "-e", "trace=rename,close"]);
    // The first is that of the PIN that is tried, the second that of the configuration.
    strace.args(["-e", "inject=rename:error=EIO:when=3"]);
    strace.arg(relocate.get_program()).args(relocate.get_args()).env_clear();
    strace.envs(relocate.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let ran = support::home::run(&mut strace, b"");
    assert_eq!(ran.code, 1, "{}", ran.err);
    assert_eq!(home.read("icn.toml"), config);
    let calls = std::fs::read_to_string(log).unwrap();
    let at = |text: &str| calls.match_indices(text).map(|(at, _)| at).collect::<Vec<_>>();
    let written = at("/icn.toml\") = 0");
    let [first, put_back] = written[..] else { panic!("{calls}") };
    let freed = at("/home/.lock>").into_iter().find(|at| *at > first).unwrap();
    assert!(freed > put_back, "{calls}");
}
