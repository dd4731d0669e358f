//! One signature by one `C_SignInit` and one `C_Sign`.
//!
//! `cryptoki::Session::sign` asks for the length first, which costs a round
//! trip on a network HSM and is refused by NSS; and its EdDSA parameters have
//! an unsound lifetime. This is the one place with `unsafe`.
#![allow(unsafe_code, reason = "calls two functions of the module that cryptoki wraps otherwise")]

use std::path::Path;
use std::ptr;

use cryptoki::context::Function;
use cryptoki::error::{Error, Rv};
use cryptoki::object::ObjectHandle;
use cryptoki::session::Session;
use cryptoki_sys::{
    CK_FUNCTION_LIST, CK_INTERFACE, CK_MECHANISM, CK_RV, CK_ULONG, CKM_EDDSA, CKR_OK,
};

use super::failure::Failure;
use super::token::Token;
use crate::error::DeviceError;

type SignInit = unsafe extern "C" fn(CK_ULONG, *mut CK_MECHANISM, CK_ULONG) -> CK_RV;
type Sign = unsafe extern "C" fn(CK_ULONG, *mut u8, CK_ULONG, *mut u8, *mut CK_ULONG) -> CK_RV;

/// The two functions of a module, and the library that they are in.
pub(super) struct Signing {
    init: SignInit,
    sign: Sign,
    _library: cryptoki_sys::Pkcs11,
}

/// Why there is no signature. After it the session may have one pending, and
/// is not to be used again.
pub(super) enum NotSigned {
    /// One of the two calls failed.
    Failed { call: &'static str, failure: Failure },
    /// What was to be done between them failed.
    NotConfirmed(DeviceError),
}

impl NotSigned {
    pub(super) fn into_error(self, token: &Token) -> DeviceError {
        match self {
            Self::NotConfirmed(error) => error,
            Self::Failed { call, failure } => {
                DeviceError::Call { call, token: token.name(), source: Box::new(failure) }
            }
        }
    }
}

impl Signing {
    /// Takes the functions from a library that cryptoki has loaded already.
    pub(super) fn load(path: &Path) -> Result<Self, Error> {
        // SAFETY: cryptoki has loaded this library, so its constructors have
        // run; the loader counts references and hands out the same library.
        let library = unsafe { cryptoki_sys::Pkcs11::new(path) }?;
        let functions = function_list(&library)?;
        Ok(Self {
            init: functions.C_SignInit.ok_or(Error::NullFunctionPointer)?,
            sign: functions.C_Sign.ok_or(Error::NullFunctionPointer)?,
            _library: library,
        })
    }

    /// Signs exactly `message` by pure Ed25519. `confirm` is called in between,
    /// for keys that want their PIN each time.
    pub(super) fn sign_once(
        &self,
        session: &Session,
        key: ObjectHandle,
        message: &[u8],
        confirm: impl FnOnce() -> Result<(), DeviceError>,
    ) -> Result<[u8; 64], NotSigned> {
        let mut mechanism =
            CK_MECHANISM { mechanism: CKM_EDDSA, pParameter: ptr::null_mut(), ulParameterLen: 0 };
        // SAFETY: the library is held by `self`; the mechanism outlives the
        // call; handles are plain numbers that the module checks.
        let returned = unsafe { (self.init)(session.handle(), &raw mut mechanism, key.handle()) };
        succeeded("C_SignInit", returned)?;
        confirm().map_err(NotSigned::NotConfirmed)?;

        let mut signature = [0_u8; 64];
        let mut length: CK_ULONG = 64;
        let message_length = CK_ULONG::try_from(message.len()).map_err(|error| {
            NotSigned::Failed { call: "C_Sign", failure: Failure::Unreadable(error.into()) }
        })?;
        // SAFETY: as above; `length` says how much room `signature` has, and
        // the module only reads the message, though its prototype lacks const.
        // `&Session` is not `Send`, so no other thread uses the session.
        let returned = unsafe {
            (self.sign)(
                session.handle(),
                message.as_ptr().cast_mut(),
                message_length,
                signature.as_mut_ptr(),
                &raw mut length,
            )
        };
        succeeded("C_Sign", returned)?;
        if length != 64 {
            return Err(NotSigned::Failed { call: "C_Sign", failure: Failure::SignatureLength });
        }
        Ok(signature)
    }
}

fn succeeded(call: &'static str, returned: CK_RV) -> Result<(), NotSigned> {
    match Rv::from(returned) {
        Rv::Ok => Ok(()),
        Rv::Error(error) => Err(NotSigned::Failed { call, failure: Failure::Returned(error) }),
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
