//! What is not imported, and what is said about it.

use icn_identity::Error;
use icn_identity::error::{LegacyError, OpenError};
use icn_identity::keystore::{IdentityStore, LegacyIdentity, Pinned};

use super::files::{config, options, passphrase};
use super::fixture::{
    self, ALICE, BOB, DID, FORMATS, IDENTITY, Members, OTHER, array, binding, bytes, members, seal,
};

/// The error of a file; it never shows what the file holds.
fn refused_file(file: &[u8]) -> Error {
    let error = LegacyIdentity::decrypt(file, &passphrase(), &options()).unwrap_err();
    let source = std::error::Error::source(&error).map(ToString::to_string);
    let shown = format!("{error} {error:?} {source:?} {:?}", error.help());
    let secrets = [IDENTITY[0], OTHER[0], ALICE[0], BOB[0]];
    for secret in secrets {
        let numbers: Vec<String> = bytes(secret).iter().map(u8::to_string).collect();
        for part in [numbers[..3].join(","), numbers[..3].join(", "), secret[..12].to_owned()] {
            assert!(!shown.contains(&part), "{shown}");
        }
    }
    error
}

fn refused(members: &Members) -> String {
    refused_file(&members.sealed()).to_string()
}

fn hex_array(hex: &str) -> String {
    array(&bytes(hex))
}

#[test]
fn a_public_key_that_does_not_belong_to_its_secret_is_refused() {
    for format in FORMATS {
        let wrong = members(format).with("public_bytes", hex_array(OTHER[1]));
        assert_eq!(refused(&wrong), "`public_bytes` is not the public key of `secret_bytes`");
        let wrong = members(format).with("secret_bytes", hex_array(OTHER[0]));
        assert_eq!(refused(&wrong), "`public_bytes` is not the public key of `secret_bytes`");
    }
    for format in ["v2.1", "v3", "v4"] {
        let wrong = members(format).with("x25519_public", hex_array(BOB[1]));
        assert_eq!(refused(&wrong), "`x25519_public` is not the public key of `x25519_secret`");
    }
}

#[test]
fn a_did_of_another_key_is_refused_by_name() {
    let key: [u8; 32] = bytes(OTHER[1]).try_into().unwrap();
    let key = icn_identity::algorithm::Ed25519VerifyingKey::from_bytes(&key).unwrap();
    let other = icn_identity::Did::from_key(icn_identity::DidMethod::Icn, &key.into()).unwrap();
    for named in [other.as_str(), "did:web:example.org", "", &DID.replace(":z", ":")] {
        let wrong = members("v2").with("did", format!("\"{named}\""));
        let wanted =
            format!("the field `did` names {named:?}, the key in the file is that of {DID}");
        assert_eq!(refused(&wrong), wanted);
    }
    assert_eq!(refused(&members("v1").with("did", "7")), "the field `did` is not a string");
    let long = members("v1").with("did", format!("\"{}\"", "x".repeat(10_000)));
    assert!(refused(&long).len() < 400);
}

#[test]
fn an_old_binding_that_does_not_verify_is_refused_and_can_be_left_out() {
    let signature = members("v2").0.iter().find(|(name, _)| name == "tls_cert_der").cloned();
    let certificate: Vec<u8> = serde_json::from_str(&signature.unwrap().1).unwrap();
    let good = binding(IDENTITY[0], &certificate);
    let mut flipped = good;
    flipped[40] ^= 1;
    let mut longer = certificate.clone();
    longer.push(0);
    let no_binding =
        "`tls_binding_sig` is not this key's signature over the certificate `tls_cert_der`";
    for format in ["v2", "v2.1", "v3", "v4"] {
        for wrong in [
            members(format).with("tls_binding_sig", array(&flipped)),
            members(format).with("tls_binding_sig", array(&binding(OTHER[0], &certificate))),
            // Over the certificate itself, and not its hash: not ICN's.
            members(format).with("tls_cert_der", array(&longer)),
            members(format).with("tls_cert_der", "[]"),
        ] {
            let file = wrong.sealed();
            let error = refused_file(&file);
            assert_eq!(error.to_string(), no_binding);
            assert!(error.help().unwrap().contains("LegacyOptions::with_discarded_tls"));
            let options = options().with_discarded_tls(true);
            let old = LegacyIdentity::decrypt(&file, &passphrase(), &options).unwrap();
            assert_eq!(old.did().as_str(), DID);
            assert!(!old.carried().iter().any(|name| name.starts_with("tls_")));
        }
    }
}

