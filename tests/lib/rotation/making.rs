//! What is not signed, and what is computed and not told.

use std::sync::atomic::{AtomicUsize, Ordering};

use icn_identity::error::SignError;
use icn_identity::{Assurance, DidMethod, ProvenanceKind};

use super::*;

/// Says of itself what it likes, and counts.
struct Foreign {
    did: Did,
    key: Key<Software, Unlocked>,
    signed: AtomicUsize,
}

impl Foreign {
    fn new() -> Self {
        let key = software();
        Self { did: key.did().clone(), key, signed: AtomicUsize::new(0) }
    }
}

impl DidSigner for Foreign {
    fn did(&self) -> &Did {
        &self.did
    }
    fn verifying_key(&self) -> &VerifyingKey {
        self.key.verifying_key()
    }
    fn sign(&self, message: &[u8]) -> Result<Signature, SignError> {
        self.signed.fetch_add(1, Ordering::Relaxed);
        Ok(craft::by_hand(&self.key, message))
    }
}

/// Shows one key and signs with another, or not at all.
struct Liar {
    shown: Key<Software, Unlocked>,
    used: Option<Key<Software, Unlocked>>,
}

impl DidSigner for Liar {
    fn did(&self) -> &Did {
        self.shown.did()
    }
    fn verifying_key(&self) -> &VerifyingKey {
        self.shown.verifying_key()
    }
    fn sign(&self, message: &[u8]) -> Result<Signature, SignError> {
        match &self.used {
            Some(key) => Ok(craft::by_hand(key, message)),
            None => Err(SignError::External("out of order".into())),
        }
    }
}

fn refused(old: &dyn DidSigner, new: &dyn DidSigner, chain: Option<&RotationChain>) -> String {
    RotationStatement::sign_unguarded(old, new, chain, &terms()).unwrap_err().to_string()
}

#[test]
fn provenance_is_computed_and_a_foreign_signer_is_external_whatever_it_says() {
    let (foreign, ours) = (Foreign::new(), software());
    let statement = RotationStatement::sign_unguarded(&foreign, &ours, None, &terms()).unwrap();
    let (old, new) = (statement.old(), statement.new_key());
    assert_eq!(
        (old.claimed_provenance(), old.claimed_assurance()),
        (ProvenanceKind::External, Assurance::None)
    );
    assert_eq!(
        (new.claimed_provenance(), new.claimed_assurance()),
        (ProvenanceKind::Software, Assurance::None)
    );
    assert_eq!(foreign.signed.load(Ordering::Relaxed), 1);
}

#[test]
fn a_key_is_not_rotated_to_itself_under_either_did() {
    let key = software();
    assert!(refused(&key, &key, None).contains("cannot be rotated to its own key"));
    let mut other = Foreign::new();
    other.key = Key::from_seed(key.expose_secret());
    other.did = Did::from_key(DidMethod::Key, key.verifying_key()).unwrap();
    assert!(refused(&key, &other, None).contains("cannot be rotated to its own key"));
    assert_eq!(other.signed.load(Ordering::Relaxed), 0);
}

#[test]
fn a_signer_whose_did_is_not_its_keys_is_refused() {
    let mut foreign = Foreign::new();
    foreign.did = software().did().clone();
    let told = refused(&foreign, &software(), None);
    assert!(told.contains("is not that of the key it shows"), "{told}");
    assert!(refused(&software(), &foreign, None).contains("is not that of the key it shows"));
}

#[test]
fn no_statement_is_given_out_that_does_not_verify() {
    let liar = || Liar { shown: software(), used: Some(software()) };
    let (old, new) = (liar(), software());
    let told = refused(&old, &new, None);
    assert_eq!(told, format!("statement 1 was not signed by its old key, that of {}", old.did()));
    let (old, new) = (software(), liar());
    let told = refused(&old, &new, None);
    assert_eq!(told, format!("statement 1 was not signed by its new key, that of {}", new.did()));
}

/// The old key's signature is the one that a thief could use.
#[test]
fn if_the_new_key_fails_the_old_one_has_signed_nothing() {
    let (old, new) = (Foreign::new(), Liar { shown: software(), used: None });
    let error = RotationStatement::sign_unguarded(&old, &new, None, &terms()).unwrap_err();
    assert_eq!(error.to_string(), "the new key could not sign the rotation");
    assert_eq!(error.source().unwrap().to_string(), "the external signer failed");
    assert_eq!(old.signed.load(Ordering::Relaxed), 0);
}

