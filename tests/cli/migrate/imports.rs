//! The same DID, with the key written into the device; also from an older keystore in one go.

use super::*;

/// What holds after each: the same DID, a key that may have copies, and that it signs.
fn is_the_same_in_its_device(home: &Home, old: &str, provenance: &str, file: &std::path::Path) {
    let shown = home.show();
    assert_eq!((shown["did"].as_str(), &shown["provenance"]), (Some(old), &provenance.into()));
    assert!(shown["in_file_until"].as_str().unwrap().starts_with("20"), "{shown}");
    assert!(shown["handed_over"].is_null());
    let text = home.ok(&["id", "show"], b"");
    assert!(text.contains("copies may exist, which sign as this DID"), "{text}");
    signs(home);
    old_signs(home);
    decrypts(home, file);
}

/// A backup of the result says the same of the key.
fn is_backed_up_and_restored(home: &Home, old: &str) {
    let ((key, recipient), pin) = (recovery_key(home), text(home, "pin"));
    let backup = text(home, "backup-of-new.age");
    let words = ["id", "backup", "--recipient", &recipient, "-o", &backup, "--verify-with", &key];
    home.ok(&[&["--pin-file", &pin][..], &words].concat(), b"");
    let restored = text(home, "restored");
    let mut words = vec!["--home", &restored, "--pin-file", &pin, "id", "restore", &backup];
    words.extend(["--identity-file", &key, "--did", old]);
    if home.show()["backend"] == "pkcs11" {
        words.extend(["--module", module()]);
    }
    home.ok(&words, b"");
    let shown = home.ok(&["--home", &restored, "--format", "json", "id", "show"], b"");
    let shown: Value = serde_json::from_str(&shown).unwrap();
    assert_eq!(shown["in_file_until"], home.show()["in_file_until"]);
}

#[test]
fn a_file_is_imported_into_a_token_with_its_did_and_may_have_copies_for_ever() {
    let hsm = SoftHsm::with_token(TOKEN);
    let home = identity(&hsm);
    let (old, file) = (did(&home), encrypted(&home));
    let how = [&to_token()[..], &["--mode", "import"]].concat();
    let plan = home.ok(&[&["--format", "json", "id", "migrate", "--plan"][..], &how].concat(), b"");
    let plan: Value = serde_json::from_str(&plan).unwrap();
    assert_eq!((&plan["keeps_did"], &plan["copies_may_exist"]), (&true.into(), &true.into()));
    assert_eq!(plan["provenance"], serde_json::json!(["device-held"]));
    assert_eq!(ids(&hsm), 0);
    let told = migrates(&home, &[&how[..], &["--no-backup"]].concat());
    assert!(told.contains("It is the same DID") && told.contains("copies of it"), "{told}");
    is_the_same_in_its_device(&home, &old, "device-held", &file);
    is_backed_up_and_restored(&home, &old);
    migrates(&home, &["--finish", "--yes"]);
    signs(&home);
    assert_eq!((did(&home), ids(&hsm)), (old, 3));
    assert!(home.show()["in_file_until"].is_string());
}

/// Around the key on the token, in a home that knows nothing of the move.
#[test]
fn an_identity_that_is_made_anew_around_an_imported_key_says_that_it_was_in_a_file() {
    let hsm = SoftHsm::with_token(TOKEN);
    let home = identity(&hsm);
    migrates(&home, &[&to_token()[..], &["--mode", "import", "--no-backup"]].concat());
    migrates(&home, &["--finish", "--yes"]);
    let (until, old) = (home.show()["in_file_until"].clone(), did(&home));
    let key = format!("pkcs11:token={TOKEN};object=icn-identity");
    let (there, pin) = (text(&home, "elsewhere"), text(&home, "pin"));
    let init = ["--home", &there, "--key", &key, "--pin-file", &pin, "id", "init"];
    let told = home.ok(&[&init[..], &["--module", module()]].concat(), b"");
    assert!(told.contains(&old) && told.contains("copies may exist"), "{told}");
    let shown = home.ok(&["--home", &there, "--format", "json", "id", "show"], b"");
    let shown: Value = serde_json::from_str(&shown).unwrap();
    assert_eq!((&shown["in_file_until"], shown["did"].as_str()), (&until, Some(&*old)));
    assert!(until.is_string());
    // Another key that was written in, of which no file tells: its token does.
    hsm.import(TOKEN, "theirs", "0badcafe");
    let (there, key) = (text(&home, "theirs"), format!("pkcs11:token={TOKEN};object=theirs"));
    let init = ["--home", &there, "--key", &key, "--pin-file", &pin, "id", "init"];
    home.ok(&[&init[..], &["--module", module()]].concat(), b"");
    let shown = home.ok(&["--home", &there, "id", "show"], b"");
    assert!(shown.contains("written into the token, not born there: copies may exist"), "{shown}");
}

