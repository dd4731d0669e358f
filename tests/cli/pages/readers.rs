//! Blocks that no shell runs, and who reads them.

use std::collections::BTreeSet;

use icn_identity::config::Config;
use toml_edit::DocumentMut;

use super::markdown::{Block, Page, Said, root};

/// What is wrong with a block that no shell runs.
pub(crate) fn wrong_with(page: &Page, block: &Block, tests: &BTreeSet<String>) -> Option<String> {
    match (&block.said, block.language()) {
        (Said::TestedBy(name), _) if !tests.contains(name) => Some(format!("no test `{name}`")),
        (Said::NotRun(reason), _) if reason.len() < 10 => Some("the reason is missing".into()),
        (Said::TestedBy(_) | Said::NotRun(_) | Said::CheckedBy(_), _) => None,
        (Said::Nothing, "rust") => rust(page, block),
        (Said::Nothing, "toml") => toml(&block.text),
        (Said::Nothing, language) => Some(format!(
            "a block of {language:?} that nothing runs or reads: docs/testing.md says how"
        )),
    }
}

/// Doctests compile what is in the crate's documentation.
fn rust(page: &Page, block: &Block) -> Option<String> {
    if block.info.split(',').any(|attribute| attribute.trim().starts_with("ignore")) {
        return Some("`ignore` leaves it uncompiled".into());
    }
    let lib = std::fs::read_to_string(root().join("src/lib.rs")).unwrap();
    let is_there = lib.contains(&format!("#[doc = include_str!(\"../{}\")]", page.name));
    (!is_there).then(|| "src/lib.rs does not include this page, so nothing compiles it".into())
}

fn toml(text: &str) -> Option<String> {
    let document: DocumentMut = match text.parse() {
        Ok(document) => document,
        Err(error) => return Some(error.to_string()),
    };
    let tables: Vec<&str> = document.iter().map(|(table, _)| table).collect();
    match tables.as_slice() {
        ["identity"] | ["daemon"] | ["audit"] => {
            Config::parse(text).err().map(|error| format!("{error}: {error:?}"))
        }
        ["profile"] => cargo(&document),
        _ => Some(format!("nothing here reads {tables:?}")),
    }
}

/// What a page advises for Cargo.toml, ours has.
fn cargo(advised: &DocumentMut) -> Option<String> {
    let ours: DocumentMut =
        std::fs::read_to_string(root().join("Cargo.toml")).unwrap().parse().unwrap();
    let packages = |document: &DocumentMut| -> BTreeSet<String> {
        let packages = document["profile"]["dev"]["package"].as_table_like().unwrap();
        packages
            .iter()
            .map(|(name, profile)| format!("{name} {}", profile["opt-level"].to_string().trim()))
            .collect()
    };
    let (advised, ours) = (packages(advised), packages(&ours));
    (!advised.is_subset(&ours))
        .then(|| format!("not in Cargo.toml: {:?}", advised.difference(&ours)))
}

/// The names of all tests.
pub(crate) fn tests() -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let mut directories =
        vec![root().join("src"), root().join("tests"), root().join("compile-fail")];
    while let Some(directory) = directories.pop() {
        for entry in std::fs::read_dir(directory).unwrap().map(Result::unwrap) {
            let path = entry.path();
            if path.is_dir() {
                directories.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = std::fs::read_to_string(path).unwrap();
                let mut lines = text.lines().map(str::trim);
                while let Some(line) = lines.next() {
                    if line == "#[test]" || line.starts_with("#[tokio::test") {
                        let name = lines.by_ref().find_map(|line| line.split_once("fn "));
                        let name = name.and_then(|(_, rest)| rest.split(['(', '<']).next());
                        names.extend(name.map(str::to_owned));
                    }
                }
            }
        }
    }
    names
}