#[test]
fn numbers_out_of_range_and_wrong_lengths_are_refused() {
    let key = hex_array(IDENTITY[0]);
    let last = |new: &str| key.replace(",96]", &format!(",{new}]"));
    for (value, problem) in [
        (last("256"), "has an element that is not a whole number from 0 to 255, at index 31"),
        (last("-1"), "has an element that is not a whole number from 0 to 255, at index 31"),
        (last("96.0"), "has an element that is not a whole number from 0 to 255, at index 31"),
        (last("352"), "has an element that is not a whole number from 0 to 255, at index 31"),
        (last("96,0"), "has 33 elements instead of 32"),
        (key.replace(",96]", "]"), "has 31 elements instead of 32"),
        ("[]".into(), "has 0 elements instead of 32"),
        (format!("\"{}\"", IDENTITY[0]), "is not an array of numbers"),
        ("{}".into(), "is not an array of numbers"),
        (last("\"96\""), "is not an array of numbers"),
    ] {
        assert_ne!(value, key);
        let wrong = members("v1").with("secret_bytes", value);
        assert_eq!(refused(&wrong), format!("the field `secret_bytes` {problem}"));
    }
    for (format, field, wanted) in [
        ("v1", "public_bytes", 32),
        ("v2", "tls_binding_sig", 64),
        ("v3", "x25519_secret", 32),
        ("v4", "x25519_public", 32),
    ] {
        let wrong = refused(&members(format).with(field, "[1,2,3]"));
        assert_eq!(wrong, format!("the field `{field}` has 3 elements instead of {wanted}"));
    }
    let wrong = refused(&members("v2").with("tls_key_der", "[1,2,300]"));
    assert!(wrong.starts_with("the field `tls_key_der` has an element"), "{wrong}");
}

#[test]
fn a_missing_field_is_named_with_its_format() {
    let tls = ["tls_cert_der", "tls_key_der", "tls_binding_sig"];
    let x25519 = ["x25519_secret", "x25519_public"];
    for format in FORMATS {
        let mut wanted = vec!["secret_bytes", "public_bytes", "did"];
        if format != "v1" {
            wanted.extend(tls);
        }
        if !matches!(format, "v1" | "v2") {
            wanted.extend(x25519);
        }
        for field in wanted {
            let error = refused(&members(format).without(&[field]));
            assert_eq!(error, format!("the field `{field}` is missing, which {format} has"));
            let error = refused(&members(format).with(field, "null"));
            assert_eq!(error, format!("the field `{field}` is missing, which {format} has"));
        }
    }
    let neither = refused(&members("v3").without(&x25519));
    assert_eq!(neither, "the field `x25519_secret` is missing, which v3 has");
}

#[test]
fn a_doubled_field_is_refused_whatever_it_says() {
    for format in FORMATS {
        let again = hex_array(IDENTITY[0]);
        for name in ["secret_bytes", "secr\\u0065t_bytes"] {
            let error = refused(&members(format).and_again(name, &again));
            assert_eq!(error, "the field \"secret_bytes\" is there twice");
        }
    }
    let error = refused(&members("v1").and_again("mine", "1").and_again("mine", "1"));
    assert_eq!(error, "the field \"mine\" is there twice");
}

#[test]
fn every_key_bundle_must_hold_pairs() {
    let bundles = members("v4").0.iter().find(|(name, _)| name == "keybundles").cloned().unwrap().1;
    let swap = |from: &str, to: &str| {
        let (from, to) = (hex_array(from), hex_array(to));
        assert!(bundles.contains(&from));
        members("v4").with("keybundles", bundles.replace(&from, &to))
    };
    assert_eq!(
        refused(&swap(OTHER[1], IDENTITY[1])),
        "`classical_public` is not the public key of `classical_secret`"
    );
    assert_eq!(
        refused(&swap(BOB[1], ALICE[1])),
        "`bundle_x25519_public` is not the public key of `bundle_x25519_secret`"
    );
    let not_objects = members("v4").with("keybundles", "[7]");
    assert_eq!(refused(&not_objects), "the field `keybundles` is not an array of objects");
    let not_array = members("v4").with("keybundles", "7");
    assert_eq!(refused(&not_array), "the field `keybundles` is not an array of objects");
    // One that is revoked too, and whatever the current one is said to be.
    let revoked = "278117fc144c72340f67d0f2316e8386ceffbf2b2428c9c51fef7c597f1d426e";
    let not_its = "`classical_public` is not the public key of `classical_secret`";
    let swapped = || swap(revoked, IDENTITY[1]);
    assert_eq!(refused(&swapped()), not_its);
    for current in ["1", "7", "null"] {
        assert_eq!(refused(&swapped().with("current_keybundle_version", current)), not_its);
    }
    assert_eq!(refused(&swapped().without(&["current_keybundle_version"])), not_its);
    assert_eq!(
        refused(&swap(ALICE[1], BOB[1])),
        "`bundle_x25519_public` is not the public key of `bundle_x25519_secret`"
    );
    // One that is not there, and halves of pairs, are carried along.
    let decrypt = |members: Members| {
        LegacyIdentity::decrypt(&members.sealed(), &passphrase(), &options()).unwrap()
    };
    let public = bundles.replace("classical_secret", "of_another_name");
    assert_eq!(decrypt(members("v4").with("keybundles", public)).did().as_str(), DID);
    let none = members("v4").without(&["keybundles", "anchor", "current_keybundle_version"]);
    assert_eq!(decrypt(none).format().as_str(), "v4");
    assert_eq!(decrypt(members("v4").with("keybundles", "[]")).format().as_str(), "v4");
}

