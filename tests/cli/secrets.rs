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
const ODD: [(&[u8], &str); 10] = [
    (b"1234\n\n", "it has more than one line"),
    (b"1234\n5678\n", "it has more than one line"),
    (b"\n1234\n", "it has more than one line"),
    (b"12\r34\n", "it has a control character, U+000D"),
    (b"12\t34", "it has a control character, U+0009"),
    (b"1234\x7f", "it has a control character, U+007F"),
    (b"12\xc2\x8534", "it has a control character, U+0085"),
    (b"\xef\xbb\xbf1234\n", "it has a byte order mark, U+FEFF"),
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
        // A PIN that was refused ends with 77.
        assert_eq!(ran.code, 1, "{named}: {}", ran.err);
        assert!(ran.err.contains(named), "{named}: {}", ran.err);
        assert!(!home.path("refused.json").exists());
        if !bytes.contains(&0) {
            use std::os::unix::ffi::OsStrExt as _;
            let value = std::ffi::OsStr::from_bytes(bytes);
            let ran = run(home.command(&["sign"]).env("ICN_PIN", value), b"x");
            assert_eq!(ran.code, 1, "{named}: {}", ran.err);
            assert!(ran.err.contains("$ICN_PIN") && ran.err.contains(named), "{}", ran.err);
        }
    }
    let shown = hsm.pkcs11_tool(&["--list-slots"]).out;
    assert!(shown.contains("token flags"), "{shown}");
    assert!(!shown.contains("user PIN count low"), "a try was spent: {shown}");
    home.ok(&["sign"], b"x");
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
