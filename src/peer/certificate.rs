//! A peer's certificate, read strictly. No clock, no policy, and no TLS: that
//! is the verifier's.

use x509_parser::der_parser::oid;
use x509_parser::extensions::{GeneralName, ParsedExtension, X509Extension};
use x509_parser::oid_registry::{
    OID_SIG_ED25519, OID_X509_EXT_BASIC_CONSTRAINTS, OID_X509_EXT_EXTENDED_KEY_USAGE,
    OID_X509_EXT_KEY_USAGE, OID_X509_EXT_SUBJECT_ALT_NAME, Oid,
};
use x509_parser::prelude::{ASN1Time, AlgorithmIdentifier, FromDer as _, X509Certificate};
use x509_parser::x509::X509Version;

use super::Refusal;
use crate::algorithm::{Ed25519VerifyingKey, Signature, VerifyingKey};
use crate::binding::{Binding, Extension, Instance, Terms, Unreadable};
use crate::did::Did;

/// SubjectPublicKeyInfo of Ed25519 without the key (RFC 8410, section 4).
pub(crate) const SPKI_PREFIX: [u8; 12] =
    [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0];

/// What stands before the 64 bytes of an Ed25519 signature in a certificate:
/// the algorithm, and a BIT STRING without unused bits (RFC 8410, section 6).
pub(crate) const SIGNATURE_PREFIX: [u8; 10] =
    [0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x41, 0];

/// Ours have about 660 bytes.
const MAX_LENGTH: usize = 4096;

/// As [`crate::binding`] numbers it.
const OID_BINDING: Oid<'static> =
    oid!(1.2.840.113556.1.8000.2554.18289.6608.53410.17251.36997.13032357.5397894);

/// A side of a connection.
#[cfg(feature = "tls")]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    Server,
    Client,
}

/// A certificate that its own key signed, in the one form that ours have.
#[derive(Debug)]
pub(crate) struct Certificate {
    did: Did,
    tls_spki: Vec<u8>,
    tls_key: VerifyingKey,
    not_before: u64,
    not_after: u64,
    usage: Usage,
    extension: Option<Extension>,
}

/// Which sides it is for.
#[derive(Debug, Clone, Copy)]
#[cfg_attr(not(feature = "tls"), allow(dead_code, reason = "of the handshake"))]
struct Usage {
    server: bool,
    client: bool,
}

/// A certificate whose binding the DID's key signed, in the present form.
#[derive(Debug)]
pub(crate) struct Proven {
    binding: Binding,
    instance: Instance,
    #[cfg_attr(not(feature = "tls"), allow(dead_code, reason = "of the handshake"))]
    tls_key: VerifyingKey,
    #[cfg_attr(not(feature = "tls"), allow(dead_code, reason = "of the handshake"))]
    usage: Usage,
}

impl Certificate {
    /// Reads one certificate and nothing after it, and verifies that its own
    /// key signed it.
    pub(crate) fn read(der: &[u8]) -> Result<Self, Refusal> {
        if der.len() > MAX_LENGTH {
            return Err(Refusal::TooLarge { length: der.len() });
        }
        let (rest, x509) = X509Certificate::from_der(der).map_err(|_| Refusal::Malformed)?;
        if !rest.is_empty() {
            return Err(Refusal::TrailingBytes);
        }
        if x509.version() != X509Version::V3 {
            return Err(Refusal::Version);
        }
        let spki = x509.public_key().raw;
        let tls_key = tls_key(spki)?;
        check_signature(der, &x509, &tls_key)?;
        check_extensions(x509.extensions())?;
        let validity = x509.validity();
        Ok(Self {
            did: did(x509.extensions())?,
            tls_spki: spki.to_vec(),
            tls_key,
            not_before: seconds(validity.not_before)?,
            not_after: seconds(validity.not_after)?,
            usage: usage(x509.extensions())?,
            extension: binding_extension(x509.extensions())?,
        })
    }

    pub(crate) const fn did(&self) -> &Did {
        &self.did
    }

    pub(crate) fn tls_spki(&self) -> &[u8] {
        &self.tls_spki
    }

    pub(crate) const fn not_before(&self) -> u64 {
        self.not_before
    }

    pub(crate) const fn not_after(&self) -> u64 {
        self.not_after
    }

    pub(crate) const fn extension(&self) -> Option<&Extension> {
        self.extension.as_ref()
    }

    /// Puts the statement together from what the certificate says, and verifies
    /// the binding's signature over it.
    pub(crate) fn prove(self) -> Result<Proven, Refusal> {
        let extension = self.extension.ok_or(Refusal::NoBinding)?;
        let holder = extension.holder.ok_or(Refusal::NoInstance)?;
        let terms = Terms {
            tls_spki: self.tls_spki,
            x25519_public: extension.x25519_public,
            not_before: self.not_before,
            not_after: self.not_after,
            sequence: extension.sequence,
            holder: Some(holder),
        };
        let binding = Binding::unverified(self.did, terms, extension.signature);
        match binding.verify() {
            Ok(()) => Ok(Proven {
                binding,
                instance: holder.instance,
                tls_key: self.tls_key,
                usage: self.usage,
            }),
            Err(source) => Err(Refusal::BindingSignature { did: binding.did().clone(), source }),
        }
    }
}

impl Proven {
    pub(crate) const fn binding(&self) -> &Binding {
        &self.binding
    }

    pub(crate) fn into_binding(self) -> Binding {
        self.binding
    }

    /// That of the binding.
    #[cfg_attr(not(feature = "tls"), allow(dead_code, reason = "of the handshake"))]
    pub(crate) const fn instance(&self) -> &Instance {
        &self.instance
    }
}

