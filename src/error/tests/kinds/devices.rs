use super::{boxed, check, did};
use crate::algorithm::{AlgorithmId, BadSignature};
use crate::error::{
    DeviceError, ErrorKind as K, FormatError, KeystoreError, ModuleProblem, OpenError, PinProblem,
    Pkcs11Error, SignError, TpmError, TpmState,
};
use crate::evidence::{Assurance, Exposable, Lockout, ProvenanceKind};
use crate::locator::BackendKind;

/// A disk that takes no note.
fn boxed_full() -> Box<dyn std::error::Error + Send + Sync> {
    let source = std::io::ErrorKind::StorageFull.into();
    Box::new(KeystoreError::Io { action: "write", path: "/x".into(), source })
}

fn refused() -> Box<dyn std::error::Error + Send + Sync> {
    let (token, source_name, note) = ("t".to_owned(), "t".to_owned(), "/x".into());
    Box::new(KeystoreError::RefusedBefore { token, source_name, at: 0, note })
}

#[test]
fn of_opening() {
    use OpenError as E;
    let (demanded, found) = (ProvenanceKind::Hardware, ProvenanceKind::DeviceHeld);
    let (p256, ed25519) = (AlgorithmId::P256, AlgorithmId::Ed25519);
    let newer = FormatError::Newer { what: "x", found: 2, known: 1 };
    check(
        "fault/open.rs",
        vec![
            (E::WrongPassphrase, K::WrongCredential),
            (E::OddPassphrase { problem: crate::secret::TextProblem::Lines }, K::WrongCredential),
            (E::EmptyPassphrase, K::CredentialMissing),
            (E::ExcessiveWork { required: 30, limit: 20 }, K::Damaged),
            (E::Damaged(boxed()), K::Damaged),
            (E::Payload(newer), K::Unsupported),
            (E::Payload(FormatError::Payload { reason: "x", source: None }), K::Damaged),
            (E::NoSeed, K::Configuration),
            (E::WrongKey { expected: did(), found: did() }, K::OtherIdentity),
            (E::WrongProvenance { demanded, found }, K::Requirement),
            (E::WrongAlgorithm { demanded: p256, found: ed25519 }, K::Requirement),
            (E::NotSealedToTpm, K::Requirement),
            (
                E::LessAssurance { was: Assurance::Claimed, now: Assurance::SoftToken },
                K::Requirement,
            ),
            (E::Exposable(Exposable::Extractable), K::Requirement),
            (E::Challenge(SignError::External(boxed())), K::External),
            (E::NotItsKey, K::OtherIdentity),
            (E::Device(TpmError::FinalTry.into()), K::LockedOut),
            (E::NoRandomness(super::no_randomness()), K::Randomness),
            (E::NoMemory { log_n: 18 }, K::Busy),
            (E::Encrypt(boxed()), K::Internal),
        ],
    );
}

#[test]
fn of_signing() {
    use SignError as E;
    check(
        "fault/sign.rs",
        vec![
            (E::Device(Pkcs11Error::Forked.into()), K::Misuse),
            (E::BadSignature(BadSignature::new()), K::Untrusted),
            (E::External(boxed()), K::External),
            (
                E::Remote {
                    kind: K::Busy,
                    help: Some("wait, then try again".into()),
                    source: boxed(),
                },
                K::Busy,
            ),
            (E::Reserved, K::InvalidInput),
            (E::Refused(boxed()), K::External),
            (E::InvalidContext, K::InvalidInput),
            (E::Unread(std::io::ErrorKind::NotFound.into()), K::NotFound),
            (E::TooLong { limit: 1 << 30 }, K::InvalidInput),
            (E::NoMemory { bytes: 1 << 30 }, K::Busy),
            (E::NoMemoryForModule { bytes: 1 << 31 }, K::Busy),
            (E::WantsMessage, K::Misuse),
        ],
    );
}

