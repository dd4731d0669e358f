//! Keys on tokens in each dialect that modules speak.

use icn_identity::{Assurance, DeviceHeld, Hardware, Key, P256, Unlocked};
use support::dialects;

use super::conformance;
use super::tokens::{Comes, Dialect, Token};

macro_rules! dialects {
    ($($name:ident = $script:ident, $comes:ident, $assurance:ident;)+) => {$(
        struct $name;

        impl Dialect for $name {
            const SCRIPT: &'static str = dialects::$script;
            const COMES: Comes = Comes::$comes;
            const ASSURANCE: Assurance = Assurance::$assurance;
        }
    )+};
}

dialects! {
    Ykcs11 = YKCS11, FromOutside, Claimed;
    OpenScPiv = OPENSC_PIV, FromOutside, Claimed;
    OpenScOpenPgp = OPENSC_OPENPGP, FromOutside, Claimed;
    YubiHsm2 = YUBIHSM2, MadeByUs, Claimed;
    Craton = CRATON, MadeByUs, SoftToken;
    Nss = NSS, MadeByUs, SoftToken;
    Kryoptic = KRYOPTIC, MadeByUs, SoftToken;
    OpenCryptoki = OPENCRYPTOKI, MadeByUs, SoftToken;
    Tpm2Pkcs11 = TPM2_PKCS11, MadeByUs, SoftToken;
}

/// Each session has a login of its own.
struct NetHsm;

impl Dialect for NetHsm {
    const SCRIPT: &'static str = dialects::NETHSM;
    const ASSURANCE: Assurance = Assurance::Unstated;
    const SHOWS_LOGIN: bool = false;
}

/// The list that somebody else gets is none of an initialised module.
struct Tpm2BehindP11Kit;

impl Dialect for Tpm2BehindP11Kit {
    const SCRIPT: &'static str = dialects::TPM2_BEHIND_P11_KIT;
    const ASSURANCE: Assurance = Assurance::SoftToken;
    const SHOWS_LOGIN: bool = false;
}

conformance! {
    device ykcs11: Token<Key<DeviceHeld, Unlocked, P256>, Ykcs11>;
    device opensc_piv: Token<Key<DeviceHeld, Unlocked, P256>, OpenScPiv>;
    device opensc_openpgp: Token<Key<DeviceHeld, Unlocked>, OpenScOpenPgp>;
    device yubihsm2: Token<Key<Hardware, Unlocked>, YubiHsm2>;
    device nethsm: Token<Key<DeviceHeld, Unlocked>, NetHsm>;
    device craton: Token<Key<DeviceHeld, Unlocked>, Craton>;
    device nss: Token<Key<DeviceHeld, Unlocked>, Nss>;
    device kryoptic: Token<Key<Hardware, Unlocked>, Kryoptic>;
    device opencryptoki: Token<Key<Hardware, Unlocked>, OpenCryptoki>;
    device tpm2_pkcs11: Token<Key<DeviceHeld, Unlocked, P256>, Tpm2Pkcs11>;
    device tpm2_behind_p11_kit: Token<Key<DeviceHeld, Unlocked, P256>, Tpm2BehindP11Kit>;
}
