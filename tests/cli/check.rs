//! `id show` claims no more than was seen, and `--check` tells it to a monitor.

use serde_json::{Value, json};
use support::home::{Home, PASSPHRASE, Ran, run};
use support::softhsm::{PIN, SoftHsm};

fn identity() -> Home {
    let home = Home::new().with("ICN_PASSPHRASE", PASSPHRASE);
    home.ok(&["id", "init"], b"");
    home
}

/// By another clock.
fn at(clock: &str, home: &Home, args: &[&str]) -> Ran {
    let command = home.command(args);
    let mut other = std::process::Command::new("faketime");
    other.args(["-f", clock]).arg(command.get_program()).args(command.get_args()).env_clear();
    other.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    run(&mut other, b"")
}

fn json_at(clock: &str, home: &Home) -> Value {
    let ran = at(clock, home, &["--format", "json", "id", "show", "--check"]);
    serde_json::from_str(&ran.out).unwrap()
}

const SHOW: [&str; 2] = ["id", "show"];
const CHECK: [&str; 3] = ["id", "show", "--check"];

#[test]
fn a_certificate_that_has_expired_is_shown_as_such_and_fails_the_check() {
    let home = identity();
    let good = home.ok(&CHECK, b"");
    assert!(good.contains("certificate valid until 20") && good.contains("No problem was found"));
    assert_eq!(home.show()["tls"]["status"], "valid");
    assert_eq!(home.show()["tls"]["expired"], false);
    assert_eq!(home.show()["problems"], json!([]));
    let shown = home.ok(&SHOW, b"");
    assert!(!shown.contains("PROBLEM") && !shown.contains("No problem"), "{shown}");

    // What the header says beside what was signed counts for nothing.
    for claimed in [None, Some(253_402_300_799_u64)] {
        if let Some(claimed) = claimed {
            home.edit_header("/tls_not_after", claimed.into());
        }
        let expired = at("+8d", &home, &SHOW);
        assert_eq!(expired.code, 0, "{}", expired.err);
        assert!(expired.out.contains("certificate EXPIRED on 20"), "{}", expired.out);
        assert!(!expired.out.contains("valid until"), "{}", expired.out);
        let checked = at("+8d", &home, &CHECK);
        assert_eq!(checked.code, 1, "{}", checked.out);
        let problem = "PROBLEM: TLS certificate EXPIRED on 20";
        assert!(checked.out.contains(problem), "{}", checked.out);
        let shown = json_at("+8d", &home);
        assert_eq!(
            (&shown["tls"]["status"], &shown["tls"]["expired"]),
            (&json!("expired"), &json!(true))
        );
        assert_eq!(shown["problems"].as_array().unwrap().len(), 1);
    }
}

/// Whatever the format: the document is printed as ever, and the problems beside it.
#[test]
fn the_check_fails_with_the_did_document_too() {
    let home = identity();
    let check = ["--format", "did-document", "id", "show", "--check"];
    let document = ["--format", "did-document", "id", "show"];
    let good = home.icnctl(&check, b"");
    assert_eq!((good.code, good.err.as_str()), (0, ""));
    for (clock, problem) in [("+8d", "PROBLEM: TLS certificate EXPIRED on 20"), ("-2d", "PROBLEM:")]
    {
        let bad = at(clock, &home, &check);
        assert_eq!((bad.code, &bad.out), (1, &good.out), "{}", bad.err);
        assert!(bad.err.contains(problem), "{}", bad.err);
        let not_asked = at(clock, &home, &document);
        assert_eq!((not_asked.code, not_asked.err.as_str()), (0, ""));
    }
    let soon = at("+6d", &home, &[&check[..], &["--valid-for", "30"]].concat());
    assert_eq!(soon.code, 1, "{}", soon.err);
}

