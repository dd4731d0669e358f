//! `icnctl` with tpm2-pkcs11, as it is: a token whose keys are in a TPM (swtpm: a
//! virtual one, and shown as one).

use serde_json::{Value, json};
use support::home::{Home, openssl_verifies};
use support::tpm2_pkcs11::{Tpm2Token, module};

use crate::tpm::quick;

const WRONG: &str = "pin-11112222";

/// A home with an identity in the token. tpm2-pkcs11 makes a storage key by neither
/// way, so there is a passphrase beside the PIN.
pub(crate) fn identity(token: &Tpm2Token) -> Home {
    let home = token.home().with("ICN_PASSPHRASE", support::home::PASSPHRASE);
    let init = ["id", "init", "--backend", "pkcs11", "--module", module(), "--token", "node-1"];
    home.ok(&[&init[..], &["--algorithm", "p256"]].concat(), b"");
    home
}

fn signs(home: &Home) {
    let signature = home.ok(&["sign"], b"hello");
    let shown = home.show();
    let key = shown["public_key"]["hex"].as_str().unwrap();
    assert!(openssl_verifies(&home.beside(""), key, b"hello", signature.trim()));
    assert!(!openssl_verifies(&home.beside(""), key, b"hullo", signature.trim()));
}

/// The module tells what stands in a file of its user, who can change it.
#[test]
fn a_key_of_tpm2_pkcs11_on_a_virtual_tpm_is_held_by_a_soft_token_and_nobody_vouches_for_it() {
    let token = Tpm2Token::new("node-1");
    let home = identity(&token);
    let shown = home.show();
    assert_eq!(shown["algorithm"], "p256");
    assert_eq!(shown["provenance"], "device-held");
    assert_eq!(shown["assurance"], "soft-token");
    assert_eq!(shown["hardware_backed"], false);
    for fact in ["local", "always_sensitive", "never_extractable"] {
        assert_eq!(shown["evidence"][fact], "unknown", "{fact}");
        assert_eq!(shown["evidence_word"][fact], "nobody", "{fact}");
    }
    let text = home.ok(&["id", "show"], b"");
    assert!(text.contains("Nobody vouches for always_sensitive, local"), "{text}");
    assert!(text.contains("soft token, for tests"), "{text}");
    signs(&home);
}

#[test]
fn an_identity_in_tpm2_pkcs11_opens_again_after_its_tpm_was_restarted() {
    let mut token = Tpm2Token::new("node-1");
    let home = identity(&token);
    let did = home.show()["did"].clone();
    token.tpm.restart();
    assert_eq!(home.show()["did"], did);
    signs(&home);
    token.tpm.power_off();
    let shown = home.show();
    assert_eq!(shown["device"]["state"], "unreachable");
    home.fails(&["sign"], b"hello", &["cannot be used: it does not start", "TPM2_PKCS11_TCTI"]);
    token.tpm.power_on();
    signs(&home);
}

#[test]
fn a_wrong_pin_is_sent_to_tpm2_pkcs11_once() {
    let token = Tpm2Token::new("node-1");
    let home = identity(&token);
    let file = home.beside("pin");
    support::home::write_private(&file, WRONG);
    let sign = ["--pin-file", file.to_str().unwrap(), "sign"];
    let before = quick::lockout_counter(&token.tpm);
    let texts = [
        "refused the PIN; it was tried once, and the TPM behind the token counts wrong PINs",
        "tpm2_getcap properties-variable",
    ];
    let ran = home.refused(&sign, b"hello", &texts);
    assert!(!ran.err.contains(WRONG), "{}", ran.err);
    assert_eq!(quick::lockout_counter(&token.tpm) - before, 1);
    home.refused(&sign, b"hello", &["was not sent again"]);
    assert_eq!(quick::lockout_counter(&token.tpm) - before, 1);
    signs(&home);
}

