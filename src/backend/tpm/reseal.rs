//! Sealing the same keys under another policy.

use subtle::ConstantTimeEq as _;

use super::make::{Named, States};
use super::pin::Purpose;
use super::{TpmBackend, seed, tpm};
use crate::algorithm::AlgorithmId;
use crate::backend::{PcrValues, TpmObject};
use crate::did::Did;
use crate::error::{Error, OpenError, TpmError};
use crate::secret::{LockedText, Pin};

impl TpmBackend {
    /// # Errors
    ///
    /// [`TpmError::NotResealable`] for keys that are not sealed data.
    pub(crate) fn check_resealable(did: &Did) -> Result<(), Error> {
        match did.verifying_key().algorithm() {
            AlgorithmId::Ed25519 => Ok(()),
            AlgorithmId::P256 => Err(tpm(TpmError::NotResealable)),
        }
    }

    /// Unseals the seed once more, and seals it and the storage key under the
    /// policy that is now configured. Gives both objects, which were opened once.
    pub(crate) fn reseal(
        &self,
        did: &Did,
        object: &TpmObject,
        storage_key: &LockedText,
        pin: &Pin,
        new_pin: &Pin,
        values: Option<&PcrValues>,
    ) -> Result<(TpmObject, TpmObject), Error> {
        let bytes = self.access.unseal(object, Purpose::Key, did.as_str(), pin).map_err(tpm)?;
        let seed = seed::seed(&bytes).map_err(tpm)?;
        drop(bytes);
        let shown = seed.verifying_key().into();
        if *did.verifying_key() != shown {
            let (expected, found) = (did.clone(), Did::fitting(did.method(), &shown));
            return Err(OpenError::WrongKey { expected, found }.into());
        }
        // Another PIN gets another salt. The same one keeps its own, by which refused PINs are
        // known.
        // Read once for both.
        let present = self.present_pcrs_if_bound()?;
        let coming = values.map(|values| self.overlaid(present.as_ref(), values)).transpose()?;
        let states = States { present: present.as_ref(), coming: coming.as_ref() };
        let policy = self.new_policy(&Named::Did(did), Purpose::Key, new_pin, states)?;
        let key = self.make(&policy, Purpose::Key, new_pin, Some((did, seed.as_bytes())))?;
        let storage = self.seal_storage(did, storage_key, new_pin, states)?;
        // Before anything depends on them. The present PCRs open them too.
        let opened = self.access.unseal(&key, Purpose::Key, did.as_str(), new_pin);
        let same_seed = bool::from(opened.map_err(tpm)?.ct_eq(seed.as_bytes()));
        let opened = self.access.unseal(&storage, Purpose::Storage, did.as_str(), new_pin);
        let stored = storage_key.expose_secret().as_bytes();
        let same_storage = bool::from(opened.map_err(tpm)?.ct_eq(stored));
        self.access.forget_pin();
        if !same_seed || !same_storage {
            return Err(tpm(TpmError::Damaged { what: "new object", source: None }));
        }
        Ok((key, storage))
    }

    /// The present values of the configured PCRs, with others in the place of
    /// some.
    fn overlaid(
        &self,
        present: Option<&PcrValues>,
        values: &PcrValues,
    ) -> Result<PcrValues, Error> {
        let present = match present {
            Some(present) => present.clone(),
            None => self.present_pcrs()?,
        };
        present.overlaid(values).ok_or_else(|| {
            tpm(TpmError::NoSuchPolicy {
                reason: "the values given are of another bank, or of PCRs that are not configured",
            })
        })
    }
}
