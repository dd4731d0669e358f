//! `icnctl` with the embedded backend, as scripts and people use it.

use std::process::Command;

use icn_identity::Did;
use serde_json::json;
use support::home::{FAST, Home, PASSPHRASE, on_a_terminal, openssl_verifies, run};
use support::ssh_keygen;

pub(crate) fn identity() -> Home {
    let home = Home::new().with("ICN_PASSPHRASE", PASSPHRASE);
    home.ok(&["id", "init"], b"");
    home
}

#[test]
fn an_identity_signs_and_openssl_verifies() {
    let home = identity();
    let signature = home.ok(&["sign"], b"hello");
    let shown = home.show();
    let key = shown["public_key"]["hex"].as_str().unwrap();
    assert!(openssl_verifies(&home.beside(""), key, b"hello", signature.trim()));
    assert!(!openssl_verifies(&home.beside(""), key, b"hullo", signature.trim()));
}

#[test]
fn sign_reads_a_file_a_dash_or_nothing() {
    let home = identity();
    std::fs::write(home.beside("message"), b"hello").unwrap();
    let path = home.beside("message");
    let of_file = home.ok(&["sign", path.to_str().unwrap()], b"");
    assert_eq!(of_file, home.ok(&["sign", "-"], b"hello"));
    assert_eq!(of_file, home.ok(&["sign"], b"hello"));
    home.fails(&["sign", "/nowhere/at/all"], b"", &["cannot read /nowhere/at/all"]);
}

#[test]
fn verify_exits_with_0_1_or_2() {
    let home = identity();
    let signature = home.ok(&["sign"], b"hello");
    let signature = signature.trim();
    let did = home.show()["did"].as_str().unwrap().to_owned();
    let verify = |did: &str, signature: &str, message: &[u8]| {
        let ran = home.icnctl(&["verify", "--did", did, "--signature", signature], message);
        (ran.code, ran.out.trim().to_owned(), ran.err)
    };
    assert_eq!(verify(&did, signature, b"hello"), (0, "valid".into(), String::new()));
    assert_eq!(verify(&did, signature, b"hullo"), (1, "not valid".into(), String::new()));
    let (code, _, err) = verify("did:web:example.org", signature, b"hello");
    assert_eq!(code, 2);
    assert!(err.contains("neither a did:icn nor a did:key") && err.contains("try: "), "{err}");
    let (code, _, err) = verify(&did, "AAAA", b"hello");
    assert_eq!(code, 2);
    assert!(err.contains("the signature is not 64 bytes in base64"), "{err}");
    let mut missing =
        home.command(&["verify", "--did", &did, "--signature", signature, "/nowhere"]);
    assert_eq!(run(&mut missing, b"").code, 2);
    assert_eq!(home.icnctl(&["verify", "--did", &did], b"").code, 2);
}

