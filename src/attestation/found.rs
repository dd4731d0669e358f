//! The certificates of a key, among others that a device shows.

use super::certificate::Certificate;
use super::{AttestationError, DeviceCertificates, MAX_CERTIFICATES, yubico};
use crate::algorithm::VerifyingKey;

impl DeviceCertificates {
    /// Of those that a token shows (`Pkcs11Backend::certificates`), in DER and any order: the
    /// attestation of this key, and its issuers as far as they are there. What cannot be read is
    /// passed over.
    ///
    /// # Errors
    ///
    /// [`AttestationError::NoCertificate`] if none is an attestation of this key.
    pub fn of_key(key: &VerifyingKey, found: &[Vec<u8>]) -> Result<Self, AttestationError> {
        let all: Vec<Certificate<'_>> =
            found.iter().filter_map(|der| Certificate::read(der, 0).ok()).collect();
        let is_of_key = |certificate: &&Certificate<'_>| {
            VerifyingKey::from_spki_der(certificate.spki()).is_ok_and(|found| found == *key)
                && yubico::is_attestation(certificate)
                && !certificate.is_authority()
        };
        let leaf = all.iter().find(is_of_key).ok_or(AttestationError::NoCertificate)?;
        let mut way = vec![leaf];
        while let Some(last) = way.last()
            && way.len() < MAX_CERTIFICATES
            && let Some(issuer) = all.iter().find(|issuer| issued(issuer, last))
            // A root is its own issuer, and is not followed further.
            && !way.iter().any(|known| known.der() == issuer.der())
        {
            way.push(issuer);
        }
        Self::new(way.into_iter().map(|certificate| certificate.der().to_vec()).collect())
    }
}

fn issued(issuer: &Certificate<'_>, issued: &Certificate<'_>) -> bool {
    issuer.subject() == issued.issuer()
        && issuer.is_authority()
        && issued.check_signed_by(issuer).is_ok()
}
