//! The two keys of the endorsement hierarchy: made anew each time, never stored.
//!
//! The **EK** is the key that the maker's certificate names. It decrypts, and signs nothing. The
//! **AK** signs what the TPM says of itself, and nothing else. A TPM makes the same ones from the
//! same templates until its endorsement seed is changed (libtpms: also after `TPM2_Clear`).

use sha2::{Digest as _, Sha256};
use tss_esapi::Context;
use tss_esapi::abstraction::{AsymmetricAlgorithmSelection, DefaultKey, KeyCustomization, ek};
use tss_esapi::attributes::ObjectAttributesBuilder;
use tss_esapi::handles::KeyHandle;
use tss_esapi::interface_types::algorithm::{HashingAlgorithm, PublicAlgorithm};
use tss_esapi::interface_types::ecc::EccCurve;
use tss_esapi::interface_types::resource_handles::Hierarchy;
use tss_esapi::interface_types::session_handles::AuthSession;
use tss_esapi::structures::{
    Digest, EccParameter, EccPoint, EccScheme, HashScheme, KeyDerivationFunctionScheme, Public,
    PublicBuilder, PublicEccParametersBuilder,
};
use tss_esapi::traits::Marshall as _;

use crate::backend::tpm::chip::flushing;
use crate::backend::tpm::failure::{Doing as _, Failed, Meaning};
use crate::error::TpmError;

const MAKE_EK: &str = "make its endorsement key";
const MAKE_AK: &str = "make an attestation key";

/// Tells our AK from other programs' keys of the same template.
const AK_LABEL: &[u8] = b"icn-identity/ak/v1";

/// A key in the TPM, and its `TPMT_PUBLIC`.
pub(super) struct Made {
    pub(super) handle: KeyHandle,
    pub(super) public: Vec<u8>,
}

/// Does something with the AK, and flushes it whatever happens.
pub(super) fn with_ak<T>(
    context: &mut Context,
    work: impl FnOnce(&mut Context, &Made) -> Result<T, Failed>,
) -> Result<T, Failed> {
    let template = ak_template().doing(MAKE_AK)?;
    with_primary(context, template, MAKE_AK, work)
}

/// How an EK on P-256 is made (TCG EK Credential Profile 2.5, sections B.3.4 and B.4.5): another
/// template gives another key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum EkTemplate {
    /// Used by what the owner of the endorsement hierarchy allows (policy A).
    L2,
    /// Used by its own authValue, which is empty; policy B.
    H2,
}

/// Does something with the EK, and flushes it whatever happens.
pub(super) fn with_ek<T>(
    context: &mut Context,
    template: EkTemplate,
    work: impl FnOnce(&mut Context, &Made) -> Result<T, Failed>,
) -> Result<T, Failed> {
    with_primary(context, template.public().doing(MAKE_EK)?, MAKE_EK, work)
}

fn with_primary<T>(
    context: &mut Context,
    template: Public,
    doing: &'static str,
    work: impl FnOnce(&mut Context, &Made) -> Result<T, Failed>,
) -> Result<T, Failed> {
    let made = context.execute_with_session(Some(AuthSession::Password), |context| {
        context.create_primary(Hierarchy::Endorsement, template, None, None, None, None)
    });
    let made = made.doing(doing).map_err(of_hierarchy)?;
    let handle = made.key_handle;
    flushing(context, handle, |context| {
        let public = made.out_public.marshall().doing(doing)?;
        work(context, &Made { handle, public })
    })
}

/// What the endorsement hierarchy answers where it cannot be used.
pub(super) fn of_hierarchy(failed: Failed) -> Failed {
    match failed {
        Failed::Call(failure) if failure.meaning() == Meaning::WrongAuth => {
            TpmError::EndorsementPassword { source: Box::new(failure) }.into()
        }
        Failed::Call(failure) if failure.meaning() == Meaning::NoHierarchy => {
            TpmError::NoEndorsementHierarchy { source: Box::new(failure) }.into()
        }
        failed => failed,
    }
}

/// `PolicyOR` of policy A and of `PolicyAuthorizeNV` of index 0x01c07f01, with SHA-256.
const POLICY_B: [u8; 32] = [
    0xca, 0x3d, 0x0a, 0x99, 0xa2, 0xb9, 0x39, 0x06, 0xf7, 0xa3, 0x34, 0x24, 0x14, 0xef, 0xcf, 0xb3,
    0xa3, 0x85, 0xd4, 0x4c, 0xd1, 0xfd, 0x45, 0x90, 0x89, 0xd1, 0x9b, 0x50, 0x71, 0xc0, 0xb7, 0xa0,
];

impl EkTemplate {
    fn public(self) -> Result<Public, tss_esapi::Error> {
        let p256 = AsymmetricAlgorithmSelection::Ecc(EccCurve::NistP256);
        match self {
            Self::L2 => ek::create_ek_public_from_default_template_2(p256, DefaultKey),
            Self::H2 => {
                let high = High { policy: Digest::try_from(POLICY_B.as_slice())? };
                ek::create_ek_public_from_default_template_2(p256, high)
            }
        }
    }
}

/// What the library does not know of P-256 in the high range.
struct High {
    policy: Digest,
}

impl KeyCustomization for High {
    fn attributes(&self, attributes: ObjectAttributesBuilder) -> ObjectAttributesBuilder {
        attributes.with_user_with_auth(true)
    }

    fn template(&self, template: PublicBuilder) -> PublicBuilder {
        template
            .with_ecc_unique_identifier(EccPoint::default())
            .with_auth_policy(self.policy.clone())
    }
}

/// P-256, ECDSA with SHA-256. Restricted: what it signs that begins as a statement of a TPM does
/// was made by this TPM.
fn ak_template() -> Result<Public, tss_esapi::Error> {
    let attributes = ObjectAttributesBuilder::new()
        .with_fixed_tpm(true)
        .with_fixed_parent(true)
        .with_sensitive_data_origin(true)
        .with_user_with_auth(true)
        .with_no_da(true)
        .with_restricted(true)
        .with_sign_encrypt(true)
        .build()?;
    let parameters = PublicEccParametersBuilder::new()
        .with_ecc_scheme(EccScheme::EcDsa(HashScheme::new(HashingAlgorithm::Sha256)))
        .with_curve(EccCurve::NistP256)
        .with_is_signing_key(true)
        .with_restricted(true)
        .with_key_derivation_function_scheme(KeyDerivationFunctionScheme::Null)
        .build()?;
    let label = Sha256::digest(AK_LABEL);
    let unique = EccPoint::new(
        EccParameter::try_from(label.as_slice())?,
        EccParameter::try_from([0; 32].as_slice())?,
    );
    PublicBuilder::new()
        .with_public_algorithm(PublicAlgorithm::Ecc)
        .with_name_hashing_algorithm(HashingAlgorithm::Sha256)
        .with_object_attributes(attributes)
        .with_ecc_parameters(parameters)
        .with_ecc_unique_identifier(unique)
        .build()
}
