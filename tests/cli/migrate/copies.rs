//! A home that was copied has the journal of the other one: by that, no key is destroyed that may
//! be in use there. One that was moved is the same home.

use std::path::Path;

use super::ready::{before_the_switch, copy};
use super::*;

/// `id migrate` in a copy of a home, or where it was moved to.
fn in_copy(home: &Home, at: &str, more: &[&str]) -> Ran {
    let (passphrase, pin) = (text(home, "passphrase"), text(home, "pin"));
    let with = ["--home", at, "--passphrase-file", &passphrase, "--pin-file", &pin];
    home.icnctl(&[&with[..], &["id", "migrate", "--to-pin-file", &pin], more].concat(), b"")
}

fn copied(home: &Home) -> String {
    let at = text(home, "copy");
    copy(&home.path(""), Path::new(&at));
    at
}

/// Nothing is asked and nothing is done.
fn refused(home: &Home, at: &str, end: &str, keep: &str) {
    let refused = in_copy(home, at, &[end]);
    assert_eq!(refused.code, 1, "{}", refused.err);
    let original = home.path("");
    let original = original.to_str().unwrap().trim_end_matches('/');
    for part in [TOKEN, "is a copy of the directory", "nothing was removed", original, keep] {
        assert!(refused.err.contains(part), "{part}: {}", refused.err);
    }
    assert!(Path::new(at).join("migration.json").exists());
}

#[test]
fn a_rollback_in_a_copy_of_the_home_destroys_no_key_that_is_in_use() {
    for state in ["stated", "switched"] {
        let hsm = SoftHsm::with_token(TOKEN);
        let home = before_the_switch(&hsm, "rotate");
        let old = did(&home);
        if state == "switched" {
            migrates(&home, &[]);
        }
        let at = copied(&home);
        migrates(&home, &[]);
        let new = did(&home);
        migrates(&home, &["--finish", "--yes"]);
        assert_eq!(ids(&hsm), 3);
        refused(&home, &at, "--roll-back", "--roll-back --keep-new-key");
        signs(&home);
        // By that option the copy alone is the old one again, and says what is so of both.
        let json = ["--format", "json", "--home", &at, "--passphrase-file"];
        let passphrase = text(&home, "passphrase");
        let back = ["id", "migrate", "--roll-back", "--yes", "--keep-new-key"];
        let undone = home.ok(&[&json[..], &[&passphrase], &back].concat(), b"");
        let undone: Value = serde_json::from_str(&undone).unwrap();
        assert!(undone["copy_of"].as_str().is_some_and(|of| home.path("").starts_with(of)));
        assert_eq!((&undone["did"], &undone["removed"]), (&old.clone().into(), &Value::Null));
        assert_eq!(ids(&hsm), 3);
        signs(&home);
        let shown = home.ok(&["--format", "json", "--home", &at, "id", "show"], b"");
        let shown: Value = serde_json::from_str(&shown).unwrap();
        let handed_over = &shown["handed_over"];
        assert_eq!((&shown["did"], &handed_over["given_up"]), (&old.into(), &false.into()));
        assert!(handed_over.to_string().contains(&new), "{state}: {handed_over}");
    }
}

#[test]
fn the_end_in_a_copy_of_the_home_destroys_no_key_that_is_in_use() {
    let hsm = SoftHsm::with_token(TOKEN);
    hsm.token("node-2");
    let home = identity(&hsm);
    migrates(&home, &[&to_token()[..], &["--no-backup"]].concat());
    migrates(&home, &["--finish", "--yes"]);
    let pin = text(&home, "pin");
    let to = ["--to", "pkcs11", "--token", "node-2", "--no-backup", "--to-pin-file", &pin];
    migrates(&home, &to);
    let at = copied(&home);
    migrates(&home, &["--roll-back", "--yes", "--to-pin-file", &pin]);
    assert_eq!(ids(&hsm), 3);
    refused(&home, &at, "--finish", "--finish --keep-old-key");
    signs(&home);
    // Nor where both were cut off in it.
    let journal = Path::new(&at).join("migration.json");
    let begun = std::fs::read_to_string(&journal).unwrap();
    std::fs::write(&journal, begun.replace("\"switched\"", "\"finishing\"")).unwrap();
    refused(&home, &at, "--finish", "--finish --keep-old-key");
    assert_eq!(ids(&hsm), 3);
    signs(&home);
}

