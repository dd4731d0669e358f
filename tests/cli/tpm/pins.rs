//! PINs, and the TPM's protection against guesses.

use support::home::{on_a_terminal, write_private};
use support::wire::Wire;

use super::node::{BOTH, Node, PIN, WRONG, home_on, quiet, set};

const TOO_LATE: &str = "the TPM is locked after too many wrong PINs";

#[test]
fn a_wrong_pin_costs_one_try_and_is_not_sent_again() {
    for algorithm in BOTH {
        let node = Node::with_identity(algorithm, &[]).with("ICN_PIN", WRONG);
        let wanted = ["refused the PIN; it was tried once, and 2 tries are left", "never retried"];
        node.ends(77, 1, &["sign"], &wanted);
        let again = ["refused the PIN from $ICN_PIN", "was not sent again", "--retry-pin"];
        for _ in 0..3 {
            node.ends(77, 0, &["sign"], &again);
        }
        // A TPM is no token.
        let said = node.icnctl(&["sign"]).err;
        assert!(!said.contains("token"), "{said}");
        let noted = node.home.read("refused.json");
        assert!(!noted.contains(WRONG) && !noted.contains(PIN), "{noted}");
        // Another one is tried.
        let node = node.with("ICN_PIN", PIN);
        node.signs();
        node.signs();
        // A right one makes the wrong one no better.
        let node = node.with("ICN_PIN", WRONG);
        node.ends(77, 0, &["sign"], &again);
        assert_eq!(super::quick::lockout_counter(&node.tpm), 1);
        assert!(node.ok(&["tpm", "check"]).contains("PIN tries    2 until the TPM locks"));
    }
}

#[test]
fn a_file_whose_pin_was_refused_is_tried_with_another_one() {
    let node = Node::with_identity("ed25519", &[]);
    let wrong = node.pin_file(WRONG);
    let sign = [&wrong[0], &wrong[1], "sign"];
    node.ends(77, 1, &sign, &["tried once"]);
    node.ends(77, 0, &sign, &["was not sent again"]);
    node.ends(77, 0, &[&wrong[0], &wrong[1], "id", "reseal"], &["was not sent again"]);
    node.pin_file(PIN);
    node.signs_with(&[&wrong[0], &wrong[1]]);
}

#[test]
fn a_pin_file_that_others_can_read_or_that_is_empty_is_refused() {
    let node = Node::with_identity("ed25519", &[]);
    let file = node.pin_file(PIN);
    let sign = [&file[0], &file[1], "sign"];
    let mode = |mode| {
        let permissions = std::os::unix::fs::PermissionsExt::from_mode(mode);
        std::fs::set_permissions(&file[1], permissions).unwrap();
    };
    mode(0o644);
    node.fails(&sign, &["its mode is 0644", "chmod 600"]);
    mode(0o600);
    node.signs_with(&[&file[0], &file[1]]);
    node.pin_file("");
    node.fails(&sign, &["the PIN is empty"]);
    let other = home_on(&node.tpm).with("ICN_PIN", "");
    quiet(&other.fails(&["id", "init"], b"", &["the PIN is empty"]));
}

#[test]
fn without_a_pin_and_a_terminal_the_error_names_the_ways_and_no_try_is_spent() {
    for algorithm in BOTH {
        let node = Node::with_identity(algorithm, &[]);
        for command in [&["sign"][..], &["id", "reseal"]] {
            let ran = node.spends(0, || node.alone(command));
            assert_eq!(ran.code, 1, "{}", ran.err);
            assert!(ran.out.is_empty());
            if (algorithm, command) == ("p256", &["id", "reseal"][..]) {
                continue;
            }
            for wanted in ["no PIN of the key in ", "--pin-file FILE or in $ICN_PIN"] {
                assert!(ran.err.contains(wanted), "{}", ran.err);
            }
        }
        for command in [&["id", "show"][..], &["tpm", "check"]] {
            assert_eq!(node.spends(0, || node.alone(command)).code, 0);
        }
    }
}

#[test]
fn init_without_a_pin_makes_nothing() {
    let node = Node::new();
    let ran = node.alone(&["id", "init"]);
    assert_eq!(ran.code, 1);
    assert!(ran.err.contains("no PIN was given"), "{}", ran.err);
    assert!(!node.home.path("identity.json").exists());
    assert!(!node.home.read("icn.toml").contains("did"));
}

#[test]
fn the_last_try_is_kept_unless_it_is_allowed_and_lockout_tells_for_how_long() {
    for algorithm in BOTH {
        let node = Node::with_identity(algorithm, &[]);
        node.tpm.set_dictionary_attack(2, 777, 1000);
        let ends = |code, pin: &str, tries, texts: &[&str]| {
            let file = node.pin_file(pin);
            node.ends(code, tries, &[&file[0], &file[1], "sign"], texts);
        };
        let wrong = |pin: &str, tries, texts: &[&str]| ends(77, pin, tries, texts);
        let another = "wrong-56789";
        wrong(WRONG, 1, &["and one try is left", "do not guess"]);
        let last = ["one wrong PIN more locks the TPM; the PIN was not sent", "allow_final_try"];
        // It passes with time, and nothing is said of this PIN.
        ends(1, another, 0, &last);
        node.fails(&["sign"], &last);
        node.set("allow_final_try", "true");
        node.signs();
        wrong(another, 1, &["tried once, and the TPM is locked now"]);
        // Locked: not even the right one is sent.
        let locked = [TOO_LATE, "it takes one more in at most 777 seconds", "wait, with the"];
        node.fails(&["sign"], &locked);
        wrong(WRONG, 0, &["was not sent again"]);
        wrong(another, 0, &["was not sent again"]);
        assert_eq!(node.home.show()["device"]["state"], "present");
        node.tpm.clear_lockout();
        node.signs();
    }
}

