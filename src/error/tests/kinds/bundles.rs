use super::{check, did, json, no_randomness};
use crate::algorithm::{AlgorithmId, BadSignature};
use crate::bundle::{BundleError, RenewalError};
use crate::did::InvalidDocument;
use crate::error::{ErrorKind as K, KeystoreError, OpenError, Pkcs11Error, SignError};
use crate::evidence::ProvenanceKind;
use crate::key::{Key, Software, Unlocked};
use crate::peer::Refusal;
use crate::rotation::{
    RotationChain, RotationError, RotationReason, RotationRole, RotationStatement, RotationTerms,
};

#[test]
fn of_bundles() {
    use BundleError as E;
    let closed = Pkcs11Error::NotOpen { token: "t".into() };
    let other = E::Provenance {
        demanded: ProvenanceKind::Hardware,
        algorithm: AlgorithmId::P256,
        found: ProvenanceKind::Software,
        found_algorithm: AlgorithmId::Ed25519,
    };
    check(
        "bundle/error.rs",
        vec![
            (E::DidIsNotItsKey { did: did() }, K::OtherIdentity),
            (E::Challenge(OpenError::WrongPassphrase), K::WrongCredential),
            (E::Sign(closed.into()), K::CredentialMissing),
            (E::Signature(BadSignature::new()), K::Untrusted),
            (E::Mismatch { what: "TLS key" }, K::Untrusted),
            (E::Refused(Refusal::Tls12), K::Unsupported),
            (E::Certificate { reason: "r".into() }, K::Internal),
            (E::TlsKey(Refusal::KeyAlgorithm), K::InvalidInput),
            (E::OwnKey { what: "DID key" }, K::InvalidInput),
            (E::OwnInstance, K::InvalidInput),
            (E::Expired { ago: 1 }, K::Expired),
            (E::NotYetValid { wait: 1 }, K::Clock),
            (E::ClockNotSet { now: 1 }, K::Clock),
            (E::EarlierEpoch { present: 2, asked: 1 }, K::Superseded),
            (E::EpochTooLate { asked: 2, limit: 1 }, K::InvalidInput),
            (other, K::Requirement),
            (E::Document(InvalidDocument::NoProof), K::Untrusted),
            (E::NoRandomness(no_randomness()), K::Randomness),
        ],
    );
}

#[test]
fn of_renewals() {
    use RenewalError as E;
    check(
        "bundle/renewal/error.rs",
        vec![
            (E::Bundle(BundleError::ClockNotSet { now: 1 }), K::Clock),
            (E::Keystore(KeystoreError::Resealed { home: "/x".into() }), K::CredentialMissing),
            (E::Open(OpenError::WrongPassphrase), K::WrongCredential),
        ],
    );
}

#[test]
fn of_documents() {
    use InvalidDocument as E;
    check(
        "did/document.rs",
        vec![
            (E::TooLong, K::InvalidInput),
            (E::Json(json()), K::InvalidInput),
            (E::EncryptionKey, K::Untrusted),
            (E::Time, K::InvalidInput),
            (E::NoStatement, K::Untrusted),
            (E::Statement, K::Untrusted),
            (E::NoProof, K::Untrusted),
            (E::Proof, K::Untrusted),
            (E::More, K::Untrusted),
            (E::Mismatch { what: "identity" }, K::Untrusted),
        ],
    );
}

#[test]
fn of_rotations() {
    use RotationError as E;
    let role = RotationRole::Old;
    let (sequence, by) = (1, 1);
    check(
        "rotation/error.rs",
        vec![
            (E::Format(json()), K::InvalidInput),
            (E::TooLong { limit: 1 }, K::InvalidInput),
            (E::TooMany, K::InvalidInput),
            (E::Version { found: 9 }, K::Unsupported),
            (E::Version { found: 0 }, K::Unsupported),
            (E::OutOfRange { what: "time" }, K::InvalidInput),
            (E::ClockNotSet { now: 1 }, K::Clock),
            (E::SameKey { did: did() }, K::InvalidInput),
            (E::Signature { sequence, role, did: did() }, K::Untrusted),
            (E::Empty, K::InvalidInput),
            (fork(), K::Untrusted),
            (E::Missing { sequence }, K::Untrusted),
            (E::Unrelated { sequence, one: did(), other: did() }, K::Untrusted),
            (E::Previous { sequence }, K::Untrusted),
            (E::Link { sequence, expected: did(), found: did() }, K::Untrusted),
            (E::Time { sequence, by }, K::Untrusted),
            (E::KeyTwice { sequence, did: did() }, K::Untrusted),
            (E::CommitmentBroken { sequence, did: did() }, K::Untrusted),
            (E::CommitmentToUsedKey { did: did() }, K::InvalidInput),
            (E::NotInChain { did: did() }, K::OtherIdentity),
            (E::NotAContinuation { did: did() }, K::Untrusted),
            (E::DidIsNotItsKey { did: did() }, K::OtherIdentity),
            (E::Sign { role, source: SignError::InvalidContext }, K::InvalidInput),
            (E::NotThisIdentity { expected: did(), found: did() }, K::OtherIdentity),
            (E::HandedOver { did: did(), to: did(), given_up: false }, K::AlreadyExists),
            (
                E::StatedBefore {
                    did: did(),
                    to: did(),
                    reason: RotationReason::Manual,
                    next_key: None,
                    time: 0,
                    asked: Box::new(RotationTerms::new(RotationReason::Upgrade)),
                },
                K::AlreadyExists,
            ),
            (E::AlreadyStored { did: did() }, K::AlreadyExists),
        ],
    );
}

/// One key that was rotated to two others.
fn fork() -> RotationError {
    let key = || Key::<Software, Unlocked>::generate().unwrap();
    let (old, terms) = (key(), RotationTerms::new(RotationReason::Scheduled));
    let to_another = || RotationStatement::sign_unguarded(&old, &key(), None, &terms).unwrap();
    RotationChain::verify([to_another(), to_another()]).unwrap_err()
}
