//! Storage keys, encrypted by an AES key that cannot leave the token.
//!
//! AES-256-GCM with a random 12-byte nonce and a 16-byte tag; the DID is in
//! the associated data, so that what was wrapped for one identity does not
//! open another one.

use std::fmt;

use cryptoki::error::Error;
use cryptoki::mechanism::aead::GcmParams;
use cryptoki::mechanism::{Mechanism, MechanismType};
use cryptoki::object::{Attribute, KeyType, ObjectClass, ObjectHandle};
use cryptoki::types::Ulong;

use subtle::ConstantTimeEq as _;

use super::connection::LoginGuard;
use super::failure::{Failure, in_full_of_making};
use super::keep::ToKeep;
use super::keygen::Lifetime;
use super::object::{Objects, with_id};
use super::pool::Condition;
use super::recovery::judge;
use super::token::Token;
use super::{ecdh, template};
use crate::backend::{AesGcmWrapped, WrappedKey};
use crate::did::Did;
use crate::encoding::hex;
use crate::error::{DeviceError, Pkcs11Error};
use crate::evidence::Trust;
use crate::secret::LockedText;

/// A way to keep a storage key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// By an AES key, with AES-GCM.
    AesGcm,
    /// To a P-256 key, by ECDH.
    Ecdh,
}

impl Way {
    /// In the order in which they are tried.
    pub(super) const ALL: [Self; 2] = [Self::AesGcm, Self::Ecdh];

    /// What a token must list for it.
    const fn needed(self) -> &'static [MechanismType] {
        match self {
            Self::AesGcm => &[MechanismType::AES_GCM, MechanismType::AES_KEY_GEN],
            Self::Ecdh => &ecdh::NEEDED,
        }
    }

    /// Whether the token lists it. Not every token that does can do it.
    pub(super) fn is_listed(self, token: &Token) -> Result<bool, Pkcs11Error> {
        token.has(self.needed())
    }
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::AesGcm => "AES-GCM",
            Self::Ecdh => "ECDH on P-256",
        })
    }
}

/// Whether a token may be able to keep storage keys.
pub(super) fn is_possible(token: &Token) -> Result<bool, Pkcs11Error> {
    let present = token.mechanisms()?;
    Ok(Way::ALL.iter().any(|way| way.needed().iter().all(|needed| present.contains(needed))))
}

const CONTEXT: &[u8] = b"icn-identity/storage/v1\0";

/// Why a token does not keep a storage key in one way.
pub(super) enum NotKept {
    /// It does not do it. Nothing is left.
    Refused(DeviceError),
    /// It was lost meanwhile, which says nothing of what it can do; or what was begun is
    /// still there.
    Failed(DeviceError),
}

/// Encrypts to the token in the first way that works; leaves nothing if it fails.
/// `None` if none does.
pub(super) fn wrap(token: &Token, keep: ToKeep<'_>) -> Result<Option<WrappedKey>, DeviceError> {
    let mut refused = Vec::new();
    for way in Way::ALL {
        if !way.is_listed(token)? {
            continue;
        }
        match wrap_by(token, way, keep) {
            Ok(wrapped) => return Ok(Some(wrapped)),
            Err(NotKept::Failed(error)) => return Err(error),
            Err(NotKept::Refused(error)) => {
                let why = in_full_of_making(&error);
                let name = token.name();
                log::info!("token {name} lists {way} and does not keep a storage key by it: {why}");
                refused.push(format!("{way}: {why}"));
            }
        }
    }
    if !refused.is_empty() {
        log::warn!(
            "token {} does not keep a storage key, so a passphrase is wanted beside the PIN: {}",
            token.name(),
            refused.join("; ")
        );
    }
    Ok(None)
}

/// Encrypts to the token in this way; leaves nothing if it fails.
pub(super) fn wrap_by(token: &Token, way: Way, keep: ToKeep<'_>) -> Result<WrappedKey, NotKept> {
    // Its own: an attempt that failed may have left an operation pending in its session.
    let session = token.writing_session().map_err(|error| {
        // Nothing was made; a token that is write-protected is there all the same.
        let error = DeviceError::from(error);
        if was_lost(token, &error) { NotKept::Failed(error) } else { NotKept::Refused(error) }
    })?;
    let objects = Objects { token, session: &session };
    let wrapped = match way {
        Way::AesGcm => objects.wrap_by_gcm(keep).map(WrappedKey::AesGcm),
        Way::Ecdh => objects.wrap_by_ecdh(keep).map(WrappedKey::Ecdh),
    };
    wrapped.map_err(|error| objects.nothing_left(keep.id, error))
}

/// Whether a failure tells of a token that is not there any more, or has forgotten
/// the login.
pub(super) fn was_lost(token: &Token, error: &DeviceError) -> bool {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = cause {
        if let Some(failure) = error.downcast_ref::<Failure>()
            && matches!(judge(failure), (_, Condition::Dead))
        {
            return true;
        }
        cause = error.source();
    }
    // Some answer so whatever it is that they do not do.
    LoginGuard::join(token).is_err()
}

