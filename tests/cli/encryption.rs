//! Encryption to a node, and its DID document, with the tools that others have:
//! `age`, OpenSSL, jq.

mod documents;
mod outputs;

use std::path::Path;
use std::process::Command;

use support::home::{Home, PASSPHRASE, run};
use support::softhsm::SoftHsm;

use crate::tpm::node::{BOTH, Node};

fn identity() -> Home {
    let home = Home::new().with("ICN_PASSPHRASE", PASSPHRASE);
    home.ok(&["id", "init"], b"");
    home
}

fn recipient(home: &Home) -> String {
    home.show()["encryption"]["age_recipient"].as_str().unwrap().to_owned()
}

/// Encrypts by the stock tool.
fn age(recipient: &str, options: &[&str], from: &Path, to: &Path) {
    let mut age = Command::new("age");
    age.args(options).args(["--recipient", recipient, "--output"]).arg(to).arg(from);
    let ran = run(&mut age, b"");
    assert_eq!(ran.code, 0, "{}", ran.err);
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// What is encrypted to the printed recipient comes back, by every way.
fn decrypts(home: &Home) {
    let (plain, file, out) =
        (home.beside("plain"), home.beside("plain.age"), home.beside("decrypted"));
    std::fs::write(&plain, b"for this node's eyes").unwrap();
    for options in [&[][..], &["--armor"]] {
        age(&recipient(home), options, &plain, &file);
        let encrypted = std::fs::read(&file).unwrap();
        assert_eq!(home.ok(&["decrypt", text(&file)], b""), "for this node's eyes");
        assert_eq!(home.ok(&["decrypt"], &encrypted), "for this node's eyes");
        assert_eq!(home.ok(&["decrypt", "-"], &encrypted), "for this node's eyes");
        assert_eq!(home.ok(&["decrypt", "--output", text(&out)], &encrypted), "");
        assert_eq!(std::fs::read(&out).unwrap(), b"for this node's eyes");
        std::fs::remove_file(&out).unwrap();
    }
}

#[test]
fn age_encrypts_to_a_software_identity() {
    decrypts(&identity());
}

#[test]
fn age_encrypts_to_an_identity_in_a_token() {
    let hsm = SoftHsm::with_token("node-1");
    decrypts(&hsm.identity("node-1"));
    hsm.token("node-2");
    let home = hsm.home();
    home.ok(&[&hsm.init("node-2")[..], &["--algorithm", "p256"]].concat(), b"");
    decrypts(&home);
}

#[test]
fn age_encrypts_to_an_identity_in_a_tpm() {
    for algorithm in BOTH {
        let node = Node::with_identity(algorithm, &[]);
        decrypts(&node.home);
        node.is_idle();
    }
}
