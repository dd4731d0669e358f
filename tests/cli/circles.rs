//! What has lost a file, or its files, is led back by the words of each error: each way
//! that is named works.

use std::process::Command;

use support::home::{FAST, Home, PASSPHRASE, run};
use support::softhsm::SoftHsm;

struct Saved {
    key: String,
    file: String,
    did: String,
}

fn backed_up(home: &Home) -> Saved {
    let text = |name| home.beside(name).to_str().unwrap().to_owned();
    let (key, file) = (text("recovery.key"), text("node.age"));
    run(Command::new("age-keygen").args(["-o", &key]), b"");
    let recipient = run(Command::new("age-keygen").args(["-y", &key]), b"").out;
    home.ok(&["id", "backup", "--recipient", recipient.trim(), "-o", &file], b"");
    Saved { key, file, did: did(home) }
}

impl Saved {
    fn restore(&self) -> [&str; 7] {
        ["id", "restore", &self.file, "--identity-file", &self.key, "--did", &self.did]
    }
}

fn did(home: &Home) -> String {
    home.show()["did"].as_str().unwrap().to_owned()
}

/// The `mv` that was advised.
fn moves(home: &Home, name: &str) {
    std::fs::rename(home.path(name), home.path("moved-away")).unwrap();
}

#[test]
fn an_identity_without_its_header_is_put_back_as_each_error_says() {
    let home = Home::new().with("ICN_PASSPHRASE", PASSPHRASE);
    home.ok(&["id", "init"], b"");
    let saved = backed_up(&home);
    let header = home.read("identity.json");
    std::fs::remove_file(home.path("identity.json")).unwrap();
    let move_away = format!("move {} away", home.path("identity.age").display());
    let advice = [&*move_away, "put ", "identity.json back from a copy", "icnctl id restore"];
    home.fails(&["sign"], b"x", &[&["identity.json is missing"], &advice[..]].concat());
    home.fails(&["id", "show"], b"", &advice);
    home.fails(&saved.restore(), b"", &[&["identity.age already exists"], &advice[..]].concat());
    home.fails(&["id", "init"], b"", &[&["pins did:icn:"], &advice[..]].concat());
    // Where nothing is pinned.
    let config = home.read("icn.toml");
    home.write("icn.toml", FAST);
    home.fails(&["id", "init"], b"", &[&["identity.age already exists"], &advice[..]].concat());
    home.write("icn.toml", &config);
    // Both ways.
    home.write("identity.json", &header);
    home.ok(&["sign"], b"x");
    std::fs::remove_file(home.path("identity.json")).unwrap();
    moves(&home, "identity.age");
    home.ok(&saved.restore(), b"");
    assert_eq!(did(&home), saved.did);
    home.ok(&["sign"], b"x");
}

#[test]
fn an_identity_without_its_payload_is_put_back_as_each_error_says() {
    let home = Home::new().with("ICN_PASSPHRASE", PASSPHRASE);
    home.ok(&["id", "init"], b"");
    let saved = backed_up(&home);
    std::fs::remove_file(home.path("identity.age")).unwrap();
    home.fails(&["sign"], b"x", &["identity.age is missing", "icnctl id restore"]);
    home.fails(&["id", "init"], b"", &["pins did:icn:", "icnctl id restore"]);
    home.ok(&saved.restore(), b"");
    home.ok(&["sign"], b"x");
}

