use std::io;

use super::{boxed, check, did};
use crate::bundle::DecryptError;
use crate::config::{ClientProblem, ConfigError};
use crate::error::{
    BackupError, CredentialError, ErrorKind as K, ExportError, FieldProblem, FormatError,
    KeystoreError, LegacyError, MigrationError, NotCompared, NotReady, OpenError, Pkcs11Error,
    WaysOut,
};
use crate::evidence::ProvenanceKind;
use crate::locator::BackendKind;

fn io(kind: io::ErrorKind) -> KeystoreError {
    KeystoreError::Io { action: "write", path: "/x".into(), source: kind.into() }
}

const NEWER: FormatError = FormatError::Newer { what: "x", found: 2, known: 1 };

#[test]
fn of_formats() {
    use FormatError as E;
    check(
        "fault/format.rs",
        vec![
            (NEWER, K::Unsupported),
            (E::Older { what: "x", found: 2 }, K::Unsupported),
            (E::Payload { reason: "r", source: None }, K::Damaged),
        ],
    );
}

#[test]
fn of_credentials() {
    use CredentialError as E;
    let variable = || "X".to_owned();
    check(
        "fault/credential.rs",
        vec![
            (E::NotGiven { what: "PIN" }, K::CredentialMissing),
            (E::NotAsked { what: "PIN", source: boxed() }, K::CredentialMissing),
            (E::Empty { what: "PIN" }, K::CredentialMissing),
            (E::Differ { what: "PIN" }, K::InvalidInput),
            (E::NotSet { variable: variable() }, K::CredentialMissing),
            (E::NotSet { variable: "CREDENTIALS_DIRECTORY".into() }, K::CredentialMissing),
            (E::NotAbsolute { variable: variable() }, K::InvalidInput),
            (
                E::NotOneLine {
                    what: "PIN",
                    origin: String::new(),
                    problem: crate::secret::TextProblem::Lines,
                    is_new: true,
                },
                K::InvalidInput,
            ),
            (
                E::NotOneLine {
                    what: "PIN",
                    origin: String::new(),
                    problem: crate::secret::TextProblem::NotUtf8,
                    is_new: false,
                },
                K::WrongCredential,
            ),
        ],
    );
}

