//! The audit log: a line for each use of the key and for each refusal, and what looks at it.

use std::process::Command;

use serde_json::Value;
use support::home::{FAST, Home, PASSPHRASE, run, write_private};

const CONTEXT: &str = "payments@coop.example";

fn home() -> Home {
    let home = Home::new().with("ICN_PASSPHRASE", PASSPHRASE);
    home.ok(&["id", "init"], b"");
    home
}

/// With a log in it, as a daemon would have made it.
fn logged() -> Home {
    let home = home();
    home.write("audit.log", "");
    home
}

fn lines(home: &Home) -> Vec<Value> {
    let text = home.read("audit.log");
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// What each line says: `sign allowed`.
fn said(home: &Home) -> Vec<String> {
    let word = |line: &Value, name: &str| line[name].as_str().unwrap_or_default().to_owned();
    let of_line = |line: &Value| {
        let words = ["event", "result", "reason"].map(|name| word(line, name));
        words.join(" ").trim_end().to_owned()
    };
    lines(home).iter().map(of_line).collect()
}

#[test]
fn no_log_is_made_where_none_is_configured_or_there() {
    let home = home();
    home.ok(&["sign"], b"hello");
    home.ok(&["id", "renew"], b"");
    assert!(!home.path("audit.log").exists() && !home.path("audit.log.head").exists());
    // Nor where there is no identity.
    let empty = Home::new().with("ICN_PASSPHRASE", PASSPHRASE);
    empty.write("audit.log", "");
    empty.fails(&["sign"], b"", &["there is no identity"]);
    assert_eq!(empty.read("audit.log"), "");
}

#[test]
fn each_use_of_the_key_has_one_line_that_is_there_before_it() {
    let home = logged();
    write_private(&home.beside("new"), "another passphrase");
    home.ok(&["sign"], b"a very secret message");
    assert_eq!(said(&home), ["begin", "sign-raw allowed"]);
    let recipient = home.show()["encryption"]["age_recipient"].as_str().unwrap().to_owned();
    assert_eq!(lines(&home).len(), 2, "`id show` uses no key");
    let mut age = Command::new("age");
    let file = home.beside("file.age");
    age.args(["-r", &recipient, "-o", file.to_str().unwrap()]);
    assert_eq!(run(&mut age, b"inside").code, 0);
    let (backup, secret) = (home.beside("backup"), home.beside("secret.age"));
    let new = home.beside("new");
    let text = |path: &std::path::Path| path.to_str().unwrap().to_owned();
    let offline = text(&home.beside("offline"));
    assert_eq!(run(Command::new("age-keygen").args(["-o", &offline]), b"").code, 0);
    let offline = run(Command::new("age-keygen").args(["-y", &offline]), b"").out;
    let offline = offline.trim();
    let commands: [(&[&str], &str); 7] = [
        (&["sign", "--context", CONTEXT], "sign"),
        (&["decrypt", &text(&file)], "decrypt"),
        (&["id", "renew"], "renew"),
        (&["id", "decryption-key", "list"], "unlock"),
        (&["id", "backup", "--recipient", offline, "-o", &text(&backup)], "backup"),
        (&["id", "export", "--secret", "-o", &text(&secret), "--recipient", offline], "export"),
        (&["id", "change-passphrase", "--new-passphrase-file", &text(&new)], "change"),
    ];
    for (args, event) in commands {
        let before = lines(&home).len();
        home.ok(args, b"a very secret message");
        let now = said(&home);
        assert_eq!(now[before..], [format!("{event} allowed")], "{args:?}");
    }
    home.ok(&["audit", "verify"], b"");
    let log = home.read("audit.log");
    for secret in ["secret message", "inside", PASSPHRASE, "another passphrase"] {
        assert!(!log.contains(secret), "{log}");
    }
    let lines = lines(&home);
    let (raw, signed) = (&lines[1], &lines[2]);
    // The same message, and nobody sees which.
    assert_eq!(raw["message"], signed["message"]);
    assert_eq!(raw["message"].as_str().unwrap().len(), 64);
    assert_eq!((raw["length"].as_u64(), signed["context"].as_str()), (Some(21), Some(CONTEXT)));
    assert!(raw["exe"].as_str().unwrap().ends_with("/icnctl"));
    assert!(raw["pid"].is_u64() && raw["uid"].is_u64() && raw["gid"].is_u64());
    assert_eq!(raw["request"].as_str().unwrap().len(), 16);
    assert_ne!(raw["request"], signed["request"]);
}

#[test]
fn what_is_refused_or_fails_has_its_line_too() {
    let home = logged();
    home.fails(&["sign"], b"icn-identity/open/v1", &["begins with"]);
    home.fails(&["sign", "--context", ""], b"x", &["context"]);
    let wrong = home.beside("wrong");
    write_private(&wrong, "not the passphrase");
    let wrong = wrong.to_str().unwrap();
    home.refused(&["--passphrase-file", wrong, "sign"], b"x", &["passphrase"]);
    home.refused(&["--passphrase-file", wrong, "id", "renew"], b"", &["passphrase"]);
    assert_eq!(
        said(&home),
        [
            "begin",
            "sign-raw refused reserved-message",
            "sign refused invalid-context",
            "unlock refused wrong-credential",
            "renew allowed",
            "renew refused wrong-credential",
        ]
    );
    let lines = lines(&home);
    assert_eq!(lines[4]["request"], lines[5]["request"]);
    assert!(!home.read("audit.log").contains("not the passphrase"));
}

/// It was not read, and nobody is told that it was wrong.
#[test]
fn a_file_with_the_passphrase_that_others_can_read_is_called_so_in_the_log() {
    let home = logged();
    let right = home.beside("right");
    write_private(&right, PASSPHRASE);
    let right = right.to_str().unwrap();
    let chmod = |mode: u32| {
        use std::os::unix::fs::PermissionsExt as _;
        std::fs::set_permissions(right, std::fs::Permissions::from_mode(mode)).unwrap();
    };
    chmod(0o644);
    home.fails(&["--passphrase-file", right, "sign"], b"x", &["its mode is 0644", "chmod 600"]);
    assert_eq!(said(&home), ["begin", "unlock failed permission"]);
    chmod(0o600);
    home.ok(&["--passphrase-file", right, "sign"], b"x");
    assert_eq!(said(&home).last().unwrap(), "sign-raw allowed");
}

/// With a log that is configured, in a directory that is made with the home.
fn configured(name: &str) -> Home {
    let home = Home::new().with("ICN_PASSPHRASE", PASSPHRASE);
    home.write("icn.toml", &format!("{FAST}[audit]\npath = \"{name}\"\n"));
    home
}

#[test]
fn an_identity_that_is_made_restored_or_imported_has_its_line() {
    let home = configured("audit.log");
    home.ok(&["id", "init"], b"");
    assert_eq!(said(&home), ["begin", "init allowed"]);
    let text = |path: &std::path::Path| path.to_str().unwrap().to_owned();
    let (key, backup) = (text(&home.beside("recovery")), text(&home.beside("backup")));
    assert_eq!(run(Command::new("age-keygen").args(["-o", &key]), b"").code, 0);
    let recipient = run(Command::new("age-keygen").args(["-y", &key]), b"").out;
    let config = home.read("icn.toml");
    let daemon = "[[daemon.client]]\nname = \"shop\"\nuid = 1\nmay = [\"admin\"]\n";
    home.write("icn.toml", &format!("{config}{daemon}[network]\nport = 1\n"));
    let made = home.ok(&["id", "backup", "--recipient", recipient.trim(), "-o", &backup], b"");
    assert!(made.contains("[daemon] too: its clients are users of this machine"), "{made}");
    assert!(made.contains("the tables [identity] and [audit] of icn.toml"), "{made}");

    // Elsewhere the log is where it was, and nobody is a client who has that number there.
    let elsewhere = Home::new();
    std::fs::remove_file(elsewhere.path("icn.toml")).unwrap();
    elsewhere.write("audit.log", "");
    let did = home.show()["did"].as_str().unwrap().to_owned();
    let restore = ["id", "restore", &backup, "--identity-file", &key, "--did", &did];
    elsewhere.fails(&restore, b"", &["no passphrase was given"]);
    let elsewhere = elsewhere.with("ICN_PASSPHRASE", PASSPHRASE);
    elsewhere.ok(&restore, b"");
    assert_eq!(said(&elsewhere), ["begin", "restore failed credential-missing", "restore allowed"]);
    let config = elsewhere.read("icn.toml");
    assert!(config.contains("[audit]\npath = \"audit.log\""), "{config}");
    assert!(!config.contains("daemon") && !config.contains("network"), "{config}");

    let imported =
        configured("audit.log").with("ICN_PASSPHRASE", crate::import::fixture::PASSPHRASE);
    let old = text(&imported.beside("old.age"));
    std::fs::copy(crate::import::fixture::path("v4"), &old).unwrap();
    assert_eq!(run(Command::new("chmod").args(["600", &old]), b"").code, 0);
    imported.ok(&["id", "import", &old], b"");
    assert_eq!(said(&imported), ["begin", "import allowed"]);
    for home in [home, elsewhere, imported] {
        home.ok(&["audit", "verify"], b"");
    }
}

/// The identity is there, and the program that made it is told.
#[test]
fn an_identity_of_which_no_line_can_be_written_is_told_as_an_error() {
    let home = configured("none/audit.log");
    let wanted = ["the identity was made, and that could not be written", "  try: "];
    home.fails(&["id", "init"], b"", &wanted);
    home.fails(&["sign"], b"x", &["/home/none"]);
    std::fs::create_dir(home.path("none")).unwrap();
    home.ok(&["sign"], b"x");
}

/// Nothing is signed of which no line could be written; and nobody is asked for a secret.
#[test]
fn where_no_line_can_be_written_nothing_is_signed() {
    let home = home();
    let config = home.read("icn.toml");
    for path in ["none/audit.log", "/proc/audit.log", "icn.toml"] {
        home.write("icn.toml", &format!("{config}\n[audit]\npath = \"{path}\"\n"));
        let quiet = home.command(&["sign"]);
        let mut quiet_one = Command::new(quiet.get_program());
        quiet_one.arg("sign").env_clear().env("ICN_HOME", home.path(""));
        let ran = run(&mut quiet_one, b"x");
        assert_eq!((ran.code, ran.out.as_str()), (1, ""), "{path}: {}", ran.err);
        assert!(!ran.err.contains("no terminal"), "{path}: {}", ran.err);
        assert!(ran.err.contains("try: "), "{path}: {}", ran.err);
        home.fails(&["id", "renew"], b"", &[]);
    }
    // A log that is there and not ours to write, too.
    home.write("icn.toml", &config);
    home.write("audit.log", "");
    home.chmod("audit.log", 0o622);
    home.fails(&["sign"], b"x", &["audit.log", "its mode is 0622", "chmod 600"]);
    home.chmod("audit.log", 0o600);
    home.ok(&["sign"], b"x");
}

#[test]
fn the_log_is_written_where_it_is_configured() {
    let home = home();
    let config = home.read("icn.toml");
    home.write("icn.toml", &format!("{config}\n[audit]\npath = \"log/of-keys.log\"\n"));
    std::fs::create_dir(home.path("log")).unwrap();
    home.ok(&["sign"], b"x");
    assert_eq!(home.read("log/of-keys.log").lines().count(), 2);
    assert!(home.ok(&["audit", "verify"], b"").starts_with("valid: 2 lines, seq 1 to 2"));
    assert!(!home.path("audit.log").exists());
}

#[test]
fn verify_says_which_line_is_wrong_by_its_exit_code_and_in_json() {
    let home = logged();
    for message in [b"1", b"2", b"3"] {
        home.ok(&["sign"], message);
    }
    let ran = home.icnctl(&["audit", "verify"], b"");
    assert!(
        ran.code == 0 && ran.err.contains("a checkpoint that is kept elsewhere"),
        "{}",
        ran.err
    );
    let text = home.read("audit.log");
    let lines: Vec<&str> = text.lines().collect();
    let path = home.path("audit.log").display().to_string();
    for (changed, line, fault) in [
        (text.replacen("sign-raw", "sign-row", 1), 2, "the line was changed"),
        ([lines[0], lines[2], lines[3]].join("\n") + "\n", 2, "seq 2 is missing"),
        ([lines[0], lines[2], lines[1], lines[3]].join("\n") + "\n", 2, "where seq 2 has to be"),
        (lines[..3].join("\n") + "\n", 4, "is known to have had seq 4"),
        (text[..text.len() - 30].to_owned(), 4, "the line was cut off"),
    ] {
        home.write("audit.log", &changed);
        let ran = home.icnctl(&["audit", "verify"], b"");
        assert_eq!(ran.code, 1, "{}{}", ran.out, ran.err);
        let wanted = format!("not valid: {path}, line {line}: ");
        assert!(
            ran.out.starts_with(&wanted) && ran.out.contains(fault),
            "{wanted}{fault}: {}",
            ran.out
        );
        assert!(ran.err.contains("try: "), "{}", ran.err);
        let ran = home.icnctl(&["--format", "json", "audit", "verify"], b"");
        let json: Value = serde_json::from_str(&ran.out).unwrap();
        assert_eq!(
            (ran.code, &json["valid"], json["line"].as_u64()),
            (1, &Value::Bool(false), Some(line))
        );
        assert_eq!(json["file"].as_str(), Some(path.as_str()));
    }
    home.write("audit.log", &text);
    let json: Value =
        serde_json::from_str(&home.ok(&["--format", "json", "audit", "verify"], b"")).unwrap();
    assert_eq!((json["lines"].as_u64(), json["whole"].as_bool()), (Some(4), Some(true)));
    home.misuses(&["audit", "verify", "/nonexistent"], b"", &["cannot read /nonexistent"]);
}

#[test]
fn a_checkpoint_is_verified_anywhere_and_finds_what_was_cut_off() {
    let home = logged();
    home.ok(&["sign"], b"1");
    let note = home.beside("checkpoint");
    let note = note.to_str().unwrap();
    let printed = home.ok(&["audit", "checkpoint"], b"");
    assert!(printed.starts_with("icn-identity/audit/v1/did:icn:"), "{printed}");
    home.ok(&["audit", "checkpoint", "-o", note], b"");
    home.fails(&["audit", "checkpoint", "-o", note], b"", &["already exists"]);
    assert_eq!(said(&home).last().unwrap(), "checkpoint allowed");
    home.ok(&["sign"], b"2");
    home.ok(&["audit", "verify", "--checkpoint", note], b"");
    // On another machine, where there is no identity.
    let did = home.show()["did"].as_str().unwrap().to_owned();
    let copy = home.beside("copy.log");
    let text = home.read("audit.log");
    std::fs::write(&copy, &text).unwrap();
    let copy = copy.to_str().unwrap();
    let elsewhere = Home::new();
    let verify = ["audit", "verify", "--checkpoint", note, "--did", &did, copy];
    elsewhere.ok(&verify, b"");
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    for left in 1..4 {
        std::fs::write(copy, lines[..left].concat()).unwrap();
        elsewhere.ok(&["audit", "verify", copy], b"");
        let ran = elsewhere.icnctl(&verify, b"");
        assert_eq!(ran.code, 1, "{}", ran.err);
        assert!(ran.out.contains("its end was cut off"), "{}", ran.out);
    }
    std::fs::write(copy, &text).unwrap();
    let other = "did:key:z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK";
    let ran =
        elsewhere.icnctl(&["audit", "verify", "--checkpoint", note, "--did", other, copy], b"");
    assert!(ran.code == 1 && ran.out.contains("has no signature of did:key:"), "{}", ran.out);
    elsewhere.misuses(
        &["audit", "verify", "--checkpoint", copy, "--did", &did, copy],
        b"",
        &["not a checkpoint"],
    );
    // What does not verify is not vouched for.
    home.write("audit.log", &text.replacen("sign-raw", "sign-row", 1));
    home.fails(&["audit", "checkpoint"], b"", &["line 2: the line was changed"]);
}

#[test]
fn tail_shows_the_last_lines_and_what_is_none() {
    let home = logged();
    for _ in 0..3 {
        home.ok(&["sign", "--context", CONTEXT], b"x");
    }
    let shown = home.ok(&["audit", "tail", "-n", "2"], b"");
    assert_eq!(shown.lines().count(), 2, "{shown}");
    for part in ["4  20", "  sign  allowed  for payments@coop.example  exe ", "  uid "] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    let json: Value =
        serde_json::from_str(&home.ok(&["--format", "json", "audit", "tail"], b"")).unwrap();
    assert_eq!(json.as_array().unwrap().len(), 4);
    assert_eq!(json[3]["context"], CONTEXT);
    let text = home.read("audit.log").replacen("sign", "\u{1b}[31m", 1);
    home.write("audit.log", &text);
    let shown = home.ok(&["audit", "tail"], b"");
    assert!(shown.contains("not a line: ") && !shown.contains('\u{1b}'), "{shown}");
    home.fails(&["audit", "tail", "/nonexistent"], b"", &["cannot read /nonexistent"]);
}

/// Renamed by a person or by logrotate: the next line names the one before.
#[test]
fn a_log_that_is_rotated_goes_on_and_all_its_files_verify() {
    let home = logged();
    for number in 1..4 {
        home.ok(&["sign"], b"x");
        std::fs::rename(home.path("audit.log"), home.path(&format!("audit.log.{number}"))).unwrap();
        // It is made anew only where it is configured, or there: as logrotate's `create` does it.
        home.write("audit.log", "");
    }
    home.ok(&["sign"], b"x");
    let files: Vec<String> = ["audit.log", "audit.log.1", "audit.log.2", "audit.log.3"]
        .map(|name| home.path(name).to_str().unwrap().to_owned())
        .into();
    let mut args = vec!["audit", "verify"];
    args.extend(files.iter().map(String::as_str));
    assert!(home.ok(&args, b"").starts_with("valid: 8 lines, seq 1 to 8"));
    let ran = home.icnctl(&["audit", "verify"], b"");
    assert!(ran.code == 0 && ran.err.contains("up to seq 6"), "{}", ran.err);
}

/// Of both identities of a rotation, each its own.
#[test]
fn a_rotation_has_a_line_in_the_log_of_each_identity() {
    let home = logged();
    let next = home.beside("next");
    std::fs::create_dir(&next).unwrap();
    let private: std::fs::Permissions = std::os::unix::fs::PermissionsExt::from_mode(0o700);
    std::fs::set_permissions(&next, private).unwrap();
    write_private(&next.join("icn.toml"), FAST);
    write_private(&next.join("passphrase"), "of the next");
    let (path, passphrase) = (next.to_str().unwrap(), next.join("passphrase"));
    let passphrase = passphrase.to_str().unwrap();
    home.ok(&["--home", path, "--passphrase-file", passphrase, "id", "init"], b"");
    write_private(&next.join("audit.log"), "");
    home.ok(
        &[
            "id",
            "rotation",
            "create",
            "--successor",
            path,
            "--reason",
            "scheduled",
            "--successor-passphrase-file",
            passphrase,
            "-o",
            home.beside("chain").to_str().unwrap(),
        ],
        b"",
    );
    assert_eq!(said(&home), ["begin", "rotate allowed"]);
    let log = std::fs::read_to_string(next.join("audit.log")).unwrap();
    assert!(
        log.lines().nth(1).unwrap().contains("\"event\":\"rotate\",\"result\":\"allowed\""),
        "{log}"
    );
}

/// A context that reads like other fields is one value.
#[test]
fn a_context_cannot_be_taken_for_other_fields_of_its_line() {
    let home = logged();
    let context = "pay@x  client boss  exe /usr/sbin/boss  uid 0  \"gid\" 0";
    home.ok(&["sign", "--context", context], b"x");
    let shown = home.ok(&["audit", "tail"], b"");
    let line = shown.lines().last().unwrap();
    let expected = r#"  for "pay@x  client boss  exe /usr/sbin/boss  uid 0  \"gid\" 0"  exe /"#;
    assert!(line.contains(expected), "{line}");
    home.ok(&["sign", "--context", CONTEXT], b"x");
    let shown = home.ok(&["audit", "tail"], b"");
    assert!(shown.lines().last().unwrap().contains(&format!("  for {CONTEXT}  exe /")), "{shown}");
}

#[test]
fn a_log_of_two_identities_says_so() {
    let (home, other) = (logged(), home());
    home.ok(&["sign"], b"x");
    let path = home.path("audit.log");
    let config = other.read("icn.toml");
    other.write("icn.toml", &format!("{config}\n[audit]\npath = \"{}\"\n", path.display()));
    other.ok(&["sign"], b"x");
    let shown = home.ok(&["audit", "verify"], b"");
    assert!(shown.contains("the keys of 2 identities"), "{shown}");
    for home in [&home, &other] {
        assert!(shown.contains(home.show()["did"].as_str().unwrap()), "{shown}");
    }
}
