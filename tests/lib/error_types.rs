//! Every public error type of the crate becomes an `Error`, and says what it means and
//! what to do. The sources are read for them, so that none is left out.

use std::collections::BTreeSet;
use std::fs;

use icn_identity::error::Explain;
use icn_identity::{
    Error, algorithm, attestation, audit, bundle, client, config, daemon, did, error, evidence, key,
};
use icn_identity::{backend, peer, rotation, secret, sshsig, tls};

use super::ledger::files;

/// Not in the sum, and why.
const EXCEPTIONS: [(&str, &str); 2] =
    [("Error", "it is the sum"), ("FieldProblem", "a part of LegacyError::Field, never alone")];

/// Compiles only if each is a part of the sum, and explains itself.
fn in_the_sum<E: Into<Error> + Explain>(names: &mut BTreeSet<String>) {
    let name = std::any::type_name::<E>();
    names.insert(name.rsplit("::").next().unwrap().to_owned());
}

fn known() -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    macro_rules! all {
        ($($type:ty),+ $(,)?) => { $(in_the_sum::<$type>(&mut names);)+ };
    }
    all!(
        algorithm::BadSignature,
        algorithm::InvalidVerifyingKey,
        attestation::AttestationError,
        attestation::AttestationRefusal,
        attestation::TpmRefusal,
        audit::AuditError,
        backend::InvalidPcrs,
        backend::uri::InvalidPkcs11Uri,
        bundle::BundleError,
        bundle::DecryptError,
        bundle::NotContributory,
        bundle::RenewalError,
        client::ClientError,
        config::ConfigError,
        daemon::InvalidRequest,
        did::InvalidDid,
        did::InvalidDocument,
        error::BackupError,
        error::CredentialError,
        error::DeviceError,
        error::ExportError,
        error::FormatError,
        error::KeystoreError,
        error::LegacyError,
        error::MigrationError,
        error::OpenError,
        error::Pkcs11Error,
        error::SignError,
        error::TpmError,
        error::InvalidJson,
        error::UnknownName,
        evidence::Exposable,
        evidence::Unmet,
        key::WrongProvenance,
        peer::BookError,
        peer::Refusal,
        peer::SequenceError,
        rotation::RotationError,
        secret::NoRandomness,
        sshsig::InvalidSshSignature,
        tls::PeerError,
        tls::ReplaceError,
        tls::TlsError,
    );
    names
}

/// `pub enum X` or `pub struct X` that derives `thiserror::Error`, or has the trait by hand.
fn in_the_sources() -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for path in files("src").into_iter().filter(|path| !path.iter().any(|part| part == "bin")) {
        let source = fs::read_to_string(&path).unwrap();
        for (at, _) in source.match_indices("thiserror::Error") {
            let mut lines = source[at..].lines();
            let name = lines.find_map(|line| {
                let line = line.strip_prefix("pub ").unwrap_or(line);
                let item = line.strip_prefix("enum ").or_else(|| line.strip_prefix("struct "));
                let hidden = line.starts_with("pub(");
                if hidden { Some(None) } else { item.map(Some) }
            });
            names.extend(name.flatten().map(word));
        }
        for (_, rest) in
            source.match_indices("Error for ").map(|(at, m)| (at, &source[at + m.len()..]))
        {
            let name = word(rest);
            let items = ["struct", "enum"].map(|item| format!("pub {item} {name} "));
            if items.iter().any(|item| source.contains(item))
                && source.contains("std::error::Error for")
            {
                names.insert(name);
            }
        }
    }
    names
}

fn word(text: &str) -> String {
    text.chars().take_while(|letter| letter.is_ascii_alphanumeric()).collect()
}

#[test]
fn every_error_type_is_in_the_sum_and_explains_itself() {
    let found = in_the_sources();
    assert!(found.len() > 30, "only {found:?}");
    let mut expected = known();
    expected.extend(EXCEPTIONS.map(|(name, _)| name.to_owned()));
    let lacking: Vec<_> = found.difference(&expected).collect();
    assert!(
        lacking.is_empty(),
        "not in the sum: {lacking:?}: give each `kind()`, `help()`, `explain!` and a variant of \
         `Error`, and name it here"
    );
    let gone: Vec<_> = expected.difference(&found).collect();
    assert!(gone.is_empty(), "named here, and nowhere in the sources: {gone:?}");
}

/// The page has a row for each kind, which says of `is_transient` what it says.
#[test]
fn the_page_says_of_each_kind_whether_to_try_again() {
    let page = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/errors.md")).unwrap();
    let source = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/src/kind.rs")).unwrap();
    let (_, test) = source.split_once("pub const fn is_transient").unwrap();
    let (yes, no) = test.split_once("=> true").unwrap();
    let (no, _) = no.split_once("=> false").unwrap();
    let kinds = |text: &str| -> BTreeSet<String> {
        text.match_indices("Self::").map(|(at, _)| word(&text[at + 6..])).collect()
    };
    let mut told = [BTreeSet::new(), BTreeSet::new()];
    for row in page.lines().filter(|row| row.starts_with("| `")) {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        // What each error says of itself.
        if cells[1].ends_with("()`") {
            continue;
        }
        let again = cells[2].trim_matches('*') == "yes";
        told[usize::from(again)].insert(cells[1].trim_matches('`').to_owned());
    }
    let [told_no, told_yes] = told;
    assert_eq!(told_yes, kinds(yes));
    assert_eq!(told_no, kinds(no));
    assert!(told_no.len() > 20 && told_yes.contains("InUse"));
}

/// `help()` and `kind()` have one form everywhere.
#[test]
fn help_and_kind_have_one_signature() {
    let mut wrong = Vec::new();
    let mut read = 0;
    for path in files("src").into_iter().filter(|path| !path.iter().any(|part| part == "bin")) {
        for line in fs::read_to_string(&path).unwrap().lines() {
            let line = line.trim_start();
            if let Some(rest) = line.split_once("fn help(").map(|(_, rest)| rest) {
                read += 1;
                if !rest.starts_with("&self) -> Option<String>") {
                    wrong.push(format!("{}: {line}", path.display()));
                }
            }
        }
    }
    assert!(read > 30, "{read}");
    assert!(wrong.is_empty(), "{wrong:?}");
}
