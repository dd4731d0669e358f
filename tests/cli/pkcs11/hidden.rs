//! Tokens that show nothing without a login, as a YubiHSM 2: keys on them are found
//! with the PIN, which is sent once.

use support::home::{Home, openssl_verifies, write_private};
use support::softhsm::{SoftHsm, count};

use crate::backup::drill::{Drill, lose};

/// As yubihsm_pkcs11 2.8.0 answers.
const YUBIHSM: &str = "login-to-see\ncurve printable\nhide-max-sessions\n\
    manufacturer Yubico_(www.yubico.com)\nlibrary Yubico_(www.yubico.com)\nmodel YubiHSM";

/// A token with a key that `pkcs11-tool` has made.
fn with_a_key(hsm: &SoftHsm, token: &str, kind: &str) {
    hsm.token(token);
    let make = ["--keypairgen", "--key-type", kind, "--label", "theirs", "--id", "07"];
    hsm.pkcs11_tool_on(token, &make);
}

fn uri(hsm: &SoftHsm, rest: &str) -> String {
    format!("pkcs11:{rest}?module-path={}", hsm.fault_module())
}

fn signs(home: &Home) {
    let signature = home.ok(&["sign"], b"hello");
    let shown = home.show();
    let key = shown["public_key"]["hex"].as_str().unwrap();
    assert!(openssl_verifies(&home.beside(""), key, b"hello", signature.trim()));
}

#[test]
fn init_with_a_key_that_is_shown_within_a_login_only_sends_the_pin_once() {
    for (kind, algorithm) in [("EC:edwards25519", "ed25519"), ("EC:prime256v1", "p256")] {
        let hsm = SoftHsm::new();
        with_a_key(&hsm, "node-1", kind);
        hsm.script(YUBIHSM);
        let home = hsm.home();
        let key = uri(&hsm, "token=node-1;object=theirs");
        let (_, calls) = hsm.calls(|| home.ok(&["id", "init", "--key", &key], b""));
        assert_eq!(count(&calls, "C_Login"), 1, "{calls:?}");
        let shown = home.show();
        assert_eq!(shown["algorithm"], algorithm);
        assert_eq!(shown["device"]["state"], "not-seen");
        assert!(shown["locator"].as_str().unwrap().contains(";object=theirs;id=%07"), "{shown}");
        signs(&home);
    }
}

#[test]
fn init_with_a_hidden_key_refuses_a_wrong_pin_once_another_algorithm_and_what_is_not_there() {
    let hsm = SoftHsm::new();
    with_a_key(&hsm, "node-1", "EC:prime256v1");
    hsm.script(YUBIHSM);
    let home = hsm.home();
    let key = uri(&hsm, "token=node-1;object=theirs");
    let init = ["id", "init", "--key", &key];
    let file = home.beside("pin");
    write_private(&file, "0001wrong-2222\n");
    let wrong = [&["--pin-file", file.to_str().unwrap()], &init[..]].concat();
    let ((), calls) = hsm.calls(|| {
        home.refused(&wrong, b"", &["refused the PIN; it was tried once"]);
        home.refused(&wrong, b"", &["was not sent again"]);
    });
    assert_eq!(count(&calls, "C_Login"), 1, "{calls:?}");

    let other = [&init[..], &["--algorithm", "ed25519"]].concat();
    home.fails(&other, b"", &["p256", "ed25519", "leave --algorithm out"]);
    let none = uri(&hsm, "token=node-1;object=none");
    home.fails(&["id", "init", "--key", &none], b"", &["has no key that pkcs11:"]);
    assert!(!home.path("identity.json").exists() && !home.path("identity.age").exists());
    assert_eq!(hsm.objects("node-1").matches("Private Key Object").count(), 1);
    home.ok(&init, b"");
    signs(&home);
}

