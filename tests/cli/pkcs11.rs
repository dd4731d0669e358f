//! `icnctl` with a token (SoftHSM2: a soft token, and shown as one).

mod again;
mod answers;
mod doctor;
mod full;
mod half;
mod half_moved;
mod has_key;
mod hidden;
mod killed;
mod lies;
mod names;
mod naming;
mod p256;
mod replaced;
mod shown;
mod traffic;
mod unfinished;
mod unfit;
mod unseen;
mod walk;

use serde_json::json;
use support::home::{Home, Ran, on_a_terminal, openssl_verifies};
use support::softhsm::{PIN, SoftHsm, module};

const NO_GCM: &str = "slots.mechanisms = -CKM_DES_ECB,CKM_AES_GCM";

/// No PIN in what was said.
fn quiet(ran: &Ran) {
    assert!(!ran.err.contains(PIN) && !ran.out.contains(PIN), "{} {}", ran.out, ran.err);
}

#[test]
fn an_identity_in_a_token_signs_and_openssl_verifies() {
    let hsm = SoftHsm::with_token("node-1");
    let home = hsm.identity("node-1");
    let signature = home.ok(&["sign"], b"hello");
    let shown = home.show();
    let key = shown["public_key"]["hex"].as_str().unwrap();
    assert!(openssl_verifies(&home.beside(""), key, b"hello", signature.trim()));
    assert!(!openssl_verifies(&home.beside(""), key, b"hullo", signature.trim()));
    let did = shown["did"].as_str().unwrap();
    home.ok(&["verify", "--did", did, "--signature", signature.trim()], b"hello");
}

#[test]
fn a_token_identity_is_shown_as_hardware_by_evidence_and_as_a_soft_token() {
    let hsm = SoftHsm::with_token("node-1");
    let home = hsm.identity("node-1");
    let shown = home.show();
    assert_eq!(shown["backend"], "pkcs11");
    assert_eq!(shown["provenance"], "hardware");
    assert_eq!(shown["assurance"], "soft-token");
    assert_eq!(shown["hardware_backed"], false);
    assert_eq!(
        shown["evidence"],
        json!({
            "local": true, "sensitive": true, "always_sensitive": true,
            "extractable": false, "never_extractable": true,
        })
    );
    assert_eq!(shown["device"]["state"], "present");
    let locator = shown["locator"].as_str().unwrap();
    assert!(locator.starts_with("pkcs11:token=node-1;serial="), "{locator}");
    assert!(locator.contains(";object=icn-identity;id=%"), "{locator}");
    let text = home.ok(&["id", "show"], b"");
    assert!(text.contains("soft token, for tests"), "{text}");
}

#[test]
fn pkcs11_tool_agrees_about_the_key() {
    let hsm = SoftHsm::with_token("node-1");
    let _home = hsm.identity("node-1");
    let listed = hsm.pkcs11_tool(&["--list-objects", "--type", "privkey"]);
    assert_eq!(listed.code, 0, "{}", listed.err);
    let line = |name: &str| {
        let found = listed.out.lines().find_map(|line| line.trim().strip_prefix(name));
        found.unwrap_or_else(|| panic!("no {name} in {}", listed.out)).trim().to_owned()
    };
    assert_eq!(line("Usage:"), "sign");
    assert_eq!(line("Access:"), "sensitive, always sensitive, never extractable, local");
    assert_eq!(line("label:"), "icn-identity");
    assert_eq!(listed.out.matches("Private Key Object").count(), 1, "{}", listed.out);
}

#[test]
fn the_pin_alone_opens_everything() {
    let hsm = SoftHsm::with_token("node-1");
    let home = hsm.identity("node-1");
    let header = home.read("identity.json");
    assert!(header.contains("\"kind\": \"pkcs11-aes-gcm\""), "{header}");
    assert!(!header.contains(module()), "the module path comes from icn.toml only");
    home.ok(&["sign"], b"hello");
    let payload = std::fs::read(home.path("identity.age")).unwrap();
    assert!(payload.starts_with(b"age-encryption.org/v1\n-> X25519 "));
}

