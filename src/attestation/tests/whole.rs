use std::error::Error as _;

use support::maker::Maker;

use super::made::*;
use crate::attestation::*;
use crate::evidence::ProvenanceKind;
use crate::key::{External, Key, Software, Unlocked};

#[test]
fn a_key_made_in_a_device_is_attested_as_hardware_to_who_asked() {
    let maker = Maker::yubihsm();
    let (attestation, challenge) = attestation(&maker);
    let read = Attestation::parse(attestation.to_json().as_bytes()).unwrap();
    assert_eq!(read, attestation);
    let verdict = verifier(&maker).verify(&read, Fresh::To(&challenge), later(5)).unwrap();
    assert_eq!((verdict.did(), verdict.provenance()), (key().did(), ProvenanceKind::Hardware));
    assert_eq!((verdict.root(), verdict.at_unix()), (&Root::Maker, read.created_unix()));
    let attested = verdict.into_hardware().unwrap();
    assert_eq!(attested.verifying_key(), key().verifying_key());
    let device = "Yubico YubiHSM 2, serial 31650425, firmware 2.4.0";
    assert_eq!(attested.device().to_string(), device);
    assert_eq!(attested.at(), now());
    assert!(!attested.certificate_has_expired());
}

#[test]
fn a_key_that_was_imported_is_attested_as_held_and_no_more() {
    let maker = Maker::yubihsm();
    let challenge = challenge();
    let leaf = Maker::yubihsm_leaf(&spki()).having("1.3.6.1.4.1.41482.4.3", &[3, 2, 0, 2]);
    let made = Attestation::create(&key(), &challenge, certificates(&maker, &leaf), now()).unwrap();
    let verdict = verifier(&maker).verify(&made, Fresh::To(&challenge), now()).unwrap();
    assert!(matches!(&verdict, Verdict::DeviceHeld(held) if held.did() == key().did()));
    assert_eq!(verdict.provenance(), ProvenanceKind::DeviceHeld);
    assert!(verdict.into_hardware().is_none());
}

#[test]
fn a_p256_key_of_a_yubikey_is_attested_too() {
    let signer = P256Key(p256::ecdsa::SigningKey::from_slice(&[9; 32]).unwrap());
    let key = Key::<External, Unlocked, crate::P256>::from_external_p256(signer).unwrap();
    let maker = Maker::yubikey();
    let challenge = challenge();
    let leaf = Maker::yubikey_leaf(&key.verifying_key().to_spki_der());
    let made = Attestation::create(&key, &challenge, certificates(&maker, &leaf), now()).unwrap();
    let verifier = Verifier::new(anchors(&maker, DeviceClass::YubiKeyPiv));
    let verdict = verifier.verify(&made, Fresh::To(&challenge), now()).unwrap();
    assert_eq!(verdict.did(), key.did());
    assert_eq!(verdict.provenance(), ProvenanceKind::Hardware);
}

/// Whoever has seen the certificates of a device can show them, and a genuine device has many
/// keys.
#[test]
fn certificates_without_the_signature_of_the_dids_own_key_are_a_replay() {
    let maker = Maker::yubihsm();
    let (attestation, challenge) = attestation(&maker);
    let thief = Key::<Software, Unlocked>::from_seed(&[8; 32]);
    // The certificates of another's key, under one's own DID: not made here …
    let certificates = attestation.certificates();
    let error = Attestation::create(&thief, &challenge, certificates, now()).unwrap_err();
    let source = error.source().unwrap().to_string();
    assert!(source.contains("is not that of"), "{source}");
    // … and, made by another program, not believed.
    let mut forged = attestation.clone();
    forged.did = thief.did().clone();
    let signature = crate::signer::sign_statement(&thief, &forged.signed_bytes()).unwrap();
    forged.signature = *signature.as_bytes();
    let fresh = Fresh::To(&challenge);
    assert_eq!(named(verifier(&maker).verify(&forged, fresh, now())), "OtherKey");
    // Under the owner's DID it takes the owner's key.
    let mut replayed = attestation;
    let signature = crate::signer::sign_statement(&thief, &replayed.signed_bytes()).unwrap();
    replayed.signature = *signature.as_bytes();
    assert_eq!(named(verifier(&maker).verify(&replayed, fresh, now())), "Possession");
}

/// An attestation of one relying party's is none for another, whichever part of it is changed.
#[test]
fn evidence_is_bound_to_the_answer_by_the_dids_signature() {
    let maker = Maker::yubihsm();
    let (attestation, challenge) = attestation(&maker);
    let other = certificates(&maker, &Maker::yubihsm_leaf(&spki()));
    let mut exchanged = attestation.clone();
    let x5c = other.0.into_iter().map(bytes::Der).collect();
    exchanged.evidence = evidence::Evidence::Yubico { x5c };
    let fresh = Fresh::To(&challenge);
    assert_eq!(named(verifier(&maker).verify(&exchanged, fresh, now())), "Possession");
    assert_eq!(named(verifier(&maker).verify(&attestation, fresh, now())), "accepted");
}

#[test]
fn debug_tells_who_and_which_device_and_no_bytes() {
    let maker = Maker::yubihsm();
    let (attestation, challenge) = attestation(&maker);
    let verdict = verifier(&maker).verify(&attestation, Fresh::To(&challenge), now()).unwrap();
    let attested = verdict.into_hardware().unwrap();
    let shown = format!("{attested:?} {attestation:?} {challenge:?}");
    assert!(shown.contains(key().did().as_str()) && shown.contains("31650425"), "{shown}");
    assert!(shown.len() < 800, "{shown}");
}
