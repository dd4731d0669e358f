//! Passphrases and PINs: one line, one rule for wherever they are kept, and pipes.

mod forms;
mod pipes;

use std::path::PathBuf;

use support::home::{Home, PASSPHRASE, Ran, run, write_private};
use support::softhsm::SoftHsm;

/// A home, and a file beside it.
pub(super) struct Kept {
    home: Home,
    file: PathBuf,
}

impl Kept {
    fn new() -> Self {
        let home = Home::new();
        let file = home.beside("secret");
        Self { home, file }
    }

    /// Runs a command with the passphrase in the file.
    fn with_file(&self, bytes: &[u8], args: &[&str]) -> Ran {
        write_private(&self.file, "");
        std::fs::write(&self.file, bytes).unwrap();
        let file = self.file.to_str().unwrap();
        self.home.icnctl(&[&["--passphrase-file", file], args].concat(), b"x")
    }

    /// Runs a command with the passphrase in the variable.
    fn with_variable(&self, bytes: &[u8], args: &[&str]) -> Ran {
        use std::os::unix::ffi::OsStrExt as _;
        let value = std::ffi::OsStr::from_bytes(bytes);
        run(self.home.command(args).env("ICN_PASSPHRASE", value), b"x")
    }

    fn nothing_was_made(&self) {
        for name in ["identity.json", "identity.age", "unfinished.json"] {
            assert!(!self.home.path(name).exists(), "{name} was made");
        }
    }
}

/// What no prompt can take, and how it is named.
const ODD: [(&[u8], &str); 14] = [
    (b"1234\n\n", "it has more than one line"),
    (b"1234\n5678\n", "it has more than one line"),
    (b"\n1234\n", "it has more than one line"),
    (b"12\r34\n", "it has a control character, U+000D"),
    (b"12\t34", "it has a control character, U+0009"),
    (b"1234\x7f", "it has a control character, U+007F"),
    (b"12\xc2\x8534", "it has a control character, U+0085"),
    (b"\xef\xbb\xbf1234\n", "it has a byte order mark, U+FEFF"),
    (b"\xc2\xa01234\n", "begins or ends with a character that nobody sees, U+00A0 (no-break"),
    (b"1234\xe2\x80\x8b\n", "ends with a character that nobody sees, U+200B (zero width space)"),
    (b"1234\xe3\x80\x80", "ends with a character that nobody sees, U+3000"),
    (b"1234\xef\xbb\xbf", "it has a byte order mark, U+FEFF"),
    (b"caf\xe9\n", "not UTF-8"),
    (b"\xff\xfe1\x002\0\n\0", "UTF-"),
];

#[test]
fn a_new_passphrase_is_one_line_that_a_person_can_type() {
    for (bytes, named) in ODD {
        let kept = Kept::new();
        let ran = kept.with_file(bytes, &["id", "init"]);
        assert_eq!(ran.code, 1, "{}", ran.err);
        assert!(ran.err.contains(named) && ran.err.contains("secret"), "{named}: {}", ran.err);
        kept.nothing_was_made();
        // A variable has no zeros.
        if !bytes.contains(&0) {
            let ran = kept.with_variable(bytes, &["id", "init"]);
            assert_eq!(ran.code, 1, "{}", ran.err);
            assert!(ran.err.contains(named) && ran.err.contains("$ICN_PASSPHRASE"), "{}", ran.err);
            kept.nothing_was_made();
        }
    }
}

#[test]
fn a_passphrase_is_changed_only_to_one_line() {
    let home = Home::new().with("ICN_PASSPHRASE", PASSPHRASE);
    home.ok(&["id", "init"], b"");
    let payload = || std::fs::read(home.path("identity.age")).unwrap();
    let before = payload();
    let file = home.beside("new");
    let change = ["id", "change-passphrase", "--new-passphrase-file", file.to_str().unwrap()];
    write_private(&file, "one\ntwo\n");
    home.fails(
        &change,
        b"",
        &["the passphrase in ", "new was not used: it has more than one line"],
    );
    assert_eq!(payload(), before);
}

