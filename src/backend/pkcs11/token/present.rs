//! The tokens that are there now.

use std::sync::Arc;

use cryptoki::error::{Error, RvError};
use cryptoki::slot::Slot;

use super::super::failure::Failure;
use super::super::info::{Seen, TokenInfo, trimmed};
use super::super::module::{Module, check_process};
use super::Token;
use crate::error::Pkcs11Error;
use crate::evidence::DeviceIdentity;
use crate::sync::Instant;

/// Every initialised token. One that cannot be read (pulled out just now, not
/// recognised) must not hide the others.
pub(in super::super) fn present(module: &Arc<Module>) -> Result<Vec<Token>, Pkcs11Error> {
    check_process()?;
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

/// Slots whose token is away because something in front of it does not answer: a
/// connector, a server. What can be plugged in is not among them.
pub(in super::super) fn out_of_reach(module: &Arc<Module>) -> Vec<String> {
    let context = module.context();
    let slots = context.get_all_slots().unwrap_or_default();
    let away = slots.into_iter().filter_map(|slot| {
        let about = context.get_slot_info(slot).ok()?;
        let name = trimmed(about.slot_description());
        match module.calls().token_info(context, slot) {
            Ok(_) => None,
            Err(Error::Pkcs11(
                RvError::TokenNotPresent
                | RvError::DeviceRemoved
                | RvError::TokenNotRecognized
                | RvError::SlotIdInvalid,
                _,
            )) => is_on_a_network(&name).then_some(name),
            Err(error) => Some(format!("{name} ({})", Failure::from(error))),
        }
    });
    away.chain(without_server(module)).collect()
}

/// p11-kit's client has no slot then, and no error: it says so in `CK_INFO` alone.
fn without_server(module: &Arc<Module>) -> Option<String> {
    let info = module.context().get_library_info().ok()?;
    let name = trimmed(info.library_description());
    name.contains("no connection")
        .then(|| "the server of p11-kit's client (P11_KIT_SERVER_ADDRESS)".to_owned())
}

/// "YubiHSM Connector http://127.0.0.1:12345"
fn is_on_a_network(slot: &str) -> bool {
    slot.contains("://") || slot.to_lowercase().contains("connector")
}

pub(super) fn read(module: &Arc<Module>, slot: Slot) -> Option<Token> {
    let context = module.context();
    let info = module
        .calls()
        .token_info(context, slot)
        .inspect_err(|error| log::warn!("a token cannot be read: {}", error))
        .ok()
        .filter(TokenInfo::is_initialised)?;
    let about = context.get_slot_info(slot).ok();
    let hardware_slot = about.as_ref().is_some_and(|info| info.hardware_slot());
    let about = about.map_or_else(String::new, |info| {
        format!("{} {}", trimmed(info.slot_description()), trimmed(info.manufacturer_id()))
    });
    let pin = info.pin();
    let identity = DeviceIdentity {
        manufacturer: info.manufacturer,
        model: info.model,
        serial: info.serial,
        label: info.label,
        library: module.about().to_owned(),
        module: module.file_names(),
        slot: about.trim().to_owned(),
        firmware: info.firmware,
        hardware_slot,
    };
    let (at, mechanisms) = (Instant::now(), Arc::default());
    let (is_alone, has_serial_alone) = (false, false);
    let seen = Seen { slot, identity, pin, at, is_alone, has_serial_alone, mechanisms };
    Some(Token { module: Arc::clone(module), seen, told_by_slot: false })
}

pub(super) fn names(tokens: &[Token]) -> Vec<String> {
    tokens.iter().map(Token::full_name).collect()
}
