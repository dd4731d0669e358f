//! What tokens tell of wrong PINs, and what those lead to.
//!
//! Found by reading the sources of each library, named beside it. Of a token that is not in
//! the list neither is known.

use serde::Serialize;

use super::Strings;
use crate::evidence::DeviceIdentity;

/// What wrong PINs lead to in the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Lockout {
    /// To nothing: as many as one likes can be tried.
    Never,
    /// The token locks its PIN.
    Token,
    /// The TPM behind the token takes no PIN for a while: for no key of it, those of other
    /// programs neither.
    Tpm,
}

/// Whether the flags of a token say that a wrong PIN was entered since the last right one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tells {
    /// From the first wrong one on.
    FromTheFirst,
    /// When some were entered, or not by every token of the family.
    Later,
    /// Never: the module sets none of these flags.
    Never,
    /// It is not known of this token.
    Unknown,
}

/// What is known of the wrong PINs of a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct WrongPins {
    pub(crate) tells: Tells,
    pub(crate) lockout: Option<Lockout>,
}

/// By what a token is recognised.
enum Sign {
    /// A name in its manufacturer.
    Maker(&'static str),
    /// A name in its manufacturer or model, whatever is in front of it.
    Token(&'static str),
    /// The start of its model, and a number.
    Numbered(&'static str),
    /// A name in its library's strings (`CK_INFO`).
    Library(&'static str),
    /// A part of the module's file name.
    File(&'static str),
    /// The whole model of its token, behind a library with this name in its strings.
    Behind(&'static str, &'static str),
    /// It is one of tpm2-pkcs11.
    Tpm2,
}

const TOKEN: Option<Lockout> = Some(Lockout::Token);
const NEVER: Option<Lockout> = Some(Lockout::Never);

const KNOWN: [(Sign, Tells, Option<Lockout>); 13] = [
    // `src/lib/slot_mgr/Token.cpp`: set by a wrong PIN, reset by a right one; no other flag
    // is ever set, and nothing is counted.
    (Sign::Maker("softhsm"), Tells::FromTheFirst, NEVER),
    // Sets none (`src/lib/token.c`, `token_get_info`). The objects that hold its PINs are
    // under the TPM's protection against guessing (`src/lib/tpm.c`).
    (Sign::Tpm2, Tells::Never, Some(Lockout::Tpm)),
    // Sets none, and counts nothing (`lib/softoken/pkcs11.c`, `NSC_GetTokenInfo`). Its
    // manufacturer is a parameter, and its model is not.
    (Sign::Token("mozilla"), Tells::Never, NEVER),
    (Sign::Numbered("nss"), Tells::Never, NEVER),
    (Sign::Library("mozilla"), Tells::Never, NEVER),
    (Sign::File("softokn"), Tells::Never, NEVER),
    // With three tries left (`src/storage/format.rs`, `user_flags`).
    (Sign::Token("kryoptic"), Tells::Later, TOKEN),
    // After the first, the second and the third wrong PIN one flag each
    // (`usr/lib/common/sess_mgr.c`, `set_login_flags`).
    (Sign::Behind("soft", "opencryptoki"), Tells::FromTheFirst, TOKEN),
    // By the tries that are left, of cards that tell them (`src/pkcs11/framework-pkcs15.c`,
    // `pkcs15_get_token_info`).
    (Sign::Library("opensc"), Tells::Later, TOKEN),
    (Sign::Token("pkcs15"), Tells::Later, TOKEN),
    // With two tries left, of as many as were set (`ykcs11/ykcs11.c`, `C_GetTokenInfo`).
    (Sign::Token("yubikeyyk"), Tells::Later, TOKEN),
    // Set none (`pkcs11/yubihsm_pkcs11.c`, `C_GetTokenInfo`; `pkcs11/src/api/token.rs`).
    // What the devices do of themselves is not to be seen there.
    (Sign::Token("yubihsm"), Tells::Never, None),
    (Sign::Token("nethsm"), Tells::Never, None),
];

impl DeviceIdentity {
    /// Whether a login ends when the process that has called for it is killed, as far as names
    /// tell: the module is in that process, and no forwarder of calls to another one.
    #[cfg_attr(not(feature = "pkcs11"), allow(dead_code, reason = "asked by that backend"))]
    pub(crate) fn ends_with_its_process(&self) -> bool {
        let Strings { library, module, .. } = Strings::of(self);
        let file = module.squeezed();
        let is_forwarder = ["p11kit", "proxy", "client"].iter().any(|part| file.contains(part));
        !is_forwarder && !library.names("pkcs11kit")
    }

    /// What is known of the wrong PINs of this token.
    #[cfg_attr(not(feature = "pkcs11"), allow(dead_code, reason = "asked by that backend"))]
    pub(crate) fn wrong_pins(&self) -> WrongPins {
        let Strings { manufacturer, model, library, module, .. } = Strings::of(self);
        let file = module.squeezed();
        let known = KNOWN.iter().find(|(sign, ..)| match sign {
            Sign::Maker(name) => manufacturer.names(name),
            Sign::Token(name) => manufacturer.names(name) || model.names(name),
            Sign::Numbered(name) => model.begins_with_number_of(name),
            Sign::Library(name) => library.names(name),
            Sign::File(part) => file.contains(part),
            Sign::Behind(whole, name) => model.squeezed() == *whole && library.names(name),
            Sign::Tpm2 => self.is_of_tpm2_pkcs11(),
        });
        known.map_or(WrongPins { tells: Tells::Unknown, lockout: None }, |(_, tells, lockout)| {
            WrongPins { tells: *tells, lockout: *lockout }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As modules name themselves and their tokens: manufacturer, model, library, file.
    #[test]
    fn what_a_token_tells_of_wrong_pins_is_known_by_its_module() {
        use Tells::{FromTheFirst, Later, Never, Unknown};
        let kit = "PKCS#11 Kit PKCS#11 Kit Proxy Module";
        let yubico = "Yubico (www.yubico.com)";
        let softhsm = ("SoftHSM project", "SoftHSM v2");
        for (manufacturer, model, library, file, tells, lockout) in [
            (softhsm.0, softhsm.1, "SoftHSM Implementation of PKCS11", "", FromTheFirst, NEVER),
            (softhsm.0, softhsm.1, kit, "p11-kit-client.so", FromTheFirst, NEVER),
            ("IFX", "SLB9670", "tpm2-software.github.io TPM2.0 Cryptoki", "", Never, TPM),
            ("IBM", "SW   TPM", "tpm2-software.github.io TPM2.0 Cryptoki", "", Never, TPM),
            ("Mozilla Foundation", "NSS 3", "Mozilla Foundation NSS", "", Never, NEVER),
            ("Acme", "NSS 3", "Acme", "", Never, NEVER),
            ("Acme", "HSM", "Acme", "libsoftokn3.so", Never, NEVER),
            ("Kryoptic Project", "v1", "Kryoptic", "", Later, TOKEN),
            ("IBM", "Soft", "IBM openCryptoki", "", FromTheFirst, TOKEN),
            ("IBM", "CCA", "IBM openCryptoki", "", Unknown, None),
            ("piv_II", "PKCS#15 emulated", "OpenSC Project", "", Later, TOKEN),
            ("piv_II", "PKCS#15 emulated", kit, "", Later, TOKEN),
            (yubico, "YubiKey YK5", yubico, "", Later, TOKEN),
            (yubico, "YubiHSM", yubico, "", Never, None),
            ("Nitrokey GmbH", "NetHSM", "Nitrokey", "", Never, None),
            ("Acme", "HSM", "Acme", "", Unknown, None),
            ("Acme", "SoftHSM v2", "Acme", "", Unknown, None),
            ("NSS Security", "Token", "NSS", "", Unknown, None),
        ] {
            let token = DeviceIdentity {
                manufacturer: manufacturer.into(),
                model: model.into(),
                library: library.into(),
                module: file.into(),
                slot: String::new(),
                serial: String::new(),
                label: String::new(),
                firmware: String::new(),
                hardware_slot: true,
            };
            let expected = WrongPins { tells, lockout };
            assert_eq!(token.wrong_pins(), expected, "{manufacturer} {model} {library} {file}");
            assert_eq!(token.ends_with_its_process(), library != kit, "{library} {file}");
        }
    }

    const TPM: Option<Lockout> = Some(Lockout::Tpm);
}
