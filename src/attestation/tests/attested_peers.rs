//! For how long a proof is believed, by the clock here.

use std::time::Duration;

use support::maker::Maker;

use super::made::*;
use crate::attestation::*;
use crate::key::Hardware;

fn proof() -> Attested<Hardware> {
    let maker = Maker::yubihsm();
    let (attestation, challenge) = attestation(&maker);
    let verdict = verifier(&maker).verify(&attestation, Fresh::To(&challenge), now()).unwrap();
    verdict.into_hardware().unwrap()
}

#[test]
fn a_proof_is_believed_as_long_as_it_was_said_and_no_longer() {
    let peers = AttestedPeers::believed_for(Duration::from_secs(600));
    let did = key().did().clone();
    let has = |at| peers.proof_at(&did, at).is_some();
    assert!(!has(now()));
    peers.hold_at(proof(), now());
    assert_eq!(peers.proof_at(&did, now()).unwrap().did(), &did);
    assert!(has(later(600)) && !has(later(601)) && !has(later(86400)));
    // A clock that was set back a little, and further.
    assert!(has(now() - Duration::from_secs(300)) && !has(now() - Duration::from_secs(301)));
    // Its clones hold the same, and one is forgotten at once.
    let clone = peers.clone();
    clone.hold_at(proof(), later(500));
    assert!(has(later(1100)) && !has(later(1101)));
    clone.forget(&did);
    clone.forget(&did);
    assert!(!has(later(500)));
    // What is over is dropped when another one is held.
    peers.hold_at(proof(), now());
    let other = crate::Key::<crate::Software, crate::Unlocked>::from_seed(&[9; 32]);
    assert!(format!("{peers:?}").contains("held: 1"), "{peers:?}");
    let maker = Maker::yubihsm();
    let leaf = Maker::yubihsm_leaf(&other.verifying_key().to_spki_der());
    let challenge = challenge();
    let made = Attestation::create(&other, &challenge, certificates(&maker, &leaf), now()).unwrap();
    let verdict = verifier(&maker).verify(&made, Fresh::To(&challenge), now()).unwrap();
    peers.hold_at(verdict.into_hardware().unwrap(), later(601));
    assert!(format!("{peers:?}").contains("held: 1"), "{peers:?}");
    assert!(peers.proof_at(other.did(), later(601)).is_some() && !has(later(601)));
    // One that was verified a while ago takes the place of no other peer's.
    peers.hold_at(proof(), now());
    assert!(has(later(600)) && peers.proof_at(other.did(), later(601)).is_some());
    // Nor of a later one of the same peer: whoever has seen an older file shows it again.
    peers.hold_at(proof(), later(500));
    peers.hold_at(proof(), now());
    assert!(has(later(1100)) && !has(later(1101)));
}

/// From many threads, each DID has one proof or none, and what is forgotten stays forgotten.
#[test]
fn threads_hold_and_forget_at_once() {
    let peers = AttestedPeers::believed_for(Duration::from_secs(600));
    let (did, proof) = (key().did().clone(), proof());
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..200 {
                    peers.hold_at(proof.clone(), now());
                    peers.forget(&did);
                }
            });
        }
    });
    assert!(peers.proof_at(&did, now()).is_none());
}
