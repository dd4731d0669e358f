//! A software identity is all in its backup.

use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use support::home::{Home, PASSPHRASE, on_a_terminal, run, write_private};

use super::drill::{
    Drill, NEW, age_decrypts, everything, lose, new_key, payload, put_payload, signs_as, text,
};

fn identity() -> (Home, Drill, String) {
    let home = Home::new().with("ICN_PASSPHRASE", PASSPHRASE);
    home.ok(&["id", "init"], b"");
    let did = home.show()["did"].as_str().unwrap().to_owned();
    let drill = Drill::new(&home);
    (home, drill, did)
}

/// The same home, where the passphrase is another one from now on.
fn renewed(home: Home) -> Home {
    home.with("ICN_PASSPHRASE", NEW)
}

/// An older identity has handed over to this one.
fn takes_over(home: &Home) {
    let older = Home::new().with("ICN_PASSPHRASE", PASSPHRASE);
    older.ok(&["id", "init"], b"");
    let (to, file) = (home.path(""), home.beside("successor"));
    write_private(&file, PASSPHRASE);
    let what = ["id", "rotation", "create", "--reason", "manual", "--successor", text(&to)];
    older.ok(&[&what[..], &["--successor-passphrase-file", text(&file)]].concat(), b"");
}

/// An age recipient and the age identity of an X25519 key, by its bytes.
fn as_age(payload: &Value) -> String {
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    let secret = STANDARD.decode(payload["x25519_secret"].as_str().unwrap()).unwrap();
    let hrp = bech32::Hrp::parse("age-secret-key-").unwrap();
    bech32::encode_upper::<bech32::Bech32>(hrp, &secret).unwrap()
}

#[test]
fn a_lost_node_is_put_back_under_a_new_passphrase() {
    let (home, drill, did) = identity();
    takes_over(&home);
    let chain = home.ok(&["id", "rotation", "show", "--format", "json"], b"");
    // Left there by an older version.
    let mut before = payload(&home, PASSPHRASE);
    before["device_id"] = "abc".into();
    before["keybundles"] = json!([{ "version": 7, "pq_secret": [1, 2, 3] }]);
    put_payload(&home, PASSPHRASE, &before);
    let shown = home.show();
    // Somebody encrypted something to this identity.
    let own = home.beside("own.key");
    write_private(&own, &as_age(&before));
    let recipient = run(Command::new("age-keygen").args(["-y", text(&own)]), b"").out;
    let message = home.beside("message.age");
    let ran =
        run(Command::new("age").args(["-r", recipient.trim(), "-o", text(&message)]), b"dear node");
    assert_eq!(ran.code, 0, "{}", ran.err);
    std::fs::remove_file(&own).unwrap();

    let said = drill.make(&home);
    assert!(said.contains("the private key of did:icn:"), "{said}");
    assert!(said.contains(&format!("--did {did} --check")), "{said}");
    let mode = std::fs::metadata(&drill.backup).unwrap().permissions().mode();
    assert_eq!(mode & 0o7777, 0o600);
    lose(&home);

    let home = renewed(home);
    let start = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let said = drill.ok(&home, &["--did", &did]);
    assert!(said.starts_with(&format!("{did}\nrestored to ")), "{said}");
    signs_as(&home, &shown["did"]);

    let after = payload(&home, NEW);
    for (name, value) in before.as_object().unwrap() {
        let changes = ["header_sha256", "tls", "binding"].contains(&name.as_str());
        assert_eq!(after[name] != *value, changes, "{name}");
    }
    assert_eq!(after.as_object().unwrap().len(), before.as_object().unwrap().len());
    assert!(shown["encryption"]["public_key"].is_string());
    assert_eq!(home.show()["encryption"], shown["encryption"]);
    let header: Value = serde_json::from_str(&home.read("identity.json")).unwrap();
    assert_eq!(header["generation"], 3);
    assert_eq!(before["rotation_chain"].as_array().unwrap().len(), 1);
    assert!(before["did_document"]["proof"].is_object());
    assert_eq!(home.ok(&["id", "rotation", "show", "--format", "json"], b""), chain);
    // Past all that peers have seen of it.
    let sequence = |payload: &Value| payload["binding"]["sequence"].as_u64().unwrap();
    assert!(sequence(&after) > sequence(&before));
    assert!(sequence(&after) >= start);
    // The configuration is there again, and pins the DID.
    let config = home.read("icn.toml");
    assert!(config.contains(&did) && config.contains("work_factor = 10"), "{config}");
    // What was encrypted to it opens.
    write_private(&own, &as_age(&after));
    assert_eq!(age_decrypts(&own, &message), b"dear node");
    // The old passphrase is not the new one's.
    let old = home.beside("old");
    write_private(&old, PASSPHRASE);
    home.refused(&["sign", "--passphrase-file", text(&old)], b"x", &["does not open this key"]);
}

