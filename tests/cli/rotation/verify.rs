//! `icnctl id rotation verify`: 0 valid, 1 not valid, 2 cannot be told.

use super::*;

struct Chain {
    file: String,
    old: Home,
    new: Home,
}

fn chain() -> Chain {
    let (old, new) = (identity(PASSPHRASE), identity(OTHER));
    Chain { file: rotated(&old, &new, &[]), old, new }
}

/// Without a home, a configuration or a credential.
fn verify(args: &[&str], stdin: &[u8]) -> Ran {
    let home = Home::new();
    let mut command = home.command(&[&["id", "rotation", "verify"], args].concat());
    command.env_remove("ICN_HOME");
    run(&mut command, stdin)
}

#[test]
fn a_chain_is_verified_without_a_home_from_a_file_or_standard_input() {
    let chain = chain();
    let ran = verify(&[&chain.file], b"");
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
    let present = format!("Present DID  {}\n", did(&chain.new));
    assert!(ran.out.contains(&present), "{}", ran.out);
    assert!(ran.out.contains("said to be software, assurance none"), "{}", ran.out);
    let bytes = std::fs::read(&chain.file).unwrap();
    let piped = verify(&["-"], &bytes);
    assert_eq!((piped.code, piped.out), (0, ran.out));
}

#[test]
fn what_is_pinned_and_expected_must_be_there() {
    let chain = chain();
    let (old, new, stranger) = (did(&chain.old), did(&chain.new), did(&identity(OTHER)));
    let file = &chain.file;
    assert_eq!(verify(&[file, "--from", &old, "--expect", &new], b"").code, 0);
    assert_eq!(verify(&[file, "--from", &new, "--expect", &new], b"").code, 0);
    let ran = verify(&[file, "--from", &stranger], b"");
    assert_eq!(ran.code, 1);
    let told = format!("not valid: {stranger} is not in the chain\n");
    assert!(ran.out.starts_with(&told) && ran.out.contains("keep the DID"), "{}", ran.out);
    // A pin does not go back.
    let ran = verify(&[file, "--from", &new, "--expect", &old], b"");
    assert_eq!(ran.code, 1);
    let wrong = format!("the present DID is {new}, not {old}");
    assert_eq!(ran.out, format!("not valid: {wrong}\n"));
    let ran = verify(&[file, "--expect", &old, "--format", "json"], b"");
    assert_eq!(ran.code, 1);
    let told: Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!((&told["valid"], &told["error"]), (&false.into(), &wrong.into()));
    assert_eq!(verify(&[file, "--from", "did:web:a"], b"").code, 2);
}

#[test]
fn a_changed_chain_is_not_valid() {
    let chain = chain();
    let good = std::fs::read_to_string(&chain.file).unwrap();
    let bad = good.replace("\"scheduled\"", "\"upgrade\"");
    let ran = verify(&["-"], bad.as_bytes());
    assert_eq!(ran.code, 1);
    let told = format!(
        "not valid: statement 1 was not signed by its old key, that of {}",
        did(&chain.old)
    );
    assert!(ran.out.starts_with(&told), "{}", ran.out);
    let ran = verify(&["-", "--format", "json"], bad.as_bytes());
    let report: Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!((ran.code, &report["valid"], &report["fork"]), (1, &false.into(), &Value::Null));
    assert!(report["error"].as_str().unwrap().contains("was not signed by its old key"));
    assert_eq!(verify(&["-"], b"[]").code, 1);
}

#[test]
fn what_cannot_be_read_is_neither_valid_nor_not_valid() {
    let chain = chain();
    let good = std::fs::read_to_string(&chain.file).unwrap();
    let newer = good.replace("\"version\":1", "\"version\":2");
    for (input, told) in [
        (&b"{"[..], "this is no rotation statement"),
        (newer.as_bytes(), "has version 2; this program reads version 1"),
        (&vec![b' '; 524_289], "are longer than 524288 bytes"),
    ] {
        let ran = verify(&["-"], input);
        assert_eq!((ran.code, ran.out.as_str()), (2, ""));
        assert!(ran.err.contains(told) && ran.err.contains("  try: "), "{}", ran.err);
    }
    let ran = verify(&["/nowhere/at/all"], b"");
    assert_eq!(ran.code, 2);
    assert!(ran.err.contains("cannot read /nowhere/at/all"), "{}", ran.err);
    // However long: no more than a chain can be is read.
    assert_eq!(verify(&["/dev/zero"], b"").code, 2);
}

/// The owner's statement and a thief's, from two places.
#[test]
fn two_files_of_one_key_are_a_fork_and_both_are_named() {
    let chain = chain();
    let thief = identity(OTHER);
    let stolen = rotated(&chain.old, &thief, &["--again"]);
    for file in [&chain.file, &stolen] {
        assert_eq!(verify(&[file], b"").code, 0, "alone nobody can tell");
    }
    let ran = verify(&[&chain.file, &stolen], b"");
    assert_eq!(ran.code, 1);
    for wanted in [
        &format!("not valid: the chain forks at {}\n", did(&chain.old)),
        &format!("  to {}\n", did(&chain.new)),
        &format!("  to {}\n", did(&thief)),
        "no commitment in advance",
        "try: follow neither",
    ] {
        assert!(ran.out.contains(wanted), "{wanted:?} in {}", ran.out);
    }
    let ran = verify(&[&chain.file, &stolen, "--format", "json"], b"");
    let report: Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!((ran.code, &report["valid"]), (1, &false.into()));
    assert_eq!(report["fork"]["did"], did(&chain.old));
    let branches = report["fork"]["branches"].as_array().unwrap();
    assert_eq!(branches.len(), 2);
    assert!(branches.iter().all(|branch| branch["honours_commitment"].is_null()));
}
