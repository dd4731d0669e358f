//! Chains of rotations, by properties.

use std::sync::LazyLock;

use icn_identity::rotation::{KeyCommitment, RotationReason, RotationTerms};
use icn_identity::{Key, RotationChain, RotationStatement, Software, Unlocked};
use proptest::prelude::*;

/// Three keys, with every field, and the chain as it is published.
static CHAIN: LazyLock<(RotationChain, Vec<u8>)> = LazyLock::new(|| {
    let [a, b, c] = [1, 2, 3].map(|byte| Key::<Software, Unlocked>::from_seed(&[byte; 32]));
    let terms = RotationTerms::new(RotationReason::Upgrade);
    let committed = terms.clone().commit_to(KeyCommitment::to(c.verifying_key()));
    let one = RotationStatement::sign_unguarded(&a, &b, None, &committed).unwrap();
    let chain = RotationChain::verify([one]).unwrap();
    let two = RotationStatement::sign_unguarded(&b, &c, Some(&chain), &terms).unwrap();
    let chain = chain.continued(two).unwrap();
    let json = chain.to_json();
    (chain, json)
});

/// Refused, or the same chain: a change that says something else is not taken.
fn refused_or_the_same(json: &[u8]) -> bool {
    let (chain, _) = &*CHAIN;
    RotationChain::from_json(json).map_or(true, |read| read == *chain)
}

/// Every bit of every byte, and every length.
#[test]
fn no_bit_of_a_chain_can_be_changed_and_none_left_out() {
    let (_, json) = &*CHAIN;
    for at in 0..json.len() {
        let mut changed = json.clone();
        for bit in 0..8 {
            if let Some(byte) = changed.get_mut(at) {
                *byte ^= 1 << bit;
            }
            assert!(refused_or_the_same(&changed), "bit {bit} of byte {at}");
            if let Some(byte) = changed.get_mut(at) {
                *byte ^= 1 << bit;
            }
        }
        assert!(RotationChain::from_json(json.get(..at).unwrap()).is_err(), "{at} bytes");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1024))]

    #[test]
    fn a_byte_that_is_changed_is_noticed(at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut json = CHAIN.1.clone();
        let at = at.index(json.len());
        if let Some(place) = json.get_mut(at) {
            *place = byte;
        }
        prop_assert!(refused_or_the_same(&json));
    }

    #[test]
    fn bytes_put_in_or_taken_out_are_noticed(
        at in any::<prop::sample::Index>(),
        out in 0_usize..4,
        put in prop::collection::vec(any::<u8>(), 0..4),
    ) {
        let mut json = CHAIN.1.clone();
        let at = at.index(json.len());
        let end = json.len().min(at + out);
        json.splice(at..end, put);
        prop_assert!(refused_or_the_same(&json));
    }

    #[test]
    fn reading_a_rotation_never_panics(json in prop::collection::vec(any::<u8>(), 0..200), text in "[\\[\\]{}\":,a-z0-9. -]{0,200}") {
        prop_assert!(RotationChain::from_json(&json).is_err());
        prop_assert!(RotationChain::from_json(text.as_bytes()).is_err());
        prop_assert!(RotationStatement::from_json(text.as_bytes()).is_err());
    }
}
