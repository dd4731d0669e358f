//! One PIN at a time, and what is left of it: processes side by side, one that is
//! killed, one whose answer is lost, and a TPM that another program has locked.

use std::process::Command;
use std::time::{Duration, Instant};

use support::home::{Ran, run, write_private};
use support::softhsm::SoftHsm;
use support::tpm2_pkcs11::Tpm2Token;
use support::wire::Wire;

use super::node::{BOTH, Node, PIN, WRONG, home_on, quiet, set};
use super::quick;

/// Runs so many at the same time.
fn at_once(count: usize, run: impl Fn() -> Ran + Sync) -> Vec<Ran> {
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..count).map(|_| scope.spawn(&run)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    })
}

/// One was told by the device, the rest by the note of it.
#[track_caller]
fn one_sent_it(ran: &[Ran]) {
    assert!(ran.iter().all(|ran| ran.code == 77), "{ran:?}");
    let told = |text: &str| ran.iter().filter(|ran| ran.err.contains(text)).count();
    assert_eq!((told("tried once"), told("was not sent again")), (1, ran.len() - 1), "{ran:?}");
}

#[test]
fn of_eight_processes_with_one_wrong_pin_one_sends_it_to_the_tpm() {
    for algorithm in BOTH {
        let node = Node::with_identity(algorithm, &[]);
        let file = node.pin_file(WRONG);
        one_sent_it(&at_once(8, || node.icnctl(&[&file[0], &file[1], "sign"])));
        assert_eq!(quick::lockout_counter(&node.tpm), 1);
        node.is_idle();
    }
}

#[test]
fn of_sixteen_processes_with_one_wrong_pin_one_sends_it_to_the_token() {
    let hsm = SoftHsm::with_token("node-1");
    let home = hsm.home();
    home.ok(&hsm.init("node-1"), b"");
    let file = home.beside("wrong");
    write_private(&file, "11112222");
    let wrong = ["--pin-file", file.to_str().unwrap(), "sign"];
    one_sent_it(&at_once(16, || home.icnctl(&wrong, b"hello")));
    home.ok(&["sign"], b"hello");
    // With the right one all of them sign.
    let ran = at_once(4, || home.icnctl(&["sign"], b"hello"));
    assert!(ran.iter().all(|ran| ran.code == 0), "{ran:?}");
}

#[test]
fn of_eight_processes_with_one_wrong_pin_one_sends_it_to_a_token_in_a_tpm() {
    let token = Tpm2Token::new("node-1");
    let home = crate::tpm2_pkcs11::identity(&token);
    let before = quick::lockout_counter(&token.tpm);
    let file = home.beside("wrong");
    write_private(&file, "pin-11112222");
    let wrong = ["--pin-file", file.to_str().unwrap(), "sign"];
    one_sent_it(&at_once(8, || home.icnctl(&wrong, b"hello")));
    assert_eq!(quick::lockout_counter(&token.tpm), before + 1);
}

/// What is noted is noted in a home. The last try is kept all the same.
#[test]
fn two_homes_on_one_tpm_spend_a_try_each_and_leave_the_last() {
    let node = Node::with_identity("ed25519", &[]);
    let others = [home_on(&node.tpm), home_on(&node.tpm)];
    for other in &others {
        other.ok(&["id", "init"], b"");
    }
    node.tpm.set_dictionary_attack(3, 777, 1000);
    let file = node.pin_file(WRONG);
    let sign = [&file[0], &file[1], "sign"];
    node.ends(77, 1, &sign, &["tried once"]);
    quiet(&others[0].refused(&sign, b"hello", &["tried once", "one try is left"]));
    quiet(&others[1].fails(&sign, b"hello", &["the PIN was not sent"]));
    assert_eq!(quick::lockout_counter(&node.tpm), 2);
}

/// One try is left, which passes with time; that this PIN is wrong does not.
#[test]
fn a_pin_that_was_refused_ends_with_77_each_time_whatever_the_tpm_has_counted() {
    for algorithm in BOTH {
        let node = Node::with_identity(algorithm, &[]);
        node.tpm.set_dictionary_attack(3, 777, 1000);
        let file = node.pin_file(WRONG);
        let sign = [&file[0], &file[1], "sign"];
        node.ends(77, 1, &sign, &["tried once"]);
        let other = node.tpm.other_program();
        for counted in [2, 3] {
            other();
            assert_eq!(quick::lockout_counter(&node.tpm), counted);
            for _ in 0..2 {
                node.ends(77, 0, &sign, &["was not sent again"]);
            }
        }
        // Another one may be right.
        node.pin_file(PIN);
        node.fails(&sign, &["the TPM is locked"]);
    }
}

