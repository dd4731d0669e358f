//! Whom a backup can be made for, and what opens it.

use std::process::Command;

use bech32::{Bech32, Hrp};
use support::home::{Home, PASSPHRASE, on_a_terminal, write_private};
use support::small_order::recipients;

use super::drill::{Drill, text};

fn identity() -> (Home, Drill) {
    let home = Home::new().with("ICN_PASSPHRASE", PASSPHRASE);
    home.ok(&["id", "init"], b"");
    let drill = Drill::new(&home);
    (home, drill)
}

fn recipient(public: &[u8]) -> String {
    bech32::encode::<Bech32>(Hrp::parse("age").unwrap(), public).unwrap()
}

#[test]
fn what_is_no_recovery_recipient_is_refused_before_anything_is_asked() {
    let (home, drill) = identity();
    let shown = home.show();
    let hex = shown["encryption"]["public_key"].as_str().unwrap().as_bytes();
    let pairs = hex.chunks(2).map(|pair| std::str::from_utf8(pair).unwrap());
    let own: Vec<u8> = pairs.map(|pair| u8::from_str_radix(pair, 16).unwrap()).collect();
    // Nobody is there to be asked.
    let home = home.with("ICN_PASSPHRASE", "");
    for (given, message) in [
        (recipient(&own), "is the key of this very identity"),
        (recipient(&[1; 31]), "is no age recipient"),
        ("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI".into(), "is no age recipient"),
        (
            "age1yubikey1qwt50d05nh5vutpdzmlg5wn80xq5negm4uj9ghv0snvdd3yysf5yw3rhl3t".into(),
            "is no age recipient",
        ),
        (drill.recipient.replace("age1", "age2"), "is no age recipient"),
        (String::new(), "is no age recipient"),
    ] {
        let args = ["id", "backup", "--recipient", &given, "-o", text(&drill.backup)];
        home.fails(&args, b"", &[message, "try: "]);
        // One that is good beside it changes nothing.
        home.fails(&drill.backup_args(&["--recipient", &given]), b"", &[message]);
    }
    for given in recipients() {
        let args = ["id", "backup", "--recipient", &given, "-o", text(&drill.backup)];
        home.fails(&args, b"", &["it is a point of small order"]);
    }
    assert!(!drill.backup.exists());
    let none = home.icnctl(&["id", "backup", "-o", text(&drill.backup)], b"");
    assert_eq!(none.code, 2, "{}", none.err);
}

#[test]
fn a_secret_key_in_the_place_of_a_recipient_is_not_repeated() {
    let (home, drill) = identity();
    let secret = std::fs::read_to_string(&drill.key).unwrap();
    let whole = secret.as_str();
    assert!(whole.starts_with("# created: "));
    let secret = secret.lines().find(|line| line.starts_with("AGE-SECRET")).unwrap();
    // `--recipient "$(cat recovery.key)"`
    for given in [secret, whole, &format!("age1{secret}")] {
        for given in [given.to_owned(), given.to_lowercase()] {
            let args = ["id", "backup", "--recipient", &given, "-o", text(&drill.backup)];
            let ran = home.fails(&args, b"", &["is a secret key", "make another key"]);
            for secret in [secret.to_owned(), secret.to_lowercase()] {
                assert!(!ran.err.contains(&secret[20..]), "{}", ran.err);
            }
        }
    }
    // What nobody knows is not repeated either; what was meant to be one is.
    for given in ["# created: x\nhunter2", "hunter2", "age1 hunter2", "AGE1hunter2"] {
        let args = ["id", "backup", "--recipient", given, "-o", text(&drill.backup)];
        let ran = home.fails(&args, b"", &["what was given is no age recipient"]);
        assert!(!ran.err.contains("hunter2"), "{}", ran.err);
    }
    let long = format!("age1{}", "q".repeat(200));
    let args = ["id", "backup", "--recipient", &long, "-o", text(&drill.backup)];
    home.fails(&args, b"", &["what was given is no age recipient"]);
    home.fails(&drill.backup_args(&["--recipient", "age1typo"]), b"", &["age1typo is no age"]);
    assert!(!drill.backup.exists());
}

#[test]
fn a_recovery_key_may_have_comments_and_must_be_private() {
    use std::os::unix::fs::PermissionsExt as _;
    let (home, drill) = identity();
    drill.make(&home);
    let key = std::fs::read_to_string(&drill.key).unwrap();
    write_private(&drill.key, &format!("# of the vault\n\n{key}\n# end\n"));
    drill.ok(&home, &["--check"]);

    std::fs::set_permissions(&drill.key, std::fs::Permissions::from_mode(0o644)).unwrap();
    drill.fails(&home, &["--check"], &["its mode is 0644", "chmod 600"]);
    write_private(&drill.key, "# nothing\n");
    home.fails(&drill.restore_args(&["--check"]), b"", &["has no key in it"]);
    write_private(&drill.key, &format!("{key}SECRET-LINE\n"));
    let ran = home.fails(&drill.restore_args(&["--check"]), b"", &["cannot be used", "on line 4"]);
    assert!(!ran.err.contains("SECRET-LINE"), "{}", ran.err);
    std::fs::remove_file(&drill.key).unwrap();
    home.fails(&drill.restore_args(&["--check"]), b"", &["recovery.key"]);
}

#[test]
fn a_recovery_key_may_have_a_passphrase() {
    let (home, mut drill) = identity();
    drill.make(&home);
    let locked = home.beside("locked.key");
    let mut age = Command::new("age");
    age.args(["-p", "-o", text(&locked), text(&drill.key)]).env_clear();
    age.env("PATH", std::env::var_os("PATH").unwrap());
    let ran = on_a_terminal(&age, "of the vault\nof the vault\n");
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
    drill.key = locked;
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o600);
    std::fs::set_permissions(&drill.key, mode).unwrap();

    let check = drill.restore_args(&["--check"]);
    let file = home.beside("passphrase");
    write_private(&file, "of the vault\n");
    let given = [&check[..], &["--identity-passphrase-file", text(&file)]].concat();
    assert!(home.ok(&given, b"").contains("Nothing was written."));
    write_private(&file, "of the fault\n");
    let ran = home.refused(&given, b"", &["does not open the age identity file"]);
    assert!(!ran.err.contains("of the fault"), "{}", ran.err);
    let home = home.with("ICN_RECOVERY_PASSPHRASE", "of the vault");
    assert!(home.ok(&check, b"").contains("Nothing was written."));
}
