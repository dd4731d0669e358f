//! Keys that take over from others, and hand over to them.

use icn_identity::rotation::{KeyCommitment, RotatedKey, RotationReason, RotationTerms};
use icn_identity::{DidSigner, DidSignerExt as _, RotationChain, RotationStatement};

use super::strangers;
use crate::conformance::Fixture;
use crate::conformance::fixture::in_each_form;

pub(crate) fn goes_on<F: Fixture>(it: &F) {
    in_each_form!(it, F, key => takes_over_and_hands_over(&key));
}

/// From a key of each algorithm to this one, and on to another that was committed to.
fn takes_over_and_hands_over<S: DidSigner>(ours: &S) {
    let terms = || RotationTerms::new(RotationReason::Scheduled);
    for (first, last) in strangers().iter().zip(&strangers()) {
        let committed = terms().commit_to(KeyCommitment::to(last.verifying_key()));
        let statement = RotationStatement::sign_unguarded(first, ours, None, &committed).unwrap();
        states(statement.old(), first);
        states(statement.new_key(), ours);
        let chain = RotationChain::verify([statement]).unwrap();
        assert_eq!(chain.follow(first.did()).unwrap(), ours.did());

        let sign = |to: &dyn DidSigner| {
            RotationStatement::sign_unguarded(ours, to, Some(&chain), &terms())
        };
        for other in strangers() {
            sign(&other).unwrap_err();
        }
        let statement = sign(last).unwrap();
        states(statement.old(), ours);
        let chain = chain.continued(statement).unwrap();
        let read = RotationChain::from_json(&chain.to_json()).unwrap();
        assert_eq!(read, chain);
        assert_eq!(read.follow(first.did()).unwrap(), last.did());
        assert_eq!(read.follow(ours.did()).unwrap(), last.did());
    }
}

/// What a statement says of a key is what its evidence shows.
fn states<S: DidSigner>(stated: &RotatedKey, key: &S) {
    assert_eq!(stated.did(), key.did());
    let claimed = (stated.claimed_provenance(), stated.claimed_assurance());
    assert_eq!(claimed, (key.provenance(), key.assurance()));
}
