//! What a module and its tokens say of themselves, for `icnctl backend doctor`.
//!
//! [`examine`] uses no PIN. [`probe()`] logs in once and works with keys that are
//! gone afterwards, and with one that is there. Both only report; what it means for an
//! identity is said by [`TokenReport::verdicts`] and [`ProbeReport::verdicts`].

mod advice;
mod cleaning;
mod honesty;
mod kept;
mod known;
mod measure;
mod options;
mod probe;
mod verdict;

use serde::Serialize;

pub use self::honesty::{Honesty, Told};
pub use self::kept::{Kept, StorageReport};
pub use self::known::{Claim, KnownKeyReport, Opens};
pub use self::measure::Latency;
pub use self::options::{KnownKey, ProbeOptions};
pub use self::probe::{MadeReport, NotMade, ProbeReport, probe};
pub use self::verdict::{by_its_identity, hidden, unfinished};
use super::info::TokenInfo;
use super::module::Module;
use super::object::Objects;
use super::token::{Token, Wanted, has_namesake, out_of_reach, present, renamed};
use crate::backend::{PinState, Pkcs11Locator};
use crate::config::Pkcs11Config;
use crate::did::{Did, DidMethod};
use crate::error::{Pkcs11Error, in_full};
use crate::evidence::{Assurance, Tells};

/// A module: its library and its tokens.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct ModuleReport {
    /// Canonical path of the library.
    pub path: String,
    /// `libraryDescription`, trimmed.
    pub description: String,
    /// `manufacturerID` of the library, trimmed.
    pub manufacturer: String,
    /// `libraryVersion`, `major.minor`.
    pub version: String,
    /// `cryptokiVersion`: the interface that the library says it has.
    pub interface: String,
    /// Every initialised token.
    pub tokens: Vec<TokenReport>,
    /// The label of a token that is the configured one but for its label.
    pub renamed: Option<String>,
    /// Whether a token has the configured label, and another serial number than the configured
    /// one: it is another one, or was initialised anew.
    pub namesake: bool,
    /// What does not answer between the module and a device, where the configuration means
    /// no token that is there.
    pub out_of_reach: Vec<String>,
}

/// A token, by its own word.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct TokenReport {
    /// `label`, trimmed.
    pub label: String,
    /// `serialNumber`, trimmed.
    pub serial: String,
    /// `manufacturerID`, trimmed.
    pub manufacturer: String,
    /// `model`, trimmed.
    pub model: String,
    /// `firmwareVersion`, `major.minor`.
    pub firmware: String,
    /// RFC 7512 URI of the token.
    pub uri: String,
    /// Whether the configuration means this token.
    pub selected: bool,
    /// Of keys on it.
    pub assurance: Assurance,
    /// `CKF_HW_SLOT`
    pub hardware_slot: bool,
    /// `CKF_WRITE_PROTECTED`: no key can be made on it.
    pub write_protected: bool,
    /// `CKF_ERROR_STATE`: a self-test of the token has failed.
    pub error_state: bool,
    /// Most sessions (`ulMaxSessionCount`), where the token says so.
    pub max_sessions: Option<u64>,
    /// State of the user PIN.
    pub pin: PinState,
    /// The token is known to show the first wrong PIN, until the right one is entered.
    pub tells_each_wrong_pin: bool,
    /// `CKM_` names of every mechanism.
    pub mechanisms: Vec<String>,
    /// Public keys, Ed25519 and P-256, that are shown without a login.
    pub keys: Vec<KeyReport>,
    /// Whether any public key is shown without a login, of whatever kind.
    pub shows_public_keys: bool,
    /// Why the keys could not be listed.
    pub keys_error: Option<String>,
    /// Why its mechanisms or the state of its PIN could not be read.
    pub unreadable: Option<String>,
    /// A key made on it may take the place of one that is there, and the configuration
    /// does not allow that (`make_keys_in_slots`).
    pub keys_in_slots: bool,
}

/// A public Ed25519 or P-256 key on a token.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct KeyReport {
    /// `CKA_LABEL`
    pub label: String,
    /// RFC 7512 URI.
    pub uri: String,
    /// Its `did:icn`, or its `did:key` if it is a P-256 key.
    pub did: Option<Did>,
    /// Why it cannot be used.
    pub problem: Option<String>,
}

