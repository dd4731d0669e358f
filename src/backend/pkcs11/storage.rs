//! Storage keys, encrypted by an AES key that cannot leave the token.
//!
//! AES-256-GCM with a random 12-byte nonce and a 16-byte tag; the DID is in
//! the associated data, so that what was wrapped for one identity does not
//! open another one.

use cryptoki::error::{Error, RvError};
use cryptoki::mechanism::aead::GcmParams;
use cryptoki::mechanism::{Mechanism, MechanismType};
use cryptoki::object::{Attribute, KeyType, ObjectClass, ObjectHandle};
use cryptoki::types::Ulong;
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use super::ecdh;
use super::failure::Failure;
use super::object::{Objects, with_id};
use super::template;
use super::token::Token;
use crate::backend::{AesGcmWrapped, WrappedKey};
use crate::did::Did;
use crate::encoding::hex;
use crate::error::{DeviceError, Pkcs11Error};
use crate::evidence::Trust;
use crate::secret::LockedText;

/// What a token needs for it.
const NEEDED: [MechanismType; 2] = [MechanismType::AES_GCM, MechanismType::AES_KEY_GEN];

/// Whether a token may be able to keep storage keys.
pub(super) fn is_possible(token: &Token) -> Result<bool, Pkcs11Error> {
    let present = token.mechanisms()?;
    let has = |needed: &[MechanismType]| needed.iter().all(|one| present.contains(one));
    Ok(has(&NEEDED) || has(&ecdh::NEEDED))
}

const CONTEXT: &[u8] = b"icn-identity/storage/v1\0";

