//! Who is asked what. The table is compared with the tests that are there: what a signer is
//! not asked has a reason here, and none is left out without a word.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::process::Command;

/// A column each, in this order.
const PROPERTIES: [&str; 15] = [
    "a_key_is_made_sealed_opened_and_found_again",
    "a_wrong_credential_is_sent_once_and_the_key_given_back",
    "a_new_process_opens_it_and_sends_a_wrong_credential_once",
    "threads_sign_at_once",
    "threads_open_it_at_once",
    "another_key_in_its_place_is_refused",
    "evidence_that_changes_is_refused",
    "provenance_never_rises_without_evidence",
    "a_header_that_claims_more_is_refused",
    "no_statement_is_signed_for_a_caller",
    "a_bundle_is_bound_and_renewed",
    "it_is_met_over_tls",
    "its_document_verifies_and_no_other_does",
    "it_hands_over_and_takes_over",
    "a_backup_restores_it",
];

/// `+` is a test; a letter is a reason why there is none.
const TABLE: &[(&str, &str)] = &[
    ("daemon::ed25519", "ooo+o+i+o+b++bo"),
    ("daemon::p256", "ooo+o+i+o+b++bo"),
    ("dialects::craton", "+++++++++++++++"),
    ("dialects::kryoptic", "+++++++++++++++"),
    ("dialects::nethsm", "+++++++++++++++"),
    ("dialects::nss", "+++++++++++++++"),
    ("dialects::opencryptoki", "+++++++++++++++"),
    ("dialects::opensc_openpgp", "+++++++++++++++"),
    ("dialects::opensc_piv", "+++++++++++++++"),
    ("dialects::tpm2_behind_p11_kit", "+++++++++++++++"),
    ("dialects::tpm2_pkcs11", "+++++++++++++++"),
    ("dialects::ykcs11", "+++++++++++++++"),
    ("dialects::yubihsm2", "+++++++++++++++"),
    ("external::ed25519", "xxx+x+e+x+++++x"),
    ("external::p256", "xxx+x+e+x+++++x"),
    ("software::ed25519", "++++++m++++++++"),
    ("tokens::ed25519", "+++++++++++++++"),
    ("tokens::imported_ed25519", "+++++++++++++++"),
    ("tokens::imported_p256", "+++++++++++++++"),
    ("tokens::p256", "+++++++++++++++"),
    ("tpm::ed25519", "+++++++++++++++"),
    ("tpm::p256", "+++++++++++++++"),
];

const REASONS: &[(char, &str)] = &[
    (
        'b',
        "the daemon issues its own bundle and hands over itself: it is refused to its clients, \
           which `no_statement_is_signed_for_a_caller` asks",
    ),
    ('e', "no evidence of a foreign signer is read: what it says of itself counts for nothing"),
    ('i', "no evidence comes through the daemon's door: its word is `Custody::Reported`"),
    ('m', "it is a value in memory: there is no device that could say something else of it"),
    ('o', "the daemon opens it and has its credential; tests/daemon asks that of the daemon"),
    ('x', "nobody here keeps it or opens it: there is a signer, and no key at rest"),
];

/// The tests of this binary, as it lists them itself.
fn tests(more: &[&str]) -> BTreeSet<(String, String)> {
    let mut command = Command::new(std::env::current_exe().unwrap());
    let listed = command.args(["conformance::", "--list"]).args(more).output().unwrap();
    let listed = String::from_utf8(listed.stdout).unwrap();
    let tests = listed.lines().filter_map(|line| line.strip_suffix(": test"));
    let tests = tests.map(|test| test.strip_prefix("conformance::").unwrap());
    let tests = tests.filter(|test| !test.starts_with("table::"));
    let split = tests.map(|test| test.rsplit_once("::").unwrap());
    split.map(|(fixture, property)| (fixture.to_owned(), property.to_owned())).collect()
}

#[test]
fn the_table_of_who_is_asked_what_is_that_of_the_tests() {
    let tests = tests(&[]);
    let mut found = String::new();
    let fixtures: BTreeSet<&str> = tests.iter().map(|(fixture, _)| fixture.as_str()).collect();
    for fixture in &fixtures {
        let row: String = PROPERTIES
            .iter()
            .map(|property| {
                let is_asked = tests.contains(&((*fixture).to_owned(), (*property).to_owned()));
                if is_asked { '+' } else { '?' }
            })
            .collect();
        writeln!(found, "    (\"{fixture}\", \"{row}\"),").unwrap();
    }
    let listed: Vec<&str> = TABLE.iter().map(|(fixture, _)| *fixture).collect();
    assert!(listed.iter().eq(fixtures.iter()), "the rows should be\n{found}");
    for (fixture, row) in TABLE {
        assert_eq!(row.len(), PROPERTIES.len(), "{fixture}");
        for (cell, property) in row.chars().zip(PROPERTIES) {
            let is_asked = tests.contains(&((*fixture).to_owned(), property.to_owned()));
            let has_reason = REASONS.iter().any(|(reason, _)| *reason == cell);
            assert!(
                if is_asked { cell == '+' } else { has_reason },
                "{fixture}, {property}: {cell}, and the rows should be\n{found}"
            );
        }
    }
    let known: BTreeSet<&str> = PROPERTIES.into_iter().collect();
    let asked: BTreeSet<&str> = tests.iter().map(|(_, property)| property.as_str()).collect();
    assert_eq!(asked, known, "each property has its column");
    for (reason, why) in REASONS {
        assert!(TABLE.iter().any(|(_, row)| row.contains(*reason)), "for nobody: {why}");
    }
}

#[test]
fn none_of_them_is_passed_over() {
    assert!(tests(&["--ignored"]).is_empty());
}
