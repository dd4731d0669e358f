//! Both ends of a move: undone where the device is another one or gone, and ended for good.

use super::*;

/// By the fault module, whose token can be another one later.
fn to_faulty(module: &str) -> Vec<&str> {
    vec!["--to", "pkcs11", "--module", module, "--token", TOKEN, "--no-backup"]
}

fn in_use_is_the_file(home: &Home) {
    assert!(status(home).is_null());
    for left in ["migration", "previous", "migration.json", "unfinished.json"] {
        assert!(!home.path(left).exists(), "{left} is left");
    }
    home.ok(&["--passphrase-file", &text(home, "passphrase"), "sign"], b"hello");
}

#[test]
fn a_rollback_removes_the_key_where_it_is_now_and_names_where_it_was() {
    for mode in ["rotate", "import"] {
        let hsm = SoftHsm::with_token(TOKEN);
        let (home, module) = (identity(&hsm), hsm.fault_module());
        migrates(&home, &[&to_faulty(&module)[..], &["--mode", mode]].concat());
        let locator = home.show()["locator"].as_str().unwrap().to_owned();
        let (_, before) = locator.split_once("serial=").unwrap();
        let (before, _) = before.split_once(';').unwrap();
        // Restored onto another device.
        hsm.script("serial NEW0001\n");
        home.ok(&["--pin-file", &text(&home, "pin"), "id", "relocate"], b"");
        let undone = migrates(&home, &["--roll-back", "--yes"]);
        assert_eq!(ids(&hsm), 0, "{undone}");
        assert!(undone.contains("removed from token node-1 (serial NEW0001)"), "{undone}");
        // A copy may be where it was.
        for part in [format!("serial {before}"), "pkcs11-tool".into(), "--delete-object".into()] {
            assert!(undone.contains(&part), "{part}: {undone}");
        }
        in_use_is_the_file(&home);
    }
}

/// Brought onto another token under another `CKA_ID`: what is removed is what the identity was
/// found by, and the first one is named.
#[test]
fn a_rollback_removes_a_key_that_was_brought_elsewhere_under_another_id() {
    // No token keeps a storage key that could be brought along.
    let hsm = SoftHsm::with_token(TOKEN)
        .configured("slots.mechanisms = -CKM_DES_ECB,CKM_AES_GCM,CKM_ECDH1_DERIVE");
    hsm.token("node-2");
    let home = identity(&hsm);
    let (passphrase, pin, key) =
        (text(&home, "passphrase"), text(&home, "pin"), text(&home, "key"));
    let to = ["--mode", "import", "--no-backup", "--to-passphrase-file", &passphrase];
    migrates(&home, &[&to_token()[..], &to].concat());
    // The file that it was imported from still has it.
    let previous = home.path("previous").to_str().unwrap().to_owned();
    let of_old = ["--home", &previous, "--passphrase-file", &passphrase];
    let (recovery, recipient) = recovery_key(&home);
    let export = ["id", "export", "--secret", "--recipient", &recipient, "-o", &key];
    home.ok(&[&of_old[..], &export].concat(), b"");
    let pem = text(&home, "key.pem");
    let age = ["-d", "-i", &recovery, "-o", &pem, &key];
    assert_eq!(run(Command::new("age").args(age), b"").code, 0);
    let import = ["--import", &pem, "--token", "node-2", "--label", "brought", "--id", "77"];
    hsm.softhsm2_util(&[&import[..], &["--pin", PIN]].concat());
    let with = ["--pin-file", &pin, "--passphrase-file", &passphrase];
    let relocate = ["id", "relocate", "--key", "pkcs11:token=node-2;id=%77"];
    home.ok(&[&with[..], &relocate].concat(), b"");
    home.ok(&[&with[..], &["sign"]].concat(), b"hello");
    let undone = migrates(&home, &["--roll-back", "--yes", "--to-passphrase-file", &passphrase]);
    assert!(undone.contains("removed from token node-2 (serial "), "{undone}");
    assert!(undone.contains("--token-label node-1 --login --delete-object"), "{undone}");
    assert_eq!(hsm.objects("node-2").trim(), "", "{undone}");
    assert!(hsm.objects(TOKEN).contains("ID:"));
    in_use_is_the_file(&home);
}

