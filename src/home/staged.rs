//! The home of an identity that is to take the place of another.

use std::path::Path;

#[cfg(feature = "pkcs11")]
use super::source::CredentialSource;
#[cfg(feature = "pkcs11")]
use super::wants::Wants;
use super::{Home, HomeOptions};
use crate::backend::NewKey;
use crate::config::Config;
use crate::error::{Error, MigrationError};
use crate::file::{self, names};
use crate::keystore::IdentityStore;

/// What is found where a directory of the migration should be.
pub(crate) const LINK: &str = "it is a symbolic link";

impl Home {
    /// That of the new identity, with this configuration in the place of the one that is
    /// written there.
    pub(crate) fn staging(&self, mut config: Option<Config>) -> Result<Self, Error> {
        // It is made with no DID, whatever is pinned of the old one.
        if let Some(config) = &mut config {
            config.identity.did = None;
        }
        let options = HomeOptions { config, of_migration: true, ..self.options() };
        options.open(self.store.staging().home())
    }

    /// This home, as the migration opens it whose new identity it has.
    pub(crate) fn as_staged(&self) -> Result<Self, Error> {
        let options = HomeOptions {
            config_file: Some(self.config_path.clone()),
            config: Some(self.config.clone()),
            unpinned: self.unpinned,
            of_migration: true,
            ..self.options()
        };
        options.open(self.directory())
    }

    /// That of the old identity, once the new one is in use.
    pub(crate) fn previous(&self) -> Result<Self, Error> {
        self.options().open(self.store.old().home())
    }

    /// This one, with its configuration read anew: it is another identity's by now.
    pub(crate) fn reread(&self) -> Result<Self, Error> {
        let (config_file, unpinned) = (Some(self.config_path.clone()), self.unpinned);
        HomeOptions { config_file, unpinned, ..self.options() }.open(self.directory())
    }

    /// This one, by another configuration: what is written may not name its device.
    pub(crate) fn configured_by(&self, config: Config) -> Result<Self, Error> {
        let (config_file, config) = (Some(self.config_path.clone()), Some(config));
        let options = HomeOptions { config_file, config, ..self.options() };
        options.open(self.directory())
    }

    /// As this one was opened, but for its configuration.
    fn options(&self) -> HomeOptions {
        HomeOptions {
            retry_refused: self.retry_refused,
            state_directory: self.store.state_directory().map(Path::to_owned),
            ..HomeOptions::new()
        }
    }

    /// The configuration for a new identity, as it is written in its own home.
    pub(crate) fn staged_config(&self, to: &Config) -> Result<String, Error> {
        let text = self.identity_config()?.unwrap_or_default();
        Ok(Config::edit(&text, |config| {
            config.identity = to.identity.clone();
            config.identity.did = None;
        })?)
    }

    /// Whether the configured device could make such a key, as far as that shows without a
    /// credential.
    pub(crate) fn check_device_for(&self, key: &NewKey) -> Result<(), Error> {
        self.backend()?.check_new(&self.labelled(key))
    }

    /// The label of a new key that is configured.
    pub(crate) fn key_label(&self) -> Option<String> {
        self.config.identity.pkcs11.as_ref().and_then(|token| token.key_label.clone())
    }

    /// Destroys the key of the identity on its token, and what keeps its storage key there: of
    /// one that is given up. That is only `checked` at first: it opens, so that its header
    /// names nobody else's objects, and the PIN is right. Whether it still was there.
    #[cfg(feature = "pkcs11")]
    pub(crate) fn destroy_key(
        &self,
        checked: bool,
        source: impl FnOnce(&Wants) -> CredentialSource<'static>,
    ) -> Result<bool, Error> {
        use crate::backend::BackendKind;
        use crate::error::DeviceError;

        // What was being removed when it was cut off may have lost its payload.
        let header = match checked {
            true => Some(self.store.header()?),
            false => self.store.header_alone()?,
        };
        let Some(header) = header else { return Ok(false) };
        let Some(locator) = self.moved.as_ref().or(header.locator()) else { return Ok(false) };
        let backend = self.backend()?;
        let kind = BackendKind::Pkcs11;
        let pkcs11 = backend.as_pkcs11().ok_or(DeviceError::ForeignLocator { backend: kind })?;
        let wants = Wants::of(&header, || backend.describe());
        let source = source(&wants);
        self.ask(&wants, source)?.send(|credentials| {
            if checked {
                let located = match &self.moved {
                    Some(at) => self.store.locate_at(backend, at, self.pinned()?)?,
                    None => self.store.locate(backend, self.pinned()?)?,
                };
                return located.open_without_renewal(credentials).map(|_| true);
            }
            let token = pkcs11.log_in(credentials)?;
            Ok(token.destroy(locator, header.did(), header.storage_key_id())?)
        })
    }

    /// What is noted in the directories of the migration and is not understood is in the way of
    /// their removal, unless somebody insists.
    pub(crate) fn forget_unreadable_refusals(&self) -> Result<(), Error> {
        if self.retry_refused {
            self.store.forget_unreadable_refusals()?;
        }
        Ok(())
    }

    /// Removes the files of an identity, the one that holds its secrets first, and then
    /// the directory if nothing else is in it.
    pub(crate) fn remove_files_of(store: &IdentityStore) -> Result<(), Error> {
        let home = store.home();
        if !file::is_there(home)? {
            return Ok(());
        }
        Self::remove_all_but_config(store)?;
        for name in names::OF_IDENTITY {
            file::remove(&home.join(name))?;
        }
        if let Err(error) = file::remove_dir(home) {
            log::warn!("{} stays, with what others have put there: {error}", home.display());
        }
        Ok(())
    }

    /// Removes the files of an identity, but for its configuration and locks: what is left says
    /// what it was.
    pub(crate) fn remove_all_but_config(store: &IdentityStore) -> Result<(), Error> {
        let home = store.home();
        if !file::is_there(home)? {
            return Ok(());
        }
        if file::is_link(home)? {
            let (path, found) = (home.to_owned(), LINK);
            return Err(MigrationError::NotOfThis { path, found }.into());
        }
        file::check_directory(home)?;
        // What a device has refused stays so.
        store.keep_refusals()?;
        file::sweep_all(home);
        // From there on, nothing is of its keys.
        for name in names::OF_IDENTITY.iter().take_while(|name| **name != names::CONFIG) {
            file::remove(&home.join(name))?;
        }
        // What an attempt that was cut off has left and was put aside, and locks.
        for name in [names::HEADER, names::HANDED_OVER] {
            store.put_aside(name).iter().try_for_each(|path| file::remove(path))?;
        }
        for entry in std::fs::read_dir(home).into_iter().flatten().flatten() {
            if entry.file_name().as_encoded_bytes().starts_with(b".scrypt.") {
                file::remove(&entry.path())?;
            }
        }
        Ok(())
    }
}
