//! Tokens that have one half of a pair, or something else under its name.

use serde_json::{Value, json};
use support::home::{Home, openssl_verifies};
use support::softhsm::{PIN, SoftHsm, count, module};

pub(super) fn delete(hsm: &SoftHsm, kind: &str) {
    let label = ["--label", "icn-identity"];
    let args = [&["--delete-object", "--type", kind][..], &label].concat();
    hsm.pkcs11_tool_on("node-1", &args);
}

fn public_keys(hsm: &SoftHsm) -> usize {
    hsm.objects("node-1").matches("Public Key Object").count()
}

#[test]
fn a_public_key_that_was_deleted_is_named_and_written_back() {
    for algorithm in ["ed25519", "p256"] {
        let hsm = SoftHsm::with_token("node-1");
        let home = hsm.home();
        home.ok(&[&hsm.init("node-1")[..], &["--algorithm", algorithm]].concat(), b"");
        let shown = home.show();
        let before = public_keys(&hsm);
        delete(&hsm, "pubkey");
        home.fails(
            &["sign"],
            b"hello",
            &[
                "does not show the public key with id ",
                "no PIN was sent",
                "icnctl id write-public-key",
            ],
        );
        assert_eq!(public_keys(&hsm), before - 1);
        let said = home.ok(&["id", "write-public-key"], b"");
        assert!(said.contains("is on the token"), "{said}");
        assert_eq!(public_keys(&hsm), before);
        // Again, and nothing is written.
        home.ok(&["id", "write-public-key"], b"");
        assert_eq!(public_keys(&hsm), before);
        assert_eq!(home.show(), shown);
        let signature = home.ok(&["sign"], b"hello");
        if algorithm == "ed25519" {
            let key = shown["public_key"]["hex"].as_str().unwrap();
            assert!(openssl_verifies(&home.beside(""), key, b"hello", signature.trim()));
        }
        home.ok(&["id", "relocate"], b"");
    }
}

/// Nothing is wrong with a public object, which there is none of, and a new key is another DID.
#[test]
fn a_public_key_is_not_written_beside_the_private_key_of_another() {
    for (algorithm, kind, found) in [
        ("ed25519", "EC:edwards25519", "another one of its kind"),
        ("ed25519", "EC:prime256v1", "one on another curve"),
        ("ed25519", "RSA:1024", "an RSA key"),
        ("p256", "EC:prime256v1", "another one of its kind"),
        ("p256", "EC:secp384r1", "one on another curve"),
        ("p256", "EC:edwards25519", "one on another curve"),
    ] {
        let hsm = SoftHsm::with_token("node-1");
        let home = hsm.home();
        let module = hsm.fault_module();
        let init = ["id", "init", "--backend", "pkcs11", "--module", &module, "--token", "node-1"];
        home.ok(&[&init[..], &["--algorithm", algorithm]].concat(), b"");
        let locator = home.show()["locator"].as_str().unwrap().to_owned();
        let id = locator.split(";id=%").nth(1).unwrap().replace('%', "");
        let id = id.split(';').next().unwrap();
        for kind in ["pubkey", "privkey"] {
            delete(&hsm, kind);
        }
        let make = ["--keypairgen", "--key-type", kind, "--label", "other", "--id", id];
        hsm.pkcs11_tool_on("node-1", &make);
        let public = ["--delete-object", "--type", "pubkey", "--label", "other"];
        hsm.pkcs11_tool_on("node-1", &public);
        let before = hsm.objects("node-1");
        let says = ["is not that of did:", ", but ", found, "own backup"];
        let (ran, calls) = hsm.calls(|| home.fails(&["id", "write-public-key"], b"", &says));
        assert!(!ran.err.contains("stray") && !ran.err.contains("generate"), "{}", ran.err);
        // One of another kind is not asked to sign.
        let signs = usize::from(found.starts_with("another"));
        assert_eq!(count(&calls, "C_Sign"), signs, "{kind}: {calls:?}");
        assert_eq!(hsm.objects("node-1"), before);
    }
}

#[test]
fn a_wrong_pin_for_writing_a_public_key_back_is_sent_once() {
    let hsm = SoftHsm::with_token("node-1");
    let home = hsm.faulty_identity("node-1");
    delete(&hsm, "pubkey");
    let wrong = home.beside("wrong");
    support::home::write_private(&wrong, "9999");
    let args = ["--pin-file", wrong.to_str().unwrap(), "id", "write-public-key"];
    let (_, calls) = hsm.calls(|| {
        home.refused(&args, b"", &["refused the PIN"]);
        home.refused(&args, b"", &["was not sent again"]);
    });
    assert_eq!(count(&calls, "C_Login"), 1, "{calls:?}");
    assert_eq!(count(&calls, "C_CreateObject"), 0, "{calls:?}");
    home.ok(&["id", "write-public-key"], b"");
    home.ok(&["sign"], b"hello");
}

