//! What is not possible, what other commands say meanwhile, and what fails.

use super::*;

/// Cut off where the new key is to be made: its PIN is wrong.
fn cut_off(home: &Home) {
    write_private(&home.beside("pin"), "86429731");
    let cut = migrate(home, &[&to_token()[..], &["--no-backup"]].concat());
    assert_eq!(cut.code, 77, "{}", cut.err);
    write_private(&home.beside("pin"), PIN);
}

#[test]
fn commands_that_change_the_identity_refuse_while_it_is_being_moved_and_name_both_ways_out() {
    let hsm = SoftHsm::with_token(TOKEN);
    let home = identity(&hsm);
    cut_off(&home);
    let passphrase = text(&home, "passphrase");
    let other = text(&home, "elsewhere");
    init_in(&home, &other);
    let before = tree(&home);
    let rotate = ["id", "rotation", "create", "--successor", &other, "--reason", "upgrade"];
    // None of them asks for a credential: there is none.
    let commands: [&[&str]; 6] = [
        &["id", "renew"],
        &["id", "change-passphrase"],
        &rotate,
        &[
            "id",
            "decryption-key",
            "remove",
            "did:key:z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK",
        ],
        &["id", "init"],
        &["id", "import", &passphrase],
    ];
    for command in commands {
        let ways = ["icnctl id migrate", "--roll-back", "is being moved to pkcs11"];
        home.fails(command, b"", &ways);
    }
    let shown = home.ok(&["id", "show"], b"");
    assert!(shown.contains("A MIGRATION to a token (rotate) is under way"), "{shown}");
    assert_eq!(home.show()["migration"]["state"], "backed-up");
    assert_eq!(tree(&home), before);
    // The old one signs; and without any options it is gone on with.
    home.ok(&["--passphrase-file", &passphrase, "sign"], b"hello");
    migrates(&home, &[]);
    // In use, it is renewed, also while the old one is kept; but not rotated once more.
    home.ok(&["--pin-file", &text(&home, "pin"), "id", "renew"], b"");
    home.fails(&rotate, b"", &["--finish", "--roll-back"]);
}

#[test]
fn a_wrong_pin_is_sent_once_and_the_old_identity_is_as_it_was() {
    let hsm = SoftHsm::with_token(TOKEN);
    let home = identity(&hsm);
    let module = hsm.fault_module();
    let to = ["--to", "pkcs11", "--module", &module, "--token", TOKEN, "--no-backup"];
    write_private(&home.beside("pin"), "86429731");
    let wrong = migrate(&home, &to);
    assert_eq!((wrong.code, hsm.count("C_Login")), (77, 1), "{}", wrong.err);
    assert!(wrong.err.contains("token node-1 refused the PIN"), "{}", wrong.err);
    let again = migrate(&home, &to);
    assert_eq!((again.code, hsm.count("C_Login")), (77, 1), "{}", again.err);
    assert!(again.err.contains("was not sent again"), "{}", again.err);
    home.ok(&["--passphrase-file", &text(&home, "passphrase"), "sign"], b"hello");
    write_private(&home.beside("pin"), PIN);
    migrates(&home, &to);
    signs(&home);
}

#[test]
fn a_locked_token_or_one_that_is_away_is_said_before_anything_is_asked() {
    let hsm = SoftHsm::with_token(TOKEN);
    let home = identity(&hsm);
    let module = hsm.fault_module();
    let to = ["--to", "pkcs11", "--module", &module, "--token", TOKEN, "--no-backup"];
    let before = tree(&home);
    hsm.script("token removed\n");
    let away = migrate(&home, &to);
    assert_eq!(away.code, 1, "{}", away.err);
    assert!(away.err.contains("try: "), "{}", away.err);
    assert_eq!(tree(&home), before);
    hsm.script("flag pin-locked\n");
    let locked = migrate(&home, &to);
    assert_eq!((locked.code, hsm.count("C_Login")), (77, 0), "{}", locked.err);
    home.ok(&["--passphrase-file", &text(&home, "passphrase"), "sign"], b"hello");
    hsm.script("");
    migrates(&home, &to);
    signs(&home);
}

