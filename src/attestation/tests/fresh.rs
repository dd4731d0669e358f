use std::time::{Duration, UNIX_EPOCH};

use support::maker::Maker;

use super::made::*;
use crate::attestation::*;

#[test]
fn an_answer_for_another_audience_another_challenge_or_another_time_is_refused_by_name() {
    let maker = Maker::yubihsm();
    let (attestation, challenge) = attestation(&maker);
    let verifier = verifier(&maker);
    let to =
        |challenge: &Challenge, at| named(verifier.verify(&attestation, Fresh::To(challenge), at));
    assert_eq!(to(&challenge, now()), "accepted");
    assert_eq!(to(&challenge, later(600)), "accepted");
    assert_eq!(to(&challenge, later(601)), "ChallengeExpired");
    let valid_for = Duration::from_secs(600);
    let other = Challenge::fresh(AUDIENCE, valid_for, now()).unwrap();
    assert_eq!(to(&other, now()), "Nonce");
    let mut for_other = challenge.clone();
    for_other.audience = "bank@other.example".into();
    assert_eq!(to(&for_other, now()), "Audience");
    // Five minutes are left to clocks.
    assert_eq!(to(&challenge, now() - Duration::from_secs(300)), "accepted");
    assert_eq!(to(&challenge, now() - Duration::from_secs(301)), "FromTheFuture");
}

#[test]
fn without_a_challenge_it_has_to_be_for_this_audience_and_young() {
    let maker = Maker::yubihsm();
    let (attestation, _) = attestation(&maker);
    let verifier = verifier(&maker);
    let within = |audience, at| {
        let fresh = Fresh::Within { audience, age: Duration::from_secs(60) };
        named(verifier.verify(&attestation, fresh, at))
    };
    assert_eq!(within(AUDIENCE, later(60)), "accepted");
    assert_eq!(within(AUDIENCE, later(61)), "TooOld");
    assert_eq!(within("bank@other.example", now()), "Audience");
    // A clock that is ahead is forgiven by as much as it may be behind, and by 5 minutes at most.
    let ahead = |age, seconds| {
        let fresh = Fresh::within(AUDIENCE, Duration::from_secs(age));
        let at = now() - Duration::from_secs(seconds);
        named(verifier.verify(&attestation, fresh, at))
    };
    for (age, forgiven) in [(0, 0), (1, 1), (60, 60), (300, 300), (3600, 300)] {
        assert_eq!(ahead(age, forgiven), "accepted", "{age}");
        assert_eq!(ahead(age, forgiven + 1), "FromTheFuture", "{age}");
    }
    // There is no "whenever".
    let whenever = |at| {
        let fresh = Fresh::within(AUDIENCE, Duration::MAX);
        named(verifier.verify(&attestation, fresh, at))
    };
    assert_eq!(whenever(now() + MAX_AGE), "accepted");
    assert_eq!(whenever(now() + MAX_AGE + Duration::from_secs(1)), "TooOld");
}

/// By a clock that was never set, whatever the verifier's shows and whoever asked.
#[test]
fn an_attestation_of_a_time_that_cannot_be_is_refused() {
    let maker = Maker::yubihsm();
    let (attestation, challenge) = attestation(&maker);
    let verifier = verifier(&maker);
    for created in [0, 1_767_225_599] {
        let mut unset = attestation.clone();
        unset.created = created;
        let signed = crate::signer::sign_statement(&key(), &unset.signed_bytes()).unwrap();
        unset.signature = *signed.as_bytes();
        let within = Fresh::within(AUDIENCE, Duration::MAX);
        for fresh in [Fresh::To(&challenge), within] {
            assert_eq!(named(verifier.verify(&unset, fresh, now())), "Unset", "{created}");
        }
        let at = UNIX_EPOCH + Duration::from_secs(created);
        let found = named(verifier.verify(&unset, within, at));
        assert_eq!(found, "Unset", "{created}");
    }
}

#[test]
fn a_challenge_ends_within_thirty_days() {
    let fresh = |valid_for| Challenge::fresh(AUDIENCE, valid_for, now());
    assert!(fresh(MAX_AGE).is_ok());
    for long in [MAX_AGE + Duration::from_nanos(1), Duration::MAX] {
        let error = fresh(long).unwrap_err();
        assert!(matches!(error, AttestationError::ValidFor { limit: 2_592_000, .. }), "{error:?}");
    }
}

#[test]
fn what_is_no_challenge_is_called_that() {
    let mut more: serde_json::Value = serde_json::from_str(&challenge().to_json()).unwrap();
    more["more"] = 1.into();
    let error = Challenge::parse(more.to_string().as_bytes()).unwrap_err();
    assert!(error.to_string().starts_with("this is not a challenge of the form"), "{error}");
    let error = Attestation::parse(b"{}").unwrap_err();
    assert!(error.to_string().starts_with("this is not an attestation of the form"), "{error}");
}

#[test]
fn nothing_is_made_by_a_clock_that_is_not_set_nor_after_the_challenge_has_ended() {
    let maker = Maker::yubihsm();
    let challenge = challenge();
    let certificates = certificates(&maker, &Maker::yubihsm_leaf(&spki()));
    let make = |at| Attestation::create(&key(), &challenge, certificates.clone(), at);
    assert!(matches!(make(UNIX_EPOCH), Err(AttestationError::Clock { unix: 0 })));
    let error = make(later(601)).unwrap_err();
    assert!(
        matches!(&error, AttestationError::Refused(refusal)
            if matches!(**refusal, AttestationRefusal::ChallengeExpired { ago: 1 })),
        "{error:?}"
    );
    let fresh = Challenge::fresh(AUDIENCE, Duration::from_secs(1), UNIX_EPOCH);
    assert!(matches!(fresh, Err(AttestationError::Clock { .. })));
    for audience in ["", "two\nlines", &"a".repeat(1025)] {
        let fresh = Challenge::fresh(audience, Duration::from_secs(1), now());
        assert!(matches!(fresh, Err(AttestationError::Audience)), "{audience:?}");
    }
}

#[test]
fn two_challenges_are_never_the_same_and_one_is_read_as_it_was_written() {
    let (one, other) = (challenge(), challenge());
    assert_ne!(one.nonce(), other.nonce());
    let read = Challenge::parse(one.to_json().as_bytes()).unwrap();
    assert_eq!(read, one);
    assert_eq!((read.audience(), read.expires_unix()), (AUDIENCE, one.expires));
}