#[test]
fn a_private_key_that_was_deleted_is_named() {
    let hsm = SoftHsm::with_token("node-1");
    let home = hsm.identity("node-1");
    delete(&hsm, "privkey");
    let texts = ["has the public key with id ", ", and not its private key", "own backup"];
    home.fails(&["sign"], b"hello", &texts);
    home.fails(&["id", "write-public-key"], b"", &[]);
}

#[test]
fn what_is_no_key_of_an_identity_is_said_to_be_something_else() {
    let hsm = SoftHsm::with_token("node-1");
    let home = hsm.home();
    for (kind, id, found) in [
        ("RSA:1024", "31", "is an RSA key, and not an Ed25519 or P-256 key"),
        ("EC:secp384r1", "32", "on another curve"),
        ("AES:32", "33", "is a secret key"),
    ] {
        let make = if kind.starts_with("AES") { "--keygen" } else { "--keypairgen" };
        hsm.pkcs11_tool_on("node-1", &[make, "--key-type", kind, "--id", id, "--label", kind]);
        let uri = format!("pkcs11:token=node-1;id=%{id}?module-path={}", module());
        home.fails(&["id", "init", "--key", &uri], b"", &[found, "name another key"]);
    }
    // The private half alone: seen within a login.
    let make = ["--keypairgen", "--key-type", "EC:edwards25519", "--id", "34", "--label", "half"];
    hsm.pkcs11_tool_on("node-1", &make);
    hsm.pkcs11_tool_on("node-1", &["--delete-object", "--type", "pubkey", "--id", "34"]);
    let uri = format!("pkcs11:token=node-1;id=%34?module-path={}", module());
    let ran = home.fails(
        &["id", "init", "--key", &uri],
        b"",
        &["has the private key that pkcs11:", ", and not its public key", "--write-object"],
    );
    assert!(!ran.err.contains(PIN) && !ran.err.contains("generate"), "{}", ran.err);
    assert!(!home.path("identity.json").exists());
}

/// As `id show` and other tools print it.
#[test]
fn an_id_in_hexadecimal_is_told_how_a_uri_writes_it() {
    let hsm = SoftHsm::with_token("node-1");
    let home = hsm.identity("node-1");
    let shown = home.show();
    let hex = shown["key_id"].as_str().unwrap().to_owned();
    let pairs: Vec<_> =
        hex.as_bytes().chunks(2).map(|it| std::str::from_utf8(it).unwrap()).collect();
    let wanted = format!("id=%{}", pairs.join("%").to_uppercase());
    let other = hsm.home();
    for id in [hex.clone(), hex.to_uppercase(), pairs.join(":")] {
        let uri = format!("pkcs11:token=node-1;id={id}?module-path={}", module());
        for command in [
            &["id", "init", "--key", &uri][..],
            &["backend", "doctor", "--module", module(), "--probe", "--key", &uri],
        ] {
            let ran = other.icnctl(command, b"");
            let said = format!("{}{}", ran.out, ran.err);
            assert!(ran.code == 1 && said.contains(&wanted), "{command:?}: {said}");
        }
    }
    // And so it is found.
    let uri = format!("pkcs11:token=node-1;{wanted}?module-path={}", module());
    other.ok(&["id", "init", "--key", &uri], b"");
}

#[test]
fn a_token_that_is_full_or_write_protected_is_said_to_be() {
    for (code, advice) in [
        ("CKR_DEVICE_MEMORY", "the token is full"),
        ("CKR_TOKEN_WRITE_PROTECTED", "the token is write-protected"),
    ] {
        let hsm = SoftHsm::with_token("node-1");
        hsm.script(&format!("on C_GenerateKeyPair all return {code}"));
        let home = hsm.home();
        let fault = hsm.fault_module();
        let args = ["id", "init", "--backend", "pkcs11", "--module", &fault, "--token", "node-1"];
        home.fails(&args, b"", &[code, advice]);
        assert!(!home.path("identity.json").exists());
    }
}

