//! The storage root that objects lie under.
//!
//! Its Name is pinned. That stops a TPM, or somebody between us and it, who
//! does not have the private half of this very key: secrets are encrypted to
//! it before they are sent. It does not stop somebody who can already act as
//! this TPM, and at `id init`, when the Name is seen for the first time, it
//! stops nobody.

use tss_esapi::Context;
use tss_esapi::attributes::ObjectAttributesBuilder;
use tss_esapi::handles::{KeyHandle, ObjectHandle, PersistentTpmHandle, TpmHandle};
use tss_esapi::interface_types::algorithm::{HashingAlgorithm, PublicAlgorithm};
use tss_esapi::interface_types::ecc::EccCurve;
use tss_esapi::interface_types::resource_handles::Hierarchy;
use tss_esapi::interface_types::session_handles::AuthSession;
use tss_esapi::structures::{
    EccPoint, Public, PublicBuilder, PublicEccParametersBuilder, SymmetricDefinitionObject,
};

use super::chip::flushing;
use super::failure::{Doing as _, Failed, Meaning};
use crate::backend::TpmParent;
use crate::encoding::hex;
use crate::error::TpmError;

/// Does something under a storage key, whose Name must be the expected one.
pub(super) fn under<T>(
    context: &mut Context,
    parent: &TpmParent,
    work: impl FnOnce(&mut Context, KeyHandle) -> Result<T, Failed>,
) -> Result<T, Failed> {
    within(context, parent.handle, |context, key| {
        let found = name(context, key)?;
        if found != parent.name {
            let (expected, found) = (hex::encode(&parent.name), hex::encode(&found));
            return Err(Failed::Error(match parent.handle {
                Some(handle) => TpmError::ParentChanged { handle, expected, found },
                None => TpmError::OtherTpm { expected, found },
            }));
        }
        work(context, key)
    })
}

/// The storage key that is there, for new objects.
pub(super) fn present(context: &mut Context, handle: Option<u32>) -> Result<TpmParent, Failed> {
    within(context, handle, |context, key| {
        if let Some(handle) = handle {
            let (public, ..) = context
                .execute_without_session(|context| context.read_public(key))
                .doing("read its storage key")?;
            let attributes = public.object_attributes();
            let is_storage_key =
                attributes.restricted() && attributes.decrypt() && !attributes.sign_encrypt();
            let reason = match (is_storage_key, attributes.fixed_tpm()) {
                (true, true) => None,
                (false, _) => Some("it does not have the attributes of one"),
                (true, false) => Some("it could be moved to another TPM (fixedTPM is clear)"),
            };
            if !attributes.no_da() {
                log::warn!(
                    "the storage key at {handle:#010x} takes part in the TPM's lock-out (noDA is \
                     clear): no key under it opens in one, also without a PIN"
                );
            }
            if let Some(reason) = reason {
                return Err(TpmError::NotAParent { handle, reason }.into());
            }
        }
        Ok(TpmParent { handle, name: name(context, key)? })
    })
}

fn within<T>(
    context: &mut Context,
    handle: Option<u32>,
    work: impl FnOnce(&mut Context, KeyHandle) -> Result<T, Failed>,
) -> Result<T, Failed> {
    match handle {
        Some(handle) => {
            let key = persistent(context, handle)?;
            let done = work(context, key.into());
            // Only the library's knowledge of it.
            let closed = context.tr_close(&mut { key }).doing("close its storage key");
            done.and_then(|done| closed.map(|()| done))
        }
        None => {
            let key = make(context)?;
            flushing(context, key, |context| work(context, key))
        }
    }
}

fn persistent(context: &mut Context, handle: u32) -> Result<ObjectHandle, Failed> {
    let place = PersistentTpmHandle::new(handle).doing("read its storage key")?;
    let read = context.execute_without_session(|context| {
        context.tr_from_tpm_public(TpmHandle::Persistent(place))
    });
    read.doing("read its storage key").map_err(|failed| match (failed.meaning(), failed) {
        (Some(Meaning::NoHandle), Failed::Call(failure)) => {
            TpmError::NoParent { handle, source: Box::new(failure) }.into()
        }
        (_, failed) => failed,
    })
}

/// Makes it from the owner's seed: always the same key.
fn make(context: &mut Context) -> Result<KeyHandle, Failed> {
    let template = template().doing("describe its storage key")?;
    let made = context.execute_with_session(Some(AuthSession::Password), |context| {
        context.create_primary(Hierarchy::Owner, template, None, None, None, None)
    });
    let made = made.doing("make its storage key").map_err(|failed| match failed {
        Failed::Call(failure) if failure.meaning() == Meaning::WrongAuth => {
            TpmError::OwnerPassword { source: Box::new(failure) }.into()
        }
        failed => failed,
    });
    Ok(made?.key_handle)
}

/// H-2 of the TCG's EK and storage templates: P-256, AES-128-CFB, no unique
/// value, no protection against dictionary attacks (there is no password).
fn template() -> Result<Public, tss_esapi::Error> {
    let attributes = ObjectAttributesBuilder::new()
        .with_fixed_tpm(true)
        .with_fixed_parent(true)
        .with_sensitive_data_origin(true)
        .with_user_with_auth(true)
        .with_no_da(true)
        .with_restricted(true)
        .with_decrypt(true)
        .build()?;
    let parameters = PublicEccParametersBuilder::new_restricted_decryption_key(
        SymmetricDefinitionObject::AES_128_CFB,
        EccCurve::NistP256,
    )
    .build()?;
    PublicBuilder::new()
        .with_public_algorithm(PublicAlgorithm::Ecc)
        .with_name_hashing_algorithm(HashingAlgorithm::Sha256)
        .with_object_attributes(attributes)
        .with_ecc_parameters(parameters)
        .with_ecc_unique_identifier(EccPoint::default())
        .build()
}

fn name(context: &mut Context, key: KeyHandle) -> Result<Vec<u8>, Failed> {
    Ok(context.tr_get_name(key.into()).doing("read a Name")?.value().to_vec())
}
