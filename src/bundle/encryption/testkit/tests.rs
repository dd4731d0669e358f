//! The test files of age itself, through both of our readers.
//!
//! Source: C2SP/CCTV (the Community Cryptography Test Vectors), `age/testdata`, by the age
//! authors; licence, at the user's choice: 0BSD, CC0 1.0 or the Unlicense. They are read
//! from the sources of the crate `age` that this crate is built with, which has them as
//! `tests/testdata/testkit` (the whole package: MIT or Apache-2.0). Those of the collection
//! that are younger are about hybrid recipients (ML-KEM), which nothing here has.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use ::age::{DecryptError as Age, Identity, scrypt};
use sha2::{Digest as _, Sha256};

use super::*;
use crate::agefile;
use crate::encoding::hex;
use crate::key::{Key, Software, Unlocked};

/// One file.
struct Vector {
    name: String,
    expect: String,
    payload: Option<String>,
    identities: Vec<String>,
    passphrases: Vec<String>,
    armored: bool,
    file: Vec<u8>,
}

/// Where the package manager has the sources of `age`.
fn directory() -> PathBuf {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
    let option = |name: &str| format!("--{name}");
    let asked = Command::new(cargo)
        .args(["metadata".to_owned(), option("offline"), option("locked")])
        .args([&option("format-version"), "1", &option("manifest-path"), manifest])
        .output()
        .unwrap();
    assert!(asked.status.success(), "{}", String::from_utf8_lossy(&asked.stderr));
    let metadata: serde_json::Value = serde_json::from_slice(&asked.stdout).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    let age = packages.iter().find(|package| package["name"] == "age").unwrap();
    let manifest = PathBuf::from(age["manifest_path"].as_str().unwrap());
    manifest.parent().unwrap().join("tests/testdata/testkit")
}

fn vectors() -> Vec<Vector> {
    let files = fs::read_dir(directory()).unwrap().map(|entry| entry.unwrap().path());
    files.map(|path| vector(path.file_name().unwrap(), &fs::read(&path).unwrap())).collect()
}

fn vector(name: &std::ffi::OsStr, bytes: &[u8]) -> Vector {
    let end = bytes.windows(2).position(|window| window == b"\n\n").unwrap();
    let mut vector = Vector {
        name: name.to_str().unwrap().to_owned(),
        expect: String::new(),
        payload: None,
        identities: Vec::new(),
        passphrases: Vec::new(),
        armored: false,
        file: bytes[end + 2..].to_vec(),
    };
    for line in std::str::from_utf8(&bytes[..end]).unwrap().lines() {
        let (key, value) = line.split_once(": ").unwrap();
        match key {
            "expect" => vector.expect = value.to_owned(),
            "payload" => vector.payload = Some(value.to_owned()),
            "identity" => vector.identities.push(value.to_owned()),
            "passphrase" => vector.passphrases.push(value.to_owned()),
            "armored" => vector.armored = value == "yes",
            "compressed" => {
                assert_eq!(value, "zlib");
                let inflated = miniz_oxide::inflate::decompress_to_vec_zlib(&vector.file);
                vector.file = inflated.unwrap();
            }
            "file key" | "comment" => {}
            other => panic!("{}: {other}", vector.name),
        }
    }
    vector
}

impl Vector {
    fn check_payload(&self, plaintext: &[u8]) {
        let found = hex::encode(&Sha256::digest(plaintext));
        assert_eq!(Some(found.as_str()), self.payload.as_deref(), "{}", self.name);
    }

