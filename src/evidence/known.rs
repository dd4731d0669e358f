//! Devices and libraries that are known by their strings: which are programs, which
//! are services elsewhere, and whose word a library gives.
//!
//! One list for every interface: a TPM is the same TPM behind a PKCS#11 module. No
//! list is a proof: a program can call itself what it likes (NSS by its parameters).
//! What is not known here claims what it claims, and the operator can take it for
//! less.

mod place;
mod slots;
mod software;
mod words;

pub(super) use self::place::is_remote_service;
pub(super) use self::place::is_somewhere_else;
pub(super) use self::software::is_software;
pub(super) use self::words::words;
use super::DeviceIdentity;

/// Letters and digits only, in lower case: fields are padded with blanks or NUL.
fn squeezed(text: &str) -> String {
    let kept = text.chars().filter(|letter| letter.is_alphanumeric());
    kept.flat_map(char::to_lowercase).collect()
}

/// The texts that lists are compared with.
struct Strings {
    manufacturer: String,
    model: String,
    library: String,
    module: String,
    slot: String,
}

impl Strings {
    fn of(device: &DeviceIdentity) -> Self {
        let DeviceIdentity { manufacturer, model, library, module, slot, .. } = device;
        let [manufacturer, model, library, module, slot] =
            [manufacturer, model, library, module, slot].map(|text| squeezed(text));
        Self { manufacturer, model, library, module, slot }
    }
}

#[cfg(test)]
mod tests;
