//! The key of an identity that is given up, removed from the token that it is on now.
//!
//! What is removed has to be ours: it has the names of the note that was made before it (see
//! [`ObjectNames`]), or is named by a header for which the payload vouches.

use std::fmt;
use std::path::PathBuf;

use serde::Serialize;

use super::Home;
use super::source::CredentialSource;
use super::wants::{Step, Wanted, Wants};
use crate::backend::{BackendKind, ObjectNames, Pkcs11Locator, Plan};
use crate::encoding::hex;
use crate::error::{Error, KeystoreError};
use crate::keystore::{IdentityStore, TokenKey};

/// A key on a token that nothing here names any more, and what kept its storage key there.
///
/// `Display` says where it is, and what to look for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct KeyLeft {
    /// The PKCS#11 module by which it was used, if that is configured.
    pub module: Option<PathBuf>,
    /// The token's label.
    pub token: String,
    /// The token was looked at when this was said: it has that label, and no other one has it.
    pub label_is_current: bool,
    /// The token's serial number.
    pub serial: String,
    /// The key's label, if it is known.
    pub label: Option<String>,
    /// `CKA_ID`s in hex: of the key, and of what kept its storage key.
    pub ids: Vec<String>,
}

impl KeyLeft {
    fn noted(names: &ObjectNames, label: Option<String>) -> Self {
        let ids = [names.key_id(), names.storage_id()].map(|id| hex::encode(&id)).into();
        let (token, serial) = (names.token.clone(), names.serial.clone());
        Self { module: None, token, label_is_current: false, serial, label, ids }
    }

    /// By what the journal says.
    pub(crate) fn of(key: &TokenKey, module: Option<PathBuf>) -> Self {
        let TokenKey { token, serial, label, ids, .. } = key.clone();
        Self { module, token, label_is_current: false, serial, label, ids }
    }

    pub(crate) fn at(locator: &Pkcs11Locator, storage: Option<&[u8]>) -> Self {
        let ids = [Some(locator.id.as_slice()), storage].into_iter().flatten();
        Self {
            module: None,
            token: locator.token.clone(),
            label_is_current: false,
            serial: locator.serial.clone(),
            label: Some(locator.label.clone()).filter(|label| !label.is_empty()),
            ids: ids.map(hex::encode).collect(),
        }
    }
}

impl fmt::Display for KeyLeft {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "token {} (serial {}), ", self.token, self.serial)?;
        if let Some(label) = &self.label {
            write!(f, "labelled {label}, ")?;
        }
        match self.ids.is_empty() {
            true => f.write_str("with a CKA_ID that is not known"),
            false => write!(f, "with CKA_ID {}", self.ids.join(" or ")),
        }
    }
}

/// The key of an identity that is given up.
pub(crate) struct OnToken {
    by: By,
    /// Where it is now.
    pub(crate) at: KeyLeft,
    /// Where it was when it was made, if that is another token: a copy may be there.
    pub(crate) before: Option<KeyLeft>,
}

impl OnToken {
    /// On the same token, which has another label now.
    pub(crate) fn on_renamed(self, now: &Pkcs11Locator) -> Self {
        let Self { by, mut at, before } = self;
        at.token.clone_from(&now.token);
        let by = match by {
            By::Noted(names) => By::Noted(names.on_token(&now.token, &now.serial)),
            By::Header => By::Header,
        };
        Self { by, at, before }
    }
}

enum By {
    /// Of these names.
    Noted(ObjectNames),
    /// Where the header says.
    Header,
}