#[test]
fn the_configuration_records_the_token_and_pins_the_did() {
    let hsm = SoftHsm::with_token("node-1");
    let home = hsm.identity("node-1");
    let config = home.read("icn.toml");
    for wanted in ["backend = \"pkcs11\"", "did = \"did:icn:z", "token = \"node-1\"", "serial = \""]
    {
        assert!(config.contains(wanted), "{wanted} in {config}");
    }
    assert!(!config.contains(PIN));
}

#[test]
fn a_wrong_pin_is_a_typed_error_that_does_not_repeat_it() {
    let hsm = SoftHsm::with_token("node-1");
    let home = hsm.identity("node-1").with("ICN_PIN", "11112222");
    let ran = home.refused(
        &["sign"],
        b"hello",
        &["token node-1", "refused the PIN; it was tried once", "never retried"],
    );
    assert!(!ran.err.contains("11112222"), "{}", ran.err);
    let home = home.with("ICN_PIN", PIN);
    home.ok(&["--retry-pin", "sign"], b"hello");
}

/// What a supervisor would do: the same command again and again.
#[test]
fn a_restarted_service_does_not_send_a_refused_pin_again() {
    let hsm = SoftHsm::with_token("node-1");
    let home = hsm.identity("node-1");
    let file = home.beside("pin");
    support::home::write_private(&file, "11112222\n");
    let sign = ["--pin-file", file.to_str().unwrap(), "sign"];
    let first = home.refused(&sign, b"hello", &["refused the PIN; it was tried once"]);
    // It has become the right one, and the source has not changed.
    hsm.pkcs11_tool(&["--change-pin", "--new-pin", "11112222"]);
    for _ in 0..3 {
        let texts = ["refused the PIN from", "was not sent again", "--retry-pin"];
        let again = home.refused(&sign, b"hello", &texts);
        assert!(!again.err.contains("tried once"), "{}", again.err);
    }
    let noted = home.read("refused.json");
    for text in [&noted, &first.err] {
        assert!(!text.contains("11112222"), "{text}");
    }
    home.ok(&["--retry-pin", "--pin-file", file.to_str().unwrap(), "sign"], b"hello");
    assert!(!home.path("refused.json").exists(), "an accepted PIN forgets refusals");

    // A file that was written anew is another one.
    support::home::write_private(&file, "33334444\n");
    home.refused(&sign, b"hello", &["tried once"]);
    home.refused(&sign, b"hello", &["was not sent again"]);
    support::home::write_private(&file, "11112222\n");
    home.ok(&sign, b"hello");
}

/// SoftHSM writes its token anew at each login, and who looks just then sees none: that
/// process has sent nothing, and starts again.
fn beside_others(home: &Home, args: &[&str]) -> Ran {
    let mut tries = (0..50).map(|_| home.icnctl(args, b""));
    tries.find(|ran| !ran.err.contains("present: none")).unwrap()
}

/// As a supervisor may start several services that share a home.
#[test]
fn of_several_processes_one_sends_a_wrong_pin() {
    let hsm = SoftHsm::with_token("node-1");
    let home = hsm.faulty_identity("node-1");
    let file = home.beside("pin");
    support::home::write_private(&file, "11112222\n");
    let sign = ["--pin-file", file.to_str().unwrap(), "sign"];
    let logins = hsm.count("C_Login");
    let ran = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(|| beside_others(&home, &sign))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect::<Vec<_>>()
    });
    assert_eq!(hsm.count("C_Login"), logins + 1);
    for ran in &ran {
        assert_eq!(ran.code, 77, "{}", ran.err);
    }
    let sent = ran.iter().filter(|ran| ran.err.contains("it was tried once")).count();
    let held = ran.iter().filter(|ran| ran.err.contains("was not sent again")).count();
    assert_eq!((sent, held), (1, 3));
}

