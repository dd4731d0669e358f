//! `--help`, and what is shown so that other tools take it.

use serde_json::Value;
use support::home::{Home, PASSPHRASE};
use support::softhsm::{PIN, SoftHsm};

/// Every command, by what `--help` lists.
fn commands(home: &Home, of: &[String]) -> Vec<Vec<String>> {
    let args: Vec<&str> = of.iter().map(String::as_str).chain(["--help"]).collect();
    let text = home.ok(&args, b"");
    let Some((_, list)) = text.split_once("\nCommands:\n") else { return vec![of.to_vec()] };
    let list = list.split("\n\n").next().unwrap();
    // What a command does is set in further.
    let names = list.lines().filter(|line| line.starts_with("  ") && !line.starts_with("   "));
    let names = names.map(|line| line.split_whitespace().next().unwrap().to_owned());
    names
        .filter(|name| name != "help")
        .flat_map(|name| commands(home, &[of, &[name]].concat()))
        .collect()
}

#[test]
fn the_options_of_a_command_come_before_those_of_every_command() {
    let home = Home::new();
    let all = commands(&home, &[]);
    assert!(all.len() > 25, "{all:?}");
    assert_eq!(home.ok(&["--version"], b""), format!("icnctl {}\n", env!("CARGO_PKG_VERSION")));
    for command in all {
        let args: Vec<&str> = command.iter().map(String::as_str).chain(["--help"]).collect();
        let text = home.ok(&args, b"");
        assert_eq!(text.matches("\nUsage: ").count(), 1, "once, and not twice: {text}");
        let (own, every) = text.split_once("\nOptions of every command:\n").unwrap();
        for option in [
            "--home <",
            "--config <",
            "--format <",
            "--passphrase-file <",
            "--pin-file <",
            "--key <",
            "--retry-pin",
        ] {
            let line = |text: &str| text.lines().any(|line| line.trim_start().starts_with(option));
            assert!(line(every) && !line(own), "{command:?} {option}: {text}");
        }
    }
}

#[test]
fn the_id_of_a_key_is_shown_as_other_tools_take_it() {
    let hsm = SoftHsm::with_token("node-1");
    let home = hsm.identity("node-1");
    let id = home.show()["key_id"].as_str().unwrap().to_owned();
    let header: Value = serde_json::from_str(&home.read("identity.json")).unwrap();
    assert_eq!(header["locator"]["id"], id.as_str());
    assert!(home.ok(&["id", "show"], b"").contains(&format!("Key id      {id}\n")));
    let delete = ["--login", "--pin", PIN, "--delete-object", "--type", "privkey", "--id", &id];
    let gone = hsm.pkcs11_tool(&delete);
    assert_eq!(gone.code, 0, "{}", gone.err);
    assert_ne!(home.icnctl(&["sign"], b"x").code, 0);
}

#[test]
fn a_document_that_nobody_was_named_for_is_valid_with_a_warning() {
    let home = Home::new().with("ICN_PASSPHRASE", PASSPHRASE);
    home.ok(&["id", "init"], b"");
    let document = home.ok(&["--format", "did-document", "id", "show"], b"");
    let did = home.show()["did"].as_str().unwrap().to_owned();
    let ran = home.icnctl(&["id", "verify-document"], document.as_bytes());
    assert!(
        ran.code == 0 && ran.err.contains("warning: whose document it has to be"),
        "{}",
        ran.err
    );
    assert!(ran.err.contains("--did") && ran.err.contains(&did), "{}", ran.err);
    let ran = home.icnctl(&["id", "verify-document", "--did", &did], document.as_bytes());
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
}

#[test]
fn a_doctor_without_a_device_looks_at_the_home_and_names_both_kinds() {
    let home = Home::new().with("ICN_PASSPHRASE", PASSPHRASE);
    for doctor in [&["backend", "doctor"][..], &["backend", "doctor", "--probe"]] {
        let ran = home.icnctl(doctor, b"");
        assert_eq!(ran.code, 2, "{}", ran.err);
        for said in ["--module PATH", "--backend tpm"] {
            assert!(ran.err.contains(said), "{}", ran.err);
        }
    }
    home.ok(&["id", "init"], b"");
    let told = home.ok(&["backend", "doctor"], b"");
    assert!(told.contains("No problem was found") && told.contains("did:icn:"), "{told}");
}
