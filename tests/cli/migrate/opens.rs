//! Right before one identity is put in use it has opened with its device, and before one is given
//! up there is what removes its key: otherwise all stays as it is.

use super::lost::killed_at;
use super::ready::{before_the_switch, copy, journal_write, write_of};
use super::*;

fn opens_as_the_old_one(home: &Home) {
    home.ok(&["--passphrase-file", &text(home, "passphrase"), "sign"], b"hello");
}

fn delete(hsm: &SoftHsm, kinds: &[&str]) {
    for line in hsm.objects(TOKEN).lines().filter(|line| line.trim_start().starts_with("ID:")) {
        let id = line.split_whitespace().nth(1).unwrap();
        for kind in kinds {
            let words = ["--delete-object", "--type", kind, "--id", id];
            let arguments = ["--module", module(), "--token-label", TOKEN, "--login", "--pin", PIN];
            let _ = hsm.run("pkcs11-tool", &[&arguments[..], &words].concat());
        }
    }
}

/// Refused with both ways out, and the old identity is in use.
fn is_not_switched(home: &Home, state: &str) {
    let before = tree(home);
    let refused = migrate(home, &[]);
    assert_eq!(refused.code, 1, "{}", refused.out);
    let parts = ["the new identity", "does not open", "the old one still is", "id migrate;"];
    for part in parts.iter().chain(&["--roll-back", "--roll-back --keep-new-key"]) {
        assert!(refused.err.contains(part), "{part}: {}", refused.err);
    }
    assert_eq!(status(home)["state"], state);
    let names = |tree: &[(String, Vec<u8>)]| {
        let names = tree.iter().map(|(name, _)| name.rsplit('/').next().unwrap().to_owned());
        names.filter(|name| !name.starts_with('.')).collect::<Vec<_>>()
    };
    assert_eq!(names(&tree(home)), names(&before));
    opens_as_the_old_one(home);
}

#[test]
fn an_identity_whose_token_is_gone_is_not_put_in_use() {
    for (mode, state) in [("rotate", "stated"), ("import", "proved")] {
        let hsm = SoftHsm::with_token(TOKEN);
        let home = before_the_switch(&hsm, mode);
        let old = did(&home);
        hsm.unplug();
        is_not_switched(&home, state);
        hsm.plug_in();
        delete(&hsm, &["privkey"]);
        is_not_switched(&home, state);
        // By another PIN it is not the device that is asked for.
        migrates(&home, &["--roll-back", "--yes"]);
        assert_eq!((did(&home), ids(&hsm)), (old, 0));
        opens_as_the_old_one(&home);
    }
}

#[test]
fn an_identity_whose_tpm_was_cleared_is_not_put_in_use() {
    let tpm = Swtpm::start();
    let hsm = SoftHsm::new();
    let device = tpm.tcti();
    let words = [&to_tpm(&device)[..], &["--no-backup"]].concat();
    let at = journal_write(&hsm, &words, 7);
    let home = identity(&hsm);
    killed_at(&home, &words, at);
    assert_eq!(status(&home)["state"], "stated");
    tpm.clear();
    is_not_switched(&home, "stated");
    migrates(&home, &["--roll-back", "--yes"]);
    opens_as_the_old_one(&home);
}

