//! What is said of keys that a token does not show without a login, beside others too; and
//! of what stands in their place.

use serde_json::{Value, json};
use support::home::Home;
use support::softhsm::{SoftHsm, count};

use super::doctor::{LASTING, conclusion, doctor, said, state, verdict};

const NAMED: &str = "the key that is there";
const OURS: &str = "the identity's key";
const P256: [&str; 3] = ["EC", "-pkeyopt", "ec_paramgen_curve:P-256"];
/// A card that makes no keys, and shows none without a login.
const CARD: &str = "login-to-see\nmanufacturer Acme\nmodel YubiKey_YK5\n\
    on C_GenerateKeyPair all return CKR_FUNCTION_NOT_SUPPORTED";

fn make(hsm: &SoftHsm, kind: &str, id: &str, more: &[&str]) {
    let make = ["--keypairgen", "--key-type", kind, "--label", "other", "--id", id];
    hsm.pkcs11_tool_on("node-1", &[&make[..], more].concat());
}

fn uri(hsm: &SoftHsm, rest: &str) -> String {
    format!("pkcs11:{rest}?module-path={}", hsm.fault_module())
}

fn id_of(home: &Home) -> String {
    let locator = home.show()["locator"].as_str().unwrap().to_owned();
    let id = locator.split(";id=%").nth(1).unwrap().replace('%', "");
    id.split([';', '?']).next().unwrap().to_owned()
}

fn delete(hsm: &SoftHsm, kind: &str, id: &str) {
    hsm.pkcs11_tool_on("node-1", &["--delete-object", "--type", kind, "--id", id]);
}

fn verdicts(report: &Value) -> String {
    report["verdicts"].to_string()
}

#[test]
fn a_card_that_shows_nothing_without_a_login_is_not_said_to_have_no_key() {
    let hsm = SoftHsm::with_token("node-1");
    let home = hsm.home();
    hsm.script(CARD);
    // Empty, as a login tells.
    let (code, report) = doctor(&hsm, &home, &["--probe"]);
    assert_eq!((code, state(&report, "makes a key")), (1, "fail"), "{report}");
    hsm.import_made_by(&P256, "node-1", "there", "02");
    let (code, report) = doctor(&hsm, &home, &[]);
    assert_eq!((code, state(&report, "makes a key")), (0, "warning"), "{report}");
    assert!(said(&report, "makes a key", "found").contains("there may be some"), "{report}");
    assert!(said(&report, "makes a key", "advice").contains("--key URI"), "{report}");
    let (code, report) = doctor(&hsm, &home, &["--probe"]);
    assert_eq!((code, state(&report, "makes a key")), (0, "warning"), "{report}");
    assert!(said(&report, "makes a key", "found").contains("one key is there"), "{report}");
    assert!(!verdicts(&report).contains("no key that an identity can have"), "{report}");
    // As it says: named, it is tried, and then adopted.
    let key = uri(&hsm, "token=node-1;id=%02");
    let (code, report) = doctor(&hsm, &home, &["--probe", "--key", &key]);
    assert_eq!((code, state(&report, NAMED)), (0, "ok"), "{report}");
    assert!(conclusion(&report).starts_with("An identity with this key works here"), "{report}");
    let home = home.with("ICN_PASSPHRASE", support::home::PASSPHRASE);
    home.ok(&["id", "init", "--key", &key], b"");
    home.ok(&["sign"], b"hello");
}

#[test]
fn a_probe_looks_within_its_login_for_the_key_that_is_named() {
    let hsm = SoftHsm::with_token("node-1");
    let home = hsm.home();
    make(&hsm, "EC:edwards25519", "07", &[]);
    hsm.script("login-to-see");
    let (there, none) = (uri(&hsm, "token=node-1;id=%07"), uri(&hsm, "token=node-1;id=%99"));
    for key in [&there, &none] {
        let (code, report) = doctor(&hsm, &home, &["--key", key]);
        assert_eq!((code, state(&report, NAMED)), (0, "warning"), "{report}");
        assert!(said(&report, NAMED, "found").contains("was not seen"), "{report}");
    }
    for how in ["--probe", LASTING] {
        let before = hsm.count("C_Login");
        let (code, report) = doctor(&hsm, &home, &[how, "--key", &there]);
        assert_eq!((code, state(&report, NAMED)), (0, "ok"), "{report}");
        assert!(report["probe"]["known"]["did"].as_str().unwrap().starts_with("did:icn:"));
        assert_eq!(hsm.count("C_Login"), before + 1, "the PIN is sent once");
        let (code, report) = doctor(&hsm, &home, &[how, "--key", &none]);
        assert_eq!((code, state(&report, NAMED)), (1, "fail"), "{report}");
        assert!(said(&report, NAMED, "found").contains("has no key that"), "{report}");
        assert_eq!(report["probe"]["known"]["did"], Value::Null);
        assert_eq!(conclusion(&report), "No identity with this key works here.");
    }
}

