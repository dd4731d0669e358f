//! What others hand over, as editors and shells of all systems hand it over: with a byte
//! order mark, with white space around it, with other line ends.

use std::path::Path;
use std::process::Command;

use serde_json::json;
use support::home::{FAST, Home, PASSPHRASE, Ran, run, write_private};

use super::backup::drill::{Drill, text};

/// What some editors begin a text with.
const MARK: &str = "\u{feff}";

fn identity() -> (Home, String) {
    let home = Home::new().with("ICN_PASSPHRASE", PASSPHRASE);
    home.ok(&["id", "init"], b"");
    let did = home.show()["did"].as_str().unwrap().to_owned();
    (home, did)
}

fn file(home: &Home, name: &str, content: &str) -> String {
    let path = home.beside(name);
    write_private(&path, content);
    text(&path).to_owned()
}

fn utf_16(content: &str) -> Vec<u8> {
    [0xfeff].into_iter().chain(content.encode_utf16()).flat_map(u16::to_le_bytes).collect()
}

fn marked(path: &Path) {
    let content = std::fs::read_to_string(path).unwrap();
    write_private(path, &format!("{MARK}{}", content.replace('\n', "\r\n")));
}

#[test]
fn a_byte_order_mark_is_no_part_of_a_file_that_others_hand_over() {
    let (home, did) = identity();
    let document = home.ok(&["--format", "did-document", "id", "show"], b"");
    let given = file(&home, "document.json", &format!("{MARK}{document}"));
    let said = home.ok(&["id", "verify-document", &given, "--did", &did], b"");
    assert!(said.starts_with("valid\n"), "{said}");
    std::fs::write(&given, utf_16(&document)).unwrap();
    let ran = home.icnctl(&["id", "verify-document", &given], b"");
    assert_eq!(ran.code, 2, "{}{}", ran.out, ran.err);
    assert!(ran.err.contains("the text is UTF-16, not UTF-8: save it as UTF-8"), "{}", ran.err);

    let signature = home.ok(&["sign", "--context", "test"], b"hello");
    let given = file(&home, "signature", &format!("{MARK}{}", signature.replace('\n', "\r\n")));
    let args = ["verify", "--did", &did, "--context", "test", "--signature-file", &given];
    assert_eq!(home.ok(&args, b"hello"), "valid\n");

    // A recovery key, as it is and locked, binary and armored.
    let drill = Drill::new(&home);
    let secret = std::fs::read_to_string(&drill.key).unwrap();
    drill.make(&home);
    marked(&drill.key);
    let check = ["--check", "--did", &did];
    let said = home.ok(&drill.restore_args(&check), b"");
    assert!(said.contains(&did), "{said}");
    std::fs::write(&drill.key, utf_16(&secret)).unwrap();
    home.fails(&drill.restore_args(&check), b"", &["the text is UTF-16, not UTF-8"]);
}

#[test]
fn a_recovery_key_with_a_passphrase_may_be_armored() {
    use age::secrecy::SecretString;
    use std::io::Write as _;
    let (home, did) = identity();
    let drill = Drill::new(&home);
    let secret = std::fs::read_to_string(&drill.key).unwrap();
    drill.make(&home);
    let mut recipient = age::scrypt::Recipient::new(SecretString::from("of the key".to_owned()));
    recipient.set_work_factor(10);
    let recipient: &dyn age::Recipient = &recipient;
    let encryptor = age::Encryptor::with_recipients(std::iter::once(recipient)).unwrap();
    let format = age::armor::Format::AsciiArmor;
    let armor = age::armor::ArmoredWriter::wrap_output(Vec::new(), format).unwrap();
    let mut writer = encryptor.wrap_output(armor).unwrap();
    writer.write_all(secret.as_bytes()).unwrap();
    let armored = writer.finish().and_then(age::armor::ArmoredWriter::finish).unwrap();
    let armored = String::from_utf8(armored).unwrap();
    let locked = file(&home, "locked", "of the key\n");
    let args = ["--check", "--did", &did, "--identity-passphrase-file", &locked];
    for content in [armored.clone(), format!("{MARK}\r\n{}", armored.replace('\n', "\r\n"))] {
        write_private(&drill.key, &content);
        assert!(home.ok(&drill.restore_args(&args), b"").contains(&did));
    }
    let cut = armored.lines().take(3).collect::<Vec<_>>().join("\n");
    write_private(&drill.key, &cut);
    home.fails(&drill.restore_args(&args), b"", &["cut short: it ends in line 3"]);
}

#[test]
fn a_byte_order_mark_is_no_part_of_the_configuration_and_of_a_chain() {
    let (home, did) = identity();
    let config = home.read("icn.toml");
    home.write("icn.toml", &format!("{MARK}{config}"));
    assert_eq!(home.show()["did"], json!(did));
    std::fs::write(home.path("icn.toml"), utf_16(FAST)).unwrap();
    home.fails(&["id", "show"], b"", &["the text is UTF-16, not UTF-8"]);
    // One that is changed by the command is written without it.
    home.write("icn.toml", &format!("{MARK}{FAST}"));
    let new = Home::new().with("ICN_PASSPHRASE", PASSPHRASE);
    new.write("icn.toml", &format!("{MARK}# mine\n{FAST}"));
    new.ok(&["id", "init"], b"");
    let written = new.read("icn.toml");
    assert!(written.contains("# mine\n") && !written.contains(MARK), "{written}");

    let successor = new.path("");
    let passphrase = file(&new, "passphrase", PASSPHRASE);
    let chain = text(&new.beside("chain.json")).to_owned();
    let create = ["id", "rotation", "create", "--reason", "manual", "-o", &chain];
    let with = ["--successor", text(&successor), "--successor-passphrase-file", &passphrase];
    home.ok(&[&create[..], &with].concat(), b"");
    marked(Path::new(&chain));
    let spaced = format!("\t{did}\r\n");
    home.ok(&["id", "rotation", "verify", &chain, "--from", &spaced, "--known", &chain], b"");
    home.ok(&["peer", "allow", &format!(" {did}\n")], b"");
    home.ok(&["peer", "follow", &chain], b"");
}