/// A lock of the TPM, which no flag tells of, and which a new PIN does not end.
#[test]
fn a_locked_tpm_behind_tpm2_pkcs11_is_said_to_be_one_and_opens_when_its_count_is_reset() {
    let token = Tpm2Token::new("node-1");
    let home = identity(&token);
    token.tpm.set_dictionary_attack(3, 1000, 1000);
    for _ in 0..4 {
        let wrong = ["--token-label", "node-1", "--login", "--pin", WRONG, "--list-objects"];
        assert_ne!(token.pkcs11_tool(&wrong).code, 0);
    }
    let texts = [
        "the TPM behind token node-1 is locked after wrong PINs",
        "wait, with the machine running",
        "tpm2_dictionarylockout -c",
    ];
    // It opens by itself with time: a service is started again.
    let ran = home.fails(&["sign"], b"hello", &texts);
    assert!(!ran.err.contains("init-pin") && !ran.err.contains("security officer"), "{}", ran.err);
    // Nor does the security officer get in.
    let officer = ["--login", "--login-type", "so", "--so-pin", support::softhsm::SO_PIN];
    let officer = [&["--token-label", "node-1"][..], &officer, &["--init-pin"]].concat();
    let ran = token.pkcs11_tool(&[&officer[..], &["--pin", WRONG]].concat());
    assert!(ran.code != 0 && ran.err.contains("CKR_PIN_LOCKED"), "{}{}", ran.out, ran.err);
    // What cannot be seen is not said to be well.
    let checked = home.ok(&["id", "show", "--check"], b"");
    assert!(checked.contains("does not tell whether its PIN is locked"), "{checked}");
    assert!(checked.contains("tpm2_getcap properties-variable"), "{checked}");
    let pin = &home.show()["pin"];
    assert_eq!((&pin["silent"], &pin["lockout"]), (&json!(true), &json!("tpm")));
    let report = home.ok(&["backend", "doctor"], b"");
    assert!(report.contains("does not tell of wrong tries, nor of a lock"), "{report}");

    token.tpm.clear_lockout();
    signs(&home);
}

#[test]
fn the_doctor_says_of_tpm2_pkcs11_that_it_is_a_soft_token() {
    let token = Tpm2Token::new("node-1");
    let home = token.home();
    let args = ["--format", "json", "backend", "doctor", "--module", module()];
    let report = home.ok(&[&args[..], &["--token", "node-1"]].concat(), b"");
    let report: Value = serde_json::from_str(&report).unwrap();
    let [token] = report["module"]["tokens"].as_array().unwrap().as_slice() else {
        panic!("{report}")
    };
    assert_eq!((&token["label"], &token["assurance"]), (&json!("node-1"), &json!("soft-token")));
    assert_eq!(token["hardware_slot"], true, "it says so of every TPM");
    let hardware = |verdict: &&Value| verdict["requirement"] == "hardware";
    let verdicts = report["verdicts"].as_array().unwrap();
    assert_eq!(verdicts.iter().find(hardware).unwrap()["found"], "a soft token");
}

/// It has no keys that go with their session.
#[test]
fn a_probe_of_tpm2_pkcs11_offers_a_lasting_key_and_leaves_nothing() {
    let token = Tpm2Token::new("node-1");
    let home = token.home();
    let probe =
        |how| home.ok(&["backend", "doctor", "--module", module(), "--token", "node-1", how], b"");
    let text = probe("--probe");
    assert!(text.contains("--probe-with-lasting-key"), "{text}");
    assert!(text.contains("Not tried: making a key, signing."), "{text}");
    let text = probe("--probe-with-lasting-key");
    for wanted in [
        "Born inside        device-held",
        "Template           plain",
        "made for p256: a key that lasted, and was removed",
        "An identity works here, with the restrictions above.",
        "nothing of it is left on the token",
        "leaves nothing in the TPM",
        "try: run `tpm2_flushcontext -t`",
    ] {
        assert!(text.contains(wanted), "{wanted}: {text}");
    }
    // The module leaves objects loaded in the TPM. Where there is a resource manager
    // (`/dev/tpmrm0`), it flushes what a process leaves.
    let loaded = token.tpm.tool("tpm2_getcap", &["handles-transient"]);
    assert!(loaded.matches("0x8").count() >= 2, "{loaded}");
    // No room, which the module tells by the answer to everything.
    let args = ["backend", "doctor", "--module", module(), "--token", "node-1", "--probe"];
    let texts = ["CKR_GENERAL_ERROR", "`tpm2_flushcontext -t`", "--retry-pin"];
    let ran = home.icnctl(&args, b"");
    for text in texts {
        assert!(ran.err.contains(text), "{text}: {}", ran.err);
    }
    assert!(!ran.err.contains("full"), "{}", ran.err);
    token.tpm.tool("tpm2_flushcontext", &["-t"]);
    home.ok(&[&["--retry-pin"], &args[..]].concat(), b"");
    // One key that is there, to see that what is there is listed.
    let _identity = identity(&token);
    let login = ["--token-label", "node-1", "--login", "--pin", support::softhsm::PIN];
    let listed = token.pkcs11_tool(&[&login[..], &["--list-objects"]].concat()).out;
    assert_eq!(listed.matches("Private Key Object").count(), 1, "{listed}");
    assert_eq!(listed.matches("Public Key Object").count(), 1, "{listed}");
}

