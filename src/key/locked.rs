//! Software keys as age files: locked with a passphrase, and unlocked again.

use std::sync::Arc;

use zeroize::Zeroizing;

use super::at_rest::AtRest;
use super::seed_payload::{self, SeedPayload};
use super::software::{LockedFile, LockedMaterial};
use super::{Key, Locked, Public, Refused, Software, Unlocked};
use crate::agefile;
use crate::did::Did;
use crate::fault::OpenError;
use crate::secret::{Passphrase, SigningSeed, leaving_no_trace_of_much};

impl Key<Software, Unlocked> {
    /// **Blocks** on scrypt. Encrypts the seed with a passphrase (age v1, scrypt with
    /// `2^18`) and wipes it from memory: afterwards nothing of it is left in the
    /// process (see [`secret`](crate::secret)).
    ///
    /// # Errors
    ///
    /// Gives the unlocked key back if the passphrase is empty or encryption
    /// failed.
    pub fn lock(self, passphrase: &Passphrase) -> Result<Key<Software, Locked>, Refused<Self>> {
        self.lock_with(passphrase, agefile::WorkFactor::default())
    }

    /// **Blocks** on scrypt. As [`Self::lock`], with another scrypt work factor.
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

    /// **Blocks** on scrypt. Decrypts with a passphrase.
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

impl AtRest for Key<Software, Locked> {
    type Credential = Passphrase;
    type Opened = Key<Software, Unlocked>;
    fn open(self, passphrase: &Passphrase) -> Result<Self::Opened, Refused<Self>> {
        self.unlock(passphrase)
    }
}
