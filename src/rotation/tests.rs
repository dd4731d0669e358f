//! What a chain says to those who follow it.

use super::*;
use crate::did::DidMethod;
use crate::key::{Key, Software, Unlocked};

fn key(seed: u8) -> Key<Software, Unlocked> {
    Key::from_seed(&[seed; 32])
}

/// By the keys of these seeds, one after the other.
fn chain(seeds: &[u8]) -> RotationChain {
    let terms = RotationTerms::new(RotationReason::Scheduled);
    let mut chain: Option<RotationChain> = None;
    for pair in seeds.windows(2) {
        let (old, new) = (key(pair[0]), key(pair[1]));
        let next = RotationStatement::sign_unguarded(&old, &new, chain.as_ref(), &terms).unwrap();
        chain = Some(match chain {
            Some(chain) => chain.continued(next).unwrap(),
            None => RotationChain::verify([next]).unwrap(),
        });
    }
    chain.unwrap()
}

#[test]
fn a_key_that_was_handed_over_is_superseded_however_its_did_is_written() {
    let chain = chain(&[1, 2, 3]);
    for (seed, expected) in [(1, true), (2, true), (3, false), (4, false)] {
        for method in [DidMethod::Icn, DidMethod::Key] {
            let did = key(seed).with_did_method(method).did().clone();
            assert_eq!(chain.supersedes(did.verifying_key()), expected, "{did}");
        }
    }
}

#[test]
fn a_chain_leads_on_from_a_did_in_it_or_from_the_whole_chain_that_was_followed() {
    let long = chain(&[1, 2, 3]);
    let did = |seed| key(seed).did().clone();
    for seed in [1, 2, 3] {
        long.leads_on(&did(seed), None).unwrap();
    }
    let refused = long.leads_on(&did(4), None).unwrap_err();
    assert!(matches!(refused, RotationError::NotInChain { .. }), "{refused:?}");
    // Where a chain is known, the DID in which it ended is not enough.
    long.leads_on(&did(2), Some(&chain(&[1, 2]))).unwrap();
    let refused = long.leads_on(&did(2), Some(&chain(&[5, 2]))).unwrap_err();
    assert!(matches!(refused, RotationError::NotAContinuation { .. }), "{refused:?}");
}

#[test]
fn what_cannot_be_read_is_told_from_what_is_refused() {
    let unreadable = RotationChain::from_json(b"{}").unwrap_err();
    assert!(unreadable.is_unreadable(), "{unreadable:?}");
    let refused = chain(&[1, 2]).follow(key(4).did()).unwrap_err().is_unreadable();
    assert!(!refused);
}
