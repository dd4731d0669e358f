//! An older keystore that moves in one go: what is refused makes nothing, and what is made is
//! named.

use super::*;

const OLD_PASSPHRASE: &str = "an old passphrase";

/// A home that has no identity, and an older keystore beside it.
fn older(hsm: &SoftHsm) -> (Home, String) {
    let home = hsm.home();
    write_private(&home.beside("passphrase"), OLD_PASSPHRASE);
    write_private(&home.beside("pin"), PIN);
    let keystore = home.beside("old.age");
    let fixture = format!("{}/tests/fixtures/legacy/v4.age", env!("CARGO_MANIFEST_DIR"));
    std::fs::write(&keystore, std::fs::read(fixture).unwrap()).unwrap();
    run(Command::new("chmod").arg("600").arg(&keystore), b"");
    let keystore = keystore.to_str().unwrap().to_owned();
    (home, keystore)
}

#[test]
fn a_move_of_an_older_keystore_that_is_refused_makes_no_identity() {
    let hsm = SoftHsm::with_token(TOKEN);
    let (home, keystore) = older(&hsm);
    let (key, recipient) = recovery_key(&home);
    let (taken, theirs) = (text(&home, "taken.age"), text(&home, "theirs.age"));
    std::fs::write(&taken, b"something else").unwrap();
    let other = identity(&hsm);
    let backup = ["id", "backup", "--recipient", &recipient, "-o", &theirs];
    other.ok(&[&["--passphrase-file", &text(&other, "passphrase")][..], &backup].concat(), b"");
    hsm.token("other");
    hsm.import("other", "icn-identity", "0badcafe");
    let none = "--no-backup";
    let token = to_token();
    let away = ["--to", "tpm", "--device", "swtpm:host=127.0.0.1,port=1", none];
    let output = text(&home, "made.age");
    let refusals: &[(&[&str], &str)] = &[
        (&["--to", "pkcs11", "--module", module(), "--token", "nowhere", none], "nowhere"),
        (&["--to", "pkcs11", "--module", "/nowhere.so", "--token", TOKEN, none], "/nowhere.so"),
        (&["--to", "pkcs11", none], "no PKCS#11 module is given"),
        (&["--to", "pkcs11", "--module", module(), "--token", "other", none], "icn-identity"),
        (&away, "TPM"),
        (&["--to", "tpm", "--mode", "import", "--algorithm", "p256", none], "cannot be written"),
        (&["--to", "tpm", "--token", TOKEN, none], "give --to pkcs11"),
        (&["--to", "pkcs11", "--device", "/dev/tpm0", "--module", module(), none], "--to tpm"),
        (&[&token[..], &["--mode", "import", "--algorithm", "p256", none]].concat(), "algorithm"),
        (&token, "nothing is said of a backup"),
        (&[&token[..], &["--recipient", "age1x", "-o", &output]].concat(), "recipient"),
        (&[&token[..], &["--recipient", &recipient, "-o", &taken]].concat(), "already"),
        (&[&token[..], &["--backup", &taken, "--identity-file", &key]].concat(), "age"),
        (&[&token[..], &["--backup", &theirs, "--identity-file", &key]].concat(), "backup"),
        (&[&token[..], &["--commit-next", "did:key:z6Mk", none]].concat(), "did:key:z6Mk"),
    ];
    let before = (tree(&home), std::fs::read(&keystore).unwrap());
    for (options, words) in refusals {
        let refused = migrate(&home, &[*options, &["--from-keystore", &keystore]].concat());
        // What only the command line is wrong about.
        let usage = ["no PKCS#11", "give --to", "--to tpm", "nothing is said"];
        let expected = if usage.iter().any(|it| words.starts_with(it)) { 2 } else { 1 };
        assert_eq!(refused.code, expected, "{options:?}: {}", refused.err);
        assert!(refused.err.contains(words), "{options:?}: {}", refused.err);
        assert!(!refused.err.contains("--backend"), "{options:?}: {}", refused.err);
        assert!(!refused.err.contains(" stays in "), "{options:?}: {}", refused.err);
        let after = (tree(&home), std::fs::read(&keystore).unwrap());
        assert_eq!(after, before, "{options:?}");
    }
    // A PIN that cannot be had.
    let (passphrase, nowhere) = (text(&home, "passphrase"), text(&home, "nowhere"));
    let all = ["--passphrase-file", &passphrase, "id", "migrate", "--from-keystore", &keystore];
    let all = [&all[..], &token, &[none]].concat();
    home.fails(&[&["--pin-file", &nowhere][..], &all].concat(), b"", &[&nowhere]);
    let mut command = Command::new("setsid");
    let bare = home.command(&all);
    command.arg("--wait").arg(bare.get_program()).args(bare.get_args());
    for (name, value) in bare.get_envs() {
        value.map(|value| command.env(name, value));
    }
    let bare = run(command.env_remove("ICN_PIN"), b"");
    assert!(bare.code == 1 && bare.err.contains("no PIN was given"), "{}", bare.err);
    assert_eq!(tree(&home), before.0);
    // What is no keystore, and a passphrase that is not its own.
    let no_keystore = migrate(&home, &[&token[..], &["--from-keystore", &taken, none]].concat());
    assert_eq!(no_keystore.code, 1, "{}", no_keystore.err);
    write_private(&home.beside("passphrase"), PASSPHRASE);
    let wrong = migrate(&home, &[&token[..], &["--from-keystore", &keystore, none]].concat());
    assert_eq!(wrong.code, 77, "{}", wrong.err);
    assert_eq!((tree(&home), ids(&hsm)), (before.0, 0));
}