/// It would show this one, too.
#[test]
fn no_pin_is_sent_to_look_for_a_key_on_a_token_that_shows_others() {
    let hsm = SoftHsm::new();
    with_a_key(&hsm, "node-1", "EC:edwards25519");
    let home = hsm.home();
    // Unless it is named: who names it means the PIN for it.
    for (rest, logins) in [("object=none", 0), ("token=node-1;object=none", 1)] {
        let none = uri(&hsm, rest);
        let (_, calls) =
            hsm.calls(|| home.fails(&["id", "init", "--key", &none], b"", &["has no key that"]));
        assert_eq!(count(&calls, "C_Login"), logins, "{calls:?}");
    }
    home.ok(&["id", "init", "--key", &uri(&hsm, "token=node-1;object=theirs")], b"");
    for kind in ["privkey", "pubkey"] {
        hsm.pkcs11_tool_on("node-1", &["--delete-object", "--type", kind, "--id", "07"]);
    }
    let make = ["--keypairgen", "--key-type", "EC:edwards25519", "--label", "other", "--id", "08"];
    hsm.pkcs11_tool_on("node-1", &make);
    let (_, calls) =
        hsm.calls(|| home.fails(&["id", "relocate"], b"", &["no token has the key of"]));
    assert_eq!(count(&calls, "C_Login"), 0, "{calls:?}");
}

#[test]
fn relocate_finds_a_hidden_key_with_the_pin_and_sends_it_to_one_token_only() {
    let hsm = SoftHsm::new();
    with_a_key(&hsm, "node-1", "EC:edwards25519");
    hsm.script(YUBIHSM);
    let home = hsm.home();
    home.ok(&["id", "init", "--key", &uri(&hsm, "token=node-1;object=theirs")], b"");
    // A device that was restored has another serial number.
    hsm.script(&format!("{YUBIHSM}\nserial 0042"));
    home.fails(&["sign"], b"hello", &["no token matches"]);
    let (said, calls) = hsm.calls(|| home.ok(&["id", "relocate"], b""));
    assert!(said.contains("serial=0042"), "{said}");
    assert_eq!(count(&calls, "C_Login"), 1, "{calls:?}");
    assert!(home.read("icn.toml").contains("serial = \"0042\""));
    signs(&home);

    // Two that could have it: the PIN goes to neither, until one is named.
    with_a_key(&hsm, "node-2", "EC:edwards25519");
    hsm.script(&format!("{YUBIHSM}\nserial 0043"));
    let texts =
        ["no token has the key of", "node-1 (serial 0043)", "node-2", "--key 'pkcs11:token"];
    let (_, calls) = hsm.calls(|| home.fails(&["id", "relocate"], b"", &texts));
    assert_eq!(count(&calls, "C_Login"), 0, "{calls:?}");
    let other = ["id", "relocate", "--key", "pkcs11:token=node-2"];
    let (_, calls) = hsm.calls(|| home.fails(&other, b"", &["no token has the key of", "node-2"]));
    assert_eq!(count(&calls, "C_Login"), 1, "{calls:?}");
    let file = home.beside("pin");
    write_private(&file, "0001wrong-2222\n");
    let key = ["id", "relocate", "--key", "pkcs11:token=node-1"];
    let wrong = [&["--pin-file", file.to_str().unwrap()], &key[..]].concat();
    let ((), calls) = hsm.calls(|| {
        home.refused(&wrong, b"", &["refused the PIN; it was tried once"]);
        home.refused(&wrong, b"", &["was not sent again"]);
    });
    assert_eq!(count(&calls, "C_Login"), 1, "{calls:?}");
    home.ok(&key, b"");
    signs(&home);
}

