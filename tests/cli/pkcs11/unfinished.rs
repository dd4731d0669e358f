//! What an `id init` that was cut off has left on a token, and who removes it.

use support::cut_off::at_rename;
use support::home::{Home, Ran, run};
use support::softhsm::{PIN, SoftHsm, module};

/// Killed when the header was to be written: key and storage key are on the
/// token, and the DID is pinned. (The first rename is that of the PIN that is tried.)
const BEFORE_THE_HEADER: usize = 5;

fn cut_off(hsm: &SoftHsm) -> Home {
    let home = hsm.home();
    let ran = at_rename(&home, &hsm.init("node-1"), BEFORE_THE_HEADER);
    assert_eq!(ran.code, -1, "{}", ran.err);
    assert!(home.path("unfinished.json").exists() && !home.path("identity.json").exists());
    assert!(home.read("icn.toml").contains("did = \"did:icn:"));
    assert_eq!(objects(hsm), 3);
    home
}

fn objects(hsm: &SoftHsm) -> usize {
    hsm.objects("node-1").matches("  ID:").count()
}

/// What the token is called in the note, and what is on it.
fn left(home: &Home) -> [String; 2] {
    let note: serde_json::Value = serde_json::from_str(&home.read("unfinished.json")).unwrap();
    let text = |name: &str| note["device"][name].as_str().unwrap().to_owned();
    let where_it_is = format!("token {} (serial {})", text("token"), text("serial"));
    [where_it_is, format!("with CKA_ID {} or {}", text("key_id"), text("storage_id"))]
}

fn with_pin(home: &Home, args: &[&str], pin: &str) -> Ran {
    run(home.command(args).env("ICN_PIN", pin), b"")
}

#[test]
fn the_next_init_removes_what_is_left_and_says_so() {
    let hsm = SoftHsm::with_token("node-1");
    let home = cut_off(&hsm);
    let [token, ids] = left(&home);
    let pinned = home.read("icn.toml");
    let said = home.ok(&["backend", "doctor", "--module", module()], b"");
    assert!(said.contains(&token) && said.contains(&ids), "{said}");
    assert!(said.contains("Not yet: ") && !said.contains("works here"), "{said}");
    let again = home.icnctl(&hsm.init("node-1"), b"");
    assert_eq!(again.code, 0, "{}", again.err);
    assert!(again.err.contains(&format!("is removed: {token}, {ids}")), "{}", again.err);
    assert_eq!(objects(&hsm), 3);
    // The pin of a DID that was never made is in nobody's way.
    assert_ne!(home.read("icn.toml"), pinned);
    let signed = home.icnctl(&["sign"], b"hello");
    assert_eq!((signed.code, signed.err.as_str()), (0, ""));
    assert!(!home.path("unfinished.json").exists());
    let said = home.ok(&["backend", "doctor"], b"");
    assert!(!said.contains("cut off"), "{said}");
}

/// By every command that wants the identity.
#[test]
fn an_attempt_that_was_cut_off_is_named_with_what_it_left() {
    let hsm = SoftHsm::with_token("node-1");
    let home = cut_off(&hsm);
    let [token, ids] = left(&home);
    let pinned = home.read("icn.toml");
    let did = pinned.split('"').find(|part| part.starts_with("did:icn:")).unwrap();
    let attempt = format!("an attempt to make that of {did} was cut off");
    for command in [&["id", "show"][..], &["sign"]] {
        let wanted = ["there is no identity", &attempt, &token, &ids, "icnctl id init"];
        home.fails(command, b"hello", &wanted);
    }
}

