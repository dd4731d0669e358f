//! A DID signer with the keys that stand on it.
//!
//! An [`IdentityBundle`] holds one DID signer, a TLS key with its certificate,
//! an X25519 key, and the **binding**: the DID key's signature over all of
//! them and their validity. The companions are always software keys; where
//! the DID key is, is the signer's type.

mod companions;
mod encryption;
#[cfg(all(
    any(test, fuzzing),
    feature = "attestation",
    feature = "audit",
    feature = "client",
    feature = "pkcs11",
    feature = "tpm"
))]
pub(crate) use encryption::formats;
mod error;
mod renewal;
mod shared;
mod signer;
mod tls;
mod tls_key;

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

pub use companions::Companions;
pub use encryption::{
    DecryptError, EncryptedFile, EncryptedHeader, NotContributory, OpenedHeader, Plaintext,
    RetiredDecryptionKey, SharedSecret,
};
pub(crate) use encryption::{RetiredKeys, unarmored};
pub use error::{BundleError, check_clock};
pub(crate) use renewal::{Decide, Keeper, NextEpoch};
pub use renewal::{Renewal, RenewalError};
pub use tls_key::UnsignedCertificate;

use self::renewal::Kept;
use self::shared::Shared;
use crate::algorithm::{P256, Signature, VerifyingKey, X25519PublicKey};
use crate::binding::Holder;
#[cfg(feature = "tls")]
use crate::binding::TlsSlot;
pub use crate::binding::{Binding, BindingNumber, Instance, UnverifiedBinding};
use crate::clock;
use crate::did::{Did, DidDocument};
use crate::fault::SignError;
use crate::key::{
    DidKey, HardwareKey, Key, Provenance, Refused, Unlocked, WrongProvenance, prove_possession,
};
use crate::secret::{NoRandomness, X25519Seed};
use crate::signer::{DidSigner, DidSignerExt as _, refuse_reserved, sign_statement, verifies};
use crate::sshsig::SshSignature;

/// How long a binding is valid unless said otherwise: 7 days. Whoever steals
/// the TLS key can pose as the DID until then.
pub const DEFAULT_VALIDITY: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// A DID signer, and the TLS and X25519 keys that it vouches for.
///
/// Built only checked: the DID decodes to the signer's key, a fresh challenge
/// verified, and the binding matches the companions. DID and key are pinned at
/// that moment; what a device or a foreign signer signs later is verified
/// under the pinned key before it is given out.
#[must_use]
pub struct IdentityBundle<S: DidSigner> {
    signer: S,
    did: Did,
    companions: Shared,
    /// Of older identities. A renewal leaves them as they are.
    retired: RetiredKeys,
}

impl<S: DidSigner> IdentityBundle<S> {
    /// **Blocks** while a device signs. Makes new companions, bound for
    /// [`DEFAULT_VALIDITY`].
    ///
    /// # Errors
    ///
    /// Gives the signer back if it fails a check or cannot sign.
    pub fn issue(signer: S) -> Result<Self, Refused<S, BundleError>> {
        Self::issue_for(signer, DEFAULT_VALIDITY)
    }

    /// **Blocks** while a device signs. As [`Self::issue`], for another validity, in
    /// whole seconds (what is left of one is cut off).
    ///
    /// # Errors
    ///
    /// As [`Self::issue`].
    pub fn issue_for(signer: S, validity: Duration) -> Result<Self, Refused<S, BundleError>> {
        Self::issue_with(signer, validity, 0, X25519Seed::generate)
    }

    /// As [`Self::issue`], in an epoch, and around an X25519 key that others encrypt
    /// to already, if there is one.
    pub(crate) fn issue_around(
        signer: S,
        epoch: u64,
        x25519: Option<X25519Seed>,
    ) -> Result<Self, Refused<S, BundleError>> {
        let x25519 = || x25519.map_or_else(X25519Seed::generate, Ok);
        Self::issue_with(signer, DEFAULT_VALIDITY, epoch, x25519)
    }

    fn issue_with(
        signer: S,
        validity: Duration,
        epoch: u64,
        x25519: impl FnOnce() -> Result<X25519Seed, NoRandomness>,
    ) -> Result<Self, Refused<S, BundleError>> {
        let now = SystemTime::now();
        let made = error::check_clock_at(now).and_then(|()| pin(&signer)).and_then(|did| {
            let sign = |statement: &[u8]| state_pinned(&signer, &did, statement);
            let holder = Holder { instance: Instance::fresh()?, epoch };
            let companions = Companions::issue(&did, now, validity, holder, x25519()?, sign)?;
            Ok((did, Shared::new(companions, Kept::InMemory)))
        });
        match made {
            Ok((did, companions)) => {
                Ok(Self { signer, did, companions, retired: RetiredKeys::default() })
            }
            Err(reason) => Err(Refused::new(signer, reason)),
        }
    }

