//! Nothing of one identity is removed before the other one, which stays, has opened and signed;
//! and no directory that is not of the move.

use super::*;

fn moved(hsm: &SoftHsm) -> Home {
    let home = identity(hsm);
    migrates(&home, &[&to_token()[..], &["--no-backup"]].concat());
    home
}

/// One byte of it is another one.
fn damage(file: &std::path::Path) -> Vec<u8> {
    let whole = std::fs::read(file).unwrap();
    let mut damaged = whole.clone();
    *damaged.last_mut().unwrap() ^= 1;
    std::fs::write(file, damaged).unwrap();
    whole
}

/// And nothing was removed.
fn refused(home: &Home, end: &str, parts: &[&str]) {
    let before = tree(home);
    let refused = migrate(home, &[end, "--yes"]);
    assert_eq!(refused.code, 1, "{end}: {} {}", refused.out, refused.err);
    for part in parts {
        assert!(refused.err.contains(part), "{end} {part}: {}", refused.err);
    }
    assert_eq!(tree(home), before, "{end}: {}", refused.err);
}

const NEW_SHUT: [&str; 3] = ["the new identity", "does not open", "--roll-back --keep-new-key"];

#[test]
fn the_end_removes_nothing_unless_the_new_identity_opens_with_its_device() {
    // The token is away.
    let hsm = SoftHsm::with_token(TOKEN);
    let home = moved(&hsm);
    hsm.unplug();
    refused(&home, "--finish", &NEW_SHUT);
    old_signs(&home);
    hsm.plug_in();
    // Its payload is damaged.
    let payload = home.path("identity.age");
    let whole = damage(&payload);
    refused(&home, "--finish", &NEW_SHUT);
    std::fs::write(&payload, whole).unwrap();
    // Nor by another PIN than that of the token, which is the credential's fault.
    write_private(&home.beside("pin"), "86429731");
    let wrong = migrate(&home, &["--finish", "--yes"]);
    assert_eq!(wrong.code, 77, "{}", wrong.err);
    assert!(home.path("previous/identity.age").exists());
    write_private(&home.beside("pin"), PIN);
    signs(&home);
    // Its key is gone.
    let locator = home.show()["locator"].as_str().unwrap().to_owned();
    assert!(locator.contains(TOKEN));
    for line in hsm.objects(TOKEN).lines().filter(|line| line.trim_start().starts_with("ID:")) {
        let id = line.split_whitespace().nth(1).unwrap();
        for kind in ["privkey", "pubkey", "secrkey"] {
            let words = ["--delete-object", "--type", kind, "--id", id];
            let arguments = ["--module", module(), "--token-label", TOKEN, "--login", "--pin", PIN];
            let _ = hsm.run("pkcs11-tool", &[&arguments[..], &words].concat());
        }
    }
    assert_eq!(ids(&hsm), 0);
    refused(&home, "--finish", &NEW_SHUT);
    // The way out that is named leads back.
    migrates(&home, &["--roll-back", "--yes", "--keep-new-key"]);
    home.ok(&["--passphrase-file", &text(&home, "passphrase"), "sign"], b"hello");
}

#[test]
fn the_end_removes_nothing_where_the_tpm_of_the_new_identity_was_cleared() {
    let (hsm, tpm) = (SoftHsm::new(), Swtpm::start());
    let home = identity(&hsm);
    let device = tpm.tcti();
    migrates(&home, &[&to_tpm(&device)[..], &["--no-backup"]].concat());
    tpm.clear();
    refused(&home, "--finish", &NEW_SHUT);
    old_signs(&home);
    migrates(&home, &["--roll-back", "--yes"]);
    home.ok(&["--passphrase-file", &text(&home, "passphrase"), "sign"], b"hello");
}