#[test]
fn a_signature_for_a_context_is_verified_by_openssh_and_by_verify() {
    let home = identity();
    let context = "payments@coop.example";
    let armored = home.ok(&["sign", "--context", context], b"100 to Ada");
    let did = home.show()["did"].as_str().unwrap().to_owned();
    let key = *Did::parse(&did).unwrap().verifying_key();
    assert_eq!(home.show()["public_key"]["openssh"], key.to_openssh());
    assert!(ssh_keygen::verifies(&key.to_openssh(), context, b"100 to Ada", &armored));
    assert!(!ssh_keygen::verifies(&key.to_openssh(), "login", b"100 to Ada", &armored));

    let file = home.beside("signature");
    std::fs::write(&file, &armored).unwrap();
    let file = file.to_str().unwrap();
    let verify = |context: &str, message: &[u8]| {
        let arguments = ["verify", "--did", &did, "--context", context, "--signature-file", file];
        home.icnctl(&arguments, message).code
    };
    assert_eq!(verify(context, b"100 to Ada"), 0);
    assert_eq!(verify(context, b"100 to Eve"), 1);
    assert_eq!(verify("login", b"100 to Ada"), 1);
    // One without the other means nothing.
    assert_eq!(home.icnctl(&["verify", "--did", &did, "--context", context], b"").code, 2);
    let ran = home.icnctl(&["verify", "--did", &did, "--signature-file", file], b"100 to Ada");
    assert!(ran.code == 2 && ran.err.contains("is a signature for a context"), "{}", ran.err);
    assert!(ran.err.contains("--context CONTEXT"), "{}", ran.err);
    // A signature of plain bytes is for no context.
    let plain = home.ok(&["sign"], b"100 to Ada");
    let arguments = ["verify", "--did", &did, "--context", context, "--signature", plain.trim()];
    assert_eq!(home.icnctl(&arguments, b"100 to Ada").code, 2);
    let bare = home.beside("bare");
    std::fs::write(&bare, &plain).unwrap();
    let bare = bare.to_str().unwrap();
    let arguments = ["verify", "--did", &did, "--signature-file", bare];
    assert_eq!(home.icnctl(&arguments, b"100 to Ada").code, 0);
    assert_eq!(home.icnctl(&arguments, b"100 to Eve").code, 1);
    let arguments = ["verify", "--did", &did, "--context", context, "--signature-file", bare];
    let ran = home.icnctl(&arguments, b"100 to Ada");
    assert!(ran.code == 2 && ran.err.contains("is verified without --context"), "{}", ran.err);
    let arguments = ["verify", "--did", &did, "--context", context, "--signature-file", "-"];
    let ran = home.icnctl(&arguments, armored.as_bytes());
    assert!(ran.code != 0 && ran.err.contains("cannot both be read from"), "{}", ran.err);
    std::fs::write(file, "AAAA").unwrap();
    let arguments = ["verify", "--did", &did, "--context", context, "--signature-file", file];
    let ran = home.icnctl(&arguments, b"100 to Ada");
    assert!(ran.err.contains("is not an SSH signature"), "{}", ran.err);
    // What cannot be a context is refused before a passphrase is asked for.
    home.fails(&["sign", "--context", ""], b"x", &["expected 1 to 1024 bytes"]);
    // What is signed for a context, or by the identity itself, is no message.
    for message in [&b"SSHSIG\0\0\0\x05login"[..], b"icn-identity/binding/v1\0"] {
        home.fails(&["sign"], message, &["the message begins with", "--context"]);
    }
    home.ok(&["sign", "--context", context], b"icn-identity/binding/v1\0");
}

#[test]
fn verify_needs_no_home() {
    let home = identity();
    let signature = home.ok(&["sign"], b"hello");
    let did = home.show()["did"].as_str().unwrap().to_owned();
    let mut command = home.command(&["verify", "--did", &did, "--signature", signature.trim()]);
    command.env_remove("ICN_HOME");
    assert_eq!(run(&mut command, b"hello").code, 0);
}

#[test]
fn show_needs_no_passphrase_and_has_every_field() {
    let mut home = Home::new().with("ICN_PASSPHRASE", PASSPHRASE);
    home.ok(&["id", "init", "--did-method", "key"], b"");
    home = home.with("ICN_PASSPHRASE", "");
    let shown = home.show();
    let did = shown["did"].as_str().unwrap();
    assert_eq!(did, format!("did:key:{}", shown["public_key"]["multibase"].as_str().unwrap()));
    assert_eq!(shown["algorithm"], "ed25519");
    assert_eq!(shown["backend"], "age");
    assert_eq!(shown["provenance"], "software");
    assert_eq!(shown["assurance"], "none");
    assert_eq!(shown["hardware_backed"], false);
    assert_eq!(shown["locator"], json!(null));
    assert_eq!(shown["evidence"], json!({}));
    assert_eq!(shown["public_key"]["hex"].as_str().unwrap().len(), 64);
    assert_eq!(shown["tls"]["certificate_sha256"].as_str().unwrap().len(), 64);
    assert!(shown["tls"]["not_after"].as_str().unwrap().ends_with('Z'));
    assert_eq!(shown["encryption"]["public_key"].as_str().unwrap().len(), 64);
    let text = home.ok(&["id", "show"], b"");
    assert!(text.contains(did) && text.contains("no device stands behind this key"), "{text}");
}

#[test]
fn init_pins_the_did_and_keeps_the_rest_of_the_configuration() {
    let home = Home::new().with("ICN_PASSPHRASE", PASSPHRASE);
    home.write("icn.toml", &format!("# mine\n[network]\nport = 1\n\n{FAST}"));
    home.ok(&["id", "init"], b"");
    let config = home.read("icn.toml");
    assert!(config.contains("# mine\n[network]\nport = 1\n"), "{config}");
    assert!(config.contains(home.show()["did"].as_str().unwrap()), "{config}");
    assert!(config.contains("work_factor = 10"), "{config}");
}

