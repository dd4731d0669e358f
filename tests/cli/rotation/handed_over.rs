//! An identity that has handed over says so, and a restored one has not forgotten it.

use std::process::Command;

use super::*;

struct Backup {
    key: String,
    file: String,
}

fn backed_up(home: &Home) -> Backup {
    let [key, file] = ["recovery.key", "old.age"].map(|name| text(home, name));
    run(Command::new("age-keygen").args(["-o", &key]), b"");
    let recipient = run(Command::new("age-keygen").args(["-y", &key]), b"").out;
    home.ok(&["id", "backup", "--recipient", recipient.trim(), "-o", &file], b"");
    Backup { key, file }
}

fn restore(home: &Home, backup: &Backup, did: &str) -> Ran {
    let Backup { key, file } = backup;
    home.icnctl(&["id", "restore", file, "--identity-file", key, "--did", did], b"")
}

fn lose(home: &Home, names: &[&str]) {
    for name in names {
        std::fs::remove_file(home.path(name)).unwrap();
    }
}

#[test]
fn an_identity_that_has_handed_over_says_so() {
    let (old, new) = (identity(PASSPHRASE), identity(OTHER));
    assert!(old.show()["handed_over"].is_null());
    assert!(!old.ok(&["id", "show"], b"").contains("HANDED OVER"));
    assert!(!old.icnctl(&["sign"], b"hello").err.contains("handed over"));
    rotated(&old, &new, &[]);
    let (from, to) = (did(&old), did(&new));
    let shown = old.ok(&["id", "show"], b"");
    let told = format!(" to {to}: use this identity only until peers have followed");
    assert!(shown.contains("\nHANDED OVER on 20") && shown.contains(&told), "{shown}");
    assert_eq!(old.show()["handed_over"]["did"], to);
    assert!(old.show()["handed_over"]["time"].as_str().unwrap().starts_with("20"));
    assert!(new.show()["handed_over"].is_null());
    // Whatever opens it. It does what it is asked for: peers may know no other DID yet.
    let warning = format!("warning: {from} has handed over to {to}");
    for command in [&["sign"][..], &["id", "renew"], &["id", "rotation", "show"]] {
        let ran = old.icnctl(command, b"hello");
        assert_eq!(ran.code, 0, "{}", ran.err);
        assert_eq!(ran.err.matches(&warning).count(), 1, "{command:?}: {}", ran.err);
    }
    assert!(!new.icnctl(&["sign"], b"hello").err.contains("handed over"));
    // A note that cannot be read is not none.
    old.write("handed-over.json", "[]");
    assert!(old.ok(&["id", "show"], b"").contains("handed-over.json cannot be read"));
    assert!(old.show()["handed_over"]["error"].is_string());
    let ran = old.icnctl(&["sign"], b"hello");
    assert!(ran.code == 0 && ran.err.contains("cannot be told"), "{}", ran.err);
}

/// It is named, and nobody is told to give another file in its place.
#[test]
fn a_note_that_is_damaged_is_named_and_stops_a_rotation() {
    let (old, new) = (identity(PASSPHRASE), identity(OTHER));
    let (other, third) = (identity(PASSPHRASE), identity(OTHER));
    let chain = rotated(&old, &new, &[]);
    rotated(&other, &third, &[]);
    let note = old.read("handed-over.json");
    for text in ["{", "[]", &note[..note.len() / 2], &other.read("handed-over.json")] {
        old.write("handed-over.json", text);
        let path = old.path("handed-over.json").display().to_string();
        let ran = create(&old, &third, &["--reason", "scheduled"]);
        assert_eq!(ran.code, 1, "{text}: {}", ran.out);
        for wanted in [&*path, "does not say to whom", "Do not remove it", "rotation show -o FILE"]
        {
            assert!(ran.err.contains(wanted), "{text}: {wanted}: {}", ran.err);
        }
    }
    // What is advised is taken.
    old.write("handed-over.json", &std::fs::read_to_string(chain).unwrap());
    assert_eq!(old.show()["handed_over"]["did"], did(&new));
}

#[test]
fn an_identity_put_back_from_its_backup_does_not_hand_over_to_another() {
    let (old, one, two) = (identity(PASSPHRASE), identity(OTHER), identity(OTHER));
    rotated(&old, &one, &[]);
    let (from, to, note) = (did(&old), did(&one), old.read("handed-over.json"));
    let backup = backed_up(&old);
    let checked = old.ok(
        &["id", "restore", &backup.file, "--identity-file", &backup.key, "--did", &from, "--check"],
        b"",
    );
    assert!(checked.contains(&format!("it has handed over to {to}")), "{checked}");
    lose(&old, &["identity.json", "identity.age", "handed-over.json"]);
    let ran = restore(&old, &backup, &from);
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert_eq!(
        serde_json::from_str::<Value>(&old.read("handed-over.json")).unwrap(),
        serde_json::from_str::<Value>(&note).unwrap()
    );
    let ran = create(&old, &two, &["--reason", "manual"]);
    assert!(ran.code == 1 && ran.err.contains(&format!("has handed over to {to}")), "{}", ran.err);
    // To the same one it is the same statement.
    assert_eq!(create(&old, &one, &["--reason", "scheduled"]).code, 0);
}

#[test]
fn what_a_home_knows_of_its_rotation_is_not_replaced_by_an_older_backup() {
    let (old, one, two) = (identity(PASSPHRASE), identity(OTHER), identity(OTHER));
    let before = backed_up(&old);
    rotated(&old, &one, &[]);
    let (from, note) = (did(&old), old.read("handed-over.json"));
    lose(&old, &["identity.json", "identity.age"]);
    assert_eq!(restore(&old, &before, &from).code, 0);
    assert_eq!(old.read("handed-over.json"), note);
    assert_eq!(create(&old, &two, &["--reason", "manual"]).code, 1);
}

/// As after its identity was removed by hand: the next one is another, and can hand over.
#[test]
fn the_note_of_an_identity_that_is_gone_is_put_aside() {
    let (old, one) = (identity(PASSPHRASE), identity(OTHER));
    rotated(&old, &one, &[]);
    let note = old.read("handed-over.json");
    lose(&old, &["identity.json", "identity.age", "icn.toml"]);
    old.write("icn.toml", support::home::FAST);
    let ran = old.icnctl(&["id", "init"], b"");
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(ran.err.contains("is of another identity: it is kept as"), "{}", ran.err);
    assert!(old.show()["handed_over"].is_null());
    let entries = std::fs::read_dir(old.path("")).unwrap().map(|entry| entry.unwrap().path());
    let aside: Vec<_> =
        entries.filter(|path| path.to_str().unwrap().contains("handed-over.json.")).collect();
    assert_eq!(aside.len(), 1);
    assert_eq!(std::fs::read_to_string(&aside[0]).unwrap(), note);
    assert_eq!(create(&old, &identity(OTHER), &["--reason", "manual"]).code, 0);
}

#[test]
fn a_restore_that_fails_leaves_no_note() {
    let (old, one) = (identity(PASSPHRASE), identity(OTHER));
    rotated(&old, &one, &[]);
    let (from, backup) = (did(&old), backed_up(&old));
    lose(&old, &["identity.json", "identity.age", "handed-over.json"]);
    // The configuration cannot be written.
    lose(&old, &["icn.toml"]);
    std::fs::create_dir(old.path("icn.toml")).unwrap();
    assert_ne!(restore(&old, &backup, &from).code, 0);
    assert!(!old.path("handed-over.json").exists() && !old.path("identity.age").exists());
}
