//! The whole way with a TPM, without one: by a maker of the test's own.

use support::maker::{NOW, key_usage, purpose, rsa_spki, rsa_spki_as, tpm_model};

use super::made::*;
use super::soft_tpm::*;
use crate::attestation::evidence::Parts;
use crate::attestation::*;
use crate::evidence::ProvenanceKind;
use crate::key::{Key, Software, Unlocked};

/// Of a refusal of what the TPM gave, its own name.
pub(super) fn refused<T>(result: Result<T, AttestationRefusal>) -> String {
    match result {
        Err(AttestationRefusal::Tpm(refusal)) => {
            let shown = format!("{refusal:?}");
            shown.chars().take_while(|letter| letter.is_ascii_alphanumeric()).collect()
        }
        other => named(other),
    }
}

/// Begins an activation: all is verified but what joins the keys.
pub(super) fn begun(tpm: &Tpm, attestation: &Attestation, challenge: &Challenge) -> String {
    match tpm.verifier().begin(attestation, Fresh::To(challenge), now()) {
        Err(AttestationError::Refused(refusal)) => refused::<()>(Err(*refusal)),
        Err(other) => panic!("{other:?}"),
        Ok(_) => "accepted".into(),
    }
}

fn begun_by(change: impl FnOnce(&mut Tpm)) -> String {
    let mut tpm = Tpm::new();
    change(&mut tpm);
    let (attestation, challenge) = tpm.attestation();
    begun(&tpm, &attestation, &challenge)
}

fn endorser() -> Key<Software, Unlocked> {
    Key::from_seed(&[21; 32])
}

#[test]
fn a_tpms_key_is_attested_to_who_activated_it_and_by_their_word_to_others() {
    let tpm = Tpm::new();
    let (attestation, challenge) = tpm.attestation();
    let read = Attestation::parse(attestation.to_json().as_bytes()).unwrap();
    assert_eq!(read, attestation);
    assert_eq!(read.kind(), EvidenceKind::Tpm2Certify);
    let (verifier, fresh) = (tpm.verifier(), Fresh::To(&challenge));
    // Nobody joins the attestation key to the maker yet.
    assert_eq!(refused(verifier.verify(&read, fresh, now())), "NotJoined");
    let (activation, request) = verifier.begin(&read, fresh, now()).unwrap();
    // Each of the three files.
    let activation = Activation::from_secret_json(activation.to_secret_json().as_bytes()).unwrap();
    let request = ActivationRequest::parse(request.to_json().as_bytes()).unwrap();
    let answer = tpm.activate(&request).unwrap();
    let answer = ActivationAnswer::parse(answer.to_json().as_bytes()).unwrap();
    let activated = verifier.finish(activation, &answer, &read, fresh, later(9)).unwrap();
    let verdict = activated.verdict();
    assert_eq!((verdict.root(), verdict.did()), (&Root::Activated, tpm.key().did()));
    assert_eq!(verdict.provenance(), ProvenanceKind::Hardware);
    assert_eq!(verdict.device().to_string(), "STM TPM ST33TEST, firmware 7.85.4555");
    assert_eq!(verdict.root_certificate().subject(), "CN=TPM Maker");

    // Another relying party, later and offline.
    let endorsement = activated.endorse(&endorser(), now(), later(90 * 24 * 3600)).unwrap();
    let endorsement = Endorsement::parse(endorsement.to_json().as_bytes()).unwrap();
    let theirs = super::made::challenge();
    let shown = Attestation::create_tpm(
        tpm.key().did(),
        &theirs,
        now(),
        |qualifying| {
            Ok::<_, AttestationError>(tpm.evidence(qualifying).with_endorsement(endorsement))
        },
        || Ok(tpm.key()),
    );
    let shown = Attestation::parse(shown.unwrap().to_json().as_bytes()).unwrap();
    let believes = tpm.verifier().endorsed_by(endorser().did().clone());
    let verdict = believes.verify(&shown, Fresh::To(&theirs), later(60)).unwrap();
    assert_eq!(verdict.root(), &Root::Endorsed(endorser().did().clone()));
    let words = verdict.root().to_string();
    assert!(words.contains("vouched for by did:") && !words.contains("secure"), "{words}");
    assert_eq!(refused(tpm.verifier().verify(&shown, Fresh::To(&theirs), now())), "Endorser");
}

