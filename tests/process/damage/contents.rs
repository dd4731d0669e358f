//! Files that are whole, and hold what they should not.

use std::io::Write as _;

use age::secrecy::SecretString;
use age::{Encryptor, Recipient, scrypt, x25519};

use super::victim::{Files, PASSPHRASE, Victim};

/// What no error may repeat.
const MARK: &str = "c2VjcmV0IG1hcms";

fn with_passphrase() -> scrypt::Recipient {
    with_work(10)
}

fn with_work(work_factor: u8) -> scrypt::Recipient {
    let mut recipient = scrypt::Recipient::new(SecretString::from(PASSPHRASE.to_owned()));
    recipient.set_work_factor(work_factor);
    recipient
}

/// The same, with less scrypt work than an identity is written with: for what is opened
/// some thousand times.
pub(crate) fn cheap(files: &Files) -> Files {
    let content = decrypted(&files.age);
    Files { age: encrypted(&[&with_work(2)], &content), json: files.json.clone() }
}

fn encrypted(recipients: &[&dyn Recipient], content: &[u8]) -> Vec<u8> {
    let encryptor = Encryptor::with_recipients(recipients.iter().copied()).unwrap();
    let mut writer = encryptor.wrap_output(Vec::new()).unwrap();
    writer.write_all(content).unwrap();
    writer.finish().unwrap()
}

fn decrypted(age: &[u8]) -> Vec<u8> {
    let identity = scrypt::Identity::new(SecretString::from(PASSPHRASE.to_owned()));
    age::decrypt(&identity, age).unwrap()
}

#[test]
fn a_payload_that_is_none_is_an_error_under_the_right_passphrase() {
    let victim = Victim::new(10);
    let good: serde_json::Value = serde_json::from_slice(&decrypted(&victim.files().age)).unwrap();
    let text = good.to_string();
    // The control: what is encrypted here is opened.
    victim.put("identity.age", &encrypted(&[&with_passphrase()], text.as_bytes()));
    victim.open().unwrap();
    let with = |pointer: &str, value: serde_json::Value| {
        let mut changed = good.clone();
        *changed.pointer_mut(pointer).unwrap() = value;
        changed.to_string()
    };
    let without = |field: &str| {
        let mut changed = good.clone();
        changed.as_object_mut().unwrap().remove(field).unwrap();
        changed.to_string()
    };
    let also = |more: &str| format!("{{{more},{}", &text[1..]);
    let deep = |open: &str, close: &str| {
        let depth = 100_000;
        also(&format!("\"deep\":{}{}", open.repeat(depth), close.repeat(depth)))
    };
    let cases: Vec<(&str, Vec<u8>)> = vec![
        ("empty", vec![]),
        ("no JSON", MARK.as_bytes().to_vec()),
        ("cut off", text.as_bytes()[..text.len() - 1].to_vec()),
        ("more behind it", format!("{text}{MARK}").into_bytes()),
        ("an array", format!("[{text}]").into_bytes()),
        (
            "not UTF-8",
            text.replace("did:icn", "did:\u{1}icn").replace('\u{1}', "\u{ff}").into_bytes(),
        ),
        (
            "bytes that are no UTF-8",
            [&text.as_bytes()[..20], b"\xff\xfe", &text.as_bytes()[20..]].concat(),
        ),
        ("deep arrays", deep("[", "]").into_bytes()),
        ("deep objects", deep("{\"a\":", "}").replace(":}", ":1}").into_bytes()),
        ("two versions", also("\"version\":5").into_bytes()),
        ("two seeds", also(&format!("\"seed\":{}", good["seed"])).into_bytes()),
        ("two DIDs", also(&format!("\"did\":{}", good["did"])).into_bytes()),
        ("version 0", with("/version", 0.into()).into_bytes()),
        ("version 6", with("/version", 6.into()).into_bytes()),
        ("version -1", with("/version", (-1).into()).into_bytes()),
        ("version as text", with("/version", "5".into()).into_bytes()),
        ("huge version", text.replace("\"version\":5", "\"version\":1e999").into_bytes()),
        ("no version", without("version").into_bytes()),
        ("no seed", without("seed").into_bytes()),
        ("no TLS key", without("tls").into_bytes()),
        ("no X25519 key", without("x25519_secret").into_bytes()),
        ("no binding", without("binding").into_bytes()),
        ("no header", without("header_sha256").into_bytes()),
        ("short seed", with("/seed", MARK.into()).into_bytes()),
        (
            "another seed",
            with("/seed", "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=".into()).into_bytes(),
        ),
        ("seed as numbers", with("/seed", vec![7; 32].into()).into_bytes()),
        (
            "another TLS key",
            with("/tls/private_key", "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=".into())
                .into_bytes(),
        ),
        (
            "another X25519 key",
            with("/x25519_secret", "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=".into())
                .into_bytes(),
        ),
        ("no certificate", with("/tls/certificate", "".into()).into_bytes()),
        ("no DID", with("/did", MARK.into()).into_bytes()),
    ];
    for (what, content) in cases {
        victim.put("identity.age", &encrypted(&[&with_passphrase()], &content));
        let told = victim.refused(what);
        for secret in
            [MARK, good["seed"].as_str().unwrap(), good["x25519_secret"].as_str().unwrap()]
        {
            assert!(!told.contains(secret), "{what}: {told}");
        }
    }
}

