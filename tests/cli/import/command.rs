//! `icnctl id import`

use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;
use std::process::Command;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};
use support::home::{FAST, Home, on_a_terminal, openssl_verifies, run, write_private};

use super::fixture::{
    self, ALICE, DID, FORMATS, IDENTITY, OTHER, PASSPHRASE, array, bytes, members,
};

/// A home without an identity, and an old file beside it.
fn with_old(format: &str) -> (Home, String) {
    let home = Home::new().with("ICN_PASSPHRASE", PASSPHRASE);
    let old = home.beside("old.age");
    std::fs::copy(fixture::path(format), &old).unwrap();
    std::fs::set_permissions(&old, std::fs::Permissions::from_mode(0o600)).unwrap();
    let old = old.to_str().unwrap().to_owned();
    (home, old)
}

fn nothing_was_written(home: &Home) {
    for name in ["identity.json", "identity.age", "identity.json.prev", "identity.age.prev"] {
        assert!(!home.path(name).exists(), "{name}");
    }
    assert_eq!(home.read("icn.toml"), FAST);
}

#[test]
fn signatures_after_an_import_verify_under_the_same_did_with_openssl() {
    for format in FORMATS {
        let (home, old) = with_old(format);
        let said = home.ok(&["id", "import", &old], b"");
        assert!(said.starts_with(&format!("{DID}\nImported from {format}; ")), "{said}");
        let signature = home.ok(&["sign"], b"hello");
        // From the public key in the RFC, and not from anything we printed.
        assert!(openssl_verifies(&home.beside(""), IDENTITY[1], b"hello", signature.trim()));
        let verify = ["verify", "--did", DID, "--signature", signature.trim()];
        assert_eq!(home.ok(&verify, b"hello"), "valid\n");
        assert_eq!(home.show()["did"], DID);
        assert!(home.read("icn.toml").contains(&format!("did = \"{DID}\"")));
        assert!(home.read("icn.toml").contains("work_factor = 10"));
    }
}

#[test]
fn the_old_file_is_left_as_it_was() {
    let (home, old) = with_old("v4");
    std::fs::set_permissions(&old, std::fs::Permissions::from_mode(0o400)).unwrap();
    let state = |path: &str| {
        let metadata = std::fs::metadata(path).unwrap();
        let times = (metadata.mtime(), metadata.mtime_nsec(), metadata.ctime_nsec());
        (std::fs::read(path).unwrap(), metadata.mode(), metadata.ino(), times)
    };
    let before = state(&old);
    home.ok(&["id", "import", &old], b"");
    assert_eq!(state(&old), before);
    assert_eq!(before.0, std::fs::read(fixture::path("v4")).unwrap());
}

#[test]
fn json_tells_what_was_carried_over() {
    let (home, old) = with_old("v4");
    let said = home.ok(&["--format", "json", "id", "import", &old], b"");
    let said: Value = serde_json::from_str(&said).unwrap();
    assert_eq!(
        said,
        json!({
            "did": DID,
            "imported": {
                "file": old, "format": "v4", "x25519": "kept", "tls": "new",
                "carried": [
                    "tls_cert_der", "tls_binding_sig", "created_at", "did_document", "device_id",
                    "rotation_chain", "anchor", "keybundles", "current_keybundle_version",
                    "pq_secret", "pq_public", "kem_pq_secret", "kem_pq_public", "is_hybrid",
                ],
            },
        })
    );
    let (home, old) = with_old("v1");
    let said = home.ok(&["id", "import", &old], b"");
    assert!(said.contains("X25519 key: new, the file had none"), "{said}");
    assert!(said.contains("Carried over beside them: nothing."), "{said}");
}

/// `age` encrypts to the old X25519 key as a recipient; what the new identity
/// keeps as its X25519 secret decrypts it.
#[test]
fn what_was_encrypted_for_the_old_x25519_key_can_still_be_decrypted() {
    let bech = |prefix: &str, bytes: &[u8]| {
        let prefix = bech32::Hrp::parse(prefix).unwrap();
        bech32::encode::<bech32::Bech32>(prefix, bytes).unwrap()
    };
    let (home, old) = with_old("v2.1");
    let recipient = bech("age", &bytes(ALICE[1]));
    let sealed = home.beside("message.age").to_str().unwrap().to_owned();
    let mut age = Command::new("age");
    let ran = run(age.args(["-r", &recipient, "-o", &sealed]), b"for the old key");
    assert_eq!(ran.code, 0, "{}", ran.err);

    home.ok(&["id", "import", &old], b"");
    assert_eq!(home.show()["encryption"]["public_key"], ALICE[1]);
    let payload = std::fs::read(home.path("identity.age")).unwrap();
    let payload: Value = serde_json::from_str(&fixture::unseal(&payload, PASSPHRASE)).unwrap();
    let secret = STANDARD.decode(payload["x25519_secret"].as_str().unwrap()).unwrap();
    let identity = home.beside("x25519.key");
    write_private(&identity, &bech("age-secret-key-", &secret).to_uppercase());
    let mut age = Command::new("age");
    let ran = run(age.args(["-d", "-i", identity.to_str().unwrap(), &sealed]), b"");
    assert_eq!((ran.code, ran.out.as_str()), (0, "for the old key"), "{}", ran.err);
}

