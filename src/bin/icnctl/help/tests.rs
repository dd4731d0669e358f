//! Each command and option that gets somebody further is said.

use std::io;

use icn_identity::backend::BackendKind;
use icn_identity::backend::uri::InvalidPkcs11Uri;
use icn_identity::bundle::{BundleError, DecryptError};
use icn_identity::config::ConfigError;
use icn_identity::did::InvalidDocument;
use icn_identity::error::{
    BackupError, DeviceError, Error, ExportError, FormatError, KeystoreError, LegacyError,
    NotCompared, OpenError, Pkcs11Error, SignError, TpmError,
};
use icn_identity::rotation::RotationError;
use icn_identity::{AlgorithmId, Did, ProvenanceKind};

use super::Help;

const DID: &str = "did:key:z6MkiTBz1ymuepAQ4HEHYSF1H8quG5GLVVQR3djdX3mDooWp";

fn did() -> Did {
    Did::parse(DID).unwrap()
}

fn token() -> String {
    "node-1".into()
}

fn pcr_mismatch(authorized: bool) -> TpmError {
    TpmError::PcrMismatch { differences: Vec::new(), authorized }
}

/// What the library says, and what the command says instead.
#[track_caller]
fn assert_says(error: impl Into<Error>, wanted: &[&str]) {
    let error = error.into();
    let said = error.on_the_command_line().unwrap_or_default();
    for wanted in wanted {
        assert!(said.contains(wanted), "{error:?}: {said}");
    }
    let of_the_library = error.help().unwrap_or_default();
    assert_ne!(said, of_the_library);
    assert!(!of_the_library.is_empty(), "{error:?}");
}

#[test]
fn what_is_missing_or_in_the_way_is_given_by_an_option() {
    assert_says(TpmError::PinMissing, &["--pin-file", "$ICN_PIN", "no try was spent"]);
    assert_says(KeystoreError::PassphraseNeeded, &["--passphrase-file", "$ICN_PASSPHRASE"]);
    assert_says(KeystoreError::NoIdentity { home: "/h".into() }, &["icnctl id init", "--home"]);
    assert_says(KeystoreError::Exists { path: "/h".into() }, &["--home", "never overwritten"]);
    assert_says(KeystoreError::NotADirectory { path: "/h".into() }, &["--home"]);
    let refused = KeystoreError::RefusedBefore {
        token: token(),
        source_name: "x".into(),
        at: 0,
        note: "/h/refused.json".into(),
    };
    assert_says(refused, &["another one is tried", "--retry-pin"]);
    let (token_name, note) = (token(), "/h/refused.json".into());
    assert_says(
        KeystoreError::PinInDoubt { token: token_name, source_name: "x".into(), at: 0, note },
        &["make sure of the PIN", "wrong ones were counted", "--retry-pin"],
    );
    let (token_name, note) = (token(), "/h/refused.json".into());
    let problem = NotCompared::Untagged;
    assert_says(
        KeystoreError::PinNotCompared { token: token_name, source_name: "x".into(), note, problem },
        &["make sure of the PIN", "--retry-pin"],
    );
    assert_says(
        KeystoreError::Refusals { path: "/h/refused.json".into(), source: "x".into() },
        &["make sure of the PIN", "--retry-pin", "rm -f /h/refused.json"],
    );
    let (full, repair) = (|| "the disk is full".into(), || "make room: df -h /h".to_owned());
    let unnoted = ["make room: df -h", "--retry-pin", "allow_unnoted_try = true", "at each start"];
    assert_says(TpmError::PinNotNoted { repair: repair(), source: full() }, &unnoted);
    assert_says(
        Pkcs11Error::PinNotNoted { token: token(), repair: repair(), source: full() },
        &unnoted,
    );
    assert_says(Pkcs11Error::FoundTwice { did: did(), candidates: Vec::new() }, &["--key URI"]);
    let taken = |keys| Pkcs11Error::LabelTaken { token: token(), label: token(), keys };
    assert_says(taken(Vec::new()), &["--key-label"]);
    let place = icn_identity::backend::Pkcs11Locator::new("node-1", "0123", vec![1]);
    assert_says(
        taken(vec![(did(), place)]),
        &["icnctl id restore", "--key 'pkcs11:", "--key-label"],
    );
    assert_says(BackupError::NoRecipient, &["--recipient age1…"]);
    assert_says(
        BackupError::KeyFileLocked { path: "/k".into() },
        &["--identity-passphrase-file FILE", "$ICN_RECOVERY_PASSPHRASE"],
    );
    assert_says(BackupError::OtherDid { expected: did(), found: did() }, &["--did"]);
    assert_says(BackupError::NotNamed { found: did() }, &["--did DID"]);
    // Which is where others can read it.
    let no_recipient = || BackupError::NotARecipient { given: None, reason: "x" };
    assert_says(no_recipient(), &["age-keygen", "command line"]);
    assert_says(BackupError::SecretAsRecipient, &["age-keygen", "command line"]);
    let recipient = ExportError::Recipient(Box::new(no_recipient()));
    assert_says(recipient, &["age-keygen -y", "command lines"]);
    assert_says(LegacyError::Binding, &["--discard-tls"]);
    assert_says(LegacyError::NotPinned { found: did(), pinned: did() }, &["--home", "`did`"]);
    for provenance in [ProvenanceKind::TpmSealed, ProvenanceKind::Hardware] {
        assert_says(ExportError::NoSecret { provenance }, &["--did-only"]);
    }
    let over = RotationError::HandedOver { did: did(), to: did(), given_up: false };
    assert_says(over, &["--again", "fork"]);
    let said = InvalidPkcs11Uri::PinValue.on_the_command_line().unwrap();
    assert!(said.contains("--pin-file") && said.contains("pin-source"), "{said}");
}

