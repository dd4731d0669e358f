//! A seed that is sealed to a TPM. Its library is in this process, and the whole of that has to be
//! clean: with a PIN the library is given nothing but what is encrypted, and without one what it
//! keeps is overwritten.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;

use support::swtpm::Swtpm;

use super::probe::Probe;
use super::secret::{forms, key, seed, text};

const SEED: [&str; 3] = ["seed", "seed scalar", "seed prefix"];

fn a_seed_that_was_imported(has_pin: bool) {
    let (tpm, pin, seed) = (Swtpm::start(), text(), seed());
    let home = tempfile::tempdir().unwrap();
    fs::set_permissions(home.path(), Permissions::from_mode(0o700)).unwrap();
    let tcti = tpm.tcti();
    let variables = [("PROBE_TPM", &*tcti), ("PROBE_HOME", home.path().to_str().unwrap())];
    let secrets: [(&str, &[u8]); 2] = [("seed", &seed), ("pin", pin.as_bytes())];
    let secrets = if has_pin { &secrets[..] } else { &secrets[..1] };
    let patterns = [key("seed", &seed), forms("pin", pin.as_bytes())].concat();
    let mut probe = Probe::start("tpm import", &variables, secrets, patterns);
    let given: &[&str] = if has_pin { &["pin"] } else { &[] };
    probe.expect("in memory", &[&SEED[..], given].concat());
    // Of the source, and of the key that was made of it.
    probe.expect("imported", &[&SEED[..], &SEED[..], given].concat());
    probe.expect("source dropped", &SEED);
    probe.expect("closed", &[]);
    probe.expect("opened", &SEED);
    probe.expect("closed again", &[]);
    probe.expect("dropped", &[]);
    probe.expect_leaks(&secrets.iter().map(|(name, _)| *name).collect::<Vec<_>>());
}

#[test]
fn of_a_seed_that_was_imported_into_a_tpm_nothing_is_left_but_while_it_is_open() {
    a_seed_that_was_imported(true);
}

#[test]
fn of_a_seed_that_was_imported_into_a_tpm_without_a_pin_nothing_is_left_but_while_it_is_open() {
    a_seed_that_was_imported(false);
}