/// PCRs are as they should be, and yet nothing opens.
#[test]
fn a_check_of_a_locked_tpm_says_that_the_identity_does_not_open() {
    let node = Node::with_identity("ed25519", &[]);
    node.set("allow_final_try", "true");
    node.tpm.set_dictionary_attack(1, 777, 1000);
    let file = node.pin_file(WRONG);
    node.ends(77, 1, &[&file[0], &file[1], "sign"], &["tried once"]);
    let checked = node.spends(0, || node.alone(&["tpm", "check"]));
    assert_eq!(checked.code, 1, "{}", checked.out);
    for wanted in ["PIN tries    none: the TPM is locked", "try: wait"] {
        assert!(checked.out.contains(wanted), "{}", checked.out);
    }
}

/// Not a TPM that frees itself: a supervisor that starts a service again does so in vain.
#[test]
fn a_tpm_that_allows_one_wrong_pin_ends_with_77_since_waiting_changes_nothing() {
    for algorithm in BOTH {
        let node = Node::with_identity(algorithm, &[]);
        let file = node.pin_file(PIN);
        let sign = [&file[0], &file[1], "sign"];
        node.tpm.set_dictionary_attack(1, 777, 1000);
        let said = ["is locked by the first wrong PIN; the PIN was not sent", "-s -n 10"];
        for _ in 0..2 {
            let ran = node.ends(77, 0, &sign, &said);
            assert!(ran.err.contains("waiting changes nothing"), "{}", ran.err);
        }
        node.ends(77, 0, &["sign"], &said);
        // As the advice says.
        node.tpm.set_dictionary_attack(10, 600, 86400);
        node.ok(&sign);
        node.tpm.set_dictionary_attack(1, 777, 1000);
        node.set("allow_final_try", "true");
        node.ok(&sign);
    }
}

/// Not even a right one: the TPM is not asked to open anything.
#[test]
fn what_spends_no_try_sends_no_pin() {
    for algorithm in BOTH {
        let node = Node::with_identity(algorithm, &[]);
        let wire = Wire::new(&node.tpm);
        node.set("device_path", &format!("\"{}\"", wire.tcti()));
        node.tpm.set_dictionary_attack(1, 777, 1000);
        node.ok(&["id", "show"]);
        node.ok(&["tpm", "check"]);
        node.ends(77, 0, &["sign"], &["the PIN was not sent"]);
        for command in ["StartAuthSession", "PolicyAuthValue", "Unseal", "Sign"] {
            assert!(!wire.names().iter().any(|name| name == command), "{:?}", wire.names());
        }
        // That it would be seen.
        node.set("allow_final_try", "true");
        node.ok(&["sign"]);
        assert!(wire.names().iter().any(|name| name == "Unseal"), "{:?}", wire.names());
    }
}

#[test]
fn a_key_without_a_pin_opens_in_lockout_and_one_with_a_pin_stays_shut() {
    for algorithm in BOTH {
        let node = Node::with_identity(algorithm, &["--no-pin"]);
        let other = home_on(&node.tpm);
        other.ok(&["id", "init"], b"");
        set(&other, "allow_final_try", "true");
        node.tpm.set_dictionary_attack(1, 777, 1000);
        let other = other.with("ICN_PIN", WRONG);
        quiet(&other.refused(&["sign"], b"hello", &["tried once"]));
        let other = other.with("ICN_PIN", PIN);
        quiet(&other.fails(&["--retry-pin", "sign"], b"hello", &[TOO_LATE]));
        node.signs();
    }
}

#[test]
fn a_pin_for_a_key_without_one_is_not_asked_for_and_not_taken_note_of() {
    let node = Node::with_identity("p256", &["--no-pin"]).with("ICN_PIN", WRONG);
    node.signs();
    assert!(!node.home.path("refused.json").exists());
}

#[test]
fn pins_of_any_length_and_with_zeros_at_their_end_are_different_ones() {
    let long = "x".repeat(200);
    let node = Node::new().with("ICN_PIN", &long);
    node.init("p256", &[]);
    node.signs();
    for wrong in [&long[1..], &format!("{long}y")] {
        let file = node.home.beside("pin");
        write_private(&file, wrong);
        node.ends(77, 1, &["--pin-file", file.to_str().unwrap(), "sign"], &["refused the PIN"]);
        node.tpm.clear_lockout();
    }
}

