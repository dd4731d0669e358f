//! Keys in process memory, and their locked form.

use std::fmt;
use std::sync::Arc;

use super::{Key, Locked, Public, Refused, Software, Unlocked};
use crate::algorithm::{BadSignature, Signature, VerifyingKey};
use crate::did::{Did, DidMethod};
use crate::evidence::Evidence;
use crate::fault::{OpenError, SignError};
use crate::keystore::age;
use crate::keystore::payload::Payload;
use crate::secret::{NoRandomness, Passphrase, SigningSeed};

/// An age file that holds the seed.
#[allow(unnameable_types, reason = "materials are not for outsiders")]
pub struct LockedMaterial(Box<LockedFile>);

struct LockedFile {
    bytes: Vec<u8>,
    max_work_factor: u8,
}

/// The seed, expanded, in locked memory.
#[allow(unnameable_types, reason = "materials are not for outsiders")]
pub struct UnlockedMaterial(SigningSeed);

impl UnlockedMaterial {
    pub(super) fn seed(&self) -> &[u8; 32] {
        self.0.as_bytes()
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

impl Key<Software, Unlocked> {
    /// A new key from the system's random generator, made in locked memory.
    ///
    /// # Errors
    ///
    /// [`NoRandomness`] only.
    pub fn generate() -> Result<Self, NoRandomness> {
        Ok(Self::from_signing_seed(SigningSeed::generate()?, DidMethod::default()))
    }

    /// The key of a 32-byte seed (RFC 8032, section 5.1.5).
    ///
    /// The seed is copied into locked memory; wipe the one you gave.
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        Self::from_signing_seed(SigningSeed::from_bytes(seed), DidMethod::default())
    }

    pub(crate) fn from_signing_seed(seed: SigningSeed, method: DidMethod) -> Self {
        let did = Did::from_key(method, &seed.verifying_key().into());
        let public = Public::new(did, Some(Evidence::software()));
        Self::new(Arc::new(public), UnlockedMaterial(seed))
    }

    /// Encrypts the seed with a passphrase (age v1, scrypt with `2^18`) and
    /// wipes it from memory: afterwards nothing of it is left in the process (see
    /// [`secret`](crate::secret)).
    ///
    /// # Errors
    ///
    /// Gives the unlocked key back if the passphrase is empty or encryption
    /// failed.
    pub fn lock(self, passphrase: &Passphrase) -> Result<Key<Software, Locked>, Refused<Self>> {
        self.lock_with(passphrase, age::WorkFactor::default())
    }

    /// As [`Self::lock`], with another scrypt work factor.
    ///
    /// # Errors
    ///
    /// As [`Self::lock`].
    pub fn lock_with(
        self,
        passphrase: &Passphrase,
        work_factor: age::WorkFactor,
    ) -> Result<Key<Software, Locked>, Refused<Self>> {
        let payload =
            Payload::of_seed(self.did().clone(), SigningSeed::from_bytes(self.expose_secret()));
        match age::seal_with_passphrase(&payload, passphrase, work_factor) {
            Ok(file) => Ok(Key::from_age_file(self.did().clone(), file)),
            Err(error) => Err(Refused::new(self, error)),
        }
    }
}

impl Key<Software, Locked> {
    /// A key as an age file, under the DID that is expected in it.
    ///
    /// Nothing is decrypted here: `unlock` finds out whether the file holds
    /// that key.
    pub fn from_age_file(did: Did, file: Vec<u8>) -> Self {
        Self::from_age_file_with_limit(did, file, age::MAX_WORK_FACTOR)
    }

    pub(crate) fn from_age_file_with_limit(did: Did, bytes: Vec<u8>, max_work_factor: u8) -> Self {
        let file = LockedFile { bytes, max_work_factor };
        Self::new(Arc::new(Public::new(did, None)), LockedMaterial(Box::new(file)))
    }

    /// The age v1 file, as the stock `age` tool reads it.
    #[must_use]
    pub fn as_age_file(&self) -> &[u8] {
        &self.material.0.bytes
    }

    /// Decrypts with a passphrase.
    ///
    /// # Errors
    ///
    /// Gives the locked key back when the passphrase is wrong, the file is
    /// damaged or asks for too much work, or holds the key of another DID.
    pub fn unlock(self, passphrase: &Passphrase) -> Result<Key<Software, Unlocked>, Refused<Self>> {
        match self.open_payload(passphrase) {
            Ok((key, _)) => Ok(key),
            Err(reason) => Err(Refused::new(self, reason)),
        }
    }

    /// One decryption gives the key and what else the file holds.
    pub(crate) fn open_payload(
        &self,
        passphrase: &Passphrase,
    ) -> Result<(Key<Software, Unlocked>, Payload), OpenError> {
        let mut payload = age::open_with_passphrase(
            &self.material.0.bytes,
            passphrase,
            self.material.0.max_work_factor,
        )?;
        let seed = payload.take_seed().ok_or(OpenError::NoSeed)?;
        let key = Key::from_signing_seed(seed, self.did().method());
        if key.did() != self.did() || payload.did() != self.did() {
            return Err(OpenError::WrongKey {
                expected: self.did().clone(),
                found: key.did().clone(),
            });
        }
        Ok((key, payload))
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
