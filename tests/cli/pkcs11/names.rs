//! Tokens that have the label and the serial number of the identity's, and not its key: none
//! of them gets the PIN, where the right one shows its key without a login.

use support::home::{Home, PASSPHRASE, on_a_terminal};
use support::softhsm::{SoftHsm, count};

use crate::backup::drill::{Drill, lose};

/// One serial number for every token.
const SERIAL: &str = "serial 0042";
const REFUSED: [&str; 5] = [
    "does not show the public key with id ",
    "without a login before",
    "no PIN was sent",
    "icnctl id write-public-key",
    "icnctl id relocate",
];

fn identity(algorithm: &str) -> (SoftHsm, Home) {
    let hsm = SoftHsm::with_token("node-1");
    hsm.script(SERIAL);
    let home = hsm.home();
    let module = hsm.fault_module();
    let init = ["id", "init", "--backend", "pkcs11", "--module", &module, "--token", "node-1"];
    let init = [&init[..], &["--algorithm", algorithm]].concat();
    let (_, calls) = hsm.calls(|| home.ok(&init, b""));
    assert_eq!(count(&calls, "C_Login"), 1, "{calls:?}");
    (hsm, home)
}

/// In the place of the token is another one of its names, with these keys.
fn swap(hsm: &SoftHsm, keys: &[&str]) {
    hsm.unplug();
    hsm.token("node-1");
    for kind in keys {
        let make = ["--keypairgen", "--key-type", kind, "--label", "theirs", "--id", "07"];
        hsm.pkcs11_tool_on("node-1", &make);
    }
}

fn swap_back(hsm: &SoftHsm) {
    std::fs::remove_dir_all(hsm.tokens()).unwrap();
    std::fs::create_dir(hsm.tokens()).unwrap();
    hsm.plug_in();
}

#[track_caller]
fn sent<T>(hsm: &SoftHsm, logins: usize, work: impl FnOnce() -> T) -> T {
    let (done, calls) = hsm.calls(work);
    assert_eq!(count(&calls, "C_Login"), logins, "{calls:?}");
    done
}

/// As an older version has left it, or somebody who can write there.
fn without_pin_of_it(home: &Home) {
    let text = home.read("icn.toml");
    assert!(text.contains("key_shown = true\n"), "{text}");
    home.write("icn.toml", &text.replace("key_shown = true\n", ""));
}

#[test]
fn a_token_of_the_same_names_that_does_not_show_the_key_gets_no_pin() {
    for (algorithm, keys) in
        [("ed25519", &[][..]), ("ed25519", &["EC:edwards25519"]), ("p256", &["EC:prime256v1"])]
    {
        let (hsm, home) = identity(algorithm);
        swap(&hsm, keys);
        for args in [
            &["sign"][..],
            &["--retry-pin", "sign"],
            &["id", "renew"],
            &["id", "renew", "--all-instances"],
        ] {
            sent(&hsm, 0, || home.fails(args, b"hello", &REFUSED));
        }
        // Nor is anybody asked for it.
        let mut sign = home.command(&["sign", "/dev/null"]);
        sign.env_remove("ICN_PIN");
        let ran = sent(&hsm, 0, || on_a_terminal(&sign, "9999\n"));
        let said = format!("{}{}", ran.out, ran.err);
        assert!(said.contains(REFUSED[0]) && !said.contains("PIN of token"), "{said}");
        // Its names are no reason to look for the key in it.
        let texts = ["no token has the key of", "--key 'pkcs11:token=LABEL'"];
        sent(&hsm, 0, || home.fails(&["id", "relocate"], b"", &texts));
        for args in [&["id", "show", "--check"][..], &["backend", "doctor", "--probe"]] {
            let ran = sent(&hsm, 0, || home.icnctl(args, b""));
            let said = format!("{}{}", ran.out, ran.err);
            assert!(ran.code == 1, "{said}");
            assert!(said.contains(REFUSED[0]) || said.contains("shows public keys"), "{said}");
        }
        swap_back(&hsm);
        home.ok(&["sign"], b"hello");
        home.ok(&["id", "show", "--check"], b"");
        home.ok(&["id", "relocate"], b"");
    }
}

/// Whoever can write to the directory changes what the header says, and `icn.toml` is
/// elsewhere; or it is `icn.toml` that says nothing.
#[test]
fn what_the_token_has_shown_is_known_by_the_configuration_and_by_the_header() {
    let (hsm, home) = identity("ed25519");
    assert!(home.read("identity.json").contains("\"key_shown\": true"));
    without_pin_of_it(&home);
    home.ok(&["sign"], b"hello");
    swap(&hsm, &[]);
    sent(&hsm, 0, || home.fails(&["sign"], b"hello", &REFUSED));
    swap_back(&hsm);
    // Who finds the key where it is records it in both.
    home.ok(&["id", "relocate"], b"");
    home.edit_header("/key_shown", false.into());
    swap(&hsm, &[]);
    sent(&hsm, 0, || home.fails(&["sign"], b"hello", &REFUSED));
    // A header that is less strict than it was is found out when it is opened.
    without_pin_of_it(&home);
    swap_back(&hsm);
    home.fails(&["sign"], b"hello", &["does not belong to this identity's payload"]);
}

