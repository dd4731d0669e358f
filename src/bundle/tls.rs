//! The TLS certificate: Ed25519, self-signed, with the DID as a URI.

use rcgen::string::Ia5String;
use rcgen::{
    CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, KeyIdMethod, KeyUsagePurpose,
    PKCS_ED25519, PublicKeyData, SanType, SerialNumber, SignatureAlgorithm, SigningKey,
};
use time::OffsetDateTime;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer as _, X509Certificate};
use zeroize::Zeroizing;

use super::{Binding, BundleError};
use crate::algorithm::{Ed25519VerifyingKey, Signature, VerifyingKey};
use crate::did::Did;
use crate::secret::{SigningSeed, pkcs8};

/// SubjectPublicKeyInfo of Ed25519 without the key (RFC 8410, section 4).
const SPKI_PREFIX: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0];

/// What stands before the 64 bytes of an Ed25519 signature in a certificate:
/// the algorithm, and a BIT STRING without unused bits (RFC 8410, section 6).
const SIGNATURE_PREFIX: [u8; 10] = [0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x41, 0];

/// Lets rcgen sign with a key in locked memory, and without ring.
struct TlsSigner<'a> {
    seed: &'a SigningSeed,
    public: Ed25519VerifyingKey,
}

impl PublicKeyData for TlsSigner<'_> {
    fn der_bytes(&self) -> &[u8] {
        self.public.as_bytes()
    }
    fn algorithm(&self) -> &'static SignatureAlgorithm {
        &PKCS_ED25519
    }
}

impl SigningKey for TlsSigner<'_> {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, rcgen::Error> {
        Ok(self.seed.sign(&self.public, message).to_vec())
    }
}

pub(super) fn spki(seed: &SigningSeed) -> Vec<u8> {
    [SPKI_PREFIX.as_slice(), seed.verifying_key().as_bytes()].concat()
}

pub(super) fn private_key_der(seed: &SigningSeed) -> Zeroizing<Vec<u8>> {
    pkcs8::der(seed.as_bytes())
}

pub(super) fn certificate(
    seed: &SigningSeed,
    did: &Did,
    not_before: u64,
    not_after: u64,
) -> Result<Vec<u8>, BundleError> {
    let mut serial = [0_u8; 16];
    getrandom::fill(&mut serial)?;
    // Positive and without a leading zero byte (RFC 5280, section 4.1.2.2).
    serial[0] = serial[0] & 0x7f | 0x40;

    let mut params = CertificateParams::default();
    params.not_before = date(not_before)?;
    params.not_after = date(not_after)?;
    params.serial_number = Some(SerialNumber::from_slice(&serial));
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages =
        vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
    params.key_identifier_method = KeyIdMethod::PreSpecified(serial.to_vec());
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, did.as_str());
    params.subject_alt_names = vec![SanType::URI(Ia5String::try_from(did.as_str()).map_err(bad)?)];
    let signer = TlsSigner { seed, public: seed.verifying_key() };
    Ok(params.self_signed(&signer).map_err(bad)?.der().to_vec())
}

/// One certificate and nothing after it; its key, DID, times and signature are
/// those of the binding.
pub(super) fn check_certificate(
    der: &[u8],
    did: &Did,
    binding: &Binding,
) -> Result<(), BundleError> {
    let mismatch = BundleError::Mismatch { what: "certificate" };
    let (rest, certificate) = X509Certificate::from_der(der).map_err(bad)?;
    if !rest.is_empty() || certificate.public_key().raw != binding.tls_spki() {
        return Err(mismatch);
    }
    let names = certificate.subject_alternative_name().map_err(bad)?;
    let names = names.map(|names| names.value.general_names.as_slice());
    if !matches!(names, Some([GeneralName::URI(uri)]) if *uri == did.as_str()) {
        return Err(mismatch);
    }
    let validity = certificate.validity();
    let times = [
        (validity.not_before.timestamp(), binding.not_before()),
        (validity.not_after.timestamp(), binding.not_after()),
    ];
    if times.iter().any(|(shown, bound)| u64::try_from(*shown) != Ok(*bound)) {
        return Err(mismatch);
    }
    let key = binding.tls_spki().strip_prefix(&SPKI_PREFIX).and_then(|raw| raw.try_into().ok());
    let signature: Option<[u8; 64]> = certificate.signature_value.data.as_ref().try_into().ok();
    let (Some(key), Some(signature)) = (key, signature) else {
        return Err(mismatch);
    };
    // Algorithm and padding beside the signature are not under it: compared.
    let tail = [SIGNATURE_PREFIX.as_slice(), &signature].concat();
    let signed = certificate.tbs_certificate.as_ref();
    if !der.strip_suffix(tail.as_slice()).is_some_and(|start| start.ends_with(signed)) {
        return Err(mismatch);
    }
    let key = VerifyingKey::from(Ed25519VerifyingKey::from_bytes(key).map_err(bad)?);
    key.verify(signed, &Signature::from_ed25519_bytes(signature)).map_err(|_| mismatch)
}

fn date(unix: u64) -> Result<OffsetDateTime, BundleError> {
    let seconds = i64::try_from(unix).map_err(bad)?;
    OffsetDateTime::from_unix_timestamp(seconds).map_err(bad)
}

fn bad(reason: impl std::fmt::Display) -> BundleError {
    BundleError::Certificate { reason: reason.to_string() }
}
