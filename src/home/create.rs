//! Making an identity: its DID is pinned in the configuration before it is there.

use super::Home;
use super::ask::Asked;
use super::pins::{self, Made};
use super::source::CredentialSource;
use super::wants::{Step, Wanted, Wants};
use crate::algorithm::AlgorithmId;
use crate::backend::{Backend, BackendKind, Credentials, Locator, NewKey};
use crate::bundle::check_clock;
use crate::config::Config;
use crate::did::Did;
use crate::error::{DeviceError, Error, KeystoreError};
use crate::file;
use crate::keystore::backup::Backup;
use crate::keystore::{Draft, IdentityStore, LegacyIdentity, Needs, Pinned};
use crate::secret::{Passphrase, Pin};

impl Home {
    /// **Blocks** on files. Whether an identity can be made here: there is none, and
    /// none is pinned; and the clock is set. An identity that has lost a file is put
    /// back, and never replaced.
    ///
    /// # Errors
    ///
    /// [`KeystoreError::PinnedNotThere`], [`KeystoreError::Exists`], or
    /// [`BundleError::ClockNotSet`](crate::bundle::BundleError::ClockNotSet).
    pub fn check_vacant(&self) -> Result<(), Error> {
        self.check_vacant_for(None)
    }

    /// The same, for an identity around a key that is there: that it is pinned is in
    /// nobody's way.
    pub(super) fn check_vacant_for(&self, adopted: Option<&Did>) -> Result<(), Error> {
        // What is left of one is the migration's, whatever is pinned there.
        self.store.check_not_kept()?;
        if let Some(did) = self.pinned_for_new()?
            && adopted != Some(did)
            && (self.store.header().is_err() || self.store.check_vacant().is_ok())
        {
            let claimed = self.store.unfinished().ok().flatten();
            let claimed = claimed.is_some_and(|left| left.was_never_made(did));
            let note = claimed.then(|| self.directory().join(file::names::UNFINISHED));
            let in_the_way = match self.store.check_vacant() {
                Err(KeystoreError::Exists { path }) => Some(path),
                _ => None,
            };
            let (path, did) = (self.config_path.clone(), did.clone());
            return Err(KeystoreError::PinnedNotThere { path, did, note, in_the_way }.into());
        }
        file::check_directory(self.directory())?;
        self.store.check_vacant()?;
        // Whoever is made now signs when that was.
        Ok(check_clock()?)
    }

    /// **Blocks** on files. The DID that is pinned, where an identity is to be made:
    /// that of one which was never made is in nobody's way, if it is where whoever
    /// wrote the note of it could remove it.
    ///
    /// # Errors
    ///
    /// If the note cannot be read.
    pub fn pinned_for_new(&self) -> Result<Option<&Did>, Error> {
        let believed = self.store.is_config_ours(&self.config_path);
        let left = self.store.unfinished()?.filter(|_| believed).unwrap_or_default();
        Ok(self.config.identity.did.as_ref().filter(|did| !left.was_never_made(did)))
    }

    /// **Blocks** on the device. What a new identity of the configured backend will
    /// be opened with. A PIN of a TPM and a passphrase are chosen now, that of a
    /// token is there already.
    ///
    /// # Errors
    ///
    /// If the device cannot be had.
    pub fn wants_for_new(&self) -> Result<Wants, Error> {
        let backend = self.backend()?;
        let pin = match backend.kind() {
            BackendKind::Pkcs11 => Some(Wanted::pin(backend.describe(), Step::Present)),
            BackendKind::Tpm if self.config.identity.tpm.as_ref().is_none_or(|tpm| tpm.pin) => {
                Some(Wanted::new_pin())
            }
            _ => None,
        };
        let mut wants = Wants::new(pin, Some(Wanted::passphrase(Step::New)));
        // Beside a PIN, only for a token that cannot keep a storage key. That it
        // cannot may turn out later: what was given is taken along for that.
        wants.passphrase_may_do = backend.makes_storage_keys();
        Ok(wants)
    }

