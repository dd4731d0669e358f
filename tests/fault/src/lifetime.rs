//! How long new objects last, and in which sessions they are made.

use cryptoki_sys::*;

use crate::effects::on_session;
use crate::state::state;

static LASTING: CK_BBOOL = CK_TRUE;

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
    for attribute in asked.iter_mut().filter(|asked| asked.type_ == CKA_TOKEN) {
        // SAFETY: a boolean by the standard.
        if unsafe { attribute.pValue.cast::<CK_BBOOL>().read() } == CK_TRUE {
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
