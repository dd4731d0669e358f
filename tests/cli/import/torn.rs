//! `id import` that is cut off, or that comes after something that was.

use support::cut_off::{LEFT, at_every_rename, init, kept};
use support::home::{FAST, Home};

use super::fixture::{self, DID, PASSPHRASE};

fn home() -> Home {
    Home::new().with("ICN_PASSPHRASE", PASSPHRASE)
}

#[test]
fn an_import_that_is_killed_leaves_no_identity_without_its_pin() {
    let path = fixture::path("v4");
    at_every_rename(home, &["id", "import", path.to_str().unwrap()], DID);
}

#[test]
fn what_a_cut_off_init_has_left_is_said_and_put_aside() {
    let other = home();
    other.ok(&["id", "init"], b"");
    let software = other.read("identity.json");
    // One that cannot be read could be of a device.
    for (header, said, aside) in [
        (software.as_str(), "was cut off: ", false),
        ("of a newer version", "of an unknown DID: it is kept as ", true),
    ] {
        let home = home();
        init(&home, header);
        let ran = home.icnctl(&["id", "import", fixture::path("v3").to_str().unwrap()], b"");
        assert!(ran.code == 0 && ran.err.contains(said), "{}{}", ran.out, ran.err);
        assert_eq!(kept(&home), if aside { vec![header.to_owned()] } else { Vec::new() });
        assert!(!home.path(LEFT).exists());
        assert_eq!(home.show()["did"], DID);
    }
}

/// The DID that the cut-off `id init` had pinned was never anybody's.
#[test]
fn after_an_init_that_was_cut_off_an_import_pins_its_own_did() {
    let home = home();
    assert_eq!(support::cut_off::at_rename(&home, &["id", "init"], 3).code, -1);
    assert!(home.read("icn.toml").contains("did = ") && home.path("unfinished.json").exists());
    home.ok(&["id", "import", fixture::path("v3").to_str().unwrap()], b"");
    assert!(home.read("icn.toml").contains(&format!("did = \"{DID}\"")));
    assert_eq!(home.show()["did"], DID);
    assert!(!home.path("unfinished.json").exists());
}

#[test]
fn an_import_that_fails_puts_the_configuration_back() {
    let home = home();
    // The header cannot be written over a directory.
    std::fs::create_dir_all(home.path("identity.json/in the way")).unwrap();
    let ran = home.icnctl(&["id", "import", fixture::path("v3").to_str().unwrap()], b"");
    assert_eq!(ran.code, 1, "{}{}", ran.out, ran.err);
    assert_eq!(home.read("icn.toml"), FAST);
    assert!(!home.path("identity.age").exists());
}

#[test]
fn the_names_of_a_foreign_file_do_not_act_on_the_terminal() {
    let home = home();
    let old = home.beside("old.age");
    let members = fixture::members("v1").with("\\u001b[2J\\u202eowned\\n", "1");
    support::home::write_private(&old, "");
    std::fs::write(&old, members.sealed()).unwrap();
    let ran = home.icnctl(&["id", "import", old.to_str().unwrap()], b"");
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(ran.out.contains("beside them: \\u{1b}[2J\\u{202e}owned\\n.\n"), "{}", ran.out);
    assert!(!ran.out.contains(['\u{1b}', '\u{202e}']), "{}", ran.out);
}