    /// Whether the configured backend has keys of an algorithm, as far as that is
    /// known without its device.
    ///
    /// # Errors
    ///
    /// [`DeviceError::NoAlgorithm`].
    pub fn check_algorithm(&self, algorithm: AlgorithmId) -> Result<(), Error> {
        let backend = self.config.identity.backend;
        if backend == BackendKind::Age && algorithm != AlgorithmId::Ed25519 {
            return Err(DeviceError::NoAlgorithm { backend, algorithm }.into());
        }
        Ok(())
    }

    /// **Blocks** on device, scrypt and files, and while a person is asked. Makes a
    /// new key with the configured backend, companions for it, and both files; before
    /// they are there, `icn.toml` pins the DID.
    ///
    /// # Errors
    ///
    /// As [`Self::check_vacant`]; [`KeystoreError::PinNotWritten`];
    /// as [`IdentityStore::draft`]. Nothing is left of it then.
    pub fn create(
        &mut self,
        request: &NewKey,
        source: CredentialSource<'_>,
    ) -> Result<Made, Error> {
        self.check_vacant()?;
        self.check_algorithm(request.algorithm)?;
        let request = self.labelled(request);
        let wants = self.wants_for_new()?;
        // Before anybody is asked for a secret. What an earlier attempt has left is removed
        // first, and is in nobody's way.
        if self.store.unfinished()?.is_none_or(|left| left.objects().is_none()) {
            self.backend()?.check_new(&request)?;
        }
        let asked = self.ask(&wants, source)?;
        self.make(asked, None, |store, backend, credentials| {
            store.draft(backend, &request, credentials)
        })
    }

    /// **Blocks** on device, scrypt and files, and while a person is asked. As
    /// [`Self::create`], around a key that the device has already.
    ///
    /// # Errors
    ///
    /// As there, and [`IdentityStore::draft_around`].
    pub fn adopt(
        &mut self,
        locator: &Locator,
        did: &Did,
        source: CredentialSource<'_>,
    ) -> Result<Made, Error> {
        self.check_vacant_for(Some(did))?;
        let was_known = self.config.identity.did.as_ref() == Some(did);
        let asked = self.ask(&self.wants_for_new()?, source)?;
        self.make(asked, None, |store, backend, credentials| {
            store.draft_around_known(backend, (locator, did), credentials, was_known)
        })
    }

    /// **Blocks** on device, scrypt and files, and while a person is asked. Makes an
    /// identity of an older file, under a new passphrase or the one that the file
    /// had, and pins it.
    ///
    /// # Errors
    ///
    /// As [`IdentityStore::draft_import`]; [`KeystoreError::PinNotWritten`].
    pub fn import(&mut self, old: LegacyIdentity, passphrase: &Passphrase) -> Result<Made, Error> {
        let pinned = self.pinned_for_new()?.map_or(Pinned::Nobody, Pinned::To);
        let draft = self.store.draft_import(old, pinned, passphrase)?;
        let made = pins::make(self, draft, &self.if_none()?)?;
        Ok(self.take(made))
    }

    /// **Blocks** on the device. What an identity is opened with once it is restored
    /// from this backup: the PIN that its key has, and a new passphrase.
    ///
    /// # Errors
    ///
    /// [`BackupError::KeyNotThere`](crate::error::BackupError::KeyNotThere) if its
    /// device or its key is not there.
    pub fn wants_for_restored(&self, backup: &Backup) -> Result<Wants, Error> {
        let header = backup.header();
        let backend = self.backend().map_err(|error| backup.explain(error))?;
        if header.backend() != BackendKind::Age {
            self.store.find(backend, header).map_err(|error| backup.explain(error))?;
        }
        self.wants_to_restore(backup)
    }