/// At each call that has to do with the new key, the token is pulled or full.
#[test]
fn a_token_that_fails_at_any_call_leaves_the_old_identity_and_no_key_that_nothing_names() {
    let hsm = SoftHsm::with_token(TOKEN);
    let module = hsm.fault_module();
    for rule in [
        "on C_GenerateKeyPair 1 return CKR_DEVICE_MEMORY",
        "on C_GenerateKey 1 return CKR_DEVICE_MEMORY",
        "on C_GenerateKeyPair 1 after CKR_DEVICE_REMOVED",
        "on C_Sign 1 return CKR_DEVICE_REMOVED",
        "on C_Sign 1 remove-token",
    ] {
        let home = identity(&hsm);
        let old = did(&home);
        let to = ["--to", "pkcs11", "--module", &module, "--token", TOKEN, "--no-backup"];
        hsm.script(&format!("{rule}\n"));
        let failed = migrate(&home, &to);
        if failed.code == 0 {
            // A token that takes no AES key keeps its storage key in another way, and one that
            // was lost is opened again.
            assert!(
                ["C_GenerateKey ", "return CKR_DEVICE_REMOVED"]
                    .iter()
                    .any(|one| rule.contains(one)),
                "{rule}"
            );
        } else {
            assert_eq!(failed.code, 1, "{rule}: {}", failed.err);
            assert!(failed.err.contains("try: "), "{rule}: {}", failed.err);
            hsm.script("");
            assert_eq!(did(&home), old, "{rule}");
            home.ok(&["--passphrase-file", &text(&home, "passphrase"), "sign"], b"hello");
        }
        hsm.script("");
        migrates(&home, &["--roll-back", "--yes"]);
        assert_eq!(did(&home), old, "{rule}");
        assert_eq!(ids(&hsm), 0, "{rule}");
    }
}

#[test]
fn what_no_device_can_do_is_said_by_the_plan() {
    let (hsm, tpm) = (SoftHsm::with_token(TOKEN), Swtpm::start());
    let home = identity(&hsm);
    let device = tpm.tcti();
    let p256 = ["--mode", "import", "--algorithm", "p256", "--plan"];
    let refused = migrate(&home, &[&to_tpm(&device)[..], &p256].concat());
    assert_eq!(refused.code, 1);
    assert!(refused.err.contains("cannot be written into it"), "{}", refused.err);
    migrates(&home, &[&to_token()[..], &["--no-backup"]].concat());
    migrates(&home, &["--finish", "--yes"]);
    let import = ["--mode", "import", "--plan"];
    let refused = migrate(&home, &[&to_tpm(&device)[..], &import].concat());
    assert_eq!(refused.code, 1);
    assert!(refused.err.contains("no device gives a key out"), "{}", refused.err);
    // Nothing is under way, and nothing is said of a backup.
    let none = migrate(&home, &["--finish", "--yes"]);
    assert!(none.code == 1 && none.err.contains("is under way"), "{}", none.err);
    let unsaid = migrate(&home, &to_tpm(&device));
    assert!(unsaid.code == 2 && unsaid.err.contains("--no-backup"), "{}", unsaid.err);
    assert!(status(&home).is_null());
}