/// Its own configuration is what is wrong, and not where the module lies.
#[test]
fn a_module_that_does_not_start_has_the_advice_for_that() {
    let hsm = SoftHsm::with_token("node-1");
    let home = hsm.identity("node-1").with("SOFTHSM2_CONF", "/nonexist/softhsm2.conf");
    for args in [&["sign"][..], &["id", "relocate"]] {
        let ran = home.fails(args, b"", &["it does not start", "SOFTHSM2_CONF"]);
        assert!(!ran.err.contains("set `module`"), "{}", ran.err);
    }
    // A doctor reports it.
    for how in [&[][..], &["--probe"]] {
        let ran = home.icnctl(&[&["backend", "doctor"], how].concat(), b"");
        assert_eq!(ran.code, 1, "{}{}", ran.out, ran.err);
        for text in ["FAIL", "it does not start", "SOFTHSM2_CONF", "No identity works here."] {
            assert!(ran.out.contains(text), "{text}: {}", ran.out);
        }
        assert!(!ran.out.contains("set `module`"), "{}", ran.out);
    }
    let ran = home.icnctl(&["--format", "json", "backend", "doctor"], b"");
    let report: Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(
        (ran.code, &report["module"], &report["verdict"]),
        (1, &Value::Null, &json!("fail"))
    );
    assert!(report["verdicts"][0]["advice"].as_str().unwrap().contains("SOFTHSM2_CONF"));
    // One that starts, and has no tokens.
    let empty = SoftHsm::new();
    let home = home.with("SOFTHSM2_CONF", empty.conf().to_str().unwrap());
    home.fails(&["sign"], b"", &["no token matches", "SOFTHSM2_CONF"]);
}

/// The verdict on the identity's key; the exit code.
pub(super) fn doctor(home: &Home, how: &[&str]) -> (i32, Value, String) {
    let ran = home.icnctl(&[&["--format", "json", "backend", "doctor"][..], how].concat(), b"");
    let report: Value = serde_json::from_str(&ran.out).unwrap_or_else(|_| panic!("{}", ran.err));
    let verdicts = report["verdicts"].as_array().unwrap();
    let verdict = verdicts.iter().find(|it| it["requirement"] == "the identity's key");
    let conclusion = report["conclusion"].as_str().unwrap();
    (ran.code, verdict.unwrap().clone(), conclusion.to_owned())
}

/// A token that shows public keys shows that of the identity, if it is there.
#[test]
fn a_key_that_is_not_shown_among_others_is_not_said_to_be_hidden() {
    let other = |kind| ["--keypairgen", "--key-type", kind, "--label", "other", "--id", "07"];
    for (script, kind) in [
        ("", Some("EC:edwards25519")),
        ("", Some("EC:prime256v1")),
        // One that no identity can have.
        ("", Some("RSA:1024")),
        ("", Some("EC:secp384r1")),
        // Nothing but the storage key of the identity.
        ("no-mechanism CKM_AES_GCM", None),
    ] {
        let hsm = SoftHsm::with_token("node-1");
        hsm.script(script);
        let home = hsm.faulty_identity("node-1");
        if let Some(kind) = kind {
            hsm.pkcs11_tool_on("node-1", &other(kind));
        }
        home.ok(&["id", "show", "--check"], b"");
        delete(&hsm, "pubkey");

        let shown = home.show();
        assert_eq!(shown["device"]["state"], "not-shown", "{kind:?}: {shown}");
        assert_eq!(shown["device"]["seen"], Value::Null);
        assert!(shown["device"]["detail"].as_str().unwrap().contains("token node-1 shows"));
        assert_eq!(shown["problems"].as_array().unwrap().len(), 1, "{shown}");
        let text = home.ok(&["id", "show"], b"");
        assert!(text.contains("WARNING, the token does not show this key"), "{text}");
        for command in ["icnctl id write-public-key", "icnctl id relocate"] {
            assert!(text.contains(command), "{text}");
        }
        assert!(!text.contains("shows no public key") && !text.contains("not seen"), "{text}");
        let checked = home.icnctl(&["id", "show", "--check"], b"");
        assert_eq!(checked.code, 1, "{}", checked.out);
        assert!(checked.out.contains("PROBLEM: token node-1 shows public keys"), "{}", checked.out);
        assert!(checked.out.contains("icnctl id write-public-key"), "{}", checked.out);

        let (code, verdict, conclusion) = doctor(&home, &[]);
        assert_eq!((code, &verdict["state"]), (1, &json!("fail")), "{verdict}");
        assert!(verdict["found"].as_str().unwrap().contains("and not this one"), "{verdict}");
        let advice = verdict["advice"].as_str().unwrap();
        assert!(advice.contains("icnctl id write-public-key"), "{advice}");
        assert!(advice.contains("icnctl id relocate"), "{advice}");
        assert_eq!(conclusion, "This identity does not work here.");
        // It has shown the key before: a probe sends it no PIN.
        let ((code, verdict, _), calls) = hsm.calls(|| doctor(&home, &["--probe"]));
        assert_eq!((code, &verdict["state"]), (1, &json!("fail")), "{verdict}");
        assert_eq!(count(&calls, "C_Login"), 0, "{calls:?}");
        home.fails(&["id", "relocate"], b"", &["no token has the key", "id write-public-key"]);

        home.ok(&["id", "write-public-key"], b"");
        home.ok(&["id", "show", "--check"], b"");
        assert_eq!(home.show()["device"]["state"], "present");
        let (code, verdict, _) = doctor(&home, &["--probe"]);
        assert_eq!((code, &verdict["state"]), (0, &json!("ok")), "{verdict}");
    }
}

