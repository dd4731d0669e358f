//! The calls that cryptoki does not make as they are needed here.
//!
//! `cryptoki::Session::sign` asks for the length first, which costs a round
//! trip on a network HSM and is refused by NSS; its EdDSA parameters have an
//! unsound lifetime; and it reads attributes by one or two calls for each. This
//! is the one place of the backend with `unsafe`.
#![allow(unsafe_code, reason = "calls three functions of the module that cryptoki wraps otherwise")]

mod attributes;
mod sign;

use std::path::Path;
use std::ptr;

use cryptoki::context::Function;
use cryptoki::error::{Error, Rv};
use cryptoki_sys::{
    CK_ATTRIBUTE, CK_FUNCTION_LIST, CK_INTERFACE, CK_MECHANISM, CK_RV, CK_ULONG, CKR_OK,
};

pub(super) use self::sign::NotSigned;

type SignInit = unsafe extern "C" fn(CK_ULONG, *mut CK_MECHANISM, CK_ULONG) -> CK_RV;
type Sign = unsafe extern "C" fn(CK_ULONG, *mut u8, CK_ULONG, *mut u8, *mut CK_ULONG) -> CK_RV;
type GetAttributes = unsafe extern "C" fn(CK_ULONG, CK_ULONG, *mut CK_ATTRIBUTE, CK_ULONG) -> CK_RV;

/// Three functions of a module, and the library that they are in.
pub(super) struct Calls {
    sign_init: SignInit,
    sign: Sign,
    get_attributes: GetAttributes,
    _library: cryptoki_sys::Pkcs11,
}

impl Calls {
    /// Takes the functions from a library that cryptoki has loaded already.
    pub(super) fn load(path: &Path) -> Result<Self, Error> {
        // SAFETY: cryptoki has loaded this library, so its constructors have
        // run; the loader counts references and hands out the same library.
        let library = unsafe { cryptoki_sys::Pkcs11::new(path) }?;
        let functions = function_list(&library)?;
        Ok(Self {
            sign_init: functions.C_SignInit.ok_or(Error::NullFunctionPointer)?,
            sign: functions.C_Sign.ok_or(Error::NullFunctionPointer)?,
            get_attributes: functions.C_GetAttributeValue.ok_or(Error::NullFunctionPointer)?,
            _library: library,
        })
    }
}

/// The list that cryptoki chose too: handles made through one interface of a
/// module need not be known to another. Every later version of the list
/// begins with the fields of version 2.
fn function_list(library: &cryptoki_sys::Pkcs11) -> Result<CK_FUNCTION_LIST, Error> {
    if library.C_GetInterface.is_ok() {
        let mut interface: *mut CK_INTERFACE = ptr::null_mut();
        // SAFETY: the symbol was found; null name and version ask for the
        // default interface, and the module writes one pointer.
        let returned = unsafe {
            library.C_GetInterface(ptr::null_mut(), ptr::null_mut(), &raw mut interface, 0)
        };
        if returned == CKR_OK && !interface.is_null() {
            // SAFETY: not null, and static in the module by the standard.
            let list: *const CK_FUNCTION_LIST = unsafe { *interface }.pFunctionList.cast();
            // SAFETY: the same; only the fields of version 2 are read.
            if let Some(list) = unsafe { list.as_ref() }
                && list.version.major >= 3
            {
                return Ok(*list);
            }
        }
    }
    if library.C_GetFunctionList.is_err() {
        return Err(Error::MissingSymbol("C_GetFunctionList"));
    }
    let mut list: *mut CK_FUNCTION_LIST = ptr::null_mut();
    // SAFETY: the symbol was found, and the module writes one pointer.
    let returned = unsafe { library.C_GetFunctionList(&raw mut list) };
    Rv::from(returned).into_result(Function::GetFunctionList)?;
    // SAFETY: static in the module by the standard; null is checked for.
    unsafe { list.as_ref() }.copied().ok_or(Error::NullFunctionPointer)
}