impl Objects<'_> {
    /// Decrypts what [`wrap`] made.
    pub(super) fn unwrap(self, did: &Did, wrapped: &WrappedKey) -> Result<LockedText, DeviceError> {
        match wrapped {
            WrappedKey::AesGcm(wrapped) => self.unwrap_by_gcm(did, wrapped, Lifetime::Token),
            WrappedKey::Ecdh(wrapped) => self.unwrap_by_ecdh(did, wrapped, Lifetime::Token),
            WrappedKey::Tpm(_) => {
                Err(DeviceError::StorageKey { token: self.token.name(), source: None })
            }
        }
    }

    /// Removes what was made in vain. What stays is an error: the next way would
    /// give its pair the same name, and without one nothing would name it.
    fn nothing_left(self, id: &[u8], error: DeviceError) -> NotKept {
        let lost = was_lost(self.token, &error);
        match self.remove_afresh(id) {
            Ok(()) if lost => NotKept::Failed(error),
            // It has another id.
            Ok(()) if matches!(error, DeviceError::Pkcs11(Pkcs11Error::LeftBehind { .. })) => {
                NotKept::Failed(error)
            }
            Ok(()) => NotKept::Refused(error),
            Err(left) => {
                log::warn!("a new storage key could not be removed from its token: {left}");
                if lost {
                    return NotKept::Failed(error);
                }
                let (token, id) = (self.token.name(), hex::encode(id));
                let (by_their_id, source) = (true, left.into());
                NotKept::Failed(Pkcs11Error::LeftBehind { token, id, by_their_id, source }.into())
            }
        }
    }

    /// Encrypts with a new AES key, and decrypts again.
    fn wrap_by_gcm(self, keep: ToKeep<'_>) -> Result<AesGcmWrapped, DeviceError> {
        let key = self.naming_strays((keep.id, keep.label), || self.generate_aes(keep))?;
        let mut iv = template::random_id(&self.token.name())?;
        iv.truncate(12);
        let secret = keep.storage_key.expose_secret().as_bytes();
        let calls = self.token.module().calls();
        let encrypted = self.within_login(|| {
            gcm(&mut iv.clone(), keep.did, |gcm| calls.encrypt(self.session, gcm, key, secret))
        });
        let ciphertext = encrypted.map_err(self.token.failed("C_Encrypt"))?;
        let wrapped = AesGcmWrapped { key_id: keep.id.to_owned(), iv, ciphertext };
        // A token may have chosen a nonce of its own.
        self.check_opened(keep, &self.unwrap_by_gcm(keep.did, &wrapped, keep.lifetime)?)?;
        Ok(wrapped)
    }

    /// What came out must be what went in.
    pub(super) fn check_opened(
        self,
        keep: ToKeep<'_>,
        opened: &LockedText,
    ) -> Result<(), DeviceError> {
        let [opened, kept] =
            [opened, keep.storage_key].map(|secret| secret.expose_secret().as_bytes());
        if bool::from(opened.ct_eq(kept)) { Ok(()) } else { Err(self.refuses(None)) }
    }

    fn unwrap_by_gcm(
        self,
        did: &Did,
        wrapped: &AesGcmWrapped,
        lifetime: Lifetime,
    ) -> Result<LockedText, DeviceError> {
        let refused = |source| self.refuses(source);
        let wanted = || with_id(&wrapped.key_id);
        let mut named = vec![
            Attribute::Class(ObjectClass::SECRET_KEY),
            Attribute::KeyType(KeyType::AES),
            Attribute::Id(wrapped.key_id.clone()),
        ];
        named.extend(lifetime.of_known());
        let key = self
            .find(&named)
            .and_then(|keys| self.exactly_one(&keys, wanted))
            .map_err(|error| refused(Some(error.into())))?;
        let calls = self.token.module().calls();
        let decrypted = self.within_login(|| {
            gcm(&mut wrapped.iv.clone(), did, |gcm| {
                calls.decrypt(self.session, gcm, key, &wrapped.ciphertext)
            })
        });
        let secret = decrypted.map_err(|error| refused(Some(Failure::from(error).into())))?;
        let text = std::str::from_utf8(&secret).map_err(|error| refused(Some(error.into())))?;
        Ok(LockedText::from(text))
    }

    fn generate_aes(self, keep: ToKeep<'_>) -> Result<ObjectHandle, Pkcs11Error> {
        let mut needed = template::confined(keep.id, keep.label);
        needed.extend([
            keep.lifetime.of_new(),
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
            let generate = || self.session.generate_key(&Mechanism::AesKeyGen, &template);
            match self.within_login(generate) {
                Ok(key) => {
                    self.shows_its_id([key], keep.id, "C_GenerateKey")?;
                    return self.confined(key, "C_GenerateKey");
                }
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
                of_tpm: false,
                source: Box::new(exposable),
            }),
        }
    }
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