impl Objects<'_> {
    /// Encrypts to the token in the first way that it knows; leaves nothing if
    /// it fails. `None` if it knows none.
    pub(super) fn wrap(
        self,
        key_id: &[u8],
        label: &str,
        did: &Did,
        storage_key: &LockedText,
    ) -> Result<Option<WrappedKey>, DeviceError> {
        if self.token.has(&NEEDED)?
            && let Some(wrapped) = self.wrap_by_gcm(key_id, label, did, storage_key)?
        {
            return Ok(Some(WrappedKey::AesGcm(wrapped)));
        }
        if !self.token.has(&ecdh::NEEDED)? {
            return Ok(None);
        }
        // The other attempt may have left an operation pending in this session.
        let session = self.token.writing_session()?;
        let wrapped = Objects { token: self.token, session: &session }.wrap_by_ecdh(
            key_id,
            label,
            did,
            storage_key,
        )?;
        Ok(wrapped.map(WrappedKey::Ecdh))
    }

    /// Decrypts what [`Self::wrap`] made.
    pub(super) fn unwrap(self, did: &Did, wrapped: &WrappedKey) -> Result<LockedText, DeviceError> {
        match wrapped {
            WrappedKey::AesGcm(wrapped) => self.unwrap_by_gcm(did, wrapped),
            WrappedKey::Ecdh(wrapped) => self.unwrap_by_ecdh(did, wrapped),
            WrappedKey::Tpm(_) => {
                Err(DeviceError::StorageKey { token: self.token.name(), source: None })
            }
        }
    }

    /// Encrypts with a new AES key; leaves nothing if it fails. `None` if the
    /// token turns out not to do GCM with a nonce of ours.
    fn wrap_by_gcm(
        self,
        key_id: &[u8],
        label: &str,
        did: &Did,
        storage_key: &LockedText,
    ) -> Result<Option<AesGcmWrapped>, DeviceError> {
        let wrapped = self.wrap_with_new_key(key_id.to_owned(), label, did, storage_key);
        self.nothing_left(key_id, wrapped)
    }

    /// Removes what was made in vain. What stays is an error: the next way would
    /// give its pair the same name, and without one nothing would name it.
    pub(super) fn nothing_left<T>(
        self,
        key_id: &[u8],
        wrapped: Result<Option<T>, DeviceError>,
    ) -> Result<Option<T>, DeviceError> {
        if matches!(wrapped, Ok(Some(_))) {
            return wrapped;
        }
        let Err(left) = self.remove_afresh(key_id) else { return wrapped };
        log::warn!("a new storage key could not be removed from its token: {left}");
        let (token, id) = (self.token.name(), hex::encode(key_id));
        wrapped.and(Err(Pkcs11Error::LeftBehind { token, id, source: left.into() }.into()))
    }

    fn wrap_with_new_key(
        self,
        key_id: Vec<u8>,
        label: &str,
        did: &Did,
        storage_key: &LockedText,
    ) -> Result<Option<AesGcmWrapped>, DeviceError> {
        let key = self.generate_aes(&key_id, label)?;
        let mut iv = template::random_id(&self.token.name())?;
        iv.truncate(12);
        let secret = storage_key.expose_secret().as_bytes();
        let encrypted = gcm(&mut iv.clone(), did, |gcm| self.session.encrypt(gcm, key, secret));
        let ciphertext = match encrypted {
            Ok(ciphertext) => ciphertext,
            Err(Error::Pkcs11(
                RvError::MechanismInvalid
                | RvError::MechanismParamInvalid
                | RvError::FunctionNotSupported,
                _,
            )) => return Ok(None),
            Err(error) => return Err(self.token.failed("C_Encrypt")(error).into()),
        };
        let wrapped = AesGcmWrapped { key_id, iv, ciphertext };
        let unwrapped = match self.unwrap_by_gcm(did, &wrapped) {
            // The token has chosen a nonce of its own.
            Err(DeviceError::StorageKey { source: Some(source), .. })
                if is_about_the_ciphertext(source.as_ref()) =>
            {
                return Ok(None);
            }
            unwrapped => unwrapped?,
        };
        if !bool::from(unwrapped.expose_secret().as_bytes().ct_eq(secret)) {
            return Err(self.refuses(None));
        }
        Ok(Some(wrapped))
    }

    fn unwrap_by_gcm(self, did: &Did, wrapped: &AesGcmWrapped) -> Result<LockedText, DeviceError> {
        let refused = |source| self.refuses(source);
        let wanted = || with_id(&wrapped.key_id);
        let keys = self.find(&[
            Attribute::Class(ObjectClass::SECRET_KEY),
            Attribute::KeyType(KeyType::AES),
            Attribute::Token(true),
            Attribute::Id(wrapped.key_id.clone()),
        ]);
        let key = keys
            .and_then(|keys| self.exactly_one(&keys, wanted))
            .map_err(|error| refused(Some(error.into())))?;
        let decrypted = gcm(&mut wrapped.iv.clone(), did, |gcm| {
            self.session.decrypt(gcm, key, &wrapped.ciphertext)
        });
        let secret = decrypted
            .map(Zeroizing::new)
            .map_err(|error| refused(Some(Failure::from(error).into())))?;
        let text = std::str::from_utf8(&secret).map_err(|error| refused(Some(error.into())))?;
        Ok(LockedText::from(text))
    }

    fn generate_aes(self, id: &[u8], label: &str) -> Result<ObjectHandle, Pkcs11Error> {
        let mut needed = template::confined(id, label);
        needed.extend([
            Attribute::Token(true),
            Attribute::ValueLen(Ulong::new(32)),
            Attribute::Encrypt(true),
            Attribute::Decrypt(true),
        ]);
        let usages_off = [
            Attribute::Sign(false),
            Attribute::Verify(false),
            Attribute::Wrap(false),
            Attribute::Unwrap(false),
            Attribute::Derive(false),
        ];
        let failed = self.token.failed("C_GenerateKey");
        let mut first_error = None;
        for template in template::from_strict_to_plain(&needed, &usages_off) {
            match self.session.generate_key(&Mechanism::AesKeyGen, &template) {
                Ok(key) => return self.confined(key, "C_GenerateKey"),
                Err(error) if template::is_about_the_template(&error) => {
                    first_error.get_or_insert(error);
                }
                Err(error) => return Err(failed(error)),
            }
        }
        Err(failed(first_error.unwrap_or(Error::NotSupported)))
    }

    /// The storage key cannot be had.
    pub(super) fn refuses(
        self,
        source: Option<Box<dyn std::error::Error + Send + Sync>>,
    ) -> DeviceError {
        DeviceError::StorageKey { token: self.token.name(), source }
    }

    /// The key, if the token says that it keeps it to itself.
    pub(super) fn confined(
        self,
        key: ObjectHandle,
        call: &'static str,
    ) -> Result<ObjectHandle, Pkcs11Error> {
        match self.token.judge(self.evidence(key)?, Trust::default()) {
            Ok(_) => Ok(key),
            Err(exposable) => Err(Pkcs11Error::Call {
                call,
                token: self.token.name(),
                kind: exposable.kind(),
                source: Box::new(exposable),
            }),
        }
    }
}

fn is_about_the_ciphertext(error: &(dyn std::error::Error + Send + Sync + 'static)) -> bool {
    matches!(
        error.downcast_ref(),
        Some(Failure::Returned(RvError::EncryptedDataInvalid | RvError::EncryptedDataLenRange))
    )
}

/// Calls `with` with the parameters for this nonce and DID.
fn gcm<T>(
    iv: &mut [u8],
    did: &Did,
    with: impl FnOnce(&Mechanism<'_>) -> Result<T, Error>,
) -> Result<T, Error> {
    let associated = [CONTEXT, did.as_str().as_bytes()].concat();
    let parameters = GcmParams::new(iv, &associated, Ulong::new(128))?;
    with(&Mechanism::AesGcm(parameters))
}