#[test]
fn an_age_file_of_another_kind_is_an_error() {
    let victim = Victim::new(10);
    let good = victim.files().age;
    let text = decrypted(&good);
    let other = x25519::Identity::generate().to_public();
    let lines: Vec<&[u8]> = good.splitn(4, |byte| *byte == b'\n').collect();
    // The stanza once more: a file with a passphrase has one only.
    let twice = [lines[0], lines[1], lines[2], lines[1], lines[2], lines[3]].join(&b'\n');
    let cases: Vec<(&str, Vec<u8>)> = vec![
        ("for a public key", encrypted(&[&other], &text)),
        ("two passphrases", twice),
        ("another version", good.replacen(b"/v1\n", b"/v2\n")),
        ("another stanza", good.replacen(b"-> scrypt", b"-> scrapt")),
        ("a line without end", vec![b'a'; 1 << 20]),
        (
            "a header without end",
            [&b"age-encryption.org/v1\n"[..], &b"-> a\n\n".repeat(150_000)].concat(),
        ),
        (
            "a header with an end in its middle",
            [&b"age-encryption.org/v1\n-> a\n\n--- AAAA\n"[..], &b"-> a\n\n".repeat(150_000)]
                .concat(),
        ),
        (
            "an end without end",
            [&b"age-encryption.org/v1\n-> a\n\n--- "[..], &vec![b'A'; 1_000_000]].concat(),
        ),
        (
            "an end in an argument",
            [&b"age-encryption.org/v1\n-> a \n--- AAAA "[..], &b"AAAA ".repeat(200_000)].concat(),
        ),
        ("zeros", vec![0; 4096]),
        ("lines", vec![b'\n'; 4096]),
        ("the JSON itself", text),
    ];
    for (what, file) in cases {
        victim.put("identity.age", &file);
        victim.refused(what);
    }
    victim.put("identity.age", &good);
    victim.open().unwrap();
}

#[test]
fn a_header_that_is_none_is_an_error_before_the_passphrase_is_used() {
    let victim = Victim::new(10);
    let good = victim.files();
    // Whoever gets past the header finds no payload.
    victim.put("identity.age", b"no age file");
    let text = String::from_utf8(good.json.clone()).unwrap();
    let also = |more: &str| format!("{{{more},{}", &text[1..]);
    let depth = 100_000;
    let cases: Vec<(&str, Vec<u8>)> = vec![
        ("empty", vec![]),
        ("not UTF-8", vec![0xff; 64]),
        ("deep", format!("{}{}", "[".repeat(depth), "]".repeat(depth)).into_bytes()),
        ("deep inside", also(&format!("\"a\":{}{}", "[".repeat(depth), "]".repeat(depth))).into()),
        ("two DIDs", also("\"did\":\"did:icn:z\"").into()),
        ("two versions", also("\"version\":1").into()),
        ("another field", also("\"module\":\"/tmp/x.so\"").into()),
        ("newer", text.replace("\"version\": 1", "\"version\": 2").into()),
        ("another format", text.replace("icn-identity-header", "icn-identity-heading").into()),
        ("huge number", text.replace("\"generation\": 1", "\"generation\": 1e999").into()),
    ];
    for (what, file) in cases {
        victim.put("identity.json", &file);
        let told = victim.refused(what);
        assert!(told.contains("identity.json"), "{what}: {told}");
        assert!(!told.contains("identity.age cannot be opened"), "{what}: {told}");
    }
    // An editor's byte order mark: of this very file the payload has the hash.
    victim.put("identity.age", &good.age);
    victim.put("identity.json", &[b"\xef\xbb\xbf", text.as_bytes()].concat());
    let told = victim.refused("a mark of byte order");
    assert!(told.contains("it begins with a byte order mark"), "{told}");
}

trait Replacen {
    fn replacen(&self, from: &[u8], to: &[u8]) -> Vec<u8>;
}

impl Replacen for Vec<u8> {
    fn replacen(&self, from: &[u8], to: &[u8]) -> Vec<u8> {
        let at = self.windows(from.len()).position(|window| window == from).unwrap();
        [&self[..at], to, &self[at + from.len()..]].concat()
    }
}
