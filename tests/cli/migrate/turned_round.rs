//! The old device dies when a rollback was begun, and nothing of the new identity is removed yet:
//! the move goes on after all, as its message says.

use super::*;

const FORTH: &str = "icnctl id migrate --without-statement";

/// From a TPM, with the PIN of both devices.
fn from_tpm(hsm: &SoftHsm, tpm: &Swtpm) -> Home {
    let home = identity(hsm);
    let device = tpm.tcti();
    migrates(&home, &[&to_tpm(&device)[..], &["--no-backup"]].concat());
    migrates(&home, &["--finish", "--yes"]);
    home
}

fn both(home: &Home, more: &[&str]) -> Ran {
    migrate(home, &[more, &["--to-pin-file", &text(home, "pin")]].concat())
}

/// A rollback that was begun, and has removed nothing yet.
fn rolled_back_to(home: &Home, hsm: &SoftHsm, state: &str, at: (usize, usize)) {
    let pin = text(home, "pin");
    let words = ["--roll-back", "--yes", "--to-pin-file", &pin];
    match (status(home)["state"].as_str().unwrap(), state) {
        ("made", _) => {
            let journal = home.read("migration.json");
            home.write("migration.json", &journal.replace("\"made\"", "\"rolling-back\""));
        }
        // Before the configuration is written; and after that, before the key is gone.
        (_, "returning") => lost::killed_at(home, &words, at.0),
        _ => lost::killed_at(home, &words, at.1),
    }
    assert_eq!((status(home)["state"].as_str(), ids(hsm)), (Some(state), 3));
}

/// The statement is made already where the new identity was in use.
#[test]
fn a_rollback_whose_old_device_is_gone_is_turned_round() {
    let at = {
        let (hsm, tpm) = (SoftHsm::with_token(TOKEN), Swtpm::start());
        let (home, other) = (from_tpm(&hsm, &tpm), from_tpm(&hsm, &tpm));
        let pin = text(&home, "pin");
        let (back, to_pin) = (["--roll-back", "--yes"], ["--to-pin-file", &pin]);
        let first = |home: &Home, label, file| {
            let to = ["--no-backup", "--key-label", label];
            migrates(home, &[&to_token()[..], &to, &to_pin].concat());
            lost::writes(home, &[&back[..], &to_pin].concat(), file)[0]
        };
        (first(&home, "a", "icn.toml"), first(&other, "b", "given-up.json"))
    };
    for (was_in_use, state) in
        [(false, "rolling-back"), (true, "rolling-back"), (true, "returning")]
    {
        let (hsm, tpm) = (SoftHsm::with_token(TOKEN), Swtpm::start());
        let home = from_tpm(&hsm, &tpm);
        let old = did(&home);
        let pin = text(&home, "pin");
        let to = [&to_token()[..], &["--no-backup", "--to-pin-file", &pin]].concat();
        match was_in_use {
            true => drop(migrates(&home, &to)),
            false => ends::killed_when_made(&home, &to),
        }
        rolled_back_to(&home, &hsm, state, at);
        // While it opens, there is no way but back.
        let refused = both(&home, &[]);
        assert_eq!(refused.code, 1, "{}", refused.err);
        assert!(refused.err.contains("is being rolled back"), "{}", refused.err);
        tpm.clear();
        for words in [&["--roll-back", "--yes"][..], &["--roll-back", "--yes", "--keep-new-key"]] {
            let refused = both(&home, words);
            assert_eq!(refused.code, 1, "{words:?}: {} {}", refused.out, refused.err);
            for part in ["does not open", FORTH] {
                assert!(refused.err.contains(part), "{words:?} {part}: {}", refused.err);
            }
            assert_eq!(ids(&hsm), 3);
        }
        let done = both(&home, &["--without-statement"]);
        assert_eq!(done.code, 0, "{}", done.err);
        assert_ne!(did(&home), old);
        signs(&home);
        assert_eq!(status(&home)["unstated"], !was_in_use);
        let given_up = home.path("previous/given-up.json");
        assert!(!given_up.exists(), "{:?}", std::fs::read_to_string(given_up));
        if was_in_use {
            let chain = home.ok(&["--pin-file", &pin, "id", "rotation", "show"], b"");
            assert!(chain.contains(&old) && chain.contains(&did(&home)), "{chain}");
            let note = std::fs::read_to_string(home.path("previous/handed-over.json")).unwrap();
            assert!(note.contains(&did(&home)), "{note}");
        }
        let end = both(&home, &["--finish", "--yes"]);
        assert_eq!(end.code, 0, "{}", end.err);
        signs(&home);
        assert!(status(&home).is_null() && !home.path("previous").exists());
    }
}