    /// The same, wherever its key is.
    pub(super) fn wants_to_restore(&self, backup: &Backup) -> Result<Wants, Error> {
        let (backend, needs) = (self.backend()?, Needs::of(backup.header()));
        let pin = needs
            .pin()
            .then(|| Wanted::pin(backend.describe(), Step::Present).of_key(backup.header()));
        Ok(Wants::new(pin, needs.passphrase().then(|| Wanted::passphrase(Step::New))))
    }

    /// **Blocks** on device, scrypt and files, and while a person is asked. Writes
    /// the identity of `did` anew from its backup, and pins it. A configuration that
    /// is not there begins as `config`: as a rule that of the backup.
    ///
    /// # Errors
    ///
    /// As [`IdentityStore::draft_restored`]; [`KeystoreError::PinNotWritten`].
    pub fn restore(
        &mut self,
        backup: Backup,
        did: &Did,
        config: Option<&str>,
        source: CredentialSource<'_>,
    ) -> Result<Made, Error> {
        let wants = self.wants_for_restored(&backup)?;
        if source.asks_somebody(&wants) {
            self.store.check_vacant()?;
            file::check_directory(self.directory())?;
            // The approvals that a policy may take are still in the backup.
            if backup.header().tpm().is_none_or(|object| object.policy.authorized.is_none()) {
                let opens = self.check_device_opens(backup.header());
                opens.map_err(|error| backup.explain(error))?;
            }
        }
        let asked = self.ask(&wants, source)?;
        self.make(asked, config, |store, backend, credentials| {
            store.draft_restored(backend, backup, did, credentials)
        })
    }

    /// **Blocks** on the device, and while a person is asked. Does something with the
    /// PIN of the configured token or TPM, that is not for an identity: tries its
    /// device out. The same discipline holds.
    ///
    /// # Errors
    ///
    /// As [`LockedIdentity::ask`](super::LockedIdentity::ask); those of `work`.
    pub fn with_pin<T>(
        &self,
        source: CredentialSource<'_>,
        work: impl FnOnce(&Pin) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let backend = self.backend()?;
        let wants = Wants::new(Some(Wanted::pin(backend.describe(), Step::Present)), None);
        self.ask(&wants, source)?.send(|given| work(given.want_pin(backend.kind())?))
    }

    pub(super) fn ask(&self, wants: &Wants, source: CredentialSource<'_>) -> Result<Asked, Error> {
        Asked::ask(&self.store, &self.config.identity, wants, source, self.retry_refused)
    }

    pub(super) fn make(
        &mut self,
        asked: Asked,
        if_none: Option<&str>,
        draft: impl for<'b> FnOnce(
            &IdentityStore,
            &'b dyn Backend,
            &Credentials,
        ) -> Result<Draft<'b>, Error>,
    ) -> Result<Made, Error> {
        if asked.is_kept() {
            // Where a refusal is noted, and where others wait for their try.
            file::private_dir(self.directory())?;
        }
        let backend = self.backend()?;
        let if_none = if_none.map_or_else(|| self.if_none(), |text| Ok(text.to_owned()))?;
        let made = asked.send(|credentials| {
            pins::make(self, draft(&self.store, backend, credentials)?, &if_none)
        })?;
        Ok(self.take(made))
    }

    /// With the label that is configured.
    pub(super) fn labelled(&self, request: &NewKey) -> NewKey {
        let mut request = request.clone();
        if request.label.is_none() {
            let token = self.config.identity.pkcs11.as_ref();
            request.label = token.and_then(|token| token.key_label.clone());
        }
        request
    }

    /// The text of a configuration that is not there yet.
    fn if_none(&self) -> Result<String, Error> {
        let mut config = self.config.clone();
        config.identity.did = None;
        // The pins say it.
        let nothing_more = config == Config::default();
        Ok(if nothing_more { String::new() } else { config.to_toml()? })
    }

    /// The configuration is from now on the one that was written.
    fn take(&mut self, (made, config): (Made, Config)) -> Made {
        self.config = config;
        made
    }
}
