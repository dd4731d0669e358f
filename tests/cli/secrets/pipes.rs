//! Secrets through pipes that the program inherits.

use std::process::Command;

use support::home::{Home, PASSPHRASE, Ran, run, write_private};
use support::softhsm::SoftHsm;

/// Runs a script with `icnctl` in its path, on a home.
fn bash(home: &Home, script: &str) -> Ran {
    let command = home.command(&[]);
    let icnctl = command.get_program().to_str().unwrap().to_owned();
    let mut bash = Command::new("bash");
    bash.args(["-c", &script.replace("icnctl", &icnctl)]).current_dir(home.path(".."));
    bash.env_clear().envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    bash.env_remove("ICN_PASSPHRASE").env("P", PASSPHRASE);
    run(&mut bash, b"")
}

fn home() -> Home {
    let home = Home::new().with("ICN_PASSPHRASE", PASSPHRASE);
    home.ok(&["id", "init"], b"");
    std::fs::write(home.beside("m"), b"message").unwrap();
    home
}

#[test]
fn an_inherited_pipe_is_read() {
    let home = home();
    write_private(&home.beside("secret"), PASSPHRASE);
    let signed = home.ok(&["sign", home.beside("m").to_str().unwrap()], b"");
    for script in [
        "icnctl --passphrase-file <(printf '%s' \"$P\") sign m",
        "icnctl --passphrase-file <(sleep 1; printf '%s\\n' \"$P\") sign m",
        "printf '%s' \"$P\" | icnctl --passphrase-file /dev/stdin sign m",
        "(sleep 1; echo \"$P\") | icnctl --passphrase-file - sign m",
        "echo \"$P\" | icnctl --passphrase-file=- sign m",
        "echo \"$P\" | icnctl --passphrase-file /dev/fd/0 sign m",
        "echo \"$P\" | icnctl --passphrase-file /proc/self/fd/0 sign m",
        "icnctl --passphrase-file - sign m <<< \"$P\"",
        "icnctl --passphrase-file /dev/fd/7 sign m 7<<< \"$P\"",
        "icnctl --passphrase-file /dev/fd/3 sign m 3< <(echo \"$P\")",
        "icnctl --passphrase-file /dev/fd/3 sign 3< <(echo \"$P\") <m",
        "icnctl --passphrase-file - sign m <<EOF\n$P\nEOF\n",
        "icnctl --passphrase-file - sign m < secret",
        "icnctl --passphrase-file /dev/fd/3 sign m 3< secret",
        "cat m | icnctl --passphrase-file <(echo \"$P\") sign",
        // Standard input as a socket, as some programs make it.
        "python3 -c 'import os,socket,subprocess,sys; a,b=socket.socketpair(); \
         a.sendall(os.environ[\"P\"].encode()); a.close(); \
         sys.exit(subprocess.call(sys.argv[1:], stdin=b))' icnctl --passphrase-file - sign m",
    ] {
        let ran = bash(&home, script);
        assert_eq!((ran.code, &ran.out), (0, &signed), "{script}: {}", ran.err);
    }
}

