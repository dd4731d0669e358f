//! A PKCS#11 module that forwards to the one in `PKCS11_FAULT_MODULE`, and does
//! what the script in `PKCS11_FAULT_DIR` says on the way (see `script`).
//!
//! Every call is written to the file `calls` there, with its answer; never a
//! PIN. Session handles are the module's own, so that a session that was
//! killed stays dead. Real calls run side by side.
#![allow(non_snake_case)]
#![deny(unsafe_op_in_unsafe_fn)]

mod attributes;
mod calls;
mod codes;
mod effects;
mod forward;
mod keys;
mod lifetime;
mod lists;
mod per_session;
mod pin;
mod real;
mod script;
mod sight;
mod state;
mod strict;
mod token;
mod unwrap;

use cryptoki_sys::{CK_FUNCTION_LIST, CK_RV, CKR_ARGUMENTS_BAD, CKR_OK};

/// The one symbol of a PKCS#11 v2.40 module.
///
/// # Safety
///
/// `list` must be valid for a write, or null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn C_GetFunctionList(list: *mut *mut CK_FUNCTION_LIST) -> CK_RV {
    if list.is_null() {
        return CKR_ARGUMENTS_BAD;
    }
    // SAFETY: not null, and valid by contract. Callers only read the list.
    unsafe { *list = std::ptr::from_ref(lists::next()).cast_mut() };
    CKR_OK
}