    /// By `icnctl decrypt` and what stands behind it.
    fn opened_by_a_bundle(&self, identity: &x25519::Identity) {
        let (name, expect) = (&self.name, self.expect.as_str());
        let bundle = bundle_with(identity);
        let mut plaintext = Vec::new();
        let opened = EncryptedFile::read(self.file.as_slice())
            .and_then(|file| bundle.decrypt(file))
            .and_then(|inside| inside.copy_to(&mut plaintext));
        let fits = match (&opened, expect) {
            (Ok(_), "success") => true,
            (Err(DecryptError::NotForThisIdentity), "no match") => true,
            (Err(DecryptError::Damaged), "HMAC failure") => true,
            // A file with a passphrase is refused by what it is, whatever else is wrong.
            (Err(DecryptError::PassphraseFile), _) => !self.passphrases.is_empty(),
            // It does not begin like one.
            (Err(DecryptError::NotAge), _) => {
                matches!(name.as_str(), "armor_garbage_leading" | "empty")
            }
            (Err(error), "header failure") => matches!(
                error,
                DecryptError::UnknownHeader
                    | DecryptError::DamagedHeader { .. }
                    | DecryptError::Damaged
                    | DecryptError::Truncated
            ),
            (Err(error), "armor failure") => {
                matches!(error, DecryptError::DamagedArmor { .. } | DecryptError::CutShort { .. })
            }
            (Err(DecryptError::Damaged | DecryptError::Truncated), "payload failure") => true,
            _ => false,
        };
        assert!(fits, "{name}: {expect}, and {opened:?}");
        if self.payload.is_some() && !matches!(opened, Err(DecryptError::PassphraseFile)) {
            self.check_payload(&plaintext);
        }
    }

    /// As backups and recovery keys are opened, which are binary.
    fn opened_at_once(&self, identities: &[Box<dyn Identity>]) {
        let (name, expect) = (&self.name, self.expect.as_str());
        let identities = identities.iter().map(|identity| identity.as_ref());
        let opened = agefile::decrypt(&self.file, identities);
        match (opened, expect) {
            (Ok(plaintext), "success") => self.check_payload(&plaintext),
            (Err(Age::NoMatchingKeys), "no match") => {}
            (Err(Age::DecryptionFailed | Age::KeyDecryptionFailed), "no match") => {}
            (Err(Age::InvalidMac), "HMAC failure") => {}
            (Err(Age::Io(_)), "payload failure") => {}
            (
                Err(
                    Age::InvalidHeader
                    | Age::UnknownFormat
                    | Age::ExcessiveWork { .. }
                    | Age::DecryptionFailed
                    | Age::KeyDecryptionFailed
                    | Age::Io(_),
                ),
                "header failure",
            ) => {}
            (opened, _) => panic!("{name}: {expect}, and {:?}", opened.err()),
        }
    }
}

fn bundle_with(identity: &x25519::Identity) -> IdentityBundle<Key<Software, Unlocked>> {
    use secrecy::ExposeSecret as _;
    let (_, bytes) = bech32::decode(identity.to_string().expose_secret()).unwrap();
    let seed = X25519Seed::from_bytes(&bytes.try_into().unwrap());
    IdentityBundle::issue_around(Key::generate().unwrap(), 0, Some(seed)).unwrap()
}

#[test]
fn the_test_files_of_age_open_or_fail_as_they_say() {
    let (mut by_bundle, mut at_once) = (0, 0);
    for vector in vectors() {
        let keys: Vec<x25519::Identity> =
            vector.identities.iter().filter_map(|key| key.parse().ok()).collect();
        // One whose passphrase alone is told is shown to a key all the same.
        let some = x25519::Identity::generate();
        for key in if keys.is_empty() { std::slice::from_ref(&some) } else { &keys } {
            if vector.identities.len() > 1 || vector.expect == "success" && keys.is_empty() {
                continue;
            }
            vector.opened_by_a_bundle(key);
            by_bundle += 1;
        }
        if vector.armored {
            continue;
        }
        let mut all: Vec<Box<dyn Identity>> =
            keys.into_iter().map(|key| -> Box<dyn Identity> { Box::new(key) }).collect();
        for passphrase in &vector.passphrases {
            let mut identity = scrypt::Identity::new(passphrase.clone().into());
            identity.set_max_work_factor(16);
            all.push(Box::new(identity));
        }
        vector.opened_at_once(&all);
        at_once += 1;
    }
    assert!(by_bundle > 100 && at_once > 80, "{by_bundle} and {at_once} files");
}
