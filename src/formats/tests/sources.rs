//! Every source that reads a format is in the table.

use std::collections::BTreeSet;
use std::path::Path;

use super::super::FORMATS;

/// What reads something, and is no format by itself; and why.
const NO_FORMAT: [(&str, &str); 20] = [
    ("src/agefile.rs", "whole files: age_files below, and the test kit of age"),
    ("src/agefile/file.rs", "as above"),
    ("src/agefile/memory.rs", "as above"),
    ("src/encoding/objects.rs", "JSON itself, of every format here"),
    ("src/encoding/name.rs", "names in other formats"),
    ("src/encoding/hex.rs", "hex in other formats"),
    ("src/encoding/base64.rs", "base64 in other formats"),
    ("src/algorithm/signature.rs", "64 bytes, whatever they are"),
    ("src/secret/seed.rs", "32 bytes, whatever they are"),
    ("src/attestation/device.rs", "names and versions in an operator's arguments"),
    ("src/audit/tail.rs", "the end of a file of lines"),
    ("src/evidence.rs", "what a device says, as values"),
    ("src/key/locked.rs", "an age file with a payload"),
    ("src/key/erased.rs", "keys"),
    ("src/key/software.rs", "keys"),
    ("src/key/hardware.rs", "keys"),
    ("src/key/at_rest.rs", "keys"),
    ("src/backend/tpm/properties.rs", "what a TPM says, as values"),
    ("src/keystore/refusals/tag.rs", "a text in refused.json"),
    ("src/config/error.rs", "an error of the configuration"),
];

fn product(text: &str) -> &str {
    text.split("#[cfg(test)]\nmod tests").next().unwrap()
}

/// Whether a source reads bytes or a text that somebody else may have written.
fn reads(text: &str) -> bool {
    let names = [
        "parse",
        "from_bytes",
        "from_json",
        "from_der",
        "from_str",
        "from_slice",
        "from_spki_der",
        "from_public_key_pem",
        "from_jwk",
        "from_armored",
        "unmarshall",
    ];
    let derives = text
        .lines()
        .any(|line| line.trim_start().starts_with("#[derive(") && line.contains("Deserialize"));
    derives
        || text.contains("> Deserialize<'de> for")
        || names.iter().any(|name| text.contains(&format!("fn {name}(")))
}

fn sources(directory: &Path, found: &mut Vec<String>) {
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            if path.file_name().is_none_or(|name| name != "bin" && name != "tests") {
                sources(&path, found);
            }
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let name = path.strip_prefix(env!("CARGO_MANIFEST_DIR")).unwrap();
            let is_test = path.file_stem().is_some_and(|stem| stem == "tests" || stem == "formats");
            if !is_test && reads(product(&std::fs::read_to_string(&path).unwrap())) {
                found.push(name.to_str().unwrap().to_owned());
            }
        }
    }
}

#[test]
fn every_source_that_reads_something_is_in_the_table_of_formats() {
    let mut found = Vec::new();
    sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut found);
    let listed: BTreeSet<&str> =
        FORMATS.iter().flat_map(|format| format.sources).copied().collect();
    let known: BTreeSet<&str> =
        listed.iter().copied().chain(NO_FORMAT.iter().map(|(source, _)| *source)).collect();
    let missing: Vec<_> = found.iter().filter(|source| !known.contains(source.as_str())).collect();
    assert!(missing.is_empty(), "no format in src/formats.rs has {missing:#?}");
    for source in known {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(source);
        assert!(path.is_file(), "{source} is in the table and is not there");
    }
    for (source, why) in NO_FORMAT {
        assert!(!why.is_empty() && !listed.contains(source), "{source} is listed twice");
    }
}

#[test]
fn a_source_that_reads_is_known_by_what_is_in_it() {
    assert!(reads("impl A {\n    pub fn parse(text: &str) -> Self {}"));
    assert!(reads("#[derive(Debug, Deserialize)]\nstruct A;"));
    assert!(!reads("fn write(&self) {}"));
    let names: BTreeSet<_> = FORMATS.iter().map(|format| format.name).collect();
    assert_eq!(names.len(), FORMATS.len(), "a name is there twice");
}