#[test]
fn a_wrong_pin_is_sent_once_and_what_is_left_stays_named() {
    let hsm = SoftHsm::with_token("node-1");
    let home = hsm.home();
    let faulty = hsm.fault_module();
    let init = ["id", "init", "--backend", "pkcs11", "--module", &faulty, "--token", "node-1"];
    assert_eq!(at_rename(&home, &init, BEFORE_THE_HEADER).code, -1);
    let (note, logins) = (home.read("unfinished.json"), hsm.count("C_Login"));
    let refused = with_pin(&home, &init, "not the PIN");
    assert_eq!(refused.code, 77, "{}", refused.err);
    assert_eq!(hsm.count("C_Login"), logins + 1);
    assert_eq!((home.read("unfinished.json"), objects(&hsm)), (note, 3));
    // And not once more.
    assert_eq!(with_pin(&home, &init, "not the PIN").code, 77);
    assert_eq!(hsm.count("C_Login"), logins + 1);
    home.ok(&init, b"");
    assert_eq!(objects(&hsm), 3);
    home.ok(&["sign"], b"hello");
}

#[test]
fn without_its_token_what_is_left_is_named_and_nothing_is_made() {
    let hsm = SoftHsm::with_token("node-1");
    hsm.token("node-2");
    let home = cut_off(&hsm).with("ICN_PASSPHRASE", "words");
    let [token, ids] = left(&home);
    let note = home.read("unfinished.json");
    for init in [&hsm.init("node-2")[..], &["id", "init", "--backend", "age"]] {
        let ran = home.fails(init, b"", &[&token, &ids, "with that token", "unfinished.json"]);
        assert!(!ran.err.contains(PIN), "{}", ran.err);
        assert_eq!(home.read("unfinished.json"), note);
        assert!(!home.path("identity.age").exists());
    }
    assert_eq!(hsm.objects("node-2").matches("  ID:").count(), 0);
    // Unplugged; and plugged in again.
    hsm.unplug();
    home.fails(&hsm.init("node-1"), b"", &["no token matches", "plug the token in"]);
    assert_eq!(home.read("unfinished.json"), note);
    hsm.plug_in();
    home.ok(&hsm.init("node-1"), b"");
    assert_eq!(objects(&hsm), 3);
}

#[test]
fn the_identity_that_was_made_is_never_taken_for_one_that_was_not() {
    let hsm = SoftHsm::with_token("node-1");
    let home = cut_off(&hsm);
    let note = home.read("unfinished.json");
    home.ok(&hsm.init("node-1"), b"");
    // Killed after its last step: the note is still there.
    let home = hsm.home();
    let other = SoftHsm::with_token("node-1");
    let home = {
        drop(home);
        other.home()
    };
    let init = other.init("node-1");
    let icnctl = home.command(&init);
    let mut strace = std::process::Command::new("strace");
    strace.args(["-f", "-qq", "-o", "/dev/null", "-e", "trace=unlink"]);
    // The first is that of the PIN that was tried.
    strace.args(["-e", "inject=unlink:signal=SIGKILL:when=2"]);
    strace.arg(icnctl.get_program()).args(icnctl.get_args()).env_clear();
    strace.envs(icnctl.get_envs().filter_map(|(name, value)| Some((name, value?))));
    assert_eq!(run(&mut strace, b"").code, -1);
    assert!(home.path("identity.age").exists() && home.path("unfinished.json").exists());
    let on_token = other.objects("node-1");
    home.fails(&init, b"", &["already exists"]);
    // What only looks at it settles nothing: a header is not believed.
    home.show();
    assert!(home.path("unfinished.json").exists());
    // Whatever opens it first does.
    home.ok(&["sign"], b"hello");
    assert!(!home.path("unfinished.json").exists());
    home.fails(&init, b"", &["already exists"]);
    std::fs::remove_file(home.path("identity.age")).unwrap();
    home.fails(&init, b"", &["pins did:icn:", "but there is no such identity"]);
    // Nor does the note of another attempt make it one.
    home.write("unfinished.json", &note);
    home.fails(&init, b"", &["pins did:icn:", "but there is no such identity"]);
    assert_eq!(other.objects("node-1"), on_token);
}

