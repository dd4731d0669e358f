//! The certificate of a TPM's key, as a TPM keeps it and as its maker issues it.

use x509_parser::der_parser::oid;
use x509_parser::oid_registry::{
    OID_EC_P256, OID_KEY_TYPE_EC_PUBLIC_KEY, OID_PKCS1_RSAENCRYPTION, Oid,
};

use super::nv::{certificate_in, certificates_in};
use super::rules::endorsement_key;
use crate::algorithm::VerifyingKey;
use crate::attestation::certificate::Certificate;
use crate::attestation::{AttestationRefusal, TpmModel, TpmRefusal as Refusal};

/// `tcg-kp-EKCertificate` and `tcg-kp-AIKCertificate`.
const FOR_EK: Oid<'static> = oid!(2.23.133.8.1);
const FOR_AK: Oid<'static> = oid!(2.23.133.8.3);
/// `id-RSAES-OAEP` (RFC 4055, section 4.1): older TPMs' keys are of this type.
const RSAES_OAEP: Oid<'static> = oid!(1.2.840.113549.1.1.7);

/// What sort of key the certificate of an endorsement key is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum EkKind {
    /// P-256, which can be activated here.
    P256,
    /// RSA, which cannot.
    Rsa,
    /// Another one, which cannot.
    Other,
}

/// The certificate of a TPM's endorsement key, in DER. Nothing is verified.
#[derive(Clone, PartialEq, Eq)]
pub struct EkCertificate {
    der: Vec<u8>,
    kind: EkKind,
    model: Option<TpmModel>,
}

impl EkCertificate {
    /// Of what an NV index has: with the header of TCG's PC client specification or without one,
    /// with padding of any bytes behind it or without.
    ///
    /// # Errors
    ///
    /// [`AttestationRefusal`] of the one certificate that is in it.
    pub fn from_nv(bytes: &[u8]) -> Result<Self, AttestationRefusal> {
        let der = certificate_in(bytes).ok_or(AttestationRefusal::Malformed { place: 0 })?;
        let read = Certificate::read(der, 0)?;
        Ok(Self { kind: kind_of(&read), model: TpmModel::named(&read), der: der.to_vec() })
    }

    /// Of what one or more NV indices have one after the other: the certificates of issuers in DER,
    /// as on-die authorities leave them there. Nothing is verified; what follows the last whole one
    /// is left aside.
    #[must_use]
    pub fn issuers_from_nv(bytes: &[u8]) -> Vec<Vec<u8>> {
        certificates_in(bytes).map(<[u8]>::to_vec).collect()
    }

    /// That it is the certificate of the endorsement key with this public part (`TPMT_PUBLIC`): on
    /// P-256, and of one of the TCG's templates. Nothing is said of who issued it.
    ///
    /// # Errors
    ///
    /// [`AttestationRefusal`] with [`TpmRefusal::RsaCertificate`](Refusal::RsaCertificate),
    /// [`TpmRefusal::CertificateKey`](Refusal::CertificateKey) or
    /// [`TpmRefusal::OtherEk`](Refusal::OtherEk), and those of a public part that is none.
    pub fn check_is_of(&self, ek: &[u8]) -> Result<(), AttestationRefusal> {
        let ek = endorsement_key(ek)?.key;
        let certified = key_of(&Certificate::read(&self.der, 0)?)?;
        if certified == ek.into() { Ok(()) } else { Err(Refusal::OtherEk.into()) }
    }

    /// What every relying party demands of it, whoever issued it: that it is for an endorsement key on
    /// P-256, names the TPM, and names no virtual one. Gives the name.
    ///
    /// # Errors
    ///
    /// [`AttestationRefusal`] with the first thing that is wrong, as
    /// [`Verifier::verify`](crate::attestation::Verifier::verify) would give it.
    pub fn check_use(&self) -> Result<TpmModel, AttestationRefusal> {
        Ok(check_is_for_ek(&Certificate::read(&self.der, 0)?)?.1)
    }

