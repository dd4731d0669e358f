//! Attribute templates that get shorter until the token takes one.

use cryptoki::error::{Error, RvError};
use cryptoki::object::Attribute;

use crate::error::DeviceError;

/// A random `CKA_ID` of 16 bytes: no other object has it, so whatever has it
/// was made by us.
pub(super) fn random_id(token: &str) -> Result<Vec<u8>, DeviceError> {
    let mut id = vec![0; 16];
    getrandom::fill(&mut id).map_err(|error| DeviceError::Call {
        call: "getrandom",
        token: token.to_owned(),
        source: Box::new(error),
    })?;
    Ok(id)
}

/// What a secret object must have: shown to nobody. Where it is kept
/// (`CKA_TOKEN`) is for the caller to add.
pub(super) fn confined(id: &[u8], label: &str) -> Vec<Attribute> {
    vec![
        Attribute::Private(true),
        Attribute::Sensitive(true),
        Attribute::Extractable(false),
        Attribute::Id(id.to_owned()),
        Attribute::Label(label.into()),
    ]
}

/// `needed` with all of `wished`, with all of it but the policy attributes,
/// and alone: some tokens refuse attributes that they do not know.
pub(super) fn from_strict_to_plain(
    needed: &[Attribute],
    usages_off: &[Attribute],
) -> [Vec<Attribute>; 3] {
    let policy = [Attribute::Modifiable(false), Attribute::Copyable(false)];
    [
        [needed, usages_off, policy.as_slice()].concat(),
        [needed, usages_off].concat(),
        needed.to_vec(),
    ]
}

/// Whether another template, or another name for the curve, may do.
pub(super) const fn is_about_the_template(error: &Error) -> bool {
    matches!(
        error,
        Error::Pkcs11(
            RvError::AttributeReadOnly
                | RvError::AttributeTypeInvalid
                | RvError::AttributeValueInvalid
                | RvError::TemplateIncomplete
                | RvError::TemplateInconsistent
                | RvError::CurveNotSupported
                | RvError::DomainParamsInvalid
                | RvError::GeneralError,
            _
        )
    )
}
