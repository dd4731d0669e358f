//! The module behind this one.

use std::sync::OnceLock;

use cryptoki_sys::{CK_FUNCTION_LIST, CKR_OK};

struct Real {
    list: CK_FUNCTION_LIST,
    _library: cryptoki_sys::Pkcs11,
}

/// Its functions. Ends the process if there is no such module: a test must not
/// go on without.
pub(crate) fn real() -> &'static CK_FUNCTION_LIST {
    static REAL: OnceLock<Real> = OnceLock::new();
    let real = REAL.get_or_init(|| {
        let path = std::env::var_os("PKCS11_FAULT_MODULE")
            .unwrap_or_else(|| give_up("PKCS11_FAULT_MODULE is not set"));
        // SAFETY: the test names a PKCS#11 module.
        let library = unsafe { cryptoki_sys::Pkcs11::new(&path) }
            .unwrap_or_else(|error| give_up(&format!("{}: {error}", path.display())));
        let mut list = std::ptr::null_mut();
        // SAFETY: the pointer is valid for a write; a module's list is static.
        let list = unsafe {
            if library.C_GetFunctionList(&raw mut list) != CKR_OK || list.is_null() {
                give_up("no function list");
            }
            *list
        };
        Real { list, _library: library }
    });
    &real.list
}

pub(crate) fn give_up(reason: &str) -> ! {
    eprintln!("pkcs11-fault: {reason}");
    std::process::abort();
}