#[test]
fn a_variable_that_was_refused_is_tried_again_when_the_operator_says_so() {
    let hsm = SoftHsm::with_token("node-1");
    let home = hsm.identity("node-1").with("ICN_PIN", "11112222");
    home.refused(&["sign"], b"hello", &["tried once"]);
    home.refused(&["sign"], b"hello", &["from $ICN_PIN", "was not sent again"]);
    home.refused(&["--retry-pin", "sign"], b"hello", &["tried once"]);
    home.refused(&["sign"], b"hello", &["from $ICN_PIN", "was not sent again"]);
    // Another PIN is tried without a word.
    home.with("ICN_PIN", PIN).ok(&["sign"], b"hello");
}

/// systemd makes its credentials anew with each start.
#[test]
fn a_credential_of_systemd_that_is_made_anew_is_known() {
    let hsm = SoftHsm::with_token("node-1");
    let home = hsm.identity("node-1");
    let directory = home.beside("credentials");
    std::fs::create_dir(&directory).unwrap();
    let home = home.with("CREDENTIALS_DIRECTORY", directory.to_str().unwrap());
    let file = directory.join("pin");
    let sign = ["--pin-file", file.to_str().unwrap(), "sign"];
    support::home::write_private(&file, "11112222\n");
    home.refused(&sign, b"hello", &["tried once"]);
    support::home::write_private(&file, "11112222\n");
    home.refused(&sign, b"hello", &["was not sent again"]);
}

#[test]
fn with_the_token_unplugged_show_still_works_and_says_so() {
    let hsm = SoftHsm::with_token("node-1");
    let home = hsm.identity("node-1");
    let before = home.show();
    hsm.unplug();
    let shown = home.show();
    assert_eq!(shown["did"], before["did"]);
    assert_eq!(shown["device"]["state"], "unreachable");
    let text = home.ok(&["id", "show"], b"");
    assert!(text.contains("From the public header only; the token could not be asked"), "{text}");
    assert!(text.contains("no token matches"), "{text}");
    quiet(&home.fails(&["sign"], b"hello", &["no token matches", "plug the token in"]));
    hsm.plug_in();
    home.ok(&["sign"], b"hello");
    assert_eq!(home.show()["device"]["state"], "present");
}

/// The module is not even there any more, so no PIN can have been asked for.
#[test]
fn a_key_in_a_token_has_no_secret_to_export() {
    let hsm = SoftHsm::with_token("node-1");
    let home = hsm.identity("node-1").with("ICN_PIN", "a PIN that would be refused");
    let config = home.read("icn.toml");
    home.write("icn.toml", &config.replace(module(), "/nowhere/at/all.so"));
    let out = home.beside("export.age");
    let args = ["id", "export", "--secret", "-o", out.to_str().unwrap()];
    let texts = ["this key is hardware: it has no secret bytes", "--did-only"];
    home.fails(&args, b"", &texts);
    assert!(!out.exists());
    let did = home.ok(&["id", "export", "--did-only"], b"");
    assert_eq!(did.trim(), home.show()["did"]);
}

/// What is refused here is refused although there is no PIN to send.
#[test]
fn a_header_changed_by_hand_is_caught_before_a_pin_is_sent() {
    let hsm = SoftHsm::with_token("node-1");
    let home = hsm.identity("node-1");
    hsm.token("node-2");
    let other = hsm.identity("node-2");
    let good = home.read("identity.json");
    let theirs: serde_json::Value = serde_json::from_str(&other.read("identity.json")).unwrap();
    let home = home.with("ICN_PIN", "a PIN that would be refused");

    // Another DID.
    home.edit_header("/did", theirs["did"].clone());
    home.fails(&["sign"], b"hello", &["the configuration pins did:icn:z", "no passphrase or PIN"]);
    // Another token, by serial and label, with its key.
    home.write("identity.json", &good);
    home.edit_header("/locator", theirs["locator"].clone());
    quiet(&home.fails(&["sign"], b"hello", &["node-2"]));
    // The right token, no such key on it.
    home.write("identity.json", &good);
    home.edit_header("/locator/id", json!("00112233"));
    quiet(&home.fails(&["sign"], b"hello", &["token node-1 has no key with id 00112233"]));
    // A module.
    let with_module = good.replacen('{', "{\"module\": \"/tmp/evil.so\",", 1);
    home.write("identity.json", &with_module);
    home.fails(&["sign"], b"hello", &["unknown field `module`"]);
    // Another backend.
    home.write("identity.json", &good.replacen("\"pkcs11\"", "\"age\"", 1));
    home.fails(&["sign"], b"hello", &["its locator does not fit its backend"]);
}

