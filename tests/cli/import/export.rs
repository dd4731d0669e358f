//! `icnctl id export`

use std::os::unix::fs::MetadataExt as _;
use std::process::Command;

use icn_identity::algorithm::Signature;
use icn_identity::{Did, VerifyingKey};
use serde_json::{Value, json};
use support::home::{Home, PASSPHRASE, on_a_terminal, run, write_private};
use support::small_order::recipients;

use super::fixture;

fn identity() -> Home {
    let home = Home::new().with("ICN_PASSPHRASE", PASSPHRASE);
    home.ok(&["id", "init"], b"");
    home
}

fn beside(home: &Home, name: &str) -> String {
    home.beside(name).to_str().unwrap().to_owned()
}

/// OpenSSL signs with the PEM, and our own `verify` accepts it.
fn openssl_signs_as_the_identity(home: &Home, pem: &str) {
    let (key, message) = (beside(home, "key.pem"), beside(home, "message"));
    let signature = beside(home, "by-openssl");
    write_private(key.as_ref(), pem);
    std::fs::write(&message, b"signed elsewhere").unwrap();
    let mut openssl = Command::new("openssl");
    let args = ["pkeyutl", "-sign", "-rawin", "-inkey", &key, "-in", &message, "-out", &signature];
    let ran = run(openssl.args(args), b"");
    assert_eq!(ran.code, 0, "{}", ran.err);
    let did = Did::parse(home.show()["did"].as_str().unwrap()).unwrap();
    let signature = std::fs::read(&signature).unwrap().try_into().unwrap();
    let signature = Signature::from_ed25519_bytes(signature);
    did.verifying_key().verify(b"signed elsewhere", &signature).unwrap();
    std::fs::remove_file(&key).unwrap();
}

#[test]
fn the_did_is_exported_without_a_passphrase() {
    let home = identity().with("ICN_PASSPHRASE", "");
    let did = home.show()["did"].as_str().unwrap().to_owned();
    assert_eq!(home.ok(&["id", "export", "--did-only"], b""), format!("{did}\n"));
    let shown = home.ok(&["--format", "json", "id", "export", "--did-only"], b"");
    let shown: Value = serde_json::from_str(&shown).unwrap();
    let key = *Did::parse(&did).unwrap().verifying_key();
    assert_eq!(shown["did"], *did);
    assert_eq!(shown["algorithm"], "ed25519");
    assert_eq!(shown["public_key"], home.show()["public_key"]);
    assert_eq!(shown["public_key"]["multibase"], key.to_multibase());
}

#[test]
fn the_public_key_is_exported_in_each_format_without_a_passphrase() {
    let home = identity().with("ICN_PASSPHRASE", "");
    let did = Did::parse(home.show()["did"].as_str().unwrap()).unwrap();
    let key = did.verifying_key();
    let export = |option: &str| home.ok(&["id", "export", option], b"");
    let pem = export("--public-key");
    assert_eq!(export("--public-key=pem"), pem);
    assert_eq!(VerifyingKey::from_public_key_pem(&pem).unwrap(), *key);
    assert_eq!(VerifyingKey::from_jwk(&export("--public-key=jwk")).unwrap(), *key);
    assert_eq!(export("--public-key=multibase"), key.to_multibase() + "\n");
    assert_eq!(export("--public-key=openssh"), key.to_openssh() + "\n");
    assert_eq!(export("--public-key=hex").trim().len(), 64);
    let all = home.ok(&["--format", "json", "id", "export", "--public-key"], b"");
    let all: Value = serde_json::from_str(&all).unwrap();
    assert_eq!(all["public_key"]["pem"], *pem);
    assert_eq!(all["public_key"]["jwk"]["kty"], "OKP");
}

#[test]
fn a_did_that_is_not_the_pinned_one_is_not_exported() {
    let (home, other) = (identity(), identity());
    home.edit_header("/did", other.show()["did"].clone());
    home.fails(&["id", "export", "--did-only"], b"", &["the configuration pins did:icn:z"]);
    let out = beside(&home, "export.age");
    let args = ["id", "export", "--secret", "-o", &out];
    home.fails(&args, b"", &["the configuration pins did:icn:z"]);
    assert!(!home.beside("export.age").exists());
}

#[test]
fn export_wants_either_the_did_or_the_secret() {
    let home = identity();
    for args in [
        &["id", "export"][..],
        &["id", "export", "--secret"],
        &["id", "export", "--did-only", "--secret", "-o", "x"],
        &["id", "export", "--did-only", "-o", "x"],
        &["id", "export", "--did-only", "--public-key"],
        &["id", "export", "--public-key", "-o", "x"],
        &["id", "export", "--public-key=der"],
        &["id", "export", "--did-only", "--recipient", "age1x"],
    ] {
        assert_eq!(home.icnctl(args, b"").code, 2, "{args:?}");
    }
}

