//! What these errors mean for a program. Every variant is named: a new one does not
//! compile before somebody has decided.

use std::error::Error as StdError;

use super::{
    CredentialError, DeviceError, FormatError, KeystoreError, NotCompared, OpenError, PinProblem,
    Pkcs11Error, SignError, TpmError,
};
use crate::kind::{ErrorKind, explain};

explain!(
    CredentialError,
    DeviceError,
    FormatError,
    KeystoreError,
    OpenError,
    Pkcs11Error,
    SignError,
    TpmError
);

impl OpenError {
    /// What it means for the program.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::WrongPassphrase | Self::OddPassphrase { .. } => ErrorKind::WrongCredential,
            Self::EmptyPassphrase => ErrorKind::CredentialMissing,
            Self::ExcessiveWork { .. } | Self::Damaged(_) => ErrorKind::Damaged,
            Self::Payload(error) => error.kind(),
            Self::NoSeed => ErrorKind::Configuration,
            Self::WrongKey { .. } | Self::NotItsKey => ErrorKind::OtherIdentity,
            Self::WrongProvenance { .. }
            | Self::WrongAlgorithm { .. }
            | Self::NotSealedToTpm
            | Self::LessAssurance { .. }
            | Self::Exposable(_) => ErrorKind::Requirement,
            Self::Challenge(error) => error.kind(),
            Self::Device(error) => error.kind(),
            Self::NoRandomness(error) => error.kind(),
            Self::NoMemory { .. } => ErrorKind::Busy,
            Self::Encrypt(_) => ErrorKind::Internal,
        }
    }
}

impl SignError {
    /// What it means for the program.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Device(error) => error.kind(),
            Self::BadSignature(error) => error.kind(),
            Self::External(_) | Self::Refused(_) => ErrorKind::External,
            Self::Remote { kind, .. } => *kind,
            Self::Reserved | Self::InvalidContext | Self::TooLong { .. } => ErrorKind::InvalidInput,
            Self::Unread(error) => ErrorKind::of_io(error),
            Self::NoMemory { .. } | Self::NoMemoryForModule { .. } => ErrorKind::Busy,
            Self::WantsMessage => ErrorKind::Misuse,
        }
    }
}

impl DeviceError {
    /// What it means for the program.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::NoPkcs11 | Self::NoTpm | Self::NoAlgorithm { .. } | Self::NoSeedImport { .. } => {
                ErrorKind::Unsupported
            }
            Self::Pkcs11(error) => error.kind(),
            Self::Tpm(error) => error.kind(),
            Self::StorageKey { .. } => ErrorKind::OtherIdentity,
            Self::WrongCredential { .. } => ErrorKind::CredentialMissing,
            Self::ForeignLocator { .. } => ErrorKind::Misuse,
        }
    }
}

impl Pkcs11Error {
    /// Whether the token refused the PIN that was given.
    pub(super) const fn is_wrong_pin(&self) -> bool {
        matches!(self, Self::WrongPin { .. } | Self::PinKnownWrong { .. } | Self::PinLocked { .. })
    }