    /// The name of its issuer, which may hold any characters.
    #[must_use]
    pub fn issuer(&self) -> String {
        Certificate::read(&self.der, 0).map(|read| read.issuer_name()).unwrap_or_default()
    }

    /// The certificate alone.
    #[must_use]
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// For which sort of key it is.
    #[must_use]
    pub const fn kind(&self) -> EkKind {
        self.kind
    }

    /// Which TPM it names, if it does so in a way that can be read.
    #[must_use]
    pub const fn model(&self) -> Option<&TpmModel> {
        self.model.as_ref()
    }
}

impl std::fmt::Debug for EkCertificate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EkCertificate")
            .field("kind", &self.kind)
            .field("model", &self.model)
            .finish_non_exhaustive()
    }
}

fn kind_of(certificate: &Certificate<'_>) -> EkKind {
    let (algorithm, curve) = certificate.key_algorithm();
    if algorithm == OID_PKCS1_RSAENCRYPTION || algorithm == RSAES_OAEP {
        return EkKind::Rsa;
    }
    match curve {
        Some(curve) if algorithm == OID_KEY_TYPE_EC_PUBLIC_KEY && curve == OID_EC_P256 => {
            EkKind::P256
        }
        _ => EkKind::Other,
    }
}

/// The P-256 key of a certificate; others are refused by name.
fn key_of(certificate: &Certificate<'_>) -> Result<VerifyingKey, Refusal> {
    match kind_of(certificate) {
        EkKind::P256 => {
            VerifyingKey::from_spki_der(certificate.spki()).map_err(|_| Refusal::CertificateKey)
        }
        EkKind::Rsa => Err(Refusal::RsaCertificate),
        EkKind::Other => Err(Refusal::CertificateKey),
    }
}

/// That a certificate is that of an endorsement key, and of this one: which is never one that
/// signs, whatever its extended key usage says. (Google's signing keys say that they are
/// endorsement keys.)
pub(super) fn check_ek(
    certificate: &Certificate<'_>,
    ek: &VerifyingKey,
) -> Result<TpmModel, Refusal> {
    let (key, model) = check_is_for_ek(certificate)?;
    if key == *ek { Ok(model) } else { Err(Refusal::OtherEk) }
}

/// The same of any endorsement key: which one, and of which TPM.
pub(super) fn check_is_for_ek(
    certificate: &Certificate<'_>,
) -> Result<(VerifyingKey, TpmModel), Refusal> {
    let key = key_of(certificate)?;
    if !certificate.has_purpose(&FOR_EK) {
        return Err(Refusal::Purpose { expected: "an endorsement key (2.23.133.8.1)" });
    }
    let usage = certificate.key_usage();
    let may = usage.is_some_and(|usage| {
        (usage.key_agreement() || usage.key_encipherment()) && !usage.digital_signature()
    });
    if !may {
        return Err(Refusal::Usage { expected: "keyAgreement or keyEncipherment" });
    }
    Ok((key, TpmModel::of(certificate)?))
}

/// That a certificate is that of an attestation key, and of this one. Certificates of other keys
/// that sign (`IDevID`) hang under the same authorities, and such a key signs whatever it is given:
/// statements too that look like a TPM's.
pub(super) fn check_ak(
    certificate: &Certificate<'_>,
    ak: &VerifyingKey,
) -> Result<TpmModel, Refusal> {
    let key = key_of(certificate)?;
    if !certificate.has_purpose(&FOR_AK) {
        return Err(Refusal::Purpose { expected: "an attestation key (2.23.133.8.3)" });
    }
    if !certificate.key_usage().is_some_and(|usage| usage.digital_signature()) {
        return Err(Refusal::Usage { expected: "digitalSignature" });
    }
    let model = TpmModel::of(certificate)?;
    if key == *ak { Ok(model) } else { Err(Refusal::OtherAk) }
}
