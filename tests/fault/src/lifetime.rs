//! How long new objects last, and in which sessions they are made.

use cryptoki_sys::*;

use crate::effects::on_session;
use crate::keys;
use crate::state::state;

static LASTING: CK_BBOOL = CK_TRUE;
static PASSING: CK_BBOOL = CK_FALSE;

/// Whether a session makes nothing because it was not opened for writing.
pub(crate) fn is_read_only(session: CK_SESSION_HANDLE) -> bool {
    let state = state();
    let known = state.sessions.get(&session);
    state.script.read_only_makes_nothing && known.is_some_and(|known| !known.writing)
}

/// A template as the token takes it.
///
/// # Safety
///
/// `count` attributes must be valid.
pub(crate) unsafe fn taken(
    template: *const CK_ATTRIBUTE,
    count: CK_ULONG,
) -> Result<Vec<CK_ATTRIBUTE>, CK_RV> {
    if count == 0 {
        return Ok(Vec::new());
    }
    // SAFETY: by contract.
    let mut asked = unsafe { std::slice::from_raw_parts(template, count as usize) }.to_vec();
    let state = state();
    if state.script.short_id {
        for id in asked.iter_mut().filter(|asked| asked.type_ == CKA_ID) {
            id.ulValueLen = id.ulValueLen.min(1);
        }
    }
    for attribute in asked.iter_mut().filter(|asked| asked.type_ == CKA_TOKEN) {
        // SAFETY: a boolean by the standard.
        if unsafe { attribute.pValue.cast::<CK_BBOOL>().read() } == CK_TRUE {
            if let Some(code) = state.script.lasting_objects {
                return Err(code);
            }
            if state.script.lasting_objects_pass {
                attribute.pValue = (&raw const PASSING).cast_mut().cast();
            }
            continue;
        }
        if let Some(code) = state.script.session_objects {
            return Err(code);
        }
        if state.script.session_objects_last {
            attribute.pValue = (&raw const LASTING).cast_mut().cast();
        }
    }
    Ok(asked)
}

pub(crate) unsafe extern "C" fn C_CreateObject(
    session: CK_SESSION_HANDLE,
    template: *mut CK_ATTRIBUTE,
    count: CK_ULONG,
    object: *mut CK_OBJECT_HANDLE,
) -> CK_RV {
    let read_only = is_read_only(session);
    on_session("C_CreateObject", session, |real, session, _| {
        if read_only {
            return CKR_SESSION_READ_ONLY;
        }
        // SAFETY: `count` attributes by the standard.
        if let Some(code) = unsafe { keys::refuses_private(template, count) } {
            return code;
        }
        // SAFETY: `count` attributes by the standard.
        let mut asked = match unsafe { taken(template, count) } {
            Ok(asked) => asked,
            Err(code) => return code,
        };
        // SAFETY: the caller's own arguments, and a copy of the template.
        real.C_CreateObject.map_or(CKR_FUNCTION_NOT_SUPPORTED, |create| unsafe {
            create(session, asked.as_mut_ptr(), count, object)
        })
    })
}

pub(crate) unsafe extern "C" fn C_DestroyObject(
    session: CK_SESSION_HANDLE,
    object: CK_OBJECT_HANDLE,
) -> CK_RV {
    on_session("C_DestroyObject", session, |real, session, _| {
        let Some(destroy) = real.C_DestroyObject else { return CKR_FUNCTION_NOT_SUPPORTED };
        let halves = match state().script.pairs_are_one {
            true => halves(real, session, object),
            false => Vec::new(),
        };
        // SAFETY: handles are plain numbers that the module checks.
        let rv = unsafe { destroy(session, object) };
        for half in halves.into_iter().filter(|half| rv == CKR_OK && *half != object) {
            // SAFETY: as above.
            unsafe { destroy(session, half) };
        }
        rv
    })
}

/// Both halves of the pair that an object is one of.
fn halves(
    real: &CK_FUNCTION_LIST,
    session: CK_SESSION_HANDLE,
    object: CK_OBJECT_HANDLE,
) -> Vec<CK_OBJECT_HANDLE> {
    let (Some(get), Some(begin), Some(find), Some(end)) = (
        real.C_GetAttributeValue,
        real.C_FindObjectsInit,
        real.C_FindObjects,
        real.C_FindObjectsFinal,
    ) else {
        return Vec::new();
    };
    let (mut class, mut id, mut of_id): (CK_ULONG, _, CK_ULONG) = (0, [0_u8; 256], 256);
    let (mut found, mut count) = ([0; 8], 0);
    // SAFETY: each attribute has a buffer of the length it says, and there is room for
    // eight handles.
    unsafe {
        let mut asked = [
            CK_ATTRIBUTE { type_: CKA_CLASS, pValue: (&raw mut class).cast(), ulValueLen: 8 },
            CK_ATTRIBUTE { type_: CKA_ID, pValue: (&raw mut id).cast(), ulValueLen: of_id },
        ];
        let rv = get(session, object, asked.as_mut_ptr(), 2);
        of_id = asked[1].ulValueLen;
        if rv != CKR_OK || of_id == 0 || ![CKO_PUBLIC_KEY, CKO_PRIVATE_KEY].contains(&class) {
            return Vec::new();
        }
        let mut named =
            [CK_ATTRIBUTE { type_: CKA_ID, pValue: (&raw mut id).cast(), ulValueLen: of_id }];
        if begin(session, named.as_mut_ptr(), 1) != CKR_OK {
            return Vec::new();
        }
        find(session, found.as_mut_ptr(), 8, &raw mut count);
        end(session);
    }
    found[..count as usize].to_vec()
}