    /// What it means for the program.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Module { .. }
            | Self::AmbiguousToken { .. }
            | Self::AmbiguousKey { .. }
            | Self::NotConfiguredKey { .. }
            | Self::NotConfiguredToken { .. }
            | Self::FoundTwice { .. } => ErrorKind::Configuration,
            Self::NoToken { .. }
            | Self::OtherSerial { .. }
            | Self::OutOfReach { .. }
            | Self::NotFound { logged_in: false, .. } => ErrorKind::DeviceAbsent,
            Self::NoMechanism { .. }
            | Self::TakesNoPublicKey { .. }
            | Self::TakesNoKey { .. }
            | Self::KeysInSlots { .. }
            | Self::PinPerSignature { .. } => ErrorKind::Unsupported,
            Self::NoKey { .. }
            | Self::NoPrivateKey { .. }
            | Self::NotFound { logged_in: true, .. } => ErrorKind::NotFound,
            Self::OtherKind { .. } => ErrorKind::InvalidInput,
            Self::PublicKeyHidden { .. } => ErrorKind::Configuration,
            Self::LabelTaken { .. } => ErrorKind::AlreadyExists,
            Self::KeyReplaced { .. } | Self::KeyNotShown { .. } | Self::OtherPrivateKey { .. } => {
                ErrorKind::OtherIdentity
            }
            Self::PublicKey { .. }
            | Self::NoPublicKey { .. }
            | Self::HalfElsewhere { .. }
            | Self::LeftBehind { .. }
            | Self::ProbeLeft { .. } => ErrorKind::Damaged,
            Self::WrongPin { .. }
            | Self::PinKnownWrong { .. }
            | Self::PinDiffers { .. }
            | Self::PinInDoubt { .. }
            | Self::PinNotTaken { .. } => ErrorKind::WrongCredential,
            Self::PinNotNoted { source, .. } | Self::PinNotSentAgain { source, .. } => {
                not_noted(&**source)
            }
            Self::PinBeingTried { .. } => ErrorKind::InUse,
            Self::FinalTry { .. } | Self::PinLocked { .. } => ErrorKind::LockedOut,
            Self::PinUnusable {
                problem: PinProblem::TooLong | PinProblem::NotOfYubiHsm, ..
            } => ErrorKind::WrongCredential,
            Self::PinUnusable { .. } | Self::NotOpen { .. } => ErrorKind::CredentialMissing,
            Self::NotReopened { source, .. } => {
                source.downcast_ref().map_or(ErrorKind::DeviceFailed, OpenError::kind)
            }
            Self::Forked => ErrorKind::Misuse,
            Self::ClaimsBirth { .. } => ErrorKind::Untrusted,
            Self::Call { kind, .. } => *kind,
        }
    }
}

impl TpmError {
    /// Whether the TPM refused the PIN that was given.
    pub(super) const fn is_wrong_pin(&self) -> bool {
        matches!(self, Self::WrongPin { .. } | Self::PinKnownWrong)
    }

    /// What it means for the program.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::NoDevice { .. } => ErrorKind::DeviceAbsent,
            Self::NotReady { .. } => ErrorKind::DeviceFailed,
            Self::BadDevice { .. }
            | Self::OwnerPassword { .. }
            | Self::NoHierarchy { .. }
            | Self::EndorsementPassword { .. }
            | Self::NoEndorsementHierarchy { .. }
            | Self::NoBank { .. }
            | Self::NotQuoted { .. }
            | Self::NotAParent { .. }
            | Self::NotConfiguredParent { .. }
            | Self::NoSuchPolicy { .. }
            | Self::EkCertificateGuarded { .. } => ErrorKind::Configuration,
            Self::NoPermission { .. } => ErrorKind::Permission,
            Self::Busy { .. } | Self::Full { .. } => ErrorKind::Busy,
            Self::NoTcti { .. } => ErrorKind::Unsupported,
            Self::PcrMismatch { .. } | Self::PcrMoved { .. } => ErrorKind::StateChanged,
            Self::WrongPin { .. } | Self::PinKnownWrong | Self::PinInDoubt => {
                ErrorKind::WrongCredential
            }
            Self::NoMemory { .. } => ErrorKind::Busy,
            Self::PinNotNoted { source, .. } => not_noted(&**source),
            Self::PinMissing | Self::PinUnusable { .. } => ErrorKind::CredentialMissing,
            Self::FinalTry | Self::NoSpareTry { .. } | Self::LockedOut { .. } => {
                ErrorKind::LockedOut
            }
            Self::OtherTpm { .. }
            | Self::ParentChanged { .. }
            | Self::NoParent { .. }
            | Self::OtherActivation { .. }
            | Self::ForeignEkCertificate { .. } => ErrorKind::OtherIdentity,
            Self::Damaged { .. }
            | Self::ForeignPolicy { .. }
            | Self::EkCertificateUnreadable { .. } => ErrorKind::Damaged,
            Self::NoEkCertificate | Self::OtherEkCertificate { .. } | Self::NotAttestable => {
                ErrorKind::Unsupported
            }
            Self::PolicyRefused { .. } => ErrorKind::DeviceFailed,
            Self::Attributes { .. } => ErrorKind::Requirement,
            Self::Approval { .. } | Self::OtherApprover => ErrorKind::Untrusted,
            Self::ApproverKey { .. } => ErrorKind::InvalidInput,
            Self::TakesNoApproval | Self::NotResealable => ErrorKind::Unsupported,
            Self::Command { kind, .. } => *kind,
        }
    }
}

