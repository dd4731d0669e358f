//! What an error means for the program that meets it.

use std::error::Error as StdError;
use std::fmt;
use std::io;

use rustix::io::Errno;

use crate::encoding::{InvalidJson, UnknownName};

/// What an error means for the program that meets it: what to do next.
///
/// Every error type of this crate has a `kind()`, and an error that was caused by
/// another one has the kind of its cause, so that a service matches on this alone:
///
/// ```
/// use icn_identity::{Error, ErrorKind};
///
/// fn next(error: &Error) -> &'static str {
///     match error.kind() {
///         kind if kind.is_transient() => "wait, then try again",
///         ErrorKind::WrongCredential | ErrorKind::LockedOut => "stop; a person has to look",
///         ErrorKind::CredentialMissing => "ask for the passphrase or PIN",
///         _ => "report it, with its help()",
///     }
/// }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum ErrorKind {
    /// A passphrase or PIN was refused: now, or before, so that it was not sent again; or it
    /// has a form that cannot be right; or a PIN was sent, and the answer may mean that.
    /// Ask for another one. Never give the same one again: each wrong PIN counts.
    WrongCredential,
    /// The device takes no PIN: it is locked, or has one try left, for which the PIN
    /// was not sent. A person has to decide; but a TPM, also behind a token, forgets wrong PINs
    /// with time, and then `is_wrong_credential()` is false.
    LockedOut,
    /// There is no passphrase or PIN that could be tried: none was given, one of
    /// another sort, or the device wants it once more. Ask for it.
    CredentialMissing,
    /// The token or TPM is not there. Wait until it is plugged in or started.
    DeviceAbsent,
    /// The device answered with an error that says no more, or its connection broke.
    /// Report it. Trying again is for a person, as a PIN may have been counted.
    DeviceFailed,
    /// The device, or the system, has no room for this now. Wait, and try again.
    Busy,
    /// Another process holds the lock of these files. Wait, and try again.
    InUse,
    /// The state of the machine is not the one that the key is sealed to. Find out what
    /// was updated, or boot the other state.
    StateChanged,
    /// There is no such identity, key or file. Make it, or name another.
    NotFound,
    /// Something is there already, and is not replaced. Name another place.
    AlreadyExists,
    /// A file, or what a device keeps, is damaged, incomplete or left over from a
    /// command that was cut off. Restore or repair it.
    Damaged,
    /// It is of another identity, key or device than the one expected or pinned. Do not
    /// go on: find out which of both is wrong.
    OtherIdentity,
    /// A signature or certificate, or what it vouches for, does not verify. Use nothing
    /// of it; the same bytes never will.
    Untrusted,
    /// The binding has ended. Renew it, or have the peer renew.
    Expired,
    /// A clock is not set, or behind the clock that made the binding. Wait; if it lasts,
    /// set the clock.
    Clock,
    /// A later binding or epoch is known. Use the latest one of the identity, or join
    /// the epoch.
    Superseded,
    /// The key, or what stands behind it, is less than what was demanded. Demand less,
    /// or use another key.
    Requirement,
    /// This build, version or device cannot do it.
    Unsupported,
    /// The system does not allow it, or the file may be read or written by others.
    /// Correct the permissions.
    Permission,
    /// There is no room on the disk, or it is read-only. Make room; what was there
    /// before is kept.
    Storage,
    /// The system could not read or write, for another reason.
    Io,
    /// `icn.toml` is not valid, or does not fit what is there. Correct it.
    Configuration,
    /// What was given is not a value that this call takes. Give another one.
    InvalidInput,
    /// The system's random generator failed. Do not go on with this machine.
    Randomness,
    /// Something that is not of this crate refused or failed: a foreign signer, an
    /// observer, or the other end of a connection. Its own error is in `source()`.
    External,
    /// The program uses this crate in a way that cannot work. Correct the program.
    Misuse,
    /// This should not be. Report it.
    Internal,
}

impl ErrorKind {
    /// Whether the very same call may succeed later without anybody doing anything:
    /// what was away or in use comes back, or a clock is set.
    ///
    /// **Never true where a PIN was refused, or may have been counted by a device that
    /// failed**: calling again with the same PIN could lock the device. A loop that
    /// tries again while this is true, with a pause, spends no PIN.
    #[must_use]
    pub const fn is_transient(self) -> bool {
        match self {
            Self::DeviceAbsent | Self::Busy | Self::InUse | Self::Clock => true,
            Self::WrongCredential
            | Self::LockedOut
            | Self::CredentialMissing
            | Self::DeviceFailed
            | Self::StateChanged
            | Self::NotFound
            | Self::AlreadyExists
            | Self::Damaged
            | Self::OtherIdentity
            | Self::Untrusted
            | Self::Expired
            | Self::Superseded
            | Self::Requirement
            | Self::Unsupported
            | Self::Permission
            | Self::Storage
            | Self::Io
            | Self::Configuration
            | Self::InvalidInput
            | Self::Randomness
            | Self::External
            | Self::Misuse
            | Self::Internal => false,
        }
    }

