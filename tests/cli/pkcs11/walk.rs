//! The whole way of an operator, on tokens that speak like real modules.

use serde_json::Value;
use support::dialects::{CRATON, NETHSM, NSS, OPENSC_OPENPGP, OPENSC_PIV, YKCS11, YUBIHSM2};
use support::home::{PASSPHRASE, run};
use support::softhsm::{PIN, SoftHsm};

use super::quiet;

/// Where its key comes from.
#[derive(Clone, Copy, PartialEq)]
enum Key {
    Made,
    /// Written to the card by another tool: Ed25519, or P-256.
    There,
    ThereP256,
}

fn walk(dialect: &str, key: Key) {
    let hsm = SoftHsm::with_token("node-1");
    match key {
        Key::Made => {}
        Key::There => drop(hsm.import("node-1", "there", "01")),
        Key::ThereP256 => {
            let p256 = ["EC", "-pkeyopt", "ec_paramgen_curve:P-256"];
            drop(hsm.import_made_by(&p256, "node-1", "there", "01"));
        }
    }
    hsm.script(dialect);
    let home = hsm.home().with("ICN_PASSPHRASE", PASSPHRASE);
    let module = hsm.fault_module();
    let init = ["id", "init", "--backend", "pkcs11", "--module", &module, "--token", "node-1"];
    match key {
        Key::Made => home.ok(&init, b""),
        _ => home.ok(&[&init[..], &["--key", "pkcs11:object=there"]].concat(), b""),
    };
    let shown = home.show();
    let (did, state) = (shown["did"].as_str().unwrap(), shown["device"]["state"].as_str().unwrap());
    assert!(["present", "not-seen"].contains(&state), "{shown}");
    let signs = || {
        let signature = home.ok(&["sign"], b"hello");
        home.ok(&["verify", "--did", did, "--signature", signature.trim()], b"hello");
    };
    signs();

    // A wrong PIN is sent once, and is not sent again.
    let logins = hsm.count("C_Login");
    for _ in 0..2 {
        let ran = run(home.command(&["sign"]).env("ICN_PIN", "0001wrong-2222"), b"hello");
        assert_eq!(ran.code, 77, "{}", ran.err);
        quiet(&ran);
    }
    assert_eq!(hsm.count("C_Login"), logins + 1);
    home.ok(&["--retry-pin", "sign"], b"hello");

    // Nothing of a probe is left, and all of the identity.
    let before = hsm.pkcs11_tool(&["--list-objects"]).out;
    for more in [&[][..], &["--probe"], &["--probe-with-lasting-key"]] {
        let args = [&["--format", "json", "backend", "doctor"], more].concat();
        let ran = home.icnctl(&args, b"");
        quiet(&ran);
        let report: Value = serde_json::from_str(&ran.out).unwrap();
        assert_eq!(ran.code, 0, "{report}");
        let conclusion = report["conclusion"].as_str().unwrap();
        assert_eq!(conclusion.contains("works here"), !more.is_empty(), "{report}");
    }
    assert_eq!(hsm.pkcs11_tool(&["--list-objects"]).out, before);

    // The token is replaced by its restored copy.
    hsm.script(&format!("{dialect}serial NEW0001"));
    quiet(&home.fails(&["sign"], b"hello", &["no token matches"]));
    home.ok(&["id", "relocate"], b"");
    signs();
    assert!(!home.read("icn.toml").contains(PIN));
}

#[test]
fn ykcs11_goes_the_whole_way() {
    walk(YKCS11, Key::ThereP256);
}

#[test]
fn a_piv_card_by_opensc_goes_the_whole_way() {
    walk(OPENSC_PIV, Key::ThereP256);
}

#[test]
fn an_openpgp_card_by_opensc_goes_the_whole_way() {
    walk(OPENSC_OPENPGP, Key::There);
}

#[test]
fn a_yubihsm_2_goes_the_whole_way() {
    walk(YUBIHSM2, Key::Made);
    walk(YUBIHSM2, Key::There);
}

#[test]
fn a_nethsm_goes_the_whole_way() {
    walk(NETHSM, Key::Made);
    walk(NETHSM, Key::There);
}

#[test]
fn craton_goes_the_whole_way() {
    walk(CRATON, Key::Made);
    walk(CRATON, Key::There);
}

#[test]
fn nss_goes_the_whole_way() {
    walk(NSS, Key::Made);
    walk(NSS, Key::There);
}
