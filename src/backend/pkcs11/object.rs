//! Finding the objects of a key pair, and reading what they show.
//!
//! cryptoki's `Attribute` prints secret values with `Debug`: it never gets
//! into a message here.

use cryptoki::error::Error;
use cryptoki::object::{
    Attribute, AttributeInfo, AttributeType, KeyType, ObjectClass, ObjectHandle,
};
use cryptoki::session::Session;

use super::point;
use super::token::Token;
use crate::algorithm::VerifyingKey;
use crate::backend::Pkcs11Uri;
use crate::error::DeviceError;
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
    /// Public Ed25519 keys with this `CKA_ID`.
    pub(super) fn public(self, id: &[u8]) -> Result<Vec<ObjectHandle>, DeviceError> {
        // What tells most comes early, since modules compare in this order; but
        // not before the class: ids of private objects may need a login that
        // another thread ends just now.
        self.find(&[
            Attribute::Class(ObjectClass::PUBLIC_KEY),
            Attribute::Id(id.to_owned()),
            Attribute::KeyType(KeyType::EC_EDWARDS),
            Attribute::Token(true),
        ])
    }

    /// Ed25519 keys on the token with this `CKA_ID`, within a login (that of
    /// another thread may end between the search and a look at what was found).
    ///
    /// By one search: on a token with many objects it is what takes time.
    pub(super) fn pair(self, id: &[u8]) -> Result<Pair, DeviceError> {
        let mut pair = Pair::default();
        for object in self.find(&[Attribute::Id(id.to_owned())])? {
            let kind = [AttributeType::KeyType, AttributeType::Token];
            let [kind, token] = kind.map(|asked| self.read(object, asked));
            let of_ours = matches!(kind?, Some(Attribute::KeyType(KeyType::EC_EDWARDS)))
                && matches!(token?, Some(Attribute::Token(true)));
            match self.read(object, AttributeType::Class)? {
                Some(Attribute::Class(ObjectClass::PUBLIC_KEY)) if of_ours => {
                    pair.public.push(object);
                }
                Some(Attribute::Class(ObjectClass::PRIVATE_KEY)) if of_ours => {
                    pair.private.push(object);
                }
                _ => {}
            }
        }
        Ok(pair)
    }

    /// Every public Ed25519 key on the token.
    pub(super) fn all_public(self) -> Result<Vec<ObjectHandle>, DeviceError> {
        self.find(&all_public())
    }

    /// Public Ed25519 keys with this `CKA_LABEL`.
    pub(super) fn public_labelled(self, label: &str) -> Result<Vec<ObjectHandle>, DeviceError> {
        let mut template = all_public().to_vec();
        template.push(Attribute::Label(label.into()));
        self.find(&template)
    }

    /// Public Ed25519 keys that a URI means.
    pub(super) fn public_of(self, uri: &Pkcs11Uri) -> Result<Vec<ObjectHandle>, DeviceError> {
        let mut template = all_public().to_vec();
        template.extend(uri.id().map(|id| Attribute::Id(id.to_owned())));
        template.extend(uri.object().map(|label| Attribute::Label(label.into())));
        self.find(&template)
    }

    /// All objects that match.
    pub(super) fn find(self, template: &[Attribute]) -> Result<Vec<ObjectHandle>, DeviceError> {
        self.session.find_objects(template).map_err(self.token.failed("C_FindObjects"))
    }

    /// The one object of a list, or none.
    ///
    /// # Errors
    ///
    /// [`DeviceError::AmbiguousKey`] rather than guess which one is meant.
    pub(super) fn at_most_one(
        self,
        found: &[ObjectHandle],
        wanted: impl FnOnce() -> String,
    ) -> Result<Option<ObjectHandle>, DeviceError> {
        match found {
            [] => Ok(None),
            [one] => Ok(Some(*one)),
            several => Err(DeviceError::AmbiguousKey {
                token: self.token.name(),
                wanted: wanted(),
                count: several.len(),
                candidates: several.iter().map(|object| self.name_of(*object)).collect(),
            }),
        }
    }

    /// Label and id, for messages. What cannot be read is left out.
    fn name_of(self, object: ObjectHandle) -> String {
        let label = self.label(object).unwrap_or_default();
        format!("{label:?} (id {})", hex(&self.id(object).unwrap_or_default()))
    }

    /// The one object of a list.
    ///
    /// # Errors
    ///
    /// [`DeviceError::NoKey`] or [`DeviceError::AmbiguousKey`].
    pub(super) fn exactly_one(
        self,
        found: &[ObjectHandle],
        wanted: impl Fn() -> String,
    ) -> Result<ObjectHandle, DeviceError> {
        self.at_most_one(found, &wanted)?
            .ok_or_else(|| DeviceError::NoKey { token: self.token.name(), wanted: wanted() })
    }

    /// The public key that an object shows, if it shows one.
    pub(super) fn point(self, object: ObjectHandle) -> Result<Option<VerifyingKey>, DeviceError> {
        match self.read(object, AttributeType::EcPoint)? {
            Some(Attribute::EcPoint(encoded)) if !encoded.is_empty() => point::decode(&encoded)
                .map(Some)
                .map_err(|reason| DeviceError::PublicKey { token: self.token.name(), reason }),
            _ => Ok(None),
        }
    }

    /// `CKA_ID`; empty if there is none.
    pub(super) fn id(self, object: ObjectHandle) -> Result<Vec<u8>, DeviceError> {
        match self.read(object, AttributeType::Id)? {
            Some(Attribute::Id(id)) => Ok(id),
            _ => Ok(Vec::new()),
        }
    }

    /// `CKA_LABEL`; empty if there is none.
    pub(super) fn label(self, object: ObjectHandle) -> Result<String, DeviceError> {
        match self.read(object, AttributeType::Label)? {
            Some(Attribute::Label(label)) => Ok(String::from_utf8_lossy(&label).into_owned()),
            _ => Ok(String::new()),
        }
    }

    /// Whether the key wants its PIN for each use (`CKA_ALWAYS_AUTHENTICATE`).
    pub(super) fn wants_pin_each_time(self, key: ObjectHandle) -> Result<bool, DeviceError> {
        let told = self.read(key, AttributeType::AlwaysAuthenticate)?;
        Ok(matches!(told, Some(Attribute::AlwaysAuthenticate(true))))
    }

    /// The five attributes that provenance is judged by.
    pub(super) fn evidence(self, key: ObjectHandle) -> Result<Pkcs11Attributes, DeviceError> {
        let fact = |asked| {
            let told = match self.read(key, asked)? {
                Some(
                    Attribute::Local(told)
                    | Attribute::Sensitive(told)
                    | Attribute::AlwaysSensitive(told)
                    | Attribute::Extractable(told)
                    | Attribute::NeverExtractable(told),
                ) => Some(told),
                _ => None,
            };
            Ok::<_, DeviceError>(Fact::from(told))
        };
        Ok(Pkcs11Attributes {
            local: fact(AttributeType::Local)?,
            sensitive: fact(AttributeType::Sensitive)?,
            always_sensitive: fact(AttributeType::AlwaysSensitive)?,
            extractable: fact(AttributeType::Extractable)?,
            never_extractable: fact(AttributeType::NeverExtractable)?,
        })
    }

    /// One attribute, or `None` if the object does not show it.
    ///
    /// Alone, since one that is unknown fails the whole call on some modules;
    /// and only if its length was told first, since a module that refuses but
    /// leaves the buffer as it was would else be read as saying "false".
    pub(super) fn read(
        self,
        object: ObjectHandle,
        asked: AttributeType,
    ) -> Result<Option<Attribute>, DeviceError> {
        let failed = self.token.failed("C_GetAttributeValue");
        let asked = [asked];
        let available = match self.session.get_attribute_info(object, &asked) {
            Ok(info) => matches!(info.as_slice(), [AttributeInfo::Available(_)]),
            Err(error) => return Err(failed(error)),
        };
        if !available {
            return Ok(None);
        }
        match self.session.get_attributes(object, &asked) {
            Ok(told) => Ok(told.into_iter().next()),
            Err(error @ Error::Pkcs11(..)) => Err(failed(error)),
            // A value that is none of this attribute's.
            Err(_) => Ok(None),
        }
    }
}

fn all_public() -> [Attribute; 3] {
    [
        Attribute::Class(ObjectClass::PUBLIC_KEY),
        Attribute::KeyType(KeyType::EC_EDWARDS),
        Attribute::Token(true),
    ]
}

/// `with id 0a1b…`, for messages.
pub(super) fn with_id(id: &[u8]) -> String {
    format!("with id {}", hex(id))
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