/// After an `id init` that was cut off before its last step, too.
#[test]
fn an_identity_that_is_not_pinned_is_told_of_with_the_lines_that_pin_it() {
    let home = identity();
    assert_eq!(home.icnctl(&["sign"], b"x").err, "");
    let did = home.show()["did"].as_str().unwrap().to_owned();
    home.write("icn.toml", FAST);
    for args in [&["sign"][..], &["id", "show"]] {
        let ran = home.icnctl(args, b"x");
        assert_eq!(ran.code, 0, "{}", ran.err);
        let told = format!("[identity]\nbackend = \"age\"\ndid = \"{did}\"\n");
        assert!(ran.err.contains("does not say whose identity is here"), "{}", ran.err);
        assert!(ran.err.contains(&told), "{}", ran.err);
        // They are what is missing.
        home.write("icn.toml", &format!("{told}{FAST}"));
        assert_eq!(home.icnctl(args, b"x").err, "");
        home.write("icn.toml", FAST);
    }
}

#[test]
fn init_never_overwrites() {
    let home = identity();
    let before = (home.read("identity.json"), std::fs::read(home.path("identity.age")).unwrap());
    home.fails(&["id", "init"], b"", &["identity.json already exists", "never overwritten"]);
    std::fs::remove_file(home.path("identity.json")).unwrap();
    home.fails(&["id", "init"], b"", &["pins did:icn:z", "but there is no such identity"]);
    home.write("icn.toml", FAST);
    home.fails(&["id", "init"], b"", &["identity.age already exists"]);
    let after = std::fs::read(home.path("identity.age")).unwrap();
    assert_eq!(before.1, after);
}

#[test]
fn a_wrong_passphrase_says_so_and_what_to_try() {
    let home = identity().with("ICN_PASSPHRASE", "wrong-secret-guess");
    let ran = home.refused(
        &["sign"],
        b"hello",
        &["error: the passphrase does not open this key", "  try: check the passphrase"],
    );
    assert!(!ran.err.contains("wrong-secret-guess"), "{}", ran.err);
}

#[test]
fn the_identitys_own_statements_are_not_signed() {
    let home = identity();
    home.fails(
        &["sign"],
        b"icn-identity/binding/v1\0whatever",
        &["the message begins with `icn-identity/`", "try: "],
    );
}

#[test]
fn a_passphrase_file_is_checked_and_its_newline_is_not_part_of_it() {
    let home = Home::new();
    home.write("pass", &format!("{PASSPHRASE}\n"));
    let pass = home.path("pass");
    let flag = ["--passphrase-file", pass.to_str().unwrap()];
    home.ok(&[&flag[..], &["id", "init"]].concat(), b"");
    let home = home.with("ICN_PASSPHRASE", PASSPHRASE);
    home.ok(&["sign"], b"hello");
    home.chmod("pass", 0o644);
    home.fails(&[&flag[..], &["sign"]].concat(), b"hello", &["its mode is 0644", "chmod 600"]);
    std::fs::remove_file(&pass).unwrap();
    home.fails(&[&flag[..], &["sign"]].concat(), b"hello", &["cannot read", "pass"]);
    std::fs::create_dir(&pass).unwrap();
    home.fails(&[&flag[..], &["sign"]].concat(), b"hello", &["not a regular file"]);
}

#[test]
fn without_passphrase_and_terminal_the_error_names_the_ways() {
    let home = Home::new();
    // A session of its own, so that there is no terminal to ask on.
    let init = home.command(&["id", "init"]);
    let mut command = Command::new("setsid");
    command.arg("--wait").arg(init.get_program()).args(init.get_args());
    command.env_clear().env("ICN_HOME", home.path(""));
    command.env("PATH", std::env::var_os("PATH").unwrap());
    let ran = run(&mut command, b"");
    assert_eq!(ran.code, 1);
    let wanted = ["no passphrase was given", "--passphrase-file FILE or in $ICN_PASSPHRASE"];
    assert!(wanted.iter().all(|text| ran.err.contains(text)), "{}", ran.err);
    assert!(!home.path("identity.age").exists());
}

#[test]
fn an_empty_passphrase_is_refused() {
    let home = Home::new().with("ICN_PASSPHRASE", "");
    home.fails(&["id", "init"], b"", &["the passphrase is empty"]);
    assert!(!home.path("identity.age").exists());
}

