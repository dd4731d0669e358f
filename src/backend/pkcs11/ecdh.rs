//! Storage keys for tokens without AES-GCM: encrypted to a P-256 key that
//! cannot leave the token.
//!
//! An ephemeral P-256 key is made here and thrown away; its ECDH secret with
//! the token's key (the x-coordinate, SEC 1 section 3.3.1), by HKDF-SHA256 (RFC
//! 5869) without a salt, is the key of one ChaCha20-Poly1305 (RFC 8439) with a
//! nonce of zeros: each key encrypts once. The token makes the secret again by
//! `CKM_ECDH1_DERIVE` with `CKD_NULL`, in a session object that is destroyed.

use chacha20poly1305::aead::{Aead as _, KeyInit as _, Payload};
use chacha20poly1305::{ChaCha20Poly1305, Nonce};
use cryptoki::error::{Error, RvError};
use cryptoki::mechanism::elliptic_curve::{EcKdf, Ecdh1DeriveParams};
use cryptoki::mechanism::{Mechanism, MechanismType};
use cryptoki::object::{Attribute, AttributeType, KeyType, ObjectClass, ObjectHandle};
use cryptoki::types::Ulong;
use hkdf::Hkdf;
use p256::elliptic_curve::sec1::ToSec1Point as _;
use p256::{PublicKey, SecretKey};
use secrecy::{ExposeSecret, SecretString};
use sha2::Sha256;
use subtle::ConstantTimeEq as _;
use zeroize::{Zeroize as _, Zeroizing};

use super::object::{Objects, with_id};
use super::template;
use crate::backend::EcdhWrapped;
use crate::did::Did;
use crate::error::{DeviceError, OpenError};

/// What a token needs for it.
pub(super) const NEEDED: [MechanismType; 2] =
    [MechanismType::ECDH1_DERIVE, MechanismType::ECC_KEY_PAIR_GEN];

/// OID 1.2.840.10045.3.1.7: secp256r1.
const P256: [u8; 10] = [0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];

const CONTEXT: &[u8] = b"icn-identity/storage-ecdh/v1\0";

/// An uncompressed point (SEC 1, section 2.3.3).
const POINT: usize = 65;

