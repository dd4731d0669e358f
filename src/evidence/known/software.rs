//! Devices that are programs: whoever has their files, or runs their host, can copy
//! the keys.

use super::super::DeviceIdentity;
use super::{Strings, tpm};

/// How a device that is a program is recognised. Names are whole words ([`Text::names`]):
/// who is taken for a program by mistake is locked out where hardware is demanded, and
/// nothing that the operator writes opens that.
enum Sign {
    /// A name in manufacturer or model.
    Name(&'static str),
    /// A name in the model: a maker of hardware may be called so (Aktiv-Soft).
    Model(&'static str),
    /// All of the manufacturer.
    Maker(&'static str),
    /// The end of a word of manufacturer or model.
    Ending(&'static str),
    /// The start of the model, and a number.
    Numbered(&'static str),
    /// A name in what a slot says of itself that has the flag of hardware: a reader that is
    /// a program has a card that is one.
    Slot(&'static str),
    /// A name in the model of a maker's token.
    Of(&'static str, &'static str),
    /// A name of the library itself, which is the token: its strings can be set.
    Library(&'static str),
    /// The same, by a part of the module's file name.
    File(&'static str),
    /// All of the manufacturer, where the device is a TPM: its vendor id in the TCG
    /// vendor id registry. Elsewhere the same letters may be a maker of hardware.
    TpmVendor(&'static str),
}

const SOFTWARE: [Sign; 65] = [
    // Soft tokens, by their own names.
    Sign::Name("softhsm"),
    Sign::Name("kryoptic"),
    Sign::Name("craton"),
    Sign::Name("cratonhsm"),
    Sign::Name("wolfpkcs11"),
    Sign::Name("gnomekeyring"),
    // A simulator of a HSM (`BouncyHsm.Pkcs11Lib`: manufacturer of token and library).
    Sign::Name("bouncyhsm"),
    // `pkcs11-mock`, whose token is called "Mock token".
    Sign::Name("pkcs11interop"),
    // ProtectToolkit-C in its software-only mode, which needs no HSM: the token's model is
    // "SW:SWEMUL", the library `libctsw.so` (Thales' administration guide calls its place `sw`).
    Sign::Name("swemul"),
    Sign::File("libctsw"),
    // NSS, whose strings are parameters: the letters alone may be anybody's.
    Sign::Name("networksecurityservices"),
    Sign::Name("mozilla"),
    Sign::Numbered("nss"),
    // Libraries that are soft tokens, whatever their tokens are called.
    Sign::Library("softhsm"),
    Sign::Library("kryoptic"),
    Sign::Library("cratonhsm"),
    Sign::Library("wolfpkcs11"),
    Sign::Library("gnomekeyring"),
    Sign::Library("bouncyhsm"),
    Sign::Library("mozilla"),
    // Heimdal's (`lib/hx509/softp11.c`), which may have the flag of hardware.
    Sign::Library("softtoken"),
    Sign::File("softhsm"),
    Sign::File("softokn"),
    Sign::File("kryopticpkcs11"),
    Sign::File("cratonhsm"),
    Sign::File("gnomekeyringpkcs11"),
    Sign::File("bouncyhsm"),
    // openCryptoki's, which was called "IBM SoftTok"; Solaris' "Sun Crypto Softtoken" says
    // it of its slot.
    Sign::Model("soft"),
    Sign::Model("software"),
    Sign::Maker("soft"),
    Sign::Maker("software"),
    Sign::Name("softtok"),
    Sign::Name("softtoken"),
    Sign::Name("softoken"),
    Sign::Name("softtpm"),
    Sign::Name("softwarehsm"),
    Sign::Name("softwarekeystore"),
    Sign::Name("softwaretoken"),
    Sign::Name("softwaretpm"),
    // Arithmetic is done by an accelerator, and the keys are the host's
    // (`usr/lib/ica_s390_stdll/ica_specific.c`).
    Sign::Of("ica", "ibm"),
    // Virtual cards and TPMs, by the names that they give themselves. `swtpm` calls
    // itself "SW   TPM".
    Sign::Name("virtual"),
    Sign::Name("virtualcard"),
    Sign::Name("virtualhsm"),
    Sign::Name("virtualsmartcard"),
    Sign::Name("virtualtoken"),
    Sign::Name("virtualtpm"),
    Sign::Ending("simulator"),
    Sign::Ending("emulator"),
    Sign::Name("simulated"),
    Sign::Name("simulation"),
    Sign::Name("swtpm"),
    Sign::Name("vtpm"),
    Sign::Name("nitrotpm"),
    Sign::Name("vmware"),
    Sign::Name("qemu"),
    // vsmartcard's reader. (An HSM's "virtual slot" is a group of real ones.)
    Sign::Slot("virtualpcd"),
    Sign::Slot("softhsm"),
    Sign::Slot("softtoken"),
    Sign::Slot("swtpm"),
    // TPMs: swtpm and IBM's simulator; Microsoft's, in Hyper-V, Azure and its
    // simulator; Google Compute Engine; AWS Nitro; VMware; QEMU's own.
    Sign::TpmVendor("ibm"),
    Sign::TpmVendor("msft"),
    Sign::TpmVendor("goog"),
    Sign::TpmVendor("amzn"),
    Sign::TpmVendor("vmw"),
    Sign::TpmVendor("qemu"),
];

/// Whether a device is known to be a program.
pub(in super::super) fn is_software(device: &DeviceIdentity, is_tpm: bool) -> bool {
    let Strings { manufacturer, model, slot, library, module } = Strings::of(device);
    let file = module.squeezed();
    // A group of Luna HSMs, which are hardware, calls itself so.
    let is_group = model.names("lunavirtual");
    let is_tpm = is_tpm || tpm::is_tpm(device);
    SOFTWARE.iter().any(|sign| match sign {
        Sign::Name("virtual") if is_group => manufacturer.names("virtual"),
        Sign::Name(name) => manufacturer.names(name) || model.names(name),
        Sign::Model(name) => model.names(name),
        Sign::Maker(name) => manufacturer.is(name),
        Sign::Ending(end) => manufacturer.has_word_ending(end) || model.has_word_ending(end),
        Sign::Numbered(name) => model.begins_with_number_of(name),
        Sign::Slot(name) => device.hardware_slot && slot.names(name),
        Sign::Library(name) => library.names(name),
        Sign::File(part) => file.contains(part),
        Sign::Of(name, maker) => model.names(name) && manufacturer.names(maker),
        Sign::TpmVendor(vendor) => is_tpm && manufacturer.squeezed() == *vendor,
    })
}