#[test]
fn of_devices() {
    use DeviceError as E;
    let backend = BackendKind::Tpm;
    check(
        "fault/device.rs",
        vec![
            (E::NoPkcs11, K::Unsupported),
            (E::NoTpm, K::Unsupported),
            (E::Pkcs11(Pkcs11Error::PinLocked { token: "t".into(), of_tpm: false }), K::LockedOut),
            (E::Pkcs11(Pkcs11Error::PinLocked { token: "t".into(), of_tpm: true }), K::LockedOut),
            (E::Tpm(TpmError::PinMissing), K::CredentialMissing),
            (E::NoAlgorithm { backend, algorithm: AlgorithmId::P256 }, K::Unsupported),
            (E::StorageKey { token: "t".into(), source: None }, K::OtherIdentity),
            (E::WrongCredential { backend, wanted: "passphrase" }, K::CredentialMissing),
            (E::NoSeedImport { backend }, K::Unsupported),
            (E::ForeignLocator { backend }, K::Misuse),
        ],
    );
}

#[test]
fn of_tokens() {
    use Pkcs11Error as E;
    let t = || "node-1".to_owned();
    let advice = || "start it once more".to_owned();
    let call = |kind| E::Call { call: "C_Sign", token: t(), kind, of_tpm: false, source: boxed() };
    let of_tpm = |call, kind| E::Call { call, token: t(), kind, of_tpm: true, source: boxed() };
    let takes_no_public = |shown_by_private| E::TakesNoPublicKey {
        token: t(),
        uri: t(),
        shown_by_private,
        source: boxed(),
    };
    let wrong =
        |final_try, count_low, lockout| E::WrongPin { token: t(), final_try, count_low, lockout };
    let none = Vec::new;
    let lacks = |algorithm, instead| E::NoMechanism {
        token: t(),
        algorithm,
        missing: "CKM_X",
        mechanisms: none(),
        instead,
    };
    check(
        "fault/pkcs11.rs",
        vec![
            (E::NoPublicKey { token: t(), key: "x".into(), of_identity: true }, K::Damaged),
            (E::HalfElsewhere { token: t(), key: "x".into(), uri: "x".into() }, K::Damaged),
            (E::NoPrivateKey { token: t(), key: "x".into() }, K::NotFound),
            (
                E::OtherKind { token: t(), key: "x".into(), found: "an RSA key".into() },
                K::InvalidInput,
            ),
            (
                E::Module {
                    path: "/x".into(),
                    problem: ModuleProblem::NotFound,
                    configured_in: None,
                    source: None,
                },
                K::Configuration,
            ),
            (E::NoToken { wanted: t(), present: none(), renamed: None }, K::DeviceAbsent),
            (E::NoToken { wanted: t(), present: none(), renamed: Some(t()) }, K::DeviceAbsent),
            (E::OtherSerial { wanted: t(), present: none() }, K::DeviceAbsent),
            (E::OutOfReach { wanted: t(), slots: none() }, K::DeviceAbsent),
            (
                E::AmbiguousToken { wanted: t(), candidates: none(), differ_by: "serial" },
                K::Configuration,
            ),
            (lacks(AlgorithmId::Ed25519, Some(AlgorithmId::P256)), K::Unsupported),
            (lacks(AlgorithmId::Ed25519, None), K::Unsupported),
            (lacks(AlgorithmId::P256, None), K::Unsupported),
            (E::PinPerSignature { token: t(), module: "/m.so".into() }, K::Unsupported),
            (E::NoKey { token: t(), wanted: t() }, K::NotFound),
            (
                E::AmbiguousKey { token: t(), wanted: t(), count: 2, candidates: none() },
                K::Configuration,
            ),
            (E::NotConfiguredKey { configured: t(), found: t() }, K::Configuration),
            (
                E::NotConfiguredToken { wanted: t(), present: none(), renamed: None },
                K::Configuration,
            ),
            (E::NotFound { did: did(), tokens: none(), logged_in: false }, K::DeviceAbsent),
            (E::NotFound { did: did(), tokens: none(), logged_in: true }, K::NotFound),
            (E::FoundTwice { did: did(), candidates: none() }, K::Configuration),
            (E::LabelTaken { token: t(), label: t(), keys: Vec::new() }, K::AlreadyExists),
            (
                E::KeyReplaced { token: t(), key: t(), expected: did(), found: did() },
                K::OtherIdentity,
            ),
            (E::KeyNotShown { token: t(), key: t() }, K::OtherIdentity),
            (E::OtherPrivateKey { token: t(), key: t(), did: did(), found: "f" }, K::OtherIdentity),
            (E::PublicKeyHidden { token: t(), key: t() }, K::Configuration),
            (E::PublicKey { token: t(), reason: t() }, K::Damaged),
            (wrong(true, true, None), K::WrongCredential),
            (wrong(false, false, None), K::WrongCredential),
            (wrong(false, false, Some(Lockout::Tpm)), K::WrongCredential),
            (E::PinKnownWrong { token: t() }, K::WrongCredential),
            (E::PinDiffers { token: t() }, K::WrongCredential),
            (E::PinInDoubt { token: t() }, K::WrongCredential),
            (E::FinalTry { token: t() }, K::LockedOut),
            (E::PinNotNoted { token: t(), repair: t(), source: boxed_full() }, K::Storage),
            (E::PinNotNoted { token: t(), repair: t(), source: boxed() }, K::Io),
            (
                E::PinNotSentAgain { token: t(), repair: advice(), source: refused() },
                K::WrongCredential,
            ),
            (E::PinNotSentAgain { token: t(), repair: advice(), source: boxed_full() }, K::Storage),
            (E::PinBeingTried { token: t(), holder: t() }, K::InUse),
            (E::PinLocked { token: t(), of_tpm: false }, K::LockedOut),
            (E::PinLocked { token: t(), of_tpm: true }, K::LockedOut),
            (E::PinUnusable { token: t(), problem: PinProblem::Empty }, K::CredentialMissing),
            (E::PinUnusable { token: t(), problem: PinProblem::NotSet }, K::CredentialMissing),
            (E::PinUnusable { token: t(), problem: PinProblem::TooLong }, K::WrongCredential),
            (E::PinUnusable { token: t(), problem: PinProblem::NotOfYubiHsm }, K::WrongCredential),
            (E::PinNotTaken { token: t(), problem: PinProblem::Expired }, K::WrongCredential),
            (E::NotOpen { token: t() }, K::CredentialMissing),
            (E::NotReopened { token: t(), source: OpenError::NotItsKey.into() }, K::OtherIdentity),
            (E::NotReopened { token: t(), source: boxed() }, K::DeviceFailed),
            (E::Forked, K::Misuse),
            (E::LeftBehind { token: t(), id: t(), by_their_id: true, source: boxed() }, K::Damaged),
            (
                E::LeftBehind { token: t(), id: t(), by_their_id: false, source: boxed() },
                K::Damaged,
            ),
            (E::ProbeLeft { token: t(), ids: vec![t()], source: boxed() }, K::Damaged),
            (E::ClaimsBirth { token: t() }, K::Untrusted),
            (E::TakesNoKey { token: t(), source: boxed() }, K::Unsupported),
            (E::KeysInSlots { token: t() }, K::Unsupported),
            (takes_no_public(true), K::Unsupported),
            (takes_no_public(false), K::Unsupported),
            (of_tpm("C_Login", K::WrongCredential), K::WrongCredential),
            (of_tpm("C_GenerateKeyPair", K::DeviceFailed), K::DeviceFailed),
            (call(K::Busy), K::Busy),
            (call(K::DeviceAbsent), K::DeviceAbsent),
            (call(K::DeviceFailed), K::DeviceFailed),
        ],
    );
}

