//! Slots, tokens, sessions, logins.

use std::ffi::c_void;
use std::fs;
use std::sync::PoisonError;

use cryptoki_sys::*;

use crate::effects::{on_session_with, without_session};
use crate::real::{give_up, real};
use crate::state::{AT_WORK, Session, directory, log, state};

pub(crate) unsafe extern "C" fn C_GetInfo(info: *mut CK_INFO) -> CK_RV {
    without_session("C_GetInfo", |real| {
        let Some(function) = real.C_GetInfo else { return CKR_FUNCTION_NOT_SUPPORTED };
        // SAFETY: the caller's own arguments, under the same contract.
        let rv = unsafe { function(info) };
        // SAFETY: valid for a write, and was written if all went well.
        if let (CKR_OK, Some(info)) = (rv, unsafe { info.as_mut() }) {
            // It is not the library behind it, whose name says what that is.
            let library = state().script.library.clone();
            pad(&mut info.manufacturerID, &library.unwrap_or_else(|| "Fault".into()));
            pad(&mut info.libraryDescription, "Forwards calls");
        }
        rv
    })
}

pub(crate) unsafe extern "C" fn C_GetSlotList(
    present: CK_BBOOL,
    slots: *mut CK_SLOT_ID,
    count: *mut CK_ULONG,
) -> CK_RV {
    without_session("C_GetSlotList", |real| {
        if present != 0 && state().token_is_away() {
            // SAFETY: valid for a write by the standard.
            unsafe { *count = 0 };
            return CKR_OK;
        }
        let Some(function) = real.C_GetSlotList else { return CKR_FUNCTION_NOT_SUPPORTED };
        if !state().script.one_slot {
            // SAFETY: the caller's own arguments, under the same contract.
            return unsafe { function(present, slots, count) };
        }
        let (mut all, mut length) = (vec![0; 64], 64);
        // SAFETY: room for 64, and the length says so.
        let rv = unsafe { function(present, all.as_mut_ptr(), &raw mut length) };
        if rv != CKR_OK {
            return rv;
        }
        all.truncate(length as usize);
        all.retain(|slot| is_initialised(real, *slot));
        // SAFETY: the caller's own arguments, as the standard has them.
        unsafe { give(&all, slots, count) }
    })
}

fn is_initialised(real: &CK_FUNCTION_LIST, slot: CK_SLOT_ID) -> bool {
    let mut info = CK_TOKEN_INFO::default();
    // SAFETY: valid for a write.
    let rv = real.C_GetTokenInfo.map(|function| unsafe { function(slot, &raw mut info) });
    rv == Some(CKR_OK) && info.flags & CKF_TOKEN_INITIALIZED != 0
}

/// Gives a list out, or its length.
///
/// # Safety
///
/// `count` must be valid, and `list` null or valid for that many.
unsafe fn give(all: &[CK_ULONG], list: *mut CK_ULONG, count: *mut CK_ULONG) -> CK_RV {
    // SAFETY: by contract.
    unsafe {
        let room = *count as usize;
        *count = all.len() as CK_ULONG;
        if list.is_null() {
            return CKR_OK;
        }
        if room < all.len() {
            return CKR_BUFFER_TOO_SMALL;
        }
        std::ptr::copy_nonoverlapping(all.as_ptr(), list, all.len());
    }
    CKR_OK
}

pub(crate) unsafe extern "C" fn C_GetSlotInfo(slot: CK_SLOT_ID, info: *mut CK_SLOT_INFO) -> CK_RV {
    without_session("C_GetSlotInfo", |real| {
        let Some(function) = real.C_GetSlotInfo else { return CKR_FUNCTION_NOT_SUPPORTED };
        // SAFETY: the caller's own arguments, under the same contract.
        let rv = unsafe { function(slot, info) };
        let state = state();
        // SAFETY: valid for a write, and was written if all went well.
        if let (CKR_OK, Some(info)) = (rv, unsafe { info.as_mut() }) {
            if state.token_is_away() {
                info.flags &= !CKF_TOKEN_PRESENT;
            }
            if state.script.hardware {
                info.flags |= CKF_HW_SLOT;
                // SoftHSM's slots tell what is behind them.
                pad(&mut info.slotDescription, "Fault Works reader");
                pad(&mut info.manufacturerID, "Fault Works");
            }
            if let Some(slot) = &state.script.slot {
                pad(&mut info.slotDescription, slot);
            }
        }
        rv
    })
}

