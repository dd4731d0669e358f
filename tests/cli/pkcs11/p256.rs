//! `icnctl` with P-256 keys, for tokens without Ed25519.

use serde_json::{Value, json};
use support::home::{Home, openssl_verifies};
use support::softhsm::{PIN, SoftHsm};

use super::{NO_GCM, quiet};

const P256: [&str; 2] = ["--algorithm", "p256"];
const NO_ED25519: &str = "no-mechanism CKM_EDDSA\nno-mechanism CKM_EC_EDWARDS_KEY_PAIR_GEN\n";

/// `id init` on the token behind the fault-injecting module.
fn init<'a>(module: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    let init = ["id", "init", "--backend", "pkcs11", "--token", "node-1", "--module", module];
    [&init[..], more].concat()
}

/// Signs by `icnctl`, verifies by it and by OpenSSL.
fn signs(home: &Home) {
    let signature = home.ok(&["sign"], b"hello");
    let shown = home.show();
    let (did, key) = (shown["did"].as_str().unwrap(), shown["public_key"]["hex"].as_str().unwrap());
    home.ok(&["verify", "--did", did, "--signature", signature.trim()], b"hello");
    let other = home.icnctl(&["verify", "--did", did, "--signature", signature.trim()], b"hullo");
    assert_eq!(other.code, 1, "{}", other.err);
    assert!(openssl_verifies(&home.beside(""), key, b"hello", signature.trim()));
}

#[test]
fn a_token_without_ed25519_offers_p256_and_works_with_it() {
    let hsm = SoftHsm::with_token("node-1");
    let (home, module) = (hsm.home(), hsm.fault_module());
    hsm.script(NO_ED25519);
    let wanted = ["token node-1 has no Ed25519 (CKM_EDDSA)", "CKM_ECDSA", "--algorithm p256"];
    quiet(&home.fails(&init(&module, &[]), b"", &wanted));
    assert_eq!(hsm.count("C_Login"), 0);
    let made = home.ok(&init(&module, &P256), b"");
    assert!(made.starts_with("did:key:zDn"), "{made}");
    signs(&home);
    let shown = home.show();
    assert_eq!(shown["algorithm"], "p256");
    assert_eq!(shown["provenance"], "hardware");
    assert_eq!(shown["assurance"], "soft-token");
    assert_eq!(shown["device"]["state"], "present");
    assert_eq!(shown["public_key"]["multibase"], shown["did"].as_str().unwrap()[8..]);
    assert!(home.ok(&["id", "show"], b"").contains("Algorithm   p256"));
    assert!(home.read("icn.toml").contains("did = \"did:key:zDn"));
}

#[test]
fn a_p256_identity_keeps_its_companions_by_either_storage_key() {
    for (configuration, kind) in [("", "pkcs11-aes-gcm"), (NO_GCM, "pkcs11-ecdh")] {
        let hsm = SoftHsm::with_token("node-1").configured(configuration);
        let home = hsm.home();
        home.ok(&[&hsm.init("node-1")[..], &P256].concat(), b"");
        assert!(home.read("identity.json").contains(&format!("\"kind\": \"{kind}\"")));
        signs(&home);
    }
}

/// As the documentation of AWS CloudHSM has it: no Ed25519, public keys that are
/// private objects, and neither kind of storage key.
#[test]
fn a_token_like_aws_cloudhsm_keeps_an_identity() {
    let hsm = SoftHsm::with_token("node-1");
    let (home, module) = (hsm.home(), hsm.fault_module());
    let dialect = format!(
        "{NO_ED25519}private-only\n\
         on C_EncryptInit all return CKR_MECHANISM_PARAM_INVALID\n\
         on C_DeriveKey all return CKR_MECHANISM_PARAM_INVALID"
    );
    hsm.script(&dialect);
    // Only by trying it is it found out that a passphrase is needed.
    let wanted = ["cannot keep the storage key", "$ICN_PASSPHRASE"];
    quiet(&home.fails(&init(&module, &P256), b"", &wanted));
    assert_eq!(hsm.pkcs11_tool(&["--list-objects"]).out, "");
    let home = home.with("ICN_PASSPHRASE", support::home::PASSPHRASE);
    home.ok(&init(&module, &P256), b"");
    assert!(home.read("identity.json").contains("\"kind\": \"passphrase\""));
    signs(&home);
    let listed = hsm.pkcs11_tool(&["--list-objects"]).out;
    assert_eq!(listed.matches("Key Object").count(), 2, "no storage key is left: {listed}");
}

#[test]
fn a_method_that_p256_keys_do_not_have_is_refused_before_anything_is_made() {
    let hsm = SoftHsm::with_token("node-1");
    let (home, module) = (hsm.home(), hsm.fault_module());
    let icn = [&P256[..], &["--did-method", "icn"]].concat();
    quiet(&home.fails(&init(&module, &icn), b"", &["have no did:icn", "--did-method key"]));
    assert_eq!(hsm.count("C_Login"), 0);
    let key = [&P256[..], &["--did-method", "key"]].concat();
    assert!(home.ok(&init(&module, &key), b"").starts_with("did:key:zDn"));
}