/// An import, whose file is damaged.
#[test]
fn a_rollback_of_an_import_whose_file_is_damaged_is_turned_round() {
    let hsm = SoftHsm::with_token(TOKEN);
    let home = identity(&hsm);
    let to = [&to_token()[..], &["--mode", "import", "--no-backup"]].concat();
    ends::killed_when_made(&home, &to);
    rolled_back_to(&home, &hsm, "rolling-back", (0, 0));
    let path = home.path("identity.age");
    let mut damaged = std::fs::read(&path).unwrap();
    *damaged.last_mut().unwrap() ^= 1;
    std::fs::write(&path, damaged).unwrap();
    let refused = migrate(&home, &["--roll-back", "--yes"]);
    assert!(refused.code == 1 && refused.err.contains(FORTH), "{}", refused.err);
    migrates(&home, &["--without-statement"]);
    signs(&home);
    migrates(&home, &["--finish", "--yes"]);
    signs(&home);
}

/// Damaged before a key was made: none is.
#[test]
fn no_key_is_made_for_an_identity_that_cannot_hand_over_to_it() {
    for goes_on in [false, true] {
        let hsm = SoftHsm::with_token(TOKEN);
        let words = [&to_token()[..], &["--no-backup"]].concat();
        let writes = {
            let hsm = SoftHsm::with_token(TOKEN);
            lost::writes(&identity(&hsm), &words, "migration.json")
        };
        let home = writes.into_iter().find_map(|nth| {
            let home = identity(&hsm);
            lost::killed_at(&home, &words, nth);
            assert_eq!(ids(&hsm), 0, "a key was begun");
            (status(&home)["state"] == "backed-up").then_some(home)
        });
        let home = home.unwrap();
        let old = did(&home);
        let whole = std::fs::read(home.path("identity.age")).unwrap();
        let mut damaged = whole.clone();
        *damaged.last_mut().unwrap() ^= 1;
        std::fs::write(home.path("identity.age"), damaged).unwrap();
        let refused = migrate(&home, &[]);
        assert_eq!(refused.code, 1, "{} {}", refused.out, refused.err);
        let ways = ["no new key was made", "icnctl id migrate --roll-back", FORTH];
        for part in ways.iter().chain(&["does not open", "cannot hand over"]) {
            assert!(refused.err.contains(part), "{part}: {}", refused.err);
        }
        assert_eq!((ids(&hsm), status(&home)["state"].as_str()), (0, Some("backed-up")));
        // A wrong passphrase is no such thing.
        write_private(&home.beside("passphrase"), "wrong");
        assert_eq!(migrate(&home, &[]).code, 77);
        write_private(&home.beside("passphrase"), PASSPHRASE);
        if goes_on {
            migrates(&home, &["--without-statement"]);
            signs(&home);
        } else {
            // A key was noted, and not made: that is not known.
            if migrate(&home, &["--roll-back"]).code != 0 {
                migrates(&home, &["--roll-back", "--keep-new-key"]);
            }
            assert!(status(&home).is_null());
            assert_eq!((did(&home), ids(&hsm)), (old, 0));
            std::fs::write(home.path("identity.age"), whole).unwrap();
            home.ok(&["--passphrase-file", &text(&home, "passphrase"), "sign"], b"hello");
        }
    }
}
