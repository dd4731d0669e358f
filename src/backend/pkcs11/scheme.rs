//! What PKCS#11 calls each algorithm.

use cryptoki::mechanism::{Mechanism, MechanismType};
use cryptoki::object::KeyType;
use cryptoki_sys::{
    CK_MECHANISM_TYPE, CK_ULONG, CKK_AES, CKK_DES3, CKK_DSA, CKK_EC, CKK_EC_EDWARDS,
    CKK_EC_MONTGOMERY, CKK_GENERIC_SECRET, CKK_RSA, CKM_ECDSA, CKM_EDDSA,
};

use crate::algorithm::AlgorithmId;

/// DER of OID 1.2.840.10045.3.1.7: secp256r1.
pub(super) const P256_OID: &[u8] = &[0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];

/// An algorithm, as PKCS#11 has it.
#[derive(Debug)]
pub(super) struct Scheme {
    pub(super) algorithm: AlgorithmId,
    pub(super) key_type: KeyType,
    /// What a token needs for keys that are there.
    pub(super) to_sign: [MechanismType; 1],
    /// What it needs for new ones.
    pub(super) to_make: [MechanismType; 2],
    /// Names of the curve for `CKA_EC_PARAMS`, in the order in which they are
    /// tried. Modules take one or another.
    pub(super) curves: &'static [(&'static str, &'static [u8])],
}

static ED25519: Scheme = Scheme {
    algorithm: AlgorithmId::Ed25519,
    key_type: KeyType::EC_EDWARDS,
    to_sign: [MechanismType::EDDSA],
    to_make: [MechanismType::EDDSA, MechanismType::ECC_EDWARDS_KEY_PAIR_GEN],
    curves: &[
        ("OID 1.3.101.112 (RFC 8410)", &[0x06, 0x03, 0x2b, 0x65, 0x70]),
        // PKCS#11 v3.0. YubiHSM 2 takes no other.
        ("PrintableString \"edwards25519\"", b"\x13\x0cedwards25519"),
        // Luna.
        (
            "OID 1.3.6.1.4.1.11591.15.1",
            &[0x06, 0x09, 0x2b, 0x06, 0x01, 0x04, 0x01, 0xda, 0x47, 0x0f, 0x01],
        ),
    ],
};

static P256: Scheme = Scheme {
    algorithm: AlgorithmId::P256,
    key_type: KeyType::EC,
    to_sign: [MechanismType::ECDSA],
    to_make: [MechanismType::ECDSA, MechanismType::ECC_KEY_PAIR_GEN],
    curves: &[("OID 1.2.840.10045.3.1.7 (RFC 5480)", P256_OID)],
};

/// Every algorithm, the preferred one first.
pub(super) static ALL: [&Scheme; 2] = [&ED25519, &P256];

impl Scheme {
    pub(super) const fn of(algorithm: AlgorithmId) -> &'static Self {
        match algorithm {
            AlgorithmId::Ed25519 => &ED25519,
            AlgorithmId::P256 => &P256,
        }
    }

    /// How a pair is made.
    pub(super) const fn generation(&self) -> Mechanism<'static> {
        match self.algorithm {
            AlgorithmId::Ed25519 => Mechanism::EccEdwardsKeyPairGen,
            AlgorithmId::P256 => Mechanism::EccKeyPairGen,
        }
    }

    /// The curve by the OID of the standards.
    pub(super) fn oid(&self) -> &'static [u8] {
        self.curves.first().map_or(&[], |(_, oid)| oid)
    }
}

/// The algorithm that keys of this `CKA_KEY_TYPE` may belong to.
pub(super) const fn of_key_type(key_type: CK_ULONG) -> Option<AlgorithmId> {
    match key_type {
        CKK_EC_EDWARDS => Some(AlgorithmId::Ed25519),
        CKK_EC => Some(AlgorithmId::P256),
        _ => None,
    }
}

/// How keys sign. Ed25519 hashes by itself; ECDSA gets a digest that was made here, since not
/// every token has `CKM_ECDSA_SHA256`.
pub(super) const fn signing_mechanism(algorithm: AlgorithmId) -> CK_MECHANISM_TYPE {
    match algorithm {
        AlgorithmId::Ed25519 => CKM_EDDSA,
        AlgorithmId::P256 => CKM_ECDSA,
    }
}

/// What a `CKA_KEY_TYPE` means, for messages.
pub(super) const fn kind_of(key_type: Option<CK_ULONG>) -> &'static str {
    match key_type {
        Some(CKK_RSA) => "an RSA key",
        Some(CKK_DSA) => "a DSA key",
        Some(CKK_EC | CKK_EC_EDWARDS) => "a key on an elliptic curve",
        Some(CKK_EC_MONTGOMERY) => "an X25519 or X448 key",
        Some(CKK_AES | CKK_DES3 | CKK_GENERIC_SECRET) => "a secret key",
        Some(_) => "a key of another type",
        None => "a key without a type",
    }
}
