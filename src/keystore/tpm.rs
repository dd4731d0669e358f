//! An identity whose keys are sealed to the TPM anew: under other PCR values,
//! another kind of policy, or another PIN. The keys stay.

use super::change::Change;
use super::header::Storage;
use super::identity::IdentityStore;
use super::journal::During;
use super::located::Located;
use super::pinned::Pinned;
use super::unlock::StorageSecret;
use crate::backend::tpm::TpmBackend;
use crate::backend::{Backend as _, Credentials, Locator, PcrValues};
use crate::bundle::IdentityBundle;
use crate::error::{Error, KeystoreError};
use crate::key::DidKey;
use crate::secret::Pin;

impl IdentityStore {
    /// **Blocks** on device and files. Opens the identity and seals its keys under
    /// the policy that is now configured, for the present PCR values and those given
    /// as well.
    ///
    /// A backup that was made before wants the PCR values and the PIN of then: make a new
    /// one afterwards ([`Backup::check_on`](super::backup::Backup::check_on) tells).
    ///
    /// Nothing is left to the new policy alone until it was written down: the
    /// old objects stay good as well, as long as their policy is satisfied.
    ///
    /// # Errors
    ///
    /// [`crate::error::TpmError::NotResealable`] for a P-256 key: its policy is a part of it.
    /// The files are as they were then.
    pub fn reseal(
        &self,
        backend: &TpmBackend,
        pinned: Pinned<'_>,
        credentials: &Credentials,
        new_pin: &Pin,
        values: Option<&PcrValues>,
    ) -> Result<IdentityBundle<DidKey>, Error> {
        let located = self.locate(backend, pinned)?;
        located.prepare_reseal(backend, credentials, new_pin, values)?.write()
    }
}

impl Located<'_> {
    /// **Blocks** on device and files. Opens the identity and seals its keys anew, to
    /// write that down: see [`IdentityStore::reseal`]. The backend is the one that it
    /// was found by.
    ///
    /// # Errors
    ///
    /// As there.
    pub fn prepare_reseal(
        self,
        backend: &TpmBackend,
        credentials: &Credentials,
        new_pin: &Pin,
        values: Option<&PcrValues>,
    ) -> Result<Change, Error> {
        self.store.check_unmoved(During::Switched)?;
        TpmBackend::check_resealable(self.header.did())?;
        let mut session = self.session(credentials)?;
        let (Some(object), StorageSecret::Key(storage_key)) =
            (session.header.tpm(), &session.secret)
        else {
            let path = session.store.header_path();
            return Err(KeystoreError::HeaderMismatch { path }.into());
        };
        let (did, pin) = (session.header.did(), credentials.pin_for(backend.kind())?);
        // A copy on the ordinary heap, wiped when dropped, for this call.
        let storage_key = storage_key.clone();
        let (key, storage) = backend.reseal(did, object, &storage_key, &pin, new_pin, values)?;
        session.recorded = Locator::Tpm(Box::new(key));
        session.storage = Storage::TpmSealed { object: Box::new(storage) };
        Ok(Change::new(session))
    }
}