/// The one token that is there may be somebody else's: the PIN is not its own.
#[test]
fn relocate_sends_the_pin_to_no_stranger_that_is_not_named() {
    let hsm = SoftHsm::new();
    with_a_key(&hsm, "node-1", "EC:edwards25519");
    hsm.script(YUBIHSM);
    let home = hsm.home();
    home.ok(&["id", "init", "--key", &uri(&hsm, "token=node-1;object=theirs")], b"");
    let relocate = ["id", "relocate"];
    let texts = ["no token has the key of", "looked at stranger (serial", "--key 'pkcs11:token"];
    // It is away, and there is an empty one. Some modules have one number for all.
    let refuses = |dialect: &str| {
        hsm.script(&format!("{YUBIHSM}\n{dialect}"));
        let (_, calls) = hsm.calls(|| home.fails(&relocate, b"", &texts));
        assert_eq!(count(&calls, "C_Login"), 0, "{calls:?}");
    };
    refuses("label stranger\nserial 0043");
    let module = hsm.fault_module();
    for key in ["pkcs11:object=theirs", &format!("pkcs11:?module-path={module}")] {
        let (_, calls) = hsm.calls(|| home.fails(&["id", "relocate", "--key", key], b"", &texts));
        assert_eq!(count(&calls, "C_Login"), 0, "{key}: {calls:?}");
    }
    // Named, it gets it: this one is the same token by another name.
    let named = ["id", "relocate", "--key", "pkcs11:token=stranger"];
    let (_, calls) = hsm.calls(|| home.ok(&named, b""));
    assert_eq!(count(&calls, "C_Login"), 1, "{calls:?}");
    // By its serial number it is the one before, whatever its label.
    hsm.script(&format!("{YUBIHSM}\nlabel renamed\nserial 0043"));
    let (_, calls) = hsm.calls(|| home.ok(&relocate, b""));
    assert_eq!(count(&calls, "C_Login"), 1, "{calls:?}");
    // Unless that is nothing but zeros.
    hsm.script(&format!("{YUBIHSM}\nlabel renamed\nserial 0000"));
    home.ok(&relocate, b"");
    refuses("label stranger\nserial 0000");
}

/// A backup says where the key was. Its token was replaced since.
#[test]
fn restore_finds_a_hidden_key_with_the_pin_and_sends_it_to_one_token_only() {
    let hsm = SoftHsm::new();
    with_a_key(&hsm, "node-1", "EC:edwards25519");
    hsm.script(YUBIHSM);
    let (home, module) = (hsm.home(), hsm.fault_module());
    home.ok(&["id", "init", "--key", &uri(&hsm, "token=node-1;object=theirs")], b"");
    let did = home.show()["did"].as_str().unwrap().to_owned();
    let drill = Drill::new(&home);
    drill.make(&home);
    lose(&home);
    hsm.script(&format!("{YUBIHSM}\nserial 0042"));
    let restore = ["--did", &did, "--module", &module];
    let relocate = [&restore[..], &["--relocate"]].concat();
    drill.fails(&home, &restore, &["is not in this backup", "add --relocate"]);
    assert!(!home.path("").exists());

    // A wrong PIN is sent once, and nothing is left of it.
    let file = home.beside("pin");
    write_private(&file, "0001wrong-2222\n");
    let args = drill.restore_args(&relocate);
    let args: Vec<_> = args.iter().map(|arg| &**arg).collect();
    let wrong = [&["--pin-file", file.to_str().unwrap()], &args[..]].concat();
    let ((), calls) = hsm.calls(|| {
        home.refused(&wrong, b"", &["refused the PIN; it was tried once"]);
        home.refused(&wrong, b"", &["was not sent again"]);
    });
    assert_eq!(count(&calls, "C_Login"), 1, "{calls:?}");
    assert!(!home.path("identity.json").exists() && !home.path("icn.toml").exists());

    let (_, calls) = hsm.calls(|| drill.ok(&home, &relocate));
    assert_eq!(count(&calls, "C_Login"), 1, "{calls:?}");
    assert_eq!(home.show()["did"], *did);
    assert!(home.read("icn.toml").contains("serial = \"0042\""), "{}", home.read("icn.toml"));
    signs(&home);

    // By its names it is a stranger's, or there are two: the PIN goes to none.
    lose(&home);
    let not_there = ["is not in this backup", "because: no token has the key of"];
    hsm.script(&format!("{YUBIHSM}\nlabel stranger\nserial 0043"));
    let (_, calls) = hsm.calls(|| drill.fails(&home, &relocate, &not_there));
    assert_eq!(count(&calls, "C_Login"), 0, "{calls:?}");
    let named = [&relocate[..], &["--key", "pkcs11:token=stranger"]].concat();
    let (_, calls) = hsm.calls(|| drill.ok(&home, &named));
    assert_eq!(count(&calls, "C_Login"), 1, "{calls:?}");
    signs(&home);
    lose(&home);
    with_a_key(&hsm, "node-2", "EC:edwards25519");
    hsm.script(&format!("{YUBIHSM}\nserial 0044"));
    let (_, calls) = hsm.calls(|| drill.fails(&home, &relocate, &not_there));
    assert_eq!(count(&calls, "C_Login"), 0, "{calls:?}");
    // Named, the wrong one is looked at, and the right one has it.
    let other = [&relocate[..], &["--key", "pkcs11:token=node-2"]].concat();
    let (_, calls) = hsm.calls(|| drill.fails(&home, &other, &not_there));
    assert_eq!(count(&calls, "C_Login"), 1, "{calls:?}");
    assert!(!home.path("identity.json").exists() && !home.path("icn.toml").exists());
    let right = [&relocate[..], &["--key", "pkcs11:token=node-1"]].concat();
    drill.ok(&home, &right);
    signs(&home);
}

