//! The old identity is not whole any more, and its key may be on its token all the same: the
//! end destroys it, or names it, and says nothing else.

use super::*;

/// From one token to another.
fn moved() -> (SoftHsm, Home, String) {
    let hsm = SoftHsm::with_token(TOKEN);
    hsm.token("node-2");
    let home = identity(&hsm);
    migrates(&home, &[&to_token()[..], &["--no-backup"]].concat());
    migrates(&home, &["--finish", "--yes"]);
    let key = home.show()["locator"].as_str().unwrap().to_owned();
    let to = ["--to", "pkcs11", "--token", "node-2", "--no-backup", "--to-pin-file"];
    migrates(&home, &[&to[..], &[&text(&home, "pin")]].concat());
    (hsm, home, key)
}

fn copied(home: &Home) -> String {
    let copy = text(home, "copy");
    let _ = std::fs::remove_dir_all(&copy);
    let previous = home.path("previous");
    let cp = ["-a", previous.to_str().unwrap(), &copy];
    assert_eq!(run(Command::new("cp").args(cp), b"").code, 0);
    copy
}

#[test]
fn the_end_claims_no_key_destroyed_that_it_did_not_destroy_and_forgets_none() {
    let (hsm, home, key) = moved();
    let copy = copied(&home);
    let previous = home.path("previous");
    let back = || {
        let _ = std::fs::remove_dir_all(&previous);
        let cp = ["-a", &copy, previous.to_str().unwrap()];
        assert_eq!(run(Command::new("cp").args(cp), b"").code, 0);
    };
    let journal = home.read("migration.json");
    assert_eq!(ids(&hsm), 3);
    let lost: [&dyn Fn(); 4] = [
        &|| std::fs::remove_file(previous.join("identity.age")).unwrap(),
        &|| std::fs::remove_file(previous.join("identity.json")).unwrap(),
        &|| std::fs::remove_dir_all(&previous).unwrap(),
        // Cut off when the end had begun, and before the key was destroyed.
        &|| {
            std::fs::remove_dir_all(&previous).unwrap();
            home.write("migration.json", &journal.replace("\"switched\"", "\"finishing\""));
        },
    ];
    for (at, lose) in lost.iter().enumerate() {
        lose();
        let before = tree(&home);
        let refused = migrate(&home, &["--finish", "--yes"]);
        assert_eq!(refused.code, 1, "{at}: {} {}", refused.out, refused.err);
        for part in [TOKEN, "icnctl id migrate --finish --keep-old-key"] {
            assert!(refused.err.contains(part), "{at} {part}: {}", refused.err);
        }
        assert!(refused.err.contains(&key), "{at}: {}", refused.err);
        assert_eq!((tree(&home), ids(&hsm)), (before, 3), "{at}");
        back();
        home.write("migration.json", &journal);
    }
    std::fs::remove_dir_all(&previous).unwrap();
    // It is looked for by all that tell of it.
    let pin = text(&home, "pin");
    let again = ["id", "migrate", "--to-pin-file", &pin];
    for said in [&["id", "show"][..], &["id", "migrate", "--status"], &again] {
        let with = ["--pin-file", &pin];
        let said = home.ok(&[&with[..], said].concat(), b"");
        assert!(!said.contains("is kept whole") && !said.contains("is whole in"), "{said}");
    }
    let now = status(&home);
    assert_eq!((&now["previous"], &now["previous_lost"]), (&Value::Null, &true.into()));
    assert_eq!(now["next"], serde_json::json!(["icnctl id migrate --finish --keep-old-key"]));
    let with = ["--roll-back", "--yes", "--to-pin-file", &text(&home, "pin")];
    let undone = migrate(&home, &with);
    assert_eq!(undone.code, 1, "{}", undone.err);
    assert!(undone.err.contains("put the directory back from a copy"), "{}", undone.err);
    assert!(!undone.err.contains("id init"), "{}", undone.err);
    let json = ["--format", "json", "id", "migrate", "--finish", "--yes", "--keep-old-key"];
    let finished: Value = serde_json::from_str(&home.ok(&json, b"")).unwrap();
    assert_eq!((&finished["key_destroyed"], &finished["removed"]), (&false.into(), &Value::Null));
    assert_eq!(finished["key_on_token"], key.as_str());
    // What is named is all that is there.
    let named = finished["left"]["ids"].as_array().unwrap();
    let there = hsm.objects(TOKEN);
    assert!(!named.is_empty() && ids(&hsm) == 3, "{there}");
    for line in there.lines().filter(|line| line.trim_start().starts_with("ID:")) {
        let id = line.trim_start().trim_start_matches("ID:").trim();
        assert!(named.iter().any(|named| named == id), "{id}: {named:?}");
    }
    signs_with(&home);
}

