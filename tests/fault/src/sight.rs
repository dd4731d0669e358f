//! Tokens that show nothing without a login.

use cryptoki_sys::*;

use crate::state::state;

/// Whether a session sees no object: there is no login, and the script says so.
pub(crate) fn is_blind(real: &CK_FUNCTION_LIST, session: CK_SESSION_HANDLE) -> bool {
    if !state().script.login_to_see {
        return false;
    }
    let mut info = CK_SESSION_INFO { slotID: 0, state: 0, flags: 0, ulDeviceError: 0 };
    // SAFETY: valid for a write.
    let rv = real.C_GetSessionInfo.map(|function| unsafe { function(session, &raw mut info) });
    rv == Some(CKR_OK) && !matches!(info.state, CKS_RO_USER_FUNCTIONS | CKS_RW_USER_FUNCTIONS)
}