#[test]
fn the_prompt_names_the_tpm_and_the_tries_that_are_left() {
    let node = Node::with_identity("ed25519", &[]);
    std::fs::write(node.home.beside("message"), b"hello").unwrap();
    let message = node.home.beside("message");
    let prompt = format!("PIN of key in {}", node.tpm.tcti());
    let sign = |pin: &str| {
        let mut sign = node.home.command(&["sign", message.to_str().unwrap()]);
        sign.env_remove("ICN_PIN");
        let ran = on_a_terminal(&sign, &format!("{pin}\n"));
        assert!(!ran.out.contains(pin), "{}", ran.out);
        node.is_idle();
        ran
    };
    let right = sign(PIN);
    assert_eq!(right.code, 0, "{}", right.out);
    assert!(right.out.contains(&format!("{prompt}: ")), "{}", right.out);
    assert_eq!(node.spends(1, || sign(WRONG)).code, 77);
    // What a person has typed is not remembered.
    let right = sign(PIN);
    assert_eq!(right.code, 0, "{}", right.out);
    assert!(right.out.contains(&format!("{prompt} (2 tries left): ")), "{}", right.out);
    node.spends(1, || sign(WRONG));
    node.set("allow_final_try", "true");
    let last = sign(PIN);
    assert_eq!(last.code, 0, "{}", last.out);
    let prompt = format!("{prompt} (LAST TRY: a wrong PIN locks the TPM): ");
    assert!(last.out.contains(&prompt), "{}", last.out);
}

#[test]
fn a_new_pin_is_typed_twice() {
    let node = Node::new();
    let mut init = node.home.command(&["id", "init"]);
    init.env_remove("ICN_PIN");
    let differ = on_a_terminal(&init, &format!("{PIN}\n{WRONG}\n"));
    assert_eq!(differ.code, 1, "{}", differ.out);
    assert!(differ.out.contains("the two PINs differ"), "{}", differ.out);
    assert!(!node.home.path("identity.json").exists());
    let same = on_a_terminal(&init, &format!("{PIN}\n{PIN}\n"));
    assert_eq!(same.code, 0, "{}", same.out);
    assert!(same.out.contains("New PIN: ") && same.out.contains("Again: "), "{}", same.out);
    assert!(!same.out.contains(PIN), "{}", same.out);
    node.signs();
}

/// Where no PIN can help that is told, wherever it comes from and whatever else is so.
#[test]
fn pcrs_that_have_changed_are_told_before_what_is_known_of_the_pin() {
    const CHANGED: &str = "PCRs have changed: PCR 16";
    /// What else is so: how many wrong PINs were counted, and whether one was noted.
    const STATES: [(usize, bool); 4] = [(0, true), (2, false), (2, true), (3, false)];
    for (counted, noted) in STATES {
        let node = Node::with_identity("ed25519", &[]);
        node.tpm.set_dictionary_attack(3, 777, 0);
        let file = node.pin_file(WRONG);
        let sign = [&file[0], &file[1], "sign"];
        if noted {
            node.ends(77, 1, &sign, &["tried once"]);
        }
        let locks = node.tpm.other_program();
        (usize::from(noted)..counted).for_each(|_| locks());
        node.tpm.extend_pcr(16);
        let what = |said: &str| format!("{counted} {noted}: {said}");
        for given in [WRONG, PIN] {
            node.pin_file(given);
            let from_file = node.fails(&sign, &[CHANGED]);
            assert!(!from_file.err.contains("allow_final_try"), "{}", what(&from_file.err));
        }
        let from_variable = node.fails(&["sign"], &[CHANGED]);
        let alone = node.alone(&["sign"]);
        assert_eq!(alone.code, 1, "{}", what(&alone.err));
        let first = |said: &str| said.lines().next().map(str::to_owned);
        assert_eq!(first(&from_variable.err), first(&node.fails(&sign, &[]).err));
        // At a prompt: nobody is asked.
        let mut sign = node.home.command(&["sign", "/dev/null"]);
        sign.env_remove("ICN_PIN");
        let asked = on_a_terminal(&sign, "");
        assert_eq!(asked.code, 1, "{}", what(&asked.out));
        assert!(asked.out.contains(CHANGED), "{}", what(&asked.out));
        assert!(!asked.out.contains("PIN of"), "{}", what(&asked.out));
    }
}

/// As the advice about the last try says.
#[test]
fn how_long_until_there_is_one_more_try_is_told_without_a_pin() {
    let node = Node::with_identity("ed25519", &[]);
    node.tpm.set_dictionary_attack(3, 777, 0);
    assert!(node.ok(&["tpm", "check"]).contains("PIN tries    3 until the TPM locks\n"));
    let locks = node.tpm.other_program();
    (0..2).for_each(|_| locks());
    let advice = ["allow_final_try = true", "icnctl tpm check"];
    let told = node.fails(&["sign"], &advice);
    assert!(!told.err.contains("a look at the TPM"), "{}", told.err);
    let check = node.ok(&["tpm", "check"]);
    let wanted = "PIN tries    1 until the TPM locks; one more in at most 777 seconds\n";
    assert!(check.contains(wanted), "{check}");
    assert_eq!(node.json(&["tpm", "check"])["recovery_seconds"], 777);
}
