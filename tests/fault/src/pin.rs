//! `pin-is TEXT`: the user PIN is that, whatever the token behind has, which is logged in
//! to by its own. So a PIN can be changed under whoever has it. Each PIN that comes is
//! written down in `pins`: what was come for (the serial number), the PIN, how many tries
//! there were left before, and whether it is right.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::sync::{Mutex, PoisonError};

use cryptoki_sys::*;

use crate::real::give_up;
use crate::state::{directory, state};
use crate::token::wrong_tries;

/// # Safety
///
/// `pin` must be valid for its length.
pub(crate) unsafe fn login(
    real: &CK_FUNCTION_LIST,
    (own, session): (CK_SESSION_HANDLE, CK_SESSION_HANDLE),
    user: CK_USER_TYPE,
    (pin, length): (*mut CK_UTF8CHAR, CK_ULONG),
) -> CK_RV {
    // One PIN after the other, as a token does it.
    static ONE: Mutex<()> = Mutex::new(());
    let _one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
    let (right, serial, allowed, code, each) = {
        let state = state();
        let script = &state.script;
        let right = script.pin.clone().unwrap_or_default();
        let serial = script.serial.clone().unwrap_or_default();
        (right, serial, script.tries, script.wrong_pin, script.login_per_session)
    };
    if !each && user == CKU_USER && is_logged_in(real, session) {
        // It is not looked at.
        return CKR_USER_ALREADY_LOGGED_IN;
    }
    // SAFETY: by contract.
    let given = unsafe { std::slice::from_raw_parts(pin, length as usize) };
    let given = String::from_utf8_lossy(given).into_owned();
    let wrong = wrong_tries();
    let left = allowed.map_or(i64::MAX, |allowed| i64::from(allowed) - i64::from(wrong));
    let is_right = given == right;
    note(&format!("{serial} {given} {left} {is_right}\n"));
    if left <= 0 {
        return CKR_PIN_LOCKED;
    }
    if allowed.is_some() {
        let wrong = if is_right { 0 } else { wrong + 1 };
        if let Err(error) = std::fs::write(directory().join("tries"), wrong.to_string()) {
            give_up(&error.to_string());
        }
    }
    if !is_right {
        return code.unwrap_or(CKR_PIN_INCORRECT);
    }
    let Ok(mut own_pin) = std::env::var("PKCS11_FAULT_PIN") else {
        give_up("PKCS11_FAULT_PIN is not set");
    };
    let (pin, length) = (own_pin.as_mut_ptr(), own_pin.len() as CK_ULONG);
    if each && user == CKU_USER {
        // SAFETY: pointer and length are those of `own_pin`.
        return unsafe { crate::per_session::login(real, (own, session), pin, length) };
    }
    // SAFETY: as above.
    real.C_Login.map_or(CKR_FUNCTION_NOT_SUPPORTED, |function| unsafe {
        function(session, user, pin, length)
    })
}

fn is_logged_in(real: &CK_FUNCTION_LIST, session: CK_SESSION_HANDLE) -> bool {
    let mut info = CK_SESSION_INFO { slotID: 0, state: 0, flags: 0, ulDeviceError: 0 };
    // SAFETY: valid for a write.
    let rv = real.C_GetSessionInfo.map(|function| unsafe { function(session, &raw mut info) });
    rv == Some(CKR_OK) && matches!(info.state, CKS_RO_USER_FUNCTIONS | CKS_RW_USER_FUNCTIONS)
}

fn note(line: &str) {
    let file = OpenOptions::new().create(true).append(true).open(directory().join("pins"));
    if let Err(error) = file.and_then(|mut file| file.write_all(line.as_bytes())) {
        give_up(&error.to_string());
    }
}