/// Whatever it shows: its files are lost, and the pin is left.
#[test]
fn a_pinned_key_is_said_to_be_unseen_by_a_token_that_shows_nothing_only() {
    let hsm = SoftHsm::with_token("node-1");
    let home = hsm.faulty_identity("node-1");
    delete(&hsm, "pubkey");
    for file in ["identity.json", "identity.age"] {
        std::fs::remove_file(home.path(file)).unwrap();
    }
    let (code, verdict, _) = doctor(&home, &[]);
    assert_eq!((code, &verdict["state"]), (0, &json!("warning")), "{verdict}");
    assert!(verdict["found"].as_str().unwrap().contains("was not seen"), "{verdict}");
    let make = ["--keypairgen", "--key-type", "RSA:1024", "--label", "other", "--id", "07"];
    hsm.pkcs11_tool_on("node-1", &make);
    let (code, verdict, _) = doctor(&home, &[]);
    assert_eq!((code, &verdict["state"]), (1, &json!("fail")), "{verdict}");
}

/// Without a login only what is seen is said; within one, what is there.
#[test]
fn a_move_to_a_token_that_has_the_private_half_alone_says_what_is_missing() {
    let half = ["has the private key with id ", ", and not its public key"];
    for algorithm in ["ed25519", "p256"] {
        let hsm = SoftHsm::with_token("node-1");
        let home = hsm.home();
        let module = hsm.fault_module();
        let init = ["id", "init", "--backend", "pkcs11", "--module", &module, "--token", "node-1"];
        home.ok(&[&init[..], &["--algorithm", algorithm]].concat(), b"");
        delete(&hsm, "pubkey");
        let seen = ["as far as is seen without a login", "icnctl id write-public-key"];
        let (_, calls) = hsm.calls(|| home.fails(&["id", "relocate"], b"", &seen));
        assert_eq!(count(&calls, "C_Login"), 0, "{calls:?}");
        let named = ["id", "relocate", "--key", "pkcs11:token=node-1"];
        let texts = [&half[..], &["icnctl id write-public-key"]].concat();
        let (ran, calls) = hsm.calls(|| home.fails(&named, b"", &texts));
        assert_eq!(count(&calls, "C_Login"), 1, "{calls:?}");
        assert!(!ran.err.contains("no token has the key"), "{}", ran.err);
        home.ok(&["id", "write-public-key"], b"");
        home.ok(&["id", "relocate"], b"");
        // Neither half: that is no half key.
        for kind in ["pubkey", "privkey"] {
            delete(&hsm, kind);
        }
        home.fails(&named, b"", &["no token has the key of", "within a login"]);
    }
    // It was made where its token hid it, and so may be hidden still.
    let hsm = SoftHsm::with_token("node-1");
    hsm.script("login-to-see");
    let home = hsm.faulty_identity("node-1");
    hsm.script("");
    delete(&hsm, "pubkey");
    let texts = [&half[..], &["icnctl id write-public-key"]].concat();
    let ran = home.fails(&["id", "relocate"], b"", &texts);
    assert!(!ran.err.contains("no token has the key"), "{}", ran.err);
    home.ok(&["id", "write-public-key"], b"");
    home.ok(&["id", "relocate"], b"");
}

/// What it refuses is another matter than that it is full.
#[test]
fn a_token_that_takes_no_public_key_is_said_to_take_none() {
    for (code, texts) in [
        ("CKR_ATTRIBUTE_VALUE_INVALID", &["takes no public key", "own backup"][..]),
        ("CKR_TEMPLATE_INCONSISTENT", &["takes no public key", "own backup"]),
        ("CKR_FUNCTION_NOT_SUPPORTED", &["takes no public key", "own backup"]),
        ("CKR_DEVICE_MEMORY", &["the token is full"]),
        ("CKR_TOKEN_WRITE_PROTECTED", &["write-protected"]),
    ] {
        let hsm = SoftHsm::with_token("node-1");
        let home = hsm.faulty_identity("node-1");
        delete(&hsm, "pubkey");
        hsm.script(&format!("on C_CreateObject all return {code}"));
        let ran = home.fails(&["id", "write-public-key"], b"", texts);
        assert_eq!(ran.err.contains("takes no public key"), texts.len() == 2, "{}", ran.err);
        assert!(!ran.err.contains("id relocate --key"), "{}", ran.err);
    }
}
