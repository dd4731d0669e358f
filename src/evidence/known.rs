//! Devices and libraries that are known by their strings: which devices are
//! programs, and which libraries answer without asking the device.
//!
//! One list for every interface: a TPM is the same TPM behind a PKCS#11 module.

use super::DeviceIdentity;

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

/// Whether the library behind a token tells a key's history without asking the
/// device. What it tells is then nobody's word.
pub(super) fn invents_history(device: &DeviceIdentity) -> bool {
    let (library, model) = (squeezed(&device.library), squeezed(&device.model));
    DO_NOT_ASK.iter().any(|part| library.contains(part))
        || MADE_UP_MODELS.iter().any(|start| model.starts_with(start))
}

/// Letters and digits only, in lower case: fields are padded with blanks or NUL.
fn squeezed(text: &str) -> String {
    let kept = text.chars().filter(|letter| letter.is_alphanumeric());
    kept.flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::super::Assurance::{self, Claimed, SoftToken};
    use super::super::{Evidence, Fact, Pkcs11Attributes, ProvenanceKind, TpmAttributes};
    use super::*;

    fn device(manufacturer: &str, model: &str, library: &str) -> DeviceIdentity {
        DeviceIdentity {
            manufacturer: manufacturer.into(),
            model: model.into(),
            library: library.into(),
            slot: String::new(),
            serial: String::new(),
            label: String::new(),
            firmware: String::new(),
            hardware_slot: true,
        }
    }

    const BORN_INSIDE: Pkcs11Attributes = Pkcs11Attributes {
        local: Fact::True,
        sensitive: Fact::True,
        always_sensitive: Fact::True,
        extractable: Fact::False,
        never_extractable: Fact::True,
    };

    const TPM_KEY: TpmAttributes = TpmAttributes {
        sealed: false,
        fixed_tpm: true,
        fixed_parent: true,
        sensitive_data_origin: true,
        user_with_auth: false,
        no_da: false,
        restricted: false,
        decrypt: false,
        sign: true,
    };

    fn as_token(device: &DeviceIdentity) -> Evidence {
        Evidence::from_pkcs11(device.clone(), BORN_INSIDE).unwrap()
    }

    fn as_tpm(device: &DeviceIdentity) -> Evidence {
        Evidence::from_tpm(device.clone(), TPM_KEY).unwrap()
    }

    const TPM2_PKCS11: &str = "tpm2-software.github.io";
    const P11_KIT: &str = "PKCS#11 Kit";

    /// One list, whatever is in front of the TPM.
    #[test]
    fn a_tpm_is_the_same_tpm_behind_every_interface() {
        let table: [(&str, &str, Assurance); 16] = [
            ("IBM", "SW   TPM", SoftToken),
            ("IBM\0", "SW  \0 TPM\0\0", SoftToken),
            ("IBM", "", SoftToken),
            ("MSFT", "xCG fTPM", SoftToken),
            ("GOOG", "vTPM", SoftToken),
            ("AMZN", "NitroTPM", SoftToken),
            ("VMW", "VMware TPM", SoftToken),
            ("QEMU", "TPM", SoftToken),
            ("XYZ", "Virtual TPM", SoftToken),
            ("XYZ", "TPM Simulator", SoftToken),
            ("XYZ", "swtpm", SoftToken),
            ("IFX", "SLB9670", Claimed),
            ("INTC", "Intel", Claimed),
            ("AMD", "AMD", Claimed),
            ("STM", "", Claimed),
            ("NTC", "rls NPCT75x", Claimed),
        ];
        for (manufacturer, model, expected) in table {
            let tpm = as_tpm(&device(manufacturer, model, ""));
            assert_eq!(tpm.assurance(), expected, "{manufacturer} {model}");
            let token = as_token(&device(manufacturer, model, TPM2_PKCS11));
            assert_eq!(token.assurance(), expected, "{manufacturer} {model} behind tpm2-pkcs11");
            // A proxy tells its own name; the model is still the TPM's.
            if squeezed(model).contains("tpm") {
                let token = as_token(&device(manufacturer, model, P11_KIT));
                assert_eq!(token.assurance(), expected, "{manufacturer} {model} behind a proxy");
            }
        }
    }

    #[test]
    fn a_token_is_soft_by_its_name_and_not_by_its_makers_initials() {
        let table = [
            ("SoftHSM project", "SoftHSM v2", "SoftHSM", SoftToken),
            ("Kryoptic Project", "v1", "Kryoptic", SoftToken),
            ("Mozilla Foundation", "NSS 3", "Mozilla Foundation", SoftToken),
            ("IBM", "Soft", "IBM", SoftToken),
            ("SafeNet", "LunaVirtual", "Chrystoki", Claimed),
            // A coprocessor behind openCryptoki.
            ("IBM", "4767", "IBM", Claimed),
            ("Yubico (www.yubico.com)", "YubiHSM", "Yubico", Claimed),
            ("Acme", "HSM", "Acme", Claimed),
        ];
        for (manufacturer, model, library, expected) in table {
            let found = as_token(&device(manufacturer, model, library)).assurance();
            assert_eq!(found, expected, "{manufacturer} {model} {library}");
        }
    }

    /// As vsmartcard names it. The card in it says what it likes.
    #[test]
    fn a_card_in_a_virtual_reader_is_soft() {
        let card = |slot: &str| DeviceIdentity {
            slot: slot.into(),
            ..device("piv_II", "PKCS#15 emulated", "OpenSC Project")
        };
        let soft = as_token(&card("Virtual PCD 00 00 Virtual Smart Card Architecture"));
        assert_eq!(soft.assurance(), SoftToken);
        let real = as_token(&card("Yubico YubiKey OTP+FIDO+CCID 00 00 Yubico"));
        assert_eq!(real.assurance(), Claimed);
    }

    #[test]
    fn what_a_library_makes_up_is_unknown_and_never_hardware() {
        let table = [
            ("piv_II", "PKCS#15 emulated", "OpenSC Project", true),
            ("OpenSC Project", "PKCS#15", "OpenSC Project", true),
            ("any", "any", "opensc (smartcards)", true),
            ("IFX", "SLB9670", TPM2_PKCS11, true),
            // The same card behind a proxy that tells its own name.
            ("piv_II", "PKCS#15 emulated", P11_KIT, true),
            ("Yubico (www.yubico.com)", "YubiKey YK5", "Yubico (www.yubico.com)", false),
            ("SoftHSM project", "SoftHSM v2", "SoftHSM", false),
        ];
        for (manufacturer, model, library, made_up) in table {
            let evidence = as_token(&device(manufacturer, model, library));
            let facts: Vec<_> = evidence.facts().collect();
            for name in ["local", "always_sensitive", "never_extractable"] {
                let expected = if made_up { Fact::Unknown } else { Fact::True };
                assert!(facts.contains(&(name, expected)), "{model} {library}: {facts:?}");
            }
            assert!(facts.contains(&("sensitive", Fact::True)), "{facts:?}");
            let expected =
                if made_up { ProvenanceKind::DeviceHeld } else { ProvenanceKind::Hardware };
            assert_eq!(evidence.provenance(), expected, "{model} {library}");
        }
    }
}
