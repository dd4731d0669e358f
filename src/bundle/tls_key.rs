//! A certificate for a TLS key that another program has.

use std::fmt;
use std::time::SystemTime;

use super::error::check_clock_at;
use super::{BundleError, DEFAULT_VALIDITY, IdentityBundle, state_pinned, tls};
use crate::binding::{Binding, CLOCK_SKEW, Holder, Instance, Terms};
use crate::clock;
use crate::peer::{SIGNATURE_PREFIX, tls_key};
use crate::signer::DidSigner;

/// A TLS certificate for a key that is elsewhere: all of it but that key's signature.
///
/// Whoever has the key signs [`Self::to_be_signed`] (Ed25519, RFC 8032) and puts the 64
/// bytes behind [`Self::start`]: that is the certificate, DER. Peers accept no other one, so
/// that without the key nobody has a certificate, and nobody is made a holder of this DID
/// whose own key did not sign that.
pub struct UnsignedCertificate {
    binding: Binding,
    start: Vec<u8>,
}

impl UnsignedCertificate {
    /// The binding that it carries.
    #[must_use]
    pub const fn binding(&self) -> &Binding {
        &self.binding
    }

    /// The certificate up to its signature, which is the 64 bytes that are not here.
    #[must_use]
    pub fn start(&self) -> &[u8] {
        &self.start
    }

    /// What the TLS key signs: the TBSCertificate (RFC 5280, section 4.1), DER.
    #[must_use]
    pub fn to_be_signed(&self) -> &[u8] {
        // Behind tag and length of the whole, and before the algorithm of the signature.
        let end = self.start.len().saturating_sub(SIGNATURE_PREFIX.len());
        self.start.get(4..end).unwrap_or_default()
    }
}

impl fmt::Debug for UnsignedCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UnsignedCertificate")
            .field("binding", &self.binding)
            .finish_non_exhaustive()
    }
}

impl<S: DidSigner> IdentityBundle<S> {
    /// Whether [`Self::bind_tls_key`] would bind this key for this instance.
    ///
    /// # Errors
    ///
    /// [`BundleError::TlsKey`] for a key that peers refuse: one that is not Ed25519, or a
    /// weak one; [`BundleError::OwnKey`] for the DID's key and for this bundle's TLS key;
    /// [`BundleError::OwnInstance`] for the instance of this bundle.
    pub fn check_tls_key(&self, spki: &[u8], instance: &Instance) -> Result<(), BundleError> {
        tls_key(spki).map_err(BundleError::TlsKey)?;
        if self.verifying_key().to_spki_der() == spki {
            return Err(BundleError::OwnKey { what: "DID key" });
        }
        let binding = self.binding();
        if binding.tls_spki() == spki {
            return Err(BundleError::OwnKey { what: "TLS key" });
        }
        if binding.instance() == Some(instance) {
            return Err(BundleError::OwnInstance);
        }
        Ok(())
    }

