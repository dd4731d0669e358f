//! Another passphrase.

use std::time::SystemTime;

use icn_identity::backend::AgeKeyStore;
use icn_identity::config::Config;
use icn_identity::error::OpenError;
use icn_identity::keystore::{Credentials, IdentityStore, Pinned};
use icn_identity::{DidMethod, Error, Passphrase};

use support::home::{Home, PASSPHRASE, on_a_terminal, write_private};

use super::devices::copy;
use super::shares;

const NEW: &str = "another passphrase";

fn work_factor(home: &Home) -> String {
    let age = std::fs::read(home.path("identity.age")).unwrap();
    let line = age.split(|byte| *byte == b'\n').nth(1).unwrap();
    String::from_utf8(line.to_vec()).unwrap().rsplit(' ').next().unwrap().to_owned()
}

#[test]
fn the_new_passphrase_opens_the_same_identity_and_the_old_one_nothing() {
    let home = Home::new().with("ICN_PASSPHRASE", PASSPHRASE);
    home.ok(&["id", "init"], b"");
    let (before, signature) = (home.show(), home.ok(&["sign"], b"hello"));
    assert_eq!(work_factor(&home), "10");
    // And more scrypt work, as configured.
    home.write("icn.toml", &home.read("icn.toml").replace("= 10", "= 11"));
    let new = home.beside("new");
    write_private(&new, &format!("{NEW}\n"));
    let change = ["id", "change-passphrase", "--new-passphrase-file", new.to_str().unwrap()];
    let said = home.ok(&change, b"");
    assert!(said.contains(before["did"].as_str().unwrap()), "{said}");
    assert!(said.contains("work 2^11") && said.contains("backups"), "{said}");
    assert!(!said.contains(NEW) && !said.contains(PASSPHRASE), "{said}");
    assert_eq!(work_factor(&home), "11");
    home.refused(&["sign"], b"hello", &["the passphrase does not open this key"]);
    home.refused(&change, b"", &["the passphrase does not open this key"]);

    let home = home.with("ICN_PASSPHRASE", NEW);
    assert_eq!(home.ok(&["sign"], b"hello"), signature);
    let mut after = home.show();
    assert_eq!(after["generation"], 2);
    after["generation"] = before["generation"].clone();
    assert_eq!(after, before);
    for name in ["identity.age.prev", "identity.json.prev"] {
        assert!(!home.path(name).exists(), "{name}");
    }
    // The same once more is no error: so the work is lowered again.
    home.write("icn.toml", &home.read("icn.toml").replace("= 11", "= 10"));
    let said = home.ok(&[&["--format", "json"][..], &change].concat(), b"");
    let said: serde_json::Value = serde_json::from_str(&said).unwrap();
    assert_eq!(said["did"], before["did"]);
    assert_eq!((&said["scrypt_work_factor"], work_factor(&home).as_str()), (&10.into(), "10"));
    home.ok(&["sign"], b"hello");
}

#[test]
fn on_a_terminal_the_new_one_is_asked_for_twice_after_the_old_one() {
    let home = Home::new();
    let made = on_a_terminal(&home.command(&["id", "init"]), "typed in\ntyped in\n");
    assert_eq!(made.code, 0, "{}", made.out);
    let change = home.command(&["id", "change-passphrase"]);
    let differ = on_a_terminal(&change, "typed in\nnew one\nanother\n");
    assert!(
        differ.code == 1 && differ.out.contains("the two passphrases differ"),
        "{}",
        differ.out
    );
    let changed = on_a_terminal(&change, "typed in\nnew one\nnew one\n");
    assert_eq!(changed.code, 0, "{}", changed.out);
    assert!(changed.out.contains("New passphrase: ") && !changed.out.contains("new one"));
    let home = home.with("ICN_PASSPHRASE", "new one");
    home.ok(&["sign"], b"hello");
}

/// `$ICN_PASSPHRASE` is the present one, and never the new one.
#[test]
fn what_cannot_be_a_new_passphrase_changes_nothing() {
    let home = Home::new().with("ICN_PASSPHRASE", PASSPHRASE);
    home.fails(&["id", "change-passphrase"], b"", &["there is no identity in"]);
    home.ok(&["id", "init"], b"");
    let before = std::fs::read(home.path("identity.age")).unwrap();
    let new = home.beside("new");
    let change = ["id", "change-passphrase", "--new-passphrase-file", new.to_str().unwrap()];
    home.fails(&change, b"", &["cannot read", "new", "try: check the path"]);
    write_private(&new, "\n");
    home.fails(&change, b"", &["the passphrase is empty"]);
    write_private(&new, NEW);
    super::owners::mode(&new, 0o644);
    home.fails(&change, b"", &["its mode is 0644", "chmod 600"]);
    assert_eq!(std::fs::read(home.path("identity.age")).unwrap(), before);
}