#[test]
fn the_present_version_a_newer_one_and_those_that_never_were_are_told_apart() {
    let with = |version: &str| refused_file(&members("v3").with("version", version).sealed());
    let present = with("5");
    assert!(matches!(present, Error::Legacy(LegacyError::Present)), "{present}");
    assert!(present.help().unwrap().contains("nothing has to be imported"));
    let newer = "the imported file has version 6; this program reads up to version 5";
    assert_eq!(with("6").to_string(), newer);
    for never in ["0", "1", "2"] {
        let wanted = format!("the file has version {never}; the older formats have none, 3 or 4");
        assert_eq!(with(never).to_string(), wanted);
    }
    for odd in ["\"3\"", "3.0", "-3", "[3]"] {
        assert_eq!(with(odd).to_string(), "the field `version` is not a whole number");
    }
}

#[test]
fn what_is_no_keystore_is_refused_without_a_panic() {
    for text in ["", "7", "[]", "{", "{\"secret_bytes\":[157,97,177", "{}{}", "nonsense", "\u{0}"] {
        let error = refused_file(&seal(text.as_bytes(), 10));
        assert!(matches!(error, Error::Legacy(LegacyError::Json { .. })), "{text:?}: {error}");
    }
    assert_eq!(
        refused_file(&seal(b"{}", 10)).to_string(),
        "the field `secret_bytes` is missing, which v1 has"
    );
    // Deeper than anything that calls itself could go.
    let deep = format!("{}{}", "[".repeat(200_000), "]".repeat(200_000));
    let old = members("v1").with("deep", deep).sealed();
    let old = LegacyIdentity::decrypt(&old, &passphrase(), &options()).unwrap();
    assert_eq!(old.carried(), ["deep"]);
    let dir = tempfile::tempdir().unwrap();
    let store = IdentityStore::new(dir.path().join("icn")).with_age_config(config());
    let made = store.import(old, Pinned::Nobody, &passphrase()).unwrap();
    assert_eq!(made.did().as_str(), DID);
    let armored = refused_file(b"-----BEGIN AGE ENCRYPTED FILE-----\n");
    assert!(matches!(armored, Error::Legacy(LegacyError::Armored)), "{armored}");
}

#[test]
fn a_wrong_passphrase_a_bomb_and_damage_are_refused() {
    let file = std::fs::read(fixture::path("v4")).unwrap();
    let wrong = icn_identity::Passphrase::new("wrong");
    let error = LegacyIdentity::decrypt(&file, &wrong, &options()).unwrap_err();
    assert!(error.is_wrong_credential(), "{error}");
    let costly = seal(members("v1").text().as_bytes(), 12);
    let config = icn_identity::config::Config::parse(
        "[identity.age]\nwork_factor = 10\nmax_work_factor = 11\n",
    );
    let tight = icn_identity::keystore::LegacyOptions::new(&config.unwrap().identity.age);
    let error = LegacyIdentity::decrypt(&costly, &passphrase(), &tight).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the key file asks for scrypt work 2^12, more than the limit 2^11"
    );
    assert!(error.help().unwrap().contains("max_work_factor"));
    let file = std::fs::read(fixture::path("v1")).unwrap();
    for length in (0..file.len()).step_by(7) {
        let error = refused_file(&file[..length]);
        assert!(matches!(error, Error::Open(_)), "{length}: {error}");
    }
    for at in (0..file.len()).step_by(5) {
        let mut flipped = file.clone();
        flipped[at] ^= 1;
        let error = refused_file(&flipped);
        assert!(
            matches!(
                error,
                Error::Open(
                    OpenError::Damaged(_)
                        | OpenError::WrongPassphrase
                        | OpenError::ExcessiveWork { .. }
                )
            ),
            "{at}: {error}"
        );
    }
}

#[test]
fn more_than_would_be_read_again_is_refused() {
    let much = members("v1").with("much", format!("\"{}\"", "x".repeat(600 * 1024)));
    let error = refused_file(&much.sealed());
    assert!(matches!(error, Error::Legacy(LegacyError::TooLong { .. })), "{error}");
    // The most that is carried opens again.
    let most = members("v1").with("much", format!("\"{}\"", "x".repeat(500 * 1024)));
    let dir = tempfile::tempdir().unwrap();
    let store = IdentityStore::new(dir.path().join("icn")).with_age_config(config());
    let old = LegacyIdentity::decrypt(&most.sealed(), &passphrase(), &options()).unwrap();
    let made = store.import(old, Pinned::Nobody, &passphrase()).unwrap();
    assert_eq!(made.did().as_str(), DID);
}
