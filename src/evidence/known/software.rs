//! Devices that are programs: whoever has their files, or runs their host, can copy
//! the keys.

use super::super::DeviceIdentity;
use super::Strings;

/// How a device that is a program is recognised. Case does not count, nor do blanks
/// and other signs between letters and digits.
enum Sign {
    /// A part of manufacturer or model.
    Name(&'static str),
    /// A part of what its slot says of itself: a reader that is a program has a card
    /// that is one.
    Slot(&'static str),
    /// The whole model of a maker's token.
    Model(&'static str, &'static str),
    /// The whole manufacturer, where the device is a TPM: its vendor id in the TCG
    /// vendor id registry. Elsewhere the same letters may be a maker of hardware.
    TpmVendor(&'static str),
}

const SOFTWARE: [Sign; 24] = [
    // Soft tokens.
    Sign::Name("softhsm"),
    Sign::Name("kryoptic"),
    Sign::Name("craton"),
    Sign::Name("networksecurityservices"),
    Sign::Name("nss"),
    Sign::Name("wolfpkcs11"),
    Sign::Name("gnomekeyring"),
    Sign::Name("soft"),
    // Arithmetic is done by an accelerator, and the keys are the host's
    // (`usr/lib/ica_s390_stdll/ica_specific.c`).
    Sign::Model("ica", "ibm"),
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
    Sign::Slot("virtualpcd"),
    // TPMs: swtpm and IBM's simulator; Microsoft's, in Hyper-V, Azure and its
    // simulator; Google Compute Engine; AWS Nitro; VMware; QEMU's own.
    Sign::TpmVendor("ibm"),
    Sign::TpmVendor("msft"),
    Sign::TpmVendor("goog"),
    Sign::TpmVendor("amzn"),
    Sign::TpmVendor("vmw"),
    Sign::TpmVendor("qemu"),
];

/// Parts of a library's strings (`CK_INFO`) by which modules in front of a TPM are
/// recognised; any other is one if its token's model says TPM.
const TPM_LIBRARIES: [&str; 1] = ["tpm2"];

/// Whether a device is known to be a program.
pub(in super::super) fn is_software(device: &DeviceIdentity, is_tpm: bool) -> bool {
    let Strings { manufacturer, model, library, slot, .. } = Strings::of(device);
    let manufacturer = manufacturer.replace("microsoft", "ms");
    // A group of Luna HSMs, which are hardware, calls itself so.
    let model = model.replace("lunavirtual", "luna");
    let is_tpm =
        is_tpm || model.contains("tpm") || TPM_LIBRARIES.iter().any(|part| library.contains(part));
    SOFTWARE.iter().any(|sign| match sign {
        Sign::Name(part) => manufacturer.contains(part) || model.contains(part),
        Sign::Slot(part) => slot.contains(part),
        Sign::Model(whole, maker) => model == *whole && manufacturer == *maker,
        Sign::TpmVendor(vendor) => is_tpm && manufacturer == *vendor,
    })
}