#[test]
fn a_certificate_of_the_future_and_one_that_ends_soon_fail_the_check() {
    let home = identity();
    assert_eq!(at("-2d", &home, &CHECK).code, 1);
    assert_eq!(json_at("-2d", &home)["tls"]["status"], "not-yet-valid");
    // Of seven days.
    for (clock, hours, code) in
        [("+0", "160", 0), ("+0", "170", 1), ("+6d", "20", 0), ("+6d", "30", 1), ("+6d", "0", 0)]
    {
        let ran = at(clock, &home, &["id", "show", "--check", "--valid-for", hours]);
        assert_eq!(ran.code, code, "{clock} {hours}: {}{}", ran.out, ran.err);
        assert_eq!(ran.out.contains("ends within"), code == 1, "{}", ran.out);
    }
    assert_eq!(home.icnctl(&["id", "show", "--valid-for", "1"], b"").code, 2);
}

/// A token shows private keys within a login only.
#[test]
fn of_a_private_key_that_was_deleted_only_what_was_seen_is_said() {
    let hsm = SoftHsm::with_token("node-1");
    let home = hsm.identity("node-1");
    let id = home.show()["locator"].as_str().unwrap().to_owned();
    let id = id.split(";id=").nth(1).unwrap().replace('%', "");
    let id = id.split([';', '?']).next().unwrap().to_owned();
    let delete = |kind| {
        let delete = ["--login", "--pin", PIN, "--delete-object", "--type", kind, "--id", &id];
        let gone = hsm.pkcs11_tool(&delete);
        assert_eq!(gone.code, 0, "{}", gone.err);
    };
    for deleted in [false, true] {
        if deleted {
            delete("privkey");
        }
        let text = home.ok(&CHECK, b"");
        assert!(text.contains("shows the public key of this identity"), "{text}");
        assert!(
            text.contains("Whether the private key is there, it shows within a login"),
            "{text}"
        );
        assert!(text.contains("the key was not used"), "{text}");
        assert_eq!(home.show()["device"]["seen"], "public-key");
        let doctor = home.icnctl(&["backend", "doctor"], b"").out;
        assert!(doctor.contains("the private key was not looked for"), "{doctor}");
    }
    assert_ne!(home.icnctl(&["sign"], b"x").code, 0);
    delete("pubkey");
    let shown = home.show();
    // Nothing is there to be told from a token that shows nothing; but it has shown the key.
    assert_eq!(
        (&shown["device"]["state"], &shown["device"]["seen"]),
        (&json!("not-shown"), &Value::Null)
    );
    let ran = home.icnctl(&CHECK, b"");
    assert!(ran.code == 1 && ran.out.contains("does not show the public key"), "{}", ran.out);
}

/// The header names another object than the token has.
#[test]
fn a_key_that_is_not_where_it_was_fails_the_check() {
    let hsm = SoftHsm::with_token("node-1");
    let home = hsm.identity("node-1");
    home.edit_header("/locator/id", "010203".into());
    assert_eq!(home.show()["device"]["state"], "missing");
    let ran = home.icnctl(&CHECK, b"");
    assert!(ran.code == 1 && ran.out.contains("WARNING, the key is not there: "), "{}", ran.out);
    assert!(ran.out.contains("PROBLEM: token node-1 has no key with id 010203"), "{}", ran.out);
}

#[test]
fn a_device_that_is_away_or_locked_fails_the_check() {
    let hsm = SoftHsm::with_token("node-1");
    let home = hsm.faulty_identity("node-1");
    assert_eq!(home.icnctl(&CHECK, b"").code, 0);
    let logins = hsm.count("C_Login");
    for (script, problem) in [
        ("flag pin-locked", "the PIN is locked"),
        ("flag final-try", "one wrong PIN more locks"),
        ("flag count-low", "a wrong PIN was entered since the last right one"),
        ("flag to-be-changed", "the PIN has to be changed"),
        ("flag pin-uninitialized", "no PIN is set"),
    ] {
        hsm.script(script);
        let ran = home.icnctl(&CHECK, b"");
        assert!(ran.code == 1 && ran.out.contains(problem), "{}{}", ran.out, ran.err);
        assert!(home.ok(&SHOW, b"").contains(problem));
    }
    hsm.script("");
    assert_eq!(home.icnctl(&CHECK, b"").code, 0);
    assert_eq!(hsm.count("C_Login"), logins);
    hsm.unplug();
    let ran = home.icnctl(&CHECK, b"");
    assert!(ran.code == 1 && ran.out.contains("PROBLEM: the device: "), "{}", ran.out);
    assert_eq!(home.icnctl(&SHOW, b"").code, 0);
}

