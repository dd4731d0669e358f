//! TPMs behind a PKCS#11 module.

use super::super::DeviceIdentity;
use super::place::is_somewhere_else;
use super::{Strings, Text};

/// Name in the strings of tpm2-pkcs11 (`CK_INFO`).
const LIBRARY: &str = "tpm2";
/// The serial number of each of its tokens (`src/lib/token.c`).
const SERIAL: &str = "0000000000000000";

/// The TCG's vendor id registry, and QEMU's own: what tpm2-pkcs11 shows as manufacturer.
const VENDORS: [&str; 32] = [
    "amd", "amzn", "ant", "atml", "brcm", "csco", "flys", "goog", "hisi", "hpe", "hpi", "ibm",
    "ifx", "intc", "len", "msft", "nsg", "nsm", "ntc", "ntz", "qcom", "qemu", "rocc", "seal",
    "sece", "smsc", "smsn", "sns", "stm", "txn", "vmw", "wec",
];

impl DeviceIdentity {
    /// Whether the token is one of tpm2-pkcs11. Behind a module that hides its library it
    /// is recognised by its token: no other is known to have both.
    pub(crate) fn is_of_tpm2_pkcs11(&self) -> bool {
        if Text::of(&self.library).names(LIBRARY) {
            return true;
        }
        let vendor = Text::of(&self.manufacturer).squeezed();
        is_somewhere_else(self) && self.serial == SERIAL && VENDORS.contains(&vendor.as_str())
    }
}

impl DeviceIdentity {
    /// Whether its serial number tells a token from others: tpm2-pkcs11 has one for all of its
    /// tokens, and others have none.
    pub(crate) fn has_own_serial(&self) -> bool {
        let is_one_digit = self.serial.chars().all(|digit| self.serial.starts_with(digit));
        !is_one_digit && !self.is_of_tpm2_pkcs11()
    }

    /// Whether the token is known to take no public key that was deleted from it: of those
    /// tpm2-pkcs11 takes RSA's only (`src/lib/object.c`, `object_create`).
    #[doc(hidden)]
    #[must_use]
    pub fn takes_no_public_key(&self) -> bool {
        self.is_of_tpm2_pkcs11()
    }
}

/// Whether a token is a TPM: by the library in front of it, or since its model says so.
pub(super) fn is_tpm(device: &DeviceIdentity) -> bool {
    device.is_of_tpm2_pkcs11() || Strings::of(device).model.squeezed().contains("tpm")
}