#[test]
fn of_the_keystore() {
    use KeystoreError as E;
    let path = || "/x".into();
    let refused =
        E::RefusedBefore { token: "t".into(), source_name: "s".into(), at: 0, note: "/x".into() };
    let not_compared = |problem| {
        let (token, source_name) = (String::new(), String::new());
        E::PinNotCompared { token, source_name, note: "/x".into(), problem }
    };
    let t = || "text".to_owned();
    let busy = Box::new(io(io::ErrorKind::ResourceBusy));
    check(
        "fault/keystore.rs",
        vec![
            (E::NoIdentity { home: path() }, K::NotFound),
            (E::NeverMade { home: path(), did: None, objects: Some(t()) }, K::NotFound),
            (E::Incomplete { missing: path() }, K::Damaged),
            (E::Exists { path: path() }, K::AlreadyExists),
            (E::FileExists { path: path() }, K::AlreadyExists),
            (io(io::ErrorKind::StorageFull), K::Storage),
            (io(io::ErrorKind::PermissionDenied), K::Permission),
            (io(io::ErrorKind::Other), K::Io),
            (
                E::Unsafe { path: path(), problem: t(), repair: "run: chmod 600 x".into() },
                K::Permission,
            ),
            (E::NotADirectory { path: path() }, K::InvalidInput),
            (E::InUse { home: path(), holder: t() }, K::InUse),
            (E::Header { path: path(), source: boxed() }, K::Damaged),
            (E::Header { path: path(), source: NEWER.into() }, K::Unsupported),
            (E::Approvals { path: path(), source: boxed() }, K::Damaged),
            (E::Format(FormatError::Older { what: "x", found: 3 }), K::Unsupported),
            (E::NotOpened { path: path(), source: OpenError::NoSeed.into() }, K::Configuration),
            (E::HeaderMismatch { path: path() }, K::Damaged),
            (E::HeaderResaved { path: path(), how: "" }, K::Damaged),
            (E::NotPinned { pinned: did(), found: did() }, K::OtherIdentity),
            (E::NotConfigured { what: "w", found: t(), configured: t() }, K::Configuration),
            (E::NoConfiguration { path: path(), backend: BackendKind::Tpm }, K::Configuration),
            (E::OtherPinned { path: path(), pinned: did() }, K::OtherIdentity),
            (E::HandedOverUnreadable { path: path(), source: boxed() }, K::Damaged),
            (E::ConfigNotEdited { path: path(), source: boxed() }, K::Configuration),
            (E::Unpinned { path: path(), found: did() }, K::Configuration),
            (
                E::PinnedNotThere { path: path(), did: did(), note: None, in_the_way: None },
                K::NotFound,
            ),
            (
                E::PinnedNotThere {
                    path: path(),
                    did: did(),
                    note: Some(path()),
                    in_the_way: Some(path()),
                },
                K::NotFound,
            ),
            (
                E::PinNotWritten {
                    path: path(),
                    lines: Some("did = ".into()),
                    source: Box::new(io(io::ErrorKind::ReadOnlyFilesystem)),
                },
                K::Storage,
            ),
            (E::PinNotWritten { path: path(), lines: None, source: boxed() }, K::Configuration),
            (E::Unrepaired { path: path() }, K::Damaged),
            (E::Unfinished { path: path(), objects: t(), source: None }, K::Damaged),
            (E::UnfinishedUnreadable { path: path(), source: boxed() }, K::Damaged),
            (E::Replaced { home: path(), what: "DID" }, K::OtherIdentity),
            (E::Resealed { home: path() }, K::CredentialMissing),
            (E::ReadBack { path: path() }, K::Io),
            (refused, K::WrongCredential),
            (
                E::RefusedByNamesake { token: t(), source_name: t(), at: 0, note: path() },
                K::WrongCredential,
            ),
            (
                E::PinInDoubt { token: t(), source_name: t(), at: 0, note: path() },
                K::WrongCredential,
            ),
            (not_compared(NotCompared::Full { refused: 64 }), K::WrongCredential),
            (not_compared(NotCompared::Untagged), K::WrongCredential),
            (not_compared(NotCompared::ManySalts), K::WrongCredential),
            (not_compared(NotCompared::NoMemory { log_n: 15 }), K::Busy),
            (E::Refusals { path: path(), source: boxed() }, K::Damaged),
            (E::PinBeingTried { token: t(), holder: t() }, K::InUse),
            (E::NoPassphrase { backend: BackendKind::Age }, K::Unsupported),
            (E::NoSeed { backend: BackendKind::Age }, K::Unsupported),
            (E::NoSeed { backend: BackendKind::Pkcs11 }, K::Unsupported),
            (E::NoSeed { backend: BackendKind::Tpm }, K::Unsupported),
            (E::NoRetiredKey { did: did() }, K::NotFound),
            (E::NoPassphrase { backend: BackendKind::Pkcs11 }, K::Unsupported),
            (E::NoPassphrase { backend: BackendKind::Tpm }, K::Unsupported),
            // Not to be tried again: the passphrase is another one now.
            (E::PreviousKept { path: path(), source: busy }, K::Io),
            (MigrationError::NotUnderWay { home: path() }.into(), K::NotFound),
            (E::PassphraseNeeded, K::CredentialMissing),
        ],
    );
}