pub(crate) unsafe extern "C" fn C_GetTokenInfo(
    slot: CK_SLOT_ID,
    info: *mut CK_TOKEN_INFO,
) -> CK_RV {
    without_session("C_GetTokenInfo", |real| {
        if state().token_is_away() {
            return CKR_TOKEN_NOT_PRESENT;
        }
        let Some(function) = real.C_GetTokenInfo else { return CKR_FUNCTION_NOT_SUPPORTED };
        // SAFETY: the caller's own arguments, under the same contract.
        let rv = unsafe { function(slot, info) };
        // SAFETY: valid for a write, and was written if all went well.
        if let (CKR_OK, Some(info)) = (rv, unsafe { info.as_mut() }) {
            change(info);
        }
        rv
    })
}

fn change(info: &mut CK_TOKEN_INFO) {
    let state = state();
    let script = &state.script;
    for flag in &script.flags {
        match flag.as_str() {
            "pin-locked" => info.flags |= CKF_USER_PIN_LOCKED,
            "final-try" => info.flags |= CKF_USER_PIN_FINAL_TRY,
            "count-low" => info.flags |= CKF_USER_PIN_COUNT_LOW,
            "to-be-changed" => info.flags |= CKF_USER_PIN_TO_BE_CHANGED,
            "protected-path" => info.flags |= CKF_PROTECTED_AUTHENTICATION_PATH,
            "error-state" => info.flags |= CKF_ERROR_STATE,
            "write-protected" => info.flags |= CKF_WRITE_PROTECTED,
            _ => info.flags &= !CKF_USER_PIN_INITIALIZED,
        }
    }
    if let Some(allowed) = script.tries {
        info.flags &= !(CKF_USER_PIN_COUNT_LOW | CKF_USER_PIN_FINAL_TRY | CKF_USER_PIN_LOCKED);
        let wrong = wrong_tries();
        if wrong >= allowed {
            info.flags |= CKF_USER_PIN_LOCKED;
        } else if wrong + 1 == allowed {
            info.flags |= CKF_USER_PIN_FINAL_TRY | CKF_USER_PIN_COUNT_LOW;
        } else if wrong > 0 {
            info.flags |= CKF_USER_PIN_COUNT_LOW;
        }
    }
    if let Some(limit) = script.max_sessions {
        let limit = if script.hide_max_sessions { CK_UNAVAILABLE_INFORMATION } else { limit };
        (info.ulMaxSessionCount, info.ulMaxRwSessionCount) = (limit, limit);
        info.ulSessionCount = state.sessions.len() as CK_ULONG;
    }
    if let Some(clock) = &script.clock {
        info.flags |= CKF_CLOCK_ON_TOKEN;
        pad(&mut info.utcTime, clock);
    }
    if let Some(label) = &script.label {
        pad(&mut info.label, label);
    }
    if let Some(serial) = &script.serial {
        pad(&mut info.serialNumber, serial);
    }
    if script.hardware {
        pad(&mut info.manufacturerID, "Fault Works");
        pad(&mut info.model, "FW-1");
    }
    if let Some(manufacturer) = &script.manufacturer {
        pad(&mut info.manufacturerID, manufacturer);
    }
    if let Some(model) = &script.model {
        pad(&mut info.model, model);
    }
}

fn pad(field: &mut [u8], text: &str) {
    field.fill(b' ');
    for (place, byte) in field.iter_mut().zip(text.bytes()) {
        *place = byte;
    }
}

pub(crate) unsafe extern "C" fn C_GetMechanismList(
    slot: CK_SLOT_ID,
    list: *mut CK_MECHANISM_TYPE,
    count: *mut CK_ULONG,
) -> CK_RV {
    without_session("C_GetMechanismList", |real| {
        let Some(function) = real.C_GetMechanismList else { return CKR_FUNCTION_NOT_SUPPORTED };
        let (mut all, mut length) = (vec![0; 512], 512);
        // SAFETY: room for 512, and the length says so.
        let rv = unsafe { function(slot, all.as_mut_ptr(), &raw mut length) };
        if rv != CKR_OK {
            return rv;
        }
        all.truncate(length as usize);
        let state = state();
        all.retain(|mechanism| !state.script.no_mechanism.contains(mechanism));
        // SAFETY: as the caller says by `count`, which is valid by the standard.
        unsafe { give(&all, list, count) }
    })
}

pub(crate) unsafe extern "C" fn C_GetMechanismInfo(
    slot: CK_SLOT_ID,
    mechanism: CK_MECHANISM_TYPE,
    info: *mut CK_MECHANISM_INFO,
) -> CK_RV {
    without_session("C_GetMechanismInfo", |real| {
        if state().script.no_mechanism.contains(&mechanism) {
            return CKR_MECHANISM_INVALID;
        }
        let Some(function) = real.C_GetMechanismInfo else { return CKR_FUNCTION_NOT_SUPPORTED };
        // SAFETY: the caller's own arguments, under the same contract.
        let rv = unsafe { function(slot, mechanism, info) };
        // SAFETY: valid for a write by the standard.
        if let Some(info) = unsafe { info.as_mut() }
            && mechanism == CKM_AES_CBC_PAD
            && state().script.unwraps_cbc
        {
            info.flags |= CKF_UNWRAP;
        }
        rv
    })
}

