use super::{check, did, json, no_randomness};
use crate::algorithm::{BadSignature, InvalidVerifyingKey};
use crate::attestation::{
    AttestationError, AttestationRefusal, DeviceClass, ExtensionProblem, Firmware, TpmAlgorithm,
    TpmAttribute, TpmCurve, TpmField, TpmRefusal,
};
use crate::error::ErrorKind as K;
use crate::error::{KeystoreError, SignError};
use crate::evidence::{Assurance, ProvenanceKind};
use crate::locator::InvalidPcrs;

#[test]
fn of_attestations() {
    use AttestationError as E;
    let refusal = || Box::new(AttestationRefusal::Sha1 { place: 0 });
    let folder = || KeystoreError::NotADirectory { path: "anchors".into() };
    check(
        "attestation/error.rs",
        vec![
            (E::TooLong { limit: 1 }, K::InvalidInput),
            (E::Json { what: "a challenge", source: json() }, K::InvalidInput),
            (E::Format { expected: "a", found: "b".into() }, K::Unsupported),
            (E::Field { field: "nonce" }, K::InvalidInput),
            (E::Audience, K::InvalidInput),
            (E::ValidFor { seconds: 2, limit: 1 }, K::InvalidInput),
            (E::Clock { unix: 1 }, K::Clock),
            (E::NoCertificate, K::InvalidInput),
            (E::TooManyCertificates { count: 7 }, K::InvalidInput),
            (E::Pcrs(InvalidPcrs::Bank), K::InvalidInput),
            (E::PcrBank { found: "sha1" }, K::InvalidInput),
            (E::NoPcr, K::InvalidInput),
            (E::PcrValue { index: 7 }, K::InvalidInput),
            (E::Certificate(refusal()), K::InvalidInput),
            (E::Anchor(refusal()), K::InvalidInput),
            (E::ManyRoots { roots: 2 }, K::InvalidInput),
            (
                E::Load { path: "a.pem".into(), source: Box::new(E::ManyRoots { roots: 2 }) },
                K::InvalidInput,
            ),
            (E::Folder(Box::new(folder())), folder().kind()),
            (E::NoAnchors { directory: "anchors".into() }, K::NotFound),
            (E::Refused(refusal()), K::Untrusted),
            (E::Sign(SignError::Reserved), SignError::Reserved.kind()),
            (E::NoRandomness(no_randomness()), K::Randomness),
        ],
    );
}

#[test]
fn of_refused_attestations() {
    use AttestationRefusal as E;
    let oid = || "1.2.3".to_owned();
    let (place, class) = (1, DeviceClass::YubiHsm);
    let problem = ExtensionProblem::Missing;
    let firmware = Firmware::new(2, 3, 0);
    let text = || "who".to_owned();
    check(
        "attestation/refusal.rs",
        vec![
            (E::TooLarge { place, limit: 1 }, K::Untrusted),
            (E::Malformed { place }, K::Untrusted),
            (E::TrailingBytes { place }, K::Untrusted),
            (E::Version { place, found: 1 }, K::Untrusted),
            (E::TwoAlgorithms { place }, K::Untrusted),
            (E::Sha1 { place }, K::Untrusted),
            (E::ShortRsa { place, bits: 1024 }, K::Untrusted),
            (E::P521 { place }, K::Unsupported),
            (E::UnnamedCurve { place }, K::Unsupported),
            (E::Algorithm { place, oid: oid() }, K::Unsupported),
            (E::DuplicateExtension { place, oid: oid() }, K::Untrusted),
            (E::MalformedExtension { place, oid: oid() }, K::Untrusted),
            (E::CriticalExtension { place, oid: oid() }, K::Untrusted),
            (E::Authority, K::Untrusted),
            (E::NoAuthority { place }, K::Untrusted),
            (E::PathLength { place }, K::Untrusted),
            (E::KeyUsage { place }, K::Untrusted),
            (E::Signature { place }, K::Untrusted),
            (E::NoIssuer { class: DeviceClass::Tpm, place, issuer: text() }, K::Untrusted),
            (E::OtherClass { expected: class, found: class, issuer: text() }, K::Untrusted),
            (E::TooManyCertificates { limit: 6 }, K::Untrusted),
            (E::NotUsed { place }, K::Untrusted),
            (E::Expired { place: 0, ago: 1 }, K::Expired),
            (E::Expired { place, ago: 1 }, K::Expired),
            (E::NotYetValid { place, wait: 1 }, K::Clock),
            (E::NotAnAttestation, K::Untrusted),
            (E::TwoClasses, K::Untrusted),
            (E::Extension { place, oid: oid(), problem }, K::Untrusted),
            (E::Exportable, K::Requirement),
            (E::Capabilities { unknown: 1 }, K::Unsupported),
            (E::Origin { origin: 0 }, K::Untrusted),
            (E::OtherDevice { what: "serial number" }, K::Untrusted),
            (E::Firmware { class, found: firmware, floor: firmware }, K::Requirement),
            (E::Key(InvalidVerifyingKey::SmallOrder), K::Untrusted),
            (E::OtherKey { did: did() }, K::OtherIdentity),
            (E::OwnHistory { found: ProvenanceKind::DeviceHeld }, K::Untrusted),
            (E::OwnDevice { found: Assurance::SoftToken }, K::Requirement),
            (E::Provenance { found: ProvenanceKind::Software }, K::Requirement),
            (E::Possession { did: did(), source: BadSignature::new() }, K::Untrusted),
            (E::Audience { expected: text(), found: text() }, K::OtherIdentity),
            (E::Nonce, K::OtherIdentity),
            (E::ChallengeExpired { ago: 1 }, K::Expired),
            (E::TooOld { seconds: 2, limit: 1 }, K::Expired),
            (E::FromTheFuture { wait: 1 }, K::Clock),
            (E::Unset { created: 0 }, K::Clock),
            (E::Tpm(TpmRefusal::NotJoined), K::Untrusted),
        ],
    );
}