#[test]
fn a_p256_key_that_is_there_is_adopted_and_found_again() {
    let hsm = SoftHsm::with_token("node-1");
    for (kind, id) in [("EC:prime256v1", "01"), ("EC:edwards25519", "02"), ("EC:secp384r1", "03")] {
        let make = ["--keypairgen", "--key-type", kind, "--usage-sign", "--id", id];
        assert_eq!(hsm.pkcs11_tool(&[&make[..], &["--label", "node"]].concat()).code, 0);
    }
    let module = hsm.fault_module();
    let uri = |id: &str| format!("pkcs11:token=node-1;id=%{id}?module-path={module}");
    let (ours, ed25519, p384) = (uri("01"), uri("02"), uri("03"));
    let home = hsm.home();
    let adopt = |key: &str, more: &[&str], texts: &[&str]| {
        let args = [&["id", "init", "--key", key], more].concat();
        quiet(&home.fails(&args, b"", texts));
    };
    let leave = "leave --algorithm out";
    adopt(&ours, &["--algorithm", "ed25519"], &["names is p256, --algorithm says ed25519", leave]);
    adopt(&ed25519, &P256, &["names is ed25519, --algorithm says p256", leave]);
    adopt(&ours, &["--did-method", "icn"], &["have no did:icn"]);
    adopt(&p384, &[], &["has no key"]);
    let both = format!("pkcs11:object=node?module-path={module}");
    adopt(&both, &[], &["has 2 keys", "(id 01)", "(id 02)"]);
    assert_eq!(hsm.count("C_Login"), 0);

    home.ok(&["id", "init", "--key", &ours], b"");
    assert_eq!(home.show()["algorithm"], "p256");
    signs(&home);
    hsm.script("serial NEW0001");
    home.fails(&["sign"], b"hello", &["no token matches"]);
    home.ok(&["id", "relocate"], b"");
    signs(&home);
}

#[test]
fn a_header_of_another_algorithm_or_key_is_caught_before_a_pin_is_sent() {
    let hsm = SoftHsm::with_token("node-1");
    let home = hsm.home();
    home.ok(&[&hsm.init("node-1")[..], &P256].concat(), b"");
    let other = hsm.home();
    other.ok(&[&hsm.init("node-1")[..], &["--key-label", "other"]].concat(), b"");
    let good = home.read("identity.json");
    let theirs: Value = serde_json::from_str(&other.read("identity.json")).unwrap();
    let home = home.with("ICN_PIN", "a PIN that would be refused");
    home.edit_header("/algorithm", json!("ed25519"));
    quiet(&home.fails(&["sign"], b"hello", &["its algorithm is not that of its DID"]));
    // The Ed25519 key, under a header for P-256.
    home.write("identity.json", &good);
    home.edit_header("/locator", theirs["locator"].clone());
    quiet(&home.fails(&["sign"], b"hello", &["is that of did:key:z6Mk", "no PIN was sent"]));
    home.write("identity.json", &good);
    home.with("ICN_PIN", PIN).ok(&["sign"], b"hello");
}

/// `backend doctor` as JSON, with its exit code.
fn doctor(hsm: &SoftHsm, more: &[&str]) -> (i32, Value) {
    let module = hsm.fault_module();
    let args = ["--format", "json", "backend", "doctor", "--module", &module];
    let ran = hsm.home().icnctl(&[&args[..], more].concat(), b"");
    quiet(&ran);
    (ran.code, serde_json::from_str(&ran.out).unwrap_or_else(|_| panic!("{} {}", ran.out, ran.err)))
}

#[test]
fn the_doctor_warns_of_a_token_with_p256_only_and_probes_with_it() {
    let hsm = SoftHsm::with_token("node-1");
    hsm.script(&format!("{NO_ED25519}point raw"));
    let (code, report) = doctor(&hsm, &[]);
    assert_eq!((code, &report["verdict"]), (0, &json!("warning")), "{report}");
    let verdicts = report["verdicts"].as_array().unwrap();
    let is_absent = |verdict: &&Value| verdict["found"].as_str().unwrap().starts_with("no CKM_E");
    let absent: Vec<_> = verdicts.iter().filter(is_absent).collect();
    assert_eq!(absent.len(), 2, "{report}");
    for verdict in absent {
        assert_eq!(verdict["state"], "warning");
        assert!(verdict["advice"].as_str().unwrap().contains("--algorithm p256"), "{verdict}");
    }
    let (code, report) = doctor(&hsm, &["--probe"]);
    assert_eq!((code, &report["verdict"]), (0, &json!("warning")), "{report}");
    let probe = &report["probe"];
    assert_eq!(probe["algorithm"], "p256");
    assert_eq!(probe["curve"], "OID 1.2.840.10045.3.1.7 (RFC 5480)");
    assert_eq!(probe["point"], "raw, 65 bytes");
    assert_eq!(probe["signatures_verify"], true);
    assert_eq!(probe["evidence"]["born_inside"], "hardware");
    assert_ne!(probe["evidence"]["written_in"], "hardware");
    assert_ne!(probe["evidence"]["written_in"], "refused by the token");
    assert_ne!(probe["evidence"]["once_extractable"], "hardware");
    assert_eq!(hsm.pkcs11_tool(&["--list-objects"]).out, "");
    // Neither of the two.
    hsm.script(&format!("{NO_ED25519}no-mechanism CKM_ECDSA"));
    assert_eq!(doctor(&hsm, &[]).0, 1);
}