/// Rule 2: a key in software that was loaded into a TPM activates as well. Each attribute that it
/// cannot have is demanded.
#[test]
fn a_software_key_activates_and_is_no_attestation_key() {
    let mut tpm = Tpm::new();
    tpm.ak_attributes = USER_WITH_AUTH | SIGN;
    let ek = p256_point(&tpm.ek).try_into().unwrap();
    let ek = crate::algorithm::P256VerifyingKey::from_uncompressed(&ek).unwrap();
    let its_name = name_of(&tpm.ak_public()).try_into().unwrap();
    let (blob, encrypted) = tpm::credential_for_tests(&ek, &its_name, &[7; 32]);
    let name = name_of(&tpm.ak_public());
    assert_eq!(tpm.read(&name, &blob, &encrypted), Some([7; 32]), "it activates");
    let (attestation, challenge) = tpm.attestation();
    assert_eq!(begun(&tpm, &attestation, &challenge), "AttributeClear");
    for bit in [1, 4, 5, 16, 18] {
        assert_eq!(begun_by(|tpm| tpm.ak_attributes &= !(1 << bit)), "AttributeClear", "{bit}");
    }
    for bit in [11, 17] {
        assert_eq!(begun_by(|tpm| tpm.ak_attributes |= 1 << bit), "AttributeSet", "{bit}");
    }
    for bit in [0, 3, 12, 20, 31] {
        assert_eq!(begun_by(|tpm| tpm.ak_attributes |= 1 << bit), "UnknownAttributes", "{bit}");
    }
    for other in [0x4000_0001, 0x4000_000c, 0x4000_0007] {
        assert_eq!(begun_by(|tpm| tpm.hierarchy = other), "Hierarchy", "{other:#x}");
    }
}

/// The whole way, by who activates it.
fn activated(tpm: &Tpm) {
    let (attestation, challenge) = tpm.attestation();
    let (verifier, fresh) = (tpm.verifier(), Fresh::To(&challenge));
    let (activation, request) = verifier.begin(&attestation, fresh, now()).unwrap();
    let answer = tpm.activate(&request).expect("the TPM reads it");
    verifier.finish(activation, &answer, &attestation, fresh, now()).unwrap();
}

#[test]
fn an_endorsement_key_of_the_high_range_is_activated() {
    let mut tpm = Tpm::new();
    tpm.is_high = true;
    activated(&tpm);
    // Attributes of the one with the policy of the other.
    let (attestation, challenge) = tpm.attestation();
    let mixed = tpm.changed(&attestation, |parts| parts.ek.as_mut().unwrap().0[7] = 0xb2);
    assert_eq!(begun(&tpm, &mixed, &challenge), "Template");
}

/// A TPM derives keys of the coordinate that it marshals.
#[test]
fn an_endorsement_key_whose_coordinate_begins_with_zero_is_activated_as_its_tpm_has_it() {
    let key = |seed: u64| {
        let mut bytes = [1; 32];
        bytes[..8].copy_from_slice(&seed.to_be_bytes());
        p256::SecretKey::from_slice(&bytes).unwrap()
    };
    let ek = (1..9000).map(key).find(|key| p256_point(key)[1] == 0).unwrap();
    let mut tpm = Tpm::new().with_ek(ek);
    activated(&tpm);
    tpm.leaves_zeros_away = true;
    let (attestation, _) = tpm.attestation();
    // Two bytes of length, and the last coordinate.
    let ek = parts(&attestation).ek.unwrap().0;
    let length = ek[ek.len() - 34 - 32 - 1];
    assert!(length < 32, "{length}");
    activated(&tpm);
}

