//! Whether a token has what an algorithm needs.

use cryptoki::mechanism::MechanismType;

use super::scheme::Scheme;
use super::token::Token;
use crate::algorithm::AlgorithmId;
use crate::error::Pkcs11Error;

impl Scheme {
    /// # Errors
    ///
    /// As [`Self::needs`], for keys that are there.
    pub(super) fn needs_to_sign(&self, token: &Token) -> Result<(), Pkcs11Error> {
        self.needs(token, &self.to_sign)
    }

    /// # Errors
    ///
    /// As [`Self::needs`], for new keys.
    pub(super) fn needs_to_make(&self, token: &Token) -> Result<(), Pkcs11Error> {
        self.needs(token, &self.to_make)
    }

    /// # Errors
    ///
    /// [`Pkcs11Error::NoMechanism`] unless the token has all of these mechanisms.
    fn needs(&self, token: &Token, mechanisms: &[MechanismType]) -> Result<(), Pkcs11Error> {
        let present = token.mechanisms()?;
        let missing = mechanisms.iter().find(|mechanism| !present.contains(mechanism));
        let Some(missing) = missing.map(|missing| needed(*missing)) else { return Ok(()) };
        let elliptic = present.iter().map(|present| name(*present));
        let elliptic = elliptic.filter(|name| name.contains("_EC") || name.contains("EDDSA"));
        let (token, mechanisms) = (token.name(), elliptic.collect());
        let algorithm = self.algorithm;
        let p256 = Self::of(AlgorithmId::P256);
        let has_p256 = p256.to_make.iter().all(|mechanism| present.contains(mechanism));
        let instead = (algorithm != AlgorithmId::P256 && has_p256).then_some(AlgorithmId::P256);
        Err(Pkcs11Error::NoMechanism { token, algorithm, missing, mechanisms, instead })
    }
}

/// The name of a mechanism that an algorithm needs.
const fn needed(mechanism: MechanismType) -> &'static str {
    match mechanism {
        MechanismType::EDDSA => "CKM_EDDSA",
        MechanismType::ECDSA => "CKM_ECDSA",
        MechanismType::ECC_EDWARDS_KEY_PAIR_GEN => "CKM_EC_EDWARDS_KEY_PAIR_GEN",
        _ => "CKM_EC_KEY_PAIR_GEN",
    }
}

/// By its name in the standard: cryptoki has older ones for two of them.
pub(super) fn name(mechanism: MechanismType) -> String {
    match mechanism {
        MechanismType::ECC_KEY_PAIR_GEN => "CKM_EC_KEY_PAIR_GEN".into(),
        MechanismType::ECC_EDWARDS_KEY_PAIR_GEN => "CKM_EC_EDWARDS_KEY_PAIR_GEN".into(),
        other => other.to_string(),
    }
}
