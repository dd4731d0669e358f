//! By a clock that was never set nothing is signed that has a time in it, and it is said
//! before anybody is asked for anything. What has no time in it goes on.

use std::path::Path;

use support::home::{FAST, Home, PASSPHRASE, write_private};
use support::softhsm::{PIN, SoftHsm, module};

use super::age::by_the_clock;
use super::backup::drill::{Drill, text};

/// Of a board without a battery, of one that has lost it, and of the day before the first
/// that is believed.
const NEVER_SET: [&str; 3] = ["1970-01-01 00:01:00", "2000-01-01 00:00:00", "2025-12-31 12:00:00"];

/// Without a credential: none is asked for.
fn refused(home: &Home, clock: &str, args: &[&str]) {
    let ran = by_the_clock(home, clock, args);
    assert_eq!(ran.code, 1, "{args:?}: {}{}", ran.out, ran.err);
    assert!(ran.err.contains("the clock is not set"), "{args:?}: {}", ran.err);
    assert!(ran.err.contains("try: set the clock"), "{args:?}: {}", ran.err);
    assert!(ran.out.is_empty(), "{args:?}: {}", ran.out);
}

fn names(home: &Home) -> Vec<String> {
    let names = std::fs::read_dir(home.path("")).unwrap();
    let mut names: Vec<_> =
        names.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn no_identity_is_made_by_a_clock_that_was_never_set() {
    let hsm = SoftHsm::with_token("node-1");
    hsm.import("node-1", "there", "01");
    let objects = hsm.objects("node-1");
    let uri = "pkcs11:token=node-1;object=there";
    let token = ["id", "init", "--backend", "pkcs11", "--module", module()];
    let legacy = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/legacy/v4.age");
    for clock in NEVER_SET {
        let home = Home::new().with("SOFTHSM2_CONF", text(&hsm.conf()));
        refused(&home, clock, &["id", "init"]);
        refused(&home, clock, &[&token[..], &["--token", "node-1"]].concat());
        refused(&home, clock, &[&token[..], &["--key", uri]].concat());
        refused(&home, clock, &["id", "import", text(&legacy)]);
        assert_eq!(
            (names(&home), home.read("icn.toml")),
            (vec!["icn.toml".to_owned()], FAST.into())
        );
    }
    assert_eq!(hsm.objects("node-1"), objects);
    // One second later it is.
    let home = Home::new().with("ICN_PASSPHRASE", PASSPHRASE);
    let made = by_the_clock(&home, "2026-01-01 00:00:01", &["id", "init"]);
    assert_eq!(made.code, 0, "{}", made.err);
}

#[test]
fn what_an_identity_signs_with_a_time_waits_for_the_clock() {
    let home = Home::new().with("ICN_PASSPHRASE", PASSPHRASE);
    let successor = Home::new().with("ICN_PASSPHRASE", PASSPHRASE);
    for home in [&home, &successor] {
        home.ok(&["id", "init"], b"");
    }
    let did = home.show()["did"].as_str().unwrap().to_owned();
    let drill = Drill::new(&home);
    drill.make(&home);
    let second = home.beside("second.age");
    let files =
        || ["identity.json", "identity.age"].map(|name| std::fs::read(home.path(name)).unwrap());
    let (before, theirs) = (files(), successor.show());
    // Without its passphrase, which is not asked for.
    let closed = Home::new();
    for name in ["identity.json", "identity.age", "icn.toml"] {
        std::fs::copy(home.path(name), closed.path(name)).unwrap();
    }
    let to = successor.path("");
    for clock in NEVER_SET {
        for args in [
            &["id", "renew"][..],
            &["id", "renew", "--all-instances"],
            &["id", "renew", "--epoch", "1"],
            &["id", "backup", "--recipient", &drill.recipient, "-o", text(&second)],
            &["id", "rotation", "create", "--reason", "manual", "--successor", text(&to)],
        ] {
            refused(&closed, clock, args);
        }
        let restored = Home::new();
        refused(&restored, clock, &drill.restore_args(&["--did", &did]));
        assert_eq!(names(&restored), ["icn.toml"]);
        // What has no time in it.
        for args in [
            &["sign"][..],
            &["sign", "--context", "x"],
            &["id", "show"],
            &drill.restore_args(&["--did", &did, "--check"]),
        ] {
            let ran = by_the_clock(&home, clock, args);
            assert_eq!(ran.code, 0, "{args:?}: {}", ran.err);
        }
    }
    assert!(!second.exists() && !home.path("handed-over.json").exists());
    assert_eq!(files(), before);
    assert_eq!(successor.show(), theirs);
}

/// A PIN is not sent for what cannot be signed.
#[test]
fn no_pin_is_sent_for_a_renewal_by_a_clock_that_was_never_set() {
    let hsm = SoftHsm::with_token("node-1");
    let home = hsm.identity("node-1");
    write_private(&home.beside("wrong"), &PIN.chars().rev().collect::<String>());
    let wrong = home.beside("wrong");
    refused(&home, NEVER_SET[0], &["--pin-file", text(&wrong), "id", "renew"]);
    assert!(!home.path("refused.json").exists());
    home.ok(&["sign"], b"hello");
}