pub(crate) unsafe extern "C" fn C_OpenSession(
    slot: CK_SLOT_ID,
    flags: CK_FLAGS,
    application: *mut c_void,
    notify: CK_NOTIFY,
    handle: *mut CK_SESSION_HANDLE,
) -> CK_RV {
    without_session("C_OpenSession", |real| {
        {
            let state = state();
            if state.token_is_away() {
                return CKR_TOKEN_NOT_PRESENT;
            }
            if state.script.max_sessions.is_some_and(|max| state.sessions.len() as u64 >= max) {
                return CKR_SESSION_COUNT;
            }
            if let Some(rv) = state.script.writing_sessions.filter(|_| flags & CKF_RW_SESSION != 0)
            {
                return rv;
            }
        }
        let Some(function) = real.C_OpenSession else { return CKR_FUNCTION_NOT_SUPPORTED };
        let mut opened = 0;
        // SAFETY: the caller's own arguments but for the handle, which is ours.
        let rv = unsafe { function(slot, flags, application, notify, &raw mut opened) };
        if rv == CKR_OK {
            let writing = flags & CKF_RW_SESSION != 0;
            let session = Session { real: opened, writing, ..Session::default() };
            // SAFETY: valid for a write by the standard.
            unsafe { *handle = state().add(session) };
        }
        rv
    })
}

pub(crate) unsafe extern "C" fn C_CloseSession(session: CK_SESSION_HANDLE) -> CK_RV {
    // Not in the `match`: the state would stay locked through its arms, and calls
    // at work need it before they are done.
    let known = state().sessions.remove(&session);
    let rv = match known {
        None => CKR_SESSION_HANDLE_INVALID,
        Some(gone) => {
            // Not while it is at work: SoftHSM does not survive that.
            let _alone = AT_WORK.write().unwrap_or_else(PoisonError::into_inner);
            // SAFETY: the handle is the real module's own.
            real().C_CloseSession.map_or(CKR_OK, |close| unsafe { close(gone.real) })
        }
    };
    log("C_CloseSession", rv, "");
    rv
}

pub(crate) unsafe extern "C" fn C_Login(
    session: CK_SESSION_HANDLE,
    user: CK_USER_TYPE,
    pin: *mut CK_UTF8CHAR,
    length: CK_ULONG,
) -> CK_RV {
    let detail = if user == CKU_CONTEXT_SPECIFIC { " context" } else { " user" };
    let own = session;
    on_session_with("C_Login", session, detail, |real, session, _| {
        let (allowed, locked, pad) = {
            let state = state();
            let flag = |name| state.script.flags.contains(name);
            (state.script.tries, flag("pin-locked"), flag("protected-path"))
        };
        if state().script.pin.is_some() && !pad {
            // SAFETY: the caller's own arguments, under the same contract.
            return unsafe { crate::pin::login(real, (own, session), user, (pin, length)) };
        }
        if locked || allowed.is_some_and(|allowed| wrong_tries() >= allowed) {
            return CKR_PIN_LOCKED;
        }
        if state().script.login_per_session && user == CKU_USER {
            // SAFETY: the caller's own arguments, under the same contract.
            return unsafe { crate::per_session::login(real, (own, session), pin, length) };
        }
        let Some(function) = real.C_Login else { return CKR_FUNCTION_NOT_SUPPORTED };
        let rv = if pad {
            if !pin.is_null() {
                return CKR_ARGUMENTS_BAD;
            }
            // What a person types at the pad.
            let Ok(mut typed) = std::env::var("PKCS11_FAULT_PIN") else {
                give_up("PKCS11_FAULT_PIN is not set");
            };
            // SAFETY: pointer and length are those of `typed`.
            unsafe { function(session, user, typed.as_mut_ptr(), typed.len() as CK_ULONG) }
        } else {
            // SAFETY: the caller's own arguments, under the same contract.
            unsafe { function(session, user, pin, length) }
        };
        if allowed.is_some() && matches!(rv, CKR_OK | CKR_PIN_INCORRECT) {
            let wrong = if rv == CKR_OK { 0 } else { wrong_tries() + 1 };
            if let Err(error) = fs::write(directory().join("tries"), wrong.to_string()) {
                give_up(&error.to_string());
            }
        }
        match (rv, state().script.wrong_pin) {
            (CKR_PIN_INCORRECT, Some(code)) => code,
            (rv, _) => rv,
        }
    })
}

pub(crate) fn wrong_tries() -> u32 {
    let text = fs::read_to_string(directory().join("tries")).unwrap_or_default();
    text.trim().parse().unwrap_or(0)
}
