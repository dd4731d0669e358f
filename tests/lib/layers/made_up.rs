//! Houses that were made up, to see that what is wrong with them is found.

use super::house::House;
use super::{circles, climbing};

fn made_up(files: &[(&str, &str)]) -> House {
    let files = files.iter().map(|(path, text)| ((*path).into(), (*text).into()));
    House::new("src/lib.rs", &files.collect::<Vec<_>>())
}

/// What is wrong with a file of the room `key`, beside rooms above and below it.
fn in_key(text: &str) -> Vec<String> {
    climbing(&made_up(&[
        ("src/lib.rs", "pub mod did; pub mod key; pub mod keystore; pub use keystore::Header;"),
        ("src/did.rs", ""),
        ("src/key.rs", "mod software;"),
        ("src/key/software.rs", text),
        ("src/keystore.rs", "pub struct Header;"),
    ]))
}

#[test]
fn what_points_up_is_found_however_it_is_written() {
    for (text, line) in [
        ("use crate::keystore::Header;", 1),
        ("use crate::keystore as other;", 1),
        ("\npub(in crate::key) use crate::keystore::*;", 2),
        ("use crate::{did::Did, keystore::{Header, Payload}};", 1),
        ("use crate::{\n    did::{self, Did},\n    keystore,\n};", 3),
        ("use super::super::keystore::Header;", 1),
        ("use super::super::{\ndid, keystore::Header};", 2),
        ("mod inner {\n use super::super::super::keystore::Header;\n}", 2),
        ("use crate::Header;", 1),
        ("fn f() -> crate::keystore::Header {}", 1),
        ("fn f() { vec![1, crate::keystore::header::<u8>()]; }", 1),
        ("fn f<'a>(quote: &'a char) -> bool { *quote == '\"' && crate::keystore::f() }", 1),
        ("/// Doc.\n#[serde(with = \"crate::keystore::hex\")]\nstruct A;", 2),
        ("/* /* */ */ use crate::keystore::Header;", 1),
        ("#[cfg(not(test))]\nuse crate::keystore::Header;", 2),
        ("#[cfg(any(test, feature = \"tls\"))] use crate::keystore::Header;", 1),
        ("#[cfg(test)] mod tests { fn f() {} }\nuse crate::keystore::Header;", 2),
    ] {
        let found = in_key(text);
        let wanted =
            format!("src/key/software.rs:{line}: `key` uses `keystore`, which is not below it");
        assert!(found.contains(&wanted), "{text}: {found:?}");
    }
}

#[test]
fn what_points_down_or_is_no_use_is_left_alone() {
    for text in [
        "use crate::did::Did; use super::Key; use crate::key::{self, Key};",
        "/// [`crate::keystore::Header`]\nstruct A;",
        "//! crate::keystore\n// crate::keystore::Header\n/* crate::keystore::f() */",
        "const TEXT: &str = \"use crate::keystore::Header;\";",
        "const TEXT: &str = r#\"\"crate::keystore::Header\"#;",
        "pub(in crate::keystore) struct A;",
        "use keystore::Header;",
        "#[cfg(test)]\n#[allow(unused)]\nmod tests { use crate::keystore::Header; }",
        "#[cfg(all(test, unix))] use crate::keystore::{Header, Payload};",
        "#[test]\nfn f() -> Result<[u8; 2], ()> { crate::keystore::f() }",
    ] {
        assert_eq!(in_key(text), Vec::<String>::new(), "{text}");
    }
    let house = made_up(&[
        ("src/lib.rs", ""),
        ("src/key.rs", "#[cfg(test)] mod tests;"),
        ("src/key/tests.rs", "use crate::keystore::Header;"),
        ("src/key/tests/more.rs", "use crate::keystore::Header;"),
        ("src/keystore.rs", ""),
    ]);
    assert_eq!(climbing(&house), Vec::<String>::new());
}

#[test]
fn a_room_beside_and_a_room_without_a_place_are_found() {
    let house = made_up(&[
        ("src/lib.rs", ""),
        ("src/config.rs", "use crate::key::Key;"),
        ("src/key.rs", ""),
        ("src/utils.rs", ""),
    ]);
    let found = [
        "src/config.rs:1: `config` uses `key`, which is not below it",
        "src/utils.rs: `utils` has no place in the order of rooms",
    ];
    assert_eq!(climbing(&house), found);
}

#[test]
fn a_circle_is_found_through_what_its_module_names_again() {
    let house = made_up(&[
        ("src/lib.rs", "mod key;"),
        (
            "src/key.rs",
            "mod one; mod two; mod three; pub use self::{one::One, two::Two as Second};",
        ),
        ("src/key/one.rs", "use super::Second;"),
        ("src/key/two.rs", "use super::three::Three;"),
        ("src/key/three.rs", ""),
        ("src/key/three/below.rs", "fn f() -> crate::key::One {}"),
    ]);
    let found = [
        "src/key/one.rs:1: `key::one` uses `key::two`, which uses it",
        "src/key/three/below.rs:1: `key::three` uses `key::one`, which uses it",
        "src/key/two.rs:1: `key::two` uses `key::three`, which uses it",
    ];
    assert_eq!(circles(&house), found);
}

#[test]
fn a_module_and_what_is_in_it_may_use_each_other() {
    let house = made_up(&[
        ("src/lib.rs", "mod key;"),
        ("src/key.rs", "mod one; use self::one::One; pub struct Key;"),
        ("src/key/one.rs", "use super::Key; use self::below::Below;"),
        ("src/key/one/below.rs", "use crate::key::Key; use super::One;"),
    ]);
    assert_eq!(circles(&house), Vec::<String>::new());
}

#[test]
fn only_the_two_halves_of_one_idea_may_use_each_other() {
    let with = |third: &str| {
        circles(&made_up(&[
            ("src/lib.rs", ""),
            ("src/backend.rs", ""),
            ("src/backend/pkcs11.rs", ""),
            ("src/backend/pkcs11/connection.rs", "use super::pool::Pool;"),
            ("src/backend/pkcs11/pool.rs", "use super::connection::Connection; use super::token;"),
            ("src/backend/pkcs11/token.rs", third),
        ]))
    };
    assert_eq!(with(""), Vec::<String>::new());
    let found = [
        "src/backend/pkcs11/pool.rs:1: `backend::pkcs11::pool` uses `backend::pkcs11::token`, which uses it",
        "src/backend/pkcs11/token.rs:1: `backend::pkcs11::token` uses `backend::pkcs11::connection`, which uses it",
    ];
    assert_eq!(with("use super::connection::Connection;"), found);
}