/// RFC 5280 leaves it to whoever issues it; the use is looked at either way.
#[test]
fn the_use_of_a_key_may_be_critical_and_an_unknown_extension_may_not() {
    let tpm = Tpm::new();
    let (attestation, challenge) = tpm.attestation();
    let with = |form| begun(&tpm, &tpm.with_certificate(&attestation, &form), &challenge);
    let critical = |(oid, _, value): support::maker::Extension| (oid, true, value);
    let ek = || tpm.ek_form().without("2.5.29.37");
    assert_eq!(with(ek().with(critical(purpose(EK_USE)))), "accepted");
    assert_eq!(with(ek().with(critical(purpose(AK_USE)))), "Purpose");
    let unknown = ("1.2.3.4".into(), true, vec![5, 0]);
    assert_eq!(with(tpm.ek_form().with(unknown)), "CriticalExtension");
}

fn p256_point(key: &p256::SecretKey) -> Vec<u8> {
    use p256::elliptic_curve::sec1::ToSec1Point as _;
    key.public_key().to_sec1_point(false).as_bytes().to_vec()
}

#[test]
fn the_identitys_key_was_made_in_the_tpm_cannot_leave_it_and_signs_what_it_is_given() {
    assert_eq!(begun_by(|_| {}), "accepted");
    for bit in [1, 4, 5, 18] {
        assert_eq!(begun_by(|tpm| tpm.id_attributes &= !(1 << bit)), "AttributeClear", "{bit}");
    }
    for attribute in [RESTRICTED, DECRYPT, 1 << 11] {
        assert_eq!(begun_by(|tpm| tpm.id_attributes |= attribute), "AttributeSet");
    }
}

/// Rule 1: another public part beside a statement of a good key.
#[test]
fn attributes_are_those_of_the_bytes_whose_name_is_certified() {
    let mut leaky = Tpm::new();
    leaky.id_attributes &= !BORN_THERE;
    let (of_leaky, challenge) = leaky.attestation();
    assert_eq!(begun(&leaky, &of_leaky, &challenge), "AttributeClear");
    let good = signing_public(IDENTITY, &leaky.id);
    let shown = leaky.changed(&of_leaky, |parts| *parts = parts.clone().with_pub_area(good));
    assert_eq!(begun(&leaky, &shown, &challenge), "OtherObject");
}

/// Rules 4 and 8.
#[test]
fn a_certificate_of_another_use_is_refused_by_name() {
    let tpm = Tpm::new();
    let (attestation, challenge) = tpm.attestation();
    let with = |form| begun(&tpm, &tpm.with_certificate(&attestation, &form), &challenge);
    let ek = || tpm.ek_form();
    assert_eq!(with(ek()), "accepted");
    assert_eq!(with(ek().without("2.5.29.37")), "Purpose");
    assert_eq!(with(ek().without("2.5.29.37").with(purpose(AK_USE))), "Purpose");
    assert_eq!(with(ek().without("2.5.29.15")), "Usage");
    // As Google's keys have it: one that signs, and says that it is an endorsement key.
    assert_eq!(with(ek().without("2.5.29.15").with(key_usage(0x80))), "Usage");
    assert_eq!(with(ek().without("2.5.29.15").with(key_usage(0x88))), "Usage");
    assert_eq!(with(ek().without("2.5.29.15").with(key_usage(0x20))), "accepted");
    assert_eq!(with(ek().without("2.5.29.17")), "NoModel");
    let mut rsa = ek();
    rsa.spki = rsa_spki(2048);
    assert_eq!(with(rsa), "RsaCertificate");
    let mut oaep = ek();
    oaep.spki = rsa_spki_as("1.2.840.113549.1.1.7", 2048);
    assert_eq!(with(oaep), "RsaCertificate");
    let mut other = ek();
    other.spki = tpm.ak_form().spki;
    assert_eq!(with(other), "OtherEk");
    let mut expired = ek();
    expired.until = "20200101000000Z".into();
    assert_eq!(with(expired), "Expired");
    let mut sha1 = ek();
    sha1.algorithm = Some("1.2.840.10045.4.1");
    assert_eq!(with(sha1), "Sha1");
}