#[test]
fn a_home_that_was_moved_or_put_back_from_a_copy_is_the_same_home() {
    let moved: [&dyn Fn(&Home) -> String; 3] = [
        &|home| {
            std::fs::rename(home.path(""), home.beside("moved")).unwrap();
            text(home, "moved")
        },
        // Put back from a copy, where it was.
        &|home| {
            let at = copied(home);
            std::fs::remove_dir_all(home.path("")).unwrap();
            copy(Path::new(&at), &home.path(""));
            home.path("").to_str().unwrap().into()
        },
        // As the refusal says.
        &|home| {
            let at = copied(home);
            std::fs::remove_dir_all(home.path("")).unwrap();
            let was = home.path("").to_str().unwrap().trim_end_matches('/').to_owned();
            assert_eq!(in_copy(home, &at, &["--roll-back", "--yes"]).code, 1);
            std::os::unix::fs::symlink(&at, was).unwrap();
            at
        },
    ];
    for (way, moved) in moved.iter().enumerate() {
        let hsm = SoftHsm::with_token(TOKEN);
        let home = identity(&hsm);
        migrates(&home, &[&to_token()[..], &["--no-backup"]].concat());
        let at = moved(&home);
        let undone = in_copy(&home, &at, &["--roll-back", "--yes"]);
        assert_eq!(undone.code, 0, "{way}: {}", undone.err);
        assert!(undone.out.contains("The new key was removed from"), "{way}: {}", undone.out);
        assert_eq!(ids(&hsm), 0, "{way}");
    }
}

/// Nothing is left of the new identity before it is in use, but its key on the token.
#[test]
fn a_rollback_whose_new_identity_is_gone_names_the_key_that_may_be_left() {
    let to = [&to_token()[..], &["--no-backup"]].concat();
    for state in ["made", "stated"] {
        let hsm = SoftHsm::with_token(TOKEN);
        let home = match state {
            "stated" => before_the_switch(&hsm, "rotate"),
            _ => {
                let home = identity(&hsm);
                ends::killed_when_made(&home, &to);
                home
            }
        };
        assert_eq!((status(&home)["state"].as_str(), ids(&hsm)), (Some(state), 3));
        let kept = home.beside("kept");
        std::fs::rename(home.path("migration"), &kept).unwrap();
        let before = tree(&home);
        let refused = migrate(&home, &["--roll-back", "--yes"]);
        assert_eq!(refused.code, 1, "{}", refused.err);
        let parts = ["may still be on its token", TOKEN, "CKA_ID", "--roll-back --keep-new-key"];
        for part in parts {
            assert!(refused.err.contains(part), "{state} {part}: {}", refused.err);
        }
        assert!(tree(&home) == before && ids(&hsm) == 3);
        // All that is there is named.
        let json = ["--format", "json", "--passphrase-file", &text(&home, "passphrase")];
        let back = ["id", "migrate", "--roll-back", "--yes", "--keep-new-key"];
        let undone = home.ok(&[&json[..], &back].concat(), b"");
        let undone: Value = serde_json::from_str(&undone).unwrap();
        let named = undone["left"][0]["ids"].as_array().unwrap();
        // And by what it is removed there.
        assert_eq!(undone["left"][0]["module"], module());
        for line in hsm.objects(TOKEN).lines().filter(|line| line.trim_start().starts_with("ID:")) {
            let id = line.trim_start().trim_start_matches("ID:").trim();
            assert!(named.iter().any(|named| named == id), "{id}: {undone}");
        }
        assert!(status(&home).is_null() && !home.path("migration.json").exists());
        home.ok(&["--passphrase-file", &text(&home, "passphrase"), "sign"], b"hello");
    }
}

/// Before it is written down that a key was made, it may have been begun all the same.
#[test]
fn a_rollback_says_that_a_key_may_be_left_where_nothing_tells_which() {
    let to = [&to_token()[..], &["--no-backup"]].concat();
    let hsm = SoftHsm::with_token(TOKEN);
    let home = identity(&hsm);
    write_private(&home.beside("pin"), "86429731");
    assert_eq!(migrate(&home, &to).code, 77);
    write_private(&home.beside("pin"), PIN);
    assert_eq!(status(&home)["state"], "backed-up");
    std::fs::remove_dir_all(home.path("migration")).unwrap();
    let refused = migrate(&home, &["--roll-back"]);
    assert_eq!(refused.code, 1, "{}", refused.err);
    assert!(refused.err.contains("--roll-back --keep-new-key"), "{}", refused.err);
    let undone = migrates(&home, &["--roll-back", "--keep-new-key"]);
    assert!(undone.contains("may be on its token all the same"), "{undone}");
    assert!(status(&home).is_null());
}

/// A key that somebody has removed already is not said to be removed now.
#[test]
fn a_rollback_says_of_a_key_that_was_gone_that_it_was() {
    let hsm = SoftHsm::with_token(TOKEN);
    let home = identity(&hsm);
    migrates(&home, &[&to_token()[..], &["--no-backup"]].concat());
    let objects = hsm.objects(TOKEN);
    for line in objects.lines().filter(|line| line.trim_start().starts_with("ID:")) {
        let id = line.trim_start().trim_start_matches("ID:").trim();
        for kind in ["privkey", "pubkey", "secrkey"] {
            let words = ["--delete-object", "--type", kind, "--id", id];
            let arguments = ["--module", module(), "--token-label", TOKEN, "--login", "--pin", PIN];
            let _ = hsm.run("pkcs11-tool", &[&arguments[..], &words].concat());
        }
    }
    assert_eq!(ids(&hsm), 0);
    let undone = migrates(&home, &["--roll-back", "--yes"]);
    assert!(undone.contains("was not there any more") && undone.contains(TOKEN), "{undone}");
    assert!(!undone.contains("was removed from"), "{undone}");
}