#[test]
fn an_algorithm_that_will_not_do_is_answered_by_the_one_that_will() {
    let backend = BackendKind::Age;
    assert_says(
        DeviceError::NoAlgorithm { backend, algorithm: AlgorithmId::P256 },
        &["--backend pkcs11 or tpm", "--algorithm"],
    );
    let (token, mechanisms) = (token(), Vec::new());
    assert_says(
        Pkcs11Error::NoMechanism {
            token,
            algorithm: AlgorithmId::Ed25519,
            missing: "CKM_EDDSA",
            mechanisms,
            instead: Some(AlgorithmId::P256),
        },
        &["--algorithm p256", "CKM_EDDSA"],
    );
}

#[test]
fn what_another_command_does_is_said_by_its_name() {
    assert_says(pcr_mismatch(true), &["icnctl tpm approve", "icnctl tpm install"]);
    assert_says(pcr_mismatch(false), &["icnctl id reseal --pcr-values"]);
    assert_says(
        TpmError::NotAParent { handle: 0x8100_0001, reason: "x" },
        &["key_handle", "icnctl id reseal"],
    );
    assert_says(TpmError::NoBank { bank: "sha384" }, &["icnctl backend doctor", "pcr_bank"]);
    assert_says(TpmError::PolicyRefused { source: "x".into() }, &["icnctl backend doctor"]);
    assert_says(TpmError::Attributes { problem: "x" }, &["icnctl id init --backend tpm"]);
    assert_says(TpmError::TakesNoApproval, &["icnctl id reseal", "policy = \"authorized\""]);
    assert_says(TpmError::Approval { reason: "x" }, &["icnctl tpm check --format json"]);
    assert_says(
        Pkcs11Error::NotConfiguredKey { configured: token(), found: token() },
        &["--key", "icnctl id relocate"],
    );
    assert_says(Pkcs11Error::PublicKey { token: token(), reason: token() }, &["icnctl id init"]);
    assert_says(
        OpenError::Exposable(icn_identity::evidence::Exposable::Extractable),
        &["icnctl id init --backend pkcs11"],
    );
    assert_says(
        KeystoreError::NoPassphrase { backend: BackendKind::Tpm },
        &["icnctl id reseal --new-pin"],
    );
    let home = "/h".into();
    assert_says(
        KeystoreError::NeverMade { home, did: None, objects: None },
        &["icnctl id init", "icnctl id restore"],
    );
    let path = "/h/identity.age".into();
    assert_says(KeystoreError::Incomplete { missing: path }, &["icnctl id init", "id restore"]);
    let path = "/h/identity.json".into();
    assert_says(KeystoreError::Incomplete { missing: path }, &["icnctl id restore"]);
    let path = "/h/tpm-approvals.json".into();
    assert_says(KeystoreError::Approvals { path, source: "x".into() }, &["icnctl tpm install"]);
    assert_says(BackupError::OtherKey, &["icnctl id backup"]);
    assert_says(BundleError::NotYetValid { wait: 9 }, &["icnctl id renew"]);
    let all = "icnctl id renew --all-instances";
    assert_says(BundleError::EarlierEpoch { present: 2, asked: 1 }, &[all]);
    assert_says(BundleError::EpochTooLate { asked: 2, limit: 1 }, &[all]);
    assert_says(BundleError::Mismatch { what: "key" }, &["icnctl id restore"]);
    assert_says(DecryptError::NotAge, &["icnctl id show"]);
    assert_says(DecryptError::NotForThisIdentity, &["icnctl id show"]);
    assert_says(InvalidDocument::TooLong, &["icnctl --format did-document id show"]);
    assert_says(InvalidDocument::Mismatch { what: "key" }, &["icnctl id restore"]);
    assert_says(RotationError::TooLong { limit: 9 }, &["icnctl id rotation show -o FILE"]);
    assert_says(RotationError::AlreadyStored { did: did() }, &["icnctl id rotation show"]);
    assert_says(Did::parse("x").unwrap_err(), &["icnctl id show"]);
    let said = InvalidPkcs11Uri::Scheme.on_the_command_line().unwrap();
    assert!(said.contains("icnctl backend doctor"), "{said}");
}

