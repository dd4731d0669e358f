//! What must not compile, with the compiler's exact answer, and beside each
//! case a twin that differs by the fix and does compile.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

const CASES: &str = "cases";
const TWINS: &str = "pass";

#[test]
fn cases_fail_as_told() {
    let cases = trybuild::TestCases::new();
    // No `pass` beside them: it would make them built, one by one, and not
    // checked together. That the project takes what is right is shown before: it
    // depends on the twins.
    cases.compile_fail("cases/*.rs");
}

/// That they compile is shown by this file's having a crate to use.
#[test]
fn every_twin_is_compiled() {
    let compiled: BTreeSet<String> =
        compile_fail::NAMES.iter().map(|name| (*name).to_owned()).collect();
    assert_eq!(compiled, names(TWINS, "rs"));
}

fn names(directory: &str, extension: &str) -> BTreeSet<String> {
    fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(directory))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|found| found == extension))
        .map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned())
        .collect()
}

fn read(path: String) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

#[test]
fn every_case_is_short_and_has_its_answer_and_its_twin() {
    let cases = names(CASES, "rs");
    assert!(cases.len() >= 80, "{} cases", cases.len());
    assert_eq!(cases, names(CASES, "stderr"));
    assert_eq!(cases, names(TWINS, "rs"));
    for name in &cases {
        let lines = read(format!("{CASES}/{name}.rs")).lines().count();
        assert!(lines <= 20, "{name} has {lines} lines");
    }
}

/// The standard library's source is not on every machine, and what it says
/// changes: no answer quotes it.
#[test]
fn no_answer_quotes_the_standard_library() {
    for name in names(CASES, "stderr") {
        let answer = read(format!("{CASES}/{name}.stderr"));
        assert!(!answer.contains("$RUST") && !answer.contains("/rustc/"), "{name}:\n{answer}");
    }
}

/// Where a user meets one of our rules, the answer is in our words.
#[test]
fn answers_are_in_our_words() {
    let ours = [
        ("secret_bytes_of_", ["error[E0277]: `", "` does not expose secret bytes"]),
        (
            "hardware_key_where_a_secret_is_demanded",
            ["does not expose secret bytes", "call `sign`"],
        ),
        ("hardware_p256_key_where_a_secret_is_", ["does not expose secret bytes", "call `sign`"]),
        (
            "holding_a_locked_hardware_key",
            ["the type `Key<icn_identity::Hardware, icn_identity::Locked,", "does not exist"],
        ),
        (
            "holding_a_locked_tpm_sealed_key",
            ["Key<icn_identity::TpmSealed, icn_identity::Locked,", "does not exist"],
        ),
        (
            "holding_a_tpm_sealed_p256_key",
            ["P256>` does not exist", "A TPM creates its P-256 keys"],
        ),
        (
            "holding_a_software_p256_key",
            ["P256>` does not exist", "never holds a P-256 private key"],
        ),
        (
            "passing_a_sealed_software_key",
            ["`Key<icn_identity::Software, Sealed,", "does not exist"],
        ),
        (
            "building_a_sealed_external_key",
            ["`Key<icn_identity::External, Sealed,", "does not exist"],
        ),
        ("tpm_sealed_where_a_provenance_of_p256_", ["is not a provenance of `", "P256` keys"]),
        (
            "bundle_over_a_sealed_",
            ["` does not sign for a DID", "or `unseal(&pin)` on a `Sealed` one"],
        ),
        ("attested_software_", ["no maker of a device attests", "exist"]),
        ("attested_external_", ["no maker of a device attests", "exist"]),
        (
            "attested_tpm_sealed_",
            ["a TPM vouches that sealed data exists, not for", "Use a P-256 key of the TPM"],
        ),
        ("implementing_attestable", ["cannot implement a sealed trait", "decides what a key is"]),
        ("software_key_as_hardware_backed", ["is not confined to a device", "signs in memory"]),
        ("device_held_bundle_where_", ["no evidence shows that `", "` never left its device"]),
        ("device_held_key_where_never_", ["no evidence shows that `", "` never left its device"]),
        ("device_held_p256_key_where_", ["no evidence shows that `", "` never left its device"]),
        ("sealed_key_where_never_", ["no evidence shows that `", "` never left its device"]),
        (
            "sealed_p256_key_where_never_",
            ["no evidence shows that `", "call `unseal`, which reads it"],
        ),
        ("tpm_sealed_key_where_never_", ["no evidence shows that `", "in a TPM: a P-256 key"]),
        ("tpm_sealed_key_where_confined_", ["` is not confined to a device", "signs in memory"]),
        ("external_p256_key_where_", ["` is not confined to a device", "its location is unknown"]),
        ("external_key_where_", ["` is not confined to a device", "its location is unknown"]),
        ("forging_a_provenance", ["`Key<Mine, Unlocked,", "does not exist"]),
        ("holding_a_key_of_any_provenance", ["`Key<P, Unlocked,", "add the bound `P: Provenance`"]),
        (
            "signing_with_a_key_that_is_only_held",
            ["`P` is not a provenance", "icn_identity::Provenance"],
        ),
        ("generating_a_hardware_key", ["cannot be created in memory", "`Backend::create`"]),
        ("making_a_hardware_key_from_a_seed", ["cannot be created in memory", "`Backend::create`"]),
        (
            "sealed_key_where_a_signer_",
            ["does not sign for a DID", "or `unseal(&pin)` on a `Sealed` one"],
        ),
        ("optional_key_where_a_signer_", ["does not sign", "out of an `Option`"]),
        ("own_type_where_a_signer_", ["`CloudKey` does not sign", "implement `DidSigner`"]),
        ("forging_a_state.", ["cannot implement a sealed trait", "from_external"]),
        ("forging_never_exposed_for_an_own_type", ["is not confined", "its location is unknown"]),
        (
            "forging_confined_for_an_own_type",
            ["cannot implement a sealed trait", "decides what a key is"],
        ),
        ("forging_a_state_of_", ["`Mine` is not a key state", "`Locked`, `Sealed` or `Unlocked`"]),
    ];
    let answers = names(CASES, "stderr");
    for (start, text) in ours {
        let mut seen = 0;
        for name in answers.iter().filter(|name| format!("{name}.").starts_with(start)) {
            let answer = read(format!("{CASES}/{name}.stderr"));
            let told = text.iter().all(|text| answer.contains(text));
            assert!(told, "{name}: {text:?}\n{answer}");
            seen += 1;
        }
        assert!(seen > 0, "no case {start}");
    }
}
