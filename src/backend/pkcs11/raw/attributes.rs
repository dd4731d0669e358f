//! Several attributes by one `C_GetAttributeValue`.

use cryptoki::error::{Error, Rv, RvError};
use cryptoki::object::{AttributeType, ObjectHandle};
use cryptoki::session::Session;
use cryptoki_sys::{
    CK_ATTRIBUTE, CK_ATTRIBUTE_TYPE, CK_FUNCTION_LIST, CK_ULONG, CK_UNAVAILABLE_INFORMATION,
};

use super::super::failure::Failure;
use super::{Calls, proxied};

/// Room for each value. What is read here is shorter, and none is secret.
const ROOM: usize = 512;

/// What a buffer holds before the module writes to it: neither a boolean nor a
/// number that means anything (`CK_UNAVAILABLE_INFORMATION`).
const UNTOUCHED: u8 = 0xff;

impl Calls {
    /// The values of attributes, in their order; `None` for one that the
    /// object does not show.
    ///
    /// No value is believed that the module did not write, or did not say the
    /// length of: some refuse an attribute and leave its buffer as it was.
    pub(in super::super) fn attributes<const N: usize>(
        &self,
        session: &Session,
        object: ObjectHandle,
        asked: [AttributeType; N],
    ) -> Result<[Option<Vec<u8>>; N], Failure> {
        let Some(functions) = &self.own else {
            return proxied::attributes(session, object, asked);
        };
        let told = ask(functions, session, object, asked)?;
        if N == 1 || told.iter().all(Option::is_some) {
            return Ok(told);
        }
        // One that is unknown fails the whole call on some modules.
        let mut alone = told;
        for (asked, place) in asked.into_iter().zip(&mut alone) {
            if place.is_none() {
                let [told] = ask(functions, session, object, [asked])?;
                *place = told;
            }
        }
        Ok(alone)
    }
}

/// How much room an attribute is asked with: a boolean and a number exactly
/// theirs, as NSS gives a number in a form of its own to a larger one.
fn room(asked: AttributeType) -> usize {
    asked.fixed_size().map_or(ROOM, |size| size.min(ROOM))
}

fn ask<const N: usize>(
    functions: &CK_FUNCTION_LIST,
    session: &Session,
    object: ObjectHandle,
    asked: [AttributeType; N],
) -> Result<[Option<Vec<u8>>; N], Failure> {
    let call = functions.C_GetAttributeValue;
    let call = call.ok_or(Failure::Unreadable(Error::NullFunctionPointer))?;
    let mut buffers = [[UNTOUCHED; ROOM]; N];
    let mut buffer = buffers.iter_mut();
    let mut template = asked.map(|asked| CK_ATTRIBUTE {
        type_: CK_ATTRIBUTE_TYPE::from(asked),
        pValue: buffer.next().map_or(std::ptr::null_mut(), |buffer| buffer.as_mut_ptr().cast()),
        ulValueLen: CK_ULONG::try_from(room(asked)).unwrap_or(0),
    });
    let count = CK_ULONG::try_from(N).unwrap_or(0);
    // SAFETY: the caller holds the library; there are `count` attributes, each
    // with a buffer of at least the length it says; handles are plain numbers
    // that the module checks.
    let returned = unsafe { call(session.handle(), object.handle(), template.as_mut_ptr(), count) };
    match Rv::from(returned) {
        Rv::Ok
        | Rv::Error(
            RvError::AttributeSensitive | RvError::AttributeTypeInvalid | RvError::BufferTooSmall,
        ) => {}
        Rv::Error(error) => return Err(Failure::Returned(error)),
    }
    let mut answers = template.into_iter().zip(&buffers);
    Ok(asked.map(|asked| {
        let (answer, buffer) = answers.next()?;
        believed(asked, answer.ulValueLen, buffer)
    }))
}

/// The value of an attribute, by the length that the module gave and what is in the buffer
/// now; `None` if it did not write it.
pub(in super::super) fn believed(
    asked: AttributeType,
    length: CK_ULONG,
    buffer: &[u8],
) -> Option<Vec<u8>> {
    if length == CK_UNAVAILABLE_INFORMATION {
        return None;
    }
    let length = usize::try_from(length).ok()?;
    let value = buffer.get(..length)?;
    let told = match asked.fixed_size() {
        Some(size) => length == size && value.iter().any(|byte| *byte != UNTOUCHED),
        // As long as the room: left as it was.
        None => length < ROOM,
    };
    told.then(|| value.to_vec())
}