#[test]
fn a_key_replaced_under_the_same_label_and_id_is_refused_by_name() {
    let hsm = SoftHsm::with_token("node-1");
    let home = hsm.identity("node-1");
    let did = home.show()["did"].as_str().unwrap().to_owned();
    let header: serde_json::Value = serde_json::from_str(&home.read("identity.json")).unwrap();
    let id = header["locator"]["id"].as_str().unwrap();
    for kind in ["privkey", "pubkey"] {
        let ran = hsm.pkcs11_tool(&["--delete-object", "--type", kind, "--id", id]);
        assert_eq!(ran.code, 0, "{}", ran.err);
    }
    let make =
        ["--keypairgen", "--key-type", "EC:edwards25519", "--label", "icn-identity", "--id", id];
    let ran = hsm.pkcs11_tool(&make);
    assert_eq!(ran.code, 0, "{}", ran.err);
    // Although there is no PIN to send.
    let home = home.with("ICN_PIN", "a PIN that would be refused");
    let wanted = ["icn-identity", &did, "is that of did:icn:z", "no PIN was sent"];
    quiet(&home.fails(&["sign"], b"hello", &wanted));
    let shown = home.show();
    assert_eq!(shown["device"]["state"], "wrong");
    assert!(home.ok(&["id", "show"], b"").contains("WARNING, do not use this token"));
}

#[test]
fn an_older_copy_of_the_header_is_caught_before_anything_is_signed() {
    let hsm = SoftHsm::with_token("node-1");
    let home = hsm.identity("node-1");
    home.edit_header("/generation", json!(0));
    quiet(&home.fails(&["sign"], b"hello", &["does not belong to this identity's payload"]));
}

#[test]
fn a_storage_key_of_another_identity_is_refused() {
    let hsm = SoftHsm::with_token("node-1");
    let home = hsm.identity("node-1");
    let header: serde_json::Value = serde_json::from_str(&home.read("identity.json")).unwrap();
    let text = header["storage"]["wrapped"]["ciphertext"].as_str().unwrap().to_owned();
    let flipped = format!("{}{}", if text.starts_with('0') { '1' } else { '0' }, &text[1..]);
    home.edit_header("/storage/wrapped/ciphertext", json!(flipped));
    quiet(&home.fails(&["sign"], b"hello", &["does not open the storage key of this identity"]));
}

#[test]
fn a_taken_label_is_refused_and_another_one_works() {
    let hsm = SoftHsm::with_token("node-1");
    let _first = hsm.identity("node-1");
    let second = hsm.home();
    let init = hsm.init("node-1");
    quiet(&second.fails(
        &init,
        b"",
        &["already has a key labelled \"icn-identity\"", "--key-label"],
    ));
    assert!(!second.path("identity.age").exists());
    let init = [&init[..], &["--key-label", "another"]].concat();
    second.ok(&init, b"");
    assert!(second.show()["locator"].as_str().unwrap().contains(";object=another;"));
    second.ok(&["sign"], b"hello");
}

#[test]
fn a_failed_init_leaves_nothing_on_the_token() {
    leaves_nothing_when_init_fails(&SoftHsm::with_token("node-1"), "pkcs11-aes-gcm");
}

#[test]
fn init_leaves_no_p256_pair_on_the_token_when_it_fails() {
    let hsm = SoftHsm::with_token("node-1").configured(NO_GCM);
    leaves_nothing_when_init_fails(&hsm, "pkcs11-ecdh");
}