/// The same, with a token that is really another and empty.
#[test]
fn relocate_sends_the_pin_to_no_empty_token_of_somebody_else() {
    let hsm = SoftHsm::new();
    with_a_key(&hsm, "node-1", "EC:edwards25519");
    hsm.token("stranger");
    hsm.script(YUBIHSM);
    let home = hsm.home();
    home.ok(&["id", "init", "--key", &uri(&hsm, "token=node-1;object=theirs")], b"");
    hsm.softhsm2_util(&["--delete-token", "--token", "node-1"]);
    let texts = ["no token has the key of", "looked at stranger (serial", "--key 'pkcs11:token"];
    let (_, calls) = hsm.calls(|| home.fails(&["id", "relocate"], b"", &texts));
    assert_eq!(count(&calls, "C_Login"), 0, "{calls:?}");
    // Named, it is looked at with the PIN.
    let named = ["id", "relocate", "--key", "pkcs11:token=stranger"];
    let (_, calls) = hsm.calls(|| home.fails(&named, b"", &["no token has the key of"]));
    assert_eq!(count(&calls, "C_Login"), 1, "{calls:?}");
}

/// All of it on a token that speaks so: its keys are the device's, and not a session's,
/// and storage keys are by ECDH.
#[test]
fn an_identity_on_a_token_like_a_yubihsm_goes_through() {
    let dialect = format!(
        "{YUBIHSM}\nhardware\nmodel YubiHSM\nsession-objects last\nno-mechanism CKM_AES_GCM\n\
         no-mechanism CKM_AES_KEY_GEN"
    );
    for algorithm in ["ed25519", "p256"] {
        let hsm = SoftHsm::with_token("node-1");
        hsm.script(&dialect);
        let (home, module) = (hsm.home(), hsm.fault_module());
        let on = ["--module", &module, "--token", "node-1"];
        let init = ["id", "init", "--backend", "pkcs11", "--algorithm", algorithm];
        home.ok(&[&init[..], &on].concat(), b"");
        let shown = home.show();
        assert_eq!(shown["provenance"], "hardware");
        assert_eq!(shown["assurance"], "claimed");
        assert_eq!(shown["evidence_word"]["local"], "device");
        assert_eq!(shown["device"]["state"], "not-seen");
        assert!(home.read("identity.json").contains("\"kind\": \"pkcs11-ecdh\""));
        signs(&home);

        let file = home.beside("pin");
        write_private(&file, "0001not-this-one\n");
        let wrong = ["--pin-file", file.to_str().unwrap(), "sign"];
        let ((), calls) = hsm.calls(|| {
            home.refused(&wrong, b"hello", &["refused the PIN; it was tried once"]);
            home.refused(&wrong, b"hello", &["was not sent again"]);
        });
        assert_eq!(count(&calls, "C_Login"), 1, "{calls:?}");
        signs(&home);

        let objects = hsm.objects("node-1");
        let doctor = ["backend", "doctor"];
        let text = home.ok(&doctor, b"");
        assert!(text.contains("no Ed25519 or P-256 key is shown without a login"), "{text}");
        let text = home.ok(&[&doctor[..], &["--probe-with-lasting-key"]].concat(), b"");
        assert!(text.contains("An identity works here"), "{text}");
        assert_eq!(hsm.objects("node-1"), objects, "the probe has left something");

        hsm.script(&format!("{dialect}\nserial 0042"));
        home.ok(&["id", "relocate"], b"");
        signs(&home);
    }
}
