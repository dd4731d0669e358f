//! The one door for signers written outside this crate.

use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;

use super::challenge::prove_possession;
use super::hooks::Store;
use super::{External, Holds, Key, Public, Refused, Unlocked};
use crate::algorithm::{Algorithm, P256, Signature, VerifyingKey};
use crate::did::{Did, DidMethod};
use crate::fault::{OpenError, SignError};

/// A signer that this crate cannot look into: a cloud KMS, an agent, a test.
pub trait ExternalSigner: Send + Sync + 'static {
    /// The public key that it signs under. Asked once and pinned.
    fn verifying_key(&self) -> VerifyingKey;

    /// **Blocks** as what is behind it does. Signs exactly the bytes given.
    ///
    /// # Errors
    ///
    /// Whatever went wrong; it becomes the source of a [`SignError`].
    fn sign(&self, message: &[u8]) -> Result<Signature, Box<dyn StdError + Send + Sync>>;
}

/// A foreign signer.
#[allow(unnameable_types, reason = "materials are not for outsiders")]
pub struct ExternalMaterial(Box<Box<dyn ExternalSigner>>);

impl ExternalMaterial {
    /// By [`Self::sign`].
    #[expect(clippy::unused_self, reason = "as of every material")]
    pub(super) const fn verifies(&self) -> bool {
        true
    }

    /// Foreign signers are asked for messages.
    #[expect(clippy::unused_self, reason = "as of every material")]
    pub(super) const fn sign_sha256(
        &self,
        _: &Public,
        _: &[u8; 32],
    ) -> Option<Result<Signature, SignError>> {
        None
    }

    pub(super) fn sign(&self, public: &Public, message: &[u8]) -> Result<Signature, SignError> {
        let signature = self.0.sign(message).map_err(SignError::External)?.to_low_s()?;
        public.verifying_key().verify(message, &signature)?;
        Ok(signature)
    }
}

impl Key<External, Unlocked> {
    /// **Blocks** as its signer does. Takes a foreign Ed25519 signer, after a fresh
    /// challenge verified under its key.
    ///
    /// Every signature it makes later is verified under the key pinned here.
    ///
    /// # Errors
    ///
    /// Gives the signer back if it cannot sign the challenge, or not under the
    /// key that it shows, or if that is no Ed25519 key.
    pub fn from_external<E: ExternalSigner>(signer: E) -> Result<Self, Refused<E>> {
        take(signer)
    }
}

impl Key<External, Unlocked, P256> {
    /// **Blocks** as its signer does. Takes a foreign P-256 signer, as
    /// [`Key::<External, Unlocked>::from_external`] takes one for Ed25519. It has a
    /// name of its own because Rust could not tell which of two is meant by
    /// `Key::<External, Unlocked>::from_external`.
    ///
    /// # Errors
    ///
    /// As there. A signature with the higher `s` is turned into the lower one.
    pub fn from_external_p256<E: ExternalSigner>(signer: E) -> Result<Self, Refused<E>> {
        take(signer)
    }
}

fn take<A, E>(signer: E) -> Result<Key<External, Unlocked, A>, Refused<E>>
where
    A: Algorithm,
    E: ExternalSigner,
    External: Holds<Unlocked, A> + Store<Unlocked, A, Material = ExternalMaterial>,
{
    let key = signer.verifying_key();
    if key.algorithm() != A::ID {
        let (demanded, found) = (A::ID, key.algorithm());
        return Err(Refused::new(signer, OpenError::WrongAlgorithm { demanded, found }));
    }
    let proven = prove_possession(&key, |challenge| {
        Ok(signer.sign(challenge).map_err(SignError::External)?.to_low_s()?)
    });
    match proven {
        Ok(()) => {
            let did = Did::fitting(DidMethod::default(), &key);
            let public = Arc::new(Public::new(did, None));
            Ok(Key::new(public, ExternalMaterial(Box::new(Box::new(signer)))))
        }
        Err(reason) => Err(Refused::new(signer, reason)),
    }
}

impl fmt::Debug for ExternalMaterial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ExternalMaterial").finish_non_exhaustive()
    }
}