/// Each of the ways in which a new key comes to a token, whatever opens the payload.
#[test]
fn the_header_of_a_new_identity_says_from_the_start_that_its_token_shows_the_key() {
    for (script, algorithm) in [
        ("", "ed25519"),
        ("", "p256"),
        ("no-mechanism CKM_AES_GCM", "ed25519"),
        ("no-mechanism CKM_AES_GCM\nno-mechanism CKM_ECDH1_DERIVE", "ed25519"),
    ] {
        let hsm = SoftHsm::with_token("node-1");
        hsm.script(script);
        let module = hsm.fault_module();
        let home = hsm.home().with("ICN_PASSPHRASE", PASSPHRASE);
        let init = ["id", "init", "--backend", "pkcs11", "--module", &module, "--token", "node-1"];
        sent(&hsm, 1, || home.ok(&[&init[..], &["--algorithm", algorithm]].concat(), b""));
        assert!(home.read("identity.json").contains("\"key_shown\": true"), "{script}");
        assert!(home.read("icn.toml").contains("key_shown = true"), "{script}");
        home.ok(&["sign"], b"hello");
        // Nothing is left of the way there.
        assert!(
            !home.path("identity.json.prev").exists() && !home.path("identity.age.prev").exists()
        );
    }
    // Moved there from a file, as another identity and as the same.
    for mode in ["rotate", "import"] {
        let hsm = SoftHsm::with_token("node-1");
        let home = hsm.home().with("ICN_PASSPHRASE", PASSPHRASE);
        home.ok(&["id", "init"], b"");
        let module = hsm.fault_module();
        let to = ["--to", "pkcs11", "--module", &module, "--token", "node-1", "--no-backup"];
        home.ok(&[&["id", "migrate", "--mode", mode][..], &to].concat(), b"");
        assert!(home.read("identity.json").contains("\"key_shown\": true"), "{mode}");
        assert!(home.read("icn.toml").contains("key_shown = true"), "{mode}");
        home.ok(&["sign"], b"hello");
    }
}

#[test]
fn a_header_that_does_not_know_it_works_and_a_token_that_hides_its_keys_too() {
    let hsm = SoftHsm::with_token("node-1");
    hsm.script(&format!("{SERIAL}\nlogin-to-see"));
    let home = hsm.faulty_identity("node-1");
    for file in ["identity.json", "icn.toml"] {
        assert!(!home.read(file).contains("key_shown"), "{file}");
    }
    hsm.script(SERIAL);
    // As before: such a token may hide it.
    swap(&hsm, &[]);
    sent(&hsm, 1, || home.fails(&["sign"], b"hello", &["has no key with id"]));
    swap_back(&hsm);
    hsm.script(&format!("{SERIAL}\nlogin-to-see"));
    for args in [&["sign"][..], &["id", "renew"], &["sign"]] {
        sent(&hsm, 1, || home.ok(args, b"hello"));
        assert!(!home.read("identity.json").contains("key_shown"));
    }
}

#[test]
fn a_key_that_is_taken_over_or_moved_or_written_back_is_known_to_be_shown() {
    let hsm = SoftHsm::with_token("node-1");
    hsm.script(SERIAL);
    let make = ["--keypairgen", "--key-type", "EC:edwards25519", "--label", "its", "--id", "07"];
    hsm.pkcs11_tool_on("node-1", &make);
    let home = hsm.home();
    let key = format!("pkcs11:token=node-1;object=its?module-path={}", hsm.fault_module());
    home.ok(&["id", "init", "--key", &key], b"");
    let knows = |home: &Home| {
        assert!(home.read("identity.json").contains("\"key_shown\": true"));
        assert!(home.read("icn.toml").contains("key_shown = true"));
    };
    knows(&home);
    // A deleted public key is the one reason to send the PIN all the same.
    hsm.pkcs11_tool_on("node-1", &["--delete-object", "--type", "pubkey", "--id", "07"]);
    sent(&hsm, 0, || home.fails(&["sign"], b"hello", &REFUSED));
    without_pin_of_it(&home);
    sent(&hsm, 1, || home.ok(&["id", "write-public-key"], b""));
    knows(&home);
    sent(&hsm, 1, || home.ok(&["sign"], b"hello"));
    // To a token that shows another key it is not sent for that either.
    let delete =
        |kind| hsm.pkcs11_tool_on("node-1", &["--delete-object", "--type", kind, "--id", "07"]);
    delete("pubkey");
    delete("privkey");
    hsm.pkcs11_tool_on("node-1", &make);
    let texts = ["is that of did:", "no PIN was sent"];
    sent(&hsm, 0, || home.fails(&["id", "write-public-key"], b"", &texts));
}

#[test]
fn an_identity_is_restored_from_no_token_that_does_not_show_its_key() {
    let (hsm, home) = identity("ed25519");
    let did = home.show()["did"].as_str().unwrap().to_owned();
    let drill = Drill::new(&home);
    drill.make(&home);
    let module = hsm.fault_module();
    let restore = ["--did", &did, "--module", &module];
    lose(&home);
    swap(&hsm, &[]);
    sent(&hsm, 0, || drill.fails(&home, &restore, &REFUSED[..3]));
    let texts = ["cannot be had there", "no token has the key of"];
    sent(&hsm, 0, || drill.fails(&home, &[&restore[..], &["--relocate"]].concat(), &texts));
    swap_back(&hsm);
    drill.ok(&home, &restore);
    assert!(home.read("identity.json").contains("\"key_shown\": true"));
    assert!(home.read("icn.toml").contains("key_shown = true"));
}
