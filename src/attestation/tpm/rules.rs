//! What a key of a TPM has to be. Attributes are those of the bytes whose hash is the Name.

use super::Attest;
use super::public::{EndorsementKey, Public, Scheme, Symmetric, qualified_name_of_primary};
use crate::algorithm::VerifyingKey;
use crate::attestation::tpm_algorithm::NULL;
use crate::attestation::{
    TpmAlgorithm, TpmAttribute as Attribute, TpmField, TpmRefusal as Refusal,
};

/// `TPM_RH_ENDORSEMENT`.
const ENDORSEMENT: u32 = 0x4000_000b;

/// `TPMA_OBJECT`, all that is defined: a bit that is not may be a way out.
const DEFINED: u32 = 0x000f_0ff6;

impl Attribute {
    const fn bit(self) -> u32 {
        match self {
            Self::FixedTpm => 1 << 1,
            Self::FixedParent => 1 << 4,
            Self::SensitiveDataOrigin => 1 << 5,
            Self::EncryptedDuplication => 1 << 11,
            Self::Restricted => 1 << 16,
            Self::Decrypt => 1 << 17,
            Self::Sign => 1 << 18,
        }
    }
}

/// Born in the TPM, and there alone.
const OF_THE_TPM: [Attribute; 3] =
    [Attribute::FixedTpm, Attribute::FixedParent, Attribute::SensitiveDataOrigin];

fn check_attributes(
    public: &Public,
    set: &[Attribute],
    clear: &[Attribute],
    field: TpmField,
) -> Result<(), Refusal> {
    let unknown = public.attributes & !DEFINED;
    if unknown != 0 {
        return Err(Refusal::UnknownAttributes { field, unknown });
    }
    let has = |attribute: &&Attribute| public.attributes & attribute.bit() != 0;
    if let Some(attribute) = OF_THE_TPM.iter().chain(set).find(|attribute| !has(attribute)) {
        return Err(Refusal::AttributeClear { field, attribute: *attribute });
    }
    match clear.iter().chain(&[Attribute::EncryptedDuplication]).find(has) {
        Some(attribute) => Err(Refusal::AttributeSet { field, attribute: *attribute }),
        None => Ok(()),
    }
}

/// Without a cipher or a derivation of keys, as what signs has none; with this scheme.
fn check_signs(public: &Public, may_be_any: bool, field: TpmField) -> Result<(), Refusal> {
    match public.scheme {
        Some(Scheme::ECDSA_SHA256) => {}
        None if may_be_any => {}
        None => return Err(Refusal::Algorithm { field, found: TpmAlgorithm(NULL) }),
        Some(found) if found.algorithm == Scheme::ECDSA_SHA256.algorithm => {
            return Err(Refusal::Algorithm { field, found: TpmAlgorithm(found.hash) });
        }
        Some(found) => {
            return Err(Refusal::Algorithm { field, found: TpmAlgorithm(found.algorithm) });
        }
    }
    if public.symmetric.is_some() || public.kdf.is_some() {
        return Err(Refusal::Template { field });
    }
    Ok(())
}

/// The key of an identity: signs, and what it is given.
pub(in crate::attestation) fn identity_key(
    bytes: &[u8],
) -> Result<(Public, VerifyingKey), Refusal> {
    let field = TpmField::PubArea;
    let public = Public::read(bytes, field)?;
    let key = public.verifying_key(field)?;
    let clear = [Attribute::Restricted, Attribute::Decrypt];
    check_attributes(&public, &[Attribute::Sign], &clear, field)?;
    check_signs(&public, true, field)?;
    Ok((public, key))
}

/// An attestation key: signs what the TPM itself has made, and nothing else. **A key in software
/// activates as well** (`TPM2_LoadExternal`): only these attributes, which no such key can have,
/// tell it from one of the TPM's.
pub(in crate::attestation) fn attestation_key(
    bytes: &[u8],
) -> Result<(Public, VerifyingKey), Refusal> {
    let field = TpmField::Ak;
    let public = Public::read(bytes, field)?;
    let key = public.verifying_key(field)?;
    let set = [Attribute::Restricted, Attribute::Sign];
    check_attributes(&public, &set, &[Attribute::Decrypt], field)?;
    check_signs(&public, false, field)?;
    Ok((public, key))
}

/// That the key which signed is a primary of the endorsement hierarchy, as the TPM itself says: in
/// another one the firmware of a statement is noise.
pub(super) fn check_hierarchy(ak: &Public, attest: &Attest) -> Result<(), Refusal> {
    let expected = qualified_name_of_primary(ENDORSEMENT, &ak.name());
    if attest.qualified_signer == expected { Ok(()) } else { Err(Refusal::Hierarchy) }
}

/// That two statements are of one boot: else a state would be shown that is over.
pub(super) fn check_same_boot(certified: &Attest, quoted: &Attest) -> Result<(), Refusal> {
    if certified.boot() == quoted.boot() { Ok(()) } else { Err(Refusal::TwoBoots) }
}

/// What the EK Credential Profile lays down for an endorsement key on P-256 (version 2.5, sections
/// B.3 and B.4): its attributes and its policy.
const EK_TEMPLATES: [(u32, [u8; 32]); 2] = [
    // L-2, and policy A: `TPM2_PolicySecret` of the endorsement hierarchy.
    (
        0x0003_00b2,
        [
            0x83, 0x71, 0x97, 0x67, 0x44, 0x84, 0xb3, 0xf8, 0x1a, 0x90, 0xcc, 0x8d, 0x46, 0xa5,
            0xd7, 0x24, 0xfd, 0x52, 0xd7, 0x6e, 0x06, 0x52, 0x0b, 0x64, 0xf2, 0xa1, 0xda, 0x1b,
            0x33, 0x14, 0x69, 0xaa,
        ],
    ),
    // H-2, and policy B: that, or what an NV index says.
    (
        0x0003_00f2,
        [
            0xca, 0x3d, 0x0a, 0x99, 0xa2, 0xb9, 0x39, 0x06, 0xf7, 0xa3, 0x34, 0x24, 0x14, 0xef,
            0xcf, 0xb3, 0xa3, 0x85, 0xd4, 0x4c, 0xd1, 0xfd, 0x45, 0x90, 0x89, 0xd1, 0x9b, 0x50,
            0x71, 0xc0, 0xb7, 0xa0,
        ],
    ),
];

/// An endorsement key, as of TCG's template L-2 or H-2: decrypts for the TPM alone, with
/// AES-128-CFB.
pub(in crate::attestation) fn endorsement_key(bytes: &[u8]) -> Result<EndorsementKey, Refusal> {
    let field = TpmField::Ek;
    let public = Public::read(bytes, field)?;
    let key = public.endorsement_key(field)?;
    let set = [Attribute::Restricted, Attribute::Decrypt];
    check_attributes(&public, &set, &[Attribute::Sign], field)?;
    let is_template = EK_TEMPLATES
        .iter()
        .any(|(attributes, policy)| public.attributes == *attributes && public.policy == *policy)
        && public.symmetric == Some(Symmetric::AES_128_CFB)
        && public.scheme.is_none()
        && public.kdf.is_none();
    if is_template { Ok(key) } else { Err(Refusal::Template { field }) }
}
