//! Objects: finding them, and what they show.

use cryptoki_sys::*;

use crate::effects::on_session;
use crate::sight::is_blind;
use crate::state::state;

/// DER prefixes of a point: `OCTET STRING` and `BIT STRING`.
const ED25519: [&[u8]; 2] = [&[0x04, 0x20], &[0x03, 0x21, 0x00]];
const P256: [&[u8]; 2] = [&[0x04, 0x41], &[0x03, 0x42, 0x00]];

pub(crate) unsafe extern "C" fn C_GetAttributeValue(
    session: CK_SESSION_HANDLE,
    object: CK_OBJECT_HANDLE,
    template: *mut CK_ATTRIBUTE,
    count: CK_ULONG,
) -> CK_RV {
    on_session("C_GetAttributeValue", session, |real, session, _| {
        let Some(function) = real.C_GetAttributeValue else { return CKR_FUNCTION_NOT_SUPPORTED };
        if is_blind(real, session) {
            return CKR_OBJECT_HANDLE_INVALID;
        }
        // SAFETY: `count` attributes by the standard.
        let asked = unsafe { std::slice::from_raw_parts_mut(template, count as usize) };
        let mut answer = CKR_OK;
        // SAFETY: one attribute with a buffer of its own.
        let lies = is_lied_of(|one| unsafe { function(session, object, one, 1) });
        for attribute in asked {
            let rv = if let Some(told) = lie(attribute.type_).filter(|_| lies) {
                // SAFETY: valid for its length by the standard.
                unsafe { fill(attribute, &[told.into()]) }
            } else if state().script.hidden.contains(&attribute.type_) {
                attribute.ulValueLen = CK_UNAVAILABLE_INFORMATION;
                CKR_ATTRIBUTE_TYPE_INVALID
            } else {
                // SAFETY: one attribute of the caller's own.
                unsafe { one(attribute, |one| function(session, object, one, 1)) }
            };
            if rv != CKR_OK {
                answer = rv;
            }
        }
        answer
    })
}

/// Whether an object is the one that the script lies of.
fn is_lied_of(ask: impl Fn(*mut CK_ATTRIBUTE) -> CK_RV) -> bool {
    let Some(wanted) = state().script.lie.clone() else { return false };
    let mut buffer = [0_u8; 256];
    let mut id =
        CK_ATTRIBUTE { type_: CKA_ID, pValue: buffer.as_mut_ptr().cast(), ulValueLen: 256 };
    ask(&raw mut id) == CKR_OK && buffer.get(..id.ulValueLen as usize) == Some(wanted.as_slice())
}

/// What is said of a key whatever is true of it.
fn lie(attribute: CK_ATTRIBUTE_TYPE) -> Option<bool> {
    match attribute {
        CKA_LOCAL | CKA_SENSITIVE | CKA_ALWAYS_SENSITIVE | CKA_NEVER_EXTRACTABLE => Some(true),
        CKA_EXTRACTABLE => Some(false),
        _ => None,
    }
}

/// # Safety
///
/// The attribute's pointer must be valid for its length.
unsafe fn one(attribute: &mut CK_ATTRIBUTE, ask: impl Fn(*mut CK_ATTRIBUTE) -> CK_RV) -> CK_RV {
    // SAFETY: valid by contract.
    if let Some(rv) = unsafe { crate::strict::number(attribute, &ask) } {
        return rv;
    }
    let form = state().script.point.clone();
    if attribute.type_ == CKA_EC_POINT
        && let Some(form) = form
    {
        let mut buffer = [0_u8; 128];
        let mut own = CK_ATTRIBUTE {
            type_: CKA_EC_POINT,
            pValue: buffer.as_mut_ptr().cast(),
            ulValueLen: 128,
        };
        let rv = ask(&raw mut own);
        if rv != CKR_OK {
            attribute.ulValueLen = own.ulValueLen;
            return rv;
        }
        let shown = &buffer[..own.ulValueLen as usize];
        let [octet, bit] = if shown.len() < P256[0].len() + 65 { ED25519 } else { P256 };
        let raw = shown.strip_prefix(octet).unwrap_or(shown);
        let prefix: &[u8] = match form.as_str() {
            "octet" => octet,
            "bit" => bit,
            _ => &[],
        };
        // SAFETY: valid by contract.
        return unsafe { fill(attribute, &[prefix, raw].concat()) };
    }
    let rv = ask(attribute);
    let said = state().script.said.iter().rev().find(|(name, _)| *name == attribute.type_).copied();
    if let (CKR_OK, Some((_, value))) = (rv, said)
        && !attribute.pValue.is_null()
    {
        // SAFETY: a boolean of one byte, which was just written.
        unsafe { attribute.pValue.cast::<u8>().write(value.into()) };
    }
    rv
}

