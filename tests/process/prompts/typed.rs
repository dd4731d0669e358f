//! What is typed is what is used, byte for byte, or nothing is.

use std::process::Command;

use support::home::{Home, PASSPHRASE, run};
use support::pty::Terminal;

use super::Prompt;

/// `icnctl id init` in a new home, on a terminal whose modes a shell sets first.
fn init(home: &Home, stty: &str) -> Terminal {
    let mut command: Command = home.command(&[]);
    command.env("TERM", "dumb");
    let icnctl = command.get_program().to_str().unwrap().to_owned();
    let script = format!("stty {stty}; {icnctl} id init; echo \"code $?\"");
    Terminal::run("dash", &["-c", &script], &command)
}

fn nothing_was_made(home: &Home) {
    for name in ["identity.json", "identity.age", "unfinished.json"] {
        assert!(!home.path(name).exists(), "{name} was made");
    }
}

/// It was meant for somebody else: for the shell, as a rule.
#[test]
fn what_is_typed_before_the_prompt_is_no_answer_to_it() {
    let prompt = Prompt::new();
    let script = "echo ready; read -r go </dev/null; sleep 1; SIGN; echo \"code $?\"";
    let mut terminal = prompt.shell("dash", &[], script);
    terminal.wait_for("ready");
    terminal.types(b"ls -la\n");
    super::asked(&terminal);
    terminal.types(format!("{PASSPHRASE}\n").as_bytes());
    terminal.wait_for("code 0");
    terminal.ended();
    assert!(terminal.is_as_before());
}

/// A Latin-1 keyboard sends `e9` for é.
#[test]
fn what_is_typed_and_not_utf8_is_refused_before_anything_is_made() {
    for typed in
        [&b"caf\xe9\n"[..], b"\xe9\xe9\xe9\n", b"\xc3\n", b"\xed\xa0\x80\n", b"\xff\xfe1\n"]
    {
        let home = Home::new();
        let mut terminal = init(&home, "sane");
        terminal.wait_for("New passphrase: ");
        // All of it, Enter included, is of this line.
        terminal.types(typed);
        terminal.wait_for("code 1");
        terminal.ended();
        let seen = terminal.seen();
        assert!(seen.contains("no passphrase was entered: it is not UTF-8"), "{seen}");
        assert!(seen.contains("set the terminal to UTF-8"), "{seen}");
        assert!(!seen.contains("Again"), "{seen}");
        nothing_was_made(&home);
    }
}

#[test]
fn what_no_prompt_can_take_again_is_not_taken_by_one() {
    for (typed, named) in [
        (&b"tab\tbed\n"[..], "U+0009"),
        (b"arrow\x1b[A\n", "U+001B"),
        (b"\xef\xbb\xbfmark\n", "byte order mark"),
        (b"\n", "the passphrase is empty"),
    ] {
        let home = Home::new();
        let mut terminal = init(&home, "sane");
        terminal.wait_for("New passphrase: ");
        terminal.types(typed);
        terminal.wait_for("code 1");
        terminal.ended();
        assert!(terminal.seen().contains(named), "{}", terminal.seen());
        nothing_was_made(&home);
    }
}

#[test]
fn a_line_that_a_terminal_cuts_is_refused() {
    let home = Home::new();
    let mut terminal = init(&home, "sane");
    terminal.wait_for("New passphrase: ");
    terminal.types(&[b'x'; 5000]);
    terminal.types(b"\n");
    terminal.wait_for("code 1");
    terminal.ended();
    assert!(terminal.seen().contains("longer than a terminal passes on"), "{}", terminal.seen());
    nothing_was_made(&home);
}

/// Modes that change letters, swallow Enter or show what is typed.
#[test]
fn the_modes_of_the_terminal_do_not_change_what_is_typed() {
    for modes in [
        "sane",
        "raw -echo",
        "raw echo",
        "istrip",
        "iuclc",
        "inlcr",
        "igncr",
        "-icrnl",
        "eol p",
        "-isig",
        "-icanon min 0",
    ] {
        let home = Home::new();
        let mut terminal = init(&home, modes);
        for prompt in ["New passphrase: ", "Again: "] {
            terminal.wait_for(prompt);
            terminal.look_away();
            // Backspace takes a whole letter away.
            terminal.types("Pässporté\u{7f}ÄÖ\r".as_bytes());
        }
        terminal.wait_for("code 0");
        terminal.ended();
        assert!(!terminal.seen().contains("port"), "{modes}: {}", terminal.seen());
        let mut sign = home.command(&["sign"]);
        let ran = run(sign.env("ICN_PASSPHRASE", "PässportÄÖ"), b"x");
        assert_eq!(ran.code, 0, "{modes}: {}", ran.err);
    }
}

/// Ctrl-D ends the input, and is not an empty passphrase or half of one.
#[test]
fn the_end_of_the_input_is_said_to_be_that() {
    let prompt = Prompt::new();
    for typed in [&b"\x04"[..], b"half\x04\x04"] {
        let mut terminal = prompt.shell("dash", &[], "SIGN; echo \"code $?\"");
        super::asked(&terminal);
        terminal.types(typed);
        terminal.wait_for("code 1");
        terminal.ended();
        let seen = terminal.seen();
        assert!(seen.contains("the input ended before a line did"), "{seen}");
        assert!(seen.contains("press Enter, or give it with --passphrase-file"), "{seen}");
        // On a line of its own.
        assert!(!seen.contains("Passphrase: no passphrase"), "{seen}");
        assert!(terminal.is_as_before());
    }
}
