//! The home of an identity: its files, its configuration, its device, and the way
//! that opens it with one call.
//!
//! ```no_run
//! use icn_identity::home::{CredentialSource, Home};
//!
//! // `icn.toml` says which backend, and whose identity has to be there.
//! let home = Home::open("/var/lib/node")?;
//! let identity = home.unlock(CredentialSource::systemd("pin"))?;
//! let signature = identity.bundle.sign_for("greetings@coop.example", b"hello")?;
//! # Ok::<(), icn_identity::Error>(())
//! ```
//!
//! | step | what it has done | what it refuses |
//! |---|---|---|
//! | [`Home::open`] | read `icn.toml` | a configuration that others could have written |
//! | [`Home::locate`] | read the header, found the key, without a credential | another identity than is pinned, another backend, a key that is not there |
//! | [`LockedIdentity::wants`] | asked the device how many tries are left | – |
//! | [`LockedIdentity::ask`] | asked for the credential, sent nothing | a locked device, the last try, a source that was refused |
//! | [`Ready::unlock`] and the others | sent it once, noted a refusal, opened the key and the payload | a wrong credential, a header that is not the payload's |
//!
//! [`Home::unlock`] is the last four in one. A PIN from a file or a variable is tried
//! once: the check of its source, the sending and the note of a refusal are one step for
//! all threads and processes that use the home. One that is given or typed has no source
//! to be noted: this process does not send it to a token again, and another one would.

mod ask;
mod create;
mod found;
#[cfg(feature = "pkcs11")]
mod hidden;
mod import;
mod locked;
mod options;
mod pins;
mod removal;
mod renamed;
mod shown;
mod source;
mod staged;
mod state;
mod wants;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

pub use self::import::ImportFrom;
pub use self::locked::{LockedIdentity, NewPin, Ready};
pub use self::options::HomeOptions;
pub use self::pins::Made;
pub use self::removal::KeyLeft;
pub(crate) use self::removal::OnToken;
pub use self::source::{CredentialSource, Prompt, PromptError};
pub(crate) use self::staged::LINK;
pub use self::wants::{Wanted, Wants};
use crate::backend::{Backend, Pkcs11Locator};
use crate::config::Config;
use crate::error::{DeviceError, Error, KeystoreError, Pkcs11Error};
use crate::file::names;
use crate::keystore::{Header, IdentityStore, Opened, Pinned};

/// The directory of one identity, with its configuration and its backend.
///
/// Begin with [`Self::open`]. Then [`Self::unlock`] opens the identity that is there, and
/// [`Self::create`] makes one; the steps between are in [the module](self).
pub struct Home {
    store: IdentityStore,
    config: Config,
    config_path: PathBuf,
    unpinned: bool,
    retry_refused: bool,
    /// Opened when it is first wanted.
    backend: OnceLock<Box<dyn Backend>>,
    /// Where the key is looked for, if not where the header says.
    moved: Option<Pkcs11Locator>,
}

impl Home {
    /// **Blocks** on files. The home in a directory. Reads `icn.toml` there, and
    /// nothing else: the identity may be still to be made.
    ///
    /// # Errors
    ///
    /// [`ConfigError`](crate::config::ConfigError) if the configuration is not valid,
    /// or could have been written by somebody else.
    pub fn open(directory: impl Into<PathBuf>) -> Result<Self, Error> {
        HomeOptions::new().open(directory)
    }

    fn with_options(directory: PathBuf, options: HomeOptions) -> Result<Self, Error> {
        let HomeOptions {
            config_file,
            config,
            unpinned,
            retry_refused,
            state_directory,
            of_migration,
        } = options;
        let config_path = config_file.unwrap_or_else(|| directory.join(names::CONFIG));
        let config = match config {
            Some(config) => config,
            None => Config::load(&config_path)?,
        };
        let store = IdentityStore::new(directory)
            .with_age_config(config.identity.age.clone())
            .with_state_directory(state_directory)
            .of_migration(of_migration);
        store.settle_switch(config.identity.backend, config.identity.did.as_ref())?;
        let (backend, moved) = (OnceLock::new(), None);
        Ok(Self { store, config, config_path, unpinned, retry_refused, backend, moved })
    }

    /// The same, with the key on the token where it was found. Nothing is recorded
    /// until [`Ready::relocate`].
    #[must_use]
    pub fn moved_to(self, locator: Pkcs11Locator) -> Self {
        let mut config = self.config;
        if let Some(token) = &mut config.identity.pkcs11 {
            token.token = Some(locator.token.clone());
            token.serial = Some(locator.serial.clone());
            token.key = token.key.take().map(|key| key.at(&locator));
            // The key has moved: so it is no longer in the slot it was in, and what the token
            // that it was on has shown says nothing.
            token.slot = None;
            token.key_shown = false;
        }
        Self { config, backend: OnceLock::new(), moved: Some(locator), ..self }
    }

    /// The directory.
    #[must_use]
    pub fn directory(&self) -> &Path {
        self.store.home()
    }

