//! `login-per-session`, as nethsm-pkcs11 has it: a session that was not logged in
//! itself does nothing, a wrong PIN is CKR_USER_TYPE_INVALID, and every session
//! says that the user is logged in until it is logged out.

use cryptoki_sys::*;

use crate::effects::on_session;
use crate::state::state;

/// What wants a login of the session.
const WITHIN: [&str; 10] = [
    "C_FindObjectsInit",
    "C_SignInit",
    "C_EncryptInit",
    "C_DecryptInit",
    "C_GenerateKey",
    "C_GenerateKeyPair",
    "C_DeriveKey",
    "C_CreateObject",
    "C_DestroyObject",
    "C_SetAttributeValue",
];

/// Whether a call is refused, since its session is not logged in.
pub(crate) fn refuses(function: &str, session: CK_SESSION_HANDLE) -> bool {
    let state = state();
    state.script.login_per_session
        && WITHIN.contains(&function)
        && state.sessions.get(&session).is_some_and(|session| session.login != Some(true))
}

/// # Safety
///
/// `pin` must be valid for its length.
pub(crate) unsafe fn login(
    real: &CK_FUNCTION_LIST,
    (own, session): (CK_SESSION_HANDLE, CK_SESSION_HANDLE),
    pin: *mut CK_UTF8CHAR,
    length: CK_ULONG,
) -> CK_RV {
    let Some(function) = real.C_Login else { return CKR_FUNCTION_NOT_SUPPORTED };
    if pin.is_null() {
        return CKR_ARGUMENTS_BAD;
    }
    // SAFETY: by contract.
    let (given, rv) = unsafe {
        let given = std::slice::from_raw_parts(pin, length as usize).to_vec();
        (given, function(session, CKU_USER, pin, length))
    };
    let mut state = state();
    let right = match rv {
        CKR_OK => {
            state.accepted = Some(given);
            true
        }
        // The module behind has one login for all.
        CKR_USER_ALREADY_LOGGED_IN => state.accepted.as_ref() == Some(&given),
        CKR_PIN_INCORRECT => false,
        other => return other,
    };
    if let Some(session) = state.sessions.get_mut(&own) {
        session.login = Some(right);
    }
    if right { CKR_OK } else { CKR_USER_TYPE_INVALID }
}

pub(crate) unsafe extern "C" fn C_Logout(session: CK_SESSION_HANDLE) -> CK_RV {
    let own = session;
    on_session("C_Logout", session, |real, session, _| {
        let Some(function) = real.C_Logout else { return CKR_FUNCTION_NOT_SUPPORTED };
        let others = {
            let mut state = state();
            if let Some(session) = state.sessions.get_mut(&own) {
                session.login = Some(false);
            }
            state.script.login_per_session
                && state.sessions.values().any(|session| session.login == Some(true))
        };
        // SAFETY: the handle is the real module's own.
        if others { CKR_OK } else { unsafe { function(session) } }
    })
}

pub(crate) unsafe extern "C" fn C_GetSessionInfo(
    session: CK_SESSION_HANDLE,
    info: *mut CK_SESSION_INFO,
) -> CK_RV {
    let own = session;
    on_session("C_GetSessionInfo", session, |real, session, _| {
        let Some(function) = real.C_GetSessionInfo else { return CKR_FUNCTION_NOT_SUPPORTED };
        // SAFETY: the caller's own arguments, under the same contract.
        let rv = unsafe { function(session, info) };
        let state = state();
        let login = state.sessions.get(&own).and_then(|session| session.login);
        // SAFETY: valid for a write, and was written if all went well.
        if let (CKR_OK, true, Some(info)) =
            (rv, state.script.login_per_session, unsafe { info.as_mut() })
        {
            info.state =
                if login == Some(false) { CKS_RO_PUBLIC_SESSION } else { CKS_RW_USER_FUNCTIONS };
        }
        rv
    })
}
