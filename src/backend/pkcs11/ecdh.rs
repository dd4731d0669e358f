//! Storage keys for tokens without AES-GCM: encrypted to a P-256 key that
//! cannot leave the token.
//!
//! An ephemeral P-256 key is made here and thrown away; its ECDH secret with
//! the token's key (the x-coordinate, SEC 1 section 3.3.1), by HKDF-SHA256 (RFC
//! 5869) without a salt, is the key of one ChaCha20-Poly1305 (RFC 8439) with a
//! nonce of zeros: each key encrypts once. The token makes the secret again by
//! `CKM_ECDH1_DERIVE` with `CKD_NULL`, in a session object that is destroyed.

mod seal;

use cryptoki::error::{Error, RvError};
use cryptoki::mechanism::elliptic_curve::{EcKdf, Ecdh1DeriveParams};
use cryptoki::mechanism::{Mechanism, MechanismType};
use cryptoki::object::{Attribute, AttributeType, KeyType, ObjectClass, ObjectHandle};
use cryptoki::types::Ulong;
use p256::{PublicKey, SecretKey};

use zeroize::Zeroizing;

use self::seal::{OCTET_STRING, POINT, context, uncompressed};
use super::failure::Failure;
use super::keep::ToKeep;
use super::keygen::Lifetime;
use super::object::{Objects, with_id};
use super::pool::Condition;
use super::recovery::judge;
use super::scheme::P256_OID;
use super::template::{self, PairTemplate};
use crate::backend::EcdhWrapped;
use crate::did::Did;
use crate::error::{DeviceError, Pkcs11Error};
use crate::secret::LockedText;

/// What a token needs for it.
pub(super) const NEEDED: [MechanismType; 2] =
    [MechanismType::ECDH1_DERIVE, MechanismType::ECC_KEY_PAIR_GEN];