/// What an older version or a killed writer left under the old passphrase is
/// not put back when the next write fails, and goes.
#[test]
fn an_older_version_that_was_left_is_neither_put_back_nor_kept() {
    let dir = tempfile::tempdir().unwrap();
    let config = Config::parse(support::home::FAST).unwrap().identity.age;
    let home = dir.path().join("icn");
    let backend = AgeKeyStore::with_config(&home, &config);
    let store = IdentityStore::new(&home).with_age_config(config);
    let (old, new) = (Passphrase::new(PASSPHRASE), Passphrase::new(NEW));
    let made = backend.create_identity(DidMethod::Icn, &old).unwrap();
    made.verify_binding(SystemTime::now()).unwrap();
    let copies: Vec<(String, Vec<u8>)> = ["identity.age", "identity.json"]
        .map(|name| (format!("{name}.prev"), std::fs::read(home.join(name)).unwrap()))
        .into();
    let leave = || {
        for (name, bytes) in &copies {
            std::fs::write(home.join(name), bytes).unwrap();
            super::owners::mode(&home.join(name), 0o600);
        }
    };
    store
        .change_passphrase(&backend, Pinned::Nobody, &Credentials::passphrase(old.clone()), &new)
        .unwrap();
    leave();
    let opened =
        store.open(&backend, Pinned::Nobody, &Credentials::passphrase(new.clone())).unwrap();
    assert_eq!(opened.bundle.did(), made.did());
    assert!(copies.iter().all(|(name, _)| !home.join(name).exists()));

    leave();
    let error =
        store.open(&backend, Pinned::Nobody, &Credentials::passphrase(old.clone())).unwrap_err();
    assert!(matches!(error, Error::Open(OpenError::WrongPassphrase)), "{error}");
    let empty = Passphrase::new("");
    let error =
        store.change_passphrase(&backend, Pinned::Nobody, &Credentials::passphrase(new), &empty);
    assert!(matches!(error, Err(Error::Open(OpenError::EmptyPassphrase))), "{error:?}");
}

/// The first failure is that of a write, the second that of putting back what was there.
#[test]
fn when_the_disk_fails_twice_one_of_the_two_passphrases_opens_it() {
    let cases: Vec<(usize, usize)> =
        (1..=9).flat_map(|write| (1..=6).map(move |rename| (write, rename))).collect();
    let kept = Home::new().with("ICN_PASSPHRASE", PASSPHRASE);
    kept.ok(&["id", "init"], b"");
    let signature = kept.ok(&["sign"], b"hello");
    let ends = shares::for_each(
        &cases,
        || (),
        |(), (write, rename)| fails_twice(&kept, &signature, *write, *rename),
    );
    let failed = ends.iter().filter(|(failed, _)| *failed).count();
    assert!(failed > 10, "{failed}");
    assert!(ends.contains(&(true, true)), "the case of the docs was not met");
}

/// Whether it says that it failed, and whether the new one opens it.
fn fails_twice(kept: &Home, signature: &str, write: usize, rename: usize) -> (bool, bool) {
    let home = Home::new().with("ICN_PASSPHRASE", PASSPHRASE);
    std::fs::remove_dir_all(home.path("")).unwrap();
    copy(&kept.path(""), &home.path(""));
    let new = home.beside("new");
    write_private(&new, NEW);
    let change = ["id", "change-passphrase", "--new-passphrase-file", new.to_str().unwrap()];
    let icnctl = home.command(&change);
    let mut strace = std::process::Command::new("strace");
    strace.args(["-f", "--seccomp-bpf", "-qq", "-o", "/dev/null", "-e", "trace=fsync,rename"]);
    strace.args(["-e", &format!("inject=fsync:error=EIO:when={write}+")]);
    strace.args(["-e", &format!("inject=rename:error=EIO:when={rename}+")]);
    strace.arg(icnctl.get_program()).args(icnctl.get_args()).env_clear();
    strace.envs(icnctl.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let ran = support::home::run(&mut strace, b"");
    let at = format!("fsync {write}, rename {rename}: {} {}", ran.code, ran.err);
    let old_opens = home.icnctl(&["sign"], b"hello");
    let home = home.with("ICN_PASSPHRASE", NEW);
    let new_opens = home.icnctl(&["sign"], b"hello");
    let is_new = new_opens.code == 0;
    assert_ne!(old_opens.code == 0, is_new, "{at}");
    let opened = if is_new { new_opens } else { old_opens };
    assert_eq!(opened.out, signature, "{at}");
    let failed = ran.code != 0 && !ran.err.contains("changed, but");
    assert!(!(failed && is_new) || ran.err.contains("was not put back"), "{at}");
    (failed, is_new)
}
