//! What was said when a move was begun holds until its end, and something else is refused.

use super::ends::killed_when_made;
use super::*;

#[test]
fn a_move_that_was_cut_off_goes_on_with_the_backup_that_was_asked_for() {
    let hsm = SoftHsm::with_token(TOKEN);
    for how in ["make", "open", "none"] {
        let home = identity(&hsm);
        let (key, recipient) = recovery_key(&home);
        let file = text(&home, "first.age");
        let make = ["--recipient", &recipient, "-o", &file];
        let open = ["--backup", &file, "--identity-file", &key];
        if how == "open" {
            let with = ["--passphrase-file", &text(&home, "passphrase"), "id", "backup"];
            home.ok(&[&with[..], &make].concat(), b"");
        }
        let backup = match how {
            "make" => &make[..],
            "open" => &open,
            _ => &["--no-backup"],
        };
        write_private(&home.beside("passphrase"), "not that one");
        let begin = [&to_token()[..], &["--key-label", how], backup].concat();
        let cut = migrate(&home, &begin);
        assert_eq!(cut.code, 77, "{how}: {}", cut.err);
        // It is said that it was begun, and what can be done.
        for part in ["the move was begun (state: planned)", "icnctl id migrate --roll-back"] {
            assert!(cut.err.contains(part), "{how} {part}: {}", cut.err);
        }
        write_private(&home.beside("passphrase"), PASSPHRASE);
        // By the very command that `--status` names.
        assert_eq!(status(&home)["next"][0], "icnctl id migrate");
        migrates(&home, &[]);
        signs(&home);
        let backup = &status(&home)["backup"];
        match how {
            "none" => assert!(backup.is_null(), "{backup}"),
            _ => assert_eq!(backup, file.as_str()),
        }
    }
}

/// Killed between the journal and what says where to.
#[test]
fn a_move_of_which_it_is_not_written_down_where_to_says_so() {
    let hsm = SoftHsm::with_token(TOKEN);
    let home = identity(&hsm);
    let to = [&to_token()[..], &["--no-backup"]].concat();
    write_private(&home.beside("passphrase"), "not that one");
    assert_eq!(migrate(&home, &to).code, 77);
    write_private(&home.beside("passphrase"), PASSPHRASE);
    std::fs::remove_file(home.path("migration/icn.toml")).unwrap();
    let now = status(&home);
    assert_eq!(now["next"], serde_json::json!(["icnctl id migrate --roll-back"]));
    let said = home.ok(&["id", "migrate", "--status"], b"");
    assert!(said.contains("once more with the same options"), "{said}");
    migrates(&home, &to_token());
    signs(&home);
}

#[test]
fn a_commitment_to_a_key_that_was_used_is_refused_before_a_key_is_made_and_can_be_another() {
    let hsm = SoftHsm::with_token(TOKEN);
    hsm.token("node-2");
    let home = identity(&hsm);
    let (first, before) = (did(&home), tree(&home));
    let to = [&to_token()[..], &["--no-backup", "--commit-next", &first]].concat();
    for plan in [&["--plan"][..], &[]] {
        let refused = migrate(&home, &[&to[..], plan].concat());
        assert_eq!(refused.code, 1, "{} {}", refused.out, refused.err);
        assert!(refused.err.contains("commit to a key that was never used"), "{}", refused.err);
        assert_eq!(tree(&home), before);
    }
    migrates(&home, &[&to_token()[..], &["--no-backup"]].concat());
    migrates(&home, &["--finish", "--yes"]);
    // Only its chain has that one, which is sealed.
    let pin = text(&home, "pin");
    let second = ["--to", "pkcs11", "--token", "node-2", "--no-backup", "--to-pin-file", &pin];
    let refused = migrate(&home, &[&second[..], &["--commit-next", &first]].concat());
    assert_eq!(refused.code, 1, "{} {}", refused.out, refused.err);
    assert!(refused.err.contains("commit to a key that was never used"), "{}", refused.err);
    assert_eq!(hsm.objects("node-2").trim(), "", "{}", refused.err);
    let next = "did:key:z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK";
    let other = ["--commit-next", next, "--to-pin-file", &pin];
    let plan = migrates(&home, &[&second[..], &other[..2], &["--plan"]].concat());
    assert!(plan.contains("commits to the key that comes next, SHA-256 "), "{plan}");
    migrates(&home, &other);
    let chain = text(&home, "chain.json");
    home.ok(&["--pin-file", &pin, "id", "rotation", "show", "-o", &chain], b"");
    let chain = std::fs::read_to_string(chain).unwrap();
    assert!(chain.contains("next_key_sha256"), "{chain}");
}

