//! The function list. What is not in it, no caller of these tests needs.

use std::ffi::c_void;

use cryptoki_sys::*;

use crate::forward::{forward, forward_plain};
use crate::{attributes, keys, lifetime, per_session, strict, token, unwrap};

forward! {
    C_GetOperationState(state: *mut CK_BYTE, length: *mut CK_ULONG);
    C_CopyObject(
        object: CK_OBJECT_HANDLE,
        template: *mut CK_ATTRIBUTE,
        count: CK_ULONG,
        copy: *mut CK_OBJECT_HANDLE
    );
    C_SetAttributeValue(
        object: CK_OBJECT_HANDLE,
        template: *mut CK_ATTRIBUTE,
        count: CK_ULONG
    );
    C_FindObjectsFinal();
    C_Decrypt(
        data: *mut CK_BYTE,
        length: CK_ULONG,
        out: *mut CK_BYTE,
        out_length: *mut CK_ULONG
    );
    C_VerifyInit(mechanism: *mut CK_MECHANISM, key: CK_OBJECT_HANDLE);
    C_Verify(
        data: *mut CK_BYTE,
        length: CK_ULONG,
        signature: *mut CK_BYTE,
        signature_length: CK_ULONG
    );
    C_GenerateRandom(data: *mut CK_BYTE, length: CK_ULONG);
}

forward_plain! {
    C_Finalize(reserved: *mut c_void);
}

unsafe extern "C" fn initialize(arguments: *mut c_void) -> CK_RV {
    let rv = crate::effects::without_session("C_Initialize", |real| {
        let Some(function) = real.C_Initialize else { return CKR_FUNCTION_NOT_SUPPORTED };
        // SAFETY: the caller's own argument, under the same contract. What is
        // reserved is for this module alone.
        unsafe {
            if !strict::is_initialised_well(arguments) {
                return CKR_ARGUMENTS_BAD;
            }
            let given = arguments.cast::<CK_C_INITIALIZE_ARGS>().as_ref();
            let Some(mut given) = given.copied() else { return function(arguments) };
            given.pReserved = std::ptr::null_mut();
            function((&raw mut given).cast())
        }
    });
    if rv == CKR_OK {
        crate::state::state().finalized = false;
    }
    rv
}

pub(crate) static LIST: CK_FUNCTION_LIST = FUNCTIONS;

pub(crate) const FUNCTIONS: CK_FUNCTION_LIST = CK_FUNCTION_LIST {
    version: CK_VERSION { major: 2, minor: 40 },
    C_Initialize: Some(initialize),
    C_Finalize: Some(C_Finalize),
    C_GetInfo: Some(token::C_GetInfo),
    C_GetFunctionList: Some(crate::C_GetFunctionList),
    C_GetSlotList: Some(token::C_GetSlotList),
    C_GetSlotInfo: Some(token::C_GetSlotInfo),
    C_GetTokenInfo: Some(token::C_GetTokenInfo),
    C_GetMechanismList: Some(token::C_GetMechanismList),
    C_GetMechanismInfo: Some(token::C_GetMechanismInfo),
    C_OpenSession: Some(token::C_OpenSession),
    C_CloseSession: Some(token::C_CloseSession),
    C_GetSessionInfo: Some(per_session::C_GetSessionInfo),
    C_GetOperationState: Some(C_GetOperationState),
    C_Login: Some(token::C_Login),
    C_Logout: Some(per_session::C_Logout),
    C_CreateObject: Some(lifetime::C_CreateObject),
    C_CopyObject: Some(C_CopyObject),
    C_DestroyObject: Some(lifetime::C_DestroyObject),
    C_GetAttributeValue: Some(attributes::C_GetAttributeValue),
    C_SetAttributeValue: Some(C_SetAttributeValue),
    C_FindObjectsInit: Some(attributes::C_FindObjectsInit),
    C_FindObjects: Some(attributes::C_FindObjects),
    C_FindObjectsFinal: Some(C_FindObjectsFinal),
    C_EncryptInit: Some(keys::C_EncryptInit),
    C_Encrypt: Some(strict::C_Encrypt),
    C_DecryptInit: Some(keys::C_DecryptInit),
    C_Decrypt: Some(C_Decrypt),
    C_SignInit: Some(keys::C_SignInit),
    C_Sign: Some(keys::C_Sign),
    C_VerifyInit: Some(C_VerifyInit),
    C_Verify: Some(C_Verify),
    C_GenerateKey: Some(keys::C_GenerateKey),
    C_GenerateKeyPair: Some(keys::C_GenerateKeyPair),
    C_DeriveKey: Some(keys::C_DeriveKey),
    C_GenerateRandom: Some(C_GenerateRandom),
    C_InitToken: None,
    C_InitPIN: None,
    C_SetPIN: None,
    C_CloseAllSessions: None,
    C_SetOperationState: None,
    C_GetObjectSize: None,
    C_EncryptUpdate: None,
    C_EncryptFinal: None,
    C_DecryptUpdate: None,
    C_DecryptFinal: None,
    C_DigestInit: None,
    C_Digest: None,
    C_DigestUpdate: None,
    C_DigestKey: None,
    C_DigestFinal: None,
    C_SignUpdate: None,
    C_SignFinal: None,
    C_SignRecoverInit: None,
    C_SignRecover: None,
    C_VerifyUpdate: None,
    C_VerifyFinal: None,
    C_VerifyRecoverInit: None,
    C_VerifyRecover: None,
    C_DigestEncryptUpdate: None,
    C_DecryptDigestUpdate: None,
    C_SignEncryptUpdate: None,
    C_DecryptVerifyUpdate: None,
    C_WrapKey: None,
    C_UnwrapKey: Some(unwrap::C_UnwrapKey),
    C_SeedRandom: None,
    C_GetFunctionStatus: None,
    C_CancelFunction: None,
    C_WaitForSlotEvent: None,
};