#[test]
fn of_what_a_tpm_gave() {
    use TpmRefusal as E;
    let field = TpmField::Ak;
    let (found, attribute) = (TpmAlgorithm::of(4), TpmAttribute::Restricted);
    let who = || "who".to_owned();
    check(
        "attestation/refusal/tpm.rs",
        vec![
            (E::Malformed { field }, K::Untrusted),
            (E::SealedData { field }, K::Requirement),
            (E::KeyType { field, found }, K::Unsupported),
            (E::Curve { field, found: TpmCurve::of(4) }, K::Unsupported),
            (E::Point { field }, K::Untrusted),
            (E::Sha1 { field }, K::Untrusted),
            (E::NameAlgorithm { field, found }, K::Unsupported),
            (E::Algorithm { field, found }, K::Unsupported),
            (E::Template { field }, K::Untrusted),
            (E::AttributeClear { field, attribute }, K::Untrusted),
            (E::AttributeSet { field, attribute }, K::Untrusted),
            (E::UnknownAttributes { field, unknown: 1 }, K::Unsupported),
            (E::Magic { field }, K::Untrusted),
            (E::Statement { field, found: 0x8018 }, K::Untrusted),
            (E::Signature { field }, K::Untrusted),
            (E::OtherObject, K::Untrusted),
            (E::QualifyingData { field }, K::OtherIdentity),
            (E::NoQuote { expected: who() }, K::Requirement),
            (E::NoPcr, K::Untrusted),
            (E::PcrBanks { count: 2 }, K::Untrusted),
            (E::PcrBank { found }, K::Unsupported),
            (E::PcrSelection { expected: who(), found: who() }, K::Requirement),
            (E::PcrDigest { pcrs: who(), expected: who(), found: who() }, K::Requirement),
            (E::TwoBoots, K::Untrusted),
            (E::Hierarchy, K::Untrusted),
            (E::OtherEk, K::Untrusted),
            (E::OtherAk, K::Untrusted),
            (E::RsaCertificate, K::Unsupported),
            (E::CertificateKey, K::Unsupported),
            (E::Purpose { expected: "x" }, K::Untrusted),
            (E::Usage { expected: "x" }, K::Untrusted),
            (E::NoModel, K::Untrusted),
            (E::Virtual { manufacturer: who(), model: who() }, K::Requirement),
            (E::NotJoined, K::Untrusted),
            (E::Endorser { endorser: did() }, K::Untrusted),
            (E::OwnEndorsement { did: did() }, K::Untrusted),
            (
                E::EndorsementSignature { endorser: did(), source: BadSignature::new() },
                K::Untrusted,
            ),
            (E::OtherEndorsement, K::Untrusted),
            (E::OtherEkCertificate, K::Untrusted),
            (E::EndorsementExpired { ago: 1 }, K::Expired),
            (E::EndorsementNotYetValid { wait: 1 }, K::Clock),
            (E::EndorsementTooLong { seconds: 2, limit: 1 }, K::Untrusted),
            (E::UnusedEndorsement, K::Untrusted),
            (E::NothingToActivate, K::Unsupported),
            (E::OtherActivation, K::OtherIdentity),
            (E::Answer, K::Untrusted),
        ],
    );
}