#[test]
fn the_stock_tool_shows_what_is_inside_in_plain_words() {
    let (home, drill, did) = identity();
    drill.make(&home);
    let inside = drill.json();
    assert_eq!(inside["format"], "icn-identity-backup");
    assert_eq!(inside["version"], 1);
    let contents = &inside["contents"];
    assert_eq!(contents["did"], did.as_str());
    let words = contents["contains"].to_string();
    assert!(words.contains("whoever opens this backup can sign as this DID"), "{words}");
    let words = contents["does_not_contain"].to_string();
    assert!(words.contains("the passphrase of identity.age"), "{words}");
    let header: Value = serde_json::from_str(&home.read("identity.json")).unwrap();
    assert_eq!(contents["header"], header);
    assert_eq!(contents["payload"], payload(&home, PASSPHRASE));
    assert!(contents["config"].as_str().unwrap().contains(&did));
    // The signature covers the bytes that are there.
    assert_eq!(inside["signature"].as_str().unwrap().len(), 88);
}

#[test]
fn a_drill_tells_all_and_writes_nothing() {
    let (home, drill, did) = identity();
    drill.make(&home);
    let before = everything(&home);
    for more in [&["--check"][..], &["--check", "--did", &did]] {
        let said = drill.ok(&home, more);
        assert!(said.contains("Nothing was written."), "{said}");
        assert!(said.contains("can be restored from this file alone"), "{said}");
    }
    assert_eq!(everything(&home), before);
    // Where there is nothing, nothing is made.
    lose(&home);
    let said = drill.ok(&home, &["--check"]);
    assert!(said.contains("was not checked: compare it"), "{said}");
    assert!(!drill.ok(&home, &["--check", "--did", &did]).contains("was not checked"));
    let told = drill.run(
        &home,
        &[&["--format", "json"], &drill.restore_args(&["--check", "--did", &did])[..]].concat(),
    );
    let told: Value = serde_json::from_str(&told.out).unwrap();
    assert_eq!(told["did"], did.as_str());
    assert_eq!(told["did_was_named"], true);
    assert_eq!(told["device"], Value::Null);
    assert!(!home.path("").exists());
}

/// What is pinned in the home where it is tried is somebody else.
#[test]
fn a_drill_is_held_where_another_identity_is_at_home() {
    let (home, drill, did) = identity();
    drill.make(&home);
    let (other, ..) = identity();
    let before = everything(&other);
    drill.ok(&other, &["--check", "--did", &did]);
    let key = other.beside("x25519.key");
    drill.ok(&other, &["--encryption-key-only", "-o", text(&key), "--did", &did]);
    assert!(key.exists());
    // Unless one is named, it must be the one that is pinned here.
    drill.fails(&other, &["--check"], &["the backup is of", &did]);
    assert_eq!(everything(&other), before);
}

/// A secret goes into a file only where that was asked for.
#[test]
fn an_output_is_for_the_encryption_key_alone_and_is_a_file() {
    let (home, drill, did) = identity();
    drill.make(&home);
    let file = home.beside("out");
    for more in [
        &["-o", text(&file)][..],
        &["-o", text(&file), "--check"],
        &["-o", text(&file), "--module", "/usr/lib/softhsm/libsofthsm2.so"],
        &["-o", text(&file), "--relocate"],
        &["-o", text(&file), "--encryption-key-only", "--check"],
        &["-o", text(&file), "--encryption-key-only", "--relocate"],
        &["-o", text(&file), "--encryption-key-only", "--module", "/x"],
        &["-o", "-", "--encryption-key-only"],
    ] {
        let ran = drill.run(&home, &drill.restore_args(&[&["--did", &did], more].concat()));
        assert_eq!(ran.code, 2, "{more:?}: {}{}", ran.out, ran.err);
        assert!(!file.exists(), "{more:?}");
    }
    let ran = home.icnctl(&["id", "export", "--secret", "-o", "-"], b"");
    assert!(ran.code == 2 && ran.err.contains("not to standard output"), "{}", ran.err);
}

