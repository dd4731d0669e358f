//! The new identity before the switch, and the old one after it: what each is told to be, and
//! that the new one is nobody's before it is in use.

use super::*;

/// Cut off where the new identity is whole and not in use: the process ends when the token signs.
fn made_and_not_in_use(hsm: &SoftHsm, home: &Home) {
    let module = hsm.fault_module();
    let to = ["--to", "pkcs11", "--module", &module, "--token", TOKEN, "--no-backup"];
    // How often it signs while the identity is made is nobody's business here.
    for signed in 1..8 {
        hsm.script(&format!("on C_Sign {signed} die\n"));
        let cut = migrate(home, &to);
        hsm.script("");
        assert_ne!(cut.code, 0, "{}", cut.err);
        if status(home)["state"] == "made" {
            return;
        }
        migrates(home, &["--roll-back"]);
    }
    panic!("it was not cut off there");
}

#[test]
fn the_new_identity_does_nothing_before_it_is_in_use() {
    let hsm = SoftHsm::with_token(TOKEN);
    let home = identity(&hsm);
    made_and_not_in_use(&hsm, &home);
    let staged = home.path("migration");
    let link = home.beside("link");
    std::os::unix::fs::symlink(&staged, &link).unwrap();
    let pin = text(&home, "pin");
    let (_, recipient) = recovery_key(&home);
    let (backup, message) = (text(&home, "of-staged.age"), text(&home, "message"));
    std::fs::write(&message, b"hello").unwrap();
    let before = tree(&home);
    let commands: [&[&str]; 8] = [
        &["sign", &message],
        &["id", "renew"],
        &["id", "backup", "--recipient", &recipient, "-o", &backup],
        &["decrypt", &message],
        &["id", "rotation", "show"],
        &["id", "init"],
        &["id", "migrate", "--to", "tpm", "--no-backup"],
        &["id", "migrate", "--to", "tpm", "--plan"],
    ];
    for there in [staged.to_str().unwrap(), link.to_str().unwrap()] {
        for command in commands {
            let all = [&["--home", there, "--pin-file", &pin], command].concat();
            home.fails(&all, b"", &["belongs to the move of the identity in", "--roll-back"]);
        }
    }
    // By the directory itself, too.
    let mut command = home.command(&["--home", ".", "--pin-file", &pin, "sign", &message]);
    let here = run(command.current_dir(&staged), b"");
    assert!(here.code == 1 && here.err.contains("belongs to the move"), "{}", here.err);
    // Nor is it a successor, before its migration says so.
    let passphrase = text(&home, "passphrase");
    let other = text(&home, "elsewhere");
    init_in(&home, &other);
    let there = staged.to_str().unwrap();
    let to = ["id", "rotation", "create", "--successor", there, "--successor-pin-file", &pin];
    let all = ["--home", &other, "--passphrase-file", &passphrase];
    let all = [&all[..], &to, &["--reason", "manual"]].concat();
    home.fails(&all, b"", &["belongs to the move of the identity in"]);
    assert_eq!(tree(&home), before);
    assert!(!std::path::Path::new(&backup).exists());
    let shown = home.ok(&["--home", there, "id", "show"], b"");
    assert!(shown.contains("This is the NEW identity of a move to a token"), "{shown}");
    assert!(shown.contains("signs nothing before the switch"), "{shown}");
    // Its migration goes on with it all the same.
    migrates(&home, &[]);
    signs(&home);
}

#[test]
fn the_old_identity_says_which_move_it_belongs_to() {
    let hsm = SoftHsm::with_token(TOKEN);
    let home = identity(&hsm);
    let old = did(&home);
    migrates(&home, &[&to_token()[..], &["--no-backup"]].concat());
    let (previous, used) = (home.path("previous"), home.path(""));
    let (previous, used) = (previous.to_str().unwrap(), used.canonicalize().unwrap());
    let used = used.to_str().unwrap();
    let shown = home.ok(&["--home", previous, "id", "show"], b"");
    for words in [
        "This is the OLD identity of a move to a token (rotate)",
        &did(&home),
        &format!("icnctl --home {used} id migrate --finish"),
        &format!("icnctl --home {used} id migrate --roll-back"),
    ] {
        assert!(shown.contains(words), "{words}: {shown}");
    }
    let said = home.ok(&["--home", previous, "id", "migrate", "--status"], b"");
    assert!(said.contains("This is the OLD identity of a move"), "{said}");
    for end in ["--finish", "--roll-back"] {
        let ended = ["--home", previous, "id", "migrate", end, "--yes"];
        home.fails(&ended, b"", &["is being moved to pkcs11"]);
    }
    let json = home.ok(&["--home", previous, "--format", "json", "id", "show"], b"");
    let json: Value = serde_json::from_str(&json).unwrap();
    let part = &json["part_of_migration"];
    assert_eq!((&json["did"], &part["part"]), (&old.as_str().into(), &"old".into()));
    assert_eq!((&part["home"], &part["state"]), (&used.into(), &"switched".into()));
    assert!(home.show()["part_of_migration"].is_null());
    // By a link, and by `.`, it is the one that is kept.
    let link = home.beside("link");
    std::os::unix::fs::symlink(previous, &link).unwrap();
    let link = link.to_str().unwrap();
    let change = ["--home", link, "id", "change-passphrase"];
    home.fails(&change, b"", &["is being moved to pkcs11", "--finish"]);
    let mut command = home.command(&["--home", ".", "id", "change-passphrase"]);
    let here = run(command.current_dir(previous), b"");
    assert!(here.code == 1 && here.err.contains("is being moved to pkcs11"), "{}", here.err);
}

/// What is left in its directory afterwards is of the move, whatever is asked of it.
#[test]
fn what_is_left_of_the_new_identity_says_that_it_belongs_to_the_move() {
    let hsm = SoftHsm::with_token(TOKEN);
    let home = identity(&hsm);
    migrates(&home, &[&to_token()[..], &["--no-backup"]].concat());
    let staged = home.path("migration");
    let before = tree(&home);
    for command in [&["id", "init"][..], &["id", "restore", "x", "--identity-file", "y"]] {
        let all = [&["--home", staged.to_str().unwrap()][..], command].concat();
        home.fails(&all, b"", &["belongs to the move of the identity in", "--finish"]);
    }
    assert!(tree(&home) == before);
}

/// Nobody follows to it yet, and the move may be undone.
#[test]
fn a_statement_is_not_said_to_bind_before_its_move_is_switched() {
    let hsm = SoftHsm::with_token(TOKEN);
    let home = ready::before_the_switch(&hsm, "rotate");
    let shown = home.ok(&["id", "show"], b"");
    assert!(!shown.contains("use this identity only until peers have followed"), "{shown}");
    assert!(shown.contains("which is not in use yet"), "{shown}");
    let ((key, recipient), old) = (recovery_key(&home), did(&home));
    let (passphrase, backup) = (text(&home, "passphrase"), text(&home, "backup.age"));
    let made = ["id", "backup", "--recipient", &recipient, "-o", &backup];
    home.ok(&[&["--passphrase-file", &passphrase][..], &made].concat(), b"");
    migrates(&home, &["--roll-back", "--yes"]);
    // Of a backup that was made in between, nothing tells what became of the move.
    let other = text(&home, "elsewhere");
    let with = ["--home", &other, "--passphrase-file", &passphrase, "id", "restore", &backup];
    home.ok(&[&with[..], &["--identity-file", &key, "--did", &old]].concat(), b"");
    let shown = home.ok(&["--home", &other, "id", "show"], b"");
    assert!(shown.contains("HANDED OVER") && shown.contains("--again"), "{shown}");
}
