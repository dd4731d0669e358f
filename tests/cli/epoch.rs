//! `icnctl id renew --all-instances` and `--epoch`, and identities without either.

use std::fs;
use std::path::Path;

use support::home::Home;

use crate::age::{by_the_clock, identity};

#[test]
fn id_renew_begins_an_epoch_and_joins_one_and_says_what_to_do_elsewhere() {
    let home = identity();
    let before = home.show()["tls"].clone();
    let instance = before["instance"].as_str().unwrap().to_owned();
    assert!(instance.len() == 32 && instance.chars().all(|c| c.is_ascii_hexdigit()), "{instance}");
    let text = home.ok(&["id", "show"], b"");
    let line = format!("Instance    {instance}, epoch 0, number {}\n", before["sequence"]);
    assert!(text.contains(&line), "{text}");

    let told = home.ok(&["id", "renew", "--all-instances"], b"");
    let after = home.show()["tls"].clone();
    let epoch = after["epoch"].as_u64().unwrap();
    assert!(epoch >= before["sequence"].as_u64().unwrap(), "an epoch is the time: {after}");
    for wanted in [
        &format!("Instance {instance}, epoch {epoch}.\n")[..],
        "refuse every older certificate of this DID",
        &format!("\n    icnctl id renew --epoch {epoch}\n"),
    ] {
        assert!(told.contains(wanted), "{told}");
    }
    assert_eq!(after["instance"], before["instance"]);
    // Once more is later, whatever the clock says.
    home.ok(&["id", "renew", "--all-instances"], b"");
    let present = home.show()["tls"]["epoch"].as_u64().unwrap();
    assert!(present > epoch);
    // A plain renewal keeps it and tells nobody to do anything.
    let told = home.ok(&["id", "renew"], b"");
    assert!(told.contains(&format!("epoch {present}.")) && !told.contains("--epoch"), "{told}");

    let joined = (present + 10_000).to_string();
    let ran = home.icnctl(&["id", "renew", "--epoch", &joined], b"");
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(ran.err.contains("is later than the clock"), "{}", ran.err);
    assert_eq!(home.show()["tls"]["epoch"], present + 10_000);
    let shown = home.show();
    let lower = present.to_string();
    let told = ["is earlier than the present one", "try: join the epoch", "--all-instances"];
    home.fails(&["id", "renew", "--epoch", &lower], b"", &told);
    let told = ["is later than any can be", "exactly as `icnctl id renew --all-instances`"];
    home.fails(&["id", "renew", "--epoch", &u64::MAX.to_string()], b"", &told);
    for wrong in ["-1", "one", "18446744073709551616"] {
        let ran = home.icnctl(&["id", "renew", &format!("--epoch={wrong}")], b"");
        assert_eq!(ran.code, 2, "{wrong}: {}", ran.err);
    }
    let both = home.icnctl(&["id", "renew", "--all-instances", "--epoch", &joined], b"");
    assert_eq!(both.code, 2, "{}", both.err);
    assert_eq!(home.show(), shown);
    // By a clock that was not set there is no epoch.
    let refused = by_the_clock(&home, "1970-01-02 00:00:00", &["id", "renew", "--all-instances"]);
    assert!(refused.code == 1 && refused.err.contains("the clock is not set"), "{}", refused.err);
    assert_eq!(home.show(), shown);
}

/// As an older version has written it, and as it is after any command that opens it.
#[test]
fn an_identity_without_an_instance_says_so_until_it_is_opened() {
    let home = Home::new().with("ICN_PASSPHRASE", "correct horse");
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/older-binding");
    for name in ["identity.json", "identity.age"] {
        fs::copy(fixture.join(name), home.path(name)).unwrap();
        home.chmod(name, 0o600);
    }
    let before = home.show();
    for field in ["instance", "epoch", "sequence"] {
        assert!(before["tls"][field].is_null(), "{before}");
    }
    let text = home.ok(&["id", "show"], b"");
    assert!(text.contains("Instance    none yet"), "{text}");
    home.ok(&["sign"], b"hello");
    let after = home.show();
    assert_eq!(after["tls"]["instance"].as_str().unwrap().len(), 32);
    assert_eq!(after["tls"]["epoch"], 0);
    assert_eq!((&after["did"], &after["encryption"]), (&before["did"], &before["encryption"]));
}
