//! Choosing a token by label and serial number.

use std::fmt;
use std::sync::Arc;

use cryptoki::error::{Error, RvError};
use cryptoki::mechanism::MechanismType;
use cryptoki::session::Session;
use cryptoki::slot::{Slot, TokenInfo};

use super::failure::Failure;
use super::module::{Module, trimmed};
use crate::backend::{PinState, Pkcs11Locator, Pkcs11Uri};
use crate::config::Pkcs11Config;
use crate::error::Pkcs11Error;
use crate::evidence::{DeviceIdentity, Evidence, Exposable, Pkcs11Attributes, Trust};

/// Which token is wanted; what is `None` may be anything.
#[derive(Debug, Clone, Default)]
pub(super) struct Wanted {
    label: Option<String>,
    serial: Option<String>,
    slot: Option<u64>,
    uri: Option<Pkcs11Uri>,
    /// What the configuration believes of it.
    trust: Trust,
}

impl Wanted {
    pub(super) fn from_config(config: &Pkcs11Config) -> Self {
        Self {
            label: config.token.clone(),
            serial: config.serial.clone(),
            slot: config.slot,
            uri: config.key.clone(),
            trust: config.trust(),
        }
    }

    /// What is wanted, and by this URI as well.
    pub(super) fn and_uri(mut self, uri: &Pkcs11Uri) -> Self {
        self.uri = Some(uri.clone());
        self
    }

    pub(super) const fn trust(&self) -> Trust {
        self.trust
    }

    /// Any token that a URI means.
    pub(super) fn from_uri(uri: &Pkcs11Uri) -> Self {
        Self { uri: Some(uri.clone()), ..Self::default() }
    }

    /// The token of a locator, if the configuration does not want another one.
    pub(super) fn narrowed_to(
        &self,
        locator: &Pkcs11Locator,
        module: &Arc<Module>,
    ) -> Result<Self, Pkcs11Error> {
        let wanted = Self {
            label: Some(locator.token.clone()),
            serial: Some(locator.serial.clone()),
            slot: self.slot,
            uri: self.uri.clone(),
            trust: self.trust,
        };
        let agrees = |pinned: &Option<String>, found| pinned.as_ref().is_none_or(|p| p == found);
        if agrees(&self.label, &locator.token) && agrees(&self.serial, &locator.serial) {
            return Ok(wanted);
        }
        Err(Pkcs11Error::NoToken {
            wanted: format!("both the configuration ({self}) and the key's locator ({wanted})"),
            present: names(&present(module)?),
        })
    }

    pub(super) fn matches(&self, token: &Token) -> bool {
        let agrees = |wanted: &Option<String>, found| wanted.as_ref().is_none_or(|w| w == found);
        agrees(&self.label, &token.identity.label)
            && agrees(&self.serial, &token.identity.serial)
            && self.slot.is_none_or(|slot| slot == token.slot.id())
            && self.uri.as_ref().is_none_or(|uri| uri.matches_token(&token.identity))
    }
}

impl fmt::Display for Wanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts: Vec<String> = [
            self.label.as_ref().map(|label| format!("label {label:?}")),
            self.serial.as_ref().map(|serial| format!("serial {serial}")),
            self.slot.map(|slot| format!("slot {slot}")),
            self.uri.as_ref().map(ToString::to_string),
        ]
        .into_iter()
        .flatten()
        .collect();
        if parts.is_empty() { f.write_str("any label") } else { f.write_str(&parts.join(", ")) }
    }
}

/// A token that is present now. Not kept longer than a login: its slot may
/// change.
#[derive(Clone)]
pub(super) struct Token {
    module: Arc<Module>,
    slot: Slot,
    identity: DeviceIdentity,
}

impl Token {
    /// The one token that is wanted.
    pub(super) fn select(module: &Arc<Module>, wanted: &Wanted) -> Result<Self, Pkcs11Error> {
        super::module::check_process()?;
        // Only what is named by its serial number can be no other token.
        let pinned = wanted.serial.is_some() && wanted.label.is_some();
        let known = module.known_token().clone().map(|(slot, identity)| Self {
            module: Arc::clone(module),
            slot,
            identity,
        });
        let known = known.filter(|known| pinned && wanted.matches(known));
        if let Some(known) = known
            && let Some(now) = read(module, known.slot)
            && now.identity == known.identity
        {
            return Ok(now);
        }
        let token = Self::search(module, wanted)?;
        *module.known_token() = Some((token.slot, token.identity.clone()));
        Ok(token)
    }

    fn search(module: &Arc<Module>, wanted: &Wanted) -> Result<Self, Pkcs11Error> {
        let (mut matching, others): (Vec<_>, Vec<_>) =
            present(module)?.into_iter().partition(|token| wanted.matches(token));
        match (matching.pop(), matching.is_empty()) {
            (Some(token), true) => Ok(token),
            (None, _) => {
                Err(Pkcs11Error::NoToken { wanted: wanted.to_string(), present: names(&others) })
            }
            (Some(token), false) => {
                matching.push(token);
                Err(Pkcs11Error::AmbiguousToken {
                    wanted: wanted.to_string(),
                    candidates: names(&matching),
                })
            }
        }
    }

