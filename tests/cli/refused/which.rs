//! Which token it is that has refused a PIN, where its name or number alone does not tell.

use support::home::{Home, PASSPHRASE, Ran, run};
use support::softhsm::{PIN, SoftHsm};
use support::tpm2_pkcs11::{Tpm2Token, module};

use super::{Token, WRONG, WRONG_TOO};

const OF_ANOTHER: &str = "may be another one of the same name";

fn with_pin(home: &Home, args: &[&str], pin: &str) -> Ran {
    run(home.command(args).env("ICN_PIN", pin), b"")
}

/// A home that shares its state directory with others, and no identity yet.
fn beside(token: &Tpm2Token, state: &str) -> Home {
    token.home().with("ICN_PASSPHRASE", PASSPHRASE).with("XDG_STATE_HOME", state)
}

const INIT: [&str; 4] = ["id", "init", "--backend", "pkcs11"];

fn init(home: &Home, options: &[&str], pin: &str) -> Ran {
    let token = ["--module", module(), "--token", "tt", "--algorithm", "p256"];
    with_pin(home, &[&INIT, &token[..], options].concat(), pin)
}

#[test]
fn what_a_token_in_a_tpm_refused_before_it_had_a_key_stays_refused() {
    let token = Tpm2Token::new("tt");
    let state = token.home().beside("state").to_str().unwrap().to_owned();
    let counted = || token.tpm.lockout_counter();
    let (one, other) = (beside(&token, &state), beside(&token, &state));
    for _ in 0..2 {
        assert_eq!(init(&one, &[], WRONG).code, 77);
        assert_eq!(counted(), 1);
    }
    let made = init(&one, &[], PIN);
    assert_eq!(made.code, 0, "{}", made.err);
    let ran = with_pin(&one, &["sign", "/dev/null"], WRONG);
    assert_eq!((ran.code, counted()), (77, 1), "{}", ran.err);
    assert_eq!(with_pin(&one, &["sign", "/dev/null"], PIN).code, 0);
    // What one home was refused with its key, others on the token are not sent.
    assert_eq!(with_pin(&one, &["sign", "/dev/null"], WRONG_TOO).code, 77);
    assert_eq!(counted(), 2);
    let label = ["--key-label", "second"];
    for wrong in [WRONG, WRONG_TOO] {
        let ran = init(&other, &label, wrong);
        assert_eq!((ran.code, counted()), (77, 2), "{}", ran.err);
    }
    let made = init(&other, &label, PIN);
    assert_eq!(made.code, 0, "{}", made.err);
    for wrong in [WRONG, WRONG_TOO] {
        let ran = with_pin(&other, &["sign", "/dev/null"], wrong);
        assert_eq!((ran.code, counted()), (77, 2), "{}", ran.err);
    }
}

/// As two stores of one user do.
#[test]
fn the_right_pin_of_a_token_whose_namesake_refused_it_is_taken_once_somebody_says_so() {
    let tokens = [Tpm2Token::new("tt"), Tpm2Token::new("tt")];
    let change = ["--token-label", "tt", "--login", "--pin", PIN, "--change-pin", "--new-pin"];
    assert_eq!(tokens[1].pkcs11_tool(&[&change[..], &[WRONG]].concat()).code, 0);
    let state = tokens[0].home().beside("state").to_str().unwrap().to_owned();
    let counted = || tokens.each_ref().map(|token| token.tpm.lockout_counter());
    let homes = tokens.each_ref().map(|token| beside(token, &state));
    assert_eq!(init(&homes[0], &[], WRONG).code, 77);
    assert_eq!(counted(), [1, 0]);
    let barred = init(&homes[1], &[], WRONG);
    assert_eq!(barred.code, 77, "{}", barred.err);
    assert!(barred.err.contains(OF_ANOTHER), "{}", barred.err);
    assert!(barred.err.contains("--retry-pin"), "{}", barred.err);
    let made = init(&homes[1], &["--retry-pin"], WRONG);
    assert_eq!(made.code, 0, "{}", made.err);
    // By this home from now on; and the other one has still been refused it.
    for _ in 0..2 {
        let ran = with_pin(&homes[1], &["sign", "/dev/null"], WRONG);
        assert_eq!(ran.code, 0, "{}", ran.err);
        assert_eq!(init(&homes[0], &[], WRONG).code, 77);
    }
    assert_eq!(counted(), [1, 0]);
    let made = init(&homes[0], &[], PIN);
    assert_eq!(made.code, 0, "{}", made.err);
    assert_eq!(with_pin(&homes[0], &["sign", "/dev/null"], WRONG).code, 77);
    assert_eq!(counted(), [1, 0]);
}