/// The files cannot be written: no orphan stays on the token, and the same
/// command works once the cause is gone.
fn leaves_nothing_when_init_fails(hsm: &SoftHsm, storage: &str) {
    let home = hsm.home();
    // A directory in the way of the previous-version rename target is not
    // enough to stop a write; a full one is: no new file fits.
    let limited = home.command(&hsm.init("node-1"));
    let mut command = std::process::Command::new("prlimit");
    command.arg("--fsize=900").arg("--").arg(limited.get_program()).args(limited.get_args());
    command.env_clear();
    for (name, value) in limited.get_envs() {
        if let Some(value) = value {
            command.env(name, value);
        }
    }
    // SIGXFSZ would kill; ignored, the write fails with EFBIG.
    let mut shell = std::process::Command::new("sh");
    shell.args(["-c", "trap '' XFSZ; exec \"$@\"", "sh"]).arg(command.get_program());
    shell.args(command.get_args()).env_clear();
    for (name, value) in command.get_envs() {
        if let Some(value) = value {
            shell.env(name, value);
        }
    }
    let ran = support::home::run(&mut shell, b"");
    assert_eq!(ran.code, 1, "{}", ran.err);
    quiet(&ran);
    assert!(!home.path("identity.age").exists() && !home.path("identity.json").exists());
    let listed = hsm.pkcs11_tool(&["--list-objects"]);
    assert!(!listed.out.contains("Key Object"), "{}", listed.out);
    home.ok(&hsm.init("node-1"), b"");
    assert!(home.read("identity.json").contains(&format!("\"kind\": \"{storage}\"")));
    home.ok(&["sign"], b"hello");
}

#[test]
fn the_prompt_names_the_token() {
    let hsm = SoftHsm::with_token("node-1");
    let home = hsm.identity("node-1");
    std::fs::write(home.beside("message"), b"hello").unwrap();
    let message = home.beside("message");
    let mut sign = home.command(&["sign", message.to_str().unwrap()]);
    sign.env_remove("ICN_PIN");
    let ran = on_a_terminal(&sign, &format!("{PIN}\n"));
    assert_eq!(ran.code, 0, "{}", ran.out);
    assert!(ran.out.contains("PIN of token node-1: "), "{}", ran.out);
    quiet(&ran);
}

#[test]
fn modules_that_are_none_give_different_errors() {
    let hsm = SoftHsm::with_token("node-1");
    let home = hsm.home();
    let init = |module: &str| {
        let args = ["id", "init", "--backend", "pkcs11", "--token", "node-1", "--module", module];
        home.fails(&args, b"", &["the PKCS#11 module"]).err
    };
    let relative = init("libsofthsm2.so");
    let missing = init("/nowhere/libsofthsm2.so");
    let text = init("/etc/passwd");
    assert!(relative.contains("absolute"), "{relative}");
    assert_ne!(missing.lines().next(), text.lines().next());
    assert!(!home.path("identity.json").exists());
}

/// A token with neither AES-GCM nor ECDH cannot keep the storage key: a
/// passphrase does.
#[test]
fn without_aes_gcm_and_ecdh_a_passphrase_is_the_fall_back() {
    let hsm = SoftHsm::with_token("node-1")
        .configured("slots.mechanisms = -CKM_DES_ECB,CKM_AES_GCM,CKM_ECDH1_DERIVE");
    let home = hsm.home().with("ICN_PASSPHRASE", support::home::PASSPHRASE);
    let made = home.ok(&hsm.init("node-1"), b"");
    assert!(made.contains("each command wants your passphrase beside the PIN"), "{made}");
    assert_eq!(home.show()["storage"], "passphrase");
    assert!(home.ok(&["id", "show"], b"").contains("the device keeps no storage key"));
    assert!(home.read("identity.json").contains("\"kind\": \"passphrase\""));
    home.ok(&["sign"], b"hello");
    let payload = std::fs::read(home.path("identity.age")).unwrap();
    assert!(payload.starts_with(b"age-encryption.org/v1\n-> scrypt "));
    // No P-256 pair was left by the attempt, and both are needed.
    assert!(!hsm.pkcs11_tool(&["--list-objects"]).out.contains("storage"));
    let home = home.with("ICN_PASSPHRASE", "another");
    quiet(&home.refused(&["sign"], b"hello", &["the passphrase does not open this key"]));
}

