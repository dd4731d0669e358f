//! What was encrypted to an identity that has handed over: its decryption key goes along
//! on request, in nothing that others see, and until it is removed.

use std::process::Command;

use support::softhsm::{PIN, SoftHsm};

use super::*;
use crate::tpm::node::{self, Node};

/// A file for an identity, by the stock tool.
fn encrypted_to(home: &Home, name: &str) -> String {
    let recipient = home.show()["encryption"]["age_recipient"].as_str().unwrap().to_owned();
    let file = text(home, name);
    let ran = run(Command::new("age").args(["-r", &recipient, "-o", &file]), name.as_bytes());
    assert_eq!(ran.code, 0, "{}", ran.err);
    file
}

#[track_caller]
fn opens_by_retired_key(home: &Home, file: &str, content: &str, of: &str) {
    let ran = home.icnctl(&["decrypt", file], b"");
    assert_eq!((ran.code, ran.out.as_str()), (0, content), "{}", ran.err);
    let told = format!("encrypted to {of}, which was retired on 20");
    assert!(ran.err.contains(&told) && ran.err.contains("its retired key"), "{}", ran.err);
    assert!(
        ran.err.contains(&format!(
            "encrypt to {}",
            home.ok(&["id", "decryption-key", "list"], b"").split_whitespace().nth(1).unwrap()
        )),
        "{}",
        ran.err
    );
}

#[track_caller]
fn does_not_open(home: &Home, file: &str) {
    home.fails(&["decrypt", file], b"", &["was not encrypted to this identity"]);
}

/// Nobody who asks for it sees the key of another identity.
fn is_not_shown(home: &Home, old: &Home) {
    let shown = old.show();
    let [recipient, hex] = ["age_recipient", "public_key"]
        .map(|name| shown["encryption"][name].as_str().unwrap().to_owned());
    let multibase = shown["public_key"]["multibase"].as_str().unwrap();
    let document: Value =
        serde_json::from_str(&old.ok(&["--format", "did-document", "id", "show"], b"")).unwrap();
    let agreed = document["keyAgreement"][0]["publicKeyMultibase"].as_str().unwrap().to_owned();
    let seen = [
        home.read("identity.json"),
        home.ok(&["id", "show"], b""),
        home.ok(&["--format", "json", "id", "show"], b""),
        home.ok(&["--format", "did-document", "id", "show"], b""),
    ];
    for text in &seen {
        for hidden in [&recipient, &hex, &agreed, multibase] {
            assert!(!text.contains(hidden), "{hidden} in {text}");
        }
    }
}

struct Successor<'a> {
    home: &'a Home,
    /// What opens it, for `rotation create`.
    with: [String; 2],
}

fn rotate(old: &Home, new: &Successor<'_>, more: &[&str]) -> Ran {
    let to = new.home.path("");
    let what = ["id", "rotation", "create", "--reason", "scheduled", "--successor"];
    let [option, file] = &new.with;
    let ran = old.icnctl(&[&what[..], &[to.to_str().unwrap(), option, file], more].concat(), b"");
    assert_eq!(ran.code, 0, "{}", ran.err);
    ran
}

/// Lost, and put back from a backup made just before.
fn put_back(home: &Home, more: &[&str]) {
    let (key, file) = (text(home, "recovery.key"), text(home, "node.age"));
    run(Command::new("age-keygen").args(["-o", &key]), b"");
    let recipient = run(Command::new("age-keygen").args(["-y", &key]), b"").out;
    let did = did(home);
    home.ok(&["id", "backup", "--recipient", recipient.trim(), "-o", &file], b"");
    for name in ["identity.json", "identity.age"] {
        std::fs::remove_file(home.path(name)).unwrap();
    }
    let restore = ["id", "restore", &file, "--identity-file", &key, "--did", &did];
    home.ok(&[&restore[..], more].concat(), b"");
    std::fs::remove_file(key).unwrap();
    std::fs::remove_file(file).unwrap();
}