/// It is a private object, and has never been shown.
#[test]
fn a_key_that_was_never_shown_is_no_problem_beside_one_that_is() {
    for kind in ["rsa:1024", "EC:edwards25519", "EC:prime256v1"] {
        let hsm = SoftHsm::with_token("node-1");
        hsm.script("private-only");
        let home = hsm.faulty_identity("node-1");
        hsm.script("");
        make(&hsm, kind, "77", &[]);
        assert_eq!(home.show()["device"]["state"], "not-seen", "{kind}");
        home.ok(&["id", "show", "--check"], b"");
        let text = home.ok(&["id", "show"], b"");
        assert!(text.contains("does not show this key without a login"), "{text}");
        assert!(!text.contains("PROBLEM") && !text.contains("WARNING, the"), "{text}");
        let (code, report) = doctor(&hsm, &home, &[]);
        assert_eq!((code, state(&report, OURS)), (0, "warning"), "{report}");
        assert!(said(&report, OURS, "found").contains("was not seen"), "{report}");
        let (code, report) = doctor(&hsm, &home, &["--probe"]);
        assert_eq!((code, state(&report, OURS)), (0, "ok"), "{report}");
        home.ok(&["sign"], b"hello");
        // One that has shown its key and does not any more is another matter.
        let id = id_of(&home);
        for kind in ["pubkey", "privkey"] {
            delete(&hsm, kind, &id);
        }
        let (code, report) = doctor(&hsm, &home, &["--probe"]);
        assert_eq!((code, state(&report, OURS)), (1, "fail"), "{report}");
    }
}

/// Beside a key that is shown, the PIN goes to a token that is named for it.
#[test]
fn a_hidden_key_beside_one_that_is_shown_is_had_by_the_name_of_its_token() {
    let hsm = SoftHsm::with_token("node-1");
    make(&hsm, "EC:edwards25519", "08", &[]);
    hsm.script("private-only");
    let first = hsm.home();
    let fault = hsm.fault_module();
    let init = ["id", "init", "--backend", "pkcs11", "--module", &fault, "--token", "node-1"];
    first.ok(&init, b"");
    let locator = first.show()["locator"].as_str().unwrap().to_owned();
    let id = locator.split(";id=").nth(1).unwrap().split([';', '?']).next().unwrap();
    hsm.script("");

    let home = hsm.home();
    // Not named: the token would show it.
    let unnamed = uri(&hsm, &format!("id={id}"));
    let (_, calls) =
        hsm.calls(|| home.fails(&["id", "init", "--key", &unnamed], b"", &["has no key that"]));
    assert_eq!(count(&calls, "C_Login"), 0, "{calls:?}");
    let key = uri(&hsm, &format!("token=node-1;id={id}"));
    let (code, report) = doctor(&hsm, &home, &["--probe", "--key", &key]);
    assert_eq!((code, state(&report, NAMED)), (0, "ok"), "{report}");
    let (_, calls) = hsm.calls(|| home.ok(&["id", "init", "--key", &key], b""));
    assert_eq!(count(&calls, "C_Login"), 1, "{calls:?}");
    home.ok(&["sign"], b"hello");

    let (_, calls) = hsm.calls(|| home.fails(&["id", "relocate"], b"", &["--key 'pkcs11:token"]));
    assert_eq!(count(&calls, "C_Login"), 0, "{calls:?}");
    let relocate = ["id", "relocate", "--key", "pkcs11:token=node-1"];
    let (_, calls) = hsm.calls(|| home.ok(&relocate, b""));
    assert_eq!(count(&calls, "C_Login"), 1, "{calls:?}");
    home.ok(&["sign"], b"hello");
}

/// The object is there, and says less than before.
#[test]
fn a_key_without_its_point_is_not_said_to_be_missing_among_others() {
    let hsm = SoftHsm::with_token("node-1");
    let home = hsm.faulty_identity("node-1");
    hsm.script("hide CKA_EC_POINT");
    let shown = home.show();
    assert_eq!(shown["device"]["state"], "not-shown");
    let detail = shown["device"]["detail"].as_str().unwrap();
    assert!(detail.contains("does not show the public key"), "{detail}");
    assert!(!detail.contains("shows public keys"), "there is no other: {detail}");
    for how in [&[][..], &["--probe"]] {
        let before = hsm.count("C_Login");
        let (code, report) = doctor(&hsm, &home, how);
        assert_eq!((code, state(&report, OURS)), (1, "fail"), "{report}");
        assert!(!said(&report, OURS, "found").contains("it was deleted"), "{report}");
        assert_eq!(report["probe"], Value::Null);
        assert_eq!(hsm.count("C_Login"), before);
    }
}