impl CredentialError {
    /// What it means for the program.
    #[must_use]
    pub const fn kind(&self) -> ErrorKind {
        match self {
            Self::NotGiven { .. }
            | Self::NotAsked { .. }
            | Self::NotSet { .. }
            | Self::Empty { .. } => ErrorKind::CredentialMissing,
            // It cannot be right, and is not to be tried again.
            Self::NotOneLine { is_new: false, .. } => ErrorKind::WrongCredential,
            Self::Differ { .. }
            | Self::NotAbsolute { .. }
            | Self::NotOneLine { is_new: true, .. } => ErrorKind::InvalidInput,
        }
    }
}

impl FormatError {
    /// What it means for the program.
    #[must_use]
    pub const fn kind(&self) -> ErrorKind {
        match self {
            Self::Newer { .. } | Self::Older { .. } => ErrorKind::Unsupported,
            Self::Payload { .. } => ErrorKind::Damaged,
        }
    }
}

impl KeystoreError {
    /// What it means for the program.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::NoIdentity { .. } | Self::NeverMade { .. } => ErrorKind::NotFound,
            Self::Exists { .. } | Self::FileExists { .. } => ErrorKind::AlreadyExists,
            Self::Io { source, .. } => ErrorKind::of_io(source),
            Self::Unsafe { .. } => ErrorKind::Permission,
            Self::NotADirectory { .. } => ErrorKind::InvalidInput,
            Self::InUse { .. } => ErrorKind::InUse,
            Self::Header { source, .. } | Self::Approvals { source, .. } => format_of(&**source),
            Self::Format(error) => error.kind(),
            Self::Migration(error) => error.kind(),
            Self::NotOpened { source, .. } => source.kind(),
            Self::Incomplete { .. }
            | Self::HeaderMismatch { .. }
            | Self::HeaderResaved { .. }
            | Self::HandedOverUnreadable { .. }
            | Self::Unrepaired { .. }
            | Self::Unfinished { .. }
            | Self::UnfinishedUnreadable { .. } => ErrorKind::Damaged,
            Self::NotPinned { .. } | Self::OtherPinned { .. } | Self::Replaced { .. } => {
                ErrorKind::OtherIdentity
            }
            Self::NotConfigured { .. }
            | Self::NoConfiguration { .. }
            | Self::ConfigNotEdited { .. }
            | Self::Unpinned { .. } => ErrorKind::Configuration,
            Self::PinnedNotThere { .. } => ErrorKind::NotFound,
            Self::PinNotWritten { source, .. } => {
                source.downcast_ref().map_or(ErrorKind::Configuration, Self::kind)
            }
            // The passphrase is another one now: the same call does not succeed.
            Self::ReadBack { .. } | Self::PreviousKept { .. } => ErrorKind::Io,
            Self::RefusedBefore { .. }
            | Self::RefusedByNamesake { .. }
            | Self::PinInDoubt { .. } => ErrorKind::WrongCredential,
            Self::PinNotCompared { problem: NotCompared::NoMemory { .. }, .. } => ErrorKind::Busy,
            Self::PinNotCompared { .. } => ErrorKind::WrongCredential,
            Self::Refusals { source, .. } => format_of(&**source),
            Self::PinBeingTried { .. } => ErrorKind::InUse,
            Self::NoPassphrase { .. } | Self::NoSeed { .. } => ErrorKind::Unsupported,
            Self::NoRetiredKey { .. } => ErrorKind::NotFound,
            Self::PassphraseNeeded | Self::Resealed { .. } => ErrorKind::CredentialMissing,
        }
    }
}

/// Of the file that could not be written, or of what it says.
fn not_noted(source: &(dyn StdError + Send + Sync + 'static)) -> ErrorKind {
    source.downcast_ref().map_or(ErrorKind::Io, KeystoreError::kind)
}

/// A file of a newer version is not damaged.
fn format_of(source: &(dyn StdError + Send + Sync + 'static)) -> ErrorKind {
    source.downcast_ref().map_or(ErrorKind::Damaged, FormatError::kind)
}
