//! The old identity is kept whole, and is nobody else's; and nothing is removed by a journal
//! that does not fit the files.

use super::*;

/// All that the identity is in danger of is in this directory or on its token.
fn journal_says(home: &Home, state: &str) {
    let path = home.path("migration.json");
    let before = std::fs::read_to_string(&path).unwrap();
    let changed = before.replace("\"switched\"", &format!("{state:?}"));
    assert_ne!(changed, before);
    write_private(&path, &changed);
}

#[test]
fn an_older_journal_removes_neither_the_identity_in_use_nor_the_one_that_is_kept() {
    for mode in ["rotate", "import"] {
        let hsm = SoftHsm::with_token(TOKEN);
        let home = identity(&hsm);
        migrates(&home, &[&to_token()[..], &["--mode", mode, "--no-backup"]].concat());
        let (objects, now) = (ids(&hsm), did(&home));
        for state in ["planned", "backed-up", "made", "proved", "stated", "rolling-back"] {
            let kept = std::fs::read(home.path("migration.json")).unwrap();
            journal_says(&home, state);
            let before = tree(&home);
            let refused = migrate(&home, &["--roll-back", "--yes"]);
            assert_eq!(refused.code, 1, "{mode} {state}: {}", refused.err);
            assert!(refused.err.contains("try: "), "{mode} {state}: {}", refused.err);
            assert_eq!(tree(&home), before, "{mode} {state}");
            assert_eq!(ids(&hsm), objects, "{mode} {state}");
            write_private(&home.path("migration.json"), &String::from_utf8(kept).unwrap());
        }
        signs(&home);
        assert_eq!(did(&home), now);
        // With its own journal it is undone.
        migrates(&home, &["--roll-back", "--yes"]);
        assert_eq!(ids(&hsm), 0, "{mode}");
        home.ok(&["--passphrase-file", &text(&home, "passphrase"), "sign"], b"hello");
    }
}

#[test]
fn what_is_kept_of_an_import_makes_no_statement_and_moves_nowhere_else() {
    let hsm = SoftHsm::with_token(TOKEN);
    let home = identity(&hsm);
    migrates(&home, &[&to_token()[..], &["--mode", "import", "--no-backup"]].concat());
    let previous = home.path("previous").to_str().unwrap().to_owned();
    let passphrase = text(&home, "passphrase");
    let other = text(&home, "elsewhere");
    init_in(&home, &other);
    let before = tree(&home);
    let rotate = ["id", "rotation", "create", "--successor", &other, "--reason", "upgrade"];
    let move_on = [&["id", "migrate"][..], &to_token(), &["--no-backup"]].concat();
    for command in [&rotate[..], &move_on, &["id", "change-passphrase"]] {
        let all = [&["--home", &previous, "--passphrase-file", &passphrase], command].concat();
        home.fails(&all, b"", &["is being moved to pkcs11", "--finish", "--roll-back"]);
    }
    assert_eq!(tree(&home), before);
    // It signs all the same, and its certificate is renewed.
    home.ok(&["--home", &previous, "--passphrase-file", &passphrase, "sign"], b"hello");
    home.ok(&["--home", &previous, "--passphrase-file", &passphrase, "id", "renew"], b"");
    // Another identity there, or another move of it, is not removed in its place.
    let header = home.path("previous/identity.json");
    let kept = std::fs::read_to_string(&header).unwrap();
    let theirs = std::path::Path::new(&other).join("identity.json");
    write_private(&header, &std::fs::read_to_string(theirs).unwrap());
    let refused = migrate(&home, &["--finish", "--yes"]);
    assert_eq!(refused.code, 1, "{}", refused.err);
    assert!(refused.err.contains("the identity that is there is"), "{}", refused.err);
    write_private(&header, &kept);
    let nested = std::fs::read_to_string(home.path("migration.json")).unwrap();
    write_private(&home.path("previous/migration.json"), &nested);
    let refused = migrate(&home, &["--finish", "--yes"]);
    assert_eq!(refused.code, 1, "{}", refused.err);
    assert!(refused.err.contains("previous is being moved"), "{}", refused.err);
    std::fs::remove_file(home.path("previous/migration.json")).unwrap();
    migrates(&home, &["--finish", "--yes"]);
    let left: Vec<_> = std::fs::read_dir(home.path("previous")).into_iter().flatten().collect();
    assert!(left.is_empty(), "{left:?}");
    signs(&home);
}

#[test]
fn what_is_done_is_not_taken_for_something_else_that_is_asked_for() {
    let hsm = SoftHsm::with_token(TOKEN);
    let home = identity(&hsm);
    let import = [&to_token()[..], &["--mode", "import", "--no-backup"]].concat();
    let next = "did:key:z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK";
    let before = tree(&home);
    let refused = migrate(&home, &[&import[..], &["--commit-next", next]].concat());
    assert_eq!(refused.code, 2, "{}", refused.err);
    assert!(refused.err.contains("makes no statement"), "{}", refused.err);
    assert_eq!(tree(&home), before);
    migrates(&home, &import);
    // The same once more is done.
    migrates(&home, &import);
    for (asked, words) in [
        (&to_token()[..], "with the mode import, and rotate is asked for"),
        (&["--to", "tpm", "--mode", "import"], "with the backend pkcs11, and tpm is asked for"),
    ] {
        for plan in [&[][..], &["--plan"]] {
            let other = migrate(&home, &[asked, &["--no-backup"], plan].concat());
            assert_eq!(other.code, 1, "{}", other.err);
            assert!(other.err.contains(words), "{}", other.err);
        }
    }
}