#[test]
fn a_backup_that_does_not_open_or_is_anothers_is_refused_before_anything_is_done() {
    let hsm = SoftHsm::with_token(TOKEN);
    let (home, other) = (identity(&hsm), identity(&hsm));
    let (key, recipient) = recovery_key(&home);
    let before = tree(&home);
    let theirs = text(&other, "backup.age");
    let backup = ["id", "backup", "--recipient", &recipient, "-o", &theirs];
    other.ok(&[&["--passphrase-file", &text(&other, "passphrase")][..], &backup].concat(), b"");
    let file = |file: &str, key: &str| {
        let named = ["--backup", file, "--identity-file", key].map(str::to_owned);
        let named: Vec<&str> = named.iter().map(String::as_str).collect();
        migrate(&home, &[&to_token()[..], &named].concat())
    };
    // What is missing is named, and nothing else.
    let unopened = migrate(&home, &[&to_token()[..], &["--backup", &theirs]].concat());
    assert_eq!(unopened.code, 2, "{}", unopened.err);
    assert!(unopened.err.contains("--identity-file KEYFILE"), "{}", unopened.err);
    assert!(!unopened.err.contains("nothing is said of a backup"), "{}", unopened.err);
    let refused = file(&theirs, &key);
    assert!(refused.code == 1 && refused.err.contains("try: "), "{}", refused.err);
    write_private(&home.beside("broken.age"), "age-encryption.org/v1\nbroken");
    let refused = file(&text(&home, "broken.age"), &key);
    assert!(refused.code == 1 && refused.err.contains("try: "), "{}", refused.err);
    let (other_key, _) = recovery_key(&other);
    let ours = text(&home, "ours.age");
    let backup = ["id", "backup", "--recipient", &recipient, "-o", &ours];
    home.ok(&[&["--passphrase-file", &text(&home, "passphrase")][..], &backup].concat(), b"");
    let refused = file(&ours, &other_key);
    assert!(refused.code == 1 && refused.err.contains("try: "), "{}", refused.err);
    // Nor is another file in the place of the one that is to be written.
    let over = ["--recipient", &recipient, "-o", &ours];
    let refused = migrate(&home, &[&to_token()[..], &over].concat());
    assert!(refused.code == 1 && refused.err.contains("already"), "{}", refused.err);
    assert_eq!((tree(&home), ids(&hsm)), (before, 0));
    let done = file(&ours, &key);
    assert_eq!(done.code, 0, "{}", done.err);
    signs(&home);
}

#[test]
fn a_journal_of_a_newer_version_is_refused_by_name_and_something_else_is_not_done() {
    let hsm = SoftHsm::with_token(TOKEN);
    let home = identity(&hsm);
    cut_off(&home);
    let tpm = ["--to", "tpm", "--device", "swtpm:host=127.0.0.1,port=9", "--no-backup"];
    let other = migrate(&home, &tpm);
    assert!(other.code == 1 && other.err.contains("pkcs11, and tpm is asked for"), "{}", other.err);
    let journal = home.read("migration.json");
    home.write("migration.json", &journal.replace("\"version\": 1", "\"version\": 2"));
    let sign = ["--passphrase-file", &text(&home, "passphrase"), "sign"];
    home.fails(&sign, b"hello", &["migration.json", "2"]);
    home.write("migration.json", &journal);
    home.ok(&sign, b"hello");
    migrates(&home, &["--roll-back"]);
}

/// What the process that proves the key is told: by a pipe, and by nothing else.
#[test]
fn the_process_that_proves_the_key_has_no_secret_in_its_arguments_or_environment() {
    let hsm = SoftHsm::with_token(TOKEN);
    let home = identity(&hsm);
    let log = text(&home, "log");
    let (passphrase, pin) = (text(&home, "passphrase"), text(&home, "pin"));
    let words = ["--passphrase-file", &passphrase, "--pin-file", &pin, "id", "migrate"];
    let inner = home.command(&[&words[..], &to_token(), &["--no-backup"]].concat());
    let mut strace = Command::new("strace");
    strace.args(["-f", "-v", "-s", "100000", "-e", "trace=execve,openat,write", "-o", &log]);
    strace.arg(inner.get_program()).args(inner.get_args()).env_clear();
    for (name, value) in inner.get_envs().filter(|(name, _)| *name != "PKCS11_FAULT_PIN") {
        value.map(|value| strace.env(name, value));
    }
    // The parent has it there; the child does not.
    strace.env("ICN_PIN", PIN);
    let ran = run(&mut strace, b"");
    assert_eq!(ran.code, 0, "{}", ran.err);
    let log = std::fs::read_to_string(log).unwrap();
    let started: Vec<_> = log.lines().filter(|line| line.contains("execve(")).collect();
    assert_eq!(started.len(), 2, "{started:#?}");
    assert!(started[1].contains("prove-staged"), "{}", started[1]);
    for secret in [PIN, PASSPHRASE] {
        assert!(!started[1].contains(secret), "{}", started[1]);
        // Into one pipe, and no file.
        let written: Vec<_> =
            log.lines().filter(|line| line.contains("write(") && line.contains(secret)).collect();
        assert_eq!(written.len(), usize::from(secret == PIN), "{written:#?}");
    }
    for (path, bytes) in tree(&home) {
        let found = |secret: &str| bytes.windows(secret.len()).any(|at| at == secret.as_bytes());
        assert!(!found(PIN) && !found(PASSPHRASE), "{path}");
    }
}

