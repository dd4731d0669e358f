//! Seeds sealed to a TPM: in the chip's keeping at rest, in locked memory
//! while unlocked.

use std::fmt;
use std::sync::Arc;

use super::challenge::prove_possession;
use super::software::sign_with_seed;
use super::{Key, Public, Refused, Sealed, TpmSealed, Unlocked};
use crate::algorithm::Signature;
use crate::did::Did;
use crate::evidence::{Evidence, ProvenanceKind};
use crate::fault::{OpenError, SignError};
use crate::secret::{Pin, SigningSeed};

/// A seed that a backend found sealed to its TPM. Crate-private, like
/// [`super::device::DeviceKey`].
pub(crate) trait SealedSeed: fmt::Debug + Send + Sync {
    /// Satisfies the policy and has the seed unsealed, once.
    fn unseal(&self, pin: &Pin) -> Result<(SigningSeed, Evidence), OpenError>;
}

/// The way to a sealed seed.
#[derive(Debug)]
#[allow(unnameable_types, reason = "materials are not for outsiders")]
pub struct SealedSeedMaterial(pub(super) Box<Arc<dyn SealedSeed>>);

/// An unsealed seed, expanded, in locked memory.
#[allow(unnameable_types, reason = "materials are not for outsiders")]
pub struct UnsealedSeedMaterial(Box<Unsealed>);

struct Unsealed {
    handle: Arc<dyn SealedSeed>,
    seed: SigningSeed,
}

impl UnsealedSeedMaterial {
    /// In memory it is our own, and of this very key.
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
        sign_with_seed(&self.0.seed, public, message)
    }
}

/// Opens and checks everything: the seed must be that of the DID.
pub(super) fn open(
    did: &Did,
    material: &SealedSeedMaterial,
    pin: &Pin,
) -> Result<Key<TpmSealed, Unlocked>, OpenError> {
    let handle = Arc::clone(&material.0);
    let (seed, evidence) = handle.unseal(pin)?;
    checked(did, handle, seed, evidence)
}

/// A key from its seed, however it was come by: unsealed, or just sealed.
#[cfg_attr(not(feature = "tpm"), allow(dead_code, reason = "called by that backend"))]
pub(crate) fn checked(
    did: &Did,
    handle: Arc<dyn SealedSeed>,
    seed: SigningSeed,
    evidence: Evidence,
) -> Result<Key<TpmSealed, Unlocked>, OpenError> {
    let found = evidence.provenance();
    if found != ProvenanceKind::TpmSealed {
        return Err(OpenError::WrongProvenance { demanded: ProvenanceKind::TpmSealed, found });
    }
    let shown = seed.verifying_key().into();
    if shown != *did.verifying_key() {
        return Err(OpenError::WrongKey {
            expected: did.clone(),
            found: Did::fitting(did.method(), &shown),
        });
    }
    let public = Arc::new(Public::new(did.clone(), Some(evidence)));
    prove_possession(&shown, |challenge| sign_with_seed(&seed, &public, challenge))?;
    Ok(Key::new(public, UnsealedSeedMaterial(Box::new(Unsealed { handle, seed }))))
}

impl Key<TpmSealed, Sealed> {
    /// **Blocks** on the device. Satisfies the policy under which the seed was sealed
    /// (PCRs, the PIN if there is one) and unseals it into locked memory.
    ///
    /// # Errors
    ///
    /// Gives the sealed key back. A wrong PIN was tried exactly once.
    pub fn unseal(self, pin: &Pin) -> Result<Key<TpmSealed, Unlocked>, Refused<Self>> {
        match open(self.did(), &self.material, pin) {
            Ok(key) => Ok(key),
            Err(reason) => Err(Refused::new(self, reason)),
        }
    }
}

impl Key<TpmSealed, Unlocked> {
    /// Wipes our copy of the seed. The policy must be satisfied again. (The
    /// TPM's C library does not wipe what it unsealed: see
    /// `docs/backends/tpm.md`.)
    pub fn seal(self) -> Key<TpmSealed, Sealed> {
        let public = Arc::new(Public::new(self.did().clone(), None));
        Key::new(public, SealedSeedMaterial(Box::new(self.material.0.handle)))
    }
}

impl fmt::Debug for UnsealedSeedMaterial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UnsealedSeedMaterial").finish_non_exhaustive()
    }
}
