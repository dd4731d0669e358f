//! The software keys beside a DID key, and what binds them.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::Value;
use zeroize::Zeroizing;

use super::{BundleError, tls};
use crate::algorithm::{Signature, X25519PublicKey};
use crate::binding::{Binding, CLOCK_SKEW, Holder, Terms};
use crate::clock;
use crate::did::{Did, DidDocument, InvalidDocument, NotSigned};
use crate::fault::SignError;
use crate::secret::{SigningSeed, X25519Seed};

/// TLS key, certificate, X25519 key, binding, and the DID document, which belong
/// together: as they were when they were asked for
/// ([`IdentityBundle::companions`](super::IdentityBundle::companions)), also after a
/// renewal.
///
/// `Debug` shows the binding and no key.
pub struct Companions {
    /// Shared with the connections that use it, so that there is one copy.
    pub(crate) tls_key: Arc<SigningSeed>,
    pub(crate) certificate: Vec<u8>,
    pub(crate) x25519: X25519Seed,
    pub(crate) binding: Binding,
    /// Signed once: it names the DID's key and the X25519 key, which stay.
    /// Identities from before there were documents have none until they are
    /// renewed.
    pub(crate) document: Option<DidDocument>,
}

/// How a binding counts.
struct Numbers {
    sequence: u64,
    holder: Holder,
}

impl Companions {
    /// The first companions that we know of. The DID may have had others (it
    /// was imported, or its key adopted), so the sequence number is the time.
    pub(super) fn issue(
        did: &Did,
        at: SystemTime,
        validity: Duration,
        holder: Holder,
        x25519: X25519Seed,
        sign: impl Fn(&[u8]) -> Result<Signature, SignError>,
    ) -> Result<Self, BundleError> {
        let numbers = Numbers { sequence: clock::unix(at), holder };
        let companions = Self::bind(did, at, validity, numbers, x25519, &sign)?;
        companions.documented(did, at, sign)
    }

    /// With a DID document, if there is none yet: two signatures.
    fn documented(
        self,
        did: &Did,
        at: SystemTime,
        sign: impl Fn(&[u8]) -> Result<Signature, SignError>,
    ) -> Result<Self, BundleError> {
        if self.document.is_some() {
            return Ok(self);
        }
        let key = self.binding.x25519_public_key();
        let document = DidDocument::sign(did, key, at, sign).map_err(|error| match error {
            NotSigned::Sign(error) => BundleError::Sign(error),
            NotSigned::Invalid(error) => BundleError::Document(error),
        })?;
        Ok(Self { document: Some(document), ..self })
    }

    /// The DID document as JSON.
    pub(crate) fn document_value(&self) -> Option<Value> {
        // One that was verified can be written.
        self.document.as_ref().and_then(|document| document.to_value().ok())
    }

    /// The same companions once more.
    pub(crate) fn copy(&self) -> Self {
        Self {
            tls_key: Arc::clone(&self.tls_key),
            certificate: self.certificate.clone(),
            x25519: X25519Seed::from_bytes(self.x25519.as_bytes()),
            binding: self.binding.clone(),
            document: self.document.clone(),
        }
    }

    /// A new TLS key and certificate, the same X25519 key and document: one
    /// signature. (Two more where there is no document yet.) The sequence
    /// number is the time, and one more than the highest that is known at least: these
    /// companions may be older than what peers have seen, if others were made in
    /// memory only, or after the backup that these come from.
    pub(super) fn renewed(
        &self,
        did: &Did,
        (at, validity): (SystemTime, Duration),
        highest: u64,
        holder: Holder,
        sign: impl Fn(&[u8]) -> Result<Signature, SignError>,
    ) -> Result<Self, BundleError> {
        let x25519 = X25519Seed::from_bytes(self.x25519.as_bytes());
        let sequence = highest.saturating_add(1).max(clock::unix(at));
        let numbers = Numbers { sequence, holder };
        let renewed = Self::bind(did, at, validity, numbers, x25519, &sign)?;
        Self { document: self.document.clone(), ..renewed }.documented(did, at, sign)
    }

    fn bind(
        did: &Did,
        at: SystemTime,
        validity: Duration,
        numbers: Numbers,
        x25519: X25519Seed,
        sign: impl FnOnce(&[u8]) -> Result<Signature, SignError>,
    ) -> Result<Self, BundleError> {
        let now = clock::unix(at);
        let tls_key = Arc::new(SigningSeed::generate()?);
        let terms = Terms {
            tls_spki: tls::spki(&tls_key),
            x25519_public: *x25519.public_key().as_bytes(),
            not_before: now.saturating_sub(CLOCK_SKEW),
            not_after: now.saturating_add(validity.as_secs()),
            sequence: numbers.sequence,
            holder: Some(numbers.holder),
        };
        // The binding is over the key, so that it can travel in the certificate.
        let unsigned = Binding::unverified(did.clone(), terms, [0; 64]);
        let signature = sign(&unsigned.statement())?;
        let binding = unsigned.signed(&signature)?;
        let certificate = tls::certificate(&tls_key, &binding)?;
        let companions = Self { tls_key, certificate, x25519, binding, document: None };
        companions.check(did)?;
        Ok(companions)
    }

