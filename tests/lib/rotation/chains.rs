//! Chains that hold.

use icn_identity::rotation::RotationStep;
use icn_identity::{DidMethod, ProvenanceKind};
use serde_json::Value;

use super::craft;
use super::*;

#[test]
fn a_pin_follows_a_chain_of_three_forward_and_nothing_else() {
    let keys = software_keys::<4>();
    let chain = chain_of(&keys);
    let last = keys[3].did();
    assert_eq!((chain.first_did(), chain.current()), (keys[0].did(), last));
    for key in &keys {
        assert_eq!(chain.follow(key.did()).unwrap(), last);
    }
    let stranger = software();
    let other = Did::from_key(DidMethod::Key, keys[0].verifying_key()).unwrap();
    for did in [stranger.did(), &other] {
        let error = chain.follow(did).unwrap_err();
        assert!(matches!(&error, RotationError::NotInChain { did: named } if named == did));
        assert!(error.help().unwrap().contains("keep the DID that you have"));
    }
    // Who has followed once is not led back by a chain without its end.
    let shorter = RotationChain::verify(statements(&chain).into_iter().take(2)).unwrap();
    assert_eq!(shorter.current(), keys[2].did());
    assert!(matches!(shorter.follow(last), Err(RotationError::NotInChain { .. })));
}

#[test]
fn the_order_does_not_matter_and_what_is_there_twice_counts_once() {
    let chain = chain_of(&software_keys::<4>());
    let mut mixed = statements(&chain);
    mixed.reverse();
    mixed.extend(statements(&chain));
    assert_eq!(RotationChain::verify(mixed).unwrap(), chain);
    let last = statements(&chain).pop().unwrap();
    assert_eq!(chain.continued(last).unwrap(), chain);
}

#[test]
fn what_is_written_reads_back_and_is_canonical() {
    let chain = chain_of(&software_keys::<4>());
    let json = chain.to_json();
    assert_eq!(RotationChain::from_json(&json).unwrap(), chain);
    let value: Value = serde_json::from_slice(&json).unwrap();
    assert_eq!(craft::canonical(&value), json);
    for (statement, value) in chain.statements().zip(value.as_array().unwrap()) {
        let json = statement.to_json();
        assert_eq!(json, craft::canonical(value));
        assert_eq!(&RotationStatement::from_json(&json).unwrap(), statement);
        assert_eq!(craft::hex(statement.sha256()), craft::sha256(&value["statement"]));
    }
    // Spaces and another order of names say the same.
    let pretty = serde_json::to_vec_pretty(&value).unwrap();
    assert_eq!(RotationChain::from_json(&pretty).unwrap(), chain);
}

/// Every byte of the format is as documented: a second implementation makes the
/// same one.
#[test]
fn the_format_is_as_documented() {
    let [a, b, c] = software_keys();
    let mut one = craft::body(&a, &b, None);
    let key = [&[0xed, 0x01], c.verifying_key().as_bytes()].concat();
    let commitment = <sha2::Sha256 as sha2::Digest>::digest(key);
    one["next_key_sha256"] = craft::hex(&commitment).into();
    let two = craft::body(&b, &c, Some(&one));
    let crafted = Value::from(vec![craft::signed(&one, &a, &b), craft::signed(&two, &b, &c)]);
    assert_eq!(chain_of(&[a, b, c]).to_json(), craft::canonical(&crafted));
}

#[test]
fn the_commitment_to_a_p256_key_is_over_its_multikey_bytes() {
    let key = HighS::key(7);
    let bytes = [&[0x80, 0x24], key.verifying_key().as_bytes()].concat();
    let expected: [u8; 32] = <sha2::Sha256 as sha2::Digest>::digest(&bytes).into();
    let commitment = KeyCommitment::to(key.verifying_key());
    assert_eq!(commitment, KeyCommitment::from_bytes(expected));
    // The same bytes as in its did:key.
    let text = key.did().as_str().strip_prefix("did:key:z").unwrap();
    assert_eq!(bs58::decode(text).into_vec().unwrap(), bytes);
}

#[test]
fn each_step_says_whether_it_was_committed_to() {
    let keys = software_keys::<4>();
    let chain = chain_of(&keys);
    let committed: Vec<_> = chain.steps().map(|step| step.was_committed()).collect();
    assert_eq!(committed, [false, true, true]);
    assert_eq!(chain.commitment(), None);
    let first: RotationStep<'_> = chain.steps().next().unwrap();
    assert!(first.statement().next_key().unwrap().is_to(keys[2].verifying_key()));
    let sequences: Vec<_> = chain.statements().map(RotationStatement::sequence).collect();
    assert_eq!(sequences, [1, 2, 3]);
    assert_eq!(first.statement().time(), NEW_YEAR);
    assert_eq!(first.statement().reason(), RotationReason::Scheduled);
    assert_eq!(first.statement().old().claimed_provenance(), ProvenanceKind::Software);
}

#[test]
fn a_commitment_is_to_the_key_and_each_did_of_it_honours_it() {
    let [a, b] = software_keys();
    let seed = [9; 32];
    let c = Key::<Software, Unlocked>::from_seed(&seed);
    let as_did_key = Did::from_key(DidMethod::Key, c.verifying_key()).unwrap();
    let statement =
        RotationStatement::sign_unguarded(&a, &b, None, &committing_to(&as_did_key)).unwrap();
    let chain = RotationChain::verify([statement]).unwrap();
    let chain = next(&chain, &b, &c, &terms()).unwrap();
    assert_eq!(chain.current(), c.did());
    assert!(chain.steps().last().unwrap().was_committed());
}

#[test]
fn the_longest_chain_reads_back_and_no_longer_one_is_made() {
    use icn_identity::rotation::MAX_STATEMENTS;
    let length = usize::try_from(MAX_STATEMENTS).unwrap();
    let keys: Vec<_> = (0..length + 2).map(|_| software()).collect();
    let chain = chain_of(&keys[..=length]);
    assert_eq!(chain.statements().count(), length);
    assert_eq!(RotationChain::from_json(&chain.to_json()).unwrap(), chain);
    let one_more = next(&chain, &keys[length], &keys[length + 1], &terms()).unwrap_err();
    assert!(matches!(one_more, RotationError::TooMany), "{one_more}");
}

#[test]
fn as_many_of_the_longest_statements_fit_into_a_file() {
    use icn_identity::rotation::{MAX_FILE_LEN, MAX_STATEMENTS};
    // DIDs of P-256 are the longest, and the second statement has every field.
    let keys = [1, 2, 3, 4].map(HighS::key);
    let longest = RotationTerms::new(RotationReason::Compromised)
        .at(at(253_402_300_799))
        .commit_to(KeyCommitment::to(keys[3].verifying_key()));
    let chain = next(&first(&keys[0], &keys[1]), &keys[1], &keys[2], &longest).unwrap();
    let statement = statements(&chain)[1].to_json().len();
    // More digits of the number; longer words for provenance and assurance.
    let longest = statement + 2 + 2 * ("device-held".len() + "remote-service".len());
    let all = longest * usize::try_from(MAX_STATEMENTS).unwrap();
    assert!(all < MAX_FILE_LEN, "{longest} each: {all}");
}
