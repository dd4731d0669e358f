//! Attribute templates that get shorter until the token takes one.

use cryptoki::error::{Error, RvError};
use cryptoki::object::Attribute;

use crate::error::Pkcs11Error;
use crate::evidence::DeviceIdentity;

/// Bytes of the `CKA_ID` of what is made here; also where it was planned before.
pub(super) const ID_LENGTH: usize = 16;

/// `CKA_LABEL` of a new key where none is given.
pub(super) const DEFAULT_LABEL: &str = "icn-identity";

/// The end of the `CKA_LABEL` of what keeps a storage key.
const STORAGE: &str = " storage";

/// `CKA_LABEL` of what keeps the storage key beside the key of this label.
pub(super) fn storage_label(of_key: &str) -> String {
    format!("{}{STORAGE}", if of_key.is_empty() { DEFAULT_LABEL } else { of_key })
}

/// Whether it is one of those.
pub(super) fn is_storage_label(label: &str) -> bool {
    label.strip_suffix(STORAGE).is_some_and(|of_key| !of_key.is_empty())
}

/// A random `CKA_ID` of 16 bytes: no other object has it, so whatever has it
/// was made by us.
pub(super) fn random_id(token: &str) -> Result<Vec<u8>, Pkcs11Error> {
    let mut id = vec![0; ID_LENGTH];
    crate::secret::fill_random(&mut id).map_err(|error| Pkcs11Error::Call {
        call: "getrandom",
        token: token.to_owned(),
        kind: error.kind(),
        of_tpm: false,
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

/// Templates for the halves of a pair.
pub(super) struct PairTemplate {
    pub(super) name: &'static str,
    pub(super) public: Vec<Attribute>,
    pub(super) private: Vec<Attribute>,
}

/// [`from_strict_to_plain`] for both halves, each given as what it must have
/// and the usages that it should not. The public one is to be shown without a
/// login, on tokens that let it be (AWS CloudHSM does not).
pub(super) fn for_pair(
    (shown, shown_usages_off): (&[Attribute], &[Attribute]),
    (needed, usages_off): (&[Attribute], &[Attribute]),
) -> [PairTemplate; 4] {
    let open = [shown, &[Attribute::Private(false)]].concat();
    let [public, public_as_made, public_plain] = from_strict_to_plain(&open, shown_usages_off);
    let [private, private_as_made, private_plain] = from_strict_to_plain(needed, usages_off);
    let last = private_plain.clone();
    [
        ("all attributes", public, private),
        ("without MODIFIABLE and COPYABLE", public_as_made, private_as_made),
        ("plain", public_plain, private_plain),
        ("plain, without PRIVATE of the public key", shown.to_vec(), last),
    ]
    .map(|(name, public, private)| PairTemplate { name, public, private })
}

/// How many of those templates a token cannot take, and should not be asked to.
///
/// tpm2-pkcs11 takes a usage that is switched off for one that the public key has, and
/// leaves the pair that it refuses in the TPM, which has room for three objects.
pub(super) fn not_for(token: &DeviceIdentity) -> usize {
    if token.is_of_tpm2_pkcs11() { 2 } else { 0 }
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