/// **Blocks** on the device. Looks at a module and all its tokens, without a PIN.
///
/// # Errors
///
/// [`Pkcs11Error::Module`] if the module cannot be used at all.
pub fn examine(config: &Pkcs11Config) -> Result<ModuleReport, Pkcs11Error> {
    let module = Module::open(config)?;
    let info = module.context().get_library_info().map_err(|error| {
        let name = module.path().display().to_string();
        super::failure::Failure::from(error).into_error("C_GetInfo", name)
    })?;
    let wanted = Wanted::from_config(config);
    let tokens = present(&module)?;
    let is_there = tokens.iter().any(|token| wanted.matches(token));
    let (renamed, out_of_reach) = match is_there {
        true => (None, Vec::new()),
        false => (renamed(&wanted, &tokens), out_of_reach(&module)),
    };
    let namesake = !is_there && has_namesake(&wanted, &tokens);
    Ok(ModuleReport {
        path: module.path().display().to_string(),
        description: info.library_description().trim().to_owned(),
        manufacturer: info.manufacturer_id().trim().to_owned(),
        version: info.library_version().to_string(),
        interface: info.cryptoki_version().to_string(),
        tokens: tokens.iter().map(|token| of_token(token, config, &wanted)).collect(),
        renamed,
        namesake,
        out_of_reach,
    })
}

fn of_token(token: &Token, config: &Pkcs11Config, wanted: &Wanted) -> TokenReport {
    let identity = token.identity().clone();
    let (info, mechanisms) = (token.info(), token.mechanisms());
    let unread = [info.as_ref().err(), mechanisms.as_ref().err()];
    let unreadable = unread.into_iter().flatten().map(|error| in_full(error)).next();
    let info = info.ok();
    let ((keys, shows_public_keys), keys_error) = match keys(token) {
        Ok(keys) => (keys, None),
        Err(error) => ((Vec::new(), false), Some(in_full(&error))),
    };
    TokenReport {
        uri: super::locator(token, Vec::new(), "").token_uri(),
        selected: wanted.matches(token),
        assurance: identity.token_assurance(wanted.trust()),
        hardware_slot: identity.hardware_slot,
        write_protected: info.as_ref().is_some_and(TokenInfo::write_protected),
        error_state: info.as_ref().is_some_and(TokenInfo::error_state),
        max_sessions: info.as_ref().and_then(|info| info.max_sessions),
        pin: token.pin_state().unwrap_or_default(),
        tells_each_wrong_pin: identity.wrong_pins().tells == Tells::FromTheFirst,
        mechanisms: mechanisms.unwrap_or_default().iter().map(ToString::to_string).collect(),
        unreadable,
        keys_in_slots: !super::may_make_keys(config, token),
        keys,
        shows_public_keys,
        keys_error,
        label: identity.label,
        serial: identity.serial,
        manufacturer: identity.manufacturer,
        model: identity.model,
        firmware: identity.firmware,
    }
}

/// Those that an identity can have, and whether any are shown.
fn keys(token: &Token) -> Result<(Vec<KeyReport>, bool), Pkcs11Error> {
    let session = token.session()?;
    let objects = Objects { token, session: &session };
    let public = objects.all_public()?;
    let any = !public.is_empty() || objects.shows_public_keys()?;
    let reports: Result<_, _> = public
        .into_iter()
        .map(|object| {
            let (label, id) = (objects.label(object)?, objects.id(object)?);
            let uri = Pkcs11Locator { label: label.clone(), ..super::locator(token, id, "") };
            let (did, problem) = match objects.point(object) {
                _ if objects.keeps_storage(object)? => {
                    (None, Some("it keeps the storage key of an identity".to_owned()))
                }
                Ok(Some(key)) => (Some(Did::fitting(DidMethod::Icn, &key)), None),
                Ok(None) => (None, Some("it shows no CKA_EC_POINT".to_owned())),
                Err(error) => (None, Some(in_full(&error))),
            };
            Ok(KeyReport { label, uri: uri.to_string(), did, problem })
        })
        .collect();
    Ok((reports?, any))
}
