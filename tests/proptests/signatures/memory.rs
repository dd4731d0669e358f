//! Keys in memory: ours, and signers that somebody else wrote.

use icn_identity::AlgorithmId;

use super::{Fixture, round_trip, routes};
use crate::signers::BOTH;
use crate::signers::memory::{external, software};

/// With one bit changed; or a byte longer, if there is none.
pub(super) fn other_than(message: &[u8], bit: usize) -> Vec<u8> {
    let mut other = message.to_vec();
    match other.len() {
        0 => other.push(bit.to_le_bytes()[0]),
        length => other[bit / 8 % length] ^= 1 << (bit % 8),
    }
    other
}

#[test]
fn what_keys_in_memory_sign_verifies_everywhere_and_nothing_else_does() {
    let mut fixtures = vec![Fixture::of_key("software", AlgorithmId::Ed25519, software)];
    fixtures.extend(
        BOTH.map(|algorithm| Fixture::of_key("external", algorithm, move || external(algorithm))),
    );
    assert_eq!(BOTH.map(routes::count), [9, 9]);
    round_trip(&fixtures, 3 * 3 * 9);
}
