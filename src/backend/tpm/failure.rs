//! What a TPM, or the library before it, answered: the one place where codes
//! are told apart.
//!
//! Codes are those of the TPM 2.0 Library, part 2, section 6.6, and of the TSS
//! 2.0 Overview, section 4 ("layers").

use std::fmt;

use tss_esapi::constants::response_code::Tss2ResponseCode;
use tss_esapi::{Error, WrapperErrorKind};

use crate::error::{ErrorKind, TpmError, TpmState};

/// A call that failed: what was being done, and the code.
#[derive(Debug, Clone, Copy)]
pub(super) struct Failure {
    doing: &'static str,
    answer: Answer,
}

#[derive(Debug, Clone, Copy)]
enum Answer {
    Code(u32),
    Wrapper(WrapperErrorKind),
}

/// What a code means for us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Meaning {
    /// The authValue (here: the PIN) is wrong, and the TPM counted it.
    WrongAuth,
    /// The policy session is not what the object wants.
    PolicyFail,
    /// A parameter is not right; for `PolicyPCR`, the digest of the PCRs.
    Value,
    /// A private part is not of this TPM, of this parent, or damaged.
    Integrity,
    /// Too many wrong authValues.
    Lockout,
    /// It takes no commands.
    NotReady(TpmState),
    /// The hierarchy is switched off.
    NoHierarchy,
    /// No object at a handle.
    NoHandle,
    /// No room for an object.
    NoObjectSlot,
    /// No room for a session.
    NoSessionSlot,
    /// A handle that was loaded is not any more: the TPM was reset.
    Gone,
    /// The same command may succeed if it is sent again.
    Again,
    /// Nothing reaches the TPM.
    NoDevice,
    /// The library for this kind of device is missing.
    NoLibrary,
    /// The connection, or the library's state, is of no use any more.
    Broken,
    /// The bytes are not what they should be.
    Malformed,
    Other,
}

impl Meaning {
    /// A connection that broke may have carried a PIN, which may have been counted: that
    /// is not a TPM which is away.
    const fn kind(self) -> ErrorKind {
        match self {
            Self::Again | Self::NoObjectSlot | Self::NoSessionSlot => ErrorKind::Busy,
            Self::NoLibrary => ErrorKind::Unsupported,
            Self::Integrity => ErrorKind::Damaged,
            Self::Lockout => ErrorKind::LockedOut,
            // A PIN that was refused has its own error: this is another authValue.
            Self::WrongAuth
            | Self::NotReady(_)
            | Self::NoHierarchy
            | Self::PolicyFail
            | Self::Value
            | Self::NoHandle
            | Self::Gone
            | Self::NoDevice
            | Self::Broken
            | Self::Malformed
            | Self::Other => ErrorKind::DeviceFailed,
        }
    }
}

const fn layer(code: u32) -> u32 {
    code >> 16 & 0xff
}

impl Failure {
    pub(super) fn meaning(self) -> Meaning {
        let Answer::Code(code) = self.answer else { return Meaning::Malformed };
        match (layer(code), code & 0xffff) {
            // The TPM itself, or its resource manager for it.
            (0 | 11, code) => of_tpm(code),
            (7, 0x18) => Meaning::Gone,
            (7, _) => Meaning::Broken,
            (9, _) => Meaning::Malformed,
            (10, 0x05 | 0x0a) => Meaning::NoDevice,
            (10, 0x15) => Meaning::NoLibrary,
            (8 | 10, _) => Meaning::Broken,
            _ => Meaning::Other,
        }
    }

    /// Whether the library is of no use after it: it takes an answer that the
    /// TPM itself did not give for the end of the world.
    fn spoils_the_library(self) -> bool {
        match self.answer {
            Answer::Wrapper(_) => false,
            Answer::Code(code) => layer(code) != 0 && self.meaning() != Meaning::Gone,
        }
    }

    /// Whether a wrong authValue that was sent may have been counted, for all that is
    /// known. The TPM itself says so, and gives another reason only where it did not
    /// come to that.
    fn may_have_been_counted(self) -> bool {
        match self.answer {
            Answer::Wrapper(_) => true,
            Answer::Code(code) => !matches!(layer(code), 0 | 11) && self.meaning() != Meaning::Gone,
        }
    }