/// Only its name is another one: it is there once.
#[test]
fn a_rollback_from_a_token_that_was_renamed_leaves_no_key_and_names_none() {
    let hsm = SoftHsm::with_token(TOKEN);
    let (home, module) = (identity(&hsm), hsm.fault_module());
    migrates(&home, &to_faulty(&module));
    hsm.script("label renamed\n");
    home.ok(&["--pin-file", &text(&home, "pin"), "id", "relocate"], b"");
    let undone = migrates(&home, &["--roll-back", "--yes"]);
    assert_eq!(ids(&hsm), 0, "{undone}");
    assert!(!undone.contains("pkcs11-tool"), "{undone}");
    in_use_is_the_file(&home);
}

/// Killed when the new key is made and is being proved.
pub(super) fn killed_when_made(home: &Home, to: &[&str]) {
    let (passphrase, pin) = (text(home, "passphrase"), text(home, "pin"));
    let words = ["--passphrase-file", &passphrase, "--pin-file", &pin, "id", "migrate"];
    let inner = home.command(&[&words[..], to].concat());
    let mut strace = Command::new("strace");
    strace.args(["-e", "trace=wait4", "-e", "inject=wait4:signal=SIGKILL:when=1"]);
    strace.arg(inner.get_program()).args(inner.get_args()).env_clear();
    for (name, value) in inner.get_envs() {
        value.map(|value| strace.env(name, value));
    }
    let cut = run(&mut strace, b"");
    assert_ne!(cut.code, 0, "{}", cut.err);
    assert_eq!(status(home)["state"], "made", "{}", cut.err);
}

#[test]
fn a_rollback_whose_token_is_gone_changes_nothing_and_ends_when_the_key_is_given_up_by_name() {
    let to = [&to_token()[..], &["--no-backup"]].concat();
    for state in ["made", "switched"] {
        let hsm = SoftHsm::with_token(TOKEN);
        let home = identity(&hsm);
        let old = did(&home);
        match state {
            "made" => killed_when_made(&home, &to),
            _ => drop(migrates(&home, &to)),
        }
        hsm.unplug();
        let refused = migrate(&home, &["--roll-back", "--yes"]);
        assert_eq!(refused.code, 1, "{}", refused.err);
        for part in ["token node-1", "CKA_ID", "icnctl id migrate --roll-back --keep-new-key"] {
            assert!(refused.err.contains(part), "{state} {part}: {}", refused.err);
        }
        // Nothing was switched or begun.
        assert_eq!(status(&home)["state"], state, "{}", refused.err);
        let undone = migrates(&home, &["--roll-back", "--yes", "--keep-new-key"]);
        for part in ["token node-1 (serial ", "pkcs11-tool", "--delete-object --id "] {
            assert!(undone.contains(part), "{part}: {undone}");
        }
        assert_eq!(did(&home), old);
        in_use_is_the_file(&home);
        hsm.plug_in();
        // What is said to be left is there, and the step that is named removes it.
        assert_eq!(ids(&hsm), 3);
        for line in undone.lines().filter(|line| line.contains("--delete-object")) {
            let words: Vec<&str> = line.split_whitespace().skip_while(|it| *it != "--id").collect();
            hsm.pkcs11_tool_on(TOKEN, &[&["--delete-object"][..], &words].concat());
        }
        assert_eq!(ids(&hsm), 0, "{undone}");
    }
}

#[test]
fn a_rollback_from_a_tpm_that_was_cleared_ends() {
    let (hsm, tpm) = (SoftHsm::new(), Swtpm::start());
    let home = identity(&hsm);
    let device = tpm.tcti();
    migrates(&home, &[&to_tpm(&device)[..], &["--no-backup"]].concat());
    tpm.clear();
    migrates(&home, &["--roll-back", "--yes"]);
    in_use_is_the_file(&home);
}