fn signs_with(home: &Home) {
    home.ok(&["--pin-file", &text(home, "pin"), "sign"], b"hello");
}

/// Whole, it is destroyed, and that is what is said.
#[test]
fn a_key_that_was_destroyed_is_said_to_be_also_by_the_run_that_goes_on() {
    let (hsm, home, _) = moved();
    // Ended just before the files are removed, when the key was destroyed.
    let previous = home.path("previous");
    let watched = previous.join("identity.age");
    let pin = text(&home, "pin");
    let end = ["--pin-file", &pin, "id", "migrate", "--finish", "--yes", "--to-pin-file", &pin];
    let inner = home.command(&end);
    let mut strace = Command::new("strace");
    strace.args(["-P", watched.to_str().unwrap(), "-e", "trace=unlink,unlinkat"]);
    strace.args(["-e", "inject=unlink,unlinkat:signal=SIGKILL:when=1"]);
    strace.arg(inner.get_program()).args(inner.get_args()).env_clear();
    for (name, value) in inner.get_envs() {
        value.map(|value| strace.env(name, value));
    }
    assert_ne!(run(&mut strace, b"").code, 0);
    assert_eq!((status(&home)["state"].as_str(), ids(&hsm)), (Some("finishing"), 0));
    std::fs::remove_dir_all(&previous).unwrap();
    // No PIN is wanted for it any more.
    let json = ["--format", "json", "id", "migrate", "--finish", "--yes"];
    let finished: Value = serde_json::from_str(&home.ok(&json, b"")).unwrap();
    assert_eq!(finished["key_destroyed"], true, "{finished}");
    assert_eq!(finished["key_on_token"], Value::Null, "{finished}");
    signs_with(&home);
}

/// The journal is lost too.
#[test]
fn a_journal_is_written_again_only_by_what_tells_of_the_old_identity() {
    let (hsm, home, _) = moved();
    let (previous, journal) = (home.path("previous"), home.path("migration.json"));
    std::fs::remove_file(previous.join("identity.json")).unwrap();
    std::fs::remove_file(previous.join("identity.age")).unwrap();
    std::fs::remove_file(&journal).unwrap();
    // Its configuration is left: it was on this token, and no more is known.
    home.ok(&["id", "migrate", "--recover"], b"");
    let refused = migrate(&home, &["--finish", "--yes"]);
    assert_eq!(refused.code, 1, "{} {}", refused.out, refused.err);
    for part in ["token node-1", "--keep-old-key"] {
        assert!(refused.err.contains(part), "{part}: {}", refused.err);
    }
    let (known, copy) = (home.read("migration.json"), copied(&home));
    std::fs::remove_file(&journal).unwrap();
    std::fs::remove_dir_all(&previous).unwrap();
    let before = tree(&home);
    for end in [&["--recover"][..], &["--finish", "--yes"], &["--roll-back", "--yes"]] {
        let refused = home.icnctl(&[&["id", "migrate"][..], end].concat(), b"");
        assert_eq!(refused.code, 1, "{end:?}: {} {}", refused.out, refused.err);
        for part in ["do not tell", "look there for its key", "move away", "/migration"] {
            assert!(refused.err.contains(part), "{end:?} {part}: {}", refused.err);
        }
        assert_eq!(tree(&home), before, "{end:?}");
    }
    // Which is the way.
    let staging = home.path("migration");
    std::fs::rename(&staging, home.beside("away")).unwrap();
    assert!(status(&home).is_null());
    signs_with(&home);
    std::fs::rename(home.beside("away"), &staging).unwrap();
    // With what was left, it is ended in so many words.
    std::fs::rename(copy, &previous).unwrap();
    home.write("migration.json", &known);
    let finished = migrates(&home, &["--finish", "--yes", "--keep-old-key"]);
    assert!(finished.contains("may still be on its token"), "{finished}");
    assert!(!finished.contains("destroyed"), "{finished}");
    assert_eq!(ids(&hsm), 3);
    signs_with(&home);
}

/// That which was imported tells what it was.
#[test]
fn the_end_of_an_import_whose_file_is_gone_says_what_is_true_of_it() {
    let hsm = SoftHsm::with_token(TOKEN);
    let home = identity(&hsm);
    let old = did(&home);
    migrates(&home, &[&to_token()[..], &["--mode", "import", "--no-backup"]].concat());
    std::fs::remove_file(home.path("migration.json")).unwrap();
    std::fs::remove_dir_all(home.path("previous")).unwrap();
    home.ok(&["id", "migrate", "--recover"], b"");
    let finished = migrates(&home, &["--finish", "--yes"]);
    assert!(finished.contains(&format!("The old identity {old} was ")), "{finished}");
    assert!(finished.contains("Backups and copies of it still sign"), "{finished}");
    signs(&home);
}
