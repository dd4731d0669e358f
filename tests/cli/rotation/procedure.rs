//! The published procedure: a chain verified with `jq`, `openssl` and nothing of
//! ours.

use support::home::openssl_verifies;

use super::*;

/// As in docs/rotation.md.
fn jq(file: &str, program: &str) -> String {
    let ran = run(std::process::Command::new("jq").args(["-cSj", program, file]), b"");
    assert_eq!(ran.code, 0, "jq (Debian: jq): {}", ran.err);
    ran.out
}

#[test]
fn jq_and_openssl_verify_a_chain_too() {
    let (one, two, three) = (identity(PASSPHRASE), identity(OTHER), identity(OTHER));
    let next = did(&three);
    rotated(&one, &two, &["--commit-next", &next]);
    let file = rotated(&two, &three, &[]);
    for index in 0..2 {
        for (role, home) in [("old", [&one, &two][index]), ("new", [&two, &three][index])] {
            let statement =
                jq(&file, &format!(".[{index}] | {{role: \"{role}\", statement: .statement}}"));
            let message = [b"icn-identity/rotation/v1\0", statement.as_bytes()].concat();
            let signature = jq(&file, &format!(".[{index}].signatures.{role}"));
            let signature = signature.trim_matches('"');
            let key = home.show()["public_key"]["hex"].as_str().unwrap().to_owned();
            assert!(openssl_verifies(&home.beside(""), &key, &message, signature));
            let other = [b"icn-identity/rotation/v2\0", statement.as_bytes()].concat();
            assert!(!openssl_verifies(&home.beside(""), &key, &other, signature));
        }
    }
    let sha256 = |input: &[u8]| run(&mut std::process::Command::new("sha256sum"), input).out;
    let previous = jq(&file, ".[1].statement.previous_sha256");
    let hash = sha256(jq(&file, ".[0].statement").as_bytes());
    assert_eq!(previous.trim_matches('"'), hash.split(' ').next().unwrap());
    // The commitment: ed 01, then the key.
    let key = three.show()["public_key"]["hex"].as_str().unwrap().to_owned();
    let pairs = key.as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).unwrap());
    let bytes: Vec<u8> = pairs.map(|pair| u8::from_str_radix(pair, 16).unwrap()).collect();
    let hash = sha256(&[&[0xed, 0x01], &bytes[..]].concat());
    let committed = jq(&file, ".[0].statement.next_key_sha256");
    assert_eq!(committed.trim_matches('"'), hash.split(' ').next().unwrap());
}