/// What it signed was not ours: a signature over a hash, with nothing before it.
#[test]
fn the_old_binding_in_the_fixtures_is_one_that_openssl_verifies() {
    let member = |name: &str| {
        let members = members("v2").0;
        let text = members.into_iter().find(|(found, _)| found == name).unwrap().1;
        serde_json::from_str::<Vec<u8>>(&text).unwrap()
    };
    let home = Home::new();
    let digest = {
        let path = home.beside("cert.der");
        std::fs::write(&path, member("tls_cert_der")).unwrap();
        let mut sum = Command::new("sha256sum");
        let out = run(sum.arg(&path), b"").out;
        bytes(out.split(' ').next().unwrap())
    };
    let signature = STANDARD.encode(member("tls_binding_sig"));
    assert!(openssl_verifies(&home.beside(""), IDENTITY[1], &digest, &signature));
}

#[test]
fn a_home_with_an_identity_is_not_imported_into() {
    let (home, old) = with_old("v3");
    home.ok(&["id", "init"], b"");
    let before = (home.read("identity.json"), std::fs::read(home.path("identity.age")).unwrap());
    home.fails(&["id", "import", &old], b"", &["identity.json already exists", "another --home"]);
    let after = (home.read("identity.json"), std::fs::read(home.path("identity.age")).unwrap());
    assert_eq!(before, after);
}

#[test]
fn an_old_file_in_the_new_ones_place_is_moved_away_first() {
    let (home, _) = with_old("v3");
    // Where a renewal would overwrite it.
    let place = home.path("identity.age.prev");
    std::fs::copy(fixture::path("v3"), &place).unwrap();
    let texts = ["identity.age.prev is where the new identity is to be written"];
    home.fails(&["id", "import", place.to_str().unwrap()], b"", &texts);
    std::fs::remove_file(&place).unwrap();
    let place = home.path("identity.age");
    std::fs::copy(fixture::path("v3"), &place).unwrap();
    home.chmod("identity.age", 0o600);
    let path = place.to_str().unwrap();
    let link = home.beside("link.age");
    std::os::unix::fs::symlink(&place, &link).unwrap();
    for named in [path, link.to_str().unwrap()] {
        let ran = home.fails(
            &["id", "import", named],
            b"",
            &["is where the new identity is to be written", "move the old file away first"],
        );
        let advice = ran.err.lines().find_map(|line| line.split_once(": mv -n ")).unwrap().1;
        assert_eq!(advice, format!("{path} {path}.old; then import {path}.old"));
    }
    assert_eq!(std::fs::read(&place).unwrap(), std::fs::read(fixture::path("v3")).unwrap());
    std::fs::rename(&place, home.path("identity.age.old")).unwrap();
    home.ok(&["id", "import", &format!("{path}.old")], b"");
    assert_eq!(home.show()["did"], DID);
}

#[test]
fn another_pinned_did_refuses_and_the_same_one_does_not() {
    let (home, old) = with_old("v2");
    let key = <[u8; 32]>::try_from(bytes(OTHER[1])).unwrap();
    let key = icn_identity::algorithm::Ed25519VerifyingKey::from_bytes(&key).unwrap();
    let other = icn_identity::Did::from_key(icn_identity::DidMethod::Icn, &key.into()).unwrap();
    home.write("icn.toml", &format!("[identity]\ndid = \"{other}\"\n\n{FAST}"));
    let texts = [&*format!("the file holds {DID}, the configuration pins {other}"), "--home"];
    home.fails(&["id", "import", &old], b"", &texts);
    assert!(!home.path("identity.json").exists() && !home.path("identity.age").exists());
    home.write("icn.toml", &format!("[identity]\ndid = \"{DID}\"\n\n{FAST}"));
    home.ok(&["id", "import", &old], b"");
}

#[test]
fn a_configured_device_is_said_to_be_the_wrong_place() {
    let (home, old) = with_old("v1");
    for backend in ["pkcs11", "tpm"] {
        let section = "[identity.pkcs11]\nmodule = \"/nowhere.so\"\n";
        home.write("icn.toml", &format!("[identity]\nbackend = \"{backend}\"\n{section}"));
        let said = format!("imported as a software key, the configured backend is {backend}");
        home.fails(&["id", "import", &old], b"", &[&said, "set `backend = \"age\"`"]);
        assert!(!home.path("identity.json").exists());
    }
}

#[test]
fn the_passphrase_stays_unless_another_is_asked_for() {
    let (home, old) = with_old("v1");
    let new = home.beside("new");
    write_private(&new, "a new passphrase\n");
    let flag = ["--new-passphrase-file", new.to_str().unwrap()];
    let said = home.ok(&[&["id", "import", &old][..], &flag].concat(), b"");
    assert!(said.contains("under the new passphrase"), "{said}");
    home.refused(&["sign"], b"hello", &["the passphrase does not open this key"]);
    home.with("ICN_PASSPHRASE", "a new passphrase").ok(&["sign"], b"hello");

    let (home, old) = with_old("v1");
    let said = home.ok(&["id", "import", &old], b"");
    assert!(said.contains("under the same passphrase"), "{said}");
    home.ok(&["sign"], b"hello");
}

