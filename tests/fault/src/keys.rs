//! Making keys, and working with them.

use cryptoki_sys::*;

use crate::effects::on_session;
use crate::lifetime::{is_read_only, taken};
use crate::state::state;

const OID: &[u8] = &[0x06, 0x03, 0x2b, 0x65, 0x70];
const PRINTABLE: &[u8] = b"\x13\x0cedwards25519";
const LUNA: &[u8] = &[0x06, 0x09, 0x2b, 0x06, 0x01, 0x04, 0x01, 0xda, 0x47, 0x0f, 0x01];

/// # Safety
///
/// The pointer must be null or valid.
unsafe fn is_missing(mechanism: *const CK_MECHANISM) -> bool {
    // SAFETY: by contract.
    let used = unsafe { mechanism.as_ref() };
    used.is_some_and(|used| state().script.no_mechanism.contains(&used.mechanism))
}

macro_rules! begin {
    ($($name:ident)+) => {$(
        pub(crate) unsafe extern "C" fn $name(
            session: CK_SESSION_HANDLE,
            mechanism: *mut CK_MECHANISM,
            key: CK_OBJECT_HANDLE,
        ) -> CK_RV {
            on_session(stringify!($name), session, |real, session, _| {
                // SAFETY: the caller's own arguments, under the same contract.
                unsafe {
                    if is_missing(mechanism) {
                        return CKR_MECHANISM_INVALID;
                    }
                    real.$name.map_or(CKR_FUNCTION_NOT_SUPPORTED, |f| f(session, mechanism, key))
                }
            })
        }
    )+};
}

begin! { C_SignInit C_EncryptInit C_DecryptInit }

pub(crate) unsafe extern "C" fn C_Sign(
    session: CK_SESSION_HANDLE,
    data: *mut CK_BYTE,
    length: CK_ULONG,
    signature: *mut CK_BYTE,
    signature_length: *mut CK_ULONG,
) -> CK_RV {
    on_session("C_Sign", session, |real, session, changes| {
        if signature.is_null() && state().script.no_null_sign {
            return CKR_ARGUMENTS_BAD;
        }
        let Some(function) = real.C_Sign else { return CKR_FUNCTION_NOT_SUPPORTED };
        // SAFETY: the caller's own arguments, under the same contract.
        let rv = unsafe { function(session, data, length, signature, signature_length) };
        if rv == CKR_OK && !signature.is_null() {
            // SAFETY: a signature was just written there, with its length.
            unsafe {
                if changes.flip {
                    *signature ^= 1;
                }
                if changes.zero {
                    std::ptr::write_bytes(signature, 0, *signature_length as usize);
                }
                if let Some(length) = changes.length {
                    *signature_length = length;
                }
            }
        }
        rv
    })
}

/// Whether the script refuses to make a key with these attributes.
///
/// # Safety
///
/// `count` attributes must be valid.
pub(crate) unsafe fn refusal(template: *const CK_ATTRIBUTE, count: CK_ULONG) -> Option<CK_RV> {
    if count == 0 {
        return None;
    }
    // SAFETY: by contract.
    let asked = unsafe { std::slice::from_raw_parts(template, count as usize) };
    let state = state();
    let refused = state.script.refused.iter();
    refused
        .filter(|(name, _)| asked.iter().any(|attribute| attribute.type_ == *name))
        .map(|(_, code)| *code)
        .next()
}

/// How a private key is refused that was made elsewhere.
///
/// # Safety
///
/// `count` attributes must be valid.
pub(crate) unsafe fn refuses_private(
    template: *const CK_ATTRIBUTE,
    count: CK_ULONG,
) -> Option<CK_RV> {
    if count == 0 {
        return None;
    }
    // SAFETY: by contract.
    let asked = unsafe { std::slice::from_raw_parts(template, count as usize) };
    let class = asked.iter().find(|attribute| attribute.type_ == CKA_CLASS)?;
    // SAFETY: a number by the standard.
    if unsafe { class.pValue.cast::<CK_ULONG>().read_unaligned() } != CKO_PRIVATE_KEY {
        return None;
    }
    let takes_none = state().script.takes_no_key;
    // SAFETY: by contract.
    takes_none.or_else(|| unsafe { refusal(template, count) })
}