    /// **Blocks** while a device signs. Binds a TLS key that another program has to this DID:
    /// as another [`Instance`], in the present epoch, for the same validity as the certificate
    /// of this bundle.
    ///
    /// `spki` is the key's SubjectPublicKeyInfo (RFC 8410), DER. `sequence` is the number of the
    /// binding: the time in Unix seconds, or one more than the last number of the same instance
    /// if that is higher. The caller counts: nothing of it is kept here.
    ///
    /// # Errors
    ///
    /// As [`Self::check_tls_key`]; [`BundleError`] if the clock was not set or the signer
    /// failed.
    pub fn bind_tls_key(
        &self,
        spki: &[u8],
        instance: Instance,
        sequence: u64,
    ) -> Result<UnsignedCertificate, BundleError> {
        self.check_tls_key(spki, &instance)?;
        let at = SystemTime::now();
        check_clock_at(at)?;
        let own = self.companions();
        let (now, validity) = (clock::unix(at), own.validity().unwrap_or(DEFAULT_VALIDITY));
        let terms = Terms {
            tls_spki: spki.to_vec(),
            x25519_public: *own.x25519_public_key().as_bytes(),
            not_before: now.saturating_sub(CLOCK_SKEW),
            not_after: now.saturating_add(validity.as_secs()),
            sequence,
            holder: Some(Holder { instance, epoch: own.binding().epoch() }),
        };
        let unsigned = Binding::unverified(self.did.clone(), terms, [0; 64]);
        let signature = state_pinned(&self.signer, &self.did, &unsigned.statement())?;
        let binding = unsigned.signed(&signature)?;
        let start = tls::certificate_start(&binding)?;
        Ok(UnsignedCertificate { binding, start })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::{Key, Software, Unlocked};
    use crate::peer::{Certificate, Refusal};
    use crate::secret::SigningSeed;

    const INSTANCE: Instance = Instance::from_bytes([0x17; 16]);

    fn bundle() -> IdentityBundle<Key<Software, Unlocked>> {
        IdentityBundle::issue(Key::generate().unwrap()).unwrap()
    }

    /// As whoever has the key does it.
    fn completed(made: &UnsignedCertificate, key: &SigningSeed) -> Vec<u8> {
        let signature = key.sign(&key.verifying_key(), made.to_be_signed());
        [made.start(), &signature].concat()
    }

    #[test]
    fn a_tls_key_that_is_elsewhere_is_bound_and_signs_its_own_certificate() {
        let (bundle, key) = (bundle(), SigningSeed::generate().unwrap());
        let now = clock::now();
        let made = bundle.bind_tls_key(&tls::spki(&key), INSTANCE, now + 7).unwrap();
        let certificate = completed(&made, &key);
        let proven = Certificate::read(&certificate).unwrap().prove().unwrap();
        let (binding, own) = (proven.into_binding(), bundle.binding());
        assert_eq!(&binding, made.binding());
        assert_eq!(binding.tls_spki(), tls::spki(&key));
        assert_eq!((binding.instance(), binding.sequence()), (Some(&INSTANCE), now + 7));
        assert_eq!((binding.did(), binding.epoch()), (bundle.did(), own.epoch()));
        assert_eq!(binding.x25519_public_key(), own.x25519_public_key());
        let length = |binding: &Binding| binding.not_after() - binding.not_before();
        assert_eq!(length(&binding), length(&own));
        assert!(binding.not_after().abs_diff(own.not_after()) < 60);
        // As `openssl` reads it: an outer SEQUENCE of the length that it will have.
        let told = u16::from_be_bytes([made.start()[2], made.start()[3]]);
        assert_eq!(usize::from(told) + 4, certificate.len());
    }

    /// What is given out is of no use to who does not have the key, whosever it is.
    #[test]
    fn without_the_tls_key_there_is_no_certificate() {
        let (bundle, key) = (bundle(), SigningSeed::generate().unwrap());
        let made = bundle.bind_tls_key(&tls::spki(&key), INSTANCE, 1).unwrap();
        for other in [SigningSeed::generate().unwrap(), SigningSeed::from_bytes(&[7; 32])] {
            let refused = Certificate::read(&completed(&made, &other)).unwrap_err();
            assert!(matches!(refused, Refusal::SelfSignature(_)), "{refused}");
        }
        let zeros = [made.start(), &[0; 64]].concat();
        assert!(matches!(Certificate::read(&zeros), Err(Refusal::SelfSignature(_))));
    }

    #[test]
    fn what_peers_refuse_or_is_the_identitys_own_is_not_bound() {
        let bundle = bundle();
        let own = bundle.binding();
        let did_key = bundle.verifying_key().to_spki_der();
        let key = tls::spki(&SigningSeed::generate().unwrap());
        let refused = |spki: &[u8], instance| {
            let refused = bundle.bind_tls_key(spki, instance, 1).unwrap_err();
            let checked = bundle.check_tls_key(spki, &instance).unwrap_err();
            assert_eq!(refused.to_string(), checked.to_string());
            refused
        };
        let is = |error: BundleError, what| {
            assert!(matches!(error, BundleError::OwnKey { what: found } if found == what));
        };
        is(refused(&did_key, INSTANCE), "DID key");
        is(refused(own.tls_spki(), INSTANCE), "TLS key");
        let instance = refused(&key, *own.instance().unwrap());
        assert!(matches!(instance, BundleError::OwnInstance), "{instance}");

        let mut x25519 = key.clone();
        x25519[8] = 0x6e;
        let mut order_four = key.clone();
        order_four[12..].fill(0);
        let p256 = [&[0x30, 0x59, 0x30, 0x13][..], &[0; 87]].concat();
        let long = [&key[..], &[0]].concat();
        for spki in [&[][..], &key[1..], &key[..43], &long, &key[12..], &x25519, &order_four, &p256]
        {
            let refused = refused(spki, INSTANCE);
            assert!(matches!(refused, BundleError::TlsKey(_)), "{spki:02x?}: {refused}");
        }
        bundle.bind_tls_key(&key, INSTANCE, 1).unwrap();
    }

    /// Each key of a program is in the epoch that is the present one then.
    #[test]
    fn a_tls_key_is_bound_in_the_present_epoch() {
        let bundle = bundle();
        let bind = || {
            let key = SigningSeed::generate().unwrap();
            bundle.bind_tls_key(&tls::spki(&key), INSTANCE, 1).unwrap().binding().epoch()
        };
        let before = bind();
        bundle.renew_all_instances().unwrap();
        assert!(bind() > before);
        assert_eq!(bind(), bundle.binding().epoch());
    }
}
