//! `docs/guarantees.md` names cases and tests that exist, and every case has
//! its row.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

pub(crate) fn files(directory: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(root().join(directory)).unwrap();
    let mut found = Vec::new();
    for path in entries.map(|entry| entry.unwrap().path()) {
        if path.is_dir() {
            let below = path.strip_prefix(root()).unwrap().to_str().unwrap().to_owned();
            found.extend(files(&below));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found
}

fn tests() -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for path in ["src", "tests", "compile-fail/tests"].into_iter().flat_map(files) {
        let text = fs::read_to_string(path).unwrap();
        let mut is_test = false;
        for line in text.lines().map(str::trim) {
            is_test |= line == "#[test]" || line.starts_with("#[tokio::test");
            if let Some(rest) = line.strip_prefix("async ").unwrap_or(line).strip_prefix("fn ")
                && std::mem::take(&mut is_test)
            {
                names.insert(rest.split(['(', '<']).next().unwrap().to_owned());
            }
        }
    }
    names.extend(conformance());
    names
}

/// Those that are made for each signer: `NAME = MODULE::PROPERTY;`
fn conformance() -> BTreeSet<String> {
    let text = fs::read_to_string(root().join("tests/proptests/conformance.rs")).unwrap();
    let made = text.lines().filter_map(|line| line.trim().strip_suffix(';')?.split_once(" = "));
    let made = made.filter(|(name, _)| !name.contains(['$', ' ', ':']));
    let names: BTreeSet<String> = made.map(|(name, _)| name.to_owned()).collect();
    assert!(names.contains("a_backup_restores_it"), "{names:?}");
    names
}

/// The names in backticks of one column of every row.
fn named(column: usize) -> BTreeSet<String> {
    let text = fs::read_to_string(root().join("docs/guarantees.md")).unwrap();
    let rows = text.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| claim"));
    let cells = rows.filter_map(|row| row.split('|').nth(column));
    let words = cells.flat_map(|cell| cell.split('`').skip(1).step_by(2)).map(str::to_owned);
    words.collect()
}

#[test]
fn every_case_has_a_row_and_every_named_case_exists() {
    let cases: BTreeSet<String> = files("compile-fail/cases")
        .iter()
        .map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned())
        .collect();
    assert_eq!(named(2), cases);
}

#[test]
fn every_named_test_exists() {
    let (named, tests) = (named(4), tests());
    assert!(named.len() > 40, "{}", named.len());
    let missing: Vec<_> = named.difference(&tests).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn every_row_names_a_test() {
    let text = fs::read_to_string(root().join("docs/guarantees.md")).unwrap();
    for row in text.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| claim")) {
        assert!(row.split('|').nth(4).unwrap().contains('`'), "{row}");
    }
}

#[test]
fn the_readme_quotes_the_compiler() {
    let read = |name: &str| fs::read_to_string(root().join(name)).unwrap();
    let answer = read("compile-fail/cases/secret_bytes_of_hardware_key.stderr");
    let quoted: Vec<_> = answer.lines().take(8).collect();
    assert!(quoted.last().is_some_and(|line| line.contains("call `sign` instead")));
    let readme = read("README.md");
    assert!(readme.contains(&quoted.join("\n")), "{answer}");
    let lines = readme.lines().count();
    assert!(lines <= 150, "{lines}");
}