/// Another program has spent all tries. Nothing is wrong with the PIN, and when the TPM
/// has opened by itself, it is taken without a word from anybody.
#[test]
fn a_tpm_that_was_locked_takes_the_right_pin_when_it_opens_by_itself() {
    let locked: &[_] = &["the TPM is locked", "at most 5 seconds", "tpm2_dictionarylockout"];
    // One try is left: a supervisor that gave up at this would leave the service down for good.
    let last: &[_] = &["one wrong PIN more locks the TPM", "or wait", "tpm2_dictionarylockout"];
    for (algorithm, spent, texts) in
        [(BOTH[0], 3, locked), (BOTH[1], 3, locked), (BOTH[1], 2, last)]
    {
        let node = Node::with_identity(algorithm, &[]);
        let other = node.tpm.other_program();
        node.tpm.set_dictionary_attack(3, 5, 1000);
        let file = node.pin_file(PIN);
        let sign = [&file[0], &file[1], "sign"];
        (0..spent).for_each(|_| other());
        let ran = node.icnctl(&sign);
        assert_eq!(ran.code, 1, "{}", ran.err);
        for text in texts {
            assert!(ran.err.contains(text), "{}", ran.err);
        }
        assert!(!ran.err.contains("security officer"), "{}", ran.err);
        assert!(!node.home.path("refused.json").exists());
        let begun = Instant::now();
        while node.icnctl(&sign).code != 0 {
            assert!(begun.elapsed() < Duration::from_secs(60), "it stays locked");
            std::thread::sleep(Duration::from_millis(200));
        }
        assert!(!node.home.path("refused.json").exists());
    }
}

/// It was locked between the look at its count and the command.
#[test]
fn a_lock_out_that_comes_first_is_noted_of_no_pin() {
    for (algorithm, command) in BOTH.into_iter().zip([0x15e, 0x15d]) {
        let node = Node::with_identity(algorithm, &[]);
        let wire = Wire::new(&node.tpm);
        node.set("device_path", &format!("\"{}\"", wire.tcti()));
        let file = node.pin_file(PIN);
        wire.refuse(command, 0x921, 1);
        let texts = ["the TPM is locked", "it takes one more in at most"];
        node.fails(&[&file[0], &file[1], "sign"], &texts);
        assert!(!node.home.path("refused.json").exists());
        node.signs_with(&[&file[0], &file[1]]);
    }
}

const IN_DOUBT: [&str; 3] = [
    "whether it was refused is not known",
    "make sure of the PIN",
    "run the command once with --retry-pin",
];

/// The answer to a wrong PIN is lost, and with it the process could not know.
#[test]
fn a_pin_without_an_answer_is_in_doubt_for_the_next_process() {
    for (algorithm, command) in BOTH.into_iter().zip([0x15e, 0x15d]) {
        let node = Node::with_identity(algorithm, &[]);
        let wire = Wire::new(&node.tpm);
        node.set("device_path", &format!("\"{}\"", wire.tcti()));
        let flush = || {
            // As a resource manager does when a connection ends.
            node.tpm.try_tool("tpm2_flushcontext", &["-t"]);
            node.tpm.try_tool("tpm2_flushcontext", &["-l"]);
        };
        // The TPM itself asks for the first use of a PIN again.
        node.signs();
        let file = node.pin_file(WRONG);
        let sign = [&file[0], &file[1], "sign"];
        wire.lose_answer_of(command);
        let lost = node.icnctl(&sign);
        assert_eq!(lost.code, 1, "{}", lost.err);
        flush();
        assert_eq!(quick::lockout_counter(&node.tpm), 1);
        for _ in 0..2 {
            node.ends(77, 0, &sign, &IN_DOUBT);
        }
        // The right one is tried, and the count shows that it was not refused.
        node.pin_file(PIN);
        wire.lose_answer_of(command);
        assert_eq!(node.icnctl(&sign).code, 1);
        flush();
        node.signs_with(&sign[..2]);
        // The wrong one stays in doubt.
        assert!(node.home.path("refused.json").exists());
        node.signs_with(&sign[..2]);
    }
}