#[test]
fn on_a_terminal_the_passphrase_is_asked_for_twice_and_not_shown() {
    let home = Home::new();
    let differ = on_a_terminal(&home.command(&["id", "init"]), "one passphrase\nanother\n");
    assert_eq!(differ.code, 1);
    assert!(differ.out.contains("the two passphrases differ"), "{}", differ.out);
    let made = on_a_terminal(&home.command(&["id", "init"]), "typed in\ntyped in\n");
    assert_eq!(made.code, 0, "{}", made.out);
    assert!(made.out.contains("did:icn:z") && !made.out.contains("typed in"), "{}", made.out);
    std::fs::write(home.beside("message"), b"hello").unwrap();
    let message = home.beside("message");
    let sign = home.command(&["sign", message.to_str().unwrap()]);
    let signed = on_a_terminal(&sign, "typed in\n");
    assert_eq!(signed.code, 0, "{}", signed.out);
}

#[test]
fn the_stock_age_tool_opens_the_payload() {
    let home = identity();
    let mut age = Command::new("age");
    age.arg("--decrypt").arg(home.path("identity.age"));
    let opened = on_a_terminal(&age, &format!("{PASSPHRASE}\n"));
    assert_eq!(opened.code, 0, "{}", opened.out);
    let json = &opened.out[opened.out.find('{').unwrap()..=opened.out.rfind('}').unwrap()];
    let payload: serde_json::Value = serde_json::from_str(json).unwrap();
    assert_eq!(payload["version"], 5);
    assert_eq!(payload["did"], home.show()["did"]);
}

#[test]
fn a_header_changed_by_hand_is_caught() {
    let home = identity();
    let good = home.read("identity.json");
    // Another DID: before the passphrase is used.
    let other = identity().show()["did"].clone();
    home.edit_header("/did", other.clone());
    let without = Home::new();
    let no_passphrase = home.command(&["sign"]).env_remove("ICN_PASSPHRASE").output().unwrap();
    let err = String::from_utf8(no_passphrase.stderr).unwrap();
    assert!(
        err.contains("the configuration pins") && err.contains(other.as_str().unwrap()),
        "{err}"
    );
    drop(without);
    home.fails(&["id", "show"], b"", &["the configuration pins"]);
    // Anything else: before anything is signed.
    home.write("identity.json", &good);
    home.edit_header("/tls_not_after", json!(1));
    home.fails(&["sign"], b"hello", &["does not belong to this identity's payload"]);
    // A field that does not exist, like a module path.
    home.write("identity.json", &good.replacen('{', "{\"module\": \"/tmp/evil.so\",", 1));
    home.fails(&["sign"], b"hello", &["identity.json is not valid", "unknown field `module`"]);
    home.write("identity.json", &good.replace("\"age\"", "\"pkcs11\""));
    home.fails(&["sign"], b"hello", &["locator does not fit its backend"]);
    home.write("identity.json", "{");
    home.fails(&["id", "show"], b"", &["identity.json is not valid"]);
    home.write("identity.json", &good);
    home.ok(&["sign"], b"hello");
}

#[test]
fn files_that_others_can_read_or_that_are_links_are_refused() {
    let home = identity();
    home.chmod("identity.age", 0o640);
    home.fails(&["sign"], b"hello", &["its mode is 0640", "run: chmod 600"]);
    home.chmod("identity.age", 0o600);
    std::fs::hard_link(home.path("identity.age"), home.beside("link")).unwrap();
    home.fails(&["sign"], b"hello", &["hard link"]);
    std::fs::remove_file(home.beside("link")).unwrap();
    std::fs::rename(home.path("identity.age"), home.beside("moved")).unwrap();
    std::os::unix::fs::symlink(home.beside("moved"), home.path("identity.age")).unwrap();
    home.fails(&["sign"], b"hello", &["symbolic link"]);
    std::fs::remove_file(home.path("identity.age")).unwrap();
    let made = Command::new("mkfifo").arg(home.path("identity.age")).status().unwrap();
    assert!(made.success());
    home.chmod("identity.age", 0o600);
    home.fails(&["sign"], b"hello", &["not a regular file"]);
    home.chmod("", 0o755);
    home.fails(&["sign"], b"hello", &["its mode is 0755", "run: chmod 700"]);
    home.fails(&["id", "show"], b"", &["its mode is 0755"]);
    home.chmod("", 0o700);
    home.chmod("icn.toml", 0o666);
    home.fails(&["sign"], b"hello", &["the configuration cannot be used", "chmod 644"]);
}