/// Rule 9.
#[test]
fn a_certificate_that_names_a_known_maker_of_virtual_tpms_is_refused() {
    let tpm = Tpm::new();
    let (attestation, challenge) = tpm.attestation();
    for one_set in [false, true] {
        for (id, expected) in [
            ("id:53544D20", "accepted"),
            ("id:49465800", "accepted"),
            ("id:00001014", "Virtual"),
            ("id:49424D00", "Virtual"),
            ("id:4D534654", "Virtual"),
            ("id:474F4F47", "Virtual"),
            ("53544D20", "NoModel"),
            ("id:5354", "NoModel"),
        ] {
            let form = tpm.ek_form().without("2.5.29.17").with(tpm_model(id, "M", "id:1", one_set));
            let found = begun(&tpm, &tpm.with_certificate(&attestation, &form), &challenge);
            assert_eq!(found, expected, "{id}");
        }
    }
}

/// Rule 4: `IDevID` certificates are of the same makers and their keys sign forged statements.
#[test]
fn a_certificate_of_an_attestation_key_counts_with_its_own_use_and_in_its_own_class() {
    let tpm = Tpm::new();
    let (attestation, challenge) = tpm.attestation();
    let shown = |form: &support::maker::Form| {
        let der = form.sign(&tpm.maker_key);
        tpm.changed(&attestation, |parts| *parts = parts.clone().with_ak_certificate(der))
    };
    let mut anchors = Anchors::none();
    anchors.add(DeviceClass::TpmAk, &tpm.maker).unwrap();
    let verifier = Verifier::new(anchors);
    let fresh = Fresh::To(&challenge);
    let verified = |form| refused(verifier.verify(&shown(&form), fresh, now()));
    let good = shown(&tpm.ak_form());
    let verdict = verifier.verify(&good, fresh, now()).unwrap();
    assert_eq!((verdict.root(), verdict.device().class()), (&Root::Maker, DeviceClass::TpmAk));
    assert_eq!(verified(tpm.ak_form().without("2.5.29.37")), "Purpose");
    let id_dev_id = tpm.ak_form().without("2.5.29.37").with(purpose("2.23.133.8.4"));
    assert_eq!(verified(id_dev_id), "Purpose");
    let no_sign = tpm.ak_form().without("2.5.29.15").with(key_usage(0x08));
    assert_eq!(verified(no_sign), "Usage");
    let mut other = tpm.ak_form();
    other.spki = tpm.ek_form().spki;
    assert_eq!(verified(other), "OtherAk");
    // There is no endorsement key that an endorsement could be about.
    let endorsed = tpm.changed(&good, |parts| {
        *parts = TpmEvidence(parts.clone()).with_endorsement(tpm.endorsed(&endorser())).0;
    });
    assert_eq!(refused(verifier.verify(&endorsed, fresh, now())), "UnusedEndorsement");
    // Whoever is believed for endorsement keys is not for attestation keys, nor the other way.
    assert_eq!(refused(tpm.verifier().verify(&good, fresh, now())), "OtherClass");
    assert_eq!(refused(verifier.verify(&attestation, fresh, now())), "OtherClass");
    let begun = verifier.begin(&good, fresh, now()).unwrap_err();
    assert!(format!("{begun:?}").contains("NothingToActivate"), "{begun:?}");
}

/// Rule 5, and that a statement is for one answer.
#[test]
fn a_statement_of_another_answer_is_a_replay() {
    let tpm = Tpm::new();
    let (old, _) = tpm.attestation();
    let challenge = challenge();
    let mut replayed = old.clone();
    replayed.nonce = challenge.nonce;
    assert_eq!(
        refused(tpm.verifier().verify(&replayed, Fresh::To(&challenge), now())),
        "Possession"
    );
    let replayed = tpm.signed(replayed);
    assert_eq!(begun(&tpm, &replayed, &challenge), "QualifyingData");
}