#[test]
fn what_is_not_taken_says_what_it_is() {
    let home = home();
    write_private(&home.beside("secret"), PASSPHRASE);
    for (script, said) in [
        ("mkfifo -m 600 f; icnctl --passphrase-file f sign m", "a named pipe (FIFO)"),
        ("mkdir -m 700 d; icnctl --passphrase-file d sign m", "a directory"),
        ("icnctl --passphrase-file /dev/null sign m", "a device"),
        ("icnctl --passphrase-file - sign m </dev/null", "a device"),
        ("icnctl --passphrase-file /dev/zero sign m", "a device"),
        (
            "python3 -c 'import socket; socket.socket(socket.AF_UNIX).bind(\"s\")'; \
          icnctl --passphrase-file s sign m",
            "a socket",
        ),
        (
            "cp secret open; chmod 644 open; icnctl --passphrase-file - sign m <open",
            "its mode is 0644",
        ),
        ("icnctl --passphrase-file /dev/fd/9 sign m", "cannot read /dev/fd/9"),
        ("icnctl --passphrase-file <(true) sign m", "the passphrase is empty"),
        ("icnctl --passphrase-file <(head -c 2000000 /dev/zero | tr '\\0' x) sign m", "1 MiB"),
        ("icnctl --passphrase-file - sign m <&-", "standard input is closed"),
    ] {
        let ran = bash(&home, script);
        assert_eq!(ran.code, 1, "{script}: {} {}", ran.out, ran.err);
        assert!(ran.err.contains(said) && ran.out.is_empty(), "{script}: {}", ran.err);
        assert!(!ran.err.contains(PASSPHRASE), "{}", ran.err);
    }
    // A terminal is for prompts.
    let mut script = home.command(&["--passphrase-file", "/dev/stdin", "sign", "/dev/null"]);
    let ran = support::home::on_a_terminal(script.env_remove("ICN_PASSPHRASE"), "");
    assert!(ran.out.contains("not a regular file but a terminal"), "{}", ran.out);
}

/// Standard input has one content.
#[test]
fn standard_input_is_read_for_one_thing() {
    let home = home();
    for (script, texts) in [
        ("echo x | icnctl --passphrase-file - sign", ["the message", "--passphrase-file"]),
        (
            "echo x | icnctl --passphrase-file /dev/stdin sign -",
            ["the message", "--passphrase-file"],
        ),
        (
            "echo x | icnctl --passphrase-file - sign /dev/stdin",
            ["the message", "--passphrase-file"],
        ),
        (
            "echo x | icnctl --passphrase-file - decrypt",
            ["the file to decrypt", "--passphrase-file"],
        ),
        (
            "echo x | icnctl --passphrase-file - id change-passphrase --new-passphrase-file -",
            ["--passphrase-file", "--new-passphrase-file"],
        ),
    ] {
        let ran = bash(&home, script);
        assert_eq!(ran.code, 1, "{script}: {}", ran.err);
        // An age file would have to be one first.
        if !script.contains("decrypt") {
            assert!(
                ran.err.contains("cannot both be read from standard input"),
                "{script}: {}",
                ran.err
            );
            assert!(texts.iter().all(|text| ran.err.contains(text)), "{script}: {}", ran.err);
        }
    }
    let did = home.show()["did"].as_str().unwrap().to_owned();
    let verify = ["verify", "--did", &did, "--context", "a", "--signature-file", "-"];
    let ran = home.icnctl(&verify, b"x");
    assert!(
        ran.code == 2 && ran.err.contains("cannot both be read from standard input"),
        "{}",
        ran.err
    );
}

/// A PIN by a pipe that was refused is not sent again by the next process.
#[test]
fn a_pin_from_a_pipe_is_tried_once() {
    let hsm = SoftHsm::with_token("piped");
    let home = hsm.home();
    home.ok(&hsm.init("piped"), b"");
    std::fs::write(home.beside("m"), b"message").unwrap();
    let sign = |pin: &str, options: &str| {
        bash(&home, &format!("icnctl {options} --pin-file <(echo {pin}) sign m"))
    };
    let wrong = sign("999999", "");
    assert_eq!(wrong.code, 77, "{}", wrong.err);
    let again = sign("999999", "");
    assert_eq!(again.code, 77, "{}", again.err);
    assert!(again.err.contains("--retry-pin"), "{}", again.err);
    let right = bash(&home, "icnctl --retry-pin --pin-file <(echo \"$ICN_PIN\") sign m");
    assert_eq!(right.code, 0, "{}", right.err);
    let right = bash(&home, "echo \"$ICN_PIN\" | icnctl --pin-file - sign m");
    assert_eq!(right.code, 0, "{}", right.err);
}