    /// Takes companions from storage, fully checked but for their expiry: an
    /// expired bundle still opens, so that it can be renewed.
    pub(crate) fn from_companions(
        signer: S,
        companions: Companions,
    ) -> Result<Self, Refused<S, BundleError>> {
        match pin(&signer).and_then(|did| companions.check(&did).map(|()| did)) {
            Ok(did) => {
                let (companions, retired) =
                    (Shared::new(companions, Kept::InMemory), RetiredKeys::default());
                Ok(Self { signer, did, companions, retired })
            }
            Err(reason) => Err(Refused::new(signer, reason)),
        }
    }

    /// With the decryption keys of older identities.
    pub(crate) fn with_retired(self, retired: RetiredKeys) -> Self {
        Self { retired, ..self }
    }

    /// The pinned DID.
    pub const fn did(&self) -> &Did {
        &self.did
    }

    /// The pinned public key.
    pub fn verifying_key(&self) -> &VerifyingKey {
        self.did.verifying_key()
    }

    /// **Blocks** while a device signs. Signs exactly the bytes given, with the DID
    /// key. What is given out verifies under the pinned key.
    ///
    /// # Errors
    ///
    /// [`SignError::Reserved`] for a message that begins like a statement of this
    /// crate ([`crate::statement`]), whoever the signer is. Otherwise [`SignError`]
    /// if the signer failed or its signature does not verify.
    pub fn sign(&self, message: &[u8]) -> Result<Signature, SignError> {
        refuse_reserved(message)?;
        pinned(&self.signer, &self.did, message, self.signer.sign(message)?)
    }

    /// **Blocks** while a device signs. Signs a message for one context; see
    /// [`DidSigner::sign_for`]. What did not come from our own software key is
    /// verified under the pinned key.
    ///
    /// # Errors
    ///
    /// [`SignError::InvalidContext`], or if the signer failed or its signature does not
    /// verify.
    pub fn sign_for(&self, context: &str, message: &[u8]) -> Result<SshSignature, SignError> {
        let signature = self.signer.sign_for(context, message)?;
        if !is_verified(&self.signer, &self.did) {
            self.verifying_key().verify_for(context, message, &signature)?;
        }
        Ok(signature)
    }

    /// Signs a statement of this crate.
    pub(crate) fn sign_statement(&self, statement: &[u8]) -> Result<Signature, SignError> {
        state_pinned(&self.signer, &self.did, statement)
    }

    /// The signer. What it signs by itself is not verified by this bundle.
    pub const fn signer(&self) -> &S {
        &self.signer
    }

    /// The signer alone; the companions are wiped.
    pub fn into_signer(self) -> S {
        self.signer
    }

    /// TLS key, certificate, X25519 key, binding and DID document, as they are now: one
    /// whole, which a renewal leaves as it is.
    #[must_use]
    pub fn companions(&self) -> Arc<Companions> {
        self.companions.current()
    }

    /// The binding in use now.
    #[must_use]
    pub fn binding(&self) -> Binding {
        self.companions().binding().clone()
    }

    /// Checks the binding against the companions, the pinned key, and `at`.
    ///
    /// # Errors
    ///
    /// [`BundleError`] names what does not belong together, or that the
    /// binding is not valid at that time.
    pub fn verify_binding(&self, at: SystemTime) -> Result<(), BundleError> {
        let companions = self.companions();
        companions.check(&self.did)?;
        companions.binding().check_time(at)
    }

    /// Whether two thirds of the validity are over, or peers refuse the
    /// certificate: because it begins later (a clock was ahead when it was
    /// made), or was made by an older version, before certificates carried their
    /// binding or bindings named instances. Never by a clock before 2026, which was
    /// not set.
    #[must_use]
    pub fn wants_renewal(&self, at: SystemTime) -> bool {
        self.companions().wants_renewal(at)
    }

    /// The TLS certificate in use now; see [`Companions::certificate_der`]. With its
    /// private key: [`Self::companions`].
    #[must_use]
    pub fn certificate_der(&self) -> Vec<u8> {
        self.companions().certificate_der().to_vec()
    }

    /// The X25519 public key (RFC 7748).
    #[must_use]
    pub fn x25519_public_key(&self) -> X25519PublicKey {
        self.companions().x25519_public_key()
    }

    /// The signed DID document. `None` only for an identity from before there
    /// were any, until it is renewed.
    #[must_use]
    pub fn did_document(&self) -> Option<DidDocument> {
        self.companions().did_document().cloned()
    }

