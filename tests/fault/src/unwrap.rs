//! Unwrapping keys, also as SoftHSM 2.6.1 does not: it unwraps no Ed25519 key.
//!
//! `unwraps-cbc`: by CKM_AES_CBC_PAD, as HSMs do. Here that is a decryption, and
//! `C_CreateObject` of what came out; so an AES key that is generated may also decrypt.
//! `unwraps-wrapped`: by CKM_AES_KEY_WRAP. Here SoftHSM unwraps it as another secret, and
//! what came out is created.

use cryptoki_sys::*;

use crate::effects::on_session;
use crate::keys;
use crate::lifetime::taken;
use crate::state::state;

const OID: &[u8] = &[0x06, 0x03, 0x2b, 0x65, 0x70];
static YES: CK_BBOOL = CK_TRUE;

/// Of a template for a new key.
pub(crate) fn let_it_decrypt(asked: &mut [CK_ATTRIBUTE]) {
    if state().script.unwraps_cbc {
        for attribute in asked.iter_mut().filter(|asked| asked.type_ == CKA_DECRYPT) {
            attribute.pValue = (&raw const YES).cast_mut().cast();
        }
    }
}

#[allow(clippy::too_many_arguments, reason = "as the standard has it")]
pub(crate) unsafe extern "C" fn C_UnwrapKey(
    session: CK_SESSION_HANDLE,
    mechanism: *mut CK_MECHANISM,
    by: CK_OBJECT_HANDLE,
    wrapped: *mut CK_BYTE,
    length: CK_ULONG,
    template: *mut CK_ATTRIBUTE,
    count: CK_ULONG,
    key: *mut CK_OBJECT_HANDLE,
) -> CK_RV {
    on_session("C_UnwrapKey", session, |real, session, _| {
        // SAFETY: the caller's own arguments, under the same contract.
        unsafe {
            if mechanism
                .as_ref()
                .is_some_and(|used| state().script.no_mechanism.contains(&used.mechanism))
            {
                return CKR_MECHANISM_INVALID;
            }
            if let Some(code) = keys::refusal(template, count) {
                return code;
            }
            let mut asked = match taken(template, count) {
                Ok(asked) => asked,
                Err(code) => return code,
            };
            let used = mechanism.as_ref().map(|used| used.mechanism);
            let script = {
                let state = state();
                (state.script.unwraps_cbc, state.script.unwraps_wrapped)
            };
            let mut der = [0; 128];
            let wrapped_bytes = std::slice::from_raw_parts(wrapped, length as usize);
            let found = match (used, script) {
                (Some(CKM_AES_CBC_PAD), (true, _)) => {
                    decrypted(real, session, mechanism, by, wrapped_bytes, &mut der)
                }
                (Some(CKM_AES_KEY_WRAP), (_, true)) => {
                    unwrapped(real, session, mechanism, by, wrapped_bytes, &mut der)
                }
                _ => Ok(0),
            };
            match found {
                Ok(0) => {}
                // PKCS#8 of an Ed25519 key ends in its seed.
                Ok(48) => return created(real, session, &mut der[16..48], asked, key),
                Ok(_) => return CKR_WRAPPED_KEY_INVALID,
                Err(code) => return code,
            }
            let unwrap = real.C_UnwrapKey;
            unwrap.map_or(CKR_FUNCTION_NOT_SUPPORTED, |f| {
                f(session, mechanism, by, wrapped, length, asked.as_mut_ptr(), count, key)
            })
        }
    })
}

/// # Safety
///
/// As of `C_UnwrapKey`.
unsafe fn decrypted(
    real: &CK_FUNCTION_LIST,
    session: CK_SESSION_HANDLE,
    mechanism: *mut CK_MECHANISM,
    by: CK_OBJECT_HANDLE,
    wrapped: &[CK_BYTE],
    der: &mut [u8; 128],
) -> Result<CK_ULONG, CK_RV> {
    let (Some(begin), Some(decrypt)) = (real.C_DecryptInit, real.C_Decrypt) else {
        return Err(CKR_FUNCTION_NOT_SUPPORTED);
    };
    let (from, length) = (wrapped.as_ptr().cast_mut(), wrapped.len() as CK_ULONG);
    let mut found = der.len() as CK_ULONG;
    // SAFETY: by contract, and there is as much room as is said.
    unsafe {
        match begin(session, mechanism, by) {
            CKR_OK => {}
            code => return Err(code),
        }
        match decrypt(session, from, length, der.as_mut_ptr(), &raw mut found) {
            CKR_OK => Ok(found),
            code => Err(code),
        }
    }
}