#[test]
fn a_passphrase_beside_the_pin_is_changed_and_where_there_is_none_the_pin_is_not_sent() {
    let hsm = SoftHsm::with_token("node-1")
        .configured("slots.mechanisms = -CKM_DES_ECB,CKM_AES_GCM,CKM_ECDH1_DERIVE");
    let home = hsm.home().with("ICN_PASSPHRASE", support::home::PASSPHRASE);
    home.ok(&hsm.init("node-1"), b"");
    let signature = home.ok(&["sign"], b"hello");
    let new = home.beside("new");
    support::home::write_private(&new, "another");
    let change = ["id", "change-passphrase", "--new-passphrase-file", new.to_str().unwrap()];
    home.ok(&change, b"");
    quiet(&home.refused(&["sign"], b"hello", &["the passphrase does not open this key"]));
    let home = home.with("ICN_PASSPHRASE", "another");
    assert_eq!(home.ok(&["sign"], b"hello"), signature);

    let hsm = SoftHsm::with_token("node-2");
    let home = hsm.identity("node-2").with("ICN_PIN", "11112222");
    let before = std::fs::read(home.path("identity.age")).unwrap();
    let wanted = ["this identity has no passphrase", "its token opens it", "--change-pin"];
    // A wrong PIN: had it been sent, it would be refused, with exit code 77.
    quiet(&home.fails(&change, b"", &wanted));
    assert_eq!(std::fs::read(home.path("identity.age")).unwrap(), before);
}

#[test]
fn a_token_without_ed25519_is_told_with_what_it_has() {
    let hsm = SoftHsm::with_token("node-1").configured("slots.mechanisms = -CKM_DES_ECB,CKM_EDDSA");
    let home = hsm.home();
    let wanted = ["token node-1", "has no Ed25519 (CKM_EDDSA)", "ECDSA", "--algorithm p256"];
    quiet(&home.fails(&hsm.init("node-1"), b"", &wanted));
    assert!(!home.path("identity.json").exists());
}

#[test]
fn the_configured_backend_must_be_that_of_the_identity() {
    let hsm = SoftHsm::with_token("node-1");
    let home = hsm.identity("node-1");
    let config = home.read("icn.toml");
    home.write("icn.toml", &config.replace("backend = \"pkcs11\"", "backend = \"age\""));
    let wanted =
        ["the header names backend \"pkcs11\", the configuration \"age\"", "no PIN was sent"];
    home.fails(&["sign"], b"hello", &wanted);
    home.fails(&["id", "show"], b"", &wanted);
    // The configuration names the token; the header cannot choose another.
    home.write("icn.toml", &config.replace("token = \"node-1\"", "token = \"node-9\""));
    quiet(&home.fails(&["sign"], b"hello", &["node-9"]));
}

#[test]
fn an_unknown_token_is_told_with_those_that_are_there() {
    let hsm = SoftHsm::with_token("node-1");
    let home = hsm.home();
    quiet(&home.fails(&hsm.init("node-7"), b"", &["no token matches", "node-7", "node-1"]));
}

/// Without AES-GCM, a P-256 key on the token keeps the storage key.
#[test]
fn without_aes_gcm_the_pin_alone_opens_everything_by_ecdh() {
    let hsm = SoftHsm::with_token("node-1").configured(NO_GCM);
    let home = hsm.identity("node-1");
    assert!(home.read("identity.json").contains("\"kind\": \"pkcs11-ecdh\""));
    home.ok(&["sign"], b"hello");
    let listed = hsm.pkcs11_tool(&["--list-objects"]).out;
    assert_eq!(listed.matches("icn-identity storage").count(), 2, "a pair: {listed}");
    assert!(!listed.contains("Secret Key"), "the shared secret is gone: {listed}");
}
