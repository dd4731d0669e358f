//! `list-per-call`: each time another list of functions, as p11-kit has it. The
//! first one works; the functions of the others were never initialised.

use std::sync::atomic::{AtomicUsize, Ordering};

use cryptoki_sys::*;

use crate::calls;
use crate::state::{log, state};

/// The list for who asks now.
pub(crate) fn next() -> &'static CK_FUNCTION_LIST {
    static ASKED: AtomicUsize = AtomicUsize::new(0);
    if !state().script.list_per_call {
        return &calls::LIST;
    }
    match ASKED.fetch_add(1, Ordering::Relaxed) {
        0 => &calls::LIST,
        odd if odd % 2 == 1 => &const { other::<1>() },
        _ => &const { other::<2>() },
    }
}

macro_rules! uninitialised {
    ($($name:ident($($argument:ty),*);)+) => {
        $(unsafe extern "C" fn $name<const LIST: u8>($(_: $argument),*) -> CK_RV {
            // What differs keeps the linker from making one function of two.
            log(stringify!($name), CKR_CRYPTOKI_NOT_INITIALIZED, if LIST == 1 { " odd" } else { " even" });
            CKR_CRYPTOKI_NOT_INITIALIZED
        })+

        const fn other<const LIST: u8>() -> CK_FUNCTION_LIST {
            CK_FUNCTION_LIST { $($name: Some($name::<LIST>),)+ ..calls::FUNCTIONS }
        }
    };
}

uninitialised! {
    C_GetTokenInfo(CK_SLOT_ID, *mut CK_TOKEN_INFO);
    C_GetAttributeValue(CK_SESSION_HANDLE, CK_OBJECT_HANDLE, *mut CK_ATTRIBUTE, CK_ULONG);
    C_SignInit(CK_SESSION_HANDLE, *mut CK_MECHANISM, CK_OBJECT_HANDLE);
    C_Sign(CK_SESSION_HANDLE, *mut CK_BYTE, CK_ULONG, *mut CK_BYTE, *mut CK_ULONG);
    C_EncryptInit(CK_SESSION_HANDLE, *mut CK_MECHANISM, CK_OBJECT_HANDLE);
    C_Encrypt(CK_SESSION_HANDLE, *mut CK_BYTE, CK_ULONG, *mut CK_BYTE, *mut CK_ULONG);
    C_DecryptInit(CK_SESSION_HANDLE, *mut CK_MECHANISM, CK_OBJECT_HANDLE);
    C_Decrypt(CK_SESSION_HANDLE, *mut CK_BYTE, CK_ULONG, *mut CK_BYTE, *mut CK_ULONG);
}
