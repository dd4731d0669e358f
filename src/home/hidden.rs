//! Keys that a token shows within a login only: they are looked for with the PIN
//! that opens them.

use super::source::CredentialSource;
use super::wants::{Step, Wanted, Wants};
use super::{Home, Made, pins};
use crate::backend::pkcs11::{LoggedIn, Pkcs11Backend};
use crate::backend::{Backend, BackendKind, Locator, Pkcs11Locator};
use crate::did::Did;
#[cfg(doc)]
use crate::error::BackupError;
use crate::error::{DeviceError, Error, KeystoreError};
use crate::keystore::Header;
use crate::keystore::backup::Backup;

impl Home {
    /// **Blocks** on device, scrypt and files. As [`Self::adopt`], around a key that
    /// `find` finds within a login to the configured token. The PIN is sent once, for
    /// both.
    ///
    /// # Errors
    ///
    /// As there; those of [`Pkcs11Backend::log_in`] and of `find`.
    pub fn adopt_within_login(
        &mut self,
        find: impl FnOnce(&LoggedIn<'_>) -> Result<(Pkcs11Locator, Did), Error>,
        source: CredentialSource<'_>,
    ) -> Result<Made, Error> {
        let pinned = self.pinned_for_new()?.cloned();
        let known = self.config.identity.did.clone();
        self.check_vacant_for(pinned.as_ref())?;
        let path = self.config_path().to_owned();
        let asked = self.ask(&self.wants_for_new()?, source)?;
        self.make(asked, None, |store, backend, credentials| {
            let token = pkcs11(backend)?.log_in_where_hidden(credentials)?;
            let (locator, did) = find(&token)?;
            let was_known = known.as_ref() == Some(&did);
            if let Some(pinned) = pinned.filter(|pinned| *pinned != did) {
                return Err(KeystoreError::OtherPinned { path, pinned }.into());
            }
            // Opened before the login ends, the key keeps it.
            let place = Locator::Pkcs11(locator);
            store.draft_around_known(backend, (&place, &did), credentials, was_known)
        })
    }

    /// **Blocks** on device, scrypt and files. Looks for the key of the identity on
    /// the configured token within a login, opens it there, and records where it is,
    /// as [`Ready::relocate`](super::Ready::relocate) does. The PIN is sent once, to
    /// that token and to no other.
    ///
    /// # Errors
    ///
    /// As there; those of [`Pkcs11Backend::log_in`] and [`LoggedIn::search`].
    pub fn relocate_within_login(
        &self,
        source: CredentialSource<'_>,
    ) -> Result<(Header, Pkcs11Locator), Error> {
        let header = self.header()?;
        let backend = self.backend()?;
        let wants = Wants::of(&header, || backend.describe());
        self.ask(&wants, source)?.send(|credentials| {
            let token = pkcs11(backend)?.log_in_where_hidden(credentials)?;
            let locator = token.search_for(header.did(), header.locator())?;
            let moved = self.again().moved_to(locator.clone());
            let (backend, pinned) = (moved.backend()?, moved.pinned()?);
            let located = moved.store.locate_at(backend, &locator, pinned)?;
            let header = pins::change(&moved, located.prepare_relocation(credentials)?)?;
            Ok((header, locator))
        })
    }

    /// **Blocks** on device, scrypt and files, and while a person is asked. As
    /// [`Self::restore`], with the key where the configured token shows it within a login.
    /// The PIN is sent once, to that token and to no other.
    ///
    /// # Errors
    ///
    /// As there; [`BackupError::KeyNotThere`] if the token has no such key; those of
    /// [`Pkcs11Backend::log_in`].
    pub fn restore_within_login(
        &mut self,
        backup: Backup,
        did: &Did,
        config: Option<&str>,
        source: CredentialSource<'_>,
    ) -> Result<Made, Error> {
        backup.is_of(did)?;
        let asked = self.ask(&self.wants_to_restore(&backup)?, source)?;
        self.make(asked, config, |store, backend, credentials| {
            let token = pkcs11(backend)?.log_in_where_hidden(credentials)?;
            let found = token.search_for(did, backup.locator());
            let locator = found.map_err(|error| backup.explain(error.into()))?;
            // Opened before the login ends, the key keeps it.
            store.draft_restored(backend, backup.at(locator), did, credentials)
        })
    }

    /// **Blocks** on the device, and while a person is asked. Writes the public key of the
    /// identity to the configured token, beside its private key, wherever that was before: it
    /// signs a challenge first, which this very public key verifies. The PIN is sent once, to
    /// that token and to no other. Gives the key's place, which
    /// [`Ready::relocate`](super::Ready::relocate) records.
    ///
    /// # Errors
    ///
    /// As [`Pkcs11Backend::log_in`] and [`LoggedIn::write_public_key`].
    pub fn write_public_key_within_login(
        &self,
        source: CredentialSource<'_>,
    ) -> Result<Pkcs11Locator, Error> {
        let (header, backend) = (self.header()?, self.backend()?);
        let before = header.locator();
        let before = before.ok_or(DeviceError::ForeignLocator { backend: BackendKind::Pkcs11 })?;
        let pin = Wanted::pin(backend.describe(), Step::Present).of_key(&header);
        self.ask(&Wants::new(Some(pin), None), source)?.send(|credentials| {
            let token = pkcs11(backend)?.log_in_where_hidden(credentials)?;
            Ok(token.write_public_key(before, header.did())?)
        })
    }

    /// The same home, whose device is opened anew.
    fn again(&self) -> Self {
        Self {
            store: self.store.clone(),
            config: self.config.clone(),
            config_path: self.config_path.clone(),
            unpinned: self.unpinned,
            retry_refused: self.retry_refused,
            backend: std::sync::OnceLock::new(),
            moved: None,
        }
    }
}

fn pkcs11(backend: &dyn Backend) -> Result<&Pkcs11Backend, DeviceError> {
    backend.as_pkcs11().ok_or(DeviceError::ForeignLocator { backend: BackendKind::Pkcs11 })
}
