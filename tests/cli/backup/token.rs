//! The key of a token is not in the backup: all else is.

use std::process::Command;

use serde_json::Value;
use support::home::{FAST, Home, PASSPHRASE, run};
use support::softhsm::{PIN, SoftHsm, module};

use super::drill::{Drill, NEW, age_decrypts, everything, lose, signs_as, text};

fn node(more: &[&str]) -> (SoftHsm, Home, Drill, String) {
    let hsm = SoftHsm::with_token("node-1");
    let home = hsm.home();
    home.ok(&[&hsm.init("node-1")[..], more].concat(), b"");
    let did = home.show()["did"].as_str().unwrap().to_owned();
    let drill = Drill::new(&home);
    drill.make(&home);
    (hsm, home, drill, did)
}

fn serial(home: &Home) -> String {
    let header: Value = serde_json::from_str(&home.read("identity.json")).unwrap();
    header["locator"]["serial"].as_str().unwrap().to_owned()
}

#[test]
fn an_identity_is_put_back_where_its_token_is() {
    for algorithm in ["ed25519", "p256"] {
        let (_hsm, home, drill, did) = node(&["--algorithm", algorithm]);
        let (shown, header) = (home.show(), home.read("identity.json"));
        let inside = drill.json();
        let payload = &inside["contents"]["payload"];
        assert!(payload["seed"].is_null() && payload["x25519_secret"].is_string());
        let not = inside["contents"]["does_not_contain"].to_string();
        assert!(not.contains(&format!("the private key of {did}: it is in token node-1")), "{not}");
        assert!(not.contains("does not restore the DID"), "{not}");
        lose(&home);

        let check = drill.ok(&home, &["--check", "--did", &did]);
        assert!(check.contains("only where its key is: token node-1 (serial "), "{check}");
        // Which library is loaded is said here.
        let was = format!("it was {} when the backup was made", module());
        drill.fails(&home, &["--did", &did], &["no icn.toml", &was]);
        assert!(!home.path("").exists());
        drill.ok(&home, &["--did", &did, "--module", module()]);
        signs_as(&home, &shown["did"]);
        // The token releases the storage key that it has.
        let [old, new]: [Value; 2] = [header.as_str(), &home.read("identity.json")]
            .map(|text| serde_json::from_str(text).unwrap());
        assert_eq!(new["storage"], old["storage"]);
        assert_eq!(new["x25519_public"], old["x25519_public"]);
        assert_eq!(new["locator"], old["locator"]);
        assert_eq!(new["generation"], 2);
        let config = home.read("icn.toml");
        assert!(config.contains(&did) && config.contains(&serial(&home)), "{config}");
        assert!(!config.contains(PIN));
    }
}

/// The log is where the backup says, and its first use of the key, the token's, is in it.
#[test]
fn an_identity_of_a_token_is_put_back_with_the_place_of_its_log() {
    let hsm = SoftHsm::with_token("node-1");
    let home = hsm.home();
    home.write("icn.toml", &format!("{FAST}[audit]\npath = \"log/keys.log\"\n"));
    std::fs::create_dir(home.path("log")).unwrap();
    home.ok(&hsm.init("node-1"), b"");
    let drill = Drill::new(&home);
    let said = drill.make(&home);
    assert!(said.contains("the tables [identity] and [audit] of icn.toml"), "{said}");
    let did = home.show()["did"].as_str().unwrap().to_owned();
    lose(&home);
    // On a new machine its directory is not there: that is told, and the identity is.
    let restore = ["--did", &did, "--module", module()];
    drill.fails(&home, &restore, &["the identity was made, and that could not be written", "log"]);
    lose(&home);
    std::fs::create_dir_all(home.path("log")).unwrap();
    home.chmod("", 0o700);
    drill.ok(&home, &restore);
    let config = home.read("icn.toml");
    assert!(config.contains("[audit]\npath = \"log/keys.log\""), "{config}");
    signs_as(&home, &Value::from(did));
    let log = home.read("log/keys.log");
    let events: Vec<String> = log
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap())
        .map(|line| format!("{} {}", line["event"], line["result"]).replace('"', ""))
        .collect();
    assert_eq!(events.first().unwrap(), "begin null");
    assert!(events.contains(&"restore allowed".to_owned()), "{events:?}");
    assert!(events.last().unwrap().starts_with("sign"), "{events:?}");
    home.ok(&["audit", "verify"], b"");
}

