//! Devices and libraries that are known by their strings: which are programs, which
//! are services elsewhere, and whose word a library gives.
//!
//! One list for every interface: a TPM is the same TPM behind a PKCS#11 module. No
//! list is a proof: a program can call itself what it likes (NSS by its parameters).
//! What is not known here claims what it claims, and the operator can take it for
//! less.

mod pins;
mod place;
mod slots;
mod software;
mod text;
mod tpm;
mod words;

pub use self::pins::Lockout;
#[cfg_attr(not(feature = "pkcs11"), allow(unused_imports, reason = "used by that backend"))]
pub(crate) use self::pins::{Tells, WrongPins};
pub(super) use self::place::is_remote_service;
pub(super) use self::place::is_somewhere_else;
pub(super) use self::software::is_software;
use self::text::Text;
pub(super) use self::words::words;
use super::DeviceIdentity;

/// The texts that lists are compared with.
struct Strings {
    manufacturer: Text,
    model: Text,
    library: Text,
    module: Text,
    slot: Text,
}

impl Strings {
    fn of(device: &DeviceIdentity) -> Self {
        let DeviceIdentity { manufacturer, model, library, module, slot, .. } = device;
        let [manufacturer, model, library, module, slot] =
            [manufacturer, model, library, module, slot].map(|text| Text::of(text));
        Self { manufacturer, model, library, module, slot }
    }
}

#[cfg(test)]
mod tests;