/// `1234\n\n` was sent as a PIN with a line end, and a try was spent.
#[test]
fn a_pin_that_is_not_one_line_is_never_sent() {
    let hsm = SoftHsm::with_token("secrets");
    let home = hsm.home();
    home.ok(&hsm.init("secrets"), b"");
    let file = home.beside("pin");
    let path = file.to_str().unwrap().to_owned();
    for (bytes, named) in ODD {
        write_private(&file, "");
        std::fs::write(&file, bytes).unwrap();
        let ran = home.icnctl(&["--pin-file", &path, "sign"], b"x");
        // It cannot be right: a unit with `RestartPreventExitStatus=77` does not try it again.
        assert_eq!(ran.code, 77, "{named}: {}", ran.err);
        assert!(ran.err.contains(named), "{named}: {}", ran.err);
        assert!(ran.err.contains("was not used"), "{named}: {}", ran.err);
        assert!(!home.path("refused.json").exists());
        if !bytes.contains(&0) {
            use std::os::unix::ffi::OsStrExt as _;
            let value = std::ffi::OsStr::from_bytes(bytes);
            let ran = run(home.command(&["sign"]).env("ICN_PIN", value), b"x");
            assert_eq!(ran.code, 77, "{named}: {}", ran.err);
            assert!(ran.err.contains("$ICN_PIN") && ran.err.contains(named), "{}", ran.err);
        }
    }
    let shown = hsm.pkcs11_tool(&["--list-slots"]).out;
    assert!(shown.contains("token flags"), "{shown}");
    assert!(!shown.contains("user PIN count low"), "a try was spent: {shown}");
    home.ok(&["sign"], b"x");
}

/// Two that are no text, and so are tried in no form.
#[test]
fn a_passphrase_that_cannot_be_right_ends_with_77() {
    let kept = Kept::new();
    assert_eq!(kept.with_variable(b"pass", &["id", "init"]).code, 0);
    for bytes in [&b"caf\xe9\n"[..], b"\xff\xfep\0a\0s\0s\0"] {
        let ran = kept.with_file(bytes, &["sign"]);
        assert_eq!(ran.code, 77, "{}", ran.err);
        assert!(ran.err.contains("not UTF-8") && ran.err.contains("secret"), "{}", ran.err);
    }
    let ran = kept.with_variable(b"caf\xe9", &["sign"]);
    assert_eq!(ran.code, 77, "{}", ran.err);
    assert!(ran.err.contains("$ICN_PASSPHRASE was not used: it is not UTF-8"), "{}", ran.err);
}

/// Longer than any token takes; and not of the form that a YubiHSM takes.
#[test]
fn a_pin_that_its_token_cannot_take_ends_with_77() {
    let hsm = SoftHsm::with_token("secrets");
    let home = hsm.faulty_identity("secrets");
    for (script, pin, named) in [
        ("", "1".repeat(256), "longer than 255 bytes"),
        ("model YubiHSM", "12345678".to_owned(), "a YubiHSM wants"),
    ] {
        hsm.script(script);
        let before = hsm.count("C_Login");
        let ran = run(home.command(&["sign"]).env("ICN_PIN", &pin), b"x");
        assert!(ran.code == 77 && ran.err.contains(named), "{} {}", ran.code, ran.err);
        assert_eq!(hsm.count("C_Login"), before);
    }
}

/// A file and a variable with the same bytes are one passphrase.
#[test]
fn a_file_and_a_variable_are_read_by_one_rule() {
    for (made, opening) in [
        (&b"pass"[..], &[&b"pass"[..], b"pass\n", b"pass\r\n"][..]),
        (b"pass\n", &[b"pass", b"pass\n", b"pass\r\n"]),
        (b"pass\r\n", &[b"pass", b"pass\n"]),
        (b" pass ", &[b" pass ", b" pass \n"]),
    ] {
        for by_file in [true, false] {
            let kept = Kept::new();
            let init = ["id", "init"];
            let ran = match by_file {
                true => kept.with_file(made, &init),
                false => kept.with_variable(made, &init),
            };
            assert_eq!(ran.code, 0, "{}", ran.err);
            for bytes in opening {
                let ran = kept.with_file(bytes, &["sign"]);
                assert_eq!(ran.code, 0, "{made:?} {bytes:?}: {}", ran.err);
                let ran = kept.with_variable(bytes, &["sign"]);
                assert_eq!(ran.code, 0, "{made:?} {bytes:?}: {}", ran.err);
            }
            assert_eq!(kept.with_file(b"pass \n", &["sign"]).code, 77);
        }
    }
}
