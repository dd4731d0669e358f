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

/// The configuration alone is left, and pins the identity.
#[test]
fn an_identity_that_is_pinned_and_lost_is_restored_and_no_other_made() {
    let home = Home::new().with("ICN_PASSPHRASE", PASSPHRASE);
    home.ok(&["id", "init"], b"");
    let saved = backed_up(&home);
    for name in ["identity.json", "identity.age"] {
        std::fs::remove_file(home.path(name)).unwrap();
    }
    let told = ["pins did:icn:", "but there is no such identity", "restore that identity"];
    let out = home.beside("x.age").to_str().unwrap().to_owned();
    let recipient = "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p";
    for command in [
        &["sign"][..],
        &["id", "show"],
        &["id", "show", "--check"],
        &["id", "renew"],
        &["id", "export", "--did-only"],
        &["id", "backup", "--recipient", recipient, "-o", &out],
        &["id", "init"],
    ] {
        let ran = home.fails(command, b"x", &told);
        assert!(!ran.err.contains("make one with"), "{command:?}: {}", ran.err);
    }
    home.ok(&saved.restore(), b"");
    home.ok(&["sign"], b"x");
}

/// As `id show` prints them where a configuration is lost, with what it does not know.
fn lines_of(ran: &support::home::Ran) -> String {
    let (_, lines) = ran.err.split_once("are in it").unwrap();
    let (_, lines) = lines.split_once(":\n").unwrap();
    lines.to_owned()
}

#[test]
fn a_configuration_that_is_lost_is_written_again_as_id_show_prints_it() {
    let hsm = SoftHsm::with_token("node-1");
    let home = hsm.identity("node-1");
    let before = home.read("icn.toml");
    let did = did(&home);
    std::fs::remove_file(home.path("icn.toml")).unwrap();
    let missing = home.path("icn.toml").display().to_string();
    let told = [&*format!("{missing} is missing"), "pkcs11", "`icnctl id show` prints the lines"];
    let ran = home.fails(&["sign"], b"x", &told);
    assert!(!ran.err.contains("restore identity.json"), "{}", ran.err);
    let shown = home.icnctl(&["id", "show"], b"");
    assert_eq!(shown.code, 0, "{}", shown.err);
    assert!(shown.err.contains(&format!("{missing} is missing")), "{}", shown.err);
    assert!(shown.err.contains("PKCS#11 module for MODULE"), "{}", shown.err);
    let checked = home.icnctl(&["id", "show", "--check"], b"");
    assert_eq!(checked.code, 1, "{}", checked.out);
    assert!(checked.out.contains("icn.toml is missing"), "{}", checked.out);
    let lines = lines_of(&shown);
    home.write("icn.toml", &lines);
    // Not as it stands.
    home.fails(&["sign"], b"x", &["module"]);
    let module = before.lines().find(|line| line.starts_with("module = ")).unwrap();
    home.write("icn.toml", &lines.replace("module = \"MODULE\"", module));
    home.ok(&["sign"], b"x");
    assert_eq!(self::did(&home), did);
    assert_eq!(home.icnctl(&["id", "show"], b"").err, "");
}

#[test]
fn the_configuration_of_a_tpm_is_written_again_as_id_show_prints_it() {
    use crate::tpm::approver::Approver;
    use crate::tpm::node::{BOTH, Node};
    let approver = Approver::new();
    let public = approver.public();
    for more in [&[][..], &["--policy", "authorized", "--approver", &public]] {
        for algorithm in BOTH {
            let node = Node::with_identity(algorithm, more);
            let before = node.home.read("icn.toml");
            std::fs::remove_file(node.home.path("icn.toml")).unwrap();
            node.fails(&["sign"], &["icn.toml is missing", "`icnctl id show` prints the lines"]);
            let shown = node.home.icnctl(&["id", "show"], b"");
            assert_eq!(shown.code, 0, "{}", shown.err);
            let lines = lines_of(&shown);
            assert!(shown.err.contains("(device_path)"), "{}", shown.err);
            let device = before.lines().find(|line| line.starts_with("device_path")).unwrap();
            let lines = lines.replace("device_path = \"/dev/tpmrm0\"", device);
            // PIN work is of the object.
            node.home.write("icn.toml", &lines);
            node.signs();
            for field in ["pcr_indices = \"16\"", "parent_name = "] {
                assert!(lines.contains(field), "{field}: {lines}");
            }
        }
    }
}

/// The file of an older version, where an identity is looked for.
#[test]
fn a_keystore_of_an_older_version_in_the_home_is_imported_from_beside_it() {
    let home = Home::new().with("ICN_PASSPHRASE", "an old passphrase");
    let old = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/legacy/v4.age");
    let payload = home.path("identity.age");
    std::fs::copy(old, &payload).unwrap();
    home.chmod("identity.age", 0o600);
    let move_away =
        ["keystore of an older version, move it away and import", "icnctl id import FILE"];
    for command in [&["id", "show"][..], &["sign"], &["id", "init"]] {
        home.fails(command, b"x", &move_away);
    }
    moves(&home, "identity.age");
    home.ok(&["id", "import", home.path("moved-away").to_str().unwrap()], b"");
    home.ok(&["sign"], b"x");
}

/// Before a passphrase is asked for, and with no word of a key in it.
#[test]
fn what_is_no_older_keystore_is_not_imported() {
    let home = Home::new().with("ICN_PASSPHRASE", PASSPHRASE);
    home.ok(&["id", "init"], b"");
    let saved = backed_up(&home);
    let whole = std::fs::read(home.path("identity.age")).unwrap();
    let empty = Home::new();
    let file = |name: &str, bytes: &[u8]| {
        std::fs::write(home.beside(name), bytes).unwrap();
        home.beside(name).to_str().unwrap().to_owned()
    };
    for (file, told) in [
        (file("text", b"hello\n"), &["not an age file but text"][..]),
        (file("json", b"{}"), &["not an age file but JSON"]),
        (file("nothing", b""), &["not an age file but empty"]),
        (file("noise", b"\xff\xfe\x00"), &["not an age file but other data"]),
        (file("cut", &whole[..100]), &["header is damaged or cut short", "another copy"]),
        (saved.file, &["as a backup is", "icnctl id restore FILE --identity-file KEYFILE"]),
    ] {
        // No passphrase is there, and nobody to be asked.
        let ran = empty.fails(&["id", "import", &file], b"", told);
        for text in ["holds a key", "chmod", "passphrase was given", "No matching keys"] {
            assert!(!ran.err.contains(text), "{file}: {}", ran.err);
        }
    }
}