#[test]
fn a_rollback_asks_for_the_pin_before_it_switches_anything() {
    let hsm = SoftHsm::with_token(TOKEN);
    let home = identity(&hsm);
    migrates(&home, &[&to_token()[..], &["--no-backup"]].concat());
    let new = did(&home);
    write_private(&home.beside("pin"), "86429731");
    let wrong = migrate(&home, &["--roll-back", "--yes"]);
    assert_eq!(wrong.code, 77, "{}", wrong.err);
    assert!(wrong.err.contains("token node-1 refused the PIN"), "{}", wrong.err);
    assert_eq!((did(&home), status(&home)["state"].as_str()), (new, Some("switched")));
    // Nor where there is none to be had: it is said whose.
    let mut none = Command::new("setsid");
    let asked = home.command(&["id", "migrate", "--roll-back", "--yes"]);
    none.arg("--wait").arg(asked.get_program()).args(asked.get_args());
    for (name, value) in asked.get_envs().filter(|(name, _)| *name != "ICN_PIN") {
        value.map(|value| none.env(name, value));
    }
    let none = run(none.env_remove("ICN_PIN"), b"");
    assert_eq!(none.code, 1, "{}", none.err);
    for part in ["PIN of the token node-1", "--pin-file"] {
        assert!(none.err.contains(part), "{part}: {}", none.err);
    }
    assert_eq!(status(&home)["state"], "switched");
    write_private(&home.beside("pin"), PIN);
    signs(&home);
    let undone = migrates(&home, &["--roll-back", "--yes"]);
    assert!(undone.contains("removed from token node-1"), "{undone}");
    in_use_is_the_file(&home);
}

/// `--pin-file` is of the token that it moves away from, at both ends.
#[test]
fn between_two_devices_each_pin_has_one_option_whatever_is_done() {
    let hsm = SoftHsm::with_token(TOKEN);
    hsm.token_with_pin("node-2", "another-pin");
    let (home, faulty) = (identity(&hsm), hsm.fault_module());
    migrates(&home, &to_faulty(&faulty));
    migrates(&home, &["--finish", "--yes"]);
    write_private(&home.beside("pin-2"), "another-pin");
    let second = text(&home, "pin-2");
    let (there, old) = (["--to-pin-file", &second], did(&home));
    let to = ["--to", "pkcs11", "--token", "node-2", "--no-backup"];
    migrates(&home, &[&to[..], &there].concat());
    let logins = hsm.count("C_Login");
    let refused = migrate(&home, &["--roll-back", "--yes"]);
    assert_eq!(refused.code, 1, "{}", refused.err);
    for part in ["--pin-file", "--to-pin-file", "token node-2"] {
        assert!(refused.err.contains(part), "{part}: {}", refused.err);
    }
    // Nor has it gone on without asking, with the variable that is of the old one.
    assert_eq!((hsm.count("C_Login"), status(&home)["state"].as_str()), (logins, Some("switched")));
    // The end opens the new one first, and takes neither the file nor the variable of the old one.
    let mut none = Command::new("setsid");
    let asked = home.command(&["id", "migrate", "--finish", "--yes"]);
    none.arg("--wait").arg(asked.get_program()).args(asked.get_args());
    for (name, value) in asked.get_envs() {
        value.map(|value| none.env(name, value));
    }
    let none = run(&mut none, b"");
    assert_eq!(none.code, 1, "{}", none.err);
    for part in ["PIN of the token node-2", "--to-pin-file"] {
        assert!(none.err.contains(part), "{part}: {}", none.err);
    }
    assert_eq!(status(&home)["state"], "switched");
    migrates(&home, &[&["--roll-back", "--yes"][..], &there].concat());
    assert_eq!(did(&home), old);
    signs(&home);
    let objects = ["--module", module(), "--token-label", "node-2", "--login"];
    let objects = [&objects[..], &["--pin", "another-pin", "--list-objects"]].concat();
    let left = hsm.run("pkcs11-tool", &objects);
    assert_eq!((left.code, left.out.contains("ID:")), (0, false), "{} {}", left.out, left.err);
}

