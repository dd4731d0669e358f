//! Keys in process memory, and their locked form.

use std::fmt;
use std::sync::Arc;

use super::hooks::Makes;
use super::{Key, Public, Software, Unlocked};
use crate::algorithm::{BadSignature, Signature, VerifyingKey};
use crate::did::{Did, DidMethod};
use crate::evidence::Evidence;
use crate::fault::SignError;
use crate::private::Token;
use crate::secret::{NoRandomness, SigningSeed};

/// An age file that holds the seed.
#[allow(unnameable_types, reason = "materials are not for outsiders")]
pub struct LockedMaterial(pub(super) Box<LockedFile>);

pub(super) struct LockedFile {
    pub(super) bytes: Vec<u8>,
    pub(super) max_work_factor: u8,
}

/// The seed, expanded, in locked memory.
#[allow(unnameable_types, reason = "materials are not for outsiders")]
pub struct UnlockedMaterial(SigningSeed);

impl UnlockedMaterial {
    pub(super) fn seed(&self) -> &[u8; 32] {
        self.0.as_bytes()
    }

    /// It is our own, and of this very key.
    #[expect(clippy::unused_self, reason = "as of every material")]
    pub(super) const fn verifies(&self) -> bool {
        true
    }

    /// Ed25519 wants the message.
    #[expect(clippy::unused_self, reason = "as of every material")]
    pub(super) const fn sign_sha256(
        &self,
        _: &Public,
        _: &[u8; 32],
    ) -> Option<Result<Signature, SignError>> {
        None
    }

    pub(super) fn sign(&self, public: &Public, message: &[u8]) -> Result<Signature, SignError> {
        sign_with_seed(&self.0, public, message)
    }
}

/// Signs with a seed in memory.
pub(super) fn sign_with_seed(
    seed: &SigningSeed,
    public: &Public,
    message: &[u8],
) -> Result<Signature, SignError> {
    match public.verifying_key() {
        VerifyingKey::Ed25519(key) => Ok(Signature::from_ed25519_bytes(seed.sign(key, message))),
        // No seed is kept beside such a key.
        VerifyingKey::P256(_) => Err(BadSignature::new().into()),
    }
}

impl Makes for Key<Software, Unlocked> {
    fn make(_: Token) -> Result<Self, NoRandomness> {
        Ok(Self::from_signing_seed(SigningSeed::generate()?, DidMethod::default()))
    }

    fn of_seed(_: Token, seed: &[u8; 32]) -> Self {
        Self::from_signing_seed(SigningSeed::from_bytes(seed), DidMethod::default())
    }
}

impl Key<Software, Unlocked> {
    pub(crate) fn from_signing_seed(seed: SigningSeed, method: DidMethod) -> Self {
        let did = Did::fitting(method, &seed.verifying_key().into());
        let public = Public::new(did, Some(Evidence::software()));
        Self::new(Arc::new(public), UnlockedMaterial(seed))
    }
}

impl fmt::Debug for LockedMaterial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LockedMaterial").finish_non_exhaustive()
    }
}

impl fmt::Debug for UnlockedMaterial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UnlockedMaterial").finish_non_exhaustive()
    }
}
