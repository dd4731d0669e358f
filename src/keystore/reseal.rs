//! An identity whose keys are sealed to the TPM anew: under other PCR values,
//! another kind of policy, or another PIN. The keys stay.

use super::header;
use super::identity::{IdentityStore, check_header};
use super::unlock::{Credentials, StorageSecret};
use crate::backend::tpm::TpmBackend;
use crate::backend::{Backend as _, BackendKind, PcrValues};
use crate::bundle::IdentityBundle;
use crate::did::Did;
use crate::error::{Error, KeystoreError};
use crate::file::Lock;
use crate::key::DidKey;
use crate::secret::Pin;

impl IdentityStore {
    /// Opens the identity and seals its keys under the policy that is now
    /// configured, for the present PCR values and those given as well.
    ///
    /// Nothing is left to the new policy alone until it was written down: the
    /// old objects stay good as well, as long as their policy is satisfied.
    ///
    /// # Errors
    ///
    /// [`crate::error::TpmError::NoSuchPolicy`] for a P-256 key: its policy is a part of it.
    /// The files are as they were then.
    pub fn reseal(
        &self,
        backend: &TpmBackend,
        pinned: Option<&Did>,
        credentials: &Credentials,
        new_pin: &Pin,
        values: Option<&PcrValues>,
    ) -> Result<IdentityBundle<DidKey>, Error> {
        self.read_header()?;
        let _lock = Lock::exclusive(self.home())?;
        let (header, text) = self.read_header()?;
        check_header(&header, BackendKind::Tpm, pinned)?;
        let object = header
            .tpm()
            .cloned()
            .ok_or_else(|| KeystoreError::HeaderMismatch { path: self.header_path() })?;
        TpmBackend::check_resealable(header.did())?;
        let place = self.locator_of(&header);
        let (key, secret, payload) = self.unlock(backend, &header, &place, credentials)?;
        let (header, mut payload) = self.matching_header(header, &text, payload, &secret)?;
        let StorageSecret::Key(storage_key) = &secret else {
            return Err(KeystoreError::HeaderMismatch { path: self.header_path() }.into());
        };
        let credential = credentials.for_backend(backend.kind())?;
        let pin = credential.pin(backend.kind())?;
        let (key_object, storage) =
            backend.reseal(header.did(), &object, storage_key, pin, new_pin, values)?;
        let moved = header.resealed(key_object, storage);
        let text = moved.to_json()?;
        let companions = self.companions(&header, &mut payload)?;
        let bundle = IdentityBundle::from_companions(key, companions)?;
        let payload = payload.renewed(None, bundle.companions(), header::hash(&text));
        self.replace(&text, &payload, &secret)?;
        Ok(bundle)
    }
}
