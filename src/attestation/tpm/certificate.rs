//! The certificate of a TPM's key, as a TPM keeps it and as its maker issues it.

use x509_parser::der_parser::oid;
use x509_parser::oid_registry::{
    OID_EC_P256, OID_KEY_TYPE_EC_PUBLIC_KEY, OID_PKCS1_RSAENCRYPTION, Oid,
};

use crate::algorithm::VerifyingKey;
use crate::attestation::certificate::Certificate;
use crate::attestation::{AttestationRefusal, TpmModel, TpmRefusal as Refusal};

/// `tcg-kp-EKCertificate` and `tcg-kp-AIKCertificate`.
const FOR_EK: Oid<'static> = oid!(2.23.133.8.1);
const FOR_AK: Oid<'static> = oid!(2.23.133.8.3);
/// `id-RSAES-OAEP` (RFC 4055, section 4.1): older TPMs' keys are of this type.
const RSAES_OAEP: Oid<'static> = oid!(1.2.840.113549.1.1.7);

/// What a TPM of a PC has in front of a certificate in its NV (TCG PC Client Specific
/// Implementation Specification, section 7.3.2): a tag, a type, a length; and before the whole
/// certificate of one type another tag.
const NV_TAG: &[u8] = &[0x10, 0x01, 0x00];
const FULL: &[u8] = &[0x10, 0x02];

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
        let der = in_nv(bytes).ok_or(AttestationRefusal::Malformed { place: 0 })?;
        let read = Certificate::read(der, 0)?;
        Ok(Self { kind: kind_of(&read), model: TpmModel::named(&read), der: der.to_vec() })
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

/// The one SEQUENCE, as long as it says that it is.
fn in_nv(bytes: &[u8]) -> Option<&[u8]> {
    let bytes = match bytes.strip_prefix(NV_TAG) {
        // Its length is behind the tag; the certificate has one of its own.
        Some(stored) => {
            let stored = stored.get(2..)?;
            stored.strip_prefix(FULL).unwrap_or(stored)
        }
        None => bytes,
    };
    match bytes {
        [0x30, 0x82, high, low, ..] => {
            bytes.get(..4 + usize::from(u16::from_be_bytes([*high, *low])))
        }
        _ => None,
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
    let model = TpmModel::of(certificate)?;
    if key == *ek { Ok(model) } else { Err(Refusal::OtherEk) }
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

#[cfg(test)]
mod tests {
    use super::*;

    /// A certificate in NV, with what is around it in the wild.
    #[test]
    fn the_one_sequence_is_taken_whatever_is_around_it() {
        let mut sequence = vec![0x30, 0x82, 0x01, 0x00];
        sequence.resize(4 + 0x100, 7);
        let padded = |padding: &[u8]| [&sequence, padding].concat();
        let with = |header: &[u8], padding: &[u8]| [header, &padded(padding)].concat();
        for bytes in [
            padded(b""),
            padded(&[0; 300]),
            padded(&[0xff; 431]),
            padded(&[0x11; 192]),
            padded(&sequence),
            with(&[0x10, 0x01, 0x00, 0x01, 0x06, 0x10, 0x02], &[]),
            with(&[0x10, 0x01, 0x00, 0x01, 0x04], &[0; 9]),
        ] {
            assert_eq!(in_nv(&bytes), Some(sequence.as_slice()));
        }
        for end in 0..sequence.len() {
            assert_eq!(in_nv(&sequence[..end]), None, "{end}");
        }
        assert_eq!(in_nv(&[0xff; 400]), None);
        assert_eq!(in_nv(&with(&[0x10, 0x01, 0x01, 0x01, 0x06], &[])), None);
    }
}