#[test]
fn an_identity_and_a_file_are_never_overwritten() {
    let (home, drill, did) = identity();
    drill.make(&home);
    let before = (everything(&home), std::fs::read(&drill.backup).unwrap());
    drill.fails(&home, &["--did", &did], &["identity.json already exists"]);
    home.fails(&drill.backup_args(&[]), b"", &["node.age already exists", "name another file"]);
    assert_eq!((everything(&home), std::fs::read(&drill.backup).unwrap()), before);
    // Half an identity is one.
    std::fs::remove_file(home.path("identity.json")).unwrap();
    drill.fails(&home, &["--did", &did], &["identity.age already exists"]);
    // Through a link that leads nowhere neither.
    std::fs::remove_file(&drill.backup).unwrap();
    std::os::unix::fs::symlink(home.beside("nowhere"), &drill.backup).unwrap();
    let (home, drill) = (&home, &drill);
    let other = Home::new().with("ICN_PASSPHRASE", PASSPHRASE);
    other.ok(&["id", "init"], b"");
    other.fails(&drill.backup_args(&[]), b"", &["already exists"]);
    assert!(!home.beside("nowhere").exists());
}

#[test]
fn the_configuration_that_is_there_stays_and_must_agree() {
    let (home, drill, did) = identity();
    drill.make(&home);
    lose(&home);
    std::fs::create_dir(home.path("")).unwrap();
    home.chmod("", 0o700);
    // Another backend.
    home.write("icn.toml", "[identity]\nbackend = \"tpm\"\n");
    drill.fails(&home, &["--did", &did], &["names backend \"age\", the configuration \"tpm\""]);
    // Another DID, whatever is said on the command line.
    let other = "did:key:z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK";
    home.write("icn.toml", &format!("[identity]\ndid = \"{other}\"\n"));
    drill.fails(&home, &["--did", &did], &[&format!("is of {did}, not of {other}")]);
    assert_eq!(everything(&home).len(), 1);
    // Its own comments and tables are kept; the pinned DID needs no --did.
    let kept = format!(
        "# ours\n[network]\nport = 1\n[identity]\ndid = \"{did}\"\n[identity.age]\nwork_factor = 10\n"
    );
    home.write("icn.toml", &kept);
    drill.ok(&home, &[]);
    let config = home.read("icn.toml");
    assert!(config.starts_with("# ours\n[network]\nport = 1\n"), "{config}");
    home.ok(&["sign"], b"x");
}

#[test]
fn tables_of_other_programs_are_not_in_a_backup() {
    let (home, drill, _) = identity();
    let text = home.read("icn.toml");
    home.write("icn.toml", &format!("{text}\n[network]\npassword = \"hunter2\"\n"));
    drill.make(&home);
    let inside = drill.json()["contents"]["config"].as_str().unwrap().to_owned();
    assert!(inside.contains("[identity]") && !inside.contains("network"), "{inside}");
    assert!(!inside.contains("hunter2"), "{inside}");
}

#[test]
fn a_backup_that_is_older_than_a_year_is_restored_and_its_certificate_renewed() {
    let (home, drill, did) = identity();
    drill.make(&home);
    lose(&home);
    let mut command = home.command(&drill.restore_args(&["--did", &did]));
    let icnctl = command.get_program().to_owned();
    let args: Vec<_> = command.get_args().map(ToOwned::to_owned).collect();
    let mut later = Command::new("faketime");
    later.args(["-f", "+400d"]).arg(icnctl).args(args).env_clear();
    for (name, value) in command.env("TZ", "UTC").get_envs() {
        later.env(name, value.unwrap());
    }
    let ran = run(&mut later, b"");
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
    let binding = payload(&home, PASSPHRASE)["binding"].clone();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let day = 24 * 60 * 60;
    assert!(binding["not_after"].as_u64().unwrap() > now + 400 * day);
    assert!(binding["sequence"].as_u64().unwrap() > now + 399 * day);
}

