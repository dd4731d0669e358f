//! The calls that cryptoki does not make as they are needed here.
//!
//! `cryptoki::Session::sign` asks for the length first, which costs a round
//! trip on a network HSM and is refused by NSS; so does its `encrypt`, to which
//! NSS answers too little. It reads attributes by one or two calls for each, and
//! no token whose clock shows no date. This is the one place of the backend
//! with `unsafe`.
//!
//! Some modules hand out another list of functions at each asking, and only the
//! one that was initialised works: p11-kit's, that of its proxy and of its
//! client. Cryptoki keeps its own to itself; so on such a module every call is
//! cryptoki's ([`proxied`]).
#![allow(unsafe_code, reason = "calls functions of the module that cryptoki wraps otherwise")]

mod attributes;
mod cipher;
mod proxied;
mod sign;

use std::ffi::CStr;
use std::path::Path;
use std::ptr::{self, NonNull};
use std::time::Duration;

use cryptoki::context::{CInitializeArgs, CInitializeFlags, Function, Pkcs11};
use cryptoki::error::{Error, Rv, RvError};
use cryptoki::slot::Slot;
use cryptoki_sys::{CK_FUNCTION_LIST, CK_INTERFACE, CK_TOKEN_INFO, CKR_OK};

#[cfg(all(
    any(test, fuzzing),
    feature = "attestation",
    feature = "audit",
    feature = "client",
    feature = "pkcs11",
    feature = "tpm"
))]
pub(super) use self::attributes::believed;
pub(super) use self::sign::NotSigned;
use super::info::TokenInfo;
use crate::sync::{sleep, step};

/// How long a token that could not say what it is gets before it is asked again.
const BETWEEN_READINGS: [Duration; 3] =
    [Duration::from_millis(5), Duration::from_millis(20), Duration::from_millis(80)];

/// Functions of a module, and the library that they are in.
pub(super) struct Calls {
    /// `None` where they are not the ones that cryptoki initialises.
    own: Option<CK_FUNCTION_LIST>,
    _library: cryptoki_sys::Pkcs11,
}

impl Calls {
    /// Takes the functions from a library that cryptoki has loaded already.
    pub(super) fn load(path: &Path) -> Result<Self, Error> {
        // SAFETY: cryptoki has loaded this library, so its constructors have
        // run; the loader counts references and hands out the same library.
        let library = unsafe { cryptoki_sys::Pkcs11::new(path) }?;
        let functions = function_list(&library)?;
        functions.C_SignInit.ok_or(Error::NullFunctionPointer)?;
        functions.C_Sign.ok_or(Error::NullFunctionPointer)?;
        functions.C_GetAttributeValue.ok_or(Error::NullFunctionPointer)?;
        let again = function_list(&library)?;
        let own = is_the_same(&functions, &again).then_some(functions);
        if own.is_none() {
            log::debug!("{} hands out another list of functions each time", path.display());
        }
        Ok(Self { own, _library: library })
    }

    /// Whether a PIN can be given between the two calls of a signature, for keys
    /// that want it each time.
    pub(super) const fn can_confirm(&self) -> bool {
        self.own.is_some()
    }

    /// What a token says of itself now, whatever its clock shows. A token that
    /// cannot say it at this moment is asked again, which costs nothing: SoftHSM
    /// fails like that while another process writes a flag into its file.
    pub(super) fn token_info(&self, context: &Pkcs11, slot: Slot) -> Result<TokenInfo, Error> {
        let mut pauses = BETWEEN_READINGS.into_iter();
        loop {
            match (self.token_info_once(context, slot), pauses.next()) {
                (Err(Error::Pkcs11(RvError::GeneralError, _)), Some(pause)) => sleep(pause),
                (answer, _) => return answer,
            }
        }
    }

    fn token_info_once(&self, context: &Pkcs11, slot: Slot) -> Result<TokenInfo, Error> {
        step();
        let Some(functions) = &self.own else {
            return context.get_token_info(slot).map(TokenInfo::from);
        };
        let call = functions.C_GetTokenInfo.ok_or(Error::NullFunctionPointer)?;
        let mut info = CK_TOKEN_INFO::default();
        // SAFETY: the library is held by `self`; the module writes one struct.
        let returned = unsafe { call(slot.into(), &raw mut info) };
        Rv::from(returned).into_result(Function::GetTokenInfo)?;
        Ok(TokenInfo::from(info))
    }
}

/// Initialises a module for threads, with the text that it wants in `pReserved`
/// of its arguments, if it wants one.
pub(super) fn initialise(context: &Pkcs11, parameters: Option<&CStr>) -> Result<(), Error> {
    let flags = CInitializeFlags::OS_LOCKING_OK;
    let arguments = match parameters {
        None => CInitializeArgs::new(flags),
        // SAFETY: the text ends with NUL and outlives the call. That the module
        // takes a text there is the operator's word.
        Some(text) => unsafe {
            CInitializeArgs::new_with_reserved(flags, NonNull::from(text).cast())
        },
    };
    context.initialize(arguments)
}

/// Whether two lists name the same functions.
fn is_the_same(one: &CK_FUNCTION_LIST, other: &CK_FUNCTION_LIST) -> bool {
    let sign = one.C_Sign.zip(other.C_Sign);
    let read = one.C_GetAttributeValue.zip(other.C_GetAttributeValue);
    sign.is_some_and(|(one, other)| ptr::fn_addr_eq(one, other))
        && read.is_some_and(|(one, other)| ptr::fn_addr_eq(one, other))
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
