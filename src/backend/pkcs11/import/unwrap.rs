//! Private keys by `C_UnwrapKey`, for tokens that take none by `C_CreateObject`.
//!
//! The token decrypts PKCS#8 (RFC 5958) under an AES-256 key that lives for this one time,
//! as an object of its session: one that the token has made, which then encrypts the key as
//! well as it unwraps it; or, since not every token unwraps what it has encrypted, one that
//! is made here, with the key wrapped here (RFC 3394).

use aes_kw::KekAes256;
use cryptoki::error::Error;
use cryptoki::mechanism::{Mechanism, MechanismType};
use cryptoki::object::{Attribute, KeyType, ObjectClass, ObjectHandle};
use cryptoki::types::Ulong;
use zeroize::Zeroizing;

use super::super::object::Objects;
use super::super::template::{from_strict_to_plain, is_about_the_template};
use super::super::token::Token;
use super::template::{self, Written, is_of_the_moment};
use crate::error::{Pkcs11Error, in_full};
use crate::secret::{fill_random, leaving_no_trace_of_much, pkcs8};

/// How the wrapped key comes to be.
#[derive(Debug, Clone, Copy)]
enum Way {
    /// The token encrypts it, with a key of its own.
    Encrypted,
    /// It is wrapped here, under a key that the token is given.
    Wrapped,
}

impl Way {
    /// In the order in which they are tried.
    const ALL: [Self; 2] = [Self::Encrypted, Self::Wrapped];

    /// What a token must list for it.
    const fn needed(self) -> &'static [MechanismType] {
        match self {
            Self::Encrypted => &[MechanismType::AES_CBC_PAD, MechanismType::AES_KEY_GEN],
            Self::Wrapped => &[MechanismType::AES_KEY_WRAP],
        }
    }

    /// Whether a token can do it, as far as it says.
    fn is_listed(self, token: &Token) -> Result<bool, Pkcs11Error> {
        let unwraps = |mechanism: &MechanismType| token.unwraps(*mechanism);
        Ok(token.has(self.needed())? && self.needed().first().is_some_and(unwraps))
    }
}

