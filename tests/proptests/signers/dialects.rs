//! Tokens in each dialect that modules speak.

use icn_identity::AlgorithmId;
use support::dialects::{
    CRATON, KRYOPTIC, NETHSM, NSS, OPENCRYPTOKI, OPENSC_OPENPGP, OPENSC_PIV, TPM2_BEHIND_P11_KIT,
    TPM2_PKCS11, YKCS11, YUBIHSM2,
};

use super::BOTH;

/// How a module speaks, and of which algorithms it has keys. Where none is made by us there
/// is one already.
pub(crate) struct Speaks {
    pub(crate) name: &'static str,
    pub(crate) script: &'static str,
    pub(crate) algorithms: &'static [AlgorithmId],
    pub(crate) makes: bool,
}

const P256_ONLY: &[AlgorithmId] = &[AlgorithmId::P256];

impl Speaks {
    const fn of(name: &'static str, script: &'static str) -> Self {
        Self { name, script, algorithms: &BOTH, makes: true }
    }

    const fn p256_only(self) -> Self {
        Self { algorithms: P256_ONLY, ..self }
    }

    const fn with_keys_of_its_own(self) -> Self {
        Self { makes: false, ..self }
    }
}

pub(crate) const DIALECTS: [Speaks; 12] = [
    Speaks::of("no dialect", ""),
    Speaks::of("ykcs11", YKCS11).p256_only().with_keys_of_its_own(),
    Speaks::of("OpenSC, PIV", OPENSC_PIV).p256_only().with_keys_of_its_own(),
    Speaks::of("OpenSC, OpenPGP", OPENSC_OPENPGP).with_keys_of_its_own(),
    Speaks::of("YubiHSM 2", YUBIHSM2),
    Speaks::of("NetHSM", NETHSM),
    Speaks::of("craton", CRATON),
    Speaks::of("NSS", NSS),
    Speaks::of("Kryoptic", KRYOPTIC),
    Speaks::of("openCryptoki", OPENCRYPTOKI),
    Speaks::of("tpm2-pkcs11", TPM2_PKCS11).p256_only(),
    Speaks::of("tpm2-pkcs11 by p11-kit", TPM2_BEHIND_P11_KIT).p256_only(),
];