#[test]
fn two_at_the_same_time_make_one_new_identity() {
    let hsm = SoftHsm::with_token(TOKEN);
    let home = identity(&hsm);
    let codes: Vec<i32> = std::thread::scope(|scope| {
        let both = [(); 2].map(|()| {
            scope.spawn(|| migrate(&home, &[&to_token()[..], &["--no-backup"]].concat()))
        });
        both.map(|one| one.join().unwrap().code).into()
    });
    assert!(codes.contains(&0), "{codes:?}");
    assert_eq!(ids(&hsm), 3);
    signs(&home);
    old_signs(&home);
}

#[test]
fn a_tpm_that_is_cleared_between_two_steps_leaves_the_old_identity() {
    for mode in ["rotate", "import"] {
        let (hsm, tpm) = (SoftHsm::new(), Swtpm::start());
        let home = identity(&hsm);
        let (old, device) = (did(&home), tpm.tcti());
        let (passphrase, pin) = (text(&home, "passphrase"), text(&home, "pin"));
        // Cut off when the new key is made, and its process is waited for.
        let to = [&to_tpm(&device)[..], &["--no-backup", "--mode", mode]].concat();
        let words = ["--passphrase-file", &passphrase, "--pin-file", &pin, "id", "migrate"];
        let inner = home.command(&[&words[..], &to].concat());
        let mut strace = Command::new("strace");
        strace.args(["-e", "trace=wait4", "-e", "inject=wait4:signal=SIGKILL:when=1"]);
        strace.arg(inner.get_program()).args(inner.get_args()).env_clear();
        for (name, value) in inner.get_envs() {
            value.map(|value| strace.env(name, value));
        }
        let cut = run(&mut strace, b"");
        assert_ne!(cut.code, 0, "{}", cut.err);
        assert_eq!(status(&home)["state"], "made", "{}", cut.err);
        tpm.clear();
        let failed = migrate(&home, &to);
        assert_eq!(failed.code, 1, "{}", failed.err);
        assert!(failed.err.contains("try: "), "{}", failed.err);
        home.ok(&["--passphrase-file", &passphrase, "sign"], b"hello");
        migrates(&home, &["--roll-back"]);
        assert_eq!(did(&home), old);
        migrates(&home, &to);
        signs(&home);
    }
}

fn by_the_clock(home: &Home, time: &str, words: &[&str]) -> Ran {
    let inner = home.command(words);
    let mut faketime = Command::new("faketime");
    faketime.args(["-f", time]).arg(inner.get_program()).args(inner.get_args()).env_clear();
    for (name, value) in inner.get_envs() {
        value.map(|value| faketime.env(name, value));
    }
    run(&mut faketime, b"")
}

#[test]
fn a_clock_that_was_never_set_is_said_before_anything_is_done_and_one_ahead_leaves_no_trap() {
    let hsm = SoftHsm::with_token(TOKEN);
    let home = identity(&hsm);
    let (passphrase, pin) = (text(&home, "passphrase"), text(&home, "pin"));
    let words = ["--passphrase-file", &passphrase, "--pin-file", &pin, "id", "migrate"];
    let words = [&words[..], &to_token(), &["--no-backup"]].concat();
    let before = tree(&home);
    let never_set = by_the_clock(&home, "@1970-01-02 00:00:00", &words);
    assert_eq!(never_set.code, 1, "{}", never_set.err);
    assert!(never_set.err.contains("clock"), "{}", never_set.err);
    assert_eq!((tree(&home), ids(&hsm)), (before, 0));
    let ahead = by_the_clock(&home, "+400d", &words);
    assert_eq!(ahead.code, 0, "{}", ahead.err);
    // By the right clock it signs, is renewed, and can be undone.
    signs(&home);
    home.ok(&["--pin-file", &pin, "id", "renew"], b"");
    migrates(&home, &["--roll-back", "--yes"]);
    home.ok(&["--passphrase-file", &passphrase, "sign"], b"hello");
}