pub(crate) unsafe extern "C" fn C_GenerateKey(
    session: CK_SESSION_HANDLE,
    mechanism: *mut CK_MECHANISM,
    template: *mut CK_ATTRIBUTE,
    count: CK_ULONG,
    key: *mut CK_OBJECT_HANDLE,
) -> CK_RV {
    let read_only = is_read_only(session);
    on_session("C_GenerateKey", session, |real, session, _| {
        if read_only {
            return CKR_SESSION_READ_ONLY;
        }
        // SAFETY: the caller's own arguments, under the same contract.
        unsafe {
            if is_missing(mechanism) {
                return CKR_MECHANISM_INVALID;
            }
            if let Some(code) = refusal(template, count) {
                return code;
            }
            let mut asked = match taken(template, count) {
                Ok(asked) => asked,
                Err(code) => return code,
            };
            crate::unwrap::let_it_decrypt(&mut asked);
            let generate = real.C_GenerateKey;
            generate.map_or(CKR_FUNCTION_NOT_SUPPORTED, |f| {
                f(session, mechanism, asked.as_mut_ptr(), count, key)
            })
        }
    })
}

pub(crate) unsafe extern "C" fn C_DeriveKey(
    session: CK_SESSION_HANDLE,
    mechanism: *mut CK_MECHANISM,
    base: CK_OBJECT_HANDLE,
    template: *mut CK_ATTRIBUTE,
    count: CK_ULONG,
    key: *mut CK_OBJECT_HANDLE,
) -> CK_RV {
    on_session("C_DeriveKey", session, |real, session, _| {
        // SAFETY: the caller's own arguments, under the same contract.
        unsafe {
            if is_missing(mechanism) {
                return CKR_MECHANISM_INVALID;
            }
            real.C_DeriveKey.map_or(CKR_FUNCTION_NOT_SUPPORTED, |f| {
                f(session, mechanism, base, template, count, key)
            })
        }
    })
}

#[allow(clippy::too_many_arguments, reason = "as the standard has it")]
pub(crate) unsafe extern "C" fn C_GenerateKeyPair(
    session: CK_SESSION_HANDLE,
    mechanism: *mut CK_MECHANISM,
    public: *mut CK_ATTRIBUTE,
    public_count: CK_ULONG,
    private: *mut CK_ATTRIBUTE,
    private_count: CK_ULONG,
    public_key: *mut CK_OBJECT_HANDLE,
    private_key: *mut CK_OBJECT_HANDLE,
) -> CK_RV {
    let read_only = is_read_only(session);
    on_session("C_GenerateKeyPair", session, |real, session, _| {
        let Some(function) = real.C_GenerateKeyPair else { return CKR_FUNCTION_NOT_SUPPORTED };
        if read_only {
            return CKR_SESSION_READ_ONLY;
        }
        // SAFETY: the caller's own arguments, under the same contract.
        let (mut asked, mut private) = unsafe {
            if is_missing(mechanism) {
                return CKR_MECHANISM_INVALID;
            }
            let refused = refusal(public, public_count).or(refusal(private, private_count));
            if let Some(code) = refused {
                return code;
            }
            match (taken(public, public_count), taken(private, private_count)) {
                (Ok(public), Ok(private)) => (public, private),
                (Err(code), _) | (_, Err(code)) => return code,
            }
        };
        let mut private_flag: CK_BBOOL = CK_TRUE;
        if state().script.private_only {
            // It is false, or it would not be there.
            if asked.iter().any(|one| one.type_ == CKA_PRIVATE) {
                return CKR_ATTRIBUTE_VALUE_INVALID;
            }
            asked.push(CK_ATTRIBUTE {
                type_: CKA_PRIVATE,
                pValue: (&raw mut private_flag).cast(),
                ulValueLen: 1,
            });
        }
        // SAFETY: the caller's own argument, valid by the standard.
        let edwards = unsafe { mechanism.as_ref() }
            .is_some_and(|used| used.mechanism == CKM_EC_EDWARDS_KEY_PAIR_GEN);
        let curve = state().script.curve.clone().filter(|_| edwards);
        let mut oid = OID.to_vec();
        if let Some(wanted) = curve
            && let Some(params) = asked.iter_mut().find(|one| one.type_ == CKA_EC_PARAMS)
        {
            // SAFETY: a value of that length by the standard.
            let given = unsafe {
                std::slice::from_raw_parts(params.pValue.cast::<u8>(), params.ulValueLen as usize)
            };
            let wanted = match wanted.as_str() {
                "oid" => OID,
                "printable" => PRINTABLE,
                _ => LUNA,
            };
            if given != wanted {
                return CKR_CURVE_NOT_SUPPORTED;
            }
            if wanted == LUNA {
                params.pValue = oid.as_mut_ptr().cast();
                params.ulValueLen = OID.len() as CK_ULONG;
            }
        }
        // SAFETY: as above, with copies of the templates.
        unsafe {
            function(
                session,
                mechanism,
                asked.as_mut_ptr(),
                asked.len() as CK_ULONG,
                private.as_mut_ptr(),
                private_count,
                public_key,
                private_key,
            )
        }
    })
}
