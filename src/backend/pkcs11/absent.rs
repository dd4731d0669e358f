//! What is there instead, where a key is not found.

use cryptoki::object::{Attribute, AttributeType, ObjectHandle};
use cryptoki_sys::{CKO_CERTIFICATE, CKO_DATA, CKO_PRIVATE_KEY, CKO_PUBLIC_KEY};

use super::object::{Objects, number, with_id};
use super::scheme::{kind_of, of_key_type};
use crate::backend::Pkcs11Uri;
use crate::error::Pkcs11Error;

impl Objects<'_> {
    /// Why no public key of an identity has this label.
    pub(super) fn none_labelled(self, label: &str) -> Result<Pkcs11Error, Pkcs11Error> {
        self.none_with(&[Attribute::Label(label.into())], format!("labelled {label:?}"))
    }

    /// Why none is what a URI means.
    pub(super) fn none_of(self, uri: &Pkcs11Uri) -> Result<Pkcs11Error, Pkcs11Error> {
        let id = uri.id().map(|id| Attribute::Id(id.to_owned()));
        let label = uri.object().map(|label| Attribute::Label(label.into()));
        let meant: Vec<_> = id.into_iter().chain(label).collect();
        self.none_with(&meant, format!("that {uri} means"))
    }

    /// Why a pair has no private key, within a login.
    pub(super) fn no_private_key(
        self,
        id: &[u8],
        public: Option<ObjectHandle>,
    ) -> Result<Pkcs11Error, Pkcs11Error> {
        let key = with_id(id);
        if public.is_some() {
            return Ok(Pkcs11Error::NoPrivateKey { token: self.token.name(), key });
        }
        self.none_with(&[Attribute::Id(id.to_owned())], key)
    }

    fn none_with(self, named: &[Attribute], wanted: String) -> Result<Pkcs11Error, Pkcs11Error> {
        let token = self.token.name();
        let nothing = Pkcs11Error::NoKey { token: token.clone(), wanted: wanted.clone() };
        if named.is_empty() {
            return Ok(nothing);
        }
        let template: Vec<_> = [Attribute::Token(true)].iter().chain(named).cloned().collect();
        let (mut other, mut is_half) = (None, false);
        for object in self.find(&template)? {
            let asked = [AttributeType::Class, AttributeType::KeyType];
            let [class, key_type] = self.values(object, asked)?.map(|told| told.and_then(number));
            let may_sign = key_type.and_then(of_key_type).is_some();
            match class {
                Some(CKO_PRIVATE_KEY) if may_sign => is_half = true,
                Some(CKO_CERTIFICATE) => other = other.or(Some("a certificate")),
                Some(CKO_DATA) => other = other.or(Some("a data object")),
                Some(CKO_PUBLIC_KEY) if may_sign => {
                    other = Some("a key on another curve, or not for signatures");
                }
                _ if key_type.is_some() => other = Some(kind_of(key_type)),
                _ => {}
            }
        }
        Ok(match other {
            Some(found) => {
                let (key, found) = (format!("the object {wanted}"), found.to_owned());
                Pkcs11Error::OtherKind { token, key, found }
            }
            None if is_half => Pkcs11Error::NoPublicKey { token, key: wanted, of_identity: false },
            None => nothing,
        })
    }
}