#[test]
fn the_plan_of_an_older_keystore_has_both_steps_uses_no_credential_and_changes_nothing() {
    let hsm = SoftHsm::with_token(TOKEN);
    let (home, keystore) = older(&hsm);
    let before = (tree(&home), std::fs::read(&keystore).unwrap());
    for mode in ["rotate", "import"] {
        let words = ["id", "migrate", "--from-keystore", &keystore, "--mode", mode, "--plan"];
        let words = [&words[..], &to_token()].concat();
        // No credential is to be had.
        let bare = |words: &[&str]| {
            let ran = run(home.command(words).env_remove("ICN_PIN"), b"");
            assert_eq!(ran.code, 0, "{}", ran.err);
            ran.out
        };
        let text = bare(&words);
        for part in [&*keystore, "an identity is made of", "only read", "Nothing was changed"] {
            assert!(text.contains(part), "{part}: {text}");
        }
        let json = bare(&[&["--format", "json"][..], &words].concat());
        let json: Value = serde_json::from_str(&json).unwrap();
        assert_eq!((&json["did"], &json["keystore"]), (&Value::Null, &keystore.as_str().into()));
        assert_eq!(json["steps"][0]["name"], "import");
        assert_eq!(json["steps"][1]["name"], "backup");
        assert_eq!(json["keeps_did"], mode == "import");
    }
    assert_eq!((tree(&home), std::fs::read(&keystore).unwrap()), before);
    assert_eq!(ids(&hsm), 0);
}

#[test]
fn what_was_made_of_an_older_keystore_is_named_where_its_move_is_cut_off() {
    let hsm = SoftHsm::with_token(TOKEN);
    let (home, keystore) = older(&hsm);
    let options = ["--from-keystore", &keystore, "--no-backup"];
    write_private(&home.beside("pin"), "86429731");
    let cut = migrate(&home, &[&to_token()[..], &options].concat());
    assert_eq!(cut.code, 77, "{}", cut.err);
    let named = format!("the identity that was made of {keystore} stays in");
    for words in [&*named, "its move is not done", "--roll-back"] {
        assert!(cut.err.contains(words), "{words}: {}", cut.err);
    }
    home.ok(&["--passphrase-file", &text(&home, "passphrase"), "sign"], b"hello");
    write_private(&home.beside("pin"), PIN);
    migrates(&home, &[&to_token()[..], &options].concat());
    signs(&home);
}

/// Killed at each step by which the identity is made of it, until the move itself is begun.
#[test]
fn a_move_of_an_older_keystore_that_is_killed_early_goes_on_by_the_same_command() {
    let mut killed = 0;
    for nth in 1.. {
        let hsm = SoftHsm::with_token(TOKEN);
        let (home, keystore) = older(&hsm);
        let mode = if nth % 2 == 0 { "import" } else { "rotate" };
        let options = ["--from-keystore", &keystore, "--no-backup", "--mode", mode];
        let words = [&to_token()[..], &options].concat();
        lost::killed_at(&home, &words, nth);
        if home.path("migration.json").exists() {
            break;
        }
        killed += 1;
        let plan = home.icnctl(&[&["id", "migrate", "--plan"][..], &words].concat(), b"");
        assert_eq!(plan.code, 0, "{nth}: {}", plan.err);
        migrates(&home, &words);
        signs(&home);
        old_signs(&home);
    }
    assert!(killed >= 4, "{killed}");
}

/// Half of another identity is not taken for half of this one.
#[test]
fn a_move_of_an_older_keystore_replaces_no_other_identity_that_has_lost_a_file() {
    let hsm = SoftHsm::with_token(TOKEN);
    let (home, keystore) = older(&hsm);
    let options = ["--from-keystore", &keystore, "--no-backup"];
    home.ok(&["--passphrase-file", &text(&home, "passphrase"), "id", "init"], b"");
    std::fs::remove_file(home.path("identity.age")).unwrap();
    let before = tree(&home);
    let refused = migrate(&home, &[&to_token()[..], &options].concat());
    assert_eq!(refused.code, 1, "{} {}", refused.out, refused.err);
    assert_eq!((tree(&home), ids(&hsm)), (before, 0), "{}", refused.err);
}

/// There is no identity yet, and no log of one, when it begins.
#[test]
fn the_move_of_an_older_keystore_has_a_line_for_each_of_its_steps() {
    let hsm = SoftHsm::with_token(TOKEN);
    let (home, keystore) = older(&hsm);
    home.write("audit.log", "");
    let token = to_token();
    let words = ["--from-keystore", &keystore, "--mode", "import", "--no-backup"];
    let moved = migrate(&home, &[&token[..], &words].concat());
    assert_eq!(moved.code, 0, "{}", moved.err);
    let log = home.read("audit.log");
    let events: Vec<&str> =
        log.lines().map(|line| line.split("\"event\":\"").nth(1).unwrap()).collect();
    let events: Vec<&str> = events.iter().map(|line| line.split('"').next().unwrap()).collect();
    assert_eq!(events, ["begin", "import", "change"], "{log}");
    home.ok(&["audit", "verify"], b"");
}