    /// The configuration.
    #[must_use]
    pub const fn config(&self) -> &Config {
        &self.config
    }

    /// The file of the configuration. It need not be there.
    #[must_use]
    pub fn config_path(&self) -> &Path {
        &self.config_path
    }

    /// The files of the identity, for what is not done here.
    #[must_use]
    pub const fn store(&self) -> &IdentityStore {
        &self.store
    }

    /// **Blocks** on the device. The backend that is configured. Opened at the first
    /// call, without a credential.
    ///
    /// # Errors
    ///
    /// If the device cannot be had.
    pub fn backend(&self) -> Result<&dyn Backend, Error> {
        if let Some(backend) = self.backend.get() {
            return Ok(backend.as_ref());
        }
        let opened = self.config.backend(self.directory())?.open();
        let opened = opened.map_err(|error| self.name_config(error))?;
        Ok(self.backend.get_or_init(|| opened).as_ref())
    }

    /// A module that cannot be used, with the file that names it.
    fn name_config(&self, mut error: Error) -> Error {
        if let Error::Device(DeviceError::Pkcs11(Pkcs11Error::Module { configured_in, .. })) =
            &mut error
            && let Ok(written) = Config::load(&self.config_path)
            && let (Some(written), Some(used)) =
                (written.identity.pkcs11, &self.config.identity.pkcs11)
            && written.module == used.module
        {
            *configured_in = Some(Box::new(self.config_path.clone()));
        }
        error
    }

    /// Whose identity this has to be.
    ///
    /// # Errors
    ///
    /// [`KeystoreError::Unpinned`] if the configuration does not say, and
    /// [`HomeOptions::allow_unpinned`] was not.
    pub fn pinned(&self) -> Result<Pinned<'_>, Error> {
        match &self.config.identity.did {
            Some(did) => Ok(Pinned::To(did)),
            None if self.unpinned => Ok(Pinned::Nobody),
            None => {
                let (path, found) = (self.config_path.clone(), self.store.header()?.did().clone());
                Err(KeystoreError::Unpinned { path, found }.into())
            }
        }
    }

    /// **Blocks** on device and files. The public header, checked against what is
    /// configured and pinned. It is **not** verified: that takes the credential.
    ///
    /// # Errors
    ///
    /// As [`Self::locate`], but that no device is asked.
    pub fn header(&self) -> Result<Header, Error> {
        let found = || {
            let header = self.store.header()?;
            self.store.check(&header, self.config.identity.backend, self.pinned()?)?;
            Ok(header)
        };
        found().map_err(|error| self.explain(error))
    }

    /// An error of the files of the identity, by what is pinned, and by whether there is a
    /// configuration at all.
    fn explain(&self, error: Error) -> Error {
        match (error, &self.config.identity.did) {
            (Error::Keystore(KeystoreError::NoIdentity { .. }), Some(did)) => {
                let (path, did) = (self.config_path.clone(), did.clone());
                KeystoreError::PinnedNotThere { path, did, note: None, in_the_way: None }.into()
            }
            (Error::Keystore(KeystoreError::NotConfigured { what, found, configured }), None) => {
                let path = self.config_path.clone();
                match self.store.header() {
                    Ok(header) if !path.exists() => {
                        KeystoreError::NoConfiguration { path, backend: header.backend() }.into()
                    }
                    _ => KeystoreError::NotConfigured { what, found, configured }.into(),
                }
            }
            (error, _) => error,
        }
    }

    /// **Blocks** on device and files. Finds the identity: does all that needs no
    /// credential.
    ///
    /// # Errors
    ///
    /// [`KeystoreError`] if there is no identity, another one than is pinned, or
    /// none is pinned; or if its key is not where it has to be.
    pub fn locate(&self) -> Result<LockedIdentity<'_>, Error> {
        let (backend, pinned) = (self.backend()?, self.pinned()?);
        let located = match &self.moved {
            Some(locator) => self.store.locate_at(backend, locator, pinned),
            None => self.store.locate(backend, pinned),
        };
        let located = located.map_err(|error| self.explain(error))?;
        Ok(LockedIdentity::new(self, located))
    }

    /// **Blocks** on device and files. What opens the identity: which credential of
    /// which device, and how many tries are left.
    ///
    /// # Errors
    ///
    /// As [`Self::locate`].
    pub fn wants(&self) -> Result<Wants, Error> {
        Ok(self.locate()?.wants())
    }

    /// **Blocks** on device, scrypt and files, and while a person is asked. Opens the
    /// identity, and renews its certificate when that is due.
    ///
    /// # Errors
    ///
    /// As [`Self::locate`], [`LockedIdentity::ask`] and [`Ready::unlock`].
    pub fn unlock(&self, source: CredentialSource<'_>) -> Result<Opened, Error> {
        self.locate()?.unlock(source)
    }
}

impl fmt::Debug for Home {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Home")
            .field("directory", &self.directory())
            .field("config", &self.config_path)
            .field("backend", &self.config.identity.backend)
            .field("pinned", &self.config.identity.did)
            .finish_non_exhaustive()
    }
}