/// However deep the error lies that knows what to do.
#[test]
fn an_error_within_another_is_answered_alike() {
    let device = || DeviceError::from(TpmError::PinMissing);
    let said = device().on_the_command_line();
    assert!(said.as_deref().is_some_and(|said| said.contains("--pin-file")));
    for error in [
        Error::from(device()),
        OpenError::from(device()).into(),
        OpenError::Challenge(SignError::Device(device())).into(),
        SignError::Device(device()).into(),
        BundleError::Challenge(device().into()).into(),
        BundleError::Sign(SignError::Device(device())).into(),
    ] {
        assert_eq!(error.on_the_command_line(), said, "{error:?}");
    }
    let older = || FormatError::Older { what: "identity.age", found: 4 };
    let source = Box::new(OpenError::Payload(older()));
    assert_says(
        KeystoreError::NotOpened { path: "/h/identity.age".into(), source },
        &["icnctl id import"],
    );
    assert_says(ConfigError::File(KeystoreError::PassphraseNeeded), &["--passphrase-file"]);
    let no_pin = Box::new(Error::from(device()));
    assert_says(
        BackupError::KeyNotThere { did: did(), place: token(), source: no_pin },
        &["--encryption-key-only -o FILE", "icnctl id init"],
    );
}

#[test]
fn where_no_command_does_it_the_library_is_right() {
    let path = "/h/identity.age".into();
    let source = io::ErrorKind::StorageFull.into();
    for error in [
        Error::from(OpenError::WrongPassphrase),
        KeystoreError::Io { action: "write", path, source }.into(),
        Pkcs11Error::PinLocked { token: token(), of_tpm: false }.into(),
        Pkcs11Error::PinLocked { token: token(), of_tpm: true }.into(),
        BundleError::ClockNotSet { now: 9 }.into(),
        BackupError::OwnRecipient.into(),
    ] {
        assert!(error.help().is_some(), "{error:?}");
        assert_eq!(error.on_the_command_line(), error.help(), "{error:?}");
    }
}