#[test]
fn a_token_that_is_gone_is_said_in_plain_words() {
    let (hsm, home, drill, did) = node(&[]);
    let serial = serial(&home);
    lose(&home);
    hsm.unplug();
    let place = format!(
        "the key of {did} is not in this backup: it was in token node-1 (serial {serial}), and \
         cannot be had there"
    );
    let restore = ["--did", &did, "--module", module()];
    let texts = [place.as_str(), "its key is gone with it", "a new identity"];
    let ran = drill.fails(&home, &restore, &texts);
    assert!(ran.err.contains("because: no token matches"), "{}", ran.err);
    assert!(ran.err.contains("add --relocate"), "{}", ran.err);
    // There is no icn.toml, and no identity that could be relocated.
    for unfit in ["[identity.pkcs11]", "id relocate", "--token", " (plug", " (correct"] {
        assert!(!ran.err.contains(unfit), "{unfit}: {}", ran.err);
    }
    // One of the same name is another token.
    hsm.token("node-1");
    drill.fails(&home, &restore, &texts);
    assert!(everything(&home).is_empty());
    // It comes back.
    std::fs::remove_dir_all(hsm.tokens()).unwrap();
    std::fs::create_dir(hsm.tokens()).unwrap();
    hsm.plug_in();
    drill.ok(&home, &restore);
    home.ok(&["sign"], b"x");
}

#[test]
fn a_key_that_is_gone_from_its_token_is_said_in_plain_words() {
    let (hsm, home, drill, did) = node(&[]);
    let header: Value = serde_json::from_str(&home.read("identity.json")).unwrap();
    let id = header["locator"]["id"].as_str().unwrap();
    lose(&home);
    for kind in ["privkey", "pubkey"] {
        let ran = hsm.pkcs11_tool(&["--delete-object", "--type", kind, "--id", id]);
        assert_eq!(ran.code, 0, "{}", ran.err);
    }
    let restore = ["--did", &did, "--module", module()];
    drill.fails(
        &home,
        &restore,
        &["is not in this backup", "because: token node-1 does not show the"],
    );
}