/// The statement is there, and the new identity has not got it: it gets it from beside the old one.
#[test]
fn a_statement_that_was_cut_off_in_its_middle_goes_with_the_new_identity() {
    let hsm = SoftHsm::with_token(TOKEN);
    let words = [&to_token()[..], &["--no-backup"]].concat();
    let at = write_of(&hsm, &words, "/handed-over.json", 1) + 1;
    let home = identity(&hsm);
    killed_at(&home, &words, at);
    assert_eq!(status(&home)["state"], "proved");
    let stated = home.read("handed-over.json");
    let old = did(&home);
    let payload = home.path("identity.age");
    let mut damaged = std::fs::read(&payload).unwrap();
    *damaged.last_mut().unwrap() ^= 1;
    std::fs::write(&payload, damaged).unwrap();
    let done = migrates(&home, &["--without-statement"]);
    for part in ["Its key has handed over", "does not decrypt with the new one"] {
        assert!(done.contains(part), "{part}: {done}");
    }
    assert!(!done.contains("signs from there"), "{done}");
    assert_eq!(status(&home)["not_carried"], true);
    assert_eq!(status(&home)["unstated"], false);
    migrates(&home, &["--finish", "--yes"]);
    // What peers follow by is not gone with the old one.
    let chain = text(&home, "chain.json");
    let pin = text(&home, "pin");
    home.ok(&["--pin-file", &pin, "id", "rotation", "show", "-o", &chain], b"");
    let parse = |text: &str| serde_json::from_str::<Value>(text).unwrap();
    let shown = std::fs::read_to_string(chain).unwrap();
    assert_eq!(parse(&shown), parse(&stated));
    assert!(shown.contains(&old) && shown.contains(&did(&home)));
}

/// The configuration in use names no token any more: that by which the key was made does.
#[test]
fn a_rollback_removes_the_key_also_where_the_configuration_names_no_token() {
    for is_put_back in [false, true] {
        let hsm = SoftHsm::with_token(TOKEN);
        let home = identity(&hsm);
        let (old, before) = (did(&home), home.read("icn.toml"));
        migrates(&home, &[&to_token()[..], &["--no-backup"]].concat());
        match is_put_back {
            true => home.write("icn.toml", &before),
            false => std::fs::remove_file(home.path("icn.toml")).unwrap(),
        }
        // It does not open by that, and nothing else is said.
        let on = migrate(&home, &[]);
        assert_ne!(on.code, 0, "{}", on.out);
        assert!(!on.out.contains("is in a token now"), "{}", on.out);
        write_private(&home.beside("pin"), "86429731");
        let wrong = migrate(&home, &["--roll-back", "--yes"]);
        assert_eq!(wrong.code, 77, "{}", wrong.err);
        assert_eq!((status(&home)["state"].as_str(), ids(&hsm)), (Some("switched"), 3));
        write_private(&home.beside("pin"), PIN);
        // Where nothing names it, the switch back is not begun.
        let kept = home.read("migration/icn.toml");
        std::fs::remove_file(home.path("migration/icn.toml")).unwrap();
        let refused = migrate(&home, &["--roll-back", "--yes"]);
        assert_eq!(refused.code, 1, "{}", refused.out);
        for part in ["cannot be removed", TOKEN, "--roll-back --keep-new-key"] {
            assert!(refused.err.contains(part), "{part}: {}", refused.err);
        }
        assert_eq!((status(&home)["state"].as_str(), ids(&hsm)), (Some("switched"), 3));
        home.write("migration/icn.toml", &kept);
        migrates(&home, &["--roll-back", "--yes"]);
        assert_eq!((did(&home), ids(&hsm)), (old, 0));
        opens_as_the_old_one(&home);
    }
}

/// By its path it is the home, and by its inode it is not: somebody has to say yes.
#[test]
fn a_key_that_may_be_in_use_is_destroyed_only_when_that_is_said() {
    let hsm = SoftHsm::with_token(TOKEN);
    let home = before_the_switch(&hsm, "rotate");
    // Also in the home itself: a snapshot may have been put back in it.
    let asked = |parts: &[&str]| {
        let before = tree(&home);
        let refused = migrate(&home, &["--roll-back"]);
        assert_eq!(refused.code, 1, "{}", refused.out);
        for part in parts.iter().chain(&[TOKEN, "--keep-new-key", "--yes"]) {
            assert!(refused.err.contains(part), "{part}: {}", refused.err);
        }
        assert!(tree(&home) == before && ids(&hsm) == 3);
        refused.err
    };
    let said = asked(&["put back from a copy"]);
    assert!(!said.contains("may be a COPY"), "{said}");
    let original = home.beside("original");
    std::fs::rename(home.path(""), &original).unwrap();
    copy(&original, &home.path(""));
    asked(&["may be a COPY", home.path("").to_str().unwrap().trim_end_matches('/')]);
    let undone = migrates(&home, &["--roll-back", "--keep-new-key"]);
    assert!(undone.contains("pkcs11-tool") && ids(&hsm) == 3, "{undone}");
}