#[test]
fn a_rollback_removes_nothing_unless_the_old_identity_opens() {
    let hsm = SoftHsm::with_token(TOKEN);
    let home = moved(&hsm);
    let payload = home.path("previous/identity.age");
    let whole = damage(&payload);
    refused(&home, "--roll-back", &["the old identity", "does not open", "--finish"]);
    std::fs::remove_file(&payload).unwrap();
    refused(&home, "--roll-back", &["the old identity is not whole"]);
    assert_eq!(ids(&hsm), 3);
    signs(&home);
    write_private(&payload, "");
    std::fs::write(&payload, whole).unwrap();
    migrates(&home, &["--roll-back", "--yes"]);
    assert_eq!(ids(&hsm), 0);
    home.ok(&["--passphrase-file", &text(&home, "passphrase"), "sign"], b"hello");
}

#[test]
fn neither_end_removes_what_is_no_directory_of_the_move() {
    let hsm = SoftHsm::with_token(TOKEN);
    let home = moved(&hsm);
    let (other, passphrase) = (text(&home, "elsewhere"), text(&home, "passphrase"));
    init_in(&home, &other);
    let (staging, kept) = (home.path("migration"), home.beside("kept"));
    std::fs::rename(&staging, &kept).unwrap();
    let theirs = |home: &Home| {
        home.ok(&["--home", &other, "--passphrase-file", &passphrase, "sign"], b"hello");
    };
    let is_refused = |found: &str| {
        for end in ["--finish", "--roll-back"] {
            let ran = migrate(&home, &[end, "--yes"]);
            assert_eq!(ran.code, 1, "{end}: {}", ran.err);
            for part in [found, "migration", "nothing was removed"] {
                assert!(ran.err.contains(part), "{end} {part}: {}", ran.err);
            }
            signs(&home);
            theirs(&home);
            old_signs(&home);
        }
        assert_eq!(ids(&hsm), 3);
    };
    for target in [".", "../elsewhere"] {
        std::os::unix::fs::symlink(target, &staging).unwrap();
        is_refused("symbolic link");
        std::fs::remove_file(&staging).unwrap();
    }
    // A directory of another identity.
    std::fs::rename(&other, &staging).unwrap();
    for end in ["--finish", "--roll-back"] {
        refused(&home, end, &["an identity is in it", "nothing was removed"]);
    }
    std::fs::rename(&staging, &other).unwrap();
    theirs(&home);
    std::fs::rename(&kept, &staging).unwrap();
    migrates(&home, &["--finish", "--yes"]);
    signs(&home);
}

#[test]
fn a_rollback_before_the_switch_removes_no_other_identity() {
    let hsm = SoftHsm::with_token(TOKEN);
    let home = identity(&hsm);
    ends::killed_when_made(&home, &[&to_token()[..], &["--no-backup"]].concat());
    let (other, passphrase) = (text(&home, "elsewhere"), text(&home, "passphrase"));
    init_in(&home, &other);
    let (staging, kept) = (home.path("migration"), home.beside("kept"));
    std::fs::rename(&staging, &kept).unwrap();
    std::fs::rename(&other, &staging).unwrap();
    refused(&home, "--roll-back", &["another identity is in it", "nothing was removed"]);
    std::fs::rename(&staging, &other).unwrap();
    std::fs::rename(&kept, &staging).unwrap();
    assert_eq!(ids(&hsm), 3);
    migrates(&home, &["--roll-back", "--yes"]);
    assert_eq!(ids(&hsm), 0);
    home.ok(&["--home", &other, "--passphrase-file", &passphrase, "sign"], b"hello");
}

/// What was made is noted in `migration/`, which looks like rubbish after the switch.
#[test]
fn a_rollback_removes_the_key_that_only_the_header_names() {
    for lost in ["migration", "migration/unfinished.json"] {
        let hsm = SoftHsm::with_token(TOKEN);
        let home = moved(&hsm);
        assert_ne!(ids(&hsm), 0);
        let path = home.path(lost);
        match path.is_dir() {
            true => std::fs::remove_dir_all(path).unwrap(),
            false => std::fs::remove_file(path).unwrap(),
        }
        let undone = migrates(&home, &["--roll-back", "--yes"]);
        assert!(undone.contains(TOKEN), "{lost}: {undone}");
        assert_eq!(ids(&hsm), 0, "{lost}: {undone}");
        home.ok(&["--passphrase-file", &text(&home, "passphrase"), "sign"], b"hello");
    }
}
