//! Finding the objects of a key pair, and reading what they show.
//!
//! cryptoki's `Attribute` prints secret values with `Debug`: it never gets
//! into a message here.

use cryptoki::error::{Error, RvError};
use cryptoki::object::{Attribute, AttributeType, ObjectClass, ObjectHandle};
use cryptoki_sys::{CK_ULONG, CKO_PRIVATE_KEY, CKO_PUBLIC_KEY, CKO_SECRET_KEY};

use super::point;
use super::scheme::{self, P256_OID};
use super::session::Session;
use super::template::{ID_LENGTH, is_storage_label, storage_label};
use super::token::Token;
use crate::algorithm::{AlgorithmId, VerifyingKey};
use crate::backend::Pkcs11Uri;
use crate::encoding::hex;
use crate::error::Pkcs11Error;
use crate::evidence::{Fact, Pkcs11Attributes};

/// Objects of one `CKA_ID`. More than one of a kind is one too many.
#[derive(Default)]
pub(super) struct Pair {
    pub(super) public: Vec<ObjectHandle>,
    pub(super) private: Vec<ObjectHandle>,
}

/// A token and a session on it.
#[derive(Clone, Copy)]
pub(super) struct Objects<'a> {
    pub(super) token: &'a Token,
    pub(super) session: &'a Session,
}