/// Their slots tell them apart, where they are named.
#[test]
fn two_tokens_of_one_name_have_a_memory_each_before_they_have_a_key() {
    let hsm = SoftHsm::with_token("node-1");
    hsm.token_with_pin("node-2", WRONG_TOO);
    hsm.script("serial same\nlabel same");
    let state = hsm.path("state").to_str().unwrap().to_owned();
    let slots = hsm.softhsm2_util(&["--show-slots"]);
    let slots = slots.lines().filter_map(|line| line.strip_prefix("Slot ")?.trim().parse().ok());
    let mut homes: Vec<Home> = Vec::new();
    for slot in slots.collect::<Vec<u64>>().into_iter().take(2) {
        let home = hsm.home().with("XDG_STATE_HOME", &state);
        let module = hsm.fault_module();
        home.write(
            "icn.toml",
            &format!(
                "[identity]\nbackend = \"pkcs11\"\n[identity.pkcs11]\nmodule = \"{module}\"\nslot = {slot}\n"
            ),
        );
        homes.push(home);
    }
    let [one, other] = &homes[..] else { panic!("{}", homes.len()) };
    let sends = |home: &Home, args: &[&str], pin: &str| {
        let before = hsm.count("C_Login");
        let code = with_pin(home, args, pin).code;
        (code == 0, hsm.count("C_Login") - before)
    };
    let init = ["id", "init"];
    assert_eq!(sends(one, &init, WRONG), (false, 1));
    assert_eq!(sends(one, &init, WRONG), (false, 0));
    // Of one the one is right, and of the other one the other.
    let right = [PIN, WRONG_TOO].into_iter().find(|pin| sends(other, &init, pin).0);
    assert!(right.is_some());
    assert_eq!(sends(one, &init, WRONG), (false, 0));
}

#[test]
fn a_token_with_a_new_label_is_the_same_by_its_serial_number() {
    let token = Token::new("");
    let script = |more: &str| token.hsm.script(&format!("pin-is {PIN}\ntries 10\n{more}"));
    // Before it has a key of ours.
    let (home, module) = (token.hsm.home(), token.hsm.fault_module());
    let init = |label: &str| {
        let token = ["--module", &module, "--token", label, "--key-label", "second"];
        with_pin(&home, &[&INIT[..], &token].concat(), WRONG)
    };
    for (label, named) in [("node-1", ""), ("newtok", "label newtok"), ("newer", "label newer")] {
        script(named);
        let ran = init(label);
        assert_eq!((ran.code, token.sent()), (77, 1), "{label}: {}", ran.err);
    }
    // And two homes with a key each.
    script("");
    let state = token.hsm.path("state").to_str().unwrap().to_owned();
    let second = token.hsm.home().with("PKCS11_FAULT_PIN", PIN).with("XDG_STATE_HOME", &state);
    let options = ["--module", &module, "--token", "node-1", "--key-label", "third"];
    let made = with_pin(&second, &[&INIT[..], &options].concat(), PIN);
    assert_eq!(made.code, 0, "{}", made.err);
    let before = token.sent();
    assert_eq!(with_pin(&second, &["sign", "/dev/null"], WRONG_TOO).code, 77);
    assert_eq!(token.sent(), before + 1);
    script("label newtok");
    let first = [("ICN_PIN", WRONG_TOO), ("XDG_STATE_HOME", &state)];
    let ran = run(token.home.command(&["id", "relocate"]).envs(first), b"");
    assert_eq!((ran.code, token.sent()), (77, before + 1), "{}", ran.err);
    assert!(ran.err.contains("was not sent again"), "{}", ran.err);
}

/// As OpenSC shows a card with two PINs: one token for each, with one serial number.
#[test]
fn tokens_of_one_card_have_a_pin_each() {
    let hsm = SoftHsm::with_token("User");
    hsm.token_with_pin("Signature", WRONG_TOO);
    hsm.script("serial one-card");
    let state = hsm.path("state").to_str().unwrap().to_owned();
    let home = || hsm.home().with("XDG_STATE_HOME", &state);
    let (user, signature, module) = (home(), home(), hsm.fault_module());
    let sends = |home: &Home, label: &str, pin: &str| {
        let before = hsm.count("C_Login");
        let token = ["--module", &module, "--token", label];
        let code = with_pin(home, &[&INIT[..], &token].concat(), pin).code;
        (code == 0, hsm.count("C_Login") - before)
    };
    assert_eq!(sends(&user, "User", WRONG_TOO), (false, 1));
    assert!(sends(&signature, "Signature", WRONG_TOO).0, "it is right there");
    assert_eq!(sends(&user, "User", WRONG_TOO), (false, 0));
}
