//! The old identity does not open any more before it has handed over: the move ends all the same,
//! in one that opens.

use super::*;

/// From a TPM into a token; cut off when the new key is made.
fn made(hsm: &SoftHsm, tpm: &Swtpm) -> Home {
    let home = identity(hsm);
    let device = tpm.tcti();
    migrates(&home, &[&to_tpm(&device)[..], &["--no-backup"]].concat());
    migrates(&home, &["--finish", "--yes"]);
    let pin = text(&home, "pin");
    let to = [&to_token()[..], &["--no-backup", "--to-pin-file", &pin]].concat();
    ends::killed_when_made(&home, &to);
    home
}

/// With the PIN of both.
fn both(home: &Home, more: &[&str]) -> Ran {
    migrate(home, &[more, &["--to-pin-file", &text(home, "pin")]].concat())
}

#[test]
fn a_move_whose_old_device_is_gone_goes_on_without_a_statement_when_that_is_said() {
    for journal_is_lost in [false, true] {
        let (hsm, tpm) = (SoftHsm::with_token(TOKEN), Swtpm::start());
        let home = made(&hsm, &tpm);
        let old = did(&home);
        tpm.clear();
        for (words, way) in [
            (&[][..], "hand over to the new one"),
            (&["--roll-back", "--yes"], "it is the one that would stay"),
            (&["--roll-back", "--yes", "--keep-new-key"], "it is the one that would stay"),
        ] {
            let refused = both(&home, words);
            assert_eq!(refused.code, 1, "{words:?}: {} {}", refused.out, refused.err);
            for part in [way, "does not open", "icnctl id migrate --without-statement"] {
                assert!(refused.err.contains(part), "{words:?} {part}: {}", refused.err);
            }
            assert_eq!(ids(&hsm), 3);
        }
        let done = both(&home, &["--without-statement"]);
        assert_eq!(done.code, 0, "{}", done.err);
        assert!(done.out.contains("signed no statement"), "{}", done.out);
        for wrong in ["has handed over to", "signs from there", "decrypts with the new one"] {
            assert!(!done.out.contains(wrong), "{wrong}: {}", done.out);
        }
        signs(&home);
        assert_ne!(did(&home), old);
        if journal_is_lost {
            std::fs::remove_file(home.path("migration.json")).unwrap();
            home.ok(&["id", "migrate", "--recover"], b"");
        }
        assert_eq!(
            (&status(&home)["unstated"], &status(&home)["state"]),
            (&true.into(), &"switched".into())
        );
        assert!(home.ok(&["id", "show"], b"").contains("no peer can follow"));
        let back = both(&home, &["--roll-back", "--yes"]);
        assert_eq!(back.code, 1, "{}", back.out);
        assert!(back.err.contains("icnctl id migrate --finish"), "{}", back.err);
        let end = both(&home, &["--finish", "--yes"]);
        assert_eq!(end.code, 0, "{}", end.err);
        signs(&home);
        assert!(status(&home).is_null() && !home.path("previous").exists());
    }
}

/// Its device is there again: nothing is lost.
#[test]
fn an_old_key_that_can_sign_makes_its_statement_whatever_is_said() {
    let (hsm, tpm) = (SoftHsm::with_token(TOKEN), Swtpm::start());
    let home = made(&hsm, &tpm);
    let old = did(&home);
    // Not by a wrong PIN: that is no device that is gone.
    let (pin, wrong) = (text(&home, "pin"), text(&home, "wrong"));
    write_private(&home.beside("wrong"), "86429731");
    let words = ["id", "migrate", "--without-statement", "--to-pin-file", &pin];
    let refused = home.icnctl(&[&["--pin-file", &wrong][..], &words].concat(), b"");
    assert_eq!(refused.code, 77, "{}", refused.err);
    assert_eq!(status(&home)["unstated"], false);
    let done = both(&home, &["--without-statement"]);
    assert_eq!(done.code, 0, "{}", done.err);
    assert!(done.out.contains("has handed over to the new one"), "{}", done.out);
    let previous = home.path("previous/handed-over.json");
    let stated = std::fs::read_to_string(previous).unwrap();
    assert!(stated.contains(&old) && stated.contains(&did(&home)), "{stated}");
    assert_eq!(status(&home)["unstated"], false);
}

/// The key is on the token, and no file of the new identity is there.
#[test]
fn a_move_whose_old_file_is_damaged_before_anything_is_whole_is_undone() {
    let words = [&to_token()[..], &["--mode", "import", "--no-backup"]].concat();
    for nth in 1.. {
        let hsm = SoftHsm::with_token(TOKEN);
        let home = identity(&hsm);
        lost::killed_at(&home, &words, nth);
        let is_whole = home.path("migration/identity.json").exists();
        assert!(!is_whole && nth < 20, "no key was begun before the files: {nth}");
        if ids(&hsm) == 0 {
            continue;
        }
        assert_eq!(status(&home)["state"], "backed-up");
        let payload = home.path("identity.age");
        let whole = std::fs::read(&payload).unwrap();
        let mut damaged = whole;
        *damaged.last_mut().unwrap() ^= 1;
        std::fs::write(&payload, damaged).unwrap();
        // It may be the last copy of the key.
        let refused = migrate(&home, &["--roll-back"]);
        assert_eq!(refused.code, 1, "{}", refused.err);
        for part in ["does not open", "icnctl id migrate --roll-back --keep-new-key"] {
            assert!(refused.err.contains(part) && ids(&hsm) != 0, "{part}: {}", refused.err);
        }
        let undone = migrates(&home, &["--roll-back", "--keep-new-key"]);
        assert!(undone.contains("pkcs11-tool") && ids(&hsm) != 0, "{undone}");
        assert!(status(&home).is_null());
        return;
    }
}