#[test]
fn files_are_private_whatever_the_umask() {
    let home = Home::new().with("ICN_PASSPHRASE", PASSPHRASE);
    let init = home.command(&["id", "init"]);
    let mut command = Command::new("sh");
    command.args(["-c", "umask 000; exec \"$0\" id init"]).arg(init.get_program());
    command.env_clear().env("ICN_HOME", home.path("")).env("ICN_PASSPHRASE", PASSPHRASE);
    assert_eq!(run(&mut command, b"").code, 0);
    for name in ["identity.age", "identity.json", ".lock"] {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = std::fs::metadata(home.path(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o7777, 0o600, "{name}");
    }
}

#[test]
fn a_second_process_is_told_who_holds_the_identity() {
    let home = identity();
    let lock = std::fs::File::options().write(true).open(home.path(".lock")).unwrap();
    lock.try_lock().unwrap();
    std::fs::write(home.path(".lock"), "icnd (process 4711)\n").unwrap();
    home.fails(&["sign"], b"hello", &["in use by icnd (process 4711)", "try: wait"]);
    drop(lock);
    home.ok(&["sign"], b"hello");
}

#[test]
fn scripts_can_sign_side_by_side() {
    let home = identity();
    let signatures: Vec<_> = std::thread::scope(|scope| {
        let spawn = |_| scope.spawn(|| home.ok(&["sign"], b"hello"));
        let threads: Vec<_> = (0..8).map(spawn).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert!(signatures.iter().all(|signature| *signature == signatures[0]));
}

#[test]
fn init_keeps_the_mode_of_the_configuration() {
    use std::os::unix::fs::PermissionsExt as _;
    let home = Home::new().with("ICN_PASSPHRASE", PASSPHRASE);
    home.chmod("icn.toml", 0o644);
    home.ok(&["id", "init"], b"");
    let mode = std::fs::metadata(home.path("icn.toml")).unwrap().permissions().mode();
    assert_eq!(mode & 0o7777, 0o644);
}

#[test]
fn a_secret_in_the_configuration_is_refused_and_not_repeated() {
    let home = identity();
    home.write("icn.toml", "[identity]\npassphrase = \"hunter2hunter2\"\n");
    let ran = home.fails(&["sign"], b"hello", &["line 2: unknown field `passphrase`"]);
    assert!(!ran.err.contains("hunter2"), "{}", ran.err);
}

#[test]
fn options_of_another_backend_are_refused() {
    let home = Home::new().with("ICN_PASSPHRASE", PASSPHRASE);
    home.misuses(&["id", "init", "--token", "x"], b"", &["--token is for the pkcs11 backend"]);
    home.misuses(&["id", "init", "--backend", "pkcs11"], b"", &["no PKCS#11 module is given"]);
}

#[test]
fn without_an_identity_the_error_says_how_to_make_one() {
    let home = Home::new();
    home.fails(&["sign"], b"", &["there is no identity in", "icnctl id init"]);
    home.fails(&["id", "show"], b"", &["there is no identity in"]);
    home.fails(
        &["--config", "/nowhere.toml", "id", "show"],
        b"",
        &["/nowhere.toml does not exist"],
    );
}

/// The kernel refuses to lock memory: the operator is told, once.
#[test]
fn unlocked_memory_is_reported() {
    let home = identity();
    let sign = home.command(&["sign"]);
    let mut command = Command::new("prlimit");
    command.arg("--memlock=0");
    if std::os::unix::fs::MetadataExt::uid(&std::fs::metadata(home.path("")).unwrap()) == 0 {
        // Root may lock whatever the limit: the capability goes too.
        command.args(["setpriv", "--bounding-set=-ipc_lock", "--inh-caps=-ipc_lock", "--"]);
    }
    command
        .arg(sign.get_program())
        .arg("sign")
        .env_clear()
        .env("ICN_HOME", home.path(""))
        .env("ICN_PASSPHRASE", PASSPHRASE)
        .env("PATH", std::env::var_os("PATH").unwrap());
    let ran = run(&mut command, b"hello");
    assert_eq!(ran.code, 0, "{}", ran.err);
    let count = ran.err.matches("could not be protected from swap").count();
    assert_eq!(count, 1, "{}", ran.err);
    assert!(ran.err.contains("RLIMIT_MEMLOCK"), "{}", ran.err);
}

/// `icnctl sign` some days from now, with a limit on the size of files.
fn sign_later(home: &Home, days: &str, file_limit: &str) -> support::home::Ran {
    let sign = home.command(&["sign"]);
    let mut command = Command::new("prlimit");
    command
        .arg(format!("--fsize={file_limit}"))
        // SIGXFSZ would kill; ignored, a write fails with EFBIG.
        .args(["sh", "-c", "trap '' XFSZ; exec faketime \"$@\"", "sh", &format!("+{days} days")])
        .arg(sign.get_program())
        .args(sign.get_args())
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap())
        .env("ICN_HOME", home.path(""))
        .env("ICN_PASSPHRASE", PASSPHRASE);
    run(&mut command, b"hello")
}

#[test]
fn opened_past_two_thirds_of_its_validity_the_certificate_is_renewed() {
    let home = identity();
    let before = home.show();
    let early = sign_later(&home, "4", "unlimited");
    assert_eq!(early.code, 0, "{}", early.err);
    assert_eq!(home.show(), before);
    let late = sign_later(&home, "5", "unlimited");
    assert_eq!((late.code, late.err.as_str()), (0, ""));
    let after = home.show();
    assert_eq!(after["generation"], 2);
    assert_ne!(after["tls"], before["tls"]);
    assert_eq!(after["did"], before["did"]);
    assert_eq!(after["encryption"], before["encryption"]);
    // Long after its end it still opens, and is renewed.
    let very_late = sign_later(&home, "60", "unlimited");
    assert_eq!((very_late.code, very_late.err.as_str()), (0, ""));
    assert_eq!(home.show()["generation"], 3);
    for name in ["identity.json.prev", "identity.age.prev"] {
        assert!(!home.path(name).exists(), "{name}");
    }
}

/// `icnctl` by another clock: `+365 days`, or a date.
pub(crate) fn by_the_clock(home: &Home, clock: &str, args: &[&str]) -> support::home::Ran {
    let icnctl = home.command(args);
    let mut command = Command::new("faketime");
    command.arg(clock).arg(icnctl.get_program()).args(icnctl.get_args()).env_clear();
    command.envs(icnctl.get_envs().filter_map(|(name, value)| Some((name, value?))));
    run(command.env("TZ", "UTC"), b"hello")
}

#[test]
fn a_clock_that_was_ahead_is_told_and_its_certificate_replaced() {
    let home = identity();
    let ahead = by_the_clock(&home, "+365 days", &["sign"]);
    assert_eq!((ahead.code, ahead.err.as_str()), (0, ""));
    let told = home.ok(&["id", "show"], b"");
    let begin = home.show()["tls"]["not_before"].as_str().unwrap().to_owned();
    for wanted in [&format!("certificate not valid before {begin}"), "run `icnctl id renew`"] {
        assert!(told.contains(wanted), "{wanted}: {told}");
    }
    // By the right clock any command that opens the identity replaces it.
    home.ok(&["sign"], b"hello");
    let right = home.ok(&["id", "show"], b"");
    assert!(right.contains("certificate valid until 20"), "{right}");
    let shown = home.show();
    assert_eq!(shown["generation"], 3);
    assert!(shown["tls"]["not_before"].as_str().unwrap() < begin.as_str(), "{shown}");
}

#[test]
fn a_clock_that_was_never_set_leaves_the_certificate_and_signs() {
    let home = identity();
    let before = home.show();
    let unset = by_the_clock(&home, "1970-01-02 00:00:00", &["sign"]);
    assert_eq!((unset.code, unset.out.trim().len()), (0, 88), "{}", unset.err);
    assert!(unset.err.contains("warning: the clock is not set"), "{}", unset.err);
    let refused = by_the_clock(&home, "1970-01-02 00:00:00", &["id", "renew"]);
    assert_eq!(refused.code, 1, "{}", refused.out);
    for wanted in ["the clock is not set", "try: set the clock"] {
        assert!(refused.err.contains(wanted), "{}", refused.err);
    }
    assert_eq!(home.show(), before);
}

#[test]
fn id_renew_replaces_the_certificate_at_once_and_prints_its_number() {
    let home = identity();
    let before = home.show();
    let told: serde_json::Value =
        serde_json::from_str(&home.ok(&["--format", "json", "id", "renew"], b"")).unwrap();
    let first = told["tls"]["sequence"].as_u64().unwrap();
    let shown = home.show();
    assert_eq!(shown["generation"], 2);
    assert_ne!(shown["tls"]["certificate_sha256"], before["tls"]["certificate_sha256"]);
    for field in ["certificate_sha256", "not_before", "not_after", "sequence", "instance", "epoch"]
    {
        assert_eq!(told["tls"][field], shown["tls"][field], "{field}");
    }
    assert_eq!(told["tls"]["instance"], before["tls"]["instance"]);
    assert_eq!(told["tls"]["epoch"], 0);
    assert_eq!((&told["did"], &shown["encryption"]), (&before["did"], &before["encryption"]));
    let told = home.ok(&["id", "renew"], b"");
    let words: Vec<_> = told.split_whitespace().collect();
    let number = words[words.iter().position(|word| *word == "number").unwrap() + 1];
    assert!(number.trim_end_matches(',').parse::<u64>().unwrap() > first, "{told}");
    let until = home.show()["tls"]["not_after"].as_str().unwrap().to_owned();
    assert!(told.contains(&format!("valid until {until}")), "{told}");
    let wrong = home.with("ICN_PASSPHRASE", "wrong").icnctl(&["id", "renew"], b"");
    assert_eq!(wrong.code, 77, "{}", wrong.err);
}

/// The disk is full: the old identity stays, and signing goes on.
#[test]
fn a_renewal_that_cannot_be_written_is_told_and_changes_nothing() {
    let home = identity();
    let before = (home.read("identity.json"), std::fs::read(home.path("identity.age")).unwrap());
    let ran = sign_later(&home, "5", "1000");
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert_eq!(ran.out.trim().len(), 88, "{}", ran.out);
    assert!(ran.err.contains("due for renewal, which failed: cannot write"), "{}", ran.err);
    let after = (home.read("identity.json"), std::fs::read(home.path("identity.age")).unwrap());
    assert_eq!(before, after);
    let mut names: Vec<_> = std::fs::read_dir(home.path(""))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(names, [".lock", "icn.toml", "identity.age", "identity.json"]);
}

#[test]
fn openssl_reads_the_certificate_and_finds_the_did() {
    let home = identity();
    let header: serde_json::Value = serde_json::from_str(&home.read("identity.json")).unwrap();
    let base64 = header["certificate"].as_str().unwrap();
    let path = home.beside("certificate.pem");
    let folded: Vec<_> = base64.as_bytes().chunks(64).collect();
    let body = folded.iter().map(|line| std::str::from_utf8(line).unwrap()).collect::<Vec<_>>();
    let pem =
        format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", body.join("\n"));
    std::fs::write(&path, pem).unwrap();
    let path = path.to_str().unwrap();
    let text = run(Command::new("openssl").args(["x509", "-noout", "-text", "-in", path]), b"");
    let did = home.show()["did"].as_str().unwrap().to_owned();
    for wanted in [format!("URI:{did}"), "ED25519".into(), "CA:FALSE".into()] {
        assert!(text.out.contains(&wanted), "{wanted} in {} {}", text.out, text.err);
    }
    let verified = run(Command::new("openssl").args(["verify", "-CAfile", path, path]), b"");
    assert_eq!(verified.code, 0, "{}", verified.err);
    let print = ["x509", "-noout", "-fingerprint", "-sha256", "-in", path];
    let fingerprint = run(Command::new("openssl").args(print), b"").out;
    let fingerprint = fingerprint.trim().rsplit('=').next().unwrap().replace(':', "");
    let shown = home.show()["tls"]["certificate_sha256"].as_str().unwrap().to_uppercase();
    assert_eq!(fingerprint, shown);
}

#[test]
fn p256_is_for_devices_and_nobody_is_asked_for_a_passphrase() {
    let home = Home::new();
    let wanted = ["the age backend has no p256 keys", "--backend pkcs11"];
    home.fails(&["id", "init", "--algorithm", "p256"], b"", &wanted);
    assert!(!home.path("identity.json").exists());
    let home = home.with("ICN_PASSPHRASE", PASSPHRASE);
    home.ok(&["id", "init", "--algorithm", "ed25519"], b"");
    assert!(home.show()["did"].as_str().unwrap().starts_with("did:icn:z"));
}
