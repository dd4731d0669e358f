//! Objects of ours: sealed data, and P-256 keys. Templates, making, loading.

use tss_esapi::Context;
use tss_esapi::attributes::{ObjectAttributes, ObjectAttributesBuilder};
use tss_esapi::handles::KeyHandle;
use tss_esapi::interface_types::algorithm::{HashingAlgorithm, PublicAlgorithm};
use tss_esapi::interface_types::ecc::EccCurve;
use tss_esapi::interface_types::session_handles::AuthSession;
use tss_esapi::structures::{
    Auth, Digest, EccPoint, EccScheme, HashScheme, KeyDerivationFunctionScheme, KeyedHashScheme,
    Private, Public, PublicBuilder, PublicEccParametersBuilder, PublicKeyedHashParameters,
    SensitiveData,
};
use tss_esapi::traits::{Marshall as _, UnMarshall as _};

use super::chip::flushing;
use super::failure::{Doing as _, Failed, Meaning};
use super::pin::Purpose;
use super::policy;
use super::session;
use crate::algorithm::P256VerifyingKey;
use crate::backend::{TpmObject, TpmParent, TpmPolicy};
use crate::error::TpmError;

/// What is to be made.
pub(super) enum New<'a> {
    /// Data to be sealed, 128 bytes at most.
    Sealed(&'a [u8]),
    /// A P-256 signing key.
    SigningKey,
}

/// Makes an object under the parent. What is sealed, and the authValue, travel
/// encrypted.
pub(super) fn create(
    context: &mut Context,
    parent: &TpmParent,
    parent_key: KeyHandle,
    policy: &TpmPolicy,
    auth: Option<&[u8]>,
    new: &New<'_>,
) -> Result<TpmObject, Failed> {
    let digest = policy::digest(policy)
        .ok_or(TpmError::NoSuchPolicy { reason: "it would protect nothing" })?;
    let public = template(new, &digest, policy.pin.is_some()).doing("describe a new object")?;
    let auth = auth.map(Auth::try_from).transpose().doing("describe a new object")?;
    let data = match new {
        New::Sealed(secret) => {
            Some(SensitiveData::try_from(*secret).doing("describe a new object")?)
        }
        New::SigningKey => None,
    };
    let encrypting = session::encrypting(context, parent_key)?;
    let made = flushing(context, session::handle(encrypting), |context| {
        let sessions = (Some(AuthSession::Password), Some(encrypting), None);
        context
            .execute_with_sessions(sessions, |context| {
                context.create(parent_key, public, auth, data, None, None)
            })
            .doing("make a new object")
    })?;
    Ok(TpmObject {
        parent: parent.clone(),
        public: made.out_public.marshall().doing("describe a new object")?,
        private: made.out_private.value().to_vec(),
        policy: policy.clone(),
    })
}

pub(super) fn template(
    new: &New<'_>,
    policy: &[u8; 32],
    has_pin: bool,
) -> Result<Public, tss_esapi::Error> {
    let policy = Digest::try_from(policy.as_slice())?;
    let attributes = ObjectAttributesBuilder::new()
        .with_fixed_tpm(true)
        .with_fixed_parent(true)
        // Clear: else a plain password would do in place of the policy.
        .with_user_with_auth(false)
        // Only guesses of a PIN are counted.
        .with_no_da(!has_pin);
    let builder = PublicBuilder::new()
        .with_name_hashing_algorithm(HashingAlgorithm::Sha256)
        .with_auth_policy(policy);
    match new {
        New::Sealed(_) => builder
            .with_public_algorithm(PublicAlgorithm::KeyedHash)
            .with_object_attributes(attributes.build()?)
            .with_keyed_hash_parameters(PublicKeyedHashParameters::new(KeyedHashScheme::Null))
            .with_keyed_hash_unique_identifier(Digest::default()),
        New::SigningKey => {
            let scheme = EccScheme::EcDsa(HashScheme::new(HashingAlgorithm::Sha256));
            let attributes =
                attributes.with_sensitive_data_origin(true).with_sign_encrypt(true).build()?;
            builder
                .with_public_algorithm(PublicAlgorithm::Ecc)
                .with_object_attributes(attributes)
                .with_ecc_parameters(
                    PublicEccParametersBuilder::new()
                        .with_ecc_scheme(scheme)
                        .with_curve(EccCurve::NistP256)
                        .with_is_signing_key(true)
                        .with_key_derivation_function_scheme(KeyDerivationFunctionScheme::Null)
                        .build()?,
                )
                .with_ecc_unique_identifier(EccPoint::default())
        }
    }
    .build()
}