/// The device is there, and the file that it opens is missing, or is not read as it is.
#[test]
fn a_payload_that_no_command_would_read_fails_the_check() {
    let hsm = SoftHsm::with_token("node-1");
    for home in [identity(), hsm.identity("node-1")] {
        home.chmod("identity.age", 0o644);
        let ran = home.icnctl(&CHECK, b"");
        assert!(ran.code == 1 && ran.out.contains("PROBLEM: "), "{}{}", ran.out, ran.err);
        assert!(ran.out.contains("identity.age"), "{}", ran.out);
        assert!(home.show()["problems"].to_string().contains("identity.age"));
        home.chmod("identity.age", 0o600);
        home.ok(&CHECK, b"");
        std::fs::remove_file(home.path("identity.age")).unwrap();
        home.fails(&CHECK, b"", &["identity.age is missing"]);
    }
}

/// SoftHSM2 as it is: it never locks, and tells that a wrong PIN was entered.
#[test]
fn a_wrong_pin_fails_the_check_until_the_right_one_was_entered() {
    let hsm = SoftHsm::with_token("node-1");
    let home = hsm.identity("node-1");
    home.ok(&CHECK, b"");
    let wrong = ["--login", "--pin", "11112222", "--list-objects"];
    assert_ne!(hsm.pkcs11_tool(&wrong).code, 0);
    let ran = home.icnctl(&CHECK, b"");
    let problem = "PROBLEM: a wrong PIN was entered since the last right one";
    assert!(ran.code == 1 && ran.out.contains(problem), "{}{}", ran.out, ran.err);
    assert!(home.ok(&SHOW, b"").contains(problem));
    assert_eq!(home.show()["pin"]["count_low"], true);
    home.ok(&["sign"], b"hello");
    home.ok(&CHECK, b"");
    let report = home.ok(&["backend", "doctor"], b"");
    assert!(report.contains("set; no wrong try since the right PIN was entered"), "{report}");
    // What that leads to is said where a PIN is refused.
    let file = home.beside("wrong");
    support::home::write_private(&file, "11112222");
    let sign = ["--pin-file", file.to_str().unwrap(), "sign"];
    let ran = home.refused(&sign, b"hello", &["tried once; wrong PINs do not lock this token"]);
    assert!(!ran.err.contains("counts wrong PINs"), "{}", ran.err);
}

/// As their sources say. What cannot be seen is not said to be well.
#[test]
fn a_token_that_never_tells_of_wrong_pins_is_said_not_to() {
    for (dialect, lockout, words, verdict) in [
        (
            "manufacturer Mozilla_Foundation\nmodel NSS_3",
            json!("never"),
            "The token does not tell of wrong PINs. They do not lock it",
            "does not tell of wrong tries, and they do not lock it",
        ),
        (
            "manufacturer Yubico\nmodel YubiHSM",
            Value::Null,
            "The token does not tell whether its PIN is locked, nor of wrong PINs.",
            "does not tell of wrong tries, nor of a lock",
        ),
    ] {
        let hsm = SoftHsm::with_token("node-1");
        hsm.script(dialect);
        let home = hsm.faulty_identity("node-1");
        let pin = &home.show()["pin"];
        assert_eq!((&pin["silent"], &pin["lockout"]), (&json!(true), &lockout), "{pin}");
        let text = home.ok(&CHECK, b"");
        assert!(text.contains(words) && !text.contains("tpm2"), "{text}");
        let report = home.ok(&["backend", "doctor"], b"");
        assert!(report.contains(verdict), "{report}");
    }
    // Of one that is not known, nothing is claimed.
    let hsm = SoftHsm::with_token("node-1");
    hsm.script("manufacturer Acme\nmodel HSM\nlibrary Acme");
    let home = hsm.faulty_identity("node-1");
    assert_eq!(home.show()["pin"]["silent"], false);
    let report = home.ok(&["backend", "doctor"], b"");
    assert!(report.contains("set; the token does not tell of a wrong try"), "{report}");
    let file = home.beside("wrong");
    support::home::write_private(&file, "11112222");
    let sign = ["--pin-file", file.to_str().unwrap(), "sign"];
    home.refused(&sign, b"hello", &["tried once, and the token counts wrong PINs"]);
}

