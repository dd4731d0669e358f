//! After an import both identities have one DID: an epoch that was begun with the one counts for
//! the other, whichever stays.

use super::*;

fn epoch(home: &Home) -> u64 {
    home.show()["tls"]["epoch"].as_u64().unwrap()
}

fn imported(hsm: &SoftHsm) -> Home {
    let home = identity(hsm);
    migrates(&home, &[&to_token()[..], &["--mode", "import", "--no-backup"]].concat());
    assert_eq!(epoch(&home), 0);
    home
}

#[test]
fn a_rollback_of_an_import_does_not_take_back_the_epoch_that_was_begun_meanwhile() {
    for is_cut_off in [false, true] {
        let [hsm, hsm_of_other] = [(); 2].map(|()| SoftHsm::with_token(TOKEN));
        let home = imported(&hsm);
        home.ok(&["--pin-file", &text(&home, "pin"), "id", "renew", "--all-instances"], b"");
        let begun = epoch(&home);
        assert!(begun > 0);
        if is_cut_off {
            // Right after the switch back, and the journal is lost.
            let other = imported(&hsm_of_other);
            let end = ["--roll-back", "--yes"];
            let at = lost::writes(&other, &end, "icn.toml").pop().unwrap();
            lost::killed_at(&home, &end, at + 1);
            assert_eq!(status(&home)["state"], "rolling-back");
            std::fs::remove_file(home.path("migration.json")).unwrap();
            home.ok(&["id", "migrate", "--recover"], b"");
        }
        let undone = migrates(&home, &["--roll-back", "--yes"]);
        assert_eq!((epoch(&home), ids(&hsm)), (begun, 0), "{is_cut_off}");
        assert!(undone.contains(&format!("epoch {begun}")), "{undone}");
        let passphrase = text(&home, "passphrase");
        home.ok(&["--passphrase-file", &passphrase, "id", "renew"], b"");
        assert_eq!(epoch(&home), begun);
        home.ok(&["--passphrase-file", &passphrase, "sign"], b"hello");
    }
}

#[test]
fn the_end_of_an_import_keeps_the_epoch_that_was_begun_with_the_old_identity() {
    let hsm = SoftHsm::with_token(TOKEN);
    let home = imported(&hsm);
    let (previous, passphrase) = (home.path("previous"), text(&home, "passphrase"));
    let of_old = ["--home", previous.to_str().unwrap(), "--passphrase-file", &passphrase];
    home.ok(&[&of_old[..], &["id", "renew", "--all-instances"]].concat(), b"");
    let shown = home.ok(&["--home", of_old[1], "--format", "json", "id", "show"], b"");
    let begun = serde_json::from_str::<Value>(&shown).unwrap()["tls"]["epoch"].as_u64().unwrap();
    assert!(begun > 0 && epoch(&home) == 0);
    let finished = migrates(&home, &["--finish", "--yes"]);
    assert_eq!(epoch(&home), begun);
    assert!(finished.contains(&format!("epoch {begun}")), "{finished}");
    signs(&home);
}

/// They are of two DIDs.
#[test]
fn a_rollback_of_a_rotation_leaves_the_old_identity_in_its_own_epoch() {
    let hsm = SoftHsm::with_token(TOKEN);
    let home = identity(&hsm);
    migrates(&home, &[&to_token()[..], &["--no-backup"]].concat());
    home.ok(&["--pin-file", &text(&home, "pin"), "id", "renew", "--all-instances"], b"");
    assert!(epoch(&home) > 0);
    let undone = migrates(&home, &["--roll-back", "--yes"]);
    assert!(epoch(&home) == 0 && !undone.contains("epoch"), "{undone}");
}
