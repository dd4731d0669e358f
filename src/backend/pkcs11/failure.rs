//! What a module answered, in one word.

use std::fmt;

use cryptoki::error::{Error, RvError};

use crate::error::{DeviceError, ErrorKind, Pkcs11Error, in_full};

/// Why a call into a module failed: prints the `CKR_` name and nothing else.
/// (cryptoki's own text is a paragraph of the standard.)
#[derive(Debug)]
pub(super) enum Failure {
    /// The module returned this.
    Returned(RvError),
    /// The module could not be called, or its answer not be read.
    Unreadable(Error),
    /// A signature came that is not 64 bytes long.
    SignatureLength,
    /// A signature came whose numbers are none that ECDSA gives.
    SignatureRange,
}

/// What failed, as messages name it.
pub(super) struct Named {
    /// The token, or the module before one is chosen.
    pub(super) token: String,
    /// A TPM is behind it.
    pub(super) of_tpm: bool,
}

/// By a name alone nobody knows what is behind it.
impl From<String> for Named {
    fn from(token: String) -> Self {
        Self { token, of_tpm: false }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        match error {
            Error::Pkcs11(returned, _) => Self::Returned(returned),
            error => Self::Unreadable(error),
        }
    }
}

impl Failure {
    /// The error of a call.
    pub(super) fn into_error(self, call: &'static str, of: impl Into<Named>) -> Pkcs11Error {
        // Whether a login that failed was counted as a wrong PIN, nobody knows.
        let kind = match call {
            "C_Login" => ErrorKind::DeviceFailed,
            _ => self.kind(),
        };
        let Named { token, of_tpm } = of.into();
        Pkcs11Error::Call { call, token, kind, of_tpm, source: Box::new(self) }
    }

    const fn kind(&self) -> ErrorKind {
        match self {
            Self::Returned(
                RvError::DeviceRemoved | RvError::TokenNotPresent | RvError::SlotIdInvalid,
            ) => ErrorKind::DeviceAbsent,
            Self::Returned(RvError::SessionCount | RvError::HostMemory) => ErrorKind::Busy,
            Self::Returned(RvError::DeviceMemory) => ErrorKind::Storage,
            Self::Returned(RvError::TokenWriteProtected) => ErrorKind::Permission,
            Self::Returned(RvError::RandomNoRng) => ErrorKind::Randomness,
            Self::Returned(
                RvError::MechanismInvalid
                | RvError::FunctionNotSupported
                | RvError::CurveNotSupported,
            ) => ErrorKind::Unsupported,
            Self::Returned(_)
            | Self::Unreadable(_)
            | Self::SignatureLength
            | Self::SignatureRange => ErrorKind::DeviceFailed,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Returned(RvError::VendorDefined(code)) => {
                write!(f, "the module returned the vendor's code {code:#x}")
            }
            Self::Returned(RvError::UnknownErrorCode(code)) => {
                write!(f, "the module returned the unknown code {code:#x}")
            }
            Self::Returned(returned) => f.write_str(&ckr_name(&format!("{returned:?}"))),
            // Prints its own cause, so that `source` has none.
            Self::Unreadable(error) => error.fmt(f),
            Self::SignatureLength => f.write_str("the signature is not 64 bytes long"),
            Self::SignatureRange => f.write_str("r or s of the signature is out of range"),
        }
    }
}

impl std::error::Error for Failure {}

/// What the module answered, if that is the cause of an error.
pub(super) fn answer<'a>(error: &'a (dyn std::error::Error + 'static)) -> Option<&'a RvError> {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(Failure::Returned(answer)) = error.downcast_ref() {
            return Some(answer);
        }
        cause = error.source();
    }
    None
}