#[test]
fn of_migrations() {
    use MigrationError as E;
    let home = || "/x".into();
    let under_way =
        |ways| E::UnderWay { home: home(), to: BackendKind::Tpm, state: "planned", ways };
    let backup = |at_the_end| E::BackupLost { file: home(), missing: true, at_the_end };
    let stays =
        |is_new| E::KeyStays { key: "k".into(), is_new, kind: K::DeviceAbsent, source: boxed() };
    let no_entry = |is_new, ways| E::DoesNotOpen {
        home: home(),
        is_new,
        ways,
        kind: K::DeviceAbsent,
        source: boxed(),
    };
    let not_ready = |problem| E::NotReady { path: home(), problem, back: true };
    let other = || "text".to_owned();
    let (from, to) = (BackendKind::Age, BackendKind::Tpm);
    check(
        "fault/migration.rs",
        vec![
            (under_way(WaysOut::OnOrBack), K::AlreadyExists),
            (under_way(WaysOut::FinishOrBack), K::AlreadyExists),
            (E::OtherConfig { expected: home(), found: home() }, K::Configuration),
            (E::NotWhole { missing: home(), did: None, backend: BackendKind::Age }, K::Damaged),
            (backup(false), K::Damaged),
            (backup(true), K::Damaged),
            (stays(false), K::DeviceAbsent),
            (stays(true), K::DeviceAbsent),
            (no_entry(false, WaysOut::OnOrBack), K::DeviceAbsent),
            (no_entry(false, WaysOut::FinishOrBack), K::DeviceAbsent),
            (no_entry(false, WaysOut::Back), K::DeviceAbsent),
            (no_entry(true, WaysOut::FinishOrBack), K::DeviceAbsent),
            (
                E::CannotState {
                    home: home(),
                    is_made: true,
                    kind: K::DeviceAbsent,
                    source: boxed(),
                },
                K::DeviceAbsent,
            ),
            (
                E::NewDoesNotOpen { home: home(), kind: K::DeviceAbsent, source: boxed() },
                K::DeviceAbsent,
            ),
            (E::NotOfThis { path: home(), found: "f" }, K::OtherIdentity),
            (E::JournalLost { home: home(), from_old: false }, K::Damaged),
            (E::JournalLost { home: home(), from_old: true }, K::Damaged),
            (E::NotTold { home: home(), found: "f" }, K::Damaged),
            (E::OldLost { previous: home(), key: None, at_the_end: true }, K::Damaged),
            (E::BackupInside { file: home() }, K::InvalidInput),
            (E::NewLost { staging: home(), key: None }, K::Damaged),
            (E::Copy { home: home(), of: home(), key: "k".into(), is_new: true }, K::OtherIdentity),
            (E::JournalThere { path: home() }, K::AlreadyExists),
            (E::NotUnderWay { home: home() }, K::NotFound),
            (
                E::Other { what: "w", found: other(), asked: other(), ways: WaysOut::OnOrBack },
                K::InvalidInput,
            ),
            (E::RollingBack { home: home() }, K::AlreadyExists),
            (E::Finishing { home: home() }, K::AlreadyExists),
            (
                E::NotInUse {
                    directory: home(),
                    home: home(),
                    to: BackendKind::Tpm,
                    state: "made",
                    ways: WaysOut::OnOrBack,
                },
                K::AlreadyExists,
            ),
            (
                E::NotSwitched { home: home(), state: "planned", ways: WaysOut::OnOrBack },
                K::InvalidInput,
            ),
            (E::Unreadable { path: home(), source: boxed() }, K::Damaged),
            (E::OldUnknown { home: home(), staging: home() }, K::Damaged),
            (E::InTheWay { path: home() }, K::AlreadyExists),
            (E::NoBackupSaid, K::InvalidInput),
            (E::Impossible { from, to, reason: "r" }, K::Unsupported),
            (E::Committed { did: did() }, K::InvalidInput),
            (E::OtherIdentity { expected: did(), found: did() }, K::OtherIdentity),
            (E::Disagrees { home: home(), state: "stated" }, K::OtherIdentity),
            (E::NotProved { did: did(), source: boxed() }, K::External),
            (not_ready(NotReady::InTheWay), K::AlreadyExists),
            (not_ready(NotReady::NoDirectory), K::Storage),
            (not_ready(NotReady::OtherFileSystem), K::Storage),
            (not_ready(NotReady::OtherIdentity), K::OtherIdentity),
            (not_ready(NotReady::Missing), K::Damaged),
            (not_ready(NotReady::Changed), K::Damaged),
            (not_ready(NotReady::NotStated), K::Damaged),
            (E::NotCompleted { home: home(), source: boxed() }, K::Storage),
        ],
    );
}

#[test]
fn of_the_configuration() {
    use ConfigError as E;
    check(
        "config/error.rs",
        vec![
            (E::File(io(io::ErrorKind::NotFound)), K::NotFound),
            (E::Parse { line: 1, problem: "p".into() }, K::Configuration),
            (E::NoPkcs11Section, K::Configuration),
            (E::Tpm { problem: "p" }, K::Configuration),
            (E::Daemon { line: None, problem: "p" }, K::Configuration),
            (E::Twice { line: 2, first: 1, what: "[daemon]".into() }, K::Configuration),
            (E::Client { number: 1, line: None, problem: ClientProblem::NoPeer }, K::Configuration),
            (E::TwoAuditLogs, K::Configuration),
            (E::NoAssurance, K::Configuration),
            (E::NotText, K::InvalidInput),
            (E::NotATable, K::Configuration),
            (E::TwoModules, K::Configuration),
            (E::WorkFactor { work_factor: 1, max_work_factor: 2 }, K::Configuration),
        ],
    );
}