/// What is made is in the journal before it is made: the note beside it may be lost.
#[test]
fn a_key_that_was_begun_is_named_also_where_its_note_is_lost() {
    for mode in ["rotate", "import"] {
        let words = [&to_token()[..], &["--mode", mode, "--no-backup"]].concat();
        let cut_off = (1..20).find_map(|nth| {
            let hsm = SoftHsm::with_token(TOKEN);
            let home = identity(&hsm);
            killed_at(&home, &words, nth);
            assert!(!home.path("migration/identity.json").exists(), "{nth}");
            (ids(&hsm) != 0).then_some((hsm, home))
        });
        let (hsm, home) = cut_off.unwrap();
        assert_eq!(status(&home)["state"], "backed-up");
        std::fs::remove_file(home.path("migration/unfinished.json")).unwrap();
        let (left, before) = (ids(&hsm), tree(&home));
        // Neither undone nor gone on with, under another name neither.
        let other = [&words[..], &["--key-label", "other"]].concat();
        for words in [&["--roll-back", "--yes"][..], &words, &other] {
            let refused = migrate(&home, words);
            assert_eq!(refused.code, 1, "{words:?} {}", refused.out);
            for part in ["its key may still be on its token", TOKEN, "--keep-new-key"] {
                assert!(refused.err.contains(part), "{words:?} {part}: {}", refused.err);
            }
            assert!(tree(&home) == before && ids(&hsm) == left, "{words:?}");
        }
        let undone = migrates(&home, &["--roll-back", "--keep-new-key"]);
        for line in hsm.objects(TOKEN).lines().filter(|line| line.trim_start().starts_with("ID:")) {
            let id = line.split_whitespace().nth(1).unwrap();
            assert!(undone.contains(id), "{id}: {undone}");
        }
        assert!(status(&home).is_null());
    }
}

/// What is left then is where it was to be made.
#[test]
fn a_key_that_was_begun_may_be_on_its_token_also_where_journal_and_note_are_lost() {
    let words = [&to_token()[..], &["--no-backup", "--key-label", "of-the-move"]].concat();
    let cut_off = (1..20).find_map(|nth| {
        let hsm = SoftHsm::with_token(TOKEN);
        let home = identity(&hsm);
        killed_at(&home, &words, nth);
        (ids(&hsm) != 0).then_some((hsm, home))
    });
    let (hsm, home) = cut_off.unwrap();
    std::fs::remove_file(home.path("migration.json")).unwrap();
    home.ok(&["id", "migrate", "--recover"], b"");
    // It is asked in whole sentences.
    let asked = migrate(&home, &["--roll-back"]);
    assert_eq!(asked.code, 1, "{}", asked.out);
    assert!(asked.err.contains("will be given up"), "{}", asked.err);
    assert!(!asked.err.lines().next().unwrap().contains("  "), "{}", asked.err);
    std::fs::remove_file(home.path("migration.json")).unwrap();
    std::fs::remove_file(home.path("migration/unfinished.json")).unwrap();
    home.ok(&["id", "migrate", "--recover"], b"");
    let left = ids(&hsm);
    let undone = migrates(&home, &["--roll-back"]);
    for part in ["of-the-move", TOKEN, module(), "--list-objects", "may be on"] {
        assert!(undone.contains(part), "{part}: {undone}");
    }
    assert_eq!(ids(&hsm), left);
    assert!(status(&home).is_null());
    opens_as_the_old_one(&home);
}