impl Home {
    /// The key of the identity in this home, by the note of its making. `None` if none is on a
    /// token; or, unless it is still `whole`, if it was removed: the note goes with it.
    pub(crate) fn key_on_token(
        &self,
        note: &IdentityStore,
        whole: bool,
    ) -> Result<Option<OnToken>, Error> {
        let noted = note.noted_objects()?;
        let header = self.store.header().ok();
        let named = header.as_ref().and_then(|header| Some((header.locator()?, header)));
        let mut on_token = match (noted, named) {
            (None, None) => return Ok(None),
            (None, Some(_)) if !whole => return Ok(None),
            (None, Some((locator, header))) => {
                let at = KeyLeft::at(locator, header.storage_key_id());
                OnToken { by: By::Header, at, before: None }
            }
            (Some(names), None) => {
                let at = KeyLeft::noted(&names, None);
                OnToken { by: By::Noted(names), at, before: None }
            }
            (Some(names), Some((locator, header))) => {
                let label = Some(locator.label.clone()).filter(|label| !label.is_empty());
                let before =
                    (!is_on(locator, &names)).then(|| KeyLeft::noted(&names, label.clone()));
                if locator.id == names.key_id() {
                    let names = names.on_token(&locator.token, &locator.serial);
                    let at = KeyLeft::noted(&names, label);
                    OnToken { by: By::Noted(names), at, before }
                } else {
                    let at = KeyLeft::at(locator, header.storage_key_id());
                    OnToken { by: By::Header, at, before }
                }
            }
        };
        let module = self.config.identity.pkcs11.as_ref().map(|pkcs11| &pkcs11.module);
        for key in [Some(&mut on_token.at), on_token.before.as_mut()].into_iter().flatten() {
            key.module = module.cloned();
        }
        Ok(Some(on_token))
    }

    /// That the token is there, takes the PIN, and has what may be removed. Nothing is changed.
    pub(crate) fn check_removable(
        &self,
        key: &OnToken,
        source: impl FnOnce(&Wants) -> CredentialSource<'static>,
    ) -> Result<(), Error> {
        match &key.by {
            By::Noted(names) => {
                let (backend, plan) = (self.backend()?, plan(names));
                let (needed, configured) = (BackendKind::Pkcs11, backend.kind());
                if configured != needed {
                    let (found, configured) = (needed.to_string(), configured.to_string());
                    let what = "backend";
                    return Err(KeystoreError::NotConfigured { what, found, configured }.into());
                }
                let wants = self.wants_pin()?;
                let source = source(&wants);
                self.ask(&wants, source)?
                    .send(|credentials| backend.check_discard(&plan, credentials))
            }
            By::Header => self.destroy(true, source).map(drop),
        }
    }

    /// Removes it, and then the note of its making. Whether it still was there.
    pub(crate) fn remove_key(
        &self,
        key: &OnToken,
        note: &IdentityStore,
        source: impl FnOnce(&Wants) -> CredentialSource<'static>,
    ) -> Result<bool, Error> {
        let was_there = match &key.by {
            By::Noted(names) => {
                let (backend, plan) = (self.backend()?, plan(names));
                let wants = self.wants_pin()?;
                let source = source(&wants);
                self.ask(&wants, source)?.send(|credentials| backend.discard(&plan, credentials))?
            }
            By::Header => self.destroy(false, source)?,
        };
        note.forget_objects()?;
        Ok(was_there)
    }

    /// No passphrase: what it opens is given up.
    fn wants_pin(&self) -> Result<Wants, Error> {
        let description = self.backend()?.describe();
        Ok(Wants::new(Some(Wanted::pin(description, Step::Present)), None))
    }

    #[cfg(feature = "pkcs11")]
    fn destroy(
        &self,
        checked: bool,
        source: impl FnOnce(&Wants) -> CredentialSource<'static>,
    ) -> Result<bool, Error> {
        self.destroy_key(checked, source)
    }

    #[cfg(not(feature = "pkcs11"))]
    fn destroy(
        &self,
        _: bool,
        _: impl FnOnce(&Wants) -> CredentialSource<'static>,
    ) -> Result<bool, Error> {
        Err(crate::error::DeviceError::NoPkcs11.into())
    }
}

fn plan(names: &ObjectNames) -> Plan {
    Plan { names: Some(names.clone()), ..Plan::default() }
}

/// Whether a key is on the token that it was made on, which may have another label by now.
fn is_on(locator: &Pkcs11Locator, names: &ObjectNames) -> bool {
    // Some modules have one number for all of their tokens.
    let says_something = names.serial.chars().any(|digit| digit != '0');
    locator.serial == names.serial && (says_something || locator.token == names.token)
}