/// The module takes no public key of an elliptic curve; its private keys show theirs within a
/// login, and work so.
#[test]
fn an_identity_whose_public_object_was_deleted_from_tpm2_pkcs11_works_without_it() {
    let token = Tpm2Token::new("node-1");
    let home = identity(&token);
    let shown = home.show();
    let login = ["--token-label", "node-1", "--login", "--pin", support::softhsm::PIN];
    let delete = ["--delete-object", "--type", "pubkey", "--label", "icn-identity"];
    let ran = token.pkcs11_tool(&[&login[..], &delete].concat());
    assert_eq!(ran.code, 0, "{}", ran.err);
    let relocate = "icnctl id relocate --key 'pkcs11:token=node-1;serial=0000000000000000'";
    // Whoever looks is told of the way, at once.
    let checked = home.icnctl(&["id", "show", "--check"], b"");
    assert_eq!(checked.code, 1, "{}", checked.out);
    let doctor = home.icnctl(&["backend", "doctor"], b"");
    assert_eq!(doctor.code, 1, "{}", doctor.out);
    for text in [&checked.out, &doctor.out] {
        assert!(text.contains(relocate) && text.contains("takes no public key"), "{text}");
        assert!(!text.contains("write-public-key"), "{text}");
    }
    home.fails(&["sign"], b"hello", &["does not show the public key", "no PIN was sent"]);
    home.fails(
        &["id", "write-public-key"],
        b"",
        &["has the private key of the identity, and takes no public key", relocate],
    );
    let uri = "pkcs11:token=node-1;serial=0000000000000000";
    home.ok(&["id", "relocate", "--key", uri], b"");
    let checked = home.ok(&["id", "show", "--check"], b"");
    assert!(checked.contains("does not show this key without a login"), "{checked}");
    signs(&home);
    assert_eq!(home.show()["did"], shown["did"]);
    assert_eq!(home.show()["device"]["state"], "not-seen");
    home.ok(&["id", "renew"], b"");
    home.ok(&["id", "show", "--check"], b"");
    home.ok(&["backend", "doctor"], b"");
    signs(&home);
}

/// It is there, and its TPM is not.
#[test]
fn the_doctor_reports_a_tpm_that_is_away_behind_tpm2_pkcs11() {
    let mut token = Tpm2Token::new("node-1");
    let home = identity(&token);
    token.tpm.power_off();
    for how in [&[][..], &["--probe"], &["--module", module(), "--token", "node-1"]] {
        let ran = home.icnctl(&[&["backend", "doctor"], how].concat(), b"");
        assert_eq!(ran.code, 1, "{}{}", ran.out, ran.err);
        for text in ["FAIL", "it does not start", "TPM2_PKCS11_TCTI", "No identity works here."] {
            assert!(ran.out.contains(text), "{text}: {}", ran.out);
        }
        assert!(!ran.out.contains("full"), "{}", ran.out);
    }
    token.tpm.power_on();
    home.ok(&["backend", "doctor"], b"");
}