impl Objects<'_> {
    /// Encrypts to a new P-256 key; leaves nothing if it fails. `None` if the
    /// token turns out not to do it, or keeps the secret to itself.
    pub(super) fn wrap_by_ecdh(
        self,
        label: &str,
        did: &Did,
        storage_key: &SecretString,
    ) -> Result<Option<EcdhWrapped>, DeviceError> {
        let key_id = template::random_id(&self.token.name())?;
        let wrapped = self.wrap_to_new_pair(key_id.clone(), label, did, storage_key);
        if !matches!(wrapped, Ok(Some(_)))
            && let Err(error) = self.remove_afresh(&key_id)
        {
            log::warn!("a new P-256 key could not be removed from its token: {error}");
        }
        wrapped
    }

    fn wrap_to_new_pair(
        self,
        key_id: Vec<u8>,
        label: &str,
        did: &Did,
        storage_key: &SecretString,
    ) -> Result<Option<EcdhWrapped>, DeviceError> {
        let (public, private) = self.generate_p256(&key_id, label)?;
        self.confined(private, "C_GenerateKeyPair")?;
        let theirs = self.p256_point(public)?;
        let ours = self.ephemeral()?;
        let secret = p256::ecdh::diffie_hellman(ours.to_nonzero_scalar(), theirs.as_affine());
        let ephemeral = uncompressed(&ours.public_key());
        let context = context(did, &ephemeral, &uncompressed(&theirs));
        let sealed = cipher(secret.raw_secret_bytes(), &context).and_then(|cipher| {
            let text = storage_key.expose_secret().as_bytes();
            cipher.encrypt(&Nonce::default(), Payload { msg: text, aad: &context }).ok()
        });
        let Some(ciphertext) = sealed else { return Err(self.refuses(None)) };
        let wrapped = EcdhWrapped { key_id, ephemeral: ephemeral.to_vec(), ciphertext };
        match self.unwrap_by_ecdh(did, &wrapped) {
            Ok(opened) => {
                let (opened, meant) = (opened.expose_secret(), storage_key.expose_secret());
                if bool::from(opened.as_bytes().ct_eq(meant.as_bytes())) {
                    Ok(Some(wrapped))
                } else {
                    Err(self.refuses(None))
                }
            }
            // Other tokens of this kind do; this one does not.
            Err(error @ DeviceError::StorageKey { .. }) => {
                log::debug!("the token does no ECDH for us: {error}");
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// Decrypts what [`Self::wrap_by_ecdh`] made.
    pub(super) fn unwrap_by_ecdh(
        self,
        did: &Did,
        wrapped: &EcdhWrapped,
    ) -> Result<SecretString, DeviceError> {
        let ephemeral = PublicKey::from_sec1_bytes(&wrapped.ephemeral)
            .map_err(|error| self.refuses(Some(error.into())))?;
        let ephemeral = uncompressed(&ephemeral);
        let private = self.p256_object(ObjectClass::PRIVATE_KEY, &wrapped.key_id)?;
        let public = self.p256_object(ObjectClass::PUBLIC_KEY, &wrapped.key_id)?;
        let theirs = uncompressed(&self.p256_point(public)?);
        let secret = self.derive(private, &ephemeral)?;
        let context = context(did, &ephemeral, &theirs);
        let opened = cipher(secret.as_slice(), &context).and_then(|cipher| {
            let sealed = Payload { msg: &wrapped.ciphertext, aad: &context };
            cipher.decrypt(&Nonce::default(), sealed).ok()
        });
        let opened = Zeroizing::new(opened.ok_or_else(|| self.refuses(None))?);
        let text = std::str::from_utf8(&opened).map_err(|e| self.refuses(Some(e.into())))?;
        Ok(SecretString::from(text))
    }

    fn generate_p256(
        self,
        id: &[u8],
        label: &str,
    ) -> Result<(ObjectHandle, ObjectHandle), DeviceError> {
        let mut needed = template::confined(id, label);
        needed.extend([Attribute::Token(true), Attribute::Derive(true)]);
        let usages_off = [
            Attribute::Sign(false),
            Attribute::Decrypt(false),
            Attribute::Unwrap(false),
            Attribute::SignRecover(false),
        ];
        let shown = [
            Attribute::Token(true),
            Attribute::Private(false),
            Attribute::EcParams(P256.to_vec()),
            Attribute::Id(id.to_owned()),
            Attribute::Label(label.into()),
        ];
        let shown_usages_off =
            [Attribute::Verify(false), Attribute::Encrypt(false), Attribute::Wrap(false)];
        let publics = template::from_strict_to_plain(&shown, &shown_usages_off);
        let privates = template::from_strict_to_plain(&needed, &usages_off);
        let failed = self.token.failed("C_GenerateKeyPair");
        let mut first_error = None;
        for (public, private) in publics.into_iter().zip(privates) {
            match self.session.generate_key_pair(&Mechanism::EccKeyPairGen, &public, &private) {
                Ok(pair) => return Ok(pair),
                Err(error) if template::is_about_the_template(&error) => {
                    self.remove(id)?;
                    first_error.get_or_insert(error);
                }
                Err(error) => return Err(failed(error)),
            }
        }
        Err(failed(first_error.unwrap_or(Error::NotSupported)))
    }

    fn p256_object(self, class: ObjectClass, id: &[u8]) -> Result<ObjectHandle, DeviceError> {
        let found = self.find(&[
            Attribute::Class(class),
            Attribute::KeyType(KeyType::EC),
            Attribute::Token(true),
            Attribute::Id(id.to_owned()),
        ]);
        found
            .and_then(|found| self.exactly_one(&found, || with_id(id)))
            .map_err(|error| self.refuses(Some(error.into())))
    }

    /// A public P-256 key: raw, or in one of the encodings of DER.
    fn p256_point(self, public: ObjectHandle) -> Result<PublicKey, DeviceError> {
        let encoded = self.read(public, AttributeType::EcPoint)?.unwrap_or_default();
        let raw = match encoded.len() {
            67 => encoded.strip_prefix(&[0x04, 0x41]),
            68 => encoded.strip_prefix(&[0x03, 0x42, 0x00]),
            _ => Some(encoded.as_slice()),
        };
        raw.and_then(|raw| PublicKey::from_sec1_bytes(raw).ok()).ok_or_else(|| {
            DeviceError::PublicKey {
                token: self.token.name(),
                reason: format!("CKA_EC_POINT is no P-256 point ({} bytes)", encoded.len()),
            }
        })
    }

    fn ephemeral(self) -> Result<SecretKey, DeviceError> {
        loop {
            let mut bytes = Zeroizing::new([0_u8; 32]);
            getrandom::fill(bytes.as_mut_slice()).map_err(|error| DeviceError::Call {
                call: "getrandom",
                token: self.token.name(),
                source: Box::new(OpenError::NoRandomness(error)),
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
            self.session.derive_key(&mechanism, private, &template)
        };
        let derived = match with(ephemeral) {
            // Some take the point as CKA_EC_POINT shows it.
            Err(error) if is_about_the_point(&error) => {
                with(&[&[0x04, 0x41], ephemeral.as_slice()].concat())
            }
            derived => derived,
        };
        let failed = self.token.failed("C_DeriveKey");
        let derived = derived.map_err(|error| self.refuses(Some(failed(error).into())))?;
        let value = self.session.get_attributes(derived, &[AttributeType::Value]);
        // Also gone with the session; but that may last.
        let destroyed = self.session.destroy_object(derived);
        let failed = self.token.failed("C_GetAttributeValue");
        let mut told = value.map_err(|error| self.refuses(Some(failed(error).into())))?;
        destroyed.map_err(self.token.failed("C_DestroyObject"))?;
        match told.pop() {
            Some(Attribute::Value(mut secret)) if secret.len() == 32 => {
                let kept = Zeroizing::new(secret.clone());
                secret.zeroize();
                Ok(kept)
            }
            _ => Err(self.refuses(None)),
        }
    }
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

fn uncompressed(key: &PublicKey) -> [u8; POINT] {
    let mut point = [0; POINT];
    for (place, byte) in point.iter_mut().zip(key.to_sec1_point(false).as_bytes()) {
        *place = *byte;
    }
    point
}

/// Everything that the ciphertext belongs to, each with its length.
fn context(did: &Did, ephemeral: &[u8; POINT], token: &[u8; POINT]) -> Vec<u8> {
    let mut context = CONTEXT.to_vec();
    for part in [did.as_str().as_bytes(), ephemeral, token] {
        // No part is near 4 GiB long.
        context.extend(u32::try_from(part.len()).unwrap_or(u32::MAX).to_be_bytes());
        context.extend(part);
    }
    context
}

fn cipher(secret: &[u8], context: &[u8]) -> Option<ChaCha20Poly1305> {
    let mut key = Zeroizing::new([0_u8; 32]);
    Hkdf::<Sha256>::new(None, secret).expand(context, key.as_mut_slice()).ok()?;
    ChaCha20Poly1305::new_from_slice(key.as_slice()).ok()
}
