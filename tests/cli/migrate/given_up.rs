//! What is said of a successor that a rollback has given up, by each command, and wherever the
//! same DID goes on.

use super::*;

#[test]
fn after_a_rollback_no_advice_names_the_key_that_was_given_up() {
    let hsm = SoftHsm::with_token(TOKEN);
    let home = identity(&hsm);
    let to = [&to_token()[..], &["--no-backup"]].concat();
    migrates(&home, &to);
    let (old, new) = (home.path("previous"), did(&home));
    assert!(old.exists());
    migrates(&home, &["--roll-back", "--yes"]);
    let shown = home.ok(&["id", "show"], b"");
    assert!(shown.contains(&new) && shown.contains("was given up"), "{shown}");
    for wrong in ["until peers have followed", "do not rotate it again"] {
        assert!(!shown.contains(wrong), "{wrong}: {shown}");
    }
    assert_eq!(home.show()["handed_over"]["given_up"], true);
    let other = text(&home, "elsewhere");
    init_in(&home, &other);
    let rotate = ["id", "rotation", "create", "--successor", &other, "--reason", "upgrade"];
    for refused in [migrate(&home, &to), home.icnctl(&rotate, b"")] {
        assert_eq!(refused.code, 1, "{}", refused.err);
        assert!(!refused.err.contains("rotate the successor"), "{}", refused.err);
        for part in ["was given up", "pin this DID again", "--again"] {
            assert!(refused.err.contains(part), "{part}: {}", refused.err);
        }
    }
    // A successor that is there is another matter.
    migrates(&home, &[&to[..], &["--again"]].concat());
    let previous = home.path("previous");
    let kept = home.ok(&["--home", previous.to_str().unwrap(), "id", "show"], b"");
    assert!(kept.contains("until peers have followed"), "{kept}");
}

/// A move that was undone; its home, and the DID that was given up.
fn rolled_back(hsm: &SoftHsm) -> (Home, String) {
    let home = identity(hsm);
    migrates(&home, &[&to_token()[..], &["--no-backup"]].concat());
    let given_up = did(&home);
    migrates(&home, &["--roll-back", "--yes"]);
    (home, given_up)
}

fn is_said_to_be_given_up(said: &str, given_up: &str) {
    assert!(said.contains(given_up) && said.contains("given up since"), "{said}");
    for wrong in ["until peers have followed", "do not rotate it again", "rotate the successor"] {
        assert!(!said.contains(wrong), "{wrong}: {said}");
    }
}

#[test]
fn after_a_rollback_each_command_says_that_the_successor_was_given_up() {
    let hsm = SoftHsm::with_token(TOKEN);
    let (home, given_up) = rolled_back(&hsm);
    let (passphrase, sealed) = (text(&home, "passphrase"), text(&home, "sealed.age"));
    let recipient = home.show()["encryption"]["age_recipient"].as_str().unwrap().to_owned();
    run(Command::new("age").args(["-r", &recipient, "-o", &sealed]), b"hello");
    let (_, recovery) = recovery_key(&home);
    let backup = ["id", "backup", "--recipient", &recovery, "-o", &text(&home, "backup.age")];
    for command in [
        &["sign"][..],
        &["decrypt", &sealed],
        &["id", "renew"],
        &["id", "renew", "--all-instances"],
        &["id", "rotation", "show"],
        &backup,
    ] {
        let ran = home.icnctl(&[&["--passphrase-file", &passphrase], command].concat(), b"hello");
        assert_eq!(ran.code, 0, "{command:?}: {}", ran.err);
        is_said_to_be_given_up(&format!("{}{}", ran.out, ran.err), &given_up);
    }
}