/// An error with its causes, of a call that makes an object; and that the token is full, where the
/// answer may mean that.
pub(super) fn in_full_of_making(error: &(dyn std::error::Error + 'static)) -> String {
    let text = in_full(error);
    let (mut cause, mut is_tpm) = (Some(error), false);
    while let Some(error) = cause {
        is_tpm |= is_of_tpm(error);
        match error.downcast_ref() {
            Some(Failure::Returned(RvError::DeviceMemory)) => {
                return format!("{text} (the token is full)");
            }
            Some(Failure::Returned(RvError::FunctionFailed | RvError::GeneralError)) => {
                // SoftHSM answers so when it is full, and a module in front of a TPM
                // whatever is wrong with that.
                return match is_tpm {
                    true => format!("{text} (its TPM may be away, locked, or have no room)"),
                    false => format!("{text} (it may be full)"),
                };
            }
            _ => cause = error.source(),
        }
    }
    text
}

fn is_of_tpm(error: &(dyn std::error::Error + 'static)) -> bool {
    let of_call = |error: &Pkcs11Error| matches!(error, Pkcs11Error::Call { of_tpm: true, .. });
    match error.downcast_ref() {
        Some(DeviceError::Pkcs11(error)) => of_call(error),
        _ => error.downcast_ref().is_some_and(of_call),
    }
}

/// `DeviceRemoved` → `CKR_DEVICE_REMOVED`.
fn ckr_name(variant: &str) -> String {
    let mut name = String::from("CKR");
    for letter in variant.chars() {
        if letter.is_ascii_uppercase() {
            name.push('_');
        }
        name.push(letter.to_ascii_uppercase());
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_the_name_of_the_standard() {
        for (error, name) in [
            (RvError::DeviceRemoved, "CKR_DEVICE_REMOVED"),
            (RvError::SessionReadWriteSoExists, "CKR_SESSION_READ_WRITE_SO_EXISTS"),
            (RvError::PinIncorrect, "CKR_PIN_INCORRECT"),
        ] {
            assert_eq!(Failure::Returned(error).to_string(), name);
        }
        let vendor = Failure::Returned(RvError::VendorDefined(0x8000_0001));
        assert_eq!(vendor.to_string(), "the module returned the vendor's code 0x80000001");
    }

    #[test]
    fn an_answer_has_its_kind_and_a_failed_login_is_never_tried_again() {
        for (error, kind) in [
            (RvError::DeviceRemoved, ErrorKind::DeviceAbsent),
            (RvError::TokenNotPresent, ErrorKind::DeviceAbsent),
            (RvError::SessionCount, ErrorKind::Busy),
            (RvError::DeviceMemory, ErrorKind::Storage),
            (RvError::GeneralError, ErrorKind::DeviceFailed),
            (RvError::MechanismInvalid, ErrorKind::Unsupported),
        ] {
            let failed = Failure::Returned(error).into_error("C_Sign", "node-1".to_owned());
            assert_eq!(failed.kind(), kind, "{error:?}");
            let login = Failure::Returned(error).into_error("C_Login", "node-1".to_owned());
            assert!(!login.kind().is_transient(), "{error:?}");
        }
    }

    /// One answer for whatever is wrong with it.
    #[test]
    fn what_a_tpm_answers_is_not_said_to_mean_that_the_token_is_full() {
        for (answer, of_tpm, says) in [
            (RvError::GeneralError, false, "CKR_GENERAL_ERROR (it may be full)"),
            (RvError::FunctionFailed, false, "CKR_FUNCTION_FAILED (it may be full)"),
            (RvError::GeneralError, true, "(its TPM may be away, locked, or have no room)"),
            (RvError::FunctionFailed, true, "(its TPM may be away, locked, or have no room)"),
            (RvError::DeviceMemory, true, "CKR_DEVICE_MEMORY (the token is full)"),
            (RvError::DeviceError, true, "CKR_DEVICE_ERROR"),
        ] {
            let named = Named { token: "node-1".into(), of_tpm };
            let error = Failure::Returned(answer).into_error("C_GenerateKeyPair", named);
            for text in [in_full_of_making(&error), in_full_of_making(&DeviceError::from(error))] {
                assert!(text.ends_with(says), "{text}");
                assert!(!of_tpm || !text.contains("may be full"), "{text}");
            }
        }
    }
}