impl Objects<'_> {
    /// Public keys with this `CKA_ID`: of any type, as an id that names two
    /// keys names none.
    pub(super) fn public(self, id: &[u8]) -> Result<Vec<ObjectHandle>, Pkcs11Error> {
        // What tells most comes early, since modules compare in this order; but
        // not before the class: ids of private objects may need a login that
        // another thread ends just now.
        self.find(&[
            Attribute::Class(ObjectClass::PUBLIC_KEY),
            Attribute::Id(id.to_owned()),
            Attribute::Token(true),
        ])
    }

    /// Keys on the token with this `CKA_ID`, within a login (that of
    /// another thread may end between the search and a look at what was found).
    ///
    /// By one search: on a token with many objects it is what takes time.
    pub(super) fn pair(self, id: &[u8]) -> Result<Pair, Pkcs11Error> {
        let mut pair = Pair::default();
        // What tells most comes first: modules compare in this order.
        let found = self.find(&[Attribute::Id(id.to_owned()), Attribute::Token(true)])?;
        for object in found {
            match self.read(object, AttributeType::Class)?.and_then(number) {
                Some(CKO_PUBLIC_KEY) => pair.public.push(object),
                Some(CKO_PRIVATE_KEY) => pair.private.push(object),
                _ => {}
            }
        }
        Ok(pair)
    }

    /// Keys of every kind that say themselves that this is their `CKA_ID`, all of it: some
    /// modules find whatever has its first byte. What does not answer is left out.
    pub(super) fn keys_named(self, id: &[u8]) -> Result<Vec<ObjectHandle>, Pkcs11Error> {
        let mut keys = Vec::new();
        for object in self.find(&[Attribute::Id(id.to_owned())])? {
            let [told, class] = self.values(object, [AttributeType::Id, AttributeType::Class])?;
            let is_key = matches!(
                class.and_then(number),
                Some(CKO_PUBLIC_KEY | CKO_PRIVATE_KEY | CKO_SECRET_KEY)
            );
            if is_key && told.is_some_and(|told| told == id) {
                keys.push(object);
            }
        }
        Ok(keys)
    }

    /// Every public key on the token that may be that of an identity.
    pub(super) fn all_public(self) -> Result<Vec<ObjectHandle>, Pkcs11Error> {
        self.public_with(&[])
    }

    /// Whether any public key is shown, of whatever kind.
    pub(super) fn shows_public_keys(self) -> Result<bool, Pkcs11Error> {
        let any = [Attribute::Class(ObjectClass::PUBLIC_KEY), Attribute::Token(true)];
        Ok(!self.find(&any)?.is_empty())
    }

    /// Whether any is shown whose `CKA_ID` is not this one.
    pub(super) fn shows_public_keys_but(self, id: &[u8]) -> Result<bool, Pkcs11Error> {
        let any = [Attribute::Class(ObjectClass::PUBLIC_KEY), Attribute::Token(true)];
        for object in self.find(&any)? {
            if self.id(object)? != id {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Whether any object on the token has this `CKA_LABEL`.
    pub(super) fn is_anything_labelled(self, label: &str) -> Result<bool, Pkcs11Error> {
        let named = [Attribute::Label(label.into()), Attribute::Token(true)];
        Ok(!self.find(&named)?.is_empty())
    }

    /// Those that may be an identity's, with this `CKA_LABEL`.
    pub(super) fn public_labelled(self, label: &str) -> Result<Vec<ObjectHandle>, Pkcs11Error> {
        self.public_with(&[Attribute::Label(label.into())])
    }

    /// Those of them that a URI means.
    pub(super) fn public_of(self, uri: &Pkcs11Uri) -> Result<Vec<ObjectHandle>, Pkcs11Error> {
        self.labelled_as(self.public_with(&id_of(uri))?, uri)
    }

    fn labelled_as(
        self,
        found: Vec<ObjectHandle>,
        uri: &Pkcs11Uri,
    ) -> Result<Vec<ObjectHandle>, Pkcs11Error> {
        let Some(wanted) = uri.object() else { return Ok(found) };
        // Not by a search: what pads a label is no part of it.
        let mut labelled = Vec::new();
        for object in found {
            if self.label(object)? == wanted {
                labelled.push(object);
            }
        }
        Ok(labelled)
    }

    /// The same of private keys, within a login.
    pub(super) fn private_of(self, uri: &Pkcs11Uri) -> Result<Vec<ObjectHandle>, Pkcs11Error> {
        let mut private = Vec::new();
        for scheme in scheme::ALL {
            private.extend(self.of_type(ObjectClass::PRIVATE_KEY, scheme, &id_of(uri))?);
        }
        self.labelled_as(private, uri)
    }

    fn public_with(self, more: &[Attribute]) -> Result<Vec<ObjectHandle>, Pkcs11Error> {
        let mut public = Vec::new();
        for scheme in scheme::ALL {
            for object in self.of_type(ObjectClass::PUBLIC_KEY, scheme, more)? {
                if scheme.algorithm != AlgorithmId::P256 || self.is_for_p256_signatures(object)? {
                    public.push(object);
                }
            }
        }
        Ok(public)
    }

    fn of_type(
        self,
        class: ObjectClass,
        scheme: &scheme::Scheme,
        more: &[Attribute],
    ) -> Result<Vec<ObjectHandle>, Pkcs11Error> {
        let mut template = vec![
            Attribute::Class(class),
            Attribute::KeyType(scheme.key_type),
            Attribute::Token(true),
        ];
        template.extend_from_slice(more);
        match self.search(&template) {
            // A token that does not know a type has no key of it.
            Err(Error::Pkcs11(RvError::AttributeValueInvalid, _)) => Ok(Vec::new()),
            found => found.map_err(self.token.failed("C_FindObjects")),
        }
    }

    /// Keys of type EC may be on other curves, and ours keep storage keys.
    fn is_for_p256_signatures(self, public: ObjectHandle) -> Result<bool, Pkcs11Error> {
        let asked = [AttributeType::Verify, AttributeType::EcParams, AttributeType::EcPoint];
        let [verify, curve, encoded] = self.values(public, asked)?;
        let on_curve = curve.is_some_and(|curve| curve == P256_OID)
            || encoded.is_some_and(|point| point::decode(AlgorithmId::P256, &point).is_ok());
        Ok(on_curve && verify.and_then(|told| boolean(&told)) != Some(false))
    }

    /// Whether a public key is that of a pair which keeps the storage key of an identity, by
    /// the names that it was made with: on a token that takes no usages it looks like one that
    /// signs.
    pub(super) fn keeps_storage(self, public: ObjectHandle) -> Result<bool, Pkcs11Error> {
        let label = self.label(public)?;
        Ok(is_storage_label(&label)
            && self.id(public)?.len() == ID_LENGTH
            // An identity's may be called so, and then has one of its own.
            && !self.is_anything_labelled(&storage_label(&label))?)
    }

    /// All objects that match.
    pub(super) fn find(self, template: &[Attribute]) -> Result<Vec<ObjectHandle>, Pkcs11Error> {
        self.search(template).map_err(self.token.failed("C_FindObjects"))
    }

    fn search(self, template: &[Attribute]) -> Result<Vec<ObjectHandle>, Error> {
        match self.within_login(|| self.session.find_objects(template)) {
            // Such a token shows nothing before somebody is logged in.
            Err(Error::Pkcs11(RvError::UserNotLoggedIn, _))
                if self.session.is_under_lock() || !self.token.logs_sessions_in() =>
            {
                Ok(Vec::new())
            }
            found => found,
        }
    }

    /// The one object of a list, or none.
    ///
    /// # Errors
    ///
    /// [`Pkcs11Error::AmbiguousKey`] rather than guess which one is meant.
    pub(super) fn at_most_one(
        self,
        found: &[ObjectHandle],
        wanted: impl FnOnce() -> String,
    ) -> Result<Option<ObjectHandle>, Pkcs11Error> {
        match found {
            [] => Ok(None),
            [one] => Ok(Some(*one)),
            several => Err(Pkcs11Error::AmbiguousKey {
                token: self.token.name(),
                wanted: wanted(),
                count: several.len(),
                candidates: several.iter().map(|object| self.name_of(*object)).collect(),
            }),
        }
    }

    /// Label and id, for messages. What cannot be read is left out.
    pub(super) fn name_of(self, object: ObjectHandle) -> String {
        let label = self.label(object).unwrap_or_default();
        format!("{label:?} (id {})", hex::encode(&self.id(object).unwrap_or_default()))
    }

    /// The one object of a list.
    ///
    /// # Errors
    ///
    /// [`Pkcs11Error::NoKey`] or [`Pkcs11Error::AmbiguousKey`].
    pub(super) fn exactly_one(
        self,
        found: &[ObjectHandle],
        wanted: impl Fn() -> String,
    ) -> Result<ObjectHandle, Pkcs11Error> {
        self.at_most_one(found, &wanted)?
            .ok_or_else(|| Pkcs11Error::NoKey { token: self.token.name(), wanted: wanted() })
    }

    /// The public key that an object shows, if it shows one.
    pub(super) fn point(self, object: ObjectHandle) -> Result<Option<VerifyingKey>, Pkcs11Error> {
        let asked = [AttributeType::KeyType, AttributeType::EcPoint];
        let [key_type, encoded] = self.values(object, asked)?;
        let unreadable = |reason| Pkcs11Error::PublicKey { token: self.token.name(), reason };
        let key_type = key_type.and_then(number);
        let algorithm =
            key_type.and_then(scheme::of_key_type).ok_or_else(|| Pkcs11Error::OtherKind {
                token: self.token.name(),
                key: self.name_of(object),
                found: scheme::kind_of(key_type).to_owned(),
            })?;
        match encoded {
            Some(encoded) if !encoded.is_empty() => {
                point::decode(algorithm, &encoded).map(Some).map_err(unreadable)
            }
            _ => Ok(None),
        }
    }

    /// `CKA_ID`; empty if there is none.
    pub(super) fn id(self, object: ObjectHandle) -> Result<Vec<u8>, Pkcs11Error> {
        Ok(self.read(object, AttributeType::Id)?.unwrap_or_default())
    }

    /// `CKA_LABEL` without the NULs that some software ends it with; empty if there is none.
    pub(super) fn label(self, object: ObjectHandle) -> Result<String, Pkcs11Error> {
        let label = self.read(object, AttributeType::Label)?.unwrap_or_default();
        Ok(String::from_utf8_lossy(&label).trim_end_matches('\0').to_owned())
    }

    /// The five attributes that provenance is judged by, and whether the key
    /// wants its PIN for each use (`CKA_ALWAYS_AUTHENTICATE`).
    pub(super) fn facts(self, key: ObjectHandle) -> Result<(Pkcs11Attributes, bool), Pkcs11Error> {
        let told = self.values(
            key,
            [
                AttributeType::Local,
                AttributeType::Sensitive,
                AttributeType::AlwaysSensitive,
                AttributeType::Extractable,
                AttributeType::NeverExtractable,
                AttributeType::AlwaysAuthenticate,
            ],
        )?;
        let [local, sensitive, always_sensitive, extractable, never_extractable, always_pin] =
            told.map(|told| Fact::from(told.and_then(|told| boolean(&told))));
        let attributes =
            Pkcs11Attributes { local, sensitive, always_sensitive, extractable, never_extractable };
        Ok((attributes, always_pin == Fact::True))
    }

    /// [`Self::facts`] without the last.
    pub(super) fn evidence(self, key: ObjectHandle) -> Result<Pkcs11Attributes, Pkcs11Error> {
        Ok(self.facts(key)?.0)
    }

    /// The value of one attribute, or `None` if the object does not show it.
    pub(super) fn read(
        self,
        object: ObjectHandle,
        asked: AttributeType,
    ) -> Result<Option<Vec<u8>>, Pkcs11Error> {
        let [told] = self.values(object, [asked])?;
        Ok(told)
    }

    pub(super) fn values<const N: usize>(
        self,
        object: ObjectHandle,
        asked: [AttributeType; N],
    ) -> Result<[Option<Vec<u8>>; N], Pkcs11Error> {
        let calls = self.token.module().calls();
        self.within_login(|| calls.attributes(self.session, object, asked))
            .map_err(|failure| failure.into_error("C_GetAttributeValue", self.token.named()))
    }
}

fn id_of(uri: &Pkcs11Uri) -> Vec<Attribute> {
    uri.id().map(|id| Attribute::Id(id.to_owned())).into_iter().collect()
}

/// A `CK_BBOOL`. What is neither true nor false is not known.
pub(super) const fn boolean(told: &[u8]) -> Option<bool> {
    match told {
        [0] => Some(false),
        [1] => Some(true),
        _ => None,
    }
}

/// A `CK_ULONG`.
pub(super) fn number(told: Vec<u8>) -> Option<CK_ULONG> {
    told.try_into().ok().map(CK_ULONG::from_ne_bytes)
}

/// `with id 0a1b…`, for messages.
pub(super) fn with_id(id: &[u8]) -> String {
    format!("with id {}", hex::encode(id))
}
