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
    let finished = migrates(&home, &["--finish", "--yes"]);
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
    assert!(status(&home).is_null());
    let beside = ["--no-backup", "--key-label", "second", "--to-pin-file", &pin];
    migrates(&home, &[&to_token()[..], &beside].concat());
    assert_ne!(did(&home), before);
    migrates(&home, &["--finish", "--yes"]);
    assert_eq!(ids(&hsm), 3);
    signs(&home);
}
