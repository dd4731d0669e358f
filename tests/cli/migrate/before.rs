//! What was there before a move: the statement that `--again` writes over, the backup, and the
//! configuration that cannot be written.

use super::*;

/// An identity that has handed over, and is being moved to another successor; the statement to the
/// first, which was given out.
fn moving(hsm: &SoftHsm, words: &[&str]) -> (Home, String) {
    let home = identity(hsm);
    let (passphrase, other) = (text(&home, "passphrase"), text(&home, "elsewhere"));
    init_in(&home, &other);
    let with = ["--passphrase-file", &passphrase, "id", "rotation", "create"];
    let to = ["--successor", &other, "--successor-passphrase-file", &passphrase];
    home.ok(&[&with[..], &to, &["--reason", "scheduled"]].concat(), b"");
    let given_out = home.read("handed-over.json");
    ends::killed_when_made(&home, words);
    (home, given_out)
}

#[test]
fn a_statement_that_was_written_over_stands_again_whether_the_journal_is_lost_or_not() {
    let words = [&to_token()[..], &["--no-backup", "--again"]].concat();
    let writes = {
        let hsm = SoftHsm::with_token(TOKEN);
        lost::writes(&moving(&hsm, &words).0, &words, "previous/icn.toml")
    };
    for is_lost in [false, true] {
        let hsm = SoftHsm::with_token(TOKEN);
        let (home, given_out) = moving(&hsm, &words);
        // By which the switch begins.
        lost::killed_at(&home, &words, writes[0]);
        assert_eq!(status(&home)["state"], "stated");
        assert_ne!(home.read("handed-over.json"), given_out);
        if is_lost {
            std::fs::remove_file(home.path("migration.json")).unwrap();
            home.ok(&["id", "migrate", "--recover"], b"");
        }
        let undone = migrates(&home, &["--roll-back", "--yes"]);
        assert!(!undone.contains("do not come back"), "{undone}");
        assert_eq!(home.read("handed-over.json"), given_out, "{is_lost}");
        assert!(!home.path("given-up.json").exists() && !home.path("migration").exists());
    }
}

/// Gone on with, it takes no backup that it would not have begun with.
#[test]
fn the_backup_of_another_identity_is_taken_at_no_step() {
    let hsm = SoftHsm::with_token(TOKEN);
    let (home, stranger) = (identity(&hsm), identity(&hsm));
    let (key, recipient) = recovery_key(&home);
    let backup = |of: &Home, name| {
        let (passphrase, file) = (text(of, "passphrase"), text(of, name));
        let with = ["--passphrase-file", &passphrase, "id", "backup", "--recipient", &recipient];
        of.ok(&[&with[..], &["-o", &file]].concat(), b"");
        file
    };
    let (own, other) = (backup(&home, "own"), backup(&stranger, "other"));
    fn named<'a>(file: &'a str, key: &'a str) -> [&'a str; 4] {
        ["--backup", file, "--identity-file", key]
    }
    ends::killed_when_made(&home, &[&to_token()[..], &named(&own, &key)].concat());
    let away = text(&home, "away");
    std::fs::rename(&own, &away).unwrap();
    for state in ["made", "switching"] {
        let journal = home.read("migration.json");
        home.write("migration.json", &journal.replace("\"made\"", &format!("{state:?}")));
        let refused = migrate(&home, &named(&other, &key));
        assert_eq!(refused.code, 1, "{state}: {} {}", refused.out, refused.err);
        assert!(refused.err.contains("the backup is of "), "{state}: {}", refused.err);
        assert!(!home.read("migration.json").contains(&other), "{state}");
        home.write("migration.json", &journal);
    }
    migrates(&home, &named(&away, &key));
    let journal: Value = serde_json::from_str(&home.read("migration.json")).unwrap();
    assert_eq!(journal["backup"]["file"], away.as_str());
    signs(&home);
}

/// The configuration cannot be written when it is to name the new identity: the old one is in use,
/// and what is printed goes on.
#[test]
fn a_configuration_that_cannot_be_written_leaves_the_old_identity_and_a_way_on() {
    let words = [&to_token()[..], &["--no-backup"]].concat();
    let hsm = SoftHsm::with_token(TOKEN);
    let at = lost::writes(&identity(&hsm), &words, "icn.toml")[0];
    let hsm = SoftHsm::with_token(TOKEN);
    let home = identity(&hsm);
    let old = did(&home);
    let (passphrase, pin) = (text(&home, "passphrase"), text(&home, "pin"));
    let with = ["--passphrase-file", &passphrase, "--pin-file", &pin, "id", "migrate"];
    let inner = home.command(&[&with[..], &words].concat());
    let mut strace = Command::new("strace");
    strace.args(["-o", "/dev/null", "-e", "trace=rename"]);
    strace.args(["-e", &format!("inject=rename:error=EROFS:when={at}")]);
    strace.arg(inner.get_program()).args(inner.get_args()).env_clear();
    for (name, value) in inner.get_envs() {
        value.map(|value| strace.env(name, value));
    }
    let refused = run(&mut strace, b"");
    assert_eq!(refused.code, 1, "{}", refused.err);
    for part in
        ["icn.toml", "make it and its directory writable", "unless the identity is being moved"]
    {
        assert!(refused.err.contains(part), "{part}: {}", refused.err);
    }
    assert_eq!((did(&home), status(&home)["state"].as_str()), (old, Some("stated")));
    home.ok(&["--passphrase-file", &passphrase, "sign"], b"hello");
    migrates(&home, &[]);
    signs(&home);
}
