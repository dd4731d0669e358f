//! The software keys beside a DID key, and what binds them.

use std::time::{Duration, SystemTime};

use zeroize::Zeroizing;

use super::binding::{Binding, Terms, unix};
use super::{BundleError, tls};
use crate::algorithm::Signature;
use crate::did::Did;
use crate::error::SignError;
use crate::secret::{SigningSeed, X25519Seed};

/// Peers whose clock is a little behind ours accept a new certificate.
const CLOCK_SKEW: u64 = 300;

/// TLS key, certificate, X25519 key and binding.
pub(crate) struct Companions {
    pub(crate) tls_key: SigningSeed,
    pub(crate) certificate: Vec<u8>,
    pub(crate) x25519: X25519Seed,
    pub(crate) binding: Binding,
}

impl Companions {
    pub(super) fn issue(
        did: &Did,
        at: SystemTime,
        validity: Duration,
        sequence: u64,
        sign: impl FnOnce(&[u8]) -> Result<Signature, SignError>,
    ) -> Result<Self, BundleError> {
        Self::bind(did, at, validity, sequence, X25519Seed::generate()?, sign)
    }

    /// The same companions once more, to fall back to.
    pub(crate) fn copy(&self) -> Self {
        Self {
            tls_key: SigningSeed::from_bytes(self.tls_key.as_bytes()),
            certificate: self.certificate.clone(),
            x25519: X25519Seed::from_bytes(self.x25519.as_bytes()),
            binding: self.binding.clone(),
        }
    }

    /// A new TLS key and certificate, the same X25519 key.
    pub(super) fn renewed(
        &self,
        did: &Did,
        at: SystemTime,
        validity: Duration,
        sign: impl FnOnce(&[u8]) -> Result<Signature, SignError>,
    ) -> Result<Self, BundleError> {
        let x25519 = X25519Seed::from_bytes(self.x25519.as_bytes());
        let sequence = self.binding.sequence().saturating_add(1);
        Self::bind(did, at, validity, sequence, x25519, sign)
    }

    pub(super) fn bind(
        did: &Did,
        at: SystemTime,
        validity: Duration,
        sequence: u64,
        x25519: X25519Seed,
        sign: impl FnOnce(&[u8]) -> Result<Signature, SignError>,
    ) -> Result<Self, BundleError> {
        let now = unix(at);
        let terms = Terms {
            tls_spki: Vec::new(),
            x25519_public: x25519.public_key(),
            not_before: now.saturating_sub(CLOCK_SKEW),
            not_after: now.saturating_add(validity.as_secs()),
            sequence,
        };
        let tls_key = SigningSeed::generate()?;
        let certificate = tls::certificate(&tls_key, did, terms.not_before, terms.not_after)?;
        let terms = Terms { tls_spki: tls::spki(&tls_key), ..terms };
        let binding = Binding::sign(did, terms, sign)?;
        let companions = Self { tls_key, certificate, x25519, binding };
        companions.check(did)?;
        Ok(companions)
    }

    /// Everything that can be checked without a clock.
    pub(super) fn check(&self, did: &Did) -> Result<(), BundleError> {
        let binding = &self.binding;
        if binding.did() != did {
            return Err(BundleError::Mismatch { what: "DID" });
        }
        binding.verify()?;
        if binding.tls_spki() != tls::spki(&self.tls_key) {
            return Err(BundleError::Mismatch { what: "TLS key" });
        }
        if *binding.x25519_public_key() != self.x25519.public_key() {
            return Err(BundleError::Mismatch { what: "X25519 key" });
        }
        tls::check_certificate(&self.certificate, did, binding)
    }

    pub(crate) const fn binding(&self) -> &Binding {
        &self.binding
    }

    pub(crate) fn certificate(&self) -> &[u8] {
        &self.certificate
    }

    pub(super) fn tls_private_key_der(&self) -> Zeroizing<Vec<u8>> {
        tls::private_key_der(&self.tls_key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bundle::DEFAULT_VALIDITY;
    use crate::key::{Key, Software, Unlocked};

    fn issued(key: &Key<Software, Unlocked>) -> Companions {
        let sign = |statement: &[u8]| key.sign(statement);
        Companions::issue(key.did(), SystemTime::now(), DEFAULT_VALIDITY, 1, sign).unwrap()
    }

    fn mismatch(companions: &Companions, did: &Did) -> &'static str {
        match companions.check(did) {
            Err(BundleError::Mismatch { what }) => what,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn each_part_must_belong_to_the_binding() {
        let (key, other) = (Key::generate().unwrap(), Key::generate().unwrap());
        let did = key.did();
        issued(&key).check(did).unwrap();

        let companions = issued(&other);
        assert_eq!(mismatch(&companions, did), "DID");
        let companions = Companions { tls_key: issued(&key).tls_key, ..issued(&key) };
        assert_eq!(mismatch(&companions, did), "TLS key");
        let companions = Companions { x25519: issued(&key).x25519, ..issued(&key) };
        assert_eq!(mismatch(&companions, did), "X25519 key");
        let companions = Companions { certificate: issued(&key).certificate, ..issued(&key) };
        assert_eq!(mismatch(&companions, did), "certificate");
    }

    #[test]
    fn a_certificate_with_anything_changed_is_refused() {
        let key = Key::generate().unwrap();
        let good = issued(&key);
        for at in 0..good.certificate.len() {
            let mut companions = good.copy();
            companions.certificate[at] ^= 1;
            let refused = companions.check(key.did());
            assert!(refused.is_err(), "byte {at}");
        }
        let mut longer = good.copy();
        longer.certificate.push(0);
        assert_eq!(mismatch(&longer, key.did()), "certificate");
    }

    /// Every field is signed.
    #[test]
    fn a_binding_with_anything_changed_is_refused() {
        let key = Key::generate().unwrap();
        let good = serde_json::to_value(issued(&key).binding()).unwrap();
        let other = serde_json::to_value(issued(&key).binding()).unwrap();
        for field in ["tls_spki", "x25519_public", "signature"] {
            let mut changed = good.clone();
            changed[field] = other[field].clone();
            let binding: Binding = serde_json::from_value(changed).unwrap();
            assert!(matches!(binding.verify(), Err(BundleError::Signature(_))), "{field}");
        }
        for field in ["not_before", "not_after", "sequence"] {
            let mut changed = good.clone();
            changed[field] = (good[field].as_u64().unwrap() + 1).into();
            let binding: Binding = serde_json::from_value(changed).unwrap();
            assert!(matches!(binding.verify(), Err(BundleError::Signature(_))), "{field}");
        }
        serde_json::from_value::<Binding>(good).unwrap().verify().unwrap();
    }
}
