//! Software keys, and the passphrases that open them.

use std::path::Path;

use icn_identity::keystore::age::WorkFactor;
use icn_identity::{Key, Passphrase, Software, Unlocked};

use super::probe::Probe;
use super::secret::{forms, key, seed, text};

const SEED: [&str; 3] = ["seed", "seed scalar", "seed prefix"];

/// With more secrets beside a seed's.
fn with_seed<'a>(more: &[&'a str]) -> Vec<&'a str> {
    [&SEED[..], more].concat()
}

fn patterns(seed: &[u8; 32], texts: &[(&str, &str)]) -> Vec<super::secret::Pattern> {
    let mut patterns = key("seed", seed);
    for (name, text) in texts {
        patterns.extend(forms(name, text.as_bytes()));
    }
    patterns
}

#[test]
fn a_key_of_a_seed_is_in_memory_once_and_locking_wipes_it() {
    let (seed, passphrase) = (seed(), text());
    let secrets: [(&str, &[u8]); 2] = [("seed", &seed), ("passphrase", passphrase.as_bytes())];
    let patterns = patterns(&seed, &[("passphrase", &passphrase)]);
    let mut probe = Probe::start("seed", &[], &secrets, patterns);
    probe.expect("unlocked", &SEED);
    probe.expect("signed", &SEED);
    probe.expect("signed in a thread", &SEED);
    probe.expect("thread ended", &SEED);
    probe.expect("passphrase", &with_seed(&["passphrase"]));
    probe.expect("locked", &["passphrase"]);
    probe.expect("dropped", &[]);
    probe.expect_leaks(&["seed", "passphrase"]);
}

#[test]
fn a_new_key_is_in_memory_once_and_dropping_wipes_it() {
    let mut probe = Probe::start("generated", &[], &[], Vec::new());
    let step = probe.step();
    let hex = step.strip_prefix("generated ").unwrap();
    let bytes = |at| u8::from_str_radix(&hex[2 * at..2 * at + 2], 16).unwrap() ^ 0xa5;
    let seed: [u8; 32] = std::array::from_fn(bytes);
    probe.patterns = key("seed", &seed);
    probe.expect_here("generated", &SEED);
    probe.go_on();
    probe.expect("signed", &SEED);
    probe.expect("dropped", &[]);
    probe.expect_leaks(&[]);
}

#[test]
fn a_key_of_a_file_is_in_memory_once_and_a_passphrase_only_while_it_is_held() {
    let (seed, passphrase, wrong) = (seed(), text(), text());
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("key.age");
    let key: Key<Software, Unlocked> = Key::from_seed(&seed);
    let did = key.did().to_string();
    let locked = key.lock_with(&Passphrase::new(&*passphrase), WorkFactor::new(10).unwrap());
    std::fs::write(&path, locked.unwrap().as_age_file()).unwrap();

    let variables = [("PROBE_DID", &*did), ("PROBE_FILE", path.to_str().unwrap())];
    let secrets = [("passphrase", passphrase.as_bytes()), ("wrong", wrong.as_bytes())];
    let patterns = patterns(&seed, &[("passphrase", &passphrase), ("wrong", &wrong)]);
    let mut probe = Probe::start("file", &variables, &secrets, patterns);
    probe.expect("refused", &[]);
    probe.expect("unlocked", &with_seed(&["passphrase"]));
    probe.expect("passphrase dropped", &SEED);
    probe.expect("signed", &SEED);
    probe.expect("dropped", &[]);
    probe.expect_leaks(&["passphrase", "wrong"]);
}

/// What is in the payload: the seed, the TLS key, the X25519 key.
pub(crate) fn patterns_of(home: &Path, passphrase: &str) -> Vec<super::secret::Pattern> {
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    let file = std::fs::read(home.join("identity.age")).unwrap();
    let identity = age::scrypt::Identity::new(passphrase.to_owned().into());
    let json = age::decrypt(&identity, &file).unwrap();
    let json: serde_json::Value = serde_json::from_slice(&json).unwrap();
    let secret = |pointer| -> [u8; 32] {
        let text = json.pointer(pointer).unwrap().as_str().unwrap();
        STANDARD.decode(text).unwrap().try_into().unwrap()
    };
    let mut patterns = patterns(&secret("/seed"), &[("passphrase", passphrase)]);
    patterns.extend(key("tls", &secret("/tls/private_key")));
    patterns.extend(forms("x25519", &secret("/x25519_secret")));
    patterns
}

#[test]
fn an_identity_is_in_memory_once_and_dropping_wipes_it() {
    let passphrase = text();
    let dir = tempfile::tempdir().unwrap();
    let home = dir.path().join("home");
    let variables = [("PROBE_HOME", home.to_str().unwrap())];
    let secrets = [("passphrase", passphrase.as_bytes())];
    let mut probe = Probe::start("identity", &variables, &secrets, Vec::new());
    let open = with_seed(&["passphrase", "tls", "tls scalar", "tls prefix", "x25519"]);

    assert_eq!(probe.step(), "created");
    probe.patterns = patterns_of(&home, &passphrase);
    probe.expect_here("created", &open);
    probe.go_on();
    probe.expect("signed", &open);
    probe.expect("closed", &["passphrase"]);
    probe.expect("opened", &open);
    probe.expect("closed again", &["passphrase"]);
    // A new TLS key; nothing is left of the old one.
    assert_eq!(probe.step(), "renewed");
    let old = probe.patterns.clone();
    probe.patterns = patterns_of(&home, &passphrase);
    probe.expect_here("renewed", &open);
    probe.patterns.extend(old.into_iter().filter(|pattern| pattern.secret.starts_with("tls")).map(
        |pattern| super::secret::Pattern { secret: format!("old {}", pattern.secret), ..pattern },
    ));
    probe.expect_here("renewed", &open);
    probe.go_on();
    // What renews it in place is kept by the bundle, in the one copy.
    probe.expect("credentials dropped", &open);
    assert_eq!(probe.step(), "renewed in place");
    let old = probe.patterns.clone();
    probe.patterns = patterns_of(&home, &passphrase);
    probe.patterns.extend(old.into_iter().filter(|pattern| pattern.secret.contains("tls")).map(
        |pattern| super::secret::Pattern { secret: format!("older {}", pattern.secret), ..pattern },
    ));
    probe.expect_here("renewed in place", &open);
    probe.go_on();
    probe.expect("dropped", &[]);
    probe.expect_leaks(&["passphrase"]);
}

#[test]
fn what_is_read_from_a_file_is_in_memory_once() {
    let (passphrase, pin) = (text(), text());
    let dir = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        use std::os::unix::fs::PermissionsExt;
        let path = dir.path().join(name);
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o600)).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let files = [file("passphrase", &passphrase), file("pin", &format!("{pin}\r\n"))];
    let variables = [("PROBE_PASSPHRASE", &*files[0]), ("PROBE_PIN", &*files[1])];
    let secrets = [("passphrase", passphrase.as_bytes()), ("pin", pin.as_bytes())];
    let mut patterns = forms("passphrase", passphrase.as_bytes());
    patterns.extend(forms("pin", pin.as_bytes()));
    let mut probe = Probe::start("credential", &variables, &secrets, patterns);
    probe.expect("read", &["passphrase", "pin"]);
    probe.expect("clones", &["passphrase", "pin"]);
    probe.expect("dropped", &[]);
    probe.expect_leaks(&["passphrase", "pin"]);
}
