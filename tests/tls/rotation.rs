//! Pins that follow a chain of rotations.

use std::sync::Arc;

use icn_identity::peer::Refusal;
use icn_identity::rotation::{
    KeyCommitment, RotationChain, RotationError, RotationReason, RotationStatement, RotationTerms,
};
use icn_identity::tls::{DidVerifier, refusal_of};

use crate::wire::{Ended, handshake};
use crate::{Bundle, anybody, bundle};

fn rotated(from: &Bundle, to: &Bundle, before: Option<&RotationChain>) -> RotationChain {
    let terms = RotationTerms::new(RotationReason::Scheduled);
    let (old, new) = (from.signer(), to.signer());
    let statement = RotationStatement::sign_unguarded(old, new, before, &terms).unwrap();
    match before {
        Some(chain) => chain.continued(statement).unwrap(),
        None => RotationChain::verify([statement]).unwrap(),
    }
}

/// Whether the verifier accepts a server, in a handshake.
fn accepts(verifier: &Arc<DidVerifier>, server: &Bundle) -> bool {
    let client = bundle().tls_client(verifier).unwrap();
    let server_config = Arc::new(server.tls_server_config(&anybody()).unwrap());
    match handshake(&server_config, &(&client, server.did())) {
        Ok((_, client)) => {
            client.peer().unwrap();
            true
        }
        Err(Ended::ByClient(error)) => {
            let refusal = refusal_of(&error).unwrap();
            assert!(matches!(refusal, Refusal::NotExpected { .. }), "{refusal}");
            false
        }
        Err(ended) => panic!("{ended:?}"),
    }
}

#[test]
fn a_pin_follows_a_chain_and_the_old_key_is_refused_from_then_on() {
    let [one, two, three] = [bundle(), bundle(), bundle()];
    let short = rotated(&one, &two, None);
    let whole = rotated(&two, &three, Some(&short));

    let verifier = Arc::new(DidVerifier::pinned(one.did().clone()));
    assert_eq!([&one, &two, &three].map(|peer| accepts(&verifier, peer)), [true, false, false]);
    assert!(verifier.follow(&short).unwrap());
    assert_eq!([&one, &two, &three].map(|peer| accepts(&verifier, peer)), [false, true, false]);
    assert!(verifier.follow(&whole).unwrap());
    assert!(!verifier.follow(&whole).unwrap());
    assert_eq!([&one, &two, &three].map(|peer| accepts(&verifier, peer)), [false, false, true]);

    // A chain that was cut short leads nowhere back, nor does a stranger's.
    let strange = rotated(&bundle(), &bundle(), None);
    for chain in [&short, &strange] {
        let error = verifier.follow(chain).unwrap_err();
        assert!(matches!(&error, RotationError::NotInChain { did } if did == three.did()));
        assert!(accepts(&verifier, &three));
    }

    let from_the_start = Arc::new(DidVerifier::following(one.did(), &whole).unwrap());
    assert!(accepts(&from_the_start, &three) && !accepts(&from_the_start, &one));
    let error = DidVerifier::following(one.did(), &strange).unwrap_err();
    assert!(matches!(error, RotationError::NotInChain { .. }), "{error}");
}

#[test]
fn in_a_list_the_present_did_takes_the_place_of_each_earlier_one() {
    let [one, two, other] = [bundle(), bundle(), bundle()];
    let chain = rotated(&one, &two, None);
    let list = [one.did().clone(), other.did().clone()];
    let verifier = Arc::new(DidVerifier::allowed(list));
    let strange = rotated(&bundle(), &bundle(), None);
    assert!(!verifier.follow(&strange).unwrap());
    assert!(accepts(&verifier, &one));
    assert!(verifier.follow(&chain).unwrap());
    assert!(!verifier.follow(&chain).unwrap());
    assert_eq!([&one, &two, &other].map(|peer| accepts(&verifier, peer)), [false, true, true]);
    // What a callback decides, a chain does not change.
    assert!(!anybody().follow(&chain).unwrap());
}

fn committing(from: &Bundle, to: &Bundle, next: &Bundle) -> RotationChain {
    let terms = RotationTerms::new(RotationReason::Scheduled)
        .commit_to(KeyCommitment::to(next.did().verifying_key()));
    let statement =
        RotationStatement::sign_unguarded(from.signer(), to.signer(), None, &terms).unwrap();
    RotationChain::verify([statement]).unwrap()
}

/// The thief has the key of `two`, and leaves out the statement that commits.
#[test]
fn a_pin_that_followed_a_commitment_is_not_led_off_by_a_thief() {
    let [one, two, three, thief] = [bundle(), bundle(), bundle(), bundle()];
    let known = committing(&one, &two, &three);
    let owners = rotated(&two, &three, Some(&known));
    let evil = rotated(&two, &thief, None);
    assert_eq!(evil.follow(two.did()).unwrap(), thief.did());

    let moved = DidVerifier::pinned(one.did().clone());
    assert!(moved.follow(&known).unwrap());
    // The present DID was pinned already: the chain is held all the same.
    let taught = DidVerifier::pinned(two.did().clone());
    assert!(!taught.follow(&known).unwrap());
    let listed = DidVerifier::allowed([one.did().clone(), bundle().did().clone()]);
    assert!(listed.follow(&known).unwrap());
    // As after a restart.
    let listed_again = DidVerifier::allowed([two.did().clone()]);
    assert!(!listed_again.follow(&known).unwrap());
    let from_one = DidVerifier::following(one.did(), &known).unwrap();
    let from_two = DidVerifier::following(two.did(), &known).unwrap();
    for verifier in [moved, taught, listed, listed_again, from_one, from_two].map(Arc::new) {
        let error = verifier.follow(&evil).unwrap_err();
        assert!(
            matches!(&error, RotationError::CommitmentBroken { did, .. } if did == thief.did()),
            "{error}"
        );
        assert_eq!([&two, &thief].map(|peer| accepts(&verifier, peer)), [true, false]);
        assert!(verifier.follow(&owners).unwrap());
        assert_eq!([&three, &thief].map(|peer| accepts(&verifier, peer)), [true, false]);
        let error = verifier.follow(&evil).unwrap_err();
        assert!(matches!(error, RotationError::Fork(_)), "{error}");
        assert_eq!([&three, &thief].map(|peer| accepts(&verifier, peer)), [true, false]);
    }
}

/// Without a commitment too: what was followed is not told anew.
#[test]
fn a_pin_that_followed_takes_no_other_history_of_its_did() {
    let [one, two, thief, other] = [bundle(), bundle(), bundle(), bundle()];
    let known = rotated(&one, &two, None);
    let evil = rotated(&two, &thief, None);
    let listed = DidVerifier::allowed([one.did().clone(), other.did().clone()]);
    let pinned = DidVerifier::pinned(one.did().clone());
    for verifier in [listed, pinned].map(Arc::new) {
        assert!(verifier.follow(&known).unwrap());
        let error = verifier.follow(&evil).unwrap_err();
        assert!(
            matches!(&error, RotationError::NotAContinuation { did } if did == two.did()),
            "{error}"
        );
        assert_eq!([&two, &thief].map(|peer| accepts(&verifier, peer)), [true, false]);
    }
}
