//! Keys in process memory, and their locked form.

use std::fmt;
use std::sync::Arc;

use zeroize::Zeroizing;

use super::seed_payload::{self, SeedPayload};
use super::{Key, Locked, Public, Refused, Software, Unlocked};
use crate::agefile;
use crate::algorithm::{BadSignature, Signature, VerifyingKey};
use crate::did::{Did, DidMethod};
use crate::evidence::Evidence;
use crate::fault::{OpenError, SignError};
use crate::secret::{NoRandomness, Passphrase, SigningSeed, leaving_no_trace_of_much};

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

    /// It is our own, and of this very key.
    #[expect(clippy::unused_self, reason = "as of every material")]
    pub(super) const fn verifies(&self) -> bool {
        true
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
        self.lock_with(passphrase, agefile::WorkFactor::default())
    }

    /// As [`Self::lock`], with another scrypt work factor.
    ///
    /// # Errors
    ///
    /// As [`Self::lock`].
    pub fn lock_with(
        self,
        passphrase: &Passphrase,
        work_factor: agefile::WorkFactor,
    ) -> Result<Key<Software, Locked>, Refused<Self>> {
        let seed = SigningSeed::from_bytes(self.expose_secret());
        let payload = SeedPayload::new(self.did().clone(), seed);
        let sealed = leaving_no_trace_of_much(|| {
            let json = payload.to_json().map_err(OpenError::Payload)?;
            agefile::encrypt_with_passphrase(&json, passphrase, work_factor)
        });
        match sealed {
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
        Self::from_age_file_with_limit(did, file, agefile::MAX_WORK_FACTOR)
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
        let opened = self.decrypt(passphrase).and_then(|json| {
            let read = || seed_payload::from_json(&json).map_err(OpenError::Payload);
            let SeedPayload { did, seed, .. } = leaving_no_trace_of_much(read)?;
            self.with_seed(&did, seed)
        });
        opened.map_err(|reason| Refused::new(self, reason))
    }

    /// The JSON in the file, of which the key itself is a part.
    pub(crate) fn decrypt(&self, passphrase: &Passphrase) -> Result<Zeroizing<Vec<u8>>, OpenError> {
        let file = &self.material.0;
        agefile::decrypt_with_passphrase(&file.bytes, passphrase, file.max_work_factor)
    }

    /// The key of the seed that the file held, and the DID that it named.
    pub(crate) fn with_seed(
        &self,
        named: &Did,
        seed: Option<SigningSeed>,
    ) -> Result<Key<Software, Unlocked>, OpenError> {
        let seed = seed.ok_or(OpenError::NoSeed)?;
        let key = Key::from_signing_seed(seed, self.did().method());
        if key.did() != self.did() || named != self.did() {
            return Err(OpenError::WrongKey {
                expected: self.did().clone(),
                found: key.did().clone(),
            });
        }
        Ok(key)
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
