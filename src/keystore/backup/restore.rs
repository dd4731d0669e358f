//! Putting an identity back from its backup.

use super::super::draft::{Draft, New, Stored, stored};
use super::super::header::{Header, Storage};
use super::super::identity::{IdentityStore, check_header};
use super::super::pinned::Pinned;
use super::super::undo::Undo;
use super::super::unlock::{StorageSecret, stored_secret};
use super::Backup;
use super::contents::place;
use crate::backend::{Backend, BackendKind, Credentials, KeyAtRest, Locator, Pkcs11Locator};
use crate::bundle::{IdentityBundle, NextEpoch, check_clock};
use crate::did::Did;
use crate::error::{BackupError, DeviceError, Error, ErrorKind};
use crate::key::DidKey;

impl IdentityStore {
    /// **Blocks** on device and files. Makes the identity of `did` anew from its
    /// backup.
    ///
    /// A software key gets the passphrase in `credentials`. A key of a device
    /// must be where it was, and is opened with its PIN; the device releases
    /// the storage key that it has, or keeps a new one.
    ///
    /// The TLS key and certificate are replaced, as those of another instance, so
    /// that an identity that still runs elsewhere is not shut out; the X25519 key
    /// and everything else stay. So does the epoch: if a later one was begun since
    /// the backup was made, [`Self::join_epoch`] joins it.
    ///
    /// # Errors
    ///
    /// [`BackupError::OtherDid`], [`BackupError::KeyNotThere`]; as
    /// [`Self::draft`].
    pub fn draft_restored<'a>(
        &self,
        backend: &'a dyn Backend,
        mut backup: Backup,
        did: &Did,
        credentials: &Credentials,
    ) -> Result<Draft<'a>, Error> {
        backup.is_of(did)?;
        check_header(backup.header(), backend.kind(), Pinned::To(did))?;
        if matches!(backup.header().storage(), Storage::Passphrase {}) {
            credentials.want_passphrase_beside_pin()?;
        }
        check_clock()?;
        let mut undo = Undo::begin(self)?;
        let epoch = self.epoch_left(did);
        // A TPM may open the key by them only.
        undo.put_approvals(backup.approvals.as_deref())?;
        let (key, stored) = match backup.take_key() {
            Some(key) => {
                undo.clear(backend, None, credentials)?;
                let secret = StorageSecret::Passphrase(credentials.want_passphrase()?.clone());
                let (place, storage) =
                    (Locator::AgeFile(self.payload_path()), Storage::Passphrase {});
                (key.into(), Stored { backend: backend.kind(), place, storage, secret })
            }
            None => self.open_device(&mut undo, backend, &backup.header, credentials)?,
        };
        let Backup { header: old, companions, payload, handed_over, given_up, .. } = backup;
        let payload = payload.with_in_file_until(old.in_file_until());
        let epoch = companions.binding().epoch().max(epoch);
        let bundle = IdentityBundle::from_companions(old.judge(payload.judge(key)), companions)?
            .with_retired(payload.retired_keys().clone());
        bundle.renew_apart(NextEpoch::Joined(epoch))?;
        let generation = old.generation().saturating_add(1);
        let draft = Draft::new(New::of(self, bundle, payload, stored, generation)?, undo);
        Ok(draft.with_handover(handed_over, given_up))
    }

    /// **Blocks** on device, scrypt and files. Writes the identity of `did` anew from
    /// its backup: [`Self::draft_restored`], then [`Draft::write`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn restore(
        &self,
        backend: &dyn Backend,
        backup: Backup,
        did: &Did,
        credentials: &Credentials,
    ) -> Result<IdentityBundle<DidKey>, Error> {
        self.draft_restored(backend, backup, did, credentials)?.write()
    }

    /// The key of a device where it was, and the storage key that it releases, or
    /// a new one.
    fn open_device<'a>(
        &self,
        undo: &mut Undo<'a>,
        backend: &'a dyn Backend,
        header: &Header,
        credentials: &Credentials,
    ) -> Result<(DidKey, Stored), Error> {
        let gone = |error| key_not_there(header, error);
        let (did, place) = (header.did(), self.locator_of(header));
        let KeyAtRest::Device(key) = backend.find(&place, did).map_err(gone)? else {
            return Err(DeviceError::ForeignLocator { backend: backend.kind() }.into());
        };
        let place = place.seen(key.is_shown());
        let pin = credentials.pin_for(backend.kind())?;
        undo.spare(header)?;
        undo.check_clear(backend, (did, &place))?;
        // Opened first: there the key is compared before the PIN is sent.
        let key = key.unseal(&pin).map_err(|error| gone(error.into()))?;
        undo.clear(backend, Some((did, &place)), credentials)?;
        match stored_secret(backend, header, credentials) {
            Ok(secret) => {
                let storage = header.storage().clone();
                Ok((key, Stored { backend: backend.kind(), place, storage, secret }))
            }
            Err(error) if error.is_wrong_credential() || error.kind() == ErrorKind::LockedOut => {
                Err(error)
            }
            Err(error) => {
                log::warn!(
                    "the device keeps a new storage key, since it has lost the old one: {error}"
                );
                let plan = backend.plan(Some(did))?;
                undo.announce(&plan)?;
                undo.will_remove(backend, &plan, credentials);
                Ok((key, stored(backend, &plan, did, place, credentials)?))
            }
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

    /// Where the key was, if it is on a token.
    #[cfg(feature = "pkcs11")]
    pub(crate) const fn locator(&self) -> Option<&Pkcs11Locator> {
        self.header.locator()
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
