//! From one device to another: a new key each time, and the old one is destroyed at the end.

use super::*;

#[test]
fn a_token_hands_over_to_a_tpm_and_back() {
    let (hsm, tpm) = (SoftHsm::with_token(TOKEN), Swtpm::start());
    let home = identity(&hsm);
    migrates(&home, &[&to_token()[..], &["--no-backup"]].concat());
    migrates(&home, &["--finish", "--yes"]);
    let (first, file) = (did(&home), encrypted(&home));
    assert_eq!(ids(&hsm), 3);

    // The PIN of each has a source of its own.
    write_private(&home.beside("tpm-pin"), "another-pin");
    let (device, tpm_pin) = (tpm.tcti(), text(&home, "tpm-pin"));
    let how = ["--no-backup", "--to-pin-file", &tpm_pin];
    migrates(&home, &[&to_tpm(&device)[..], &how].concat());
    let second = did(&home);
    assert_eq!(home.show()["provenance"], "tpm-sealed");
    home.ok(&["--pin-file", &tpm_pin, "sign"], b"hello");
    home.ok(&["--pin-file", &tpm_pin, "decrypt", file.to_str().unwrap()], b"");
    // A wrong PIN of the old token removes nothing.
    let wrong = ["--pin-file", &tpm_pin, "id", "migrate", "--finish", "--yes"];
    home.refused(&wrong, b"", &["token node-1 refused the PIN"]);
    assert_eq!((status(&home)["state"].as_str(), ids(&hsm)), (Some("switched"), 3));
    let finished = migrates(&home, &["--finish", "--yes", "--to-pin-file", &tpm_pin]);
    assert!(finished.contains("destroyed on its token"), "{finished}");
    assert_eq!(ids(&hsm), 0);

    let (pin, token) = (text(&home, "pin"), to_token());
    let with = ["--pin-file", &tpm_pin, "id", "migrate", "--no-backup", "--to-pin-file", &pin];
    home.ok(&[&with[..], &token].concat(), b"");
    let third = did(&home);
    assert_eq!((home.show()["provenance"].as_str(), ids(&hsm)), (Some("hardware"), 3));
    signs(&home);
    decrypts(&home, &file);
    let finished = home.ok(&["id", "migrate", "--finish", "--yes"], b"");
    assert!(finished.contains("a TPM that is cleared"), "{finished}");
    assert!(!finished.contains("in a file until"), "{finished}");
    let chain = text(&home, "chain.json");
    home.ok(&["--pin-file", &pin, "id", "rotation", "show", "-o", &chain], b"");
    let verify = ["--format", "json", "id", "rotation", "verify", &chain, "--from", &first];
    let report: Value = serde_json::from_str(&home.ok(&verify, b"")).unwrap();
    let steps = report["steps"].as_array().unwrap();
    let news: Vec<_> = steps.iter().map(|step| step["new"]["did"].as_str().unwrap()).collect();
    assert_eq!(news, [second.as_str(), third.as_str()]);
    // From hardware to a key that is in memory while unlocked, and back.
    let reasons: Vec<_> = steps.iter().map(|step| step["reason"].as_str().unwrap()).collect();
    assert_eq!(reasons, ["manual", "upgrade"], "{report}");
}

#[test]
fn an_old_key_may_stay_on_its_token_and_is_named_once_more() {
    let (hsm, tpm) = (SoftHsm::with_token(TOKEN), Swtpm::start());
    let home = identity(&hsm);
    migrates(&home, &[&to_token()[..], &["--no-backup"]].concat());
    migrates(&home, &["--finish", "--yes"]);
    let (key, device) = (home.show()["locator"].as_str().unwrap().to_owned(), tpm.tcti());
    let how = ["--no-backup", "--no-pin"];
    migrates(&home, &[&to_tpm(&device)[..], &how].concat());
    // The token is gone for good.
    hsm.unplug();
    let away = home.icnctl(&["id", "migrate", "--finish", "--yes"], b"");
    assert_eq!(away.code, 1, "{}", away.err);
    assert_eq!(status(&home)["state"], "switched");
    let finished = home.ok(&["id", "migrate", "--finish", "--yes", "--keep-old-key"], b"");
    assert!(finished.contains(&key), "{finished}");
    home.ok(&["sign"], b"hello");
    hsm.plug_in();
    assert_eq!(ids(&hsm), 3);
}