    /// Its name, for logs and metrics: `wrong-credential`, `device-absent`, …
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::WrongCredential => "wrong-credential",
            Self::LockedOut => "locked-out",
            Self::CredentialMissing => "credential-missing",
            Self::DeviceAbsent => "device-absent",
            Self::DeviceFailed => "device-failed",
            Self::Busy => "busy",
            Self::InUse => "in-use",
            Self::StateChanged => "state-changed",
            Self::NotFound => "not-found",
            Self::AlreadyExists => "already-exists",
            Self::Damaged => "damaged",
            Self::OtherIdentity => "other-identity",
            Self::Untrusted => "untrusted",
            Self::Expired => "expired",
            Self::Clock => "clock",
            Self::Superseded => "superseded",
            Self::Requirement => "requirement",
            Self::Unsupported => "unsupported",
            Self::Permission => "permission",
            Self::Storage => "storage",
            Self::Io => "io",
            Self::Configuration => "configuration",
            Self::InvalidInput => "invalid-input",
            Self::Randomness => "randomness",
            Self::External => "external",
            Self::Misuse => "misuse",
            Self::Internal => "internal",
        }
    }

    /// What the system said.
    pub(crate) fn of_io(error: &io::Error) -> Self {
        if let Some(Errno::MFILE | Errno::NFILE) = Errno::from_io_error(error) {
            return Self::Busy;
        }
        match error.kind() {
            io::ErrorKind::NotFound => Self::NotFound,
            io::ErrorKind::AlreadyExists => Self::AlreadyExists,
            io::ErrorKind::PermissionDenied => Self::Permission,
            io::ErrorKind::StorageFull
            | io::ErrorKind::QuotaExceeded
            | io::ErrorKind::FileTooLarge
            | io::ErrorKind::ReadOnlyFilesystem => Self::Storage,
            io::ErrorKind::WouldBlock
            | io::ErrorKind::Interrupted
            | io::ErrorKind::ResourceBusy
            | io::ErrorKind::OutOfMemory => Self::Busy,
            io::ErrorKind::InvalidData => Self::Damaged,
            io::ErrorKind::Unsupported => Self::Unsupported,
            _ => Self::Io,
        }
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What every error type of this crate says of itself, for code that is generic over
/// them; each has the same as methods of its own.
///
/// # Sealed
///
/// Implemented by the errors of this crate, and by [`Refused`](crate::Refused).
pub trait Explain: StdError + crate::private::Error {
    /// What it means for the program.
    fn kind(&self) -> ErrorKind;

    /// What to try next, in a sentence, where there is something to try.
    fn help(&self) -> Option<String>;
}

/// Gives an error type the trait, by its own methods.
macro_rules! explain {
    ($($type:ty),+ $(,)?) => {$(
        impl $crate::private::Error for $type {}
        impl $crate::kind::Explain for $type {
            fn kind(&self) -> $crate::kind::ErrorKind {
                Self::kind(self)
            }
            fn help(&self) -> Option<String> {
                Self::help(self)
            }
        }
    )+};
}
pub(crate) use explain;

explain!(InvalidJson, UnknownName);

impl InvalidJson {
    /// What it means for the program.
    #[must_use]
    pub const fn kind(&self) -> ErrorKind {
        ErrorKind::InvalidInput
    }

    /// What to try next.
    #[must_use]
    pub fn help(&self) -> Option<String> {
        Some("give the whole file or text, as it was made".into())
    }
}

impl UnknownName {
    /// What it means for the program.
    #[must_use]
    pub const fn kind(&self) -> ErrorKind {
        ErrorKind::InvalidInput
    }

    /// What to try next.
    #[must_use]
    pub fn help(&self) -> Option<String> {
        Some(format!("give one of: {}", self.known().join(", ")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_system_says_has_its_kind() {
        use ErrorKind as K;
        for (errno, kind) in [
            (Errno::NOSPC, K::Storage),
            (Errno::DQUOT, K::Storage),
            (Errno::ROFS, K::Storage),
            (Errno::ACCESS, K::Permission),
            (Errno::PERM, K::Permission),
            (Errno::NOENT, K::NotFound),
            (Errno::EXIST, K::AlreadyExists),
            (Errno::MFILE, K::Busy),
            (Errno::INTR, K::Busy),
            (Errno::AGAIN, K::Busy),
            (Errno::OPNOTSUPP, K::Unsupported),
            (Errno::IO, K::Io),
        ] {
            assert_eq!(K::of_io(&errno.into()), kind, "{errno:?}");
        }
    }

    #[test]
    fn what_may_have_cost_a_try_is_not_tried_again() {
        use ErrorKind as K;
        for kind in [K::WrongCredential, K::LockedOut, K::CredentialMissing, K::DeviceFailed] {
            assert!(!kind.is_transient(), "{kind}");
        }
    }
}