    /// What follows from a key's attributes on this token, by what the configuration
    /// of whoever asks believes of it.
    ///
    /// # Errors
    ///
    /// [`Exposable`] if the token would hand the private key out.
    pub(super) fn judge(
        &self,
        attributes: Pkcs11Attributes,
        trust: Trust,
    ) -> Result<Evidence, Exposable> {
        Evidence::from_pkcs11(self.identity.clone(), attributes, trust)
    }

    pub(super) fn module(&self) -> &Arc<Module> {
        &self.module
    }

    pub(super) fn identity(&self) -> &DeviceIdentity {
        &self.identity
    }

    /// For messages: label and serial number.
    pub(super) fn full_name(&self) -> String {
        let DeviceIdentity { label, serial, .. } = &self.identity;
        format!("{label} (serial {serial})")
    }

    /// For messages: the label, or the serial number where there is none.
    pub(super) fn name(&self) -> String {
        let DeviceIdentity { label, serial, .. } = &self.identity;
        if label.is_empty() { format!("(serial {serial})") } else { label.clone() }
    }

    /// The state of the token now, with its PIN flags.
    pub(super) fn info(&self) -> Result<TokenInfo, Pkcs11Error> {
        self.module.context().get_token_info(self.slot).map_err(self.failed("C_GetTokenInfo"))
    }

    pub(super) fn pin_state(&self) -> Result<PinState, Pkcs11Error> {
        let info = self.info()?;
        Ok(PinState {
            initialized: info.user_pin_initialized(),
            count_low: info.user_pin_count_low(),
            final_try: info.user_pin_final_try(),
            locked: info.user_pin_locked(),
            to_be_changed: info.user_pin_to_be_changed(),
            pin_pad: info.protected_authentication_path(),
            tries_left: None,
        })
    }

    /// For callers that hold the connection's lock.
    pub(super) fn session_within_lock(&self) -> Result<Session, Pkcs11Error> {
        self.open_session().map_err(self.failed("C_OpenSession"))
    }

    /// A session as the module gives it.
    pub(super) fn open_session(&self) -> Result<Session, Error> {
        self.module.context().open_ro_session(self.slot)
    }

    /// The same, for writing.
    pub(super) fn open_writing_session(&self) -> Result<Session, Error> {
        self.module.context().open_rw_session(self.slot)
    }

    /// Whether the token has all of these mechanisms.
    pub(super) fn has(&self, mechanisms: &[MechanismType]) -> Result<bool, Pkcs11Error> {
        let present = self.mechanisms()?;
        Ok(mechanisms.iter().all(|mechanism| present.contains(mechanism)))
    }

    pub(super) fn mechanisms(&self) -> Result<Vec<MechanismType>, Pkcs11Error> {
        let list = self.module.context().get_mechanism_list(self.slot);
        list.map_err(self.failed("C_GetMechanismList"))
    }

    /// The error of a call on this token.
    pub(super) fn failed(&self, call: &'static str) -> impl FnOnce(Error) -> Pkcs11Error + use<> {
        let token = self.name();
        move |error| Failure::from(error).into_error(call, token)
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Token").field("identity", &self.identity).finish_non_exhaustive()
    }
}

/// Every initialised token. One that cannot be read (pulled out just now, not
/// recognised) must not hide the others.
pub(super) fn present(module: &Arc<Module>) -> Result<Vec<Token>, Pkcs11Error> {
    super::module::check_process()?;
    let slots = match module.context().get_slots_with_token() {
        // Other code in this process has finalised it.
        Err(Error::Pkcs11(RvError::CryptokiNotInitialized, _)) => {
            module.initialise()?;
            module.context().get_slots_with_token()
        }
        slots => slots,
    };
    let slots = slots.map_err(|error| {
        Failure::from(error).into_error("C_GetSlotList", module.path().display().to_string())
    })?;
    Ok(slots.into_iter().filter_map(|slot| read(module, slot)).collect())
}

fn read(module: &Arc<Module>, slot: Slot) -> Option<Token> {
    let context = module.context();
    let info = context
        .get_token_info(slot)
        .inspect_err(|error| log::warn!("a token cannot be read: {}", error))
        .ok()
        .filter(TokenInfo::token_initialized)?;
    let about = context.get_slot_info(slot).ok();
    let hardware_slot = about.as_ref().is_some_and(|info| info.hardware_slot());
    let about = about.map_or_else(String::new, |info| {
        format!("{} {}", trimmed(info.slot_description()), trimmed(info.manufacturer_id()))
    });
    let identity = DeviceIdentity {
        manufacturer: trimmed(info.manufacturer_id()),
        model: trimmed(info.model()),
        serial: trimmed(info.serial_number()),
        label: trimmed(info.label()),
        library: module.about().to_owned(),
        module: module.file_name(),
        slot: about.trim().to_owned(),
        firmware: info.firmware_version().to_string(),
        hardware_slot,
    };
    Some(Token { module: Arc::clone(module), slot, identity })
}

fn names(tokens: &[Token]) -> Vec<String> {
    tokens.iter().map(Token::full_name).collect()
}