#[test]
fn of_tpms() {
    use TpmError as E;
    let t = || "text".to_owned();
    let kind = K::DeviceFailed;
    let other = |differ| E::PcrMismatch { differences: Vec::new(), authorized: differ };
    check(
        "fault/tpm.rs",
        vec![
            (E::NoDevice { device: t(), source: None }, K::DeviceAbsent),
            (E::BadDevice { device: t(), reason: "r" }, K::Configuration),
            (E::NoPermission { device: t() }, K::Permission),
            (E::Busy { device: t() }, K::Busy),
            (E::NoTcti { device: t(), source: boxed() }, K::Unsupported),
            (E::NotReady { state: TpmState::NotStarted, source: boxed() }, K::DeviceFailed),
            (E::OwnerPassword { source: boxed() }, K::Configuration),
            (E::NoHierarchy { source: boxed() }, K::Configuration),
            (E::EndorsementPassword { source: boxed() }, K::Configuration),
            (E::NoEndorsementHierarchy { source: boxed() }, K::Configuration),
            (E::NoEkCertificate, K::Unsupported),
            (E::OtherEkCertificate { found: t() }, K::Unsupported),
            (E::EkCertificateUnreadable { index: 1, source: boxed() }, K::Damaged),
            (E::EkCertificateGuarded { index: 1, reason: "r", source: None }, K::Configuration),
            (E::ForeignEkCertificate { index: 1, source: boxed() }, K::OtherIdentity),
            (E::NotAttestable, K::Unsupported),
            (E::OtherActivation { source: None }, K::OtherIdentity),
            (other(false), K::StateChanged),
            (other(true), K::StateChanged),
            (E::PcrMoved { differences: Vec::new() }, K::StateChanged),
            (E::NoBank { bank: "sha256" }, K::Configuration),
            (E::NotQuoted { pcrs: "0,7".into() }, K::Configuration),
            (E::WrongPin { tries_left: Some(2), source: boxed() }, K::WrongCredential),
            (E::WrongPin { tries_left: Some(0), source: boxed() }, K::WrongCredential),
            (E::PinKnownWrong, K::WrongCredential),
            (E::PinInDoubt, K::WrongCredential),
            (E::PinMissing, K::CredentialMissing),
            (E::PinUnusable { reason: "r" }, K::CredentialMissing),
            (E::NoMemory { log_n: 17 }, K::Busy),
            (E::FinalTry, K::LockedOut),
            (E::NoSpareTry { allowed: 1 }, K::LockedOut),
            (E::PinNotNoted { repair: t(), source: boxed_full() }, K::Storage),
            (E::PinNotNoted { repair: t(), source: boxed() }, K::Io),
            (E::LockedOut { recovery_seconds: None, source: None }, K::LockedOut),
            (E::OtherTpm { expected: t(), found: t() }, K::OtherIdentity),
            (E::ParentChanged { handle: 1, expected: t(), found: t() }, K::OtherIdentity),
            (E::NoParent { handle: 1, source: boxed() }, K::OtherIdentity),
            (E::NotAParent { handle: 1, reason: "r" }, K::Configuration),
            (E::Damaged { what: "key", source: None }, K::Damaged),
            (E::ForeignPolicy { what: "key" }, K::Damaged),
            (E::PolicyRefused { source: boxed() }, K::DeviceFailed),
            (E::Full { what: "object", source: boxed() }, K::Busy),
            (E::Attributes { problem: "p" }, K::Requirement),
            (E::NoSuchPolicy { reason: "r" }, K::Configuration),
            (E::Approval { reason: "r" }, K::Untrusted),
            (E::OtherApprover, K::Untrusted),
            (E::NotResealable, K::Unsupported),
            (E::ApproverKey { path: "key.pem".into(), problem: "p" }, K::InvalidInput),
            (E::NotConfiguredParent { configured: t(), found: t() }, K::Configuration),
            (E::TakesNoApproval, K::Unsupported),
            (E::Command { doing: "sign", kind, source: boxed() }, kind),
            (E::Command { doing: "make a storage key", kind, source: boxed() }, kind),
        ],
    );
}