    /// The error for a failure that means nothing more where it happened.
    pub(super) fn into_error(self) -> TpmError {
        let source = Box::new(self);
        let meaning = self.meaning();
        match meaning {
            Meaning::Lockout => {
                TpmError::LockedOut { recovery_seconds: None, source: Some(source) }
            }
            Meaning::NoObjectSlot => TpmError::Full { what: "object", source },
            Meaning::NoSessionSlot => TpmError::Full { what: "session", source },
            Meaning::PolicyFail => TpmError::PolicyRefused { source },
            Meaning::NotReady(state) => TpmError::NotReady { state, source },
            Meaning::NoHierarchy => TpmError::NoHierarchy { source },
            _ => TpmError::Command { doing: self.doing, kind: meaning.kind(), source },
        }
    }
}

const fn of_tpm(code: u32) -> Meaning {
    if code & 0x80 != 0 {
        // Format one: which parameter, handle or session is in the other bits.
        return match code & 0x3f {
            0x0e | 0x22 => Meaning::WrongAuth,
            0x1d => Meaning::PolicyFail,
            0x04 => Meaning::Value,
            0x1f => Meaning::Integrity,
            0x0b => Meaning::NoHandle,
            0x05 => Meaning::NoHierarchy,
            // Something else about a parameter.
            _ if code & 0x40 != 0 => Meaning::Malformed,
            _ => Meaning::Other,
        };
    }
    match code {
        0x100 => Meaning::NotReady(TpmState::NotStarted),
        0x101 => Meaning::NotReady(TpmState::Failure),
        0x12d => Meaning::NotReady(TpmState::Upgrade),
        0x130 => Meaning::NotReady(TpmState::Reboot),
        // PCR_CHANGED, YIELDED, TESTING, RETRY
        0x128 | 0x908 | 0x90a | 0x922 => Meaning::Again,
        0x921 => Meaning::Lockout,
        // OBJECT_MEMORY, OBJECT_HANDLES
        0x902 | 0x906 => Meaning::NoObjectSlot,
        // SESSION_MEMORY, SESSION_HANDLES
        0x903 | 0x905 => Meaning::NoSessionSlot,
        // REFERENCE_H0 to H6, REFERENCE_S0 to S6
        0x910..=0x916 | 0x918..=0x91e => Meaning::Gone,
        _ => Meaning::Other,
    }
}

const fn name(code: u32) -> Option<&'static str> {
    Some(match of_tpm(code) {
        Meaning::WrongAuth if code & 0x3f == 0x0e => "TPM_RC_AUTH_FAIL",
        Meaning::WrongAuth => "TPM_RC_BAD_AUTH",
        Meaning::PolicyFail => "TPM_RC_POLICY_FAIL",
        Meaning::Value => "TPM_RC_VALUE",
        Meaning::Integrity => "TPM_RC_INTEGRITY",
        Meaning::Lockout => "TPM_RC_LOCKOUT",
        Meaning::NotReady(TpmState::NotStarted) => "TPM_RC_INITIALIZE",
        Meaning::NotReady(TpmState::Failure) => "TPM_RC_FAILURE",
        Meaning::NotReady(TpmState::Upgrade) => "TPM_RC_UPGRADE",
        Meaning::NotReady(TpmState::Reboot) => "TPM_RC_REBOOT",
        Meaning::NoHierarchy => "TPM_RC_HIERARCHY",
        Meaning::NoHandle => "TPM_RC_HANDLE",
        Meaning::NoObjectSlot => "TPM_RC_OBJECT_MEMORY",
        Meaning::NoSessionSlot => "TPM_RC_SESSION_MEMORY",
        Meaning::Gone => "TPM_RC_REFERENCE",
        Meaning::Again if code == 0x128 => "TPM_RC_PCR_CHANGED",
        Meaning::Again => "TPM_RC_RETRY",
        _ => return None,
    })
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let code = match self.answer {
            Answer::Wrapper(kind) => return write!(f, "the answer could not be used: {kind}"),
            Answer::Code(code) => code,
        };
        let speaker = match layer(code) {
            0 => "the TPM",
            11 => "the resource manager",
            10 => "the connection to the TPM",
            _ => "the TSS library",
        };
        write!(f, "{speaker} returned {code:#x}")?;
        match name(code & 0xffff) {
            Some(name) if matches!(layer(code), 0 | 11) => write!(f, " ({name})"),
            _ => Ok(()),
        }
    }
}

impl std::error::Error for Failure {}

/// What a step came to: a code that its caller may know more about, or an
/// error that is complete.
#[derive(Debug)]
pub(super) enum Failed {
    Call(Failure),
    Error(TpmError),
}

impl Failed {
    pub(super) fn meaning(&self) -> Option<Meaning> {
        match self {
            Self::Call(failure) => Some(failure.meaning()),
            Self::Error(_) => None,
        }
    }

