//! The same calls by cryptoki, for modules of which only cryptoki has the
//! initialised list of functions.

use cryptoki::error::Error;
use cryptoki::mechanism::Mechanism;
use cryptoki::mechanism::eddsa::{EddsaParams, EddsaSignatureScheme};
use cryptoki::object::{Attribute, AttributeInfo, AttributeType, ObjectHandle};
use cryptoki::session::Session;
use cryptoki_sys::{CK_KEY_TYPE, CK_OBJECT_CLASS};

use super::super::failure::Failure;
use crate::algorithm::AlgorithmId;

/// The values of attributes, each asked for alone; `None` for one that the
/// object does not show.
pub(super) fn attributes<const N: usize>(
    session: &Session,
    object: ObjectHandle,
    asked: [AttributeType; N],
) -> Result<[Option<Vec<u8>>; N], Failure> {
    let mut told = asked.map(|_| None);
    for (asked, place) in asked.into_iter().zip(&mut told) {
        *place = attribute(session, object, asked)?;
    }
    Ok(told)
}

fn attribute(
    session: &Session,
    object: ObjectHandle,
    asked: AttributeType,
) -> Result<Option<Vec<u8>>, Failure> {
    // First whether it is there: cryptoki passes over an attribute that was
    // refused, and takes the empty buffer for its value.
    let there = session.get_attribute_info(object, &[asked])?;
    if !matches!(there.as_slice(), [AttributeInfo::Available(_)]) {
        return Ok(None);
    }
    match session.get_attributes(object, &[asked]) {
        Ok(told) => Ok(told.into_iter().next().and_then(bytes)),
        Err(error @ Error::Pkcs11(..)) => Err(error.into()),
        // A value that is none of its type: not known.
        Err(_) => Ok(None),
    }
}

/// The value as the module gave it; `None` for attributes that are not read here.
fn bytes(attribute: Attribute) -> Option<Vec<u8>> {
    match attribute {
        Attribute::Class(class) => Some(CK_OBJECT_CLASS::from(class).to_ne_bytes().to_vec()),
        Attribute::KeyType(key_type) => Some(CK_KEY_TYPE::from(key_type).to_ne_bytes().to_vec()),
        Attribute::Id(value)
        | Attribute::Label(value)
        | Attribute::EcPoint(value)
        | Attribute::EcParams(value) => Some(value),
        Attribute::Verify(value)
        | Attribute::Local(value)
        | Attribute::Sensitive(value)
        | Attribute::AlwaysSensitive(value)
        | Attribute::Extractable(value)
        | Attribute::NeverExtractable(value)
        | Attribute::AlwaysAuthenticate(value) => Some(vec![u8::from(value)]),
        _ => None,
    }
}

/// A signature, for which cryptoki asks for the length first.
pub(super) fn sign(
    algorithm: AlgorithmId,
    session: &Session,
    key: ObjectHandle,
    message: &[u8],
) -> Result<[u8; 64], Failure> {
    let mechanism = match algorithm {
        // Pure: it has no parameters, and so none whose lifetime matters.
        AlgorithmId::Ed25519 => Mechanism::Eddsa(EddsaParams::new(EddsaSignatureScheme::Pure)),
        AlgorithmId::P256 => Mechanism::Ecdsa,
    };
    let signature = session.sign(&mechanism, key, message)?;
    signature.try_into().map_err(|_| Failure::SignatureLength)
}
