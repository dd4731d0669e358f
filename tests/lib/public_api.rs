//! What others see of us: no type of a crate that is not on the list, read from
//! rustdoc's JSON, in which every path is resolved.

mod api;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::{env, fs};

use support::cargo::cargo;

use self::api::{Api, Use};
use super::objects::READ;

/// Whose types and traits may be in our signatures, where, and why. This list is in
/// the front page's section "Types of other crates".
const ALLOWED: [(&str, &[&str], &str); 12] = [
    ("core", &[""], "the language's own"),
    ("alloc", &[""], "the language's own"),
    ("std", &[""], "the language's own"),
    ("serde_core", &[""], "serde 1: `Serialize` and `Deserialize`"),
    ("zeroize", &[""], "zeroize 1: `Zeroizing`"),
    ("rustls", &["tls::", "bundle::IdentityBundle", "error::Error"], "the feature `tls`"),
    ("rustls_pki_types", &["tls::"], "the feature `tls`, as `tls::rustls::pki_types`"),
    ("tokio", &["tls::"], "tokio 1: the feature `tokio`"),
    ("signature", &["signer::AsSigner", "algorithm::VerifyingKey"], "the feature `signature`"),
    ("ed25519", &["signer::AsSigner", "algorithm::VerifyingKey"], "the feature `signature`"),
    ("ecdsa", &["signer::AsSigner", "algorithm::VerifyingKey"], "the feature `signature`"),
    ("p256", &["signer::AsSigner", "algorithm::VerifyingKey"], "the feature `signature`"),
];

fn is_allowed(used: &Use) -> bool {
    ALLOWED.iter().any(|(krate, places, _)| {
        *krate == used.krate && places.iter().any(|place| used.place.starts_with(place))
    })
}

/// rustdoc's JSON is not stable, so it is asked of the pinned toolchain, by name.
fn unstable() -> [(&'static str, &'static str); 1] {
    [("RUSTC_BOOTSTRAP", "1")]
}

fn scratch(name: &str) -> PathBuf {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::create_dir_all(&directory).unwrap();
    directory
}

fn run(command: &mut Command) {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// Of the whole crate. A wrapper around rustdoc alone: the dependencies are built as
/// always, and so not once more.
fn ours() -> &'static Api {
    static API: OnceLock<Api> = OnceLock::new();
    API.get_or_init(read)
}

fn read() -> Api {
    use std::os::unix::fs::PermissionsExt as _;
    let directory = scratch("public-api");
    let wrapper = directory.join("rustdoc");
    fs::write(&wrapper, "#!/bin/sh\nRUSTC_BOOTSTRAP=1 exec rustdoc \"$@\"\n").unwrap();
    fs::set_permissions(&wrapper, fs::Permissions::from_mode(0o700)).unwrap();
    let mut cargo = cargo();
    cargo.current_dir(env!("CARGO_MANIFEST_DIR")).env("RUSTDOC", &wrapper);
    cargo.args(["rustdoc", "--quiet", "--locked", "--offline", "--lib", "--all-features"]);
    cargo.args(["--target-dir"]).arg(directory.join("../.."));
    cargo.args(["--", "-Z", "unstable-options", "--output-format", "json"]);
    run(&mut cargo);
    Api::read(&directory.join("../../doc/icn_identity.json"))
}

#[test]
fn no_type_of_a_crate_outside_the_list_is_in_the_public_api() {
    let uses = ours().uses();
    let found: Vec<String> =
        uses.iter().filter(|used| !is_allowed(used)).map(ToString::to_string).collect();
    assert!(found.is_empty(), "{} in all:\n{}", found.len(), found.join("\n"));
    // It was looked at, and each line of the list is needed.
    for (krate, places, _) in ALLOWED {
        for place in places {
            let there = |used: &Use| used.krate == krate && used.place.starts_with(place);
            assert!(uses.iter().any(there), "{krate} is not used in {place:?}");
        }
    }
}

/// Which are read by whoever has serde, and by its own rules if nothing is done about it.
#[test]
fn each_public_type_that_can_be_read_is_read_by_our_rules() {
    let uses = ours().uses();
    let found: BTreeSet<&str> = uses
        .iter()
        .filter(|used| used.path.ends_with("::Deserialize"))
        .filter_map(|used| used.place.strip_suffix(" (impl Deserialize)"))
        .filter_map(|place| place.rsplit("::").next())
        .collect();
    let tried = READ.iter().map(|(name, ..)| *name).collect();
    assert_eq!(found, tried, "the list is in tests/lib/objects/read.rs");
}

#[test]
fn a_made_up_foreign_type_is_found_wherever_it_stands() {
    let directory = scratch("made-up-api");
    let source = directory.join("made_up.rs");
    fs::write(&source, include_str!("public_api/made_up.rs")).unwrap();
    let mut rustdoc = Command::new("rustdoc");
    rustdoc.envs(unstable()).arg(&source).args(["--crate-name", "made_up", "--edition", "2024"]);
    rustdoc.args(["-Z", "unstable-options", "--output-format", "json", "-o"]).arg(&directory);
    run(&mut rustdoc);
    let uses = Api::read(&directory.join("made_up.json")).uses();
    let found: Vec<&str> = uses
        .iter()
        .filter(|used| used.path.ends_with("::HashMap") || used.path.ends_with("::Write"))
        .map(|used| used.place.as_str())
        .collect();
    let expected = [
        "Alias",
        "Bounded::bounded",
        "Enum::Named::field",
        "Enum::Tuple::0",
        "Item::Target",
        "Item::deref",
        "STATIC",
        "Struct (impl Write)",
        "Struct::field",
        "Struct::method",
        "Supertrait",
        "argument",
        "closure",
        "deep",
        "module::result",
        "reexported (re-export)",
        "where_clause",
    ];
    assert_eq!(found, expected);
}

/// The list is told to who reads the documentation.
#[test]
fn the_front_page_names_the_crates_of_the_list() {
    let page = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/src/lib.rs")).unwrap();
    let (_, section) = page.split_once("//! # Types of other crates").unwrap();
    let (section, _) = section.split_once("\n\n").unwrap();
    for name in ["serde", "zeroize", "rustls", "signature", "ed25519", "ecdsa", "p256"] {
        assert!(section.contains(&format!("`{name}`")), "{name}");
    }
}
