//! What a module gives as the value of an attribute.

use cryptoki::object::AttributeType;
use cryptoki_sys::{CK_FLAGS, CK_TOKEN_INFO};

use super::info::TokenInfo;
use super::object::{boolean, number};
use super::point;
use super::raw;
use crate::algorithm::AlgorithmId;

/// A byte for the attribute, eight for the length that the module gives, and what it has
/// written. The value comes out of it.
pub(crate) fn attribute(bytes: &[u8]) -> Option<Vec<u8>> {
    const ASKED: [AttributeType; 6] = [
        AttributeType::Class,
        AttributeType::Local,
        AttributeType::Id,
        AttributeType::Label,
        AttributeType::EcPoint,
        AttributeType::EcParams,
    ];
    let (which, rest) = bytes.split_first()?;
    let asked = ASKED.get(usize::from(*which))?;
    let (length, written) = rest.split_first_chunk()?;
    let length = u64::from_le_bytes(*length);
    let value = raw::believed(*asked, length, written)?;
    let _ = (boolean(&value), number(value.clone()));
    assert_eq!(u64::try_from(value.len()).ok(), Some(length), "no more than the module has given");
    Some([&[*which], length.to_le_bytes().as_slice(), &value].concat())
}

/// The four texts of a `CK_TOKEN_INFO`, and its flags.
pub(crate) fn token_info(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut told = CK_TOKEN_INFO::default();
    let (label, rest) = bytes.split_first_chunk()?;
    let (manufacturer, rest) = rest.split_first_chunk()?;
    let (model, rest) = rest.split_first_chunk()?;
    let (serial, rest) = rest.split_first_chunk()?;
    (told.label, told.manufacturerID, told.model, told.serialNumber) =
        (*label, *manufacturer, *model, *serial);
    told.flags = CK_FLAGS::from_le_bytes(rest.try_into().ok()?);
    let info = TokenInfo::from(told);
    let _ = (info.is_initialised(), info.error_state(), info.is_yubihsm());
    // What is not UTF-8 has no bytes to be written again.
    let fields =
        [(&info.label, 32), (&info.manufacturer, 32), (&info.model, 16), (&info.serial, 16)];
    let mut written = Vec::new();
    for (text, length) in fields {
        let room = length - text.len().min(length);
        written.extend(text.bytes().take(length).chain(std::iter::repeat_n(b' ', room)));
    }
    let is_text =
        [&label[..], manufacturer, model, serial].into_iter().all(|it| str::from_utf8(it).is_ok());
    is_text.then(|| [written.as_slice(), rest].concat())
}

/// `e` or `p`, and `CKA_EC_POINT`: written raw.
pub(crate) fn point(bytes: &[u8]) -> Option<Vec<u8>> {
    let (algorithm, encoded) = bytes.split_first()?;
    let algorithm = match algorithm {
        b'e' => AlgorithmId::Ed25519,
        b'p' => AlgorithmId::P256,
        _ => return None,
    };
    let key = point::decode(algorithm, encoded).ok()?;
    let raw = match key {
        crate::VerifyingKey::P256(key) => [b"p", key.to_uncompressed().as_slice()].concat(),
        key => [b"e", key.as_bytes()].concat(),
    };
    Some(raw)
}