/// What is left on the token stays named, whatever stands in the identity's place.
#[test]
fn a_header_that_was_made_up_settles_nothing() {
    let hsm = SoftHsm::with_token("node-1");
    let home = cut_off(&hsm);
    let other = hsm.home();
    other.ok(&[&hsm.init("node-1")[..], &["--key-label", "other"]].concat(), b"");
    let text = home.read("unfinished.json");
    let note: serde_json::Value = serde_json::from_str(&text).unwrap();
    home.write("identity.json", &other.read("identity.json"));
    home.edit_header("/locator/id", note["device"]["key_id"].clone());
    home.write("identity.age", "anything");
    let _ = home.icnctl(&["id", "show"], b"");
    let _ = home.icnctl(&["sign"], b"hello");
    home.fails(&hsm.init("node-1"), b"", &["already exists"]);
    assert_eq!(home.read("unfinished.json"), text);
}

#[test]
fn a_note_that_was_made_up_destroys_no_key() {
    let hsm = SoftHsm::with_token("node-1");
    let home = hsm.identity("node-1");
    let header: serde_json::Value = serde_json::from_str(&home.read("identity.json")).unwrap();
    let on_token = hsm.objects("node-1");
    for name in ["identity.json", "identity.age", "icn.toml"] {
        std::fs::remove_file(home.path(name)).unwrap();
    }
    let id = header["locator"]["id"].as_str().unwrap();
    let note = serde_json::json!({
        "format": "icn-identity-unfinished", "version": 1, "dids": [],
        "device": {
            "token": "node-1", "serial": header["locator"]["serial"], "key_id": id,
            "storage_id": header["storage"]["wrapped"]["key_id"], "number": "00".repeat(32),
        },
    });
    home.write("unfinished.json", &note.to_string());
    let texts = ["unfinished.json cannot be read", "its ids do not follow from its number"];
    home.fails(&hsm.init("node-1"), b"", &texts);
    assert_eq!(hsm.objects("node-1"), on_token);
}

#[test]
fn two_inits_at_once_make_one_identity() {
    let hsm = SoftHsm::with_token("node-1");
    for round in 0..3 {
        let home = hsm.home();
        let label = format!("round-{round}");
        let init = [&hsm.init("node-1")[..], &["--key-label", &label]].concat();
        let before = objects(&hsm);
        let ran: Vec<Ran> = std::thread::scope(|scope| {
            let threads: Vec<_> =
                (0..2).map(|_| scope.spawn(|| super::beside_others(&home, &init))).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        let made = ran.iter().filter(|ran| ran.code == 0).count();
        let refused = ran.iter().find(|ran| ran.code == 1);
        let said = refused.map(|ran| ran.err.as_str()).unwrap_or_default();
        assert!(made == 1 && said.contains("already"), "{} {}", ran[0].err, ran[1].err);
        assert_eq!(objects(&hsm), before + 3);
        home.ok(&["sign"], b"hello");
        assert!(!home.path("unfinished.json").exists());
    }
}

/// `id init` around a key that an earlier one has left on the token.
#[test]
fn the_key_that_is_adopted_is_not_removed_with_what_is_left() {
    let hsm = SoftHsm::with_token("node-1");
    let home = cut_off(&hsm);
    let note: serde_json::Value = serde_json::from_str(&home.read("unfinished.json")).unwrap();
    let key = uri(&note);
    home.ok(&["--key", &key, "id", "init", "--module", module()], b"");
    assert_eq!(objects(&hsm), 3);
    assert_eq!(home.show()["did"], note["dids"][0]);
    home.ok(&["sign"], b"hello");
    let storage = note["device"]["storage_id"].as_str().unwrap();
    assert!(!hsm.objects("node-1").contains(storage) && !home.path("unfinished.json").exists());
}

fn uri(note: &serde_json::Value) -> String {
    let id = note["device"]["key_id"].as_str().unwrap();
    let pairs = id.as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).unwrap());
    format!("pkcs11:token=node-1;id=%{}", pairs.collect::<Vec<_>>().join("%"))
}
