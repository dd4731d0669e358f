//! What the configuration has to say of an identity, and that it says so first.

use std::path::PathBuf;

use toml_edit::{Table, Value};

use super::Home;
use crate::backend::{BackendKind, Pkcs11Locator, TpmObject};
use crate::bundle::IdentityBundle;
use crate::config::{
    Config, ConfigError, ConfigText, IdentityConfig, PcrIndices, TpmConfig, set, table,
};
use crate::did::Did;
use crate::encoding::hex;
use crate::error::{Error, KeystoreError};
use crate::key::DidKey;
use crate::keystore::{Change, Draft, Header};

/// Of an identity: what the configuration has to say of it.
struct Pins<'a> {
    did: &'a Did,
    backend: BackendKind,
    locator: Option<&'a Pkcs11Locator>,
    tpm: Option<&'a TpmObject>,
    /// With what it was made or found.
    config: &'a IdentityConfig,
}

impl<'a> Pins<'a> {
    fn of(header: &'a Header, home: &'a Home) -> Self {
        let (locator, tpm) = (header.locator(), header.tpm());
        let config = &home.config.identity;
        Self { did: header.did(), backend: header.backend(), locator, tpm, config }
    }

    /// Keeps what else is in the text, comments too.
    fn put_into(&self, text: &str) -> Result<String, ConfigError> {
        let mut text = ConfigText::parse(text)?;
        self.fill(&mut text)?;
        Ok(text.to_string())
    }

    /// The lines alone, as far as they can be told.
    fn lines(&self) -> String {
        let mut text = ConfigText::empty();
        let _ = self.fill(&mut text);
        if let (None, Some(locator)) = (&self.config.pkcs11, self.locator)
            && let Ok(identity) = text.identity()
            && let Some(pkcs11) = table(identity, "pkcs11")
        {
            // No file of the identity says which library is loaded.
            set(pkcs11, "module", "MODULE");
            Self::fill_token(pkcs11, locator);
        }
        text.to_string()
    }

    fn fill(&self, text: &mut ConfigText) -> Result<(), ConfigError> {
        let identity = text.identity()?;
        set(identity, "backend", self.backend.as_str());
        set(identity, "did", self.did.as_str());
        if self.backend == BackendKind::Pkcs11 {
            self.fill_pkcs11(identity)?;
        }
        if let Some(object) = self.tpm {
            self.fill_tpm(table(identity, "tpm").ok_or(ConfigError::NotATable)?, object);
        }
        Ok(())
    }

    fn fill_pkcs11(&self, identity: &mut Table) -> Result<(), ConfigError> {
        let (Some(config), Some(locator)) = (&self.config.pkcs11, self.locator) else {
            return Err(ConfigError::NoPkcs11Section);
        };
        let module = config.module.to_str().ok_or(ConfigError::NotText)?;
        let pkcs11 = table(identity, "pkcs11").ok_or(ConfigError::NotATable)?;
        set(pkcs11, "module", module);
        Self::fill_token(pkcs11, locator);
        if config.slot.is_none() {
            // A key that has moved is no longer in the slot it was in.
            pkcs11.remove("slot");
        }
        if pkcs11.contains_key("key") {
            let key = config.key.clone().unwrap_or_default();
            let names_it = key.matches_locator(locator);
            set(pkcs11, "key", if names_it { key } else { key.at(locator) }.to_string());
        }
        Ok(())
    }

    fn fill_token(pkcs11: &mut Table, locator: &Pkcs11Locator) {
        set(pkcs11, "token", &locator.token);
        set(pkcs11, "serial", &locator.serial);
        set(pkcs11, "key_label", &locator.label);
        // Trusted, where the header is not: who can change that alone has no PIN sent.
        if locator.shown {
            set(pkcs11, "key_shown", true);
        } else {
            pkcs11.remove("key_shown");
        }
    }

    /// What the key was made with, so that the next one is made alike.
    fn fill_tpm(&self, tpm: &mut Table, object: &TpmObject) {
        let config = self.config.tpm.clone().unwrap_or_else(|| as_made(object));
        set(tpm, "device_path", &config.device_path);
        // As people write it.
        let handle = object.parent.handle.map(|handle| format!("{handle:#010x}").parse::<Value>());
        if let Some(Ok(handle)) = handle {
            set(tpm, "key_handle", handle);
        }
        set(tpm, "parent_name", hex::encode(&object.parent.name));
        set(tpm, "platform_binding", !object.policy.pcr.is_empty());
        if !object.policy.pcr.is_empty() {
            set(tpm, "pcr_bank", config.pcr_bank.as_str());
            set(tpm, "pcr_indices", config.pcr_indices.to_string());
        }
        set(tpm, "pin", object.policy.pin.is_some());
        let authorized = object.policy.authorized.is_some();
        set(tpm, "policy", if authorized { "authorized" } else { "literal" });
        if let Some(approver) = config.approver.as_ref().and_then(|path| path.to_str())
            && authorized
        {
            set(tpm, "approver", approver);
        }
    }
}

