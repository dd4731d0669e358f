//! A recovery recipient is public: anybody can encrypt to it.

use serde_json::Value;
use support::home::{Home, PASSPHRASE};

use super::drill::{Drill, lose, text};

struct Victim {
    home: Home,
    drill: Drill,
    did: String,
}

fn victim() -> Victim {
    let home = Home::new().with("ICN_PASSPHRASE", PASSPHRASE);
    home.ok(&["id", "init"], b"");
    let did = home.show()["did"].as_str().unwrap().to_owned();
    let drill = Drill::new(&home);
    drill.make(&home);
    Victim { home, drill, did }
}

/// A stranger's backup to the same recipient; gives the stranger's DID.
fn stranger(victim: &Victim) -> String {
    let home = Home::new().with("ICN_PASSPHRASE", PASSPHRASE);
    home.ok(&["id", "init"], b"");
    std::fs::remove_file(&victim.drill.backup).unwrap();
    home.ok(&victim.drill.backup_args(&[]), b"");
    home.show()["did"].as_str().unwrap().to_owned()
}

#[test]
fn a_strangers_backup_is_refused_for_the_did_that_is_named_or_pinned() {
    let victim = victim();
    let other = stranger(&victim);
    let Victim { home, drill, did } = &victim;
    let wrong = format!("the backup is of {other}, not of {did}");
    // Pinned, here and in a drill.
    drill.fails(home, &["--check"], &[&wrong]);
    lose(home);
    for more in [&["--did", did][..], &["--did", did, "--check"]] {
        drill.fails(home, more, &[&wrong, "records"]);
    }
    // Named by nobody: only shown.
    drill.fails(home, &[], &[&other, "nothing here says that this is the one", "--did DID"]);
    drill.fails(home, &["--did", "did:icn:nonsense"], &["did:icn"]);
    assert!(!home.path("").exists());
}

/// All that a stranger can change in a backup that was read by some mishap, or
/// write anew.
#[test]
fn what_the_did_did_not_sign_is_refused() {
    let victim = victim();
    let genuine = String::from_utf8(victim.drill.plain()).unwrap();
    let other = stranger(&victim);
    let strange = String::from_utf8(victim.drill.plain()).unwrap();
    let Victim { home, drill, did } = &victim;
    lose(home);
    let seed = |text: &str| {
        let json: Value = serde_json::from_str(text).unwrap();
        json["contents"]["payload"]["seed"].as_str().unwrap().to_owned()
    };
    let unsigned = "was not signed by the key of";
    for (forged, message) in [
        // The stranger's keys under the victim's name.
        (strange.replace(&other, did), unsigned),
        // Only in one place.
        (strange.replacen(&other, did, 1), unsigned),
        // The victim's backup with another seed, configuration, date.
        (genuine.replace(&seed(&genuine), &seed(&strange)), unsigned),
        (genuine.replace("work_factor = 10", "work_factor = 11"), unsigned),
        (genuine.replace("\"created\":\"20", "\"created\":\"21"), unsigned),
        // What is not signed at all.
        (genuine.replace("\"contents\":", "\"more\":1,\"contents\":"), "not the JSON of one"),
        (genuine.replace("icn-identity-backup", "icn-identity-header"), "of another format"),
        (genuine.replacen("\"version\":1", "\"version\":2", 1), "reads up to version 1"),
        ("{}".into(), "is not a backup"),
        ("[".into(), "is not a backup"),
    ] {
        assert_ne!(forged, genuine);
        drill.put(forged.as_bytes());
        let args = drill.restore_args(&["--did", did]);
        let ran = home.fails(&args, b"", &[message]);
        for secret in [seed(&genuine), seed(&strange)] {
            assert!(!ran.err.contains(&secret), "{}", ran.err);
        }
        assert!(!home.path("").exists());
    }
    // The control: encrypted by a stranger, and nothing changed.
    drill.put(genuine.as_bytes());
    drill.ok(home, &["--did", did]);
}

/// What `icnctl sign` signs can never be taken for a backup's signature.
#[test]
fn the_statement_of_a_backup_is_not_signed_for_others() {
    let victim = victim();
    victim.home.fails(&["sign"], b"icn-identity/backup/v1\0anything", &["icn-identity/"]);
    assert!(text(&victim.drill.backup).ends_with("node.age"));
}
