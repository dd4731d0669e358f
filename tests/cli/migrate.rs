//! `icnctl id migrate`, as people and scripts use it.

mod before;
mod committed;
mod copies;
mod cut_ends;
mod cut_switch;
mod devices;
mod ends;
mod epochs;
mod given_up;
mod gone;
mod imports;
mod keystores;
mod lost;
mod opens;
mod plans;
mod previous;
mod put_back;
mod ready;
mod refusals;
mod renamed;
mod renamed_ways;
mod said;
mod sendings;
mod staged;
mod stays;
mod turned_round;
mod unstated;
mod ways;
mod ways_back;

use std::process::Command;

use serde_json::Value;
use support::home::{FAST, Home, PASSPHRASE, Ran, openssl_verifies, run, write_private};
use support::softhsm::{PIN, SoftHsm, module};
use support::swtpm::Swtpm;

const TOKEN: &str = "node-1";

/// A software identity, with the passphrase and the PIN in files, and the tokens of a SoftHSM.
fn identity(hsm: &SoftHsm) -> Home {
    let home = hsm.home();
    home.write("icn.toml", &format!("{FAST}[identity.tpm]\npin_work_factor = 10\n"));
    write_private(&home.beside("passphrase"), PASSPHRASE);
    write_private(&home.beside("pin"), PIN);
    home.ok(&["--passphrase-file", &text(&home, "passphrase"), "id", "init"], b"");
    home
}

/// Another one in a directory of its own, by the same passphrase, that costs as little.
fn init_in(home: &Home, directory: &str) {
    let place = std::path::Path::new(directory);
    std::fs::create_dir(place).unwrap();
    let ours = std::os::unix::fs::PermissionsExt::from_mode(0o700);
    std::fs::set_permissions(place, ours).unwrap();
    write_private(&place.join("icn.toml"), FAST);
    let passphrase = text(home, "passphrase");
    home.ok(&["--home", directory, "--passphrase-file", &passphrase, "id", "init"], b"");
}

fn text(home: &Home, beside: &str) -> String {
    home.beside(beside).to_str().unwrap().to_owned()
}

fn did(home: &Home) -> String {
    home.show()["did"].as_str().unwrap().to_owned()
}

/// `id migrate`, with the credentials of both.
fn migrate(home: &Home, more: &[&str]) -> Ran {
    let (passphrase, pin) = (text(home, "passphrase"), text(home, "pin"));
    let with = ["--passphrase-file", &passphrase, "--pin-file", &pin, "id", "migrate"];
    let ran = home.icnctl(&[&with[..], more].concat(), b"");
    for secret in [PASSPHRASE, PIN] {
        assert!(!ran.out.contains(secret) && !ran.err.contains(secret), "{} {}", ran.out, ran.err);
    }
    ran
}

fn migrates(home: &Home, more: &[&str]) -> String {
    let ran = migrate(home, more);
    assert_eq!(ran.code, 0, "{more:?}: {}", ran.err);
    ran.out
}

fn to_token() -> Vec<&'static str> {
    vec!["--to", "pkcs11", "--module", module(), "--token", TOKEN]
}

fn to_tpm(device: &str) -> Vec<&str> {
    vec!["--to", "tpm", "--device", device, "--pcr-indices", "16"]
}

fn status(home: &Home) -> Value {
    let json = home.ok(&["--format", "json", "id", "migrate", "--status"], b"");
    serde_json::from_str::<Value>(&json).unwrap()["migration"].take()
}

/// Everything in a directory, but for locks: names and contents.
fn tree(home: &Home) -> Vec<(String, Vec<u8>)> {
    fn walk(directory: &std::path::Path, found: &mut Vec<(String, Vec<u8>)>) {
        for entry in std::fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, found);
            } else if !path.to_str().unwrap().ends_with("lock") {
                found.push((path.to_str().unwrap().into(), std::fs::read(&path).unwrap()));
            }
        }
    }
    let mut found = Vec::new();
    walk(&home.path(""), &mut found);
    found.sort();
    found
}

/// The identity in use signs with its device, and OpenSSL verifies that.
fn signs(home: &Home) {
    let signature = home.ok(&["--pin-file", &text(home, "pin"), "sign"], b"hello");
    let public = home.show()["public_key"]["hex"].as_str().unwrap().to_owned();
    let scratch = tempfile::tempdir().unwrap();
    assert!(openssl_verifies(scratch.path(), &public, b"hello", signature.trim()));
}

/// The old identity signs from where it is kept.
fn old_signs(home: &Home) {
    let previous = home.path("previous");
    let (previous, passphrase) = (previous.to_str().unwrap(), text(home, "passphrase"));
    home.ok(&["--home", previous, "--passphrase-file", &passphrase, "sign"], b"hello");
}

/// A file that `age` encrypts to the identity, by its stock tool.
fn encrypted(home: &Home) -> std::path::PathBuf {
    let recipient = home.show()["encryption"]["age_recipient"].as_str().unwrap().to_owned();
    let file = home.beside("file.age");
    let (path, plain) = (file.to_str().unwrap().to_owned(), b"from before the move");
    let ran = run(Command::new("age").args(["-r", &recipient, "-o", &path]), plain);
    assert_eq!(ran.code, 0, "{}", ran.err);
    file
}

fn decrypts(home: &Home, file: &std::path::Path) {
    let pin = text(home, "pin");
    let plain = home.ok(&["--pin-file", &pin, "decrypt", file.to_str().unwrap()], b"");
    assert_eq!(plain, "from before the move");
}

/// A recovery key: its file, and its recipient.
fn recovery_key(home: &Home) -> (String, String) {
    let file = text(home, "recovery.key");
    if !home.beside("recovery.key").exists() {
        let made = run(Command::new("age-keygen").args(["-o", &file]), b"");
        assert_eq!(made.code, 0, "{}", made.err);
    }
    let recipient = run(Command::new("age-keygen").args(["-y", &file]), b"").out;
    (file, recipient.trim().to_owned())
}

fn ids(hsm: &SoftHsm) -> usize {
    hsm.objects(TOKEN).lines().filter(|line| line.trim_start().starts_with("ID:")).count()
}