impl Objects<'_> {
    /// Encrypts to a new P-256 key, and decrypts again.
    pub(super) fn wrap_by_ecdh(self, keep: ToKeep<'_>) -> Result<EcdhWrapped, DeviceError> {
        let made = self.naming_strays((keep.id, keep.label), || self.generate_p256(keep));
        let (public, private) = made?;
        self.confined(private, "C_GenerateKeyPair")?;
        let theirs = self.p256_point(public)?;
        let ours = self.ephemeral()?;
        let secret = p256::ecdh::diffie_hellman(ours.to_nonzero_scalar(), theirs.as_affine());
        let ephemeral = uncompressed(&ours.public_key());
        let context = context(keep.did.as_str(), &ephemeral, &uncompressed(&theirs));
        let text = keep.storage_key.expose_secret().as_bytes();
        let ciphertext = seal::seal(secret.raw_secret_bytes(), &context, text)
            .ok_or_else(|| self.refuses(None))?;
        let key_id = keep.id.to_owned();
        let wrapped = EcdhWrapped { key_id, ephemeral: ephemeral.to_vec(), ciphertext };
        // A token may keep the secret to itself.
        self.check_opened(keep, &self.unwrap_by_ecdh(keep.did, &wrapped, keep.lifetime)?)?;
        Ok(wrapped)
    }

    /// Decrypts what [`Self::wrap_by_ecdh`] made.
    pub(super) fn unwrap_by_ecdh(
        self,
        did: &Did,
        wrapped: &EcdhWrapped,
        lifetime: Lifetime,
    ) -> Result<LockedText, DeviceError> {
        let ephemeral =
            seal::point(&wrapped.ephemeral).map_err(|error| self.refuses(Some(error.into())))?;
        let ephemeral = uncompressed(&ephemeral);
        let private = self.p256_object(ObjectClass::PRIVATE_KEY, &wrapped.key_id, lifetime)?;
        let public = self.p256_object(ObjectClass::PUBLIC_KEY, &wrapped.key_id, lifetime)?;
        let theirs = uncompressed(&self.p256_point(public)?);
        let secret = self.derive(private, &ephemeral)?;
        let context = context(did.as_str(), &ephemeral, &theirs);
        let opened =
            seal::open(&secret, &context, &wrapped.ciphertext).ok_or_else(|| self.refuses(None))?;
        let text = std::str::from_utf8(&opened).map_err(|e| self.refuses(Some(e.into())))?;
        Ok(LockedText::from(text))
    }

    fn generate_p256(self, keep: ToKeep<'_>) -> Result<(ObjectHandle, ObjectHandle), Pkcs11Error> {
        let mut needed = template::confined(keep.id, keep.label);
        needed.extend([keep.lifetime.of_new(), Attribute::Derive(true)]);
        let usages_off = [
            Attribute::Sign(false),
            Attribute::Decrypt(false),
            Attribute::Unwrap(false),
            Attribute::SignRecover(false),
        ];
        let shown = [
            keep.lifetime.of_new(),
            Attribute::EcParams(P256_OID.to_vec()),
            Attribute::Id(keep.id.to_owned()),
            Attribute::Label(keep.label.into()),
        ];
        let shown_usages_off = [
            Attribute::Verify(false),
            Attribute::Encrypt(false),
            Attribute::Wrap(false),
            Attribute::VerifyRecover(false),
        ];
        let templates = template::for_pair((&shown, &shown_usages_off), (&needed, &usages_off));
        let failed = self.token.failed("C_GenerateKeyPair");
        let mut first_error = None;
        for PairTemplate { public, private, .. } in templates {
            let generate =
                || self.session.generate_key_pair(&Mechanism::EccKeyPairGen, &public, &private);
            match self.within_login(generate) {
                Ok((public, private)) => {
                    self.shows_its_id([public, private], keep.id, "C_GenerateKeyPair")?;
                    return Ok((public, private));
                }
                Err(error) if template::is_about_the_template(&error) => {
                    self.remove(keep.id)?;
                    first_error.get_or_insert(error);
                }
                Err(error) => return Err(failed(error)),
            }
        }
        Err(failed(first_error.unwrap_or(Error::NotSupported)))
    }

    fn p256_object(
        self,
        class: ObjectClass,
        id: &[u8],
        lifetime: Lifetime,
    ) -> Result<ObjectHandle, DeviceError> {
        let mut named = vec![
            Attribute::Class(class),
            Attribute::KeyType(KeyType::EC),
            Attribute::Id(id.to_owned()),
        ];
        named.extend(lifetime.of_known());
        self.find(&named)
            .and_then(|found| self.exactly_one(&found, || with_id(id)))
            .map_err(|error| self.refuses(Some(error.into())))
    }

    /// A public P-256 key: raw, or in one of the encodings of DER.
    fn p256_point(self, public: ObjectHandle) -> Result<PublicKey, Pkcs11Error> {
        let encoded = self.read(public, AttributeType::EcPoint)?.unwrap_or_default();
        seal::shown_point(&encoded).map_err(|_| Pkcs11Error::PublicKey {
            token: self.token.name(),
            reason: format!("CKA_EC_POINT is no P-256 point ({} bytes)", encoded.len()),
        })
    }

    fn ephemeral(self) -> Result<SecretKey, Pkcs11Error> {
        loop {
            let mut bytes = Zeroizing::new([0_u8; 32]);
            crate::secret::fill_random(bytes.as_mut_slice()).map_err(|error| {
                Pkcs11Error::Call {
                    call: "getrandom",
                    token: self.token.name(),
                    kind: error.kind(),
                    of_tpm: false,
                    source: Box::new(error),
                }
            })?;
            // All but one of 2^32 are below the order of the group.
            if let Ok(key) = SecretKey::from_slice(bytes.as_slice()) {
                return Ok(key);
            }
        }
    }

    /// The ECDH secret, made by the token.
    fn derive(
        self,
        private: ObjectHandle,
        ephemeral: &[u8; POINT],
    ) -> Result<Zeroizing<Vec<u8>>, DeviceError> {
        let template = [
            Attribute::Class(ObjectClass::SECRET_KEY),
            Attribute::KeyType(KeyType::GENERIC_SECRET),
            Attribute::Token(false),
            Attribute::Private(true),
            Attribute::Sensitive(false),
            Attribute::Extractable(true),
            Attribute::ValueLen(Ulong::new(32)),
        ];
        let with = |point: &[u8]| {
            let parameters = Ecdh1DeriveParams::new(EcKdf::null(), point);
            let mechanism = Mechanism::Ecdh1Derive(parameters);
            self.within_login(|| self.session.derive_key(&mechanism, private, &template))
        };
        let derived = match with(ephemeral) {
            // Some take the point as CKA_EC_POINT shows it.
            Err(error) if is_about_the_point(&error) => {
                with(&[OCTET_STRING.as_slice(), ephemeral].concat())
            }
            derived => derived,
        };
        let derived = derived.map_err(|error| self.gives_nothing("C_DeriveKey", error))?;
        let value = self.session.get_attributes(derived, &[AttributeType::Value]).map(secret_in);
        // Also gone with the session; but that may last.
        let destroyed = self.session.destroy_object(derived);
        let value = value.map_err(|error| self.gives_nothing("C_GetAttributeValue", error))?;
        destroyed.map_err(self.token.failed("C_DestroyObject"))?;
        value.filter(|secret| secret.len() == 32).ok_or_else(|| self.refuses(None))
    }

    /// The token refused; or it was lost, which says nothing of what it can do.
    fn gives_nothing(self, call: &'static str, error: Error) -> DeviceError {
        let failure = Failure::from(error);
        let lost = matches!(judge(&failure), (_, Condition::Dead));
        let failed = failure.into_error(call, self.token.named());
        if lost { failed.into() } else { self.refuses(Some(failed.into())) }
    }
}

fn secret_in(told: Vec<Attribute>) -> Option<Zeroizing<Vec<u8>>> {
    told.into_iter().find_map(|attribute| match attribute {
        Attribute::Value(secret) => Some(Zeroizing::new(secret)),
        _ => None,
    })
}

const fn is_about_the_point(error: &Error) -> bool {
    matches!(
        error,
        Error::Pkcs11(
            RvError::MechanismParamInvalid
                | RvError::ArgumentsBad
                | RvError::GeneralError
                | RvError::FunctionFailed
                | RvError::DataInvalid
                | RvError::DataLenRange,
            _
        )
    )
}