#[test]
fn signers_that_give_the_higher_s_make_statements_with_the_lower() {
    /// As a signer of its own, nothing normalizes for it.
    struct Bare(HighS, Did, VerifyingKey);
    impl DidSigner for Bare {
        fn did(&self) -> &Did {
            &self.1
        }
        fn verifying_key(&self) -> &VerifyingKey {
            &self.2
        }
        fn sign(&self, message: &[u8]) -> Result<Signature, SignError> {
            self.0.sign(message).map_err(SignError::External)
        }
    }
    let signer = HighS(p256::ecdsa::SigningKey::from_slice(&[3; 32]).unwrap());
    let key = ExternalSigner::verifying_key(&signer);
    let bare = Bare(signer, Did::from_key(DidMethod::Key, &key).unwrap(), key);
    let statement = RotationStatement::sign_unguarded(&bare, &software(), None, &terms()).unwrap();
    assert_eq!(RotationStatement::from_json(&statement.to_json()).unwrap(), statement);
}

#[test]
fn the_chain_must_end_in_the_old_key_and_not_have_the_new_one() {
    let [a, b, c] = software_keys();
    let chain = first(&a, &b);
    let told = refused(&a, &c, Some(&chain));
    assert_eq!(told, format!("statement 2 must rotate {}, not {}", b.did(), a.did()));
    let told = refused(&b, &a, Some(&chain));
    let expected = format!("statement 2 rotates to {}, whose key was there before", a.did());
    assert_eq!(told, expected);
}

#[test]
fn a_rotation_against_the_commitment_is_not_signed_by_either_key() {
    let [a, c] = software_keys();
    let b = Foreign::new();
    let statement =
        RotationStatement::sign_unguarded(&a, &b, None, &committing_to(c.did())).unwrap();
    let chain = RotationChain::verify([statement]).unwrap();
    let before = b.signed.load(Ordering::Relaxed);
    let other = Foreign::new();
    let error = RotationStatement::sign_unguarded(&b, &other, Some(&chain), &terms()).unwrap_err();
    assert!(
        matches!(&error, RotationError::CommitmentBroken { sequence: 2, did } if did == other.did())
    );
    assert!(error.help().unwrap().contains("must be the one committed to"));
    assert_eq!(other.signed.load(Ordering::Relaxed), 0);
    assert_eq!(b.signed.load(Ordering::Relaxed), before);
    assert_eq!(next(&chain, &b, &c, &terms()).unwrap().current(), c.did());
}

#[test]
fn a_used_key_cannot_be_committed_to() {
    let [a, b, c] = software_keys();
    let chain = first(&a, &b);
    for did in [a.did(), b.did(), c.did()] {
        let error = RotationStatement::sign_unguarded(&b, &c, Some(&chain), &committing_to(did))
            .unwrap_err();
        let told = error.to_string();
        assert_eq!(told, format!("the key of {did} cannot be committed to: it has been used"));
    }
}

#[test]
fn time_does_not_run_backwards() {
    let [a, b, c, d] = software_keys();
    // A clock was ahead once, by 74 years. The chain goes on all the same.
    let ahead = at(NEW_YEAR + 74 * 365 * 86_400);
    let statement = RotationStatement::sign_unguarded(&a, &b, None, &terms().at(ahead)).unwrap();
    let chain = RotationChain::verify([statement]).unwrap();
    let chain = next(&chain, &b, &c, &terms()).unwrap();
    let chain = next(&chain, &c, &d, &terms().at(ahead + Duration::from_secs(1))).unwrap();
    let chain = RotationChain::from_json(&chain.to_json()).unwrap();
    let times: Vec<_> = chain.statements().map(|one| at(one.time())).collect();
    assert_eq!(times, [ahead, ahead, ahead + Duration::from_secs(1)]);
    let late = terms().at(at(253_402_300_800));
    let error = RotationStatement::sign_unguarded(&a, &b, None, &late).unwrap_err();
    assert!(matches!(error, RotationError::OutOfRange { what: "time" }), "{error}");
}

#[test]
fn by_a_clock_that_was_never_set_nothing_is_stated() {
    let [a, b, c] = software_keys();
    let chain = first(&a, &b);
    for time in [UNIX_EPOCH - Duration::from_secs(1), UNIX_EPOCH, at(3600), at(NEW_YEAR - 1)] {
        let unset = terms().at(time);
        for error in [
            RotationStatement::sign_unguarded(&a, &b, None, &unset).unwrap_err(),
            // Not even where the time of the statement before would stand in.
            RotationStatement::sign_unguarded(&b, &c, Some(&chain), &unset).unwrap_err(),
        ] {
            assert!(matches!(error, RotationError::ClockNotSet { .. }), "{error}");
            assert_eq!(error.kind(), icn_identity::ErrorKind::Clock);
            assert!(error.to_string().contains("clock") && error.help().unwrap().contains("clock"));
        }
    }
    assert!(RotationStatement::sign_unguarded(&a, &b, None, &terms().at(at(NEW_YEAR))).is_ok());
}