/// What is not whole opens no identity, and shows without a secret.
#[test]
fn a_payload_that_is_none_fails_the_check() {
    let hsm = SoftHsm::with_token("node-1");
    let (software, token) = (identity(), hsm.identity("node-1"));
    let locked = std::fs::read(software.path("identity.age")).unwrap();
    let of_token = std::fs::read(token.path("identity.age")).unwrap();
    let noise: Vec<u8> =
        (0..3000_u32).map(|it| it.wrapping_mul(2_654_435_761).to_be_bytes()[0]).collect();
    for (home, whole, other) in [(&software, &locked, &of_token), (&token, &of_token, &locked)] {
        let body = whole.windows(5).position(|it| it == b"\n--- ").unwrap() + 49;
        for (file, why) in [
            (&[][..], "it is empty"),
            (&whole[..100], "its header is damaged or cut short"),
            (&whole[..body - 1], "its header is damaged or cut short"),
            (&whole[..body + 20], "cut short"),
            (&noise, "it does not begin like an age file"),
            (b"hello\n", "it does not begin like an age file"),
            (other, "it was encrypted "),
        ] {
            std::fs::write(home.path("identity.age"), file).unwrap();
            let ran = home.icnctl(&CHECK, b"");
            assert_eq!(ran.code, 1, "{why}: {}{}", ran.out, ran.err);
            let problem = ran.out.lines().find(|line| line.starts_with("PROBLEM: ")).unwrap();
            assert!(problem.contains("identity.age cannot be opened: "), "{problem}");
            assert!(problem.contains(why), "wanted {why:?}: {problem}");
            assert_eq!(home.show()["problems"].as_array().unwrap().len(), 1);
            assert_ne!(home.icnctl(&["sign"], b"x").code, 0);
        }
        std::fs::write(home.path("identity.age"), whole).unwrap();
        assert_eq!(home.icnctl(&CHECK, b"").code, 0);
    }
    // More work than is allowed: nothing opens it as it is configured.
    let config = software.read("icn.toml");
    let limited = config.replace("work_factor = 10", "work_factor = 10\nmax_work_factor = 10");
    software.write("icn.toml", &limited);
    assert_eq!(software.icnctl(&CHECK, b"").code, 0);
    let stanza = locked.windows(4).position(|it| it == b" 10\n").unwrap();
    let mut costly = locked.clone();
    costly[stanza + 2] = b'1';
    std::fs::write(software.path("identity.age"), costly).unwrap();
    let ran = software.icnctl(&CHECK, b"");
    assert!(ran.code == 1 && ran.out.contains("2^11"), "{}", ran.out);
}

/// Whatever the certificate: by such a clock nothing can be told, and nothing renewed.
#[test]
fn a_clock_that_was_never_set_fails_the_check_and_is_named() {
    let home = identity();
    let ran = at("@1970-01-02 00:00:00", &home, &CHECK);
    assert_eq!(ran.code, 1, "{}", ran.out);
    for text in ["the clock of this machine is not set, it shows 1970-01-0", "Set it"] {
        assert!(ran.out.contains(text), "{}", ran.out);
    }
    assert!(!ran.out.contains("id renew"), "{}", ran.out);
    let shown = json_at("@1970-01-02 00:00:00", &home);
    assert_eq!(shown["tls"]["clock_set"], false);
    assert_eq!(home.show()["tls"]["clock_set"], true);
}
