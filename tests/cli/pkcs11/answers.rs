//! Whatever a token answers to a PIN: the next start sends it again only where it was not
//! looked at.

use support::home::{run, write_private};
use support::softhsm::{PIN, SoftHsm};

/// What may mean that the PIN is wrong, or was counted as wrong.
const REFUSALS: [&str; 13] = [
    "CKR_PIN_INCORRECT",
    "CKR_PIN_INVALID",
    "CKR_PIN_LEN_RANGE",
    // OpenSC of an OpenPGP card, and nethsm-pkcs11.
    "CKR_USER_NOT_LOGGED_IN",
    "CKR_USER_TYPE_INVALID",
    // A YubiHSM of a malformed one.
    "CKR_ARGUMENTS_BAD",
    "CKR_FUNCTION_FAILED",
    "CKR_GENERAL_ERROR",
    "CKR_DEVICE_ERROR",
    "CKR_DEVICE_MEMORY",
    "CKR_FUNCTION_CANCELED",
    "CKR_PIN_EXPIRED",
    "0x80000042",
];

/// What says that it was not looked at, though it ends with 77 too.
const NOT_LOOKED_AT: [&str; 3] =
    ["CKR_PIN_LOCKED", "CKR_USER_ALREADY_LOGGED_IN", "CKR_USER_ANOTHER_ALREADY_LOGGED_IN"];

const LOSSES: [&str; 4] = [
    "CKR_DEVICE_REMOVED",
    "CKR_TOKEN_NOT_PRESENT",
    "CKR_SESSION_HANDLE_INVALID",
    "CKR_TOKEN_NOT_RECOGNIZED",
];

#[test]
fn every_answer_to_a_pin_but_a_loss_ends_with_77_and_what_may_have_counted_is_not_sent_again() {
    let hsm = SoftHsm::with_token("node-1");
    let home = hsm.faulty_identity("node-1");
    let file = home.beside("pin");
    let sign = ["--pin-file", file.to_str().unwrap(), "sign"];
    let again = [&["--retry-pin"][..], &sign].concat();
    write_private(&file, PIN);
    let run = |args: &[&str]| {
        let before = hsm.count("C_Login");
        let ran = home.icnctl(args, b"hello");
        assert!(!ran.err.contains(PIN), "{}", ran.err);
        (ran.code, hsm.count("C_Login") - before, ran.err)
    };
    for code in REFUSALS {
        hsm.script(&format!("on C_Login all return {code}"));
        let (ended, sent, said) = run(&sign);
        assert_eq!((ended, sent), (77, 1), "{code}: {said}");
        hsm.script("");
        let (ended, sent, said) = run(&sign);
        assert_eq!((ended, sent), (77, 0), "{code}: {said}");
        assert!(said.contains("--retry-pin"), "{code}: {said}");
        let (ended, sent, said) = run(&again);
        assert_eq!((ended, sent), (0, 1), "{code}: {said}");
        assert!(!home.path("refused.json").exists(), "{code}");
    }
    for code in NOT_LOOKED_AT.into_iter().chain(LOSSES) {
        hsm.script(&format!("on C_Login all return {code}"));
        let (ended, sent, said) = run(&sign);
        let is_loss = LOSSES.contains(&code);
        assert_eq!((ended == 77, ended == 0, sent), (!is_loss, false, 1), "{code}: {said}");
        assert!(!home.path("refused.json").exists(), "{code}");
        // It is the right one, and nobody has to say so.
        hsm.script("");
        let (ended, _, said) = run(&sign);
        assert_eq!(ended, 0, "{code}: {said}");
    }
}

#[test]
fn a_wrong_pin_that_is_counted_is_noted_whatever_the_answer_says_of_it() {
    for code in NOT_LOOKED_AT {
        let hsm = SoftHsm::with_token("node-1");
        let home = hsm.faulty_identity("node-1");
        let signs = |pin: &str| {
            let before = hsm.count("C_Login");
            let file = home.beside(pin);
            if !file.exists() {
                write_private(&file, pin);
            }
            let args = ["--pin-file", file.to_str().unwrap(), "sign", "/dev/null"];
            let ran = run(home.command(&args).env("PKCS11_FAULT_PIN", PIN), b"");
            (ran.code, hsm.count("C_Login") - before)
        };
        let counting = format!("pin-is {PIN}\nwrong-pin {code}");
        hsm.script(&format!("{counting}\ntries 10"));
        assert_eq!([(); 3].map(|()| signs("0001pin-1")), [(77, 1), (77, 0), (77, 0)], "{code}");
        // A second one is not to be seen in the flags, which say that it is not locked: it is in
        // doubt, and of another group than the right one.
        if code == "CKR_PIN_LOCKED" {
            let came = [(); 3].map(|()| signs("0001pin-7"));
            assert_eq!(came, [(77, 1), (77, 0), (77, 0)], "{code}");
        }
        assert_eq!(signs(PIN), (0, 1), "{code}");
        // The last try; then the security officer lets it begin to count anew.
        let config = home.read("icn.toml");
        let token = "[identity.pkcs11]";
        home.write("icn.toml", &config.replace(token, &format!("{token}\nallow_final_try = true")));
        hsm.script(&format!("{counting}\ntries 3"));
        std::fs::write(hsm.path("tries"), "2").unwrap();
        assert_eq!(signs("0001pin-3"), (77, 1), "{code}");
        std::fs::remove_file(hsm.path("tries")).unwrap();
        assert_eq!(signs("0001pin-3"), (77, 0), "{code}");
        assert_eq!(signs(PIN), (0, 1), "{code}");
    }
}

/// The PIN that is sent for one signature, or after a loss, is noted as that of the first login
/// is: it may have been changed since.
#[test]
fn a_pin_whose_process_was_killed_in_any_login_is_in_doubt_until_it_is_tried_again_on_purpose() {
    let hsm = SoftHsm::with_token("node-1");
    let make = ["--keypairgen", "--key-type", "EC:edwards25519", "--always-auth"];
    hsm.pkcs11_tool_on("node-1", &[&make[..], &["--label", "each", "--id", "07"]].concat());
    let each = hsm.home();
    let key = format!("pkcs11:token=node-1;object=each?module-path={}", hsm.fault_module());
    each.ok(&["id", "init", "--key", &key], b"");
    let once = hsm.faulty_identity("node-1");
    for (home, dies) in [
        (&once, "on C_Login 1 die"),
        (&each, "on C_Login 1 die"),
        // For the challenge, and for the signature.
        (&each, "on C_Login 2 die"),
        (&each, "on C_Login 3 die"),
        (&once, "on C_SignInit 2 kill-all\non C_Login 2 die"),
    ] {
        let file = home.beside("pin");
        write_private(&file, PIN);
        let sign = ["--pin-file", file.to_str().unwrap(), "sign"];
        // A token that need not show a wrong PIN.
        hsm.script(&format!("manufacturer Some_Works\n{dies}"));
        assert_eq!(home.icnctl(&sign, b"hello").code, -1, "{dies}");
        hsm.script("manufacturer Some_Works");
        let before = hsm.count("C_Login");
        let texts = ["whether it was refused is not known", "--retry-pin"];
        home.refused(&sign, b"hello", &texts);
        assert_eq!(hsm.count("C_Login"), before, "{dies}");
        assert!(!home.read("refused.json").contains(PIN));
        home.ok(&[&["--retry-pin"][..], &sign].concat(), b"hello");
        assert!(!home.path("refused.json").exists(), "{dies}");
        home.ok(&sign, b"hello");
    }
}
