//! From a file into a token, and from there into a TPM.

use support::softhsm::{PIN, SoftHsm};
use support::swtpm::Swtpm;

use super::*;

#[test]
fn an_identity_moves_up_into_a_token_and_on_into_a_tpm() {
    let old = identity(PASSPHRASE);
    let hsm = SoftHsm::with_token("node-1");
    let token = hsm.identity("node-1");
    // The one environment has to do for both.
    let old = old.with("SOFTHSM2_CONF", token_conf(&token).as_str());
    write_private(&token.beside("pin"), PIN);
    let (to, pin, file) = (token.path(""), text(&token, "pin"), text(&token, "chain.json"));
    let upgrade = ["id", "rotation", "create", "--reason", "upgrade", "-o", &file];
    let successor = ["--successor", to.to_str().unwrap(), "--successor-pin-file", &pin];
    let told = old.ok(&[&upgrade[..], &successor].concat(), b"");
    assert!(told.contains("said to be hardware, assurance soft-token"), "{told}");
    assert!(!told.contains(PIN));
    token.ok(&["sign"], b"hello");

    let tpm = Swtpm::start();
    let home = Home::new().with("ICN_PIN", PIN);
    home.write(
        "icn.toml",
        &format!("{}[identity.tpm]\npin_work_factor = 10\n", support::home::FAST),
    );
    let device = tpm.tcti();
    let init = ["id", "init", "--backend", "tpm", "--device", &device, "--algorithm", "p256"];
    home.ok(&[&init[..], &["--pcr-indices", "16"]].concat(), b"");
    write_private(&home.beside("pin"), PIN);
    let (to, pin, file) = (home.path(""), text(&home, "pin"), text(&home, "chain.json"));
    let upgrade = ["id", "rotation", "create", "--reason", "scheduled", "-o", &file];
    let successor = ["--successor", to.to_str().unwrap(), "--successor-pin-file", &pin];
    token.ok(&[&upgrade[..], &successor].concat(), b"");
    home.ok(&["sign"], b"hello");

    let (from, expect) = (did(&old), did(&home));
    let json = ["--format", "json", "id", "rotation", "verify", &file];
    let report = old.ok(&[&json[..], &["--from", &from, "--expect", &expect]].concat(), b"");
    let report: Value = serde_json::from_str(&report).unwrap();
    let steps = report["steps"].as_array().unwrap();
    assert_eq!(steps.len(), 2);
    assert_eq!(steps[0]["old"]["provenance"], "software");
    assert_eq!(steps[0]["new"], steps[1]["old"]);
    assert_eq!(steps[1]["new"]["provenance"], "hardware");
    assert_eq!(steps[1]["new"]["assurance"], "soft-token");
    assert!(steps[1]["new"]["did"].as_str().unwrap().starts_with("did:key:zDn"));
}

/// A wrong PIN of the successor is sent once, and nothing is signed.
#[test]
fn a_wrong_pin_of_the_successor_is_sent_once_and_remembered() {
    let hsm = SoftHsm::with_token("node-1");
    let token = hsm.faulty_identity("node-1");
    let before = files(&token);
    let old = identity(PASSPHRASE).with("SOFTHSM2_CONF", token_conf(&token).as_str());
    let old = ["PKCS11_FAULT_MODULE", "PKCS11_FAULT_DIR", "PKCS11_FAULT_PIN"]
        .into_iter()
        .fold(old, |home, name| home.with(name, &variable(&token, name)));
    write_private(&token.beside("pin"), "86429731");
    let (to, pin) = (token.path(""), text(&token, "pin"));
    let words = ["id", "rotation", "create", "--reason", "upgrade", "--successor"];
    let with = [to.to_str().unwrap(), "--successor-pin-file", &pin];
    let all = [&words[..], &with].concat();
    let logins = hsm.count("C_Login");
    old.refused(&all, b"", &["token node-1 refused the PIN"]);
    assert_eq!(hsm.count("C_Login") - logins, 1);
    old.refused(&all, b"", &["was not sent again"]);
    assert_eq!(hsm.count("C_Login") - logins, 1);
    assert_eq!(files(&token), before);
}

fn token_conf(home: &Home) -> String {
    variable(home, "SOFTHSM2_CONF")
}

fn variable(home: &Home, name: &str) -> String {
    let command = home.command(&[]);
    let mut set = command.get_envs();
    let (_, value) = set.find(|(set, _)| *set == name).unwrap();
    value.unwrap().to_str().unwrap().to_owned()
}