#[test]
fn passphrases_are_asked_for_on_a_terminal() {
    let home = Home::new();
    let old = home.beside("old.age");
    std::fs::copy(fixture::path("v2.1"), &old).unwrap();
    let import = home.command(&["id", "import", old.to_str().unwrap(), "--new-passphrase"]);
    let lines = format!("{PASSPHRASE}\na new one\na new one\n");
    let ran = on_a_terminal(&import, &lines);
    assert_eq!(ran.code, 0, "{}", ran.out);
    assert!(ran.out.contains("Passphrase of ") && ran.out.contains("New passphrase: "));
    assert!(!ran.out.contains(PASSPHRASE) && !ran.out.contains("a new one"), "{}", ran.out);
    home.with("ICN_PASSPHRASE", "a new one").ok(&["sign"], b"hello");
}

#[test]
fn a_wrong_passphrase_has_its_own_exit_code_and_writes_nothing() {
    let (home, old) = with_old("v4");
    let home = home.with("ICN_PASSPHRASE", "wrong-secret-guess");
    let ran = home.refused(&["id", "import", &old], b"", &["passphrase does not open this key"]);
    assert!(!ran.err.contains("wrong-secret-guess"), "{}", ran.err);
    nothing_was_written(&home);
}

#[test]
fn too_much_scrypt_work_is_refused_as_everywhere_and_can_be_allowed() {
    let (home, old) = with_old("v1");
    std::fs::write(&old, fixture::seal(members("v1").text().as_bytes(), 12)).unwrap();
    home.write("icn.toml", &format!("{FAST}max_work_factor = 11\n"));
    let texts = ["asks for scrypt work 2^12, more than the limit 2^11", "raise `max_work_factor`"];
    home.fails(&["id", "import", &old], b"", &texts);
    home.write("icn.toml", &format!("{FAST}max_work_factor = 12\n"));
    home.ok(&["id", "import", &old], b"");
}

#[test]
fn an_invalid_binding_names_the_way_on() {
    let (home, old) = with_old("v3");
    let wrong = members("v3").with("tls_binding_sig", array(&[7; 64]));
    std::fs::write(&old, wrong.sealed()).unwrap();
    home.fails(&["id", "import", &old], b"", &["`tls_binding_sig` is not", "--discard-tls"]);
    nothing_was_written(&home);
    let said = home.ok(&["id", "import", &old, "--discard-tls"], b"");
    assert!(said.contains("Carried over beside them: created_at, did_document,"), "{said}");
}

#[test]
fn a_file_that_others_can_read_is_warned_about_and_read() {
    let (home, old) = with_old("v1");
    std::fs::set_permissions(&old, std::fs::Permissions::from_mode(0o644)).unwrap();
    let ran = home.icnctl(&["id", "import", &old], b"");
    assert_eq!(ran.code, 0, "{}", ran.err);
    let warning = format!(
        "holds a key and its mode is 0644: others can try passphrases on it. \
                           Run: chmod 600 {old}"
    );
    assert!(ran.err.contains(&warning), "{}", ran.err);
    assert_eq!(std::fs::metadata(&old).unwrap().mode() & 0o777, 0o644);
    // What is written has its own mode.
    for name in ["identity.json", "identity.age"] {
        assert_eq!(std::fs::metadata(home.path(name)).unwrap().mode() & 0o777, 0o600);
    }
}

#[test]
fn what_is_no_file_is_refused_and_does_not_hang() {
    let (home, _) = with_old("v1");
    let fifo = home.beside("fifo");
    let made = run(Command::new("mkfifo").arg(&fifo), b"");
    assert_eq!(made.code, 0, "{}", made.err);
    let fails = |path: &Path, text: &str| {
        home.fails(&["id", "import", path.to_str().unwrap()], b"", &[text]);
    };
    fails(&fifo, "it is not a regular file");
    fails(&home.beside(""), "it is not a regular file");
    fails(Path::new("/dev/zero"), "it is not a regular file");
    fails(&home.beside("nowhere"), "cannot open ");
    let long = home.beside("long");
    std::fs::File::create(&long).unwrap().set_len(1024 * 1024 + 1).unwrap();
    fails(&long, "it is longer than 1 MiB");
    nothing_was_written(&home);
}

#[test]
fn a_present_identity_is_told_apart_from_an_older_one() {
    let (home, _) = with_old("v1");
    home.ok(&["id", "init"], b"");
    let file = home.path("identity.age").to_str().unwrap().to_owned();
    let other = Home::new().with("ICN_PASSPHRASE", PASSPHRASE);
    let texts = ["the file has version 5, which is the present format", "identity.json"];
    other.fails(&["id", "import", &file], b"", &texts);
    nothing_was_written(&other);
}