    pub(super) fn spoils_the_library(&self) -> bool {
        match self {
            Self::Call(failure) => failure.spoils_the_library(),
            Self::Error(_) => false,
        }
    }

    pub(super) fn may_have_been_counted(&self) -> bool {
        match self {
            Self::Call(failure) => failure.may_have_been_counted(),
            Self::Error(_) => true,
        }
    }

    pub(super) fn into_error(self) -> TpmError {
        match self {
            Self::Call(failure) => failure.into_error(),
            Self::Error(error) => error,
        }
    }
}

impl From<TpmError> for Failed {
    fn from(error: TpmError) -> Self {
        Self::Error(error)
    }
}

/// Says what was being done when a call failed.
pub(super) trait Doing<T> {
    fn doing(self, doing: &'static str) -> Result<T, Failed>;
}

impl<T> Doing<T> for Result<T, Error> {
    fn doing(self, doing: &'static str) -> Result<T, Failed> {
        self.map_err(|error| Failed::Call(Failure { doing, answer: answer(error) }))
    }
}

impl Failure {
    pub(super) fn of(doing: &'static str, error: Error) -> Self {
        Self { doing, answer: answer(error) }
    }
}

/// This version of tss-esapi keeps the code to itself, but prints it.
fn answer(error: Error) -> Answer {
    let printed = match error {
        Error::WrapperError(kind) => return Answer::Wrapper(kind),
        Error::Tss2Error(Tss2ResponseCode::FormatZero(code)) => code.to_string(),
        Error::Tss2Error(Tss2ResponseCode::FormatOne(code)) => code.to_string(),
        Error::Tss2Error(Tss2ResponseCode::Success) => "0x0".to_owned(),
    };
    printed
        .rsplit_once("0x")
        .and_then(|(_, digits)| u32::from_str_radix(digits, 16).ok())
        .map_or(Answer::Wrapper(WrapperErrorKind::WrongValueFromTpm), Answer::Code)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(code: u32) -> Failure {
        Failure { doing: "test", answer: Answer::Code(code) }
    }

    /// As a TPM and the TSS gave them.
    #[test]
    fn codes_are_told_apart() {
        for (code, meaning) in [
            (0x98e, Meaning::WrongAuth),
            (0x9a2, Meaning::WrongAuth),
            (0x99d, Meaning::PolicyFail),
            (0x1c4, Meaning::Value),
            (0x1df, Meaning::Integrity),
            (0x921, Meaning::Lockout),
            (0x128, Meaning::Again),
            (0x922, Meaning::Again),
            (0x908, Meaning::Again),
            (0x18b, Meaning::NoHandle),
            (0x902, Meaning::NoObjectSlot),
            (0x903, Meaning::NoSessionSlot),
            (0x910, Meaning::Gone),
            (0x70018, Meaning::Gone),
            (0x70007, Meaning::Broken),
            (0xa000a, Meaning::NoDevice),
            (0xa0015, Meaning::NoLibrary),
            (0x90006, Meaning::Malformed),
            (0x1d5, Meaning::Malformed),
            (0xb098e, Meaning::WrongAuth),
            (0x100, Meaning::NotReady(TpmState::NotStarted)),
            (0x101, Meaning::NotReady(TpmState::Failure)),
            (0x12d, Meaning::NotReady(TpmState::Upgrade)),
            (0x130, Meaning::NotReady(TpmState::Reboot)),
            (0x185, Meaning::NoHierarchy),
            (0x1c5, Meaning::NoHierarchy),
            (0x120, Meaning::Other),
        ] {
            assert_eq!(failure(code).meaning(), meaning, "{code:#x}");
        }
    }

    #[test]
    fn what_the_tpm_did_not_answer_may_have_been_counted() {
        for (code, may) in [
            (0x921, false),
            (0x922, false),
            (0x99d, false),
            (0x101, false),
            (0xb0921, false),
            // A handle that the library does not know: nothing was sent.
            (0x70018, false),
            (0x70007, true),
            (0xa000a, true),
            (0x90006, true),
        ] {
            assert_eq!(failure(code).may_have_been_counted(), may, "{code:#x}");
        }
    }

    #[test]
    fn codes_are_shown_with_their_name() {
        assert_eq!(failure(0x98e).to_string(), "the TPM returned 0x98e (TPM_RC_AUTH_FAIL)");
        assert_eq!(failure(0x70007).to_string(), "the TSS library returned 0x70007");
        assert_eq!(failure(0xa000a).to_string(), "the connection to the TPM returned 0xa000a");
    }
}
