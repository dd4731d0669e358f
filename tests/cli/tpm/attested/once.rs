//! The secret of an activation: used once, and not lost where its use could not be told.

use std::fs::{self, File};
use std::path::Path;

use support::home::{Ran, run};

use super::super::node::WRONG;
use super::way::Way;

/// The same with a full disk behind standard output.
fn on_a_full_disk(way: &Way, command: &str, files: [&str; 2], more: &[&str]) -> i32 {
    let args = [&["--secret", files[0], "--answer", files[1]], more].concat();
    let mut command =
        way.judging(command, &way.file("attestation.json"), &way.file("c.json"), &args);
    let full = File::options().write(true).open("/dev/full").unwrap();
    command.stdout(full).output().unwrap().status.code().unwrap()
}

/// What is beside the files that were named.
fn beside(way: &Way) -> Vec<String> {
    let names = fs::read_dir(way.party.beside("")).unwrap();
    let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut found: Vec<_> = names.filter(|name| name.starts_with('.')).collect();
    found.sort();
    found
}

#[test]
fn a_secret_is_there_again_where_what_it_was_for_could_not_be_written() {
    let way = Way::new(&[]);
    let challenge = way.challenge("c.json");
    let attestation = way.create(&challenge, "attestation.json", &[]);
    let (secret, answer) = way.activate(&attestation, &challenge, "first");
    let files = [secret.as_str(), &answer];
    let ok = |ran: Ran| assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
    let kept = fs::read(&secret).unwrap();
    assert_ne!(on_a_full_disk(&way, "endorse", files, &["--valid-for", "90d"]), 0);
    assert_ne!(on_a_full_disk(&way, "verify", files, &[]), 0);
    assert_eq!(fs::read(&secret).unwrap(), kept);
    let all = ["--secret", &secret, "--answer", &answer];
    let endorse = [&all[..], &["--valid-for", "90d"]].concat();
    ok(way.judge("endorse", &attestation, &challenge, &endorse));
    assert!(!Path::new(&secret).exists());
    // A word that is written is one, whether or not that can be told.
    let (secret, answer) = way.activate(&attestation, &challenge, "second");
    let endorsement = way.file("endorsement.json");
    let more = ["--valid-for", "90d", "-o", &endorsement];
    assert_ne!(on_a_full_disk(&way, "endorse", [&secret, &answer], &more), 0);
    assert!(Path::new(&endorsement).exists() && !Path::new(&secret).exists());
    // An answer that is wrong uses it up, and it is told so.
    let (secret, _) = way.activate(&attestation, &challenge, "third");
    assert_ne!(on_a_full_disk(&way, "verify", [&secret, &answer], &[]), 0);
    assert!(Path::new(&secret).exists());
    let wrong = ["--secret", &secret, "--answer", &answer];
    assert_eq!(way.judge("verify", &attestation, &challenge, &wrong).code, 1);
    assert!(!Path::new(&secret).exists());
    assert_eq!(beside(&way), [""; 0], "nothing is left there");
}

/// With a passphrase that would be refused: of each of these it is said first what is wrong.
#[test]
fn whatever_is_wrong_with_an_endorsement_is_said_before_the_endorsers_key_is_opened() {
    let way = Way::new(&[]);
    let challenge = way.challenge("c.json");
    let attestation = way.create(&challenge, "attestation.json", &[]);
    let (secret, answer) = way.activate(&attestation, &challenge, "first");
    let other_challenge = way.challenge("d.json");
    let other = way.create(&other_challenge, "other.json", &[]);
    let none = way.file("nothing.json");
    let said = |attestation: &str, challenge: &str, [secret, answer]: [&str; 2]| {
        let files = ["--secret", secret, "--answer", answer, "--valid-for", "9d"];
        let mut endorse = way.judging("endorse", attestation, challenge, &files);
        let ran = run(endorse.env("ICN_PASSPHRASE", "not this one"), b"");
        assert_ne!(ran.code, 0);
        (format!("{}{}", ran.out, ran.err), ran.code)
    };
    let (told, code) = said(&attestation, &challenge, [&secret, &answer]);
    assert!(told.contains("passphrase"), "{told}");
    for (what, attestation, challenge, files) in [
        ("no secret", &attestation, &challenge, [none.as_str(), &answer]),
        ("no answer", &attestation, &challenge, [&secret, &none]),
        ("no secret but an answer", &attestation, &challenge, [&answer, &answer]),
        ("another challenge", &attestation, &other_challenge, [&secret, &answer]),
        ("another attestation", &other, &other_challenge, [&secret, &answer]),
    ] {
        let (told, other_code) = said(attestation, challenge, files);
        assert!(!told.contains("passphrase") && other_code != code, "{what}: {told}");
        assert!(Path::new(&secret).exists(), "{what}");
    }
    // By the attested key itself, with a PIN that would cost a try.
    let [option, file] = way.node.pin_file(WRONG);
    let (anchors, did) = (way.file("anchors"), way.did());
    let mut own = vec!["attestation", "endorse", &attestation, "--challenge", &challenge];
    own.extend(["--anchors", &anchors, "--did", &did, "--secret", &secret, "--answer", &answer]);
    own.extend(["--valid-for", "9d", &option, &file]);
    way.node.fails(&own, &["vouches for its own attestation key"]);
    assert!(Path::new(&secret).exists());
}
