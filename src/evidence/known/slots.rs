//! Cards whose library maps a new key to one of a fixed number of places, where it
//! takes the place of a key that is there.

use super::Strings;
use crate::evidence::DeviceIdentity;

/// By what such a card is recognised.
enum Sign {
    /// A name in its library's strings (`CK_INFO`).
    Library(&'static str),
    /// The start of its token's model, seen through a proxy as well; and names of
    /// manufacturers of which it is not true.
    Model(&'static str, &'static [&'static str]),
}

const MADE_IN_SLOTS: [Sign; 6] = [
    // ykcs11 and its copies: `CKA_ID` is the number of a PIV slot (`ykcs11/ykcs11.c`,
    // `C_GenerateKeyPair`). The library of a YubiHSM 2, whose keys are objects, has the
    // same manufacturer.
    Sign::Library("pivlibrary"),
    Sign::Model("yubikey", &[]),
    // OpenSC, where it makes up the structure of the card ("PKCS#15 emulated",
    // `src/pkcs11/framework-pkcs15.c`): OpenPGP's three keys are named by the first byte
    // of the id, whose length is not checked where a key is written
    // (`src/pkcs15init/pkcs15-openpgp.c`). Not so a SmartCard-HSM and a Nitrokey HSM 2,
    // whose keys are files with the next free number (`src/pkcs15init/pkcs15-sc-hsm.c`).
    Sign::Model("pkcs15emulated", &["cardcontact"]),
    // TROPIC01 (tropicsquare/libtropic-pkcs11, `src/pkcs11.c`): the first byte of
    // `CKA_ID` is the number of a place, and alone counts in a search. Its model is the part
    // number ("TR01-C2P-T101").
    Sign::Library("tropicsquare"),
    Sign::Model("tr01", &[]),
    Sign::Model("tropic01", &[]),
];

impl DeviceIdentity {
    /// Whether a key that is made on this token may take the place of another one.
    #[cfg_attr(not(feature = "pkcs11"), allow(dead_code, reason = "asked by that backend"))]
    pub(crate) fn makes_keys_in_slots(&self) -> bool {
        let Strings { manufacturer, model, library, .. } = Strings::of(self);
        let model = model.squeezed();
        MADE_IN_SLOTS.iter().any(|sign| match sign {
            Sign::Library(name) => library.names(name),
            Sign::Model(start, others) => {
                model.starts_with(start) && !others.iter().any(|other| manufacturer.names(other))
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cards_with_slots_are_known_and_tokens_with_objects_are_not_taken_for_them() {
        let slots = |manufacturer: &str, model: &str, library: &str| {
            DeviceIdentity {
                manufacturer: manufacturer.into(),
                model: model.into(),
                library: library.into(),
                module: String::new(),
                slot: String::new(),
                serial: String::new(),
                label: String::new(),
                firmware: String::new(),
                hardware_slot: true,
            }
            .makes_keys_in_slots()
        };
        let yubico = "Yubico (www.yubico.com)";
        let kit = "PKCS#11 Kit PKCS#11 Kit Proxy Module";
        for (manufacturer, model, library) in [
            (yubico, "YubiKey YK5", kit),
            ("Token2", "Token2", "Token2 PKCS#11 PIV Library (SP-800-73)"),
            ("piv_II", "PKCS#15 emulated", "OpenSC Project OpenSC smartcard framework"),
            ("OpenPGP project", "PKCS#15 emulated", kit),
            ("TropicSquare", "", "TropicSquare Tropic PKCS11"),
            ("TropicSquare", "TR01-C2P-T101", kit),
            ("TropicSquare", "TROPIC01", kit),
        ] {
            assert!(slots(manufacturer, model, library), "{manufacturer} {model} {library}");
        }
        for (manufacturer, model, library) in [
            (yubico, "YubiHSM", "Yubico (www.yubico.com) YubiHSM PKCS#11 Library"),
            ("www.CardContact.de", "PKCS#15 emulated", "OpenSC Project"),
            ("Aventra Ltd.", "PKCS#15", "OpenSC Project"),
            ("SoftHSM project", "SoftHSM v2", "SoftHSM"),
            ("Nitrokey GmbH", "NetHSM", "Nitrokey"),
        ] {
            assert!(!slots(manufacturer, model, library), "{manufacturer} {model} {library}");
        }
    }
}