#[cfg(feature = "tls")]
impl Proven {
    /// What the handshake must be signed with.
    pub(crate) const fn tls_key(&self) -> &VerifyingKey {
        &self.tls_key
    }

    pub(crate) const fn check_role(&self, role: Role) -> Result<(), Refusal> {
        match role {
            Role::Server if !self.usage.server => {
                Err(Refusal::ExtendedKeyUsage { role: "serverAuth" })
            }
            Role::Client if !self.usage.client => {
                Err(Refusal::ExtendedKeyUsage { role: "clientAuth" })
            }
            _ => Ok(()),
        }
    }
}

/// The key of a SubjectPublicKeyInfo, of the one algorithm that is accepted.
pub(crate) fn tls_key(spki: &[u8]) -> Result<VerifyingKey, Refusal> {
    let raw = spki.strip_prefix(&SPKI_PREFIX).and_then(|raw| raw.try_into().ok());
    let key = Ed25519VerifyingKey::from_bytes(raw.ok_or(Refusal::KeyAlgorithm)?);
    Ok(key.map_err(Refusal::Key)?.into())
}

/// The signed part, and around it nothing but its length and its signature.
fn check_signature(
    der: &[u8],
    x509: &X509Certificate<'_>,
    key: &VerifyingKey,
) -> Result<(), Refusal> {
    let is_ed25519 = |algorithm: &AlgorithmIdentifier<'_>| {
        algorithm.algorithm == OID_SIG_ED25519 && algorithm.parameters.is_none()
    };
    if !is_ed25519(&x509.signature_algorithm) || !is_ed25519(&x509.tbs_certificate.signature) {
        return Err(Refusal::SignatureAlgorithm);
    }
    let signed = x509.tbs_certificate.as_ref();
    let signature: [u8; 64] =
        x509.signature_value.data.as_ref().try_into().map_err(|_| Refusal::SignatureAlgorithm)?;
    // What is beside the signed part is not under the signature: compared.
    let length = signed.len() + SIGNATURE_PREFIX.len() + signature.len();
    let length = u16::try_from(length).map_err(|_| Refusal::Malformed)?.to_be_bytes();
    let canonical = [&[0x30, 0x82], &length[..], signed, &SIGNATURE_PREFIX, &signature].concat();
    if canonical != der || length.first() == Some(&0) {
        return Err(Refusal::Malformed);
    }
    key.verify_strict(signed, &Signature::from_ed25519_bytes(signature))
        .map_err(Refusal::SelfSignature)
}

/// None twice, none that cannot be read, none critical that is not known here.
fn check_extensions(extensions: &[X509Extension<'_>]) -> Result<(), Refusal> {
    let known = [
        OID_X509_EXT_SUBJECT_ALT_NAME,
        OID_X509_EXT_KEY_USAGE,
        OID_X509_EXT_EXTENDED_KEY_USAGE,
        OID_X509_EXT_BASIC_CONSTRAINTS,
        OID_BINDING,
    ];
    let mut seen: Vec<&Oid<'_>> = Vec::with_capacity(extensions.len());
    for extension in extensions {
        let oid = &extension.oid;
        if seen.contains(&oid) {
            return Err(Refusal::DuplicateExtension { oid: oid.to_id_string() });
        }
        seen.push(oid);
        if extension.critical && !known.contains(oid) {
            return Err(Refusal::UnknownCriticalExtension { oid: oid.to_id_string() });
        }
        if matches!(extension.parsed_extension(), ParsedExtension::ParseError { .. }) {
            return Err(Refusal::Malformed);
        }
    }
    Ok(())
}

fn did(extensions: &[X509Extension<'_>]) -> Result<Did, Refusal> {
    let names = extensions.iter().find_map(|extension| match extension.parsed_extension() {
        ParsedExtension::SubjectAlternativeName(names) => Some(names.general_names.as_slice()),
        _ => None,
    });
    let Some([GeneralName::URI(uri)]) = names else { return Err(Refusal::Names) };
    Did::parse(uri).map_err(Refusal::Did)
}

fn usage(extensions: &[X509Extension<'_>]) -> Result<Usage, Refusal> {
    let (mut signs, mut usage) = (false, Usage { server: false, client: false });
    for extension in extensions {
        match extension.parsed_extension() {
            ParsedExtension::BasicConstraints(constraints) if constraints.ca => {
                return Err(Refusal::Authority);
            }
            ParsedExtension::KeyUsage(flags) => signs = flags.digital_signature(),
            ParsedExtension::ExtendedKeyUsage(purposes) => {
                usage = Usage { server: purposes.server_auth, client: purposes.client_auth };
            }
            _ => {}
        }
    }
    if signs { Ok(usage) } else { Err(Refusal::KeyUsage) }
}

fn binding_extension(extensions: &[X509Extension<'_>]) -> Result<Option<Extension>, Refusal> {
    let Some(found) = extensions.iter().find(|extension| extension.oid == OID_BINDING) else {
        return Ok(None);
    };
    if found.critical {
        return Err(Refusal::MalformedBinding);
    }
    match Extension::from_der(found.value) {
        Ok(extension) => Ok(Some(extension)),
        Err(Unreadable::Malformed) => Err(Refusal::MalformedBinding),
        Err(Unreadable::Version(found)) => Err(Refusal::BindingVersion { found }),
    }
}

fn seconds(time: ASN1Time) -> Result<u64, Refusal> {
    u64::try_from(time.timestamp()).map_err(|_| Refusal::Malformed)
}