/// As far as an object tells with what it was made.
fn as_made(object: &TpmObject) -> TpmConfig {
    let mut config = TpmConfig::default();
    if let Some(values) = object.policy.pcr.first() {
        config.pcr_bank = values.bank;
        let indices: Vec<String> = values.values.keys().map(ToString::to_string).collect();
        config.pcr_indices = PcrIndices::parse(&indices.join(",")).unwrap_or(config.pcr_indices);
    }
    // Of the approver the object has the key, and no file.
    config.approver = object.policy.authorized.as_ref().map(|_| PathBuf::from("/APPROVER.pem"));
    config
}

/// An identity that was made.
#[derive(Debug)]
#[non_exhaustive]
#[must_use]
pub struct Made {
    /// The identity, open.
    pub bundle: IdentityBundle<DidKey>,
    /// Its header, as it was written: no file is read for it again.
    pub header: Header,
}

/// Pins an identity that is made, and then writes it: it is never there without
/// its pin. Where there is no file, it begins as `if_none`. Gives the configuration
/// that pins it, too.
pub(super) fn make(
    home: &Home,
    mut draft: Draft<'_>,
    if_none: &str,
) -> Result<(Made, Config), Error> {
    let header = draft.header().clone();
    let pins = Pins::of(&header, home);
    let mut config = Config::default();
    let pinned = draft.write_config(&home.config_path, |before| {
        let text = pins.put_into(before.unwrap_or(if_none))?;
        config = Config::parse(&text)?;
        Ok(text)
    });
    // Of a new key nothing is left: there is nothing to be pinned by hand.
    let lines = (!draft.is_new()).then(|| pins.lines());
    pinned.map_err(|error| not_pinned(home, lines, error))?;
    Ok((Made { bundle: draft.write()?, header }, config))
}

/// The same for one that is changed.
pub(super) fn change(home: &Home, mut change: Change) -> Result<Header, Error> {
    let header = change.header().clone();
    let pins = Pins::of(&header, home);
    let pinned = change
        .write_config(&home.config_path, |before| Ok(pins.put_into(before.unwrap_or_default())?));
    pinned.map_err(|error| not_pinned(home, Some(pins.lines()), error))?;
    drop(change.write()?);
    Ok(header)
}

fn not_pinned(home: &Home, lines: Option<String>, error: Error) -> Error {
    match error {
        // It can be written, and must not be.
        Error::Keystore(KeystoreError::OtherPinned { .. }) => error,
        error => {
            let source: Box<dyn std::error::Error + Send + Sync> = match error {
                Error::Keystore(error) => error.into(),
                error => error.into(),
            };
            let path = home.config_path.clone();
            KeystoreError::PinNotWritten { path, lines, source }.into()
        }
    }
}

impl Home {
    /// The lines of `icn.toml` that pin an identity with this header, and say where
    /// its key is.
    #[doc(hidden)]
    #[must_use]
    pub fn pin_lines(&self, header: &Header) -> String {
        Pins::of(header, self).lines()
    }

    /// **Blocks** on files. The table `[identity]` of the configuration, with its
    /// comments and without the tables of other programs: for a backup. `None` if
    /// there is none.
    ///
    /// # Errors
    ///
    /// As [`Config::load`].
    pub fn identity_config(&self) -> Result<Option<String>, Error> {
        let Some(text) = Config::read(&self.config_path)? else { return Ok(None) };
        let mut text = ConfigText::parse(&text)?;
        text.retain_identity();
        Ok((!text.is_empty()).then(|| text.to_string()))
    }

    /// **Blocks** on files. What of the configuration a backup keeps: what is about the
    /// identity, and where its audit log is. The clients of a daemon are users of this machine,
    /// and none of another one.
    ///
    /// # Errors
    ///
    /// As [`Self::identity_config`].
    pub fn config_for_backup(&self) -> Result<Option<String>, Error> {
        let Some(text) = Config::read(&self.config_path)? else { return Ok(None) };
        let mut text = ConfigText::parse(&text)?;
        text.retain_for_backup();
        Ok((!text.is_empty()).then(|| text.to_string()))
    }
}
