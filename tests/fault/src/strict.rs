//! Lengths and parameters that a module is particular about, as NSS is.

use std::ffi::{CStr, c_void};

use cryptoki_sys::*;

use crate::effects::on_session;
use crate::state::state;

/// `strict-lengths`: a number that is asked for with another length than its own
/// comes in the form of the database: four bytes, the highest first.
///
/// # Safety
///
/// The attribute's pointer must be valid for its length.
pub(crate) unsafe fn number(
    attribute: &mut CK_ATTRIBUTE,
    ask: impl Fn(*mut CK_ATTRIBUTE) -> CK_RV,
) -> Option<CK_RV> {
    let own = size_of::<CK_ULONG>();
    let is_number = [CKA_CLASS, CKA_KEY_TYPE, CKA_VALUE_LEN].contains(&attribute.type_);
    let as_it_should_be = attribute.pValue.is_null() || attribute.ulValueLen as usize == own;
    if !state().script.strict_lengths || !is_number || as_it_should_be {
        return None;
    }
    let mut value: CK_ULONG = 0;
    let mut asked = CK_ATTRIBUTE {
        type_: attribute.type_,
        pValue: (&raw mut value).cast(),
        ulValueLen: own as CK_ULONG,
    };
    let rv = ask(&raw mut asked);
    if rv != CKR_OK || attribute.ulValueLen < 4 {
        attribute.ulValueLen = CK_UNAVAILABLE_INFORMATION;
        return Some(if rv == CKR_OK { CKR_BUFFER_TOO_SMALL } else { rv });
    }
    let stored = (value as u32).to_be_bytes();
    // SAFETY: there is room for four bytes.
    unsafe { std::ptr::copy_nonoverlapping(stored.as_ptr(), attribute.pValue.cast(), 4) };
    attribute.ulValueLen = 4;
    Some(CKR_OK)
}

/// `short-gcm`: the length that is announced leaves the tag out.
pub(crate) unsafe extern "C" fn C_Encrypt(
    session: CK_SESSION_HANDLE,
    data: *mut CK_BYTE,
    length: CK_ULONG,
    out: *mut CK_BYTE,
    out_length: *mut CK_ULONG,
) -> CK_RV {
    on_session("C_Encrypt", session, |real, session, _| {
        let Some(function) = real.C_Encrypt else { return CKR_FUNCTION_NOT_SUPPORTED };
        // SAFETY: the caller's own arguments, under the same contract.
        let rv = unsafe { function(session, data, length, out, out_length) };
        if rv == CKR_OK && out.is_null() && state().script.short_gcm {
            // SAFETY: valid for a write, as was just written.
            unsafe { *out_length = (*out_length).saturating_sub(16) };
        }
        rv
    })
}

/// `init-args TEXT`: what `C_Initialize` wants in `pReserved`. Tells whether it is
/// there.
///
/// # Safety
///
/// `arguments` must be null or `CK_C_INITIALIZE_ARGS`, in which `pReserved` is null
/// or a text.
pub(crate) unsafe fn is_initialised_well(arguments: *mut c_void) -> bool {
    let Some(wanted) = state().script.init_args.clone() else { return true };
    // SAFETY: by contract.
    let given = unsafe {
        let arguments = arguments.cast::<CK_C_INITIALIZE_ARGS>().as_ref();
        let text = arguments.map(|arguments| arguments.pReserved).filter(|text| !text.is_null());
        text.map(|text| CStr::from_ptr(text.cast()).to_string_lossy().into_owned())
    };
    given.is_some_and(|given| given == wanted)
}
