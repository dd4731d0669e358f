//! Every byte of a backup counts, outside and inside of its encryption.

use icn_identity::error::BackupError;
use icn_identity::keystore::backup::{Backup, RecoveryKeys};
use support::home::{Home, PASSPHRASE};

use super::drill::Drill;

fn made() -> (Home, Drill, RecoveryKeys) {
    let home = Home::new().with("ICN_PASSPHRASE", PASSPHRASE);
    home.ok(&["id", "init"], b"");
    let drill = Drill::new(&home);
    drill.make(&home);
    let keys = RecoveryKeys::read(&drill.key).unwrap();
    (home, drill, keys)
}

fn encrypt(drill: &Drill, plain: &[u8]) -> Vec<u8> {
    let recipient: age::x25519::Recipient = drill.recipient.parse().unwrap();
    age::encrypt(&recipient, plain).unwrap()
}

#[test]
fn every_flipped_byte_and_every_truncation_is_refused() {
    let (_home, drill, keys) = made();
    let good = std::fs::read(&drill.backup).unwrap();
    Backup::open(&good, &keys).unwrap();
    for at in 0..good.len() {
        let mut bad = good.clone();
        bad[at] ^= 1;
        assert!(Backup::open(&bad, &keys).is_err(), "byte {at}");
        assert!(Backup::open(&good[..at], &keys).is_err(), "cut at {at}");
    }
    let longer = [&good[..], b"x"].concat();
    assert!(Backup::open(&longer, &keys).is_err());
}

/// Whoever knows the recipient can encrypt anything to it.
#[test]
fn every_flipped_byte_inside_is_refused() {
    let (_home, drill, keys) = made();
    let good = drill.plain();
    Backup::open(&encrypt(&drill, &good), &keys).unwrap();
    for at in 0..good.len() {
        let mut bad = good.clone();
        bad[at] ^= 1;
        let error = Backup::open(&encrypt(&drill, &bad), &keys).unwrap_err();
        let expected =
            matches!(error, BackupError::Signature { .. } | BackupError::NotABackup { .. });
        assert!(expected, "byte {at}: {error:?}");
    }
}

#[test]
fn damaged_files_are_refused_in_plain_words_and_leave_nothing() {
    let (home, drill, _) = made();
    let did = home.show()["did"].as_str().unwrap().to_owned();
    super::drill::lose(&home);
    let good = std::fs::read(&drill.backup).unwrap();
    let mut flipped = good.clone();
    *flipped.last_mut().unwrap() ^= 1;
    for bad in [&flipped, &good[..good.len() / 2], &good[..0]] {
        std::fs::write(&drill.backup, bad).unwrap();
        let args = drill.restore_args(&["--did", &did]);
        home.fails(&args, b"", &["damaged or cut off", "another copy"]);
        assert!(!home.path("").exists());
    }
    std::fs::write(&drill.backup, b"no age file").unwrap();
    let args = drill.restore_args(&["--did", &did]);
    home.fails(&args, b"", &["not a backup: it is text", "icnctl id backup --recipient"]);
    std::fs::remove_file(&drill.backup).unwrap();
    home.fails(&drill.restore_args(&["--did", &did]), b"", &["node.age"]);
    std::fs::create_dir(&drill.backup).unwrap();
    home.fails(&drill.restore_args(&["--did", &did]), b"", &["not a regular file"]);
}