/// The whole life of a retired key in a successor.
fn lives_until_it_is_removed(new: &Successor<'_>, changes: &[&[&str]]) {
    let old = identity(PASSPHRASE);
    // The one environment has to do for both.
    let set = new
        .home
        .command(&[])
        .get_envs()
        .find(|(name, _)| *name == "SOFTHSM2_CONF")
        .map(|(_, conf)| conf.unwrap().to_str().unwrap().to_owned());
    let old = set.into_iter().fold(old, |old, conf| old.with("SOFTHSM2_CONF", &conf));
    let (first, from) = (encrypted_to(&old, "for the first"), did(&old));
    let told = rotate(&old, new, &[]).out;
    let only = format!("encrypted to {from} open only with {}", old.path("").display());
    assert!(told.contains(&only) && told.contains("--carry-decryption-key"), "{told}");
    does_not_open(new.home, &first);
    let listed = new.home.ok(&["id", "decryption-key", "list"], b"");
    assert!(!listed.contains("retired"), "{listed}");
    assert!(listed.lines().all(|line| line.ends_with("present: encrypt to this one")), "{listed}");

    // Asked for later: the same statement, and the key.
    let carry = ["--carry-decryption-key", "--format", "json"];
    let again: Value = serde_json::from_str(&rotate(&old, new, &carry).out).unwrap();
    assert_eq!(again["decrypts_for"], serde_json::json!([from]));
    opens_by_retired_key(new.home, &first, "for the first", &from);
    is_not_shown(new.home, &old);
    // Its own files are its own.
    let own = encrypted_to(new.home, "for the second");
    let ran = new.home.icnctl(&["decrypt", &own], b"");
    assert_eq!((ran.code, ran.out.as_str()), (0, "for the second"));
    assert!(!ran.err.contains("retired"), "{}", ran.err);

    for change in [&[&["id", "renew"][..]], changes].concat() {
        new.home.ok(change, b"");
        opens_by_retired_key(new.home, &first, "for the first", &from);
    }
    put_back(new.home, &[]);
    opens_by_retired_key(new.home, &first, "for the first", &from);

    // On to a third, with all that it has.
    let third = identity(OTHER);
    let (second, with) = (did(new.home), passphrase_file(&third, OTHER));
    let third = Successor { home: &third, with: ["--successor-passphrase-file".into(), with] };
    let told = rotate(new.home, &third, &["--carry-decryption-key"]).out;
    let both = format!("encrypted to {second} open with the successor too");
    assert!(told.contains(&both) && told.contains("new backup of the successor"), "{told}");
    opens_by_retired_key(third.home, &first, "for the first", &from);
    opens_by_retired_key(third.home, &own, "for the second", &second);
    let listed = third.home.ok(&["--format", "json", "id", "decryption-key", "list"], b"");
    let listed: Value = serde_json::from_str(&listed).unwrap();
    let dids: Vec<_> =
        listed["retired"].as_array().unwrap().iter().map(|key| &key["did"]).collect();
    assert_eq!(dids, [&from, &second]);

    // Until it is removed, from the one identity alone.
    third.home.ok(&["id", "decryption-key", "remove", &from], b"");
    does_not_open(third.home, &first);
    opens_by_retired_key(third.home, &own, "for the second", &second);
    let none =
        [&*format!("no retired decryption key of {from}"), "`icnctl id decryption-key list` shows"];
    let before = files(third.home);
    third.home.fails(&["id", "decryption-key", "remove", &from], b"", &none);
    assert_eq!(files(third.home), before);
    new.home.ok(&["id", "decryption-key", "remove", &from], b"");
    does_not_open(new.home, &first);
    assert_eq!(old.ok(&["decrypt", &first], b""), "for the first");
}

