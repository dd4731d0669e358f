//! What a stranger has written does not act on the terminal.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::{Signer as _, SigningKey};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use support::home::{Home, PASSPHRASE, Ran};
use support::softhsm::{SoftHsm, module};

use super::drill::{Drill, lose};

/// Clears the screen, sets the title, and begins lines like ours.
const EVIL: &str = "x\u{1b}[2J\u{1b}]0;owned\u{7}\u{9b}1m\u{202e}\rThis is yours.\nok";

fn is_harmless(ran: &Ran) {
    for text in [&ran.out, &ran.err] {
        let acts = |c: char| (c.is_control() && c != '\n') || c == '\u{202e}';
        assert!(!text.contains(acts), "{text:?}");
        for line in text.lines() {
            assert!(!line.starts_with("This is yours.") && line != "ok", "{text}");
        }
    }
}

/// A backup with other contents, signed by the key that is in it.
fn forge(drill: &Drill, json: &Value, pointer: &str, value: Value) {
    let mut contents = json["contents"].clone();
    *contents.pointer_mut(pointer).unwrap() = value;
    let seed = contents["payload"]["seed"].as_str().unwrap();
    let seed: [u8; 32] = STANDARD.decode(seed).unwrap().try_into().unwrap();
    let did = contents["did"].as_str().unwrap();
    let text = contents.to_string();
    let mut statement = b"icn-identity/backup/v1\0".to_vec();
    statement.extend(u64::try_from(did.len()).unwrap().to_be_bytes());
    statement.extend(did.as_bytes());
    statement.extend(Sha256::digest(&text));
    let signature = SigningKey::from_bytes(&seed).sign(&statement).to_bytes();
    let signature = STANDARD.encode(signature);
    drill.put(
        format!(
            "{{\"format\":\"icn-identity-backup\",\"version\":1,\"signature\":\"{signature}\",\
             \"contents\":{text}}}"
        )
        .as_bytes(),
    );
}

#[test]
fn a_strangers_words_are_not_those_that_are_shown() {
    let home = Home::new().with("ICN_PASSPHRASE", PASSPHRASE);
    home.ok(&["id", "init"], b"");
    let did = home.show()["did"].as_str().unwrap().to_owned();
    let drill = Drill::new(&home);
    drill.make(&home);
    lose(&home);
    let (json, plain) = (drill.json(), drill.restore_args(&["--check"]));
    let in_json = [&["--format", "json"][..], &plain].concat();

    let genuine = drill.ok(&home, &["--check"]);
    for list in ["/contains", "/does_not_contain"] {
        forge(&drill, &json, list, json!([EVIL, "nothing"]));
        // Validly signed; the words are our own all the same.
        assert_eq!(drill.ok(&home, &["--check"]), genuine);
        let told = drill.run(&home, &in_json);
        assert!(told.code == 0 && !told.out.contains("This is yours"), "{}", told.out);
    }
    assert_eq!(genuine.lines().last(), Some(did.as_str()));
    let named = drill.ok(&home, &["--check", "--did", &did]);
    assert_eq!(named.lines().last(), Some(did.as_str()));

    for created in [EVIL, "", "yesterday", "2026-01-31T12:00:00Z\nok", "2026-01-31"] {
        forge(&drill, &json, "/created", created.into());
        let said = "its `created` is no time of RFC 3339";
        is_harmless(&drill.fails(&home, &["--check"], &[said]));
    }
    // Whatever separates date and time, it is written by us.
    forge(&drill, &json, "/created", "2026-01-31t12:00:00+00:00".into());
    assert!(drill.ok(&home, &["--check"]).contains("of 2026-01-31T12:00:00Z opens"));

    for pointer in ["/header/backend", "/header/version", "/header/evidence", "/config"] {
        forge(&drill, &json, pointer, EVIL.into());
        is_harmless(&drill.run(&home, &plain));
        is_harmless(&drill.run(&home, &drill.restore_args(&["--did", &did])));
        assert!(!home.path("identity.json").exists());
    }
}

/// A token's name is whatever its maker has given it.
#[test]
fn a_tokens_name_does_not_act_on_the_terminal() {
    let label = "\u{1b}[2J\u{9b}1mnode\nok";
    let hsm = SoftHsm::with_token(label);
    let home = hsm.home();
    let seen = |args: &[&str]| {
        let ran = home.icnctl(args, b"");
        is_harmless(&ran);
        assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
        ran.out
    };
    assert!(seen(&hsm.init(label)).contains("in token \\u{1b}[2J\\u{9b}1mnode\\nok"));
    seen(&["id", "show"]);
    assert!(seen(&["backend", "doctor"]).contains("\\u{1b}[2J"));
    let shown: Value = serde_json::from_str(&seen(&["--format", "json", "id", "show"])).unwrap();
    let drill = Drill::new(&home);
    assert!(seen(&drill.backup_args(&[])).contains("\\u{1b}[2J"));
    let said = seen(&drill.restore_args(&["--check"]));
    assert!(said.contains("where its key is: token \\u{1b}[2J"), "{said}");
    lose(&home);
    hsm.unplug();
    let did = shown["did"].as_str().unwrap();
    is_harmless(&drill.fails(&home, &["--did", did, "--module", module()], &["was in token"]));
}
