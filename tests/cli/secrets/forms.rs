//! Existing passphrases, in whatever form earlier versions took them.

use icn_identity::keystore::age::WorkFactor;
use icn_identity::{Key, Passphrase, Software, Unlocked};
use support::home::Home;

use super::Kept;

const COMPOSED: &str = "caf\u{e9}";
const DECOMPOSED: &str = "cafe\u{301}";

/// An identity whose files the stock `age` encrypts with exactly this passphrase: as
/// an earlier version, or a keyboard that decomposes, has left them.
fn reencrypted(passphrase: &str) -> Kept {
    let kept = Kept::new();
    let ran = kept.with_variable(b"first", &["id", "init"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    encrypt_as_it_is(&kept.home, "first", passphrase);
    kept
}

/// By age's own library, which takes a passphrase as it is.
fn encrypt_as_it_is(home: &Home, from: &str, to: &str) {
    use age::scrypt;
    let path = home.path("identity.age");
    let identity = scrypt::Identity::new(from.to_owned().into());
    let file = std::fs::read(&path).unwrap();
    let plain = age::decrypt(&identity, &file).unwrap();
    let mut recipient = scrypt::Recipient::new(to.to_owned().into());
    recipient.set_work_factor(10);
    std::fs::write(&path, age::encrypt(&recipient, &plain).unwrap()).unwrap();
}

/// Whether exactly this passphrase opens the payload, as the stock tool would say.
fn opens(home: &Home, passphrase: &str) -> bool {
    let identity = age::scrypt::Identity::new(passphrase.to_owned().into());
    age::decrypt(&identity, &std::fs::read(home.path("identity.age")).unwrap()).is_ok()
}

#[test]
fn a_new_passphrase_is_composed_and_both_forms_open_it() {
    for typed in [COMPOSED, DECOMPOSED] {
        let kept = Kept::new();
        assert_eq!(kept.with_variable(typed.as_bytes(), &["id", "init"]).code, 0);
        assert!(opens(&kept.home, COMPOSED) && !opens(&kept.home, DECOMPOSED));
        for other in [COMPOSED, DECOMPOSED] {
            let ran = kept.with_file(other.as_bytes(), &["sign"]);
            assert_eq!(ran.code, 0, "{other:?}: {}", ran.err);
        }
        assert_eq!(kept.with_variable(b"cafe", &["sign"]).code, 77);
    }
}

#[test]
fn an_existing_passphrase_of_either_form_opens_and_stays_what_it_is() {
    for made in [COMPOSED, DECOMPOSED, "\u{e9}e\u{301}"] {
        let kept = reencrypted(made);
        for typed in [made, COMPOSED, DECOMPOSED] {
            let same = (made == "\u{e9}e\u{301}") == (typed == made);
            if !same {
                continue;
            }
            let ran = kept.with_variable(typed.as_bytes(), &["sign"]);
            assert_eq!(ran.code, 0, "{made:?} {typed:?}: {}", ran.err);
            // What is written again is written with it.
            let ran = kept.with_variable(typed.as_bytes(), &["id", "renew"]);
            assert_eq!(ran.code, 0, "{made:?} {typed:?}: {}", ran.err);
            assert!(opens(&kept.home, made));
        }
    }
}

/// A changed passphrase is a new one.
#[test]
fn a_changed_passphrase_is_composed() {
    let kept = reencrypted(DECOMPOSED);
    let new = kept.home.beside("new");
    support::home::write_private(&new, DECOMPOSED);
    let args = ["id", "change-passphrase", "--new-passphrase-file", new.to_str().unwrap()];
    let ran = kept.with_variable(DECOMPOSED.as_bytes(), &args);
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(opens(&kept.home, COMPOSED) && !opens(&kept.home, DECOMPOSED));
}

/// As earlier versions took them from a file or a variable.
#[test]
fn an_existing_passphrase_that_no_prompt_can_take_still_opens() {
    for made in [
        "one\ntwo",
        "one\n",
        "tab\tbed",
        "\u{feff}mark",
        "\u{a0}one",
        "two\u{200b}",
        "\u{3000}",
        "\r",
    ] {
        let kept = reencrypted(made);
        let in_file = format!("{made}\n");
        if made != "\r" {
            let ran = kept.with_file(in_file.as_bytes(), &["sign"]);
            assert_eq!(ran.code, 0, "{made:?}: {}", ran.err);
        }
        // A variable was taken with its line end.
        let ran = kept.with_variable(made.as_bytes(), &["sign"]);
        let empty = made == "\r";
        assert_eq!(ran.code, i32::from(empty), "{made:?}: {}", ran.err);
        assert!(!empty || ran.err.contains("the passphrase is empty"), "{}", ran.err);
    }
}

#[test]
fn an_existing_passphrase_that_is_odd_and_wrong_is_named() {
    let kept = Kept::new();
    assert_eq!(kept.with_variable(b"pass", &["id", "init"]).code, 0);
    for (bytes, named) in [
        (&b"pass\n\n"[..], "it has more than one line"),
        (b"\xef\xbb\xbfpass\n", "it has a byte order mark, U+FEFF"),
        (b"pass\t", "it has a control character, U+0009"),
        (b"pass\xc2\xa0", "begins or ends with a character that nobody sees, U+00A0"),
    ] {
        let ran = kept.with_file(bytes, &["sign"]);
        assert_eq!(ran.code, 77, "{}", ran.err);
        for text in [named, "give the passphrase alone, on one line"] {
            assert!(ran.err.contains(text), "{text}: {}", ran.err);
        }
    }
}

/// The library as well: a passphrase is tried in its forms wherever it opens a file.
#[test]
fn a_key_is_unlocked_by_either_form() {
    let work = WorkFactor::new(10).unwrap();
    for locked_with in [COMPOSED, DECOMPOSED] {
        for unlocked_with in [COMPOSED, DECOMPOSED] {
            let key = Key::<Software, Unlocked>::generate().unwrap();
            let locked = key.lock_with(&Passphrase::new(locked_with), work).unwrap();
            drop(locked.unlock(&Passphrase::new(unlocked_with)).unwrap());
        }
    }
}
