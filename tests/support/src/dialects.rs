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
    wrong-pin CKR_USER_NOT_LOGGED_IN
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

/// A NetHSM: whatever is made lasts, and keeps no storage key. Each session has a login of
/// its own, in which a wrong PIN is CKR_USER_TYPE_INVALID.
pub const NETHSM: &str = "\
    manufacturer Nitrokey_GmbH
    model NetHSM
    library Nitrokey
    say CKA_LOCAL false
    login-per-session
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

/// NSS, which wants each number asked for with its own length, and lists AES-GCM but
/// announces 16 bytes too few.
pub const NSS: &str = "\
    manufacturer Mozilla_Foundation
    model NSS_3
    point raw
    say CKA_LOCAL false
    strict-lengths
    short-gcm
";

/// Kryoptic, which takes and shows everything.
pub const KRYOPTIC: &str = "\
    manufacturer Kryoptic_Project
    model v1
    library Kryoptic
    point raw
";

/// openCryptoki's soft token, which has the flag of hardware and no serial number.
pub const OPENCRYPTOKI: &str = "\
    hardware
    manufacturer IBM
    model Soft
    library IBM
    serial
    curve oid
    point raw
";

/// tpm2-pkcs11 on swtpm: one serial number for every token, and no usage that is switched
/// off.
pub const TPM2_PKCS11: &str = "\
    hardware
    manufacturer IBM
    model SW___TPM
    library tpm2-software.github.io
    serial 0000000000000000
    no-mechanism CKM_EDDSA
    no-mechanism CKM_EC_EDWARDS_KEY_PAIR_GEN
    no-mechanism CKM_AES_GCM
    no-mechanism CKM_AES_KEY_GEN
    no-mechanism CKM_ECDH1_DERIVE
    session-objects CKR_GENERAL_ERROR
    refuse CKA_DECRYPT CKR_GENERAL_ERROR
    refuse CKA_MODIFIABLE CKR_GENERAL_ERROR
";

/// The same behind p11-kit's client, which gives its own name and passes no more on than
/// ECDSA.
pub const TPM2_BEHIND_P11_KIT: &str = "\
    hardware
    manufacturer IBM
    model SW___TPM
    library PKCS#11_Kit
    serial 0000000000000000
    list-per-call
    no-mechanism CKM_EDDSA
    no-mechanism CKM_EC_EDWARDS_KEY_PAIR_GEN
    no-mechanism CKM_AES_GCM
    no-mechanism CKM_AES_KEY_GEN
    no-mechanism CKM_ECDH1_DERIVE
    session-objects CKR_GENERAL_ERROR
    refuse CKA_DECRYPT CKR_GENERAL_ERROR
    refuse CKA_MODIFIABLE CKR_GENERAL_ERROR
";

/// p11-kit's proxy in front of SoftHSM 2.
pub const P11_KIT_PROXY: &str = "\
    library PKCS#11_Kit
    list-per-call
";

/// p11-kit, where every call is answered by another module than was initialised.
pub const P11_KIT: &str = "\
    library PKCS#11_Kit
    on C_FindObjectsInit all return CKR_CRYPTOKI_NOT_INITIALIZED
";