/// Where the configuration is elsewhere, whoever can write to the directory alone does not
/// change whose identity is in use, nor which library is loaded.
#[test]
fn a_forged_journal_does_not_change_a_configuration_that_is_elsewhere() {
    let hsm = SoftHsm::new();
    let home = identity(&hsm);
    let (config, passphrase) = (text(&home, "elsewhere.toml"), text(&home, "passphrase"));
    std::fs::rename(home.path("icn.toml"), &config).unwrap();
    let old = std::fs::read_to_string(&config).unwrap();
    let theirs = text(&home, "theirs");
    init_in(&home, &theirs);
    std::fs::rename(&theirs, home.path("migration")).unwrap();
    let header = home.read("migration/identity.json");
    let header: Value = serde_json::from_str(&header).unwrap();
    let ours: Value = serde_json::from_str(&home.read("identity.json")).unwrap();
    for state in ["switching", "returning"] {
        let forged = serde_json::json!({
            "format": "icn-identity-migration", "version": 1, "mode": "rotate", "state": state,
            "begun": 1, "from": { "backend": "age", "did": ours["did"] },
            "to": { "backend": "age", "did": header["did"] }, "algorithm": "ed25519",
            "config": config,
        });
        home.write("migration.json", &forged.to_string());
        let signed =
            home.icnctl(&["--config", &config, "--passphrase-file", &passphrase, "sign"], b"hello");
        // As ours, or not at all.
        assert_eq!(std::fs::read_to_string(&config).unwrap(), old, "{state}");
        match state {
            "switching" => assert_eq!(signed.code, 0, "{}", signed.err),
            _ => assert!(signed.code == 0 || signed.err.contains("try: "), "{}", signed.err),
        }
    }
}

/// Said before anything is asked, and nothing is there of a move afterwards.
#[test]
fn a_backup_that_cannot_be_written_where_it_is_to_be_is_refused_before_anything_is_done() {
    let hsm = SoftHsm::with_token(TOKEN);
    let home = identity(&hsm);
    let (_, recipient) = recovery_key(&home);
    let before = tree(&home);
    let inside = "in the place of the migration's own files";
    let in_home = |name: &str| home.path(name).to_str().unwrap().to_owned();
    std::os::unix::fs::symlink(home.path(""), home.beside("link")).unwrap();
    for (output, words) in [
        (in_home("migration/b.age"), inside),
        (in_home("previous/b.age"), inside),
        (in_home("migration"), inside),
        (in_home("migration.json"), inside),
        (in_home("refused.json"), inside),
        (text(&home, "link/migration/b.age"), inside),
        (text(&home, "nowhere/b.age"), "no file can be made in"),
        (text(&home, "pin/b.age"), "no file can be made in"),
        (text(&home, "pin"), "already exists"),
    ] {
        let to = [&["id", "migrate"][..], &to_token(), &["--recipient", &recipient, "-o", &output]];
        for plan in [&[][..], &["--plan"]] {
            // No credential is to be had.
            let refused = home.icnctl(&[&to.concat()[..], plan].concat(), b"");
            assert_eq!(refused.code, 1, "{output}: {} {}", refused.out, refused.err);
            assert!(refused.err.contains(words), "{output}: {}", refused.err);
            assert_eq!(tree(&home), before, "{output}");
        }
    }
    let nowhere = text(&home, "nowhere/b.age");
    let backup = ["id", "backup", "--recipient", &recipient, "-o", &nowhere];
    home.fails(&backup, b"", &["no file can be made in", "nowhere"]);
    // Nor is another one named meanwhile.
    ends::killed_when_made(&home, &[&to_token()[..], &["--no-backup"]].concat());
    migrates(&home, &[]);
    signs(&home);
}