    #[cfg(feature = "tls")]
    pub(crate) fn tls_slot(&self) -> Arc<TlsSlot> {
        self.companions.tls()
    }
}

impl IdentityBundle<DidKey> {
    /// The bundle with the static type of its key.
    ///
    /// # Errors
    ///
    /// Gives the bundle back if the key is of another provenance.
    pub fn into_static<P>(
        self,
    ) -> Result<IdentityBundle<Key<P, Unlocked>>, Refused<Self, BundleError>>
    where
        P: Provenance,
        Key<P, Unlocked>: TryFrom<DidKey, Error = WrongProvenance>,
    {
        self.retyped()
    }

    /// As [`Self::into_static`], for P-256: `IdentityBundle<Key<Hardware,
    /// Unlocked, P256>>`.
    ///
    /// # Errors
    ///
    /// As there, or if the key is of another algorithm.
    #[expect(clippy::type_complexity, reason = "spelt out it says what it gives")]
    pub fn into_static_p256<P>(
        self,
    ) -> Result<IdentityBundle<Key<P, Unlocked, P256>>, Refused<Self, BundleError>>
    where
        P: Provenance<P256>,
        Key<P, Unlocked, P256>: TryFrom<DidKey, Error = WrongProvenance>,
    {
        self.retyped()
    }

    /// As [`Self::into_static`], for a key that never left its device, of whatever
    /// algorithm it is.
    ///
    /// # Errors
    ///
    /// As there.
    pub fn into_hardware(self) -> Result<IdentityBundle<HardwareKey>, Refused<Self, BundleError>> {
        self.retyped()
    }

    fn retyped<K>(self) -> Result<IdentityBundle<K>, Refused<Self, BundleError>>
    where
        K: DidSigner + TryFrom<DidKey, Error = WrongProvenance>,
    {
        let Self { signer, did, companions, retired } = self;
        match K::try_from(signer) {
            Ok(signer) => Ok(IdentityBundle { signer, did, companions, retired }),
            Err(wrong) => {
                let (demanded, algorithm) = wrong.demanded_as();
                let reason = BundleError::Provenance {
                    demanded,
                    algorithm,
                    found: wrong.found(),
                    found_algorithm: did.verifying_key().algorithm(),
                };
                let bundle = Self { signer: wrong.into_key(), did, companions, retired };
                Err(Refused::new(bundle, reason))
            }
        }
    }
}

impl Binding {
    /// Whether the binding is valid at a time.
    ///
    /// # Errors
    ///
    /// [`BundleError::Expired`] or [`BundleError::NotYetValid`].
    pub fn check_time(&self, at: SystemTime) -> Result<(), BundleError> {
        let now = clock::unix(at);
        if now < self.not_before() {
            return Err(BundleError::NotYetValid { wait: self.not_before() - now });
        }
        if now > self.not_after() {
            return Err(BundleError::Expired { ago: now - self.not_after() });
        }
        Ok(())
    }
}

/// The DID must decode to the key that is shown, and the key must have signed
/// a fresh challenge.
fn pin<S: DidSigner>(signer: &S) -> Result<Did, BundleError> {
    let did = signer.did().clone();
    if did.verifying_key() != signer.verifying_key() {
        return Err(BundleError::DidIsNotItsKey { did });
    }
    // Keys of this crate did so when they were opened, under this very key.
    if signer.evidence().is_none() {
        prove_possession(did.verifying_key(), |challenge| sign_statement(signer, challenge))
            .map_err(BundleError::Challenge)?;
    }
    Ok(did)
}

fn state_pinned<S: DidSigner>(
    signer: &S,
    did: &Did,
    statement: &[u8],
) -> Result<Signature, SignError> {
    pinned(signer, did, statement, sign_statement(signer, statement)?)
}

/// Whether the signer itself has verified what it signs, under the pinned key.
fn is_verified<S: DidSigner>(signer: &S, did: &Did) -> bool {
    verifies(signer) && signer.verifying_key() == did.verifying_key()
}

/// A signature that is known to verify under the pinned key.
fn pinned<S: DidSigner>(
    signer: &S,
    did: &Did,
    message: &[u8],
    signature: Signature,
) -> Result<Signature, SignError> {
    if !is_verified(signer, did) {
        did.verifying_key().verify(message, &signature)?;
    }
    Ok(signature)
}

impl<S: DidSigner> fmt::Debug for IdentityBundle<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IdentityBundle")
            .field("did", &self.did)
            .field("binding", self.companions().binding())
            .finish_non_exhaustive()
    }
}
