//! Standard input and output that are closed, full, or not what they should be.

use std::process::Command;

use support::home::{Home, PASSPHRASE, Ran, run};

fn sh(home: &Home, script: &str) -> Ran {
    let command = home.command(&[]);
    let icnctl = command.get_program().to_str().unwrap().to_owned();
    let mut sh = Command::new("sh");
    sh.args(["-c", &script.replace("icnctl", &icnctl)]).current_dir(home.path(".."));
    sh.env_clear().envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    run(&mut sh, b"")
}

fn home() -> Home {
    let home = Home::new().with("ICN_PASSPHRASE", PASSPHRASE);
    home.ok(&["id", "init"], b"");
    std::fs::write(home.beside("m"), b"message").unwrap();
    let signature = home.ok(&["sign", home.beside("m").to_str().unwrap()], b"");
    std::fs::write(home.beside("s"), signature.trim()).unwrap();
    std::fs::write(home.beside("did"), home.show()["did"].as_str().unwrap()).unwrap();
    std::fs::write(
        home.beside("document"),
        home.ok(&["--format", "did-document", "id", "show"], b""),
    )
    .unwrap();
    home
}

const VERIFY: &str = "icnctl verify --did $(cat did) --signature $(cat s)";

#[test]
fn a_closed_standard_input_is_an_error() {
    let home = home();
    for (command, code) in [
        ("icnctl sign", 1),
        ("icnctl sign -", 1),
        ("icnctl sign --context a", 1),
        ("icnctl sign /dev/stdin", 1),
        (VERIFY, 2),
        ("icnctl decrypt", 1),
        ("icnctl id verify-document", 2),
        ("icnctl id rotation verify -", 2),
        ("icnctl peer follow -", 1),
    ] {
        // Closed, and opened for writing only.
        for (how, said) in [
            ("<&-", "standard input is closed"),
            ("0>/dev/null", "standard input cannot be read from"),
        ] {
            let ran = sh(&home, &format!("{command} {how}"));
            assert_eq!(ran.code, code, "{command} {how}: {} {}", ran.out, ran.err);
            assert!(ran.err.contains(said) && ran.out.is_empty(), "{command} {how}: {}", ran.err);
        }
    }
    // Who needs none does not mind.
    assert_eq!(sh(&home, "icnctl sign m <&-").code, 0);
    assert_eq!(sh(&home, &format!("{VERIFY} m <&-")).code, 0);
    assert_eq!(sh(&home, "icnctl id show <&-").code, 0);
}

/// It may be meant so, and is not an error: but nobody has named it.
#[test]
fn nothing_on_standard_input_is_told() {
    let home = home();
    let told = "nothing came on standard input";
    for script in
        ["icnctl sign </dev/null", ": | icnctl sign", "icnctl sign --context a </dev/null"]
    {
        let ran = sh(&home, script);
        assert!(ran.code == 0 && ran.err.contains(told), "{script}: {}", ran.err);
    }
    let ran = sh(&home, &format!("{VERIFY} </dev/null"));
    assert!(ran.code == 1 && ran.err.contains(told) && ran.out == "not valid\n", "{}", ran.err);
    for script in [": | icnctl sign -", "icnctl sign /dev/null", "icnctl sign <m"] {
        let ran = sh(&home, script);
        assert!(ran.code == 0 && !ran.err.contains("warning: no file"), "{script}: {}", ran.err);
    }
    let terminal = support::home::on_a_terminal(&home.command(&["sign"]), "message\n\u{4}");
    assert!(terminal.out.contains("Reading the message from the terminal"), "{}", terminal.out);
}

/// Nothing is done, and no PIN is sent, whose result nobody sees.
#[test]
fn a_closed_standard_output_is_an_error() {
    let home = home();
    for (command, code) in [
        ("icnctl sign m", 1),
        ("icnctl id show", 1),
        ("icnctl --format json id show", 1),
        ("icnctl --format did-document id show", 1),
        ("icnctl id renew", 1),
        ("icnctl id export --public-key=pem", 1),
        ("icnctl decrypt m", 1),
        ("icnctl peer list", 1),
        ("icnctl --help", 1),
        ("icnctl --version", 1),
        ("icnctl backend doctor", 1),
        (&format!("{VERIFY} m"), 2),
        ("icnctl id verify-document document", 2),
    ] {
        let before = std::fs::read(home.path("identity.age")).unwrap();
        for (how, said) in [
            (">&-", "standard output is closed"),
            ("1</dev/null", "standard output cannot be written to"),
        ] {
            let ran = sh(&home, &format!("{command} {how}"));
            assert_eq!(ran.code, code, "{command} {how}: {}", ran.err);
            assert!(ran.err.contains(said), "{command} {how}: {}", ran.err);
        }
        assert_eq!(std::fs::read(home.path("identity.age")).unwrap(), before, "{command}");
    }
    let other = home.beside("other");
    let init = format!("icnctl --home {} id init >&-", other.display());
    assert_eq!(sh(&home, &init).code, 1);
    assert!(!other.exists());
    // What is thrown away on purpose is.
    assert_eq!(sh(&home, "icnctl sign m >/dev/null").code, 0);
    assert_eq!(sh(&home, "icnctl sign m 1<>/dev/null").code, 0);
    // Messages that nobody hears are no error.
    assert_eq!(sh(&home, "icnctl sign m 2>&-").code, 0);
}

#[test]
fn a_result_that_cannot_be_written_is_an_error() {
    let home = home();
    for (command, code) in [
        ("icnctl sign m", 1),
        ("icnctl sign --context a m", 1),
        ("icnctl id show", 1),
        ("icnctl --format json id show", 1),
        ("icnctl id export --public-key=pem", 1),
        ("icnctl --format json peer list", 1),
        ("icnctl --help", 1),
        ("icnctl --version", 1),
        (&format!("{VERIFY} m"), 2),
        ("icnctl id verify-document document", 2),
    ] {
        let ran = sh(&home, &format!("{command} >/dev/full"));
        assert_eq!(ran.code, code, "{command}: {}", ran.err);
        // Nobody reads on.
        let fifo = format!("{{ sleep 0.3; {command}; echo $? >code; }} | :; cat code");
        let ran = sh(&home, &fifo);
        assert_eq!(ran.out.trim(), code.to_string(), "{command}: {}", ran.err);
        assert!(!ran.err.contains("panicked"), "{}", ran.err);
    }
}

#[test]
fn a_decrypted_file_that_cannot_be_printed_is_an_error() {
    let home = home();
    let shown = home.ok(&["id", "show"], b"");
    let recipient = shown.split_whitespace().find(|word| word.starts_with("age1")).unwrap();
    let encrypted = sh(&home, &format!("age -r {recipient} -o c m"));
    assert_eq!(encrypted.code, 0, "{}", encrypted.err);
    assert_eq!(sh(&home, "icnctl decrypt c").out, "message");
    assert_eq!(sh(&home, "icnctl decrypt c >/dev/full").code, 1);
    assert_eq!(sh(&home, "icnctl decrypt c >&-").code, 1);
    assert_eq!(sh(&home, "icnctl decrypt -o p c >&-").code, 0);
    assert_eq!(sh(&home, "cat p").out, "message");
}