#[test]
fn a_key_exported_to_a_passphrase_signs_in_openssl() {
    let home = identity();
    let (out, pass) = (beside(&home, "export.age"), beside(&home, "pass"));
    write_private(pass.as_ref(), "of the export\n");
    let args = ["id", "export", "--secret", "-o", &out, "--export-passphrase-file", &pass];
    // The mode does not depend on the umask.
    let icnctl = env!("CARGO_BIN_EXE_icnctl");
    let mut with_umask = Command::new("sh");
    with_umask.args(["-c", "umask 000; exec \"$0\" \"$@\"", icnctl]).args(args);
    for (name, value) in home.command(&args).get_envs() {
        with_umask.env(name, value.unwrap_or_default());
    }
    let ran = run(&mut with_umask, b"");
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(ran.out.contains("encrypted with the passphrase of the export"), "{}", ran.out);
    assert_eq!(std::fs::metadata(&out).unwrap().mode() & 0o7777, 0o600);
    let file = std::fs::read(&out).unwrap();
    assert!(file.starts_with(b"age-encryption.org/v1\n-> scrypt "));
    let pem = fixture::unseal(&file, "of the export");
    assert!(pem.starts_with("-----BEGIN PRIVATE KEY-----\n"));
    openssl_signs_as_the_identity(&home, &pem);

    // Never overwritten, and nobody is asked for anything before that is said.
    let again = home.fails(&args, b"", &["export.age already exists", "never overwrites"]);
    assert!(!again.err.contains("of the export"), "{}", again.err);
    assert_eq!(std::fs::read(&out).unwrap(), file);
}

/// As the page in docs/ shows it, with Debian's `age`.
#[test]
fn a_key_exported_to_a_recipient_is_read_by_age_and_openssl() {
    let home = identity();
    let (out, key) = (beside(&home, "export.age"), beside(&home, "recovery.key"));
    let made = run(Command::new("age-keygen").args(["-o", &key]), b"");
    assert_eq!(made.code, 0, "{}", made.err);
    let recipient = run(Command::new("age-keygen").args(["-y", &key]), b"").out.trim().to_owned();
    let args = ["--format", "json", "id", "export", "--secret", "-o", &out];
    let said = home.ok(&[&args[..], &["--recipient", &recipient]].concat(), b"");
    let said: Value = serde_json::from_str(&said).unwrap();
    assert_eq!(
        said,
        json!({
            "did": home.show()["did"], "file": out, "format": "pkcs8-pem",
            "encryption": { "age": "recipient", "recipient": recipient },
        })
    );
    let pipe = format!("age -d -i {key} {out} | openssl pkey -in /dev/stdin -noout -text");
    let shown = run(Command::new("sh").args(["-c", &pipe]), b"");
    assert!(shown.out.contains("ED25519 Private-Key:"), "{} {}", shown.out, shown.err);
    let pem = run(Command::new("age").args(["-d", "-i", &key, &out]), b"").out;
    openssl_signs_as_the_identity(&home, &pem);
}

#[test]
fn the_passphrase_of_an_export_is_asked_for_twice() {
    let home = identity();
    let out = beside(&home, "export.age");
    let command = home.command(&["id", "export", "--secret", "-o", &out]);
    let ran = on_a_terminal(&command, "one way\nanother\n");
    assert_eq!(ran.code, 1, "{}", ran.out);
    assert!(ran.out.contains("the two passphrases differ"), "{}", ran.out);
    assert!(!home.beside("export.age").exists());
    let ran = on_a_terminal(&command, "one way\none way\n");
    assert_eq!(ran.code, 0, "{}", ran.out);
    let pem = fixture::unseal(&std::fs::read(&out).unwrap(), "one way");
    openssl_signs_as_the_identity(&home, &pem);
}

#[test]
fn what_is_no_recipient_is_refused_and_not_repeated() {
    let home = identity();
    let out = beside(&home, "export.age");
    let secret = run(&mut Command::new("age-keygen"), b"").out;
    let secret = secret.lines().find(|line| line.starts_with("AGE-SECRET-KEY-1")).unwrap();
    for text in [secret, "age1nonsense", "", "ssh-ed25519 AAAA"] {
        let args = ["id", "export", "--secret", "-o", &out, "--recipient", text];
        let ran = home.fails(&args, b"", &["not an age X25519 recipient", "age-keygen -y"]);
        // What was meant to be one is repeated.
        let repeated = ran.err.contains(text);
        assert!(text.is_empty() || repeated == text.starts_with("age1"), "{}", ran.err);
        assert!(!home.beside("export.age").exists());
    }
}

/// Before the key is opened: what everybody can read is not for anybody.
#[test]
fn a_recipient_of_small_order_is_refused() {
    let home = identity().with("ICN_PASSPHRASE", "");
    let out = beside(&home, "export.age");
    for text in recipients() {
        let args = ["id", "export", "--secret", "-o", &out, "--recipient", &text];
        home.fails(&args, b"", &["because: ", "it is a point of small order"]);
        assert!(!home.beside("export.age").exists());
    }
}

#[test]
fn a_wrong_passphrase_exports_nothing() {
    let home = identity().with("ICN_PASSPHRASE", "wrong-secret-guess");
    let (out, pass) = (beside(&home, "export.age"), beside(&home, "pass"));
    write_private(pass.as_ref(), "of the export\n");
    let args = ["id", "export", "--secret", "-o", &out, "--export-passphrase-file", &pass];
    home.refused(&args, b"", &["the passphrase does not open this key"]);
    assert!(!home.beside("export.age").exists());
}