#[test]
fn what_has_the_id_of_the_identitys_key_and_is_none_is_wrong() {
    for (kind, found) in
        [("rsa:1024", "RSA"), ("EC:secp384r1", "P-256"), ("EC:edwards25519", "another")]
    {
        let hsm = SoftHsm::with_token("node-1");
        let fault = hsm.fault_module();
        let home = hsm.home();
        let init = ["id", "init", "--backend", "pkcs11", "--module", &fault, "--token", "node-1"];
        home.ok(&[&init[..], &["--algorithm", "p256"]].concat(), b"");
        let id = id_of(&home);
        for kind in ["pubkey", "privkey"] {
            delete(&hsm, kind, &id);
        }
        make(&hsm, kind, &id, &[]);
        let shown = home.show();
        assert_eq!(shown["device"]["state"], "wrong", "{kind}: {shown}");
        let detail = shown["device"]["detail"].as_str().unwrap();
        assert!(found == "another" || detail.contains(found), "{kind}: {detail}");
        let text = home.ok(&["id", "show"], b"");
        assert!(!text.contains("could not be asked"), "{text}");
        assert_eq!(home.icnctl(&["id", "show", "--check"], b"").code, 1);
        let (code, report) = doctor(&hsm, &home, &[]);
        assert_eq!((code, state(&report, OURS)), (1, "fail"), "{report}");
        assert!(!said(&report, OURS, "advice").contains("name another"), "{report}");
    }
}

#[test]
fn a_failed_self_test_is_a_problem() {
    let hsm = SoftHsm::with_token("node-1");
    let home = hsm.faulty_identity("node-1");
    home.ok(&["id", "show", "--check"], b"");
    hsm.script("flag error-state");
    let checked = home.icnctl(&["id", "show", "--check"], b"");
    assert_eq!(checked.code, 1, "{}", checked.out);
    assert!(checked.out.contains("PROBLEM: the token reports a failed self-test"));
    assert_eq!(home.show()["problems"].as_array().unwrap().len(), 1);
    // Said without being asked, too.
    assert!(home.ok(&["id", "show"], b"").contains("failed self-test"));
}

#[test]
fn a_limit_of_sessions_is_judged_by_what_an_identity_takes() {
    let room = "room for sessions";
    let hsm = SoftHsm::with_token("node-1");
    let home = hsm.faulty_identity("node-1");
    let new = hsm.home();
    let fault = hsm.fault_module();
    let init = ["id", "init", "--backend", "pkcs11", "--module", &fault, "--token", "node-1"];
    let init = [&init[..], &["--key-label", "second"]].concat();
    for (limit, outcome, signs, makes) in
        [(1, "fail", false, false), (2, "warning", true, false), (3, "ok", true, true)]
    {
        hsm.script(&format!("max-sessions {limit}"));
        let (code, report) = doctor(&hsm, &home, &[]);
        assert_eq!((code, state(&report, room)), (i32::from(limit == 1), outcome), "{report}");
        assert_eq!(home.icnctl(&["sign"], b"hello").code == 0, signs, "{limit}");
        assert_eq!(new.icnctl(&init, b"").code == 0, makes, "{limit}");
        if limit == 2 {
            assert!(said(&report, room, "found").contains("no new key"), "{report}");
        }
    }
}

#[test]
fn tokens_of_one_name_are_told_apart_by_their_slot() {
    let hsm = SoftHsm::with_token("node-1");
    hsm.token("node-2");
    let home = hsm.home();
    hsm.script("");
    let (code, report) = doctor(&hsm, &home, &[]);
    assert_eq!((code, state(&report, "one token")), (1, "fail"), "{report}");
    assert!(said(&report, "one token", "advice").contains("--token LABEL"), "{report}");
    hsm.script("label same\nserial 0001");
    let (code, report) = doctor(&hsm, &home, &[]);
    assert_eq!((code, state(&report, "one token")), (1, "fail"), "{report}");
    let advice = verdict(&report, "one token")["advice"].as_str().unwrap();
    assert!(advice.contains("`slot`") && !advice.contains("--token"), "{advice}");
    assert_eq!(report["verdict"], json!("fail"));
}
