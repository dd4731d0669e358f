//! How modules speak, as scripts of the fault-injecting module: each named after the
//! module in which it was seen.

/// A YubiKey's PIV by ykcs11: keys are made in slots, by the security officer.
pub const YKCS11: &str = "\
    hardware
    manufacturer Yubico_(www.yubico.com)
    model YubiKey_YK5
    library Yubico_(www.yubico.com)
    no-mechanism CKM_EDDSA
    no-mechanism CKM_EC_EDWARDS_KEY_PAIR_GEN
    no-mechanism CKM_AES_GCM
    on C_GenerateKeyPair all return CKR_USER_NOT_LOGGED_IN
    on C_CreateObject all return CKR_USER_NOT_LOGGED_IN
";

/// A PIV card by OpenSC: it makes no keys.
pub const OPENSC_PIV: &str = "\
    hardware
    manufacturer piv_II
    model PKCS#15_emulated
    library OpenSC_Project
    no-mechanism CKM_EDDSA
    no-mechanism CKM_EC_EDWARDS_KEY_PAIR_GEN
    no-mechanism CKM_EC_KEY_PAIR_GEN
    no-mechanism CKM_AES_GCM
    no-mechanism CKM_AES_KEY_GEN
    on C_GenerateKeyPair all return CKR_FUNCTION_NOT_SUPPORTED
    on C_CreateObject all return CKR_FUNCTION_NOT_SUPPORTED
";

/// An OpenPGP card by OpenSC: keys are made in slots, by the security officer.
pub const OPENSC_OPENPGP: &str = "\
    hardware
    manufacturer OpenPGP_project
    model PKCS#15_emulated
    library OpenSC_Project
    no-mechanism CKM_AES_GCM
    on C_GenerateKeyPair all return CKR_USER_NOT_LOGGED_IN
    on C_CreateObject all return CKR_USER_NOT_LOGGED_IN
";

/// A YubiHSM 2: nothing is seen without a login, nothing goes with a session but what is
/// derived, and both halves of a pair are one object.
pub const YUBIHSM2: &str = "\
    hardware
    manufacturer Yubico_(www.yubico.com)
    model YubiHSM
    library Yubico_(www.yubico.com)
    curve printable
    login-to-see
    private-only
    read-only-makes-nothing
    session-objects CKR_ATTRIBUTE_VALUE_INVALID
    pairs-are-one
    no-mechanism CKM_AES_GCM
";

/// A NetHSM: whatever is made lasts, and keeps no storage key.
pub const NETHSM: &str = "\
    manufacturer Nitrokey_GmbH
    model NetHSM
    library Nitrokey
    say CKA_LOCAL false
    session-objects last
    read-only-makes-nothing
    no-mechanism CKM_AES_GCM
    no-mechanism CKM_ECDH1_DERIVE
";

/// craton-hsm: nothing is made in a read-only session, and history is not told.
pub const CRATON: &str = "\
    manufacturer Craton
    model craton-hsm
    read-only-makes-nothing
    hide CKA_LOCAL
    hide CKA_ALWAYS_SENSITIVE
    hide CKA_NEVER_EXTRACTABLE
";

/// NSS, which lists AES-GCM and announces 16 bytes too few.
pub const NSS: &str = "\
    manufacturer Mozilla_Foundation
    model NSS_3
    point raw
    say CKA_LOCAL false
    on C_Encrypt all return CKR_BUFFER_TOO_SMALL
";

/// p11-kit's client, where every call is answered by another module than was initialised.
pub const P11_KIT: &str = "\
    library PKCS#11_Kit
    on C_FindObjectsInit all return CKR_CRYPTOKI_NOT_INITIALIZED
";