/// # Safety
///
/// The attribute's pointer must be valid for its length.
unsafe fn fill(attribute: &mut CK_ATTRIBUTE, value: &[u8]) -> CK_RV {
    let length = value.len() as CK_ULONG;
    if attribute.pValue.is_null() {
        attribute.ulValueLen = length;
        return CKR_OK;
    }
    if attribute.ulValueLen < length {
        attribute.ulValueLen = CK_UNAVAILABLE_INFORMATION;
        return CKR_BUFFER_TOO_SMALL;
    }
    // SAFETY: there is room, as was just checked.
    unsafe { std::ptr::copy_nonoverlapping(value.as_ptr(), attribute.pValue.cast(), value.len()) };
    attribute.ulValueLen = length;
    CKR_OK
}

pub(crate) unsafe extern "C" fn C_FindObjectsInit(
    session: CK_SESSION_HANDLE,
    template: *mut CK_ATTRIBUTE,
    count: CK_ULONG,
) -> CK_RV {
    if let Some(session) = state().sessions.get_mut(&session) {
        session.pending.clear();
    }
    on_session("C_FindObjectsInit", session, |real, session, _| {
        let Some(function) = real.C_FindObjectsInit else { return CKR_FUNCTION_NOT_SUPPORTED };
        let mut swapped = state().script.swap.clone();
        let mut slot = [7_u8];
        // SAFETY: `count` attributes by the standard, which are copied.
        let mut asked = match count {
            0 => Vec::new(),
            count => unsafe { std::slice::from_raw_parts(template, count as usize) }.to_vec(),
        };
        if state().script.slot_ids {
            let ids = asked.iter_mut().filter(|asked| asked.type_ == CKA_ID);
            for id in ids.filter(|id| id.ulValueLen == 16) {
                id.pValue = slot.as_mut_ptr().cast();
                id.ulValueLen = 1;
            }
        }
        if let Some((from, to)) = &mut swapped {
            for attribute in asked.iter_mut().filter(|attribute| attribute.type_ == CKA_ID) {
                // SAFETY: a value of that length by the standard.
                let value = unsafe {
                    std::slice::from_raw_parts(
                        attribute.pValue.cast::<u8>(),
                        attribute.ulValueLen as usize,
                    )
                };
                if value == from.as_slice() {
                    attribute.pValue = to.as_mut_ptr().cast();
                    attribute.ulValueLen = to.len() as CK_ULONG;
                }
            }
        }
        // SAFETY: a copy of the caller's template; what it points to lives on.
        unsafe { function(session, asked.as_mut_ptr(), count) }
    })
}

pub(crate) unsafe extern "C" fn C_FindObjects(
    session: CK_SESSION_HANDLE,
    objects: *mut CK_OBJECT_HANDLE,
    room: CK_ULONG,
    count: *mut CK_ULONG,
) -> CK_RV {
    let own = session;
    on_session("C_FindObjects", session, |real, session, _| {
        let Some(function) = real.C_FindObjects else { return CKR_FUNCTION_NOT_SUPPORTED };
        if is_blind(real, session) {
            // SAFETY: valid for a write by the standard.
            unsafe { *count = 0 };
            return CKR_OK;
        }
        // SAFETY: the caller's own arguments, under the same contract.
        let rv = unsafe { function(session, objects, room, count) };
        let mut state = state();
        if rv != CKR_OK || !state.script.duplicate {
            return rv;
        }
        // SAFETY: `count` handles were just written, and there is room for `room`.
        let found = unsafe { std::slice::from_raw_parts(objects, *count as usize) }.to_vec();
        let Some(session) = state.sessions.get_mut(&own) else { return CKR_SESSION_HANDLE_INVALID };
        for object in found {
            session.pending.extend([object, object]);
        }
        let delivered = session.pending.len().min(room as usize);
        for (index, object) in session.pending.drain(..delivered).enumerate() {
            // SAFETY: fewer than `room`.
            unsafe { objects.add(index).write(object) };
        }
        // SAFETY: valid for a write by the standard.
        unsafe { *count = delivered as CK_ULONG };
        CKR_OK
    })
}
