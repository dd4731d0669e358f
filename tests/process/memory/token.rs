//! The PIN of a token. What a module keeps of it is its own affair; SoftHSM wipes
//! what it has, so here the whole process has to be clean, the module too.

use support::softhsm::{SoftHsm, module};

use super::probe::Probe;
use super::secret::{forms, key, seed, text};

/// A token with this PIN, and SoftHSM's configuration.
fn token(pin: &str) -> (SoftHsm, String) {
    let hsm = SoftHsm::new();
    hsm.token_with_pin("node-1", pin);
    let conf = hsm.conf().to_str().unwrap().to_owned();
    (hsm, conf)
}

#[test]
fn a_pin_is_in_memory_once_until_the_last_key_is_closed() {
    let pin = text();
    let (_hsm, conf) = token(&pin);
    let variables = [("SOFTHSM2_CONF", &*conf), ("PROBE_MODULE", module())];
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
    let (_hsm, conf) = token(&pin);
    let variables = [("SOFTHSM2_CONF", &*conf), ("PROBE_MODULE", module())];
    let secrets = [("wrong", wrong.as_bytes())];
    let patterns = forms("wrong", wrong.as_bytes());
    let mut probe = Probe::start("refused", &variables, &secrets, patterns);
    probe.expect("given", &["wrong"]);
    probe.expect("dropped", &[]);
    probe.expect("dropped again", &[]);
    probe.expect_leaks(&["wrong"]);
}

/// SoftHSM is in this process, and has the key: whenever it signs, it leaves some of it in
/// the heap of C. Ours is nowhere.
#[test]
fn of_a_seed_that_was_written_into_a_token_we_have_nothing_once_its_source_is_dropped() {
    let (pin, seed) = (text(), seed());
    let (_hsm, conf) = token(&pin);
    let variables = [("SOFTHSM2_CONF", &*conf), ("PROBE_MODULE", module())];
    let secrets: [(&str, &[u8]); 2] = [("pin", pin.as_bytes()), ("seed", &seed)];
    let patterns = [key("seed", &seed), forms("pin", pin.as_bytes())].concat();
    let mut probe = Probe::start("import", &variables, &secrets, patterns);
    probe.expect("in memory", &["seed", "seed scalar", "seed prefix", "pin"]);
    probe.shared_with_c = Some("seed");
    probe.expect("imported", &["seed", "seed scalar", "seed prefix", "pin"]);
    probe.expect("source dropped", &["pin"]);
    probe.expect("signed", &["pin"]);
    probe.expect("closed", &[]);
    probe.expect_leaks(&["pin", "seed"]);
}
