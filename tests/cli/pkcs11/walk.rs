//! The whole way of an operator, on tokens that speak like real modules.

use serde_json::Value;
use support::dialects::{
    CRATON, KRYOPTIC, NETHSM, NSS, OPENCRYPTOKI, OPENSC_OPENPGP, OPENSC_PIV, P11_KIT_PROXY,
    TPM2_BEHIND_P11_KIT, TPM2_PKCS11, YKCS11, YUBIHSM2,
};
use support::home::{PASSPHRASE, run};
use support::softhsm::{PIN, SoftHsm};

use super::quiet;

/// Where its key comes from.
#[derive(Clone, Copy, PartialEq)]
enum Key {
    Made,
    MadeP256,
    /// Written to the card by another tool: Ed25519, or P-256.
    There,
    ThereP256,
}

/// What is honestly shown of it, too.
fn walk(dialect: &str, key: Key, [provenance, assurance]: [&str; 2]) {
    let hsm = SoftHsm::with_token("node-1");
    match key {
        Key::Made | Key::MadeP256 => {}
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
        Key::MadeP256 => home.ok(&[&init[..], &["--algorithm", "p256"]].concat(), b""),
        _ => home.ok(&[&init[..], &["--key", "pkcs11:object=there"]].concat(), b""),
    };
    let shown = home.show();
    let (did, state) = (shown["did"].as_str().unwrap(), shown["device"]["state"].as_str().unwrap());
    assert!(["present", "not-seen"].contains(&state), "{shown}");
    assert_eq!(
        (&shown["provenance"], &shown["assurance"]),
        (&provenance.into(), &assurance.into())
    );
    assert_eq!(shown["hardware_backed"], assurance == "claimed");
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

const HELD: [&str; 2] = ["device-held", "claimed"];
const SOFT: [&str; 2] = ["device-held", "soft-token"];
const BORN_IN_SOFTWARE: [&str; 2] = ["hardware", "soft-token"];

#[test]
fn ykcs11_goes_the_whole_way() {
    walk(YKCS11, Key::ThereP256, HELD);
}

#[test]
fn a_piv_card_by_opensc_goes_the_whole_way() {
    walk(OPENSC_PIV, Key::ThereP256, HELD);
}

#[test]
fn an_openpgp_card_by_opensc_goes_the_whole_way() {
    walk(OPENSC_OPENPGP, Key::There, HELD);
}

#[test]
fn a_yubihsm_2_goes_the_whole_way() {
    for made in [Key::Made, Key::MadeP256] {
        walk(YUBIHSM2, made, ["hardware", "claimed"]);
    }
    walk(YUBIHSM2, Key::There, HELD);
}

#[test]
fn a_nethsm_goes_the_whole_way() {
    for key in [Key::Made, Key::MadeP256, Key::There] {
        walk(NETHSM, key, ["device-held", "unstated"]);
    }
}

#[test]
fn craton_goes_the_whole_way() {
    for key in [Key::Made, Key::There] {
        walk(CRATON, key, SOFT);
    }
}

#[test]
fn nss_goes_the_whole_way() {
    for key in [Key::Made, Key::MadeP256, Key::There] {
        walk(NSS, key, SOFT);
    }
}

#[test]
fn kryoptic_goes_the_whole_way() {
    walk(KRYOPTIC, Key::Made, BORN_IN_SOFTWARE);
    walk(KRYOPTIC, Key::There, SOFT);
}

#[test]
fn opencryptokis_soft_token_goes_the_whole_way() {
    walk(OPENCRYPTOKI, Key::Made, BORN_IN_SOFTWARE);
    walk(OPENCRYPTOKI, Key::ThereP256, SOFT);
}

#[test]
fn tpm2_pkcs11_goes_the_whole_way() {
    walk(TPM2_PKCS11, Key::MadeP256, SOFT);
    walk(TPM2_PKCS11, Key::ThereP256, SOFT);
}

#[test]
fn tpm2_pkcs11_behind_p11_kit_goes_the_whole_way() {
    walk(TPM2_BEHIND_P11_KIT, Key::MadeP256, SOFT);
    walk(TPM2_BEHIND_P11_KIT, Key::ThereP256, SOFT);
}

#[test]
fn p11_kits_proxy_goes_the_whole_way() {
    walk(P11_KIT_PROXY, Key::Made, BORN_IN_SOFTWARE);
    walk(P11_KIT_PROXY, Key::There, SOFT);
}
