//! What a module answered, in one word.

use std::fmt;

use cryptoki::error::{Error, RvError};

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

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        match error {
            Error::Pkcs11(returned, _) => Self::Returned(returned),
            error => Self::Unreadable(error),
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
}