#[test]
fn what_does_not_apply_is_refused_and_nothing_is_done() {
    let hsm = SoftHsm::with_token(TOKEN);
    let home = identity(&hsm);
    migrates(&home, &[&to_token()[..], &["--no-backup"]].concat());
    let before = tree(&home);
    let (pin, backup) = (text(&home, "pin"), text(&home, "backup.age"));
    for more in [
        &["--roll-back", "--keep-old-key"][..],
        &["--finish", "--keep-new-key"],
        &["--keep-new-key"],
        &["--keep-old-key"],
        &["--status", "--keep-old-key"],
        &["--status", "--keep-new-key"],
        &["--plan", "--keep-new-key"],
        &["--roll-back", "--no-backup"],
        &["--roll-back", "--backup", &backup],
        &["--roll-back", "--mode", "import"],
        &["--finish", "--mode", "rotate"],
        &["--finish", "--algorithm", "p256"],
        &["--status", "--to-pin-file", &pin],
        &["--roll-back", "--again"],
        &["--roll-back", "--token", TOKEN],
        &["--roll-back", "--pcr-indices", "16"],
        &["--finish", "--module", module()],
        &["--status", "--no-backup"],
        &["--finish", "--recipient", "age1x", "-o", &backup],
        &["--roll-back", "--recover"],
        &["--recover", "--keep-new-key"],
    ] {
        let refused = migrate(&home, &[more, &["--yes"]].concat());
        assert_eq!(refused.code, 2, "{more:?}: {} {}", refused.out, refused.err);
    }
    assert_eq!(tree(&home), before);
}

#[test]
fn another_configuration_than_that_of_the_move_is_refused_and_both_are_named() {
    let hsm = SoftHsm::with_token(TOKEN);
    let home = identity(&hsm);
    migrates(&home, &[&to_token()[..], &["--no-backup"]].concat());
    let other = text(&home, "other.toml");
    std::fs::copy(home.path("icn.toml"), &other).unwrap();
    run(Command::new("chmod").args(["600", &other]), b"");
    let (ours, before) = (home.path("icn.toml").to_str().unwrap().to_owned(), tree(&home));
    let (passphrase, pin) = (text(&home, "passphrase"), text(&home, "pin"));
    let with = ["--config", &other, "--passphrase-file", &passphrase, "--pin-file", &pin];
    let there = std::fs::read(&other).unwrap();
    for end in [&["--status"][..], &["--finish", "--yes"], &["--roll-back", "--yes"], &[]] {
        let words = [&with[..], &["id", "migrate"], end].concat();
        home.fails(&words, b"", &[&other, &ours, "try: "]);
        assert_eq!(tree(&home), before, "{end:?}");
        assert_eq!(std::fs::read(&other).unwrap(), there, "{end:?}");
    }
    // By another way to the same file, it is the same.
    let link = text(&home, "link.toml");
    std::os::unix::fs::symlink(&ours, &link).unwrap();
    let with = ["--config", &link, "--pin-file", &pin, "id", "migrate"];
    home.ok(&[&with[..], &["--status"]].concat(), b"");
    // And a home that was moved as a whole, its own configuration with it.
    let moved = text(&home, "moved");
    std::fs::rename(home.path(""), &moved).unwrap();
    let with = ["--home", &moved, "--passphrase-file", &passphrase, "--pin-file", &pin];
    home.ok(&[&with[..], &["id", "migrate", "--roll-back", "--yes"]].concat(), b"");
    assert_eq!(ids(&hsm), 0);
}

#[test]
fn a_backup_that_is_gone_or_another_file_is_noticed_before_the_switch() {
    let hsm = SoftHsm::with_token(TOKEN);
    let home = identity(&hsm);
    let (key, recipient) = recovery_key(&home);
    let first = text(&home, "first.age");
    let old = did(&home);
    let how = ["--recipient", &recipient, "-o", &first];
    killed_when_made(&home, &[&to_token()[..], &how].concat());
    let whole = std::fs::read(&first).unwrap();
    let cut: &[&dyn Fn()] = &[
        &|| std::fs::write(&first, &whole[..whole.len() / 2]).unwrap(),
        &|| std::fs::write(&first, [&whole[..], b" "].concat()).unwrap(),
        &|| std::fs::remove_file(&first).unwrap(),
    ];
    for change in cut {
        change();
        let refused = migrate(&home, &[]);
        assert_eq!(refused.code, 1, "{}", refused.err);
        for part in [&first, "--recipient", "--no-backup", "--roll-back"] {
            assert!(refused.err.contains(part), "{part}: {}", refused.err);
        }
        assert_eq!(did(&home), old);
        assert!(status(&home)["state"] != "switched", "{}", refused.err);
    }
    // Another one is made in its place, and is looked at in the same way.
    let second = text(&home, "second.age");
    migrates(&home, &["--recipient", &recipient, "-o", &second]);
    assert_eq!(status(&home)["backup"], second.as_str());
    let check = ["id", "restore", &second, "--identity-file", &key, "--did", &old, "--check"];
    home.ok(&check, b"");
}

