//! An identity under another passphrase, and other scrypt work.

use super::header;
use super::identity::{IdentityStore, check_header, seed_of};
use super::replace::previous;
use super::unlock::{Credentials, StorageSecret};
use crate::backend::Backend;
use crate::did::Did;
use crate::error::{Error, KeystoreError, OpenError};
use crate::file::Lock;
use crate::secret::Passphrase;

impl IdentityStore {
    /// Encrypts the payload anew, under another passphrase (or the same one) and
    /// with the scrypt work that is configured. Key and companions stay.
    ///
    /// Crash-safe as every write: until the new files were read back and opened
    /// with the new passphrase, the old ones are kept; then nothing is left that
    /// the old passphrase opens. Copies made before, and what a disk keeps of
    /// removed files, still open with it.
    ///
    /// # Errors
    ///
    /// [`KeystoreError::NoPassphrase`] if a device and not a passphrase opens
    /// the payload; nothing is asked of the device then.
    /// [`KeystoreError::PreviousKept`] if the new passphrase holds, and the
    /// previous version could not be removed. After any other error the old
    /// passphrase holds.
    pub fn change_passphrase(
        &self,
        backend: &dyn Backend,
        pinned: Option<&Did>,
        credentials: &Credentials,
        new: &Passphrase,
    ) -> Result<(), Error> {
        if new.is_empty() {
            return Err(OpenError::EmptyPassphrase.into());
        }
        self.read_header()?;
        let _lock = Lock::exclusive(self.home())?;
        let (header, text) = self.read_header()?;
        check_header(&header, backend.kind(), pinned)?;
        header.check_passphrase()?;
        let locator = self.locator_of(&header);
        let (key, secret, payload) = self.unlock(backend, &header, &locator, credentials)?;
        let (header, payload) = self.matching_header(header, &text, payload, &secret)?;
        self.sweep();
        let renumbered = header.rewritten();
        let text = renumbered.to_json()?;
        let payload = payload.with_seed(seed_of(&key)).under_header(header::hash(&text));
        self.replace(&text, &payload, &StorageSecret::Passphrase(new.clone()))?;
        // It would be opened by the old passphrase.
        self.remove_previous().map_err(|source| {
            let (path, source) = (previous(&self.payload_path()), source.into());
            KeystoreError::PreviousKept { path, source }.into()
        })
    }
}