/// The key that unwraps, how, and what.
type Ready = (ObjectHandle, Mechanism<'static>, Vec<u8>);

/// The key that would have unwrapped, if it was made, and what failed.
type Unready = (Option<ObjectHandle>, Failed);

/// A call that failed.
struct Failed(&'static str, Error);

impl Objects<'_> {
    /// By the first way that works; `refusal` is how `C_CreateObject` was refused.
    pub(super) fn unwrap_private(
        self,
        seed: &[u8; 32],
        id: &[u8],
        label: &str,
        mut refusal: Pkcs11Error,
    ) -> Result<ObjectHandle, Pkcs11Error> {
        for way in Way::ALL {
            if !way.is_listed(self.token)? {
                continue;
            }
            // Its own: one that failed may have left an operation pending. The key that
            // unwraps is gone with it, whatever happens.
            let session = self.token.writing_session()?;
            let objects = Objects { token: self.token, session: &session };
            match objects.unwrap_by(way, seed, id, label)? {
                Ok(private) => return Ok(private),
                Err(Failed(call, error)) if is_of_the_moment(&error) => {
                    return Err(self.token.failed(call)(error));
                }
                Err(Failed(call, error)) => {
                    refusal = self.token.failed(call)(error);
                    log::info!("{way:?}: {}", in_full(&refusal));
                    self.remove(id)?;
                }
            }
        }
        Err(Pkcs11Error::TakesNoKey { token: self.token.name(), source: refusal.into() })
    }

    fn unwrap_by(
        self,
        way: Way,
        seed: &[u8; 32],
        id: &[u8],
        label: &str,
    ) -> Result<Result<ObjectHandle, Failed>, Pkcs11Error> {
        let der = pkcs8::der(seed);
        let made = match way {
            Way::Encrypted => self.encrypted(&der, id, label, *random(self.token)?),
            Way::Wrapped => self.wrapped(&der, id, label, &*random(self.token)?),
        };
        let (aes, mechanism, wrapped) = match made {
            Ok(made) => made,
            Err((aes, failed)) => {
                aes.map_or(Ok(()), |aes| self.destroy(aes))?;
                return Ok(Err(failed));
            }
        };
        let private = self.unwrap_with(aes, &mechanism, &wrapped, id, label);
        // It has done its one work.
        self.destroy(aes)?;
        Ok(private.map_err(|error| Failed("C_UnwrapKey", error)))
    }

    /// Encrypted by the token with a new key of it.
    fn encrypted(self, der: &[u8], id: &[u8], label: &str, iv: [u8; 16]) -> Result<Ready, Unready> {
        let length = Attribute::ValueLen(Ulong::new(32));
        let make = |template: &[Attribute]| {
            self.within_login(|| self.session.generate_key(&Mechanism::AesKeyGen, template))
        };
        let aes = self.temporary(&[length, Attribute::Encrypt(true)], id, label, make);
        let aes = aes.map_err(|error| (None, Failed("C_GenerateKey", error)))?;
        let mechanism = Mechanism::AesCbcPad(iv);
        let calls = self.token.module().calls();
        self.within_login(|| calls.encrypt(self.session, &mechanism, aes, der))
            .map(|wrapped| (aes, mechanism, wrapped))
            .map_err(|error| (Some(aes), Failed("C_Encrypt", error)))
    }

    /// Wrapped here, with a new key that is written into the token.
    fn wrapped(self, der: &[u8], id: &[u8], label: &str, key: &[u8; 32]) -> Result<Ready, Unready> {
        let make = |template: &[Attribute]| {
            let mut template = Written::new(template.to_vec());
            template.push_secret(key);
            self.within_login(|| self.session.create_object(&template))
        };
        let aes = self.temporary(&[], id, label, make);
        let aes = aes.map_err(|error| (None, Failed("C_CreateObject", error)))?;
        let mut wrapped = vec![0; der.len() + aes_kw::IV_LEN];
        let done = leaving_no_trace_of_much(|| KekAes256::from(*key).wrap(der, &mut wrapped));
        // 48 bytes are a multiple of 8.
        done.map_err(|_| (Some(aes), Failed("wrapping", Error::NotSupported)))?;
        Ok((aes, Mechanism::AesKeyWrap, wrapped))
    }

    /// An AES key of this session, that unwraps.
    fn temporary(
        self,
        more: &[Attribute],
        id: &[u8],
        label: &str,
        make: impl Fn(&[Attribute]) -> Result<ObjectHandle, Error>,
    ) -> Result<ObjectHandle, Error> {
        let mut needed = vec![
            Attribute::Class(ObjectClass::SECRET_KEY),
            Attribute::KeyType(KeyType::AES),
            Attribute::Token(false),
            Attribute::Private(true),
            Attribute::Sensitive(true),
            Attribute::Extractable(false),
            // By which it is removed, were it to last.
            Attribute::Id(id.to_owned()),
            Attribute::Label(label.into()),
            Attribute::Unwrap(true),
        ];
        needed.extend_from_slice(more);
        let usages_off = [
            Attribute::Decrypt(false),
            Attribute::Sign(false),
            Attribute::Verify(false),
            Attribute::Wrap(false),
            Attribute::Derive(false),
        ];
        let mut first = None;
        for template in from_strict_to_plain(&needed, &usages_off) {
            match make(&template) {
                Err(error) if is_about_the_template(&error) => {
                    first.get_or_insert(error);
                }
                made => return made,
            }
        }
        Err(first.unwrap_or(Error::NotSupported))
    }

    fn unwrap_with(
        self,
        aes: ObjectHandle,
        mechanism: &Mechanism<'_>,
        wrapped: &[u8],
        id: &[u8],
        label: &str,
    ) -> Result<ObjectHandle, Error> {
        let mut first = None;
        for template in template::private(id, label) {
            let unwrap = || self.session.unwrap_key(mechanism, aes, wrapped, &template);
            match self.within_login(unwrap) {
                Err(error) if is_about_the_template(&error) => {
                    first.get_or_insert(error);
                }
                made => return made,
            }
        }
        Err(first.unwrap_or(Error::NotSupported))
    }

    fn destroy(self, aes: ObjectHandle) -> Result<(), Pkcs11Error> {
        self.within_login(|| self.session.destroy_object(aes))
            .map_err(self.token.failed("C_DestroyObject"))
    }
}

fn random<const N: usize>(token: &Token) -> Result<Zeroizing<[u8; N]>, Pkcs11Error> {
    let mut bytes = Zeroizing::new([0; N]);
    fill_random(bytes.as_mut_slice()).map_err(|error| Pkcs11Error::Call {
        call: "getrandom",
        token: token.name(),
        kind: error.kind(),
        of_tpm: false,
        source: Box::new(error),
    })?;
    Ok(bytes)
}