/// Found again under another name, moved away from, and come back to.
#[test]
fn an_imported_key_is_known_after_a_relocation_and_a_move_away_and_back() {
    let hsm = SoftHsm::with_token(TOKEN);
    let home = identity(&hsm);
    let (module, pin) = (hsm.fault_module(), text(&home, "pin"));
    let to = ["--to", "pkcs11", "--module", &module, "--token", TOKEN, "--no-backup"];
    migrates(&home, &[&to[..], &["--mode", "import"]].concat());
    migrates(&home, &["--finish", "--yes"]);
    let (until, old) = (home.show()["in_file_until"].clone(), did(&home));
    assert!(until.is_string());
    for (script, token) in [("label renamed\n", "renamed"), ("", TOKEN)] {
        hsm.script(script);
        home.ok(&["--pin-file", &pin, "id", "relocate"], b"");
        let shown = home.show();
        assert!(shown["locator"].as_str().unwrap().contains(&format!("token={token};")), "{shown}");
        assert_eq!(shown["in_file_until"], until, "{token}");
    }
    // To a key beside it, and back.
    let beside = [&to[..], &["--key-label", "second", "--to-pin-file", &pin]].concat();
    migrates(&home, &beside);
    assert_eq!(home.show()["in_file_until"], Value::Null);
    migrates(&home, &["--roll-back", "--yes", "--to-pin-file", &pin]);
    assert_eq!((did(&home), &home.show()["in_file_until"]), (old.clone(), &until));
    // For good, but that the key is left on its token.
    migrates(&home, &[&beside[..], &["--again"]].concat());
    migrates(&home, &["--finish", "--yes", "--keep-old-key"]);
    let key = format!("pkcs11:token={TOKEN};object=icn-identity");
    let there = text(&home, "elsewhere");
    let init = ["--home", &there, "--key", &key, "--pin-file", &pin, "id", "init"];
    home.ok(&[&init[..], &["--module", &module]].concat(), b"");
    let shown = home.ok(&["--home", &there, "--format", "json", "id", "show"], b"");
    let shown: Value = serde_json::from_str(&shown).unwrap();
    assert_eq!((shown["did"].as_str(), &shown["in_file_until"]), (Some(&*old), &until));
}

#[test]
fn a_file_is_imported_into_a_tpm_with_its_did() {
    let (hsm, tpm) = (SoftHsm::new(), Swtpm::start());
    let home = identity(&hsm);
    let (old, file, device) = (did(&home), encrypted(&home), tpm.tcti());
    migrates(&home, &[&to_tpm(&device)[..], &["--mode", "import", "--no-backup"]].concat());
    is_the_same_in_its_device(&home, &old, "tpm-sealed", &file);
    is_backed_up_and_restored(&home, &old);
    migrates(&home, &["--finish", "--yes"]);
    signs(&home);
}

#[test]
fn an_import_is_rolled_back_to_the_file_and_its_key_is_removed_from_the_token() {
    let hsm = SoftHsm::with_token(TOKEN);
    let home = identity(&hsm);
    let before = ["identity.json", "identity.age"].map(|name| std::fs::read(home.path(name)));
    let before = before.map(Result::unwrap);
    migrates(&home, &[&to_token()[..], &["--mode", "import", "--no-backup"]].concat());
    migrates(&home, &["--roll-back", "--yes"]);
    let after = ["identity.json", "identity.age"].map(|name| std::fs::read(home.path(name)));
    assert_eq!((after.map(Result::unwrap), ids(&hsm)), (before, 0));
    home.ok(&["--passphrase-file", &text(&home, "passphrase"), "sign"], b"hello");
    // Nothing was stated: it is moved again, by either mode.
    migrates(&home, &[&to_token()[..], &["--no-backup"]].concat());
    signs(&home);
}

