//! Writing a public key back to the token that has only the private one left.

use cryptoki::error::RvError;
use cryptoki::object::{Attribute, AttributeType, KeyType, ObjectClass, ObjectHandle};

use super::connection::{Connection, LoginGuard};
use super::failure::Failure;
use super::half::half_of;
use super::login::Meant;
use super::object::{Objects, number, with_id};
use super::point::OCTET_STRING;
use super::scheme::{Scheme, kind_of, of_key_type};
use super::{LoggedIn, Pkcs11Backend};
use crate::algorithm::{AlgorithmId, VerifyingKey};
use crate::backend::{Backend as _, Credentials, Pkcs11Locator};
use crate::did::Did;
use crate::error::{OpenError, Pkcs11Error, SignError};
use crate::key::challenge::prove_possession;

/// What lies where a private key should be, whose signatures its public key does not verify.
pub(super) const ANOTHER: &str = "another one of its kind: what it signs does not verify";

impl Pkcs11Backend {
    /// **Blocks** on the device. Writes the public key of a DID to the token beside its
    /// private key, where the public object was deleted; writes nothing where it is there.
    /// The PIN is sent, once, although the token does not show the key: to the token of the
    /// locator, and not where that shows another key. First, the private key signs a
    /// challenge which this very public key verifies.
    ///
    /// # Errors
    ///
    /// As when a key is opened; [`Pkcs11Error::NoKey`] if the private key is not there
    /// either, [`Pkcs11Error::KeyReplaced`] if another public key is there,
    /// [`Pkcs11Error::OtherPrivateKey`] if the private key is another one;
    /// [`Pkcs11Error::PublicKeyHidden`] if the token has the public key then and does not show
    /// it without a login, as it has before;
    /// [`Pkcs11Error::TakesNoPublicKey`] if the token takes no such object.
    pub fn write_public_key(
        &self,
        locator: &Pkcs11Locator,
        did: &Did,
        credentials: &Credentials,
    ) -> Result<(), OpenError> {
        let pin = credentials.want_pin(self.kind())?;
        let place = self.place(locator, did)?;
        let token = place.token_to_open()?;
        let login = LoginGuard::enter_for(Meant::KeyNotShown(&place), &token, pin, self.policy())?;
        LoggedIn { backend: self, token, login }.put_back(locator, did)?;
        // Nobody is logged in any more, unless another key is open.
        let hides = place.session().and_then(|(token, session)| {
            let objects = Objects { token: &token, session: &session };
            Connection::steadily(objects, |objects, _| place.hides_what_it_showed(objects))
        });
        match hides {
            Ok(true) => {
                let (token, key) = (locator.token.clone(), with_id(&locator.id));
                Err(Pkcs11Error::PublicKeyHidden { token, key }.into())
            }
            Ok(false) => Ok(()),
            Err(error) => {
                log::debug!("whether the public key is shown was not seen: {error}");
                Ok(())
            }
        }
    }
}

impl LoggedIn<'_> {
    /// **Blocks** on the device. As [`Pkcs11Backend::write_public_key`], on this token, beside
    /// the private key that `key` of the configuration names; if it names none, beside the
    /// one with the id of the key that was at a locator, else with its label. Gives its
    /// place.
    ///
    /// # Errors
    ///
    /// As there.
    pub fn write_public_key(
        &self,
        before: &Pkcs11Locator,
        did: &Did,
    ) -> Result<Pkcs11Locator, OpenError> {
        let uri = self.backend.config.key.clone().unwrap_or_default();
        let session = self.token().session()?;
        let objects = Objects { token: self.token(), session: &session };
        let half = match half_of(objects, before, &uri)? {
            Some(half) => half,
            None if uri.names_a_key() => return Err(objects.none_of(&uri)?.into()),
            None => return Err(objects.no_private_key(&before.id, None)?.into()),
        };
        drop(session);
        self.put_back(&half, did)?;
        Ok(half)
    }

    fn put_back(&self, locator: &Pkcs11Locator, did: &Did) -> Result<(), OpenError> {
        let (key, id) = (did.verifying_key(), locator.id.as_slice());
        let session = self.token().writing_session()?;
        let objects = Objects { token: self.token(), session: &session };
        let pair = objects.pair(id)?;
        let public = objects.at_most_one(&pair.public, || with_id(id))?;
        let Some(private) = objects.at_most_one(&pair.private, || with_id(id))? else {
            return Err(objects.no_private_key(id, public)?.into());
        };
        if let Some(public) = public
            && let Some(found) = objects.point(public)?
            && found != *key
        {
            return Err(Pkcs11Error::KeyReplaced {
                token: self.token().name(),
                key: objects.name_of(public),
                expected: did.clone(),
                found: Did::fitting(did.method(), &found),
            }
            .into());
        }
        let is_another = |found: &'static str| {
            let (token, key, did) = (self.token().name(), with_id(id), did.clone());
            OpenError::from(Pkcs11Error::OtherPrivateKey { token, key, did, found })
        };
        // Before it is asked to sign: what another key answers to that says little.
        if let Some(found) = objects.other_kind(private, key.algorithm())? {
            return Err(is_another(found));
        }
        let proved = prove_possession(key, |challenge| {
            // In a session of its own: one that failed to sign is of no use any more.
            let session = self.token().session().map_err(SignError::from)?;
            let calls = self.token().module().calls();
            let confirm = || self.confirm(&session, private);
            let signed = calls.sign_once(key.algorithm(), &session, private, challenge, confirm);
            Ok(signed.map_err(|error| error.into_error(self.token().named()))?)
        });
        match proved {
            Ok(()) => {}
            Err(OpenError::NotItsKey) => return Err(is_another(ANOTHER)),
            Err(error) => return Err(error),
        }
        if public.is_some() {
            return Ok(());
        }
        match objects.create_public(key, id, &locator.label) {
            Ok(_) => Ok(()),
            Err(error) if is_refused(&error) => Err(Pkcs11Error::TakesNoPublicKey {
                token: self.token().name(),
                uri: super::locator(self.token(), Vec::new(), "").token_uri(),
                shown_by_private: objects.point(private)?.is_some_and(|shown| shown == *key),
                source: Box::new(error),
            }
            .into()),
            Err(error) => Err(error.into()),
        }
    }
}