#[test]
fn a_token_that_keeps_no_storage_key_is_said_by_the_plan_and_by_the_result() {
    let hsm = SoftHsm::with_token(TOKEN)
        .configured("slots.mechanisms = -CKM_DES_ECB,CKM_AES_GCM,CKM_ECDH1_DERIVE");
    let home = identity(&hsm);
    let to = [&to_token()[..], &["--no-backup"]].concat();
    let plan = migrates(&home, &[&to[..], &["--plan"]].concat());
    assert!(plan.contains("a passphrase beside it (--to-passphrase-file)"), "{plan}");
    let json = [&["--format", "json", "id", "migrate", "--plan"][..], &to].concat();
    let json: Value = serde_json::from_str(&home.ok(&json, b"")).unwrap();
    assert_eq!(json["opens_with"]["passphrase"], true, "{json}");
    let without = migrate(&home, &to);
    assert_eq!(without.code, 1, "{} {}", without.out, without.err);
    for part in ["passphrase of the new identity", "--to-passphrase-file"] {
        assert!(without.err.contains(part), "{part}: {}", without.err);
    }
    let passphrase = text(&home, "passphrase");
    let moved = migrates(&home, &["--to-passphrase-file", &passphrase]);
    assert!(
        moved.contains("It keeps no storage key: each command wants the passphrase"),
        "{moved}"
    );
}

#[test]
fn another_device_than_the_one_that_is_under_way_is_refused_by_name() {
    let hsm = SoftHsm::with_token(TOKEN);
    hsm.token("node-2");
    let home = identity(&hsm);
    let to = [&to_token()[..], &["--no-backup"]].concat();
    let second = ["--to", "pkcs11", "--module", module(), "--token", "node-2", "--no-backup"];
    let label = [&to[..], &["--key-label", "other"]].concat();
    let refuses = |asked: &[&str], words: &str, way: &str| {
        let before = tree(&home);
        let refused = migrate(&home, asked);
        assert_eq!(refused.code, 1, "{asked:?}: {} {}", refused.out, refused.err);
        for part in [words, way] {
            assert!(refused.err.contains(part), "{asked:?} {part}: {}", refused.err);
        }
        assert_eq!(tree(&home), before, "{asked:?}");
    };
    killed_when_made(&home, &to);
    refuses(&second, "the token node-1, and node-2 is asked for", "icnctl id migrate;");
    refuses(&label, "and other is asked for", "icnctl id migrate;");
    let done = migrates(&home, &to);
    assert!(done.contains("The token is node-1 (serial "), "{done}");
    // The same once more.
    migrates(&home, &to);
    refuses(&second, "the token node-1, and node-2 is asked for", "icnctl id migrate --finish");
    refuses(&label, "and other is asked for", "icnctl id migrate --finish");
    migrates(&home, &["--finish", "--yes"]);
    let tpm = Swtpm::start();
    let device = tpm.tcti();
    let pin = text(&home, "pin");
    let to = [&to_tpm(&device)[..], &["--no-backup", "--to-pin-file", &pin]].concat();
    migrates(&home, &to);
    migrates(&home, &to);
    let unbound = ["--to", "tpm", "--device", &device, "--no-backup", "--no-platform-binding"];
    refuses(&unbound, "the platform binding yes, and no is asked for", "--finish");
}
