//! Putting an identity back from its backup.

use std::time::SystemTime;

use super::super::header::{self, Header, Storage};
use super::super::identity::{IdentityStore, check_header, seed_of};
use super::super::unlock::{StorageSecret, new_storage, stored_secret};
use super::Backup;
use super::contents::place;
use crate::backend::{Backend, BackendKind, Credentials, KeyAtRest, Pkcs11Locator};
use crate::bundle::{DEFAULT_VALIDITY, IdentityBundle};
use crate::did::Did;
use crate::error::{BackupError, DeviceError, Error};
use crate::file::{self, names};
use crate::key::DidKey;

impl IdentityStore {
    /// Writes the identity of `did` anew from its backup.
    ///
    /// A software key gets the passphrase in `credentials`. A key of a device
    /// must be where it was, and is opened with its PIN; the device releases
    /// the storage key that it has, or keeps a new one.
    ///
    /// The TLS key and certificate are replaced, and bound with a sequence
    /// number past all that peers may have seen since the backup was made; the
    /// X25519 key and everything else stay.
    ///
    /// # Errors
    ///
    /// [`BackupError::OtherDid`], [`BackupError::KeyNotThere`], or
    /// [`crate::error::KeystoreError::Exists`] rather than overwrite anything.
    pub fn restore(
        &self,
        backend: &dyn Backend,
        mut backup: Backup,
        did: &Did,
        credentials: &Credentials,
    ) -> Result<IdentityBundle<DidKey>, Error> {
        backup.is_of(did)?;
        check_header(backup.header(), backend.kind(), Some(did))?;
        if matches!(backup.header().storage(), Storage::Passphrase {}) {
            credentials.want_passphrase_beside_pin()?;
        }
        file::private_dir(self.home())?;
        let _lock = self.lock()?;
        self.clear()?;
        let approvals = self.put_approvals(&backup)?;
        let opened = open_key(self, backend, &mut backup, credentials);
        let restored =
            opened.and_then(|opened| self.write_restored(backend, backup, opened, credentials));
        if restored.is_err() && approvals {
            let _ = file::remove(&self.home().join(names::APPROVALS));
        }
        restored
    }

    fn write_restored(
        &self,
        backend: &dyn Backend,
        backup: Backup,
        opened: OpenedKey,
        credentials: &Credentials,
    ) -> Result<IdentityBundle<DidKey>, Error> {
        let did = backup.did.clone();
        let storage_is_new = opened.storage_is_new;
        let written = self.write_files(backend, backup, opened);
        if written.is_err() {
            self.remove_files();
            if storage_is_new
                && let Some(vault) = backend.vault()
                && let Err(error) = vault.discard_storage(&did, credentials)
            {
                log::warn!("a new storage key could not be removed from its device: {error}");
            }
        }
        written
    }

    fn write_files(
        &self,
        backend: &dyn Backend,
        backup: Backup,
        opened: OpenedKey,
    ) -> Result<IdentityBundle<DidKey>, Error> {
        let OpenedKey { key, storage, secret, .. } = opened;
        let Backup { header: old, companions, mut payload, .. } = backup;
        let mut bundle = IdentityBundle::from_companions(key, companions)?;
        bundle.renew(SystemTime::now(), DEFAULT_VALIDITY)?;
        let header = Header::new(
            bundle.signer(),
            backend.kind(),
            &self.locator_of(&old),
            storage,
            bundle.companions(),
            old.generation().saturating_add(1),
        );
        let text = header.to_json()?;
        let seed = seed_of(bundle.signer());
        payload.renew(seed, bundle.companions(), header::hash(&text));
        let sealed = secret.seal(&payload, &self.age)?;
        file::write(&self.header_path(), text.as_bytes())?;
        file::write(&self.payload_path(), &sealed)?;
        self.read_back(&text, &payload, &secret)?;
        Ok(bundle)
    }

    /// A TPM may open the key by them only. None is put over others.
    fn put_approvals(&self, backup: &Backup) -> Result<bool, Error> {
        let path = self.home().join(names::APPROVALS);
        match &backup.approvals {
            Some(approvals) if path.symlink_metadata().is_err() => {
                file::write(&path, approvals.as_bytes())?;
                Ok(true)
            }
            _ => Ok(false),
        }
    }
}

/// The key, and what will open its payload.
struct OpenedKey {
    key: DidKey,
    storage: Storage,
    secret: StorageSecret,
    storage_is_new: bool,
}

/// The software key under its new passphrase; or the key of a device where it
/// was, and a storage key that the device releases.
fn open_key(
    store: &IdentityStore,
    backend: &dyn Backend,
    backup: &mut Backup,
    credentials: &Credentials,
) -> Result<OpenedKey, Error> {
    if let Some(key) = backup.take_key() {
        let secret = StorageSecret::Passphrase(credentials.want_passphrase_beside_pin()?.clone());
        let storage = Storage::Passphrase {};
        return Ok(OpenedKey { key: key.into(), storage, secret, storage_is_new: false });
    }
    let header = &backup.header;
    let gone = |error| key_not_there(header, error);
    let found = backend.find(&store.locator_of(header), header.did()).map_err(gone)?;
    let KeyAtRest::Device(key) = found else {
        return Err(DeviceError::ForeignLocator { backend: backend.kind() }.into());
    };
    let key =
        key.unseal(&credentials.pin_for(backend.kind())?).map_err(|error| gone(error.into()))?;
    match stored_secret(backend, header, credentials) {
        Ok(secret) => {
            let storage = header.storage().clone();
            Ok(OpenedKey { key, storage, secret, storage_is_new: false })
        }
        Err(error) if error.is_wrong_credential() => Err(error),
        Err(error) => {
            log::warn!(
                "the device keeps a new storage key, since it has lost the old one: {error}"
            );
            let (storage, secret) = new_storage(backend, header.did(), credentials)?;
            Ok(OpenedKey { key, storage, secret, storage_is_new: true })
        }
    }
}

/// Says in plain words that a device has the key, where it is the device that
/// is missing.
pub(super) fn key_not_there(header: &Header, error: Error) -> Error {
    match place(header) {
        Some(place) if BackupError::key_is_not_there(&error) => {
            let (did, source) = (header.did().clone(), Box::new(error));
            BackupError::KeyNotThere { did, place, source }.into()
        }
        _ => error,
    }
}

impl Backup {
    /// Where the key is, if it is in a device: `token node-1 (serial 0123)`.
    #[must_use]
    pub fn device(&self) -> Option<String> {
        place(&self.header)
    }

    /// The same identity, whose key is now on another token. What a search
    /// found is not believed: the key must prove itself when it is opened.
    #[must_use]
    pub fn at(mut self, locator: Pkcs11Locator) -> Self {
        self.header = self.header.at(locator);
        self
    }

    /// The backend that has or had the key.
    #[must_use]
    pub const fn backend(&self) -> BackendKind {
        self.header.backend()
    }

    /// What an error means for this backup, that came when its device was
    /// looked for: that its key is not to be had there, if it means that.
    #[must_use]
    pub fn explain(&self, error: Error) -> Error {
        key_not_there(&self.header, error)
    }
}