#[test]
fn a_token_that_lost_the_storage_key_keeps_a_new_one() {
    let (hsm, home, drill, did) = node(&[]);
    let header: Value = serde_json::from_str(&home.read("identity.json")).unwrap();
    let id = header["storage"]["wrapped"]["key_id"].as_str().unwrap();
    let ran = hsm.pkcs11_tool(&["--delete-object", "--type", "secrkey", "--id", id]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    // The identity itself no longer opens.
    assert_eq!(home.icnctl(&["sign"], b"x").code, 1);
    let shown = home.show();
    lose(&home);
    let args = drill.restore_args(&["--did", &did, "--module"]);
    let ran = drill.run(&home, &[&args[..], &[module()]].concat());
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(ran.err.contains("keeps a new storage key"), "{}", ran.err);
    signs_as(&home, &shown["did"]);
    let new: Value = serde_json::from_str(&home.read("identity.json")).unwrap();
    assert_ne!(new["storage"], header["storage"]);
}

#[test]
fn a_wrong_pin_is_sent_once_and_leaves_no_identity() {
    let (_hsm, home, drill, did) = node(&[]);
    lose(&home);
    let home = home.with("ICN_PIN", "00000000");
    let module = module();
    let args = drill.restore_args(&["--did", &did, "--module", module]);
    home.refused(&args, b"", &["refused the PIN; it was tried once"]);
    home.refused(&args, b"", &["it was not sent again"]);
    assert!(!home.path("identity.json").exists() && !home.path("identity.age").exists());
    let home = home.with("ICN_PIN", PIN);
    assert_eq!(home.icnctl(&[&args[..], &["--retry-pin"]].concat(), b"").code, 0);
    home.ok(&["sign"], b"x");
}

/// The DID is lost with the token, what was encrypted to it is not.
#[test]
fn of_a_lost_device_the_encryption_key_is_left() {
    use std::os::unix::fs::PermissionsExt as _;
    let (hsm, home, drill, did) = node(&[]);
    let shown = home.show();
    lose(&home);
    hsm.unplug();
    let restore = ["--did", &did, "--module", module()];
    drill.fails(&home, &restore, &["--encryption-key-only -o FILE"]);

    let key = home.beside("encryption.key");
    let only = ["--encryption-key-only", "-o", text(&key)];
    drill.fails(&home, &only, &["nothing here says that this is the one"]);
    let ran = drill.run(&home, &drill.restore_args(&[&only[..], &["--did", &did]].concat()));
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(!ran.out.contains("AGE-SECRET"), "{}", ran.out);
    assert!(ran.out.contains("nothing signs with it"), "{}", ran.out);
    let mode = std::fs::metadata(&key).unwrap().permissions().mode();
    assert_eq!(mode & 0o7777, 0o600);
    drill.fails(&home, &[&only[..], &["--did", &did]].concat(), &["already exists"]);
    assert!(!home.path("").exists());

    // The stock tool finds it to be the key that the identity showed.
    let public = run(Command::new("age-keygen").args(["-y", text(&key)]), b"").out;
    let (_, bytes) = bech32::decode(public.trim()).unwrap();
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(shown["encryption"]["public_key"], hex.as_str());
    assert!(std::fs::read_to_string(&key).unwrap().contains(public.trim()));
    let message = home.beside("message.age");
    let args = ["-r", public.trim(), "-o", text(&message)];
    assert_eq!(run(Command::new("age").args(args), b"dear node").code, 0);
    assert_eq!(age_decrypts(&key, &message), b"dear node");
}

/// Such a token has a passphrase beside its PIN: after it, a new one.
#[test]
fn a_token_without_a_vault_gets_a_new_passphrase() {
    let hsm = SoftHsm::with_token("node-1")
        .configured("slots.mechanisms = -CKM_DES_ECB,CKM_AES_GCM,CKM_ECDH1_DERIVE");
    let home = hsm.home().with("ICN_PASSPHRASE", PASSPHRASE);
    home.ok(&hsm.init("node-1"), b"");
    let shown = home.show();
    let did = shown["did"].as_str().unwrap();
    let drill = Drill::new(&home);
    drill.make(&home);
    lose(&home);
    let home = home.with("ICN_PASSPHRASE", NEW);
    drill.ok(&home, &["--did", did, "--module", module()]);
    signs_as(&home, &shown["did"]);
    let home = home.with("ICN_PASSPHRASE", PASSPHRASE);
    home.refused(&["sign"], b"x", &["the passphrase does not open this key"]);
}

/// The maker's own backup of a token brings the key back on another one.
#[test]
fn a_key_that_its_maker_copied_to_another_token_is_found_there() {
    let hsm = SoftHsm::with_token("node-1");
    let home = hsm.faulty_identity("node-1");
    let shown = home.show();
    let did = shown["did"].as_str().unwrap();
    let drill = Drill::new(&home);
    drill.make(&home);
    lose(&home);
    // The same objects, another serial number.
    hsm.script("serial NEW0001");
    let module = hsm.fault_module();
    let restore = ["--did", did, "--module", &module];
    drill.fails(&home, &restore, &["is not in this backup", "add --relocate"]);
    drill.ok(&home, &[&restore[..], &["--relocate"]].concat());
    signs_as(&home, &shown["did"]);
    assert!(home.read("icn.toml").contains("serial = \"NEW0001\""));
    // Where it is nowhere, nothing is guessed.
    lose(&home);
    hsm.script("token removed");
    let args = [&restore[..], &["--relocate"]].concat();
    drill.fails(&home, &args, &["is not in this backup", "because: no token has the key of"]);
    assert!(!home.path("").exists());
}

/// A copy of the note from the moment of `id init` names the very key that is to
/// be restored.
#[test]
fn an_old_note_of_the_init_destroys_no_key_that_is_restored() {
    let hsm = SoftHsm::with_token("node-1");
    let home = hsm.home();
    assert_eq!(support::cut_off::at_rename(&home, &hsm.init("node-1"), 6).code, -1);
    let note = home.read("unfinished.json");
    // The payload is there under its temporary name: that is the last step.
    let names = std::fs::read_dir(home.path("")).unwrap();
    let mut names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let payload = names.find(|name| name.starts_with(".identity.age.")).unwrap();
    std::fs::rename(home.path(&payload), home.path("identity.age")).unwrap();
    let drill = Drill::new(&home);
    drill.make(&home);
    let (did, objects) = (home.show()["did"].clone(), hsm.objects("node-1"));
    for name in ["identity.json", "identity.age"] {
        std::fs::remove_file(home.path(name)).unwrap();
    }
    home.write("unfinished.json", &note);
    drill.ok(&home, &["--did", did.as_str().unwrap()]);
    assert_eq!(hsm.objects("node-1"), objects);
    signs_as(&home, &did);
    assert!(!home.path("unfinished.json").exists());
}
