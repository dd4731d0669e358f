//! One certificate: what holds for each, wherever it stands in a chain. What is under no signature
//! has one encoding; what its issuer has signed is read as x509-parser does, which takes some
//! values that are not quite DER.

mod frame;
mod usage;

use x509_parser::asn1_rs::Tag;
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::{ParsedExtension, X509Extension};
use x509_parser::oid_registry::{
    OID_EC_P256, OID_KEY_TYPE_EC_PUBLIC_KEY, OID_NIST_EC_P384, OID_NIST_EC_P521,
    OID_PKCS1_RSAENCRYPTION, OID_PKCS1_SHA1WITHRSA, OID_PKCS1_SHA256WITHRSA,
    OID_PKCS1_SHA384WITHRSA, OID_PKCS1_SHA512WITHRSA, OID_SHA1_WITH_RSA, OID_SIG_ECDSA_WITH_SHA256,
    OID_SIG_ECDSA_WITH_SHA384, OID_X509_EXT_BASIC_CONSTRAINTS, OID_X509_EXT_CERTIFICATE_POLICIES,
    OID_X509_EXT_EXTENDED_KEY_USAGE, OID_X509_EXT_KEY_USAGE, OID_X509_EXT_SUBJECT_ALT_NAME, Oid,
};
use x509_parser::prelude::FromDer as _;
use x509_parser::public_key::PublicKey;
use x509_parser::x509::{SubjectPublicKeyInfo, X509Version};

use super::AttestationRefusal as Refusal;

/// Makers' certificates have 500 to 2,000 bytes.
pub(super) const MAX_LENGTH: usize = 8 * 1024;

/// The shortest RSA key that is accepted, in bits.
const MIN_RSA_BITS: usize = 2048;

/// A certificate, and its place: 0 is that of the attested key.
#[derive(Debug)]
pub(super) struct Certificate<'a> {
    x509: X509Certificate<'a>,
    place: usize,
}

impl<'a> Certificate<'a> {
    /// Reads one certificate and nothing after it.
    pub(super) fn read(der: &'a [u8], place: usize) -> Result<Self, Refusal> {
        if der.len() > MAX_LENGTH {
            return Err(Refusal::TooLarge { place, limit: MAX_LENGTH });
        }
        let (rest, x509) =
            X509Certificate::from_der(der).map_err(|_| Refusal::Malformed { place })?;
        if !rest.is_empty() {
            return Err(Refusal::TrailingBytes { place });
        }
        if x509.version() != X509Version::V3 {
            // Version 1 is written as 0 (RFC 5280, section 4.1).
            let found = u64::from(x509.version().0).saturating_add(1);
            return Err(Refusal::Version { place, found });
        }
        frame::check(der, place)?;
        check_extensions(x509.extensions(), place)?;
        Ok(Self { x509, place })
    }

    pub(super) const fn place(&self) -> usize {
        self.place
    }

    /// Where it stands in a chain, once that is known.
    pub(super) const fn at_place(mut self, place: usize) -> Self {
        self.place = place;
        self
    }