/// Whether a token takes no such object, whatever state it is in. A token that has no room, or
/// cannot be written to, takes it another time.
fn is_refused(error: &Pkcs11Error) -> bool {
    let Pkcs11Error::Call { call: "C_CreateObject", source, .. } = error else { return false };
    matches!(
        source.downcast_ref(),
        Some(Failure::Returned(
            RvError::AttributeValueInvalid
                | RvError::AttributeTypeInvalid
                | RvError::AttributeReadOnly
                | RvError::TemplateInconsistent
                | RvError::TemplateIncomplete
                | RvError::FunctionNotSupported
                | RvError::ActionProhibited
                | RvError::CurveNotSupported
        ))
    )
}

impl LoggedIn<'_> {
    /// Destroys the objects with these ids, those of a key that is given up: both halves, and
    /// what kept its storage key. That there is none is no error: whether the key was there.
    pub(crate) fn destroy(
        &self,
        locator: &Pkcs11Locator,
        did: &Did,
        storage: Option<&[u8]>,
    ) -> Result<bool, Pkcs11Error> {
        self.must_be(&self.backend.wanted().narrowed_to(locator, &self.backend.module)?)?;
        let session = self.token().writing_session()?;
        let objects = Objects { token: self.token(), session: &session };
        // Somebody may have put another there since.
        for public in objects.pair(&locator.id)?.public {
            match objects.point(public)? {
                Some(found) if found != *did.verifying_key() => {
                    return Err(Pkcs11Error::KeyReplaced {
                        token: self.token().name(),
                        key: objects.name_of(public),
                        expected: did.clone(),
                        found: Did::fitting(did.method(), &found),
                    });
                }
                _ => {}
            }
        }
        let was_there = !objects.keys_named(&locator.id)?.is_empty();
        let removed = storage.map_or(Ok(()), |id| objects.remove(id));
        // Both, although one fails.
        removed.and(objects.remove(&locator.id)).map(|()| was_there)
    }
}

impl Objects<'_> {
    /// What a key is, by its type and its curve, if it is none of this algorithm.
    pub(super) fn other_kind(
        self,
        key: ObjectHandle,
        algorithm: AlgorithmId,
    ) -> Result<Option<&'static str>, Pkcs11Error> {
        let asked = [AttributeType::KeyType, AttributeType::EcParams];
        let [key_type, curve] = self.values(key, asked)?;
        let key_type = key_type.and_then(number);
        // Not every token shows the curve of a private key.
        let may_be = |curve: Vec<u8>| {
            Scheme::of(algorithm).curves.iter().any(|(_, known)| *known == curve.as_slice())
        };
        Ok(match key_type.and_then(of_key_type) {
            None => Some(kind_of(key_type)),
            Some(found) if found != algorithm => Some("one on another curve"),
            Some(_) if curve.is_none_or(may_be) => None,
            Some(_) => Some("one on another curve"),
        })
    }

    /// Creates a public key's object, in the encoding that the token reads back right.
    pub(super) fn create_public(
        self,
        key: &VerifyingKey,
        id: &[u8],
        label: &str,
    ) -> Result<ObjectHandle, Pkcs11Error> {
        let scheme = Scheme::of(key.algorithm());
        let raw = match key {
            VerifyingKey::Ed25519(key) => key.as_bytes().to_vec(),
            VerifyingKey::P256(key) => key.to_uncompressed().to_vec(),
        };
        let mut der = vec![OCTET_STRING, u8::try_from(raw.len()).unwrap_or_default()];
        der.extend_from_slice(&raw);
        let mut failed = None;
        for point in [der, raw] {
            let created = self.create_public_as(scheme.key_type, scheme.oid(), point, id, label);
            match created.and_then(|object| Ok((object, self.point(object)?))) {
                Ok((object, Some(shown))) if shown == *key => return Ok(object),
                Ok((object, _)) => {
                    let destroyed = self.session.destroy_object(object);
                    destroyed.map_err(self.token.failed("C_DestroyObject"))?;
                }
                Err(error) => {
                    failed.get_or_insert(error);
                }
            }
        }
        Err(failed.unwrap_or_else(|| Pkcs11Error::PublicKey {
            token: self.token.name(),
            reason: "the token shows another one than was written".into(),
        }))
    }

    fn create_public_as(
        self,
        key_type: KeyType,
        curve: &[u8],
        point: Vec<u8>,
        id: &[u8],
        label: &str,
    ) -> Result<ObjectHandle, Pkcs11Error> {
        let template = [
            Attribute::Class(ObjectClass::PUBLIC_KEY),
            Attribute::KeyType(key_type),
            Attribute::Token(true),
            Attribute::Private(false),
            Attribute::Verify(true),
            Attribute::Id(id.to_owned()),
            Attribute::Label(label.into()),
            Attribute::EcParams(curve.to_vec()),
            Attribute::EcPoint(point),
        ];
        self.within_login(|| self.session.create_object(&template))
            .map_err(self.token.failed("C_CreateObject"))
    }
}