/// A module that says to have made a key that was written into it tells lies.
#[test]
fn a_module_that_claims_a_written_key_as_its_own_is_refused_and_the_old_identity_stays() {
    let hsm = SoftHsm::with_token(TOKEN);
    let home = identity(&hsm);
    let (old, module) = (did(&home), hsm.fault_module());
    hsm.script("say CKA_LOCAL true\n");
    let to = ["--to", "pkcs11", "--module", &module, "--token", TOKEN];
    let refused = migrate(&home, &[&to[..], &["--mode", "import", "--no-backup"]].concat());
    assert_eq!(refused.code, 1);
    assert!(refused.err.contains("CKA_LOCAL is true"), "{}", refused.err);
    assert_eq!((did(&home), ids(&hsm)), (old, 0));
    home.ok(&["--passphrase-file", &text(&home, "passphrase"), "sign"], b"hello");
    hsm.script("");
    migrates(&home, &["--roll-back"]);
}

#[test]
fn an_older_keystore_moves_into_a_token_in_one_go() {
    let hsm = || SoftHsm::with_token(TOKEN);
    older_keystores_move(hsm, |_| to_token().into_iter().map(str::to_owned).collect());
}

#[test]
fn an_older_keystore_moves_into_a_tpm_in_one_go() {
    older_keystores_move(SoftHsm::new, |tpm| {
        to_tpm(&tpm.tcti()).into_iter().map(str::to_owned).collect()
    });
}

/// The oldest and the newest of them, by each mode.
fn older_keystores_move(hsm: impl Fn() -> SoftHsm, to: impl Fn(&Swtpm) -> Vec<String>) {
    for (version, mode) in [("v1", "import"), ("v4", "import"), ("v1", "rotate"), ("v4", "rotate")]
    {
        let (hsm, tpm) = (hsm(), Swtpm::start());
        let to = to(&tpm);
        let to: Vec<&str> = to.iter().map(String::as_str).collect();
        let home = hsm.home();
        home.write("icn.toml", &format!("{FAST}[identity.tpm]\npin_work_factor = 10\n"));
        write_private(&home.beside("passphrase"), "an old passphrase");
        write_private(&home.beside("pin"), PIN);
        let keystore = home.beside("old.age");
        let fixture = format!("{}/tests/fixtures/legacy/{version}.age", env!("CARGO_MANIFEST_DIR"));
        std::fs::copy(fixture, &keystore).unwrap();
        run(Command::new("chmod").arg("600").arg(&keystore), b"");
        let before = std::fs::read(&keystore).unwrap();
        let from = ["--from-keystore", keystore.to_str().unwrap(), "--mode", mode, "--no-backup"];
        migrates(&home, &[&to[..], &from].concat());
        signs(&home);
        let shown = home.show();
        assert_eq!(shown["in_file_until"].is_string(), mode == "import", "{version}");
        let status = status(&home);
        assert_eq!(status["from_did"] == status["to_did"], mode == "import", "{version}");
        assert_eq!(std::fs::read(&keystore).unwrap(), before);
        // Once more, it is done.
        migrates(&home, &[&to[..], &from].concat());
        migrates(&home, &["--finish", "--yes"]);
        signs(&home);
        if to.contains(&"pkcs11") {
            assert_eq!(ids(&hsm), 3);
        }
    }
}

/// What becomes of a device says nothing of the file that its key was in.
#[test]
fn the_end_of_a_move_of_an_imported_key_says_that_copies_of_its_file_still_sign() {
    let (hsm, tpm) = (SoftHsm::with_token(TOKEN), Swtpm::start());
    let home = identity(&hsm);
    migrates(&home, &[&to_token()[..], &["--mode", "import", "--no-backup"]].concat());
    let first = migrates(&home, &["--finish", "--yes"]);
    assert!(first.contains("Backups and copies of it still sign"), "{first}");
    let device = tpm.tcti();
    migrates(&home, &[&to_tpm(&device)[..], &["--no-backup", "--no-pin"]].concat());
    let second = migrates(&home, &["--finish", "--yes"]);
    assert!(second.contains("Its key was in a file until 20"), "{second}");
    assert!(second.contains("copies and backups of that file still sign"), "{second}");
}