    /// Everything that can be checked without a clock.
    pub(crate) fn check(&self, did: &Did) -> Result<(), BundleError> {
        let binding = &self.binding;
        if binding.did() != did {
            return Err(BundleError::Mismatch { what: "DID" });
        }
        binding.verify()?;
        if binding.tls_spki() != tls::spki(&self.tls_key) {
            return Err(BundleError::Mismatch { what: "TLS key" });
        }
        if binding.x25519_public_key() != self.x25519.public_key() {
            return Err(BundleError::Mismatch { what: "X25519 key" });
        }
        if let Some(document) = &self.document {
            if document.did() != did {
                return Err(InvalidDocument::Mismatch { what: "DID" }.into());
            }
            if document.x25519_public_key() != binding.x25519_public_key() {
                return Err(InvalidDocument::Mismatch { what: "X25519 key" }.into());
            }
        }
        tls::check_certificate(&self.certificate, did, binding)
    }

    pub(super) fn wants_renewal(&self, at: SystemTime) -> bool {
        let refused = !tls::carries_present_binding(&self.certificate);
        self.binding.wants_renewal(at) || (refused && clock::is_set(at))
    }

    /// Whether a renewal is due, or there is no DID document yet.
    pub(super) fn is_due(&self, at: SystemTime) -> bool {
        self.wants_renewal(at) || (self.document.is_none() && clock::is_set(at))
    }

    pub(super) fn renewal_due_at(&self) -> SystemTime {
        if tls::carries_present_binding(&self.certificate) {
            self.binding.renewal_due_at()
        } else {
            UNIX_EPOCH
        }
    }

    /// For how long they were bound. None for the old form, which had others.
    pub(super) fn validity(&self) -> Option<Duration> {
        let binding = &self.binding;
        binding.instance()?;
        let seconds = binding.not_after().saturating_sub(binding.not_before());
        Some(Duration::from_secs(seconds.saturating_sub(CLOCK_SKEW)))
    }

    /// As this crate made them before bindings named instances; and, unless
    /// `carried`, before certificates carried them.
    #[cfg(test)]
    pub(crate) fn of_an_older_version(
        &self,
        carried: bool,
        sign: impl FnOnce(&[u8]) -> Result<Signature, SignError>,
    ) -> Self {
        let binding = &self.binding;
        let terms = Terms {
            tls_spki: binding.tls_spki().to_vec(),
            x25519_public: *binding.x25519_public_key().as_bytes(),
            not_before: binding.not_before(),
            not_after: binding.not_after(),
            sequence: binding.sequence(),
            holder: None,
        };
        let unsigned = Binding::unverified(binding.did().clone(), terms, [0; 64]);
        let signature = sign(&unsigned.statement()).unwrap();
        let binding = unsigned.signed(&signature).unwrap();
        let make = if carried { tls::certificate } else { tls::bare_certificate };
        let certificate = make(&self.tls_key, &binding).unwrap();
        Self { certificate, binding, ..self.copy() }
    }

    /// The binding.
    #[must_use]
    pub const fn binding(&self) -> &Binding {
        &self.binding
    }

    /// The TLS certificate: X.509 v3, DER, self-signed, with the DID as URI in its
    /// subject alternative names, and the binding in an extension of its own.
    #[must_use]
    pub fn certificate_der(&self) -> &[u8] {
        &self.certificate
    }

    /// The TLS private key of that certificate: PKCS#8 v1, DER (RFC 8410), 48 bytes.
    #[must_use]
    pub fn tls_private_key_der(&self) -> Zeroizing<Vec<u8>> {
        tls::private_key_der(&self.tls_key)
    }

    /// The X25519 public key (RFC 7748).
    #[must_use]
    pub const fn x25519_public_key(&self) -> X25519PublicKey {
        self.binding.x25519_public_key()
    }

    /// The signed DID document. `None` only for an identity from before there were
    /// any, until it is renewed.
    #[must_use]
    pub const fn did_document(&self) -> Option<&DidDocument> {
        self.document.as_ref()
    }

    pub(crate) fn certificate(&self) -> &[u8] {
        &self.certificate
    }
}

impl fmt::Debug for Companions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Companions").field("binding", &self.binding).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