/// The second time, peers have seen what the first restored node made.
#[test]
fn a_backup_that_is_restored_twice_counts_on() {
    let (home, drill, did) = identity();
    drill.make(&home);
    let mut sequences = vec![payload(&home, PASSPHRASE)["binding"]["sequence"].as_u64().unwrap()];
    for _ in 0..2 {
        lose(&home);
        std::thread::sleep(std::time::Duration::from_millis(1100));
        drill.ok(&home, &["--did", &did]);
        sequences.push(payload(&home, PASSPHRASE)["binding"]["sequence"].as_u64().unwrap());
    }
    assert!(sequences.is_sorted_by(|one, next| one < next), "{sequences:?}");
}

#[test]
fn any_of_several_recovery_keys_opens_it_and_no_other() {
    let (home, mut drill, did) = identity();
    let second = home.beside("second.key");
    let recipient = new_key(&second);
    let made = drill.run(&home, &drill.backup_args(&["--recipient", &recipient]));
    assert_eq!(made.code, 0, "{}", made.err);
    assert!(made.out.contains(&drill.recipient) && made.out.contains(&recipient), "{}", made.out);
    drill.ok(&home, &["--check", "--did", &did]);
    drill.key = second;
    drill.ok(&home, &["--check", "--did", &did]);
    let third = home.beside("third.key");
    new_key(&third);
    let args = ["id", "restore", text(&drill.backup), "--identity-file", text(&third), "--check"];
    home.fails(&args, b"", &["this key does not open the backup: it was made for another one"]);
}

#[test]
fn a_backup_can_be_verified_when_it_is_made() {
    let (home, drill, did) = identity();
    let args = drill.backup_args(&["--verify-with", text(&drill.key)]);
    let args = [&["--format", "json"], &args[..]].concat();
    let told: Value = serde_json::from_str(&drill.run(&home, &args).out).unwrap();
    assert_eq!(told["did"], did.as_str());
    assert_eq!(told["decrypted_and_verified"], true);
    assert_eq!(told["recipients"], json!([drill.recipient]));
    // A key that does not open it.
    std::fs::remove_file(&drill.backup).unwrap();
    let other = home.beside("other.key");
    new_key(&other);
    let args = drill.backup_args(&["--verify-with", text(&other)]);
    home.fails(&args, b"", &["none of the recipients is that of the key in"]);
    assert!(!drill.backup.exists());
}

#[test]
fn a_backup_changes_nothing_and_leaves_nothing_where_it_cannot_be_written() {
    let (home, drill, _) = identity();
    let before = everything(&home);
    drill.make(&home);
    assert_eq!(everything(&home), before);
    std::fs::remove_file(&drill.backup).unwrap();
    let to = |file: &str, texts: &[&str]| {
        let args = ["id", "backup", "--recipient", &drill.recipient, "-o", file];
        home.fails(&args, b"", texts);
    };
    to("-", &["a backup goes to a file"]);
    to("/dev/full", &["/dev/full already exists"]);
    to("/dev/stdout", &["/dev/stdout already exists"]);
    to(text(&home.beside("nowhere/node.age")), &["no file can be made in", "nowhere"]);
    let left: Vec<_> = std::fs::read_dir(home.beside("")).unwrap().flatten().collect();
    let names: Vec<_> = left.iter().map(std::fs::DirEntry::file_name).collect();
    assert_eq!(names.len(), 2, "the home and the recovery key: {names:?}");
    assert_eq!(everything(&home), before);
}

/// The way of a person: a new passphrase is typed twice.
#[test]
fn a_person_is_asked_for_a_new_passphrase_twice() {
    let (home, drill, did) = identity();
    drill.make(&home);
    lose(&home);
    let mut restore = home.command(&drill.restore_args(&["--did", &did]));
    restore.env_remove("ICN_PASSPHRASE");
    let ran = on_a_terminal(&restore, &format!("{NEW}\n{PASSPHRASE}\n"));
    assert_eq!(ran.code, 1, "{}", ran.out);
    assert!(ran.out.contains("the two passphrases differ"), "{}", ran.out);
    assert!(!home.path("").exists());
    let ran = on_a_terminal(&restore, &format!("{NEW}\n{NEW}\n"));
    assert_eq!(ran.code, 0, "{}", ran.out);
    assert!(ran.out.contains("New passphrase: ") && ran.out.contains("Again: "), "{}", ran.out);
    assert!(!ran.out.contains(NEW), "{}", ran.out);
    renewed(home).ok(&["sign"], b"x");
}
