//! The TLS certificate: Ed25519, self-signed, with the DID as a URI and the
//! binding as an extension.

use rcgen::string::Ia5String;
use rcgen::{
    CertificateParams, CustomExtension, DnType, ExtendedKeyUsagePurpose, IsCa, KeyIdMethod,
    KeyUsagePurpose, PKCS_ED25519, PublicKeyData, SanType, SerialNumber, SignatureAlgorithm,
    SigningKey,
};
use time::OffsetDateTime;
use zeroize::Zeroizing;

use super::BundleError;
use crate::algorithm::Ed25519VerifyingKey;
use crate::binding::{Binding, Extension, OID};
use crate::clock;
use crate::did::Did;
use crate::peer::{Certificate, SIGNATURE_PREFIX, SPKI_PREFIX};
use crate::secret::{SigningSeed, pkcs8};

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

/// The certificate that carries a binding.
pub(super) fn certificate(seed: &SigningSeed, binding: &Binding) -> Result<Vec<u8>, BundleError> {
    self_signed(seed, &carrying(binding)?)
}

fn carrying(binding: &Binding) -> Result<CertificateParams, BundleError> {
    let mut params = params(binding)?;
    let value = Extension::of(binding).to_der();
    params.custom_extensions = vec![CustomExtension::from_oid_content(&OID, value)];
    Ok(params)
}

/// As this crate made certificates before they carried their binding.
#[cfg(test)]
pub(super) fn bare_certificate(
    seed: &SigningSeed,
    binding: &Binding,
) -> Result<Vec<u8>, BundleError> {
    self_signed(seed, &params(binding)?)
}

fn params(binding: &Binding) -> Result<CertificateParams, BundleError> {
    let mut serial = [0_u8; 16];
    crate::secret::fill_random(&mut serial)?;
    // Positive and without a leading zero byte (RFC 5280, section 4.1.2.2).
    serial[0] = serial[0] & 0x7f | 0x40;

    let did = binding.did();
    let mut params = CertificateParams::default();
    params.not_before = date(binding.not_before())?;
    params.not_after = date(binding.not_after())?;
    params.serial_number = Some(SerialNumber::from_slice(&serial));
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages =
        vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
    params.key_identifier_method = KeyIdMethod::PreSpecified(serial.to_vec());
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, did.as_str());
    params.subject_alt_names = vec![SanType::URI(Ia5String::try_from(did.as_str()).map_err(bad)?)];
    Ok(params)
}

fn self_signed(seed: &SigningSeed, params: &CertificateParams) -> Result<Vec<u8>, BundleError> {
    let signer = TlsSigner { seed, public: seed.verifying_key() };
    Ok(params.self_signed(&signer).map_err(bad)?.der().to_vec())
}

/// Has no key: what it signs has zeros in the place of the signature.
struct Unsigned<'a>(&'a [u8]);

impl PublicKeyData for Unsigned<'_> {
    fn der_bytes(&self) -> &[u8] {
        self.0
    }
    fn algorithm(&self) -> &'static SignatureAlgorithm {
        &PKCS_ED25519
    }
}

impl SigningKey for Unsigned<'_> {
    fn sign(&self, _: &[u8]) -> Result<Vec<u8>, rcgen::Error> {
        Ok(vec![0; SIGNATURE])
    }
}

/// Of Ed25519, in bytes.
const SIGNATURE: usize = 64;

/// The certificate of a key that somebody else has, up to its signature.
pub(super) fn certificate_start(binding: &Binding) -> Result<Vec<u8>, BundleError> {
    let key = binding.tls_spki().strip_prefix(&SPKI_PREFIX).unwrap_or_default();
    let made = carrying(binding)?.self_signed(&Unsigned(key)).map_err(bad)?;
    let der = made.der();
    let start = der.get(..der.len().saturating_sub(SIGNATURE)).unwrap_or_default();
    if !start.ends_with(&SIGNATURE_PREFIX) {
        return Err(bad("it does not end with its signature"));
    }
    Ok(start.to_vec())
}

/// One certificate that a peer would take, and nothing after it; its key, DID,
/// times and binding are those given. Certificates of older versions carry no
/// binding, or one of the old form: they open, and are renewed
/// ([`carries_present_binding`]).
pub(super) fn check_certificate(
    der: &[u8],
    did: &Did,
    binding: &Binding,
) -> Result<(), BundleError> {
    let certificate = Certificate::read(der).map_err(BundleError::Refused)?;
    let carried = certificate.extension();
    let belongs = certificate.did() == did
        && certificate.tls_spki() == binding.tls_spki()
        && certificate.not_before() == binding.not_before()
        && certificate.not_after() == binding.not_after()
        && carried.is_none_or(|carried| *carried == Extension::of(binding));
    if belongs { Ok(()) } else { Err(BundleError::Mismatch { what: "certificate" }) }
}

/// Whether peers can verify the certificate.
pub(super) fn carries_present_binding(der: &[u8]) -> bool {
    let extension = Certificate::read(der).ok().and_then(|read| read.extension().copied());
    extension.is_some_and(|extension| extension.holder.is_some())
}

fn date(unix: u64) -> Result<OffsetDateTime, BundleError> {
    clock::date(unix).ok_or_else(|| bad("its validity ends after the year 9999"))
}

fn bad(reason: impl std::fmt::Display) -> BundleError {
    BundleError::Certificate { reason: reason.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::binding::Terms;
    use crate::key::{Key, Software, Unlocked};

    fn binding(did: &Did, tls: &SigningSeed, (from, to): (u64, u64)) -> Binding {
        let terms = Terms {
            tls_spki: spki(tls),
            x25519_public: [9; 32],
            not_before: from,
            not_after: to,
            sequence: 1,
            holder: None,
        };
        Binding::unverified(did.clone(), terms, [0; 64])
    }

    /// A certificate of the old form carries no binding: its own fields have to be those of the
    /// binding beside it, each of them.
    #[test]
    fn a_certificate_that_differs_in_one_field_is_refused() {
        let did = |key: Key<Software, Unlocked>| key.did().clone();
        let (ours, other) = (did(Key::generate().unwrap()), did(Key::generate().unwrap()));
        let (tls, other_tls) = (SigningSeed::generate().unwrap(), SigningSeed::generate().unwrap());
        let times = (1_800_000_000, 1_800_086_400);
        let expected = binding(&ours, &tls, times);
        let check = |made: &Binding, seed: &SigningSeed| {
            check_certificate(&bare_certificate(seed, made).unwrap(), &ours, &expected)
        };
        check(&expected, &tls).unwrap();
        for (what, made, seed) in [
            ("DID", binding(&other, &tls, times), &tls),
            ("TLS key", binding(&ours, &other_tls, times), &other_tls),
            ("start", binding(&ours, &tls, (times.0 + 1, times.1)), &tls),
            ("end", binding(&ours, &tls, (times.0, times.1 + 1)), &tls),
        ] {
            let refused = check(&made, seed);
            let Err(BundleError::Mismatch { what: "certificate" }) = refused else {
                panic!("{what}: {refused:?}");
            };
        }
    }
}