#[test]
fn that_a_successor_was_given_up_goes_with_a_backup_and_with_the_did() {
    let hsm = SoftHsm::with_token(TOKEN);
    let (home, given_up) = rolled_back(&hsm);
    let (passphrase, file) = (text(&home, "passphrase"), text(&home, "backup.age"));
    let (old, (key, recipient)) = (did(&home), recovery_key(&home));
    let of_it = ["--passphrase-file", &passphrase];
    let backup = ["id", "backup", "--recipient", &recipient, "-o", &file];
    let made = home.ok(&[&of_it[..], &backup].concat(), b"");
    assert!(made.contains("given up since (given-up.json)"), "{made}");
    let elsewhere = text(&home, "elsewhere");
    let other = ["--home", &elsewhere, "--passphrase-file", &passphrase];
    let restore = ["id", "restore", &file, "--identity-file", &key, "--did", &old];
    home.ok(&[&other[..], &restore].concat(), b"");
    is_said_to_be_given_up(&home.ok(&[&other[..], &["id", "show"]].concat(), b""), &given_up);
    let plan = [&["id", "migrate"], &to_token()[..], &["--no-backup", "--plan"]].concat();
    let refused = home.icnctl(&[&other[..], &plan].concat(), b"");
    assert_eq!(refused.code, 1, "{}", refused.err);
    is_said_to_be_given_up(&refused.err, &given_up);
    // The key itself goes into a device, and comes back.
    let import = ["--mode", "import", "--no-backup"];
    migrates(&home, &[&to_token()[..], &import].concat());
    is_said_to_be_given_up(&home.ok(&["id", "show"], b""), &given_up);
    migrates(&home, &["--roll-back", "--yes"]);
    is_said_to_be_given_up(&home.ok(&["id", "show"], b""), &given_up);
}

/// Its key was kept, and is an identity's again.
#[test]
fn a_successor_that_takes_over_after_all_is_given_up_no_more() {
    let hsm = SoftHsm::with_token(TOKEN);
    let home = identity(&hsm);
    migrates(&home, &[&to_token()[..], &["--no-backup"]].concat());
    let (new, uri) = (did(&home), home.show()["locator"].as_str().unwrap().to_owned());
    migrates(&home, &["--roll-back", "--yes", "--keep-new-key"]);
    let (passphrase, pin) = (text(&home, "passphrase"), text(&home, "pin"));
    let elsewhere = text(&home, "elsewhere");
    let init = ["--home", &elsewhere, "--pin-file", &pin, "id", "init", "--backend", "pkcs11"];
    let key = ["--module", module(), "--key", &uri];
    home.ok(&[&init[..], &key].concat(), b"");
    let create = ["--passphrase-file", &passphrase, "id", "rotation", "create"];
    let with = ["--successor", &elsewhere, "--successor-pin-file", &pin];
    home.ok(&[&create[..], &with].concat(), b"");
    assert_eq!(home.show()["handed_over"]["given_up"], false);
    let shown = home.ok(&["id", "show"], b"");
    assert!(shown.contains(&new) && shown.contains("until peers have followed"), "{shown}");
}

/// The first statement was given out: a second one that is undone before the switch leaves it.
#[test]
fn a_second_statement_that_is_undone_leaves_the_first_one() {
    let hsm = SoftHsm::with_token(TOKEN);
    let (home, given_up) = rolled_back(&hsm);
    let first = home.read("handed-over.json");
    let words = [&to_token()[..], &["--no-backup", "--again"]].concat();
    ends::killed_when_made(&home, &words);
    // Goes on as it was begun, and is cut off when the statement is made.
    let stated = || !home.read("handed-over.json").contains(&given_up);
    for at in 1..=6 {
        if !stated() {
            lost::killed_at(&home, &[], at);
        }
    }
    assert!(stated());
    assert!(["proved", "stated"].contains(&status(&home)["state"].as_str().unwrap()));
    migrates(&home, &["--roll-back", "--yes"]);
    assert_eq!(home.read("handed-over.json"), first);
    let shown = home.ok(&["id", "show"], b"");
    is_said_to_be_given_up(&shown, &given_up);
}
