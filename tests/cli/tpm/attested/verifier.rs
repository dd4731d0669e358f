//! A relying party whose `icnctl` was built without TPMs: it has no tss2, and no device.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use support::cargo::cargo;
use support::home::{Home, Ran};

use super::way::Way;

/// Builds it in a folder of its own, so that the one of the other tests stays.
fn without_tpms() -> PathBuf {
    // `target/debug/deps/cli-...`
    let target = std::env::current_exe().unwrap().ancestors().nth(3).unwrap().join("verifier");
    let built = cargo()
        .args(["build", "--quiet", "--locked", "--offline", "--no-default-features"])
        .args(["--features", "cli,attestation", "--package", "icn-identity", "--bin", "icnctl"])
        .env("CARGO_TARGET_DIR", &target)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .status();
    assert!(built.unwrap().success());
    target.join("debug/icnctl")
}

#[test]
fn the_whole_way_is_verified_by_a_program_that_was_built_without_tpms() {
    let program = without_tpms();
    let linked = Command::new("ldd").arg(&program).output().unwrap();
    let linked = String::from_utf8(linked.stdout).unwrap();
    assert!(linked.contains("libc.so") && !linked.contains("tss2"), "{linked}");
    let way = Way::with(&[], Home::new().by(program.clone()));
    let ok = |ran: Ran| {
        assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
        ran.out
    };
    let challenge = way.challenge("challenge.json");
    let attestation = way.create(&challenge, "attestation.json", &[]);
    let (secret, answer) = way.activate(&attestation, &challenge, "first");
    let files = ["--secret", &secret, "--answer", &answer];
    let told = ok(way.judge("verify", &attestation, &challenge, &files));
    assert!(told.contains("; AK activated by you\n"), "{told}");
    let (secret, answer) = way.activate(&attestation, &challenge, "second");
    let endorsement = way.file("endorsement.json");
    let files =
        ["--secret", &secret, "--answer", &answer, "--valid-for", "90d", "-o", &endorsement];
    ok(way.judge("endorse", &attestation, &challenge, &files));
    let endorser = way.party.show()["did"].as_str().unwrap().to_owned();
    // Somebody else, who believes that one.
    let challenge = way.challenge("later.json");
    let attestation = way.create(&challenge, "later-answer.json", &["--endorsement", &endorsement]);
    let other = Home::new().by(program);
    let copied = |file: &str| {
        let to = other.beside(PathBuf::from(file).file_name().unwrap().to_str().unwrap());
        fs::copy(file, &to).unwrap();
        to.to_str().unwrap().to_owned()
    };
    let (attestation, challenge) = (copied(&attestation), copied(&challenge));
    let (anchors, did) = (way.file("anchors"), way.did());
    let verify = ["attestation", "verify", &attestation, "--challenge", &challenge, "--did", &did];
    let believed = ["--anchors", &anchors, "--endorsed-by", &endorser];
    let told = ok(other.icnctl(&[&verify[..], &believed].concat(), b""));
    assert!(told.contains(&format!("; AK vouched for by {endorser}\n")), "{told}");
    let nobody = other.icnctl(&[&verify[..], &believed[..2]].concat(), b"");
    assert_eq!(nobody.code, 1, "{}{}", nobody.out, nobody.err);
    // It has no TPM to answer by.
    let answer = other.icnctl(&["attestation", "answer", &challenge], b"");
    assert!(answer.code != 0 && answer.out.is_empty(), "{}", answer.out);
}
