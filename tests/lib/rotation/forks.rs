//! One key, rotated in two ways: reported, never resolved.

use icn_identity::rotation::Fork;
use serde_json::json;

use super::craft;
use super::*;

fn fork(result: Result<RotationChain, RotationError>) -> Fork {
    match result {
        Err(RotationError::Fork(fork)) => *fork,
        other => panic!("{other:?}"),
    }
}

fn both(one: &RotationChain, other: &RotationChain) -> Fork {
    fork(RotationChain::verify(statements(one).into_iter().chain(statements(other))))
}

/// Without a commitment made in advance, a thief of the old key can rotate as
/// well as the owner, and nobody who sees one branch alone can tell.
#[test]
fn a_thief_without_a_commitment_in_the_way_makes_a_fork() {
    let [a, b, owners, thiefs] = software_keys();
    let chain = first(&a, &b);
    let owners_chain = next(&chain, &b, &owners, &terms()).unwrap();
    // The thief has b's key, and is earlier.
    let thiefs_chain = next(&chain, &b, &thiefs, &terms()).unwrap();
    for (chain, new) in [(&owners_chain, &owners), (&thiefs_chain, &thiefs)] {
        assert_eq!(chain.follow(a.did()).unwrap(), new.did());
        assert!(chain.steps().all(|step| !step.was_committed()));
    }
    let fork = both(&owners_chain, &thiefs_chain);
    assert_eq!(fork.old(), b.did());
    let mut named: Vec<_> = fork.branches().iter().map(|branch| branch.new_did()).collect();
    named.sort_by_key(|did| did.to_string());
    let mut expected = vec![owners.did(), thiefs.did()];
    expected.sort_by_key(|did| did.to_string());
    assert_eq!(named, expected);
    for branch in fork.branches() {
        assert_eq!((branch.sequence(), branch.honours_commitment()), (2, None));
        assert_eq!((branch.time(), branch.reason()), (NEW_YEAR, RotationReason::Scheduled));
    }
    let told = fork.to_string();
    assert!(told.contains("was rotated in 2 ways: to did:icn:z"), "{told}");
    assert!(told.contains(owners.did().as_str()) && told.contains(thiefs.did().as_str()));
    // Whoever comes first: the other's statement is never just refused.
    let last = statements(&thiefs_chain).pop().unwrap();
    assert_eq!(self::fork(owners_chain.continued(last)), fork);
}

#[test]
fn a_commitment_stops_the_thief_and_a_fork_still_says_who_honours_it() {
    let [a, b, c, thief] = software_keys();
    let one = RotationStatement::sign_unguarded(&a, &b, None, &committing_to(c.did())).unwrap();
    let chain = RotationChain::verify([one]).unwrap();
    let honest = next(&chain, &b, &c, &terms()).unwrap();
    // This crate signs no such thing: the thief has code of their own.
    let mut stolen = craft::body(&b, &thief, None);
    stolen["sequence"] = 2.into();
    stolen["previous_sha256"] = craft::hex(statements(&chain)[0].sha256()).into();
    let stolen = craft::signed(&stolen, &b, &thief);
    let stolen = RotationStatement::from_json(stolen.to_string().as_bytes()).unwrap();
    // Shown alone, it is not believed.
    let error = chain.continued(stolen.clone()).unwrap_err();
    assert!(matches!(error, RotationError::CommitmentBroken { sequence: 2, .. }), "{error}");
    // Shown beside the owner's, it is a fork; one branch has the commitment for it.
    let fork = fork(honest.continued(stolen));
    for branch in fork.branches() {
        assert_eq!(branch.honours_commitment(), Some(branch.new_did() == c.did()));
    }
    let told = fork.to_string();
    assert!(
        told.contains(", as committed to)") && told.contains("AGAINST the commitment"),
        "{told}"
    );
}

#[test]
fn a_fork_at_the_first_statement_is_one_and_the_earliest_is_told() {
    let keys = software_keys::<4>();
    let chain = chain_of(&keys);
    let thief = software_keys::<2>();
    let stolen = first(&keys[0], &thief[0]);
    let stolen = next(&stolen, &thief[0], &thief[1], &terms()).unwrap();
    let also = next(&stolen, &thief[1], &software(), &terms()).unwrap();
    let again = next(&stolen, &thief[1], &software(), &terms()).unwrap();
    let all = [&chain, &also, &again].into_iter().flat_map(statements);
    let fork = fork(RotationChain::verify(all));
    assert_eq!(fork.old(), keys[0].did());
    assert_eq!(fork.branches().len(), 2);
}

/// A thief of a later key may leave out what was before it.
#[test]
fn a_stolen_key_that_denies_its_predecessors_forks_too() {
    let keys = software_keys::<4>();
    let chain = chain_of(&keys);
    let thief = software();
    let fork = both(&chain, &first(&keys[1], &thief));
    assert_eq!(fork.old(), keys[1].did());
    let sequences: Vec<_> = fork.branches().iter().map(|branch| branch.sequence()).collect();
    assert_eq!(sequences, [1, 2]);
    assert_eq!(fork.branches()[0].new_did(), thief.did());
    assert_eq!(fork.branches()[0].honours_commitment(), None);
    assert_eq!(fork.branches()[1].honours_commitment(), Some(true));
}

#[test]
fn other_words_about_the_same_two_keys_are_a_fork() {
    let [a, b] = software_keys();
    let later = RotationTerms::new(RotationReason::Manual).at(at(NEW_YEAR + 60));
    let later = RotationStatement::sign_unguarded(&a, &b, None, &later).unwrap();
    let fork = fork(first(&a, &b).continued(later));
    assert_eq!(fork.branches().len(), 2);
    assert!(fork.branches().iter().all(|branch| branch.new_did() == b.did()));
    assert_ne!(fork.branches()[0].sha256(), fork.branches()[1].sha256());
}

/// Ed25519 keys can sign the same words in many ways. That is no second
/// statement.
#[test]
fn the_same_words_signed_again_are_no_fork() {
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    use ed25519_dalek::hazmat::{ExpandedSecretKey, raw_sign};
    let [a, b] = software_keys();
    let body = craft::body(&a, &b, None);
    let good = craft::signed(&body, &a, &b);
    let signing = ed25519_dalek::SigningKey::from_bytes(a.expose_secret());
    let mut expanded = ExpandedSecretKey::from(a.expose_secret());
    expanded.hash_prefix[0] ^= 1;
    let message = craft::message("old", &body);
    let again = raw_sign::<sha2::Sha512>(&expanded, &message, &signing.verifying_key());
    let mut other = good.clone();
    other["signatures"]["old"] = STANDARD.encode(again.to_bytes()).into();
    assert_ne!(good, other);
    let chain = RotationChain::from_json(json!([good, other]).to_string().as_bytes()).unwrap();
    assert_eq!(chain.statements().count(), 1);
    assert_eq!(chain.current(), b.did());
}