/// The disk is gone, the token is there.
#[test]
fn a_key_whose_files_are_lost_is_named_with_its_did_before_another_is_made() {
    let hsm = SoftHsm::with_token("node-1");
    let first = hsm.faulty_identity("node-1");
    let (lost, logins) = (did(&first), hsm.count("C_Login"));
    let second = hsm.home();
    let module = hsm.fault_module();
    let init = ["id", "init", "--backend", "pkcs11", "--token", "node-1", "--module", &module];
    let refused = second.fails(
        &init,
        b"",
        &["already has a key labelled \"icn-identity\"", &lost, "icnctl id restore", "another DID"],
    );
    assert_eq!(hsm.count("C_Login"), logins, "before a PIN is asked for");
    let uri = refused.err.split("--key '").nth(1).unwrap().split('\'').next().unwrap().to_owned();
    let ran = second.icnctl(&[&init[..], &["--key", &uri]].concat(), b"");
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert_eq!(did(&second), lost);
    // The first one may live: two X25519 keys and documents of one DID.
    assert!(ran.err.contains(&format!("warning: {lost} gets a new X25519 key")), "{}", ran.err);
    assert!(ran.err.contains("restore a backup of it instead"), "{}", ran.err);
    assert_ne!(first.show()["encryption"], second.show()["encryption"]);
}

/// As before, where `icn.toml` is left, which pins the DID.
#[test]
fn around_the_key_of_the_did_that_is_pinned_an_identity_is_made_anew() {
    let hsm = SoftHsm::with_token("node-1");
    let home = hsm.identity("node-1");
    let (lost, uri) = (did(&home), home.show()["locator"].as_str().unwrap().to_owned());
    for name in ["identity.json", "identity.age"] {
        std::fs::remove_file(home.path(name)).unwrap();
    }
    let told = ["pins did:icn:", "icnctl id restore", "icnctl id init --key URI"];
    home.fails(&["id", "init"], b"", &told);
    home.ok(&["id", "init", "--key", &uri], b"");
    assert_eq!(did(&home), lost);
    home.ok(&["sign"], b"x");
    assert!(!home.path("unfinished.json").exists());
    // Not around another one's.
    let make = ["--keypairgen", "--key-type", "EC:edwards25519", "--id", "07", "--label", "other"];
    assert_eq!(hsm.pkcs11_tool(&make).code, 0);
    for name in ["identity.json", "identity.age"] {
        std::fs::remove_file(home.path(name)).unwrap();
    }
    let other = "pkcs11:object=other";
    let ran = home.icnctl(&["id", "init", "--key", other], b"");
    assert!(ran.code == 1 && ran.err.contains(&format!("pins {lost}")), "{}", ran.err);
}

/// As an editor of another system saves it: it is kept to the byte.
#[test]
fn a_header_that_an_editor_has_saved_is_named_with_what_takes_it_back() {
    let home = Home::new().with("ICN_PASSPHRASE", PASSPHRASE);
    home.ok(&["id", "init"], b"");
    let header = home.read("identity.json");
    let marked = format!("\u{feff}{header}");
    let lines = header.replace('\n', "\r\n");
    let both = format!("\u{feff}{lines}");
    for (saved, how) in [
        (&marked, "it begins with a byte order mark"),
        (&lines, "its lines end in CR LF"),
        (&both, "it begins with a byte order mark"),
    ] {
        std::fs::write(home.path("identity.json"), saved).unwrap();
        for command in [&["id", "show"][..], &["id", "show", "--check"], &["sign"]] {
            let ran = home.fails(command, b"x", &["was saved by another program", how]);
            let (_, repair) = ran.err.split_once("change nothing else: ").unwrap();
            let (repair, _) = repair.split_once("; or restore it").unwrap();
            assert!(repair.starts_with("sed -i "), "{repair}");
            if command == ["sign"] {
                let ran = run(Command::new("sh").args(["-c", repair]), b"");
                assert_eq!(ran.code, 0, "{repair}: {}", ran.err);
                assert_eq!(home.read("identity.json"), header, "{repair}");
            }
        }
        home.ok(&["sign"], b"x");
    }
    let wide: Vec<u8> =
        [0xfe_ff].into_iter().chain(header.encode_utf16()).flat_map(u16::to_be_bytes).collect();
    std::fs::write(home.path("identity.json"), wide).unwrap();
    home.fails(&["sign"], b"x", &["the text is UTF-16, not UTF-8"]);
}
