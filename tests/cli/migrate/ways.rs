//! From a file into a device: what is so afterwards, what is undone, and how it ends.

use super::*;

/// What holds after each way, and how it is backed up and restored.
fn is_whole_in_its_device(home: &Home, old: &str, file: &std::path::Path) {
    signs(home);
    old_signs(home);
    decrypts(home, file);
    let (new, pin) = (did(home), text(home, "pin"));
    // Peers who know the old DID are led to the new one.
    let chain = text(home, "chain.json");
    home.ok(&["--pin-file", &pin, "id", "rotation", "show", "-o", &chain], b"");
    let verify = ["id", "rotation", "verify", &chain, "--from", old, "--expect", &new];
    home.ok(&verify, b"");
    let shown = home.show();
    assert_eq!(shown["migration"]["state"], "switched");
    assert_eq!(shown["migration"]["from_did"], old);
    // A backup of the result, in a home of its own.
    let (key, recipient) = recovery_key(home);
    let backup = text(home, "backup-of-new.age");
    let words = ["id", "backup", "--recipient", &recipient, "-o", &backup, "--verify-with", &key];
    home.ok(&[&["--pin-file", &pin][..], &words].concat(), b"");
    let restored = text(home, "restored");
    let mut words = vec!["--home", &restored, "--pin-file", &pin, "id", "restore", &backup];
    words.extend(["--identity-file", &key, "--did", &new]);
    if shown["backend"] == "pkcs11" {
        words.extend(["--module", module()]);
    }
    home.ok(&words, b"");
    home.ok(&["--home", &restored, "--pin-file", &pin, "sign"], b"hello");
}

#[test]
fn a_file_moves_into_a_token_and_peers_and_files_come_along() {
    let hsm = SoftHsm::with_token(TOKEN);
    let home = identity(&hsm);
    let (old, file) = (did(&home), encrypted(&home));
    let (key, recipient) = recovery_key(&home);
    let backup = text(&home, "backup.age");
    let first = ["--recipient", &recipient, "-o", &backup, "--identity-file", &key];
    let told = migrates(&home, &[&to_token()[..], &first].concat());
    assert!(told.contains("in a token now: hardware"), "{told}");
    assert!(told.contains("--finish") && told.contains("--roll-back"), "{told}");
    is_whole_in_its_device(&home, &old, &file);
    // The backup that was made first is the old one's.
    let check = ["id", "restore", &backup, "--identity-file", &key, "--did", &old, "--check"];
    home.ok(&check, b"");
    // Asked once more, it is done.
    let again = migrates(&home, &[&to_token()[..], &["--no-backup"]].concat());
    assert!(again.contains(&did(&home)), "{again}");

    let finished = migrates(&home, &["--finish", "--yes"]);
    for words in ["still sign", "an SSD forgets nothing for certain", &old] {
        assert!(finished.contains(words), "{finished}");
    }
    assert!(!home.path("previous").exists() && !home.path("migration").exists());
    assert!(status(&home).is_null());
    signs(&home);
    decrypts(&home, &file);
    assert_eq!(ids(&hsm), 3);
}

#[test]
fn a_file_moves_into_a_token_by_p256() {
    let hsm = SoftHsm::with_token(TOKEN);
    let home = identity(&hsm);
    let (old, file) = (did(&home), encrypted(&home));
    migrates(&home, &[&to_token()[..], &["--algorithm", "p256", "--no-backup"]].concat());
    assert_eq!(home.show()["provenance"], "hardware");
    is_whole_in_its_device(&home, &old, &file);
    migrates(&home, &["--finish", "--yes"]);
    signs(&home);
    decrypts(&home, &file);
}

#[test]
fn a_file_moves_into_a_tpm_by_each_algorithm() {
    for (algorithm, provenance) in [("ed25519", "tpm-sealed"), ("p256", "hardware")] {
        let (hsm, tpm) = (SoftHsm::new(), Swtpm::start());
        let home = identity(&hsm);
        let (old, file) = (did(&home), encrypted(&home));
        let device = tpm.tcti();
        let how = ["--algorithm", algorithm, "--no-backup"];
        migrates(&home, &[&to_tpm(&device)[..], &how].concat());
        assert_eq!(home.show()["provenance"], provenance);
        is_whole_in_its_device(&home, &old, &file);
        migrates(&home, &["--finish", "--yes"]);
        signs(&home);
        assert_eq!(tpm.transients(), 0);
    }
}