#[test]
fn a_byte_order_mark_is_no_part_of_what_an_approver_gets() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name);
    let openssl = |args: &[&str]| {
        let ran = run(Command::new("openssl").args(args).current_dir(dir.path()), b"");
        assert_eq!(ran.code, 0, "{}", ran.err);
        ran.out
    };
    let curve = "ec_paramgen_curve:P-256";
    openssl(&["genpkey", "-algorithm", "EC", "-pkeyopt", curve, "-out", "key.pem"]);
    let shown = openssl(&["ec", "-in", "key.pem", "-pubout", "-conv_form", "compressed", "-text"]);
    let hex: String = shown
        .split_once("pub:")
        .and_then(|(_, rest)| rest.split_once("ASN1"))
        .map(|(digits, _)| digits.chars().filter(char::is_ascii_hexdigit).collect())
        .unwrap();
    let (_, did) = identity();
    let zero = "0".repeat(64);
    let request = json!({
        "did": did, "approver": hex, "pcr": { "bank": "sha256", "values": { "7": zero } },
    });
    write_private(&path("request.json"), &request.to_string());
    write_private(&path("values"), &format!("sha256:\n  7 : 0x{}\n", "1".repeat(64)));
    let approve = || -> Ran {
        let args = ["tpm", "approve", "--approver-key", "key.pem", "--pcr-values", "values"];
        let mut icnctl = support::home::icnctl();
        run(icnctl.args(args).arg("request.json").env_clear().current_dir(dir.path()), b"")
    };
    let before = approve();
    assert_eq!(before.code, 0, "{}", before.err);
    for name in ["key.pem", "request.json", "values"] {
        marked(&path(name));
    }
    let after = approve();
    assert_eq!((after.code, after.out), (0, before.out), "{}", after.err);
}

/// `--did "$(cat file)"`, where the file is of another system.
#[test]
fn white_space_around_what_is_encoded_is_no_part_of_it() {
    let (home, did) = identity();
    let signature = home.ok(&["sign"], b"hello");
    for around in [("", "\r"), (" ", "\r\n"), ("\n\t", " \n\n"), (MARK, "\r\n")] {
        let put = |text: &str| format!("{}{}{}", around.0, text.trim(), around.1);
        let (did, signature) = (put(&did), put(&signature));
        let args = ["verify", "--did", &did, "--signature", &signature];
        assert_eq!(home.ok(&args, b"hello"), "valid\n", "{around:?}");
        home.ok(&["peer", "allow", &did, "--name", "a"], b"");
        home.ok(&["peer", "remove", &did], b"");
        let document = home.ok(&["--format", "did-document", "id", "show"], b"");
        home.ok(&["id", "verify-document", "--did", &did], document.as_bytes());
    }
    // As `base64` and `fold` break it.
    let (first, second) = signature.trim().split_at(76);
    let broken = format!("{first}\r\n{second}\r\n");
    assert_eq!(home.ok(&["verify", "--did", &did, "--signature", &broken], b"hello"), "valid\n");
    // Inside a DID it is none.
    let (first, second) = did.split_at(20);
    let ran = home.icnctl(
        &["verify", "--did", &format!("{first} {second}"), "--signature", &signature],
        b"hello",
    );
    assert_eq!(ran.code, 2, "{}{}", ran.out, ran.err);

    let drill = Drill::new(&home);
    let recipient = format!("\u{feff}{}\r\n", drill.recipient);
    home.ok(&["id", "backup", "--recipient", &recipient, "-o", text(&drill.backup)], b"");
    home.ok(&drill.restore_args(&["--check", "--did", &format!("{did}\r")]), b"");
    let secret = text(&home.beside("secret.age")).to_owned();
    home.ok(&["id", "export", "--secret", "-o", &secret, "--recipient", &recipient], b"");
    let epoch = ["id", "renew", "--epoch", "x\r"];
    let ran = home.icnctl(&epoch, b"");
    assert_eq!(ran.code, 2, "{}", ran.err);
    home.ok(&["id", "renew", "--epoch", " 1\r\n"], b"");

    // A URI, here in front of what is said of it.
    let key = "pkcs11:token=a\r\n";
    let ran = home.icnctl(&["--key", key, "sign"], b"hello");
    assert!(ran.code == 2 && ran.err.contains("--key is for the pkcs11 backend"), "{}", ran.err);
    let misplaced = "pkcs11:token=a;pin-source=/etc/pin\n";
    let said = ["`pin-source` belongs after the `?`", "?pin-source="];
    home.fails(&["--key", misplaced, "id", "show"], b"", &said);
}
