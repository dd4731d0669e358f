use super::{check, did};
use crate::algorithm::{AlgorithmId, BadSignature, InvalidVerifyingKey};
use crate::daemon::{InvalidRequest, InvalidValue};
use crate::did::{DidMethod, InvalidDid};
use crate::error::{Error, ErrorKind as K};
use crate::evidence::{Assurance, Exposable, ProvenanceKind, Unmet};
use crate::key::{DidKey, Hardware, Key, Refused, Software, Unlocked};
use crate::locator::InvalidPcrs;
use crate::locator::uri::InvalidPkcs11Uri;
use crate::sshsig::InvalidSshSignature;

#[test]
fn of_dids() {
    use InvalidDid as E;
    let errors = vec![
        E::TooLong,
        E::UnknownMethod,
        E::NotBase58Btc,
        E::DidUrl,
        E::Alphabet,
        E::Varint,
        E::Multicodec { code: 1 },
        E::Length { found: 1, expected: 32 },
        E::Key(InvalidVerifyingKey::NotOnCurve),
        E::NotCanonical,
        E::NoSuchDid { method: DidMethod::Icn, algorithm: AlgorithmId::P256 },
    ];
    check("did.rs", errors.into_iter().map(|error| (error, K::InvalidInput)).collect());
}

#[test]
fn of_public_keys() {
    use InvalidVerifyingKey as E;
    let errors = vec![
        E::NotOnCurve,
        E::NotCanonical,
        E::SmallOrder,
        E::Length { found: 1, expected: 32 },
        E::Format { expected: "a public key in DER" },
        E::PrivateKey,
    ];
    check("algorithm.rs", errors.into_iter().map(|error| (error, K::InvalidInput)).collect());
}

#[test]
fn of_ssh_signatures() {
    use InvalidSshSignature as E;
    check(
        "sshsig.rs",
        vec![
            (E::Armor, K::InvalidInput),
            (E::Encoding, K::InvalidInput),
            (E::Version { found: 2 }, K::Unsupported),
            (E::Key, K::Unsupported),
            (E::Hash, K::Unsupported),
            (E::TooLong, K::InvalidInput),
        ],
    );
}

#[test]
fn of_uris() {
    use InvalidPkcs11Uri as E;
    let (offset, name) = (1, || "x".to_owned());
    let errors = vec![
        E::Scheme,
        E::Character { offset },
        E::Percent { offset },
        E::NoAttribute { offset },
        E::Twice { name: name() },
        E::Unknown { offset },
        E::Misplaced { name: "token", place: "before" },
        E::NotTaken { name: "module-name" },
        E::NotTaken { name: "slot-id" },
        E::NotText { name: name() },
        E::TooLong { name: name(), limit: 1 },
        E::EmptyId,
        E::Type,
        E::PinValue,
        E::PinSource,
        E::ModulePath,
    ];
    let rows = errors.into_iter().map(|error| (error, K::InvalidInput)).collect();
    check("locator/uri/error.rs", rows);
}

#[test]
fn of_pcrs() {
    use InvalidPcrs as E;
    let errors = vec![E::Bank, E::Json { line: 1 }, E::Line { line: 1 }, E::Index { position: 1 }];
    let rows = errors.into_iter().map(|error| (error, K::InvalidInput)).collect();
    check("locator/tpm.rs", rows);
}

#[test]
fn of_demands() {
    let provenance = ProvenanceKind::TpmSealed;
    let found = |found| Unmet::Assurance { required: Assurance::Claimed, found };
    let errors = vec![
        Unmet::Unproven,
        Unmet::Confined { provenance },
        Unmet::NeverExposed { provenance },
        Unmet::Assurance { required: Assurance::Attested, found: Assurance::Claimed },
        found(Assurance::None),
        found(Assurance::SoftToken),
    ];
    let rows = errors.into_iter().map(|error| (error, K::Requirement)).collect();
    check("evidence/requirement.rs", rows);
    let errors = vec![Exposable::Extractable, Exposable::Duplicable, Exposable::NotSensitive];
    check("evidence.rs", errors.into_iter().map(|error| (error, K::Requirement)).collect());
}

#[test]
fn of_requests_to_a_daemon() {
    use InvalidRequest as E;
    let (field, takes) = ("sha512", "128 digits in hex");
    let errors = vec![
        E::Empty,
        E::NotJson { line: 1, column: 2 },
        E::NotAnObject,
        E::UnknownField { name: Some("text".into()), known: "`context`".into() },
        E::Twice { field },
        E::Missing { field, takes },
        E::Either { one: "message", other: field, both: false },
        E::Value { field, takes, problem: InvalidValue::UpperCase },
    ];
    let rows = errors.into_iter().map(|error| (error, K::InvalidInput)).collect();
    check("daemon/request/invalid.rs", rows);
}

#[test]
fn of_what_has_no_variants() {
    let key = DidKey::from(Key::<Software, Unlocked>::generate().unwrap());
    let other = Key::<Hardware, Unlocked>::try_from(key).unwrap_err();
    let errors: Vec<(Error, K)> = vec![
        (BadSignature::new().into(), K::Untrusted),
        (super::no_randomness().into(), K::Randomness),
        ("much".parse::<Assurance>().unwrap_err().into(), K::InvalidInput),
        (other.into(), K::Requirement),
        (Exposable::Extractable.into(), K::Requirement),
    ];
    for (error, kind) in errors {
        assert_eq!(error.kind(), kind, "{error:?}");
        assert!(error.help().is_some(), "{error:?}");
    }
}

#[test]
fn a_refused_transition_says_its_reason_once_and_has_its_help() {
    use std::error::Error as _;
    let reason = Unmet::Confined { provenance: ProvenanceKind::Software };
    let refused = Refused::new(did(), reason.clone());
    assert_eq!(refused.to_string(), reason.to_string());
    assert_eq!((refused.kind(), refused.help()), (reason.kind(), reason.help()));
    // The text of the reason is not printed once more as its own cause.
    assert!(refused.source().is_none());
    assert_eq!(Error::from(refused).to_string(), reason.to_string());
}
