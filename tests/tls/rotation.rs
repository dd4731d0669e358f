//! Pins that follow a chain of rotations.

use std::sync::Arc;

use icn_identity::peer::Refusal;
use icn_identity::rotation::{
    RotationChain, RotationError, RotationReason, RotationStatement, RotationTerms,
};
use icn_identity::tls::{DidVerifier, refusal_of};

use crate::wire::{Ended, handshake};
use crate::{Bundle, anybody, bundle};

fn rotated(from: &Bundle, to: &Bundle, before: Option<&RotationChain>) -> RotationChain {
    let terms = RotationTerms::new(RotationReason::Scheduled);
    let (old, new) = (from.signer(), to.signer());
    let statement = RotationStatement::sign(old, new, before, &terms).unwrap();
    match before {
        Some(chain) => chain.continued(statement).unwrap(),
        None => RotationChain::verify([statement]).unwrap(),
    }
}

/// Whether the verifier accepts a server, in a handshake.
fn accepts(verifier: &Arc<DidVerifier>, server: &Bundle) -> bool {
    let client = Arc::new(bundle().tls_client_config(verifier).unwrap());
    let server = Arc::new(server.tls_server_config(&anybody()).unwrap());
    match handshake(&server, &client) {
        Ok((_, client)) => {
            verifier.peer(&client).unwrap();
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