/// Rule 11, and that an activation is of one attestation.
#[test]
fn only_the_secret_of_this_very_attestation_is_an_answer() {
    let tpm = Tpm::new();
    let (attestation, challenge) = tpm.attestation();
    let (verifier, fresh) = (tpm.verifier(), Fresh::To(&challenge));
    let begin = || verifier.begin(&attestation, fresh, now()).unwrap();
    let finish = |activation, answer: &ActivationAnswer, of: &Attestation| {
        refused(verifier.finish(activation, answer, of, fresh, now()))
    };
    let (activation, request) = begin();
    let answer = tpm.activate(&request).unwrap();
    let kept = activation.to_secret_json();
    let kept = || Activation::from_secret_json(kept.as_bytes()).unwrap();
    assert_eq!(finish(kept(), &answer, &attestation), "accepted");
    assert_eq!(finish(kept(), &tpm.activate(&begin().1).unwrap(), &attestation), "Answer");
    let (other, of_other) = tpm.attestation();
    let found = verifier.finish(kept(), &answer, &other, Fresh::To(&of_other), now());
    assert_eq!(refused(found), "OtherActivation");
    // Every bit of it.
    let secret = answer.to_json();
    let good = crate::encoding::base64::decode_url(&secret[secret.len() - 45..secret.len() - 2]);
    let good: [u8; 32] = good.unwrap().try_into().unwrap();
    for bit in 0..256 {
        let mut wrong = good;
        wrong[bit / 8] ^= 1 << (bit % 8);
        let wrong = ActivationAnswer::new(zeroize::Zeroizing::new(wrong));
        assert_eq!(finish(kept(), &wrong, &attestation), "Answer", "{bit}");
    }
    // Another TPM, or one that was cleared, cannot read it.
    let mut cleared = Tpm::new();
    cleared.ak = p256::SecretKey::from_slice(&[6; 32]).unwrap();
    assert!(cleared.activate(&request).is_none());
    let shown = format!("{activation:?} {request:?} {answer:?}");
    assert!(shown.len() < 120 && !shown.contains("secret"), "{shown}");
}

#[test]
fn an_endorsement_is_believed_of_who_is_named_for_what_it_says_and_as_long() {
    let tpm = Tpm::new();
    let challenge = challenge();
    let endorsement = tpm.endorsed(&endorser());
    let with = |tpm: &Tpm, endorsement: &Endorsement| {
        let attestation = tpm.answering(&challenge);
        tpm.changed(&attestation, |parts| {
            *parts = TpmEvidence(parts.clone()).with_endorsement(endorsement.clone()).0;
        })
    };
    let believes = |did: &crate::did::Did| tpm.verifier().endorsed_by(did.clone());
    let verified = |endorsement: &Endorsement| {
        let shown = with(&tpm, endorsement);
        refused(believes(endorser().did()).verify(&shown, Fresh::To(&challenge), now()))
    };
    assert_eq!(verified(&endorsement), "accepted");
    let shown = with(&tpm, &endorsement);
    let named_other = believes(key().did()).verify(&shown, Fresh::To(&challenge), now());
    assert_eq!(refused(named_other), "Endorser");
    // Under the endorser's own signature, each of its fields.
    let resigned = |change: &dyn Fn(&mut Endorsement)| {
        let mut changed = endorsement.clone();
        change(&mut changed);
        verified(&changed.signed_for_tests(&endorser()))
    };
    assert_eq!(resigned(&|_| {}), "accepted");
    assert_eq!(resigned(&|it| it.ak_name_for_tests()[9] ^= 1), "OtherEndorsement");
    assert_eq!(resigned(&|it| it.certificate_for_tests()[9] ^= 1), "OtherEkCertificate");
    assert_eq!(resigned(&|it| it.set_for_tests(NOW + 1, NOW + 9)), "EndorsementNotYetValid");
    assert_eq!(resigned(&|it| it.set_for_tests(NOW - 9, NOW - 1)), "EndorsementExpired");
    assert_eq!(resigned(&|it| it.set_for_tests(NOW - 9, NOW)), "accepted");
    assert_eq!(resigned(&|it| it.set_for_tests(NOW, NOW + 400 * 86400)), "EndorsementTooLong");
    // Of a TPM that was cleared.
    let mut cleared = Tpm::new();
    cleared.ak = p256::SecretKey::from_slice(&[6; 32]).unwrap();
    let mut anchors = Anchors::none();
    anchors.add(DeviceClass::Tpm, &cleared.maker).unwrap();
    let verifier = Verifier::new(anchors).endorsed_by(endorser().did().clone());
    let found = verifier.verify(&with(&cleared, &endorsement), Fresh::To(&challenge), now());
    assert_eq!(refused(found), "OtherEndorsement");
    // Its own word.
    let own = tpm.key();
    let mut by_itself = endorsement.clone();
    by_itself.endorser_for_tests(own.did().clone());
    let shown = with(&tpm, &by_itself.signed_for_tests(&own));
    let found = believes(own.did()).verify(&shown, Fresh::To(&challenge), now());
    assert_eq!(refused(found), "OwnEndorsement");
    // No byte of it.
    let json = endorsement.to_json().into_bytes();
    for at in 0..json.len() {
        let mut changed = json.clone();
        changed[at] ^= 1 << (at % 7);
        if let Ok(read) = Endorsement::parse(&changed) {
            assert_ne!(verified(&read), "accepted", "byte {at}");
        }
        assert!(Endorsement::parse(&json[..at]).is_err(), "cut at {at}");
    }
}