#[test]
fn of_backups() {
    use BackupError as E;
    let path = || "/x".into();
    let gone = Pkcs11Error::NoToken { wanted: "w".into(), present: Vec::new(), renamed: None };
    let not_there = Box::new(gone.into());
    let no_file = io(io::ErrorKind::NotFound);
    check(
        "error/backup.rs",
        vec![
            (E::Armored, K::InvalidInput),
            (E::NotAge { looks: "text" }, K::InvalidInput),
            (E::PassphraseFile, K::InvalidInput),
            (E::PublicKeyFile { path: path(), kind: "age1…" }, K::InvalidInput),
            (E::NoRecipient, K::InvalidInput),
            (E::NotARecipient { given: None, reason: "r" }, K::InvalidInput),
            (E::SecretAsRecipient, K::InvalidInput),
            (E::OwnRecipient, K::InvalidInput),
            (E::FileExists { path: path() }, K::AlreadyExists),
            (E::NoPlace { directory: path(), source: io::ErrorKind::NotFound.into() }, K::NotFound),
            (E::ReadBack { path: path() }, K::Io),
            (E::KeyFile { path: path(), source: boxed() }, K::InvalidInput),
            (E::KeyFile { path: path(), source: no_file.into() }, K::NotFound),
            (E::NoKey { path: path() }, K::InvalidInput),
            (E::KeyFileLocked { path: path() }, K::CredentialMissing),
            (E::KeyFileEncrypted { path: path() }, K::InvalidInput),
            (E::KeyFilePassphrase { path: path() }, K::WrongCredential),
            (E::OtherKey, K::OtherIdentity),
            (E::Damaged(boxed()), K::Damaged),
            (E::NotABackup { reason: "r", source: None }, K::Damaged),
            (NEWER.into(), K::Unsupported),
            (E::Signature { did: did() }, K::Untrusted),
            (E::Inconsistent { what: "w", did: did(), source: None }, K::Untrusted),
            (E::OtherDid { expected: did(), found: did() }, K::OtherIdentity),
            (E::NotNamed { found: did() }, K::InvalidInput),
            (E::KeyNotThere { did: did(), place: "p".into(), source: not_there }, K::DeviceAbsent),
        ],
    );
}

#[test]
fn of_exports() {
    use ExportError as E;
    check(
        "error/export.rs",
        vec![
            (E::NoSecret { provenance: ProvenanceKind::Hardware }, K::Unsupported),
            (E::Recipient(Box::new(BackupError::SecretAsRecipient)), K::InvalidInput),
            (E::Exists { path: "/x".into() }, K::AlreadyExists),
        ],
    );
}

#[test]
fn of_older_files() {
    use LegacyError as E;
    check(
        "error/legacy.rs",
        vec![
            (E::Armored, K::InvalidInput),
            (E::NotAge { looks: "text" }, K::InvalidInput),
            (E::ToAKey, K::InvalidInput),
            (E::Cut, K::Damaged),
            (E::Json { line: 1, column: 1 }, K::Damaged),
            (E::Present, K::InvalidInput),
            (E::UnknownVersion { found: 9 }, K::Unsupported),
            (E::Missing { field: "f", format: "v3" }, K::Damaged),
            (E::Doubled { field: "f".into() }, K::Damaged),
            (E::Field { field: "f", problem: FieldProblem::NotText }, K::Damaged),
            (E::NotItsKey { public: "p", secret: "s" }, K::Damaged),
            (E::WrongDid { named: "n".into(), key: did() }, K::Damaged),
            (E::Binding, K::Untrusted),
            (E::NotPinned { pinned: did(), found: did() }, K::OtherIdentity),
            (E::SamePlace { path: "/x".into() }, K::InvalidInput),
            (E::TooLong { found: 2, limit: 1 }, K::InvalidInput),
        ],
    );
}

#[test]
fn of_decryption() {
    use DecryptError as E;
    let denied = || io::Error::from(io::ErrorKind::PermissionDenied);
    check(
        "bundle/encryption/error.rs",
        vec![
            (E::NotAge, K::InvalidInput),
            (E::UnknownHeader, K::Damaged),
            (E::DamagedHeader { line: 2 }, K::Damaged),
            (E::DamagedArmor { line: 2 }, K::Damaged),
            (E::CutShort { line: 2 }, K::Damaged),
            (E::OtherEncoding { found: "UTF-16" }, K::InvalidInput),
            (E::PassphraseFile, K::InvalidInput),
            (E::NotForThisIdentity, K::OtherIdentity),
            (E::HeaderTooLong, K::InvalidInput),
            (E::Damaged, K::Damaged),
            (E::Truncated, K::Damaged),
            (E::Input(denied()), K::Permission),
            (E::Output(denied()), K::Permission),
            (E::NotSaved(Box::new(io(io::ErrorKind::QuotaExceeded))), K::Storage),
            (E::Key, K::Internal),
        ],
    );
}