#[test]
fn a_software_identity_carries_the_key_of_the_one_before() {
    let home = identity(OTHER);
    let with = passphrase_file(&home, OTHER);
    let new = text(&home, "new-passphrase");
    write_private(&home.beside("new-passphrase"), OTHER);
    let successor = Successor { home: &home, with: ["--successor-passphrase-file".into(), with] };
    let change = ["id", "change-passphrase", "--new-passphrase-file", &new];
    lives_until_it_is_removed(&successor, &[&change]);
}

#[test]
fn an_identity_in_a_token_carries_the_key_of_the_one_before() {
    let hsm = SoftHsm::with_token("node-1");
    let home = hsm.identity("node-1");
    write_private(&home.beside("pin"), PIN);
    let with = ["--successor-pin-file".into(), text(&home, "pin")];
    lives_until_it_is_removed(&Successor { home: &home, with }, &[]);
}

#[test]
fn an_identity_in_a_tpm_carries_the_key_of_the_one_before() {
    for algorithm in node::BOTH {
        let node = Node::with_identity(algorithm, &[]);
        let [_, pin] = node.pin_file(node::PIN);
        let with = ["--successor-pin-file".into(), pin];
        // A P-256 key stays as it is.
        let reseal: &[&[&str]] = if algorithm == "p256" { &[] } else { &[&["id", "reseal"]] };
        lives_until_it_is_removed(&Successor { home: &node.home, with }, reseal);
        node.is_idle();
    }
}

#[test]
fn the_key_of_an_identity_in_a_token_is_carried_out_of_it() {
    let hsm = SoftHsm::with_token("node-1");
    let old = hsm.identity("node-1");
    let file = encrypted_to(&old, "for the token");
    let new = identity(OTHER);
    let with = ["--successor-passphrase-file".into(), passphrase_file(&new, OTHER)];
    rotate(&old, &Successor { home: &new, with }, &["--carry-decryption-key"]);
    opens_by_retired_key(&new, &file, "for the token", &did(&old));
}

/// The key that stays behind is named where it is missed.
#[test]
fn a_backup_says_which_old_files_it_opens() {
    for carries in [false, true] {
        let (old, new) = (identity(PASSPHRASE), identity(OTHER));
        let file = encrypted_to(&old, "for the first");
        let with = ["--successor-passphrase-file".into(), passphrase_file(&new, OTHER)];
        let more: &[&str] = if carries { &["--carry-decryption-key"] } else { &[] };
        rotate(&old, &Successor { home: &new, with }, more);
        let (key, backup, keys) = (text(&new, "r.key"), text(&new, "b.age"), text(&new, "x.key"));
        run(Command::new("age-keygen").args(["-o", &key]), b"");
        let recipient = run(Command::new("age-keygen").args(["-y", &key]), b"").out;
        let said = new.ok(&["id", "backup", "--recipient", recipient.trim(), "-o", &backup], b"");
        let (from, to) = (did(&old), did(&new));
        let restore = ["id", "restore", &backup, "--identity-file", &key, "--did", &to];
        let checked = new.ok(&[&restore[..], &["--check"]].concat(), b"");
        for said in [&said, &checked] {
            let (inside, outside) = said.split_once("NOT inside:").unwrap();
            let (there, not) = if carries { (inside, outside) } else { (outside, inside) };
            assert!(there.contains(&format!("decryption key of {from}")), "{said}");
            assert!(!not.contains(&from), "{said}");
        }
        // The keys alone open what they are for, by the stock tool.
        new.ok(&[&restore[..], &["--encryption-key-only", "-o", &keys]].concat(), b"");
        let opened = run(Command::new("age").args(["-d", "-i", &keys, &file]), b"");
        assert_eq!(opened.code == 0, carries, "{}", opened.err);
        // A backup for one of the keys in it would be of no use.
        let own = run(Command::new("age-keygen").args(["-y", &keys]), b"").out;
        assert_eq!(own.lines().count(), if carries { 2 } else { 1 });
        for own in own.lines() {
            let backup = ["id", "backup", "--recipient", own, "-o", &text(&new, "own.age")];
            new.fails(&backup, b"", &["the key of this very identity"]);
        }
    }
}
