//! Every variant of every error: what it means, and that it has help. The source is
//! read for the variants, so that none is left out.

#[cfg(feature = "attestation")]
mod attestations;
#[cfg(feature = "audit")]
mod audit;
mod bundles;
#[cfg(feature = "client")]
mod clients;
mod devices;
mod files;
mod peers;
mod values;

use std::collections::BTreeSet;
use std::error::Error as StdError;

use crate::did::Did;
use crate::error::{Error, ErrorKind, Explain};
use crate::key::{Key, Software, Unlocked};

/// The table of one enum: each error, and its kind.
fn check<E: Explain>(file: &str, rows: Vec<(E, ErrorKind)>) {
    let name = std::any::type_name::<E>().rsplit("::").next().unwrap();
    let mut shown = BTreeSet::new();
    for (error, kind) in rows {
        assert_eq!(error.kind(), kind, "{error:?}");
        let help = error.help().unwrap_or_default();
        assert!(help.len() > 10, "{error:?} has no help");
        assert!(!help.contains("  "), "{error:?}: {help:?}");
        shown.insert(word(&format!("{error:?}")));
    }
    assert_eq!(shown, variants(file, name), "{name}: a variant is without its row");
}

fn word(text: &str) -> String {
    text.chars().take_while(|letter| letter.is_ascii_alphanumeric()).collect()
}

fn variants(file: &str, name: &str) -> BTreeSet<String> {
    let path = format!("{}/src/{file}", env!("CARGO_MANIFEST_DIR"));
    let source = std::fs::read_to_string(path).unwrap();
    let (_, body) = source.split_once(&format!("pub enum {name} {{\n")).unwrap();
    let (body, _) = body.split_once("\n}").unwrap();
    let named = body.lines().filter_map(|line| line.strip_prefix("    "));
    named
        .filter(|line| line.starts_with(|first: char| first.is_ascii_uppercase()))
        .map(word)
        .collect()
}

fn did() -> Did {
    Key::<Software, Unlocked>::generate().unwrap().did().clone()
}

fn boxed() -> Box<dyn StdError + Send + Sync> {
    "why".into()
}

fn no_randomness() -> crate::secret::NoRandomness {
    crate::secret::random::NoRandomness::made_up()
}

fn json() -> crate::error::InvalidJson {
    crate::error::InvalidJson::new(serde_json::from_str::<u8>("x").unwrap_err())
}

#[test]
fn each_kind_has_a_name_of_its_own() {
    // Every variant of `ErrorKind` is written in the match of `as_str`.
    let source = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/src/kind.rs"));
    let source = source.unwrap();
    let (_, names) =
        source.split_once("match self {\n            Self::WrongCredential =>").unwrap();
    let (names, _) = names.split_once("        }\n").unwrap();
    let names: Vec<&str> = names.split('"').skip(1).step_by(2).collect();
    let different: BTreeSet<&str> = names.iter().copied().collect();
    assert_eq!(different.len(), variants("kind.rs", "ErrorKind").len());
    assert_eq!(different.len(), names.len());
}

#[test]
fn an_error_has_the_kind_and_the_help_of_its_part() {
    for error in super::wrapped(|| crate::error::TpmError::PinKnownWrong.into()) {
        assert_eq!(error.kind(), ErrorKind::WrongCredential, "{error:?}");
        assert!(!error.is_transient(), "{error:?}");
        assert!(matches!(error.tpm(), Some(crate::error::TpmError::PinKnownWrong)), "{error:?}");
    }
    let busy = || crate::error::TpmError::Busy { device: "/dev/tpm0".into() }.into();
    for error in super::wrapped(busy) {
        assert!(error.is_transient(), "{error:?}");
    }
    assert!(Error::from(crate::error::Pkcs11Error::Forked).tpm().is_none());
}