    pub(super) fn der(&self) -> &'a [u8] {
        self.x509.as_raw()
    }

    pub(super) fn subject(&self) -> &'a [u8] {
        self.x509.tbs_certificate.subject.as_raw()
    }

    pub(super) fn issuer(&self) -> &'a [u8] {
        self.x509.tbs_certificate.issuer.as_raw()
    }

    /// For people.
    pub(super) fn subject_name(&self) -> String {
        self.x509.tbs_certificate.subject.to_string()
    }

    /// For people.
    pub(super) fn issuer_name(&self) -> String {
        self.x509.tbs_certificate.issuer.to_string()
    }

    /// The `SubjectPublicKeyInfo` in DER (RFC 5280, section 4.1.2.7).
    pub(super) const fn spki(&self) -> &'a [u8] {
        self.x509.tbs_certificate.subject_pki.raw
    }

    /// The algorithm of its key, and the curve if one is named.
    pub(super) fn key_algorithm(&self) -> (Oid<'_>, Option<Oid<'_>>) {
        let algorithm = &self.x509.public_key().algorithm;
        let named = algorithm.parameters.as_ref().filter(|curve| curve.tag() == Tag::Oid);
        (algorithm.algorithm.clone(), named.and_then(|curve| curve.as_oid().ok()))
    }

    /// The values of an extension: none or one, as [`Self::read`] has seen to.
    pub(super) fn extension(&self, oid: &Oid<'_>) -> Option<&'a [u8]> {
        self.x509.extensions().iter().find(|found| found.oid == *oid).map(|found| found.value)
    }

    /// Whether it has an extension of this arc.
    pub(super) fn has_arc(&self, arc: &Oid<'_>) -> bool {
        let prefix = arc.as_bytes();
        self.x509.extensions().iter().any(|found| {
            let oid = found.oid.as_bytes();
            oid.len() > prefix.len() && oid.starts_with(prefix)
        })
    }

    /// Whether it is one of a certificate authority. **Never assumed**: a genuine device signs
    /// with its users' keys whatever it is given, certificates too, and nothing but this bit
    /// keeps those keys from issuing attestations.
    pub(super) fn is_authority(&self) -> bool {
        self.constraints().is_some_and(|(is_authority, _)| is_authority)
    }

    fn constraints(&self) -> Option<(bool, Option<u32>)> {
        self.parsed(|extension| match extension {
            ParsedExtension::BasicConstraints(found) => Some((found.ca, found.path_len_constraint)),
            _ => None,
        })
    }

    fn parsed<T>(&self, read: impl Fn(&ParsedExtension<'a>) -> Option<T>) -> Option<T> {
        self.x509.extensions().iter().find_map(|extension| read(extension.parsed_extension()))
    }

    /// That it may issue certificates, with `below` authorities between it and the key.
    pub(super) fn check_authority(&self, below: usize) -> Result<(), Refusal> {
        let place = self.place;
        let Some((true, limit)) = self.constraints() else {
            return Err(Refusal::NoAuthority { place });
        };
        let allows = limit.is_none_or(|limit| usize::try_from(limit).is_ok_and(|it| below <= it));
        if !allows {
            return Err(Refusal::PathLength { place });
        }
        let usage = self.parsed(|extension| match extension {
            ParsedExtension::KeyUsage(usage) => Some(usage.key_cert_sign()),
            _ => None,
        });
        if usage == Some(false) { Err(Refusal::KeyUsage { place }) } else { Ok(()) }
    }

    /// That it is valid at this time, in Unix seconds.
    pub(super) fn check_validity(&self, at: i64) -> Result<(), Refusal> {
        let place = self.place;
        let validity = self.x509.validity();
        let (begins, ends) = (validity.not_before.timestamp(), validity.not_after.timestamp());
        if at < begins {
            return Err(Refusal::NotYetValid { place, wait: begins.abs_diff(at) });
        }
        if at > ends { Err(Refusal::Expired { place, ago: at.abs_diff(ends) }) } else { Ok(()) }
    }

    /// That no critical extension is one that nobody here looks at.
    pub(super) fn check_critical(&self) -> Result<(), Refusal> {
        self.check_critical_beside(None)
    }

    /// The same where the extended key usage is looked at, which may be critical then (RFC 5280,
    /// section 4.2.1.12).
    pub(super) fn check_critical_but_use(&self) -> Result<(), Refusal> {
        self.check_critical_beside(Some(OID_X509_EXT_EXTENDED_KEY_USAGE))
    }

    fn check_critical_beside(&self, looked_at: Option<Oid<'_>>) -> Result<(), Refusal> {
        // The last two restrict nothing that is asked here; they are critical in makers'
        // certificates.
        let known = [
            OID_X509_EXT_BASIC_CONSTRAINTS,
            OID_X509_EXT_KEY_USAGE,
            OID_X509_EXT_CERTIFICATE_POLICIES,
            OID_X509_EXT_SUBJECT_ALT_NAME,
        ];
        let is_known = |oid: &Oid<'_>| known.contains(oid) || looked_at.as_ref() == Some(oid);
        let unknown = |found: &&X509Extension<'_>| found.critical && !is_known(&found.oid);
        match self.x509.extensions().iter().find(unknown) {
            Some(found) => {
                Err(Refusal::CriticalExtension { place: self.place, oid: found.oid.to_id_string() })
            }
            None => Ok(()),
        }
    }

    /// That it was signed by an issuer's key, with an algorithm that is accepted.
    pub(super) fn check_signed_by(&self, issuer: &Certificate<'_>) -> Result<(), Refusal> {
        check_key(issuer.x509.public_key(), issuer.place)?;
        self.check_algorithm()?;
        let key = issuer.x509.public_key();
        self.x509.verify_signature(Some(key)).map_err(|_| Refusal::Signature { place: self.place })
    }

    /// x509-parser verifies SHA-1 without being asked.
    pub(super) fn check_algorithm(&self) -> Result<(), Refusal> {
        let (place, algorithm) = (self.place, &self.x509.signature_algorithm.algorithm);
        let accepted = [
            OID_PKCS1_SHA256WITHRSA,
            OID_PKCS1_SHA384WITHRSA,
            OID_PKCS1_SHA512WITHRSA,
            OID_SIG_ECDSA_WITH_SHA256,
            OID_SIG_ECDSA_WITH_SHA384,
        ];
        if accepted.contains(algorithm) {
            return Ok(());
        }
        self.check_not_sha1()?;
        Err(Refusal::Algorithm { place, oid: algorithm.to_id_string() })
    }

    pub(super) fn check_not_sha1(&self) -> Result<(), Refusal> {
        let algorithm = &self.x509.signature_algorithm.algorithm;
        // ecdsa-with-SHA1 (RFC 3279, section 2.2.3) has no name in the registry.
        let with_sha1 = [OID_PKCS1_SHA1WITHRSA, OID_SHA1_WITH_RSA];
        if with_sha1.contains(algorithm) || algorithm.to_id_string() == "1.2.840.10045.4.1" {
            return Err(Refusal::Sha1 { place: self.place });
        }
        Ok(())
    }
}

/// An issuer's key: RSA of 2048 bits and more, P-256, P-384.
fn check_key(key: &SubjectPublicKeyInfo<'_>, place: usize) -> Result<(), Refusal> {
    let algorithm = &key.algorithm;
    if algorithm.algorithm == OID_PKCS1_RSAENCRYPTION {
        let Ok(PublicKey::RSA(rsa)) = key.parsed() else {
            return Err(Refusal::Malformed { place });
        };
        let bits = rsa.key_size();
        return if bits < MIN_RSA_BITS { Err(Refusal::ShortRsa { place, bits }) } else { Ok(()) };
    }
    let oid = algorithm.algorithm.to_id_string();
    if algorithm.algorithm != OID_KEY_TYPE_EC_PUBLIC_KEY {
        return Err(Refusal::Algorithm { place, oid });
    }
    // The tag is not looked at by `as_oid`.
    let named = algorithm.parameters.as_ref().filter(|curve| curve.tag() == Tag::Oid);
    match named.and_then(|curve| curve.as_oid().ok()) {
        Some(curve) if curve == OID_EC_P256 || curve == OID_NIST_EC_P384 => {
            if frame::is_curve(key.raw, curve.as_bytes()) {
                Ok(())
            } else {
                Err(Refusal::Malformed { place })
            }
        }
        Some(curve) if curve == OID_NIST_EC_P521 => Err(Refusal::P521 { place }),
        Some(curve) => Err(Refusal::Algorithm { place, oid: curve.to_id_string() }),
        None => Err(Refusal::UnnamedCurve { place }),
    }
}

/// None twice, none of the known ones that cannot be read.
fn check_extensions(extensions: &[X509Extension<'_>], place: usize) -> Result<(), Refusal> {
    let mut seen: Vec<&Oid<'_>> = Vec::with_capacity(extensions.len());
    for extension in extensions {
        let oid = &extension.oid;
        if seen.contains(&oid) {
            return Err(Refusal::DuplicateExtension { place, oid: oid.to_id_string() });
        }
        seen.push(oid);
        if matches!(extension.parsed_extension(), ParsedExtension::ParseError { .. }) {
            return Err(Refusal::MalformedExtension { place, oid: oid.to_id_string() });
        }
    }
    Ok(())
}