/// What is pinned of the one is not asked of the next; and back in the first one, a key of
/// another algorithm.
#[test]
fn a_tpm_hands_over_to_another_tpm_and_a_token_to_a_third() {
    let (hsm, first, second) = (SoftHsm::with_token(TOKEN), Swtpm::start(), Swtpm::start());
    let (home, pin) = (identity(&hsm), ["--no-pin", "--no-backup"]);
    let [first, second] = [first.tcti(), second.tcti()];
    let move_to = |how: &[&str]| {
        home.ok(&[&["id", "migrate", "--plan"][..], how].concat(), b"");
        home.ok(&[&["id", "migrate"][..], how].concat(), b"");
        home.ok(&["sign"], b"hello");
    };
    let passphrase = ["--passphrase-file", &text(&home, "passphrase"), "id", "migrate"];
    home.ok(&[&passphrase[..], &to_tpm(&first), &pin].concat(), b"");
    home.ok(&["id", "migrate", "--finish", "--yes"], b"");
    let (parent, before) = (home.show()["tpm"]["parent_name"].take(), did(&home));
    move_to(&[&to_tpm(&second)[..], &pin].concat());
    let (moved, now) = (home.show()["tpm"]["parent_name"].take(), did(&home));
    assert!(parent.is_string() && parent != moved && before != now, "{parent} {moved}");
    // Undone, it is in the first one, and moves on once more.
    home.ok(&["id", "migrate", "--roll-back", "--yes"], b"");
    assert_eq!(did(&home), before);
    home.ok(&["sign"], b"hello");
    move_to(&[&to_tpm(&second)[..], &pin, &["--again"]].concat());
    home.ok(&["id", "migrate", "--finish", "--yes"], b"");
    // In the same one, of another algorithm.
    move_to(&[&to_tpm(&second)[..], &pin, &["--algorithm", "p256"]].concat());
    assert_eq!(home.show()["provenance"], "hardware");
    home.ok(&["id", "migrate", "--finish", "--yes"], b"");
    // By way of a token.
    let to_pin = ["--to-pin-file", &text(&home, "pin")];
    home.ok(&[&["id", "migrate", "--no-backup"][..], &to_token(), &to_pin].concat(), b"");
    migrates(&home, &["--finish", "--yes"]);
    let plan = [&["id", "migrate", "--plan"][..], &to_tpm(&first), &pin].concat();
    home.ok(&plan, b"");
    migrates(&home, &[&to_tpm(&first)[..], &pin].concat());
    assert_eq!(home.show()["tpm"]["parent_name"], parent);
    migrates(&home, &["--finish", "--yes"]);
    home.ok(&["sign"], b"hello");
}

/// One that somebody has written there is told before anything is begun.
#[test]
fn another_tpm_than_the_one_that_is_pinned_is_told_by_the_plan() {
    let (hsm, tpm) = (SoftHsm::new(), Swtpm::start());
    let home = identity(&hsm);
    let pinned = format!("\n[identity.tpm]\nparent_name = \"000b{}\"\n", "11".repeat(32));
    home.write("icn.toml", &(home.read("icn.toml").replace("[identity.tpm]\n", &pinned[1..])));
    let (device, before) = (tpm.tcti(), tree(&home));
    for mode in ["rotate", "import"] {
        for plan in [&["--plan"][..], &[]] {
            let how = [&to_tpm(&device)[..], &["--mode", mode, "--no-backup"], plan].concat();
            let refused = migrate(&home, &how);
            assert_eq!(refused.code, 1, "{how:?}: {} {}", refused.out, refused.err);
            for part in ["another TPM", "parent_name"] {
                assert!(refused.err.contains(part), "{how:?} {part}: {}", refused.err);
            }
            assert_eq!(tree(&home), before, "{how:?}");
        }
    }
}

/// From a token to the same token, under another label.
#[test]
fn a_key_on_a_token_is_replaced_by_one_beside_it() {
    let hsm = SoftHsm::with_token(TOKEN);
    let home = identity(&hsm);
    migrates(&home, &[&to_token()[..], &["--no-backup"]].concat());
    migrates(&home, &["--finish", "--yes"]);
    let (before, pin) = (did(&home), text(&home, "pin"));
    let taken = migrate(&home, &[&to_token()[..], &["--no-backup"]].concat());
    assert_eq!(taken.code, 1);
    assert!(taken.err.contains("already has a key labelled"), "{}", taken.err);
    // What is advised is taken by this command.
    for part in ["--key-label LABEL", "icnctl --home OTHER id init --key", "rotation create"] {
        assert!(taken.err.contains(part), "{part}: {}", taken.err);
    }
    assert!(!taken.err.contains("to this command"), "{}", taken.err);
    let plan = migrate(&home, &[&to_token()[..], &["--no-backup", "--plan"]].concat());
    assert!(plan.err.is_empty() || !plan.err.contains("to this command"), "{}", plan.err);
    assert!(status(&home).is_null());
    let beside = ["--no-backup", "--key-label", "second", "--to-pin-file", &pin];
    migrates(&home, &[&to_token()[..], &beside].concat());
    assert_ne!(did(&home), before);
    migrates(&home, &["--finish", "--yes"]);
    assert_eq!(ids(&hsm), 3);
    signs(&home);
}

/// A card with a fixed number of places for keys: what is advised is possible in this home.
#[test]
fn a_card_that_makes_no_key_is_not_moved_to_and_the_way_by_another_home_is_named() {
    let hsm = SoftHsm::with_token(TOKEN);
    let (home, module) = (identity(&hsm), hsm.fault_module());
    hsm.script(support::dialects::YKCS11);
    let to = ["--to", "pkcs11", "--module", &module, "--token", TOKEN, "--no-backup"];
    let to = [&to[..], &["--algorithm", "p256"]].concat();
    let refused = migrate(&home, &to);
    assert_eq!(refused.code, 1, "{}", refused.err);
    for part in ["icnctl --home OTHER id init --key URI", "rotation create --successor OTHER"] {
        assert!(refused.err.contains(part), "{part}: {}", refused.err);
    }
    assert!(!refused.err.contains("run `icnctl id init"), "{}", refused.err);
}
