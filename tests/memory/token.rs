//! The PIN of a token. What a module keeps of it is its own affair; SoftHSM wipes
//! what it has, so here the whole process has to be clean, the module too.

use std::fs;
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use crate::probe::Probe;
use crate::secret::{forms, text};

const SOFTHSM: &str = "/usr/lib/softhsm/libsofthsm2.so";

fn module() -> String {
    let path = std::env::var("SOFTHSM2_MODULE").unwrap_or_else(|_| SOFTHSM.into());
    assert!(Path::new(&path).exists(), "{path} is missing: install SoftHSM 2 (Debian: softhsm2)");
    path
}

/// A token with this PIN; its directory, and SoftHSM's configuration.
fn token(pin: &str) -> (TempDir, String) {
    let dir = tempfile::tempdir().unwrap();
    let tokens = dir.path().join("tokens");
    fs::create_dir(&tokens).unwrap();
    let conf = dir.path().join("softhsm2.conf");
    let text = format!("directories.tokendir = {}\nobjectstore.backend = file\n", tokens.display());
    fs::write(&conf, text).unwrap();
    let made = Command::new("softhsm2-util")
        .args(["--init-token", "--free", "--label", "node-1", "--so-pin", "so-58213764"])
        .args(["--pin", pin])
        .env("SOFTHSM2_CONF", &conf)
        .output()
        .unwrap_or_else(|error| panic!("softhsm2-util cannot be run ({error}): install softhsm2"));
    assert!(made.status.success(), "{made:?}");
    let conf = conf.to_str().unwrap().to_owned();
    (dir, conf)
}

#[test]
fn a_pin_is_in_memory_once_until_the_last_key_is_closed() {
    let pin = text();
    let (_dir, conf) = token(&pin);
    let module = module();
    let variables = [("SOFTHSM2_CONF", &*conf), ("PROBE_MODULE", &module)];
    let secrets = [("pin", pin.as_bytes())];
    let patterns = forms("pin", pin.as_bytes());
    let mut probe = Probe::start("token", &variables, &secrets, patterns);
    probe.expect("given", &["pin"]);
    for step in ["created", "signed", "kept"] {
        probe.expect(step, &["pin"]);
    }
    probe.expect("closed", &[]);
    probe.expect("opened twice", &["pin"]);
    probe.expect("one is open", &["pin"]);
    probe.expect("dropped", &[]);
    probe.expect_leaks(&["pin"]);
}

#[test]
fn a_refused_pin_is_remembered_but_not_kept() {
    let (pin, wrong) = (text(), text());
    let (_dir, conf) = token(&pin);
    let module = module();
    let variables = [("SOFTHSM2_CONF", &*conf), ("PROBE_MODULE", &module)];
    let secrets = [("wrong", wrong.as_bytes())];
    let patterns = forms("wrong", wrong.as_bytes());
    let mut probe = Probe::start("refused", &variables, &secrets, patterns);
    probe.expect("given", &["wrong"]);
    probe.expect("dropped", &[]);
    probe.expect("dropped again", &[]);
    probe.expect_leaks(&["wrong"]);
}
