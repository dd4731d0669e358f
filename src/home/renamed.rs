//! A token that was given another label since a key was made on it: it is known by its serial
//! number.

use std::sync::OnceLock;

use super::{Home, KeyLeft};
use crate::backend::{Backend, BackendKind, ObjectNames, Pkcs11Locator, Pkcs11Uri};
use crate::config::{Config, Pkcs11Config};
use crate::error::Error;
use crate::file;
use crate::keystore::IdentityStore;

impl Home {
    /// **Blocks** on the device. Where the key of this identity is, or where one was begun, if
    /// that token has another label by now than is written down or configured, or another token has
    /// the same one, and no number is configured. `None` also where
    /// it cannot be told: its serial number says nothing, two tokens have it, or the token is away.
    pub(crate) fn renamed(&self) -> Option<Pkcs11Locator> {
        let at = noted(&self.store)?;
        let configured = self.pkcs11()?;
        // Some modules have one number for all of their tokens: then it is as it is called there.
        let says_something = at.serial.chars().any(|digit| digit != '0');
        let token = configured.token.clone().filter(|_| !says_something);
        let is_configured = configured.serial.as_ref().is_none_or(|serial| *serial == at.serial);
        if !is_configured || (!says_something && token.is_none()) {
            return None;
        }
        let one = self.token_called(token.as_deref(), Some(&at.serial))?;
        let label = one.describe().device?.label;
        let of_key = configured.key.as_ref().and_then(Pkcs11Uri::token);
        let others = configured.token.as_deref().into_iter().chain(of_key);
        let others: Vec<_> = others.filter(|other| *other != label).collect();
        if label == at.token && others.is_empty() {
            // Another one may be called so by now: then its number is to be configured, too.
            let is_told =
                configured.serial.is_some() || configured.slot.is_some() || self.is_alone(&label);
            return (!is_told).then_some(at);
        }
        // Somebody has configured another token, which is there.
        let is_another =
            |other: &&str| *other != at.token && self.token_called(Some(other), None).is_some();
        if others.iter().any(is_another) {
            return None;
        }
        Some(Pkcs11Locator { token: label, ..at })
    }

    /// **Blocks** on the device. A key that is left there, by the label that its token has now, as
    /// far as that can be told.
    pub(crate) fn as_labelled_now(&self, mut key: KeyLeft) -> KeyLeft {
        let label_of = |label: Option<&str>, serial: &str| {
            self.pkcs11()?;
            Some(self.token_called(label, Some(serial))?.describe().device?.label)
        };
        let says_something = key.serial.chars().any(|digit| digit != '0');
        let by_serial = says_something.then(|| label_of(None, &key.serial)).flatten();
        if let Some(label) = by_serial.or_else(|| label_of(Some(&key.token), &key.serial)) {
            key.label_is_current = self.is_alone(&label);
            key.token = label;
        }
        key
    }

    /// Whether one token alone has this label.
    fn is_alone(&self, label: &str) -> bool {
        let one = self.token_called(Some(label), None);
        one.is_some_and(|one| one.describe().device.is_some())
    }

    /// The backend of the tokens of these names, if there is one.
    fn token_called(&self, label: Option<&str>, serial: Option<&str>) -> Option<Box<dyn Backend>> {
        let mut config = self.config.clone();
        let token = config.identity.pkcs11.as_mut()?;
        (token.token, token.serial) = (label.map(str::to_owned), serial.map(str::to_owned));
        (token.slot, token.key) = (None, None);
        config.backend(self.directory()).ok()?.open().ok()
    }

    /// **Blocks** on the device. The same home, that finds its key on a token that was renamed;
    /// `None` if it finds it as it is.
    pub(crate) fn by_serial(&self) -> Option<Self> {
        self.renamed().map(|at| self.found_at(at))
    }

    /// As [`Self::moved_to`], on the same token: what it has shown counts.
    pub(crate) fn found_at(&self, at: Pkcs11Locator) -> Self {
        let shown = self.pkcs11().is_some_and(|config| config.key_shown);
        let (store, config_path) = (self.store.clone(), self.config_path.clone());
        let Self { unpinned, retry_refused, .. } = *self;
        let (config, backend, moved) = (self.config.clone(), OnceLock::new(), None);
        let same = Self { store, config, config_path, unpinned, retry_refused, backend, moved };
        let mut found = same.moved_to(at);
        if let Some(config) = &mut found.config.identity.pkcs11 {
            config.key_shown = shown;
        }
        found
    }

    /// **Blocks** on files. Writes the label that the token of a key that was begun has now: in the
    /// configuration, and in the note of its making.
    pub(crate) fn note_renamed(&self, at: &Pkcs11Locator) -> Result<(), Error> {
        let text = Config::read(&self.config_path)?.unwrap_or_default();
        let text = Config::edit(&text, |config| {
            if let Some(pkcs11) = &mut config.identity.pkcs11 {
                pkcs11.token = Some(at.token.clone());
                pkcs11.serial = Some(at.serial.clone());
                pkcs11.slot = None;
                pkcs11.key = pkcs11.key.take().map(|key| key.without_token());
            }
        })?;
        file::write(&self.config_path, text.as_bytes())?;
        Ok(self.store.rename_noted_token(&at.token)?)
    }

    fn pkcs11(&self) -> Option<&Pkcs11Config> {
        let identity = &self.config.identity;
        identity.pkcs11.as_ref().filter(|_| identity.backend == BackendKind::Pkcs11)
    }
}

/// By the header, or by the note of what was begun.
fn noted(store: &IdentityStore) -> Option<Pkcs11Locator> {
    if let Ok(Some(header)) = store.header_alone() {
        return header.locator().cloned();
    }
    let at = |names: &ObjectNames| Pkcs11Locator::new(&names.token, &names.serial, names.key_id());
    store.noted_objects().ok().flatten().as_ref().map(at)
}
