//! An identity under another passphrase, and other scrypt work.

use super::identity::IdentityStore;
use super::journal::During;
use super::located::Located;
use super::pinned::Pinned;
use super::unlock::StorageSecret;
use crate::backend::{Backend, Credentials};
use crate::error::{Error, KeystoreError, OpenError};
use crate::file::names::previous;
use crate::secret::Passphrase;

impl IdentityStore {
    /// **Blocks** on device, scrypt and files. Encrypts the payload anew, under
    /// another passphrase (or the same one) and with the scrypt work that is
    /// configured. Key and companions stay.
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
    /// passphrase holds; unless the disk failed a second time, and the previous
    /// version could not be put back either (a warning is logged): then one of the two
    /// passphrases opens the identity, and both versions are kept until it is opened.
    pub fn change_passphrase(
        &self,
        backend: &dyn Backend,
        pinned: Pinned<'_>,
        credentials: &Credentials,
        new: &Passphrase,
    ) -> Result<(), Error> {
        self.locate(backend, pinned)?.change_passphrase(credentials, new)
    }
}

impl Located<'_> {
    /// **Blocks** on scrypt and files. Whether a passphrase opens the payload. Nothing is asked
    /// of a device.
    ///
    /// # Errors
    ///
    /// [`KeystoreError::NoPassphrase`]; as [`Self::open`], of the payload.
    pub fn check_passphrase(&self, credentials: &Credentials) -> Result<(), Error> {
        self.header.check_passphrase()?;
        let passphrase = credentials.want_passphrase_beside_pin()?.clone();
        let secret = StorageSecret::Passphrase(passphrase);
        let opened = secret.unseal(&self.store.payload_file()?, &self.store.age);
        self.store.about_payload(opened).map(drop)
    }

    /// **Blocks** on device, scrypt and files. See
    /// [`IdentityStore::change_passphrase`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn change_passphrase(
        self,
        credentials: &Credentials,
        new: &Passphrase,
    ) -> Result<(), Error> {
        if new.is_empty() {
            return Err(OpenError::EmptyPassphrase.into());
        }
        self.store.check_unmoved(During::Nothing)?;
        self.header.check_passphrase()?;
        let mut session = self.session(credentials)?;
        session.secret = StorageSecret::Passphrase(new.clone());
        session.rewrite()?;
        // It would be opened by the old passphrase.
        session.store.remove_previous().map_err(|source| {
            let (path, source) = (previous(&session.store.payload_path()), source.into());
            KeystoreError::PreviousKept { path, source }.into()
        })
    }
}