/// An object as it is stored, read and compared with its policy. Without a TPM.
pub(super) struct Stored {
    pub(super) public: Public,
    private: Private,
}

impl Stored {
    pub(super) fn read(object: &TpmObject, purpose: Purpose) -> Result<Self, TpmError> {
        let what = purpose.object();
        let damaged = || TpmError::Damaged { what, source: None };
        let public = Public::unmarshall(&object.public).map_err(|_| damaged())?;
        // One spelling: bytes after it would be read over.
        if public.marshall().ok().as_ref() != Some(&object.public) {
            return Err(damaged());
        }
        let private = Private::try_from(object.private.clone()).map_err(|_| damaged())?;
        let wanted = policy::digest(&object.policy);
        if wanted.as_ref().map(<[u8; 32]>::as_slice) != Some(public.auth_policy().value()) {
            return Err(TpmError::ForeignPolicy { what });
        }
        Ok(Self { public, private })
    }

    /// Loads it. Only this TPM, under this parent, takes the two parts
    /// together.
    pub(super) fn load(
        &self,
        context: &mut Context,
        parent: KeyHandle,
        purpose: Purpose,
    ) -> Result<KeyHandle, Failed> {
        let (private, public) = (self.private.clone(), self.public.clone());
        let loaded = context.execute_with_session(Some(AuthSession::Password), |context| {
            context.load(parent, private, public)
        });
        loaded.doing("load a key").map_err(|failed| match (failed.meaning(), failed) {
            (
                Some(Meaning::Integrity | Meaning::Malformed | Meaning::Value),
                Failed::Call(call),
            ) => {
                let source = Some(Box::new(call).into());
                TpmError::Damaged { what: purpose.object(), source }.into()
            }
            (_, failed) => failed,
        })
    }

    /// The public key of a P-256 signing key.
    pub(super) fn verifying_key(&self) -> Result<P256VerifyingKey, TpmError> {
        let what = Purpose::Key.object();
        verifying_key(&self.public).map_err(|_| TpmError::Damaged { what, source: None })
    }

    pub(super) const fn is_sealed_data(&self) -> bool {
        matches!(self.public, Public::KeyedHash { .. })
    }

    pub(super) fn attributes(&self) -> ObjectAttributes {
        self.public.object_attributes()
    }
}

/// The public key of a P-256 key. Coordinates come without leading zeros from
/// some chips.
pub(super) fn verifying_key(public: &Public) -> Result<P256VerifyingKey, TpmError> {
    let no_key = || TpmError::Attributes { problem: "it is no P-256 key" };
    let Public::Ecc { parameters, unique, .. } = public else { return Err(no_key()) };
    if parameters.ecc_curve() != EccCurve::NistP256 {
        return Err(no_key());
    }
    let mut point = [0_u8; 65];
    point[0] = 4;
    let (x, y) = point.split_at_mut(33);
    let placed = [(x.get_mut(1..), unique.x().value()), (Some(y), unique.y().value())]
        .into_iter()
        .all(|(place, value)| place.is_some_and(|place| put_right(place, value)));
    if !placed {
        return Err(no_key());
    }
    P256VerifyingKey::from_uncompressed(&point).map_err(|_| no_key())
}

/// Writes a number at the right end of its place; false if it is too long.
pub(super) fn put_right(place: &mut [u8], number: &[u8]) -> bool {
    let Some(start) = place.len().checked_sub(number.len()) else { return false };
    place.iter_mut().skip(start).zip(number).for_each(|(place, byte)| *place = *byte);
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Some chips leave leading zeros out.
    #[test]
    fn numbers_stand_at_the_right_end_of_their_place() {
        let placed = |number: &[u8]| {
            let mut place = [0; 4];
            put_right(&mut place, number).then_some(place)
        };
        assert_eq!(placed(&[]), Some([0, 0, 0, 0]));
        assert_eq!(placed(&[1]), Some([0, 0, 0, 1]));
        assert_eq!(placed(&[1, 2, 3]), Some([0, 1, 2, 3]));
        assert_eq!(placed(&[1, 2, 3, 4]), Some([1, 2, 3, 4]));
        assert_eq!(placed(&[0, 1, 2, 3, 4]), None);
    }
}
