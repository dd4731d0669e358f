//! Who has kept the chain that was followed is not led off by a thief's.

use icn_identity::DidMethod;
use serde_json::json;

use super::craft;
use super::*;

/// From `a` to `b`, committing to `c`.
fn committed(
    a: &Key<Software, Unlocked>,
    b: &Key<Software, Unlocked>,
    c: &Key<Software, Unlocked>,
) -> RotationChain {
    let statement = RotationStatement::sign_unguarded(a, b, None, &committing_to(c.did())).unwrap();
    RotationChain::verify([statement]).unwrap()
}

#[test]
fn a_chain_extends_itself_and_each_of_its_beginnings_and_nothing_longer() {
    let keys = software_keys::<5>();
    let chain = chain_of(&keys);
    let beginnings: Vec<_> = (1..=4)
        .map(|length| RotationChain::verify(statements(&chain).into_iter().take(length)).unwrap())
        .collect();
    for (index, known) in beginnings.iter().enumerate() {
        for longer in &beginnings[index..] {
            longer.extends(known).unwrap();
        }
        for shorter in &beginnings[..index] {
            let error = shorter.extends(known).unwrap_err();
            assert!(
                matches!(&error, RotationError::NotInChain { did } if did == known.current()),
                "{error}"
            );
        }
    }
    let strange = chain_of(&software_keys::<3>());
    assert!(matches!(strange.extends(&chain), Err(RotationError::NotInChain { .. })));
}

/// The thief has the key of `b`, and leaves out the statement that commits.
#[test]
fn a_thief_who_leaves_the_commitment_out_is_found_by_who_kept_the_chain() {
    let [a, b, c, thief] = software_keys();
    let known = committed(&a, &b, &c);
    let evil = first(&b, &thief);
    // A bare pin has no protection: this is why the chain is to be kept.
    assert_eq!(evil.follow(b.did()).unwrap(), thief.did());
    let broken = |evil: &RotationChain, number: u64| {
        let error = evil.extends(&known).unwrap_err();
        let RotationError::CommitmentBroken { sequence, did } = &error else { panic!("{error}") };
        assert_eq!((*sequence, did), (number, thief.did()));
        assert!(error.to_string().ends_with("its old key had committed to another key"));
        assert!(error.help().unwrap().contains("is a thief's"));
    };
    broken(&evil, 1);
    // With a predecessor of the thief's own, that commits to the thief's key.
    let own = software();
    let forged = committed(&own, &b, &thief);
    broken(&next(&forged, &b, &thief, &terms()).unwrap(), 2);
    // Further on, and under the key's other DID.
    broken(&next(&evil, &thief, &software(), &terms()).unwrap(), 1);
    let mut body = craft::body(&b, &thief, None);
    body["old"]["did"] = Did::from_key(DidMethod::Key, b.verifying_key()).unwrap().as_str().into();
    let evil = json!([craft::signed(&body, &b, &thief)]);
    broken(&RotationChain::from_json(evil.to_string().as_bytes()).unwrap(), 1);

    let owners = next(&known, &b, &c, &terms()).unwrap();
    owners.extends(&known).unwrap();
}

#[test]
fn a_key_that_the_known_chain_rotated_otherwise_is_a_fork() {
    let [a, b, c, thief] = software_keys();
    let short = committed(&a, &b, &c);
    let known = next(&short, &b, &c, &terms()).unwrap();
    for (stolen, key) in [(first(&a, &thief), &a), (first(&b, &thief), &b)] {
        let RotationError::Fork(fork) = stolen.extends(&known).unwrap_err() else { panic!() };
        assert_eq!(fork.old(), key.did());
        assert_eq!(fork.branches().len(), 2);
    }
}

#[test]
fn another_history_of_the_same_did_is_no_continuation() {
    let [a, b, c, thief] = software_keys();
    let uncommitted = first(&a, &b);
    let other = first(&software(), &b);
    let honoured = first(&b, &c);
    for (chain, known) in [
        (&first(&b, &thief), &uncommitted),
        (&other, &uncommitted),
        (&next(&other, &b, &c, &terms()).unwrap(), &uncommitted),
        // To the key that was committed to: still not what was followed.
        (&honoured, &committed(&a, &b, &c)),
    ] {
        let error = chain.extends(known).unwrap_err();
        assert!(
            matches!(&error, RotationError::NotAContinuation { did } if did == b.did()),
            "{error}"
        );
        assert!(error.help().unwrap().contains("do not follow it"));
    }
}

/// Only the words count: who signed them again has said nothing else.
#[test]
fn the_same_words_signed_again_are_continued() {
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    use ed25519_dalek::hazmat::{ExpandedSecretKey, raw_sign};
    let [a, b, c] = software_keys();
    let body = craft::body(&a, &b, None);
    let good = craft::signed(&body, &a, &b);
    let signing = ed25519_dalek::SigningKey::from_bytes(a.expose_secret());
    let mut expanded = ExpandedSecretKey::from(a.expose_secret());
    expanded.hash_prefix[0] ^= 1;
    let message = craft::message("old", &body);
    let again = raw_sign::<sha2::Sha512>(&expanded, &message, &signing.verifying_key());
    let mut other = good.clone();
    other["signatures"]["old"] = STANDARD.encode(again.to_bytes()).into();
    let read = |value| RotationChain::from_json(json!([value]).to_string().as_bytes()).unwrap();
    let (known, again) = (read(good), read(other));
    assert_ne!(known, again);
    next(&again, &b, &c, &terms()).unwrap().extends(&known).unwrap();
}
