//! Seeds that were in a file, sealed as those that are made for the TPM.

use subtle::ConstantTimeEq as _;

use super::make::States;
use super::pin::Purpose;
use super::{TpmBackend, tpm};
use crate::backend::{Backend as _, Credentials, Imported, ImportedKey, Locator, Plan, SeedImport};
use crate::error::{Error, TpmError};
use crate::key::{Key, Software, Unlocked};
use crate::secret::SigningSeed;

impl SeedImport for TpmBackend {
    fn check_import(&self, _: Option<&str>) -> Result<(), Error> {
        // A policy that cannot be is told when the backend is opened.
        self.check_making()
    }

    fn import_as(
        &self,
        plan: &Plan,
        key: &Key<Software, Unlocked>,
        _: Option<&str>,
        credentials: &Credentials,
    ) -> Result<Imported, Error> {
        let pin = credentials.pin_for(self.kind())?;
        self.warn_if_open_to_its_machine();
        let (did, seed) = (key.did().clone(), SigningSeed::from_bytes(key.expose_secret()));
        let (sealed, object) = self.seal_seed(States::planned(plan), did.clone(), seed, &pin)?;
        // Before anything depends on it.
        let opened = self.access.unseal(&object, Purpose::Key, did.as_str(), &pin).map_err(tpm)?;
        if !bool::from(opened.ct_eq(key.expose_secret())) {
            return Err(tpm(TpmError::Damaged { what: Purpose::Key.object(), source: None }));
        }
        let (key, locator) = (ImportedKey::TpmSealed(sealed), Locator::Tpm(Box::new(object)));
        Ok(Imported { key, locator })
    }
}