/// Where the DID's key signs whatever is put there: what the structures alone show.
#[test]
fn no_byte_of_any_field_can_be_changed_cut_or_added() {
    let tpm = Tpm::new();
    let (attestation, challenge) = tpm.attestation();
    let attestation = super::pcrs::quoting(&tpm, &attestation, &[0x81, 0, 0]);
    assert_eq!(begun(&tpm, &attestation, &challenge), "accepted");
    let mut changes = 0;
    for field in 0..8 {
        let length = Parts::field_for_tests(&mut parts(&attestation), field).len();
        let refuses = |change: &dyn Fn(&mut Vec<u8>), what: &str, at: usize| {
            let changed = tpm.changed(&attestation, |parts| change(parts.field_for_tests(field)));
            assert_ne!(begun(&tpm, &changed, &challenge), "accepted", "{field}: {what} {at}");
        };
        for at in 0..length {
            refuses(&|bytes| bytes[at] ^= 1 << (at % 8), "changed", at);
            refuses(&|bytes| bytes.truncate(at), "cut", at);
            changes += 2;
        }
        refuses(&|bytes| bytes.push(0), "longer", length);
    }
    assert!(changes > 1500, "{changes}");
}

/// The file as it is sent, of which the DID's key signs all.
#[test]
fn no_byte_of_a_tpms_file_can_be_changed_and_none_be_left_out() {
    let tpm = Tpm::new();
    let challenge = challenge();
    let endorsement = tpm.endorsed(&endorser());
    let attestation = tpm.changed(&tpm.answering(&challenge), |parts| {
        *parts = TpmEvidence(parts.clone()).with_endorsement(endorsement).0;
    });
    let verifier = tpm.verifier().endorsed_by(endorser().did().clone());
    let verified = |json: &[u8]| match Attestation::parse(json) {
        Ok(read) => refused(verifier.verify(&read, Fresh::To(&challenge), now())),
        Err(error) => format!("{error:?}"),
    };
    let json = attestation.to_json().into_bytes();
    assert_eq!(verified(&json), "accepted");
    for at in 0..json.len() {
        let mut changed = json.clone();
        changed[at] ^= 1 << (at % 7);
        assert_ne!(verified(&changed), "accepted", "byte {at}");
        assert!(Attestation::parse(&json[..at]).is_err(), "cut at {at}");
    }
}

fn parts(attestation: &Attestation) -> Parts {
    let evidence::Evidence::Tpm2Certify(parts) = &attestation.evidence else { panic!() };
    (**parts).clone()
}

#[test]
fn an_ed25519_identity_is_refused_before_a_pin_is_asked_for() {
    let challenge = challenge();
    let refused = Attestation::check_tpm(key().did(), &challenge, now()).unwrap_err();
    let text = format!("{refused:?} {}", refused.help().unwrap());
    assert!(text.contains("Sealed") && text.contains("P-256") && text.contains("rotate"), "{text}");
    let asked = std::cell::Cell::new(false);
    let made = Attestation::create_tpm(
        key().did(),
        &challenge,
        now(),
        |_| {
            asked.set(true);
            Err::<TpmEvidence, _>(AttestationError::NoCertificate)
        },
        || {
            asked.set(true);
            Ok(key())
        },
    );
    assert!(made.is_err() && !asked.get());
}