#[test]
fn the_plan_and_the_status_use_no_credential_and_change_nothing() {
    let hsm = SoftHsm::with_token(TOKEN);
    let home = hsm.home();
    write_private(&home.beside("passphrase"), PASSPHRASE);
    home.ok(&["--passphrase-file", &text(&home, "passphrase"), "id", "init"], b"");
    let before = tree(&home);
    // No credential is to be had.
    let bare = |words: &[&str]| {
        let mut command = home.command(words);
        let ran = run(command.env_remove("ICN_PIN"), b"");
        assert_eq!(ran.code, 0, "{words:?}: {}", ran.err);
        ran.out
    };
    let plan = [&["id", "migrate"][..], &to_token(), &["--plan"]].concat();
    let text = bare(&plan);
    for words in ["a new one, which peers have to follow to", "hardware", "What is lost", "switch"]
    {
        assert!(text.contains(words), "{words}: {text}");
    }
    let json: Value =
        serde_json::from_str(&bare(&[&["--format", "json"][..], &plan].concat())).unwrap();
    assert_eq!(json["mode"], "rotate");
    assert_eq!((&json["keeps_did"], &json["copies_may_exist"]), (&false.into(), &false.into()));
    assert_eq!((&json["from"], &json["to"]), (&"age".into(), &"pkcs11".into()));
    let steps: Vec<_> =
        json["steps"].as_array().unwrap().iter().map(|step| &step["name"]).collect();
    assert_eq!(steps, ["backup", "make", "prove", "state", "switch", "finish"]);
    assert!(json["lost"].as_array().unwrap().len() > 2);
    assert!(bare(&["id", "migrate", "--status"]).contains("No migration is under way"));
    assert_eq!(tree(&home), before);
    assert_eq!(hsm.objects(TOKEN).trim(), "");
}

#[test]
fn a_migration_is_rolled_back_before_and_after_the_switch() {
    let hsm = SoftHsm::with_token(TOKEN);
    let home = identity(&hsm);
    let old = did(&home);
    let identity_files = |home: &Home| {
        ["identity.json", "identity.age"].map(|name| std::fs::read(home.path(name)).unwrap())
    };
    let before = identity_files(&home);
    // Cut off: the PIN of the new process is not its own.
    write_private(&home.beside("pin"), "86429731");
    let cut = migrate(&home, &[&to_token()[..], &["--no-backup"]].concat());
    assert_eq!(cut.code, 77, "{}", cut.err);
    assert_eq!(status(&home)["state"], "backed-up");
    let undone = migrates(&home, &["--roll-back"]);
    assert!(undone.contains(&old), "{undone}");
    assert!(status(&home).is_null());
    assert_eq!(identity_files(&home), before);
    assert_eq!(ids(&hsm), 0);

    write_private(&home.beside("pin"), PIN);
    migrates(&home, &[&to_token()[..], &["--no-backup"]].concat());
    assert_ne!(did(&home), old);
    // It is in use, and nobody has said yes.
    let mut command = Command::new("setsid");
    let asked = home.command(&["id", "migrate", "--roll-back"]);
    command.arg("--wait").arg(asked.get_program()).args(asked.get_args());
    for (name, value) in asked.get_envs() {
        value.map(|value| command.env(name, value));
    }
    let asked = run(&mut command, b"");
    assert_eq!(asked.code, 1, "{}", asked.err);
    assert!(asked.err.contains("give --yes"), "{}", asked.err);
    assert_eq!(status(&home)["state"], "switched");

    let undone = migrates(&home, &["--roll-back", "--yes"]);
    assert!(undone.contains("do not come back by themselves"), "{undone}");
    assert_eq!(did(&home), old);
    assert_eq!(identity_files(&home), before);
    assert_eq!(ids(&hsm), 0);
    assert!(!home.path("previous").exists() && !home.path("migration").exists());
    home.ok(&["--passphrase-file", &text(&home, "passphrase"), "sign"], b"hello");
    // Whoever has seen the statement would see a fork.
    let again = migrate(&home, &[&to_token()[..], &["--no-backup"]].concat());
    assert_eq!(again.code, 1);
    assert!(again.err.contains("has handed over to"), "{}", again.err);
    migrates(&home, &[&to_token()[..], &["--no-backup", "--again"]].concat());
}

#[test]
fn a_configuration_elsewhere_is_changed_where_it_lies_and_keeps_what_is_not_ours() {
    let hsm = SoftHsm::with_token(TOKEN);
    let home = identity(&hsm);
    let config = text(&home, "elsewhere.toml");
    let ours = format!("{}\n# of another program\n[network]\nport = 1\n", home.read("icn.toml"));
    std::fs::remove_file(home.path("icn.toml")).unwrap();
    write_private(&home.beside("elsewhere.toml"), &ours);
    let (passphrase, pin) = (text(&home, "passphrase"), text(&home, "pin"));
    let with = [
        "--config",
        &config,
        "--passphrase-file",
        &passphrase,
        "--pin-file",
        &pin,
        "id",
        "migrate",
    ];
    home.ok(&[&with[..], &to_token(), &["--no-backup"]].concat(), b"");
    let now = std::fs::read_to_string(home.beside("elsewhere.toml")).unwrap();
    assert!(now.contains("backend = \"pkcs11\""), "{now}");
    assert!(now.contains("# of another program\n[network]\nport = 1\n"), "{now}");
    assert!(!home.path("icn.toml").exists());
    home.ok(&["--config", &config, "--pin-file", &pin, "sign"], b"hello");
    home.ok(&[&with[..], &["--roll-back", "--yes"]].concat(), b"");
    let now = std::fs::read_to_string(home.beside("elsewhere.toml")).unwrap();
    assert!(now.contains("backend = \"age\"") && now.contains("port = 1"), "{now}");
    home.ok(&["--config", &config, "--passphrase-file", &passphrase, "sign"], b"hello");
}