/// As a secret that can be read, which SoftHSM does unwrap.
///
/// # Safety
///
/// As of `C_UnwrapKey`.
unsafe fn unwrapped(
    real: &CK_FUNCTION_LIST,
    session: CK_SESSION_HANDLE,
    mechanism: *mut CK_MECHANISM,
    by: CK_OBJECT_HANDLE,
    wrapped: &[CK_BYTE],
    der: &mut [u8; 128],
) -> Result<CK_ULONG, CK_RV> {
    let (Some(unwrap), Some(read), Some(destroy)) =
        (real.C_UnwrapKey, real.C_GetAttributeValue, real.C_DestroyObject)
    else {
        return Err(CKR_FUNCTION_NOT_SUPPORTED);
    };
    let (mut class, mut kind) = (CKO_SECRET_KEY, CKK_GENERIC_SECRET);
    let mut no = CK_FALSE;
    let mut yes = CK_TRUE;
    let flag =
        |type_, flag: *mut CK_BBOOL| CK_ATTRIBUTE { type_, pValue: flag.cast(), ulValueLen: 1 };
    let mut template = [
        CK_ATTRIBUTE { type_: CKA_CLASS, pValue: (&raw mut class).cast(), ulValueLen: 8 },
        CK_ATTRIBUTE { type_: CKA_KEY_TYPE, pValue: (&raw mut kind).cast(), ulValueLen: 8 },
        flag(CKA_TOKEN, &raw mut no),
        flag(CKA_SENSITIVE, &raw mut no),
        flag(CKA_EXTRACTABLE, &raw mut yes),
    ];
    let (from, length) = (wrapped.as_ptr().cast_mut(), wrapped.len() as CK_ULONG);
    let mut secret = 0;
    // SAFETY: by contract; each attribute has a buffer of the length it says.
    unsafe {
        let count = template.len() as CK_ULONG;
        let template = template.as_mut_ptr();
        match unwrap(session, mechanism, by, from, length, template, count, &raw mut secret) {
            CKR_OK => {}
            code => return Err(code),
        }
        let mut asked = CK_ATTRIBUTE {
            type_: CKA_VALUE,
            pValue: der.as_mut_ptr().cast(),
            ulValueLen: der.len() as CK_ULONG,
        };
        let rv = read(session, secret, &raw mut asked, 1);
        destroy(session, secret);
        if rv == CKR_OK { Ok(asked.ulValueLen) } else { Err(rv) }
    }
}

/// # Safety
///
/// As of `C_UnwrapKey`.
unsafe fn created(
    real: &CK_FUNCTION_LIST,
    session: CK_SESSION_HANDLE,
    seed: &mut [u8],
    mut asked: Vec<CK_ATTRIBUTE>,
    key: *mut CK_OBJECT_HANDLE,
) -> CK_RV {
    let Some(create) = real.C_CreateObject else { return CKR_FUNCTION_NOT_SUPPORTED };
    let mut oid = OID.to_vec();
    asked.push(CK_ATTRIBUTE {
        type_: CKA_EC_PARAMS,
        pValue: oid.as_mut_ptr().cast(),
        ulValueLen: oid.len() as CK_ULONG,
    });
    asked.push(CK_ATTRIBUTE {
        type_: CKA_VALUE,
        pValue: seed.as_mut_ptr().cast(),
        ulValueLen: seed.len() as CK_ULONG,
    });
    // SAFETY: by contract, and each attribute has a buffer of the length it says.
    unsafe { create(session, asked.as_mut_ptr(), asked.len() as CK_ULONG, key) }
}