#[test]
fn a_backup_that_is_gone_or_another_file_is_noticed_before_the_end() {
    let hsm = SoftHsm::with_token(TOKEN);
    for named in [false, true] {
        let home = identity(&hsm);
        let (key, recipient) = recovery_key(&home);
        let (file, label) = (text(&home, "first.age"), format!("key-{named}"));
        let label = ["--key-label", &label];
        if named {
            // One that was there before.
            let backup = ["id", "backup", "--recipient", &recipient, "-o", &file];
            let with = ["--passphrase-file", &text(&home, "passphrase")];
            home.ok(&[&with[..], &backup].concat(), b"");
            let how = ["--backup", &file, "--identity-file", &key];
            migrates(&home, &[&to_token()[..], &label, &how].concat());
        } else {
            let how = ["--recipient", &recipient, "-o", &file];
            migrates(&home, &[&to_token()[..], &label, &how].concat());
        }
        let whole = std::fs::read(&file).unwrap();
        std::fs::write(&file, &whole[..whole.len() - 1]).unwrap();
        let before = tree(&home);
        let refused = migrate(&home, &["--finish", "--yes"]);
        assert_eq!(refused.code, 1, "{}", refused.err);
        for part in [&file, "--finish --backup FILE", "--finish --no-backup"] {
            assert!(refused.err.contains(part), "{part}: {}", refused.err);
        }
        let elsewhere = text(&home, "elsewhere.age");
        std::fs::rename(&file, &elsewhere).unwrap();
        let moved = migrate(&home, &["--finish", "--yes", "--backup", &elsewhere]);
        assert_eq!(moved.code, 1, "{}", moved.err);
        let gone = migrate(&home, &["--finish", "--yes"]);
        assert_eq!(gone.code, 1, "{}", gone.err);
        assert_eq!(tree(&home), before);
        if named {
            migrates(&home, &["--finish", "--yes", "--no-backup"]);
        } else {
            // It was put elsewhere, and is what it was.
            std::fs::write(&elsewhere, &whole).unwrap();
            migrates(&home, &["--finish", "--yes", "--backup", &elsewhere]);
        }
        signs(&home);
    }
}

/// The check and the removal are one step for whoever opens the old identity meanwhile.
#[test]
fn the_end_looks_at_the_old_identity_under_the_lock_under_which_it_removes_it() {
    let hsm = SoftHsm::with_token(TOKEN);
    let home = identity(&hsm);
    migrates(&home, &[&to_token()[..], &["--no-backup"]].concat());
    let other = text(&home, "elsewhere");
    init_in(&home, &other);
    write_private(&home.path("previous/.lock"), "");
    let lock = std::fs::File::open(home.path("previous/.lock")).unwrap();
    lock.lock().unwrap();
    std::thread::scope(|scope| {
        let ended = scope.spawn(|| migrate(&home, &["--finish", "--yes"]));
        // Long enough for all that it does before it has to wait.
        let start = std::time::Instant::now();
        while !ended.is_finished() && start.elapsed().as_millis() < 2500 {
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        let theirs = std::path::Path::new(&other).join("identity.json");
        write_private(
            &home.path("previous/identity.json"),
            &std::fs::read_to_string(theirs).unwrap(),
        );
        drop(lock);
        let ended = ended.join().unwrap();
        assert_eq!(ended.code, 1, "{}", ended.err);
        assert!(ended.err.contains("the identity that is there is"), "{}", ended.err);
    });
    assert!(home.path("previous/identity.age").exists());
    assert_eq!(status(&home)["state"], "switched");
}
