//! Several attributes by one `C_GetAttributeValue`.

use cryptoki::error::{Rv, RvError};
use cryptoki::object::{AttributeType, ObjectHandle};
use cryptoki::session::Session;
use cryptoki_sys::{CK_ATTRIBUTE, CK_ATTRIBUTE_TYPE, CK_ULONG, CK_UNAVAILABLE_INFORMATION};

use super::super::failure::Failure;
use super::Calls;

/// Room for each value. What is read here is shorter, and none is secret.
const ROOM: usize = 512;

impl Calls {
    /// The values of attributes, in their order; `None` for one that the
    /// object does not show.
    ///
    /// No value is believed that the module did not say the length of: some
    /// refuse an attribute and leave its buffer as it was.
    pub(in super::super) fn attributes<const N: usize>(
        &self,
        session: &Session,
        object: ObjectHandle,
        asked: [AttributeType; N],
    ) -> Result<[Option<Vec<u8>>; N], Failure> {
        let told = self.ask(session, object, asked)?;
        if N == 1 || told.iter().all(Option::is_some) {
            return Ok(told);
        }
        // One that is unknown fails the whole call on some modules.
        let mut alone = told;
        for (asked, place) in asked.into_iter().zip(&mut alone) {
            if place.is_none() {
                let [told] = self.ask(session, object, [asked])?;
                *place = told;
            }
        }
        Ok(alone)
    }

    fn ask<const N: usize>(
        &self,
        session: &Session,
        object: ObjectHandle,
        asked: [AttributeType; N],
    ) -> Result<[Option<Vec<u8>>; N], Failure> {
        let mut buffers = [[0_u8; ROOM]; N];
        let room = CK_ULONG::try_from(ROOM).unwrap_or(0);
        let mut buffer = buffers.iter_mut();
        let mut template = asked.map(|asked| CK_ATTRIBUTE {
            type_: CK_ATTRIBUTE_TYPE::from(asked),
            pValue: buffer.next().map_or(std::ptr::null_mut(), |buffer| buffer.as_mut_ptr().cast()),
            ulValueLen: room,
        });
        let count = CK_ULONG::try_from(N).unwrap_or(0);
        // SAFETY: the library is held by `self`; there are `count` attributes,
        // each with a buffer of the length it says; handles are plain numbers
        // that the module checks.
        let returned = unsafe {
            (self.get_attributes)(session.handle(), object.handle(), template.as_mut_ptr(), count)
        };
        match Rv::from(returned) {
            Rv::Ok
            | Rv::Error(
                RvError::AttributeSensitive
                | RvError::AttributeTypeInvalid
                | RvError::BufferTooSmall,
            ) => {}
            Rv::Error(error) => return Err(Failure::Returned(error)),
        }
        let mut buffers = buffers.iter();
        Ok(template.map(|answer| {
            let buffer = buffers.next()?;
            let length = usize::try_from(answer.ulValueLen).ok()?;
            // As long as the room: left as it was.
            let told = answer.ulValueLen != CK_UNAVAILABLE_INFORMATION && length < ROOM;
            buffer.get(..length).filter(|_| told).map(<[u8]>::to_vec)
        }))
    }
}
