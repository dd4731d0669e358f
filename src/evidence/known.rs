//! Devices and libraries that are known by their strings: which devices are
//! programs, and which libraries answer without asking the device.
//!
//! One list for every interface: a TPM is the same TPM behind a PKCS#11 module.

use super::DeviceIdentity;
use super::fact::{Word, Words};

/// How a device that is a program is recognised. Case does not count, nor do
/// blanks and other signs between letters and digits.
enum Sign {
    /// A part of manufacturer or model.
    Name(&'static str),
    /// A part of what its slot says of itself: a reader that is a program has a card
    /// that is one.
    Slot(&'static str),
    /// The whole manufacturer, where the device is a TPM: its vendor id in the TCG
    /// vendor id registry. Elsewhere the same letters may be a maker of hardware.
    TpmVendor(&'static str),
}

/// Devices that are programs: whoever has their files, or runs their host, can
/// copy the keys.
const SOFTWARE: [Sign; 21] = [
    // Soft tokens.
    Sign::Name("softhsm"),
    Sign::Name("kryoptic"),
    Sign::Name("craton"),
    Sign::Name("network security services"),
    Sign::Name("nss"),
    Sign::Name("soft"),
    // Virtual cards and TPMs, by the names that they give themselves. `swtpm` calls
    // itself "SW   TPM".
    Sign::Name("virtual"),
    Sign::Name("simulator"),
    Sign::Name("emulator"),
    Sign::Name("swtpm"),
    Sign::Name("vtpm"),
    Sign::Name("nitrotpm"),
    Sign::Name("vmware"),
    Sign::Name("qemu"),
    // vsmartcard's reader. (An HSM's "virtual slot" is a group of real ones.)
    Sign::Slot("virtual pcd"),
    // TPMs: swtpm and IBM's simulator; Microsoft's, in Hyper-V, Azure and its
    // simulator; Google Compute Engine; AWS Nitro; VMware; QEMU's own.
    Sign::TpmVendor("ibm"),
    Sign::TpmVendor("msft"),
    Sign::TpmVendor("goog"),
    Sign::TpmVendor("amzn"),
    Sign::TpmVendor("vmw"),
    Sign::TpmVendor("qemu"),
];

/// Parts of a library's manufacturer (`CK_INFO`) by which modules in front of a TPM
/// are recognised; any other is one if its token's model says TPM.
const TPM_LIBRARIES: [&str; 1] = ["tpm2"];

/// Libraries whose `CKA_LOCAL`, `CKA_ALWAYS_SENSITIVE` and `CKA_NEVER_EXTRACTABLE`
/// are not the device's answer, by the manufacturer in `CK_INFO`.
///
/// OpenSC: constants for the cards whose PKCS#15 structure it makes up, PIV and
/// OpenPGP among them (`src/libopensc/pkcs15-syn.c`,
/// `src/libopensc/pkcs15-piv.c`), and for others what a host wrote to the card.
/// tpm2-pkcs11: from its store, a file on the host, where the program that made or
/// imported the key wrote them (`src/lib/object.c`, `tools/tpm2_pkcs11/objects.py`);
/// asked directly, a TPM says itself what its key is.
const DO_NOT_ASK: [&str; 2] = ["opensc", "tpm2"];

/// Libraries that are known to answer with what their device says, by the manufacturer
/// in `CK_INFO`.
const ASK: [&str; 2] = ["softhsm", "yubico"];

/// Parts of manufacturer, model or library of services that keep keys elsewhere.
const REMOTE_SERVICES: [&str; 1] = ["awskms"];

/// Models of tokens that such libraries make up, seen also through a proxy: OpenSC
/// names "PKCS#15" and "PKCS#15 emulated" (`src/pkcs11/framework-pkcs15.c`).
const MADE_UP_MODELS: [&str; 1] = ["pkcs15"];

/// Whether a device is known to be a program.
pub(super) fn is_software(device: &DeviceIdentity, is_tpm: bool) -> bool {
    let manufacturer = squeezed(&device.manufacturer);
    // A group of Luna HSMs, which are hardware, calls itself so.
    let model = squeezed(&device.model).replace("lunavirtual", "luna");
    let library = squeezed(&device.library);
    let slot = squeezed(&device.slot);
    let is_tpm =
        is_tpm || model.contains("tpm") || TPM_LIBRARIES.iter().any(|part| library.contains(part));
    SOFTWARE.iter().any(|sign| match sign {
        Sign::Name(part) => {
            let part = squeezed(part);
            manufacturer.contains(&part) || model.contains(&part)
        }
        Sign::Slot(part) => slot.contains(&squeezed(part)),
        Sign::TpmVendor(vendor) => is_tpm && manufacturer == *vendor,
    })
}

/// Whether a token is a service elsewhere, by its own strings or its library's.
pub(super) fn is_remote_service(device: &DeviceIdentity) -> bool {
    let fields = [&device.manufacturer, &device.model, &device.library].map(|text| squeezed(text));
    REMOTE_SERVICES.iter().any(|part| fields.iter().any(|field| field.contains(part)))
}

/// Whose word the attributes of a token's keys are.
pub(super) fn words(device: &DeviceIdentity) -> Words {
    let (library, model) = (squeezed(&device.library), squeezed(&device.model));
    let is_one_of = |libraries: &[&str]| libraries.iter().any(|part| library.contains(part));
    if is_one_of(&DO_NOT_ASK) || MADE_UP_MODELS.iter().any(|start| model.starts_with(start)) {
        return Words { now: Word::Module, history: Word::Nobody };
    }
    let word = if is_one_of(&ASK) { Word::Device } else { Word::Module };
    Words { now: word, history: word }
}

/// Letters and digits only, in lower case: fields are padded with blanks or NUL.
fn squeezed(text: &str) -> String {
    let kept = text.chars().filter(|letter| letter.is_alphanumeric());
    kept.flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests;