/// The PIN was accepted, and the process ended before it could write that down.
#[test]
fn a_pin_whose_process_was_killed_is_in_doubt_until_it_is_tried_again_on_purpose() {
    let node = Node::with_identity("ed25519", &[]);
    let file = node.pin_file(PIN);
    let sign = [&file[0], &file[1], "sign"];
    let killed = |node: &Node| {
        let icnctl = node.home.command(&sign);
        let mut strace = Command::new("strace");
        strace.args(["-f", "-qq", "-o", "/dev/null", "-e", "trace=unlink"]);
        strace.args(["-e", "inject=unlink:signal=SIGKILL:when=1"]);
        strace.arg(icnctl.get_program()).args(icnctl.get_args()).env_clear();
        strace.envs(icnctl.get_envs().filter_map(|(name, value)| Some((name, value?))));
        assert_eq!(run(&mut strace, b"hello").code, -1);
        node.tpm.try_tool("tpm2_flushcontext", &["-t"]);
        node.tpm.try_tool("tpm2_flushcontext", &["-l"]);
        node.ends(77, 0, &sign, &IN_DOUBT);
        node.ends(77, 0, &[&sign[..2], &["id", "reseal"]].concat(), &IN_DOUBT);
        let noted = node.home.read("refused.json");
        assert!(!noted.contains(PIN) && !noted.contains(WRONG), "{noted}");
    };
    killed(&node);
    node.signs_with(&["--retry-pin", sign[0], sign[1]]);
    node.signs_with(&sign[..2]);
    killed(&node);
    std::fs::remove_file(node.home.path("refused.json")).unwrap();
    node.signs_with(&sign[..2]);
    // Wherever it comes from.
    killed(&node);
    node.ends(77, 0, &["sign"], &IN_DOUBT);
    node.ends(77, 0, &sign, &IN_DOUBT);
    node.signs_with(&["--retry-pin", sign[0], sign[1]]);
    node.signs_with(&sign[..2]);
}

/// systemd makes it anew with each start of the service, whatever is in it.
#[test]
fn a_credential_and_a_variable_are_tried_when_another_pin_is_in_them() {
    let node = Node::with_identity("ed25519", &[]);
    node.tpm.set_dictionary_attack(9, 777, 1000);
    let directory = node.home.beside("credentials");
    std::fs::create_dir(&directory).unwrap();
    let credential = directory.join("pin");
    let node = node.with("CREDENTIALS_DIRECTORY", directory.to_str().unwrap());
    let started_with = |pin: &str| {
        let _ = std::fs::remove_file(&credential);
        write_private(&credential, pin);
    };
    let sign = ["--pin-file", credential.to_str().unwrap(), "sign"];
    started_with(WRONG);
    node.ends(77, 1, &sign, &["tried once"]);
    started_with(WRONG);
    let texts = ["was not sent again", "another one is tried", "--retry-pin"];
    node.ends(77, 0, &sign, &texts);
    assert!(!node.home.read("refused.json").contains("version\": \""));
    started_with(PIN);
    node.signs_with(&sign[..2]);
    // It is known by itself, from wherever it comes.
    let node = node.with("ICN_PIN", WRONG);
    node.ends(77, 0, &["sign"], &texts);
    let node = node.with("ICN_PIN", "wrong-56789");
    node.ends(77, 1, &["sign"], &["tried once"]);
    node.ends(77, 0, &["sign"], &texts);
    let node = node.with("ICN_PIN", PIN);
    node.signs();
}

#[test]
fn a_file_with_another_pin_is_tried_and_its_help_says_so() {
    let node = Node::with_identity("ed25519", &[]);
    let file = node.pin_file(WRONG);
    let sign = [&file[0], &file[1], "sign"];
    node.ends(77, 1, &sign, &["tried once"]);
    node.ends(77, 0, &sign, &["was not sent again", "another one is tried"]);
    set(&node.home, "allow_final_try", "false");
    node.pin_file(PIN);
    node.signs_with(&sign[..2]);
}
